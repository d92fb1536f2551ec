//! What is to become of a value: text, or the part of a form that is a file (B13).

use std::borrow::Cow;

use super::text;
use super::tree::Value;
use crate::schema::plan::{Kind, MessageId, WellKnown};
use crate::transcode::http_body::HttpBody;
use crate::transcode::json_to_wire;
use crate::transcode::proto::{put_bytes, put_len_field, put_tag};

/// The value of one field, before it is known what the field is.
#[derive(Clone, Copy)]
pub(super) enum Content<'a> {
    /// As paths and queries have it (B6).
    Text(&'a str),
    /// A file, or a part with a media type of its own.
    Part {
        /// The media type; empty when none is given.
        media_type: &'a str,
        data: &'a [u8],
    },
}

/// What is said of a file where no file can go.
pub(super) const NO_FILE: &str =
    "is no field that a file can go to; send it as text, without a file name";

const HTTP_BODY: &str = "google.api.HttpBody";

impl Value<'_> {
    /// Appends the record of a field, its default included.
    pub(super) fn put_record(
        &self,
        (number, kind): (u32, Kind),
        out: &mut Vec<u8>,
    ) -> Result<(), Cow<'static, str>> {
        let (media_type, data) = match self.content {
            Content::Text(text) => {
                return text::put_record(self.tables, self.json, (number, kind), text, out);
            }
            Content::Part { media_type, data } => (media_type, data),
        };
        match kind {
            Kind::Bytes => put_len_field(out, number, data),
            Kind::String => {
                std::str::from_utf8(data).map_err(|_not_text| "is not valid UTF-8")?;
                put_len_field(out, number, data);
            }
            Kind::Message(id) => {
                let mut content = Vec::new();
                self.put_message(id, (media_type, data), &mut content)?;
                put_tag(out, number, json_to_wire::wire_type(kind));
                put_bytes(out, &content);
            }
            _ => return Err(Cow::Borrowed(NO_FILE)),
        }
        Ok(())
    }

    fn put_message(
        &self,
        id: MessageId,
        (media_type, data): (&str, &[u8]),
        out: &mut Vec<u8>,
    ) -> Result<(), Cow<'static, str>> {
        let message = self.tables.message(id);
        if &*message.full_name == HTTP_BODY {
            let body = HttpBody {
                content_type: media_type.as_bytes(),
                data,
            };
            body.write(None, out);
            return Ok(());
        }
        let wrapped = message.fields.first().map(|field| field.kind);
        if message.well_known == Some(WellKnown::Wrapper) && wrapped == Some(Kind::Bytes) {
            put_len_field(out, 1, data);
            return Ok(());
        }
        if !is_json(media_type) {
            return Err(Cow::Borrowed(NO_FILE));
        }
        let text = std::str::from_utf8(data).map_err(|_not_text| "is not valid UTF-8")?;
        json_to_wire::content(self.tables, self.json, id, text, out).map_err(|violations| {
            violations.into_iter().next().map_or_else(
                || Cow::Borrowed("is too large"),
                |first| Cow::Owned(format!("{}: {}", first.field, first.description)),
            )
        })
    }
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}
