//! The limits of connections, and how many of them there may be.

use std::sync::Arc;
use std::time::Duration;

use crate::tls;

/// Every limit of a connection. Sizes are bytes.
#[derive(Clone, Debug)]
pub struct Params {
    /// How long a new connection may take to say what it speaks.
    pub opening: Duration,
    /// How long a request head may take in total, from its first byte.
    pub head: Duration,
    /// How long a connection may be without a request.
    pub idle: Duration,
    /// How long a client may leave an answer unread.
    pub response_stall: Duration,
    /// The largest head; over it: 431.
    pub head_bytes: u32,
    /// The most fields in a head; over it: 431.
    pub head_fields: usize,
    /// The longest target; over it: 414.
    pub uri_bytes: usize,
    /// Requests at once on an HTTP/2 connection; over it: REFUSED_STREAM.
    pub streams: u32,
    /// What a client may send on a stream before it was consumed.
    pub stream_window: u32,
    /// What a client may send on all streams of a connection before it was consumed.
    pub connection_window: u32,
    /// What is buffered of an answer on its way to a client.
    pub send_buffer: usize,
    /// What is read of a request body that nobody wants, so that the connection can be kept.
    pub unwanted_body: usize,
    /// Streams that a client may open and reset at once before its connection is closed, and
    /// again every second.
    pub early_resets: u32,
    /// Streams that h2 may reset in a connection's life because of what the client sent.
    pub malformed_streams: usize,
    /// Connections at once, on all workers; new ones beyond are refused.
    pub max_connections: usize,
    /// TLS, if connections are to be encrypted.
    pub tls: Option<Arc<tls::Server>>,
}

impl Params {
    /// The safe defaults.
    #[allow(
        clippy::new_without_default,
        reason = "defaults of a server are asked for by name"
    )]
    pub fn new() -> Self {
        Self {
            opening: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            response_stall: Duration::from_secs(30),
            head_bytes: 16 << 10,
            head_fields: 100,
            uri_bytes: 8 << 10,
            streams: 100,
            stream_window: 64 << 10,
            connection_window: 1 << 20,
            send_buffer: 64 << 10,
            unwanted_body: 64 << 10,
            early_resets: 100,
            malformed_streams: 1024,
            max_connections: connections_for(open_files()),
            tls: None,
        }
    }

    /// What one connection may hold in memory when its client does the worst it can.
    pub fn worst_case_bytes(&self) -> u64 {
        let streams = u64::from(self.streams);
        // Decoded fields cost more than their bytes: names, values and places in a table.
        let heads = streams * u64::from(self.head_bytes) * 2;
        let sending = streams * self.send_buffer as u64;
        u64::from(self.connection_window) + heads + sending
    }
}

/// Connections for a number of open files; each takes one, and most make one to the app.
fn connections_for(files: Option<u64>) -> usize {
    const OTHER_FILES: u64 = 64;
    const FEWEST: usize = 64;
    const UNKNOWN: u64 = 1024;
    let files = files.unwrap_or(UNKNOWN);
    let half = files.saturating_sub(OTHER_FILES) / 2;
    usize::try_from(half).unwrap_or(usize::MAX).max(FEWEST)
}

/// How many files this process may have open, where the system says it.
pub fn open_files() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    soft_limit(&limits)
}

fn soft_limit(limits: &str) -> Option<u64> {
    limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_is_read() {
        let text = "Limit                     Soft Limit           Hard Limit           Units\n\
                    Max processes             unlimited            unlimited            processes\n\
                    Max open files            1024                 524288               files\n";
        assert_eq!(soft_limit(text), Some(1024));
        assert_eq!(soft_limit("Max open files unlimited unlimited files"), None);
        assert_eq!(connections_for(Some(1024)), 480);
        assert_eq!(connections_for(Some(10)), 64);
    }

    #[test]
    fn the_worst_case_is_bounded() {
        assert!(Params::new().worst_case_bytes() < 16 << 20);
    }
}
