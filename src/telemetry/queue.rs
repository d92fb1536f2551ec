//! [`Queue`]: lines for a slow reader, written by a thread of its own.
//!
//! Whoever has a line hands it over and goes on; it never waits for the reader. What does not
//! fit while the reader is slow is dropped and counted. Lines that are ready together leave in
//! one write.
//!
//! ```
//! let (queue, flush) = sidegate::telemetry::queue::start("example", 1024, std::io::sink())?;
//! assert!(queue.push(b"one line\n"));
//! drop(flush); // waits for the line to be written
//! # Ok::<(), std::io::Error>(())
//! ```

use std::fmt;
use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Room for about three thousand lines of an access log: what a reader may be behind.
pub const DEFAULT_LIMIT: usize = 1 << 20;

/// How long the writer gathers lines after it has written some: short enough for somebody who
/// watches, long enough that a busy gateway makes few system calls.
const GATHER: Duration = Duration::from_millis(5);

/// How long the end of the process waits for a reader that does not read.
const PATIENCE: Duration = Duration::from_secs(2);

/// A handle for those who have lines, or other pieces.
#[derive(Clone)]
pub struct Queue(Arc<Shared>);

/// Writes what is left when it is dropped, but waits no longer than two seconds for a reader
/// that does not read.
#[must_use = "dropping it ends the writer"]
pub struct Flush(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Wakes the writer.
    filled: Condvar,
    /// Wakes who waits for the end of the writer.
    ended: Condvar,
    /// What had no room, or was given up by the output.
    dropped: AtomicU64,
    limit: usize,
    gather: Duration,
}

/// Where what was handed over goes.
pub trait Output: Send + 'static {
    /// How long the writer gathers after a batch.
    fn gather(&self) -> Duration {
        GATHER
    }

    /// Takes everything that was handed over since the last time, one piece after the other; says
    /// how many pieces were lost.
    fn take(&mut self, batch: &[u8]) -> u64;
}

/// Lines to something that is written to.
struct Lines<W>(W);

impl<W: Write + Send + 'static> Output for Lines<W> {
    fn take(&mut self, batch: &[u8]) -> u64 {
        let written = self.0.write_all(batch).and_then(|()| self.0.flush());
        match written {
            Ok(()) => 0,
            Err(_gone) => memchr::memchr_iter(b'\n', batch).count() as u64,
        }
    }
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    /// The writer sleeps until it is woken.
    idle: bool,
    closed: bool,
    ended: bool,
}

/// Starts a writer to `output` that holds at most `limit` bytes of lines.
pub fn start<W>(name: &str, limit: usize, output: W) -> io::Result<(Queue, Flush)>
where
    W: Write + Send + 'static,
{
    start_to(name, limit, Lines(output))
}

/// The same, to anything that takes batches.
pub fn start_to(name: &str, limit: usize, output: impl Output) -> io::Result<(Queue, Flush)> {
    let shared = Arc::new(Shared {
        state: Mutex::new(State::default()),
        filled: Condvar::new(),
        ended: Condvar::new(),
        dropped: AtomicU64::new(0),
        limit,
        gather: output.gather(),
    });
    let theirs = Arc::clone(&shared);
    thread::Builder::new()
        .name(String::from(name))
        .spawn(move || theirs.write_all(output))?;
    Ok((Queue(Arc::clone(&shared)), Flush(shared)))
}

impl Queue {
    /// Hands over a line, its end included; false when it had to be dropped.
    pub fn push(&self, line: &[u8]) -> bool {
        self.push_pieces(line, 1)
    }

    /// Hands over some pieces, all or none of them.
    pub fn push_pieces(&self, line: &[u8], pieces: u64) -> bool {
        let shared = &*self.0;
        let mut state = shared.lock();
        let length = state.lines.len() + line.len();
        if state.closed || length > shared.limit {
            drop(state);
            shared.dropped.fetch_add(pieces, Ordering::Relaxed);
            return false;
        }
        state.lines.extend_from_slice(line);
        // A writer that is only gathering looks again by itself, unless it would be too late.
        let wake = mem::take(&mut state.idle) || length > shared.limit / 2;
        drop(state);
        if wake {
            shared.filled.notify_one();
        }
        true
    }

    /// How many lines were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

// === impl Shared ===

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Bytes cannot be half changed, so a panic elsewhere has left them sound.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of the writer: until the queue is closed and empty.
    fn write_all(&self, mut output: impl Output) {
        let mut lines = Vec::new();
        while self.take(&mut lines) {
            let lost = output.take(&lines);
            if lost > 0 {
                self.dropped.fetch_add(lost, Ordering::Relaxed);
            }
            lines.clear();
            self.gather();
        }
        self.lock().ended = true;
        self.ended.notify_all();
    }

    /// Waits for lines and takes all of them; false when no more will come.
    fn take(&self, lines: &mut Vec<u8>) -> bool {
        let mut state = self.lock();
        while state.lines.is_empty() && !state.closed {
            state.idle = true;
            state = self
                .filled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.idle = false;
        mem::swap(&mut state.lines, lines);
        !lines.is_empty()
    }

    fn gather(&self) {
        let more = |state: &mut State| !state.closed && state.lines.len() <= self.limit / 2;
        drop(
            self.filled
                .wait_timeout_while(self.lock(), self.gather, more),
        );
    }
}

// === impl Flush ===

impl Drop for Flush {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        self.0.filled.notify_one();
        let running = |state: &mut State| !state.ended;
        drop(self.0.ended.wait_timeout_while(state, PATIENCE, running));
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Flush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flush").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Hands every write to a channel; blocks in it while the channel is full.
    struct Reader(mpsc::SyncSender<Vec<u8>>);

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .send(bytes.to_vec())
                .map_err(|_unread| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_arrive_whole_and_in_order() {
        let (sender, receiver) = mpsc::sync_channel(1000);
        let (queue, flush) = start("test", 1 << 20, Reader(sender)).unwrap();
        for number in 0..1000 {
            assert!(queue.push(format!("{number}\n").as_bytes()));
        }
        drop(flush);
        let read: Vec<u8> = receiver.into_iter().flatten().collect();
        let expected: String = (0..1000).map(|number| format!("{number}\n")).collect();
        assert_eq!(String::from_utf8(read).unwrap(), expected);
        assert_eq!(queue.dropped(), 0);
    }

    #[test]
    fn a_reader_that_does_not_read_costs_lines_and_no_time() {
        let (sender, receiver) = mpsc::sync_channel(0);
        let (queue, flush) = start("test", 100, Reader(sender)).unwrap();
        // At most one buffer is on its way to the reader while another one fills.
        let taken = (0..1000).filter(|_| queue.push(b"123456789\n")).count();
        assert!((10..=20).contains(&taken), "{taken} lines of a full queue");
        assert_eq!(queue.dropped(), 1000 - taken as u64);

        let reading = thread::spawn(move || receiver.into_iter().map(|read| read.len()).sum());
        drop(flush);
        let read: usize = reading.join().unwrap();
        assert_eq!(read, taken * 10, "what was taken is written in the end");
    }

    #[test]
    fn a_reader_that_is_gone_is_counted() {
        let (sender, receiver) = mpsc::sync_channel(0);
        drop(receiver);
        let (queue, flush) = start("test", 100, Reader(sender)).unwrap();
        assert!(queue.push(b"1\n2\n"));
        drop(flush);
        assert_eq!(queue.dropped(), 2);
        assert!(!queue.push(b"3\n"), "a closed queue takes nothing");
        assert_eq!(queue.dropped(), 3);
    }
}
