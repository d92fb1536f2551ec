//! When a certificate is asked for: numbers only, no clock.

use std::time::{Duration, SystemTime};

/// Where something is left to chance: from 0 to 1.
pub(super) type Chance = f64;

/// When a certificate is renewed: with a third of its life left, and up to a thirtieth of it sooner
/// so that many do not come at once.
pub(super) fn due(from: SystemTime, until: SystemTime, chance: Chance) -> SystemTime {
    let life = until.duration_since(from).unwrap_or_default();
    from + life.mul_f64(2.0 / 3.0 - chance.clamp(0.0, 1.0) / 30.0)
}

/// How long to wait after so many failures in a row. What an authority has refused is not asked for
/// again soon, because authorities count that; one that cannot be reached is tried sooner.
pub(super) fn pause(failures: u32, refused: bool, chance: Chance) -> Duration {
    let (first, most) = if refused {
        (Duration::from_secs(120), Duration::from_secs(6 * 3600))
    } else {
        (Duration::from_secs(5), Duration::from_secs(1800))
    };
    let doubled = first.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled
        .min(most)
        .mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_renewed_with_a_third_left_or_a_little_sooner() {
        let from = SystemTime::UNIX_EPOCH;
        for (days, chance, expected) in [(90, 0.0, 60.0), (90, 1.0, 57.0), (6, 0.5, 3.9)] {
            let until = from + Duration::from_secs(days * 86_400);
            let at = due(from, until, chance).duration_since(from).unwrap();
            assert!(
                (at.as_secs_f64() / 86_400.0 - expected).abs() < 1e-6,
                "{days} {chance}"
            );
        }
        assert_eq!(due(from, from, 0.5), from, "one without a life is due");
    }

    #[test]
    fn failures_wait_longer_each_time_up_to_a_limit() {
        let seconds = |failures, refused| pause(failures, refused, 0.5).as_secs_f64().round();
        let refused: Vec<f64> = (1..=9).map(|failures| seconds(failures, true)).collect();
        let expected = [
            120.0, 240.0, 480.0, 960.0, 1920.0, 3840.0, 7680.0, 15360.0, 21600.0,
        ];
        assert_eq!(refused, expected);
        assert_eq!((seconds(1, false), seconds(2, false)), (5.0, 10.0));
        assert_eq!(seconds(u32::MAX, false), 1800.0);
        assert!(pause(1, true, 0.0) < pause(1, true, 1.0));
        // No more than five an hour, which is what Let's Encrypt forgives.
        let first_hour: f64 = refused.iter().take(5).sum();
        assert!(first_hour * 0.8 > 2900.0);
    }
}
