//! Request messages out of the client's envelopes, into gRPC frames.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame};

use super::codec::{Translator, too_large};
use super::follow::{Asked, frame_fault};
use super::open::Opened;
use super::text::Decoder;
use super::{Dialect, encoding};
use crate::call::{Blame, Body, Code, Fault, Record};
use crate::protocol::reader::IdleBody;
use crate::wire::compress::{CompressError, Encoding, decompress};
use crate::wire::frame::{COMPRESSED, Deframer, Message, Rules};

/// Gives a call the messages that come in `dialect`, written by `translator`.
pub(super) fn attach(
    opened: Opened,
    dialect: Dialect,
    translator: &Translator,
) -> Result<crate::call::Call, Fault> {
    let Opened {
        mut call,
        body,
        head,
    } = opened;
    let encoding = encoding::of_request(&head.headers, dialect.encoding())?;
    // A caller who stops in the middle of its one message is not waited for.
    let body = if call.kind().client_streams() {
        body
    } else {
        Body::raw(IdleBody::new(body, call.policy.timeouts.body_idle))
    };
    let record = call.record.clone();
    let as_is = matches!(translator, Translator::Proto)
        && encoding == Encoding::Identity
        && dialect != Dialect::GrpcWebText;
    call.body = if as_is {
        Body::stream(Asked::new(body, 0, &call.policy, record))
    } else {
        let limit = call.policy.limits.message_bytes;
        Body::stream(Enveloped {
            opener: Opener {
                deframer: Deframer::new(Rules {
                    limit,
                    flags: COMPRESSED,
                }),
                text: (dialect == Dialect::GrpcWebText).then(Decoder::default),
                encoding,
                translator: translator.clone(),
                limit,
            },
            body: Some(body),
            record,
        })
    };
    Ok(call)
}

/// The bytes of a message once they are decompressed, with at most `limit` bytes.
pub(in crate::protocol) fn plain(
    message: &Bytes,
    encoding: Encoding,
    limit: usize,
) -> Result<Bytes, Fault> {
    // Nothing is nothing in every encoding.
    if message.is_empty() {
        return Ok(Bytes::new());
    }
    decompress(encoding, message, limit).map_err(|error| match error {
        CompressError::TooLarge { limit } => too_large(limit),
        CompressError::Malformed(encoding) => Fault::new(
            Blame::Client,
            Code::InvalidArgument,
            "BAD_COMPRESSION",
            format!("a message is not valid {encoding}"),
        ),
    })
}

/// A request whose messages have to be opened.
struct Enveloped {
    opener: Opener,
    /// `None` once the client has sent everything.
    body: Option<Body>,
    record: Record,
}

/// Opens envelopes; knows nothing of where the bytes come from.
struct Opener {
    deframer: Deframer,
    text: Option<Decoder>,
    encoding: Encoding,
    translator: Translator,
    limit: usize,
}

impl Opener {
    fn push(&mut self, data: Bytes) -> Result<(), Fault> {
        let data = match &mut self.text {
            Some(text) => text.decode(&data).map_err(bad_text)?,
            None => data,
        };
        self.deframer.push(data);
        Ok(())
    }

    fn finish(&self) -> Result<(), Fault> {
        if let Some(text) = &self.text {
            text.finish().map_err(bad_text)?;
        }
        self.deframer
            .finish()
            .map_err(|error| frame_fault(&error, Blame::Client))
    }

    /// The next complete message as a gRPC frame.
    fn take(&mut self) -> Result<Option<Bytes>, Fault> {
        let next = self.deframer.next();
        let Some(message) = next.map_err(|error| frame_fault(&error, Blame::Client))? else {
            return Ok(None);
        };
        let plain = self.plain(message)?;
        self.translator.request(&plain, self.limit).map(Some)
    }

    fn plain(&self, message: Message) -> Result<Bytes, Fault> {
        if !message.compressed {
            return Ok(message.payload);
        }
        if self.encoding == Encoding::Identity {
            return Err(Fault::new(
                Blame::Client,
                Code::Internal,
                "BAD_FRAME",
                "a request message is marked as compressed, and nothing names how",
            ));
        }
        plain(&message.payload, self.encoding, self.limit)
    }
}

fn bad_text(error: super::text::BadText) -> Fault {
    Fault::new(
        Blame::Client,
        Code::Internal,
        "BAD_BASE64",
        error.to_string(),
    )
}

impl Enveloped {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Fault>> {
        loop {
            if let Some(frame) = self.opener.take()? {
                self.record.note().messages_in += 1;
                return Poll::Ready(Ok(Some(frame)));
            }
            let Some(body) = &mut self.body else {
                return Poll::Ready(Ok(None));
            };
            match ready!(Pin::new(body).poll_frame(context)) {
                Some(frame) => {
                    let Ok(data) = frame?.into_data() else {
                        continue;
                    };
                    self.record.note().bytes_in += data.len() as u64;
                    self.opener.push(data)?;
                }
                None => {
                    self.opener.finish()?;
                    self.body = None;
                }
            }
        }
    }
}

impl http_body::Body for Enveloped {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = self.get_mut();
        let polled = ready!(this.poll(context));
        if polled.is_err() {
            // Nothing follows a failure.
            this.body = None;
        }
        Poll::Ready(polled.transpose().map(|frame| frame.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::rpc::text;
    use crate::wire::compress::compress;
    use crate::wire::frame::frame;

    const LIMIT: usize = 64;

    /// What a request becomes, cut as said: frames, then how it ended.
    fn open(
        pieces: &[&[u8]],
        encoding: Encoding,
        text: bool,
    ) -> (Vec<Bytes>, Option<&'static str>) {
        let mut opener = Opener {
            deframer: Deframer::new(Rules {
                limit: LIMIT,
                flags: COMPRESSED,
            }),
            text: text.then(Decoder::default),
            encoding,
            translator: Translator::Proto,
            limit: LIMIT,
        };
        let mut frames = Vec::new();
        let mut run = || -> Result<(), Fault> {
            for piece in pieces {
                opener.push(Bytes::copy_from_slice(piece))?;
                while let Some(frame) = opener.take()? {
                    frames.push(frame);
                }
            }
            opener.finish()
        };
        let reason = run().err().map(|fault| fault.reason());
        (frames, reason)
    }

    #[test]
    fn messages_are_opened() {
        let packed = frame(1, &compress(Encoding::Gzip, &Bytes::from_static(b"abc"))).unwrap();
        let plain = frame(0, b"abc").unwrap();
        let body = [&*packed, &*plain, &*frame(1, b"").unwrap()].concat();
        let empty = frame(0, b"").unwrap();
        let expected = vec![plain.clone(), plain.clone(), empty];
        assert_eq!(open(&[&body], Encoding::Gzip, false), (expected, None));
        let texts = [&*text::encode(&plain), &*text::encode(&plain)].concat();
        let expected = vec![plain.clone(), plain];
        assert_eq!(open(&[&texts], Encoding::Identity, true), (expected, None));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let bomb = compress(Encoding::Gzip, &Bytes::from(vec![0; LIMIT + 1]));
        for (body, encoding, reason) in [
            (
                frame(0, &[0; LIMIT + 1]).unwrap(),
                Encoding::Identity,
                "MESSAGE_TOO_LARGE",
            ),
            (
                frame(1, &bomb).unwrap(),
                Encoding::Gzip,
                "MESSAGE_TOO_LARGE",
            ),
            (frame(1, b"x").unwrap(), Encoding::Identity, "BAD_FRAME"),
            (frame(1, b"x").unwrap(), Encoding::Gzip, "BAD_COMPRESSION"),
            (
                frame(0x80, b"a: b").unwrap(),
                Encoding::Identity,
                "BAD_FRAME",
            ),
            (frame(2, b"{}").unwrap(), Encoding::Identity, "BAD_FRAME"),
            (
                Bytes::from_static(b"\0\0\0\0\x05abc"),
                Encoding::Identity,
                "TRUNCATED_MESSAGE",
            ),
            (
                Bytes::from_static(b"\0\xff\xff\xff\xff"),
                Encoding::Identity,
                "MESSAGE_TOO_LARGE",
            ),
        ] {
            assert_eq!(open(&[&body], encoding, false).1, Some(reason), "{body:?}");
        }
        assert_eq!(
            open(&[b"!!!!"], Encoding::Identity, true).1,
            Some("BAD_BASE64")
        );
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(
            junk in prop::collection::vec(prop_oneof![Just(0_u8), Just(1), any::<u8>()], 0..40),
            cut: prop::sample::Index,
            text: bool,
            gzip: bool,
        ) {
            let encoding = if gzip { Encoding::Gzip } else { Encoding::Identity };
            let (first, second) = junk.split_at(cut.index(junk.len() + 1));
            let whole = open(&[&junk], encoding, text);
            let mut parts = open(&[first, second], encoding, text);
            if whole.1.is_some() {
                // Text is checked four letters at a time: what came before may be out already.
                parts.0.truncate(whole.0.len());
            }
            prop_assert_eq!(parts, whole);
        }
    }
}
