//! The command line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};

use crate::peer::Peer;
use crate::yaml_below;

/// Runs the cases of `tests/cases` against a gateway and counts what it keeps.
#[derive(Debug, Parser)]
#[command(name = "conformance")]
pub(crate) struct Options {
    /// Parts of paths of case files, such as `routes/` or `verbs`; all files when missing.
    pub(crate) parts: Vec<String>,

    /// Where the cases are.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases"))]
    pub(crate) cases: PathBuf,

    /// Gateways to start, one instance for each file, configured for it.
    #[arg(long, value_delimiter = ',', default_value = "sidegate")]
    pub(crate) gateway: Vec<Kind>,

    /// Envoy's binary.
    #[arg(long, value_name = "FILE")]
    pub(crate) envoy: Option<PathBuf>,

    /// A folder that `--write-config grpc-gateway` wrote and `grpcgateway/build` built.
    #[arg(long, value_name = "DIR")]
    pub(crate) grpc_gateway: Option<PathBuf>,

    /// A gateway that runs already; name the files whose schema it serves.
    #[arg(long, value_name = "URL", conflicts_with = "gateway", requires = "app")]
    pub(crate) target: Option<String>,

    /// Where the scripted application listens.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) app: Option<SocketAddr>,

    /// Judge the shape and the words of errors of `--target` as Sidegate's are.
    #[arg(long)]
    pub(crate) strict: bool,

    /// Only write the configuration for a gateway, a folder for each file of cases.
    #[arg(long, num_args = 2, value_names = ["GATEWAY", "DIR"])]
    pub(crate) write_config: Option<Vec<String>>,

    /// Where the gateway of `--write-config envoy` listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    pub(crate) listen: SocketAddr,

    /// Try only each so manieth case of other gateways than Sidegate.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) every: u16,

    /// Seconds until something that has to happen is given up.
    #[arg(long)]
    pub(crate) patience: Option<u64>,

    /// Print each difference, and why a case is skipped.
    #[arg(long)]
    pub(crate) verbose: bool,

    /// Print the table as Markdown.
    #[arg(long)]
    pub(crate) markdown: bool,
}

/// A gateway that can be started here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Sidegate,
    Envoy,
    GrpcGateway,
}

impl Options {
    /// The files of cases that are meant.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>, String> {
        let mut files = yaml_below(&self.cases)?;
        files.retain(|path| {
            let name = self.name_of(path);
            self.parts.is_empty() || self.parts.iter().any(|part| name.contains(part.as_str()))
        });
        if files.is_empty() {
            return Err(format!("no file of cases has {:?} in its path", self.parts));
        }
        Ok(files)
    }

    /// `routes/verbs` for that file.
    pub(crate) fn name_of(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.cases).unwrap_or(path);
        below.with_extension("").display().to_string()
    }

    /// The gateways that are meant.
    pub(crate) fn peers(&self) -> Result<Vec<Peer>, String> {
        if let Some(url) = &self.target {
            return Ok(vec![Peer::Running {
                url: url.clone(),
                strict: self.strict,
            }]);
        }
        let peers = self.gateway.iter().map(|kind| match kind {
            Kind::Sidegate => Ok(Peer::Sidegate),
            Kind::Envoy => {
                let binary = self.envoy.clone();
                Ok(Peer::Envoy(
                    binary.ok_or("`--gateway envoy` needs `--envoy FILE`")?,
                ))
            }
            Kind::GrpcGateway => {
                let folder = self.grpc_gateway.clone();
                let folder = folder.ok_or("`--gateway grpc-gateway` needs `--grpc-gateway DIR`")?;
                Ok(Peer::GrpcGateway(folder))
            }
        });
        peers.collect()
    }
}
