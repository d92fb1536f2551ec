//! A part of a whole: [`Share`].

use std::fmt;

use super::{Refused, Typed};

/// A number from 0 to 1: `0.01`, `1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(pub f64);

/// The most digits after the point.
const DIGITS: usize = 9;

impl Typed for Share {
    const FORMAT: &'static str = "sidegate-share";
    const EXPECTED: &'static str = "a number from 0 to 1 such as `0.01`";
    const TYPE: &'static [&'static str] = &["string", "number"];

    /// ```text
    /// share = ( "0" | "1" ) [ "." 1*9DIGIT ]
    /// ```
    fn read(text: &str) -> Result<Self, Refused> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = (1..=DIGITS).contains(&fraction.len())
            && fraction.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<f64>() {
            Ok(share) if matches!(whole, "0" | "1") && digits && share <= 1.0 => Ok(Self(share)),
            _ => Err(Refused::Form),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
