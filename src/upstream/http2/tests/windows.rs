//! Flow control in both directions.

use h2::Reason;

use super::*;

/// How many bytes of bodies were sent, by stream, and whether a stream has ended.
fn bodies(played: &mut Played) -> Vec<(u32, usize, bool)> {
    let frames = played.sent();
    let data = frames.iter().filter(|frame| frame.0 == frame::DATA);
    data.map(|frame| (frame.2, frame.3.len(), frame.1 & frame::END_STREAM != 0))
        .collect()
}

#[test]
fn a_body_goes_out_as_the_windows_allow() {
    let mut played = Played::new();
    played.takes(&setting(4, 10));
    played.sent();
    let body: Vec<u8> = (0..25).collect();
    played.open_with(&HeaderMap::new(), &body);
    assert_eq!(bodies(&mut played), [(1, 10, false)]);
    played.takes(&window_update(1, 3));
    assert_eq!(bodies(&mut played), [(1, 3, false)]);
    // Less than nothing, and back.
    played.takes(&setting(4, 0));
    played.takes(&setting(4, 8));
    assert_eq!(bodies(&mut played), []);
    played.takes(&setting(4, 12));
    assert_eq!(bodies(&mut played), [(1, 2, false)]);
    played.takes(&window_update(1, 1000));
    assert_eq!(bodies(&mut played), [(1, 10, true)]);
    played.takes(&window_update(1, 1000));
    assert_eq!(bodies(&mut played), []);
}

#[test]
fn streams_take_turns_in_the_window_of_the_connection() {
    let mut played = Played::new();
    played.takes(&setting(4, 1 << 20));
    let body = vec![0; 50_000];
    played.open_with(&HeaderMap::new(), &body);
    let expected = [
        (1, 16_384, false),
        (1, 16_384, false),
        (1, 16_384, false),
        (1, 848, true),
    ];
    assert_eq!(bodies(&mut played), expected);
    played.open_with(&HeaderMap::new(), &body);
    played.open_with(&HeaderMap::new(), &body);
    assert_eq!(bodies(&mut played), [(3, 15_535, false)]);
    played.takes(&setting(5, 20_000));
    played.takes(&window_update(0, 60_000));
    let expected = [
        (3, 20_000, false),
        (5, 20_000, false),
        (3, 14_465, true),
        (5, 5_535, false),
    ];
    assert_eq!(bodies(&mut played), expected);
    // A body that waits lets no later one overtake it, however small that is.
    played.open_with(&HeaderMap::new(), b"small");
    assert_eq!(bodies(&mut played), []);
    played.takes(&window_update(0, 60_000));
    let expected = [(5, 20_000, false), (7, 5, true), (5, 4_465, true)];
    assert_eq!(bodies(&mut played), expected);
}

#[test]
fn a_stream_that_is_left_sends_no_more() {
    let mut played = Played::new();
    let body = vec![0; 100_000];
    let left = played.open_with(&HeaderMap::new(), &body);
    played.open_with(&HeaderMap::new(), b"small");
    bodies(&mut played);
    played.session.release(left);
    played.takes(&window_update(1, 1 << 20));
    played.takes(&window_update(0, 1 << 20));
    assert_eq!(bodies(&mut played), [(3, 5, true)]);
}

/// Both windows go back past half: the stream's as it is read, the connection's at once.
#[test]
fn what_is_read_is_given_back() {
    let mut played = Played::silent(Limits {
        stream_window: 70_000,
        connection_window: 80_000,
        max_header_list: 1000,
    });
    played.takes(&setting(99, 0));
    let key = played.open(b"x");
    played.takes(&headers(0, 1, OK));
    played.takes(&data(0, 1, &[0; 16_384]));
    played.takes(&data(0, 1, &[0; 16_384]));
    assert_eq!(played.sent(), []);
    played.takes(&data(0, 1, &[0; 16_384]));
    let back = (
        frame::WINDOW_UPDATE,
        0,
        0,
        49_152_u32.to_be_bytes().to_vec(),
    );
    assert_eq!(played.sent(), [back]);
    let context = Context::from_waker(Waker::noop());
    assert!(played.session.poll_head(key, &context).is_ready());
    for more in [false, false, true] {
        assert!(played.session.poll_next(key, &context).is_ready());
        assert_eq!(!played.sent().is_empty(), more);
    }
    assert!(played.session.poll_next(key, &context).is_pending());
    // Padding is nobody's to read, and goes back by itself.
    for _ in 0..200 {
        let payload = [&[250], &[0; 250][..]].concat();
        played.takes(&frame(frame::DATA, frame::PADDED, 1, &payload));
    }
    let backs = played.sent();
    let streams: Vec<_> = backs.iter().map(|back| back.2).collect();
    assert!(streams.contains(&0) && streams.contains(&1), "{streams:?}");
    // Once all has come, the stream's window is of no use to anybody.
    played.takes(&data(frame::END_STREAM, 1, &[0; 16_384]));
    assert!(played.session.poll_next(key, &context).is_ready());
    assert!(played.sent().iter().all(|back| back.2 == 0));
}

#[test]
fn a_stream_that_oversteps_its_window_ends_alone() {
    let mut played = Played::new();
    let key = played.open(b"x");
    let other = played.open(b"x");
    played.takes(&headers(0, 1, OK));
    for _ in 0..4 {
        played.takes(&data(0, 1, &[0; 16_384]));
    }
    assert_eq!(played.sent(), []);
    played.takes(&data(0, 1, b"x"));
    let reason = u32::from(Reason::FLOW_CONTROL_ERROR).to_be_bytes().to_vec();
    assert_eq!(played.sent(), [(frame::RST_STREAM, 0, 1, reason)]);
    let expected = "malformed: more data than the window allows";
    assert_eq!(played.answer(key), Answered::Failed(expected.to_owned()));
    assert_eq!(played.answer(other), Answered::Waiting);
}

#[test]
fn the_connection_s_window_is_not_overstepped() {
    let mut played = Played::silent(Limits {
        stream_window: 1 << 20,
        connection_window: 65_536,
        max_header_list: 1000,
    });
    played.takes(&setting(99, 0));
    played.open(b"x");
    played.takes(&headers(0, 1, OK));
    let flood = data(0, 1, &[0; 16_384]).repeat(5);
    // What is taken is given back at once, so only what comes before that can be too much.
    played.takes(&flood);
    assert!(!played.sent().is_empty());
    played
        .session
        .receive_window
        .take(played.session.receive_window.left())
        .unwrap();
    let broken = played.receive(&data(0, 1, b"x")).unwrap_err();
    assert_eq!(broken.reason, Reason::FLOW_CONTROL_ERROR);
}

/// Small frames that nobody has read yet are joined, and stay in order with large ones.
#[test]
fn small_frames_are_joined() {
    let mut played = Played::new();
    let key = played.open(b"x");
    played.takes(&headers(0, 1, OK));
    for frames in [&[1, 2, 3, 5000, 4, 5][..], &[6], &[5000, 7, 8]] {
        let mut sent = Vec::new();
        for (at, len) in (0..).zip(frames) {
            let piece = vec![at; *len];
            played.takes(&data(0, 1, &piece));
            sent.extend(piece);
        }
        let context = Context::from_waker(Waker::noop());
        drop(played.session.poll_head(key, &context));
        let mut got = Vec::new();
        let mut pieces = 0;
        while let Poll::Ready(Next::Data(piece)) = played.session.poll_next(key, &context) {
            got.extend(piece);
            pieces += 1;
        }
        assert!(got == sent);
        assert!(pieces <= 4 && pieces <= frames.len(), "{pieces}");
    }
}
