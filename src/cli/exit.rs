//! Exit codes: scripts rely on them.

use crate::schema::problem::{Location, Problem, Severity};

/// All is well.
pub const FINE: u8 = 0;
/// `check` found a problem, or `probe` a gateway that is not ready.
pub const PROBLEM: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 64;
/// Nothing could be listened on.
pub const UNAVAILABLE: u8 = 69;
/// The configuration is wrong.
pub const CONFIG: u8 = 78;

/// The code for a configuration that could not be loaded: bad usage when flags alone are to
/// blame, else bad configuration.
pub fn of_configuration(problems: &[Problem]) -> u8 {
    let is_flag = |place: &Location| place.file.starts_with("--");
    let mut errors = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error);
    if errors.all(|problem| problem.location.as_ref().is_some_and(is_flag)) {
        USAGE
    } else {
        CONFIG
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_usage_and_everything_else_is_configuration() {
        let at = |file: &str| Problem::error(Location::file(file), "wrong");
        assert_eq!(of_configuration(&[at("--listen")]), USAGE);
        assert_eq!(of_configuration(&[at("SIDEGATE_LISTEN")]), CONFIG);
        assert_eq!(of_configuration(&[at("--listen"), at("a.yaml")]), CONFIG);
        let warning = Problem::warning(Location::file("a.yaml"), "odd");
        assert_eq!(of_configuration(&[warning, at("--ops")]), USAGE);
        assert_eq!(of_configuration(&[Problem::error(None, "wrong")]), CONFIG);
    }
}
