//! [`Fault`]: what really happened when a call could not be carried out.
//!
//! A fault has two texts: `message` is for the caller, `cause` for the log and never leaves the
//! process (invariant 9). It knows whom to blame and whether the call may be tried again.

use std::borrow::Cow;
use std::fmt;

use super::status::{Code, Status};
use crate::transcode::Violation;

/// Who has to change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The caller: the request cannot be carried out as it is.
    Client,
    /// The application or the way to it.
    Upstream,
    /// The gateway itself: a limit, a policy, a bug.
    Gateway,
}

/// Whether the call may be tried again without the caller knowing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The application surely never saw it.
    NeverProcessed,
    /// The application may have acted on it.
    Unsafe,
}

/// Why a call could not be carried out.
#[derive(Debug)]
pub struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    http: Option<http::StatusCode>,
    reason: &'static str,
    message: Cow<'static, str>,
    cause: Option<String>,
    blame: Blame,
    retry: Retry,
    violations: Vec<Violation>,
    allow: Option<String>,
    status: Option<Status>,
}

impl Fault {
    /// A fault. `reason` is an UPPER_SNAKE word that names the kind of fault for machines.
    pub fn new(
        blame: Blame,
        code: Code,
        reason: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Inner {
            code,
            http: None,
            reason,
            message: message.into(),
            cause: None,
            blame,
            retry: Retry::Unsafe,
            violations: Vec::new(),
            allow: None,
            status: None,
        }))
    }

    /// The caller's request is wrong: INVALID_ARGUMENT, 400.
    pub fn invalid(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Blame::Client, Code::InvalidArgument, reason, message)
    }

    /// Fields of the request are wrong: INVALID_ARGUMENT with a BadRequest detail.
    pub fn violations(violations: Vec<Violation>) -> Self {
        let message = match violations.as_slice() {
            [] => String::from("the request is not valid"),
            [first, ..] if first.field.is_empty() => first.description.clone(),
            [first, ..] => format!("{}: {}", first.field, first.description),
        };
        let mut fault = Self::invalid("INVALID_REQUEST", message);
        fault.0.violations = violations;
        fault
    }

    /// The application cannot be reached, or did not answer as gRPC: UNAVAILABLE, 503.
    pub fn unavailable(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Blame::Upstream, Code::Unavailable, reason, message)
    }

    /// A status that the app's side of the wire stands for (a reset, a missing trailer).
    pub fn upstream(
        code: Code,
        reason: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(Blame::Upstream, code, reason, message)
    }

    /// The deadline passed: DEADLINE_EXCEEDED, 504.
    pub fn deadline() -> Self {
        Self::new(
            Blame::Gateway,
            Code::DeadlineExceeded,
            "DEADLINE",
            "the deadline has passed",
        )
    }

    /// The gateway stops and waits no longer: UNAVAILABLE, 503.
    pub fn stopping() -> Self {
        Self::new(
            Blame::Gateway,
            Code::Unavailable,
            "DRAINING",
            "the gateway is going away",
        )
    }

    /// The client went away: CANCELLED, 499 in the log.
    pub fn client_gone() -> Self {
        Self::new(
            Blame::Client,
            Code::Cancelled,
            "CLIENT_GONE",
            "the client went away",
        )
    }

    /// The app's own words: an error status it sent, when a body in the middle of a stream has
    /// to carry it.
    pub fn from_status(status: Status) -> Self {
        let mut fault = Self::new(
            Blame::Upstream,
            status.code,
            "APPLICATION",
            status.message.clone(),
        );
        fault.0.status = Some(status);
        fault
    }

    /// Answers REST with another HTTP status than the code's own (404, 405, 413, 415, 431, …).
    #[must_use]
    pub fn with_http(mut self, http: http::StatusCode) -> Self {
        self.0.http = Some(http);
        self
    }

    /// Adds what only the log may know.
    #[must_use]
    pub fn with_cause(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// Marks that the application never saw the call.
    #[must_use]
    pub fn never_processed(mut self) -> Self {
        self.0.retry = Retry::NeverProcessed;
        self
    }

    /// The methods for an `Allow` header (R8); of a 415, the encodings for an `Accept-Encoding`; of a
    /// 401 or 403, the challenge for a `WWW-Authenticate`; of a 429 or 503, the seconds for a
    /// `Retry-After`.
    #[must_use]
    pub fn with_allow(mut self, allow: impl Into<String>) -> Self {
        self.0.allow = Some(allow.into());
        self
    }

    /// Whom to blame.
    pub fn blame(&self) -> Blame {
        self.0.blame
    }

    /// Whether it may be tried again unseen.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// The gRPC code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The HTTP status for REST.
    pub fn http(&self) -> http::StatusCode {
        self.0.http.unwrap_or_else(|| self.0.code.http())
    }

    /// The machine's word for it.
    pub fn reason(&self) -> &'static str {
        self.0.reason
    }

    /// The text for the caller.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The text for the log alone.
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The fields that are wrong.
    pub fn field_violations(&self) -> &[Violation] {
        &self.0.violations
    }

    /// The methods for an `Allow` header.
    pub fn allow(&self) -> Option<&str> {
        self.0.allow.as_deref()
    }

    /// The app's own status, when this fault only carries it.
    pub fn app_status(&self) -> Option<&Status> {
        self.0.status.as_ref()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.0.code, self.0.reason, self.0.message)?;
        if let Some(cause) = &self.0.cause {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}
