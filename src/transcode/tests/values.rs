//! Random values, read off random bytes: half of them from the edges where mistakes live.

use std::fmt::Write as _;

use crate::schema::plan::Kind;

const STRINGS: [&str; 6] = [
    "",
    "a",
    "ü\u{1F600}",
    "\"\\\n\u{1}",
    "a.b]c",
    "long enough for two",
];
const LETTERS: [char; 16] = [
    'a',
    'Z',
    '0',
    ' ',
    '"',
    '\\',
    '/',
    '\n',
    '\u{1F}',
    '\u{7F}',
    '\u{80}',
    'ü',
    '\u{2028}',
    '\u{FFFD}',
    '\u{FFFF}',
    '\u{10FFFF}',
];
const DOUBLES: [f64; 8] = [0.0, -0.0, 1.5, -2.0, 1e300, 5e-324, 123_456_789.125, 0.1];
const INTEGERS: [i64; 12] = [
    0,
    1,
    -1,
    7,
    128,
    i32::MAX as i64,
    i32::MIN as i64,
    u32::MAX as i64,
    (1 << 53) + 1,
    1 << 32,
    i64::MAX,
    i64::MIN,
];

/// Messages are nested no deeper than this: oracles end at about 100.
const MAX_DEPTH: usize = 40;

/// Choices read off random bytes; zeros when they are used up, so everything ends.
pub(super) struct Entropy<'a> {
    bytes: std::slice::Iter<'a, u8>,
    depth: usize,
}

impl<'a> Entropy<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: bytes.iter(),
            depth: 0,
        }
    }

    /// Makes something inside of something, with nothing left to choose when that is too deep.
    pub(super) fn nested<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> T {
        self.depth += 1;
        let made = make(self);
        self.depth -= 1;
        made
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        if self.is_empty() {
            return 0;
        }
        usize::from(self.bytes.next().copied().unwrap_or(0)) % limit.max(1)
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.depth > MAX_DEPTH || self.bytes.len() == 0
    }

    fn bits(&mut self) -> u64 {
        (0..8).fold(0, |bits, _| bits << 8 | self.below(256) as u64)
    }

    pub(super) fn integer(&mut self) -> i64 {
        match self.below(3) {
            0 => {
                let shift = self.below(64);
                self.bits() as i64 >> shift
            }
            _ => self.pick(&INTEGERS),
        }
    }

    /// NaN and infinities among them.
    pub(super) fn double(&mut self) -> f64 {
        match self.below(4) {
            0 => f64::from_bits(self.bits()),
            1 => self.integer() as f64 / 64.0,
            _ => self.pick(&DOUBLES),
        }
    }

    pub(super) fn finite(&mut self) -> f64 {
        let value = self.double();
        if value.is_finite() { value } else { 1.25 }
    }

    pub(super) fn float(&mut self) -> f32 {
        match self.below(4) {
            0 => f32::from_bits(self.bits() as u32),
            1 => self.integer() as f32 / 8.0,
            _ => self.pick(&[
                0.0,
                -0.0,
                1.5,
                0.1,
                f32::MAX,
                f32::MIN_POSITIVE,
                1e-45,
                16_777_216.0,
            ]),
        }
    }

    pub(super) fn text(&mut self) -> String {
        match self.below(3) {
            0 => {
                let length = self.below(20);
                (0..length).map(|_| self.pick(&LETTERS)).collect()
            }
            _ => self.pick(&STRINGS).to_owned(),
        }
    }

    pub(super) fn blob(&mut self) -> Vec<u8> {
        let length = self.below(7);
        (0..length).map(|_| self.below(256) as u8).collect()
    }
}

/// JSON of a scalar that every reader accepts; not of an enum or a message.
pub(super) fn json(kind: Kind, entropy: &mut Entropy<'_>) -> String {
    let number = match kind {
        Kind::String => return quoted(&entropy.text(), entropy),
        Kind::Bytes => return base64(entropy),
        Kind::Bool => return entropy.pick(&["true", "false"]).to_owned(),
        Kind::Double => return float(entropy.double(), entropy),
        Kind::Float => return float(f64::from(entropy.float()), entropy),
        Kind::Uint32 | Kind::Fixed32 => i128::from(entropy.integer() as u32),
        Kind::Uint64 | Kind::Fixed64 => i128::from(entropy.integer() as u64),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => i128::from(entropy.integer()),
        _ => i128::from(entropy.integer() as i32),
    };
    match entropy.below(4) {
        0 => format!("\"{number}\""),
        1 if number.unsigned_abs() < 1 << 53 => format!("{number}.0"),
        _ => number.to_string(),
    }
}

/// A key of a map with such keys, not yet quoted.
pub(super) fn key(kind: Kind, entropy: &mut Entropy<'_>) -> String {
    match kind {
        Kind::String => entropy.text(),
        Kind::Bool => entropy.pick(&["true", "false"]).to_owned(),
        Kind::Uint32 | Kind::Fixed32 => (entropy.integer() as u32).to_string(),
        Kind::Uint64 | Kind::Fixed64 => (entropy.integer() as u64).to_string(),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => entropy.integer().to_string(),
        _ => (entropy.integer() as i32).to_string(),
    }
}

fn float(value: f64, entropy: &mut Entropy<'_>) -> String {
    if value.is_nan() {
        return "\"NaN\"".to_owned();
    }
    if value.is_infinite() {
        let text = if value > 0.0 {
            "\"Infinity\""
        } else {
            "\"-Infinity\""
        };
        return text.to_owned();
    }
    match entropy.below(3) {
        0 => format!("{value:e}"),
        1 if value.abs() < 1e15 => format!("\"{value}\""),
        _ => format!("{value}"),
    }
}

/// A JSON string, in one of the ways to write it.
pub(super) fn quoted(text: &str, entropy: &mut Entropy<'_>) -> String {
    let escape_all = entropy.below(4) == 1;
    let mut out = String::from("\"");
    for letter in text.chars() {
        let mut units = [0; 2];
        match letter {
            '"' | '\\' if !escape_all => out.extend(['\\', letter]),
            '\n' if !escape_all => out.push_str("\\n"),
            _ if escape_all || letter < ' ' => {
                for unit in letter.encode_utf16(&mut units) {
                    let _infallible = write!(out, "\\u{unit:04x}");
                }
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
    out
}

fn base64(entropy: &mut Entropy<'_>) -> String {
    let encoding = match entropy.below(4) {
        0 => data_encoding::BASE64,
        1 => data_encoding::BASE64_NOPAD,
        2 => data_encoding::BASE64URL,
        _ => data_encoding::BASE64URL_NOPAD,
    };
    format!("\"{}\"", encoding.encode(&entropy.blob()))
}
