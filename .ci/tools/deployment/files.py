"""Whether the files in examples/compose and examples/kubernetes fit together: what they would start is started
here, by the same commands and with the same files, and asked what their probes and clients ask.

    files.py SIDEGATE MAIN_APP ROOT SCRATCH FORWARD_MJS

Prints a line that begins with `ok` or `not ok` for each thing that was looked at.
"""

import json
import os
import shutil
import sys
import time
import urllib.parse

import yaml

from beside import Clients, check, ended, free_port, get, start, status, stop_all, terminate, until

SIDEGATE, MAIN_APP, ROOT, SCRATCH, FORWARD = sys.argv[1:6]
COMPOSE, KUBERNETES = f"{ROOT}/examples/compose", f"{ROOT}/examples/kubernetes"


def program(command):
    """A command of a container, with this machine's program."""
    assert command[0] == "/usr/bin/sidegate", command
    return [SIDEGATE, *command[1:]]


def places():
    """Addresses of this run, as variables, which beat the file."""
    ports = {name: free_port() for name in ("listen", "admin", "ops", "app")}
    env = {f"SIDEGATE_{name.upper()}": f"127.0.0.1:{ports[name]}" for name in ("listen", "admin", "ops")}
    return ports, {**env, "SIDEGATE_UPSTREAM": f"http://127.0.0.1:{ports['app']}"}


def greets(port, name):
    code, text = get(port, f"/v1/hello/{name}")
    return code == 200 and json.loads(text) == {"message": f"Hello {name}"}


def gateway_of(where, name, arguments, env):
    arguments = [where if a == "/etc/sidegate/sidegate.yaml" else a for a in arguments]
    return start(SIDEGATE, *arguments, log=f"{SCRATCH}/{name}.log", env=env, cwd=SCRATCH)


def references(services):
    """What the file names is there."""
    for name, service in services.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                check(f"compose: {name} mounts {source}", os.path.exists(f"{COMPOSE}/{source}"))
        if "build" in service:
            check(f"compose: {name} is built from {service['build']}",
                  os.path.exists(f"{COMPOSE}/{service['build']}/Dockerfile"))
    shared = {n for n, s in services.items() if s.get("network_mode") == "service:main-app"}
    check("compose: the sidecars share the application's network", shared == {"sidegate", "fluent-bit"}, shared)


def compose():
    services = yaml.safe_load(open(f"{COMPOSE}/compose.yaml"))["services"]
    references(services)
    ports, env = places()
    folder = f"{SCRATCH}/gateway"
    shutil.copytree(f"{COMPOSE}/gateway", folder)
    file, fluent = f"{folder}/sidegate.yaml", free_port()
    text = open(file).read()
    receiver = yaml.safe_load(open(f"{COMPOSE}/fluent-bit/fluent-bit.yaml"))["pipeline"]["inputs"][0]
    address = f"{receiver['listen']}:{receiver['port']}"
    check("compose: the gateway's records go where Fluent Bit listens", text.count(f'"{address}"') == 1, address)
    open(file, "w").write(text.replace(address, f"127.0.0.1:{fluent}"))
    start("node", FORWARD, fluent, f"{SCRATCH}/records", log=f"{SCRATCH}/fluent.log", cwd=os.path.dirname(FORWARD))
    app = start(MAIN_APP, "--listen", f"127.0.0.1:{ports['app']}", log=f"{SCRATCH}/app.log")
    gateway = gateway_of(file, "compose", services["sidegate"]["command"], env)
    probe = program(services["sidegate"]["healthcheck"]["test"][1:])
    healthy = until(60, lambda: ended(start(*probe, env=env, cwd=SCRATCH)) == 0)
    check("compose: the container becomes healthy by its own health check", healthy)
    check("compose: REST reaches the application in Go", until(20, lambda: greets(ports["listen"], "Ada")))
    code, text = get(ports["listen"], "/v1/hello")
    check("compose: a rule's other method is told", code == 405, code)
    record = lambda: [json.loads(line)["record"] for line in open(f"{SCRATCH}/records")
                      if '"helloworld.Greeter/SayHello"' in line]
    check("compose: the call's record reaches the receiver", until(60, record))
    rules = f"{folder}/http-rules.yaml"
    text = open(rules).read()
    open(f"{rules}.new", "w").write(text.replace("/v1/hello/{name}", "/v2/hello/{name}"))
    os.rename(f"{rules}.new", rules)
    check("compose: a saved file is in effect without a restart",
          until(60, lambda: get(ports["listen"], "/v2/hello/Bo")[0] == 200))
    prometheus(ports)
    terminate(gateway)
    check("compose: the gateway stops", ended(gateway) == 0)
    terminate(app)
    check("compose: the application stops", ended(app) == 0)


def prometheus(ports):
    """Debian's Prometheus with the example's file, but for the address."""
    text = open(f"{COMPOSE}/prometheus/prometheus.yaml").read()
    check("compose: Prometheus asks the ops port", text.count('"main-app:9902"') == 1)
    file, port = f"{SCRATCH}/prometheus.yaml", free_port()
    open(file, "w").write(text.replace("main-app:9902", f"127.0.0.1:{ports['ops']}"))
    server = start("prometheus", f"--config.file={file}", f"--storage.tsdb.path={SCRATCH}/tsdb",
                   f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage",
                   log=f"{SCRATCH}/prometheus.log")
    query = urllib.parse.quote('sum(grpc_server_call_duration_seconds_count{job="sidegate"})'
                               ' or sum(up{job="sidegate"} == 1)')
    found = lambda: json.loads(get(port, f"/api/v1/query?query={query}")[1])["data"]["result"]
    check("compose: Prometheus has the gateway's figures", until(60, found))
    terminate(server)
    ended(server)


def port_of(container, name):
    return next(p["containerPort"] for p in container["ports"] if p["name"] == name)


def kubernetes():
    documents = {d["kind"]: d for d in yaml.safe_load_all(open(f"{KUBERNETES}/sidecar.yaml"))}
    pod = documents["Deployment"]["spec"]["template"]["spec"]
    [sidecar], [main] = pod["initContainers"], pod["containers"]
    check("kubernetes: it is a native sidecar", sidecar["restartPolicy"] == "Always")
    folder = f"{SCRATCH}/config"
    os.mkdir(folder)
    for name, text in documents["ConfigMap"]["data"].items():
        open(f"{folder}/{name}", "w").write(text)
    settings = yaml.safe_load(documents["ConfigMap"]["data"]["sidegate.yaml"])
    for name, key in (("http", "listen"), ("ops", "ops")):
        check(f"kubernetes: the port {name} is the gateway's `{key}`",
              settings[key] == f"0.0.0.0:{port_of(sidecar, name)}", settings[key])
    check("kubernetes: the drain has its end before the grace period",
          int(settings["lifecycle"]["drain_timeout"][:-1]) <= pod["terminationGracePeriodSeconds"] - 5)
    check("kubernetes: the application listens where the gateway calls",
          settings["upstreams"]["app"]["url"] == f"http://{main['args'][1]}")
    ports, env = places()
    begin(sidecar, main, folder, ports, env)
    end(sidecar, main, ports, env)


def probed(sidecar, kind, ports):
    ask = sidecar[kind]["httpGet"]
    return status(ports[ask["port"]], ask["path"])


RUNNING = {}


def begin(sidecar, main, folder, ports, env):
    """As the kubelet starts a pod: the sidecar, its startup probe, the application."""
    RUNNING["gateway"] = gateway_of(f"{folder}/sidegate.yaml", "pod", sidecar["args"], env)
    check("kubernetes: the startup probe does not wait for the application",
          until(60, lambda: probed(sidecar, "startupProbe", ports) == 200))
    check("kubernetes: it is not ready before that", probed(sidecar, "readinessProbe", ports) == 503)
    arguments = [a if a != main["args"][1] else f"127.0.0.1:{ports['app']}" for a in main["args"]]
    RUNNING["app"] = start(MAIN_APP, *arguments, log=f"{SCRATCH}/app.log")
    check("kubernetes: it is ready once the application is",
          until(60, lambda: probed(sidecar, "readinessProbe", ports) == 200))
    check("kubernetes: REST reaches the application", until(20, lambda: greets(ports["listen"], "Ada")))


def end(sidecar, main, ports, env):
    """As the kubelet stops it: all preStop hooks at once, then the application, then the sidecar (fault 41)."""
    clients = Clients(ports["listen"], "/v1/hello/Ada")
    until(60, lambda: clients.good > 50)
    begun = time.monotonic()
    hook = start(*program(sidecar["lifecycle"]["preStop"]["exec"]["command"]), env=env, cwd=SCRATCH)
    gone = until(30, lambda: probed(sidecar, "readinessProbe", ports) == 503)
    before = clients.good
    check("kubernetes: readiness goes with the drain", gone)
    check("kubernetes: and not life", probed(sidecar, "livenessProbe", ports) == 200)
    check("kubernetes: calls are served on", until(30, lambda: clients.good > before + 50))
    # Clients have been told by now that the pod is gone.
    clients.stop()
    check(f"kubernetes: no call of {clients.good} fails on new and on old connections", not clients.wrong, clients.wrong[:3])
    sleep = main["lifecycle"]["preStop"]["sleep"]["seconds"]
    time.sleep(max(0, begun + sleep - time.monotonic()))
    terminate(RUNNING["app"])
    check("kubernetes: the application ends", ended(RUNNING["app"]) == 0)
    check("kubernetes: the preStop hook ends", ended(hook) == 0)
    terminate(RUNNING["gateway"])
    begun = time.monotonic()
    code = ended(RUNNING["gateway"])
    check("kubernetes: the sidecar ends after it, at once", code == 0 and time.monotonic() - begun < 15, code)


try:
    compose()
    kubernetes()
finally:
    stop_all()
