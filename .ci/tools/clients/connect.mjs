// The clients of the Connect project: every transport of connect-node and connect-web, both codecs,
// from one descriptor set and without generated code.
import { strict as assert } from "node:assert";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import * as node from "@connectrpc/connect-node";
import * as web from "@connectrpc/connect-web";
import { BASE, Bookstore, check, collect, finish, registry } from "./bookstore.mjs";

const jsonOptions = { registry };
const transports = [];
for (const useBinaryFormat of [true, false]) {
  const codec = useBinaryFormat ? "protobuf" : "JSON";
  const options = { baseUrl: BASE, useBinaryFormat, jsonOptions };
  for (const httpVersion of ["1.1", "2"]) {
    const http = { ...options, httpVersion };
    const duplex = httpVersion === "2";
    const name = `${codec}, HTTP/${httpVersion}`;
    transports.push([`connect-node Connect, ${name}`, node.createConnectTransport(http), "streams", duplex]);
    transports.push([
      `connect-node Connect with GET, ${name}`,
      node.createConnectTransport({ ...http, useHttpGet: true, acceptCompression: [] }),
      "streams",
      duplex,
    ]);
    transports.push([`connect-node gRPC-Web, ${name}`, node.createGrpcWebTransport(http), "streams", duplex]);
  }
  transports.push([
    `connect-node gRPC, ${codec}`,
    node.createGrpcTransport({ ...options, httpVersion: "2" }),
    "streams",
    true,
  ]);
  // Protobuf passes with its compression, which this application does not know; JSON is read here.
  if (!useBinaryFormat) {
    transports.push([
      "connect-node gRPC with gzip, JSON",
      node.createGrpcTransport({
        ...options,
        httpVersion: "2",
        sendCompression: node.compressionGzip,
        compressMinBytes: 1,
      }),
      "streams",
      true,
    ]);
  }
  transports.push([`connect-web Connect, ${codec}`, web.createConnectTransport(options), "server", false]);
  transports.push([`connect-web gRPC-Web, ${codec}`, web.createGrpcWebTransport(options), "server", false]);
}

async function* sequence(messages) {
  yield* messages;
}

for (const [name, transport, streams, duplex] of transports) {
  const client = createClient(Bookstore, transport);
  const failing = async (call, code) => {
    const error = await call.then(
      () => assert.fail("it succeeded"),
      (error) => ConnectError.from(error),
    );
    assert.equal(Code[error.code], Code[code], error.message);
    return error;
  };

  await check(`${name}: unary`, async () => {
    const shelf = await client.getShelf({ name: "shelves/scifi" });
    assert.equal(shelf.theme, "Science fiction");
    assert.ok(shelf.createTime.seconds > 0n);
  });
  await check(`${name}: repeated fields and 64-bit numbers`, async () => {
    const answer = await client.listBooks({ parent: "shelves/scifi", pageSize: 2 });
    assert.equal(answer.books.length, 2);
    assert.equal(typeof answer.totalSize, "bigint");
  });
  await check(`${name}: a failure and its details`, async () => {
    const error = await failing(client.getShelf({ name: "shelves/none" }), Code.NotFound);
    assert.ok(error.rawMessage.includes("shelves/none"), error.rawMessage);
  });
  await check(`${name}: metadata`, async () => {
    let headers;
    await client.getShelf(
      { name: "shelves/scifi" },
      { headers: { "x-request-id": "a1" }, onHeader: (received) => (headers = received) },
    );
    assert.ok(headers instanceof Headers);
  });
  await check(`${name}: server stream`, async () => {
    const books = await collect(client.streamBooks({ parent: "shelves/scifi", rounds: 2 }));
    assert.ok(books.length >= 6);
    assert.ok(books.every((book) => book.title !== ""));
  });
  await check(`${name}: a stream that fails in the middle`, async () => {
    const seen = [];
    const call = (async () => {
      for await (const book of client.streamBooks({ parent: "shelves/scifi", failAfter: 2 })) seen.push(book);
    })();
    const error = await call.then(
      () => assert.fail("it succeeded"),
      (error) => ConnectError.from(error),
    );
    assert.equal(seen.length, 2);
    assert.notEqual(error.code, Code.Unknown, error.message);
  });
  await check(`${name}: a deadline`, async () => {
    const slow = client.streamBooks(
      { parent: "shelves/scifi", rounds: 50, interval: { seconds: 1n } },
      { timeoutMs: 300 },
    );
    await failing(collect(slow), Code.DeadlineExceeded);
  });
  await check(`${name}: a method that is not there`, async () => {
    const parent = { ...Bookstore, typeName: "bookstore.v1.Gone" };
    const methods = Bookstore.methods.map((method) => ({ ...method, parent }));
    const gone = createClient({ ...parent, methods }, transport);
    await failing(gone.getShelf({ name: "shelves/scifi" }), Code.Unimplemented);
  });
  if (streams === "streams") {
    await check(`${name}: client stream`, async () => {
      const answer = await client.importBooks(
        sequence([
          { parent: "shelves/scifi", book: { title: `Ubik, ${name}` } },
          { book: { title: "" } },
          { book: { title: `Kindred, ${name}` } },
        ]),
      );
      assert.equal(answer.importedCount, 2);
    });
    await check(`${name}: bidirectional, half duplex`, async () => {
      const answers = await collect(client.chat(sequence([{ text: "one" }, { text: "two" }])));
      assert.ok(answers.length >= 2);
    });
  }
  if (duplex) {
    await check(`${name}: bidirectional, full duplex`, async () => {
      let next;
      const turns = [];
      const say = (text) => (turns.push({ text }), next?.());
      async function* talk() {
        for (;;) {
          while (turns.length > 0) {
            const turn = turns.shift();
            if (turn.text === null) return;
            yield turn;
          }
          await new Promise((resolve) => (next = resolve));
        }
      }
      say("one");
      const answers = [];
      for await (const answer of client.chat(talk())) {
        answers.push(answer);
        // The second is said only after the first was answered.
        if (answers.length === 1) say("two");
        if (answers.length === 2) say(null);
      }
      assert.ok(answers.length >= 2);
    });
  }
}
finish("connect-node and connect-web");
