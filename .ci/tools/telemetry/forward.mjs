// A receiver of the forward protocol: the server of the Fluent project's own library for node. It
// writes every record as a line to a file, and tells its port.
//
//   node forward.mjs PORT FILE
import { createWriteStream } from "node:fs";
import fluent from "@fluent-org/logger";

const [port, file] = process.argv.slice(2);
const out = createWriteStream(file, { flags: "a" });
const server = new fluent.FluentServer({ listenOptions: { host: "127.0.0.1", port: Number(port) } });
server.on("entry", (tag, time, record) => {
  out.write(JSON.stringify({ tag, time: Number(time.epoch ?? time), record }) + "\n");
});
await server.listen();
console.log(JSON.stringify({ event: "listening", port: server.port }));
