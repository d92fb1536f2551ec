//! [`Patience`]: how long whoever was not answered waits before he asks again.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

/// Grows with every failure in a row, and differs from one process to the next, so that they do
/// not all come at once when somebody is back whom they all miss.
#[derive(Debug, Default)]
pub(super) struct Patience {
    failures: u32,
}

impl Patience {
    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(4);

    /// The pause after one more failure.
    pub(super) fn fail(&mut self) -> Duration {
        let factor = 2_u32.saturating_pow(self.failures);
        self.failures = self.failures.saturating_add(1);
        let pause = Self::FIRST.saturating_mul(factor).min(Self::LONGEST);
        let chance = RandomState::new().hash_one(self.failures) % 512;
        pause.mul_f64(0.75 + u32::try_from(chance).map_or(0.0, f64::from) / 1024.0)
    }

    /// It went well.
    pub(super) fn succeed(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_five_seconds() {
        let mut patience = Patience::default();
        let pauses: Vec<Duration> = (0..40).map(|_| patience.fail()).collect();
        assert!(pauses[0] <= Duration::from_millis(320), "{pauses:?}");
        for (at, pause) in pauses.iter().enumerate() {
            let least = if at < 5 {
                Patience::FIRST * 3 / 4
            } else {
                Duration::from_secs(3)
            };
            assert!(
                (least..=Duration::from_secs(5)).contains(pause),
                "{pauses:?}"
            );
        }
        patience.succeed();
        assert!(patience.fail() <= Duration::from_millis(320));
    }
}
