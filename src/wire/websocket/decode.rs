//! [`Decoder`]: bytes of a client, in any pieces, become messages and control frames.

use bytes::Bytes;

use super::{CONTROL_BYTES, Event, Violation};

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// The longest head of a frame that is masked.
const HEAD: usize = 14;

/// One client's side of a connection.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    at: At,
    /// Of the message that is not complete: whether it is text, and what has come of it.
    message: Option<(bool, Vec<u8>)>,
    /// What has come of a control frame, which may stand between the frames of a message.
    control: Vec<u8>,
    closed: bool,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Head { bytes: [u8; HEAD], length: usize },
    Payload(Payload),
}

/// A frame whose payload comes.
#[derive(Clone, Copy, Debug)]
struct Payload {
    opcode: u8,
    fin: bool,
    key: [u8; 4],
    /// Bytes that have come, as far as the key is concerned.
    done: usize,
    left: usize,
}

impl Decoder {
    /// A decoder of messages of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            at: At::start(),
            message: None,
            control: Vec::new(),
            closed: false,
        }
    }

    /// Takes bytes until something is complete: what, and how many bytes were used. Nothing may
    /// be asked after a violation, and nothing is yielded after a close.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<(Option<Event>, usize), Violation> {
        if self.closed {
            return Ok((None, bytes.len()));
        }
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            match &mut self.at {
                At::Head {
                    bytes: head,
                    length,
                } => {
                    let Some(byte) = rest.first() else {
                        return Ok((None, used));
                    };
                    if let Some(place) = head.get_mut(*length) {
                        *place = *byte;
                    }
                    *length += 1;
                    used += 1;
                    let (head, length) = (*head, *length);
                    if length == head_length(&head, length) {
                        self.begin(&head, length)?;
                    }
                }
                At::Payload(payload) => {
                    let payload = *payload;
                    let taken = payload.left.min(rest.len());
                    let (now, _) = rest.split_at(taken);
                    self.take(payload, now);
                    used += taken;
                    if taken < payload.left {
                        return Ok((None, used));
                    }
                    self.at = At::start();
                    if let Some(event) = self.complete(payload)? {
                        return Ok((Some(event), used));
                    }
                }
            }
        }
    }

    /// A head is there.
    fn begin(&mut self, head: &[u8; HEAD], length: usize) -> Result<(), Violation> {
        let [first, second, extended @ ..] = head;
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        if first & 0x70 != 0 {
            return Err(Violation::Protocol("a reserved bit is set"));
        }
        if second & 0x80 == 0 {
            return Err(Violation::Protocol("a client's frame has no mask"));
        }
        let size = match second & 0x7f {
            126 => {
                let [high, low, ..] = extended;
                let size = u64::from(u16::from_be_bytes([*high, *low]));
                if size < 126 {
                    return Err(Violation::Protocol("a length is longer than it has to be"));
                }
                size
            }
            127 => {
                let size = extended
                    .first_chunk()
                    .map_or(0, |size| u64::from_be_bytes(*size));
                if !(65_536..1 << 63).contains(&size) {
                    return Err(Violation::Protocol("a length is longer than it has to be"));
                }
                size
            }
            short => u64::from(short),
        };
        let key = head.get(length - 4..length).and_then(<[u8]>::first_chunk);
        let left = self.admit(opcode, fin, size)?;
        self.at = At::Payload(Payload {
            opcode,
            fin,
            key: key.copied().unwrap_or_default(),
            done: 0,
            left,
        });
        Ok(())
    }

    /// Whether a frame may come here, and whether there is room for it.
    fn admit(&mut self, opcode: u8, fin: bool, size: u64) -> Result<usize, Violation> {
        let size = usize::try_from(size).map_err(|_too_large| Violation::TooLarge)?;
        match opcode {
            CLOSE | PING | PONG => {
                if !fin {
                    return Err(Violation::Protocol("a control frame is in pieces"));
                }
                if size > CONTROL_BYTES {
                    return Err(Violation::Protocol("a control frame is too long"));
                }
                self.control.clear();
                return Ok(size);
            }
            CONTINUATION if self.message.is_some() => {}
            CONTINUATION => return Err(Violation::Protocol("there is nothing to continue")),
            TEXT | BINARY if self.message.is_none() => {
                self.message = Some((opcode == TEXT, Vec::new()));
            }
            TEXT | BINARY => {
                return Err(Violation::Protocol("a message begins within another"));
            }
            _ => return Err(Violation::Protocol("an opcode is not known")),
        }
        let before = self.message.as_ref().map_or(0, |(_, bytes)| bytes.len());
        if size > self.limit.saturating_sub(before) {
            return Err(Violation::TooLarge);
        }
        Ok(size)
    }

    fn take(&mut self, payload: Payload, bytes: &[u8]) {
        let into = match (&mut self.message, payload.opcode) {
            (_, CLOSE | PING | PONG) => &mut self.control,
            (Some((_, message)), _) => message,
            (None, _) => return,
        };
        let before = into.len();
        into.extend_from_slice(bytes);
        let mut key = payload.key;
        key.rotate_left(payload.done % 4);
        let fresh = into.get_mut(before..).unwrap_or_default();
        let (fours, rest) = fresh.as_chunks_mut::<4>();
        for four in fours {
            *four = (u32::from_ne_bytes(*four) ^ u32::from_ne_bytes(key)).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip(key) {
            *byte ^= key;
        }
        self.at = At::Payload(Payload {
            done: payload.done.wrapping_add(bytes.len()),
            left: payload.left - bytes.len(),
            ..payload
        });
    }

    /// A frame is complete.
    fn complete(&mut self, payload: Payload) -> Result<Option<Event>, Violation> {
        match payload.opcode {
            PING => return Ok(Some(Event::Ping(std::mem::take(&mut self.control).into()))),
            PONG => return Ok(Some(Event::Pong)),
            CLOSE => {
                self.closed = true;
                return close_code(&self.control).map(|code| Some(Event::Close(code)));
            }
            _ if !payload.fin => return Ok(None),
            _ => {}
        }
        let Some((is_text, message)) = self.message.take() else {
            return Ok(None);
        };
        if is_text && std::str::from_utf8(&message).is_err() {
            return Err(Violation::NotUtf8);
        }
        let message = Bytes::from(message);
        Ok(Some(if is_text {
            Event::Text(message)
        } else {
            Event::Binary(message)
        }))
    }
}

impl At {
    fn start() -> Self {
        Self::Head {
            bytes: [0; HEAD],
            length: 0,
        }
    }
}

/// How long a head is of which so many bytes are there; more than that while nobody can tell.
fn head_length(head: &[u8; HEAD], there: usize) -> usize {
    if there < 2 {
        return HEAD;
    }
    let [_, second, ..] = head;
    let extended = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    // A frame without a mask is refused as soon as its length is there.
    let key = if second & 0x80 == 0 { 0 } else { 4 };
    2 + extended + key
}

/// The code of a close frame, if it has one (RFC 6455, 7.4).
fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        [_] => return Err(Violation::Protocol("a close frame has half a code")),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::Protocol(
            "a close code is none that is ever sent",
        ));
    }
    if std::str::from_utf8(reason).is_err() {
        return Err(Violation::NotUtf8);
    }
    Ok(Some(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame.
    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let key = [1, 2, 3, 250];
        let length = payload.len();
        let mut frame = vec![first];
        match length {
            0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
            126..65_536 => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(&key);
        frame.extend(payload.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k));
        frame
    }

    /// Everything that some bytes say, given in pieces of a size.
    fn events(bytes: &[u8], piece: usize) -> Result<Vec<Event>, Violation> {
        let mut decoder = Decoder::new(70_000);
        let mut events = Vec::new();
        for piece in bytes.chunks(piece) {
            let mut rest = piece;
            while !rest.is_empty() {
                let (event, used) = decoder.advance(rest)?;
                events.extend(event);
                rest = &rest[used..];
            }
        }
        Ok(events)
    }

    #[test]
    fn messages_in_any_pieces() {
        let long = vec![9; 66_000];
        let bytes = [
            masked(0x01, "gr\u{fc}".as_bytes()),
            masked(0x89, b"between"),
            masked(0x80, "\u{df}e".as_bytes()),
            masked(0x82, &long),
            masked(0x82, &long[..200]),
            masked(0x8a, b""),
            masked(0x81, b""),
            masked(0x88, b"\x03\xe8bye"),
            masked(0x81, b"too late"),
        ]
        .concat();
        let expected = [
            Event::Ping("between".into()),
            Event::Text("gr\u{fc}\u{df}e".into()),
            Event::Binary(long.clone().into()),
            Event::Binary(long[..200].to_vec().into()),
            Event::Pong,
            Event::Text("".into()),
            Event::Close(Some(1000)),
        ];
        for piece in [1, 2, 3, 7, 1000, bytes.len()] {
            assert_eq!(events(&bytes, piece).unwrap(), expected, "{piece}");
        }
    }

    #[test]
    fn violations() {
        let protocol: &[&[u8]] = &[
            &[0x81, 0x05],
            &masked(0xc1, b"x"),
            &masked(0x83, b"x"),
            &masked(0x8b, b"x"),
            &masked(0x80, b"x"),
            &[masked(0x01, b"x"), masked(0x81, b"x")].concat(),
            &masked(0x09, b"x"),
            &masked(0x89, &[0; 126]),
            &masked(0x88, b"\x03"),
            &masked(0x88, b"\x03\xed"),
            &masked(0x88, b"\x00\x00"),
            &[0x82, 0xfe, 0, 125, 0, 0, 0, 0],
            &[0x82, 0xff, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0],
            &[0x82, 0xff, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ];
        for bytes in protocol {
            for piece in [1, bytes.len()] {
                let found = events(bytes, piece).unwrap_err();
                assert_eq!(found.close_code(), 1002, "{bytes:?} {found}");
            }
        }
        for bytes in [masked(0x81, b"\xff"), masked(0x88, b"\x03\xe8\xff")] {
            assert_eq!(events(&bytes, 1), Err(Violation::NotUtf8));
        }
        // Refused by its length, before anything of it is there.
        let large = masked(0x82, &vec![0; 70_001]);
        assert_eq!(events(&large[..14], 14), Err(Violation::TooLarge));
        let both = [masked(0x02, &vec![0; 69_999]), masked(0x80, b"xy")].concat();
        assert_eq!(events(&both, 4096), Err(Violation::TooLarge));
    }
}
