"""Envoy's bootstrap for the comparison: grpc_json_transcoder with a descriptor and a service, all
else as it is by default.

    envoy.py LISTEN APP DESCRIPTORS
"""

import json
import sys

FILTERS = "type.googleapis.com/envoy.extensions.filters"
UPSTREAMS = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def socket(address):
    host, port = address.rsplit(":", 1)
    return {"socket_address": {"address": host, "port_value": int(port)}}


def bootstrap(listen, app, descriptors):
    transcoder = {
        "@type": f"{FILTERS}.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "proto_descriptor": descriptors,
        "services": ["compat.v1.Compat"],
    }
    manager = {
        "@type": f"{FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "app",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app", "timeout": "30s"}}],
                }
            ]
        },
        "http_filters": [
            {"name": "envoy.filters.http.grpc_json_transcoder", "typed_config": transcoder},
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{FILTERS}.http.router.v3.Router"},
            },
        ],
    }
    protocol = {"@type": UPSTREAMS, "explicit_http_config": {"http2_protocol_options": {}}}
    front = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    return {
        "static_resources": {
            "listeners": [
                {"name": "front", "address": socket(listen), "filter_chains": [{"filters": [front]}]}
            ],
            "clusters": [
                {
                    "name": "app",
                    "type": "STATIC",
                    "typed_extension_protocol_options": {UPSTREAMS.split("/")[1]: protocol},
                    "load_assignment": {
                        "cluster_name": "app",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(app)}}]}],
                    },
                }
            ],
        }
    }


if __name__ == "__main__":
    json.dump(bootstrap(*sys.argv[1:4]), sys.stdout)
