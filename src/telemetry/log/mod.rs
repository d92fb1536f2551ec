//! The access log: one line per call, handed to a [`Queue`].
//!
//! Making a line takes no lock and no system call, and nothing a client sends can make two lines
//! of one, garble a terminal, or bring a token into the log.

pub mod app;
pub mod escape;
pub mod line;
pub mod redact;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::ids;
use super::queue::Queue;
use crate::call::Code;
use crate::call::metadata::lookup;
use crate::call::record::CallRecord;
use line::Entry;

thread_local! {
    /// Where a worker puts its lines together; none is longer than [`line::LIMIT`].
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object.
    Json,
    /// Text for somebody who watches.
    Text,
}

/// What lines are written of, and what they hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The share of calls that went well of which a line is written; of others it always is.
    pub sample: f64,
    /// Request headers that lines hold; values that open something are hidden all the same.
    pub headers: Vec<HeaderName>,
    /// Query parameters that are hidden besides those that look secret, in lower case.
    pub hidden: Vec<Box<str>>,
}

impl Default for Options {
    /// A line of every call, without headers.
    fn default() -> Self {
        Self {
            sample: 1.0,
            headers: Vec::new(),
            hidden: Vec::new(),
        }
    }
}

/// Writes lines of one format to one queue.
#[derive(Clone, Debug)]
pub struct AccessLog {
    format: Format,
    queue: Queue,
    /// `sample` of 2^64.
    sample: u64,
    /// Names, and whether no value of theirs is shown.
    headers: Arc<[(HeaderName, bool)]>,
    hidden: Arc<[Box<str>]>,
}

impl AccessLog {
    /// A log of one format into one queue.
    pub fn new(format: Format, queue: Queue, options: Options) -> Self {
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of 2^64 is exact enough, and the cast stays in range"
        )]
        let sample = (options.sample * u64::MAX as f64) as u64;
        Self {
            format,
            queue,
            sample,
            headers: options
                .headers
                .into_iter()
                .map(|name| {
                    let hidden = redact::hides_header(name.as_str());
                    (name, hidden)
                })
                .collect(),
            hidden: options.hidden.into(),
        }
    }

    /// Notes the headers that the line will hold.
    pub fn begin(&self, record: &mut CallRecord, headers: &HeaderMap) {
        if self.headers.is_empty() {
            return;
        }
        for (name, hidden) in &*self.headers {
            if let Some(value) = lookup(headers, name.as_str()) {
                let shown = if *hidden {
                    HeaderValue::from_static(redact::HIDDEN)
                } else {
                    value.clone()
                };
                record.logged.push((name.clone(), shown));
            }
        }
    }

    /// Whether a line is written of a call: of every one that failed, and of a share of the others.
    fn wants(&self, record: &CallRecord) -> bool {
        let went_well = matches!(record.code, None | Some(Code::Ok))
            && record.reason.is_none()
            && record.http_status.is_none_or(|status| status < 400);
        !went_well || ids::chance(self.sample)
    }

    /// Writes the line of a finished call.
    pub fn write(&self, entry: &Entry<'_>) {
        if self.sample != u64::MAX && !self.wants(entry.record) {
            return;
        }
        LINE.with_borrow_mut(|line| {
            line.clear();
            match self.format {
                Format::Json => line::json(entry, &self.hidden, line),
                Format::Text => line::text(entry, &self.hidden, line),
            }
            // What is dropped is counted by the queue.
            let _kept = self.queue.push(line.as_bytes());
        });
    }

    /// How many lines had no room.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }
}
