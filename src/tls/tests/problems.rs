//! Every way in which a certificate and its key can be wrong, and what is told of it (fault 39).

use rcgen::KeyPair;

use super::{make, make_with, told};

/// What a pair is called, its two files, and what is told of them.
type Row<'a> = (&'a str, Option<&'a str>, Option<&'a str>, &'a [&'a str]);

fn tells(rows: &[Row<'_>]) {
    for (name, cert, key, expected) in rows {
        assert_eq!(told(*cert, *key), *expected, "{name}");
    }
}

#[test]
fn f39_files_that_hold_something_else_are_told_with_their_place() {
    let sound = make(&["a.test"]);
    tells(&[
        ("sound", Some(&sound.cert), Some(&sound.key), &[]),
        (
            "both missing",
            None,
            None,
            &[
                "error: `tls.cert0`: `cert0` cannot be read: No such file or directory (os error 2)",
                "error: `tls.key0`: `key0` cannot be read: No such file or directory (os error 2)",
            ],
        ),
        (
            "exchanged",
            Some(&sound.key),
            Some(&sound.cert),
            &[
                "error: `tls.cert0`: `cert0` holds no certificate\n  help: it holds a private key; \
                 perhaps the two files are exchanged",
                "error: `tls.key0`: `key0` holds no private key\n  help: it holds a certificate; \
                 perhaps the two files are exchanged",
            ],
        ),
        (
            "empty",
            Some(""),
            Some(""),
            &[
                "error: `tls.cert0`: `cert0` holds no certificate\n  help: it has to be PEM: a part \
                 that begins with `-----BEGIN CERTIFICATE-----`",
                "error: `tls.key0`: `key0` holds no private key\n  help: it has to be PEM: a part \
                 that begins with `-----BEGIN PRIVATE KEY-----`",
            ],
        ),
    ]);
}

#[test]
fn f39_damaged_files_are_told_with_their_place() {
    let sound = make(&["a.test"]);
    let cut: String = sound.cert.lines().take(4).collect::<Vec<_>>().join("\n");
    let damaged = sound.cert.replacen("MII", "M!I", 1);
    let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let locked = sound.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let weak = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    tells(&[
        (
            "a half",
            Some(&cut),
            Some(&sound.key),
            &["error: `tls.cert0`: `cert0` is cut off: a part of it has no end line"],
        ),
        (
            "no base64",
            Some(&damaged),
            Some(&sound.key),
            &["error: `tls.cert0`: `cert0` is no sound PEM: a part of it is no base64"],
        ),
        (
            "encrypted",
            Some(&sound.cert),
            Some(&locked),
            &[
                "error: `tls.key0`: `key0` holds no private key\n  help: it is encrypted; `openssl \
                 pkey -in FILE -out PLAIN` makes a plain one",
            ],
        ),
    ]);
    for (name, cert, key, begins) in [
        (
            "no certificate inside",
            no_der,
            &*sound.key,
            "error: `tls.cert0`: `cert0` holds a certificate that cannot be read: ",
        ),
        (
            "no key inside",
            &sound.cert,
            weak,
            "error: `tls.key0`: `key0` holds a key that cannot be used: ",
        ),
    ] {
        let told = told(Some(cert), Some(key));
        assert!(
            told.len() == 1 && told[0].starts_with(begins),
            "{name}: {told:#?}"
        );
    }
}

#[test]
fn f39_pairs_that_do_not_match_are_told_with_their_place() {
    let sound = make(&["a.test"]);
    let other = make(&["b.test"]);
    let both = format!("{}{}", other.cert, sound.cert);
    tells(&[
        (
            "another key",
            Some(&sound.cert),
            Some(&other.key),
            &[
                "error: `tls.key0`: `key0` does not match the certificate `cert0`\n  help: give the \
                 key that the certificate was asked for with",
            ],
        ),
        (
            "in the wrong order",
            Some(&both),
            Some(&sound.key),
            &[
                "error: `tls.key0`: `key0` does not match the certificate `cert0`\n  help: the \
                 certificate of the key has to stand first in the file, its issuers after it",
            ],
        ),
    ]);
}

#[test]
fn f39_certificates_nobody_would_take_are_told_with_their_place() {
    let expired = make_with(&["a.test"], &KeyPair::generate().unwrap(), |params| {
        params.not_after = rcgen::date_time_ymd(2026, 2, 1);
    });
    let early = make_with(&["a.test"], &KeyPair::generate().unwrap(), |params| {
        params.not_before = rcgen::date_time_ymd(2026, 12, 1);
    });
    let nameless = make(&[]);
    tells(&[
        (
            "expired",
            Some(&expired.cert),
            Some(&expired.key),
            &[
                "error: `tls.cert0`: `cert0` has expired at 2026-02-01T00:00:00Z\n  help: renew the \
                 certificate",
            ],
        ),
        (
            "too early",
            Some(&early.cert),
            Some(&early.key),
            &[
                "warning: `tls.cert0`: `cert0` is not valid before 2026-12-01T00:00:00Z\n  help: \
                 perhaps a clock is wrong",
            ],
        ),
        (
            "no names",
            Some(&nameless.cert),
            Some(&nameless.key),
            &[
                "warning: `tls.cert0`: `cert0` names no host\n  help: clients compare with the names \
                 under `subjectAltName`, never with the subject",
            ],
        ),
    ]);
}
