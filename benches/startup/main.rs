//! How soon the gateway serves and what it takes in memory: `cargo bench --profile dist --bench
//! startup`.
//!
//! The program itself is started, with one worker, in front of an application that answers every
//! call with an empty message. Of each schema is told: the time from before the process exists to
//! the end of the first answer over REST, the processor time of that, what the process then takes,
//! what it takes after load and took at most until then, and what each idle connection adds.
//! Megabytes are those of resident memory, the pages of the program included.
//!
//! ```text
//! cargo bench --profile dist --bench startup -- [--check] [--gateway PROGRAM] [SET.binpb PATH]...
//! ```
//!
//! `--check` fails when a figure is above its ceiling. `SET.binpb PATH` adds a descriptor set, and
//! the path of a GET in it that is to be answered.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and it measures real time"
)]

mod app;
mod gateway;
mod generated;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::time::Duration;

use gateway::{Client, Gateway};

/// How often each schema is started; the times told are the best and the one in the middle.
const STARTS: usize = 9;
const CONNECTIONS: usize = 800;
const CLIENTS: usize = 32;
const REQUESTS_OF_A_CLIENT: usize = 600;

/// One schema, and what must not be exceeded with it.
struct Case {
    name: String,
    flags: Vec<String>,
    path: String,
    ceiling: Ceiling,
}

/// Far above what was measured: shared machines are slow by turns. The time is that of the
/// processor.
struct Ceiling {
    millis: u128,
    peak_kib: u64,
}

/// What was measured of a case.
struct Figures {
    best: Duration,
    middle: Duration,
    /// The least processor time.
    processor: Duration,
    idle_kib: u64,
    connection_bytes: u64,
    loaded_kib: u64,
    peak_kib: u64,
}

struct Arguments {
    check: bool,
    gateway: PathBuf,
    sets: Vec<(String, String)>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = arguments();
    let scratch = tempfile::tempdir()?;
    let app = app::start()?;
    let mut fine = true;
    println!(
        "{:<34} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>12}",
        "schema", "first ms", "middle", "cpu ms", "idle MB", "loaded", "peak", "B/connection"
    );
    for case in cases(scratch.path(), &arguments.sets)? {
        let figures = measure(&arguments.gateway, &case, app)?;
        let mb = |kib: u64| kib as f64 * 1024.0 / 1e6;
        println!(
            "{:<34} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>12}",
            case.name,
            figures.best.as_secs_f64() * 1e3,
            figures.middle.as_secs_f64() * 1e3,
            figures.processor.as_secs_f64() * 1e3,
            mb(figures.idle_kib),
            mb(figures.loaded_kib),
            mb(figures.peak_kib),
            figures.connection_bytes,
        );
        let Ceiling { millis, peak_kib } = case.ceiling;
        if arguments.check
            && (figures.processor.as_millis() > millis || figures.peak_kib > peak_kib)
        {
            println!(
                "above the ceiling of {millis} ms and {:.1} MB",
                mb(peak_kib)
            );
            fine = false;
        }
    }
    drop(scratch);
    exit(i32::from(!fine));
}

fn arguments() -> Arguments {
    let mut given = std::env::args().skip(1);
    let mut arguments = Arguments {
        check: false,
        gateway: PathBuf::from(env!("CARGO_BIN_EXE_sidegate")),
        sets: Vec::new(),
    };
    while let Some(argument) = given.next() {
        match argument.as_str() {
            // Cargo says so to every benchmark.
            "--bench" => {}
            "--check" => arguments.check = true,
            "--gateway" => arguments.gateway = given.next().unwrap_or_default().into(),
            _ => arguments
                .sets
                .push((argument, given.next().unwrap_or_default())),
        }
    }
    arguments
}

fn cases(scratch: &Path, sets: &[(String, String)]) -> Result<Vec<Case>, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |path: &Path| path.display().to_string();
    let set = |name: &str, bytes: &[u8]| -> Result<Vec<String>, Box<dyn Error>> {
        let path = scratch.join(name);
        fs::write(&path, bytes)?;
        Ok(vec!["--descriptor-set".to_owned(), text(&path)])
    };
    let case = |name: &str, flags, path: &str, (millis, megabytes): (u128, u64)| Case {
        name: name.to_owned(),
        flags,
        path: path.to_owned(),
        ceiling: Ceiling {
            millis,
            peak_kib: megabytes * 1_000_000 / 1024,
        },
    };
    let proto = vec!["--proto".to_owned(), text(&root.join("proto"))];
    let bookstore = include_bytes!(concat!(env!("OUT_DIR"), "/services.binpb"));
    let large = generated::set(5_000, 20);
    let mut cases = vec![
        case("bookstore, .proto files", proto, "/v1/shelves", (60, 40)),
        case(
            "bookstore, descriptor set",
            set("bookstore.binpb", bookstore)?,
            "/v1/shelves",
            (50, 30),
        ),
        case(
            "5,000 messages, 100,000 fields",
            set("large.binpb", &large)?,
            generated::PATH,
            (300, 80),
        ),
    ];
    for (file, path) in sets {
        let name = Path::new(file).file_name().unwrap_or_default();
        cases.push(case(
            &name.to_string_lossy(),
            vec!["--descriptor-set".to_owned(), file.clone()],
            path,
            (3_000, 250),
        ));
    }
    Ok(cases)
}

fn measure(
    program: &Path,
    case: &Case,
    app: std::net::SocketAddr,
) -> Result<Figures, Box<dyn Error>> {
    let mut times = Vec::new();
    let mut processor = Duration::MAX;
    let mut start = || -> Result<Gateway, Box<dyn Error>> {
        let (gateway, took) = Gateway::start(program, &case.flags, &case.path, app)?;
        times.push(took);
        processor = processor.min(gateway.processor()?);
        Ok(gateway)
    };
    for _ in 1..STARTS {
        start()?.stop()?;
    }
    let mut gateway = start()?;
    times.sort_unstable();
    let (idle_kib, _) = gateway.memory()?;
    load(&gateway, &case.path)?;
    let (loaded_kib, peak_kib) = gateway.memory()?;
    let connection_bytes = idle_connections(&gateway, &case.path)?;
    gateway.stop()?;
    Ok(Figures {
        best: times.first().copied().unwrap_or_default(),
        middle: times.get(STARTS / 2).copied().unwrap_or_default(),
        processor,
        idle_kib,
        connection_bytes,
        loaded_kib,
        peak_kib,
    })
}

/// What a connection takes that was answered once and stays.
fn idle_connections(gateway: &Gateway, path: &str) -> Result<u64, Box<dyn Error>> {
    let (before, _) = gateway.memory()?;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = Client::connect(gateway.address)?;
        client.get(path)?;
        clients.push(client);
    }
    let (after, _) = gateway.memory()?;
    Ok(after.saturating_sub(before) * 1024 / CONNECTIONS as u64)
}

fn load(gateway: &Gateway, path: &str) -> Result<(), Box<dyn Error>> {
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Client::connect(gateway.address)?);
    }
    for _ in 0..REQUESTS_OF_A_CLIENT {
        for client in &mut clients {
            client.send(path)?;
        }
        for client in &mut clients {
            client.receive()?;
        }
    }
    Ok(())
}
