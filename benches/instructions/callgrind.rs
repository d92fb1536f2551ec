//! The gateway under callgrind, and what it counted.

use std::error::Error;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A gateway that counts its instructions; it ends when this is dropped.
pub(crate) struct Gateway {
    process: Child,
    pub(crate) address: SocketAddr,
    scratch: PathBuf,
    parts: u32,
}

/// What happened since the count before.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) instructions: u64,
    pub(crate) allocations: u64,
}

/// What is started.
#[derive(Clone, Copy)]
pub(crate) struct Start<'a> {
    pub(crate) program: &'a Path,
    pub(crate) proto: &'a Path,
    /// Where the application is.
    pub(crate) port: u16,
    pub(crate) scratch: &'a Path,
    pub(crate) config: Option<&'a Path>,
}

impl Gateway {
    /// Starts it and waits until it listens.
    pub(crate) fn start(start: &Start<'_>) -> Outcome<Self> {
        let Start {
            program,
            proto,
            port,
            scratch,
            config,
        } = *start;
        let config = config.map(|file| [Path::new("--config"), file]);
        let mut process = Command::new("valgrind")
            .arg("--tool=callgrind")
            .arg("--compress-strings=no")
            .arg(format!("--callgrind-out-file={}/part", scratch.display()))
            .arg(program)
            .args([
                "serve",
                "--workers",
                "1",
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "off",
            ])
            .args(["--log-format", "json", "--reflection", "off"])
            .arg("--upstream")
            .arg(format!("http://127.0.0.1:{port}"))
            .arg("--proto")
            .arg(proto)
            .args(config.iter().flatten())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut output = BufReader::new(process.stdout.take().ok_or("no standard output")?);
        let mut first = String::new();
        output.read_line(&mut first)?;
        let said: serde_json::Value = serde_json::from_str(&first)?;
        let address = said["listen"].as_str().ok_or("no address")?.parse()?;
        // The lines of the access log are read, as a collector would.
        std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
        Ok(Self {
            process,
            address,
            scratch: scratch.to_owned(),
            parts: 0,
        })
    }

    /// What was counted since the last time this was asked.
    pub(crate) fn count(&mut self) -> Outcome<Count> {
        let status = Command::new("callgrind_control")
            .arg("--dump")
            .arg(self.process.id().to_string())
            .stdout(Stdio::null())
            .status()?;
        if !status.success() {
            return Err("callgrind_control failed".into());
        }
        self.parts += 1;
        let part = self.scratch.join(format!("part.{}", self.parts));
        let mut count = Count::default();
        let (mut caller, mut called) = (String::new(), String::new());
        for line in BufReader::new(std::fs::File::open(part)?).lines() {
            let line = line?;
            if let Some(name) = line.strip_prefix("fn=") {
                name.clone_into(&mut caller);
            } else if let Some(name) = line.strip_prefix("cfn=") {
                name.clone_into(&mut called);
            } else if let Some(calls) = line.strip_prefix("calls=") {
                let calls = calls.split(' ').next().unwrap_or_default().parse::<u64>()?;
                if is_allocation(&called) && !is_allocation(&caller) {
                    count.allocations += calls;
                }
            } else if let Some(total) = line.strip_prefix("totals: ") {
                count.instructions = total.trim().parse()?;
            }
        }
        Ok(count)
    }

    /// The largest resident size so far, valgrind's own included: only to see that it lives.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }
}

/// The allocator, mimalloc or the system's: what it calls of itself is not counted.
fn is_allocation(name: &str) -> bool {
    let name = name.split('\'').next().unwrap_or(name);
    let mimalloc = name.starts_with("mi_") || name.starts_with("_mi_");
    let gives = [
        "malloc",
        "calloc",
        "realloc",
        "zalloc",
        "memalign",
        "aligned_alloc",
    ]
    .iter()
    .any(|word| name.contains(word));
    gives && (mimalloc || !name.contains(':'))
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It has nothing to finish.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
