//! Path templates as OpenAPI has paths: text with a parameter for each segment that is open.
//!
//! A parameter of OpenAPI is one segment, and generators escape slashes in it. So a variable of
//! several segments is taken apart: `/v1/{name=shelves/*}` becomes `/v1/shelves/{shelf}`. OpenAPI
//! knows paths up to the names of their parameters, so all rules of one shape share the names that
//! the first of them (in order of their templates) has.

use crate::route::template::{Segment, Template};

/// A template as a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// With `{}` for every parameter: equal for templates that differ in names alone.
    pub(super) shape: String,
    /// One per open segment, in order.
    pub(super) parameters: Vec<Parameter>,
}

/// An open segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: String,
    /// Index of the variable it belongs to.
    pub(super) variable: Option<usize>,
    /// It is all of the variable.
    pub(super) whole: bool,
    /// It is `**`, which takes any number of segments.
    pub(super) many: bool,
}

impl Path {
    pub(super) fn of(template: &Template) -> Self {
        let mut path = Self {
            shape: String::new(),
            parameters: Vec::new(),
        };
        let mut before = "";
        for (index, segment) in template.segments().iter().enumerate() {
            path.shape.push('/');
            match segment {
                Segment::Literal(text) => {
                    path.shape.push_str(text);
                    before = text;
                }
                Segment::Star | Segment::DoubleStar => {
                    path.shape.push_str("{}");
                    let parameter = parameter(template, index, segment, before);
                    let name = path.free(&parameter.name);
                    path.parameters.push(Parameter { name, ..parameter });
                }
            }
        }
        if path.shape.is_empty() {
            path.shape.push('/');
        }
        if let Some(verb) = template.verb() {
            path.shape.push(':');
            path.shape.push_str(verb);
        }
        path
    }

    /// The path with these names for its parameters.
    pub(super) fn written(&self, names: &[String]) -> String {
        let mut parts = self.shape.split("{}");
        let mut text = parts.next().unwrap_or_default().to_owned();
        for (part, name) in parts.zip(names) {
            text.push_str(&format!("{{{name}}}{part}"));
        }
        text
    }

    pub(super) fn names(&self) -> Vec<String> {
        let parameters = self.parameters.iter();
        parameters.map(|parameter| parameter.name.clone()).collect()
    }

    /// The name itself, or with a number behind it when it is taken.
    fn free(&self, name: &str) -> String {
        let is_taken = |name: &str| self.parameters.iter().any(|known| known.name == name);
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        names.find(|name| !is_taken(name)).unwrap_or_default()
    }
}

fn parameter(template: &Template, index: usize, segment: &Segment, before: &str) -> Parameter {
    let mut variables = template.variables().iter().enumerate();
    let variable = variables.find(|(_, variable)| (variable.first..variable.end).contains(&index));
    let whole = variable.is_some_and(|(_, variable)| variable.end - variable.first == 1);
    let name = match variable {
        Some((_, variable)) if whole => variable.path.to_string(),
        _ => singular(before),
    };
    Parameter {
        name,
        variable: variable.map(|(at, _)| at),
        whole,
        many: *segment == Segment::DoubleStar,
    }
}

/// What one of a collection is called: `shelves` are a `shelf`.
fn singular(collection: &str) -> String {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    let word: String = collection
        .chars()
        .filter(|letter| is_word(*letter))
        .collect();
    let rules: [(&str, &str); 8] = [
        ("elves", "elf"),
        ("ies", "y"),
        ("sses", "ss"),
        ("xes", "x"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("ss", "ss"),
        ("s", ""),
    ];
    let fitting = rules.iter().find_map(|(plural, one)| {
        let stem = word.strip_suffix(plural)?;
        (!stem.is_empty()).then(|| format!("{stem}{one}"))
    });
    match fitting {
        Some(one) => one,
        None if word.is_empty() => "segment".to_owned(),
        None => word,
    }
}

#[cfg(test)]
mod tests {
    use super::{Path, singular};
    use crate::route::template::Template;

    #[test]
    fn templates_become_paths() {
        for (template, expected) in [
            ("/v1/shelves", "/v1/shelves"),
            ("/v1/{name=shelves/*}", "/v1/shelves/{shelf}"),
            (
                "/v1/{book.name=shelves/*/books/*}:move",
                "/v1/shelves/{shelf}/books/{book}:move",
            ),
            ("/v1/isbn/{isbn}", "/v1/isbn/{isbn}"),
            ("/v1/{a=x/*/x/*}", "/v1/x/{x}/x/{x_2}"),
            ("/v1/{path=**}", "/v1/{path}"),
            ("/v1/{name=files/**}:get", "/v1/files/{file}:get"),
            ("/*/{a.b}/**", "/{segment}/{a.b}/{segment_2}"),
            ("/", "/"),
        ] {
            let path = Path::of(&Template::parse(template).unwrap());
            assert_eq!(path.written(&path.names()), expected, "{template}");
        }
    }

    #[test]
    fn one_of_a_collection_has_a_name() {
        for (many, one) in [
            ("shelves", "shelf"),
            ("books", "book"),
            ("policies", "policy"),
            ("addresses", "address"),
            ("indexes", "index"),
            ("branches", "branch"),
            ("archives", "archive"),
            ("access", "access"),
            ("s", "s"),
            ("", "segment"),
            ("a%20b", "a20b"),
        ] {
            assert_eq!(singular(many), one, "{many}");
        }
    }
}
