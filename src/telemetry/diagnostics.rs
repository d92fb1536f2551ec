//! What the gateway says about itself: `tracing` events as lines on stderr.
//!
//! The lines go through a [`Queue`] like those of the access log, so that a terminal that does
//! not scroll or a collector that hangs never stops a worker.

use std::fmt;
use std::io::{self, Write};

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

use super::log::Format;
use super::queue::Queue;

/// Changes what is said while the process runs.
#[derive(Clone, Debug)]
pub struct Level(reload::Handle<EnvFilter, Registry>);

/// Why diagnostics could not be set up or changed.
#[derive(Debug)]
pub enum DiagnosticsError {
    /// The level is none.
    Level(String),
    /// Something else in this process already takes the events.
    Taken,
}

/// Sends the events of the whole process to `queue` from now on. `level` is `info` and the like,
/// or directives by module as `tracing` has them (`warn,sidegate::source=debug`).
///
/// It belongs to the start of a program and works once in a process.
pub fn init(format: Format, level: &str, queue: Queue) -> Result<Level, DiagnosticsError> {
    let (subscriber, level) = subscriber(format, level, queue)?;
    subscriber
        .try_init()
        .map_err(|_taken| DiagnosticsError::Taken)?;
    Ok(level)
}

fn subscriber(
    format: Format,
    level: &str,
    queue: Queue,
) -> Result<(impl SubscriberInitExt, Level), DiagnosticsError> {
    let (filter, handle) = reload::Layer::new(parse(level)?);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(Lines(queue))
        .with_ansi(false);
    let lines = match format {
        Format::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
        Format::Text => lines.boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    Ok((subscriber, Level(handle)))
}

fn parse(level: &str) -> Result<EnvFilter, DiagnosticsError> {
    EnvFilter::try_new(level)
        .map_err(|error| DiagnosticsError::Level(format!("{level:?}: {error}")))
}

impl Level {
    /// Says more or less from now on.
    pub fn set(&self, level: &str) -> Result<(), DiagnosticsError> {
        self.0
            .reload(parse(level)?)
            .map_err(|_gone| DiagnosticsError::Taken)
    }

    /// What is said now.
    pub fn current(&self) -> String {
        self.0.with_current(ToString::to_string).unwrap_or_default()
    }
}

impl fmt::Display for DiagnosticsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(why) => write!(f, "no log level: {why}"),
            Self::Taken => f.write_str("something else takes this process's diagnostics"),
        }
    }
}

impl std::error::Error for DiagnosticsError {}

/// Makes a writer for every event.
#[derive(Debug)]
struct Lines(Queue);

/// Takes one event, which comes in one piece.
#[derive(Debug)]
struct Event<'queue>(&'queue Queue);

impl<'queue> MakeWriter<'queue> for Lines {
    type Writer = Event<'queue>;

    fn make_writer(&'queue self) -> Self::Writer {
        Event(&self.0)
    }
}

impl Write for Event<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // What has no room is counted by the queue; the event has been dealt with either way.
        let _kept = self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A level of diagnostics that go nowhere; it works while the guard lives.
#[cfg(test)]
pub(crate) fn for_tests(level: &str) -> (Level, impl Drop) {
    let (queue, flush) = super::queue::start("test", 1 << 16, io::sink()).unwrap();
    let (subscriber, handle) = subscriber(Format::Json, level, queue).unwrap();
    let default = subscriber.set_default();
    (handle, tests::Both(default, flush))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    /// Two guards in one.
    pub(super) struct Both<A, B>(pub(super) A, pub(super) B);

    impl<A, B> Drop for Both<A, B> {
        fn drop(&mut self) {}
    }

    use super::*;
    use crate::telemetry::queue;

    /// What was written so far, for whoever asks.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn events_become_lines_and_the_level_can_change() {
        let written = Written::default();
        let (queue, flush) = queue::start("test", 1 << 16, written.clone()).unwrap();
        let (subscriber, level) = subscriber(Format::Json, "info", queue).unwrap();
        let _default = subscriber.set_default();
        tracing::debug!("nobody asked");
        tracing::info!(answer = 42, "one\nline \u{1b}[31m");
        level.set("debug").unwrap();
        assert_eq!(level.current(), "debug");
        tracing::debug!("somebody asked");
        assert!(level.set("sidegate=loud").is_err());
        drop(flush);

        let written = written.0.lock().unwrap();
        let lines: Vec<serde_json::Value> = written
            .split_inclusive(|byte| *byte == b'\n')
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["message"], "one\nline \u{1b}[31m");
        assert_eq!(lines[0]["answer"], 42);
        assert_eq!(lines[0]["level"], "INFO");
        assert_eq!(lines[1]["message"], "somebody asked");
    }

    #[test]
    fn text_lines_do_not_reach_into_a_terminal() {
        let written = Written::default();
        let (queue, flush) = queue::start("test", 1 << 16, written.clone()).unwrap();
        let (subscriber, _level) = subscriber(Format::Text, "info", queue).unwrap();
        let default = subscriber.set_default();
        tracing::info!(from = "a\u{1b}[31mb", "plain {}", "\u{1b}[2J");
        drop((default, flush));
        let written = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert!(!written.contains('\u{1b}'), "{written:?}");
    }
}
