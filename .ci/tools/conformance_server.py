"""A server under test, as the Connect conformance runner starts one: the reference gRPC server of
the suite as the application, and Sidegate in front of it.

    conformance_server.py GATEWAY GRPCSERVER PROTO_DIRECTORY LOG_DIRECTORY

Reads one ServerCompatRequest from standard input, writes one ServerCompatResponse to standard
output, serves until it is told to end. Messages are preceded by their length in four bytes.
"""

import json
import os
import signal
import struct
import subprocess
import sys
import tempfile

GRPC = 2  # Protocol
HTTP_2 = 2  # HTTPVersion
USE_TLS, CLIENT_CERT, SERVER_CREDS = 4, 5, 7  # fields of ServerCompatRequest
STARTED = []


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """Field numbers and values of a message; numbers and bytes are all there is."""
    found, at = {}, 0
    while at < len(data):
        key, at = read_varint(data, at)
        if key & 7 == 0:
            found[key >> 3], at = read_varint(data, at)
        else:
            length, at = read_varint(data, at)
            found[key >> 3] = data[at : at + length]
            at += length
    return found


def number(field, value):
    return varint(field << 3) + varint(value)


def text(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def receive(stream):
    (length,) = struct.unpack(">I", stream.read(4))
    return fields(stream.read(length))


def send(stream, message):
    stream.write(struct.pack(">I", len(message)) + message)
    stream.flush()


def keep(path, content):
    with open(path, "wb") as file:
        file.write(content)


def start(command, log, **options):
    log = open(log, "ab")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, **options)
    STARTED.append(process)
    return process


def stop(*_):
    for process in reversed(STARTED):
        process.terminate()
    for process in STARTED:
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
    os._exit(0)


def main(gateway, grpcserver, protos, logs):
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    wanted = receive(sys.stdin.buffer)
    limit = wanted.get(6) or 4 << 20

    # The application speaks nothing but gRPC, whatever is asked of the gateway.
    app = start([grpcserver, "--port", "0"], f"{logs}/app.err", stdin=subprocess.PIPE)
    send(app.stdin, number(1, GRPC) + number(2, HTTP_2) + number(6, limit))
    app_port = receive(app.stdout)[2]

    empty = tempfile.mkdtemp(dir=logs)
    settings = {"limits": {"message": f"{limit}B"}}
    flags = ["--listen", "127.0.0.1:0", "--admin", "off", "--proto", protos]
    shown = b""
    if wanted.get(USE_TLS):
        pair = fields(wanted[SERVER_CREDS])
        keep(f"{empty}/cert.pem", pair[1])
        keep(f"{empty}/key.pem", pair[2])
        flags += ["--tls-cert", "cert.pem", "--tls-key", "key.pem"]
        shown = text(3, pair[1])
        if clients := wanted.get(CLIENT_CERT):
            keep(f"{empty}/clients.pem", clients)
            settings["tls"] = {"client_auth": "required", "client_ca": ["clients.pem"]}
    keep(f"{empty}/sidegate.yaml", json.dumps(settings).encode())
    flags += ["--upstream", f"http://127.0.0.1:{app_port}", "--workers", "1"]
    served = start([gateway, "serve", *flags], f"{logs}/gateway.err", cwd=empty)
    port = int(json.loads(served.stdout.readline())["listen"].rsplit(":", 1)[1])
    send(sys.stdout.buffer, text(1, b"127.0.0.1") + number(2, port) + shown)
    # The access log, until the end.
    with open(f"{logs}/access.log", "ab") as log:
        for line in served.stdout:
            log.write(line)
    stop()


main(*sys.argv[1:])
