//! [`Script`]: the steps of the scripted application, one list for each call it gets.

use bytes::Bytes;
use h2::Reason;
use http::HeaderMap;

/// What the application does, call by call; calls beyond the last one get the last list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub(crate) calls: Vec<Vec<Step>>,
}

/// One thing that the application does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Reads one request message.
    Receive,
    /// Reads until the client half-closes.
    ReceiveEnd,
    /// Sends the head of the answer; sent by itself before the first message otherwise.
    Headers(HeaderMap),
    /// Sends one message in a frame.
    Send(Bytes),
    /// Sends bytes as they are: half a frame, say.
    Raw(Bytes),
    /// Waits until the client has received this text.
    ClientHas(String),
    /// Ends the answer with trailers.
    Trailers(HeaderMap),
    /// Answers with one block of headers and nothing else.
    TrailersOnly(HeaderMap),
    /// Ends the answer without trailers.
    NoTrailers,
    /// Resets the stream.
    Reset(Reason),
    /// Closes the connection with a GOAWAY that takes all its streams along.
    GoAway(Reason),
    /// Does nothing until the stream is reset.
    Stall,
    /// Answers as a web server does that never heard of gRPC.
    Http {
        status: u16,
        content_type: String,
        body: Bytes,
    },
    /// Sends this message over and over until nobody takes more of it, and notes how many bytes
    /// went out.
    Flood(Bytes),
}

impl Step {
    /// Whether nothing can follow it.
    pub(crate) fn ends(&self) -> bool {
        matches!(
            self,
            Self::Trailers(_)
                | Self::TrailersOnly(_)
                | Self::NoTrailers
                | Self::Reset(_)
                | Self::GoAway(_)
                | Self::Stall
                | Self::Http { .. }
        )
    }

    /// Whether it reads the request itself.
    pub(crate) fn reads(&self) -> bool {
        matches!(self, Self::Receive | Self::ReceiveEnd)
    }
}
