"""One life with an application: real processes, killed, started anew, handed sockets by systemd's own tool.

    check.py SIDEGATE MAIN_APP ROOT SCRATCH

MAIN_APP is the Go service of examples/compose. Prints a line that begins with `ok` or `not ok` for each thing
that was looked at, and `SHORTENED` for what this machine does not allow.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../deployment"))
from beside import Clients, check, ended, free_port, get, start, status, stop_all, terminate, until

SIDEGATE, MAIN_APP, ROOT, SCRATCH = sys.argv[1:5]
RULES = f"{ROOT}/examples/compose/gateway/http-rules.yaml"
PATH = "/v1/hello/Ada"
# Its rules have a POST besides the GET, so that it has to be said that repeating does no harm.
RETRIES = {"routes": {"helloworld.Greeter": {"retry": {"attempts": 5, "methods": "all"}}},
           "lifecycle": {"wait_for_app": "60s"}}


def places(**config):
    """The ports of one gateway and its application, and its arguments."""
    ports = {name: free_port() for name in ("listen", "admin", "app")}
    file = f"{SCRATCH}/{ports['listen']}.yaml"
    with open(file, "w") as out:
        json.dump(config, out)
    return ports, ["--config", file, "--listen", f"127.0.0.1:{ports['listen']}", "--admin", f"127.0.0.1:{ports['admin']}",
                   "--upstream", f"http://127.0.0.1:{ports['app']}", "--http-rules", RULES]


def app(ports):
    return start(MAIN_APP, "--listen", f"127.0.0.1:{ports['app']}", log=f"{SCRATCH}/app.log")


def gateway(arguments, **more):
    return start(SIDEGATE, "serve", *arguments, log=f"{SCRATCH}/gateway.log", cwd=SCRATCH, **more)


def serves(ports, seconds=60):
    return until(seconds, lambda: status(ports["listen"], PATH) == 200)


def killed():
    """Fault 29: kill -9 of a real application under load: 503 at once, and back once it is."""
    ports, arguments = places()
    one = gateway(arguments)
    check("29: without an application it lives", until(60, lambda: status(ports["admin"], "/livez") == 200))
    check("29: and is not ready", status(ports["admin"], "/readyz") == 503)
    real = app(ports)
    check("29: an application that comes later is reached", serves(ports))
    clients = Clients(ports["listen"], PATH, allowed=(503,))
    for turn in range(3):
        before = clients.good
        until(60, lambda: clients.good > before + 20)
        real.kill()
        real.wait()
        begun = time.monotonic()
        code, text = get(ports["listen"], PATH)
        took = time.monotonic() - begun
        told = code == 503 and json.loads(text)["error"]["status"] == "UNAVAILABLE"
        check(f"29: killed under load, a call is 503 at once ({took * 1000:.0f} ms)", told and took < 5, (code, text, took))
        real = app(ports)
        until(60, lambda: "listening" in open(f"{SCRATCH}/app.log").read().splitlines()[-1])
        begun = time.monotonic()
        back, took = serves(ports), time.monotonic() - begun
        check(f"29: it is back with the application ({took * 1000:.0f} ms)", back and took < 15, took)
    clients.stop()
    check(f"29: of {clients.good + clients.other} calls meanwhile, all end with 200 or 503",
          not clients.wrong and clients.other > 0, clients.wrong[:3])
    for process in (one, real):
        terminate(process)
    check("29: both stop with 0", (ended(one), ended(real)) == (0, 0))


def retried():
    """Fault 29 with retries: what may be repeated, is, and nobody notices."""
    ports, arguments = places(**RETRIES)
    one, real = gateway(arguments), app(ports)
    check("29: it serves", serves(ports))
    clients = Clients(ports["listen"], PATH)
    for turn in range(3):
        before = clients.good
        until(60, lambda: clients.good > before + 50)
        real.kill()
        real.wait()
        time.sleep(0.3)
        real = app(ports)
    before = clients.good
    check("29: calls go on", until(60, lambda: clients.good > before + 50))
    clients.stop()
    check(f"29: with retries, none of {clients.good} calls fails", not clients.wrong, clients.wrong[:3])
    for process in (one, real):
        terminate(process)
    check("29: both stop with 0", (ended(one), ended(real)) == (0, 0))


def beside(name, command, act, code):
    """`run -- COMMAND`: what becomes of the gateway when the application ends, or has to."""
    ports, arguments = places()
    command = [c.replace("APP_PORT", str(ports["app"])) for c in command]
    both = start(SIDEGATE, "run", *arguments, "--", *command, log=f"{SCRATCH}/run.log", cwd=SCRATCH)
    if act:
        check(f"run: {name}: it serves", serves(ports))
        act(both, ports)
    found = ended(both)
    check(f"run: {name}: exit code {code}", found == code, found)
    check(f"run: {name}: nothing is left", until(30, lambda: status(ports["listen"], PATH) is None
                                                 and not processes(f"127.0.0.1:{ports['app']}")))


def processes(text):
    """Those that have this in their command line and still run."""
    found = []
    for one in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = open(f"/proc/{one}/cmdline").read()
            if text in line and "main-app" in line.split("\0")[0]:
                found.append(int(one))
        except OSError:
            pass
    return found


def running():
    real = [MAIN_APP, "--listen", "127.0.0.1:APP_PORT"]
    beside("SIGTERM", real, lambda both, _: terminate(both), 0)
    beside("SIGINT", real, lambda both, _: both.send_signal(signal.SIGINT), 0)
    die = lambda both, ports: [os.kill(p, signal.SIGKILL) for p in processes(f"127.0.0.1:{ports['app']}")]
    beside("an application that is killed", real, die, 137)
    beside("an application that cannot start", [MAIN_APP, "--listen", "nowhere"], None, 1)
    beside("an application that ends by itself", ["sh", "-c", "exit 7"], None, 7)
    beside("no such application", ["/nonexistent/main-app"], None, 127)
    first_process(real)


def first_process(real):
    """As the first process of a container: children of others become its own, and are reaped."""
    allowed = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True)
    if allowed.returncode != 0:
        print(f"SHORTENED: run as the first process: {allowed.stderr.decode().strip()}")
        return
    ports, arguments = places()
    script = "for i in 1 2 3 4 5; do (sleep 0.2 &) ; done; exec \"$@\""
    command = ["sh", "-c", script, "sh", *[c.replace("APP_PORT", str(ports["app"])) for c in real]]
    both = start("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", SIDEGATE, "run", *arguments, "--", *command,
                 log=f"{SCRATCH}/first.log", cwd=SCRATCH)
    check("run: first process: it serves", serves(ports))

    check("run: first process: no orphan stays dead", until(30, lambda: not orphans(ports)))
    os.kill(first_of(ports), signal.SIGTERM)
    found = ended(both)
    check("run: first process: SIGTERM ends all of it with 0", found == 0, found)


def namespace(process):
    try:
        return os.readlink(f"/proc/{process}/ns/pid")
    except OSError:
        return None


def state(process):
    try:
        return open(f"/proc/{process}/stat").read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def inside(ports):
    space = namespace(processes(f"127.0.0.1:{ports['app']}")[0])
    return [int(p) for p in os.listdir("/proc") if p.isdigit() and namespace(p) == space]


def orphans(ports):
    """Those that sleep, and those that have ended and were not waited for."""
    def name(process):
        try:
            return open(f"/proc/{process}/comm").read().strip()
        except OSError:
            return ""
    return [p for p in inside(ports) if state(p) == "Z" or name(p) == "sleep"]


def first_of(ports):
    for process in inside(ports):
        ids = re.search(r"^NSpid:\s+(.*)$", open(f"/proc/{process}/status").read(), re.M).group(1).split()
        if ids[-1] == "1":
            return process
    raise LookupError("no first process")


def handed():
    """systemd's own tool opens the port, and starts the gateway with the first connection."""
    if not shutil.which("systemd-socket-activate"):
        print("SHORTENED: there is no systemd-socket-activate")
        return
    ports, arguments = places()
    arguments[2:4] = []
    real = app(ports)
    one = start("systemd-socket-activate", "-l", f"127.0.0.1:{ports['listen']}", "--fdname=listen", SIDEGATE, "serve",
                *arguments, log=f"{SCRATCH}/activated.log", cwd=SCRATCH)
    # Nobody listens on the admin port before somebody has come.
    waiting = until(60, lambda: b"Listening on" in open(f"{SCRATCH}/activated.log", "rb").read())
    check("systemd: the port is open before the gateway is there", waiting and status(ports["admin"], "/livez") is None)
    check("systemd: the first connection is served", get(ports["listen"], "/docs", timeout=60)[0] == 200)
    check("systemd: and REST", serves(ports))
    terminate(one)
    check("systemd: it stops with 0", ended(one) == 0)
    terminate(real)
    ended(real)


def units():
    """The unit files, judged by systemd itself."""
    if not shutil.which("systemd-analyze"):
        print("SHORTENED: there is no systemd-analyze")
        return
    folder = f"{SCRATCH}/units"
    shutil.copytree(f"{ROOT}/examples/systemd", folder)
    unit = f"{folder}/sidegate.service"
    text = open(unit).read().replace("/usr/local/bin/sidegate", SIDEGATE)
    open(unit, "w").write(text)
    judged = subprocess.run(["systemd-analyze", "verify", "--man=no", unit, f"{folder}/sidegate.socket"],
                            capture_output=True, text=True, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"})
    said = [line for line in (judged.stdout + judged.stderr).splitlines() if "sidegate" in line]
    check("systemd: the units are sound", judged.returncode == 0 and not said, said or judged.stderr)


try:
    killed()
    retried()
    running()
    handed()
    units()
finally:
    stop_all()
