//! System parameters: what a query may say besides fields (B8).

use std::borrow::Cow;

/// The system parameters of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct System {
    /// `alt`: the form of the answer.
    pub alt: Option<Alt>,
    /// `prettyPrint`.
    pub pretty_print: Option<bool>,
    /// `fields`: what to leave of the answer.
    pub fields: Option<String>,
    /// `key`: an API key.
    pub key: Option<String>,
    /// `access_token`.
    pub access_token: Option<String>,
    /// `quotaUser`.
    pub quota_user: Option<String>,
    /// `apiVersion`.
    pub api_version: Option<String>,
    /// `uploadType`.
    pub upload_type: Option<String>,
    /// `.xgafv`: the format of errors.
    pub error_format: Option<String>,
}

/// The value of `alt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alt {
    /// The form of the answer.
    pub form: AltForm,
    /// `;enum-encoding=int`: enums are numbers in it.
    pub enum_numbers: bool,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AltForm {
    /// `json`.
    Json,
    /// `proto`: protobuf bytes.
    Proto,
    /// `sse`: server-sent events.
    Sse,
    /// `media`: the bytes of an `HttpBody`.
    Media,
}

impl System {
    /// Takes the parameter when it is one of these, with or without `$`; the last one counts.
    pub(super) fn read(&mut self, key: &str, text: &str) -> Result<bool, Cow<'static, str>> {
        let value = || Some(text.to_owned());
        match key.strip_prefix('$').unwrap_or(key) {
            "alt" => self.alt = Some(alt(text)?),
            "prettyPrint" => {
                self.pretty_print = Some(match text {
                    "true" | "1" | "" => true,
                    "false" | "0" => false,
                    _ => return Err(Cow::Borrowed("expected true or false")),
                });
            }
            "fields" => self.fields = value(),
            "key" => self.key = value(),
            "access_token" => self.access_token = value(),
            "quotaUser" => self.quota_user = value(),
            "apiVersion" => self.api_version = value(),
            "uploadType" => self.upload_type = value(),
            ".xgafv" => self.error_format = value(),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn alt(text: &str) -> Result<Alt, Cow<'static, str>> {
    let mut parts = text.split(';');
    let form = match parts.next() {
        Some("json") => AltForm::Json,
        Some("proto") => AltForm::Proto,
        Some("sse") => AltForm::Sse,
        Some("media") => AltForm::Media,
        _ => return Err(Cow::Borrowed("expected json, proto, sse or media")),
    };
    let mut enum_numbers = false;
    for part in parts {
        enum_numbers = match part.trim() {
            "enum-encoding=int" => true,
            "enum-encoding=string" => false,
            _ => return Err(Cow::Borrowed("the only option of alt is enum-encoding=int")),
        };
    }
    Ok(Alt { form, enum_numbers })
}
