//! Lines on their way to receivers that acknowledge, forget to, or go away in the middle.

use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::telemetry::queue;

const SHORT: [Duration; 2] = [Duration::from_millis(1); 2];

/// What a receiver does with a connection.
#[derive(Clone, Copy)]
enum Does {
    /// Reads one message of this many bytes and acknowledges it, as `str` or as `bin`.
    Acknowledge(u8),
    /// Reads and hangs up.
    HangUp,
    /// Acknowledges something else.
    Lie,
}

fn receiver(script: Vec<Does>) -> (SocketAddr, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for does in script {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = vec![0; 1 << 16];
            // Small messages come in one piece on this host.
            let count = stream.read(&mut buffer).unwrap();
            buffer.truncate(count);
            let at = buffer
                .windows(6)
                .position(|six| six == b"\xa5chunk")
                .unwrap();
            let chunk = buffer[at + 7..at + 7 + 24].to_vec();
            sender.send(buffer).unwrap();
            let answer = |chunk: &[u8], head: &[u8]| [b"\x81\xa3ack", head, chunk].concat();
            match does {
                Does::Acknowledge(0) => stream.write_all(&answer(&chunk, &[0xa0 | 24])).unwrap(),
                Does::Acknowledge(_) => stream.write_all(&answer(&chunk, &[0xc4, 24])).unwrap(),
                Does::HangUp => {}
                Does::Lie => stream
                    .write_all(&answer(&[b'x'; 24], &[0xa0 | 24]))
                    .unwrap(),
            }
        }
    });
    (address, receiver)
}

fn forward(address: SocketAddr) -> Forward {
    let place = Place {
        host: address.ip().to_string(),
        port: address.port(),
    };
    let tag = "sidegate".to_owned();
    Forward {
        pauses: &SHORT,
        ..Forward::new(Params { place, tag }, 7)
    }
}

#[test]
fn lines_become_records() {
    let (address, received) = receiver(vec![Does::Acknowledge(0)]);
    let (queue, flush) = queue::start_to("test", 1 << 16, forward(address)).unwrap();
    let line =
        b"{\"time\":\"2023-11-14T22:13:20.007Z\",\"a\":-1,\"b\":200,\"c\":1.5,\"d\":[null,true]}\n";
    assert!(queue.push(&[&line[..], b"plain\n"].concat()));
    drop(flush);
    let message = received.recv().unwrap();
    let time = [
        &[0xd7, 0][..],
        &1_700_000_000_u32.to_be_bytes(),
        &7_000_000_u32.to_be_bytes(),
    ]
    .concat();
    let mut expected = b"\x93\xa8sidegate\x92\x92".to_vec();
    expected.extend(time);
    // Members come in the order of their names.
    expected.extend(b"\x85\xa1a\xd3\xff\xff\xff\xff\xff\xff\xff\xff\xa1b\xcf\0\0\0\0\0\0\0\xc8");
    expected.extend(b"\xa1c\xcb\x3f\xf8\0\0\0\0\0\0\xa1d\x92\xc0\xc3");
    expected.extend(b"\xa4time\xb82023-11-14T22:13:20.007Z");
    assert_eq!(message[..expected.len()], expected);
    let end = b"\x81\xa3log\xa5plain\x82\xa5chunk\xb8000000000000000700000001\xa4size\x02";
    assert!(message.ends_with(end), "{message:x?}");
    assert_eq!(queue.dropped(), 0);
}

#[test]
fn what_is_not_acknowledged_is_sent_again() {
    let (address, received) = receiver(vec![Does::HangUp, Does::Lie, Does::Acknowledge(1)]);
    let mut output = forward(address);
    assert_eq!(output.take(b"one\n"), 0);
    let messages: Vec<Vec<u8>> = received.iter().collect();
    assert_eq!(messages.len(), 3);
    assert!(
        messages.iter().all(|message| *message == messages[0]),
        "the same id each time"
    );
}

/// Fault 43.
#[test]
fn a_receiver_that_is_away_costs_lines_and_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut output = forward(address);
    assert_eq!(output.take(b"1\n2\n"), 2);
    assert_eq!(output.take(b"3\n"), 1);
    let many = "x\n".repeat(2 * LINES + 1);
    assert_eq!(output.take(many.as_bytes()), 2 * LINES as u64 + 1);
}
