//! Programs that are started and stopped, and what they cost: CPU time and memory of the program
//! with all its threads and children, as the kernel counts them.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Result;

/// How long a program has to end when it is told to.
const GRACE: Duration = Duration::from_secs(3);

/// A program that ends with this value.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts it, with so many processors for Go. What it writes to stdout (an access log, if
    /// anything) is dropped; stderr is kept in the directory. The kernel ends it should the
    /// yardstick die first.
    pub fn start(
        program: &Path,
        args: &[String],
        directory: &Path,
        workers: usize,
    ) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(program)
            .args(args)
            .env("GOMAXPROCS", workers.to_string())
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(directory.join("err"))?)
            .spawn()?;
        Ok(Self { child })
    }

    /// Fails when it has ended.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("ended early: {status}").into()),
        }
    }

    /// CPU time so far, in user and kernel.
    pub fn cpu(&self) -> Duration {
        let of_threads = |pid| {
            tasks(pid).map(|task| {
                let text = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
                let first = text.split(' ').next().and_then(|word| word.parse().ok());
                Duration::from_nanos(first.unwrap_or(0))
            })
        };
        self.family().into_iter().flat_map(of_threads).sum()
    }

    /// Memory that is resident, in bytes.
    pub fn resident(&self) -> u64 {
        let of_process = |pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
            kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) << 10
        };
        self.family().into_iter().map(of_process).sum()
    }

    /// It and its children.
    fn family(&self) -> Vec<u32> {
        let mut all = vec![self.child.id()];
        let mut at = 0;
        while let Some(pid) = all.get(at).copied() {
            for task in tasks(pid) {
                let text = fs::read_to_string(task.join("children")).unwrap_or_default();
                all.extend(
                    text.split_whitespace()
                        .filter_map(|word| word.parse::<u32>().ok()),
                );
            }
            at += 1;
        }
        all
    }
}

fn tasks(pid: u32) -> impl Iterator<Item = std::path::PathBuf> {
    fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
}

impl Drop for Process {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid
            && let Ok(None) = self.child.try_wait()
        {
            // It may have ended by itself in between.
            let _ = kill_process(pid, Signal::TERM);
            let until = Instant::now() + GRACE;
            while Instant::now() < until {
                if let Ok(Some(_)) = self.child.try_wait() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// An address that is free now.
pub fn free_address() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
