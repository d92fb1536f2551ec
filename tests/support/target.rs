//! Gateways to aim cases at: a program that is started for a schema and a configuration, or one
//! that runs already.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long another gateway may take to listen.
const START: Duration = Duration::from_secs(15);

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
    /// Whether its errors are judged as Sidegate's are, in shape and words. Of any other gateway
    /// the shape is its own, and of the errors that it makes itself only the status is compared.
    pub(crate) own_errors: bool,
    process: Option<Process>,
}

struct Process {
    child: Child,
    errors: PathBuf,
    _folder: TempDir,
}

/// Starts a gateway. `SIDEGATE_CASES_COMMAND` names another program that takes the flags of
/// `sidegate serve` and prints its first line.
pub(crate) fn start(setup: &Setup<'_>) -> Result<Gateway, String> {
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
    let mut child = Command::new(program()?)
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
            own_errors: true,
            process: Some(process),
        }),
        Err(problem) => Err(format!("{problem}; it says:\n{}", process.said())),
    }
}

/// What is started: what the environment says, the binary that cargo made for a test, or this
/// program itself, which is asked to be the gateway then.
fn program() -> Result<PathBuf, String> {
    if let Some(command) = std::env::var_os("SIDEGATE_CASES_COMMAND") {
        return Ok(command.into());
    }
    match option_env!("CARGO_BIN_EXE_sidegate") {
        Some(path) => Ok(path.into()),
        None => std::env::current_exe().map_err(|error| error.to_string()),
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
    /// One that runs already, `http://127.0.0.1:8081` say.
    pub(crate) fn at(url: &str, own_errors: bool) -> Result<Self, String> {
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        let address = address.parse().map_err(|error| format!("{url}: {error}"))?;
        Ok(Self {
            address,
            own_errors,
            process: None,
        })
    }

    /// Another gateway, started by `command` to listen on `address`; its files are in `folder`.
    pub(crate) fn foreign(
        command: &mut Command,
        address: SocketAddr,
        folder: TempDir,
    ) -> Result<Self, String> {
        let errors = folder.path().join("stderr");
        let file = std::fs::File::create(&errors).map_err(|error| error.to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .map_err(|error| format!("{command:?}: {error}"))?;
        let mut process = Process {
            child,
            errors,
            _folder: folder,
        };
        if process.listens(address) {
            return Ok(Self {
                address,
                own_errors: false,
                process: Some(process),
            });
        }
        Err(format!("it does not listen; it says:\n{}", process.said()))
    }

    /// Whether somebody still listens.
    pub(crate) fn listens(&self) -> bool {
        std::net::TcpStream::connect(self.address).is_ok()
    }

    /// What the program said on its standard error.
    pub(crate) fn said(&self) -> String {
        self.process.as_ref().map(Process::said).unwrap_or_default()
    }
}

impl Process {
    /// Waits until somebody listens, or the program has ended.
    fn listens(&mut self, address: SocketAddr) -> bool {
        let until = Instant::now() + START;
        while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
            if std::net::TcpStream::connect(address).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

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
