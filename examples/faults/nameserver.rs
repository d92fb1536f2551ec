//! A DNS server that misbehaves on order: it knows one address for every name, 127.0.0.1.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::Result;
use crate::app::lock;

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// With a TTL of a second.
    Good,
    NoTtl,
    NotFound,
    Fails,
    Silent,
}

#[derive(Debug)]
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    manner: Mutex<Manner>,
    queries: AtomicUsize,
    over: AtomicBool,
}

impl NameServer {
    pub(crate) fn start() -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let address = socket.local_addr()?;
        let shared = Arc::new(Shared {
            manner: Mutex::new(Manner::Good),
            queries: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let told = Arc::clone(&shared);
        std::thread::spawn(move || serve(&socket, &told));
        Ok(Self { address, shared })
    }

    pub(crate) fn be(&self, manner: Manner) {
        *lock(&self.shared.manner) = manner;
    }

    /// Questions for an IPv4 address.
    pub(crate) fn queries(&self) -> usize {
        self.shared.queries.load(Ordering::SeqCst)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
    }
}

fn serve(socket: &UdpSocket, shared: &Shared) {
    let mut packet = [0; 1500];
    while !shared.over.load(Ordering::SeqCst) {
        let Ok((length, from)) = socket.recv_from(&mut packet) else {
            continue;
        };
        let manner = *lock(&shared.manner);
        if let Some((kind, answer)) = answer(&packet[..length], manner) {
            if kind == A {
                shared.queries.fetch_add(1, Ordering::SeqCst);
            }
            if manner != Manner::Silent {
                // Who asked may have gone.
                drop(socket.send_to(&answer, from));
            }
        }
    }
}

/// The type of a question for an IPv4 address.
const A: u16 = 1;

/// The type that was asked for, and the answer; `None` for what is no question.
fn answer(query: &[u8], manner: Manner) -> Option<(u16, Vec<u8>)> {
    // The header, then one name of labels, a type and a class (RFC 1035, 4.1).
    let mut at = 12;
    while *query.get(at)? != 0 {
        at += 1 + usize::from(query[at]);
    }
    let question = query.get(12..at + 5)?;
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let code = match manner {
        Manner::NotFound => 3,
        Manner::Fails => 2,
        Manner::Good | Manner::NoTtl | Manner::Silent => 0,
    };
    let answers = u8::from(code == 0 && kind == A);
    let mut bytes = query.get(..2)?.to_vec();
    bytes.extend([0x85, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0]);
    bytes.extend(question);
    if answers > 0 {
        let ttl = u8::from(manner == Manner::Good);
        bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, ttl, 0, 4, 127, 0, 0, 1]);
    }
    Some((kind, bytes))
}
