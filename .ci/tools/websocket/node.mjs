// The checks with node's `ws`, and what a page of another origin gets.
//   node node.mjs 127.0.0.1:8081

import WebSocket from "ws";
import { all } from "./page/checks.mjs";

const host = process.argv[2];
let failed = await all(WebSocket, `ws://${host}`, console.log);
const status = await new Promise((resolve) => {
  const socket = new WebSocket(`ws://${host}/v1/chat`, { origin: "http://elsewhere.example" });
  socket.on("unexpected-response", (_, response) => resolve(response.statusCode));
  socket.on("open", () => resolve(101));
});
console.log(`${status === 403 ? "ok" : "not ok"} a page of another origin: ${status}`);
failed += status === 403 ? 0 : 1;
process.exit(failed ? 1 : 0);
