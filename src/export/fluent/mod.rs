//! [`Forward`]: lines to Fluent Bit or Fluentd, in their own protocol over TCP.
//!
//! Source: fluent/fluentd, "Forward Protocol Specification v1", Forward mode.
//!
//! ```text
//! message = [ tag, [ *[ time, record ] ], { "chunk": id, "size": number of records } ]
//! answer  = { "ack": id }
//! ```
//!
//! A line that is a JSON object becomes a record with the same members; any other becomes the
//! member `log`. Every message is acknowledged, or sent again on a new connection: what was handed
//! over arrives at least once, as long as the receiver comes back in time. All of it happens on the
//! thread of the queue; calls only ever hand over a line.

mod msgpack;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use super::http::Place;
use crate::telemetry::queue::Output;

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// Where the receiver listens.
    pub place: Place,
    /// The tag of all records.
    pub tag: String,
}

/// The most lines of one message.
const LINES: usize = 1000;

/// How long a connection, a write and an acknowledgement may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Pauses between attempts; with them a receiver may be away for a minute before lines are lost
/// that were taken already. What comes meanwhile waits in the queue.
const PAUSES: [Duration; 8] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(10),
    Duration::from_secs(15),
    Duration::from_secs(15),
];

/// Sends lines.
pub struct Forward {
    params: Params,
    stream: Option<TcpStream>,
    pauses: &'static [Duration],
    /// What makes ids of messages differ from those of other processes.
    salt: u64,
    sent: u64,
    /// Whether the last message was given up; said once.
    away: bool,
    message: Vec<u8>,
}

impl Forward {
    /// An output to a receiver. `salt` differs by process.
    pub fn new(params: Params, salt: u64) -> Self {
        Self {
            params,
            stream: None,
            pauses: &PAUSES,
            salt,
            sent: 0,
            away: false,
            message: Vec::new(),
        }
    }

    /// Sends some lines as one message, again and again until it is acknowledged.
    fn deliver(&mut self, lines: &[&[u8]]) -> u64 {
        self.sent += 1;
        let chunk = format!("{:016x}{:08x}", self.salt, self.sent);
        self.message.clear();
        msgpack::message(&self.params.tag, lines, &chunk, &mut self.message);
        // While it is away one attempt is enough: the next message brings the next.
        let mut pauses = if self.away {
            [].iter()
        } else {
            self.pauses.iter()
        };
        loop {
            match self.attempt(&chunk) {
                Ok(()) => {
                    if std::mem::take(&mut self.away) {
                        tracing::info!(
                            receiver = self.params.place.authority(),
                            "the receiver of logs takes lines again"
                        );
                    }
                    return 0;
                }
                Err(error) => {
                    self.stream = None;
                    if let Some(pause) = pauses.next() {
                        thread::sleep(*pause);
                        continue;
                    }
                    if !std::mem::replace(&mut self.away, true) {
                        tracing::warn!(%error, receiver = self.params.place.authority(), "the receiver of logs does not take lines");
                    }
                    return lines.len() as u64;
                }
            }
        }
    }

    fn attempt(&mut self, chunk: &str) -> io::Result<()> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(&self.params.place)?,
        };
        stream.write_all(&self.message)?;
        acknowledged(&mut stream, chunk)?;
        self.stream = Some(stream);
        Ok(())
    }
}

fn connect(place: &Place) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (place.host.as_str(), place.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Reads the answer to a message, which ends with its id however the rest is written.
fn acknowledged(stream: &mut TcpStream, chunk: &str) -> io::Result<()> {
    /// More than any form of the answer has.
    const ANSWER: usize = 256;
    let mut answer = Vec::new();
    while !answer.ends_with(chunk.as_bytes()) {
        let mut buffer = [0; ANSWER];
        let count = stream.read(&mut buffer)?;
        answer.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if count == 0 || answer.len() > ANSWER {
            let what = "the receiver acknowledged nothing; it has to answer the option `chunk`";
            return Err(io::Error::other(what));
        }
    }
    Ok(())
}

impl Output for Forward {
    fn take(&mut self, batch: &[u8]) -> u64 {
        let lines: Vec<&[u8]> = batch
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .collect();
        lines.chunks(LINES).map(|some| self.deliver(some)).sum()
    }
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward")
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}
