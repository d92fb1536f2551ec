"""Certificates, programs and clients for check.py: what it needs and does not judge."""

import hashlib
import http.client
import http.server
import json
import pathlib
import socket
import ssl
import subprocess
import threading
import time

PATIENCE = 120


def run(*words, text=""):
    """A command, its exit code and all that it says."""
    done = subprocess.run(
        words, input=text, capture_output=True, text=True, timeout=PATIENCE, errors="replace"
    )
    return done.returncode, done.stdout + done.stderr


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def until(what, condition, patience=PATIENCE):
    """Waits for an event, and says so when it does not come."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            found = condition()
        except (OSError, ssl.SSLError, http.client.HTTPException):
            found = None
        if found:
            return found
        time.sleep(0.1)
    raise TimeoutError(f"never: {what}")


class Authority:
    """One who signs, by the command line of OpenSSL."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.cert, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", self.key, "-out", self.cert, "-days", "30", "-subj", f"/CN={name}",
        )

    def _openssl(self, *words):
        code, said = run("openssl", *map(str, words))
        assert code == 0, said

    def sign(self, name, names, where=None):
        """A key and a certificate for names; their paths."""
        cert = where or self.folder / f"{name}.pem"
        key, asked = cert.with_suffix(".key"), cert.with_suffix(".csr")
        more = cert.with_suffix(".ext")
        more.write_text("subjectAltName=" + ",".join(names) + "\n")
        self._openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", key, "-out", asked, "-subj", f"/CN={name}",
        )
        self._openssl(
            "x509", "-req", "-in", asked, "-CA", self.cert, "-CAkey", self.key,
            "-CAcreateserial", "-days", "10", "-extfile", more, "-out", cert,
        )
        return cert, key


class Program:
    """A program that runs until it is stopped."""

    def __init__(self, folder, name, words, env=None):
        self.errors = open(folder / f"{name}.err", "ab")
        self.out = open(folder / f"{name}.out", "wb")
        self.name, self.folder = name, folder
        self.process = subprocess.Popen(
            list(map(str, words)), stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.errors,
            cwd=folder, env=env,
        )

    def said(self):
        return (self.folder / f"{self.name}.err").read_text(errors="replace")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


class Gateway(Program):
    """A gateway whose only application is a plain one, behind `rest.fallback`."""

    def __init__(self, sidegate, folder, name, app, tls, listen=0):
        config = folder / f"{name}.yaml"
        config.write_text(
            f"listen: 127.0.0.1:{listen}\nadmin: 127.0.0.1:0\n"
            f"schema: {{reflection: off}}\nrest: {{fallback: 'http://127.0.0.1:{app}'}}\n"
            f"tls: {json.dumps(tls)}\n"
        )
        super().__init__(folder, name, [sidegate, "serve", "--config", config])
        first = until(f"{name} listens", self._first)
        self.port = int(first["listen"].rsplit(":", 1)[1])
        self.admin = int(first["admin"].rsplit(":", 1)[1])

    def _first(self):
        assert self.process.poll() is None, self.said()
        lines = (self.folder / f"{self.name}.out").read_text().splitlines(keepends=True)
        return json.loads(lines[0]) if lines and lines[0].endswith("\n") else None

    def metric(self, start):
        """The value of the metric that begins like this; 0 where there is none."""
        client = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=PATIENCE)
        client.request("GET", "/metrics")
        page = client.getresponse().read().decode()
        client.close()
        for line in page.splitlines():
            if line.startswith(start):
                return float(line.split(" ")[-1])
        return 0.0


class Echo(http.server.BaseHTTPRequestHandler):
    """An application that answers with the headers it got."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def start_app():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def shake(port, name, roots=None, own=None):
    """A handshake; the SHA-256 of what was shown. With `roots` it must verify."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if roots:
        context.load_verify_locations(cadata=roots)
    else:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if own:
        context.load_cert_chain(*own)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as stream:
        with context.wrap_socket(stream, server_hostname=name) as secured:
            shown = secured.getpeercert(binary_form=True)
            # With TLS 1.3 a refusal of our own certificate comes after the handshake.
            secured.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            answer = secured.recv(12)
            assert answer == b"HTTP/1.1 200", answer
            return hashlib.sha256(shown).hexdigest()


class Pebble(Program):
    """An authority that answers for names by a server of its own for DNS."""

    def __init__(self, folder, number, ports, life):
        self.ports = ports
        config = folder / f"pebble{number}.json"
        config.write_text(json.dumps({"pebble": {
            "listenAddress": f"127.0.0.1:{ports['acme']}",
            "managementListenAddress": f"127.0.0.1:{ports['management']}",
            "certificate": str(folder / "pebble.pem"),
            "privateKey": str(folder / "pebble.key"),
            "httpPort": ports["http"],
            "tlsPort": ports["tls"],
            "certificateValidityPeriod": life,
        }}))
        words = ["pebble", "-config", config, "-dnsserver", f"127.0.0.1:{ports['dns']}"]
        env = {"PEBBLE_VA_NOSLEEP": "1", "PATH": "/usr/bin:/bin"}
        super().__init__(folder, f"pebble{number}", words, env)
        self.trusted = ssl.create_default_context(cafile=str(folder / "root.pem"))
        self.roots = until("pebble answers", self._roots)

    def _roots(self):
        assert self.process.poll() is None, self.said()
        client = http.client.HTTPSConnection(
            "127.0.0.1", self.ports["management"], context=self.trusted, timeout=PATIENCE
        )
        client.request("GET", "/roots/0")
        return client.getresponse().read().decode()


def start_dns(folder, ports):
    words = [
        "pebble-challtestsrv", "-dns01", f"127.0.0.1:{ports['dns']}", "-http01", "",
        "-https01", "", "-tlsalpn01", "", "-management", f"127.0.0.1:{ports['dns_management']}",
        "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "",
    ]
    return Program(folder, "dns", words)


def scratch(path):
    folder = pathlib.Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
