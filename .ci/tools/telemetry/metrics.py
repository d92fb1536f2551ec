"""The part of check.py that is about metrics: promtool, Prometheus, the dashboard, a page under load."""

import http.client
import json
import os
import re
import subprocess
import threading
import time
import urllib.parse
import urllib.request


def run(of, app, echo):
    gateway = of.Gateway("metrics", app, f"{of.ROOT}/proto", {"telemetry": {"access_log": "off", "traces": {
        "collector": "grpc://127.0.0.1:9", "sample": 0.5}}})
    calls(of, gateway)
    formats(of, gateway)
    prometheus(of, gateway)
    under_load(of, gateway)
    of.stop(gateway.process)
    scraped(of, echo)


def calls(of, gateway):
    for path in ("/v1/shelves", "/v1/shelves/1", "/v1/shelves/none", "/nowhere", "/v1/books"):
        for _ in range(20):
            gateway.get(path)
    before = len(gateway.page("/metrics")[2].splitlines())
    for number in range(2000):
        gateway.get(f"/random/{number}/{os.urandom(4).hex()}?a={number}")
    after = len(gateway.page("/metrics")[2].splitlines())
    of.check("2,000 paths that clients made up make no series", after == before, (before, after))


def formats(of, gateway):
    _, kind, text = gateway.page("/metrics")
    of.check("the text format by default", kind == "text/plain; version=0.0.4; charset=utf-8", kind)
    told = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True)
    of.check("promtool check metrics", told.returncode == 0 and not told.stdout and not told.stderr,
             told.stdout + told.stderr)
    _, kind, text = gateway.page("/metrics", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    of.check("OpenMetrics by Accept", kind.startswith("application/openmetrics-text; version=1.0.0")
             and text.endswith("# EOF\n"), kind)
    of.check("with exemplars", re.search(r'_bucket\{.*\} \d+ # \{trace_id="[0-9a-f]{32}"\} [\d.]+ [\d.]+\n', text))
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
    try:
        names = [family.name for family in text_string_to_metric_families(text)]
        of.check("the Python client's strict parser takes it", len(names) > 20, names)
    except ValueError as error:
        of.check("the Python client's strict parser takes it", False, error)


def prometheus(of, gateway):
    with open(f"{of.ROOT}/examples/grafana/prometheus.yaml") as example:
        config = example.read().replace("127.0.0.1:9901", gateway.admin).replace("5s", "1s")
    file, port = f"{of.SCRATCH}/prometheus.yaml", of.free_port()
    with open(file, "w") as out:
        out.write(config)
    server = of.start("prometheus", f"--config.file={file}", f"--storage.tsdb.path={of.SCRATCH}/tsdb",
                      f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage")

    def ask(path, **parameters):
        url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    query = lambda expr: ask("query", query=expr)["result"]
    up = of.until(30, lambda: query('up{job="sidegate"} == 1'))
    of.check("Prometheus scrapes the page", bool(up), ask("targets"))
    dashboard = json.load(open(f"{of.ROOT}/examples/grafana/sidegate.json"))
    targets = [(panel["title"], target["expr"].replace("$job", "sidegate").replace("$__rate_interval", "10s"))
               for panel in dashboard["panels"] for target in panel["targets"]]
    # A rate wants two scrapes with calls between them, and a series that rests has no quantile.
    empty, end = targets, time.monotonic() + 60
    while empty and time.monotonic() < end:
        for path in ("/v1/shelves", "/v1/shelves/none", "/nowhere") * 20:
            gateway.get(path)
        time.sleep(0.2)
        empty = [(title, expr) for title, expr in empty
                 if all(sample["value"][1] == "NaN" for sample in query(expr))]
    of.check(f"all {len(targets)} queries of the dashboard find something", len(targets) > 20 and not empty, empty)
    kept = lambda: ask("query_exemplars", query="grpc_server_call_duration_seconds_bucket",
                       start=time.time() - 120, end=time.time())
    exemplars = of.until(20, kept) or []
    of.check("Prometheus has exemplars with traces", any(len(e["labels"].get("trace_id", "")) == 32
             for series in exemplars for e in series["exemplars"]), exemplars)
    of.stop(server)


def under_load(of, gateway):
    """Fault 21."""
    seconds = int(os.environ.get("LOAD_SECONDS", "5"))
    times, done = [], threading.Event()

    def watch():
        while not done.is_set():
            began = time.monotonic()
            gateway.page("/metrics")
            times.append((time.monotonic() - began) * 1000)
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    of.wrk(gateway.listen, seconds, connections=32)
    done.set()
    watcher.join()
    p99 = sorted(times)[int(len(times) * 0.99) - 1]
    of.check(f"/metrics under full load: p99 of {len(times)} is {p99:.1f} ms", p99 < 100, p99)


def scraped(of, echo):
    grpc, own, proto = echo
    config = {"telemetry": {"access_log": "off", "scrape": f"http://127.0.0.1:{own}/metrics"}}
    gateway = of.Gateway("scraped", f"http://127.0.0.1:{grpc}", proto, config)
    _, _, text = gateway.page("/metrics")
    of.check("the app's metrics stand on the page", 'app_books{shelf="a"} 3\n' in text
             and "app_process_open_fds 7\n" in text and "sidegate_scrape_up 1" in text, text[-800:])
    told = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True)
    of.check("and promtool takes both", told.returncode == 0 and not told.stderr, told.stderr)
    app = next(p for p in of.STARTED if any("app.py" in a for a in p.args))
    app.kill()
    app.wait()
    of.until(20, lambda: "sidegate_scrape_up 0" in gateway.page("/metrics")[2])
    _, _, text = gateway.page("/metrics")
    of.check("the last ones stay when the app is gone", 'app_books{shelf="a"} 3\n' in text
             and "sidegate_scrape_up 0" in text, text[-800:])
    of.stop(gateway.process)
