//! [`Binding`]: one way to reach a method over REST, every name in it resolved to fields.

use std::sync::Arc;

use crate::route::template::Template;
use crate::schema::MethodId;
use crate::schema::plan::MessageId;
use crate::schema::policy::HeaderSource;
use crate::schema::problem::Location;

/// One HTTP rule (or one additional binding) of one method.
#[derive(Debug)]
pub struct Binding {
    /// The method it leads to.
    pub method: MethodId,
    /// `GET`, `POST`, … or `*` for a custom kind that takes every method.
    pub http_method: Box<str>,
    /// The parsed path template.
    pub template: Template,
    /// One per variable of the template, in its order.
    pub variables: Vec<FieldPath>,
    /// Where the request body goes.
    pub body: BodyTarget,
    /// What headers and cookies are bound to (B14).
    pub headers: Vec<HeaderBinding>,
    /// The headers and cookies of answers that say what fields say (B14); `None` when there are none.
    pub sent_headers: Option<Arc<[SentField]>>,
    /// The field mask that is filled from the keys of the body, unless the client gives it (B11).
    pub update_mask: Option<FieldStep>,
    /// The type of the body where it is one message: what forms and protobuf can fill.
    pub body_message: Option<MessageId>,
    /// The field of the response that is the answer's body, as (message, field number).
    pub response_body: Option<FieldStep>,
    /// The request body is a `google.api.HttpBody`: bytes of any kind (S8).
    pub raw_request: bool,
    /// The answer's body is a `google.api.HttpBody`.
    pub raw_response: bool,
    /// Where it was declared.
    pub declared: Location,
    /// What declared it.
    pub origin: Origin,
}

/// Where a request body goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyTarget {
    /// There is none; everything else comes from the query.
    None,
    /// `body: "*"`: the body is the whole message, the query names nothing.
    Whole,
    /// `body: "field"`: the body is one field of the message.
    Field(FieldStep),
}

/// A header or cookie that goes to a field.
#[derive(Clone, Debug)]
pub struct HeaderBinding {
    /// Where the value comes from.
    pub source: HeaderSource,
    /// The field it goes to.
    pub path: FieldPath,
}

/// A field of an answer that a header or cookie says.
#[derive(Clone, Debug)]
pub struct SentField {
    /// Where it goes.
    pub target: HeaderSource,
    /// What is said of a cookie besides.
    pub attributes: Box<str>,
    /// The field; the last of it may be a list.
    pub path: FieldPath,
}

/// Declared how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A `google.api.http` annotation.
    Annotation,
    /// A rule in a service YAML.
    Rule,
    /// `rest.auto`.
    Auto,
}

/// One field of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldStep {
    /// The message that has the field.
    pub message: MessageId,
    /// The field's number in it.
    pub number: u32,
}

/// A path of fields from the request message down; never empty, and all but the last step are
/// singular messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath {
    /// The steps, outermost first.
    pub steps: Box<[FieldStep]>,
    /// As it was written, dotted.
    pub text: Arc<str>,
}
