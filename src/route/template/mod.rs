//! Path templates of `google.api.http` (R1).
//!
//! A [`Template`] can only be made by [`Template::parse`], so whoever holds one holds one that
//! can be routed. It knows text and segments, never fields: what a variable's name means is
//! decided by the schema.
//!
//! ```
//! use sidegate::route::template::Template;
//!
//! let template = Template::parse("/v1/{name=projects/*/locations/**}:get").unwrap();
//! assert_eq!(template.verb(), Some("get"));
//! assert_eq!(template.to_string(), "/v1/{name=projects/*/locations/**}:get");
//! ```

mod parse;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;

pub use parse::TemplateError;

use super::trie::Span;

/// The most segments that a template may have: lookups recurse once a segment.
pub const MAX_SEGMENTS: usize = 128;

/// A parsed path template: at most [`MAX_SEGMENTS`] segments, never two `**` in a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Template {
    segments: Vec<Segment>,
    verb: Option<Box<str>>,
    variables: Vec<Variable>,
    /// All of it as text: every line of the access log has one.
    text: Box<str>,
}

/// What stands between two slashes of a template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Itself, as it was written (percent-escapes included); never empty.
    Literal(Box<str>),
    /// `*`: one segment that is not empty.
    Star,
    /// `**`: any number of segments, empty ones among them.
    DoubleStar,
}

/// A `{field.path=segments}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Variable {
    /// The dotted field path, as it was written.
    pub path: Box<str>,
    /// Index of its first segment in the template.
    pub first: usize,
    /// Index after its last segment; never equal to `first`.
    pub end: usize,
    /// Whether it may capture more than one segment, which decides how it is decoded (R6).
    pub multi: bool,
}

impl Template {
    /// Parses a template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        parse::parse(text)
    }

    /// All of it as text, in its shortest form.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The segments, variables dissolved into them; none for `/`.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The text after the last colon, if the template has a verb; never empty.
    pub fn verb(&self) -> Option<&str> {
        self.verb.as_deref()
    }

    /// The variables, in order; they do not overlap and no two have the same path.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// The raw text that each variable captured, in the order of [`variables`](Self::variables).
    ///
    /// `raw_path` and `spans` are those of the lookup that found this template; with others the
    /// captures are meaningless, but nothing panics.
    pub fn captures<'p>(&self, raw_path: &'p str, spans: &[Span]) -> impl Iterator<Item = &'p str> {
        self.variables.iter().map(move |variable| {
            let spans = spans.get(variable.first..variable.end).unwrap_or_default();
            // A `**` that took nothing has no place in the path: its neighbours bound the capture.
            let start = spans.iter().find_map(|span| span.range());
            let end = spans.iter().rev().find_map(|span| span.range());
            start
                .zip(end)
                .and_then(|(start, end)| raw_path.get(start.start..end.end))
                .unwrap_or_default()
        })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Writes a template out of its parts.
struct Written<'a>(&'a Template);

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Template {
            segments,
            verb,
            variables,
            ..
        } = self.0;
        if segments.is_empty() {
            f.write_str("/")?;
        }
        let mut starts = variables.iter().peekable();
        for (index, segment) in segments.iter().enumerate() {
            f.write_str("/")?;
            let Some(variable) = starts.next_if(|variable| variable.first == index) else {
                write!(f, "{segment}")?;
                close(f, variables, index)?;
                continue;
            };
            write!(f, "{{{}", variable.path)?;
            // `{var}` is short for `{var=*}`.
            if variable.end - variable.first > 1 || *segment != Segment::Star {
                write!(f, "={segment}")?;
            }
            close(f, variables, index)?;
        }
        verb.as_ref().map_or(Ok(()), |verb| write!(f, ":{verb}"))
    }
}

/// Writes the brace of the variable that ends with segment `index`.
fn close(f: &mut fmt::Formatter<'_>, variables: &[Variable], index: usize) -> fmt::Result {
    let ends = variables.iter().any(|variable| variable.end == index + 1);
    f.write_str(if ends { "}" } else { "" })
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Literal(text) => text,
            Self::Star => "*",
            Self::DoubleStar => "**",
        })
    }
}
