//! Where the declarations of a descriptor file stand in its source: [`Places`].
//!
//! Source info is the largest part of most files and is asked for by few, so it is decoded when
//! the first place is asked for, without its comments.

use std::cell::OnceCell;
use std::sync::Arc;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::problem::Location;
use super::view;

/// Field numbers of descriptor.proto, of which paths into a file are made.
pub(super) mod step {
    pub(in crate::schema) const FILE_PACKAGE: i32 = 2;
    pub(in crate::schema) const FILE_DEPENDENCY: i32 = 3;
    pub(in crate::schema) const FILE_MESSAGE: i32 = 4;
    pub(in crate::schema) const FILE_ENUM: i32 = 5;
    pub(in crate::schema) const FILE_SERVICE: i32 = 6;
    pub(in crate::schema) const FILE_EXTENSION: i32 = 7;
    pub(in crate::schema) const FILE_SYNTAX: i32 = 12;
    pub(in crate::schema) const FILE_EDITION: i32 = 14;
    pub(in crate::schema) const MESSAGE_FIELD: i32 = 2;
    pub(in crate::schema) const MESSAGE_NESTED: i32 = 3;
    pub(in crate::schema) const MESSAGE_ENUM: i32 = 4;
    pub(in crate::schema) const MESSAGE_EXTENSION: i32 = 6;
    pub(in crate::schema) const ENUM_VALUE: i32 = 2;
    pub(in crate::schema) const SERVICE_METHOD: i32 = 2;
    pub(in crate::schema) const METHOD_OPTIONS: i32 = 4;
    /// The extension `google.api.http` of a method's options.
    pub(in crate::schema) const HTTP: i32 = 72_295_728;
}

/// The places of one file.
#[derive(Debug)]
pub(super) struct Places {
    file: Arc<str>,
    info: Option<Bytes>,
    /// Line and column by path, of services and what is in them.
    services: OnceCell<Spans>,
    /// The same of everything else.
    others: OnceCell<Spans>,
}

type Spans = FxHashMap<Box<[i32]>, (u32, u32)>;

/// The path of a location; few are longer.
type Path = SmallVec<[i32; 16]>;

impl Places {
    /// The places of the file that the user knows as `file`.
    pub(super) fn new(file: Arc<str>) -> Self {
        Self {
            file,
            info: None,
            services: OnceCell::new(),
            others: OnceCell::new(),
        }
    }

    /// Takes in the file's `source_code_info`.
    pub(super) fn set_info(&mut self, info: Option<Bytes>) {
        self.info = info;
    }

    /// Gives the memory of what was decoded back.
    pub(super) fn forget(&mut self) {
        self.services.take();
        self.others.take();
    }

    /// How the user knows the file.
    pub(super) fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// The whole file.
    pub(super) fn whole(&self) -> Location {
        Location::file(Arc::clone(&self.file))
    }

    /// Where the thing at `path` stands, or else the innermost thing around it whose place is
    /// known.
    pub(super) fn at(&self, path: &[i32]) -> Location {
        let in_service = path.first() == Some(&step::FILE_SERVICE);
        let spans = if in_service {
            self.services.get_or_init(|| self.load(true))
        } else {
            self.others.get_or_init(|| self.load(false))
        };
        (1..=path.len())
            .rev()
            .find_map(|length| spans.get(path.get(..length)?))
            .map_or_else(
                || self.whole(),
                |(line, column)| Location::at(Arc::clone(&self.file), *line, *column),
            )
    }

    fn load(&self, services: bool) -> Spans {
        let mut spans = Spans::default();
        let Some(info) = &self.info else { return spans };
        let mut path = Path::new();
        let read = view::records(info, |number, value| {
            if number == 1 {
                path.clear();
                let place = location(value.len()?, &mut path)?;
                let in_service = path.first() == Some(&step::FILE_SERVICE);
                if let Some(place) = place.filter(|_| in_service == services) {
                    note(&mut spans, &path, place);
                }
            }
            Ok(())
        });
        // Source info that cannot be read costs the places, never the file.
        read.map_or_else(|view::Broken| Spans::default(), |()| spans)
    }
}

/// Reads one location: its path, and line and column if it has them. Most are looked at in vain,
/// so nothing is put aside for them.
fn location(bytes: &[u8], path: &mut Path) -> Result<Option<(u32, u32)>, view::Broken> {
    let mut span = SmallVec::<[i32; 4]>::new();
    view::records(bytes, |number, value| match number {
        1 => value.ints(path),
        2 => value.ints(&mut span),
        _ => Ok(()),
    })?;
    let from_one = |value: i32| u32::try_from(value).map_or(0, |value| value + 1);
    Ok(match *span {
        [line, column, ..] => Some((from_one(line), from_one(column))),
        _ => None,
    })
}

fn note(spans: &mut Spans, path: &[i32], place: (u32, u32)) {
    /// The length of the path of a method's option: service, method, options, option.
    const OPTION: usize = 6;
    // An option that was set member by member has places for its members only.
    if let Some(option) = path.get(..OPTION).filter(|_| path.len() > OPTION) {
        spans.entry(option.into()).or_insert(place);
    }
    spans.entry(path.into()).or_insert(place);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prost::Message;

    use super::{Places, step};
    use crate::schema::descriptor::{SourceCodeInfo, SourceLocation};

    fn places(locations: &[(&[i32], &[i32])]) -> Places {
        let location = locations
            .iter()
            .map(|(path, span)| SourceLocation {
                path: path.to_vec(),
                span: span.to_vec(),
                leading_comments: Some(" why\n".to_owned()),
                trailing_comments: None,
            })
            .collect();
        let mut places = Places::new(Arc::from("a.proto"));
        places.set_info(Some(SourceCodeInfo { location }.encode_to_vec().into()));
        places
    }

    #[test]
    fn a_place_is_its_own_or_that_of_what_is_around_it() {
        let places = places(&[
            (&[6, 0], &[3, 0, 9, 1]),
            (&[6, 0, 2, 1], &[5, 2, 7, 3]),
            (&[6, 0, 2, 1, 4, step::HTTP, 2], &[6, 4, 20]),
            (&[4, 0, 2, 3], &[12, 2, 20]),
            (&[4, 1], &[]),
            (&[4, 2], &[-1, i32::MIN, 0]),
        ]);
        let rows: &[(&[i32], &str)] = &[
            (&[6, 0, 2, 1, 4, step::HTTP, 2], "a.proto:7:5"),
            (&[6, 0, 2, 1, 4, step::HTTP], "a.proto:7:5"),
            (&[6, 0, 2, 1, 4], "a.proto:6:3"),
            (&[6, 0, 2, 0, 4, step::HTTP], "a.proto:4:1"),
            (&[6, 1], "a.proto"),
            (&[4, 0, 2, 3, 1], "a.proto:13:3"),
            (&[4, 0], "a.proto"),
            (&[4, 1], "a.proto"),
            (&[4, 2], "a.proto"),
            (&[], "a.proto"),
        ];
        for (path, expected) in rows {
            assert_eq!(places.at(path).to_string(), *expected, "{path:?}");
        }
    }

    #[test]
    fn broken_source_info_costs_only_the_places() {
        let mut places = Places::new(Arc::from("a.proto"));
        places.set_info(Some(vec![0xff; 9].into()));
        assert_eq!(places.at(&[6, 0]).to_string(), "a.proto");
    }
}
