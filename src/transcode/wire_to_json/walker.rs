//! The state of one pass over a message, and which reader a message type needs.

use super::keys::Scratch;
use super::out::Out;
use super::{ErrorKind, WireError};
use crate::schema::plan::{Field, Message, MessageId, Rendered, Tables};
use crate::schema::policy::{FieldNames, JsonOptions};
use crate::transcode::proto::{Malformed, Reader};
use crate::transcode::{MAX_DEPTH, escape};

/// Why a pass ends early.
pub(super) enum Stop {
    /// The records must be grouped first.
    Conflict,
    /// There is no JSON form.
    Error(Box<WireError>),
}

impl From<ErrorKind> for Stop {
    #[cold]
    #[inline(never)]
    fn from(kind: ErrorKind) -> Self {
        Self::Error(Box::new(WireError { kind, field: None }))
    }
}

impl From<Malformed> for Stop {
    #[cold]
    #[inline(never)]
    fn from(malformed: Malformed) -> Self {
        Self::from(ErrorKind::Malformed(malformed))
    }
}

impl Stop {
    /// Names the field it happened in; the innermost name stays.
    pub(super) fn within(mut self, message: &Message, field: &Field) -> Self {
        if let Self::Error(error) = &mut self {
            error
                .field
                .get_or_insert_with(|| format!("{}.{}", message.full_name, field.name));
        }
        self
    }
}

/// The state of one pass.
pub(super) struct Walker<'t, 'o> {
    /// Where type ids lead now; differs from `schema` inside of an `Any` with a built-in type.
    pub(super) tables: &'t Tables,
    /// The tables of the application.
    pub(super) schema: &'t Tables,
    pub(super) options: &'t JsonOptions,
    pub(super) out: Out<'o>,
    /// What is kept for the next pass.
    pub(super) scratch: &'o mut Scratch,
    /// Records are grouped by field before they are printed.
    pub(super) grouping: bool,
    /// The optimistic pass is the quick one.
    pub(super) quick: bool,
    pub(super) unknown_fields: u64,
    pub(super) depth: usize,
}

impl<'t, 'o> Walker<'t, 'o> {
    pub(super) fn new(
        tables: &'t Tables,
        options: &'t JsonOptions,
        scratch: &'o mut Scratch,
        out: Out<'o>,
    ) -> Self {
        Self {
            tables,
            schema: tables,
            options,
            out,
            scratch,
            grouping: false,
            quick: true,
            unknown_fields: 0,
            depth: 0,
        }
    }

    /// Forgets everything after `start` for the second pass.
    pub(super) fn start_over(&mut self, start: usize) {
        self.out.truncate(start);
        self.tables = self.schema;
        self.grouping = true;
        self.unknown_fields = 0;
        self.depth = 0;
    }

    /// To be called when an object or a list of values begins.
    pub(super) fn enter(&mut self) -> Result<(), Stop> {
        if self.depth >= MAX_DEPTH {
            return Err(Stop::from(ErrorKind::Depth));
        }
        self.depth += 1;
        Ok(())
    }

    /// To be called when it ends.
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// To be called after each value.
    pub(super) fn check(&self) -> Result<(), Stop> {
        if self.out.is_over() {
            return Err(Stop::from(ErrorKind::TooLarge));
        }
        Ok(())
    }

    /// Prints a message of which `fragments` are the records, in whatever pieces they came.
    pub(super) fn message(&mut self, id: MessageId, fragments: &[&[u8]]) -> Result<(), Stop> {
        let message = self.tables.message(id);
        if let Some(well_known) = message.well_known {
            return self.well_known(message, well_known, fragments);
        }
        let start = self.out.len();
        self.enter()?;
        self.members(message, fragments)?;
        self.leave();
        self.close_object(start);
        Ok(())
    }

    /// Prints the members of an object, each with a comma in front.
    pub(super) fn members(
        &mut self,
        message: &'t Message,
        fragments: &[&[u8]],
    ) -> Result<(), Stop> {
        match fragments {
            [fragment] if !self.grouping && !message.message_set => {
                let mut reader = Reader::new(fragment);
                if self.quick {
                    self.object(message, reader, None).map(|_| ())
                } else {
                    self.stream(message, &mut reader, None)
                }
            }
            fragments => {
                let outer = std::mem::replace(&mut self.grouping, true);
                self.grouped(message, fragments)?;
                self.grouping = outer;
                Ok(())
            }
        }
    }

    /// The same, within the limit.
    #[inline]
    pub(super) fn finish(&mut self, start: usize) -> Result<(), Stop> {
        match self.out.get_mut(start) {
            Some(comma) => {
                *comma = b'{';
                self.out.byte(b'}')
            }
            None => self.out.plain(Rendered::NOTHING, b"{}"),
        }
    }

    /// Makes an object of the members printed since `start`.
    pub(super) fn close_object(&mut self, start: usize) {
        self.close(start, b'{', b'}');
    }

    /// Makes an object or a list of everything since `start` that has a comma in front.
    pub(super) fn close(&mut self, start: usize, open: u8, close: u8) {
        match self.out.get_mut(start) {
            Some(comma) => *comma = open,
            None => self.out.push(open),
        }
        self.out.push(close);
    }

    /// Prints a comma, the name of a field and a colon.
    pub(super) fn key(&mut self, field: &Field) {
        let name = match self.options.names {
            FieldNames::Camel => &field.json_name,
            FieldNames::Proto => &field.name,
        };
        self.out.push(b',');
        escape::string(&mut self.out, name);
        self.out.push(b':');
    }
}
