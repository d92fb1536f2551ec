//! The query parameters of a route: the fields that neither path nor body has, with dots between
//! the names of nested ones (B5).

use super::form::Form;
use super::json::Object;
use super::scalar;
use super::types::{Types, Without, below, describe};
use crate::schema::plan::{Cardinality, Field, Kind, Message, MessageId, WellKnown};

/// Fields that are nested deeper have no parameter of their own.
const DEEPEST: usize = 6;
/// A request with more fields than this has no more of them described.
const MOST: usize = 200;

/// What is being described.
struct Query<'t, 'a> {
    types: &'t mut Types<'a>,
    form: Form,
    parameters: Vec<Object>,
    /// The messages on the way: what would come again is left out.
    stack: Vec<MessageId>,
}

/// The parameters of a request of this type, without the fields that stand elsewhere.
pub(super) fn parameters(
    types: &mut Types<'_>,
    message: MessageId,
    form: Form,
    without: &Without,
) -> Vec<Object> {
    let mut query = Query {
        types,
        form,
        parameters: Vec::new(),
        stack: Vec::new(),
    };
    query.message(message, "", without, true);
    query.parameters
}

impl Query<'_, '_> {
    fn message(&mut self, id: MessageId, prefix: &str, without: &Without, required: bool) {
        if self.stack.len() >= DEEPEST || self.stack.contains(&id) {
            return;
        }
        self.stack.push(id);
        let schema = self.types.schema;
        let message = schema.tables.message(id);
        // A oneof of which the path sets a member takes no other (B4).
        let taken: Vec<u16> = without
            .iter()
            .filter_map(|path| message.by_number(*path.first()?)?.oneof)
            .collect();
        for field in &message.fields {
            let below = below(without, field.number);
            let bound = below.iter().any(Vec::is_empty);
            let beside =
                below.is_empty() && field.oneof.is_some_and(|oneof| taken.contains(&oneof));
            if !bound && !beside && self.parameters.len() < MOST {
                self.field((message, field), prefix, &below, required);
            }
        }
        self.stack.pop();
    }

    fn field(
        &mut self,
        (message, field): (&Message, &Field),
        prefix: &str,
        without: &Without,
        required: bool,
    ) {
        let note = self.types.note(message, field);
        if note.is_output_only() {
            return;
        }
        let name = format!("{prefix}{}", self.form.name_of(field));
        let required = required && (note.is_required() || field.required);
        if field.cardinality != Cardinality::Map
            && let Some(id) = field.kind.message()
            && self.has_fields(id)
        {
            // Elements of a list are `a[0].b`, for which OpenAPI has no words.
            if field.cardinality == Cardinality::Singular {
                self.message(id, &format!("{name}."), without, required);
            }
            return;
        }
        if field.cardinality == Cardinality::Map && !self.is_map_of_scalars(field) {
            return;
        }
        let as_json = field.cardinality == Cardinality::Singular && self.is_json(field.kind);
        // The parameter says itself what it is about.
        let schema = describe(self.value(field), field, &note);
        let schema = schema.without("description").without("deprecated");
        let description = Some(note.comment.clone()).filter(|text| !text.is_empty());
        let parameter = Object::new()
            .with("name", name)
            .with("in", "query")
            .maybe("description", description)
            .maybe("required", required.then_some(true))
            .maybe("deprecated", note.deprecated.then_some(true));
        self.parameters.push(match field.cardinality {
            // A map is `m[key]=value`.
            Cardinality::Map => parameter
                .with("style", "deepObject")
                .with("explode", true)
                .with("schema", schema),
            _ if as_json => {
                let media = Object::new().with("schema", schema);
                parameter.with("content", Object::new().with("application/json", media))
            }
            Cardinality::Repeated => parameter
                .with("style", "form")
                .with("explode", true)
                .with("schema", schema),
            Cardinality::Singular => parameter.with("schema", schema),
        });
    }

    /// A wrapper is its scalar here: a query has no null.
    fn value(&mut self, field: &Field) -> Object {
        let tables = &self.types.schema.tables;
        let message = field.kind.message().map(|id| tables.message(id));
        let wrapped = message.filter(|message| message.well_known == Some(WellKnown::Wrapper));
        let inner = wrapped.and_then(|wrapper| wrapper.by_number(1));
        let schema = inner.map(|inner| scalar::schema(inner.kind, self.form));
        match (schema, field.cardinality) {
            (Some(schema), Cardinality::Singular) => schema,
            (Some(items), Cardinality::Repeated) => {
                Object::new().with("type", "array").with("items", items)
            }
            _ => self.types.field(field, self.form),
        }
    }

    /// Whether a message is named by its fields; the well-known types are one value.
    fn has_fields(&self, id: MessageId) -> bool {
        self.types.schema.tables.message(id).well_known.is_none()
    }

    /// Whether a value stands in the query as JSON.
    fn is_json(&self, kind: Kind) -> bool {
        use WellKnown::{Any, Empty, ListValue, Struct, Value};
        let known = kind
            .message()
            .and_then(|id| self.types.schema.tables.message(id).well_known);
        matches!(known, Some(Any | Empty | ListValue | Struct | Value))
    }

    fn is_map_of_scalars(&self, field: &Field) -> bool {
        let tables = &self.types.schema.tables;
        let entry = field.kind.message().map(|id| tables.message(id));
        let value = entry.and_then(|entry| entry.by_number(2));
        value.is_some_and(|value| value.kind.message().is_none())
    }
}
