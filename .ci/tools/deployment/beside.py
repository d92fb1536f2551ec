"""What the checks of deployment and of lifecycle share: processes, pages, and clients that notice everything."""

import http.client
import os
import signal
import socket
import subprocess
import threading
import time

STARTED = []
COUNTS = {"ok": 0, "not ok": 0}


def check(what, sound, told=""):
    word = "ok" if sound else "not ok"
    COUNTS[word] += 1
    print(f"{word} {what}" + ("" if sound else f": {told}"), flush=True)
    return sound


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(seconds, ask):
    """What `ask` finds, once it finds something; None when the time is over."""
    end = time.monotonic() + seconds
    while True:
        try:
            found = ask()
            if found:
                return found
        except (OSError, ValueError, http.client.HTTPException):
            pass
        if time.monotonic() > end:
            return None
        time.sleep(0.05)


def start(*command, log=None, env=None, **more):
    out = open(log, "ab") if log else subprocess.DEVNULL
    process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                               env={**os.environ, **(env or {})}, **more)
    STARTED.append(process)
    return process


def stop_all():
    for process in STARTED:
        if process.poll() is None:
            process.kill()
        process.wait()


def ended(process, seconds=60):
    """Its exit code, or None when it does not end."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def get(port, path, timeout=20):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def status(port, path):
    try:
        return get(port, path)[0]
    except (OSError, http.client.HTTPException):
        return None


class Clients:
    """Clients that call all the time, on connections that they keep and on fresh ones, and remember each
    call that did not end as it should: with 200, or with one of `allowed`."""

    def __init__(self, port, path, count=4, allowed=(), pause=0.01):
        self.port, self.path, self.allowed, self.pause = port, path, allowed, pause
        self.over, self.lock = threading.Event(), threading.Lock()
        self.good, self.wrong, self.other = 0, [], 0
        self.threads = [threading.Thread(target=self.run, args=(i % 2 == 0,)) for i in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, keep):
        connection = None
        while not self.over.is_set():
            try:
                fresh = connection is None
                if fresh:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                connection.request("GET", self.path)
                answer = connection.getresponse()
                told = answer.read()
                with self.lock:
                    if answer.status == 200:
                        self.good += 1
                    elif answer.status in self.allowed:
                        self.other += 1
                    else:
                        self.wrong.append(f"{answer.status} {told[:200]!r}")
                if not keep or answer.will_close:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                # A kept connection that rests may be closed by the other side at any time: HTTP/1.1
                # clients try that once more on another, as is done here.
                if fresh or not isinstance(error, (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)):
                    with self.lock:
                        self.wrong.append(repr(error))
                connection.close()
                connection = None
            time.sleep(self.pause)
        if connection:
            connection.close()

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()
        return self


def terminate(process):
    process.send_signal(signal.SIGTERM)
