//! Envoy's configuration for a file of cases: `grpc_json_transcoder` told to be as strict as the
//! rules are wherever it has a word for it, and its own errors written as JSON.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::peer::{Cannot, Start, free_address, leaves};
use crate::support::target::Gateway;

const FILTERS: &str = "type.googleapis.com/envoy.extensions.filters";

/// Starts Envoy. A rule that it refuses would cost all others as well, so it goes without that
/// rule then.
pub(crate) fn start(binary: &Path, start: &Start<'_>) -> Result<Gateway, Cannot> {
    let mut refused: Vec<String> = Vec::new();
    loop {
        let listen = free_address()?;
        let folder = TempDir::new().map_err(|error| error.to_string())?;
        let config = write(folder.path(), start, listen, &refused)?;
        let mut command = Command::new(binary);
        command
            .args(["--concurrency", "1", "--disable-hot-restart", "-l", "error"])
            .arg("-c")
            .arg(config);
        let problem = match Gateway::foreign(&mut command, listen, folder) {
            Ok(gateway) => return Ok(gateway),
            Err(problem) => problem,
        };
        match cannot_register(&problem) {
            Some(method) if !refused.contains(&method) => refused.push(method),
            _ => return Err(Cannot::Start(problem)),
        }
    }
}

/// The method whose rule Envoy refuses.
fn cannot_register(problem: &str) -> Option<String> {
    let (_, rest) = problem.split_once("Cannot register '")?;
    Some(rest.split_once('\'')?.0.to_owned())
}

/// Writes the descriptor set, without the rules of some methods, and the bootstrap; the path of
/// the latter.
pub(crate) fn write(
    folder: &Path,
    start: &Start<'_>,
    listen: SocketAddr,
    refused: &[String],
) -> Result<PathBuf, Cannot> {
    let descriptors = folder.join("descriptors.binpb");
    let transcoder = transcoder(start, &descriptors)?;
    let write = |path: &Path, bytes: &[u8]| {
        std::fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
    };
    write(&descriptors, &start.schema.without_rules(refused)?)?;
    let config = folder.join("envoy.json");
    let bootstrap = bootstrap(&transcoder, start.upstream, listen);
    write(&config, bootstrap.to_string().as_bytes())?;
    Ok(config)
}

/// The transcoder's settings for the file's configuration.
fn transcoder(start: &Start<'_>, descriptors: &Path) -> Result<Value, Cannot> {
    let mut settings = json!({
        "@type": format!("{FILTERS}.http.grpc_json_transcoder.v3.GrpcJsonTranscoder"),
        "proto_descriptor": descriptors,
        "services": start.schema.services(),
        "auto_mapping": true,
        "convert_grpc_status": true,
        "query_param_unescape_plus": true,
        "match_unregistered_custom_verb": true,
        "url_unescape_spec": "ALL_CHARACTERS_EXCEPT_SLASH",
        "request_validation_options": {
            "reject_unknown_method": true,
            "reject_unknown_query_parameters": true,
            "reject_binding_body_field_collisions": true,
        },
    });
    let mut printing = Map::new();
    for (path, value) in leaves(&start.file.config) {
        let word = value.as_str().unwrap_or_default();
        let mut print = |option: &str| {
            printing.insert(option.to_owned(), Value::Bool(true));
        };
        match (path.as_str(), word) {
            // Its errors have this shape, whatever a file says; where the file says nothing, the
            // shape is not compared.
            ("rest.errors", "status") => {}
            ("rest.stream", "ndjson") => print("stream_newline_delimited"),
            ("rest.stream", "sse") => print("stream_sse_style_delimited"),
            ("rest.unescape", "all") => settings["url_unescape_spec"] = "ALL_CHARACTERS".into(),
            ("rest.unescape", "all_except_reserved") => {
                settings["url_unescape_spec"] = "ALL_CHARACTERS_EXCEPT_RESERVED".into();
            }
            ("rest.auto", "off") => settings["auto_mapping"] = false.into(),
            ("rest.unknown_query", "ignore") => {
                settings["ignore_unknown_query_parameters"] = true.into();
                settings["request_validation_options"]["reject_unknown_query_parameters"] =
                    false.into();
            }
            ("json.names", "proto") => print("preserve_proto_field_names"),
            ("json.defaults", "emit") => print("always_print_primitive_fields"),
            ("json.enums", "number") => print("always_print_enums_as_ints"),
            ("json.enum_case", "insensitive") => {
                settings["case_insensitive_enum_parsing"] = true.into();
            }
            _ => return Err(Cannot::BeExpressed(format!("`{path}: {value}`"))),
        }
    }
    settings["print_options"] = Value::Object(printing);
    Ok(settings)
}

fn bootstrap(transcoder: &Value, upstream: SocketAddr, listen: SocketAddr) -> Value {
    let manager = json!({
        "@type": format!("{FILTERS}.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "front",
        "codec_type": "AUTO",
        "generate_request_id": false,
        // A path is routed as it was sent; `.` and `..` are for the rules to judge.
        "normalize_path": false,
        // Methods of one's own, which rules may name.
        "http_protocol_options": {"allow_custom_methods": true},
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "local_reply_config": {"body_format": {"json_format": {
            "code": "%GRPC_STATUS_NUMBER%",
            "message": "%LOCAL_REPLY_BODY%",
        }}},
        "route_config": {"virtual_hosts": [{
            "name": "app",
            "domains": ["*"],
            "routes": [{
                "match": {"prefix": "/"},
                "route": {"cluster": "app", "timeout": "30s", "max_stream_duration": {
                    "grpc_timeout_header_max": "0s",
                }},
            }],
        }]},
        "http_filters": [
            {"name": "envoy.filters.http.grpc_json_transcoder", "typed_config": transcoder},
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": format!("{FILTERS}.http.router.v3.Router"),
                    "suppress_envoy_headers": true,
                },
            },
        ],
    });
    json!({"static_resources": {
        "listeners": [{
            "name": "front",
            "address": socket(listen),
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": manager,
            }]}],
        }],
        "clusters": [{
            "name": "app",
            "type": "STATIC",
            "connect_timeout": "1s",
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": {"http2_protocol_options": {}},
                },
            },
            "load_assignment": {
                "cluster_name": "app",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(upstream)}}]}],
            },
        }],
    }})
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}
