//! [`Dialect`]: which of the enveloping protocols a client speaks.

use super::Codec;

/// An enveloping protocol, as far as messages and their end are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocol) enum Dialect {
    /// The end is in HTTP trailers.
    Grpc,
    /// The end is a last envelope of trailers.
    GrpcWeb,
    /// The same, everything in base64.
    GrpcWebText,
    /// The end is a last envelope of JSON.
    Connect,
}

/// Content types, each with what it means; gRPC in protobuf is not among them, as it passes.
const CONTENT_TYPES: [(&str, Dialect, Codec); 9] = [
    ("application/grpc+json", Dialect::Grpc, Codec::Json),
    ("application/grpc-web", Dialect::GrpcWeb, Codec::Proto),
    ("application/grpc-web+proto", Dialect::GrpcWeb, Codec::Proto),
    ("application/grpc-web+json", Dialect::GrpcWeb, Codec::Json),
    (
        "application/grpc-web-text",
        Dialect::GrpcWebText,
        Codec::Proto,
    ),
    (
        "application/grpc-web-text+proto",
        Dialect::GrpcWebText,
        Codec::Proto,
    ),
    (
        "application/grpc-web-text+json",
        Dialect::GrpcWebText,
        Codec::Json,
    ),
    ("application/connect+proto", Dialect::Connect, Codec::Proto),
    ("application/connect+json", Dialect::Connect, Codec::Json),
];

/// What a content type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocol) struct Spoken {
    pub(in crate::protocol) dialect: Dialect,
    pub(in crate::protocol) codec: Codec,
    /// The answer has the same.
    pub(in crate::protocol) content_type: &'static str,
}

impl Spoken {
    /// Reads a content type; `None` when it is not one of an enveloping protocol.
    pub(in crate::protocol) fn parse(content_type: &[u8]) -> Option<Self> {
        let essence = super::essence(content_type);
        let (content_type, dialect, codec) = CONTENT_TYPES
            .into_iter()
            .find(|(name, ..)| name.as_bytes().eq_ignore_ascii_case(essence))?;
        Some(Self {
            dialect,
            codec,
            content_type,
        })
    }
}

impl Dialect {
    /// Names how messages are compressed.
    pub(in crate::protocol) fn encoding(self) -> &'static str {
        match self {
            Self::Grpc | Self::GrpcWeb | Self::GrpcWebText => "grpc-encoding",
            Self::Connect => "connect-content-encoding",
        }
    }

    /// Names how messages may be compressed.
    pub(in crate::protocol) fn accept_encoding(self) -> &'static str {
        match self {
            Self::Grpc | Self::GrpcWeb | Self::GrpcWebText => "grpc-accept-encoding",
            Self::Connect => "connect-accept-encoding",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types() {
        for (value, expected) in [
            (
                "application/grpc-web",
                Some((Dialect::GrpcWeb, Codec::Proto)),
            ),
            (
                "application/grpc-web+json; charset=utf-8",
                Some((Dialect::GrpcWeb, Codec::Json)),
            ),
            (
                "Application/gRPC-Web-Text+Proto",
                Some((Dialect::GrpcWebText, Codec::Proto)),
            ),
            (
                "application/connect+json",
                Some((Dialect::Connect, Codec::Json)),
            ),
            ("application/grpc+json", Some((Dialect::Grpc, Codec::Json))),
            ("application/grpc", None),
            ("application/grpc-web+thrift", None),
            ("application/connect", None),
            ("application/json", None),
            ("", None),
        ] {
            let found = Spoken::parse(value.as_bytes());
            assert_eq!(
                found.map(|found| (found.dialect, found.codec)),
                expected,
                "{value}"
            );
        }
    }
}
