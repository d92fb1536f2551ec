//! The quick pass: JSON to wire in one go over the text, by the tables of `schema/plan`, without an
//! allocation of its own.
//!
//! It is sure of what it accepts and says nothing of what it does not: at the least [`Doubt`] the
//! output is as it was, and the simple pass reads the body anew, complains with field path and
//! offset, or finds nothing wrong. What both accept they write alike, byte by byte.

mod any;
mod cursor;
mod free;
mod known;
mod map;
mod number;
mod object;
mod out;
mod scan;
mod string;
mod value;

use super::{Request, field};
use crate::schema::binding::BodyTarget;
use crate::schema::plan::Tables;
use crate::schema::policy::JsonOptions;
use crate::transcode::MAX_DEPTH;
use cursor::Cursor;
use map::Keys;
use object::Members;
use out::Out;
pub(super) use out::SLACK as ROOM;

/// The pass is not sure; the simple one decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doubt;

/// The state of one pass.
struct Quick<'t, 'j> {
    /// Where type ids lead now; differs from `schema` inside of an `Any` with a built-in type.
    tables: &'t Tables,
    /// The tables of the application.
    schema: &'t Tables,
    options: &'t JsonOptions,
    cursor: Cursor<'j>,
    out: Out,
    keys: Keys,
    depth: usize,
    /// Whether `Struct`, `Value` and `ListValue` are as usual, once it is known.
    usual: Option<bool>,
}

/// What became of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It was written, or is the default that need not be.
    Set,
    /// It was null, which leaves a field unset.
    Null,
}

/// Appends the message that the body of a request stands for to `out`; without the bound values.
/// In doubt `out` is as it was.
pub(super) fn body(request: &Request<'_>, json: &[u8], out: &mut Vec<u8>) -> Result<(), Doubt> {
    let mut quick = Quick {
        tables: request.tables,
        schema: request.tables,
        options: request.options,
        cursor: Cursor::new(json),
        out: Out::new(std::mem::take(out), request.limit, json.len()),
        keys: Keys::NONE,
        depth: 0,
        usual: None,
    };
    let result = quick.request(request);
    quick.keys.give_back();
    *out = quick.out.finish(result.is_ok());
    result
}

impl<'t> Quick<'t, '_> {
    fn request(&mut self, request: &Request<'t>) -> Result<(), Doubt> {
        let bound = Some(&request.bound.root).filter(|root| !root.fields.is_empty());
        match request.target {
            BodyTarget::None => return Err(Doubt),
            BodyTarget::Whole => self.content(request.message, bound)?,
            BodyTarget::Field(step) => {
                let message = self.tables.message(request.message);
                let (index, _) = field(message, step.number).ok_or(Doubt)?;
                let mut members = Members::new(message, bound);
                self.member(&mut members, index)?;
                self.finish(&members)?;
            }
        }
        let end = self.cursor.token();
        if end != 0 || self.cursor.at != self.cursor.json.len() || self.out.is_too_long() {
            return Err(Doubt);
        }
        Ok(())
    }

    /// To be called when an object or a list begins.
    fn enter(&mut self) -> Result<(), Doubt> {
        if self.depth >= MAX_DEPTH {
            return Err(Doubt);
        }
        self.depth += 1;
        Ok(())
    }

    /// To be called when it ends.
    fn leave(&mut self) {
        self.depth -= 1;
    }
}
