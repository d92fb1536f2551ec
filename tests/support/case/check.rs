//! Runs one row against a gateway and compares.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use prost_reflect::MethodDescriptor;
use serde_json::Value;

use super::answers::{self, CODES};
use super::encoding;
use super::google::{Judge, google_error};
use super::matching;
use super::{Case, EndSays, ErrorSays, Gets};
use crate::support::client::{self, Answer, BodyStep, End, Request, Version};
use crate::support::schema::{self, TestSchema};
use crate::support::target::Gateway;
use crate::support::upstream::{Script, Seen, Stage, Upstream};

/// Whether a row can be run at all: its names, messages and steps mean something.
pub(crate) fn sound(case: &Case, schema: &TestSchema) -> Result<(), String> {
    case.expected()?;
    let method = case.rpc().map(|name| schema.method(name)).transpose()?;
    answers::script(schema, method.as_ref(), case.answers.as_ref())?;
    let stage = Arc::new(Stage::new(Script::default()));
    for version in case.versions() {
        request(case, version, "sound", &stage)?;
    }
    if let Some(method) = method {
        for message in case.messages().unwrap_or_default() {
            schema::message_bytes(&method.input(), &message)?;
        }
    }
    Ok(())
}

/// Runs a row over one version of HTTP; every difference is in the error.
pub(crate) async fn run(
    case: &Case,
    version: Version,
    (gateway, upstream, schema): (&Gateway, &Upstream, &TestSchema),
) -> Result<(), String> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let id = format!("case-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let gets = case.expected()?;
    let method = case.rpc().map(|name| schema.method(name)).transpose()?;
    let script = answers::script(schema, method.as_ref(), case.answers.as_ref())?;
    let stage = upstream.stage(&id, script);
    let request = request(case, version, &id, &stage)?;
    let mut answer = client::exchange(gateway.address, &request, &stage.client).await?;
    let unframed = matches!(&answer.end, End::Broken(how) if how == client::UNFRAMED);
    if !gateway.own_errors && answer.status >= 400 && unframed {
        // What it refuses, another gateway may end with the connection.
        answer.end = End::Clean;
    }
    let answer = encoding::undone(answer, &gets)?;
    let mut differences = Vec::new();
    if gets.end != EndSays::Left {
        let errors = Errors {
            implied: case.config_errors_are_google(),
            judge: match (gateway.own_errors, &method) {
                (true, _) => Judge::Ours,
                (false, Some(_)) => Judge::OfTheApp,
                (false, None) => Judge::StatusOnly,
            },
        };
        got(&gets, &answer, &errors, &mut differences);
    }
    let loosely = !gateway.own_errors;
    saw(case, (method.as_ref(), loosely), &stage, &mut differences).await;
    if differences.is_empty() {
        return Ok(());
    }
    let body = String::from_utf8_lossy(&answer.body()).into_owned();
    let shown: String = body.chars().take(600).collect();
    differences.push(format!(
        "(answered {} {:?} {shown})",
        answer.status, answer.end
    ));
    Err(differences.join("\n     "))
}

impl Case {
    /// A failing answer has the shape `google` unless the row looks at its body itself.
    fn config_errors_are_google(&self) -> bool {
        self.gets.as_object().is_none_or(|gets| {
            [
                "json", "has", "body", "hex", "lines", "events", "chunks", "error",
            ]
            .iter()
            .all(|key| !gets.contains_key(*key))
        })
    }
}

fn request(case: &Case, version: Version, id: &str, stage: &Arc<Stage>) -> Result<Request, String> {
    let (method, target) = case
        .send
        .split_once(' ')
        .ok_or("`send` is a method and a target")?;
    let body = match (&case.body, &case.json) {
        (None, None) => Vec::new(),
        (Some(Value::String(text)), None) => vec![BodyStep::Send(Bytes::from(text.clone()))],
        (Some(Value::Array(steps)), None) => {
            steps.iter().map(body_step).collect::<Result<_, _>>()?
        }
        (None, Some(json)) => vec![BodyStep::Send(Bytes::from(json.to_string()))],
        _ => return Err("a body is a text, a list of steps, or `json`".to_owned()),
    };
    let mut headers = vec![("x-case".to_owned(), id.to_owned())];
    if !body.is_empty() && !case.headers.contains_key("content-type") {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    for (name, values) in &case.headers {
        let single = std::slice::from_ref(values);
        for value in values.as_array().map_or(single, Vec::as_slice) {
            match value {
                Value::Null => {}
                Value::String(text) => headers.push((name.clone(), text.clone())),
                other => headers.push((name.clone(), other.to_string())),
            }
        }
    }
    Ok(Request {
        version,
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body,
        stage: Arc::clone(stage),
    })
}

fn body_step(step: &Value) -> Result<BodyStep, String> {
    match step {
        Value::String(text) => Ok(BodyStep::Send(Bytes::from(text.clone()))),
        Value::Object(map) => match map.iter().next().map(|(key, value)| (key.as_str(), value)) {
            Some(("read", Value::String(text))) => Ok(BodyStep::Read(text.clone())),
            Some(("hex", Value::String(text))) => {
                Ok(BodyStep::Send(schema::from_hex(text)?.into()))
            }
            Some(("envelope", _)) => Ok(BodyStep::Send(encoding::envelope(step)?)),
            Some(("bare", _)) => Ok(BodyStep::Send(encoding::bare(step)?)),
            Some(("app_has", count)) => {
                let count = count.as_u64().and_then(|count| usize::try_from(count).ok());
                Ok(BodyStep::AppHas(count.ok_or("`app_has` is a count")?))
            }
            Some(("then", Value::String(word))) if word == "end" => Ok(BodyStep::End),
            Some(("then", Value::String(word))) if word == "leave" => Ok(BodyStep::Leave),
            Some(("then", Value::String(word))) if word == "keep_open" => Ok(BodyStep::KeepOpen),
            Some(("then", Value::String(word))) if word == "again" => Ok(BodyStep::Again),
            _ => Err(format!("{step} is no step of a body")),
        },
        _ => Err(format!("{step} is no step of a body")),
    }
}

/// What is looked at in an error.
struct Errors {
    /// The row says nothing of the body, so that a failing answer has the shape `google`.
    implied: bool,
    judge: Judge,
}

fn got(gets: &Gets, answer: &Answer, errors: &Errors, differences: &mut Vec<String>) {
    let mut note = |result: Result<(), String>| differences.extend(result.err());
    let status = expected_status(gets);
    if answer.status != status {
        note(Err(format!(
            "expected status {status}, got {}",
            answer.status
        )));
    }
    let broken = matches!(answer.end, End::Broken(_));
    if broken != (gets.end == EndSays::Broken) {
        note(Err(format!(
            "expected the end {:?}, got {:?}",
            gets.end, answer.end
        )));
    }
    for (name, value) in &gets.headers {
        note(matching::header(&answer.headers, name, value));
    }
    for (name, value) in &gets.trailers {
        note(
            matching::header(&answer.trailers, name, value).map_err(|why| format!("trailer {why}")),
        );
    }
    body(gets, answer, &mut note);
    if let Some(error) = &gets.error {
        google_error(errors.judge, error, (status, answer), &mut note);
    } else if errors.implied && status >= 400 {
        google_error(
            errors.judge,
            &ErrorSays::default(),
            (status, answer),
            &mut note,
        );
    }
}

fn expected_status(gets: &Gets) -> u16 {
    gets.status.unwrap_or_else(|| {
        let name = gets.error.as_ref().and_then(|error| error.code.as_deref());
        CODES
            .iter()
            .find(|(known, _)| Some(*known) == name)
            .map_or(200, |(_, status)| *status)
    })
}

fn body(gets: &Gets, answer: &Answer, note: &mut impl FnMut(Result<(), String>)) {
    let bytes = answer.body();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    streamed(gets, answer, &text, note);
    if let Some(expected) = &gets.body
        && !matching::text(expected, &text)
    {
        note(Err(format!(
            "expected the body {expected:?}\n     got      {text:?}"
        )));
    }
    if let Some(expected) = &gets.hex {
        match schema::from_hex(expected) {
            Ok(wanted) if wanted == bytes => {}
            Ok(_) => note(Err(format!(
                "expected the bytes {expected}, got {}",
                schema::to_hex(&bytes)
            ))),
            Err(problem) => note(Err(problem)),
        }
    }
    for (expected, more_keys) in [(&gets.json, false), (&gets.has, true)] {
        let Some(expected) = expected else { continue };
        match serde_json::from_slice(&bytes) {
            Ok(value) => note(matching::json(expected, &value, more_keys)),
            Err(error) => note(Err(format!("the body is no JSON: {error}"))),
        }
    }
}

fn streamed(gets: &Gets, answer: &Answer, text: &str, note: &mut impl FnMut(Result<(), String>)) {
    if let Some(expected) = &gets.chunks {
        let chunks: Vec<String> = answer
            .chunks
            .iter()
            .map(|chunk| String::from_utf8_lossy(chunk).into_owned())
            .collect();
        if *expected != chunks {
            note(Err(format!(
                "expected the chunks {expected:?}\n     got        {chunks:?}"
            )));
        }
    }
    if let Some(expected) = &gets.lines {
        let terminated = text.is_empty() || text.ends_with('\n');
        let lines: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
        match lines {
            Ok(lines) if terminated => {
                note(matching::json(
                    &Value::from(expected.clone()),
                    &Value::from(lines),
                    false,
                ));
            }
            _ => note(Err("the body is not lines of JSON".to_owned())),
        }
    }
    if let Some(expected) = &gets.events {
        let events = events(text);
        note(matching::json(
            &Value::from(expected.clone()),
            &Value::from(events),
            false,
        ));
    }
}

/// Server-sent events; data that is JSON is compared as JSON, comments are skipped.
fn events(text: &str) -> Vec<Value> {
    let mut events = Vec::new();
    for block in text.split("\n\n") {
        let mut event = serde_json::Map::new();
        let mut data: Option<String> = None;
        for line in block.lines().filter(|line| !line.starts_with(':')) {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            if field == "data" {
                let before = data.take().map(|data| data + "\n").unwrap_or_default();
                data = Some(before + value);
            } else if !field.is_empty() {
                event.insert(field.to_owned(), Value::from(value));
            }
        }
        if let Some(data) = data {
            let parsed = serde_json::from_str(&data).unwrap_or(Value::String(data));
            event.insert("data".to_owned(), parsed);
        }
        if !event.is_empty() {
            events.push(Value::Object(event));
        }
    }
    events
}

async fn saw(
    case: &Case,
    (method, loosely): (Option<&MethodDescriptor>, bool),
    stage: &Stage,
    differences: &mut Vec<String>,
) {
    let Some(method) = method else {
        if case.sees.as_ref().is_some_and(|sees| sees == "*") {
            return;
        }
        let seen = stage.seen();
        if let Some(call) = seen.first() {
            differences.push(format!("the app saw {} and must not", call.path));
        }
        return;
    };
    let times = case.times;
    if !stage.wait_for(|seen| seen.len() >= times).await {
        differences.push(format!(
            "the app saw {} calls instead of {times}",
            stage.seen().len()
        ));
        return;
    }
    if case.cancelled
        && !stage
            .wait_for(|seen| seen.iter().any(|call| call.cancelled))
            .await
    {
        differences.push("the app never saw the call cancelled".to_owned());
    }
    if let Some(wanted) = case.messages() {
        // The last message may still be on its way to the record.
        let complete = |call: &Seen| call.messages.len() >= wanted.len() || call.cancelled;
        stage
            .wait_for(|seen| seen.last().is_some_and(complete))
            .await;
    }
    let seen = stage.seen();
    if seen.len() != times {
        differences.push(format!(
            "the app saw {} calls instead of {times}",
            seen.len()
        ));
    }
    if let Some(call) = seen.last() {
        saw_call(case, (method, loosely), call, differences);
    }
}

fn saw_call(
    case: &Case,
    (method, loosely): (&MethodDescriptor, bool),
    call: &Seen,
    differences: &mut Vec<String>,
) {
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    if call.path != path {
        differences.push(format!("the app saw {} instead of {path}", call.path));
    }
    if let Some(authority) = &case.authority
        && !matching::text(authority, call.authority.as_deref().unwrap_or_default())
    {
        differences.push(format!(
            "authority {:?} instead of {authority}",
            call.authority
        ));
    }
    differences.extend(
        call.complaints
            .iter()
            .map(|text| format!("the app complains: {text}")),
    );
    for (name, value) in &case.metadata {
        let result = matching::header(&call.metadata, name, value);
        differences.extend(result.err().map(|why| format!("metadata {why}")));
    }
    let Some(wanted) = case.messages() else {
        return;
    };
    if wanted.len() != call.messages.len() {
        let count = call.messages.len();
        differences.push(format!(
            "the app saw {count} messages instead of {}",
            wanted.len()
        ));
    }
    for (at, (wanted, got)) in wanted.iter().zip(&call.messages).enumerate() {
        if let Err(why) = schema::compare(&method.input(), wanted, got, loosely) {
            differences.push(format!("message {at}: {why}"));
        }
    }
}
