// What runs in the browser: a page of another origin than the gateway's.
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

const results = [];

async function check(name, body) {
  try {
    await body();
    results.push({ name });
  } catch (error) {
    results.push({ name, error: String(error?.stack ?? error) });
  }
}

function must(holds, what) {
  if (!holds) throw new Error(what);
}

async function run(base) {
  const set = new Uint8Array(await (await fetch("/bookstore.binpb")).arrayBuffer());
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, set));
  const service = registry.getService("bookstore.v1.Bookstore");
  const jsonOptions = { registry };
  for (const useBinaryFormat of [true, false]) {
    const options = { baseUrl: base, useBinaryFormat, jsonOptions };
    const transports = {
      Connect: createConnectTransport(options),
      "Connect with GET": createConnectTransport({ ...options, useHttpGet: true }),
      "gRPC-Web": createGrpcWebTransport(options),
    };
    for (const [name, transport] of Object.entries(transports)) {
      const title = `${name}, ${useBinaryFormat ? "protobuf" : "JSON"}`;
      const client = createClient(service, transport);
      await check(`${title}: unary`, async () => {
        const shelf = await client.getShelf({ name: "shelves/scifi" }, { headers: { "x-page": "1" } });
        must(shelf.theme === "Science fiction", shelf.theme);
      });
      await check(`${title}: a failure`, async () => {
        const error = await client.getShelf({ name: "shelves/none" }).then(
          () => null,
          (error) => ConnectError.from(error),
        );
        must(error?.code === Code.NotFound, String(error));
      });
      await check(`${title}: server stream, as it comes`, async () => {
        const times = [];
        const request = { parent: "shelves/scifi", rounds: 1, interval: { nanos: 150_000_000 } };
        for await (const book of client.streamBooks(request)) {
          must(book.title !== "", "a book without a title");
          times.push(performance.now());
        }
        must(times.length >= 3, `${times.length} books`);
        must(times.at(-1) - times[0] > 200, "the books came all at once");
      });
      await check(`${title}: a stream that fails in the middle`, async () => {
        let seen = 0;
        let failure = null;
        try {
          for await (const _ of client.streamBooks({ parent: "shelves/scifi", failAfter: 2 })) seen += 1;
        } catch (error) {
          failure = ConnectError.from(error);
        }
        must(seen === 2 && failure !== null, `${seen} books, ${failure}`);
      });
    }
  }

  const books = `${base}/v1/shelves/scifi/books:stream?fail_after=2`;
  await check("fetch, an array that breaks off", async () => {
    const answer = await fetch(books);
    const error = await answer.json().then(
      () => null,
      (error) => error,
    );
    must(answer.status === 200 && error !== null, "it looked whole");
  });
  await check("fetch, lines with the failure last", async () => {
    const answer = await fetch(books, { headers: { accept: "application/x-ndjson" } });
    const lines = (await answer.text()).trim().split("\n").map((line) => JSON.parse(line));
    must(lines.length === 3 && lines[2].error, JSON.stringify(lines.at(-1)));
  });
  await check("EventSource, the failure as an event", async () => {
    const seen = { messages: 0, failure: null };
    await new Promise((resolve) => {
      const source = new EventSource(`${books}&alt=sse`);
      source.onmessage = () => (seen.messages += 1);
      source.addEventListener("error", (event) => {
        if (event.data) seen.failure = JSON.parse(event.data);
        source.close();
        resolve();
      });
    });
    must(seen.messages === 2 && seen.failure !== null, JSON.stringify(seen));
  });
  await check("fetch, a header and an error that the page may read", async () => {
    const answer = await fetch(`${base}/v1/shelves/none`, { headers: { "x-page": "1" } });
    const body = await answer.json();
    must(answer.status === 404 && body.error.status === "NOT_FOUND", JSON.stringify(body));
  });
  await check("fetch, a method that has to be asked for first", async () => {
    const answer = await fetch(`${base}/v1/shelves/scifi/books/solaris?update_mask=pages`, {
      method: "PATCH",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ pages: 204 }),
    });
    must(answer.status === 200, `${answer.status}`);
  });
}

const parameters = new URLSearchParams(location.search);
await check("the page", () => run(parameters.get("gateway")));
// Of an origin that is not allowed, nothing may be read.
await check("a gateway that does not know this page", async () => {
  const answer = await fetch(`${parameters.get("closed")}/v1/shelves`).then(
    () => "it could be read",
    () => null,
  );
  must(answer === null, answer);
});
await fetch("/results", { method: "POST", body: JSON.stringify(results) });
