//! [`Frames`]: follows the frame boundaries of an HTTP/2 connection, to see a header block that
//! never ends.
//!
//! h2 waits for ever for the rest of a header block. This knows no I/O and no clock, holds no
//! bytes, and says nothing about whether a frame is sound: that is h2's.

const HEAD_BYTES: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Where in the client's bytes the next one stands.
#[derive(Debug)]
pub(super) struct Frames {
    /// What is left of the preface.
    preface: usize,
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    /// What is left of the payload.
    payload: u32,
    in_block: bool,
    /// Frames that ended outside of a header block.
    ended: u64,
}

impl Frames {
    /// At the beginning of a connection, before its preface.
    pub(super) fn new() -> Self {
        Self {
            preface: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len(),
            head: [0; HEAD_BYTES],
            head_bytes: 0,
            payload: 0,
            in_block: false,
            ended: 0,
        }
    }

    /// Changes whenever something that [`Frames::is_in_head`] was about has ended.
    pub(super) fn ended(&self) -> u64 {
        self.ended
    }

    /// Whether a header block or the head of a frame has begun and not ended.
    pub(super) fn is_in_head(&self) -> bool {
        self.in_block || self.head_bytes > 0
    }

    /// Follows some bytes.
    pub(super) fn follow(&mut self, bytes: &[u8]) {
        let preface = self.preface.min(bytes.len());
        self.preface -= preface;
        let mut rest = bytes.get(preface..).unwrap_or_default();
        while !rest.is_empty() {
            rest = if self.payload > 0 {
                self.skip(rest)
            } else {
                self.head(rest)
            };
        }
    }

    fn skip<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let here = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        let taken = self.payload.min(here);
        self.payload -= taken;
        if self.payload == 0 {
            self.end_of_frame();
        }
        rest.get(taken as usize..).unwrap_or_default()
    }

    fn head<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let Some((byte, rest)) = rest.split_first() else {
            return rest;
        };
        if let Some(place) = self.head.get_mut(self.head_bytes) {
            *place = *byte;
        }
        self.head_bytes += 1;
        if self.head_bytes == HEAD_BYTES {
            let [high, middle, low, kind, ..] = self.head;
            self.payload = u32::from_be_bytes([0, high, middle, low]);
            self.head_bytes = 0;
            if kind == HEADERS {
                self.in_block = true;
            }
            if self.payload == 0 {
                self.end_of_frame();
            }
        }
        rest
    }

    fn end_of_frame(&mut self) {
        let [_, _, _, kind, flags, ..] = self.head;
        if matches!(kind, HEADERS | CONTINUATION) && flags & END_HEADERS != 0 {
            self.in_block = false;
        }
        if !self.in_block {
            self.ended = self.ended.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    #[test]
    fn a_header_block_lasts_until_its_end() {
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        let rows: &[(&[u8], bool)] = &[
            (&preface, false),
            (&frame(4, 0, &[]), false),
            (&frame(HEADERS, 0, b"abc"), true),
            (&frame(CONTINUATION, 0, b""), true),
            (&frame(CONTINUATION, END_HEADERS, b"abc"), false),
            (&frame(0, 1, &[0; 70_000]), false),
            (&frame(HEADERS, END_HEADERS, b"abc"), false),
            (&[0, 0], true),
            (&[3, HEADERS, END_HEADERS, 0, 0, 0, 1], true),
            (b"ab", true),
            (b"c", false),
        ];
        for cut in [1, 2, 7, usize::MAX] {
            let mut frames = Frames::new();
            for (bytes, expected) in rows {
                for piece in bytes.chunks(cut.min(bytes.len())) {
                    frames.follow(piece);
                }
                assert_eq!(frames.is_in_head(), *expected, "cut {cut}, {bytes:?}");
            }
        }
    }
}
