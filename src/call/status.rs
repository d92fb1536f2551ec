//! [`Status`]: how a call ended, as the caller is told; and [`Code`] with its one HTTP table.
//!
//! Sources: grpc/grpc `doc/statuscodes.md`, `doc/http-grpc-status-mapping.md`; rules E1, E2, E4.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::metadata::lookup;
use crate::wire::percent;

/// A gRPC status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are those of statuscodes.md")]
#[repr(u8)]
pub enum Code {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

/// Name and HTTP status of every code, in order of the codes (E1).
const CODES: [(Code, &str, u16); 17] = [
    (Code::Ok, "OK", 200),
    (Code::Cancelled, "CANCELLED", 499),
    (Code::Unknown, "UNKNOWN", 500),
    (Code::InvalidArgument, "INVALID_ARGUMENT", 400),
    (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", 504),
    (Code::NotFound, "NOT_FOUND", 404),
    (Code::AlreadyExists, "ALREADY_EXISTS", 409),
    (Code::PermissionDenied, "PERMISSION_DENIED", 403),
    (Code::ResourceExhausted, "RESOURCE_EXHAUSTED", 429),
    (Code::FailedPrecondition, "FAILED_PRECONDITION", 400),
    (Code::Aborted, "ABORTED", 409),
    (Code::OutOfRange, "OUT_OF_RANGE", 400),
    (Code::Unimplemented, "UNIMPLEMENTED", 501),
    (Code::Internal, "INTERNAL", 500),
    (Code::Unavailable, "UNAVAILABLE", 503),
    (Code::DataLoss, "DATA_LOSS", 500),
    (Code::Unauthenticated, "UNAUTHENTICATED", 401),
];

impl Code {
    /// The code of a number; unknown numbers are `Unknown`.
    pub fn from_number(number: u32) -> Self {
        usize::try_from(number)
            .ok()
            .and_then(|at| CODES.get(at))
            .map_or(Self::Unknown, |row| row.0)
    }

    /// The number on the wire.
    pub fn number(self) -> u8 {
        self as u8
    }

    fn row(self) -> &'static (Self, &'static str, u16) {
        CODES.get(usize::from(self.number())).unwrap_or(&CODES[2])
    }

    /// `NOT_FOUND` and the like.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The HTTP status a REST client sees (E1).
    pub fn http(self) -> StatusCode {
        StatusCode::from_u16(self.row().2).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What an answer without a `grpc-status` means, from its HTTP status (E2).
    pub fn from_http(status: StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502 | 503 | 504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The code.
    pub code: Code,
    /// The number as the app sent it; differs from `code` only when the number is unknown.
    pub number: u32,
    /// Text for the caller.
    pub message: String,
    /// A serialized `google.rpc.Status`, as it came in `grpc-status-details-bin`; empty if none.
    pub details: Bytes,
}

impl Status {
    /// A status without details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            number: u32::from(code.number()),
            message: message.into(),
            details: Bytes::new(),
        }
    }

    /// Success.
    pub fn ok() -> Self {
        Self::new(Code::Ok, "")
    }

    /// Whether the call succeeded.
    pub fn is_ok(&self) -> bool {
        self.code == Code::Ok
    }

    /// Reads `grpc-status`, `grpc-message` and `grpc-status-details-bin`, leniently (E4); `None`
    /// when there is no readable `grpc-status`.
    pub fn from_trailers(trailers: &HeaderMap) -> Option<Self> {
        let number = lookup(trailers, "grpc-status")?;
        if number.as_bytes() == b"0" && trailers.len() == 1 {
            return Some(Self::ok());
        }
        let number = number.to_str().ok()?.trim().parse::<u32>().ok()?;
        let message = lookup(trailers, "grpc-message")
            .map(|value| percent::decode_message(value.as_bytes()))
            .unwrap_or_default();
        let details = lookup(trailers, "grpc-status-details-bin")
            .and_then(|value| super::metadata::decode_binary(value.as_bytes()))
            .unwrap_or_default();
        Some(Self {
            code: Code::from_number(number),
            number,
            message,
            details: details.into(),
        })
    }

    /// Writes the status as gRPC trailers.
    pub fn to_trailers(&self) -> HeaderMap {
        let mut trailers = HeaderMap::with_capacity(3);
        trailers.insert("grpc-status", HeaderValue::from(self.number));
        if !self.message.is_empty()
            && let Ok(value) = HeaderValue::from_str(&percent::encode_message(&self.message))
        {
            trailers.insert("grpc-message", value);
        }
        if !self.details.is_empty()
            && let Ok(value) = HeaderValue::from_str(&super::metadata::encode_binary(&self.details))
        {
            trailers.insert("grpc-status-details-bin", value);
        }
        trailers
    }
}
