//! Path templates of `google.api.http`.

/// A parsed path template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {}
