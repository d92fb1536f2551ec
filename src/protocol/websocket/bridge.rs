//! gRPC-Web within a WebSocket, as improbable-eng's clients speak it (`grpc-websockets`).
//!
//! ```text
//! client  = head *( 0x00 bytes-of-grpc-web ) 0x01
//! head    = *( name ": " value CRLF )
//! server  = envelope-of-headers *bytes-of-grpc-web
//! ```
//!
//! Each line is a binary message. What the client says becomes a request of gRPC-Web to the path
//! of the URL, and that protocol's own adapter does the rest.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Response, Version};
use http_body::{Body as _, Frame};
use tokio::time::Sleep;

use super::handshake::Handshake;
use super::{Conversation, Message, NORMAL, Say, Speak, Talk, close_code};
use crate::call::{Body, Code, Fault, LocalFuture, Record};
use crate::protocol::{Entry, Incoming, Params};
use crate::wire::frame::{HEADER_BYTES, encode_header};
use crate::wire::websocket::{Opcode, frame};

/// Answers a request of gRPC-Web: the rest of the front door.
pub(in crate::protocol) type Inner = Rc<dyn Fn(Incoming) -> LocalFuture<Response<Body>>>;

/// The most that the head of a call may have.
const HEAD_BYTES: usize = 16 << 10;

/// The flag of an envelope that holds headers or trailers.
const HEADERS: u8 = 0x80;

/// Answers with a WebSocket within which `inner` is spoken.
pub(in crate::protocol) fn accept(
    params: &Params,
    incoming: Incoming,
    shake: Handshake,
    inner: Inner,
) -> Entry {
    let mut incoming = incoming;
    let client = incoming.body.take_offer().unwrap_or_else(Body::empty);
    let policy = &incoming.schema.default_policy;
    // The prefix of a message and the mark before it come with it.
    let limit = policy.limits.message_bytes.max(HEAD_BYTES) + HEADER_BYTES + 1;
    let period = policy.rest.sse_keep_alive;
    // Nobody has shown yet who he is.
    let patience = policy.timeouts.body_idle;
    let talk = Talk::new(client, limit);
    let record = incoming.record.clone();
    let speaker = Bridge {
        talk: talk.clone(),
        record: record.clone(),
        inner,
        stage: Stage::Head(
            Some(Box::new(incoming)),
            Box::pin(tokio::time::sleep(patience)),
        ),
    };
    let conversation = Conversation::new(talk, speaker, record, &params.drain, period);
    Entry::Answered(shake.answer(Body::raw(conversation)))
}

struct Bridge {
    talk: Talk,
    record: Record,
    inner: Inner,
    stage: Stage,
}

enum Stage {
    /// The headers of the call are waited for, as long as that.
    Head(Option<Box<Incoming>>, Pin<Box<Sleep>>),
    Asking(LocalFuture<Response<Body>>),
    Answering(Body),
}

impl Bridge {
    /// The request that the client's first message begins.
    fn begin(&self, incoming: Incoming, message: &Message) -> Result<Incoming, Fault> {
        let Message::Binary(head) = message else {
            return Err(bad_head());
        };
        let mut incoming = incoming;
        read_head(head, &mut incoming.head)?;
        incoming.record.note().bytes_in += head.len() as u64;
        incoming.body = Body::raw(Asked {
            talk: self.talk.clone(),
            done: false,
        });
        Ok(incoming)
    }
}

fn bad_head() -> Fault {
    Fault::invalid(
        "BAD_HEAD",
        "the first message is not a block of headers in bytes",
    )
}

fn no_head() -> Fault {
    Fault::invalid(
        "NO_HEAD",
        "the block of headers, which is the first message, did not come in time",
    )
}

/// Reads the block of headers into what came with the handshake.
fn read_head(block: &[u8], head: &mut Parts) -> Result<(), Fault> {
    if block.len() > HEAD_BYTES {
        return Err(bad_head());
    }
    let mut own = HeaderMap::new();
    for line in block.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let colon = line
            .iter()
            .position(|byte| *byte == b':')
            .ok_or_else(bad_head)?;
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let name = HeaderName::from_bytes(name).map_err(|_invalid| bad_head())?;
        let value = HeaderValue::from_bytes(value).map_err(|_invalid| bad_head())?;
        own.append(name, value);
    }
    own.entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/grpc-web+proto"));
    // What a page says of itself counts before what its browser says.
    for name in own.keys() {
        head.headers.remove(name);
    }
    head.headers.extend(own);
    head.method = Method::POST;
    // Trailers come in an envelope either way; nothing else depends on the version.
    head.version = Version::HTTP_11;
    Ok(())
}

/// An envelope of headers, as trailers have one.
fn envelope(headers: &HeaderMap) -> Bytes {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.extend_from_slice(name.as_str().as_bytes());
        block.extend_from_slice(b": ");
        block.extend_from_slice(value.as_bytes());
        block.extend_from_slice(b"\r\n");
    }
    let length = u32::try_from(block.len()).unwrap_or(u32::MAX);
    let mut envelope = encode_header(HEADERS, length).to_vec();
    envelope.extend_from_slice(&block);
    frame(Opcode::Binary, &envelope)
}

impl Speak for Bridge {
    fn poll_say(&mut self, context: &mut Context<'_>) -> Poll<Say> {
        loop {
            let next = match &mut self.stage {
                Stage::Head(incoming, patience) => {
                    let first = match self.talk.poll_message(context) {
                        Poll::Ready(first) => first,
                        Poll::Pending => {
                            ready!(patience.as_mut().poll(context));
                            let fault = no_head();
                            self.record.note().fault(&fault);
                            return Poll::Ready(self.fail(&fault));
                        }
                    };
                    let Some(incoming) = incoming.take() else {
                        return Poll::Pending;
                    };
                    let message = first.unwrap_or_else(|| Err(bad_head()));
                    let request = message.and_then(|first| self.begin(*incoming, &first));
                    match request {
                        Ok(request) => Stage::Asking((self.inner)(request)),
                        Err(fault) => {
                            self.record.note().fault(&fault);
                            return Poll::Ready(self.fail(&fault));
                        }
                    }
                }
                Stage::Asking(response) => {
                    let (head, body) = ready!(response.as_mut().poll(context)).into_parts();
                    self.stage = Stage::Answering(body);
                    if !head.status.is_success() {
                        // Not even gRPC-Web: there is no other place for a status.
                        let text = format!("HTTP {}", head.status.as_u16());
                        return Poll::Ready(Say::Close {
                            last: None,
                            code: close_code(Code::Unknown),
                            reason: text,
                        });
                    }
                    return Poll::Ready(Say::Frame(envelope(&head.headers)));
                }
                Stage::Answering(body) => {
                    return Poll::Ready(match ready!(Pin::new(body).poll_frame(context)) {
                        Some(Ok(next)) => {
                            let data = next.into_data().unwrap_or_default();
                            Say::Frame(frame(Opcode::Binary, &data))
                        }
                        Some(Err(fault)) => self.fail(&fault),
                        None => Say::Close {
                            last: None,
                            code: NORMAL,
                            reason: String::new(),
                        },
                    });
                }
            };
            self.stage = next;
        }
    }

    fn fail(&mut self, fault: &Fault) -> Say {
        Say::Close {
            last: None,
            code: close_code(fault.code()),
            reason: fault.message().to_owned(),
        }
    }
}

/// The body of the request within.
struct Asked {
    talk: Talk,
    done: bool,
}

impl http_body::Body for Asked {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        const DATA: u8 = 0;
        const END: u8 = 1;
        if self.done {
            return Poll::Ready(None);
        }
        let next = match ready!(self.talk.poll_message(context)).transpose() {
            Ok(Some(Message::Binary(bytes))) => match bytes.first() {
                Some(&DATA) => Some(Ok(Frame::data(bytes.slice(1..)))),
                Some(&END) => None,
                _ => Some(Err(bad_piece())),
            },
            Ok(Some(Message::Text(_))) => Some(Err(bad_piece())),
            Ok(None) => None,
            Err(fault) => Some(Err(fault)),
        };
        if !matches!(next, Some(Ok(_))) {
            self.done = true;
            self.talk.complete();
        }
        Poll::Ready(next)
    }
}

fn bad_piece() -> Fault {
    Fault::invalid(
        "BAD_PIECE",
        "a message begins with neither 0, for data, nor 1, for the end",
    )
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn heads() {
        let request = Request::builder()
            .header("cookie", "a=b")
            .header("user-agent", "browser");
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let block = b"content-type: application/grpc-web+proto\r\nx-a:1\r\nUser-Agent: page\r\n";
        read_head(block, &mut head).unwrap();
        assert_eq!(head.method, Method::POST);
        for (name, value) in [
            ("content-type", "application/grpc-web+proto"),
            ("x-a", "1"),
            ("cookie", "a=b"),
            ("user-agent", "page"),
        ] {
            assert_eq!(head.headers[name], value);
        }
        for wrong in [
            &b"no colon"[..],
            b"a b: c",
            b": c",
            b"a: b\0",
            &[b'a'; 20_000],
        ] {
            assert!(read_head(wrong, &mut head).is_err());
        }
        let mut headers = HeaderMap::new();
        headers.insert("a", HeaderValue::from_static("b"));
        assert_eq!(envelope(&headers), b"\x82\x0b\x80\0\0\0\x06a: b\r\n"[..]);
    }
}
