//! [`CallRate`]: a number of calls in a time, as `100/s`.

use std::fmt;
use std::time::Duration;

use super::{Refused, Typed};

/// A number of calls in a second, a minute or an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallRate {
    calls: u32,
    unit: char,
}

/// More than anybody counts.
const MOST: u32 = 10_000_000;

impl CallRate {
    /// The time between two calls that come evenly.
    pub fn interval(self) -> Duration {
        let seconds = match self.unit {
            's' => 1,
            'm' => 60,
            _ => 3600,
        };
        Duration::from_secs(seconds) / self.calls
    }
}

impl Typed for CallRate {
    const FORMAT: &'static str = "sidegate-rate";
    const EXPECTED: &'static str =
        "a number of calls in a time such as `100/s`, `30/m` or `1000/h`";

    fn read(text: &str) -> Result<Self, Refused> {
        let (calls, unit) = text.split_once('/').ok_or(Refused::Form)?;
        let calls: u32 = calls.trim().parse().map_err(|_other| Refused::Form)?;
        let unit = match unit.trim() {
            "s" => 's',
            "m" => 'm',
            "h" => 'h',
            _ => return Err(Refused::Form),
        };
        if calls == 0 || calls > MOST {
            let why = format!("must be from 1 to {MOST} calls");
            return Err(Refused::Because(why));
        }
        Ok(Self { calls, unit })
    }
}

impl fmt::Display for CallRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.calls, self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, nanos) in [
            ("100/s", 10_000_000),
            ("30/m", 2_000_000_000),
            ("1000 / h", 3_600_000_000),
        ] {
            let rate = CallRate::read(text).unwrap();
            assert_eq!(rate.interval(), Duration::from_nanos(nanos), "{text}");
        }
        for wrong in ["", "100", "0/s", "-1/s", "1/d", "1.5/s", "99999999999/s"] {
            assert!(CallRate::read(wrong).is_err(), "{wrong}");
        }
    }
}
