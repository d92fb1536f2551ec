//! [`Deframer`]: messages out of chunks.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use super::Announced;
use super::COMPRESSED;
use super::FrameError;
use super::Prefix;
use super::Rules;

/// One message of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Whether the payload is compressed.
    pub compressed: bool,
    /// The whole flag byte.
    pub flag: u8,
    /// The message's bytes, as they were sent.
    pub payload: Bytes,
}

/// Takes messages out of chunks. A message that lies within one chunk is a slice of it; one that
/// spans chunks is copied together as they arrive, and no chunk outlives the call of
/// [`next`](Self::next) that returned nothing.
///
/// It stores at most one message besides what was pushed, and memory grows with what has
/// arrived, never with what was merely announced. After an error it only repeats the error.
#[derive(Debug)]
pub struct Deframer {
    rules: Rules,
    input: VecDeque<Bytes>,
    prefix: Prefix,
    state: State,
}

#[derive(Debug)]
enum State {
    /// At a message's prefix.
    Prefix,
    /// Within a message, the beginning of which is here if it was in an earlier chunk.
    Message(Announced, BytesMut),
    /// Nothing more will be read.
    Failed(FrameError),
}

impl Deframer {
    /// For a stream under `rules`.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            input: VecDeque::new(),
            prefix: Prefix::default(),
            state: State::Prefix,
        }
    }

    /// Adds a chunk. Take all messages out before the next one, so that memory stays bounded.
    pub fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.input.push_back(chunk);
        }
    }

    /// The next message, if all of it is here.
    #[allow(
        clippy::should_implement_trait,
        reason = "nothing now may be something after the next chunk, which is no iterator"
    )]
    pub fn next(&mut self) -> Result<Option<Message>, FrameError> {
        let next = self.advance();
        if let Err(error) = next {
            self.state = State::Failed(error);
            self.input.clear();
        }
        next
    }

    /// How many bytes wait that were pushed and not taken out.
    pub fn waiting(&self) -> usize {
        self.input.iter().map(Bytes::len).sum()
    }

    /// What it means that no chunk will follow: fine between messages. To be asked when
    /// [`next`](Self::next) has nothing more.
    pub fn finish(&self) -> Result<(), FrameError> {
        match self.state {
            State::Failed(error) => Err(error),
            State::Prefix if self.prefix.is_empty() && self.input.is_empty() => Ok(()),
            State::Prefix | State::Message(..) => Err(FrameError::Truncated),
        }
    }

    fn advance(&mut self) -> Result<Option<Message>, FrameError> {
        loop {
            match &mut self.state {
                State::Failed(error) => return Err(*error),
                State::Prefix => {
                    let Some(chunk) = self.input.front_mut() else {
                        return Ok(None);
                    };
                    let (taken, announced) = self.prefix.read(self.rules, chunk)?;
                    skip_front(&mut self.input, taken);
                    if let Some(announced) = announced {
                        // Most messages lie whole in their chunk.
                        if let Some(payload) = whole_front(&mut self.input, announced.len) {
                            return Ok(Some(message(announced.flag, payload)));
                        }
                        self.state = State::Message(announced, BytesMut::new());
                    }
                }
                State::Message(announced, begun) => {
                    let Some(payload) = collect(&mut self.input, announced.len, begun) else {
                        return Ok(None);
                    };
                    let flag = announced.flag;
                    self.state = State::Prefix;
                    return Ok(Some(message(flag, payload)));
                }
            }
        }
    }
}

fn message(flag: u8, payload: Bytes) -> Message {
    Message {
        compressed: flag & COMPRESSED != 0,
        flag,
        payload,
    }
}

/// Drops up to `len` bytes of the first chunk.
fn skip_front(input: &mut VecDeque<Bytes>, len: usize) {
    if let Some(chunk) = input.front_mut() {
        chunk.advance(len.min(chunk.len()));
        if chunk.is_empty() {
            input.pop_front();
        }
    }
}

/// Takes up to `len` bytes off the first chunk.
fn take_front(input: &mut VecDeque<Bytes>, len: usize) -> Bytes {
    let Some(chunk) = input.front_mut() else {
        return Bytes::new();
    };
    // A chunk that goes whole need not be shared with what is left of it.
    if chunk.len() <= len {
        return input.pop_front().unwrap_or_default();
    }
    chunk.split_to(len)
}

/// A message of `len` bytes, if the first chunk has all of it.
fn whole_front(input: &mut VecDeque<Bytes>, len: usize) -> Option<Bytes> {
    let whole = len == 0 || input.front().is_some_and(|chunk| chunk.len() >= len);
    whole.then(|| take_front(input, len))
}

/// A message of `len` bytes whose beginning may be in `begun`; without a copy when one chunk has
/// it all.
fn collect(input: &mut VecDeque<Bytes>, len: usize, begun: &mut BytesMut) -> Option<Bytes> {
    /// Room that is made at once; small, for a peer may send one byte and stop.
    const FIRST_BYTES: usize = 4096;

    if begun.is_empty()
        && let Some(whole) = whole_front(input, len)
    {
        return Some(whole);
    }
    while begun.len() < len {
        let missing = len - begun.len();
        let part = take_front(input, missing);
        if part.is_empty() {
            return None;
        }
        if begun.capacity() - begun.len() < part.len() {
            // At least doubling, but never beyond the message.
            begun.reserve(missing.min(part.len().max(begun.len()).max(FIRST_BYTES)));
        }
        begun.extend_from_slice(&part);
    }
    Some(std::mem::take(begun).freeze())
}
