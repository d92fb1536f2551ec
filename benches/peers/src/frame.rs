//! gRPC's frames, as far as the yardstick needs them: one message in a frame, and a count of the
//! messages in chunks that are cut anywhere.

use bytes::{BufMut, Bytes, BytesMut};

/// The bytes before every message: a flag and a length.
const PREFIX: usize = 5;

/// A message in its frame, uncompressed.
pub fn framed(message: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(PREFIX + message.len());
    out.put_u8(0);
    out.put_u32(u32::try_from(message.len()).expect("fixtures are small"));
    out.put_slice(message);
    out.freeze()
}

/// Counts messages that are complete.
#[derive(Debug, Default)]
pub struct Counter {
    prefix: [u8; PREFIX],
    filled: usize,
    missing: usize,
}

impl Counter {
    /// How many messages end in this chunk.
    pub fn push(&mut self, mut chunk: &[u8]) -> usize {
        let mut messages = 0;
        while !chunk.is_empty() {
            if self.filled < PREFIX {
                let take = (PREFIX - self.filled).min(chunk.len());
                self.prefix[self.filled..self.filled + take].copy_from_slice(&chunk[..take]);
                self.filled += take;
                chunk = &chunk[take..];
                if self.filled < PREFIX {
                    break;
                }
                let [_, a, b, c, d] = self.prefix;
                self.missing = u32::from_be_bytes([a, b, c, d]) as usize;
            }
            let take = self.missing.min(chunk.len());
            self.missing -= take;
            chunk = &chunk[take..];
            if self.missing == 0 {
                messages += 1;
                self.filled = 0;
            }
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_however_they_are_cut() {
        let all = [framed(b"abc"), framed(b""), framed(&[7; 300])].concat();
        for size in 1..all.len() {
            let mut counter = Counter::default();
            let counted: usize = all.chunks(size).map(|chunk| counter.push(chunk)).sum();
            assert_eq!(counted, 3, "in chunks of {size}");
        }
    }
}
