"""Fault 21: while clients call as fast as they can, every page that is asked for often answers in 100 ms at p99.

Usage: under_load.py DATA ADMIN SECONDS
"""
import http.client
import multiprocessing
import sys
import time

PAGES = ["/livez", "/readyz", "/metrics", "/figures", "/upstreams", "/explain?path=/v1/shelfs/a"]
CALLERS = 4


def call(address, until, done):
    """One connection after the other's answer, pipelined, so that the gateway has always more to do."""
    import socket

    host, port = address.split(":")
    request = f"GET /v1/shelves/scifi HTTP/1.1\r\nhost: {address}\r\n\r\n".encode()
    calls = 0
    with socket.create_connection((host, int(port))) as stream:
        stream.settimeout(5)
        while time.monotonic() < until:
            stream.sendall(request * 32)
            answers = 0
            while answers < 32:
                answers += stream.recv(1 << 16).count(b"HTTP/1.1 200")
            calls += answers
    done.put(calls)


def main():
    data, admin, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    until = time.monotonic() + seconds
    done = multiprocessing.Queue()
    callers = [multiprocessing.Process(target=call, args=(data, until, done)) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    took = []
    connection = http.client.HTTPConnection(admin, timeout=10)
    while time.monotonic() < until:
        for page in PAGES:
            begun = time.monotonic()
            connection.request("GET", page)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                sys.exit(f"FAILED {page} answers {response.status}")
            took.append((time.monotonic() - begun) * 1000)
        time.sleep(0.01)
    calls = sum(done.get(timeout=10) for _ in callers)
    for caller in callers:
        caller.join()
    took.sort()
    p99 = took[int(len(took) * 0.99)]
    print(f"{calls / seconds:.0f} calls a second; {len(took)} admin pages: p50 {took[len(took) // 2]:.1f} ms, p99 {p99:.1f} ms")
    good = p99 <= 100 and calls > 1000
    print(f"fault 21: {int(good)} passed, {int(not good)} failed")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
