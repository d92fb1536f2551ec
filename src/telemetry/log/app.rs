//! [`AppLog`]: what the application itself prints, in the lines of the access log's form and on the
//! same way out, so that one collector has both.

use std::fmt;

use super::Format;
use super::escape::append;
use super::line::LIMIT;
use crate::telemetry::clock::{Clock, Moment};
use crate::telemetry::queue::Queue;

/// Takes lines of the application. A handle, to be cloned.
#[derive(Clone)]
pub struct AppLog {
    format: Format,
    queue: Queue,
    clock: Clock,
}

/// The most of a line that is kept; the rest of [`LIMIT`] is for what stands around it, twice.
const TEXT: usize = LIMIT - 1024;

/// The most of the name of a source.
const SOURCE: usize = 256;

impl AppLog {
    /// Lines of one form into one queue.
    pub fn new(format: Format, queue: Queue, clock: Clock) -> Self {
        Self {
            format,
            queue,
            clock,
        }
    }

    /// Hands over a line without its end, whatever it holds. `source` is `stdout`, `stderr` or a
    /// file. It never waits; what has no room is dropped and counted with the access log's lines.
    pub fn line(&self, source: &str, line: &[u8]) {
        let moment = Moment::new((self.clock.wall)());
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end_matches(['\r', '\n']);
        let mut out = String::with_capacity(text.len() + 96);
        match self.format {
            Format::Json => {
                out.push_str("{\"time\":\"");
                out.push_str(moment.as_str());
                out.push_str("\",\"event\":\"app\",\"source\":\"");
                append(&mut out, source, SOURCE);
                out.push_str("\",\"line\":\"");
                append(&mut out, text, TEXT);
                out.push_str("\"}\n");
            }
            Format::Text => {
                out.push_str(moment.time_of_day());
                out.push_str("  app ");
                append(&mut out, source, SOURCE);
                out.push_str("  ");
                append(&mut out, text, TEXT);
                out.push('\n');
            }
        }
        // What is dropped is counted by the queue.
        let _kept = self.queue.push(out.as_bytes());
    }
}

impl fmt::Debug for AppLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppLog").finish_non_exhaustive()
    }
}

/// Puts lines together from what a pipe or a file yields, in whatever pieces.
#[derive(Debug)]
pub struct Lines {
    log: AppLog,
    source: Box<str>,
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
    /// Whether the rest of the line is left out.
    skipping: bool,
}

impl Lines {
    /// Lines of one source.
    pub fn new(log: AppLog, source: &str) -> Self {
        Self {
            log,
            source: source.into(),
            begun: Vec::new(),
            skipping: false,
        }
    }

    /// Takes what came; every line that is whole is handed over.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            if !self.skipping {
                let room = LIMIT.saturating_sub(self.begun.len());
                self.skipping = piece.len() > room;
                let kept = piece.get(..room.min(piece.len())).unwrap_or_default();
                self.begun.extend_from_slice(kept);
            }
            if pieces.peek().is_some() {
                self.log.line(&self.source, &self.begun);
                self.begun.clear();
                self.skipping = false;
            }
        }
    }

    /// Hands over a line that has no end.
    pub fn finish(&mut self) {
        if !self.begun.is_empty() {
            self.log.line(&self.source, &self.begun);
            self.begun.clear();
        }
        self.skipping = false;
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;
    use crate::telemetry::queue::{self, Output};

    #[derive(Clone, Default)]
    struct Taken(Arc<Mutex<Vec<u8>>>);

    impl Output for Taken {
        fn take(&mut self, batch: &[u8]) -> u64 {
            self.0.lock().unwrap().extend_from_slice(batch);
            0
        }
    }

    fn long_ago() -> SystemTime {
        UNIX_EPOCH
    }

    fn printed(format: Format, print: impl FnOnce(AppLog)) -> String {
        let taken = Taken::default();
        let (queue, flush) = queue::start_to("test", 1 << 20, taken.clone()).unwrap();
        let clock = Clock {
            wall: long_ago,
            ..Clock::system()
        };
        print(AppLog::new(format, queue, clock));
        drop(flush);
        String::from_utf8(taken.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn lines_of_the_application_are_marked() {
        let found = printed(Format::Json, |log| {
            log.line("stdout", b"said \"hello\" \x1b[31m\r");
            log.line("stderr", b"\xff");
        });
        let time = r#"{"time":"1970-01-01T00:00:00.000Z","event":"app","source":"#;
        let expected = format!(
            "{time}\"stdout\",\"line\":\"said \\\"hello\\\" \\u001b[31m\"}}\n{time}\"stderr\",\"line\":\"\u{fffd}\"}}\n"
        );
        assert_eq!(found, expected);
        let found = printed(Format::Text, |log| log.line("stdout", b"hello"));
        assert_eq!(found, "00:00:00.000  app stdout  hello\n");
    }

    #[test]
    fn pieces_become_lines() {
        let found = printed(Format::Text, |log| {
            let mut lines = Lines::new(log, "out");
            for piece in ["a", "b\nc\n", "", "\nd", "\n", "e"] {
                lines.push(piece.as_bytes());
            }
        });
        let texts = found.lines().map(|line| line.get(23..).unwrap());
        let texts: Vec<&str> = texts.collect();
        assert_eq!(texts, ["ab", "c", "", "d", "e"]);
    }

    /// Fault 44.
    #[test]
    fn a_line_without_an_end_is_bounded() {
        let found = printed(Format::Json, |log| {
            let mut lines = Lines::new(log, "out");
            for _ in 0..1000 {
                lines.push(&[0x1b; 1000]);
                assert!(lines.begun.len() <= LIMIT);
            }
            lines.push(b"\nnext\n");
        });
        let [long, next] = found.lines().collect::<Vec<_>>()[..] else {
            panic!("{found}")
        };
        assert!(long.len() < LIMIT, "{}", long.len());
        assert!(next.ends_with("\"line\":\"next\"}"));
    }
}
