//! Heads and bodies beside two other readers: [`Strict`], which is slow and sees every byte, and
//! httparse.

use bytes::BytesMut;
use http::{HeaderMap, Uri};
use proptest::prelude::*;

use super::decode::{Decoder, Item};
use super::head::{self, Framing, Limits, Stop};
use super::strict::Strict;

const LIMITS: Limits = Limits {
    bytes: 16 << 10,
    fields: 100,
};

const HEADS: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /v1/books/7?x=y&z HTTP/1.1\r\nHost: shelf.example:80\r\nUser-Agent: t/1\r\nX:\t y \t\r\n\r\n",
    "OPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "POST http://a/b HTTP/1.1\r\nhost:a\r\nContent-Length:  12 \r\nExpect: 100-Continue\r\n\r\n",
    "PUT /\u{e9} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nTE: trailers\r\n\r\n",
    "M-SEARCH / HTTP/1.1\r\nHost: a\r\nX: \u{e9}\u{7f}\r\nx-y_z!: \r\nConnection: a, close\r\n\r\n",
];

fn parse(text: &[u8]) -> Result<head::Head, Stop> {
    head::parse(&mut BytesMut::from(text), LIMITS)
}

/// What the other readers make of a head that has come whole.
fn expected(text: &[u8]) -> Option<(String, String, HeaderMap)> {
    let mut strict = Strict::new();
    strict.follow(text).ok()?;
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(text).ok()?;
    if parsed.is_partial() {
        return None;
    }
    let target = request.path?.parse::<Uri>().ok()?;
    let mut headers = HeaderMap::new();
    for field in request.headers.iter() {
        let name = http::HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        headers.append(name, http::HeaderValue::from_bytes(field.value).ok()?);
    }
    Some((request.method?.to_owned(), target.to_string(), headers))
}

fn compare(text: &[u8]) {
    let end = text.windows(4).position(|four| four == b"\r\n\r\n");
    let Some(end) = end else {
        assert!(parse(text).is_err(), "{text:?} has no end");
        return;
    };
    // Empty lines before it are no part of a head.
    if text.starts_with(b"\r\n") {
        return;
    }
    let text = &text[..end + 4];
    let ours = parse(text).ok();
    let ours = ours.map(|head| (head.method.to_string(), head.uri.to_string(), head.headers));
    assert_eq!(ours, expected(text), "{:?}", String::from_utf8_lossy(text));
}

#[test]
fn heads_are_read_as_others_read_them() {
    let accepted = HEADS.iter().filter(|text| parse(text.as_bytes()).is_ok());
    assert_eq!(
        accepted.count(),
        HEADS.len() - 1,
        "all but the one with DEL"
    );
    for text in HEADS {
        compare(text.as_bytes());
        for at in 0..text.len() {
            compare(&text.as_bytes()[..at]);
            for byte in 0..=u8::MAX {
                let mut changed = text.as_bytes().to_vec();
                changed[at] = byte;
                compare(&changed);
            }
        }
    }
}

proptest! {
    #[test]
    fn heads_with_several_changes_are_read_as_others_read_them(
        which in 0..HEADS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 1..6),
    ) {
        let mut text = HEADS[which].as_bytes().to_vec();
        for (at, how, byte) in changes {
            let at = at.index(text.len());
            match how {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                2 => text.insert(at, b"\r\n:, \t"[usize::from(byte) % 6]),
                _ => drop(text.remove(at)),
            }
        }
        compare(&text);
    }
}

#[test]
fn what_a_head_says_of_its_message() {
    let rows = [
        ("", Framing::Length(0), true, false, false),
        (
            "Content-Length: 7\r\n",
            Framing::Length(7),
            true,
            false,
            false,
        ),
        (
            "Transfer-Encoding: chunked\r\n",
            Framing::Chunked,
            true,
            false,
            false,
        ),
        (
            "Connection: x, CLOSE\r\n",
            Framing::Length(0),
            false,
            false,
            false,
        ),
        (
            "Expect: 100-continue\r\n",
            Framing::Length(0),
            true,
            false,
            false,
        ),
        (
            "Expect: 100-continue\r\nContent-Length: 1\r\n",
            Framing::Length(1),
            true,
            true,
            false,
        ),
        (
            "TE: gzip, trailers\r\n",
            Framing::Length(0),
            true,
            false,
            true,
        ),
    ];
    for (fields, framing, keep_alive, expects, trailers) in rows {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let head = parse(text.as_bytes()).unwrap();
        let said = (head.framing, head.keep_alive, head.expects, head.trailers);
        assert_eq!(said, (framing, keep_alive, expects, trailers), "{fields}");
    }
    let old = "GET / HTTP/1.0\r\n\r\n";
    assert!(!parse(old.as_bytes()).unwrap().keep_alive);
}

#[test]
fn heads_are_bounded() {
    let with = |fields: usize, length: usize| {
        let fields = "a: b\r\n".repeat(fields);
        let long = "y".repeat(length);
        format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}X: {long}\r\n\r\n").into_bytes()
    };
    assert!(parse(&with(98, 1)).is_ok());
    assert_eq!(parse(&with(99, 1)).unwrap_err(), Stop::TooLarge);
    let over = with(0, 0).len();
    assert!(parse(&with(0, LIMITS.bytes - over)).is_ok());
    assert_eq!(
        parse(&with(0, LIMITS.bytes - over + 1)).unwrap_err(),
        Stop::TooLarge
    );
    // Without an end, too.
    let endless = [b"GET /".as_slice(), &[b'x'; 17 << 10]].concat();
    assert_eq!(parse(&endless).unwrap_err(), Stop::TooLarge);
}

/// What is wrong is known when it has come, not when the head ends.
#[test]
fn a_wrong_byte_is_seen_at_once() {
    for text in [
        "\x16\x03\x01",
        "GET /\n",
        "GET / HTTP/3.0\r\n",
        "GET / HTTP/1.1\r\nHost :",
    ] {
        assert_eq!(parse(text.as_bytes()).unwrap_err(), Stop::Bad, "{text:?}");
    }
}

fn decode(text: &[u8], piece: usize) -> Option<(Vec<u8>, HeaderMap)> {
    let mut decoder = Decoder::new(Framing::Chunked);
    let mut buffer = BytesMut::new();
    let (mut data, mut trailers) = (Vec::new(), HeaderMap::new());
    for piece in text.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.next(&mut buffer, LIMITS).ok()? {
                Item::Data(piece) => data.extend_from_slice(&piece),
                Item::Trailers(fields) => trailers = fields,
                Item::End => return buffer.is_empty().then_some((data, trailers)),
                Item::More => break,
            }
        }
    }
    decoder.is_done().then_some((data, trailers))
}

#[test]
fn chunked_bodies() {
    let long = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(LIMITS.bytes));
    let rows: [(&str, Option<&str>); 14] = [
        ("0\r\n\r\n", Some("")),
        ("3\r\nabc\r\n0\r\n\r\n", Some("abc")),
        ("A;x=\"y\"\r\n0123456789\r\n00\r\n\r\n", Some("0123456789")),
        ("1\r\na\r\n1\r\nb\r\n0\r\nX: y\r\nZ: \r\n\r\n", Some("ab")),
        ("1\na\r\n0\r\n\r\n", None),
        ("\r\n", None),
        (" 1\r\na\r\n0\r\n\r\n", None),
        ("-1\r\n", None),
        ("1\r\nab\r\n", None),
        ("1\r\na\rb", None),
        ("1;a\nb\r\n", None),
        ("1111111111111111\r\n", None),
        ("0\r\nX : y\r\n\r\n", None),
        (&long, None),
    ];
    for (text, expected) in rows {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let message = format!("{head}{text}");
        // Extensions are bounded here only.
        if text.len() < 100 {
            let sound = Strict::new().follow(message.as_bytes()).is_ok();
            assert_eq!(sound, expected.is_some(), "{text}");
        }
        for piece in [1, 2, 3, 5, text.len()] {
            let decoded = decode(text.as_bytes(), piece).map(|(data, _)| data);
            let expected = expected.map(|data| data.as_bytes().to_vec());
            assert_eq!(decoded, expected, "{text} in pieces of {piece}");
        }
    }
    let (_, trailers) = decode(b"0\r\nX: y\r\nX: z\r\n\r\n", 4).unwrap();
    assert_eq!(trailers.get_all("x").iter().count(), 2);
}
