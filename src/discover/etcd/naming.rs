//! The layout of etcd's naming package: a key for each place, its value a line of JSON.
//!
//! ```text
//! services/app/10.0.0.1:8081 -> {"Op":0,"Addr":"10.0.0.1:8081","Metadata":{"zone":"a"}}
//! ```
//!
//! A number `weight` in the metadata is one.

use serde_json::{Value, json};

use crate::discover::{Found, Place};

/// What an upstream's key begins with.
pub(super) fn prefix(target: &str) -> String {
    format!("{}/", target.trim_end_matches('/'))
}

/// The key that comes after all that begin so.
pub(super) fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    // A slash, which something comes after.
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

/// Reads a value; `None` when it tells no place.
pub(super) fn read(value: &[u8]) -> Option<Found> {
    let value: Value = serde_json::from_slice(value).ok()?;
    let place = Place::parse(value.get("Addr")?.as_str()?)?;
    let metadata = value.get("Metadata").filter(|given| !given.is_null());
    let weight = metadata.and_then(|given| given.get("weight")?.as_u64());
    let weight = weight.and_then(|weight| u32::try_from(weight).ok());
    Some(Found {
        weight: weight.unwrap_or(1).max(1),
        metadata: metadata.cloned(),
        place,
    })
}

/// Writes a value.
pub(super) fn write(place: &Place, metadata: Option<&Value>) -> String {
    json!({ "Op": 0, "Addr": place.to_string(), "Metadata": metadata }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        for (value, expected) in [
            (r#"{"Op":0,"Addr":"a:1","Metadata":null}"#, Some((1, None))),
            (
                r#"{"Op":0,"Addr":"a:1","Metadata":{"weight":3}}"#,
                Some((3, Some(json!({"weight": 3})))),
            ),
            (r#"{"Addr":"a:1"}"#, Some((1, None))),
            (r#"{"Addr":"a"}"#, None),
            (r#"{"Addr":1}"#, None),
            ("a:1", None),
            ("", None),
        ] {
            let got = read(value.as_bytes());
            let got = got.map(|found| (found.weight, found.metadata));
            assert_eq!(got, expected, "{value}");
        }
        let own = write(&Place::tcp("a", 1), Some(&json!({"b": 2})));
        assert_eq!(read(own.as_bytes()).unwrap().place, Place::tcp("a", 1));
    }

    #[test]
    fn prefixes() {
        assert_eq!(prefix("services/app"), "services/app/");
        assert_eq!(prefix("services/app/"), "services/app/");
        assert_eq!(end_of("a/"), b"a0");
    }
}
