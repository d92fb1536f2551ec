//! The whole way of a request line and a body: route, captures, query, body.

use sidegate::route::path;
use sidegate::route::trie::{Lookup, LookupOptions};
use sidegate::schema::RouteTarget;
use sidegate::schema::binding::BodyTarget;
use sidegate::schema::plan::MessageId;
use sidegate::schema::policy::JsonOptions;
use sidegate::transcode::bind::{self, Bound, bind};
use sidegate::transcode::json_to_wire::{self, Request};
use sidegate::transcode::wire_to_json::{self, Response};

use super::schema::SCHEMA;

const LIMIT: usize = 1 << 20;

/// `METHOD PATH?QUERY`, a line break, a body. What is bound becomes a message that prints.
pub(crate) fn url(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let line = parts.next().unwrap_or_default();
    let body = parts.next().unwrap_or_default();
    let Ok(line) = std::str::from_utf8(line) else {
        return;
    };
    let Some((method, target)) = line.split_once(' ') else {
        return;
    };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    // Nothing else comes through the HTTP parsers.
    let visible = target.bytes().all(|byte| byte > b' ' && byte != 0x7F);
    if !path.starts_with('/') || !visible || path::check(path).is_err() {
        return;
    }
    let options = LookupOptions {
        ignore_trailing_slash: body.len() % 2 == 1,
    };
    let Lookup::Match(found) = SCHEMA.routes.find(method, path, options) else {
        return;
    };
    let RouteTarget::Serve(id) = found.value else {
        return; // No two of these rules conflict.
    };
    let binding = SCHEMA.binding(*id);
    let rpc = SCHEMA.method(binding.method);
    let captures: Vec<&str> = binding.template.captures(path, &found.spans).collect();
    let bound = bind(&bind::Input {
        tables: &SCHEMA.tables,
        message: rpc.input,
        binding,
        captures: &captures,
        headers: &[],
        query,
        rest: &rpc.policy.rest,
        json: &rpc.policy.json,
    });
    match bound {
        Ok(bound) => weave(rpc.input, &binding.body, &bound, body),
        Err(violations) => assert!(!violations.is_empty()),
    }
}

/// Puts body and bound values together.
fn weave(message: MessageId, target: &BodyTarget, bound: &Bound, body: &[u8]) {
    let request = Request {
        tables: &SCHEMA.tables,
        message,
        target,
        bound,
        options: &JsonOptions::default(),
        limit: LIMIT,
    };
    let mut wire = Vec::new();
    if json_to_wire::transcode(&request, body, &mut wire).is_ok() {
        assert!(wire.ends_with(&bound.wire));
        let response = Response {
            tables: &SCHEMA.tables,
            message,
            selection: None,
            options: &JsonOptions::default(),
            limit: LIMIT,
        };
        let printed = wire_to_json::transcode(&response, &wire, &mut Vec::new());
        assert!(printed.is_ok(), "{printed:?} {wire:?}");
    }
}
