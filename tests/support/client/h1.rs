//! The HTTP/1.1 client, written by hand: chunks stay apart and nothing is repaired.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::{Answer, BodyStep, End, Request};

pub(super) async fn exchange(
    stream: TcpStream,
    gateway: SocketAddr,
    request: &Request,
    progress: &watch::Sender<Vec<u8>>,
) -> Result<Answer, String> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = Reader {
        from: reader,
        unread: BytesMut::new(),
    };
    let leaves = request.has(|step| matches!(step, BodyStep::Leave));
    let sending = async {
        // A gateway may close before it has read everything, so a failed write is no failure.
        let _ = send(&mut writer, gateway, request, progress).await;
        if request.has(|step| matches!(step, BodyStep::KeepOpen)) {
            std::future::pending::<()>().await;
        }
    };
    let receiving = receive(&mut reader, request, progress);
    if leaves {
        return tokio::select! {
            () = sending => Ok(Answer { end: End::Left, ..Answer::default() }),
            received = receiving => received,
        };
    }
    let answer = {
        tokio::pin!(receiving, sending);
        tokio::select! {
            received = &mut receiving => received?,
            () = &mut sending => receiving.await?,
        }
    };
    if answer.end == End::Clean && request.has(|step| matches!(step, BodyStep::Again)) {
        let again = ask_again(&mut reader, &mut writer).await;
        return Ok(super::kept(answer, again));
    }
    Ok(answer)
}

/// The status of the answer to one more request.
async fn ask_again(reader: &mut Reader, writer: &mut OwnedWriteHalf) -> Result<u16, String> {
    let head = format!("GET {} HTTP/1.1\r\nhost: again\r\n\r\n", super::AGAIN);
    let written = writer.write_all(head.as_bytes()).await;
    written.map_err(|error| error.to_string())?;
    let mut answer = Answer::default();
    if receive_head(reader, &mut answer).await? {
        Ok(answer.status)
    } else {
        Err("closed before a head".to_owned())
    }
}

/// How the body of a request is told from what follows it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// All at once, its length announced (or there is none).
    Whole,
    /// In pieces, under a length that the row announces.
    Announced,
    Chunked,
}

async fn send(
    writer: &mut OwnedWriteHalf,
    gateway: SocketAddr,
    request: &Request,
    progress: &watch::Sender<Vec<u8>>,
) -> std::io::Result<()> {
    let (head, framing) = head_of(gateway, request);
    writer.write_all(head.as_bytes()).await?;
    let chunked = framing == Framing::Chunked;
    let mut ended = !chunked;
    for step in &request.body {
        match step {
            // A chunk without bytes is the end of all chunks.
            BodyStep::Send(bytes) if bytes.is_empty() => {}
            BodyStep::Send(bytes) if !chunked => writer.write_all(bytes).await?,
            BodyStep::Send(bytes) => {
                let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
                writer.write_all(&chunk).await?;
            }
            BodyStep::Read(text) => super::wait_for_text(progress, text).await,
            BodyStep::AppHas(count) => super::wait_for_app(&request.stage, *count).await,
            BodyStep::End if !ended => {
                ended = true;
                writer.write_all(LAST_CHUNK).await?;
            }
            BodyStep::End | BodyStep::Again => {}
            BodyStep::Leave | BodyStep::KeepOpen => return Ok(()),
        }
    }
    if !ended {
        writer.write_all(LAST_CHUNK).await?;
    }
    Ok(())
}

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

fn head_of(gateway: SocketAddr, request: &Request) -> (String, Framing) {
    let has = |name: &str| {
        let mut names = request.headers.iter().map(|(name, _)| name);
        names.any(|key| key.eq_ignore_ascii_case(name))
    };
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    if !has("host") {
        head += &format!("host: {gateway}\r\n");
    }
    for (name, value) in &request.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let steps = match request.body.as_slice() {
        [steps @ .., BodyStep::Again] => steps,
        steps => steps,
    };
    let length = match steps {
        [] => Some(0),
        [BodyStep::Send(bytes)] => Some(bytes.len()),
        _ => None,
    };
    let bodiless = matches!(
        request.method.as_str(),
        "GET" | "HEAD" | "DELETE" | "OPTIONS"
    );
    let framing = match length {
        _ if has("content-length") => Framing::Announced,
        Some(0) if bodiless => Framing::Whole,
        Some(length) => {
            head += &format!("content-length: {length}\r\n");
            Framing::Whole
        }
        None => {
            head += "transfer-encoding: chunked\r\n";
            Framing::Chunked
        }
    };
    head += "\r\n";
    (head, framing)
}

struct Reader {
    from: OwnedReadHalf,
    unread: BytesMut,
}

impl Reader {
    /// Reads more; false at the end of the connection.
    async fn more(&mut self) -> Result<bool, String> {
        match self.from.read_buf(&mut self.unread).await {
            Ok(count) => Ok(count > 0),
            Err(error) => Err(error.to_string()),
        }
    }

    /// One line without its line break; `None` when the connection ends first.
    async fn line(&mut self) -> Result<Option<String>, String> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.unread.split_to(end + 2);
                return Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    async fn exactly(&mut self, count: usize) -> Result<Option<Bytes>, String> {
        while self.unread.len() < count {
            if !self.more().await? {
                return Ok(None);
            }
        }
        Ok(Some(self.unread.split_to(count).freeze()))
    }

    /// Header lines up to the empty one.
    async fn headers(&mut self) -> Result<Option<HeaderMap>, String> {
        let mut headers = HeaderMap::new();
        while let Some(line) = self.line().await? {
            if line.is_empty() {
                return Ok(Some(headers));
            }
            let (name, value) = line
                .split_once(':')
                .ok_or("a header line without a colon")?;
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
            let value = HeaderValue::from_str(value.trim()).map_err(|error| error.to_string())?;
            headers.append(name, value);
        }
        Ok(None)
    }
}

async fn receive(
    reader: &mut Reader,
    request: &Request,
    progress: &watch::Sender<Vec<u8>>,
) -> Result<Answer, String> {
    let mut answer = Answer::default();
    match receive_head(reader, &mut answer).await {
        Ok(true) => {}
        Ok(false) => answer.end = End::Broken("closed before a head".to_owned()),
        Err(error) => answer.end = End::Broken(error),
    }
    let bodiless = request.method == "HEAD" || matches!(answer.status, 204 | 304);
    if answer.end == End::Clean
        && !bodiless
        && let Err(error) = receive_body(reader, &mut answer, progress).await
    {
        answer.end = End::Broken(error);
    }
    Ok(answer)
}

async fn receive_head(reader: &mut Reader, answer: &mut Answer) -> Result<bool, String> {
    loop {
        let Some(line) = reader.line().await? else {
            return Ok(false);
        };
        let status = line.split(' ').nth(1).and_then(|text| text.parse().ok());
        answer.status = status.ok_or_else(|| format!("no status line: {line:?}"))?;
        let Some(headers) = reader.headers().await? else {
            return Ok(false);
        };
        if answer.status >= 200 || answer.status == 101 {
            answer.headers = headers;
            return Ok(true);
        }
    }
}

async fn receive_body(
    reader: &mut Reader,
    answer: &mut Answer,
    progress: &watch::Sender<Vec<u8>>,
) -> Result<(), String> {
    let take = |answer: &mut Answer, data: Bytes| {
        progress.send_modify(|all| all.extend_from_slice(&data));
        answer.chunks.push(data);
    };
    let header = |name: &str| {
        answer
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    if header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        loop {
            let line = reader.line().await?.ok_or("closed between two chunks")?;
            let size = usize::from_str_radix(line.trim(), 16).map_err(|_| "no chunk size")?;
            if size == 0 {
                answer.trailers = reader.headers().await?.ok_or("closed inside of trailers")?;
                return Ok(());
            }
            let data = reader
                .exactly(size)
                .await?
                .ok_or("closed inside of a chunk")?;
            reader.exactly(2).await?.ok_or("closed inside of a chunk")?;
            take(answer, data);
        }
    }
    if let Some(length) = header("content-length").map(str::to_owned) {
        let length: usize = length.parse().map_err(|_| "no content-length")?;
        let data = reader
            .exactly(length)
            .await?
            .ok_or("closed before the announced length")?;
        if !data.is_empty() {
            take(answer, data);
        }
        return Ok(());
    }
    loop {
        let data = reader.unread.split().freeze();
        if !data.is_empty() {
            take(answer, data);
        }
        if !reader.more().await? {
            break;
        }
    }
    Err(super::UNFRAMED.to_owned())
}
