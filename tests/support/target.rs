//! Gateways to aim cases at: a program that is started for a schema and a configuration, or one
//! that runs already.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use serde_json::Value;
use tempfile::TempDir;

/// What a gateway is started with.
pub(crate) struct Setup<'a> {
    /// The proto file it serves.
    pub(crate) proto: &'a str,
    /// The text of its configuration file.
    pub(crate) config: &'a str,
    /// More files beside the configuration, by name.
    pub(crate) files: &'a BTreeMap<String, String>,
    /// Where the application listens.
    pub(crate) upstream: SocketAddr,
}

/// A gateway that serves; a program that was started ends when this is dropped.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    process: Option<Process>,
}

struct Process {
    child: Child,
    errors: PathBuf,
    _folder: TempDir,
}

/// Starts a gateway. `SIDEGATE_CASES_URL` names one that runs already (its schema and its
/// application have to fit), `SIDEGATE_CASES_COMMAND` another program that takes the flags of
/// `sidegate serve` and prints its first line.
pub(crate) fn start(setup: &Setup<'_>) -> Result<Gateway, String> {
    if let Ok(url) = std::env::var("SIDEGATE_CASES_URL") {
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        let address = address.parse().map_err(|error| format!("{url}: {error}"))?;
        return Ok(Gateway {
            address,
            process: None,
        });
    }
    run(setup)
}

fn run(setup: &Setup<'_>) -> Result<Gateway, String> {
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let write = |name: &str, text: &str| -> Result<PathBuf, String> {
        let path = folder.path().join(name);
        let mut file = std::fs::File::create(&path).map_err(|error| error.to_string())?;
        file.write_all(text.as_bytes())
            .map_err(|error| error.to_string())?;
        Ok(path)
    };
    let proto = write("case.proto", setup.proto)?;
    let config = write("sidegate.yaml", setup.config)?;
    let errors = write("stderr", "")?;
    for (name, text) in setup.files {
        write(name, text)?;
    }
    let program = std::env::var("SIDEGATE_CASES_COMMAND")
        .unwrap_or_else(|_| env!("CARGO_BIN_EXE_sidegate").to_owned());
    let mut child = Command::new(program)
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "off",
            "--workers",
            "1",
        ])
        .arg("--upstream")
        .arg(format!("http://{}", setup.upstream))
        .arg("--config")
        .arg(config)
        .arg("--proto")
        .arg(proto)
        .env_remove("SIDEGATE_CASES")
        .env_remove("SIDEGATE_CASES_COMMAND")
        .env_remove("SIDEGATE_CASES_UPSTREAM")
        .env_remove("SIDEGATE_TEST_PATIENCE")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&errors).map_err(|error| error.to_string())?)
        .spawn()
        .map_err(|error| format!("the gateway does not start: {error}"))?;
    let line = first_line(&mut child);
    let process = Process {
        child,
        errors,
        _folder: folder,
    };
    let address = line.and_then(|line| listening(&line));
    match address {
        Ok(address) => Ok(Gateway {
            address,
            process: Some(process),
        }),
        Err(problem) => Err(format!("{problem}; it says:\n{}", process.said())),
    }
}

/// The first line that a program prints; everything after it is read and dropped, so that the
/// program never waits for somebody to read.
fn first_line(child: &mut Child) -> Result<String, String> {
    use std::io::{BufRead, BufReader};
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            let Ok(line) = line else { return };
            // Only the first line has a receiver.
            let _ = sender.send(line);
        }
    });
    receiver
        .recv_timeout(super::patience())
        .map_err(|_| "the gateway never said that it listens".to_owned())
}

fn listening(line: &str) -> Result<SocketAddr, String> {
    let value: Value = serde_json::from_str(line)
        .map_err(|_| format!("the first line of the gateway is {line:?}"))?;
    value["listen"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("no `listen` in the first line of the gateway, {line:?}"))
}

impl Gateway {
    /// What the program said on its standard error.
    pub(crate) fn said(&self) -> String {
        self.process.as_ref().map(Process::said).unwrap_or_default()
    }
}

impl Process {
    fn said(&self) -> String {
        std::fs::read_to_string(&self.errors).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
