//! The codec's tables: every message and enum of a schema, resolved and flat.
//!
//! Names are resolved to indices, editions features to plain booleans, well-known types to an
//! enum, so that the codec asks nothing twice and follows no string. What is in a type is made when
//! it is first asked for (`lazy`) and never changes; it is reached as if it stood in the type.

mod declare;
mod define;
mod field;
mod finish;
mod lazy;
mod parsing;
mod printing;

pub(super) use declare::Declared;
pub(super) use define::Definitions;
pub(crate) use lazy::{Lazy, Resolver};
pub(crate) use parsing::{Numbers, Parsing, Tag, Target};
pub(crate) use printing::{Member, Names, Printing, Rendered, SHORT};

use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;

/// Index of a [`Message`] in its [`Tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u32);

/// Index of an [`Enum`] in its [`Tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnumId(pub u32);

/// What a full name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeId {
    /// A message.
    Message(MessageId),
    /// An enum.
    Enum(EnumId),
}

/// All types of a schema.
#[derive(Debug, Default)]
pub struct Tables {
    pub(crate) messages: Vec<Message>,
    pub(crate) enums: Vec<Enum>,
    pub(crate) resolver: Arc<Resolver>,
}

/// One message type.
#[derive(Debug)]
pub struct Message {
    /// Full name without a leading dot.
    pub full_name: Arc<str>,
    /// Its fields, which stand in the message as if they were its own.
    pub(crate) shape: Lazy<Shape>,
    /// Set when the ProtoJSON specification gives the type a form of its own.
    pub well_known: Option<WellKnown>,
    /// The entry type of a map field: fields 1 (key) and 2 (value).
    pub map_entry: bool,
    /// proto2's MessageSet wire format.
    pub message_set: bool,
}

/// What is in a message.
#[derive(Debug, Default)]
pub struct Shape {
    /// Ascending by number; extensions of this message that the schema knows are among them.
    pub fields: Box<[Field]>,
    /// Index into `fields` by proto name, by JSON name and, for extensions, by `[full.name]`.
    /// A JSON name wins where it equals the proto name of another field.
    pub names: FxHashMap<Arc<str>, u16>,
    /// Names of the oneofs (synthetic ones excluded), by oneof index.
    pub oneofs: Box<[Box<str>]>,
    /// Made when it is first asked for.
    pub(crate) printing: OnceLock<Printing>,
    /// Made when it is first asked for.
    pub(crate) parsing: OnceLock<Parsing>,
}

/// One field of a message.
#[allow(
    clippy::struct_excessive_bools,
    reason = "four independent facts, each read by name"
)]
#[derive(Clone, Debug)]
pub struct Field {
    /// Field number.
    pub number: u32,
    /// Name in the proto file; `[full.name]` for an extension.
    pub name: Arc<str>,
    /// Name in JSON (given or derived); `[full.name]` for an extension.
    pub json_name: Arc<str>,
    /// Type.
    pub kind: Kind,
    /// Singular, repeated or map.
    pub cardinality: Cardinality,
    /// Whether the field is written packed (both forms are always read).
    pub packed: bool,
    /// Explicit presence: a default value that was set is written; without, it is left out.
    pub presence: bool,
    /// proto2 `required` (or `LEGACY_REQUIRED`).
    pub required: bool,
    /// Index into `oneofs` of the message, never a synthetic oneof.
    pub oneof: Option<u16>,
    /// proto3 `optional`.
    pub optional: bool,
    /// Strings must be valid UTF-8 (proto3 and editions' VERIFY).
    pub verify_utf8: bool,
}

/// How often a field may stand in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cardinality {
    /// Once.
    Singular,
    /// A list.
    Repeated,
    /// A map; the kind is a [`Kind::Message`] that is a map entry.
    Map,
}

/// The type of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the names are those of the protobuf language guide"
)]
pub enum Kind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    Enum(EnumId),
    /// Length-prefixed message.
    Message(MessageId),
    /// Group-encoded message (proto2 groups, editions' DELIMITED).
    Group(MessageId),
}

/// One enum type.
#[derive(Debug)]
pub struct Enum {
    /// Full name without a leading dot.
    pub full_name: Arc<str>,
    /// Its values, which stand in the enum as if they were its own.
    pub(crate) listed: Lazy<EnumValues>,
    /// Closed enums (proto2) treat an unknown number as an unknown field.
    pub closed: bool,
    /// `google.protobuf.NullValue`, whose JSON form is `null`.
    pub null_value: bool,
}

/// What is in an enum.
#[derive(Debug, Default)]
pub struct EnumValues {
    /// In order of declaration: name and number. The first name of a number is its JSON form.
    /// Empty only when the descriptor is broken.
    pub values: Box<[(Arc<str>, i32)]>,
    /// Number by name, aliases included.
    pub by_name: FxHashMap<Arc<str>, i32>,
    /// Index into `values` of the first name of a number.
    pub by_number: FxHashMap<i32, u32>,
    /// Made when it is first asked for.
    pub(crate) printed: Names,
    /// Made when it is first asked for.
    pub(crate) parsed: Numbers,
}

/// Types whose JSON form the ProtoJSON specification gives itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of google.protobuf")]
pub enum WellKnown {
    Any,
    Timestamp,
    Duration,
    FieldMask,
    Struct,
    Value,
    ListValue,
    Empty,
    /// The nine wrappers: their JSON is that of their field 1.
    Wrapper,
}

impl Tables {
    /// Tables of no more than these names; what they lead to is added by who knows it.
    pub(crate) fn of_names(names: impl Iterator<Item = (Arc<str>, TypeId)>) -> Self {
        let resolver = Resolver::of_names(names);
        Self {
            resolver: Arc::new(resolver),
            ..Self::default()
        }
    }

    /// The message behind an index.
    #[allow(
        clippy::indexing_slicing,
        reason = "ids are only made by the builder of these tables"
    )]
    pub fn message(&self, id: MessageId) -> &Message {
        &self.messages[id.0 as usize]
    }

    /// The enum behind an index.
    #[allow(
        clippy::indexing_slicing,
        reason = "ids are only made by the builder of these tables"
    )]
    pub fn enumeration(&self, id: EnumId) -> &Enum {
        &self.enums[id.0 as usize]
    }

    /// A type by its full name without a leading dot.
    pub fn find(&self, full_name: &str) -> Option<TypeId> {
        self.resolver.find(full_name)
    }

    /// A message by its full name without a leading dot.
    pub fn find_message(&self, full_name: &str) -> Option<MessageId> {
        match self.find(full_name) {
            Some(TypeId::Message(id)) => Some(id),
            Some(TypeId::Enum(_)) | None => None,
        }
    }

    /// Every message, in the order of their ids.
    pub fn messages(&self) -> impl Iterator<Item = (MessageId, &Message)> {
        (0..).map(MessageId).zip(&self.messages)
    }
}

impl Message {
    /// A field by its number.
    pub fn by_number(&self, number: u32) -> Option<&Field> {
        let index = self
            .fields
            .binary_search_by_key(&number, |field| field.number)
            .ok()?;
        self.fields.get(index)
    }

    /// A field by proto name, JSON name or, for an extension, `[full.name]`.
    pub fn by_name(&self, name: &str) -> Option<&Field> {
        self.fields.get(usize::from(*self.names.get(name)?))
    }
}

impl Message {
    /// How messages of this type are printed.
    #[inline]
    pub(crate) fn printing(&self) -> &Printing {
        self.printing.get_or_init(|| Printing::new(self))
    }

    /// How messages of this type are read.
    #[inline]
    pub(crate) fn parsing(&self) -> &Parsing {
        self.parsing.get_or_init(|| Parsing::new(self))
    }
}

impl EnumValues {
    /// The table of these values; of two with one name the first counts.
    pub(crate) fn new(listed: impl IntoIterator<Item = (impl AsRef<str>, i32)>) -> Self {
        let mut table = Self::default();
        let mut values: Vec<(Arc<str>, i32)> = Vec::new();
        for (name, number) in listed {
            let name = name.as_ref();
            let Ok(index) = u32::try_from(values.len()) else {
                break;
            };
            if table.by_name.contains_key(name) {
                continue;
            }
            let name: Arc<str> = name.into();
            table.by_name.insert(Arc::clone(&name), number);
            table.by_number.entry(number).or_insert(index);
            values.push((name, number));
        }
        table.values = values.into();
        table
    }
}

impl Enum {
    /// The JSON form of a number, if it has a name and is low; the others are to be looked up.
    #[inline]
    pub(crate) fn printed(&self, number: i32) -> Option<&Rendered> {
        self.printed.find(self, number)
    }

    /// The number of a name.
    #[inline]
    pub(crate) fn number(&self, name: &[u8]) -> Option<i32> {
        self.parsed.find(self, name)
    }
}

impl Kind {
    /// The message type of a message or group field.
    pub fn message(self) -> Option<MessageId> {
        match self {
            Self::Message(id) | Self::Group(id) => Some(id),
            _ => None,
        }
    }

    /// Whether values of this kind may stand packed.
    pub fn packable(self) -> bool {
        !matches!(
            self,
            Self::String | Self::Bytes | Self::Message(_) | Self::Group(_)
        )
    }
}
