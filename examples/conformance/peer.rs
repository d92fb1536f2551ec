//! The gateways that can be judged, and how each is started for a file of cases.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::options::Options;
use crate::support::case::{CaseFile, First};
use crate::support::schema::TestSchema;
use crate::support::target::{self, Gateway, Setup};
use crate::{envoy, grpc_gateway};

/// A gateway to judge.
#[derive(Debug)]
pub(crate) enum Peer {
    /// This program once more.
    Sidegate,
    /// Envoy, by its binary.
    Envoy(PathBuf),
    /// grpc-gateway, generated for all files into a folder.
    GrpcGateway(PathBuf),
    /// One that runs already.
    Running { url: String, strict: bool },
}

/// What a gateway is started for.
pub(crate) struct Start<'a> {
    /// `routes/verbs`
    pub(crate) name: &'a str,
    pub(crate) file: &'a CaseFile,
    pub(crate) schema: &'a TestSchema,
    pub(crate) upstream: SocketAddr,
}

/// Why a file is not tried.
#[derive(Debug)]
pub(crate) enum Cannot {
    /// The gateway has no words for what the file configures.
    BeExpressed(String),
    /// It should have started and did not.
    Start(String),
}

impl From<String> for Cannot {
    fn from(problem: String) -> Self {
        Self::Start(problem)
    }
}

impl Peer {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Sidegate => "Sidegate".to_owned(),
            Self::Envoy(_) => "Envoy".to_owned(),
            Self::GrpcGateway(_) => "grpc-gateway".to_owned(),
            Self::Running { url, .. } => url.clone(),
        }
    }

    /// Seconds that it has for what must happen. What does not happen at Sidegate is a bug that
    /// may be slow to show; of others many cases fail, and each waits so long.
    pub(crate) fn patience(&self) -> u64 {
        match self {
            Self::Sidegate => 20,
            _ => 2,
        }
    }

    /// Cases that run at the same time.
    pub(crate) fn at_once(&self) -> usize {
        match self {
            Self::Sidegate => 8,
            _ => 16,
        }
    }

    /// Starts it for a file.
    pub(crate) fn start(&self, start: &Start<'_>) -> Result<Gateway, Cannot> {
        match self {
            Self::Sidegate => Ok(target::start(&Setup {
                proto: &start.schema.text,
                config: &start.file.config_text(),
                files: &start.file.files,
                upstream: start.upstream,
            })?),
            Self::Envoy(binary) => envoy::start(binary, start),
            Self::GrpcGateway(built) => {
                let listen = free_address()?;
                let folder = TempDir::new().map_err(|error| error.to_string())?;
                let mut command = grpc_gateway::command(built, start, listen)?;
                Ok(Gateway::foreign(&mut command, listen, folder)?)
            }
            Self::Running { url, strict } => match start.file.first_connection {
                First::Serve => Ok(Gateway::at(url, *strict)?),
                _ => Err(Cannot::BeExpressed(
                    "a gateway that runs already has had its first connection".to_owned(),
                )),
            },
        }
    }
}

/// `--write-config`: a folder for each file; true when all went well.
pub(crate) fn write_configs(options: &Options, files: &[PathBuf]) -> Result<bool, String> {
    let [gateway, folder] = options.write_config.as_deref().unwrap_or_default() else {
        return Err("`--write-config GATEWAY DIR`".to_owned());
    };
    let app = options
        .app
        .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 50051)));
    for path in files {
        let name = options.name_of(path);
        let file = CaseFile::read(path)?;
        let schema = file.compile()?;
        let start = Start {
            name: &name,
            file: &file,
            schema: &schema,
            upstream: app,
        };
        let own = Path::new(folder).join(identifier(&name));
        std::fs::create_dir_all(&own).map_err(|error| format!("{}: {error}", own.display()))?;
        let written = match gateway.as_str() {
            "envoy" => envoy::write(&own, &start, options.listen, &[]).map(drop),
            "grpc-gateway" => grpc_gateway::write(&own, &start),
            _ => return Err(format!("no configuration is known for {gateway}")),
        };
        match written {
            Ok(()) => {}
            Err(Cannot::BeExpressed(reason)) => println!("{name}: cannot be expressed: {reason}"),
            Err(Cannot::Start(problem)) => return Err(format!("{name}: {problem}")),
        }
    }
    Ok(true)
}

/// `routes_verbs` for `routes/verbs`, which every language takes for a name.
pub(crate) fn identifier(name: &str) -> String {
    name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_")
}

/// The configuration of a file as paths and values: `rest.unescape` and `all`. Lists are values.
pub(crate) fn leaves(config: &Value) -> BTreeMap<String, Value> {
    fn walk(path: &str, value: &Value, found: &mut BTreeMap<String, Value>) {
        match value {
            Value::Null => {}
            Value::Object(map) => {
                for (key, value) in map {
                    let dot = if path.is_empty() { "" } else { "." };
                    walk(&format!("{path}{dot}{key}"), value, found);
                }
            }
            leaf => {
                found.insert(path.to_owned(), leaf.clone());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk("", config, &mut found);
    found
}

/// An address that is free now.
pub(crate) fn free_address() -> Result<SocketAddr, String> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(|error| error.to_string())
}
