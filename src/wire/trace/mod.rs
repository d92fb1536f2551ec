//! Trace contexts in headers: W3C's `traceparent` and both forms of B3, read and written.
//!
//! Source: W3C Trace Context, "traceparent Header"; openzipkin/b3-propagation, "Http Propagation".
//! What does not follow its form is no context: the trace then starts anew, and nobody is refused.
//!
//! ```text
//! traceparent = version "-" 32 lhex "-" 16 lhex "-" 2 lhex [ "-" anything, from version 01 on ]
//! b3          = ( 16 hex | 32 hex ) "-" 16 hex [ "-" state [ "-" 16 hex ] ] | state
//! state       = "0" | "1" | "d"
//! ```

#[cfg(test)]
mod tests;

/// The whole of a `traceparent` of version 00.
const TRACEPARENT: usize = 55;

/// What a client says of the trace that its request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Never 0.
    pub trace_id: u128,
    /// The span of the client; never 0.
    pub span_id: u64,
    /// Whether the client records it; `None` leaves that to us.
    pub sampled: Option<bool>,
}

/// What the far side is told, and in which headers besides `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Who asks.
    pub context: Context,
    /// As the header `b3`.
    pub b3: bool,
    /// As `x-b3-traceid` and its siblings.
    pub b3_multi: bool,
}

impl Told {
    /// Hands over the name and the value of each header.
    pub fn each(&self, mut take: impl FnMut(&'static str, &[u8])) {
        let context = &self.context;
        take("traceparent", &context.traceparent());
        if self.b3 {
            take("b3", &context.b3());
        }
        if self.b3_multi {
            take("x-b3-traceid", &trace_id_text(context.trace_id));
            take("x-b3-spanid", &span_id_text(context.span_id));
            take("x-b3-sampled", context.state());
        }
    }
}

/// Reads a `traceparent`. A version that is not known yet is read as far as it is known.
pub fn parse_traceparent(value: &[u8]) -> Option<Context> {
    let (known, rest) = value.split_at_checked(TRACEPARENT)?;
    let [v0, v1, b'-', ids @ ..] = known else {
        return None;
    };
    let version = lower_hex(&[*v0, *v1])?;
    let whole = match version {
        0xff => false,
        0 => rest.is_empty(),
        _ => rest.is_empty() || rest.starts_with(b"-"),
    };
    let (trace_id, after) = ids.split_at_checked(32)?;
    let (span_id, flags) = after.strip_prefix(b"-")?.split_at_checked(16)?;
    let flags = lower_hex(flags.strip_prefix(b"-")?)?;
    let context = Context {
        trace_id: lower_hex(trace_id)?,
        span_id: u64::try_from(lower_hex(span_id)?).ok()?,
        sampled: Some(flags & 1 == 1),
    };
    (whole && context.is_sound()).then_some(context)
}

/// Reads the header `b3`. One that only decides about sampling names no trace.
pub fn parse_b3(value: &[u8]) -> Option<Context> {
    let mut parts = value.split(|byte| *byte == b'-');
    let (trace_id, span_id) = (parts.next()?, parts.next()?);
    let sampled = match parts.next() {
        None => None,
        Some(state) => Some(b3_state(state)?),
    };
    if let Some(parent) = parts.next()
        && (parent.len() != 16 || hex(parent).is_none())
    {
        return None;
    }
    let context = b3_ids(trace_id, span_id, sampled)?;
    parts.next().is_none().then_some(context)
}

/// The values of B3's several headers, those that are there.
#[derive(Clone, Copy, Debug, Default)]
pub struct B3<'a> {
    /// `x-b3-traceid`.
    pub trace_id: &'a [u8],
    /// `x-b3-spanid`.
    pub span_id: &'a [u8],
    /// `x-b3-sampled`.
    pub sampled: Option<&'a [u8]>,
    /// `x-b3-flags`: 1 is debug, which is recorded.
    pub flags: Option<&'a [u8]>,
}

/// Reads B3's several headers.
pub fn parse_b3_multi(headers: B3<'_>) -> Option<Context> {
    let sampled = match (headers.flags, headers.sampled) {
        (Some(b"1"), _) | (_, Some(b"true")) => Some(true),
        (_, Some(b"false")) => Some(false),
        (_, Some(state)) => Some(b3_state(state)?),
        (_, None) => None,
    };
    b3_ids(headers.trace_id, headers.span_id, sampled)
}

fn b3_state(state: &[u8]) -> Option<bool> {
    match state {
        b"1" | b"d" => Some(true),
        b"0" => Some(false),
        _ => None,
    }
}

fn b3_ids(trace_id: &[u8], span_id: &[u8], sampled: Option<bool>) -> Option<Context> {
    if !matches!(trace_id.len(), 16 | 32) || span_id.len() != 16 {
        return None;
    }
    let context = Context {
        trace_id: hex(trace_id)?,
        span_id: u64::try_from(hex(span_id)?).ok()?,
        sampled,
    };
    context.is_sound().then_some(context)
}

impl Context {
    fn is_sound(&self) -> bool {
        self.trace_id != 0 && self.span_id != 0
    }

    /// As `traceparent`.
    pub fn traceparent(&self) -> [u8; TRACEPARENT] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        put(text.get_mut(3..35), &trace_id_text(self.trace_id));
        put(text.get_mut(36..52), &span_id_text(self.span_id));
        put(text.get_mut(54..), self.state());
        text
    }

    /// As the header `b3`.
    pub fn b3(&self) -> [u8; 51] {
        let mut text = *b"00000000000000000000000000000000-0000000000000000-0";
        put(text.get_mut(..32), &trace_id_text(self.trace_id));
        put(text.get_mut(33..49), &span_id_text(self.span_id));
        put(text.get_mut(50..), self.state());
        text
    }

    /// Whether it is recorded, as a digit.
    fn state(&self) -> &'static [u8] {
        if self.is_sampled() { b"1" } else { b"0" }
    }

    /// Whether it is known to be recorded.
    pub fn is_sampled(&self) -> bool {
        self.sampled == Some(true)
    }
}

/// The id of a trace as it is written.
pub fn trace_id_text(trace_id: u128) -> [u8; 32] {
    let mut text = [0; 32];
    for (place, eight) in text
        .chunks_exact_mut(8)
        .zip(trace_id.to_be_bytes().chunks(4))
    {
        place.copy_from_slice(&digits(eight));
    }
    text
}

/// The id of a span as it is written.
pub fn span_id_text(span_id: u64) -> [u8; 16] {
    let mut text = [0; 16];
    for (place, eight) in text
        .chunks_exact_mut(8)
        .zip(span_id.to_be_bytes().chunks(4))
    {
        place.copy_from_slice(&digits(eight));
    }
    text
}

/// The eight digits of four bytes. They are made all at once: each has a byte of one number to
/// itself, and what makes a letter of one is added where it is above nine.
fn digits(bytes: &[u8]) -> [u8; 8] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let value = bytes
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));
    let spread = (value | value << 16) & 0x0000_ffff_0000_ffff;
    let spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
    let spread = (spread | spread << 4) & (0x0f * EACH);
    let letters = (spread + 6 * EACH) >> 4 & EACH;
    let text = spread + u64::from(b'0') * EACH + letters * u64::from(b'a' - b'0' - 10);
    text.to_be_bytes()
}

/// Puts text in its place.
fn put(place: Option<&mut [u8]>, text: &[u8]) {
    if let Some(place) = place.filter(|place| place.len() == text.len()) {
        place.copy_from_slice(text);
    }
}

/// At most 32 digits of either case.
fn hex(digits: &[u8]) -> Option<u128> {
    number(digits, |digit| digit.is_ascii_hexdigit())
}

/// At most 32 digits, which W3C wants in lower case.
fn lower_hex(digits: &[u8]) -> Option<u128> {
    number(digits, |digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn number(digits: &[u8], belongs: impl Fn(u8) -> bool) -> Option<u128> {
    digits.iter().try_fold(0_u128, |value, digit| {
        let four = char::from(*digit).to_digit(16)?;
        belongs(*digit).then_some(value << 4 | u128::from(four))
    })
}
