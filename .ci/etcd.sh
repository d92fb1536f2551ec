# etcd and its protos, from Debian's packages.

GOCODE=/usr/share/gocode/src
GOGO=$GOCODE/github.com/gogo/protobuf

need_etcd() {
    need_apt etcd etcd-server
    need_apt "$GOCODE/go.etcd.io/etcd/etcdserver/etcdserverpb/rpc.proto" golang-etcd-server-dev
    need_apt "$GOGO/gogoproto/gogo.proto" golang-github-gogo-protobuf-dev
    # The protos import each other as etcd/..., so they go where that name leads to them.
    local file
    PROTOS=$SCRATCH/proto
    for file in auth/authpb/auth.proto mvcc/mvccpb/kv.proto etcdserver/etcdserverpb/rpc.proto \
        etcdserver/api/v3lock/v3lockpb/v3lock.proto \
        etcdserver/api/v3election/v3electionpb/v3election.proto; do
        install -D -m 644 "$GOCODE/go.etcd.io/etcd/$file" "$PROTOS/etcd/$file"
    done
}

etcd_is_up() {
    python3 -c "import urllib.request; urllib.request.urlopen('http://$1/health', timeout=1)"
}

# start_etcd NAME: a fresh etcd; sets ETCD to its address.
start_etcd() {
    local client peer
    client=$(free_port)
    peer=$(free_port)
    start "etcd-$1" etcd --name default --data-dir "$SCRATCH/etcd-$1" --log-outputs stderr \
        --listen-client-urls "http://127.0.0.1:$client" \
        --advertise-client-urls "http://127.0.0.1:$client" \
        --listen-peer-urls "http://127.0.0.1:$peer" \
        --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
        --initial-cluster "default=http://127.0.0.1:$peer"
    ETCD=127.0.0.1:$client
    wait_for 20 etcd_is_up "$ETCD" || {
        show "etcd-$1"
        die "etcd does not start"
    }
}

# start_etcd_gateway UPSTREAM: Sidegate as etcd's own gateway behaves, which is one of grpc-gateway's
# first version; sets GATEWAY.
start_etcd_gateway() {
    cat >"$SCRATCH/sidegate.yaml" <<YAML
json:
  names: proto
  defaults: omit
rest:
  compat: grpc-gateway
  errors: gateway_v1
  conflicts: first
YAML
    start_gateway gateway --config "$SCRATCH/sidegate.yaml" --upstream "http://$1" \
        --proto "$PROTOS" --include "$GOGO"
}
