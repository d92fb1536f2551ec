//! [`Body`]: the bytes of a call in one direction, then trailers.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use super::fault::Fault;

/// What a stream of body frames is behind the pointer.
pub type BoxBody = Pin<Box<dyn http_body::Body<Data = Bytes, Error = Fault>>>;

/// The body of a call or reply: gRPC-framed bytes (or raw ones, for plain HTTP proxying) and
/// then, perhaps, trailers.
///
/// It is lazy: nothing is read or transcoded before it is polled. Whole bodies need no box.
pub struct Body {
    kind: Kind,
    inner: Inner,
}

/// What the bytes of a body are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// gRPC frames: flag, length, message.
    Grpc,
    /// Any bytes.
    Raw,
}

enum Inner {
    Whole {
        data: Option<Bytes>,
        trailers: Option<Box<HeaderMap>>,
    },
    Stream(BoxBody),
    /// No bytes, unless the offer is taken.
    Offer(BoxBody),
}

impl Body {
    /// No bytes and no trailers.
    pub fn empty() -> Self {
        Self::whole(Bytes::new(), None)
    }

    /// gRPC frames that are all there, with their trailers.
    pub fn whole(data: Bytes, trailers: Option<HeaderMap>) -> Self {
        let data = Some(data).filter(|data| !data.is_empty());
        Self {
            kind: Kind::Grpc,
            inner: Inner::Whole {
                data,
                trailers: trailers.map(Box::new),
            },
        }
    }

    /// gRPC frames that come as they come.
    pub fn stream<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error = Fault> + 'static,
    {
        Self {
            kind: Kind::Grpc,
            inner: Inner::Stream(Box::pin(body)),
        }
    }

    /// Bytes of any kind, for plain HTTP.
    pub fn raw<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error = Fault> + 'static,
    {
        Self {
            kind: Kind::Raw,
            inner: Inner::Stream(Box::pin(body)),
        }
    }

    /// The body of a request that offers to speak another protocol from here on. It has no bytes,
    /// and whoever does not look for the offer answers as if there were none.
    ///
    /// The offer is taken by answering with 101 and a body: from then on that body is what the
    /// client gets, as it is and with nothing between, and `after` yields what the client sends.
    /// It yields nothing before, and an end when the answer is no 101. It is the same on every
    /// version of HTTP; the connection sees to what its version has in place of a 101.
    pub fn offer<B>(after: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error = Fault> + 'static,
    {
        Self {
            kind: Kind::Raw,
            inner: Inner::Offer(Box::pin(after)),
        }
    }

    /// Whether there is an offer to take.
    pub fn is_offer(&self) -> bool {
        matches!(self.inner, Inner::Offer(_))
    }

    /// Takes the offer: what the client will send once a 101 is out.
    pub fn take_offer(&mut self) -> Option<Self> {
        if !self.is_offer() {
            return None;
        }
        match std::mem::replace(self, Self::empty()).inner {
            Inner::Offer(after) => Some(Self {
                kind: Kind::Raw,
                inner: Inner::Stream(after),
            }),
            Inner::Whole { .. } | Inner::Stream(_) => None,
        }
    }

    /// What the bytes are.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether all of it is there, its end included.
    pub fn is_there(&self) -> bool {
        matches!(self.inner, Inner::Whole { .. } | Inner::Offer(_))
    }

    /// The bytes of a body that is all there and has no trailers; they stay where they are.
    pub fn whole_data(&self) -> Option<&[u8]> {
        match &self.inner {
            Inner::Whole {
                data,
                trailers: None,
            } => Some(data.as_deref().unwrap_or_default()),
            Inner::Offer(_) => Some(&[]),
            Inner::Whole { .. } | Inner::Stream(_) => None,
        }
    }

    /// The trailers of a body that is all there and has nothing else.
    pub fn bare_trailers(&self) -> Option<&HeaderMap> {
        match &self.inner {
            Inner::Whole {
                data: None,
                trailers,
            } => trailers.as_deref(),
            Inner::Whole { .. } | Inner::Offer(_) | Inner::Stream(_) => None,
        }
    }

    /// Takes the bytes of a body that is all there and has no trailers, leaving it empty; `None`
    /// when more has to be polled for.
    pub fn take_whole(&mut self) -> Option<Bytes> {
        match &mut self.inner {
            Inner::Whole {
                data,
                trailers: None,
            } => Some(data.take().unwrap_or_default()),
            Inner::Offer(_) => Some(Bytes::new()),
            Inner::Whole { .. } | Inner::Stream(_) => None,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Body");
        debug.field("kind", &self.kind);
        match &self.inner {
            Inner::Whole { data, .. } => debug
                .field("bytes", &data.as_ref().map_or(0, Bytes::len))
                .finish(),
            Inner::Offer(_) => debug.field("offer", &true).finish(),
            Inner::Stream(_) => debug.finish_non_exhaustive(),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        match &mut self.inner {
            Inner::Whole { data, trailers } => Poll::Ready(match data.take() {
                Some(data) => Some(Ok(Frame::data(data))),
                None => trailers
                    .take()
                    .map(|trailers| Ok(Frame::trailers(*trailers))),
            }),
            Inner::Stream(body) => body.as_mut().poll_frame(context),
            Inner::Offer(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Whole { data, trailers } => data.is_none() && trailers.is_none(),
            Inner::Stream(body) => body.is_end_stream(),
            Inner::Offer(_) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Whole { data, .. } => {
                SizeHint::with_exact(data.as_ref().map_or(0, |data| data.len() as u64))
            }
            Inner::Stream(body) => body.size_hint(),
            Inner::Offer(_) => SizeHint::with_exact(0),
        }
    }
}
