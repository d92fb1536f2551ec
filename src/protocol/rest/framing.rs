//! How messages stand in a streamed answer: array, NDJSON, server-sent events, result lines (S1).

use crate::schema::policy::StreamShape;

/// One framed answer: what has been opened has to be closed.
#[derive(Debug)]
pub(super) struct Framing {
    shape: StreamShape,
    begun: bool,
    /// The number of the next event, where events are numbered.
    number: Option<u64>,
}

impl Framing {
    pub(super) fn new(shape: StreamShape) -> Self {
        Self {
            shape,
            begun: false,
            number: None,
        }
    }

    /// The same with numbered events, from 1 on.
    pub(super) fn numbered(self, numbered: bool) -> Self {
        let number = (numbered && self.shape == StreamShape::Sse).then_some(1);
        Self { number, ..self }
    }

    pub(super) fn shape(&self) -> StreamShape {
        self.shape
    }

    /// What stands before a message. Its JSON has no line ends where they would mean something:
    /// only arrays are indented.
    pub(super) fn begin(&mut self, out: &mut Vec<u8>) {
        if let Some(number) = &mut self.number {
            out.extend_from_slice(b"id: ");
            out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
            out.push(b'\n');
            *number += 1;
        }
        out.extend_from_slice(match (self.shape, self.begun) {
            (StreamShape::Array, false) => b"[",
            (StreamShape::Array, true) => b",",
            (StreamShape::Ndjson, _) => b"",
            (StreamShape::Sse, _) => b"data: ",
            (StreamShape::Result, _) => b"{\"result\":",
        });
    }

    /// What stands after it.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.begun = true;
        out.extend_from_slice(match self.shape {
            StreamShape::Array => b"",
            StreamShape::Ndjson => b"\n",
            StreamShape::Sse => b"\n\n",
            StreamShape::Result => b"}\n",
        });
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
            framing.begin(&mut out);
            out.extend_from_slice(message.as_bytes());
            framing.finish(&mut out);
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
    fn s1_events_may_be_numbered() {
        let mut framing = Framing::new(StreamShape::Sse).numbered(true);
        let mut out = Vec::new();
        for message in [b"7", b"8"] {
            framing.begin(&mut out);
            out.extend_from_slice(message);
            framing.finish(&mut out);
        }
        assert_eq!(out, b"id: 1\ndata: 7\n\nid: 2\ndata: 8\n\n");
        let mut framing = Framing::new(StreamShape::Ndjson).numbered(true);
        let mut out = Vec::new();
        framing.begin(&mut out);
        assert_eq!(out, b"");
    }

    #[test]
    fn s4_an_array_can_only_be_broken_off() {
        assert_eq!(Framing::new(StreamShape::Array).failure(b"{}"), None);
        let sse = Framing::new(StreamShape::Sse).failure(b"{}").unwrap();
        assert_eq!(sse, b"event: error\ndata: {}\n\n");
    }
}
