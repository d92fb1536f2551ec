//! What telling costs: the small GET with everything told, beside one with nothing told.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use super::callgrind::{Gateway, Start};
use super::{Outcome, Scenario, cost};

/// The most that telling everything may cost.
const MOST: f64 = 1.25;

/// Measures both and prints their rows; whether the ratio is below its ceiling.
pub(crate) fn compare(scenario: &Scenario, start: &Start<'_>) -> Outcome<bool> {
    let collector = TcpListener::bind("127.0.0.1:0")?;
    let port = collector.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in collector.incoming().flatten() {
            std::thread::spawn(move || take(stream));
        }
    });
    let everything = format!(
        "telemetry:\n  access_log: stdout\n  log: {{headers: [host, x-request-id], redact: [email]}}\n  \
         traces: {{collector: \"http://127.0.0.1:{port}\", sample: 1, b3: multi}}\n"
    );
    let mut found = Vec::new();
    for (name, config) in [
        ("nothing told", "telemetry: {access_log: off}\n"),
        ("everything told", everything.as_str()),
    ] {
        let scratch = start.scratch.join(name.replace(' ', "-"));
        std::fs::create_dir_all(&scratch)?;
        let file = scratch.join("sidegate.yaml");
        std::fs::write(&file, config)?;
        let mut gateway = Gateway::start(&Start {
            scratch: &scratch,
            config: Some(&file),
            ..*start
        })?;
        let (_, instructions, tenths) = cost(scenario, &mut gateway)?;
        println!(
            "| {}, {name} | | {instructions} | {}.{} | |",
            scenario.name,
            tenths / 10,
            tenths % 10
        );
        found.push(instructions);
    }
    let [off, on] = found[..] else {
        return Err("two were measured".into());
    };
    #[allow(clippy::cast_precision_loss, reason = "a ratio of small numbers")]
    let ratio = on as f64 / off as f64;
    println!("| ratio of the last two | | {ratio:.3} | | {MOST} |");
    Ok(ratio <= MOST)
}

/// Reads requests and answers each that it has taken them.
fn take(mut stream: TcpStream) {
    let mut buffer = [0; 64 << 10];
    let mut left: Option<usize> = None;
    let mut head = Vec::new();
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        head.extend_from_slice(&buffer[..count]);
        if left.is_none()
            && let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n")
        {
            let text = String::from_utf8_lossy(&head[..end]).to_lowercase();
            let length = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            left = length
                .and_then(|length| length.parse::<usize>().ok())
                .map(|length| end + 4 + length);
        }
        if left.is_some_and(|whole| head.len() >= whole) {
            let answered = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            if answered.is_err() {
                return;
            }
            head.clear();
            left = None;
        }
    }
}
