//! The optimistic pass without tables, as simple as it can be: what `object.rs` is compared with.

use std::collections::HashSet;

use smallvec::{SmallVec, smallvec};

use super::group::Entry;
use super::scalar::{Identity, Packed, Scalar};
use super::walker::{Stop, Walker};
use crate::schema::plan::{Cardinality, Field, Kind, Message};
use crate::schema::policy::Defaults;
use crate::transcode::json_to_wire::wire_type;
use crate::transcode::proto::{Malformed, Raw, Reader, WireType};

/// The list or map whose bracket is open.
struct Open<'w> {
    /// Index of its field.
    index: usize,
    /// Where its bracket stands.
    start: usize,
    /// The keys of a map so far.
    keys: HashSet<Identity<'w>>,
}

/// What was seen of one message.
pub(super) struct Seen {
    fields: SmallVec<[u64; 2]>,
    oneofs: SmallVec<[u64; 1]>,
}

impl Seen {
    pub(super) fn new(message: &Message) -> Self {
        Self {
            fields: smallvec![0; message.fields.len().div_ceil(64)],
            oneofs: smallvec![0; message.oneofs.len().div_ceil(64)],
        }
    }

    pub(super) fn contains(&self, index: usize) -> bool {
        bit(&self.fields, index)
    }

    /// Says whether neither the field nor another member of its oneof was seen before.
    pub(super) fn insert(&mut self, index: usize, field: &Field) -> bool {
        let new = set(&mut self.fields, index);
        let alone = match field.oneof {
            Some(oneof) => set(&mut self.oneofs, usize::from(oneof)),
            None => true,
        };
        new && alone
    }
}

fn bit(words: &[u64], at: usize) -> bool {
    words
        .get(at / 64)
        .is_some_and(|word| word >> (at % 64) & 1 == 1)
}

fn set(words: &mut [u64], at: usize) -> bool {
    let new = !bit(words, at);
    if let Some(word) = words.get_mut(at / 64) {
        *word |= 1 << (at % 64);
    }
    new
}

/// One message being printed.
struct Stream<'t, 'w> {
    message: &'t Message,
    seen: Seen,
    open: Option<Open<'w>>,
}

impl<'t> Walker<'t, '_> {
    /// Prints the members of a message until its bytes, or its group, end.
    pub(super) fn stream(
        &mut self,
        message: &'t Message,
        reader: &mut Reader<'_>,
        group: Option<u32>,
    ) -> Result<(), Stop> {
        let mut stream = Stream {
            message,
            seen: Seen::new(message),
            open: None,
        };
        // Encoders write fields in order, so the next one is probably this one or the one after.
        let mut hint = 0;
        loop {
            if reader.is_empty() {
                if group.is_some() {
                    return Err(Stop::from(Malformed::Truncated));
                }
                break;
            }
            let (number, wire_type) = reader.tag()?;
            if wire_type == WireType::EndGroup {
                if group != Some(number) {
                    return Err(Stop::from(Malformed::Group));
                }
                break;
            }
            match find(message, hint, number) {
                Some((index, field)) => {
                    hint = index;
                    stream
                        .record(self, index, reader, (number, wire_type))
                        .map_err(|stop| stop.within(message, field))?;
                    self.check()?;
                }
                None => {
                    reader.value(number, wire_type)?;
                    self.unknown_fields += 1;
                }
            }
        }
        stream.close(self);
        self.defaults(message, |index| stream.seen.contains(index))
    }

    /// Prints the fields that were not seen, when the options ask for it (J3).
    pub(super) fn defaults(
        &mut self,
        message: &'t Message,
        seen: impl Fn(usize) -> bool,
    ) -> Result<(), Stop> {
        if self.options.defaults == Defaults::Omit {
            return Ok(());
        }
        for (index, field) in message.fields.iter().enumerate() {
            let single = field.cardinality == Cardinality::Singular;
            let absent = single && (field.presence || field.oneof.is_some());
            if seen(index) || (absent && !self.is_null(field)) || field.name.starts_with('[') {
                continue;
            }
            self.key(field);
            if absent {
                self.out.extend_from_slice(b"null");
                self.check()?;
                continue;
            }
            match field.cardinality {
                Cardinality::Repeated => self.out.extend_from_slice(b"[]"),
                Cardinality::Map => self.out.extend_from_slice(b"{}"),
                Cardinality::Singular => match Scalar::default(self.tables, field.kind) {
                    Some(scalar) => self.scalar(scalar),
                    None => self.out.extend_from_slice(b"null"),
                },
            }
            self.check()?;
        }
        Ok(())
    }

    /// Whether a field that is not set is printed as `null`.
    fn is_null(&self, field: &Field) -> bool {
        self.options.defaults == Defaults::EmitNull && field.oneof.is_none() && !field.optional
    }
}

/// A field and its index, by its number.
pub(super) fn find(message: &Message, hint: usize, number: u32) -> Option<(usize, &Field)> {
    for index in hint..hint + 2 {
        if let Some(field) = message.fields.get(index)
            && field.number == number
        {
            return Some((index, field));
        }
    }
    let index = message
        .fields
        .binary_search_by_key(&number, |field| field.number)
        .ok()?;
    Some((index, message.fields.get(index)?))
}

impl<'t, 'w> Stream<'t, 'w> {
    /// Prints the record of a known field behind its tag.
    fn record(
        &mut self,
        walker: &mut Walker<'t, '_>,
        index: usize,
        reader: &mut Reader<'w>,
        (number, kind): (u32, WireType),
    ) -> Result<(), Stop> {
        let Some(field) = self.message.fields.get(index) else {
            return Ok(());
        };
        if let Kind::Group(id) = field.kind
            && kind == WireType::StartGroup
        {
            let inner = walker.tables.message(id);
            self.begin(walker, index, field)?;
            if walker.grouping || inner.well_known.is_some() || inner.message_set {
                let Raw::Group(content) = reader.value(number, kind)? else {
                    return Err(Stop::from(Malformed::Group));
                };
                return walker.message(id, &[content]);
            }
            let start = walker.out.len();
            walker.enter()?;
            walker.stream(inner, reader, Some(number))?;
            walker.leave();
            walker.close_object(start);
            return Ok(());
        }
        let raw = reader.value(number, kind)?;
        match (field.kind, raw) {
            (Kind::Message(_), Raw::Len(bytes)) if field.cardinality == Cardinality::Map => {
                self.entry(walker, index, field, bytes)
            }
            (Kind::Message(id), Raw::Len(bytes)) => {
                self.begin(walker, index, field)?;
                walker.message(id, &[bytes])
            }
            (kind, Raw::Len(bytes))
                if field.cardinality == Cardinality::Repeated && kind.packable() =>
            {
                let mut packed = Packed::new(bytes, wire_type(kind));
                while let Some(raw) = packed.next()? {
                    self.scalar(walker, index, field, raw)?;
                    walker.check()?;
                }
                Ok(())
            }
            (_, raw) => self.scalar(walker, index, field, raw),
        }
    }

    fn scalar(
        &mut self,
        walker: &mut Walker<'t, '_>,
        index: usize,
        field: &'t Field,
        raw: Raw<'_>,
    ) -> Result<(), Stop> {
        let Some(scalar) = Scalar::decode(walker.tables, field.kind, raw)? else {
            walker.unknown_fields += 1;
            return Ok(());
        };
        let implicit = field.cardinality == Cardinality::Singular
            && !field.presence
            && field.oneof.is_none()
            && walker.options.defaults == Defaults::Omit;
        if implicit && scalar.is_default() {
            if !self.seen.insert(index, field) {
                return Err(Stop::Conflict);
            }
            return Ok(());
        }
        self.begin(walker, index, field)?;
        walker.scalar(scalar);
        Ok(())
    }

    /// Prints what stands before a value: its name, the bracket of its list, or a comma.
    fn begin(
        &mut self,
        walker: &mut Walker<'t, '_>,
        index: usize,
        field: &'t Field,
    ) -> Result<(), Stop> {
        if let Some(open) = &self.open
            && open.index == index
        {
            walker.out.push(b',');
            return Ok(());
        }
        self.close(walker);
        if !self.seen.insert(index, field) {
            return Err(Stop::Conflict);
        }
        walker.key(field);
        if field.cardinality != Cardinality::Singular {
            self.open = Some(Open {
                index,
                start: walker.out.len(),
                keys: HashSet::new(),
            });
            // Becomes the opening bracket.
            walker.out.push(b',');
        }
        Ok(())
    }

    /// Closes the list or map that is open.
    fn close(&mut self, walker: &mut Walker<'t, '_>) {
        if let Some(open) = self.open.take() {
            let map = self
                .message
                .fields
                .get(open.index)
                .is_some_and(|field| field.cardinality == Cardinality::Map);
            if map {
                walker.close(open.start, b'{', b'}');
            } else {
                walker.close(open.start, b'[', b']');
            }
        }
    }

    fn entry(
        &mut self,
        walker: &mut Walker<'t, '_>,
        index: usize,
        field: &'t Field,
        bytes: &'w [u8],
    ) -> Result<(), Stop> {
        let Some(entry) = Entry::read(walker.tables, field.kind, bytes)? else {
            walker.unknown_fields += 1;
            return Ok(());
        };
        self.begin(walker, index, field)?;
        if let Some(open) = &mut self.open
            && !open.keys.insert(entry.key.identity())
        {
            return Err(Stop::Conflict);
        }
        walker.map_key(entry.key);
        walker.out.push(b':');
        walker.entry_value(&entry)
    }
}
