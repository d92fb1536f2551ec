"""A client under test, as the Connect conformance runner starts one: the suite's own gRPC client,
and Sidegate between it and the runner's servers, well-behaved and hostile.

    conformance_client.py GATEWAY GRPCCLIENT PROTO_DIRECTORY LOG_DIRECTORY

Reads ClientCompatRequests from standard input, points each at a gateway in front of the server that
it names, and hands it to the client, whose answers go to standard output as they are. There is one
gateway for each server. Messages are preceded by their length in four bytes.
"""

import json
import os
import struct
import subprocess
import sys
import tempfile
import threading

HOST, PORT, RECEIVE_LIMIT = 6, 7, 10
GATEWAYS = {}


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
    """Each field with its bytes as they stand: number, value, raw."""
    at = 0
    while at < len(data):
        begun = at
        key, at = read_varint(data, at)
        if key & 7 == 0:
            value, at = read_varint(data, at)
        else:
            length, at = read_varint(data, at)
            value = data[at : at + length]
            at += length
        yield key >> 3, value, data[begun:at]


def gateway_for(upstream, limit, gateway, protos, logs):
    known = GATEWAYS.get((upstream, limit))
    if known:
        return known
    empty = tempfile.mkdtemp(dir=logs)
    if limit:
        with open(f"{empty}/sidegate.yaml", "w") as config:
            json.dump({"limits": {"message": f"{limit}B"}}, config)
    flags = ["--listen", "127.0.0.1:0", "--admin", "off", "--proto", protos]
    flags += ["--upstream", f"http://{upstream}", "--workers", "1", "--reflection", "off"]
    log = open(f"{logs}/gateway.err", "ab")
    served = subprocess.Popen(
        [gateway, "serve", *flags], stdout=subprocess.PIPE, stderr=log, cwd=empty
    )
    port = int(json.loads(served.stdout.readline())["listen"].rsplit(":", 1)[1])

    def follow():
        with open(f"{logs}/access.log", "ab") as access:
            for line in served.stdout:
                access.write(line)

    threading.Thread(target=follow, daemon=True).start()
    GATEWAYS[upstream, limit] = port, served
    return port, served


def main(gateway, grpcclient, protos, logs):
    log = open(f"{logs}/client.err", "ab")
    client = subprocess.Popen([grpcclient], stdin=subprocess.PIPE, stderr=log)
    while head := sys.stdin.buffer.read(4):
        (length,) = struct.unpack(">I", head)
        message = sys.stdin.buffer.read(length)
        known = {number: value for number, value, _ in fields(message)}
        upstream = f"{known[HOST].decode()}:{known[PORT]}"
        port, _ = gateway_for(upstream, known.get(RECEIVE_LIMIT, 0), gateway, protos, logs)
        kept = b"".join(raw for number, _, raw in fields(message) if number not in (HOST, PORT))
        host = b"127.0.0.1"
        kept += varint(HOST << 3 | 2) + varint(len(host)) + host + varint(PORT << 3) + varint(port)
        client.stdin.write(struct.pack(">I", len(kept)) + kept)
        client.stdin.flush()
    client.stdin.close()
    status = client.wait()
    for _, served in GATEWAYS.values():
        served.terminate()
        served.wait()
    sys.stdout.flush()
    os._exit(status)


main(*sys.argv[1:])
