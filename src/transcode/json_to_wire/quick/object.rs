//! The members of an object that is a message.

use smallvec::SmallVec;

use super::cursor::Cursor;
use super::{Doubt, Outcome, Quick};
use crate::schema::plan::{Cardinality, Message, Parsing, Tables, Tag, Target};
use crate::schema::policy::UnknownFields;
use crate::transcode::bind::{Node, Slot};

/// A set of the fields of a message, by their index.
#[derive(Default)]
struct Fields {
    low: u64,
    high: SmallVec<[u64; 3]>,
}

/// What was seen of one message so far.
pub(super) struct Members<'t, 'b> {
    message: &'t Message,
    parsing: &'t Parsing,
    /// What path and query set of it.
    bound: Option<&'b Node>,
    /// Fields whose key was given.
    given: Fields,
    /// Fields that are set.
    set: Fields,
    /// Oneofs of which a member is set.
    oneofs: u64,
}

// === impl Fields ===

impl Fields {
    /// Says whether it is new.
    #[inline]
    fn insert(&mut self, index: usize) -> bool {
        let bit = 1 << (index % 64);
        let word = match (index / 64).checked_sub(1) {
            None => &mut self.low,
            Some(at) => {
                if at >= self.high.len() {
                    self.high.resize(at + 1, 0);
                }
                match self.high.get_mut(at) {
                    Some(word) => word,
                    None => &mut self.low,
                }
            }
        };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    fn contains(&self, index: usize) -> bool {
        let word = match (index / 64).checked_sub(1) {
            None => Some(&self.low),
            Some(at) => self.high.get(at),
        };
        word.is_some_and(|word| word >> (index % 64) & 1 == 1)
    }
}

// === impl Members ===

impl<'t, 'b> Members<'t, 'b> {
    #[inline]
    pub(super) fn new(message: &'t Message, bound: Option<&'b Node>) -> Self {
        Self {
            message,
            parsing: message.parsing(),
            bound,
            given: Fields::default(),
            set: Fields::default(),
            oneofs: 0,
        }
    }

    /// Notes that a field was set, unless another member of its oneof was.
    #[inline]
    fn note_set(&mut self, index: usize, oneof: u64) -> Result<(), Doubt> {
        if self.oneofs & oneof != 0 {
            return Err(Doubt);
        }
        self.oneofs |= oneof;
        self.set.insert(index);
        Ok(())
    }

    /// Whether path or query set another member of the oneof of a field.
    fn is_taken(&self, node: &Node, index: usize) -> bool {
        let field = self.message.fields.get(index);
        let Some((field, oneof)) = field.and_then(|field| Some((field, field.oneof?))) else {
            return false;
        };
        node.fields.keys().any(|number| {
            let other = self.message.by_number(*number);
            *number != field.number && other.is_some_and(|other| other.oneof == Some(oneof))
        })
    }
}

// === impl Quick ===

impl<'t> Quick<'t, '_> {
    /// Reads an object and appends its content.
    pub(super) fn object(
        &mut self,
        message: &'t Message,
        bound: Option<&Node>,
    ) -> Result<(), Doubt> {
        self.enter()?;
        let mut members = Members::new(message, bound);
        if self.cursor.open(b'{', b'}')? {
            self.members(&mut members)?;
        }
        self.finish(&members)?;
        self.leave();
        Ok(())
    }

    /// Reads the members that are left of an object, up to its end.
    pub(super) fn members(&mut self, members: &mut Members<'t, '_>) -> Result<(), Doubt> {
        let parsing = members.parsing;
        let usual = members.bound.is_none() && !parsing.odd;
        let mut expected = 0;
        self.cursor.expect(b'"')?;
        loop {
            let index = self.key(parsing, expected)?;
            match parsing.targets.get(index) {
                Some(target) if usual && target.bit != 0 => {
                    if members.given.low & target.bit != 0 {
                        return Err(Doubt);
                    }
                    members.given.low |= target.bit;
                    if self.value(target, None)? == Outcome::Set {
                        if members.oneofs & target.oneof != 0 {
                            return Err(Doubt);
                        }
                        members.oneofs |= target.oneof;
                        members.set.low |= target.bit;
                    }
                }
                Some(_) => self.member(members, index)?,
                None => self.skip(0)?,
            }
            expected = index.wrapping_add(1);
            if self.cursor.comma_and_quote() {
                continue;
            }
            if !self.cursor.more(b'}')? {
                return Ok(());
            }
            self.cursor.expect(b'"')?;
        }
    }

    /// Goes past the rest of a key and its colon: the index of the field it names. None has the last
    /// index, if nobody need know the name.
    #[inline(always)]
    fn key(&mut self, parsing: &Parsing, expected: usize) -> Result<usize, Doubt> {
        let Cursor { json, at } = self.cursor;
        if let Some(target) = parsing.targets.get(expected)
            && let Some(start) = self.cursor.chunk(at)
            && let Some(end) = target.matches(start, json, at)
        {
            self.cursor.at = end;
            return Ok(expected);
        }
        self.find_key(parsing)
    }

    #[inline(never)]
    fn find_key(&mut self, parsing: &Parsing) -> Result<usize, Doubt> {
        let name = self.cursor.text()?.plain()?;
        self.cursor.expect(b':')?;
        match parsing.find(name) {
            Some(index) => Ok(index),
            // A second `@type` of an `Any` is not for anybody to ignore.
            None if name == b"@type" => Err(Doubt),
            None if self.options.unknown_fields == UnknownFields::Reject => Err(Doubt),
            None => Ok(usize::MAX),
        }
    }

    /// Reads the value of a field, whatever its cardinality.
    #[inline(always)]
    fn value(&mut self, target: &Target, bound: Option<&Node>) -> Result<Outcome, Doubt> {
        match target.cardinality {
            Cardinality::Singular => self.singular(target, bound),
            Cardinality::Repeated => self.list_field(target),
            Cardinality::Map => self.map_field(target),
        }
    }

    /// Reads the value of the field at `index`, with what path and query set in mind.
    #[inline(never)]
    pub(super) fn member(
        &mut self,
        members: &mut Members<'t, '_>,
        index: usize,
    ) -> Result<(), Doubt> {
        let parsing = members.parsing;
        if parsing.odd || !members.given.insert(index) {
            return Err(Doubt);
        }
        let target = parsing.targets.get(index).ok_or(Doubt)?;
        let below = match members.bound {
            None => None,
            Some(node) => {
                let number = members
                    .message
                    .fields
                    .get(index)
                    .map_or(0, |field| field.number);
                match node.fields.get(&number) {
                    Some(Slot::Path(expected) | Slot::Header(expected)) => {
                        return self.compare(members, index, expected);
                    }
                    _ if members.is_taken(node, index) => return Err(Doubt),
                    Some(Slot::Message { node, .. }) => Some(node),
                    Some(Slot::Query(_) | Slot::List { .. } | Slot::Map(_)) | None => None,
                }
            }
        };
        let outcome = self.value(target, below)?;
        if outcome == Outcome::Set {
            members.note_set(index, target.oneof)?;
        }
        Ok(())
    }

    /// A field that the path or a header binds may repeat the same value (B3).
    fn compare(
        &mut self,
        members: &Members<'t, '_>,
        index: usize,
        expected: &[u8],
    ) -> Result<(), Doubt> {
        let target = members.parsing.targets.get(index).ok_or(Doubt)?;
        if target.cardinality != Cardinality::Singular {
            return Err(Doubt);
        }
        let start = self.out.at;
        let tag = members.message.fields.get(index).map_or(Tag::NONE, Tag::of);
        let outcome = self.element_or_null(target.kind, tag)?;
        let same = self.out.since(start) == expected;
        self.out.truncate(start);
        if outcome == Outcome::Set && !same {
            return Err(Doubt);
        }
        Ok(())
    }

    /// Doubts that everything that is required is there.
    #[inline(always)]
    pub(super) fn finish(&mut self, members: &Members<'t, '_>) -> Result<(), Doubt> {
        if !members.parsing.required && members.bound.is_none() {
            return Ok(());
        }
        self.finish_with_care(members)
    }

    fn finish_with_care(&mut self, members: &Members<'t, '_>) -> Result<(), Doubt> {
        if members.parsing.required {
            for (index, field) in members.message.fields.iter().enumerate() {
                let bound = members
                    .bound
                    .is_some_and(|node| node.fields.contains_key(&field.number));
                if field.required && !bound && !members.set.contains(index) {
                    return Err(Doubt);
                }
            }
        }
        let Some(node) = members.bound else {
            return Ok(());
        };
        // Messages of which only the URL sets something were not seen by anybody else.
        let unseen = |index| !members.set.contains(index);
        if may_be_incomplete(self.tables, members.message, node, &unseen) {
            return Err(Doubt);
        }
        Ok(())
    }
}

/// Whether something may be required of the messages that are bound below this one.
fn may_be_incomplete(
    tables: &Tables,
    message: &Message,
    node: &Node,
    unseen: &dyn Fn(usize) -> bool,
) -> bool {
    let of = |index: &usize| unseen(*index);
    node.fields.iter().any(|(number, slot)| {
        let index = message
            .fields
            .binary_search_by_key(number, |field| field.number);
        let Some(inner) = index
            .ok()
            .filter(of)
            .and_then(|index| message.fields.get(index)?.kind.message())
        else {
            return false;
        };
        let inner = tables.message(inner);
        let wanting = |node: &Node| {
            inner.parsing().required || may_be_incomplete(tables, inner, node, &|_| true)
        };
        match slot {
            Slot::Message { node, .. } => wanting(node),
            Slot::List { elements, .. } => elements.values().any(wanting),
            Slot::Path(_) | Slot::Header(_) | Slot::Query(_) | Slot::Map(_) => false,
        }
    })
}
