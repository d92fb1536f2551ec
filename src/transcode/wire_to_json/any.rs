//! `google.protobuf.Any`: printed as its type if that is known, else as base64 (J4).

use super::ErrorKind;
use super::walker::{Stop, Walker};
use crate::schema::plan::{MessageId, Tables, WellKnown};
use crate::transcode::proto::{Raw, Reader};
use crate::transcode::{base64, escape, known};

impl Walker<'_, '_> {
    /// Prints an `Any`. What it holds may be unknown or broken: that never costs the answer.
    pub(super) fn any(&mut self, fragments: &[&[u8]]) -> Result<(), Stop> {
        let (url, value) = parts(fragments)?;
        if url.is_empty() && value.is_empty() {
            self.out.extend_from_slice(b"{}");
            return Ok(());
        }
        let start = self.out.len();
        let name = url.rsplit_once('/').map(|(_, name)| name);
        if let Some((tables, id)) = name.and_then(|name| known::find(self.schema, name)) {
            let (outer, depth, unknown) = (self.tables, self.depth, self.unknown_fields);
            let grouping = self.grouping;
            self.tables = tables;
            let result = self.any_known(id, url, value);
            self.tables = outer;
            match result {
                // What is wrong may be overwritten further on; the quick pass does not know.
                Err(Stop::Error(error))
                    if error.kind != ErrorKind::TooLarge && (grouping || !self.quick) =>
                {
                    self.out.truncate(start);
                    (self.depth, self.unknown_fields) = (depth, unknown);
                    self.grouping = grouping;
                }
                result => return result,
            }
        }
        self.type_member(url);
        self.out.extend_from_slice(b",\"value\":\"");
        base64::encode(&mut self.out, value);
        self.out.push(b'"');
        self.close_object(start);
        self.check()
    }

    fn any_known(&mut self, id: MessageId, url: &str, value: &[u8]) -> Result<(), Stop> {
        let tables: &Tables = self.tables;
        let message = tables.message(id);
        let start = self.out.len();
        self.enter()?;
        self.type_member(url);
        match message.well_known {
            None => self.members(message, &[value])?,
            Some(WellKnown::Empty) => {}
            Some(_) => {
                self.out.extend_from_slice(b",\"value\":");
                self.message(id, &[value])?;
            }
        }
        self.leave();
        self.close_object(start);
        self.check()
    }

    fn type_member(&mut self, url: &str) {
        self.out.extend_from_slice(b",\"@type\":");
        escape::string(&mut self.out, url);
    }
}

/// The type URL and the value; the last of each counts.
pub(in crate::transcode) fn parts<'w>(fragments: &[&'w [u8]]) -> Result<(&'w str, &'w [u8]), Stop> {
    let mut url = "";
    let mut content: &[u8] = &[];
    for fragment in fragments {
        let mut reader = Reader::new(fragment);
        while !reader.is_empty() {
            let (number, wire_type) = reader.tag()?;
            match (number, reader.value(number, wire_type)?) {
                (1, Raw::Len(bytes)) => {
                    url = std::str::from_utf8(bytes).map_err(|_error| ErrorKind::Utf8)?;
                }
                (2, Raw::Len(bytes)) => content = bytes,
                _ => {}
            }
        }
    }
    Ok((url, content))
}
