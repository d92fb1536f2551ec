//! The access log: one line per call, handed to a [`Queue`].
//!
//! Making a line takes no lock and no system call, and nothing a client sends can make two lines
//! of one, garble a terminal, or bring a token into the log.

pub mod escape;
pub mod line;
pub mod redact;

#[cfg(test)]
mod tests;

use std::cell::RefCell;

use super::queue::Queue;
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

/// Writes lines of one format to one queue.
#[derive(Clone, Debug)]
pub struct AccessLog {
    format: Format,
    queue: Queue,
}

impl AccessLog {
    /// A log of one format into one queue.
    pub fn new(format: Format, queue: Queue) -> Self {
        Self { format, queue }
    }

    /// Writes the line of a finished call.
    pub fn write(&self, entry: &Entry<'_>) {
        LINE.with_borrow_mut(|line| {
            line.clear();
            match self.format {
                Format::Json => line::json(entry, line),
                Format::Text => line::text(entry, line),
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
