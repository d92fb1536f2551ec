//! [`Child`]: a program that shares our life. What it prints is taken as it comes, and how it ends
//! is known to whoever asks.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::watch;

use super::signals;

/// How long the last lines of a program that has ended are waited for.
const LAST_LINES: Duration = Duration::from_millis(500);

/// How much of what it prints is read at once.
const CHUNK: usize = 8 << 10;

/// What something was printed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// As logs have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Takes what a program prints, on a thread of its own, until there is no more.
pub type Output = Box<dyn FnMut(&[u8]) + Send>;

/// A program that runs. It is killed when this is dropped.
#[derive(Debug)]
pub struct Child(Handle);

/// What a signal reaches a program by, for those who do not own it.
#[derive(Clone, Debug)]
pub struct Handle {
    process: u32,
    ended: watch::Receiver<Option<ExitStatus>>,
}

/// Starts a program; `without` names variables that are not for it.
///
/// It has a process group of its own, so that what a person types into the terminal reaches it by
/// way of us alone.
pub fn start(
    command: &[OsString],
    without: &[&str],
    output: impl Fn(Stream) -> Output,
) -> io::Result<Child> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let mut command = Command::new(program);
    command.args(arguments).process_group(0);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    if io::stdin().is_terminal() {
        // A group in the background that reads a terminal is stopped by the kernel.
        command.stdin(Stdio::null());
    }
    for name in without {
        command.env_remove(name);
    }
    let mut child = command.spawn()?;
    let process = child.id();
    let (done, readers) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        read(Stream::Stdout, stdout, &output, done.clone())?;
    }
    if let Some(stderr) = child.stderr.take() {
        read(Stream::Stderr, stderr, &output, done)?;
    }
    let (sender, ended) = watch::channel(None);
    thread::Builder::new()
        .name("app".to_owned())
        .spawn(move || {
            let status = child.wait();
            // What it has printed is read to its end, unless a process that it left behind has it.
            while readers.recv_timeout(LAST_LINES).is_ok() {}
            let status = status.unwrap_or_else(|_unknown| ExitStatus::from_raw(255 << 8));
            sender.send_replace(Some(status));
        })?;
    Ok(Child(Handle { process, ended }))
}

/// Reads to the end on a thread of its own.
fn read(
    stream: Stream,
    mut from: impl Read + Send + 'static,
    output: &impl Fn(Stream) -> Output,
    done: mpsc::Sender<()>,
) -> io::Result<()> {
    let mut output = output(stream);
    thread::Builder::new()
        .name(format!("app-{}", stream.name()))
        .spawn(move || {
            let mut chunk = [0; CHUNK];
            loop {
                match from.read(&mut chunk) {
                    Ok(0) => break,
                    Ok(read) => output(chunk.get(..read).unwrap_or_default()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_gone) => break,
                }
            }
            drop(output);
            drop(done);
        })?;
    Ok(())
}

impl Handle {
    /// Sends it a signal, unless it has ended.
    pub fn signal(&self, signal: Signal) {
        if self.ended.borrow().is_none() {
            signals::send(self.process, signal);
        }
    }
}

impl Child {
    /// Sends it a signal, unless it has ended.
    pub fn signal(&self, signal: Signal) {
        self.0.signal(signal);
    }

    /// What others signal it by.
    pub fn handle(&self) -> Handle {
        self.0.clone()
    }

    /// Waits for its end; the exit code that stands for it.
    pub async fn ended(&mut self) -> u8 {
        let ended = self.0.ended.wait_for(Option::is_some).await;
        let status = ended.ok().and_then(|status| *status);
        status.map_or(255, |status| code(status.code(), status.signal()))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// The exit code for a process that has ended, as shells have it.
pub fn code(status: Option<i32>, signal: Option<i32>) -> u8 {
    let code = status.or_else(|| signal.map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(255)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn codes_are_those_of_shells() {
        assert_eq!(code(Some(3), None), 3);
        assert_eq!(code(None, Some(9)), 137);
        assert_eq!(code(None, None), 255);
    }

    async fn run(script: &str, kill: Option<Signal>) -> (u8, Vec<String>) {
        let seen = Arc::new(Mutex::new(Vec::<String>::new()));
        let output = |stream: Stream| -> Output {
            let seen = Arc::clone(&seen);
            Box::new(move |text| {
                let text = String::from_utf8_lossy(text);
                let lines = text.lines().map(|line| format!("{} {line}", stream.name()));
                seen.lock().unwrap().extend(lines);
            })
        };
        let command = ["sh", "-c", script].map(OsString::from);
        let mut child = start(&command, &["HOME"], output).unwrap();
        if let Some(signal) = kill {
            child.signal(signal);
        }
        let code = child.ended().await;
        let mut seen = std::mem::take(&mut *seen.lock().unwrap());
        seen.sort();
        (code, seen)
    }

    #[tokio::test]
    async fn a_program_is_heard_and_its_end_is_told() {
        let (code, seen) = run("echo one; echo two >&2; echo ${HOME-none}; exit 7", None).await;
        assert_eq!(code, 7);
        assert_eq!(seen, ["stderr two", "stdout none", "stdout one"]);
        let (code, _) = run("sleep 60", Some(Signal::TERM)).await;
        assert_eq!(code, 143);
        // What it leaves behind has its output, and is not waited for.
        let (code, _) = run("sleep 3 & exit 0", None).await;
        assert_eq!(code, 0);
    }

    #[test]
    fn what_cannot_be_started_is_an_error() {
        let output = |_| -> Output { Box::new(|_| {}) };
        assert!(start(&["/no/such/program".into()], &[], output).is_err());
        assert!(start(&[], &[], output).is_err());
    }
}
