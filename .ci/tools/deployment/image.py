"""Runs what is in an image as a container has it: its tree alone, read-only, as its user, with nothing but
/etc/hosts and /etc/resolv.conf added, in a network of its own with a name server.

    unshare --mount --net image.py TREE IMAGE_JSON MAIN_APP ROOT SCRATCH

TREE is the image's root file system, IMAGE_JSON its configuration as `buildah inspect` shows it. Prints a line
that begins with `ok` or `not ok` for each thing that was looked at.
"""

import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading

from beside import check, ended, start, status, stop_all, terminate, until

TREE, IMAGE, MAIN_APP, ROOT, SCRATCH = sys.argv[1:6]
NAME = "main-app.test"


def link_up():
    """The loopback interface of the new network: SIOCGIFFLAGS, SIOCSIFFLAGS with IFF_UP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        asked = fcntl.ioctl(s, 0x8913, struct.pack("16sH14x", b"lo", 0))
        flags = struct.unpack("16sH14x", asked)[1]
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", flags | 1))


def answer(question):
    """One A record for the application's name, nothing for any other type or name."""
    name = b"".join(bytes([len(part)]) + part for part in NAME.encode().split(b".")) + b"\0"
    end = question.index(b"\0", 12) + 1
    asked, kind = question[12:end].lower(), question[end:end + 2]
    known = asked == name
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 5, 4) + bytes([127, 0, 0, 1])
    records = [record] if known and kind == b"\0\1" else []
    flags = 0x8180 if known else 0x8183
    return (question[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + question[12:end + 4] + b"".join(records))


def name_server(asked):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))

    def serve():
        while True:
            question, peer = server.recvfrom(4096)
            asked.append(question)
            server.sendto(answer(question), peer)

    threading.Thread(target=serve, daemon=True).start()


def added():
    """What a container engine mounts into every container, and a configuration."""
    os.makedirs(f"{TREE}/etc/sidegate", exist_ok=True)
    open(f"{TREE}/etc/hosts", "w").write("127.0.0.1 localhost\n")
    open(f"{TREE}/etc/resolv.conf", "w").write("nameserver 127.0.0.1\noptions timeout:2\n")
    shutil.copy(f"{ROOT}/examples/compose/gateway/http-rules.yaml", f"{TREE}/etc/sidegate/http-rules.yaml")
    open(f"{TREE}/etc/sidegate/sidegate.yaml", "w").write(
        "listen: 0.0.0.0:8081\nschema: {http_rules: [http-rules.yaml]}\n")


def inside(config, command, env=None):
    """A command in the tree, as the image's user and in its working directory."""
    user, group = (int(part) for part in config["User"].split(":"))

    def enter():
        os.chroot(TREE)
        os.chdir(config["WorkingDir"])
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)

    log = open(f"{SCRATCH}/container.log", "ab")
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={"PATH": "/usr/bin", **(env or {})},
                            preexec_fn=enter)


def served(config, upstream):
    env = {"SIDEGATE_UPSTREAM": upstream}
    gateway = inside(config, config["Entrypoint"], env)
    probe = config["Healthcheck"]["Test"][1:]
    healthy = until(60, lambda: ended(inside(config, probe, env)) == 0)
    check(f"image: {upstream}: it becomes healthy by the image's own check", healthy)
    path = "/v1/hello/Ada"
    check(f"image: {upstream}: REST reaches the application", until(60, lambda: status(8081, path) == 200))
    return gateway


def main():
    told = json.load(open(IMAGE))
    config = {**told["OCIv1"]["config"], **told["Docker"]["config"]}
    check("image: it has a user that is not root", config["User"].split(":")[0] not in ("", "0", "root"), config["User"])
    check("image: nothing in it but the program and certificates",
          files() == ["etc/ssl/certs/ca-certificates.crt", "usr/bin/sidegate"] or os.path.exists(f"{SCRATCH}/dynamic"), files())
    added()
    link_up()
    asked = []
    name_server(asked)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "--bind", TREE, TREE], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", TREE], check=True)
    try:
        open(f"{TREE}/written", "w")
        check("image: its root is read-only", False)
    except OSError:
        check("image: its root is read-only", True)
    app = start(MAIN_APP, "--listen", "127.0.0.1:50051", log=f"{SCRATCH}/app.log")
    for upstream in ("http://127.0.0.1:50051", "http://localhost:50051", f"http://{NAME}:50051"):
        gateway = served(config, upstream)
        terminate(gateway)
        found = ended(gateway)
        check(f"image: {upstream}: it stops with 0", found == 0, found)
    check("image: the name came from the name server", any(NAME.split(".")[0].encode() in q.lower() for q in asked))
    terminate(app)
    ended(app)


def files():
    return sorted(os.path.relpath(os.path.join(folder, name), TREE) for folder, _, names in os.walk(TREE) for name in names)


try:
    main()
finally:
    stop_all()
