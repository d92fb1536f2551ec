"""TLS by curl and OpenSSL, certificates from pebble. A line for each check: `ok` or `not ok`."""

import json
import os
import ssl
import sys
import threading
import traceback

from scene import (
    Authority, Gateway, Pebble, free_port, run, scratch, shake, start_app, start_dns, until,
)

SIDEGATE, FOLDER = sys.argv[1], scratch(sys.argv[2])
# As short as a renewal can be watched; a third of it is left when it comes.
LIFE_S = 48
programs = []


def check(what, good, seen=""):
    print(f"{'ok' if good else 'not ok'} {what}" + ("" if good else f": {seen!r}"), flush=True)


def started(program):
    programs.append(program)
    return program


def gateway(name, app, tls, listen=0):
    return started(Gateway(SIDEGATE, FOLDER, name, app, tls, listen))


def curl(root, host, port, *more):
    """The status, the version of HTTP, and the body."""
    words = ["curl", "-sS", "--cacert", str(root.cert), "--resolve", f"{host}:{port}:127.0.0.1"]
    form = "\n%{http_code} %{http_version}"
    code, said = run(*words, "-w", form, *more, f"https://{host}:{port}/x")
    body, _, tail = said.rpartition("\n")
    return code, tail, body


def s_client(port, *more):
    words = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *more]
    return run(*words, text="Q\n")


def peers(root, app, a, b):
    server = gateway("plain", app, {"certificates": [{"cert": str(cert), "key": str(key)}
                                                     for cert, key in (a, b)]})
    port = server.port
    for flag, version in (("--http2", "2"), ("--http1.1", "1.1")):
        code, tail, said = curl(root, "a.test", port, flag)
        check(f"curl {flag} is served", (code, tail) == (0, f"200 {version}"), (code, tail, said))
    code, tail, said = curl(root, "c.test", port)
    check("curl refuses a name that is in no certificate", code == 60, (code, said))
    for protocol in ("h2", "http/1.1"):
        _, said = s_client(port, "-alpn", protocol)
        check(f"ALPN agrees on {protocol}", f"ALPN protocol: {protocol}" in said, said)
    _, said = s_client(port, "-alpn", "h2,http/1.1")
    check("ALPN prefers h2", "ALPN protocol: h2" in said, said)
    for protocol in ("spdy/1", "acme-tls/1"):
        code, said = s_client(port, "-alpn", protocol)
        check(f"ALPN refuses {protocol}", "no application protocol" in said, (code, said))
    for name, shown in (("a.test", "a.test"), ("b.test", "b.test"), ("z.test", "a.test")):
        _, said = s_client(port, "-servername", name)
        check(f"SNI {name} is shown {shown}", f"subject=CN = {shown}" in said, said)
    _, said = s_client(port, "-noservername")
    check("without SNI the first is shown", "subject=CN = a.test" in said, said)
    versions(port, {"1_2": True, "1_3": True, "1_1": False, "1": False}, "from 1.2 on")
    strict = gateway("strict", app, {"cert": str(a[0]), "key": str(a[1]), "min_version": "1.3"})
    versions(strict.port, {"1_2": False, "1_3": True}, "from 1.3 on")


def versions(port, expected, when):
    for version, served in expected.items():
        # The client would refuse old versions by itself.
        words = [f"-tls{version}", "-cipher", "DEFAULT@SECLEVEL=0"]
        _, said = s_client(port, *(words[:1] if version == "1_3" else words))
        shown = "BEGIN CERTIFICATE" in said
        good = shown if served else not shown and "SSL alert number" in said
        check(f"{when}: TLS {version} is {'spoken' if served else 'refused'}", good, said)


def clients(root, app, a):
    callers, strangers = Authority(FOLDER, "callers"), Authority(FOLDER, "strangers")
    uri = "URI:spiffe://example.test/caller"
    own = callers.sign("caller", [uri, "DNS:caller.test"])
    foreign = strangers.sign("stranger", ["DNS:stranger.test"])
    tls = {"cert": str(a[0]), "key": str(a[1]), "client_ca": [str(callers.cert)]}
    required = gateway("required", app, {**tls, "client_auth": "required"}).port
    optional = gateway("optional", app, {**tls, "client_auth": "optional"}).port
    with_own = ["--cert", str(own[0]), "--key", str(own[1])]
    with_foreign = ["--cert", str(foreign[0]), "--key", str(foreign[1])]
    code, _, said = curl(root, "a.test", required)
    check("a certificate that is required and not shown ends it", refused(code, said), (code, said))
    code, _, said = curl(root, "a.test", required, *with_foreign)
    check("one of somebody else ends it", refused(code, said), (code, said))
    forged = ["-H", "x-forwarded-client-cert: Hash=00;URI=spiffe://example.test/root"]
    for version in ("--http2", "--http1.1"):
        code, tail, said = curl(root, "a.test", required, version, *with_own, *forged)
        seen = json.loads(said).get("x-forwarded-client-cert", "") if code == 0 else said
        good = "URI=spiffe://example.test/caller" in seen and "root" not in seen
        check(f"{version}: the application sees who calls, and nothing forged", good, seen)
    code, _, said = curl(root, "a.test", optional, *forged)
    good = code == 0 and "x-forwarded-client-cert" not in json.loads(said)
    check("where it is optional one without is served, as nobody", good, (code, said))
    code, _, said = curl(root, "a.test", optional, *with_foreign)
    check("where it is optional a wrong one is refused", refused(code, said), (code, said))


def refused(code, said):
    """With TLS 1.3 it is a matter of time where curl hears of it: reading, writing or before."""
    return code in (35, 55, 56) and said.startswith("\n000 ")


def reload_under_load(root, app):
    cert, key = root.sign("live.test", ["DNS:live.test"])
    server = gateway("live", app, {"cert": str(cert), "key": str(key)})
    roots, over, failures, seen = root.cert.read_text(), threading.Event(), [], []

    def hammer():
        while not over.is_set():
            try:
                seen.append(shake(server.port, "live.test", roots))
            except (OSError, AssertionError) as error:
                failures.append(repr(error))

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    fresh = []
    for number in range(5):
        aside = FOLDER / f"next{number}.pem"
        root.sign("live.test", ["DNS:live.test"], aside)
        # Both at once for whoever reads them, as far as two files can be: the key first makes a
        # pair that does not match, which must be refused and change nothing.
        os.replace(aside.with_suffix(".key"), key)
        os.replace(aside, cert)
        fresh.append(until("the new one is shown", lambda: shown_anew(server.port, roots, fresh)))
    count = len(seen)
    over.set()
    for thread in threads:
        thread.join()
    check(f"{count} handshakes while 5 certificates were swapped, none failed",
          not failures and count > 20, failures[:3])
    check("every one was shown", len(set(fresh)) == 5, fresh)
    failed = server.metric("sidegate_tls_handshakes_failed_total")
    check("nor has the gateway counted any", failed == 0, failed)


def shown_anew(port, roots, known, begun=[]):
    shown = shake(port, "live.test", roots)
    if not begun:
        begun.append(shown)
        return None
    return shown if shown not in known and shown != begun[0] else None


def acme(root, app):
    root.sign("pebble", ["DNS:localhost", "IP:127.0.0.1"])
    names = ("acme", "management", "http", "tls", "dns", "dns_management")
    ports = {name: free_port() for name in names}
    started(start_dns(FOLDER, ports))
    pebble = started(Pebble(FOLDER, 1, ports, LIFE_S))
    callers = Authority(FOLDER, "members")
    own = callers.sign("member", ["DNS:member.test"])
    own = (str(own[0]), str(own[1]))
    common = {"directory": f"https://localhost:{ports['acme']}/dir",
              "directory_ca": [str(root.cert)], "contact": "ops@example.com"}
    by_tls = {"acme": {**common, "domains": ["one.test", "two.test"], "folder": "acme-tls"},
              "client_auth": "required", "client_ca": [str(callers.cert)]}
    first = gateway("alpn", app, by_tls, ports["tls"])
    for name in ("one.test", "two.test"):
        until(f"a certificate for {name}", lambda: shake(first.port, name, pebble.roots, own))
        check(f"TLS-ALPN-01: a certificate for {name}, though clients need one of theirs", True)
    by_http = {"acme": {**common, "domains": ["web.test"], "folder": "acme-http",
                        "challenge": "http", "http_listen": f"127.0.0.1:{ports['http']}"}}
    second = gateway("http", app, by_http)
    until("a certificate for web.test", lambda: shake(second.port, "web.test", pebble.roots))
    check("HTTP-01: a certificate for web.test", True)
    code, said = run("curl", "-s", "-w", "%{http_code}", f"http://127.0.0.1:{ports['http']}/x")
    check("nothing else is on that port", said.endswith("404"), (code, said))
    modes = {oct(path.stat().st_mode & 0o777) for path in (FOLDER / "acme-tls").iterdir()}
    check("keys are for this user only", modes == {"0o600"}, modes)
    refusal(app, common)
    renewal(app, first, pebble, own, by_tls, ports)


def refusal(app, common):
    """The authority comes to the other gateway, which has no proof of this name."""
    tls = {"acme": {**common, "domains": ["not-ours.test"], "folder": "acme-refused"}}
    server = gateway("refused", app, tls)
    metric = 'sidegate_acme_certificates_total{name="not-ours.test",outcome="failed"}'
    until("it is refused", lambda: server.metric(metric) == 1)
    said = server.said()
    good = "no certificate; what is there stays" in said and "urn:ietf:params:acme:error:" in said
    check("a refusal is told with the authority's reason", good, said[-1500:])
    check("and the port speaks TLS all the same", shake(server.port, "not-ours.test"))
    check("and nothing was written", not (FOLDER / "acme-refused/not-ours.test.pem").exists())
    server.stop()


def renewal(app, server, pebble, own, by_tls, ports):
    metric = 'sidegate_acme_certificates_total{name="one.test",outcome="%s"}'
    expiry = 'sidegate_tls_certificate_not_after_seconds{name="one.test"'
    now = lambda: shake(server.port, "one.test", own=own)
    before, until_before = now(), server.metric(expiry)
    count = server.metric(metric % "obtained")
    failures = []

    def renewed():
        try:
            return shake(server.port, "one.test", pebble.roots, own) != before
        except (OSError, AssertionError) as error:
            failures.append(repr(error))

    until("it is renewed", renewed)
    check("a certificate is renewed, and no handshake fails meanwhile", not failures, failures[:3])
    check("it is counted", server.metric(metric % "obtained") > count)
    check("it expires later", server.metric(expiry) > until_before)

    pebble.stop()
    before = now()
    until("a renewal fails", lambda: server.metric(metric % "failed") >= 1)
    check("an authority that is away leaves the certificate as it is", now() == before)
    # It has forgotten the account and signs with another root.
    again = started(Pebble(FOLDER, 2, ports, 3600))
    until("it is renewed again",
          lambda: shake(server.port, "one.test", again.roots, own) != before)
    check("one that comes back as another is asked again, with a new account", True)
    until("the other name as well", lambda: shake(server.port, "two.test", again.roots, own))
    kept = now()
    check("it ends cleanly", server.stop() == 0, server.said()[-800:])
    server = gateway("alpn2", app, by_tls, ports["tls"])
    first = shake(server.port, "one.test", again.roots, own)
    check("a restart shows what was kept, at once", first == kept)
    check("and asks for nothing", server.metric(metric % "obtained") == 0)


def main():
    root = Authority(FOLDER, "root")
    a, b = root.sign("a.test", ["DNS:a.test"]), root.sign("b.test", ["DNS:b.test"])
    app = start_app()
    try:
        for part in (
            lambda: peers(root, app, a, b),
            lambda: clients(root, app, a),
            lambda: reload_under_load(root, app),
            lambda: acme(root, app),
        ):
            try:
                part()
            except (AssertionError, TimeoutError, OSError, ssl.SSLError, ValueError) as error:
                traceback.print_exc()
                check("it goes on to the end", False, repr(error))
    finally:
        for program in reversed(programs):
            program.stop()


main()
