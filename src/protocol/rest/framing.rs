//! How messages stand in a streamed answer: array, NDJSON, server-sent events, result lines (S1).

use crate::schema::policy::StreamShape;

/// One framed answer: what has been opened has to be closed.
#[derive(Debug)]
pub(super) struct Framing {
    shape: StreamShape,
    begun: bool,
}

impl Framing {
    pub(super) fn new(shape: StreamShape) -> Self {
        Self {
            shape,
            begun: false,
        }
    }

    pub(super) fn shape(&self) -> StreamShape {
        self.shape
    }

    /// One message as it leaves.
    pub(super) fn message(&mut self, json: &[u8]) -> Vec<u8> {
        let first = !std::mem::replace(&mut self.begun, true);
        match self.shape {
            StreamShape::Array => around(if first { b"[" } else { b"," }, json, b""),
            StreamShape::Ndjson => around(b"", json, b"\n"),
            StreamShape::Sse => event(b"", json),
            StreamShape::Result => around(b"{\"result\":", json, b"}\n"),
        }
    }

    /// What closes a stream that ended well.
    pub(super) fn end(&self) -> &'static [u8] {
        match (self.shape, self.begun) {
            (StreamShape::Array, false) => b"[]",
            (StreamShape::Array, true) => b"]",
            (StreamShape::Ndjson | StreamShape::Sse | StreamShape::Result, _) => b"",
        }
    }

    /// What tells of a failure in the middle (S4); `None` when only breaking off can.
    pub(super) fn failure(&self, error: &[u8]) -> Option<Vec<u8>> {
        match self.shape {
            StreamShape::Array => None,
            StreamShape::Ndjson | StreamShape::Result => Some(around(b"", error, b"\n")),
            StreamShape::Sse => Some(event(b"event: error\n", error)),
        }
    }
}

fn around(before: &[u8], json: &[u8], after: &[u8]) -> Vec<u8> {
    [before, json, after].concat()
}

/// A server-sent event. JSON of several lines would end it early, so each line is data of its
/// own; messages are written compactly and have one.
fn event(kind: &[u8], json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() + 24);
    out.extend_from_slice(kind);
    for line in json.split(|byte| *byte == b'\n') {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.push(b'\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(shape: StreamShape, messages: &[&str]) -> String {
        let mut framing = Framing::new(shape);
        let mut out = Vec::new();
        for message in messages {
            out.extend(framing.message(message.as_bytes()));
        }
        out.extend_from_slice(framing.end());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn s1_framings() {
        for (shape, none, two) in [
            (StreamShape::Array, "[]", "[1,2]"),
            (StreamShape::Ndjson, "", "1\n2\n"),
            (StreamShape::Sse, "", "data: 1\n\ndata: 2\n\n"),
            (StreamShape::Result, "", "{\"result\":1}\n{\"result\":2}\n"),
        ] {
            assert_eq!(whole(shape, &[]), none, "{shape:?}");
            assert_eq!(whole(shape, &["1", "2"]), two, "{shape:?}");
        }
    }

    #[test]
    fn s4_an_array_can_only_be_broken_off() {
        assert_eq!(Framing::new(StreamShape::Array).failure(b"{}"), None);
        let sse = Framing::new(StreamShape::Sse).failure(b"{}").unwrap();
        assert_eq!(sse, b"event: error\ndata: {}\n\n");
    }
}
