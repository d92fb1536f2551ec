//! Errors in the shape `google`.

use serde_json::Value;

use super::ErrorSays;
use super::answers::CODES;
use super::matching;
use crate::support::client::Answer;

/// Whether an answer is the error that a row says.
pub(super) fn google_error(
    says: &ErrorSays,
    status: u16,
    answer: &Answer,
    note: &mut impl FnMut(Result<(), String>),
) {
    let bytes = answer.body();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    note(matching::header(
        &answer.headers,
        "content-type",
        &Value::from("<contains json>"),
    ));
    let Ok(value) = serde_json::from_slice::<Value>(&bytes) else {
        note(Err("the error is no JSON".to_owned()));
        return;
    };
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
