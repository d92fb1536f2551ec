//! [`Gate`]: who may have what is no call, plain HTTP and the pages of the gateway itself.
//!
//! No layer sees these, so that whoever puts the gateway together says here what its layers would.

use std::fmt;
use std::rc::Rc;

use http::HeaderMap;

use crate::call::{Blame, Code, Fault, LocalFuture, Record};

/// Takes the headers of a request and gives them back, with what the application is told of who
/// asks; or says why not.
pub type Pass = Rc<dyn Fn(HeaderMap, Record) -> LocalFuture<Result<HeaderMap, Fault>>>;

/// Asked where the rule for everybody has something to say.
#[derive(Clone)]
pub struct Gate(Option<Pass>);

impl Gate {
    /// A gate that lets nobody through who has to show anything.
    pub const CLOSED: Self = Self(None);

    /// A gate at which `pass` decides.
    pub fn new(pass: Pass) -> Self {
        Self(Some(pass))
    }

    /// Whether a request may go on.
    pub(super) fn pass(
        &self,
        headers: HeaderMap,
        record: Record,
    ) -> LocalFuture<Result<HeaderMap, Fault>> {
        match &self.0 {
            Some(pass) => pass(headers, record),
            None => Box::pin(std::future::ready(Err(Fault::new(
                Blame::Gateway,
                Code::PermissionDenied,
                "GATE_CLOSED",
                "nobody may have this",
            )))),
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}
