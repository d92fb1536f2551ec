//! [`AppLog`]: what the application prints, as marked lines among our own.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::clock::{Clock, Moment};
use super::log::Format;
use super::log::escape::append;
use super::queue::Queue;

/// The most bytes of a line's text; it comes in pieces of half as much, and escapes need room.
const TEXT_LIMIT: usize = 8 << 10;

/// Writes lines of the application to one queue, which drops and counts what has no room.
#[derive(Clone, Debug)]
pub struct AppLog {
    format: Format,
    queue: Queue,
    clock: Clock,
}

impl AppLog {
    /// Lines of one format into one queue.
    pub fn new(format: Format, queue: Queue, clock: Clock) -> Self {
        Self {
            format,
            queue,
            clock,
        }
    }

    /// Writes a line that came from `source`: `stdout`, `stderr` or a file. A line that is a JSON
    /// object keeps its shape.
    pub fn write(&self, source: &str, text: &[u8], partial: bool) {
        let line = self.line(source, text, partial);
        let _kept = self.queue.push(line.as_bytes());
    }

    fn line(&self, source: &str, text: &[u8], partial: bool) -> String {
        let moment = Moment::new((self.clock.wall)());
        let mut line = String::with_capacity(text.len() + 128);
        if self.format == Format::Text {
            line.push_str(moment.time_of_day());
            line.push_str(" app ");
            append(&mut line, source, 256);
            line.push_str(" | ");
            append(&mut line, &lossy(text), TEXT_LIMIT);
            line.push('\n');
            return line;
        }
        for part in [
            r#"{"time":""#,
            moment.as_str(),
            r#"","log":"app","source":""#,
        ] {
            line.push_str(part);
        }
        append(&mut line, source, 256);
        match object(text) {
            Some(object) => {
                line.push_str(r#"","fields":"#);
                line.push_str(object);
            }
            None => {
                line.push_str(r#"","message":""#);
                append(&mut line, &lossy(text), TEXT_LIMIT);
                line.push('"');
            }
        }
        line.push_str(if partial {
            ",\"partial\":true}\n"
        } else {
            "}\n"
        });
        line
    }
}

fn lossy(text: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(text)
}

/// The text, if it is one JSON object; such a text has no line break.
fn object(text: &[u8]) -> Option<&str> {
    let text = str::from_utf8(text).ok()?.trim();
    if !text.starts_with('{') || text.contains(['\n', '\r']) {
        return None;
    }
    serde_json::from_str::<&RawValue>(text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::telemetry::queue;

    fn line(format: Format, text: &[u8], partial: bool) -> String {
        let (queue, _flush) = queue::start("test", 1024, std::io::sink()).unwrap();
        let clock = Clock {
            wall: || UNIX_EPOCH + Duration::from_secs(86_400),
            ..Clock::system()
        };
        AppLog::new(format, queue, clock).line("stdout", text, partial)
    }

    #[test]
    fn lines_are_marked_and_always_valid() {
        let head = r#"{"time":"1970-01-02T00:00:00.000Z","log":"app","source":"stdout","#;
        for (text, partial, expected) in [
            (&b"plain"[..], false, r#""message":"plain"}"#),
            (
                b"a\"\\\x1b[31m\xff",
                false,
                "\"message\":\"a\\\"\\\\\\u001b[31m\u{fffd}\"}",
            ),
            (b"half", true, r#""message":"half","partial":true}"#),
            (b"{\"a\": 1}", false, r#""fields":{"a": 1}}"#),
            (b"{\"a\": 1", false, r#""message":"{\"a\": 1"}"#),
            (b"{} {}", false, r#""message":"{} {}"}"#),
            (b"", false, r#""message":""}"#),
        ] {
            let line = line(Format::Json, text, partial);
            assert_eq!(line, format!("{head}{expected}\n"));
            serde_json::from_str::<serde_json::Value>(&line).unwrap();
        }
        let told = line(Format::Text, b"plain\x1b[2J", false);
        assert!(
            told.starts_with("00:00:00.000 app stdout | plain"),
            "{told}"
        );
        assert!(!told.contains('\u{1b}'), "{told:?}");
    }
}
