use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Everything a stream comes to: its messages, then how it ended.
type Outcome = (Vec<Message>, Result<(), FrameError>);

fn deframe(rules: Rules, chunks: &[&[u8]]) -> Outcome {
    let mut deframer = Deframer::new(rules);
    let mut messages = Vec::new();
    for chunk in chunks {
        deframer.push(Bytes::copy_from_slice(chunk));
        while let Ok(Some(message)) = deframer.next() {
            messages.push(message);
        }
    }
    (messages, deframer.finish())
}

fn follow(rules: Rules, chunks: &[&[u8]]) -> (u64, u64, Result<(), FrameError>) {
    let mut follower = Follower::new(rules);
    let followed = chunks.iter().try_for_each(|chunk| follower.advance(chunk));
    let finished = follower.finish();
    if followed.is_err() {
        assert_eq!(followed, finished);
        assert_eq!(follower.advance(b"\0\0\0\0\0"), finished);
    }
    assert_eq!(follower.at_boundary(), finished.is_ok());
    (follower.begun(), follower.messages(), finished)
}

/// Cuts `data` at places given as parts of 65,536.
fn cut<'d>(data: &'d [u8], places: &[u16]) -> Vec<&'d [u8]> {
    let mut places: Vec<_> = places
        .iter()
        .map(|place| data.len() * usize::from(*place) / 65_536)
        .collect();
    places.sort_unstable();
    let mut chunks = Vec::new();
    let mut start = 0;
    for place in places {
        chunks.push(&data[start..place]);
        start = place;
    }
    chunks.push(&data[start..]);
    chunks
}

fn check(rules: Rules, data: &[u8], payloads: &[&str], end: Result<(), FrameError>) {
    let bytes: Vec<&[u8]> = data.chunks(1).collect();
    for chunks in [vec![data], bytes] {
        let (messages, finished) = deframe(rules, &chunks);
        let found: Vec<_> = messages
            .iter()
            .map(|message| message.payload.clone())
            .collect();
        assert_eq!(found, payloads, "{data:?}");
        assert_eq!(finished, end, "{data:?}");
        let (_, messages, finished) = follow(rules, &chunks);
        assert_eq!(messages, payloads.len() as u64, "{data:?}");
        assert_eq!(finished, end, "{data:?}");
    }
}

#[test]
fn streams_of_frames() {
    let rules = Rules::grpc(3);
    let truncated = Err(FrameError::Truncated);
    let too_large = |len| Err(FrameError::TooLarge { len, limit: 3 });
    check(rules, b"", &[], Ok(()));
    check(rules, b"\0\0\0\0\0", &[""], Ok(()));
    check(
        rules,
        b"\0\0\0\0\x01a\x01\0\0\0\x03bcd",
        &["a", "bcd"],
        Ok(()),
    );
    check(rules, b"\0", &[], truncated);
    check(rules, b"\0\0\0\0", &[], truncated);
    check(rules, b"\0\0\0\0\x02a", &[], truncated);
    check(rules, b"\0\0\0\0\x01a\0\0", &["a"], truncated);
    check(rules, b"\0\0\0\0\x04", &[], too_large(4));
    check(
        rules,
        b"\0\0\0\0\0\0\xff\xff\xff\xff",
        &[""],
        too_large(u32::MAX as usize),
    );
}

#[test]
fn flags_differ_by_protocol() {
    for (rules, good) in [
        (Rules::grpc(0), vec![0, 1]),
        (Rules::grpc_web(0), vec![0, 1, 0x80, 0x81]),
        (Rules::connect(0), vec![0, 1, 2, 3]),
    ] {
        for flag in 0..=u8::MAX {
            let data = encode_header(flag, 0);
            if good.contains(&flag) {
                check(rules, &data, &[""], Ok(()));
                let (messages, _) = deframe(rules, &[&data]);
                let message = messages.first().unwrap();
                assert_eq!((message.flag, message.compressed), (flag, flag & 1 == 1));
            } else {
                check(rules, &data, &[], Err(FrameError::BadFlag { flag }));
            }
        }
    }
}

#[test]
fn errors_are_repeated_and_readable() {
    let mut deframer = Deframer::new(Rules::grpc(3));
    deframer.push(Bytes::from_static(b"\x04\0\0\0\0"));
    deframer.push(frame(0, b"a").unwrap());
    let error = FrameError::BadFlag { flag: 4 };
    assert_eq!(deframer.next(), Err(error));
    deframer.push(frame(0, b"a").unwrap());
    assert_eq!(deframer.next(), Err(error));
    assert_eq!(deframer.finish(), Err(error));
    assert_eq!(error.to_string(), "the frame flag 0x04 is not known");
    assert_eq!(
        FrameError::TooLarge { len: 4, limit: 3 }.to_string(),
        "a message of 4 bytes is over the limit of 3"
    );
    assert_eq!(
        FrameError::Truncated.to_string(),
        "the stream ends within a message"
    );
}

#[test]
fn a_message_within_one_chunk_is_not_copied() {
    let chunk = Bytes::from([*b"\0\0\0\0\x03abc", *b"\0\0\0\0\x03def"].concat());
    let mut deframer = Deframer::new(Rules::grpc(3));
    deframer.push(chunk.clone());
    for place in [5, 13] {
        let message = deframer.next().unwrap().unwrap();
        assert_eq!(message.payload.as_ptr(), chunk[place..].as_ptr());
    }
}

#[test]
fn memory_grows_with_what_has_arrived() {
    let mut deframer = Deframer::new(Rules::grpc(usize::MAX));
    deframer.push(Bytes::from_static(b"\0\xff\xff\xff\xffa"));
    let chunk = Bytes::from(vec![0; 3000]);
    deframer.push(chunk.clone());
    assert_eq!(deframer.next(), Ok(None));
    // Neither is the announced size allocated nor the chunk kept.
    assert!(chunk.is_unique());
    assert_eq!(deframer.finish(), Err(FrameError::Truncated));
}

#[test]
fn headers_count_in_big_endian() {
    assert_eq!(encode_header(1, 0x0102_0304), [1, 1, 2, 3, 4]);
    assert_eq!(&*frame(0x80, b"ab").unwrap(), b"\x80\0\0\0\x02ab");
}

proptest! {
    #[test]
    fn cuts_mean_nothing(
        messages in vec((0_u8..3, vec(any::<u8>(), 0..40)), 0..8),
        end in vec(any::<u8>(), 0..6),
        places in vec(any::<u16>(), 0..12),
    ) {
        let mut data = Vec::new();
        for (flag, message) in &messages {
            data.extend(frame(*flag, message).unwrap());
        }
        data.extend(end);
        // A flag of 2 and a length of 39 are wrong, so that errors are among the outcomes.
        let rules = Rules::grpc(38);
        let whole = deframe(rules, &[&data]);
        let chunks = cut(&data, &places);
        prop_assert_eq!(&deframe(rules, &chunks), &whole);
        let (_, count, finished) = follow(rules, &chunks);
        prop_assert_eq!((count, finished), (whole.0.len() as u64, whole.1));
    }

    #[test]
    fn frames_come_out_as_they_went_in(
        messages in vec((any::<bool>(), vec(any::<u8>(), 0..9000)), 0..4),
        places in vec(any::<u16>(), 0..6),
    ) {
        let mut data = Vec::new();
        for (compressed, message) in &messages {
            data.extend(frame(u8::from(*compressed), message).unwrap());
        }
        let (found, finished) = deframe(Rules::grpc(9000), &cut(&data, &places));
        let found: Vec<_> = found.into_iter().map(|m| (m.compressed, m.payload.to_vec())).collect();
        prop_assert_eq!(found, messages);
        prop_assert_eq!(finished, Ok(()));
    }
}
