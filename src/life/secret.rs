//! [`Secret`]: a shared secret that is compared and never shown.
//!
//! ```
//! use sidegate::life::secret::Secret;
//!
//! let secret = Secret::new(" 0123456789abcdef\n").unwrap();
//! assert!(secret.is(b"0123456789abcdef"));
//! assert_eq!(format!("{secret:?}"), "Secret(***)");
//! ```

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

/// Shorter ones can be guessed.
const SHORTEST: usize = 16;

/// A secret of visible ASCII characters, long enough not to be guessed.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// What a secret must be, to stand after "must be".
    pub const EXPECTED: &'static str = "16 or more visible ASCII characters";

    /// A secret, without the space around it; `None` when it is none.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.into()))
    }

    /// Whether this is the secret, in a time that does not tell how much of it is right.
    pub fn is(&self, given: &[u8]) -> bool {
        let differences = given
            .iter()
            .zip(self.0.as_bytes())
            .fold(0, |seen, (one, other)| black_box(seen | (one ^ other)));
        given.len() == self.0.len() && differences == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_and_compared_whole() {
        for none in [
            "",
            "fifteen-letters",
            "with a space in it",
            "säcret-säcret-säcret",
        ] {
            assert!(Secret::new(none).is_none(), "{none}");
        }
        let secret = Secret::new("0123456789abcdef").unwrap();
        for wrong in [
            "",
            "0123456789abcdeF",
            "0123456789abcde",
            "0123456789abcdef0",
        ] {
            assert!(!secret.is(wrong.as_bytes()), "{wrong}");
        }
    }
}
