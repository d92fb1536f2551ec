//! A stream of JSON values is cut into single values (S5), each as soon as it is complete.
//!
//! Sans-IO: bytes are pushed as they come, values are taken out. Only brackets and quotes are
//! looked at; whether a value is valid JSON is for its reader to say. Every byte is looked at
//! once, whatever the sizes of the chunks.

use bytes::{Buf, Bytes, BytesMut};

use super::Violation;
use super::json_to_wire::Rejection;

/// How values follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// A JSON array, or one value after the other; the first byte decides.
    Json,
    /// One value a line; empty lines are skipped.
    Lines,
}

/// Cuts a body into JSON values.
#[derive(Debug)]
pub struct Splitter {
    state: State,
    buffer: BytesMut,
    /// How much of the buffer was looked at.
    scanned: usize,
    /// Bytes of the body before the buffer.
    offset: usize,
    limit: usize,
    value: Value,
    ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was seen yet.
    Start,
    /// Inside of lines.
    Lines,
    /// Between values that follow one another.
    Sequence,
    /// Behind the bracket of an array: a value or its end.
    ArrayStart,
    /// Behind a comma: a value.
    ArrayValue,
    /// Behind a value: a comma or the end.
    ArrayNext,
    /// Behind the array: nothing.
    ArrayEnd,
    /// What came was wrong; nothing more is read.
    Failed,
}

/// How far the value at the front of the buffer has been followed.
#[derive(Clone, Copy, Debug, Default)]
struct Value {
    /// Brackets that are open.
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// Inside of a number or a word.
    in_word: bool,
}

/// What one byte means for the value it stands in.
enum Step {
    /// It belongs to the value.
    Inside,
    /// It is the last one of the value.
    Last,
    /// It stands behind the value.
    Behind,
}

impl Splitter {
    /// A splitter for values of at most `limit` bytes.
    pub fn new(framing: Framing, limit: usize) -> Self {
        Self {
            state: match framing {
                Framing::Json => State::Start,
                Framing::Lines => State::Lines,
            },
            buffer: BytesMut::new(),
            scanned: 0,
            offset: 0,
            limit,
            value: Value::default(),
            ended: false,
        }
    }

    /// Adds bytes of the body. To bound the buffer, [`next_value`](Self::next_value) must have given `None`
    /// before.
    pub fn push(&mut self, bytes: &Bytes) {
        if self.state != State::Failed {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Says that the body has ended: what is left is complete, or wrong.
    pub fn finish(&mut self) {
        self.ended = true;
    }

    /// The next complete value; `None` when more bytes are needed, or after
    /// [`finish`](Self::finish) when there are no more.
    pub fn next_value(&mut self) -> Result<Option<Bytes>, Rejection> {
        let result = match self.state {
            State::Lines => self.line(),
            State::Failed => Ok(None),
            _ => self.json(),
        };
        if result.is_err() {
            self.state = State::Failed;
            self.buffer = BytesMut::new();
        }
        result
    }

    fn line(&mut self) -> Result<Option<Bytes>, Rejection> {
        loop {
            let fresh = self.buffer.get(self.scanned..).unwrap_or_default();
            let end = memchr::memchr(b'\n', fresh).map(|at| self.scanned + at);
            let length = end.unwrap_or(self.buffer.len());
            if length > self.limit {
                return Err(Rejection::TooLarge);
            }
            let line = match end {
                Some(end) => {
                    let line = self.take(end);
                    self.drop_byte();
                    line
                }
                None if self.ended && !self.buffer.is_empty() => self.take(length),
                None => {
                    self.scanned = self.buffer.len();
                    return Ok(None);
                }
            };
            if !line.iter().all(|byte| is_space(*byte)) {
                return Ok(Some(line));
            }
        }
    }

    fn json(&mut self) -> Result<Option<Bytes>, Rejection> {
        while self.scanned == 0 {
            let Some(&byte) = self.buffer.first() else {
                return self.end_between();
            };
            if is_space(byte) {
                self.drop_byte();
                continue;
            }
            match (self.state, byte) {
                (State::Start, b'[') => self.punctuation(State::ArrayStart),
                (State::Start, _) => self.state = State::Sequence,
                (State::ArrayStart | State::ArrayNext, b']') => self.punctuation(State::ArrayEnd),
                (State::ArrayNext, b',') => self.punctuation(State::ArrayValue),
                (State::ArrayNext, _) => {
                    return Err(self.wrong("expected a comma or the end of the list"));
                }
                (State::ArrayEnd, _) => {
                    return Err(self.wrong("there is more text after the JSON list"));
                }
                (_, b',' | b':' | b']' | b'}') => {
                    return Err(self.wrong("expected a JSON value"));
                }
                _ => break,
            }
        }
        self.value()
    }

    /// The value at the front of the buffer, once it is complete.
    fn value(&mut self) -> Result<Option<Bytes>, Rejection> {
        while let Some(&byte) = self.buffer.get(self.scanned) {
            let length = match self.value.step(byte) {
                Step::Inside => {
                    self.scanned += 1;
                    if self.scanned > self.limit {
                        return Err(Rejection::TooLarge);
                    }
                    continue;
                }
                Step::Last => self.scanned + 1,
                Step::Behind => self.scanned,
            };
            if length > self.limit {
                return Err(Rejection::TooLarge);
            }
            return Ok(Some(self.complete(length)));
        }
        if !self.ended {
            return Ok(None);
        }
        let in_array = matches!(self.state, State::ArrayStart | State::ArrayValue);
        if in_array || self.value.depth > 0 || self.value.in_string {
            return Err(self.wrong("the JSON text ends too early"));
        }
        let length = self.scanned;
        Ok(Some(self.complete(length)))
    }

    fn complete(&mut self, length: usize) -> Bytes {
        self.value = Value::default();
        self.state = match self.state {
            State::ArrayStart | State::ArrayValue => State::ArrayNext,
            state => state,
        };
        self.take(length)
    }

    /// The body ends, or pauses, between values.
    fn end_between(&self) -> Result<Option<Bytes>, Rejection> {
        match self.state {
            State::ArrayStart | State::ArrayValue | State::ArrayNext if self.ended => {
                Err(self.wrong("the JSON list is not closed"))
            }
            _ => Ok(None),
        }
    }

    fn punctuation(&mut self, next: State) {
        self.drop_byte();
        self.state = next;
    }

    fn drop_byte(&mut self) {
        self.buffer.advance(1);
        self.offset += 1;
    }

    fn take(&mut self, length: usize) -> Bytes {
        self.scanned = 0;
        self.offset += length;
        self.buffer.split_to(length).freeze()
    }

    fn wrong(&self, description: &str) -> Rejection {
        Rejection::Invalid(vec![Violation {
            field: String::new(),
            description: description.to_owned(),
            offset: Some(self.offset + self.scanned),
        }])
    }
}

impl Value {
    fn step(&mut self, byte: u8) -> Step {
        if self.in_string {
            let closes = !self.escaped && byte == b'"';
            self.escaped = !self.escaped && byte == b'\\';
            self.in_string = !closes;
            return if closes && self.depth == 0 {
                Step::Last
            } else {
                Step::Inside
            };
        }
        let special = matches!(byte, b'"' | b'{' | b'[' | b'}' | b']' | b',' | b':');
        if self.in_word && (special || is_space(byte)) {
            return Step::Behind;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    return Step::Last;
                }
            }
            _ => self.in_word = self.depth == 0,
        }
        Step::Inside
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(framing: Framing, chunks: &[&[u8]]) -> Result<Vec<String>, String> {
        let mut splitter = Splitter::new(framing, 64);
        let mut values = Vec::new();
        let mut drain = |splitter: &mut Splitter| loop {
            match splitter.next_value() {
                Ok(Some(value)) => values.push(String::from_utf8_lossy(&value).into_owned()),
                Ok(None) => return Ok(()),
                Err(Rejection::TooLarge) => return Err(String::from("too large")),
                Err(Rejection::Invalid(violations)) => {
                    let first = &violations[0];
                    return Err(format!("{}: {}", first.offset.unwrap(), first.description));
                }
            }
        };
        for chunk in chunks {
            splitter.push(&Bytes::copy_from_slice(chunk));
            drain(&mut splitter)?;
        }
        splitter.finish();
        drain(&mut splitter)?;
        Ok(values)
    }

    #[test]
    fn arrays_and_sequences_are_told_apart_by_their_first_byte() {
        for (text, expected) in [
            ("", &[][..]),
            (" \n", &[]),
            ("[]", &[]),
            (" [ ] ", &[]),
            ("[1]", &["1"]),
            (
                "[{\"a\":[1,2]} , \"x]\\\"\",null]",
                &["{\"a\":[1,2]}", "\"x]\\\"\"", "null"],
            ),
            ("[[1],[]]", &["[1]", "[]"]),
            ("{}{}", &["{}", "{}"]),
            ("{} \n {\"a\":1}", &["{}", "{\"a\":1}"]),
            (
                "1 2\ntrue\"a\"\"b\"null",
                &["1", "2", "true", "\"a\"", "\"b\"", "null"],
            ),
        ] {
            let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
            assert_eq!(
                split(Framing::Json, &[text.as_bytes()]),
                Ok(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn lines_are_values() {
        for (text, expected) in [
            ("", &[][..]),
            ("{}\n{\"a\":1}\r\n\n  \n3", &["{}", "{\"a\":1}\r", "3"]),
            ("{\n}", &["{", "}"]),
        ] {
            let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
            assert_eq!(
                split(Framing::Lines, &[text.as_bytes()]),
                Ok(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_stream_is_told_with_its_place() {
        for (text, expected) in [
            ("[1", "2: the JSON text ends too early"),
            ("[1,", "3: the JSON list is not closed"),
            ("[1,]", "3: expected a JSON value"),
            ("[,1]", "1: expected a JSON value"),
            ("[1 2]", "3: expected a comma or the end of the list"),
            ("[] x", "3: there is more text after the JSON list"),
            ("{\"a\":", "5: the JSON text ends too early"),
            ("\"abc", "4: the JSON text ends too early"),
            ("{},{}", "2: expected a JSON value"),
            ("}", "0: expected a JSON value"),
        ] {
            let result = split(Framing::Json, &[text.as_bytes()]);
            assert_eq!(result, Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn values_over_the_limit_are_refused_before_they_are_complete() {
        let long = format!("\"{}\"", "x".repeat(63));
        for framing in [Framing::Json, Framing::Lines] {
            let result = split(framing, &[long.as_bytes()]);
            assert_eq!(result, Err(String::from("too large")));
            let fits = format!("\"{}\"", "x".repeat(62));
            assert_eq!(split(framing, &[fits.as_bytes()]).unwrap().len(), 1);
        }
    }

    #[test]
    fn a_value_comes_out_before_the_body_ends() {
        let mut splitter = Splitter::new(Framing::Json, 64);
        splitter.push(&Bytes::from_static(b"[{\"a\":1}"));
        assert_eq!(
            splitter.next_value(),
            Ok(Some(Bytes::from_static(b"{\"a\":1}")))
        );
        assert_eq!(splitter.next_value(), Ok(None));
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "[", "]", "{", "}", ",", ":", " ", "\n", "\"", "\\", "1", "true", "a",
                ]),
                0..30,
            ),
            cuts in prop::collection::vec(0_usize..60, 0..6),
        ) {
            let text = pieces.concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts
                .windows(2)
                .map(|window| &text.as_bytes()[window[0]..window[1]])
                .collect();
            for framing in [Framing::Json, Framing::Lines] {
                prop_assert_eq!(split(framing, &[text.as_bytes()]), split(framing, &chunks));
            }
        }
    }
}
