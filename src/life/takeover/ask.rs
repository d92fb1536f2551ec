//! The side that replaces: [`ask`], and the [`Predecessor`] that has answered. It blocks, and each
//! step has its time.

use std::io::{self, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use socket2::SockRef;

use super::Handed;
use super::line::{self, Answer, Draining, Hello, MOST_BYTES, MOST_SOCKETS, SPOKEN, Serving};

/// A gateway that has given its sockets and goes on serving until it is told that nobody needs it.
#[derive(Debug)]
pub struct Predecessor {
    stream: UnixStream,
    /// Its sockets, which are now ours as well.
    pub sockets: Vec<Handed>,
    /// Whether it could be sent work.
    pub ready: bool,
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
}

/// Asks the gateway that offers its sockets at `path`; `None` when there is none.
pub fn ask(path: &Path, patience: Duration) -> io::Result<Option<Predecessor>> {
    let mut stream = match UnixStream::connect(path) {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    line::is_ours(&stream)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(&line::write(&Hello {
        takeover: SPOKEN,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
    })?)?;
    let (text, given) = receive(&stream).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::new(
            io::ErrorKind::TimedOut,
            "it does not answer; perhaps another one takes over already",
        ),
        _ => error,
    })?;
    match line::read(&text)? {
        Answer::Refused { refused } => Err(io::Error::other(refused)),
        Answer::Given {
            takeover: _,
            version,
            pid,
            ready,
            sockets,
        } => {
            if sockets.len() != given.len() {
                let message = format!("{} sockets were named, {} came", sockets.len(), given.len());
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            let handed = sockets.into_iter().zip(given).map(|(named, socket)| {
                Ok(Handed {
                    name: named.name,
                    asked: named.asked,
                    socket: listener(socket)?,
                })
            });
            Ok(Some(Predecessor {
                sockets: handed.collect::<io::Result<_>>()?,
                stream,
                ready,
                version,
                pid,
            }))
        }
    }
}

impl Predecessor {
    /// Says that its clients are served, and waits until it drains. An error means that it has
    /// gone by itself, or does not say; its clients are served all the same.
    pub fn replace(mut self) -> io::Result<()> {
        self.stream
            .write_all(&line::write(&Serving { serving: true })?)?;
        let mut text = Vec::new();
        let mut byte = [0];
        while text.len() < MOST_BYTES && !text.ends_with(b"\n") {
            if self.stream.read(&mut byte)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            text.extend(byte);
        }
        let Draining { draining } = line::read(&text)?;
        if draining {
            Ok(())
        } else {
            Err(io::Error::other("it does not drain"))
        }
    }
}

/// One line, and the sockets that have come with it.
fn receive(stream: &UnixStream) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let (mut text, mut given) = (Vec::new(), Vec::new());
    while !text.ends_with(b"\n") {
        let mut chunk = [0; MOST_BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let slices = &mut [IoSliceMut::new(&mut chunk)];
        let received = recvmsg(stream, slices, &mut control, RecvFlags::CMSG_CLOEXEC)?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(sockets) = message {
                given.extend(sockets);
            }
        }
        text.extend(chunk.iter().take(received.bytes));
        if received.bytes == 0 || text.len() > MOST_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it has closed the connection without an answer",
            ));
        }
    }
    Ok((text, given))
}

/// What was given, if it is a socket that listens.
fn listener(socket: OwnedFd) -> io::Result<TcpListener> {
    if SockRef::from(&socket).is_listener()? {
        Ok(TcpListener::from(socket))
    } else {
        let message = "what was handed over does not listen";
        Err(io::Error::new(io::ErrorKind::InvalidData, message))
    }
}
