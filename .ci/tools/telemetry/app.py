"""A gRPC application that tells what metadata it got: grpcio's own server, with reflection left out.
It also shows metrics of its own and appends a line to a log file for every call.

    app.py GRPC_PORT METRICS_PORT LOG
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc

GRPC, METRICS, LOG = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]


def text(field, value):
    return bytes([field << 3 | 2]) + varint(len(value)) + value


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def echo(request, context):
    metadata = {k: v for k, v in context.invocation_metadata() if isinstance(v, str)}
    with open(LOG, "a") as log:
        log.write("the app was asked\n")
    if metadata.get("x-fail"):
        context.abort(grpc.StatusCode.INTERNAL, "as you asked")
    return text(1, json.dumps(metadata).encode())


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        page = (b"# HELP app_books Books there are.\n# TYPE app_books gauge\napp_books{shelf=\"a\"} 3\n"
                b"# HELP process_open_fds Of the app.\n# TYPE process_open_fds gauge\nprocess_open_fds 7\n")
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_):
        pass


server = grpc.server(ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.Echo", {
    "Get": grpc.unary_unary_rpc_method_handler(echo, lambda b: b, lambda b: b),
}),))
assert server.add_insecure_port(f"127.0.0.1:{GRPC}") == GRPC
server.start()
print("listening", flush=True)
ThreadingHTTPServer(("127.0.0.1", METRICS), Handler).serve_forever()
