"""A collector of traces over HTTP and gRPC, with OpenTelemetry's own messages: appends every span as
a line of JSON to a file.

    otlp.py FILE HTTP_PORT GRPC_PORT
"""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb

FILE, HTTP, GRPC = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
LOCK = threading.Lock()
SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"


def plain(value):
    return getattr(value, value.WhichOneof("value"))


def store(request, way):
    with LOCK, open(FILE, "a") as out:
        for resource in request.resource_spans:
            service = {a.key: plain(a.value) for a in resource.resource.attributes}["service.name"]
            for scope in resource.scope_spans:
                for span in scope.spans:
                    told = {
                        "way": way, "service": service, "name": span.name, "kind": span.kind,
                        "trace": span.trace_id.hex(), "span": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(), "status": span.status.code,
                        "from": span.start_time_unix_nano, "to": span.end_time_unix_nano,
                        "attributes": {a.key: plain(a.value) for a in span.attributes},
                    }
                    out.write(json.dumps(told) + "\n")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        sound = self.path == "/v1/traces" and self.headers["content-type"] == "application/x-protobuf"
        if sound:
            store(pb.ExportTraceServiceRequest.FromString(body), "http")
        self.send_response(200 if sound else 400)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def export(request, _context):
    store(request, "grpc")
    return pb.ExportTraceServiceResponse()


server = grpc.server(ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {
    "Export": grpc.unary_unary_rpc_method_handler(
        export, pb.ExportTraceServiceRequest.FromString,
        lambda answer: answer.SerializeToString()),
}),))
assert server.add_insecure_port(f"127.0.0.1:{GRPC}") == GRPC
server.start()
print("listening", flush=True)
ThreadingHTTPServer(("127.0.0.1", HTTP), Handler).serve_forever()
