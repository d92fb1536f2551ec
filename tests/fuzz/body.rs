//! Request bodies that are no JSON: forms, multipart forms and protobuf (B13).

use sidegate::route::trie::{Lookup, LookupOptions};
use sidegate::schema::RouteTarget;
use sidegate::schema::binding::Binding;
use sidegate::schema::plan::MessageId;
use sidegate::schema::policy::JsonOptions;
use sidegate::transcode::bind::{self, Bound, Form, Input, System};
use sidegate::transcode::json_to_wire::{self, Request};
use sidegate::transcode::wire_to_json::{self, Response};
use sidegate::transcode::{Violation, raw_message};

use super::schema::SCHEMA;

const LIMIT: usize = 1 << 20;

/// The rules that a body is put in by, with what the path binds.
const RULES: [(&str, &str, &[&str]); 6] = [
    ("POST", "/form", &[]),
    ("PUT", "/v1/books/x", &["books/x"]),
    ("PATCH", "/v1/x", &["x"]),
    ("POST", "/old/form", &[]),
    ("POST", "/v2/x", &["x"]),
    ("POST", "/v1/x", &["x"]),
];

/// The rule that a byte stands for.
fn rule(by: u8) -> (&'static str, &'static str, &'static [&'static str]) {
    let at = usize::from(by) % RULES.len();
    *RULES.get(at).expect("it is below the length")
}

/// Where a body goes.
struct Place {
    binding: &'static Binding,
    message: MessageId,
    captures: &'static [&'static str],
}

impl Place {
    fn of(method: &str, path: &str, captures: &'static [&'static str]) -> Self {
        let options = LookupOptions {
            ignore_trailing_slash: false,
        };
        let found = match SCHEMA.routes.find(method, path, options) {
            Lookup::Match(found) => Some(found),
            _ => None,
        };
        let id = match found.map(|found| found.value) {
            Some(RouteTarget::Serve(id)) => Some(id),
            _ => None,
        };
        let id = id.expect("it is one of the rules, of which no two conflict");
        let binding = SCHEMA.binding(*id);
        Self {
            binding,
            message: SCHEMA.method(binding.method).input,
            captures,
        }
    }

    fn chosen(by: u8) -> Self {
        let (method, path, captures) = rule(by);
        Self::of(method, path, captures)
    }

    fn input<'a>(&'a self, query: Option<&'a str>) -> Input<'a> {
        let policy = &SCHEMA.method(self.binding.method).policy;
        Input {
            tables: &SCHEMA.tables,
            message: self.message,
            binding: self.binding,
            captures: self.captures,
            headers: &[],
            query,
            rest: &policy.rest,
            json: &policy.json,
        }
    }

    fn bound(&self, query: Option<&str>) -> Result<Bound, Vec<Violation>> {
        bind::bind(&self.input(query))
    }

    fn form(&self, form: Form<'_>) -> Result<Bound, Vec<Violation>> {
        let bound = self.bound(None).expect("the path is fine");
        bind::form(&self.input(None), bound, form)
    }

    fn request<'a>(&'a self, bound: &'a Bound, options: &'a JsonOptions) -> Request<'a> {
        Request {
            tables: &SCHEMA.tables,
            message: self.message,
            target: &self.binding.body,
            bound,
            options,
            limit: LIMIT,
        }
    }

    /// What a form became is a message that prints, or wrong in some place.
    fn holds(&self, result: Result<Bound, Vec<Violation>>) {
        let bound = match result {
            Ok(bound) => bound,
            Err(violations) => return assert!(!violations.is_empty()),
        };
        let mut wire = Vec::new();
        let options = JsonOptions::default();
        if json_to_wire::transcode(&self.request(&bound, &options), b"", &mut wire).is_ok() {
            let printed = print(self.message, &wire);
            assert!(printed.is_ok(), "{printed:?} {wire:?}");
        }
    }
}

fn print(message: MessageId, wire: &[u8]) -> Result<Vec<u8>, wire_to_json::WireError> {
    let mut out = Vec::new();
    let response = Response {
        tables: &SCHEMA.tables,
        message,
        selection: None,
        options: &JsonOptions::default(),
        limit: LIMIT,
    };
    wire_to_json::transcode(&response, wire, &mut out).map(|_written| out)
}

/// A rule, then a form. A form that is all of the message says what the same query says, unless that
/// is about the system.
pub(crate) fn form(data: &[u8]) {
    let [rule, body @ ..] = data else { return };
    let place = Place::chosen(*rule);
    let result = place.form(Form::Urlencoded(body));
    if place.captures.is_empty()
        && let Ok(text) = std::str::from_utf8(body)
    {
        let (_, path, captures) = self::rule(*rule);
        let query = Place::of("GET", path, captures).bound(Some(text));
        if query
            .as_ref()
            .is_ok_and(|bound| bound.system == System::default())
        {
            let (form, query) = (result.as_ref().ok(), query.as_ref().ok());
            let wires = form.zip(query).map(|(form, query)| form.wire == query.wire);
            assert_eq!(wires, Some(true), "a form and a query");
        }
        assert!(result.is_err() || query.is_ok(), "a form that is no query");
    }
    place.holds(result);
}

/// A rule, then a multipart form, `b` standing between its parts.
pub(crate) fn multipart(data: &[u8]) {
    let [rule, body @ ..] = data else { return };
    let place = Place::chosen(*rule);
    place.holds(place.form(Form::Multipart {
        boundary: "b",
        body,
    }));
}

/// A rule, then a message. What is taken prints unless only JSON cannot say it, and is taken again;
/// what is not leaves nothing behind.
pub(crate) fn protobuf(data: &[u8]) {
    let [rule, body @ ..] = data else { return };
    let place = Place::chosen(*rule);
    let bound = place.bound(None).expect("the path is fine");
    let options = JsonOptions::default();
    let request = place.request(&bound, &options);
    let mut wire = b"kept".to_vec();
    let taken = raw_message::append(&request, body, &mut wire);
    assert!(wire.starts_with(b"kept"));
    if taken.is_err() {
        return assert_eq!(wire.len(), 4, "nothing is appended after a rejection");
    }
    let wire = wire.split_off(4);
    assert!(wire.ends_with(&bound.wire));
    if let Err(error) = print(place.message, &wire) {
        let text = error.to_string();
        let of_json = [
            "a timestamp is outside",
            "a duration is outside",
            "no JSON form",
            "holds NaN",
            "its limit",
        ];
        // In proto2 a string may be any bytes.
        let of_old = text.starts_with("t.Old.") && text.contains("not valid UTF-8");
        let known = of_old || of_json.iter().any(|known| text.contains(known));
        assert!(known, "{text}");
    }
    let whole = Request {
        target: &sidegate::schema::binding::BodyTarget::Whole,
        ..request
    };
    let mut again = Vec::new();
    let taken = raw_message::append(&whole, &wire, &mut again);
    assert!(taken.is_ok(), "{taken:?}");
}
