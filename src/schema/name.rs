//! Names of protobuf: what may be one, the JSON form of a field's, what a relative one means,
//! and which known one a mistyped one may have meant.

/// Longer full names are refused: nested declarations multiply the names around them, so that a
/// small file could otherwise ask for any amount of memory.
pub(super) const LONGEST_FULL_NAME: usize = 1024;

/// Whether `name` is one identifier.
pub(super) fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= LONGEST_FULL_NAME
        && bytes
            .next()
            .is_some_and(|first| first == b'_' || first.is_ascii_alphabetic())
        && bytes.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

/// Whether `name` is identifiers with dots between them.
pub(super) fn is_qualified(name: &str) -> bool {
    name.len() <= LONGEST_FULL_NAME && name.split('.').all(is_identifier)
}

/// `scope.name`, or `name` where the scope is the root.
pub(super) fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() {
        name.to_owned()
    } else {
        format!("{scope}.{name}")
    }
}

/// A name as a problem shows it: short, on one line, whatever a broken descriptor holds.
pub(super) fn show(name: &str) -> String {
    const MOST: usize = 200;
    let short: String = name.chars().take(MOST).collect();
    let dots = if short.len() < name.len() { "..." } else { "" };
    format!("{}{dots}", short.escape_debug())
}

/// The JSON name that a field has when it is given none: as protoc derives it, not as camel
/// case is usually meant.
pub(super) fn derive_json_name(name: &str) -> String {
    let mut json = String::with_capacity(name.len());
    let mut raise = false;
    for letter in name.chars() {
        if letter == '_' {
            raise = true;
        } else if raise {
            json.push(letter.to_ascii_uppercase());
            raise = false;
        } else {
            json.push(letter);
        }
    }
    json
}

/// What `name` leads to when it stands in `scope`: itself after a leading dot, else the first
/// hit from the innermost scope outwards, as in the language.
pub(super) fn resolve<T>(
    name: &str,
    scope: &str,
    mut find: impl FnMut(&str) -> Option<T>,
) -> Option<T> {
    if let Some(full) = name.strip_prefix('.') {
        return find(full);
    }
    let mut scope = scope;
    let mut candidate = String::new();
    while !scope.is_empty() {
        candidate.clear();
        candidate.push_str(scope);
        candidate.push('.');
        candidate.push_str(name);
        if let Some(found) = find(&candidate) {
            return Some(found);
        }
        scope = scope.rsplit_once('.').map_or("", |(outer, _)| outer);
    }
    find(name)
}

/// The candidate that `name` was most probably meant to be, if any is near enough.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this two names have little in common.
    const LIKELY: f64 = 0.8;
    /// Comparing takes the product of the lengths; nobody mistypes what is longer.
    const LONGEST: usize = 256;
    candidates
        .into_iter()
        .filter(|candidate| name.len().max(candidate.len()) <= LONGEST)
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKELY)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::{derive_json_name, is_identifier, is_qualified, nearest, resolve};

    #[test]
    fn json_names_are_derived_as_protoc_does() {
        for (name, json) in [
            ("name", "name"),
            ("page_token", "pageToken"),
            ("a__b", "aB"),
            ("_leading", "Leading"),
            ("trailing_", "trailing"),
            ("field_1_owner", "field1Owner"),
            ("FooBar", "FooBar"),
            ("foo_Bar", "fooBar"),
            ("_", ""),
        ] {
            assert_eq!(derive_json_name(name), json, "{name}");
        }
    }

    #[test]
    fn identifiers_are_what_the_language_allows() {
        for name in ["a", "_", "A9_z"] {
            assert!(is_identifier(name), "{name}");
        }
        for name in ["", "9", "a.b", "a b", "a\r\n", "é", &"a".repeat(1025)] {
            assert!(!is_identifier(name), "{name}");
        }
        for (name, expected) in [("a.b.C", true), ("a", true), ("a..b", false), (".a", false)] {
            assert_eq!(is_qualified(name), expected, "{name}");
        }
    }

    #[test]
    fn relative_names_are_found_from_the_inside_out() {
        let known = ["a.b.M.T", "a.b.T", "T", "x.Y"];
        let find = |name: &str| known.iter().position(|known| *known == name);
        for (name, scope, expected) in [
            ("T", "a.b.M", Some(0)),
            ("M.T", "a.b.M", Some(0)),
            ("T", "a.b", Some(1)),
            ("b.T", "a.b.M.N", Some(1)),
            ("T", "c", Some(2)),
            (".T", "a.b.M", Some(2)),
            ("x.Y", "a.b", Some(3)),
            (".b.T", "a", None),
            ("U", "a.b", None),
            ("", "a", None),
        ] {
            assert_eq!(resolve(name, scope, find), expected, "{name} in {scope}");
        }
    }

    #[test]
    fn the_nearest_name_is_near() {
        let known = ["name", "parent", "page_token", "page_size"];
        for (name, expected) in [
            ("nmae", Some("name")),
            ("pagetoken", Some("page_token")),
            ("page_sise", Some("page_size")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }
}
