//! The second pass: records are grouped by field first, so every legal wire comes out right.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::scalar::{Identity, Packed, Scalar};
use super::simple::{Seen, find};
use super::walker::{Stop, Walker};
use crate::schema::plan::{Cardinality, Field, Kind, Message, Tables};
use crate::schema::policy::Defaults;
use crate::transcode::json_to_wire::wire_type;
use crate::transcode::proto::{Raw, Reader};

/// One record of a known field.
#[derive(Clone, Copy)]
pub(super) struct Record<'w> {
    /// Index of the field.
    index: usize,
    raw: Raw<'w>,
}

impl<'w> Record<'w> {
    pub(super) fn index(&self) -> usize {
        self.index
    }

    pub(super) fn raw(&self) -> Raw<'w> {
        self.raw
    }
}

/// One entry of a map.
pub(super) struct Entry<'t, 'w> {
    pub(super) key: Scalar<'w>,
    value: EntryValue<'w>,
    field: &'t Field,
}

enum EntryValue<'w> {
    Scalar(Scalar<'w>),
    /// The pieces of a message; usually one.
    Message(SmallVec<[&'w [u8]; 1]>),
}

impl<'t, 'w> Entry<'t, 'w> {
    /// Reads an entry; what is missing in it is a default (J6). `None` when its value is unknown
    /// to a closed enum: then it is an unknown field as a whole.
    pub(super) fn read(
        tables: &'t Tables,
        map: Kind,
        bytes: &'w [u8],
    ) -> Result<Option<Self>, Stop> {
        let entry = map.message().map(|id| tables.message(id));
        let Some((key_field, field)) =
            entry.and_then(|entry| Some((entry.by_number(1)?, entry.by_number(2)?)))
        else {
            return Ok(None);
        };
        let mut key = Scalar::default(tables, key_field.kind);
        let mut scalar = Scalar::default(tables, field.kind);
        let mut pieces = SmallVec::new();
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let (number, wire_type) = reader.tag()?;
            let raw = reader.value(number, wire_type)?;
            match (number, raw, field.kind) {
                (1, raw, _) => key = Scalar::decode(tables, key_field.kind, raw)?.or(key),
                (2, Raw::Len(piece), Kind::Message(_)) | (2, Raw::Group(piece), Kind::Group(_)) => {
                    pieces.push(piece);
                }
                (2, raw, kind) if kind.message().is_none() => {
                    match (Scalar::decode(tables, kind, raw)?, kind, raw) {
                        (None, Kind::Enum(_), Raw::Varint(_)) => return Ok(None),
                        (None, ..) => {}
                        (some, ..) => scalar = some,
                    }
                }
                _ => {}
            }
        }
        Ok(key.map(|key| Self {
            key,
            value: scalar.map_or(EntryValue::Message(pieces), EntryValue::Scalar),
            field,
        }))
    }
}

impl<'t> Walker<'t, '_> {
    /// Prints the value of a map entry.
    pub(super) fn entry_value(&mut self, entry: &Entry<'_, '_>) -> Result<(), Stop> {
        match (&entry.value, entry.field.kind.message()) {
            (EntryValue::Message(pieces), Some(id)) if pieces.is_empty() => {
                self.message(id, &[&[]])?;
            }
            (EntryValue::Message(pieces), Some(id)) => self.message(id, pieces)?,
            (EntryValue::Scalar(scalar), _) => self.scalar(*scalar),
            (EntryValue::Message(_), None) => self.out.extend_from_slice(b"null"),
        }
        self.check()
    }

    /// Collects the records of known fields, sorted by field, of each oneof the last member.
    pub(super) fn collect<'w>(
        &mut self,
        message: &Message,
        fragments: &[&'w [u8]],
    ) -> Result<Vec<Record<'w>>, Stop> {
        let mut records = Vec::new();
        for fragment in fragments {
            let mut reader = Reader::new(fragment);
            while !reader.is_empty() {
                let (number, wire_type) = reader.tag()?;
                let raw = reader.value(number, wire_type)?;
                let item = match raw {
                    Raw::Group(item) if message.message_set && number == 1 => set_item(item)?,
                    _ => None,
                };
                let (number, raw) = item.unwrap_or((number, raw));
                match find(message, 0, number) {
                    Some((index, field)) if self.fits(field, raw)? => {
                        records.push(Record { index, raw });
                    }
                    _ => self.unknown_fields += 1,
                }
            }
        }
        keep_last_members(message, &mut records);
        records.sort_by_key(|record| record.index);
        Ok(records)
    }

    /// Whether a record is one of this field and not an unknown one under its number.
    fn fits(&self, field: &Field, raw: Raw<'_>) -> Result<bool, Stop> {
        Ok(match (field.kind, raw) {
            (Kind::Message(_), Raw::Len(_)) | (Kind::Group(_), Raw::Group(_)) => true,
            (kind, Raw::Len(_)) if kind.packable() => field.cardinality == Cardinality::Repeated,
            (kind, raw) => Scalar::decode(self.tables, kind, raw)
                .map_err(Stop::from)?
                .is_some(),
        })
    }

    /// Prints the members of a message, in order of their numbers.
    pub(super) fn grouped(
        &mut self,
        message: &'t Message,
        fragments: &[&[u8]],
    ) -> Result<(), Stop> {
        let records = self.collect(message, fragments)?;
        let mut seen = Seen::new(message);
        for run in records.chunk_by(|left, right| left.index == right.index) {
            let Some((index, field)) = run
                .first()
                .and_then(|record| Some((record.index, message.fields.get(record.index)?)))
            else {
                continue;
            };
            seen.insert(index, field);
            let start = self.out.len();
            self.key(field);
            let printed = self
                .field(field, run, self.options.defaults != Defaults::Omit)
                .map_err(|stop| stop.within(message, field))?;
            if !printed {
                self.out.truncate(start);
            }
            self.check()?;
        }
        self.defaults(message, |index| seen.contains(index))
    }

    /// Prints one field of a message without its name, its default if it is not set.
    pub(super) fn bare_field(
        &mut self,
        message: &'t Message,
        field: &'t Field,
        fragments: &[&[u8]],
    ) -> Result<(), Stop> {
        let records = self.collect(message, fragments)?;
        let own = |record: &Record<'_>| {
            message
                .fields
                .get(record.index)
                .is_some_and(|found| found.number == field.number)
        };
        let first = records.iter().position(own).unwrap_or(records.len());
        let run = records.get(first..).unwrap_or_default();
        let len = run.iter().take_while(|record| own(record)).count();
        let run = run.get(..len).unwrap_or_default();
        self.field(field, run, true)
            .map_err(|stop| stop.within(message, field))?;
        self.check()
    }

    /// Prints the value of a field from all of its records. Says whether there is one: without
    /// `force`, a default that needs no presence is not printed.
    pub(super) fn field(
        &mut self,
        field: &'t Field,
        records: &[Record<'_>],
        force: bool,
    ) -> Result<bool, Stop> {
        match (field.cardinality, field.kind.message()) {
            (Cardinality::Map, _) => self.map(field, records, force),
            (Cardinality::Repeated, _) => self.list(field, records, force),
            (Cardinality::Singular, Some(id)) if records.is_empty() => {
                self.unset_message(id);
                Ok(true)
            }
            (Cardinality::Singular, Some(id)) => {
                let pieces: SmallVec<[&[u8]; 2]> = records.iter().filter_map(piece).collect();
                self.message(id, &pieces)?;
                Ok(true)
            }
            (Cardinality::Singular, None) => {
                let scalar = match records.last() {
                    Some(record) => Scalar::decode(self.tables, field.kind, record.raw)?,
                    None => Scalar::default(self.tables, field.kind),
                };
                let Some(scalar) = scalar else {
                    return Ok(false);
                };
                let explicit = force || field.presence || field.oneof.is_some();
                if !explicit && scalar.is_default() {
                    return Ok(false);
                }
                self.scalar(scalar);
                Ok(true)
            }
        }
    }

    fn list(
        &mut self,
        field: &'t Field,
        records: &[Record<'_>],
        force: bool,
    ) -> Result<bool, Stop> {
        let start = self.out.len();
        for record in records {
            if let (Some(id), Some(bytes)) = (field.kind.message(), piece(record)) {
                self.out.push(b',');
                self.message(id, &[bytes])?;
                self.check()?;
                continue;
            }
            match record.raw {
                Raw::Len(bytes) if field.kind.packable() => {
                    let mut packed = Packed::new(bytes, wire_type(field.kind));
                    while let Some(raw) = packed.next()? {
                        self.element(field, raw)?;
                    }
                }
                raw => self.element(field, raw)?,
            }
        }
        if self.out.len() == start && !force {
            return Ok(false);
        }
        self.close(start, b'[', b']');
        Ok(true)
    }

    fn element(&mut self, field: &Field, raw: Raw<'_>) -> Result<(), Stop> {
        match Scalar::decode(self.tables, field.kind, raw)? {
            Some(scalar) => {
                self.out.push(b',');
                self.scalar(scalar);
            }
            None => self.unknown_fields += 1,
        }
        self.check()
    }

    fn map(&mut self, field: &'t Field, records: &[Record<'_>], force: bool) -> Result<bool, Stop> {
        // Entries are read twice rather than kept: a million of them would take more memory than
        // all the rest.
        let mut last: HashMap<Identity<'_>, usize> = HashMap::with_capacity(records.len());
        for (at, bytes) in records.iter().filter_map(piece).enumerate() {
            match Entry::read(self.tables, field.kind, bytes)? {
                Some(entry) => {
                    let before = last.insert(entry.key.identity(), at);
                    if before.is_some() && !self.grouping {
                        return Err(Stop::Conflict);
                    }
                }
                None => self.unknown_fields += 1,
            }
        }
        let start = self.out.len();
        for (at, bytes) in records.iter().filter_map(piece).enumerate() {
            if let Some(entry) = Entry::read(self.tables, field.kind, bytes)?
                && last.get(&entry.key.identity()) == Some(&at)
            {
                self.out.push(b',');
                self.map_key(entry.key);
                self.out.push(b':');
                self.entry_value(&entry)?;
            }
        }
        if self.out.len() == start && !force {
            return Ok(false);
        }
        self.close(start, b'{', b'}');
        Ok(true)
    }
}

/// The bytes of a message.
fn piece<'w>(record: &Record<'w>) -> Option<&'w [u8]> {
    match record.raw {
        Raw::Len(bytes) | Raw::Group(bytes) => Some(bytes),
        Raw::Varint(_) | Raw::Fixed32(_) | Raw::Fixed64(_) => None,
    }
}

/// The field number and message of one item of a message set.
fn set_item(item: &[u8]) -> Result<Option<(u32, Raw<'_>)>, Stop> {
    let mut number = None;
    let mut message = None;
    let mut reader = Reader::new(item);
    while !reader.is_empty() {
        let (tag, wire_type) = reader.tag()?;
        match (tag, reader.value(tag, wire_type)?) {
            (2, Raw::Varint(value)) => number = u32::try_from(value).ok(),
            (3, raw @ Raw::Len(_)) => message = Some(raw),
            _ => {}
        }
    }
    Ok(number.zip(message))
}

/// Setting a member of a oneof clears the others: drops everything before the last change.
fn keep_last_members(message: &Message, records: &mut Vec<Record<'_>>) {
    if message.oneofs.is_empty() {
        return;
    }
    // By oneof: the member that stands last, and whether another one was met before it.
    let mut last: Vec<Option<(usize, bool)>> = vec![None; message.oneofs.len()];
    let mut at = records.len();
    let mut keep = vec![true; records.len()];
    for record in records.iter().rev() {
        at -= 1;
        let oneof = message
            .fields
            .get(record.index)
            .and_then(|field| field.oneof);
        let Some(state) = oneof.and_then(|oneof| last.get_mut(usize::from(oneof))) else {
            continue;
        };
        let (member, changed) = state.get_or_insert((record.index, false));
        *changed |= *member != record.index;
        if *changed && let Some(keep) = keep.get_mut(at) {
            *keep = false;
        }
    }
    let mut keep = keep.into_iter();
    records.retain(|_| keep.next().unwrap_or(true));
}
