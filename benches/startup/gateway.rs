//! The program under test as a process, and a client that costs next to nothing.

use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A gateway that serves.
pub(crate) struct Gateway {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Gateway {
    /// Starts it; how long it took until a GET of `path` was answered.
    pub(crate) fn start(
        program: &Path,
        flags: &[String],
        path: &str,
        app: SocketAddr,
    ) -> Result<(Self, Duration), Box<dyn Error>> {
        let begun = Instant::now();
        let mut child = Command::new(program)
            .args(["serve", "--workers", "1", "--listen", "127.0.0.1:0"])
            .args(["--admin", "127.0.0.1:0"])
            .args(["--upstream", &format!("http://{app}")])
            .args(flags)
            // Where no configuration and no protos lie about.
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("it has no stdout")?;
        let mut out = BufReader::new(out);
        out.read_line(&mut line)?;
        thread::spawn(move || io::copy(&mut out, &mut io::sink()));
        let address = line
            .split('"')
            .skip_while(|part| *part != "listen")
            .nth(2)
            .ok_or_else(|| format!("it does not listen: {line}"))?
            .parse()?;
        let gateway = Self { child, address };
        Client::connect(address)?.get(path)?;
        Ok((gateway, begun.elapsed()))
    }

    /// What it takes now and took at most, in KiB.
    pub(crate) fn memory(&self) -> Result<(u64, u64), Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let read = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok())
                .unwrap_or(0)
        };
        Ok((read("VmRSS:"), read("VmHWM:")))
    }

    /// The processor time that its threads took so far.
    pub(crate) fn processor(&self) -> Result<Duration, Box<dyn Error>> {
        let mut nanos = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let told = fs::read_to_string(thread?.path().join("schedstat"))?;
            let first = told.split_whitespace().next();
            nanos += first.and_then(|text| text.parse().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanos))
    }

    pub(crate) fn stop(&mut self) -> Result<(), Box<dyn Error>> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // When it has ended already there is nothing to do.
        drop(self.stop());
    }
}

/// One HTTP/1.1 connection.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    pub(crate) fn get(&mut self, path: &str) -> Result<(), Box<dyn Error>> {
        self.send(path)?;
        self.receive()
    }

    pub(crate) fn send(&mut self, path: &str) -> Result<(), Box<dyn Error>> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n");
        Ok(self.stream.write_all(request.as_bytes())?)
    }

    /// Waits for an answer, which has to be a success.
    pub(crate) fn receive(&mut self) -> Result<(), Box<dyn Error>> {
        self.buffer.clear();
        let mut part = [0; 4096];
        loop {
            let length = self.stream.read(&mut part)?;
            if length == 0 {
                return Err("the connection was closed".into());
            }
            self.buffer
                .extend_from_slice(part.get(..length).unwrap_or_default());
            let text = std::str::from_utf8(&self.buffer)?;
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            if !head.starts_with("HTTP/1.1 200") {
                return Err(format!("not answered well: {text}").into());
            }
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .ok_or("the answer has no length")?;
            if body.len() >= length.parse::<usize>()? {
                return Ok(());
            }
        }
    }
}
