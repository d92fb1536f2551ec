"""Asks another gateway and Sidegate the same and compares the answers, part by part: the status,
the content type, the body, what the application saw, and every header that is no matter of the
connection. A difference has to be named in differences.toml, and what is named there has to differ.

    compare.py PEER ADDRESS SIDEGATE [--verbose]
"""

import fnmatch
import http.client
import json
import pathlib
import sys
import tomllib

HERE = pathlib.Path(__file__).parent
# Of the connection, of the clock and of the program.
UNCOMPARED = {
    "connection", "content-length", "content-type", "date", "keep-alive", "server", "transfer-encoding",
    "x-envoy-upstream-service-time", "vary",
}


def ask(address, request):
    """The status, the headers by name, and the body, or where it broke off."""
    method, target = request["send"].split(" ", 1)
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.putrequest(method, target, skip_accept_encoding=True)
    headers = {"content-type": "application/json"} if request.get("body") else {}
    headers |= request.get("headers", {})
    body = request.get("body", "").encode()
    if "body" in request:
        headers["content-length"] = str(len(body))
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    response = connection.getresponse()
    found = {}
    for name, value in response.getheaders():
        found.setdefault(name.lower(), []).append(value)
    try:
        content = response.read()
    except http.client.IncompleteRead as error:
        content = error.partial + b"<broken off>"
    connection.close()
    return response.status, found, content


def meaning(content):
    """A body as what it says: one JSON value, or the values of lines; else the bytes."""
    text = content.decode(errors="replace")
    for read in (json.loads, lambda text: [json.loads(line) for line in text.splitlines()]):
        try:
            return read(text)
        except ValueError:
            pass
    return text


def parts(answer, request):
    """An answer by its parts, as they are compared."""
    status, headers, content = answer
    found = {"status": status, "type": headers.get("content-type", ["-"])[0]}
    for name, values in headers.items():
        if name not in UNCOMPARED:
            found[f"header {name}"] = values
    body = meaning(content)
    if request.get("own") and isinstance(body, dict):
        # The words are everybody's own.
        body = {key: value for key, value in body.items() if key not in ("message", "details")}
        found.pop("header grpc-message", None)
    if request["name"] == "what the application sees" and isinstance(body, dict):
        for name, value in body.get("metadata", {}).items():
            found[f"sees {name}"] = value
    else:
        found["body"] = body
    return found


class Known:
    """The differences that are named for a gateway."""

    def __init__(self, peer):
        entries = tomllib.loads((HERE / "differences.toml").read_text())["difference"]
        self.entries = [entry for entry in entries if entry["peer"] == peer]
        self.used = set()

    def covers(self, name, part):
        found = False
        for at, entry in enumerate(self.entries):
            requests, named = entry.get("requests", ["*"]), entry["parts"]
            if any(fnmatch.fnmatchcase(name, glob) for glob in requests) and any(
                fnmatch.fnmatchcase(part, glob) for glob in named
            ):
                self.used.add(at)
                found = True
        return found

    def stale(self):
        return [entry for at, entry in enumerate(self.entries) if at not in self.used]


def main(peer, theirs, ours, *flags):
    known = Known(peer)
    requests = tomllib.loads((HERE / "requests.toml").read_text())["request"]
    requests = [request for request in requests if peer in request.get("peers", [peer])]
    alike = failed = named = 0
    for request in requests:
        expected = parts(ask(theirs, request), request)
        found = parts(ask(ours, request), request)
        wrong = []
        for part in sorted(expected.keys() | found.keys()):
            if expected.get(part) == found.get(part):
                continue
            if known.covers(request["name"], part):
                named += 1
            else:
                wrong.append(f"  {part}\n    {peer}: {expected.get(part)}\n    Sidegate: {found.get(part)}")
        if wrong:
            failed += 1
            print(f"{peer}: {request['name']} ({request['send']})", *wrong, sep="\n")
        else:
            alike += 1
        if flags:
            print(peer, request["name"], expected, sep="\n  ")
    for entry in known.stale():
        failed += 1
        print(f"{peer}: nothing differs any more of {entry['parts']}: {entry['reason']}")
    print(f"compat {peer}: {alike} passed, {failed} failed; {named} parts differ as named")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
