//! From one `google.api.HttpRule` to [`Binding`]s: every name in it resolved, or every reason why
//! it cannot work.
//!
//! A rule that cannot work is reported and left out; it never takes another one down (R1), not
//! even another binding of the same rule.

use super::binding::{Binding, BodyTarget, FieldPath, FieldStep, Origin};
use super::descriptor::{HttpPattern, HttpRule};
use super::field_path::{self, FieldError};
use super::header_binding;
use super::name;
use super::plan::{Cardinality, Field, MessageId, Tables, WellKnown};
use super::problem::{Location, Problem};
use super::{Method, MethodId};
use crate::route::template::Template;

/// What a rule is said about, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) tables: &'a Tables,
    pub(super) id: MethodId,
    pub(super) method: &'a Method,
    pub(super) place: &'a Location,
    pub(super) origin: Origin,
}

/// One binding on its way.
struct Binder<'a> {
    subject: Subject<'a>,
    /// How the binding is called in problems.
    title: String,
    broken: bool,
    problems: &'a mut Vec<Problem>,
}

/// The bindings of a rule and of its additional bindings, those that can work.
pub(super) fn bind(
    rule: &HttpRule,
    subject: Subject<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Binding> {
    let method = subject.method.full_name();
    let mut bindings = Vec::with_capacity(1 + rule.additional_bindings.len());
    let title = format!("http rule of `{method}`");
    bindings.extend(Binder::new(subject, title, problems).bind(rule));
    for (at, rule) in (1..).zip(&rule.additional_bindings) {
        let title = format!("additional binding {at} of `{method}`");
        let mut binder = Binder::new(subject, title, problems);
        if !rule.additional_bindings.is_empty() {
            binder.problem(
                "it has additional bindings of its own, which are left out",
                Some("write them beside it: additional bindings do not nest".to_owned()),
            );
            binder.broken = false;
        }
        bindings.extend(binder.bind(rule));
    }
    bindings
}

/// The rule that `rest.auto` gives to a method.
pub(super) fn auto(method: &Method) -> HttpRule {
    HttpRule {
        pattern: Some(HttpPattern::Post(method.path.as_ref().to_owned())),
        body: "*".to_owned(),
        ..HttpRule::default()
    }
}

impl<'a> Binder<'a> {
    fn new(subject: Subject<'a>, title: String, problems: &'a mut Vec<Problem>) -> Self {
        Self {
            subject,
            title,
            broken: false,
            problems,
        }
    }

    /// Reports what makes the binding useless.
    fn problem(&mut self, text: &str, help: Option<String>) {
        self.broken = true;
        let place = self.subject.place.clone();
        let mut problem = Problem::error(place, format!("{}: {text}", self.title));
        problem.help = help;
        self.problems.push(problem);
    }

    /// Reports what works, but probably not as meant.
    fn warning(&mut self, text: &str, help: &str) {
        let text = format!("{}: {text}", self.title);
        let problem = Problem::warning(self.subject.place.clone(), text);
        self.problems.push(problem.with_help(help));
    }

    fn bind(mut self, rule: &HttpRule) -> Option<Binding> {
        let (http_method, path) = self.pattern(rule)?;
        let template = match Template::parse(path) {
            Ok(template) => Some(template),
            Err(error) => {
                let text = format!(
                    "path `{}`, column {}: {}",
                    name::show(path),
                    error.column(),
                    error.message()
                );
                self.problem(&text, None);
                None
            }
        };
        let variables = template
            .as_ref()
            .map_or_else(Vec::new, |template| self.variables(template));
        let body = self.body(&rule.body, &variables);
        let response_body = self.response_body(&rule.response_body);
        if body != BodyTarget::None && matches!(http_method, "GET" | "DELETE") {
            self.warning(
                &format!("a {http_method} with a body"),
                "many clients and proxies drop such a body; POST, PUT and PATCH have one",
            );
        }
        if self.broken {
            return None;
        }
        let Method { input, output, .. } = *self.subject.method;
        let body_message = match &body {
            BodyTarget::None => None,
            BodyTarget::Whole => Some(input),
            BodyTarget::Field(step) => self.single_message(*step),
        };
        let update_mask = (http_method == "PATCH")
            .then(|| self.update_mask(&body, body_message, &variables))
            .flatten();
        Some(Binding {
            method: self.subject.id,
            headers: header_binding::resolve(self.subject.tables, self.subject.method),
            sent_headers: header_binding::sent(self.subject.tables, self.subject.method),
            update_mask,
            http_method: http_method.into(),
            template: template?,
            variables,
            body,
            body_message,
            raw_request: self.is_http_body(body_message),
            raw_response: self.is_http_body(match response_body {
                None => Some(output),
                Some(step) => self.single_message(step),
            }),
            response_body,
            declared: self.subject.place.clone(),
            origin: self.subject.origin,
        })
    }

    /// The HTTP method and the path.
    fn pattern<'r>(&mut self, rule: &'r HttpRule) -> Option<(&'r str, &'r str)> {
        Some(match &rule.pattern {
            Some(HttpPattern::Get(path)) => ("GET", path),
            Some(HttpPattern::Put(path)) => ("PUT", path),
            Some(HttpPattern::Post(path)) => ("POST", path),
            Some(HttpPattern::Delete(path)) => ("DELETE", path),
            Some(HttpPattern::Patch(path)) => ("PATCH", path),
            Some(HttpPattern::Custom(custom)) if is_token(&custom.kind) => {
                self.warn_of_case(&custom.kind);
                (&*custom.kind, &*custom.path)
            }
            Some(HttpPattern::Custom(custom)) => {
                let text = format!(
                    "custom kind `{}` is not an HTTP method",
                    name::show(&custom.kind)
                );
                let help = "write a method such as `HEAD`, or `*` for every method";
                self.problem(&text, Some(help.to_owned()));
                return None;
            }
            None => {
                let help = "give it one of get, put, post, delete, patch and custom";
                self.problem("it has no path", Some(help.to_owned()));
                return None;
            }
        })
    }

    /// HTTP methods are compared letter by letter, and all that are in use are upper-case.
    fn warn_of_case(&mut self, kind: &str) {
        let upper = kind.to_ascii_uppercase();
        if upper != kind {
            self.warning(
                &format!("custom kind `{kind}` is not upper-case"),
                &format!("write `{upper}`: HTTP methods are case-sensitive"),
            );
        }
    }

    fn variables(&mut self, template: &Template) -> Vec<FieldPath> {
        let tables = self.subject.tables;
        let mut paths: Vec<FieldPath> = Vec::with_capacity(template.variables().len());
        for variable in template.variables() {
            let path = match field_path::variable(tables, self.subject.method.input, &variable.path)
            {
                Ok(path) => path,
                Err(error) => {
                    self.field_problem(&format!("variable `{}`", variable.path), error);
                    continue;
                }
            };
            for other in &paths {
                if other.steps == path.steps {
                    let text = format!(
                        "variables `{}` and `{}` are the same field",
                        other.text, path.text
                    );
                    self.problem(&text, None);
                } else if let Some(oneof) =
                    field_path::shared_oneof(tables, &other.steps, &path.steps)
                {
                    let text = format!(
                        "variables `{}` and `{}` are both of oneof `{oneof}`",
                        other.text, path.text
                    );
                    let help = "only one of them can be set; give each a binding of its own";
                    self.problem(&text, Some(help.to_owned()));
                }
            }
            paths.push(path);
        }
        paths
    }

    fn body(&mut self, body: &str, variables: &[FieldPath]) -> BodyTarget {
        match body {
            "" => return BodyTarget::None,
            "*" => return BodyTarget::Whole,
            _ => {}
        }
        let Some(step) = self.top_level("body", self.subject.method.input, body) else {
            return BodyTarget::None;
        };
        let tables = self.subject.tables;
        for variable in variables {
            if *variable.steps == [step] {
                let text = format!("body `{body}` is a variable of the path, too");
                self.problem(&text, None);
            } else if let Some(oneof) = field_path::shared_oneof(tables, &variable.steps, &[step]) {
                let text = format!(
                    "body `{body}` and variable `{}` are both of oneof `{oneof}`",
                    variable.text
                );
                self.problem(&text, Some("only one of them can be set".to_owned()));
            }
        }
        BodyTarget::Field(step)
    }

    fn response_body(&mut self, field: &str) -> Option<FieldStep> {
        if field.is_empty() {
            return None;
        }
        self.top_level("response_body", self.subject.method.output, field)
    }

    /// The only field mask beside the body, if there is one and it is to be inferred (B11).
    fn update_mask(
        &self,
        body: &BodyTarget,
        body_message: Option<MessageId>,
        variables: &[FieldPath],
    ) -> Option<FieldStep> {
        let Subject { tables, method, .. } = self.subject;
        let BodyTarget::Field(body) = body else {
            return None;
        };
        let has_fields = tables.message(body_message?).well_known.is_none();
        if !method.policy.rest.infer_update_mask || !has_fields {
            return None;
        }
        let is_mask = |field: &&Field| {
            let message = field.kind.message().map(|id| tables.message(id));
            message.is_some_and(|message| message.well_known == Some(WellKnown::FieldMask))
        };
        let mut masks = tables.message(method.input).fields.iter().filter(is_mask);
        let mask = masks.next().filter(|_| masks.next().is_none())?;
        let step = FieldStep {
            message: method.input,
            number: mask.number,
        };
        let in_path = variables.iter().any(|path| *path.steps == [step]);
        let fits = mask.cardinality == Cardinality::Singular && step != *body && !in_path;
        fits.then_some(step)
    }

    /// The type of a field that is one message.
    fn single_message(&self, step: FieldStep) -> Option<MessageId> {
        let message = self.subject.tables.message(step.message);
        let field = message.by_number(step.number);
        field
            .filter(|field| field.cardinality == Cardinality::Singular)
            .and_then(|field| field.kind.message())
    }

    fn is_http_body(&self, message: Option<MessageId>) -> bool {
        const HTTP_BODY: &str = "google.api.HttpBody";
        let tables = self.subject.tables;
        message.is_some_and(|id| &*tables.message(id).full_name == HTTP_BODY)
    }

    /// A field that is named without a path to it.
    fn top_level(&mut self, what: &str, message: MessageId, name: &str) -> Option<FieldStep> {
        let title = format!("{what} `{}`", name::show(name));
        match field_path::top_level(self.subject.tables, message, name) {
            Ok(step) => Some(step),
            Err(error) => {
                self.field_problem(&title, error);
                None
            }
        }
    }

    fn field_problem(&mut self, title: &str, error: FieldError) {
        self.problem(&format!("{title}: {}", error.text), error.help);
    }
}

/// Whether `kind` is what HTTP allows as a method.
fn is_token(kind: &str) -> bool {
    const MOST: usize = 64;
    (1..=MOST).contains(&kind.len())
        && kind
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
