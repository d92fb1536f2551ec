//! How fast messages are taken out of chunks, and followed: `cargo bench --bench framing`.
//!
//! One axis is varied at a time: the size of a message, and that of the chunks it comes in. A figure
//! is that of a stream of 64 messages.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and it measures real time"
)]

mod timing;

use std::hint::black_box;

use bytes::Bytes;
use sidegate::wire::frame::{self, Deframer, Follower, Rules};
use timing::measure;

const MESSAGES: usize = 64;
const LIMIT: usize = 4 << 20;

fn stream(size: usize) -> Bytes {
    let frame = frame::frame(0, &vec![7; size]).expect("it is below every limit");
    let frames = vec![frame; MESSAGES];
    frames.concat().into()
}

fn chunks(stream: &Bytes, size: usize) -> Vec<Bytes> {
    let starts = (0..stream.len()).step_by(size);
    starts
        .map(|start| stream.slice(start..stream.len().min(start + size)))
        .collect()
}

fn deframe(chunks: &[Bytes]) -> usize {
    let mut deframer = Deframer::new(Rules::grpc(LIMIT));
    let mut messages = 0;
    for chunk in chunks {
        deframer.push(chunk.clone());
        while let Some(message) = deframer.next().expect("the frames are sound") {
            black_box(message);
            messages += 1;
        }
    }
    messages
}

fn follow(chunks: &[Bytes]) -> u64 {
    let mut follower = Follower::new(Rules::grpc(LIMIT));
    for chunk in chunks {
        follower.advance(chunk).expect("the frames are sound");
    }
    follower.messages()
}

fn both(title: &str, chunks: &[Bytes]) {
    assert_eq!(deframe(chunks), MESSAGES, "{title}");
    assert_eq!(follow(chunks), MESSAGES as u64, "{title}");
    measure(&format!("take {title}"), || {
        black_box(deframe(black_box(chunks)));
    });
    measure(&format!("follow {title}"), || {
        black_box(follow(black_box(chunks)));
    });
}

fn main() {
    for size in [16, 256, 4_096, 65_536] {
        let stream = stream(size);
        both(
            &format!("64 of {size} B, chunks of 16 KiB"),
            &chunks(&stream, 16 << 10),
        );
    }
    let stream = stream(1_024);
    for size in [64, 512, 1_029, 16 << 10, stream.len()] {
        both(
            &format!("64 of 1 KiB, chunks of {size} B"),
            &chunks(&stream, size),
        );
    }
}
