//! What the wire's errors mean: HTTP/2 resets, lost connections and answers that are not gRPC,
//! each as a [`Fault`] (E2, E6; grpc/grpc `doc/PROTOCOL-HTTP2.md`, "Errors").

use h2::Reason;
use http::StatusCode;
use tokio::time::Instant;

use super::http2::Failure;
use crate::call::{Code, Deadline, Fault};

/// The application is not there.
pub(super) fn unreachable(cause: &str) -> Fault {
    Fault::unavailable("APP_UNREACHABLE", "the application cannot be reached")
        .with_cause(cause)
        .never_processed()
}

/// The configuration speaks of an upstream that it does not have.
pub(super) fn unknown(name: &str) -> Fault {
    Fault::unavailable("UPSTREAM_UNKNOWN", "there is no such upstream")
        .with_cause(format_args!("`{name}`"))
        .never_processed()
}

/// The application takes no more calls at once, and nothing came free in time.
pub(super) fn busy() -> Fault {
    Fault::unavailable(
        "APP_BUSY",
        "the application takes no more calls at the same time",
    )
    .never_processed()
}

/// A stream or its connection failed.
pub(super) fn of(error: &h2::Error, deadline: Deadline) -> Fault {
    if error.is_go_away() && error.is_remote() {
        // h2 tells a stream so only when its id is above the last one that is processed.
        return closing().with_cause(error);
    }
    let Some(reason) = error.reason().filter(|_| error.is_reset()) else {
        return lost().with_cause(error);
    };
    if error.is_library() {
        return malformed().with_cause(error);
    }
    reset(reason, deadline).with_cause(error)
}

/// The same, as our own client tells it.
pub(super) fn of_failure(failure: &Failure, deadline: Deadline) -> Fault {
    match failure {
        Failure::Reset(reason) => reset(*reason, deadline)
            .with_cause(format_args!("the application reset the stream: {reason}")),
        Failure::Unprocessed(reason) => closing().with_cause(format_args!("GOAWAY: {reason}")),
        Failure::Malformed(what) => malformed().with_cause(what),
        Failure::Lost(cause) => lost().with_cause(cause),
        Failure::Stalled => stalled(),
    }
}

/// The application says that it never looked at the call.
fn closing() -> Fault {
    Fault::unavailable("APP_CLOSING", "the application is closing its connection").never_processed()
}

fn lost() -> Fault {
    Fault::unavailable(
        "CONNECTION_LOST",
        "the connection to the application was lost",
    )
}

fn malformed() -> Fault {
    Fault::upstream(
        Code::Internal,
        "APP_PROTOCOL_ERROR",
        "the application broke the HTTP/2 protocol",
    )
}

/// The application reset the stream.
fn reset(reason: Reason, deadline: Deadline) -> Fault {
    const WORD: &str = "APP_RESET";
    match reason {
        Reason::REFUSED_STREAM => {
            Fault::unavailable(WORD, "the application refused the call").never_processed()
        }
        Reason::CANCEL if has_passed(deadline) => Fault::deadline(),
        Reason::CANCEL => {
            Fault::upstream(Code::Cancelled, WORD, "the application cancelled the call")
        }
        Reason::ENHANCE_YOUR_CALM => Fault::upstream(
            Code::ResourceExhausted,
            WORD,
            "the application asked for fewer calls",
        ),
        Reason::INADEQUATE_SECURITY => Fault::upstream(
            Code::PermissionDenied,
            WORD,
            "the application asks for more security",
        ),
        _ => Fault::upstream(Code::Internal, WORD, "the application broke off the call"),
    }
}

/// Whether the caller has stopped waiting.
pub(super) fn has_passed(deadline: Deadline) -> bool {
    deadline
        .remaining(Instant::now().into_std())
        .is_some_and(|left| left.is_zero())
}

/// The answer is not gRPC (E2); `body` is the beginning of what it was.
pub(super) fn not_grpc(status: StatusCode, content_type: &str, body: &str) -> Fault {
    Fault::upstream(
        Code::from_http(status),
        "APP_NOT_GRPC",
        format!(
            "the application did not answer as gRPC but with HTTP status {}",
            status.as_u16()
        ),
    )
    .with_cause(format_args!("content-type `{content_type}`, body `{body}`"))
}

/// The answer ended without a status (E2).
pub(super) fn no_status(code: Code) -> Fault {
    Fault::upstream(
        code,
        "APP_NO_STATUS",
        "the application ended its answer without a status",
    )
}

/// The client did not read what the application sent.
pub(super) fn stalled() -> Fault {
    Fault::new(
        crate::call::Blame::Client,
        Code::Cancelled,
        "RESPONSE_STALL",
        "the client did not read the answer",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Retry;

    /// PROTOCOLS.md, "gRPC": what each RST_STREAM means.
    #[test]
    fn resets() {
        let codes = [
            Code::Internal,          // NO_ERROR
            Code::Internal,          // PROTOCOL_ERROR
            Code::Internal,          // INTERNAL_ERROR
            Code::Internal,          // FLOW_CONTROL_ERROR
            Code::Internal,          // SETTINGS_TIMEOUT
            Code::Internal,          // STREAM_CLOSED
            Code::Internal,          // FRAME_SIZE_ERROR
            Code::Unavailable,       // REFUSED_STREAM
            Code::Cancelled,         // CANCEL
            Code::Internal,          // COMPRESSION_ERROR
            Code::Internal,          // CONNECT_ERROR
            Code::ResourceExhausted, // ENHANCE_YOUR_CALM
            Code::PermissionDenied,  // INADEQUATE_SECURITY
            Code::Internal,          // HTTP_1_1_REQUIRED
            Code::Internal,          // unknown
        ];
        for (number, expected) in (0_u32..).zip(codes) {
            let fault = reset(Reason::from(number), Deadline::NEVER);
            assert_eq!(fault.code(), expected, "RST_STREAM {number}");
            let safe = fault.retry() == Retry::NeverProcessed;
            assert_eq!(safe, number == 7, "RST_STREAM {number}");
        }
        let past = Deadline::after(Instant::now().into_std(), std::time::Duration::ZERO);
        let fault = reset(Reason::CANCEL, past);
        assert_eq!(fault.code(), Code::DeadlineExceeded);
    }

    /// What our own client tells is what the h2 crate would.
    #[test]
    fn failures() {
        use Failure::{Lost, Malformed, Reset, Unprocessed};
        let rows = [
            (
                Reset(Reason::REFUSED_STREAM),
                Code::Unavailable,
                "APP_RESET",
                true,
            ),
            (Reset(Reason::CANCEL), Code::Cancelled, "APP_RESET", false),
            (
                Unprocessed(Reason::NO_ERROR),
                Code::Unavailable,
                "APP_CLOSING",
                true,
            ),
            (Malformed("x"), Code::Internal, "APP_PROTOCOL_ERROR", false),
            (
                Lost("x".into()),
                Code::Unavailable,
                "CONNECTION_LOST",
                false,
            ),
        ];
        for (failure, code, reason, safe) in rows {
            let fault = of_failure(&failure, Deadline::NEVER);
            assert_eq!(
                (fault.code(), fault.reason()),
                (code, reason),
                "{failure:?}"
            );
            let never_processed = fault.retry() == Retry::NeverProcessed;
            assert_eq!(never_processed, safe, "{failure:?}");
            assert!(fault.cause().is_some(), "{failure:?}");
        }
    }
}
