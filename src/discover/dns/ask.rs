//! [`Asker`]: one question to a server and its answer, over UDP, and over TCP if it is too long.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::discover::Place;

/// What goes in one packet everywhere.
const PACKET: u16 = 1232;

/// The most names that an answer leads through.
const MOST_RECORDS: usize = 4096;

/// Asks servers in turn, and counts the questions.
pub(super) struct Asker<'s> {
    servers: &'s [SocketAddr],
    /// The one that is asked first.
    first: usize,
    timeout: Duration,
    asked: u32,
}

/// What a server knows.
pub(super) enum Answer {
    Records(Records),
    /// There is no such name, for so long.
    NoSuchName(Duration),
}

/// What belongs to a name; nothing if it has none of the kind.
pub(super) struct Records {
    pub(super) records: Vec<RData>,
    /// What came along.
    others: Vec<Record>,
    /// How long this is so.
    pub(super) ttl: Duration,
}

impl<'s> Asker<'s> {
    pub(super) fn new(servers: &'s [SocketAddr], first: usize, timeout: Duration) -> Self {
        Self {
            servers,
            first,
            timeout,
            asked: 0,
        }
    }

    /// How many questions were asked.
    pub(super) fn asked(&self) -> u32 {
        self.asked
    }

    /// The server that should be asked first the next time.
    pub(super) fn first(&self) -> usize {
        self.first
    }

    /// Asks one server after the other until one knows; why the last does not.
    pub(super) async fn ask(&mut self, name: &Name, kind: RecordType) -> Result<Answer, String> {
        let mut why = String::from("there is no DNS server");
        let count = self.servers.len();
        for at in (self.first..).take(count) {
            let Some(server) = self.servers.get(at % count).copied() else {
                continue;
            };
            match self.ask_one(server, name, kind).await {
                Ok(answer) => {
                    self.first = at % count;
                    return Ok(answer);
                }
                Err(wrong) => why = format!("{} {kind}: {server} {wrong}", name.to_ascii()),
            }
        }
        Err(why)
    }

    async fn ask_one(
        &mut self,
        server: SocketAddr,
        name: &Name,
        kind: RecordType,
    ) -> Result<Answer, String> {
        let mut question = Message::query();
        question.metadata.recursion_desired = true;
        question.add_query(Query::query(name.clone(), kind));
        let mut extended = Edns::new();
        extended.set_max_payload(PACKET);
        question.set_edns(extended);
        let bytes = question.to_vec().map_err(|error| error.to_string())?;

        self.asked += 1;
        let told = tokio::time::timeout(self.timeout, by_packet(server, &bytes, &question)).await;
        let mut answer = self.in_time(told)?;
        if answer.metadata.truncation {
            self.asked += 1;
            let told = tokio::time::timeout(self.timeout, by_stream(server, &bytes, &question));
            answer = self.in_time(told.await)?;
        }
        read(answer, kind)
    }

    fn in_time<T>(
        &self,
        told: Result<std::io::Result<T>, tokio::time::error::Elapsed>,
    ) -> Result<T, String> {
        match told {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(format!("cannot be asked: {error}")),
            Err(_elapsed) => Err(format!("does not answer within {:?}", self.timeout)),
        }
    }
}

/// One packet there, and the first one back that is an answer to it.
async fn by_packet(
    server: SocketAddr,
    bytes: &[u8],
    question: &Message,
) -> std::io::Result<Message> {
    let any = match server.ip() {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    // A port by chance for each question, so that nobody else can guess where to answer.
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    socket.connect(server).await?;
    socket.send(bytes).await?;
    let mut buffer = [0; PACKET as usize];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let packet = buffer.get(..length).unwrap_or_default();
        if let Ok(answer) = Message::from_vec(packet)
            && answers(&answer, question)
        {
            return Ok(answer);
        }
    }
}

async fn by_stream(
    server: SocketAddr,
    bytes: &[u8],
    question: &Message,
) -> std::io::Result<Message> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(bytes.len()).map_err(std::io::Error::other)?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(bytes);
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    let answer = Message::from_vec(&answer).map_err(std::io::Error::other)?;
    if answers(&answer, question) {
        Ok(answer)
    } else {
        Err(std::io::Error::other("it answers another question"))
    }
}

fn answers(answer: &Message, question: &Message) -> bool {
    answer.metadata.id == question.metadata.id
        && answer.metadata.message_type == MessageType::Response
        && answer.queries == question.queries
}

/// What an answer says; an error if another server may know better.
fn read(answer: Message, kind: RecordType) -> Result<Answer, String> {
    let none_for = answer
        .authorities
        .iter()
        .find_map(|record| match &record.data {
            RData::SOA(zone) => Some(record.ttl.min(zone.minimum)),
            _ => None,
        });
    let none_for = Duration::from_secs(u64::from(none_for.unwrap_or(0)));
    match answer.metadata.response_code {
        ResponseCode::NoError => {}
        ResponseCode::NXDomain => return Ok(Answer::NoSuchName(none_for)),
        code => return Err(format!("answers {code}")),
    }
    let shortest = answer.answers.iter().map(|record| record.ttl).min();
    let all = answer.answers.into_iter().take(MOST_RECORDS);
    let records: Vec<RData> = all
        .filter(|record| record.data.record_type() == kind)
        .map(|record| record.data)
        .collect();
    let ttl = match shortest {
        Some(shortest) if !records.is_empty() => Duration::from_secs(u64::from(shortest)),
        _ => none_for,
    };
    Ok(Answer::Records(Records {
        records,
        others: answer.additionals,
        ttl,
    }))
}

impl Records {
    /// The addresses, each with this port.
    pub(super) fn addresses(&self, port: u16) -> Vec<Place> {
        let addresses = self.records.iter().filter_map(RData::ip_addr);
        addresses
            .map(|address| Place::tcp(address.to_string(), port))
            .collect()
    }

    /// The addresses of another name, if they came along.
    pub(super) fn beside(&self, name: &Name, port: u16) -> Vec<Place> {
        let others = self.others.iter().filter(|record| record.name == *name);
        let addresses = others.filter_map(|record| record.data.ip_addr());
        addresses
            .map(|address| Place::tcp(address.to_string(), port))
            .collect()
    }
}
