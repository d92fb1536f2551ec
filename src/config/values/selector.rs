//! Which methods a setting is for: [`Selector`].

use std::fmt;

use super::{Refused, Typed};

/// A method, a service, a package or everything.
///
/// ```text
/// selector = "*" | name [ ".*" ]
/// name     = ident 1*( "." ident )      ; a service needs no package, so one ident is a name too
/// ident    = ( ALPHA | "_" ) *( ALPHA | DIGIT | "_" )
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector(Box<str>);

impl Typed for Selector {
    const FORMAT: &'static str = "sidegate-selector";
    const EXPECTED: &'static str = "a method `pkg.Service.Method`, a service `pkg.Service`, a \
                                    package `pkg.*` or everything `*`";

    fn read(text: &str) -> Result<Self, Refused> {
        if text.contains('/') {
            return Err(Refused::Because(
                "is a path: write the method as `pkg.Service.Method`, with dots".to_owned(),
            ));
        }
        let name = text.strip_suffix(".*").unwrap_or(text);
        if text == "*" || name.split('.').all(is_ident) {
            return Ok(Self(text.into()));
        }
        Err(Refused::Form)
    }
}

impl Selector {
    /// The text, as [`Policies`](crate::schema::policy::Policies) takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether everything that `other` selects is selected by this one too.
    pub fn covers(&self, other: &Self) -> bool {
        if self == other || &*self.0 == "*" {
            return true;
        }
        let wide = self.0.strip_suffix(".*").unwrap_or(&self.0);
        other
            .0
            .strip_prefix(wide)
            .is_some_and(|rest| rest.starts_with('.') || (rest.is_empty() && wide != &*self.0))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_ident(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
}
