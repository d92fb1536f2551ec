//! Errors in the shape `google`.

use serde_json::Value;

use super::ErrorSays;
use super::answers::CODES;
use super::matching;
use crate::support::client::Answer;

/// How strictly errors are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judge {
    /// In shape and words.
    Ours,
    /// An error of the application through another gateway, in that gateway's shape.
    OfTheApp,
    /// Another gateway's own error: its status is compared elsewhere, its words are its own.
    StatusOnly,
}

/// Whether an answer, which should have had this status, is the error that a row says.
pub(super) fn google_error(
    judge: Judge,
    says: &ErrorSays,
    (status, answer): (u16, &Answer),
    note: &mut impl FnMut(Result<(), String>),
) {
    if judge == Judge::StatusOnly {
        return;
    }
    let bytes = answer.body();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    note(matching::header(
        &answer.headers,
        "content-type",
        &Value::from("<contains json>"),
    ));
    let Ok(mut value) = serde_json::from_slice::<Value>(&bytes) else {
        note(Err("the error is no JSON".to_owned()));
        return;
    };
    if judge == Judge::OfTheApp {
        value = in_our_shape(value, status);
    }
    let error = &value["error"];
    let known = CODES.iter().any(|(name, _)| error["status"] == *name);
    if error["code"] != status || !known || !error["message"].is_string() {
        note(Err(format!(
            "not an error in the shape google with code {status}"
        )));
    }
    if let Some(code) = &says.code
        && error["status"] != code.as_str()
    {
        note(Err(format!("expected {code}, got {}", error["status"])));
    }
    let message = error["message"].as_str().unwrap_or_default();
    if says
        .message
        .as_deref()
        .is_some_and(|expected| !matching::text(expected, message))
    {
        note(Err(format!(
            "expected the message {:?}, got {message:?}",
            says.message
        )));
    }
    for word in says
        .says
        .iter()
        .filter(|word| !message.contains(word.as_str()))
    {
        note(Err(format!(
            "the message {message:?} does not say {word:?}"
        )));
    }
    for word in says
        .never_says
        .iter()
        .filter(|word| text.contains(word.as_str()))
    {
        note(Err(format!("the error gives {word:?} away")));
    }
    google_details(says, &error["details"], note);
}

/// A `google.rpc.Status` as JSON, which is how most gateways write an error, in the shape
/// `google`; anything else as it is. A stream may have it below `error`.
fn in_our_shape(mut value: Value, http_status: u16) -> Value {
    if value["error"]["code"]
        .as_u64()
        .is_some_and(|code| code < 100)
    {
        value = value["error"].take();
    }
    let code = value["code"]
        .as_u64()
        .and_then(|at| usize::try_from(at).ok());
    let Some((name, _)) = code.and_then(|at| CODES.get(at)) else {
        return value;
    };
    if let Some(map) = value.as_object_mut() {
        // The number of the code is given by its name then.
        map.insert("code".to_owned(), Value::from(http_status));
        map.insert("status".to_owned(), Value::from(*name));
        map.entry("message").or_insert_with(|| Value::from(""));
        if map.get("details") == Some(&Value::Array(Vec::new())) {
            map.remove("details");
        }
    }
    serde_json::json!({ "error": value })
}

fn google_details(says: &ErrorSays, given: &Value, note: &mut impl FnMut(Result<(), String>)) {
    let no_details = Vec::new();
    let details = given.as_array().unwrap_or(&no_details);
    if let Some(field) = &says.field {
        let blamed = details
            .iter()
            .filter_map(|detail| detail["fieldViolations"].as_array())
            .flatten()
            .any(|violation| violation["field"] == field.as_str());
        if !blamed {
            note(Err(format!(
                "no BadRequest blames the field {field}: {given}"
            )));
        }
    }
    if let Some(reason) = &says.reason {
        let given = details
            .iter()
            .any(|detail| detail["domain"] == "sidegate" && detail["reason"] == reason.as_str());
        if !given {
            note(Err(format!(
                "no ErrorInfo of sidegate says {reason}: {given}"
            )));
        }
    }
    if let Some(expected) = &says.details {
        note(matching::json(expected, given, false));
    }
}
