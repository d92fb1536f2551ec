//! A protobuf message becomes JSON, without objects in between.
//!
//! One optimistic pass prints each record as it comes. What real encoders never write - a
//! singular field twice, a list in pieces, two members of a oneof, a map key twice - is legal all
//! the same (J6): the pass then gives up, and the whole message is printed once more from its
//! records grouped by field. The second pass never gives up, so nothing is exponential.
//!
//! Rules: J1, J3-J6, S9.

mod any;
mod dynamic;
mod entry;
mod group;
mod keys;
mod object;
mod out;
mod pen;
mod scalar;
mod scan;
mod simple;
mod texts;
mod value;
mod walker;
mod well_known;

use std::fmt;

use super::escape;
use super::proto::Malformed;
use crate::schema::binding::FieldStep;
use crate::schema::plan::{MessageId, Tables};
use crate::schema::policy::JsonOptions;
use out::Out;
use walker::{Stop, Walker};

pub use keys::Scratch;
pub use texts::texts;

/// More spaces a level are not written.
const MAX_INDENT: u8 = 16;

/// What a message is to become.
#[derive(Clone, Copy, Debug)]
pub struct Response<'t> {
    /// The tables `message` belongs to.
    pub tables: &'t Tables,
    /// The response type.
    pub message: MessageId,
    /// The field that is the answer's body (`response_body`, S9); the whole message if none.
    /// A message that is not set is `{}`, and `null` if its JSON form is no object.
    pub selection: Option<FieldStep>,
    /// How JSON is written.
    pub options: &'t JsonOptions,
    /// How long the JSON may become.
    pub limit: usize,
}

/// What the JSON does not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Fields that the schema does not know, dropped (J5).
    pub unknown_fields: u64,
}

/// Why a message has no JSON form: the application sent it, so it is to blame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireError {
    kind: ErrorKind,
    /// The innermost field that is known to hold it, as `pkg.Message.field`.
    field: Option<String>,
}

/// The kinds of [`WireError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ErrorKind {
    Malformed(Malformed),
    Utf8,
    Timestamp,
    Duration,
    FieldMask,
    NotFinite,
    Depth,
    TooLarge,
}

impl WireError {
    const TOO_LARGE: Self = Self {
        kind: ErrorKind::TooLarge,
        field: None,
    };

    /// Whether the JSON would exceed its limit.
    pub fn is_too_large(&self) -> bool {
        self.kind == ErrorKind::TooLarge
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(match self.kind {
            ErrorKind::Malformed(malformed) => malformed.describe(),
            ErrorKind::Utf8 => "a string is not valid UTF-8",
            ErrorKind::Timestamp => "a timestamp is outside of the years 1 to 9999",
            ErrorKind::Duration => {
                "a duration is outside of 10,000 years or its parts differ in sign"
            }
            ErrorKind::FieldMask => "a path of a field mask has no JSON form",
            ErrorKind::NotFinite => "a google.protobuf.Value holds NaN or an infinity",
            ErrorKind::Depth => "messages are nested too deep",
            ErrorKind::TooLarge => "the JSON form exceeds its limit",
        })
    }
}

impl std::error::Error for WireError {}

/// Appends the JSON form of `wire` to `out`. After an error `out` is as it was.
pub fn transcode(
    response: &Response<'_>,
    wire: &[u8],
    out: &mut Vec<u8>,
) -> Result<Written, WireError> {
    transcode_with(&mut Scratch::default(), response, wire, out)
}

/// [`transcode`] for a caller that keeps what it takes: with the same `scratch`, and an `out` that
/// is cleared and used again, nothing is allocated once both have grown to what the messages need.
pub fn transcode_with(
    scratch: &mut Scratch,
    response: &Response<'_>,
    wire: &[u8],
    out: &mut Vec<u8>,
) -> Result<Written, WireError> {
    let start = out.len();
    let indent = usize::from(response.options.indent.min(MAX_INDENT));
    let result = if indent == 0 {
        compact(scratch, response, wire, out)
    } else {
        let mut json = std::mem::take(&mut scratch.compact);
        let result = compact(scratch, response, wire, &mut json).and_then(|written| {
            let fits = escape::indent(&json, indent, response.limit, out);
            fits.then_some(written).ok_or(WireError::TOO_LARGE)
        });
        scratch.keep(json);
        result
    };
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn compact(
    scratch: &mut Scratch,
    response: &Response<'_>,
    wire: &[u8],
    out: &mut Vec<u8>,
) -> Result<Written, WireError> {
    let start = out.len();
    let output = Out::new(out, response.limit);
    let walker = Walker::new(response.tables, response.options, scratch, output);
    // What is wrong may be overwritten further on. The simple pass looks only at what counts in the
    // end, so it has the last word; sound messages never get here.
    run(walker, response, wire).or_else(|_error| {
        out.truncate(start);
        transcode_simply(response, wire, out)
    })
}

/// [`transcode`] to compact JSON with the simple pass in place of the quick one: slower, otherwise
/// the same.
#[doc(hidden)]
pub fn transcode_simply(
    response: &Response<'_>,
    wire: &[u8],
    out: &mut Vec<u8>,
) -> Result<Written, WireError> {
    let start = out.len();
    let mut scratch = Scratch::default();
    let output = Out::new(out, response.limit);
    let mut walker = Walker::new(response.tables, response.options, &mut scratch, output);
    walker.quick = false;
    let result = run(walker, response, wire);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// [`transcode`] to compact JSON with all records grouped, as after a conflict.
#[doc(hidden)]
pub fn transcode_grouped(
    response: &Response<'_>,
    wire: &[u8],
    out: &mut Vec<u8>,
) -> Result<Written, WireError> {
    let start = out.len();
    let mut scratch = Scratch::default();
    let output = Out::new(out, response.limit);
    let mut walker = Walker::new(response.tables, response.options, &mut scratch, output);
    walker.grouping = true;
    let result = run(walker, response, wire);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn run<'t>(
    mut walker: Walker<'t, '_>,
    response: &Response<'t>,
    wire: &[u8],
) -> Result<Written, WireError> {
    let start = walker.out.len();
    let simple = !walker.quick && !walker.grouping;
    let mut result = print(&mut walker, response, wire);
    let again = match &result {
        Ok(()) => false,
        Err(Stop::Conflict) => true,
        // What is too long may be overwritten, too. The quick pass leaves that to the simple one.
        Err(Stop::Error(error)) => error.is_too_large() && simple,
    };
    if again {
        walker.start_over(start);
        result = print(&mut walker, response, wire);
    }
    match result {
        Ok(()) if walker.out.is_over() => Err(WireError::TOO_LARGE),
        Ok(()) => Ok(Written {
            unknown_fields: walker.unknown_fields,
        }),
        Err(Stop::Error(error)) => Err(*error),
        // Grouping leaves nothing to conflict.
        Err(Stop::Conflict) => Err(WireError {
            kind: ErrorKind::Malformed(Malformed::Tag),
            field: None,
        }),
    }
}

fn print<'t>(
    walker: &mut Walker<'t, '_>,
    response: &Response<'t>,
    wire: &[u8],
) -> Result<(), Stop> {
    let field = response.selection.and_then(|step| {
        let message = response.tables.message(step.message);
        Some((message, message.by_number(step.number)?))
    });
    match field {
        None => walker.message(response.message, &[wire]),
        Some((message, field)) => walker.bare_field(message, field, &[wire]),
    }
}

/// The type URL and the value of an encoded `Any`.
pub(super) fn any_parts(any: &[u8]) -> Option<(&str, &[u8])> {
    any::parts(&[any]).ok()
}

/// Appends an encoded `Any` as JSON; `false`, and nothing appended, when it has no JSON form.
pub(super) fn print_any(tables: &Tables, any: &[u8], out: &mut Vec<u8>) -> bool {
    let options = JsonOptions::default();
    let print = |walker: &mut Walker<'_, '_>| walker.any(&[any]);
    print_or_nothing((tables, &options), any.len(), out, print)
}

/// Appends a message of the type with this name as JSON; `false`, and nothing appended, when
/// nobody knows the type or the message has no JSON form.
pub(super) fn print_named(tables: &Tables, name: &str, wire: &[u8], out: &mut Vec<u8>) -> bool {
    let Some((of_type, id)) = super::known::find(tables, name) else {
        return false;
    };
    let options = JsonOptions::default();
    print_or_nothing((tables, &options), wire.len(), out, |walker| {
        walker.tables = of_type;
        walker.message(id, &[wire])
    })
}

fn print_or_nothing<'t>(
    (tables, options): (&'t Tables, &'t JsonOptions),
    length: usize,
    out: &mut Vec<u8>,
    print: impl FnOnce(&mut Walker<'t, '_>) -> Result<(), Stop>,
) -> bool {
    /// No byte of a message becomes more bytes of JSON than a control character, but names do.
    const GROWTH: usize = 64;
    let start = out.len();
    let limit = length.saturating_mul(GROWTH).saturating_add(1 << 10);
    let mut scratch = Scratch::default();
    let mut walker = Walker::new(tables, options, &mut scratch, Out::new(out, limit));
    walker.grouping = true;
    let done = print(&mut walker).is_ok() && !walker.out.is_over();
    if !done {
        out.truncate(start);
    }
    done
}
