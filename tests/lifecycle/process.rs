//! The program itself, as a supervisor has it: started, asked, signalled and waited for.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::support::patience;
use super::support::schema::TestSchema;

/// A gateway in a process of its own; it is killed when this is dropped.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) listen: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) ops: Option<SocketAddr>,
    /// The lines that it prints after its first.
    pub(crate) lines: mpsc::Receiver<String>,
    pub(crate) folder: TempDir,
}

/// A folder with the schema and a configuration.
pub(crate) fn folder(config: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let schema = TestSchema::compile(super::PROTO).expect("a sound schema");
    std::fs::write(folder.path().join("case.proto"), schema.text).unwrap();
    std::fs::write(folder.path().join("sidegate.yaml"), config).unwrap();
    folder
}

/// The program, with its working directory and without what this environment says.
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidegate"));
    command.current_dir(folder).stdin(Stdio::null());
    for name in ["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "WATCHDOG_USEC"] {
        command.env_remove(name);
    }
    command
}

/// Where everything listens and what is served.
pub(crate) fn flags(upstream: SocketAddr) -> Vec<String> {
    let words =
        "--listen 127.0.0.1:0 --admin 127.0.0.1:0 --workers 2 --proto case.proto --upstream";
    let mut words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    words.push(format!("http://{upstream}"));
    words
}

impl Process {
    /// `sidegate serve` with a configuration.
    pub(crate) fn serve(config: &str, upstream: SocketAddr) -> Self {
        let folder = folder(config);
        let mut command = program(folder.path());
        command.args(flags(upstream));
        Self::start(command, folder)
    }

    pub(crate) fn start(mut command: Command, folder: TempDir) -> Self {
        let errors = std::fs::File::create(folder.path().join("stderr")).unwrap();
        let spawned = command.stdout(Stdio::piped()).stderr(errors).spawn();
        let mut child = spawned.expect("the gateway starts");
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody may be listening any more; the process must not notice.
                drop(sender.send(line));
            }
        });
        let mut started = Self {
            child,
            listen: ([0, 0, 0, 0], 0).into(),
            admin: ([0, 0, 0, 0], 0).into(),
            ops: None,
            lines,
            folder,
        };
        let line = started.line("listening");
        started.listen = line["listen"].as_str().unwrap().parse().unwrap();
        started.admin = line["admin"].as_str().unwrap().parse().unwrap();
        started.ops = line["ops"].as_str().map(|ops| ops.parse().unwrap());
        started
    }

    /// The next line of stdout with this text in it.
    pub(crate) fn line(&self, text: &str) -> Value {
        let until = Instant::now() + patience();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return serde_json::from_str(&line).unwrap(),
                Ok(_) => {}
                Err(_) => panic!("no line with {text:?}; it says:\n{}", self.said()),
            }
        }
    }

    /// What it said on its standard error.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Runs a subcommand that asks this gateway.
    pub(crate) fn ask(&self, words: &str) -> Output {
        let mut command = program(self.folder.path());
        command.args(words.split(' '));
        command.args(["--admin", &self.admin.to_string()]);
        command.output().unwrap()
    }

    /// The exit code of a subcommand that asks this gateway.
    pub(crate) fn code(&self, words: &str) -> i32 {
        self.ask(words).status.code().unwrap()
    }

    /// Waits until it is ready.
    pub(crate) fn ready(&self) {
        let until = Instant::now() + patience();
        while self.code("probe") != 0 {
            assert!(Instant::now() < until, "never ready: {}", self.said());
        }
    }

    /// Waits for its end; how long that took.
    pub(crate) fn wait(&mut self) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, begun.elapsed());
            }
            assert!(begun.elapsed() < patience(), "it runs: {}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for its end on another thread, so that clients go on meanwhile.
    pub(crate) async fn ended(mut self) -> (ExitStatus, Duration, Self) {
        let waiting = tokio::task::spawn_blocking(move || {
            let (status, took) = self.wait();
            (status, took, self)
        });
        waiting.await.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn signal(process: u32, name: &str) {
    let command = format!("kill -{name} {process}");
    let status = Command::new("sh").args(["-c", &command]).status().unwrap();
    assert!(status.success(), "{command}");
}
