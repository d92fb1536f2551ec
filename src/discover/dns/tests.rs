//! Following names beside a server that misbehaves on order (fault 37).

use std::cell::RefCell;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::str::FromStr;

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::Record;
use hickory_proto::rr::rdata::{A, AAAA, SOA, SRV};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;

use super::*;
use crate::life::task::{self, Task};

/// What the server does from now on.
#[derive(Clone, Debug)]
enum Mode {
    /// Answers with these, whatever their kind is asked for.
    Knows {
        ttl: u32,
        data: Vec<RData>,
        beside: Vec<(&'static str, RData)>,
    },
    /// There is no such name, for so many seconds.
    NoSuchName(u32),
    /// The name has nothing.
    Nothing,
    Fails,
    /// Says nothing at all.
    Silent,
    /// Says by packet that the answer is too long for one.
    TooLong(Vec<RData>),
    /// Answers to another question first.
    Forged(Vec<RData>),
    Garbage,
}

/// The server, and what it was asked.
struct Server {
    address: SocketAddr,
    mode: Rc<RefCell<Mode>>,
    asked: Rc<RefCell<Vec<(String, RecordType, Instant)>>>,
    _tasks: [Task<()>; 2],
}

impl Server {
    async fn start(mode: Mode) -> Self {
        let (packets, streams) = loop {
            let packets = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let address = packets.local_addr().unwrap();
            if let Ok(streams) = TcpListener::bind(address).await {
                break (packets, streams);
            }
        };
        let address = packets.local_addr().unwrap();
        let mode = Rc::new(RefCell::new(mode));
        let asked: Rc<RefCell<Vec<_>>> = Rc::default();
        let (by_packet, by_stream) = (Rc::clone(&mode), Rc::clone(&mode));
        let heard = Rc::clone(&asked);
        let serving = async move {
            let mut buffer = [0; 4096];
            loop {
                let (length, from) = packets.recv_from(&mut buffer).await.unwrap();
                let question = Message::from_vec(&buffer[..length]).unwrap();
                let query = question.queries[0].clone();
                let name = query.name().to_ascii();
                heard
                    .borrow_mut()
                    .push((name, query.query_type(), Instant::now()));
                let mode = by_packet.borrow().clone();
                for answer in answers(&question, &mode, true) {
                    packets.send_to(&answer, from).await.unwrap();
                }
            }
        };
        let streaming = async move {
            loop {
                let (mut stream, _) = streams.accept().await.unwrap();
                let length = stream.read_u16().await.unwrap();
                let mut bytes = vec![0; usize::from(length)];
                stream.read_exact(&mut bytes).await.unwrap();
                let question = Message::from_vec(&bytes).unwrap();
                let mode = by_stream.borrow().clone();
                for answer in answers(&question, &mode, false) {
                    let length = u16::try_from(answer.len()).unwrap();
                    stream.write_u16(length).await.unwrap();
                    stream.write_all(&answer).await.unwrap();
                }
            }
        };
        Self {
            address,
            mode,
            asked,
            _tasks: [
                task::spawn_local("packets", serving),
                task::spawn_local("streams", streaming),
            ],
        }
    }

    fn set(&self, mode: Mode) {
        self.mode.replace(mode);
    }

    /// Waits until it was asked so often in all.
    async fn was_asked(&self, times: usize) {
        while self.asked.borrow().len() < times {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn answers(question: &Message, mode: &Mode, by_packet: bool) -> Vec<Vec<u8>> {
    let query = &question.queries[0];
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.add_query(query.clone());
    match mode {
        Mode::Knows { ttl, data, beside } => {
            fill(&mut answer, data, *ttl);
            for (name, data) in beside {
                let name = Name::from_str(name).unwrap();
                answer.add_additional(Record::from_rdata(name, *ttl, data.clone()));
            }
        }
        Mode::NoSuchName(ttl) => {
            answer.metadata.response_code = ResponseCode::NXDomain;
            let root = Name::root();
            let zone = SOA::new(root.clone(), root.clone(), 1, 1, 1, 1, *ttl);
            answer.add_authority(Record::from_rdata(root, 3600, RData::SOA(zone)));
        }
        Mode::Nothing => {}
        Mode::Fails => answer.metadata.response_code = ResponseCode::ServFail,
        Mode::Silent => return Vec::new(),
        Mode::TooLong(data) if by_packet => {
            fill(&mut answer, &data[..1], 1);
            answer.metadata.truncation = true;
        }
        Mode::TooLong(data) => fill(&mut answer, data, 1),
        Mode::Forged(data) => {
            let mut forged = answer.clone();
            forged.metadata.id = forged.metadata.id.wrapping_add(1);
            let evil = RData::A(A::new(6, 6, 6, 6));
            forged.add_answer(Record::from_rdata(query.name().clone(), 60, evil));
            fill(&mut answer, data, 1);
            return vec![forged.to_vec().unwrap(), answer.to_vec().unwrap()];
        }
        Mode::Garbage => return vec![vec![0xff; 30]],
    }
    vec![answer.to_vec().unwrap()]
}

/// Adds what was asked for.
fn fill(answer: &mut Message, data: &[RData], ttl: u32) {
    let query = answer.queries[0].clone();
    for data in data
        .iter()
        .filter(|data| data.record_type() == query.query_type())
    {
        answer.add_answer(Record::from_rdata(query.name().clone(), ttl, data.clone()));
    }
}

fn four(last: u8) -> RData {
    RData::A(A::new(10, 0, 0, last))
}

fn six(last: u16) -> RData {
    RData::AAAA(AAAA(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last)))
}

fn knows(data: &[RData]) -> Mode {
    Mode::Knows {
        ttl: 0,
        data: data.to_vec(),
        beside: Vec::new(),
    }
}

fn params(servers: &[SocketAddr]) -> Params {
    Params {
        servers: servers.to_vec(),
        min_ttl: Duration::from_secs(1),
        max_ttl: Duration::from_secs(5),
        timeout: Duration::from_millis(300),
    }
}

fn app() -> Wanted {
    Wanted::Addresses {
        host: String::from("app.test."),
        port: 7,
    }
}

/// What is told of a name, in words; the next word waits until the last was taken.
fn following(wanted: Wanted, params: Params) -> (mpsc::Receiver<String>, Task<()>) {
    let (sender, told) = mpsc::channel(64);
    let task = task::spawn_local("following", async move {
        let mut tell = |update: Update| {
            let words = match update {
                Update::Found(found) => {
                    let mut places: Vec<String> = found
                        .iter()
                        .map(|one| match one.weight {
                            1 => one.place.to_string(),
                            weight => format!("{}*{weight}", one.place),
                        })
                        .collect();
                    places.sort();
                    places.join(" ")
                }
                Update::Failed(why) => format!("failed: {why}"),
            };
            drop(sender.try_send(words));
        };
        follow(wanted, params, &mut tell).await;
    });
    (told, task)
}

async fn until(told: &mut mpsc::Receiver<String>, expected: &str) {
    loop {
        let words = tokio::time::timeout(Duration::from_secs(60), told.recv()).await;
        if words.unwrap().unwrap() == expected {
            return;
        }
    }
}

/// Fault 37: replicas come and go, and whoever asks sees it with the first answer.
#[tokio::test(flavor = "local")]
async fn from_nobody_to_some_to_others() {
    let server = Server::start(Mode::NoSuchName(3600)).await;
    let (mut told, _task) = following(app(), params(&[server.address]));
    until(&mut told, "failed: app.test. is known to nobody").await;
    server.set(Mode::Nothing);
    until(&mut told, "failed: app.test. has no addresses").await;
    server.set(knows(&[four(1), six(1)]));
    until(&mut told, "10.0.0.1:7 [fd00::1]:7").await;
    server.set(knows(&[four(1), four(2), four(3)]));
    until(&mut told, "10.0.0.1:7 10.0.0.2:7 10.0.0.3:7").await;
}

/// Fault 37: every misbehaviour is told, and asked about again less than once a second.
#[tokio::test(flavor = "local")]
async fn a_server_that_misbehaves_is_asked_less_than_once_a_second() {
    let server = Server::start(knows(&[four(1)])).await;
    let (mut told, _task) = following(app(), params(&[server.address]));
    until(&mut told, "10.0.0.1:7").await;
    let at = server.address;
    for (mode, expected) in [
        (
            Mode::Fails,
            format!("failed: app.test. A: {at} answers Server Failure"),
        ),
        (
            Mode::Silent,
            format!("failed: app.test. A: {at} does not answer within 300ms"),
        ),
        (
            Mode::Garbage,
            format!("failed: app.test. A: {at} does not answer within 300ms"),
        ),
        (
            Mode::NoSuchName(0),
            String::from("failed: app.test. is known to nobody"),
        ),
    ] {
        server.set(mode);
        until(&mut told, &expected).await;
    }
    server.set(knows(&[four(2)]));
    until(&mut told, "10.0.0.2:7").await;
    let asked = server.asked.borrow();
    let (first, last) = (asked.first().unwrap().2, asked.last().unwrap().2);
    // The questions of a round come together, so that the first of them pays for those of the last.
    let most = last.duration_since(first).as_secs_f64() + 2.0;
    assert!(asked.len() as f64 <= most, "{} in {most} s", asked.len());
}

#[tokio::test(flavor = "local")]
async fn a_second_server_knows_what_the_first_does_not() {
    let broken = Server::start(Mode::Fails).await;
    let sound = Server::start(knows(&[four(1)])).await;
    let (mut told, _task) = following(app(), params(&[broken.address, sound.address]));
    until(&mut told, "10.0.0.1:7").await;
    sound.was_asked(4).await;
    // It was left for the one that answers.
    assert_eq!(broken.asked.borrow().len(), 1);
}

#[tokio::test(flavor = "local")]
async fn an_answer_that_is_too_long_for_a_packet_is_taken_over_tcp() {
    let many: Vec<RData> = (0..200).map(four).collect();
    let server = Server::start(Mode::TooLong(many)).await;
    let (mut told, _task) = following(app(), params(&[server.address]));
    let words = told.recv().await.unwrap();
    assert_eq!(words.split(' ').count(), 200);
}

#[tokio::test(flavor = "local")]
async fn an_answer_to_another_question_is_not_believed() {
    let server = Server::start(Mode::Forged(vec![four(1)])).await;
    let (mut told, _task) = following(app(), params(&[server.address]));
    assert_eq!(told.recv().await.unwrap(), "10.0.0.1:7");
}

/// Those of the first priority, where they are if the server says so, by name if it does not.
#[tokio::test(flavor = "local")]
async fn services_have_ports_and_weights_of_their_own() {
    let service = |priority, weight, port, host: &str| {
        let target = Name::from_str(host).unwrap();
        RData::SRV(SRV::new(priority, weight, port, target))
    };
    let server = Server::start(Mode::Knows {
        ttl: 1,
        data: vec![
            service(1, 5, 50051, "a.test."),
            service(1, 0, 50052, "b.test."),
            service(2, 1, 50053, "c.test."),
        ],
        beside: vec![("a.test.", four(1)), ("c.test.", four(3))],
    })
    .await;
    let wanted = Wanted::Services(String::from("_grpc._tcp.app.test."));
    let (mut told, _task) = following(wanted, params(&[server.address]));
    let expected = "10.0.0.1:50051*5 b.test:50052";
    assert_eq!(told.recv().await.unwrap(), expected);
    let only = service(0, 0, 0, ".");
    server.set(knows(&[only]));
    until(&mut told, "failed: _grpc._tcp.app.test. has no services").await;
}

#[tokio::test(flavor = "local")]
async fn an_address_and_a_name_of_this_machine_are_asked_of_nobody() {
    let server = Server::start(Mode::Silent).await;
    for (host, expected) in [("::1", "[::1]:7"), ("localhost", "localhost:7")] {
        let host = host.to_owned();
        let wanted = Wanted::Addresses { host, port: 7 };
        let (mut told, _task) = following(wanted, params(&[server.address]));
        assert_eq!(told.recv().await.unwrap(), expected);
    }
    assert!(server.asked.borrow().is_empty());
}

/// The TTL holds between two bounds, and questions are paid for with time.
#[test]
fn pauses() {
    let params = params(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 53))]);
    for (ttl, asked, expected) in [
        (0, 0, 1100),
        (0, 2, 2200),
        (3000, 2, 3000),
        (3_600_000, 2, 5000),
        (0, 10, 11_000),
    ] {
        let ttl = Duration::from_millis(ttl);
        let expected = Duration::from_millis(expected);
        assert_eq!(pause(ttl, asked, &params), expected, "{ttl:?} {asked}");
    }
}
