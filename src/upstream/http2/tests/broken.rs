//! A far side that breaks the protocol.

use h2::Reason;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::feed;
use super::*;

/// Frames of streams that cannot be.
fn broken_streams() -> Vec<(Vec<u8>, Reason)> {
    vec![
        (frame(frame::DATA, 0, 0, b"x"), Reason::PROTOCOL_ERROR),
        (data(0, 2, b"x"), Reason::PROTOCOL_ERROR),
        (data(0, 9, b"x"), Reason::PROTOCOL_ERROR),
        (data(0, 9, &[0; 5000]), Reason::PROTOCOL_ERROR),
        (data(frame::PADDED, 1, b"\x05x"), Reason::PROTOCOL_ERROR),
        (data(frame::PADDED, 1, b""), Reason::FRAME_SIZE_ERROR),
        (headers(0, 0, OK), Reason::PROTOCOL_ERROR),
        (headers(0, 2, OK), Reason::PROTOCOL_ERROR),
        (headers(0, 9, OK), Reason::PROTOCOL_ERROR),
        (headers(0, 1, b"\x80"), Reason::COMPRESSION_ERROR),
        (headers(frame::PADDED, 1, b"\x09x"), Reason::PROTOCOL_ERROR),
        (
            frame(frame::PRIORITY, 0, 1, b"\0"),
            Reason::FRAME_SIZE_ERROR,
        ),
        (
            frame(frame::RST_STREAM, 0, 1, b"\0"),
            Reason::FRAME_SIZE_ERROR,
        ),
        (
            frame(frame::RST_STREAM, 0, 0, &[0; 4]),
            Reason::PROTOCOL_ERROR,
        ),
        (
            frame(frame::RST_STREAM, 0, 9, &[0; 4]),
            Reason::PROTOCOL_ERROR,
        ),
        (frame(frame::SETTINGS, 0, 1, b""), Reason::PROTOCOL_ERROR),
        (frame(frame::SETTINGS, 0, 0, b"x"), Reason::FRAME_SIZE_ERROR),
        (
            frame(frame::SETTINGS, frame::ACK, 0, &[0; 6]),
            Reason::FRAME_SIZE_ERROR,
        ),
        (setting(2, 1), Reason::PROTOCOL_ERROR),
    ]
}

/// Frames of the connection that cannot be, and frames that cannot be at all.
fn broken_connections() -> Vec<(Vec<u8>, Reason)> {
    vec![
        (setting(4, 1 << 31), Reason::FLOW_CONTROL_ERROR),
        (setting(5, 16_383), Reason::PROTOCOL_ERROR),
        (setting(5, 1 << 24), Reason::PROTOCOL_ERROR),
        (
            frame(frame::PUSH_PROMISE, 4, 1, b"\0\0\0\x02\x84"),
            Reason::PROTOCOL_ERROR,
        ),
        (frame(frame::PING, 0, 0, b"short"), Reason::FRAME_SIZE_ERROR),
        (frame(frame::PING, 0, 1, &[0; 8]), Reason::PROTOCOL_ERROR),
        (
            frame(frame::GOAWAY, 0, 0, &[0; 7]),
            Reason::FRAME_SIZE_ERROR,
        ),
        (frame(frame::GOAWAY, 0, 1, &[0; 8]), Reason::PROTOCOL_ERROR),
        (window_update(0, 0), Reason::PROTOCOL_ERROR),
        (window_update(0, (1 << 31) - 1), Reason::FLOW_CONTROL_ERROR),
        (window_update(9, 1), Reason::PROTOCOL_ERROR),
        (
            frame(frame::WINDOW_UPDATE, 0, 0, b"\0"),
            Reason::FRAME_SIZE_ERROR,
        ),
        (frame(frame::CONTINUATION, 4, 1, OK), Reason::PROTOCOL_ERROR),
        (frame(0xfe, 0, 0, &[0; 16_385]), Reason::FRAME_SIZE_ERROR),
        (
            frame(frame::DATA, 0, 1, &[0; 16_385]),
            Reason::FRAME_SIZE_ERROR,
        ),
    ]
}

/// What ends the connection: it is told why, and every call is.
#[test]
fn what_breaks_the_connection() {
    for (bytes, reason) in broken_streams().into_iter().chain(broken_connections()) {
        let mut played = Played::new();
        let key = played.open(b"x");
        played.takes(&headers(0, 1, OK));
        let broken = played.receive(&bytes).unwrap_err();
        assert_eq!(broken.reason, reason, "{broken}: {:?}", &bytes[..9]);
        played.session.break_off(broken);
        let code = u32::from(reason).to_be_bytes();
        let goodbye = [&[0; 4], &code[..]].concat();
        assert_eq!(played.sent(), [(frame::GOAWAY, 0, 0, goodbye)]);
        assert!(matches!(played.answer(key), Answered::Failed(why) if why.starts_with("lost: ")));
        assert!(played.session.has_ended() && !played.session.is_open());
    }
}

#[test]
fn a_header_block_is_continued_at_once_and_ends() {
    let begun = frame(frame::HEADERS, 0, 1, OK);
    for next in [
        data(0, 1, b"x"),
        data(0, 1, &[0; 5000]),
        headers(0, 1, OK),
        setting(3, 1),
        frame(0xfe, 0, 0, b""),
        frame(frame::CONTINUATION, frame::END_HEADERS, 3, OK),
    ] {
        let mut played = Played::new();
        played.open(b"x");
        played.open(b"x");
        played.takes(&begun);
        let broken = played.receive(&next).unwrap_err();
        assert_eq!(broken.reason, Reason::PROTOCOL_ERROR, "{broken}");
    }
    // Fault 3: no end of it, in large pieces and in none at all.
    for piece in [&[0; 16_384][..], b""] {
        let mut played = Played::new();
        played.open(b"x");
        played.takes(&begun);
        let next = frame(frame::CONTINUATION, 0, 1, piece);
        let broken = (0..1100).find_map(|_| played.receive(&next).err());
        assert_eq!(broken.unwrap().reason, Reason::ENHANCE_YOUR_CALM);
    }
}

#[test]
fn the_first_frame_is_the_far_side_s_settings() {
    for first in [frame(frame::PING, 0, 0, &[0; 8]), data(0, 1, &[0; 5000])] {
        let mut played = Played::silent(LIMITS);
        assert_eq!(
            played.receive(&first).unwrap_err().reason,
            Reason::PROTOCOL_ERROR
        );
    }
    let mut played = Played::silent(LIMITS);
    let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    assert_eq!(
        played.receive(answer).unwrap_err().reason,
        Reason::FRAME_SIZE_ERROR
    );
}

/// Answers that cannot be, and what is wrong with each.
fn malformed() -> Vec<(Vec<u8>, &'static str)> {
    let large = [
        OK,
        &[0x00, 0x01, b'a', 0x7f, 0x80, 0x7f][..],
        &[b'x'; 16_383],
    ]
    .concat();
    let (large, more) = large.split_at(16_000);
    vec![
        (data(0, 1, b"x"), "data before a head"),
        (headers(0, 1, STATUS), "a head without a status of HTTP"),
        (headers(0, 1, b"\x88\x88"), "two statuses"),
        (
            headers(0, 1, b"\x84\x88"),
            "a pseudo-header field of requests",
        ),
        (
            headers(0, 1, b"\x88\0\x02A:\x01b"),
            "a header field that HTTP does not have",
        ),
        (
            headers(0, 1, b"\x88\0\x0aconnection\x01b"),
            "a header field of HTTP/1.1",
        ),
        (
            headers(1, 1, b"\x08\x03100"),
            "an informational status that cannot be",
        ),
        (
            headers(0, 1, b"\x08\x03101"),
            "an informational status that cannot be",
        ),
        (
            [headers(0, 1, OK), headers(1, 1, OK)].concat(),
            "trailers with a status of HTTP",
        ),
        (
            [headers(0, 1, OK), headers(0, 1, STATUS)].concat(),
            "header fields in the middle of an answer",
        ),
        (
            [
                frame(frame::HEADERS, 0, 1, large),
                frame(frame::CONTINUATION, frame::END_HEADERS, 1, more),
            ]
            .concat(),
            "a header list over the limit",
        ),
        (
            window_update(1, 0),
            "a window grows beyond the largest there is",
        ),
        (
            window_update(1, (1 << 31) - 1),
            "a window grows beyond the largest there is",
        ),
    ]
}

/// What is wrong with an answer ends it, and nothing else.
#[test]
fn what_breaks_a_stream() {
    for (bytes, what) in malformed() {
        let mut played = Played::new();
        let key = played.open(b"x");
        let other = played.open(b"x");
        played.takes(&bytes);
        let resets: Vec<_> = played.sent().iter().map(|sent| (sent.0, sent.2)).collect();
        assert_eq!(resets, [(frame::RST_STREAM, 1)], "{what}");
        assert_eq!(
            played.answer(key),
            Answered::Failed(format!("malformed: {what}"))
        );
        played.takes(&data(0, 1, b"and so on"));
        played.takes(&headers(frame::END_STREAM, 3, OK));
        assert_eq!(
            played.answer(other),
            Answered::So(200, 0, Vec::new(), Some(0))
        );
    }
}

proptest! {
    #[test]
    fn nothing_is_too_odd(data in vec(any::<u8>(), 0..2000)) {
        feed(&data);
    }

    #[test]
    fn no_frames_are_too_odd(
        frames in vec((0_u8..12, any::<u8>(), 0_u8..8, vec(any::<u8>(), 0..40)), 0..40),
    ) {
        let mut bytes = vec![0];
        for (kind, flags, stream, payload) in frames {
            bytes.extend(frame(kind, flags, stream.into(), &payload));
        }
        feed(&bytes);
    }
}
