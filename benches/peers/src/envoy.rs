//! Envoy's configuration: the transcoder in front of a router, and at a port of their own the filters
//! for gRPC-Web and Connect; with what its page on benchmarking
//! recommends (no request ids, no dynamic statistics, circuit breakers out of the way), with NDJSON
//! for streams as Sidegate is asked for, and with no access log.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::peer::Setting;

const NO_LIMIT: u32 = 1_000_000_000;
const FILTERS: &str = "type.googleapis.com/envoy.extensions.filters";

/// The bootstrap as JSON.
pub fn config(setting: &Setting<'_>, address: SocketAddr, fronts: SocketAddr) -> Value {
    json!({
        "static_resources": {
            "listeners": [
                listener("rest", address, &[transcoder(setting)]),
                listener("fronts", fronts, &[connect_bridge(), grpc_web()]),
            ],
            "clusters": [cluster(setting.backend)],
        },
    })
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

fn listener(name: &str, address: SocketAddr, filters: &[Value]) -> Value {
    let filters: Vec<Value> = filters.iter().cloned().chain([router()]).collect();
    json!({
        "name": name,
        "address": socket(address),
        "filter_chains": [{"filters": [manager(name, &filters)]}],
    })
}

fn manager(name: &str, filters: &[Value]) -> Value {
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": format!("{FILTERS}.network.http_connection_manager.v3.HttpConnectionManager"),
            "stat_prefix": name,
            "codec_type": "AUTO",
            "generate_request_id": false,
            "route_config": {
                "virtual_hosts": [{
                    "name": "app",
                    "domains": ["*"],
                    "routes": [{
                        "match": {"prefix": "/"},
                        "route": {"cluster": "app", "timeout": "60s"},
                    }],
                }],
            },
            "http_filters": filters,
        },
    })
}

fn transcoder(setting: &Setting<'_>) -> Value {
    json!({
        "name": "envoy.filters.http.grpc_json_transcoder",
        "typed_config": {
            "@type": format!("{FILTERS}.http.grpc_json_transcoder.v3.GrpcJsonTranscoder"),
            "proto_descriptor": setting.descriptor_set,
            "services": setting.services,
            "print_options": {"stream_newline_delimited": true},
            "max_request_body_size": 4 << 20,
            "max_response_body_size": 4 << 20,
        },
    })
}

fn connect_bridge() -> Value {
    json!({
        "name": "envoy.filters.http.connect_grpc_bridge",
        "typed_config": {
            "@type": format!("{FILTERS}.http.connect_grpc_bridge.v3.FilterConfig"),
        },
    })
}

fn grpc_web() -> Value {
    json!({
        "name": "envoy.filters.http.grpc_web",
        "typed_config": {"@type": format!("{FILTERS}.http.grpc_web.v3.GrpcWeb")},
    })
}

fn router() -> Value {
    json!({
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": format!("{FILTERS}.http.router.v3.Router"),
            "dynamic_stats": false,
            "suppress_envoy_headers": true,
        },
    })
}

fn cluster(backend: SocketAddr) -> Value {
    json!({
        "name": "app",
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [{
            "max_connections": NO_LIMIT,
            "max_pending_requests": NO_LIMIT,
            "max_requests": NO_LIMIT,
        }]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            },
        },
        "load_assignment": {
            "cluster_name": "app",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(backend)}}]}],
        },
    })
}
