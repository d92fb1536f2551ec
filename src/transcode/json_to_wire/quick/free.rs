//! `google.protobuf.Struct`, `Value` and `ListValue`: JSON of whatever shape.

use super::{Doubt, Quick};
use crate::schema::plan::{Cardinality, Field, Kind, Message, MessageId, Tables, Tag, WellKnown};

impl Quick<'_, '_> {
    /// Reads one of the three and appends its content.
    pub(super) fn free(&mut self, well_known: WellKnown) -> Result<(), Doubt> {
        if !self.is_usual() {
            return Err(Doubt);
        }
        match well_known {
            WellKnown::Struct => self.free_object(),
            WellKnown::ListValue => self.free_list(),
            _ => self.free_value(),
        }
    }

    /// Reads a value and appends the content of a `Value`.
    fn free_value(&mut self) -> Result<(), Doubt> {
        const NUMBER: Tag = Tag::new(2, 1);
        const TEXT: Tag = Tag::new(3, 2);
        match self.cursor.token() {
            b'"' => {
                let text = self.cursor.string()?;
                self.put_text(TEXT, text)
            }
            b'{' => self.nested(Tag::new(5, 2), Self::free_object),
            b'[' => self.nested(Tag::new(6, 2), Self::free_list),
            b'n' => {
                self.cursor.literal(b"null")?;
                self.out.put([0x08, 0], 2)
            }
            b't' | b'f' => {
                let value = self.boolean()?;
                self.out.put([0x20, u8::from(value)], 2)
            }
            _ => {
                let value = self.cursor.bare_double()?;
                self.out.put_fixed(NUMBER, value.to_bits(), 8)
            }
        }
    }

    fn nested(
        &mut self,
        tag: Tag,
        content: impl FnOnce(&mut Self) -> Result<(), Doubt>,
    ) -> Result<(), Doubt> {
        self.out.put_tag(tag)?;
        let length = self.out.open(self.depth)?;
        content(self)?;
        self.out.close(length)
    }

    /// Reads a value and appends the record of a `Value`.
    #[inline]
    pub(super) fn free_element(&mut self, tag: Tag) -> Result<(), Doubt> {
        self.nested(tag, Self::free_value)
    }

    /// Reads the list of a `ListValue` and appends its elements.
    fn free_list(&mut self) -> Result<(), Doubt> {
        const ELEMENT: Tag = Tag::new(1, 2);
        self.enter()?;
        if self.cursor.open(b'[', b']')? {
            loop {
                self.free_element(ELEMENT)?;
                if !self.cursor.more(b']')? {
                    break;
                }
            }
        }
        self.leave();
        Ok(())
    }

    /// Whether the three types are Google's; nobody keeps a schema from having others.
    fn is_usual(&mut self) -> bool {
        if let Some(known) = self.usual {
            return known;
        }
        let usual = is_usual(self.tables).is_some();
        self.usual = Some(usual);
        usual
    }
}

fn is_usual(tables: &Tables) -> Option<()> {
    let id = tables.find_message("google.protobuf.Value")?;
    let value = tables.message(id);
    let object = only_field(tables, value, 5)?;
    let list = only_field(tables, value, 6)?;
    let entry = &*tables.message(object.kind.message()?).fields;
    let [key, member] = entry else { return None };
    let is_value = |kind| kind == Kind::Message(id);
    let usual = object.cardinality == Cardinality::Map
        && (key.number, key.kind) == (1, Kind::String)
        && (member.number, is_value(member.kind)) == (2, true)
        && list.cardinality == Cardinality::Repeated
        && is_value(list.kind);
    usual.then_some(())
}

/// The field of the message in this field of a `Value`, which has number 1.
fn only_field<'t>(tables: &'t Tables, value: &Message, number: u32) -> Option<&'t Field> {
    let Kind::Message(id @ MessageId(_)) = value.by_number(number)?.kind else {
        return None;
    };
    let field = tables.message(id).fields.first()?;
    (field.number == 1).then_some(field)
}
