// The two older gRPC-Web clients of the browser, in node with an XMLHttpRequest of their own: the
// grpc project's (binary and text) and Improbable's.
import { strict as assert } from "node:assert";
import { createRequire } from "node:module";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BASE, Bookstore, check, finish } from "./bookstore.mjs";

const require = createRequire(import.meta.url);
globalThis.XMLHttpRequest = require("xhr2");
const grpcWeb = require("grpc-web");
const { grpc } = require("@improbable-eng/grpc-web");
const { NodeHttpTransport } = require("@improbable-eng/grpc-web-node-http-transport");
grpc.setDefaultTransport(NodeHttpTransport());

const method = (name) => Bookstore.methods.find((method) => method.name === name);
const path = (name) => `/${Bookstore.typeName}/${name}`;
const request = (name, value) => create(method(name).input, value);

for (const format of ["binary", "text"]) {
  const client = new grpcWeb.GrpcWebClientBase({ format });
  const descriptor = (name, kind) =>
    new grpcWeb.MethodDescriptor(
      path(name),
      kind,
      Object,
      Object,
      (message) => toBinary(method(name).input, message),
      (bytes) => fromBinary(method(name).output, bytes),
    );
  const unary = (name, value, metadata = {}) =>
    client.unaryCall(
      BASE + path(name),
      request(name, value),
      metadata,
      descriptor(name, grpcWeb.MethodType.UNARY),
    );
  await check(`grpc-web, ${format}: unary`, async () => {
    const shelf = await unary("GetShelf", { name: "shelves/scifi" });
    assert.equal(shelf.theme, "Science fiction");
  });
  await check(`grpc-web, ${format}: a failure`, async () => {
    const error = await unary("GetShelf", { name: "shelves/none" }).then(
      () => assert.fail("it succeeded"),
      (error) => error,
    );
    assert.equal(error.code, grpcWeb.StatusCode.NOT_FOUND);
    assert.ok(error.message.includes("shelves/none"));
  });
}

// Streams need text with this client.
const text = new grpcWeb.GrpcWebClientBase({ format: "text" });
const stream = (value, metadata = {}) =>
  new Promise((resolve) => {
    const seen = [];
    let code = 0;
    text
      .serverStreaming(
        BASE + path("StreamBooks"),
        request("StreamBooks", value),
        metadata,
        new grpcWeb.MethodDescriptor(
          path("StreamBooks"),
          grpcWeb.MethodType.SERVER_STREAMING,
          Object,
          Object,
          (message) => toBinary(method("StreamBooks").input, message),
          (bytes) => fromBinary(method("StreamBooks").output, bytes),
        ),
      )
      .on("data", (book) => seen.push(book))
      .on("error", (error) => resolve({ seen, code: error.code }))
      .on("status", (status) => (code = status.code))
      .on("end", () => resolve({ seen, code }));
  });
await check("grpc-web, text: server stream", async () => {
  const { seen, code } = await stream({ parent: "shelves/scifi", rounds: 2 });
  assert.equal(code, 0);
  assert.ok(seen.length >= 6 && seen.every((book) => book.title !== ""));
});
await check("grpc-web, text: a stream that fails in the middle", async () => {
  const { seen, code } = await stream({ parent: "shelves/scifi", failAfter: 2 });
  assert.equal(seen.length, 2);
  assert.notEqual(code, 0);
});

await check("grpc-web, text: a deadline", async () => {
  const slow = { parent: "shelves/scifi", rounds: 50, interval: { seconds: 1n } };
  const { code } = await stream(slow, { deadline: String(Date.now() + 400) });
  assert.equal(code, grpcWeb.StatusCode.DEADLINE_EXCEEDED);
});

// Improbable's client: types are classes with `deserializeBinary` and messages with
// `serializeBinary`.
const definition = (name) => ({
  methodName: name,
  service: { serviceName: Bookstore.typeName },
  requestStream: method(name).methodKind !== "unary" && method(name).methodKind !== "server_streaming",
  responseStream: method(name).methodKind !== "unary" && method(name).methodKind !== "client_streaming",
  requestType: class {},
  responseType: {
    deserializeBinary: (bytes) => ({
      ...fromBinary(method(name).output, bytes),
      toObject: () => ({}),
    }),
  },
});
const improbable = (name, value, options = {}) =>
  new Promise((resolve) => {
    const seen = [];
    const message = request(name, value);
    grpc.invoke(definition(name), {
      host: BASE,
      request: { serializeBinary: () => toBinary(method(name).input, message), toObject: () => ({}) },
      metadata: new grpc.Metadata({ "x-request-id": "a1" }),
      onMessage: (message) => seen.push(message),
      onEnd: (code, text) => resolve({ seen, code, text }),
      ...options,
    });
  });
await check("improbable, HTTP: unary", async () => {
  const { seen, code } = await improbable("GetShelf", { name: "shelves/scifi" });
  assert.equal(code, grpc.Code.OK);
  assert.equal(seen[0].theme, "Science fiction");
});
await check("improbable, HTTP: a failure", async () => {
  const { code, text } = await improbable("GetShelf", { name: "shelves/none" });
  assert.equal(code, grpc.Code.NotFound);
  assert.ok(text.includes("shelves/none"));
});
await check("improbable, HTTP: server stream", async () => {
  const { seen, code } = await improbable("StreamBooks", { parent: "shelves/scifi", rounds: 2 });
  assert.equal(code, grpc.Code.OK);
  assert.ok(seen.length >= 6);
});
finish("grpc-web and Improbable's client");
