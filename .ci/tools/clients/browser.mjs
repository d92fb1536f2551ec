// Opens page.mjs in headless Chromium, from an origin of its own, and prints what it found.
//
//     node browser.mjs GATEWAY SET PORT CLOSED_GATEWAY
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const [, , gateway, set, port, closed] = process.argv;
const here = dirname(fileURLToPath(import.meta.url));
const esm = (name, rest = "") => `/node_modules/${name}/dist/esm/${rest}index.js`;
const imports = {
  "@connectrpc/connect": esm("@connectrpc/connect"),
  "@connectrpc/connect/protocol": esm("@connectrpc/connect", "protocol/"),
  "@connectrpc/connect/protocol-connect": esm("@connectrpc/connect", "protocol-connect/"),
  "@connectrpc/connect/protocol-grpc": esm("@connectrpc/connect", "protocol-grpc/"),
  "@connectrpc/connect/protocol-grpc-web": esm("@connectrpc/connect", "protocol-grpc-web/"),
  "@connectrpc/connect-web": esm("@connectrpc/connect-web"),
  "@bufbuild/protobuf": esm("@bufbuild/protobuf"),
  "@bufbuild/protobuf/codegenv2": esm("@bufbuild/protobuf", "codegenv2/"),
  "@bufbuild/protobuf/reflect": esm("@bufbuild/protobuf", "reflect/"),
  "@bufbuild/protobuf/wire": esm("@bufbuild/protobuf", "wire/"),
  "@bufbuild/protobuf/wkt": esm("@bufbuild/protobuf", "wkt/"),
};
const page = `<!doctype html><title>clients</title>
<script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module" src="/page.mjs"></script>`;
const kinds = { ".js": "text/javascript", ".mjs": "text/javascript", ".binpb": "application/octet-stream" };
const profile = mkdtempSync(join(tmpdir(), "chromium-"));
let chromium;

function finish(results) {
  chromium?.kill("SIGKILL");
  try {
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  } catch {
    // Chromium may still be writing; the directory is a temporary one.
  }
  const failed = results.filter((result) => result.error);
  for (const { name, error } of failed) console.log(`FAILED ${name}: ${error}`);
  console.log(`== Chromium: ${results.length - failed.length} checks passed, ${failed.length} failed`);
  process.exit(failed.length === 0 && results.length > 20 ? 0 : 1);
}

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://page");
  if (pathname === "/results") {
    const pieces = [];
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => {
      response.end();
      finish(JSON.parse(Buffer.concat(pieces)));
    });
    return;
  }
  if (pathname === "/") {
    response.setHeader("content-type", "text/html");
    response.end(page);
    return;
  }
  try {
    const file = pathname === "/bookstore.binpb" ? set : join(here, normalize(pathname));
    response.setHeader("content-type", kinds[extname(file)] ?? "text/plain");
    response.end(readFileSync(file));
  } catch {
    response.statusCode = 404;
    response.end();
  }
});
server.listen(Number(port), "127.0.0.1", () => {
  const url = `http://127.0.0.1:${port}/?gateway=${encodeURIComponent(gateway)}&closed=${encodeURIComponent(closed)}`;
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
  flags.push(`--user-data-dir=${profile}`, "--remote-debugging-port=0", "--enable-logging=stderr", url);
  chromium = spawn("chromium", flags, { stdio: ["ignore", "ignore", process.env.VERBOSE ? "inherit" : "ignore"] });
});
setTimeout(() => finish([{ name: "the browser", error: "no result after 60 s" }]), 60_000);
