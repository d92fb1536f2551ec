//! The command line.

use std::path::PathBuf;

use crate::Result;
use crate::peer::Kind;
use crate::setup::Build;

/// What it can be asked for.
pub const USAGE: &str = "\
Sidegate beside other gateways: prints tables in Markdown.

    cargo run --release --manifest-path benches/peers/Cargo.toml -- [OPTIONS]

  --short            a few minutes: fewer calls and rounds, Sidegate as `cargo build --release`
                     makes it; the most important ratios are asserted
  --only NAME,...    some parts: small part item post list stream blob grpc grpc-stream web
                     connect (under load), latency, connections, idle, start, schema, workers
  --peers NAME,...   some gateways: sidegate sidegate-log floor envoy grpc-gateway vanguard nginx
  --rounds N         rounds in which the gateways take turns
  --sidegate FILE    this binary
  --release          the binary that `cargo build --release` makes; default: as the Dockerfile does
  --markdown FILE    writes the tables there as well
";

/// Parts that are no rows.
pub const PARTS: [&str; 6] = [
    "latency",
    "connections",
    "idle",
    "start",
    "schema",
    "workers",
];

/// The command line, read.
#[derive(Debug)]
pub struct Options {
    /// The short form.
    pub short: bool,
    /// The parts; all when empty.
    pub only: Vec<String>,
    /// The gateways, Sidegate first.
    pub peers: Vec<Kind>,
    /// Rounds.
    pub rounds: usize,
    /// Which Sidegate.
    pub build: Build,
    /// Where the tables are written as well.
    pub markdown: Option<PathBuf>,
}

impl Options {
    /// Reads the arguments after the program's name; nothing when help is wanted.
    pub fn read(args: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let mut args = args;
        let mut options = Self {
            short: false,
            only: Vec::new(),
            peers: Kind::ALL.to_vec(),
            rounds: 0,
            build: Build::Dist,
            markdown: None,
        };
        let mut build = None;
        while let Some(flag) = args.next() {
            let mut value = || args.next().ok_or(format!("{flag} wants a value"));
            match flag.as_str() {
                "--short" => options.short = true,
                "--only" => options.only = parts(&value()?)?,
                "--peers" => options.peers = peers(&value()?)?,
                "--rounds" => options.rounds = value()?.parse()?,
                "--sidegate" => build = Some(Build::At(value()?.into())),
                "--release" => build = Some(Build::Release),
                "--markdown" => options.markdown = Some(value()?.into()),
                "--help" | "-h" => return Ok(None),
                _ => return Err(format!("no option is called {flag}\n\n{USAGE}").into()),
            }
        }
        let (build_of_form, rounds) = if options.short {
            (Build::Release, 3)
        } else {
            (Build::Dist, 5)
        };
        options.build = build.unwrap_or(build_of_form);
        if options.rounds == 0 {
            options.rounds = rounds;
        }
        Ok(Some(options))
    }

    /// The gateways of the parts that are not under load: there the access log makes no difference.
    pub fn kinds(&self) -> Vec<Kind> {
        let mut kinds = self.peers.clone();
        kinds.retain(|kind| *kind != Kind::SidegateLog);
        kinds
    }

    /// Whether a part is asked for.
    pub fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == part)
    }
}

fn parts(list: &str) -> Result<Vec<String>> {
    list.split(',')
        .map(|name| {
            let known =
                PARTS.contains(&name) || crate::rows::ROWS.iter().any(|row| row.name == name);
            if known {
                Ok(name.to_owned())
            } else {
                Err(format!("no part is called {name}\n\n{USAGE}").into())
            }
        })
        .collect()
}

/// Sidegate is always among them: the ratios are to it.
fn peers(list: &str) -> Result<Vec<Kind>> {
    let mut all = vec![Kind::Sidegate];
    for name in list.split(',') {
        let kind = Kind::named(name).ok_or(format!("no gateway is called {name}\n\n{USAGE}"))?;
        if !all.contains(&kind) {
            all.push(kind);
        }
    }
    Ok(all)
}
