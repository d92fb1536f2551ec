//! The head of a request to the application.

use http::header::{CONTENT_TYPE, HeaderName, TE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use tokio::time::Instant;

use super::fault;
use crate::call::metadata::tell;
use crate::call::{Blame, Code, Deadline, Fault};
use crate::wire::timeout;
use crate::wire::trace::Told;

/// What an attempt needs to write its head; kept, because a call may be sent again.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) path: PathAndQuery,
    pub(super) authority: Option<Authority>,
    pub(super) metadata: HeaderMap,
    pub(super) deadline: Deadline,
    /// What is told of the trace.
    pub(super) told: Option<Told>,
}

impl Head {
    /// The head for an attempt that starts now.
    pub(super) fn request(
        &self,
        scheme: &Scheme,
        default_authority: &Authority,
    ) -> Result<Request<()>, Fault> {
        let mut headers = self.metadata.clone();
        headers.insert(TE, HeaderValue::from_static("trailers"));
        if !headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        }
        if let Some(value) = self.timeout()? {
            let name = HeaderName::from_static("grpc-timeout");
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        if let Some(told) = &self.told {
            tell(&mut headers, told);
        }
        let authority = self.authority(default_authority);
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = Uri::builder()
            .scheme(scheme.clone())
            .authority(authority.clone())
            .path_and_query(self.path.clone())
            .build()
            .map_err(cannot_send)?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Says how often the call was sent before (gRFC A6).
    pub(super) fn count_attempts(&mut self, before: u32) {
        let name = HeaderName::from_static("grpc-previous-rpc-attempts");
        self.metadata.insert(name, before.into());
    }

    /// `grpc-timeout`: what is left of the caller's time now.
    pub(super) fn timeout(&self) -> Result<Option<String>, Fault> {
        let now = Instant::now().into_std();
        match self.deadline.remaining(now) {
            Some(left) if left.is_zero() => Err(Fault::deadline().never_processed()),
            Some(left) => Ok(Some(timeout::format_grpc(left))),
            None => Ok(None),
        }
    }

    pub(super) fn authority<'a>(&'a self, default: &'a Authority) -> &'a Authority {
        self.authority.as_ref().unwrap_or(default)
    }
}

/// The head cannot be written as HTTP/2: what came before should not have let it through.
pub(super) fn cannot_send(error: impl std::fmt::Display) -> Fault {
    Fault::new(
        Blame::Gateway,
        Code::Internal,
        "BAD_REQUEST_HEAD",
        "the request cannot be sent to the application",
    )
    .with_cause(error)
    .never_processed()
}

/// Whether the call's time is over before anything is sent.
pub(super) fn ensure_time(deadline: Deadline) -> Result<(), Fault> {
    if fault::has_passed(deadline) {
        return Err(Fault::deadline().never_processed());
    }
    Ok(())
}
