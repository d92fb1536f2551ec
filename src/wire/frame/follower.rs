//! [`Follower`]: counts messages that pass by.

use super::FrameError;
use super::Prefix;
use super::Rules;

/// Follows the prefixes of a stream whose bytes go elsewhere: how many messages there were, and
/// whether the stream is between two of them. Costs a few instructions a message and stores no
/// byte of it. After an error it only repeats the error.
#[derive(Clone, Debug)]
pub struct Follower {
    rules: Rules,
    prefix: Prefix,
    /// Bytes of the current message that are still to come.
    remaining: usize,
    begun: u64,
    failed: Option<FrameError>,
}

impl Follower {
    /// For a stream under `rules`.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            prefix: Prefix::default(),
            remaining: 0,
            begun: 0,
            failed: None,
        }
    }

    /// Follows the next bytes of the stream.
    pub fn advance(&mut self, data: &[u8]) -> Result<(), FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let mut rest = data;
        while !rest.is_empty() {
            let skipped = self.remaining.min(rest.len());
            self.remaining -= skipped;
            rest = rest.get(skipped..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let (taken, announced) = match self.prefix.read(self.rules, rest) {
                Ok(read) => read,
                Err(error) => {
                    self.failed = Some(error);
                    return Err(error);
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
            if let Some(announced) = announced {
                self.begun += 1;
                self.remaining = announced.len;
            }
        }
        Ok(())
    }

    /// Whether the stream may end here.
    pub fn at_boundary(&self) -> bool {
        self.remaining == 0 && self.prefix.is_empty() && self.failed.is_none()
    }

    /// How many messages have been announced by their whole prefix.
    pub fn begun(&self) -> u64 {
        self.begun
    }

    /// How many messages have gone by completely.
    pub fn messages(&self) -> u64 {
        self.begun - u64::from(self.remaining > 0)
    }

    /// What it means that the stream ends here.
    pub fn finish(&self) -> Result<(), FrameError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.at_boundary() => Ok(()),
            None => Err(FrameError::Truncated),
        }
    }
}
