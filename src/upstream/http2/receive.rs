//! What the far side sends, frame by frame (RFC 9113, section 6).

use bytes::{Buf, Bytes, BytesMut};
use h2::Reason;
use http::StatusCode;

use super::frame::{self, Broken, Head, WRONG_LENGTH};
use super::hpack::List;
use super::session::Session;
use super::stream::{End, Failure, Key};
use super::window;

/// A header block of which more is to come.
#[derive(Debug)]
pub(super) struct Block {
    stream: u32,
    end_stream: bool,
    bytes: Vec<u8>,
    frames: usize,
}

/// From this size on, what a DATA frame holds is not copied but shared with the read buffer. Less
/// is copied, so that what a slow client leaves unread does not hold much more than itself.
const SHARED_BYTES: usize = 4096;

impl Session {
    /// Takes the whole frames off the front of `input`. After an error nothing more may come.
    pub(super) fn receive(&mut self, input: &mut BytesMut) -> Result<(), Broken> {
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let Some(head) = Head::parse(rest) else {
                break;
            };
            if head.len > frame::MAX_PAYLOAD {
                return Err(Broken {
                    reason: Reason::FRAME_SIZE_ERROR,
                    what: "a frame is larger than was allowed",
                });
            }
            let end = frame::HEAD_BYTES + head.len;
            let Some(payload) = rest.get(frame::HEAD_BYTES..end) else {
                break;
            };
            if head.kind == frame::DATA && head.len >= SHARED_BYTES {
                input.advance(at + frame::HEAD_BYTES);
                at = 0;
                let shared = input.split_to(head.len).freeze();
                self.data(head, &shared, Some(&shared))?;
            } else {
                at += end;
                self.frame(head, payload)?;
            }
        }
        input.advance(at);
        Ok(())
    }

    fn frame(&mut self, head: Head, payload: &[u8]) -> Result<(), Broken> {
        if self.block.is_some() != (head.kind == frame::CONTINUATION) {
            return Err(Broken::protocol(
                "a header block is not continued as it should be",
            ));
        }
        if !self.peer.introduced && head.kind != frame::SETTINGS {
            return Err(Broken::protocol("the first frame is no SETTINGS"));
        }
        match head.kind {
            frame::DATA => self.data(head, payload, None),
            frame::HEADERS => self.headers(head, payload),
            frame::CONTINUATION => self.continuation(head, payload),
            frame::RST_STREAM => self.reset(head, payload),
            frame::SETTINGS => self.settings(head, payload),
            frame::PING => self.pinged(head, payload),
            frame::GOAWAY => self.go_away(head, payload),
            frame::WINDOW_UPDATE => self.window_update(head, payload),
            frame::PUSH_PROMISE => Err(Broken::protocol("a push, which is not allowed")),
            frame::PRIORITY if head.len != 5 => Err(WRONG_LENGTH),
            // Priorities mean nothing, and neither do frames of later specifications.
            _ => Ok(()),
        }
    }

    /// The stream that a frame is for; `None` when it is over.
    fn stream_of(&self, head: Head) -> Result<Option<Key>, Broken> {
        if head.stream.is_multiple_of(2) || head.stream >= self.next_id {
            return Err(Broken::protocol(
                "a frame for a stream that was never opened",
            ));
        }
        Ok(self.streams.find(head.stream))
    }

    fn data(&mut self, head: Head, payload: &[u8], shared: Option<&Bytes>) -> Result<(), Broken> {
        if self.block.is_some() || !self.peer.introduced {
            return Err(Broken::protocol("data where it cannot be"));
        }
        let stream = self.stream_of(head)?;
        self.receive_window
            .take(head.len)
            .map_err(|_overflow| OVERSTEPPED)?;
        // A stream holds back what its own window allows, so that this one can go back at once.
        if let Some(back) = self.receive_window.consume(head.len) {
            self.push_window_update(0, back);
        }
        let content = frame::content(head, payload)?;
        let Some(key) = stream else {
            return Ok(());
        };
        let Some(stream) = self.streams.get(key) else {
            return Ok(());
        };
        if !stream.answered {
            self.reject(key, Reason::PROTOCOL_ERROR, "data before a head");
            return Ok(());
        }
        if stream.receive_window.take(head.len).is_err() {
            self.reject(key, Reason::FLOW_CONTROL_ERROR, OVERSTEPPED.what);
            return Ok(());
        }
        let back = stream.receive_window.consume(head.len - content.len());
        if !content.is_empty() {
            match shared {
                Some(shared) => stream.push_shared(shared.slice_ref(content)),
                None => stream.push_copied(content),
            }
            self.woken.extend(stream.take_waker());
        }
        if head.has(frame::END_STREAM) {
            self.end(key, End::Complete);
        } else if let Some(back) = back {
            self.push_window_update(key.id(), back);
        }
        Ok(())
    }

    fn headers(&mut self, head: Head, payload: &[u8]) -> Result<(), Broken> {
        let content = frame::content(head, payload)?;
        let end_stream = head.has(frame::END_STREAM);
        self.stream_of(head)?;
        if head.has(frame::END_HEADERS) {
            return self.block_is_whole(head, end_stream, content);
        }
        self.block = Some(Block {
            stream: head.stream,
            end_stream,
            bytes: content.to_vec(),
            frames: 1,
        });
        Ok(())
    }

    fn continuation(&mut self, head: Head, payload: &[u8]) -> Result<(), Broken> {
        /// Nobody needs more frames for a block of the size that is allowed.
        const MOST_FRAMES: usize = 1024;
        let limit = self.limits.max_header_list as usize + frame::MAX_PAYLOAD;
        let Some(mut block) = self
            .block
            .take()
            .filter(|block| block.stream == head.stream)
        else {
            return Err(Broken::protocol(
                "a header block is continued for another stream",
            ));
        };
        block.bytes.extend_from_slice(payload);
        block.frames += 1;
        if block.bytes.len() > limit || block.frames > MOST_FRAMES {
            return Err(Broken {
                reason: Reason::ENHANCE_YOUR_CALM,
                what: "a header block without end",
            });
        }
        if head.has(frame::END_HEADERS) {
            return self.block_is_whole(head, block.end_stream, &block.bytes);
        }
        self.block = Some(block);
        Ok(())
    }

    /// Decodes a header block, for its stream or only for the table.
    fn block_is_whole(&mut self, head: Head, end: bool, block: &[u8]) -> Result<(), Broken> {
        let mut list = List::new(self.limits.max_header_list as usize);
        if self.decoder.decode(block, &mut list).is_err() {
            return Err(Broken {
                reason: Reason::COMPRESSION_ERROR,
                what: "a header block cannot be decoded",
            });
        }
        let Some(key) = self.stream_of(head)? else {
            return Ok(());
        };
        if let Err(what) = self.take_list(key, list, end) {
            self.reject(key, Reason::PROTOCOL_ERROR, what);
            return Ok(());
        }
        if end {
            self.end(key, End::Complete);
        }
        Ok(())
    }

    /// Gives a header list to its stream: as its head, as trailers, or not at all.
    fn take_list(&mut self, key: Key, list: List, end: bool) -> Result<(), &'static str> {
        let Some(stream) = self.streams.get(key) else {
            return Ok(());
        };
        if let Some(what) = list.wrong() {
            return Err(what);
        }
        if stream.answered {
            if list.status.is_some() {
                return Err("trailers with a status of HTTP");
            }
            if !end {
                return Err("header fields in the middle of an answer");
            }
            stream.trailers = Some(list.headers);
            return Ok(());
        }
        let status = list.status.ok_or("a head without a status of HTTP")?;
        if status == StatusCode::SWITCHING_PROTOCOLS || (status.is_informational() && end) {
            return Err("an informational status that cannot be");
        }
        if !status.is_informational() {
            stream.answered = true;
            stream.head = Some((status, list.headers));
            self.woken.extend(stream.take_waker());
        }
        Ok(())
    }

    fn reset(&mut self, head: Head, payload: &[u8]) -> Result<(), Broken> {
        let reason = Reason::from(frame::number(payload)?);
        if let Some(key) = self.stream_of(head)? {
            self.end(key, End::Failed(Failure::Reset(reason)));
        }
        Ok(())
    }

    fn settings(&mut self, head: Head, payload: &[u8]) -> Result<(), Broken> {
        if head.stream != 0 {
            return Err(Broken::protocol("SETTINGS of a stream"));
        }
        if head.has(frame::ACK) {
            return if payload.is_empty() {
                Ok(())
            } else {
                Err(WRONG_LENGTH)
            };
        }
        for (id, value) in frame::settings(payload)? {
            self.set(id, value)?;
        }
        self.peer.introduced = true;
        self.push_frame(frame::SETTINGS, frame::ACK, 0, &[]);
        self.send_bodies();
        Ok(())
    }

    fn set(&mut self, id: u16, value: u32) -> Result<(), Broken> {
        const HEADER_TABLE_SIZE: u16 = 1;
        const ENABLE_PUSH: u16 = 2;
        const MAX_CONCURRENT_STREAMS: u16 = 3;
        const INITIAL_WINDOW_SIZE: u16 = 4;
        const MAX_FRAME_SIZE: u16 = 5;
        match id {
            HEADER_TABLE_SIZE => self.encoder.set_table_size(value as usize),
            ENABLE_PUSH if value > 0 => return Err(Broken::protocol("a server that takes pushes")),
            MAX_CONCURRENT_STREAMS => self.peer.max_streams = value as usize,
            INITIAL_WINDOW_SIZE => return self.set_stream_window(value),
            MAX_FRAME_SIZE if !(16_384..1 << 24).contains(&value) => {
                return Err(Broken::protocol("a frame size that cannot be"));
            }
            MAX_FRAME_SIZE => self.peer.max_payload = value as usize,
            _ => {}
        }
        Ok(())
    }

    /// All windows change with the one that streams begin with, those of running streams too.
    fn set_stream_window(&mut self, size: u32) -> Result<(), Broken> {
        let by = i64::from(size) - i64::from(self.peer.stream_window);
        if size > window::LARGEST {
            return Err(OVERFLOWN);
        }
        self.peer.stream_window = size;
        for key in self.streams.running() {
            if let Some(stream) = self.streams.get(key) {
                stream
                    .send_window
                    .change(by)
                    .map_err(|_overflow| OVERFLOWN)?;
                self.queue(key);
            }
        }
        Ok(())
    }

    fn pinged(&mut self, head: Head, payload: &[u8]) -> Result<(), Broken> {
        if head.len != 8 {
            return Err(WRONG_LENGTH);
        }
        if head.stream != 0 {
            return Err(Broken::protocol("a PING of a stream"));
        }
        // An answer needs no notice: that something came is what counts.
        if !head.has(frame::ACK) {
            self.push_frame(frame::PING, frame::ACK, 0, payload);
        }
        Ok(())
    }

    /// The far side takes no new streams, and never looked at those above the last one it names.
    fn go_away(&mut self, head: Head, payload: &[u8]) -> Result<(), Broken> {
        let (last, reason) = frame::go_away(payload)?;
        if head.stream != 0 {
            return Err(Broken::protocol("a GOAWAY of a stream"));
        }
        self.leaving = true;
        for key in self.streams.running() {
            if key.id() > last {
                self.end(key, End::Failed(Failure::Unprocessed(reason)));
            }
        }
        Ok(())
    }

    fn window_update(&mut self, head: Head, payload: &[u8]) -> Result<(), Broken> {
        let by = i64::from(frame::number(payload)? & !(1 << 31));
        if head.stream == 0 {
            if by == 0 {
                return Err(Broken::protocol("a window that grows by nothing"));
            }
            self.send_window.change(by).map_err(|_overflow| OVERFLOWN)?;
        } else if let Some(key) = self.stream_of(head)?
            && let Some(stream) = self.streams.get(key)
        {
            if by == 0 || stream.send_window.change(by).is_err() {
                self.reject(key, Reason::FLOW_CONTROL_ERROR, OVERFLOWN.what);
                return Ok(());
            }
            self.queue(key);
        }
        self.send_bodies();
        Ok(())
    }

    /// The answer on a stream breaks the protocol: that ends the stream and nothing else.
    fn reject(&mut self, key: Key, reason: Reason, what: &'static str) {
        self.push_reset(key.id(), reason);
        self.end(key, End::Failed(Failure::Malformed(what)));
    }
}

const OVERSTEPPED: Broken = Broken {
    reason: Reason::FLOW_CONTROL_ERROR,
    what: "more data than the window allows",
};

const OVERFLOWN: Broken = Broken {
    reason: Reason::FLOW_CONTROL_ERROR,
    what: "a window grows beyond the largest there is",
};
