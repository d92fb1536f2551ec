//! Types as JSON Schema: components for messages and enums, forms of their own for well-known
//! types and scalars.

use std::collections::BTreeMap;

use super::form::Form;
use super::json::{Json, Object};
use super::notes::{Note, Notes};
use crate::schema::Schema;
use crate::schema::plan::{
    Cardinality, EnumId, Field, Kind, Message, MessageId, TypeId, WellKnown,
};

/// Writes schemas and collects the components they refer to.
#[derive(Debug)]
pub(super) struct Types<'a> {
    pub(super) schema: &'a Schema,
    pub(super) notes: Notes<'a>,
    components: BTreeMap<String, Component>,
    /// Components that something refers to and that are still to be written.
    waiting: Vec<(String, TypeId, Form)>,
    /// Whether a body is being written in which unknown fields are refused.
    pub(super) closing: bool,
    /// Names that were referred to since somebody looked.
    referred: Vec<String>,
}

/// One schema of the components.
#[derive(Debug, Default)]
struct Component {
    schema: Object,
    refers_to: Vec<String>,
    /// A message with fields of its own, which may be closed.
    fields: bool,
    closed: bool,
}

/// The fields that are left out of a message because the path has them: as numbers, from the
/// message down.
pub(super) type Without = Vec<Vec<u32>>;

impl<'a> Types<'a> {
    pub(super) fn new(schema: &'a Schema) -> Self {
        Self {
            schema,
            notes: Notes::new(&schema.files),
            components: BTreeMap::new(),
            waiting: Vec::new(),
            closing: false,
            referred: Vec::new(),
        }
    }

    /// What a value of this kind is in JSON.
    pub(super) fn value(&mut self, kind: Kind, form: Form) -> Object {
        match kind {
            Kind::Message(id) | Kind::Group(id) => self.message(id, form),
            Kind::Enum(id) => self.enumeration(id, form),
            scalar => super::scalar::schema(scalar, form),
        }
    }

    /// What a message of this type is in JSON.
    pub(super) fn message(&mut self, id: MessageId, form: Form) -> Object {
        let message = self.schema.tables.message(id);
        match message.well_known {
            Some(WellKnown::Wrapper) => {
                let kind = message
                    .by_number(1)
                    .map_or(Kind::String, |field| field.kind);
                super::scalar::nullable(super::scalar::schema(kind, form))
            }
            Some(WellKnown::Any) | None => {
                self.refer(&message.full_name, TypeId::Message(id), form)
            }
            Some(known) => super::scalar::well_known(known),
        }
    }

    fn enumeration(&mut self, id: EnumId, form: Form) -> Object {
        let enumeration = self.schema.tables.enumeration(id);
        if enumeration.null_value {
            return Object::new().with("type", "null");
        }
        self.refer(&enumeration.full_name, TypeId::Enum(id), form)
    }

    fn refer(&mut self, full_name: &str, id: TypeId, form: Form) -> Object {
        let default = Form::of(&self.schema.default_policy.json);
        let (form, default) = match id {
            TypeId::Message(_) => (form, default),
            TypeId::Enum(_) => (form.of_enums(), default.of_enums()),
        };
        let name = format!("{full_name}{}", form.suffix(default));
        if !self.components.contains_key(&name) {
            self.components.insert(name.clone(), Component::default());
            self.waiting.push((name.clone(), id, form));
        }
        let reference = format!("#/components/schemas/{name}");
        self.referred.push(name);
        Object::new().with("$ref", reference)
    }

    /// Writes what is referred to and not written yet, and gives all components back.
    pub(super) fn finish(mut self) -> Object {
        while let Some((name, id, form)) = self.waiting.pop() {
            let outer = std::mem::take(&mut self.referred);
            let (schema, fields) = match id {
                TypeId::Message(id) => self.component(id, form),
                TypeId::Enum(id) => (self.values(id, form), false),
            };
            let refers_to = std::mem::replace(&mut self.referred, outer);
            let component = self.components.entry(name).or_default();
            component.schema = schema;
            component.fields = fields;
            component.refers_to = refers_to;
        }
        self.close();
        let all = self.components.into_iter();
        all.map(|(name, component)| (name, Json::from(component.schema)))
            .collect()
    }

    /// What was referred to since this was asked last.
    pub(super) fn take_referred(&mut self) -> Vec<String> {
        std::mem::take(&mut self.referred)
    }

    /// Names components that stand in a request where unknown fields are refused.
    pub(super) fn mark_closed(&mut self, names: Vec<String>) {
        for name in names {
            self.components.entry(name).or_default().closed = true;
        }
    }

    /// In requests, unknown fields are refused: so says every message that a request may hold, at
    /// any depth. Those that stand in answers alone may grow.
    fn close(&mut self) {
        let closed = self
            .components
            .iter()
            .filter(|(_, component)| component.closed);
        let mut waiting: Vec<String> = closed.map(|(name, _)| name.clone()).collect();
        for component in self.components.values_mut() {
            component.closed = false;
        }
        while let Some(name) = waiting.pop() {
            let Some(component) = self.components.get_mut(&name) else {
                continue;
            };
            if !component.closed {
                component.closed = true;
                if component.fields {
                    component.schema.put("additionalProperties", false);
                }
                waiting.extend(component.refers_to.iter().cloned());
            }
        }
    }

    fn component(&mut self, id: MessageId, form: Form) -> (Object, bool) {
        let message = self.schema.tables.message(id);
        if message.well_known == Some(WellKnown::Any) {
            return (super::scalar::any(), false);
        }
        (self.object(id, form, &Vec::new()), true)
    }

    /// A message as an object, without some of its fields.
    pub(super) fn object(&mut self, id: MessageId, form: Form, without: &Without) -> Object {
        let message = self.schema.tables.message(id);
        let note = self.notes.of(&message.full_name);
        let mut properties = Object::new();
        let mut required = Vec::new();
        for field in &message.fields {
            let below = below(without, field.number);
            if below.iter().any(Vec::is_empty) {
                continue;
            }
            let said = self.note(message, field);
            let name = form.name_of(field).to_owned();
            if (said.is_required() && !said.is_output_only()) || field.required {
                required.push(name.clone());
            }
            let mut schema = match field.kind.message().filter(|_| !below.is_empty()) {
                Some(inner) => self.object(inner, form, &below),
                None => self.field(field, form),
            };
            if let Some((of, example)) = &note.resource
                && **of == *field.name
            {
                schema.put("examples", vec![example.clone()]);
            }
            properties.put(name, describe(schema, field, &said));
        }
        let mut description = note.comment.clone();
        let exclusive = self.oneofs(message, form, without, &mut description);
        Object::new()
            .with("type", "object")
            .maybe(
                "description",
                Some(description).filter(|text| !text.is_empty()),
            )
            .maybe("deprecated", note.deprecated.then_some(true))
            .with("properties", properties)
            .maybe("required", Some(required).filter(|names| !names.is_empty()))
            .maybe("not", exclusive)
            .maybe("additionalProperties", self.closing.then_some(false))
    }

    /// What is said about a field.
    pub(super) fn note(&mut self, message: &Message, field: &Field) -> Note {
        match field.name.strip_prefix('[') {
            Some(extension) => self.notes.of(extension.trim_end_matches(']')),
            None => {
                let name = format!("{}.{}", message.full_name, field.name);
                self.notes.of_member(&message.full_name, &name)
            }
        }
    }

    /// What a field is in JSON, lists and maps included.
    pub(super) fn field(&mut self, field: &Field, form: Form) -> Object {
        match field.cardinality {
            Cardinality::Singular => self.value(field.kind, form),
            Cardinality::Repeated => {
                let items = self.value(field.kind, form);
                Object::new().with("type", "array").with("items", items)
            }
            Cardinality::Map => self.map(field, form),
        }
    }

    fn map(&mut self, field: &Field, form: Form) -> Object {
        let entry = field
            .kind
            .message()
            .map(|id| self.schema.tables.message(id));
        let kind_of = |number| Some(entry?.by_number(number)?.kind);
        let key = kind_of(1).and_then(super::scalar::map_key);
        let value = kind_of(2).map(|kind| self.value(kind, form));
        Object::new()
            .with("type", "object")
            .maybe("propertyNames", key)
            .with("additionalProperties", value.unwrap_or_default())
    }

    /// The oneofs of a message: told in its description, and what may not stand together.
    fn oneofs(
        &mut self,
        message: &Message,
        form: Form,
        without: &Without,
        description: &mut String,
    ) -> Option<Object> {
        /// Of more members not every pair is named.
        const MOST_MEMBERS: usize = 10;
        let mut pairs = Vec::new();
        for (index, oneof) in (0_u16..).zip(&message.oneofs) {
            let members = message.fields.iter().filter(|field| {
                field.oneof == Some(index) && !without.contains(&vec![field.number])
            });
            let names: Vec<&str> = members.map(|field| form.name_of(field)).collect();
            if names.len() < 2 {
                continue;
            }
            let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            let full = format!("{}.{oneof}", message.full_name);
            let comment = self.notes.of_member(&message.full_name, &full).comment;
            let all = quoted.join(", ");
            let text = format!("At most one of {all} may be set (oneof `{oneof}`). {comment}");
            if !description.is_empty() {
                description.push_str("\n\n");
            }
            description.push_str(text.trim_end());
            if names.len() <= MOST_MEMBERS {
                for (at, one) in names.iter().enumerate() {
                    let others = names.iter().skip(at + 1);
                    pairs.extend(others.map(|other| vec![*one, *other]));
                }
            }
        }
        let both = |pair: Vec<&str>| Object::new().with("required", pair);
        match pairs.len() {
            0 => None,
            1 => pairs.pop().map(both),
            _ => {
                let all: Vec<Object> = pairs.into_iter().map(both).collect();
                Some(Object::new().with("anyOf", all))
            }
        }
    }

    fn values(&mut self, id: EnumId, form: Form) -> Object {
        let enumeration = self.schema.tables.enumeration(id);
        let note = self.notes.of(&enumeration.full_name);
        let mut description = note.comment;
        let mut list = String::new();
        for (value, number) in &enumeration.values {
            let full = format!("{}.{value}", enumeration.full_name);
            let comment = self.notes.of_member(&enumeration.full_name, &full).comment;
            if !comment.is_empty() {
                let comment = comment.split_whitespace().collect::<Vec<_>>().join(" ");
                let name = if form.numbers() {
                    number.to_string()
                } else {
                    value.to_string()
                };
                list.push_str(&format!("\n- `{name}`: {comment}"));
            }
        }
        if !list.is_empty() {
            description.push_str(if description.is_empty() {
                "Values:\n"
            } else {
                "\n\nValues:\n"
            });
            description.push_str(&list);
        }
        let schema = if form.numbers() {
            let mut seen = Vec::new();
            let firsts = enumeration.values.iter().filter(|(_, number)| {
                let new = !seen.contains(number);
                seen.push(*number);
                new
            });
            let (names, numbers): (Vec<&str>, Vec<i64>) = firsts
                .map(|(name, number)| (&**name, i64::from(*number)))
                .unzip();
            let schema = Object::new()
                .with("type", "integer")
                .with("format", "int32");
            schema.with("enum", numbers).with("x-enum-varnames", names)
        } else {
            let names: Vec<&str> = enumeration.values.iter().map(|(name, _)| &**name).collect();
            let schema = Object::new().with("type", "string");
            schema.maybe("enum", Some(names).filter(|names| !names.is_empty()))
        };
        schema
            .maybe(
                "description",
                Some(description).filter(|text| !text.is_empty()),
            )
            .maybe("deprecated", note.deprecated.then_some(true))
    }
}

/// What is left out below a field; an empty path is the field itself.
pub(super) fn below(without: &Without, number: u32) -> Without {
    let paths = without.iter();
    paths
        .filter_map(|path| {
            let (first, rest) = path.split_first()?;
            (*first == number).then(|| rest.to_vec())
        })
        .collect()
}

/// The schema of a field with what is said about it.
pub(super) fn describe(mut schema: Object, field: &Field, note: &Note) -> Object {
    let is_text = field.kind == Kind::String && field.cardinality == Cardinality::Singular;
    if is_text && note.is_required() {
        schema.put("minLength", 1_i64);
    }
    if let Some(format) = note.format.filter(|_| is_text) {
        schema.put("format", format);
    }
    if !note.comment.is_empty() {
        schema.put("description", note.comment.clone());
    }
    for (key, is_so) in [
        ("readOnly", note.is_output_only()),
        ("writeOnly", note.is_input_only()),
        ("x-immutable", note.is_immutable()),
        ("deprecated", note.deprecated),
    ] {
        if is_so {
            schema.put(key, true);
        }
    }
    schema
}
