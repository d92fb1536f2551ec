//! What a request costs: instructions and allocations of the gateway's process, by callgrind.
//!
//! ```text
//! cargo bench --bench instructions                        the gateway of the bench profile
//! cargo bench --bench instructions -- --gateway PATH      another one: target/measure/sidegate
//! cargo bench --bench instructions -- --check             fails over a ceiling
//! ```
//!
//! An application of tonic runs in a process of its own, the gateway under callgrind with one
//! worker, and one client asks one thing after the other on one connection. Each figure is the
//! difference of a long and a short batch, so that the start and everything that happens once
//! cancels. The access log is on and read. Allocations are calls of the system's allocator.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::exit,
    clippy::indexing_slicing,
    reason = "a benchmark prints, and starts what it needs"
)]

mod backend;
mod callgrind;
mod client;
mod messages;
mod telling;

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use bytes::Bytes;

use callgrind::{Gateway, Start};
use client::{Grpc, Http};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// One kind of request.
struct Scenario {
    name: &'static str,
    ask: Ask,
    /// The difference of the batches.
    requests: u64,
    /// What a figure is divided by besides.
    messages: u64,
    /// The most instructions and allocations, with some slack.
    ceiling: (u64, u64),
}

enum Ask {
    Http(Vec<u8>),
    Grpc(&'static str, Bytes),
}

fn get(target: &str) -> Ask {
    Ask::Http(
        format!(
            "GET {target} HTTP/1.1\r\nHost: shelf.example\r\nUser-Agent: instructions/1\r\n\r\n"
        )
        .into_bytes(),
    )
}

fn post(target: &str, json: &str) -> Ask {
    let length = json.len();
    Ask::Http(
        format!(
            "POST {target} HTTP/1.1\r\nHost: shelf.example\r\nUser-Agent: instructions/1\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{json}"
        )
        .into_bytes(),
    )
}

fn grpc(path: &'static str, message: &impl prost::Message) -> Outcome<Ask> {
    let framed = sidegate::wire::frame::frame(0, &message.encode_to_vec())?;
    Ok(Ask::Grpc(path, framed))
}

/// Every scenario; a stream is counted by its messages.
fn scenarios() -> Outcome<Vec<Scenario>> {
    const STREAM: u64 = 1000;
    let name = String::from("books/7");
    let passed = grpc("/bench.Shelf/GetBook", &messages::GetRequest { name })?;
    let list = messages::ListRequest { page_size: 1000 };
    let streamed = grpc("/bench.Shelf/WatchBooks", &list)?;
    let new_item = messages::new_item();
    let rows = [
        ("small GET", get("/v1/books/7"), 1000, 1, (55_000, 36)),
        ("2 KB GET", get("/v1/items/17"), 500, 1, (85_000, 37)),
        (
            "700 B POST",
            post("/v1/items", &new_item),
            500,
            1,
            (68_000, 34),
        ),
        ("41 KB list", get("/v1/items"), 100, 1, (640_000, 37)),
        (
            "REST stream, a message",
            get("/v1/books:watch?page_size=1000"),
            10,
            STREAM,
            (3_300, 1),
        ),
        ("gRPC unary", passed, 1000, 1, (77_000, 32)),
        ("gRPC stream, a message", streamed, 10, STREAM, (205, 1)),
    ];
    Ok(rows
        .into_iter()
        .map(|(name, ask, requests, messages, ceiling)| Scenario {
            name,
            ask,
            requests,
            messages,
            ceiling,
        })
        .collect())
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "backend") {
        return backend::serve();
    }
    let value_of = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(at + 1).cloned()
    };
    let gateway =
        value_of("--gateway").unwrap_or_else(|| env!("CARGO_BIN_EXE_sidegate").to_owned());
    let only = value_of("--only");
    let check = arguments.iter().any(|argument| argument == "--check");
    let scratch = value_of("--keep").map_or_else(
        || std::env::temp_dir().join(format!("instructions-{}", std::process::id())),
        PathBuf::from,
    );
    std::fs::create_dir_all(&scratch)?;

    let mut backend = Command::new(std::env::current_exe()?)
        .arg("backend")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut port = String::new();
    BufReader::new(backend.stdout.take().ok_or("no standard output")?).read_line(&mut port)?;
    let proto = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/instructions/shelf.proto");
    let start = Start {
        program: gateway.as_ref(),
        proto: &proto,
        port: port.trim().parse()?,
        scratch: &scratch,
        config: None,
    };
    let over = all(&start, only.as_deref())?;
    drop(backend.stdin.take());
    drop(backend.wait());
    if value_of("--keep").is_none() {
        std::fs::remove_dir_all(&scratch)?;
    }
    if check && !over.is_empty() {
        return Err(format!("over the ceiling: {}", over.join(", ")).into());
    }
    Ok(())
}

/// Measures what `only` names, or everything; what is over its ceiling.
fn all(start: &Start<'_>, only: Option<&str>) -> Outcome<Vec<&'static str>> {
    let mut gateway = Gateway::start(start)?;
    println!("| request | JSON bytes | instructions | allocations | ceiling |");
    println!("|---|---|---|---|---|");
    let mut over = Vec::new();
    let scenarios = scenarios()?;
    let wanted = |scenario: &&Scenario| only.is_none_or(|only| scenario.name.contains(only));
    for scenario in scenarios.iter().filter(wanted) {
        if !measure(scenario, &mut gateway)? {
            over.push(scenario.name);
        }
    }
    if !gateway.is_alive() {
        return Err("the gateway ended".into());
    }
    drop(gateway);
    let small = scenarios.first().filter(wanted);
    if let Some(small) = small
        && !telling::compare(small, start)?
    {
        over.push("telling everything");
    }
    Ok(over)
}

/// Measures one scenario and prints its row; whether it is below the ceiling.
fn measure(scenario: &Scenario, gateway: &mut Gateway) -> Outcome<bool> {
    let (size, instructions, tenths) = cost(scenario, gateway)?;
    let (most_instructions, most_allocations) = scenario.ceiling;
    println!(
        "| {} | {size} | {instructions} | {}.{} | {most_instructions}, {most_allocations} |",
        scenario.name,
        tenths / 10,
        tenths % 10,
    );
    Ok(instructions <= most_instructions && tenths <= most_allocations * 10)
}

/// The size of an answer, the instructions of a request, and tenths of its allocations.
fn cost(scenario: &Scenario, gateway: &mut Gateway) -> Outcome<(usize, u64, u64)> {
    const SHORT: u64 = 3;
    const WARM: u64 = 30;
    let mut connection = Connection::open(&scenario.ask, gateway)?;
    let warm = if scenario.messages > 1 { SHORT } else { WARM };
    let size = connection.repeat(&scenario.ask, warm)?;
    gateway.count()?;
    connection.repeat(&scenario.ask, SHORT)?;
    let short = gateway.count()?;
    connection.repeat(&scenario.ask, SHORT + scenario.requests)?;
    let long = gateway.count()?;
    let each = scenario.requests * scenario.messages;
    let instructions = (long.instructions - short.instructions) / each;
    let tenths = (long.allocations - short.allocations) * 10 / each;
    Ok((size, instructions, tenths))
}

enum Connection {
    Http(Http),
    Grpc(Grpc),
}

impl Connection {
    fn open(ask: &Ask, gateway: &Gateway) -> Outcome<Self> {
        Ok(match ask {
            Ask::Http(_) => Self::Http(Http::connect(gateway.address)?),
            Ask::Grpc(..) => Self::Grpc(Grpc::connect(gateway.address)?),
        })
    }

    /// Asks so many times; the size of the last answer.
    fn repeat(&mut self, ask: &Ask, times: u64) -> Outcome<usize> {
        let mut size = 0;
        for _ in 0..times {
            size = match (&mut *self, ask) {
                (Self::Http(http), Ask::Http(request)) => http.exchange(request)?,
                (Self::Grpc(grpc), Ask::Grpc(path, message)) => grpc.exchange(path, message)?,
                _ => return Err("this connection speaks something else".into()),
            };
        }
        Ok(size)
    }
}
