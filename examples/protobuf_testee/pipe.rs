//! The pipe protocol of the conformance runner: a length of four bytes, then a message, in both
//! directions, until the end of the input. It interprets no payload.

use std::io::{self, Read, Write};

use prost::{Message, Oneof};

/// `conformance.ConformanceRequest`, as far as JSON and binary need it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Question {
    #[prost(oneof = "Payload", tags = "1, 2, 7, 8")]
    pub(crate) payload: Option<Payload>,
    #[prost(enumeration = "Format", tag = "3")]
    pub(crate) requested_output_format: i32,
    #[prost(string, tag = "4")]
    pub(crate) message_type: String,
    #[prost(enumeration = "Category", tag = "5")]
    pub(crate) test_category: i32,
}

impl Question {
    pub(crate) fn format(&self) -> Format {
        self.requested_output_format()
    }

    pub(crate) fn category(&self) -> Category {
        self.test_category()
    }
}

/// What is to be read.
#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Payload {
    #[prost(bytes, tag = "1")]
    Protobuf(Vec<u8>),
    #[prost(string, tag = "2")]
    Json(String),
    #[prost(string, tag = "7")]
    Jspb(String),
    #[prost(string, tag = "8")]
    Text(String),
}

/// `conformance.WireFormat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum Format {
    Unspecified = 0,
    Protobuf = 1,
    Json = 2,
    Jspb = 3,
    Text = 4,
}

/// `conformance.TestCategory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum Category {
    Unspecified = 0,
    Binary = 1,
    Json = 2,
    JsonIgnoreUnknown = 3,
    Jspb = 4,
    Text = 5,
}

/// The result of `conformance.ConformanceResponse`.
#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Answer {
    #[prost(string, tag = "1")]
    NotParsed(String),
    #[prost(string, tag = "2")]
    Broken(String),
    #[prost(bytes, tag = "3")]
    Protobuf(Vec<u8>),
    #[prost(string, tag = "4")]
    Json(String),
    #[prost(string, tag = "5")]
    Skipped(String),
    #[prost(string, tag = "6")]
    NotWritten(String),
}

#[derive(Clone, PartialEq, Message)]
struct Reply {
    #[prost(oneof = "Answer", tags = "1, 2, 3, 4, 5, 6")]
    result: Option<Answer>,
}

/// Answers every question of standard input.
pub(crate) fn serve(mut answer: impl FnMut(Question) -> Answer) -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    loop {
        let mut length = [0; 4];
        match input.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            result => result?,
        }
        let length = u64::from(u32::from_le_bytes(length));
        let mut bytes = Vec::new();
        input.by_ref().take(length).read_to_end(&mut bytes)?;
        let answer = match Question::decode(bytes.as_slice()) {
            Ok(question) => answer(question),
            Err(error) => Answer::Broken(error.to_string()),
        };
        let reply = Reply {
            result: Some(answer),
        }
        .encode_to_vec();
        let length = u32::try_from(reply.len()).map_err(io::Error::other)?;
        output.write_all(&length.to_le_bytes())?;
        output.write_all(&reply)?;
        output.flush()?;
    }
}
