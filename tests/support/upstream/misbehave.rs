//! Ways in which an application treats a connection badly before it serves any.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What happens to the first connection; all later ones are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstConnection {
    /// Served like any other.
    Serve,
    /// Closed before a byte.
    Close,
    /// Half of the server's preface, then closed.
    HalfPreface,
    /// A GOAWAY that says that no stream was processed, upon the first request.
    GoAwayUnprocessed,
    /// Answered as HTTP/1.1.
    Http1,
    /// There is none: nobody listens at all.
    Absent,
}

/// Treats a new connection as told; gives it back when it is to be served.
pub(crate) async fn greet(how: FirstConnection, mut stream: TcpStream) -> Option<TcpStream> {
    match how {
        FirstConnection::Serve => return Some(stream),
        FirstConnection::Close | FirstConnection::Absent => {}
        FirstConnection::HalfPreface => {
            let _ = stream.write_all(&[0, 0, 0, 4]).await;
        }
        FirstConnection::Http1 => {
            let answer =
                b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(answer).await;
        }
        FirstConnection::GoAwayUnprocessed => {
            let _ = go_away_unprocessed(&mut stream).await;
        }
    }
    None
}

const PREFACE: usize = 24;
const FRAME_HEAD: usize = 9;
const SETTINGS: [u8; FRAME_HEAD] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
const SETTINGS_ACK: [u8; FRAME_HEAD] = [0, 0, 0, 4, 1, 0, 0, 0, 0];
/// Last stream 0, NO_ERROR.
const GO_AWAY: [u8; FRAME_HEAD + 8] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

async fn go_away_unprocessed(stream: &mut TcpStream) -> std::io::Result<()> {
    const HEADERS: u8 = 1;
    const SETTINGS_TYPE: u8 = 4;
    stream.read_exact(&mut [0; PREFACE]).await?;
    stream.write_all(&SETTINGS).await?;
    loop {
        let mut head = [0; FRAME_HEAD];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap_or_default()];
        stream.read_exact(&mut payload).await?;
        match (head[3], head[4]) {
            (SETTINGS_TYPE, 0) => stream.write_all(&SETTINGS_ACK).await?,
            (HEADERS, _) => {
                stream.write_all(&GO_AWAY).await?;
                // The peer closes; reading on until then keeps the kernel from resetting.
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await?;
                return Ok(());
            }
            _ => {}
        }
    }
}
