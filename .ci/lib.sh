# Shared by the suites: tools that are installed when they are missing, and programs that are
# started on free ports and stopped at the end. Source it; it keeps everything it makes under
# target/ci.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CI_DIR=${CI_CACHE:-$ROOT/target/ci}
SIDEGATE=${CI_GATEWAY:-$ROOT/target/release/sidegate}
SCRATCH=$(mktemp -d)
STARTED=()
mkdir -p "$CI_DIR"

stop_all() {
    local pid
    for pid in "${STARTED[@]:-}"; do
        # The status of a program that was told to end is no news, and must not become the suite's.
        if [ -n "$pid" ]; then
            kill "$pid" 2>/dev/null || true
            wait "$pid" 2>/dev/null || true
        fi
    done
    rm -rf "$SCRATCH"
    return 0
}
trap stop_all EXIT

say() { printf '== %s\n' "$*"; }

die() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# need_apt COMMAND_OR_PATH PACKAGE...: installs Debian packages unless the first is there.
need_apt() {
    local there=$1
    shift
    if command -v "$there" >/dev/null 2>&1 || [ -e "$there" ]; then
        return 0
    fi
    say "installing $*"
    local sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get update -qq >/dev/null
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# need_venv NAME REQUIREMENT...: a Python environment with exactly these, at $CI_DIR/venv-NAME.
need_venv() {
    local venv=$CI_DIR/venv-$1 wanted
    shift
    wanted="$*"
    if [ "$(cat "$venv/wanted" 2>/dev/null)" != "$wanted" ]; then
        say "installing $wanted"
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check "$@"
        printf '%s' "$wanted" >"$venv/wanted"
    fi
}

# The gateway, built once; a suite that is run by itself builds it too.
need_gateway() {
    [ -n "${CI_GATEWAY:-}" ] || cargo build --release --quiet --manifest-path "$ROOT/Cargo.toml"
    [ -x "$SIDEGATE" ] || die "no gateway at $SIDEGATE"
}

# The application in Go of examples/compose, at $MAIN_APP.
need_main_app() {
    MAIN_APP=$CI_DIR/main-app
    command -v go >/dev/null || need_apt go golang-go
    (cd "$ROOT/examples/compose/main-app" && CGO_ENABLED=0 go build -o "$MAIN_APP" .)
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
    local until=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $until ] || return 1
        sleep 0.1
    done
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# start NAME COMMAND...: in the background, its output in $SCRATCH/NAME.{out,err}.
start() {
    local name=$1
    shift
    "$@" >"$SCRATCH/$name.out" 2>"$SCRATCH/$name.err" </dev/null &
    STARTED+=($!)
}

first_line_of() { head -n 1 "$SCRATCH/$1.out" | grep -q listening; }

# start_gateway NAME FLAGS...: sets GATEWAY to its address once it listens.
start_gateway() {
    local name=$1
    shift
    (cd "$SCRATCH" && mkdir -p empty)
    start "$name" env -C "$SCRATCH/empty" "$SIDEGATE" serve --listen 127.0.0.1:0 --admin 127.0.0.1:0 "$@"
    wait_for 20 first_line_of "$name" || {
        cat "$SCRATCH/$name.err" >&2
        die "the gateway $name does not listen"
    }
    GATEWAY=$(head -n 1 "$SCRATCH/$name.out" |
        python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["listen"])')
}

# What a gateway said, for the log of a failed run.
show() { tail -n 40 "$SCRATCH/$1.err" >&2; }
