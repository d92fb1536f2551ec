//! The gateways that are compared, each set up as its documentation recommends for the job, with
//! one worker and without access logs.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::envoy;
use crate::process::{Process, free_address};
use crate::setup::Tools;

/// A gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What this is about.
    Sidegate,
    /// The same with its access log, which is on by default, to /dev/null.
    SidegateLog,
    /// The hop without any work.
    Floor,
    /// Envoy with its `grpc_json_transcoder`.
    Envoy,
    /// grpc-gateway v2.
    GrpcGateway,
    /// vanguard-go over a reverse proxy.
    Vanguard,
    /// nginx with `grpc_pass`.
    Nginx,
}

/// What a row asks of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// Unary calls over REST.
    Unary,
    /// A server stream over REST, a line for each message.
    Stream,
    /// `google.api.HttpBody` as the body it is.
    Download,
    /// gRPC that stays gRPC.
    Passthrough,
    /// gRPC-Web, binary, in protobuf.
    GrpcWeb,
    /// Connect in protobuf.
    Connect,
    /// Connect in JSON.
    ConnectJson,
    /// Starting with a schema of 5,000 messages.
    LargeSchema,
    /// More than one worker.
    Workers,
}

impl Kind {
    /// All, in the order of the columns.
    pub const ALL: [Self; 7] = [
        Self::Sidegate,
        Self::SidegateLog,
        Self::Floor,
        Self::Envoy,
        Self::GrpcGateway,
        Self::Vanguard,
        Self::Nginx,
    ];

    /// As it is written on the command line and in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sidegate => "sidegate",
            Self::SidegateLog => "sidegate-log",
            Self::Floor => "floor",
            Self::Envoy => "envoy",
            Self::GrpcGateway => "grpc-gateway",
            Self::Vanguard => "vanguard",
            Self::Nginx => "nginx",
        }
    }

    /// The peer of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Why it cannot do a row; nothing when it can.
    pub fn cannot(self, ability: Ability) -> Option<&'static str> {
        match (self, ability) {
            (Self::Nginx, Ability::Passthrough | Ability::Workers) => None,
            (Self::Nginx, _) => Some("knows no protobuf: passthrough only"),
            (Self::GrpcGateway, Ability::Passthrough) => {
                Some("a REST gateway only: gRPC is served elsewhere")
            }
            (Self::GrpcGateway, Ability::GrpcWeb | Ability::Connect | Ability::ConnectJson) => {
                Some("a REST gateway only")
            }
            (Self::Floor, Ability::GrpcWeb | Ability::Connect | Ability::ConnectJson) => {
                Some("the hop of REST and of gRPC alone")
            }
            (Self::Envoy, Ability::ConnectJson) => {
                Some("its bridge changes the envelope and not the codec")
            }
            (Self::Vanguard, Ability::Stream) => {
                Some("streams over REST only as `HttpBody`, not as JSON")
            }
            (Self::Floor, Ability::Workers) => Some("one thread by design"),
            (Self::GrpcGateway | Self::Vanguard, Ability::LargeSchema) => {
                Some("its schema is generated code, compiled in")
            }
            (Self::Floor, Ability::LargeSchema) => Some("knows no schema"),
            _ => None,
        }
    }
}

/// What a gateway is started with.
#[derive(Clone, Debug)]
pub struct Setting<'a> {
    /// Where everything is.
    pub tools: &'a Tools,
    /// The application.
    pub backend: SocketAddr,
    /// Worker threads.
    pub workers: usize,
    /// The schema, and the services in it.
    pub descriptor_set: PathBuf,
    /// The services of the schema that are served.
    pub services: Vec<String>,
}

impl<'a> Setting<'a> {
    /// One worker and the schema of the yardstick.
    pub fn new(tools: &'a Tools, backend: SocketAddr) -> Self {
        Self {
            tools,
            backend,
            workers: 1,
            descriptor_set: tools.descriptor_set.clone(),
            services: vec!["yard.v1.Yard".into()],
        }
    }
}

/// A gateway that was started; it ends with this value.
#[derive(Debug)]
pub struct Peer {
    /// Which.
    pub kind: Kind,
    /// Where it speaks HTTP/1.1.
    pub http: SocketAddr,
    /// Where it speaks HTTP/2 without TLS.
    pub grpc: SocketAddr,
    /// Where it speaks gRPC-Web and Connect over HTTP/1.1.
    pub fronts: SocketAddr,
    /// The program.
    pub process: Process,
}

impl Peer {
    /// Starts it; whether it listens already is for the caller to find out.
    pub fn start(kind: Kind, setting: &Setting<'_>) -> Result<Self> {
        let address = free_address()?;
        let directory = setting.tools.cache.join("run").join(kind.name());
        fs::create_dir_all(&directory)?;
        let fronts = match kind {
            Kind::Envoy => free_address()?,
            _ => address,
        };
        let (program, args) = command(kind, setting, (address, fronts), &directory)?;
        let second = match kind {
            Kind::Floor => args[1].parse()?,
            _ => address,
        };
        Ok(Self {
            kind,
            http: address,
            grpc: second,
            fronts,
            process: Process::start(&program, &args, &directory, setting.workers)?,
        })
    }
}

type Line = (PathBuf, Vec<String>);

fn command(
    kind: Kind,
    setting: &Setting<'_>,
    (address, fronts): (SocketAddr, SocketAddr),
    directory: &Path,
) -> Result<Line> {
    let tools = setting.tools;
    let backend = setting.backend.to_string();
    Ok(match kind {
        Kind::Sidegate => sidegate(setting, address, directory, "off")?,
        Kind::SidegateLog => sidegate(setting, address, directory, "stdout")?,
        Kind::Floor => {
            let second = free_address()?.to_string();
            (
                tools.own("floor")?,
                vec![address.to_string(), second, backend],
            )
        }
        Kind::Envoy => {
            let config = directory.join("envoy.json");
            fs::write(&config, envoy::config(setting, address, fronts).to_string())?;
            let args = format!(
                "-c {} --concurrency {} --disable-hot-restart -l error",
                config.display(),
                setting.workers
            );
            (tools.envoy(), words(&args))
        }
        Kind::GrpcGateway => (tools.go("grpcgateway"), vec![address.to_string(), backend]),
        Kind::Vanguard => (tools.go("vanguard"), vec![address.to_string(), backend]),
        Kind::Nginx => {
            let config = directory.join("nginx.conf");
            fs::write(&config, nginx(setting, address, directory))?;
            let args = format!("-c {} -p {}", config.display(), directory.display());
            (nginx_program(), words(&args))
        }
    })
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn sidegate(
    setting: &Setting<'_>,
    address: SocketAddr,
    directory: &Path,
    access_log: &str,
) -> Result<Line> {
    let config = directory.join("sidegate.yaml");
    fs::write(
        &config,
        format!("telemetry: {{access_log: {access_log}}}\n"),
    )?;
    let args = format!(
        "serve --config {} --listen {address} --admin 127.0.0.1:0 --upstream http://{} \
         --descriptor-set {} --reflection off --workers {}",
        config.display(),
        setting.backend,
        setting.descriptor_set.display(),
        setting.workers
    );
    Ok((setting.tools.sidegate.clone(), words(&args)))
}

fn nginx_program() -> PathBuf {
    let system = PathBuf::from("/usr/sbin/nginx");
    if system.exists() {
        system
    } else {
        PathBuf::from("nginx")
    }
}

/// Connections are kept on both sides, as long as the run takes; the defaults would end each after
/// a thousand requests.
fn nginx(setting: &Setting<'_>, address: SocketAddr, directory: &Path) -> String {
    let scratch = directory.display();
    format!(
        "daemon off;
worker_processes {};
pid {scratch}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    upstream app {{
        server {};
        keepalive 64;
        keepalive_requests 1000000000;
        keepalive_timeout 1h;
    }}
    server {{
        listen {address} http2;
        location / {{ grpc_pass grpc://app; }}
    }}
}}
",
        setting.workers, setting.backend
    )
}
