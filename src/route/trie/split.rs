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
    /// The normal forms of the segments, when they are not all normal already.
    normal: Vec<Cow<'p, str>>,
    is_normal: bool,
}

impl<'p> SplitPath<'p> {
    /// Splits a path that starts with a slash; `/` alone has no segments.
    pub(super) fn new(raw: &'p str, ignore_trailing_slash: bool) -> Option<Self> {
        u32::try_from(raw.len()).ok()?;
        let mut tail = raw.strip_prefix('/')?;
        if ignore_trailing_slash {
            tail = tail.strip_suffix('/').unwrap_or(tail);
        }
        let mut path = Self {
            raw,
            segments: SmallVec::new(),
            normal: Vec::new(),
            is_normal: path::is_all_normal(raw),
        };
        if !tail.is_empty() {
            path.split(tail.as_bytes());
        }
        Some(path)
    }

    fn split(&mut self, tail: &[u8]) {
        let mut start = 1;
        for slash in memchr::memchr_iter(b'/', tail) {
            self.segments.push(span(start, slash + 1));
            start = slash + 2;
        }
        self.segments.push(span(start, tail.len() + 1));
        if !self.is_normal {
            let all = self.segments.iter();
            self.normal = all
                .map(|span| path::normal(text(self.raw, *span)))
                .collect();
        }
    }

    /// How many segments there are.
    pub(super) fn len(&self) -> usize {
        self.segments.len()
    }

    /// The span and the normal form of a segment.
    pub(super) fn get(&self, at: usize) -> Option<(Span, &str)> {
        let span = *self.segments.get(at)?;
        let normal = match self.is_normal {
            true => text(self.raw, span),
            false => self.normal.get(at)?,
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

    /// Takes `:verb` off the last segment (R5) and returns the verb in its normal form.
    pub(super) fn detach_verb(&mut self) -> Option<Cow<'p, str>> {
        let last = self.segments.last_mut()?;
        let (before, verb) = text(self.raw, *last).rsplit_once(':')?;
        last.end = last.start + u32::try_from(before.len()).ok()?;
        if let Some(normal) = self.normal.last_mut() {
            *normal = path::normal(before);
        }
        Some(path::normal(verb))
    }

    /// Makes the colon data again.
    pub(super) fn attach_verb(&mut self, ignore_trailing_slash: bool) {
        // The segments before the last one stay; it is cheap enough to begin anew.
        if let Some(path) = Self::new(self.raw, ignore_trailing_slash) {
            *self = path;
        }
    }
}

fn text(raw: &str, span: Span) -> &str {
    span.range()
        .and_then(|range| raw.get(range))
        .unwrap_or_default()
}

fn span(start: usize, end: usize) -> Span {
    // The whole path was measured: both fit.
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span {
        start: narrow(start),
        end: narrow(end),
    }
}
