//! A relay between the gateway and an application that can fall silent: connections stay, and
//! nothing passes any more.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::Result;

#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    silent: watch::Sender<bool>,
}

impl Relay {
    /// Passes everything on to an application.
    pub(crate) async fn start(app: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (silent, hears) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                let hears = hears.clone();
                tokio::spawn(async move {
                    let Ok(to) = TcpStream::connect(app).await else {
                        return;
                    };
                    let (from_read, from_write) = from.into_split();
                    let (to_read, to_write) = to.into_split();
                    tokio::join!(
                        pass(from_read, to_write, hears.clone()),
                        pass(to_read, from_write, hears)
                    );
                });
            }
        });
        Ok(Self { address, silent })
    }

    pub(crate) fn fall_silent(&self) {
        self.silent.send_replace(true);
    }
}

/// Moves bytes while it may; then it holds both ends and does nothing.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut silent: watch::Receiver<bool>) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = tokio::select! {
            biased;
            () = hush(&mut silent) => 0,
            read = from.read(&mut buffer) => read.unwrap_or(0),
        };
        if *silent.borrow() {
            std::future::pending::<()>().await;
        }
        match read {
            0 => return,
            length if to.write_all(&buffer[..length]).await.is_err() => return,
            _ => {}
        }
    }
}

/// Waits until nothing passes any more.
async fn hush(silent: &mut watch::Receiver<bool>) {
    // The relay may be gone, and then it is silent too.
    drop(silent.wait_for(|silent| *silent).await);
}
