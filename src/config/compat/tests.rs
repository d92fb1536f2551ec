//! What `rest.compat` changes, and what it leaves to the file.

use super::PEERS;
use crate::config::Config;
use crate::config::tests::{directory, input, sound, sound_file};
use crate::schema::policy::{ErrorShape, StreamShape};

#[test]
fn compat_lies_between_the_defaults_and_the_file() {
    let place = directory("rest: {compat: grpc-gateway, stream: ndjson}\njson: {defaults: omit}\n");
    let config = sound(&input(place.path()));
    let keys = config.keys();
    let file = place.path().join("sidegate.yaml");
    let file = |at: &str| format!("{}:{at}", file.display());
    let compat = || "rest.compat: grpc-gateway".to_owned();
    for (key, value, at) in [
        ("rest.errors", "status", compat()),
        ("rest.metadata_prefix", "Grpc-Metadata-", compat()),
        ("rest.stream", "ndjson", file("1:38")),
        ("json.defaults", "omit", file("2:18")),
    ] {
        let one = keys.iter().find(|one| one.key == key).unwrap();
        assert_eq!((&one.value, &one.at), (&value.into(), &Some(at)), "{key}");
    }
    let policy = config.policies.of("a.B", "C");
    assert_eq!(policy.rest.errors, ErrorShape::Status);
    assert_eq!(policy.rest.header_prefix.as_deref(), Some("grpcgateway-"));
    assert_eq!(policy.rest.stream, StreamShape::Ndjson);
}

#[test]
fn a_prefix_of_compat_can_be_taken_away() {
    let config = sound_file("rest: {compat: grpc-gateway, metadata_prefix: \"\"}");
    assert_eq!(config.policies.default.rest.metadata_prefix, None);
}

/// Everything that a peer's file says is another default, and is said of the key that it is.
#[test]
fn compat_says_only_what_is_not_so_anyhow() {
    let usual = sound_file("");
    for (word, name, values) in PEERS {
        let config = sound_file(&format!("rest: {{compat: {word}}}"));
        let all = config.keys();
        let said = all.iter().filter(|one| one.at.as_deref() == Some(name));
        let keys: Vec<&str> = said.map(|one| one.key.as_str()).collect();
        let lines = values.lines().filter(|line| {
            let value = line.split_once(": ").map(|(_, value)| value);
            !line.starts_with('#') && value.is_some()
        });
        assert_eq!(keys.len(), lines.count(), "{word} {keys:?}");
        for key in keys {
            let path: Vec<&str> = key.split('.').collect();
            let value = |config: &Config| {
                let branch = config.tree.branch(&path);
                branch.map(|branch| branch.tree.to_json())
            };
            assert_ne!(value(&config), value(&usual), "{word} {key}");
        }
    }
}
