//! [`Child`]: a program that shares our life. What it prints is taken line by line, and how it
//! ends is known to whoever asks.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::watch;

use super::signals;

/// How long the last lines of a program that has ended are waited for.
const LAST_LINES: Duration = Duration::from_millis(500);

/// The longest piece of a line that is handed over at once.
pub const PIECE: usize = 4 << 10;

/// What a line was printed to.
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

/// A line of a program, or a part of one that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The bytes, without the line break.
    pub text: &'a [u8],
    /// Whether more of the line follows.
    pub partial: bool,
}

/// Takes the lines of a program, on threads of their own.
pub type Lines = Arc<dyn Fn(Stream, Piece<'_>) + Send + Sync>;

/// A program that runs. It is killed when this is dropped.
#[derive(Debug)]
pub struct Child {
    process: u32,
    ended: watch::Receiver<Option<ExitStatus>>,
}

/// Starts a program; `without` names variables that are not for it.
///
/// It has a process group of its own, so that what a person types into the terminal reaches it by
/// way of us alone.
pub fn start(command: &[OsString], without: &[&str], lines: &Lines) -> io::Result<Child> {
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
        read(Stream::Stdout, stdout, lines, done.clone())?;
    }
    if let Some(stderr) = child.stderr.take() {
        read(Stream::Stderr, stderr, lines, done)?;
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
    Ok(Child { process, ended })
}

/// Reads to the end on a thread of its own.
fn read(
    stream: Stream,
    from: impl Read + Send + 'static,
    lines: &Lines,
    done: mpsc::Sender<()>,
) -> io::Result<()> {
    let lines = Arc::clone(lines);
    thread::Builder::new()
        .name(format!("app-{}", stream.name()))
        .spawn(move || {
            split(from, |piece| lines(stream, piece));
            drop(done);
        })?;
    Ok(())
}

/// Hands over all lines, those too long in pieces.
fn split(mut from: impl Read, mut hand_over: impl FnMut(Piece<'_>)) {
    let mut buffer = Vec::with_capacity(2 * PIECE);
    let mut chunk = [0; PIECE];
    loop {
        let read = match from.read(&mut chunk) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_gone) => 0,
        };
        buffer.extend(chunk.iter().take(read));
        let mut rest = buffer.as_slice();
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            piecewise(line, true, &mut hand_over);
            rest = after.get(1..).unwrap_or_default();
        }
        if read == 0 {
            if !rest.is_empty() {
                piecewise(rest, true, &mut hand_over);
            }
            return;
        }
        let left = piecewise(rest, false, &mut hand_over).to_vec();
        buffer = left;
    }
}

/// Hands over what is longer than a piece, and the rest if the line is complete; what is left.
fn piecewise<'a>(
    line: &'a [u8],
    complete: bool,
    hand_over: &mut impl FnMut(Piece<'_>),
) -> &'a [u8] {
    let mut line = line;
    while line.len() > PIECE {
        let (text, after) = line.split_at(PIECE);
        hand_over(Piece {
            text,
            partial: true,
        });
        line = after;
    }
    if complete {
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        hand_over(Piece {
            text,
            partial: false,
        });
        return &[];
    }
    line
}

impl Child {
    /// Sends it a signal, unless it has ended.
    pub fn signal(&self, signal: Signal) {
        if self.ended.borrow().is_none() {
            signals::send(self.process, signal);
        }
    }

    /// Waits for its end; the exit code that stands for it.
    pub async fn ended(&mut self) -> u8 {
        let ended = self.ended.wait_for(Option::is_some).await;
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
    use std::sync::Mutex;

    use super::*;

    fn pieces(text: &[u8]) -> Vec<(usize, bool)> {
        let mut all = Vec::new();
        split(text, |piece| all.push((piece.text.len(), piece.partial)));
        all
    }

    #[test]
    fn lines_are_taken_apart() {
        assert_eq!(pieces(b""), []);
        assert_eq!(
            pieces(b"one\r\n\ntwo"),
            [(3, false), (0, false), (3, false)]
        );
        let long = [vec![b'x'; 2 * PIECE + 1], b"\ny\n".to_vec()].concat();
        let expected = [(PIECE, true), (PIECE, true), (1, false), (1, false)];
        assert_eq!(pieces(&long), expected);
        assert_eq!(pieces(&vec![b'x'; PIECE]), [(PIECE, false)]);
    }

    #[test]
    fn codes_are_those_of_shells() {
        assert_eq!(code(Some(3), None), 3);
        assert_eq!(code(None, Some(9)), 137);
        assert_eq!(code(None, None), 255);
    }

    async fn run(script: &str, kill: Option<Signal>) -> (u8, Vec<String>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let lines: Lines = {
            let seen = Arc::clone(&seen);
            Arc::new(move |stream, piece| {
                let text = String::from_utf8_lossy(piece.text);
                seen.lock()
                    .unwrap()
                    .push(format!("{} {text}", stream.name()));
            })
        };
        let command = ["sh", "-c", script].map(OsString::from);
        let mut child = start(&command, &["HOME"], &lines).unwrap();
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
        let lines: Lines = Arc::new(|_, _| {});
        assert!(start(&["/no/such/program".into()], &[], &lines).is_err());
        assert!(start(&[], &[], &lines).is_err());
    }
}
