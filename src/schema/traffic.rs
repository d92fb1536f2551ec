//! [`Traffic`]: where the calls of a method go, when that is not simply the application.

use std::sync::Arc;

use crate::schema::split::Split;

/// What a route says of where its calls go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traffic {
    /// The upstream by its name; `None` for the application.
    pub upstream: Option<Arc<str>>,
    /// How calls are shared out between several, instead.
    pub split: Option<Arc<Split>>,
}
