//! The deadline of a call: the smallest of what client, route and gateway say (M4).

use std::time::{Duration, Instant};

use http::HeaderMap;

use crate::call::metadata::lookup;
use crate::call::{Deadline, Fault};
use crate::schema::StreamKind;
use crate::schema::policy::Timeouts;
use crate::wire::timeout::{TimeoutError, parse_connect, parse_grpc, parse_server};

/// The client's own timeout, the smallest of those it gives; a malformed one is its error.
pub fn asked(headers: &HeaderMap) -> Result<Option<Duration>, Fault> {
    type Parse = fn(&[u8]) -> Result<Duration, TimeoutError>;
    const SOURCES: [(&str, Parse); 3] = [
        ("grpc-timeout", parse_grpc),
        ("connect-timeout-ms", parse_connect),
        ("x-server-timeout", parse_server),
    ];
    let mut smallest: Option<Duration> = None;
    for (name, parse) in SOURCES {
        let Some(value) = lookup(headers, name) else {
            continue;
        };
        let timeout = parse(value.as_bytes())
            .map_err(|error| Fault::invalid("BAD_TIMEOUT", error.to_string()))?;
        smallest = Some(smallest.map_or(timeout, |other| other.min(timeout)));
    }
    Ok(smallest)
}

/// The deadline of a call that came in at `now`.
///
/// `asked` is the client's own timeout. The defaults hold only when the client gave none and
/// `defaults` says that its protocol has no opinion of its own about that (gRPC's is: forever).
pub fn deadline(
    now: Instant,
    timeouts: &Timeouts,
    kind: StreamKind,
    asked: Option<Duration>,
    defaults: bool,
) -> Deadline {
    let default = match kind {
        StreamKind::Unary => timeouts.unary_default,
        StreamKind::ClientStream | StreamKind::ServerStream | StreamKind::Bidi => {
            timeouts.stream_default
        }
    };
    let own = asked.or_else(|| default.filter(|_| defaults));
    let timeout = match (own, timeouts.max) {
        (Some(own), Some(max)) => Some(own.min(max)),
        (own, max) => own.or(max),
    };
    timeout.map_or(Deadline::NEVER, |timeout| Deadline::after(now, timeout))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test needs some instant")]
    fn m4_the_smallest_counts() {
        let timeouts = Timeouts {
            unary_default: Some(30 * SECOND),
            stream_default: None,
            max: Some(60 * SECOND),
            ..Timeouts::default()
        };
        let now = Instant::now();
        let check = |kind, asked: Option<u32>, defaults, expected: u32| {
            let asked = asked.map(|seconds| seconds * SECOND);
            let deadline = deadline(now, &timeouts, kind, asked, defaults);
            assert_eq!(
                deadline.remaining(now),
                Some(expected * SECOND),
                "{kind} {asked:?}"
            );
        };
        check(StreamKind::Unary, None, true, 30);
        check(StreamKind::Unary, Some(45), true, 45);
        check(StreamKind::Unary, Some(90), true, 60);
        check(StreamKind::Unary, None, false, 60);
        check(StreamKind::ServerStream, None, true, 60);
        let endless = Timeouts {
            max: None,
            ..timeouts
        };
        assert_eq!(
            deadline(now, &endless, StreamKind::Bidi, None, true),
            Deadline::NEVER
        );
    }
}
