//! Files that are wrong in every way, the choice by name, and reload.

mod managed;
mod problems;

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, KeyPair};
use rustls::SignatureScheme;

use super::choose::Chooser;
use super::files::{Loaded, Seen};
use super::{
    Changed, ClientAuth, Clients, File, Pair, Params, Server, Version, facts, files, provider,
};
use crate::schema::problem::{Location, Severity};

/// The middle of 2026; certificates of these tests are valid from 2026-01-01 to 2027-01-01.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_782_000_000)
}

struct Made {
    cert: String,
    key: String,
}

fn make(names: &[&str]) -> Made {
    make_with(names, &KeyPair::generate().unwrap(), |_| {})
}

fn make_with(names: &[&str], key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Made {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    change(&mut params);
    Made {
        cert: params.self_signed(key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

fn file(directory: &Path, name: &str) -> File {
    File {
        key: format!("tls.{name}"),
        path: directory.join(name),
        place: Some(Location::at("sidegate.yaml", 1, 2)),
    }
}

fn pair(directory: &Path, number: usize) -> Pair {
    Pair {
        cert: file(directory, &format!("cert{number}")),
        key: file(directory, &format!("key{number}")),
    }
}

fn params(directory: &Path, count: usize) -> Params {
    Params {
        certificates: (0..count).map(|number| pair(directory, number)).collect(),
        managed: Vec::new(),
        self_signed: Vec::new(),
        oldest: Version::Tls12,
        clients: None,
    }
}

fn write(directory: &Path, number: usize, cert: &str, key: &str) {
    fs::write(directory.join(format!("cert{number}")), cert).unwrap();
    fs::write(directory.join(format!("key{number}")), key).unwrap();
}

/// What loading one pair tells, without the directory.
fn told(cert: Option<&str>, key: Option<&str>) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    if let Some(cert) = cert {
        fs::write(at.join("cert0"), cert).unwrap();
    }
    if let Some(key) = key {
        fs::write(at.join("key0"), key).unwrap();
    }
    let problems = match Server::load(params(at, 1), now()) {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    };
    let all = problems.iter().map(|problem| {
        assert_eq!(problem.location, Some(Location::at("sidegate.yaml", 1, 2)));
        let text = problem.to_string();
        text.replace(&format!("{}/", at.display()), "")
            .replace("sidegate.yaml:1:2: ", "")
    });
    all.collect()
}

#[test]
fn a_second_certificate_without_a_name_would_never_be_chosen() {
    let directory = tempfile::tempdir().unwrap();
    for (number, names) in [&["a.test"][..], &[]].into_iter().enumerate() {
        let made = make(names);
        write(directory.path(), number, &made.cert, &made.key);
    }
    let problems = Server::load(params(directory.path(), 2), now()).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].severity, Severity::Error);
    assert!(
        problems[0]
            .message
            .ends_with("names no host, so that it would never be chosen")
    );
}

#[test]
fn authorities_are_read_and_told_like_everything_else() {
    let directory = tempfile::tempdir().unwrap();
    let made = make(&["a.test"]);
    write(directory.path(), 0, &made.cert, &made.key);
    let with = |text: &str| {
        fs::write(directory.path().join("ca"), text).unwrap();
        let clients = Clients {
            authorities: vec![file(directory.path(), "ca")],
            auth: ClientAuth::Required,
        };
        let params = Params {
            clients: Some(clients),
            ..params(directory.path(), 1)
        };
        Server::load(params, now()).map(drop)
    };
    assert_eq!(with(&make(&["ca.test"]).cert), Ok(()));
    let told = with("").unwrap_err();
    assert_eq!(told.len(), 1);
    assert!(
        told[0].message.ends_with("ca` holds no certificate"),
        "{}",
        told[0]
    );
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let told = with(junk).unwrap_err();
    assert!(
        told[0]
            .message
            .contains("number 1, that nothing can be verified with"),
        "{}",
        told[0]
    );
}

fn loaded(directory: &Path, number: usize, made: &Made) -> Loaded {
    write(directory, number, &made.cert, &made.key);
    let mut problems = Vec::new();
    let pair = pair(directory, number);
    let loaded = files::pair(
        &pair,
        &provider(),
        now(),
        &mut Seen::default(),
        &mut problems,
    );
    assert_eq!(problems, []);
    loaded.unwrap()
}

#[test]
fn certificates_are_chosen_by_name_and_then_by_kind() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let made = [
        make(&["a.test", "127.0.0.1"]),
        make(&["B.test", "*.b.test"]),
        make_with(&["a.test", "127.0.0.1"], &ed25519, |_| {}),
        make(&["x.b.test"]),
    ];
    let all: Vec<Loaded> = made
        .iter()
        .enumerate()
        .map(|(number, made)| loaded(at, number, made))
        .collect();
    let chooser = Chooser::new(&all);
    let ecdsa = [SignatureScheme::ECDSA_NISTP256_SHA256];
    let ed25519 = [SignatureScheme::ED25519];
    let none = [SignatureScheme::RSA_PKCS1_SHA256];
    let rows: &[(Option<&str>, &[SignatureScheme], usize)] = &[
        (None, &ecdsa, 0),
        (None, &ed25519, 2),
        (None, &none, 0),
        (Some("a.test"), &ecdsa, 0),
        (Some("A.TEST"), &ed25519, 2),
        (Some("b.test"), &ecdsa, 1),
        (Some("y.b.test"), &ecdsa, 1),
        (Some("Y.B.test"), &ed25519, 1),
        (Some("x.b.test"), &ecdsa, 3),
        (Some("z.y.b.test"), &ecdsa, 0),
        (Some("nobody.test"), &ecdsa, 0),
        (Some("test"), &ecdsa, 0),
    ];
    for (name, schemes, expected) in rows {
        let chosen = chooser.choose(*name, schemes).unwrap();
        let number = all.iter().position(|one| one.key.cert == chosen.cert);
        assert_eq!(number, Some(*expected), "{name:?} {schemes:?}");
    }
}

#[test]
fn f39_a_reload_takes_all_or_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let (old, new) = (make(&["old.test"]), make(&["new.test"]));
    write(at, 0, &old.cert, &old.key);
    let (server, warnings) = Server::load(params(at, 1), now()).unwrap();
    assert_eq!(warnings, []);
    let name = || server.certificates()[0].1.name();
    let before = server.config();

    assert_eq!(server.reload(now()), Ok((Changed::No, Vec::new())));
    assert!(
        std::sync::Arc::ptr_eq(&before, &server.config()),
        "sessions can be resumed"
    );

    // Half of a change: the new certificate is there, its key is not yet.
    write(at, 0, &new.cert, &old.key);
    let problems = server.reload(now()).unwrap_err();
    assert!(
        problems[0]
            .message
            .contains("does not match the certificate")
    );
    assert_eq!(name(), "old.test");
    fs::remove_file(at.join("key0")).unwrap();
    assert!(server.reload(now()).is_err());
    assert_eq!(name(), "old.test");

    write(at, 0, &new.cert, &new.key);
    assert_eq!(server.reload(now()), Ok((Changed::Yes, Vec::new())));
    assert_eq!(name(), "new.test");
    assert!(!std::sync::Arc::ptr_eq(&before, &server.config()));
    assert_eq!(server.files(), [at.join("cert0"), at.join("key0")]);
}

#[test]
fn other_settings_hold_unless_something_is_wrong_with_them() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    for number in 0..2 {
        let made = make(&[["a.test", "b.test"][number]]);
        write(at, number, &made.cert, &made.key);
    }
    let (server, _) = Server::load(params(at, 1), now()).unwrap();
    assert!(server.replace(params(at, 3), now()).is_err());
    assert_eq!(server.certificates().len(), 1);
    assert_eq!(
        server.replace(params(at, 2), now()),
        Ok((Changed::Yes, Vec::new()))
    );
    assert_eq!(server.certificates().len(), 2);
    assert_eq!(
        server.replace(params(at, 2), now()),
        Ok((Changed::No, Vec::new()))
    );
}

#[test]
fn one_is_made_where_none_is() {
    let directory = tempfile::tempdir().unwrap();
    let params = Params {
        self_signed: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        ..params(directory.path(), 0)
    };
    let (server, warnings) = Server::load(params, now()).unwrap();
    assert_eq!(warnings, []);
    let certificates = server.certificates();
    let [(None, facts)] = &*certificates else {
        panic!("{certificates:?}");
    };
    assert_eq!(facts.dns, ["localhost"]);
    assert_eq!(
        facts.addresses,
        ["127.0.0.1".parse::<std::net::IpAddr>().unwrap()]
    );
    assert_eq!(facts::date(facts.not_before), "2026-06-20T23:00:00Z");
    assert_eq!(facts::date(facts.not_after), "2027-06-20T23:00:00Z");
    assert_eq!(facts.sha256.len(), 64);
    // A reload does not make another one.
    assert_eq!(server.reload(now()), Ok((Changed::No, Vec::new())));
    assert_eq!(server.certificates(), certificates);
}
