//! A raw path, split for a lookup.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::Span;
use crate::route::path;

/// The segments of a raw path, split at raw slashes.
#[derive(Debug)]
pub(super) struct SplitPath<'p> {
    raw: &'p str,
    segments: SmallVec<[Span; 16]>,
    /// The normal forms of the segments, unless the whole path is normal already.
    normal: Option<Vec<Cow<'p, str>>>,
}

impl<'p> SplitPath<'p> {
    /// Splits a path that starts with a slash; `/` alone has no segments.
    pub(super) fn new(raw: &'p str) -> Option<Self> {
        // Every place in the path fits a span when the last one does.
        u32::try_from(raw.len()).ok()?;
        let tail = raw.strip_prefix('/')?;
        let mut segments = SmallVec::new();
        if !tail.is_empty() {
            let mut start = 1;
            for slash in memchr::memchr_iter(b'/', tail.as_bytes()) {
                segments.push(span(start, slash + 1));
                start = slash + 2;
            }
            segments.push(span(start, raw.len()));
        }
        let normalize = |span: &Span| path::normal(text(raw, *span));
        let normal =
            (!path::is_all_normal(raw)).then(|| segments.iter().map(normalize).collect::<Vec<_>>());
        Some(Self {
            raw,
            segments,
            normal,
        })
    }

    /// How many segments there are.
    pub(super) fn len(&self) -> usize {
        self.segments.len()
    }

    /// The span and the normal form of a segment.
    pub(super) fn get(&self, at: usize) -> Option<(Span, &str)> {
        let span = *self.segments.get(at)?;
        let normal = match &self.normal {
            None => text(self.raw, span),
            Some(normal) => normal.get(at)?,
        };
        Some((span, normal))
    }

    /// The bytes of all segments from `first` to before `end`.
    pub(super) fn span(&self, first: usize, end: usize) -> Span {
        match self.segments.get(first..end) {
            Some([first, .., last]) => Span {
                start: first.start,
                end: last.end,
            },
            Some([only]) => *only,
            _ => Span::NOTHING,
        }
    }
}

fn text(raw: &str, span: Span) -> &str {
    span.range()
        .and_then(|range| raw.get(range))
        .unwrap_or_default()
}

fn span(start: usize, end: usize) -> Span {
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span {
        start: narrow(start),
        end: narrow(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_path_needs_no_memory() {
        let path = SplitPath::new("/v1/projects/p-1/locations/eu~1/keys/k:1@2/versions/3").unwrap();
        assert_eq!(path.len(), 9);
        assert!(path.normal.is_none() && !path.segments.spilled());
    }

    #[test]
    fn segments_are_split_at_raw_slashes() {
        let path = SplitPath::new("/a%2fb//%7E").unwrap();
        let texts: Vec<_> = (0..path.len()).map(|at| path.get(at).unwrap().1).collect();
        assert_eq!(texts, ["a%2Fb", "", "~"]);
        assert_eq!(path.span(0, 2).range(), Some(1..7));
        assert_eq!(path.span(1, 2).range(), Some(7..7));
        assert_eq!(path.span(1, 1).range(), None);
        assert_eq!(SplitPath::new("/").unwrap().len(), 0);
        assert!(SplitPath::new("a").is_none());
    }
}
