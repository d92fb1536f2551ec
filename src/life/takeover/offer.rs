//! The side that is replaced: [`Offer`].

use std::fs;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};

use super::Handed;
use super::line::{
    self, Answer, Draining, Hello, MOST_BYTES, MOST_SOCKETS, SPOKEN, Serving, Socket,
};

/// How long a successor may take over its first line.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it may take to start. It is long because nothing is worse while it lasts.
const START: Duration = Duration::from_secs(600);

/// Sockets for whoever comes to replace this process. The path is gone when it is dropped, unless
/// a successor has put its own there.
#[derive(Debug)]
pub struct Offer {
    listener: UnixListener,
    path: PathBuf,
    /// The file that was made, so that no other is removed.
    file: (u64, u64),
    sockets: Vec<Handed>,
}

/// Who has taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
}

impl Offer {
    /// Offers the sockets at `path`, for this user only; within a runtime. With `replace` in place
    /// of a gateway that is there and has been replaced, else whoever is there is an error.
    pub fn open(path: &Path, sockets: Vec<Handed>, replace: bool) -> io::Result<Self> {
        if sockets.len() > MOST_SOCKETS {
            return Err(io::Error::other("too many sockets for a takeover"));
        }
        match fs::symlink_metadata(path) {
            Ok(there) if !there.file_type().is_socket() => {
                let message = "there is a file, and it is no socket";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
            }
            Ok(_) if !replace && StdStream::connect(path).is_ok() => {
                let message = "another gateway offers its sockets there: `--takeover` replaces it";
                return Err(io::Error::new(io::ErrorKind::AddrInUse, message));
            }
            Ok(_) | Err(_) => {}
        }
        // Made aside and moved, so that there is always a whole one, with these permissions.
        let mut aside = path.as_os_str().to_owned();
        aside.push(format!(".{}", std::process::id()));
        let aside = PathBuf::from(aside);
        drop(fs::remove_file(&aside));
        let listener = StdListener::bind(&aside)?;
        let made = fs::set_permissions(&aside, fs::Permissions::from_mode(0o600))
            .and_then(|()| fs::rename(&aside, path))
            .and_then(|()| fs::symlink_metadata(path));
        let made = made.inspect_err(|_| drop(fs::remove_file(&aside)))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener: UnixListener::from_std(listener)?,
            path: path.to_owned(),
            file: (made.dev(), made.ino()),
            sockets,
        })
    }

    /// Waits until somebody serves in our place. `ready` says whether this process can be sent
    /// work at the moment. Successors that fail are told in the log and change nothing.
    pub async fn taken(&self, ready: impl Fn() -> bool) -> Successor {
        /// Accepting rests when it fails, for want of file descriptors usually.
        const REST: Duration = Duration::from_secs(1);
        loop {
            let mut stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a takeover cannot be accepted");
                    sleep(REST).await;
                    continue;
                }
            };
            match self.attempt(&mut stream, ready()).await {
                Ok(successor) => return successor,
                Err(error) => tracing::warn!(%error, "a takeover has failed; this gateway goes on"),
            }
        }
    }

    async fn attempt(&self, stream: &mut UnixStream, ready: bool) -> io::Result<Successor> {
        line::is_ours(&*stream)?;
        let late = || io::Error::from(io::ErrorKind::TimedOut);
        let hello = timeout(PATIENCE, read_line(stream));
        let hello = hello.await.map_err(|_late| late())??;
        let Hello {
            takeover,
            version,
            pid,
        } = line::read(&hello)?;
        let Some(number) = SPOKEN.common(takeover) else {
            let refused = format!("this one is {} and speaks other takeovers", crate_version());
            let answer = line::write(&Answer::Refused { refused })?;
            stream.write_all(&answer).await?;
            let message = format!("version {version} speaks other takeovers");
            return Err(io::Error::other(message));
        };
        self.give(stream, number, ready).await?;
        let serving = timeout(START, read_line(stream));
        let serving = serving.await.map_err(|_late| late())?;
        let serving = serving.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::other("the successor did not start"),
            _ => error,
        })?;
        let Serving { serving } = line::read(&serving)?;
        if !serving {
            return Err(io::Error::other("the successor does not serve"));
        }
        // Whether it hears that makes no difference any more.
        let answer = line::write(&Draining { draining: true })?;
        drop(stream.write_all(&answer).await);
        Ok(Successor { version, pid })
    }

    /// The answer, the sockets with its first byte.
    async fn give(&self, stream: &mut UnixStream, number: u32, ready: bool) -> io::Result<()> {
        let named = self.sockets.iter().map(|handed| Socket {
            name: handed.name.clone(),
            asked: handed.asked.clone(),
        });
        let answer = line::write(&Answer::Given {
            takeover: number,
            version: crate_version().to_owned(),
            pid: std::process::id(),
            ready,
            sockets: named.collect(),
        })?;
        let sockets: Vec<_> = self.sockets.iter().map(|one| one.socket.as_fd()).collect();
        let sent = stream
            .async_io(Interest::WRITABLE, || {
                let mut space =
                    [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                if !control.push(SendAncillaryMessage::ScmRights(&sockets)) {
                    return Err(io::Error::other("too many sockets for a takeover"));
                }
                let slices = &[IoSlice::new(&answer)];
                Ok(sendmsg(
                    &*stream,
                    slices,
                    &mut control,
                    SendFlags::NOSIGNAL,
                )?)
            })
            .await?;
        let rest = answer.get(sent..).unwrap_or_default();
        stream.write_all(rest).await
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        let ours = |there: &fs::Metadata| (there.dev(), there.ino()) == self.file;
        if fs::symlink_metadata(&self.path).is_ok_and(|there| ours(&there)) {
            // If it cannot be removed the next one finds nobody behind it.
            drop(fs::remove_file(&self.path));
        }
    }
}

fn crate_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

async fn read_line(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    while !text.ends_with(b"\n") {
        if text.len() == MOST_BYTES {
            let message = "a line of the other side is too long";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        text.push(stream.read_u8().await?);
    }
    Ok(text)
}
