//! The route table as somebody sees it: on `/routes`, and by `sidegate routes`.

use std::fmt;

use serde::Serialize;

use crate::schema::binding::{Binding, BodyTarget, FieldStep, Origin};
use crate::schema::{RouteTarget, Schema};

/// All routes of a schema, sorted by template, then HTTP method. Displays as an aligned table.
#[derive(Debug, Serialize)]
pub struct RoutesView {
    /// One per rule.
    pub routes: Vec<RouteView>,
}

/// One rule.
#[derive(Debug, Serialize)]
pub struct RouteView {
    /// `GET` and so on; `*` for every method.
    pub method: String,
    /// The path template.
    pub template: String,
    /// `pkg.Service/Method`.
    pub rpc: String,
    /// `unary`, `client_stream`, `server_stream` or `bidi`.
    pub stream: String,
    /// `*`, or the field of the request that is the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The field of the response that is the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_body: Option<String>,
    /// `file:line:column` as far as it is known.
    pub declared: String,
    /// `annotation`, `rule` or `auto`.
    pub origin: &'static str,
    /// Whether a request that matches gets here.
    pub state: State,
    /// The other rpcs that claim the same route, when none of them is served (R4).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicts_with: Vec<String>,
}

/// What becomes of a request that matches a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is served.
    Served,
    /// Several rpcs claim the route, so that none is served: 501.
    Conflict,
}

impl RoutesView {
    /// The view of a schema.
    pub fn new(schema: &Schema) -> Self {
        let mut routes: Vec<RouteView> = schema
            .bindings
            .iter()
            .map(|binding| RouteView::new(schema, binding))
            .collect();
        routes.sort_by(|one, other| {
            let key = |route: &RouteView| (route.template.clone(), route.method.clone());
            key(one).cmp(&key(other))
        });
        Self { routes }
    }
}

impl RouteView {
    pub(super) fn new(schema: &Schema, binding: &Binding) -> Self {
        let method = schema.method(binding.method);
        let (state, conflicts_with) = state(schema, binding);
        Self {
            method: binding.http_method.to_string(),
            template: binding.template.to_string(),
            rpc: rpc(schema, binding),
            stream: method.kind.to_string(),
            body: match &binding.body {
                BodyTarget::None => None,
                BodyTarget::Whole => Some(String::from("*")),
                BodyTarget::Field(step) => Some(field_name(schema, *step)),
            },
            response_body: binding.response_body.map(|step| field_name(schema, step)),
            declared: binding.declared.to_string(),
            origin: match binding.origin {
                Origin::Annotation => "annotation",
                Origin::Rule => "rule",
                Origin::Auto => "auto",
            },
            state,
            conflicts_with,
        }
    }
}

/// Whether a rule is served, and who else wants its place if not. Rules that lost their place to
/// another one (`rest.conflicts: first` and `last`) are not in the schema.
fn state(schema: &Schema, binding: &Binding) -> (State, Vec<String>) {
    let target = schema.routes.get(&binding.http_method, &binding.template);
    let Some(RouteTarget::Conflict(ids)) = target else {
        return (State::Served, Vec::new());
    };
    let mine = rpc(schema, binding);
    let mut others: Vec<String> = ids
        .iter()
        .map(|id| rpc(schema, schema.binding(*id)))
        .filter(|other| *other != mine)
        .collect();
    others.dedup();
    (State::Conflict, others)
}

pub(super) fn rpc(schema: &Schema, binding: &Binding) -> String {
    let path = &schema.method(binding.method).path;
    String::from(path.strip_prefix('/').unwrap_or(path))
}

pub(super) fn field_name(schema: &Schema, step: FieldStep) -> String {
    let message = schema.tables.message(step.message);
    message.by_number(step.number).map_or_else(
        || format!("field {}", step.number),
        |field| field.name.to_string(),
    )
}

// === impl Display ===

impl fmt::Display for RoutesView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEAD: [&str; 6] = ["METHOD", "TEMPLATE", "RPC", "STREAM", "BODY", "DECLARED"];
        let rows: Vec<[String; 6]> = self.routes.iter().map(RouteView::cells).collect();
        let mut widths = HEAD.map(str::len);
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        write_row(f, &HEAD, &widths)?;
        for row in &rows {
            write_row(f, row, &widths)?;
        }
        Ok(())
    }
}

impl RouteView {
    fn cells(&self) -> [String; 6] {
        let body = match (&self.body, &self.response_body) {
            (None, None) => String::from("-"),
            (Some(body), None) => body.clone(),
            (None, Some(response)) => format!("- -> {response}"),
            (Some(body), Some(response)) => format!("{body} -> {response}"),
        };
        let others = self.conflicts_with.join(", ");
        let remark = match self.state {
            State::Served => String::new(),
            State::Conflict => format!("  (conflicts with {others}: not served)"),
        };
        [
            self.method.clone(),
            self.template.clone(),
            self.rpc.clone(),
            self.stream.clone(),
            body,
            format!("{}{remark}", self.declared),
        ]
    }
}

fn write_row<T: AsRef<str>>(
    f: &mut fmt::Formatter<'_>,
    cells: &[T],
    widths: &[usize],
) -> fmt::Result {
    let last = cells.len().saturating_sub(1);
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let cell = cell.as_ref();
        if at == last {
            writeln!(f, "{cell}")?;
        } else {
            write!(f, "{cell:width$}  ")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::admin::tests::BOOKS;
    use crate::schema::compile::{Conflicts, Input, compile};
    use crate::schema::tests::{input, schema};

    #[test]
    fn the_route_table_lines_up() {
        assert_eq!(
            RoutesView::new(&schema(BOOKS)).to_string(),
            "\
METHOD  TEMPLATE            RPC               STREAM         BODY       DECLARED
POST    /books.Shop/Plain   books.Shop/Plain  server_stream  *          test.proto:17:7
PUT     /v1/books:all       books.Shop/Put    client_stream  title      test.proto:15:9
GET     /v1/titles/{title}  books.Shop/Get    unary          - -> name  test.proto:9:9
GET     /v1/{name=books/*}  books.Shop/Get    unary          -          test.proto:9:9
"
        );
    }

    #[test]
    fn a_route_that_is_not_served_says_who_else_wants_it() {
        let text = r#"
            syntax = "proto3";
            package a;
            import "google/api/annotations.proto";
            message M { string b = 1; string c = 2; }
            service S {
              rpc One(M) returns (M) { option (google.api.http) = {get: "/v1/{b}"}; }
              rpc Two(M) returns (M) { option (google.api.http) = {get: "/v1/{c}"}; }
            }
        "#;
        let table = RoutesView::new(&compile(&input(text)).0).to_string();
        assert!(
            table.contains("  (conflicts with a.S/Two: not served)\n"),
            "{table}"
        );
        let states = |conflicts| {
            let (schema, _) = compile(&Input {
                conflicts,
                ..input(text)
            });
            let routes = RoutesView::new(&schema).routes.into_iter();
            let states =
                routes.map(|route| (route.rpc, route.state, route.conflicts_with.join(",")));
            serde_json::to_value(states.collect::<Vec<_>>()).unwrap()
        };
        assert_eq!(
            states(Conflicts::Error),
            json!([
                ["a.S/One", "conflict", "a.S/Two"],
                ["a.S/Two", "conflict", "a.S/One"]
            ])
        );
        assert_eq!(states(Conflicts::Last), json!([["a.S/Two", "served", ""]]));
    }
}
