//! Certificates whose files are written here: there or not, sound or not; and proofs for those who
//! give them.

use std::fs;

use super::*;
use crate::tls::{Managed, check_managed, facts_of};

fn managed(directory: &Path, name: &str) -> Params {
    Params {
        managed: vec![Managed {
            name: name.to_owned(),
            file: file(directory, &format!("{name}.pem")),
        }],
        ..params(directory, 0)
    }
}

#[test]
fn something_stands_in_until_there_is_one() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let (server, warnings) = Server::load(managed(at, "a.test"), now()).unwrap();
    assert_eq!(warnings, []);
    let shown = || server.certificates().remove(0);
    let (path, facts) = shown();
    assert_eq!((path, facts.name()), (None, "a.test".to_owned()));
    let files = server.files();
    assert_eq!(files, [at.join("a.test.pem")]);
    assert_eq!(facts_of(&files[0]), None);
    assert_eq!(server.reload(now()).unwrap().0, Changed::No);

    let made = make(&["a.test"]);
    fs::write(&files[0], made.key.clone() + &made.cert).unwrap();
    assert_eq!(server.reload(now()), Ok((Changed::Yes, Vec::new())));
    let (path, facts) = shown();
    assert_eq!(path.as_deref(), Some(&*files[0]));
    assert_eq!(facts_of(&files[0]), Some(facts));
    assert!(server.own().is_none());
}

/// Whatever the file has become, the gateway starts and asks for another one.
#[test]
fn one_that_is_of_no_use_is_a_warning() {
    let expired = make_with(&["a.test"], &KeyPair::generate().unwrap(), |params| {
        params.not_before = rcgen::date_time_ymd(2025, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 1, 1);
    });
    let (one, other) = (make(&["a.test"]), make(&["a.test"]));
    for (text, expected) in [
        (String::new(), "holds no certificate"),
        (expired.key + &expired.cert, "has expired"),
        (other.key + &one.cert, "does not match"),
        (one.cert, "holds no private key"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.test.pem"), &text).unwrap();
        let (server, warnings) = Server::load(managed(directory.path(), "a.test"), now()).unwrap();
        assert_eq!(server.certificates()[0].0, None, "{expected}");
        let told = warnings[0].to_string();
        assert!(told.contains(expected), "{told}");
        assert!(warnings.iter().all(|one| one.severity == Severity::Warning));
        assert!(check_managed(text.as_bytes(), now()).is_err(), "{expected}");
    }
    let sound = make(&["a.test"]);
    let facts = check_managed((sound.key + &sound.cert).as_bytes(), now()).unwrap();
    assert_eq!(facts.dns, ["a.test"]);
}

#[test]
fn a_proof_is_shown_while_it_is_held() {
    let directory = tempfile::tempdir().unwrap();
    let (server, _) = Server::load(managed(directory.path(), "a.test"), now()).unwrap();
    let challenges = server.challenges();
    assert!(challenges.config().is_none());
    assert!(challenges.prove("a.test", b"short").is_err());
    let one = challenges.prove("a.test", &[1; 32]).unwrap();
    let other = challenges.prove("b.test", &[2; 32]).unwrap();
    let config = challenges.config().unwrap();
    assert_eq!(config.alpn_protocols, [b"acme-tls/1".to_vec()]);
    drop(one);
    assert!(challenges.config().is_some());
    drop(other);
    assert!(challenges.config().is_none());
}
