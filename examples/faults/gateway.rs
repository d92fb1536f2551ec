//! The gateway as a process: started with a configuration, asked, signalled, measured from outside,
//! and killed when it is dropped.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::Result;
use crate::app::lock;
use crate::app::messages::Ask;
use crate::client::grpc::Grpc;
use crate::client::http1;
use crate::options::Target;
use crate::peers;

const PROTO: &str = include_str!("faults.proto");
/// How long it may take to start, or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// How it is started.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) program: PathBuf,
    /// `sidegate.yaml`.
    pub(crate) config: String,
    /// Words before the program: `prlimit`, `cgexec` and the like.
    pub(crate) wrapper: Vec<String>,
    /// More flags.
    pub(crate) flags: Vec<String>,
    /// Whether its stdout is read after the first line.
    pub(crate) reads_stdout: bool,
}

/// A gateway that runs.
#[derive(Debug)]
pub(crate) struct Gateway {
    child: Child,
    pub(crate) listen: SocketAddr,
    /// Sidegate's own port for operators.
    pub(crate) admin: SocketAddr,
    /// The port for probes and scrapers, if there is one.
    pub(crate) ops: Option<SocketAddr>,
    pub(crate) folder: TempDir,
    /// What it wrote to stdout, when that is read.
    pub(crate) lines: Arc<Mutex<Vec<String>>>,
    unread: Option<BufReader<ChildStdout>>,
}

impl Gateway {
    pub(crate) async fn start(start: &Start) -> Result<Self> {
        let folder = TempDir::new()?;
        fs::create_dir(folder.path().join("proto"))?;
        fs::write(folder.path().join("proto/faults.proto"), PROTO)?;
        let config = start
            .config
            .replace("{folder}", &folder.path().display().to_string());
        fs::write(folder.path().join("sidegate.yaml"), config)?;
        let mut command = line(start);
        command
            .args("serve --listen 127.0.0.1:0 --workers 2".split(' '))
            .args(&start.flags)
            .current_dir(folder.path());
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("stderr"))?)
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        let mut gateway = Self {
            child,
            listen: ([127, 0, 0, 1], 0).into(),
            admin: ([127, 0, 0, 1], 0).into(),
            ops: None,
            folder,
            lines: Arc::default(),
            unread: None,
        };
        let reading = tokio::task::spawn_blocking(move || {
            let mut reader = BufReader::with_capacity(1024, stdout);
            let mut first = String::new();
            reader.read_line(&mut first).map(|_length| (reader, first))
        });
        let (reader, first) = reading.await??;
        let said = || gateway.said();
        let first: serde_json::Value = serde_json::from_str(&first)
            .map_err(|_no_json| format!("it does not start: {}", said()))?;
        let address = |key: &str| -> Result<SocketAddr> {
            Ok(first[key].as_str().ok_or("no address")?.parse()?)
        };
        gateway.listen = address("listen")?;
        gateway.admin = address("admin")?;
        gateway.ops = address("ops").ok();
        if start.reads_stdout {
            let lines = Arc::clone(&gateway.lines);
            std::thread::spawn(move || {
                for line in reader.lines().map_while(std::result::Result::ok) {
                    lock(&lines).push(line);
                }
            });
        } else {
            gateway.unread = Some(reader);
        }
        Ok(gateway)
    }

    /// A peer before an application.
    pub(crate) async fn peer(
        target: (Target, &Path),
        app: SocketAddr,
        descriptors: &[u8],
    ) -> Result<Self> {
        let folder = TempDir::new()?;
        let free = std::net::TcpListener::bind("127.0.0.1:0")?;
        let listen = free.local_addr()?;
        drop(free);
        let mut command = peers::command(target, listen, app, (folder.path(), descriptors))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("stderr"))?)
            .spawn()?;
        let gateway = Self {
            child,
            listen,
            admin: listen,
            ops: None,
            folder,
            lines: Arc::default(),
            unread: None,
        };
        let until = Instant::now() + PATIENCE;
        loop {
            if let Ok(grpc) = Grpc::connect(listen).await
                && grpc
                    .unary("Get", &Ask::default(), &[])
                    .await
                    .status
                    .as_deref()
                    == Some("0")
            {
                return Ok(gateway);
            }
            if Instant::now() > until {
                return Err(format!("never ready: {}", gateway.said()).into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn ready(&self) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Ok(answer) = http1::get(self.admin, "/readyz").await
                && answer.status == 200
            {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("never ready: {}", self.said()).into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What it said on its standard error.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A page of the admin port.
    pub(crate) async fn page(&self, path: &str) -> Result<String> {
        Ok(http1::get(self.admin, path).await?.text())
    }

    /// The sum of all series of a metric whose labels contain something.
    pub(crate) async fn metric(&self, name: &str, labels: &str) -> Result<f64> {
        let page = self.page("/metrics").await?;
        let values = page
            .lines()
            .filter(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with(['{', ' ']) && rest.contains(labels))
            })
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(values.sum())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_child(&self.child);
        Ok(kill_process(pid, signal)?)
    }

    /// Waits for its end; how long that took.
    pub(crate) async fn ended(&mut self) -> Result<(ExitStatus, Duration)> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok((status, begun.elapsed()));
            }
            if begun.elapsed() > PATIENCE * 3 {
                return Err("it does not end".into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Whether it still runs.
    pub(crate) fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Memory that is resident, in KiB.
    pub(crate) fn resident(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most that ever was, in KiB.
    pub(crate) fn peak(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let word = line.and_then(|rest| rest.split_whitespace().next());
        word.and_then(|word| word.parse().ok()).unwrap_or(0)
    }

    /// Descriptors that are open.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.id())).map_or(0, Iterator::count)
    }

    /// Processor time of all threads so far.
    pub(crate) fn cpu(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.id()));
        let of_task = |task: fs::DirEntry| {
            let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let first = text.split(' ').next().and_then(|word| word.parse().ok());
            Duration::from_nanos(first.unwrap_or(0))
        };
        let tasks = tasks.into_iter().flatten();
        tasks.filter_map(std::result::Result::ok).map(of_task).sum()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The program with what stands before it, and without what this environment says.
fn line(start: &Start) -> Command {
    let mut words = start.wrapper.iter().map(String::as_str);
    let mut command = match words.next() {
        Some(first) => {
            let mut command = Command::new(first);
            command.args(words).arg(&start.program);
            command
        }
        None => Command::new(&start.program),
    };
    for name in ["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "WATCHDOG_USEC"] {
        command.env_remove(name);
    }
    command
}

/// This program, which is a gateway too.
pub(crate) fn own_program(given: Option<&Path>) -> Result<PathBuf> {
    Ok(match given {
        Some(path) => path.canonicalize()?,
        None => std::env::current_exe()?,
    })
}
