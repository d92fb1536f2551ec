//! The messages of a takeover, and whose process is at the other end.

use std::io;
use std::os::fd::AsFd;

use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

/// The newest number of the handshake that is spoken here, and the oldest.
pub(super) const SPOKEN: Spoken = Spoken {
    oldest: 1,
    newest: 1,
};

/// No line is longer.
pub(super) const MOST_BYTES: usize = 4096;

/// As many sockets are handed over at most.
pub(super) const MOST_SOCKETS: usize = 16;

/// The numbers that one side speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spoken {
    pub(super) oldest: u32,
    pub(super) newest: u32,
}

/// The first line of a successor.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) takeover: Spoken,
    pub(super) version: String,
    pub(super) pid: u32,
}

/// The answer to it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Answer {
    Refused {
        refused: String,
    },
    Given {
        takeover: u32,
        version: String,
        pid: u32,
        ready: bool,
        sockets: Vec<Socket>,
    },
}

/// One of the sockets that come along.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Socket {
    pub(super) name: String,
    pub(super) asked: String,
}

/// The last line of a successor.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Serving {
    pub(super) serving: bool,
}

/// The last line of a predecessor.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Draining {
    pub(super) draining: bool,
}

impl Spoken {
    /// The newest number that both sides speak.
    pub(super) fn common(self, other: Self) -> Option<u32> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest.max(other.oldest)).then_some(newest)
    }
}

/// A message as a line.
pub(super) fn write(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// A line as a message.
pub(super) fn read<'a, T: Deserialize<'a>>(line: &'a [u8]) -> io::Result<T> {
    serde_json::from_slice(line).map_err(|error| {
        let message = format!("the other side speaks no takeover: {error}");
        io::Error::new(io::ErrorKind::InvalidData, message)
    })
}

/// An error unless the process at the other end is of our user or of root.
pub(super) fn is_ours(socket: impl AsFd) -> io::Result<()> {
    let user = socket_peercred(socket)?.uid;
    if user == geteuid() || user.is_root() {
        return Ok(());
    }
    let message = format!(
        "the process at the other end belongs to user {}",
        user.as_raw()
    );
    Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
}
