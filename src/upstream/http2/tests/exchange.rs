//! Answers in all the forms they may have, and streams that are let go of.

use h2::Reason;

use super::super::session::Unsent;
use super::*;

const END: u8 = frame::END_STREAM;

fn whole(status: u16, fields: usize, data: &[u8], trailers: usize) -> Answered {
    Answered::So(status, fields, data.to_vec(), Some(trailers))
}

fn reset(stream: u32, reason: Reason) -> Frame {
    let reason = u32::from(reason).to_be_bytes().to_vec();
    (frame::RST_STREAM, 0, stream, reason)
}

/// A block of two fields that are remembered, in frames of one byte each.
fn in_continuations() -> Vec<u8> {
    let block = [OK, b"\x40\x01a\x01b\x40\x01c\x01d"].concat();
    let (first, rest) = block.split_first().unwrap();
    let mut bytes = frame(frame::HEADERS, 0, 1, &[*first]);
    for byte in rest {
        bytes.extend(frame(frame::CONTINUATION, 0, 1, &[*byte]));
    }
    bytes.extend(frame(frame::CONTINUATION, frame::END_HEADERS, 1, b""));
    bytes
}

fn padded(flags: u8, data: &[u8]) -> Vec<u8> {
    let payload = [&[3], data, b"\0\0\0"].concat();
    frame(frame::DATA, flags | frame::PADDED, 1, &payload)
}

/// A head with a priority, and padding after it.
fn prioritized() -> Vec<u8> {
    let flags = frame::END_HEADERS | frame::WITH_PRIORITY | frame::PADDED;
    let payload = [b"\x01\0\0\0\0\x10", OK, b"\0"].concat();
    frame(frame::HEADERS, flags, 1, &payload)
}

/// Answers in all forms, and what each comes to.
fn answers() -> Vec<(Vec<u8>, Answered)> {
    let prioritized = prioritized();
    let trailers = headers(END, 1, STATUS);
    vec![
        (
            headers(END, 1, &[OK, STATUS].concat()),
            whole(200, 1, b"", 0),
        ),
        (
            [headers(0, 1, OK), data(0, 1, b"abc"), trailers.clone()].concat(),
            whole(200, 0, b"abc", 1),
        ),
        (
            [headers(0, 1, OK), data(END, 1, b"abc")].concat(),
            whole(200, 0, b"abc", 0),
        ),
        (
            [
                headers(0, 1, b"\x08\x03100"),
                headers(0, 1, b"\x08\x03103"),
                headers(0, 1, OK),
                trailers.clone(),
            ]
            .concat(),
            whole(200, 0, b"", 1),
        ),
        (
            [
                prioritized,
                padded(0, b"a"),
                padded(0, b""),
                padded(END, b"bc"),
            ]
            .concat(),
            whole(200, 0, b"abc", 0),
        ),
        (
            [
                in_continuations(),
                data(0, 1, b"a"),
                data(0, 1, b""),
                data(0, 1, b"bc"),
                trailers,
            ]
            .concat(),
            whole(200, 2, b"abc", 1),
        ),
        (
            [
                frame(0xfe, 0xff, 1, b"x"),
                frame(frame::PRIORITY, 0, 1, b"\0\0\0\0\0"),
                headers(0, 1, b"\x8d"),
                frame(0x0a, 0, 0, b""),
                data(END, 1, &[7; 5000]),
            ]
            .concat(),
            whole(404, 0, &[7; 5000], 0),
        ),
    ]
}

/// Every form, cut at every byte, and byte by byte.
#[test]
fn answers_come_in_any_pieces() {
    for (bytes, expected) in answers() {
        for cut in 0..bytes.len() {
            let (mut played, mut input) = (Played::new(), BytesMut::new());
            let key = played.open(b"x");
            for piece in [&bytes[..cut], &bytes[cut..]] {
                input.extend_from_slice(piece);
                played.session.receive(&mut input).unwrap();
            }
            assert_eq!(played.answer(key), expected, "cut at {cut}");
        }
        let (mut played, mut input) = (Played::new(), BytesMut::new());
        let key = played.open(b"x");
        for byte in bytes {
            input.extend_from_slice(&[byte]);
            played.session.receive(&mut input).unwrap();
        }
        assert_eq!(played.answer(key), expected);
        assert_eq!(played.sent(), []);
    }
}

#[test]
fn a_request_is_one_head_and_one_piece() {
    let mut played = Played::new();
    played.open_with(&HeaderMap::new(), b"hello");
    let sent = played.sent();
    let kinds: Vec<_> = sent
        .iter()
        .map(|frame| (frame.0, frame.1, frame.2))
        .collect();
    assert_eq!(
        kinds,
        [
            (frame::HEADERS, frame::END_HEADERS, 1),
            (frame::DATA, END, 1)
        ]
    );
    assert_eq!(sent[1].3, b"hello");
    played.open_with(&HeaderMap::new(), b"");
    let sent = played.sent();
    let flags = END | frame::END_HEADERS;
    assert_eq!(
        sent,
        [(
            frame::HEADERS,
            flags,
            3,
            b"\x83\x86\xc1\xc0\xbf\xbe".to_vec()
        )]
    );
}

/// A head that is larger than a frame goes on in others, with nothing between.
#[test]
fn a_request_with_a_large_head() {
    let mut played = Played::new();
    let mut metadata = HeaderMap::new();
    metadata.insert("large", "x".repeat(40_000).try_into().unwrap());
    played.open_with(&metadata, b"hello");
    let sent = played.sent();
    let kinds: Vec<_> = sent.iter().map(|frame| (frame.0, frame.1)).collect();
    let end = frame::END_HEADERS;
    let expected = [
        (frame::HEADERS, 0),
        (frame::CONTINUATION, 0),
        (frame::CONTINUATION, end),
        (frame::DATA, END),
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn settings_and_pings_are_answered() {
    let mut played = Played::new();
    played.takes(&frame(frame::PING, 0, 0, b"12345678"));
    played.takes(&setting(99, 1));
    played.takes(&frame(frame::PING, frame::ACK, 0, b"12345678"));
    played.takes(&frame(frame::SETTINGS, frame::ACK, 0, b""));
    let expected = [
        (frame::PING, frame::ACK, 0, b"12345678".to_vec()),
        (frame::SETTINGS, frame::ACK, 0, Vec::new()),
    ];
    assert_eq!(played.sent(), expected);
    played.session.ping();
    assert_eq!(played.sent()[0].0, frame::PING);
    played.takes(&setting(3, 7));
    assert_eq!(played.session.peer.max_streams, 7);
}

#[test]
fn an_answer_before_the_request_has_ended() {
    let mut played = Played::new();
    played.takes(&setting(4, 10));
    let key = played.open(&[1; 100]);
    played.takes(&headers(END, 1, &[OK, STATUS].concat()));
    assert_eq!(played.sent(), [reset(1, Reason::CANCEL)]);
    assert_eq!(played.answer(key), whole(200, 1, b"", 0));
    // What comes too late for it does no harm.
    played.takes(&window_update(1, 100));
    played.takes(&frame(frame::RST_STREAM, 0, 1, &[0; 4]));
    assert_eq!(played.sent(), []);
}

#[test]
fn a_stream_that_is_let_go_of_is_reset() {
    let mut played = Played::new();
    let left = played.open(b"x");
    let other = played.open(b"x");
    played.session.release(left);
    assert_eq!(played.sent(), [reset(1, Reason::CANCEL)]);
    // Its answer comes all the same; its fields are remembered for others.
    played.takes(&headers(0, 1, &[OK, b"\x40\x01a\x01b"].concat()));
    played.takes(&data(END, 1, b"x"));
    played.takes(&headers(END, 3, &[OK, b"\xbe"].concat()));
    assert_eq!(played.answer(other), whole(200, 1, b"", 0));
    // Nothing is reset that has ended, and no key of an old stream finds a new one.
    let ended = played.open(b"x");
    played.takes(&headers(END, 5, OK));
    played.session.release(ended);
    assert_eq!(played.sent(), []);
    let new = played.open(b"x");
    played.session.release(ended);
    assert_eq!(played.answer(new), Answered::Waiting);
}

#[test]
fn resets() {
    let mut played = Played::new();
    let before = played.open(b"x");
    let after = played.open(b"x");
    played.takes(&headers(0, 3, OK));
    played.takes(&data(0, 3, b"some"));
    for stream in [1, 3] {
        played.takes(&frame(frame::RST_STREAM, 0, stream, &[0, 0, 0, 7]));
    }
    let expected = Answered::Failed(String::from("reset: REFUSED_STREAM"));
    assert_eq!(played.answer(before), expected);
    assert_eq!(played.answer(after), expected);
    assert_eq!(played.sent(), []);
}

#[test]
fn go_away_in_two_steps() {
    let mut played = Played::new();
    let keys = [played.open(b"x"), played.open(b"x"), played.open(b"x")];
    let go_away = |last: u32| {
        let payload = [&last.to_be_bytes()[..], &[0, 0, 0, 0], b"text"].concat();
        frame(frame::GOAWAY, 0, 0, &payload)
    };
    played.takes(&go_away((1 << 31) - 1));
    assert!(!played.session.is_open() && !played.session.has_ended());
    assert_eq!(played.answer(keys[2]), Answered::Waiting);
    played.takes(&go_away(3));
    let expected = Answered::Failed(String::from("unprocessed: NO_ERROR"));
    assert_eq!(played.answer(keys[2]), expected);
    played.takes(&headers(END, 1, OK));
    played.takes(&headers(END, 3, OK));
    assert_eq!(played.answer(keys[0]), whole(200, 0, b"", 0));
    assert!(played.session.has_ended());
    // What has come is there for its call all the same.
    assert_eq!(played.answer(keys[1]), whole(200, 0, b"", 0));
}

#[test]
fn a_connection_that_nobody_uses_says_goodbye() {
    let mut played = Played::new();
    let key = played.open(b"x");
    played.session.leave();
    played.session.leave();
    assert_eq!(played.sent(), [(frame::GOAWAY, 0, 0, vec![0; 8])]);
    assert!(!played.session.has_ended());
    played.session.release(key);
    assert!(played.session.has_ended());
}

#[test]
fn a_connection_without_ids_takes_no_streams() {
    let mut played = Played::new();
    played.session.next_id = (1 << 31) - 1;
    let last = played.open(b"x");
    assert!(!played.session.is_open());
    let metadata = HeaderMap::new();
    let request = super::super::Request {
        path: "/",
        authority: "app",
        metadata: &metadata,
        timeout: None,
        told: None,
    };
    let refused = played.session.open(&request, &Pieces::new());
    assert!(matches!(refused, Err(Unsent::Closed)));
    played.takes(&headers(END, (1 << 31) - 1, OK));
    assert_eq!(played.answer(last), whole(200, 0, b"", 0));
}

/// A head that HTTP/2 cannot hold is refused before anything is written.
#[test]
fn a_head_of_http1() {
    let mut played = Played::new();
    let mut metadata = HeaderMap::new();
    metadata.insert("connection", http::HeaderValue::from_static("close"));
    let request = super::super::Request {
        path: "/",
        authority: "app",
        metadata: &metadata,
        timeout: None,
        told: None,
    };
    let refused = played.session.open(&request, &Pieces::new());
    assert!(matches!(refused, Err(Unsent::Head(_))));
    assert_eq!(played.sent(), []);
}
