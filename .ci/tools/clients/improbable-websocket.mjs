// Improbable's client with its WebSocket transport, `grpc-websockets`: all four kinds of calls,
// failures, metadata both ways, and a conversation whose turns wait for each other.
import { strict as assert } from "node:assert";
import { createRequire } from "node:module";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BASE, Bookstore, check, finish } from "./bookstore.mjs";

const require = createRequire(import.meta.url);
globalThis.WebSocket = require("ws");
globalThis.XMLHttpRequest = require("xhr2");
const { grpc } = require("@improbable-eng/grpc-web");

const method = (name) => Bookstore.methods.find((method) => method.name === name);
const streams = (name, side) => ["bidi_streaming", `${side}_streaming`].includes(method(name).methodKind);
const definition = (name) => ({
  methodName: name,
  service: { serviceName: Bookstore.typeName },
  requestStream: streams(name, "client"),
  responseStream: streams(name, "server"),
  requestType: class {},
  responseType: {
    deserializeBinary: (bytes) => ({ ...fromBinary(method(name).output, bytes), toObject: () => ({}) }),
  },
});
const request = (name, value) => ({
  serializeBinary: () => toBinary(method(name).input, create(method(name).input, value)),
  toObject: () => value,
});

// A call of these messages; `turn(answers, client)` is called for each answer.
const call = (name, messages, { turn, metadata = {} } = {}) =>
  new Promise((resolve) => {
    const seen = [];
    let headers;
    const client = grpc.client(definition(name), { host: BASE, transport: grpc.WebsocketTransport() });
    client.onHeaders((received) => (headers = received));
    client.onMessage((message) => {
      seen.push(message);
      turn?.(seen, client);
    });
    client.onEnd((code, text, trailers) => resolve({ seen, headers, code, text, trailers }));
    client.start(new grpc.Metadata(metadata));
    for (const message of messages) client.send(request(name, message));
    if (!turn) client.finishSend();
  });

const title = (text) => `improbable, WebSocket: ${text}`;
await check(title("unary"), async () => {
  const { seen, code } = await call("GetShelf", [{ name: "shelves/scifi" }]);
  assert.equal(code, grpc.Code.OK);
  assert.equal(seen.length, 1);
  assert.equal(seen[0].theme, "Science fiction");
});
await check(title("server stream"), async () => {
  const { seen, code } = await call("StreamBooks", [{ parent: "shelves/scifi", rounds: 2 }]);
  assert.equal(code, grpc.Code.OK);
  assert.ok(seen.length >= 6 && seen.every((book) => book.title !== ""));
});
await check(title("client stream"), async () => {
  const books = [
    { parent: "shelves/scifi", book: { title: "Valis" } },
    { book: { title: "" } },
    { book: { title: "Dawn" } },
  ];
  const { seen, code } = await call("ImportBooks", books);
  assert.equal(code, grpc.Code.OK);
  assert.equal(seen[0].importedCount, 2);
});
await check(title("bidirectional, half duplex"), async () => {
  const { seen, code } = await call("Chat", [{ text: "one" }, { text: "two" }]);
  assert.equal(code, grpc.Code.OK);
  assert.equal(seen.length, 2);
});
await check(title("bidirectional, full duplex"), async () => {
  const turn = (seen, client) => {
    // The next is said only after the last was answered.
    if (seen.length < 4) client.send(request("Chat", { text: `turn ${seen.length}` }));
    else client.finishSend();
  };
  const { seen, code } = await call("Chat", [{ text: "first" }], { turn });
  assert.equal(code, grpc.Code.OK);
  assert.equal(seen.length, 4);
});
await check(title("a failure"), async () => {
  const { seen, code, text } = await call("GetShelf", [{ name: "shelves/none" }]);
  assert.equal(code, grpc.Code.NotFound);
  assert.equal(seen.length, 0);
  assert.ok(text.includes("shelves/none"), text);
});
await check(title("a stream that fails in the middle"), async () => {
  const { seen, code } = await call("StreamBooks", [{ parent: "shelves/scifi", failAfter: 2 }]);
  assert.equal(seen.length, 2);
  assert.notEqual(code, grpc.Code.OK);
});
await check(title("a deadline"), async () => {
  const slow = { parent: "shelves/scifi", rounds: 50, interval: { seconds: 1n } };
  const { code } = await call("StreamBooks", [slow], { metadata: { "grpc-timeout": "300m" } });
  assert.equal(code, grpc.Code.DeadlineExceeded);
});
await check(title("metadata both ways"), async () => {
  const metadata = { "x-request-id": "a1", "x-bytes-bin": "AQI" };
  const { headers, trailers, code } = await call("GetShelf", [{ name: "shelves/scifi" }], { metadata });
  assert.equal(code, grpc.Code.OK);
  assert.ok(headers.get("content-type")[0].startsWith("application/grpc-web"));
  assert.deepEqual(trailers.get("grpc-status"), ["0"]);
});
await check(title("a method that is not there"), async () => {
  const gone = { ...definition("GetShelf"), methodName: "Gone" };
  const code = await new Promise((resolve) => {
    grpc.invoke(gone, {
      host: BASE,
      transport: grpc.WebsocketTransport(),
      request: request("GetShelf", {}),
      onEnd: resolve,
    });
  });
  assert.equal(code, grpc.Code.Unimplemented);
});
await check(title("a call that is given up"), async () => {
  const client = grpc.client(definition("Chat"), { host: BASE, transport: grpc.WebsocketTransport() });
  const answered = new Promise((resolve) => client.onMessage(resolve));
  client.start();
  client.send(request("Chat", { text: "hello" }));
  await answered;
  client.close();
});
finish("Improbable's client over WebSocket");
