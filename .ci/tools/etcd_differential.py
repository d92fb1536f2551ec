"""The same requests to two gateways of etcd, each in front of an etcd of its own that was empty
at the start; the answers are compared field by field.

usage: etcd_differential.py REFERENCE SUBJECT      (both HOST:PORT)

Only the standard library is used. Every request changes both etcds in the same way, so that
revisions, versions and counts have to be equal; what one machine makes up (identities, sizes,
times) is blanked first. Where Sidegate answers otherwise on purpose, the row says why.
"""

import base64
import http.client
import json
import socket
import sys

TIMEOUT = 10


def b64(text):
    return base64.b64encode(text.encode()).decode()


def key(name, **more):
    return {"key": b64(name), **more}


def pair(name, value, **more):
    return key(name, value=b64(value), **more)


# --- rows: (name, method, path, body, how) -------------------------------------------------
# A body is JSON unless it is a string, which is sent as it stands. How the answers compare:
#   same       status, content type and every field
#   refused    status, the shape of the error and its code; the text is the gateway's own
#   status     the status alone
#   stream     the lines of the answer, each as in `same`
#   ("differs", STATUS, WHY)   Sidegate answers another status on purpose; an error's code and text
#                              are the same
PRECONDITION = ("differs", 400, "FAILED_PRECONDITION is 400 (E1), grpc-gateway v1 has 412")
UNKNOWN_ENUM = ("differs", 200, "where unknown fields are ignored, unknown names of enums are (ProtoJSON)")

ROWS = [
    ("range of nothing", "POST", "/v3/kv/range", key("none"), "same"),
    ("put", "POST", "/v3/kv/put", pair("a", "1"), "same"),
    ("put again with the previous value", "POST", "/v3/kv/put", pair("a", "2", prev_kv=True), "same"),
    ("names may be camelCase", "POST", "/v3/kv/put", pair("a", "3", prevKv=True), "same"),
    ("put an empty value", "POST", "/v3/kv/put", key("empty"), "same"),
    ("put binary", "POST", "/v3/kv/put", {"key": "AP/+", "value": "gAECAwQ="}, "same"),
    ("put more", "POST", "/v3/kv/put", pair("b", "two"), "same"),
    ("put still more", "POST", "/v3/kv/put", pair("c", "drei"), "same"),
    ("put a large value", "POST", "/v3/kv/put", pair("large", "x" * 300000), "same"),
    ("range of one", "POST", "/v3/kv/range", key("a"), "same"),
    ("range of the large one", "POST", "/v3/kv/range", key("large"), "same"),
    ("range of binary", "POST", "/v3/kv/range", {"key": "AP/+"}, "same"),
    ("range of many", "POST", "/v3/kv/range", key("a", range_end=b64("d")), "same"),
    ("range of all", "POST", "/v3/kv/range", {"key": "AA==", "range_end": "AA=="}, "same"),
    ("range, keys only", "POST", "/v3/kv/range", key("a", range_end=b64("d"), keys_only=True), "same"),
    ("range, count only", "POST", "/v3/kv/range", key("a", range_end=b64("d"), count_only=True), "same"),
    ("range with a limit", "POST", "/v3/kv/range", key("a", range_end=b64("d"), limit=1), "same"),
    ("range with a limit as a string", "POST", "/v3/kv/range", key("a", range_end=b64("d"), limit="2"), "same"),
    ("range sorted by name of enum", "POST", "/v3/kv/range",
     key("a", range_end=b64("d"), sort_order="DESCEND", sort_target="MOD"), "same"),
    ("range sorted by number of enum", "POST", "/v3/kv/range",
     key("a", range_end=b64("d"), sort_order=2, sort_target=4), "same"),
    ("range of an old revision", "POST", "/v3/kv/range", key("a", revision="2"), "same"),
    ("range, serializable", "POST", "/v3/kv/range", key("a", serializable=True), "same"),
    ("range bounded by revisions", "POST", "/v3/kv/range",
     key("a", range_end=b64("d"), min_mod_revision=3, max_create_revision="6"), "same"),
    ("null is unset", "POST", "/v3/kv/range", key("a", limit=None, range_end=None), "same"),
    ("unknown fields are ignored as configured", "POST", "/v3/kv/range", key("a", nonsense={"deep": [1]}), "same"),
    ("white space around the body", "POST", "/v3/kv/range", ' \n{ "key" : "YQ==" } \n', "same"),
    ("escapes in strings", "POST", "/v3/kv/range", '{"\\u006bey":"Y\\u0051=="}', "same"),
    ("a future revision", "POST", "/v3/kv/range", key("a", revision="100000"), "same"),
    ("no key", "POST", "/v3/kv/range", {}, "same"),
    ("an empty body is an empty message", "POST", "/v3/kv/range", "", "same"),
    ("put without a key", "POST", "/v3/kv/put", {"value": "YQ=="}, "same"),
    ("put to a lease that is not there", "POST", "/v3/kv/put", pair("x", "y", lease="999"), "same"),
    ("put that ignores the value it has", "POST", "/v3/kv/put", pair("a", "z", ignore_value=True), "same"),
    ("put that keeps the value", "POST", "/v3/kv/put", key("a", ignore_value=True), "same"),
    ("put that keeps the value of nothing", "POST", "/v3/kv/put", key("nothing", ignore_value=True), "same"),
    ("txn that succeeds", "POST", "/v3/kv/txn", {
        "compare": [{"target": "VALUE", "key": b64("b"), "result": "EQUAL", "value": b64("two")}],
        "success": [
            {"request_put": pair("b", "two and more", prev_kv=True)},
            {"request_range": key("a", range_end=b64("d"))},
            {"request_delete_range": key("c", prev_kv=True)},
        ],
        "failure": [{"request_range": key("b")}],
    }, "same"),
    ("txn that fails", "POST", "/v3/kv/txn", {
        "compare": [{"target": "VERSION", "key": b64("b"), "result": "GREATER", "version": "100"}],
        "success": [{"request_put": pair("b", "never")}],
        "failure": [{"request_range": key("b")}, {"request_range": key("none")}],
    }, "same"),
    ("txn with names in camelCase", "POST", "/v3/kv/txn", {
        "compare": [{"target": 1, "key": b64("b"), "result": 0, "createRevision": "7"}],
        "success": [{"requestRange": key("b")}],
        "failure": [{"requestRange": key("a")}],
    }, "same"),
    ("txn in a txn", "POST", "/v3/kv/txn", {
        "success": [{"request_txn": {"success": [{"request_range": key("a")}]}}],
    }, "same"),
    ("an empty txn", "POST", "/v3/kv/txn", {}, "same"),
    ("txn that puts a key twice", "POST", "/v3/kv/txn", {
        "success": [{"request_put": pair("d", "1")}, {"request_put": pair("d", "2")}],
    }, "same"),
    ("delete", "POST", "/v3/kv/deleterange", key("b"), "same"),
    ("delete nothing", "POST", "/v3/kv/deleterange", key("b"), "same"),
    ("delete many and tell", "POST", "/v3/kv/deleterange", key("a", range_end=b64("d"), prev_kv=True), "same"),
    ("compact", "POST", "/v3/kv/compaction", {"revision": "5"}, "same"),
    ("compact again", "POST", "/v3/kv/compaction", {"revision": "5"}, "same"),
    ("compact the future", "POST", "/v3/kv/compaction", {"revision": 1000}, "same"),
    ("range of a compacted revision", "POST", "/v3/kv/range", key("a", revision="2"), "same"),
    ("grant", "POST", "/v3/lease/grant", {"TTL": 600, "ID": "77"}, "same"),
    ("grant twice", "POST", "/v3/lease/grant", {"TTL": "600", "ID": 77}, PRECONDITION),
    ("grant with the largest number", "POST", "/v3/lease/grant", {"TTL": 600, "ID": "9223372036854775807"}, "same"),
    ("grant too long", "POST", "/v3/lease/grant", {"TTL": "9999999999", "ID": "79"}, "same"),
    ("put with a lease", "POST", "/v3/kv/put", pair("leased", "v", lease="77"), "same"),
    ("range shows the lease", "POST", "/v3/kv/range", key("leased"), "same"),
    ("time to live", "POST", "/v3/lease/timetolive", {"ID": "77", "keys": True}, "same"),
    ("time to live by the old path", "POST", "/v3/kv/lease/timetolive", {"ID": 77}, "same"),
    ("time to live of nothing", "POST", "/v3/lease/timetolive", {"ID": "1"}, "same"),
    ("leases", "POST", "/v3/lease/leases", {}, "same"),
    ("leases by the old path", "POST", "/v3/kv/lease/leases", {}, "same"),
    ("keep alive", "POST", "/v3/lease/keepalive", {"ID": "77"}, "stream"),
    ("keep alive three times", "POST", "/v3/lease/keepalive", '{"ID":"77"}\n{"ID":77} {"ID":"77"}', "stream"),
    ("keep alive nothing", "POST", "/v3/lease/keepalive", {"ID": "5"}, "stream"),
    ("revoke", "POST", "/v3/lease/revoke", {"ID": "77"}, "same"),
    ("revoke takes the key along", "POST", "/v3/kv/range", key("leased"), "same"),
    ("revoke by the old path", "POST", "/v3/kv/lease/revoke", {"ID": "9223372036854775807"}, "same"),
    ("revoke nothing", "POST", "/v3/lease/revoke", {"ID": "77"}, "same"),
    ("status", "POST", "/v3/maintenance/status", {}, "same"),
    ("alarms", "POST", "/v3/maintenance/alarm", {"action": "GET"}, "same"),
    ("hash", "POST", "/v3/maintenance/hash", {}, "status"),
    ("defragment", "POST", "/v3/maintenance/defragment", {}, "same"),
    ("move the leader nowhere", "POST", "/v3/maintenance/transfer-leadership", {"targetID": "1"}, PRECONDITION),
    ("members", "POST", "/v3/cluster/member/list", {}, "same"),
    ("remove a member that is not there", "POST", "/v3/cluster/member/remove", {"ID": "1"}, "same"),
    ("promote a member that is not there", "POST", "/v3/cluster/member/promote", {"ID": "1"}, "same"),
    ("a lease for a lock", "POST", "/v3/lease/grant", {"TTL": 600, "ID": "80"}, "same"),
    ("lock", "POST", "/v3/lock/lock", {"name": b64("m"), "lease": "80"}, "same"),
    ("unlock", "POST", "/v3/lock/unlock", {"key": b64("m/50")}, "same"),
    ("unlock nothing", "POST", "/v3/lock/unlock", {"key": b64("m/none")}, "same"),
    ("leader of nothing", "POST", "/v3/election/leader", {"name": b64("e")}, "same"),
    ("campaign with a lease that is not there", "POST", "/v3/election/campaign",
     {"name": b64("e"), "lease": "5", "value": b64("v")}, "same"),
    ("auth is off", "POST", "/v3/auth/authenticate", {"name": "root", "password": "x"}, PRECONDITION),
    ("enable auth without root", "POST", "/v3/auth/enable", {}, PRECONDITION),
    ("add a user", "POST", "/v3/auth/user/add", {"name": "root", "password": "secret"}, "same"),
    ("add a user twice", "POST", "/v3/auth/user/add", {"name": "root", "password": "secret"}, PRECONDITION),
    ("add a user without a name", "POST", "/v3/auth/user/add", {"password": "x"}, "same"),
    ("users", "POST", "/v3/auth/user/list", {}, "same"),
    ("a user", "POST", "/v3/auth/user/get", {"name": "root"}, "same"),
    ("a user that is not there", "POST", "/v3/auth/user/get", {"name": "nobody"}, PRECONDITION),
    ("add a role", "POST", "/v3/auth/role/add", {"name": "root"}, "same"),
    ("grant a permission", "POST", "/v3/auth/role/grant", {
        "name": "root", "perm": {"permType": "READWRITE", "key": b64("a"), "range_end": b64("z")},
    }, "same"),
    ("a role", "POST", "/v3/auth/role/get", {"role": "root"}, "same"),
    ("grant a role", "POST", "/v3/auth/user/grant", {"user": "root", "role": "root"}, "same"),
    ("a user with a role", "POST", "/v3/auth/user/get", {"name": "root"}, "same"),
    ("roles", "POST", "/v3/auth/role/list", {}, "same"),
    # --- what is wrong before etcd hears of it
    ("a cut body", "POST", "/v3/kv/range", '{"key":"Y', "refused"),
    ("no JSON", "POST", "/v3/kv/range", "key=a", "refused"),
    ("an array", "POST", "/v3/kv/range", "[]", "refused"),
    ("bad base64", "POST", "/v3/kv/range", {"key": "%%%"}, "refused"),
    ("an unknown name of an enum", "POST", "/v3/kv/range", key("a", sort_order="NOPE"), UNKNOWN_ENUM),
    ("a word for a number", "POST", "/v3/kv/range", key("a", limit="abc"), "refused"),
    ("a number for bytes", "POST", "/v3/kv/range", {"key": 5}, "refused"),
    ("a number out of range", "POST", "/v3/kv/range", key("a", limit="9223372036854775808"), "refused"),
    ("a fraction for a number", "POST", "/v3/kv/range", key("a", limit=1.5), "refused"),
    ("an object for a list", "POST", "/v3/kv/txn", {"compare": {}}, "refused"),
    ("a path that is not there", "POST", "/v3/kv/nope", {}, "status"),
    ("a method that is not there", "GET", "/v3/kv/put", "", "status"),
    # --- and etcd is well after all of it
    ("the next request", "POST", "/v3/kv/put", pair("last", "1", prev_kv=True), "same"),
    ("all that is left", "POST", "/v3/kv/range", {"key": "AA==", "range_end": "AA=="}, "same"),
]

MADE_UP = {
    "cluster_id", "member_id", "leader", "raft_term", "raftTerm", "raftIndex", "raftAppliedIndex",
    "dbSize", "dbSizeInUse", "peerURLs", "clientURLs", "token",
}


def blank(value, path=()):
    """The value without what one machine makes up."""
    if isinstance(value, dict):
        return {name: blank_field(name, item, path) for name, item in value.items()}
    if isinstance(value, list):
        return [blank(item, path) for item in value]
    return value


def blank_field(name, item, path):
    if name in MADE_UP or (name == "ID" and path[-1:] == ("members",)):
        return f"<{name}>"
    if name == "TTL" and item not in ("0", "-1"):
        return "<TTL>"
    return blank(item, (*path, name))


class Answer:
    def __init__(self, status, content_type, body):
        self.status, self.content_type, self.body = status, content_type, body

    def json(self):
        return json.loads(self.body)

    def lines(self):
        return [json.loads(line) for line in self.body.decode().splitlines() if line.strip()]

    def __str__(self):
        return f"{self.status} {self.content_type} {self.body[:400]!r}"


def ask(server, method, path, body):
    data = body if isinstance(body, str) else json.dumps(body)
    connection = http.client.HTTPConnection(server, timeout=TIMEOUT)
    try:
        connection.request(method, path, data.encode(), {"content-type": "application/json"})
        response = connection.getresponse()
        content_type = (response.getheader("content-type") or "").split(";")[0]
        return Answer(response.status, content_type, response.read())
    finally:
        connection.close()


def difference(how, reference, subject):
    """What is wrong with the subject's answer, or None."""
    if isinstance(how, tuple):
        _, status, _ = how
        if subject.status != status:
            return f"expected status {status}"
        if status >= 400 and reference.json() != subject.json():
            return "another error"
        return None
    if reference.status != subject.status:
        return "another status"
    if how == "status":
        return None
    if how == "refused":
        error = subject.json()
        # Sidegate says more, in details.
        wrong = set(reference.json()) - set(error) or error["code"] != reference.json()["code"]
        return "not an error of the same shape and code" if wrong else None
    if reference.content_type != subject.content_type:
        return "another content type"
    read = Answer.lines if how == "stream" else Answer.json
    return None if blank(read(reference)) == blank(read(subject)) else "another answer"


def compare_rows(reference, subject):
    failures = 0
    for name, method, path, body, how in ROWS:
        theirs = ask(reference, method, path, body)
        try:
            ours = ask(subject, method, path, body)
            problem = difference(how, theirs, ours)
        except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException) as error:
            ours, problem = "nothing", f"{type(error).__name__}: {error}"
        if problem:
            failures += 1
            print(f"FAILED {name}: {problem}\n  {method} {path} {json.dumps(body)[:300]}"
                  f"\n  reference {theirs}\n  subject   {ours}")
    return len(ROWS), failures


# --- streams whose requests stay open ------------------------------------------------------


class OpenStream:
    """A POST whose chunked body stays open while the answer is read."""

    def __init__(self, server, path):
        host, port = server.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=TIMEOUT)
        self.file = self.socket.makefile("rb")
        self.socket.sendall(
            f"POST {path} HTTP/1.1\r\nhost: {server}\r\ncontent-type: application/json\r\n"
            "transfer-encoding: chunked\r\n\r\n".encode()
        )
        self.begun = False
        self.rest = b""

    def send(self, message):
        data = json.dumps(message).encode() + b"\n"
        self.socket.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self):
        self.socket.sendall(b"0\r\n\r\n")

    def head(self):
        self.begun = True
        status = int(self.file.readline().split()[1])
        while self.file.readline().strip():
            pass
        assert status == 200, f"status {status}"

    def chunk(self):
        """The next chunk of the answer, b'' at its end."""
        if not self.begun:
            self.head()
        size = int(self.file.readline(), 16)
        data = self.file.read(size)
        self.file.readline()
        return data

    def message(self):
        """The next message; a chunk of white space is part of the one before."""
        while True:
            line, separator, rest = self.rest.partition(b"\n")
            if separator:
                self.rest = rest
                if line.strip():
                    return blank(json.loads(line))
                continue
            data = self.chunk()
            if not data:
                return None
            self.rest += data

    def close(self):
        self.file.close()
        self.socket.close()


def watch_stays_open(server):
    """Created, told of a put while the request is open, told of a delete, cancelled."""
    stream = OpenStream(server, "/v3/watch")
    stream.send({"create_request": key("watched", prev_kv=True)})
    created = stream.message()
    assert created["result"]["created"] is True, created
    seen = []
    for path, body in [
        ("/v3/kv/put", pair("watched", "1")),
        ("/v3/kv/put", pair("watched", "2")),
        ("/v3/kv/deleterange", key("watched")),
    ]:
        assert ask(server, "POST", path, body).status == 200
        seen.append(stream.message()["result"]["events"])
    assert [len(events) for events in seen] == [1, 1, 1], seen
    assert seen[0][0]["kv"]["value"] == b64("1") and "type" not in seen[0][0], seen
    assert seen[1][0]["prev_kv"]["value"] == b64("1"), seen
    assert seen[2][0]["type"] == "DELETE", seen
    stream.send({"cancel_request": {"watch_id": "0"}})
    assert stream.message()["result"]["canceled"] is True
    # etcd does not end a watch when its client half-closes, so there is no end to wait for.
    stream.close()


def keep_alive_stays_open(server):
    """Each message of an open request is answered before the next one is sent."""
    assert ask(server, "POST", "/v3/lease/grant", {"TTL": 600, "ID": "4242"}).status == 200
    stream = OpenStream(server, "/v3/lease/keepalive")
    for _ in range(5):
        stream.send({"ID": "4242"})
        answer = stream.message()
        assert answer["result"]["ID"] == "4242", answer
    stream.end()
    assert stream.message() is None
    stream.close()


def a_client_that_leaves_ends_its_watch(server):
    """Fifty watchers that go away leave etcd and the gateway in order."""
    for _ in range(50):
        stream = OpenStream(server, "/v3/watch")
        stream.send({"create_request": key("left")})
        assert stream.message()["result"]["created"] is True
        stream.close()
    assert ask(server, "POST", "/v3/kv/put", pair("left", "1")).status == 200


def watch_of_the_past(server):
    """Events that are there already come at once, with the request closed."""
    assert ask(server, "POST", "/v3/kv/put", pair("past", "1")).status == 200
    stream = OpenStream(server, "/v3/watch")
    stream.send({"create_request": key("past", start_revision="1", progress_notify=True)})
    assert stream.message()["result"].get("created") is True
    answer = stream.message()["result"]
    if answer.get("canceled"):
        assert int(answer["compact_revision"]) > 1, answer
    else:
        assert answer["events"][0]["kv"]["key"] == b64("past"), answer
    stream.close()


STORIES = [
    watch_stays_open,
    keep_alive_stays_open,
    a_client_that_leaves_ends_its_watch,
    watch_of_the_past,
]


def tell_stories(subject):
    failures = 0
    for story in STORIES:
        try:
            story(subject)
        except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
            failures += 1
            print(f"FAILED {story.__name__}: {type(error).__name__}: {error}")
    return len(STORIES), failures


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    reference, subject = sys.argv[1:]
    rows, row_failures = compare_rows(reference, subject)
    stories, story_failures = tell_stories(subject)
    failed = row_failures + story_failures
    print(f"etcd differential: {rows + stories - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
