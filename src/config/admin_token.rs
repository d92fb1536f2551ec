//! The token of the admin port: from a variable, or from the file that `admin_token_file` names.

use std::fs;

use super::overlay::{Input, TOKEN_VARIABLE};
use super::resolve;
use super::tree::Tree;
use crate::life::secret::Secret;
use crate::schema::problem::{Location, Problem};

/// No token is longer.
const MOST_BYTES: usize = 4 << 10;

/// The token, if one is given. One that cannot be read or used is a problem, never no token.
pub(super) fn read(tree: &Tree, input: &Input, problems: &mut Vec<Problem>) -> Option<Secret> {
    let mut refused = |place: Option<Location>, why: String| {
        problems.push(Problem::error(place, why));
        None
    };
    let expected = Secret::EXPECTED;
    let variable = input
        .variables
        .iter()
        .find(|(name, value)| name == TOKEN_VARIABLE && !value.is_empty());
    if let Some((_, value)) = variable {
        let why = || format!("the admin token must be {expected}");
        let place = || Some(Location::file(TOKEN_VARIABLE));
        return Secret::new(value).or_else(|| refused(place(), why()));
    }
    let given = &tree.branch(&["admin_token_file"])?.tree;
    let path = resolve::path(given, input)?;
    let (place, shown) = (given.origin.location(), path.display());
    match fs::read(&path) {
        Ok(bytes) if bytes.len() <= MOST_BYTES => {
            let why = || format!("the admin token in {shown} must be {expected}");
            let text = String::from_utf8(bytes).unwrap_or_default();
            Secret::new(&text).or_else(|| refused(place, why()))
        }
        Ok(_) => refused(place, format!("{shown} is too long for an admin token")),
        Err(error) => refused(place, format!("{shown} cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    /// Whether there is a token, or what is wrong.
    fn token(file: Option<&str>, variable: Option<&str>) -> Result<Option<String>, String> {
        let directory = tempfile::tempdir().unwrap();
        if let Some(text) = file {
            fs::write(directory.path().join("token"), text).unwrap();
        }
        let yaml = "admin_token_file: token\nadmin: off\n";
        fs::write(directory.path().join("sidegate.yaml"), yaml).unwrap();
        let (config, problems) = load(&Input {
            variables: variable
                .map(|value| (TOKEN_VARIABLE.to_owned(), value.to_owned()))
                .into_iter()
                .collect(),
            directory: directory.path().to_owned(),
            ..Input::default()
        });
        let config = config.ok_or_else(|| {
            let place = format!("{}/", directory.path().display());
            problems[0].to_string().replace(&place, "")
        })?;
        let shown = format!("{:?} {}", config.settings, config.view());
        assert!(!shown.contains("0123456789"), "{shown}");
        let known = ["0123456789abcdef", "fedcba9876543210"];
        let is = |text: &&&str| config.admin_token.as_ref().unwrap().is(text.as_bytes());
        Ok(known.iter().find(is).map(|text| (*text).to_owned()))
    }

    #[test]
    fn the_variable_wins_and_what_is_no_token_is_told() {
        let (one, other) = ("0123456789abcdef\n", "fedcba9876543210");
        let found = |text: &str| Ok(Some(text.trim().to_owned()));
        assert_eq!(token(Some(one), None), found(one));
        assert_eq!(token(Some(one), Some(other)), found(other));
        assert_eq!(token(None, Some(other)), found(other));
        assert_eq!(
            token(Some("short"), None).unwrap_err(),
            "sidegate.yaml:1:19: error: the admin token in token must be 16 or more visible ASCII \
             characters"
        );
        assert_eq!(
            token(None, Some("short")).unwrap_err(),
            "SIDEGATE_ADMIN_TOKEN: error: the admin token must be 16 or more visible ASCII \
             characters"
        );
        let missing = token(None, None).unwrap_err();
        assert!(
            missing.contains("token cannot be read: No such file"),
            "{missing}"
        );
    }
}
