//! [`Tail`]: the lines that the application appends to files of its own.
//!
//! A thread looks at the files a few times a second: that works on every file system and in every
//! container, and nobody waits for it. What stood in a file before is left alone; a file that is
//! replaced (as logrotate does it) or begins anew is read from its start, once the rest of the old
//! one has been.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::telemetry::log::app::{AppLog, Lines};

/// How often files are looked at.
const PERIOD: Duration = Duration::from_millis(250);

/// The most that is read of a file at a time: an application that writes more than four times this
/// a second falls behind, and holds nobody up.
const AT_ONCE: u64 = 1 << 20;

/// Follows files until it is dropped.
pub struct Tail {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Followed {
    path: PathBuf,
    lines: Lines,
    open: Option<Open>,
    /// Whether the file was looked for before; what is there the first time is old.
    known: bool,
}

struct Open {
    file: File,
    /// How far it was read.
    at: u64,
    identity: (u64, u64),
}

impl Tail {
    /// Follows files, those that are not there yet included.
    pub fn start(paths: &[PathBuf], log: &AppLog) -> io::Result<Self> {
        let mut files: Vec<Followed> = paths
            .iter()
            .map(|path| Followed {
                path: path.clone(),
                lines: Lines::new(log.clone(), &path.to_string_lossy()),
                open: None,
                known: false,
            })
            .collect();
        // What is appended from here on is read.
        files.iter_mut().for_each(Followed::look);
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("app-logs".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                    files.iter_mut().for_each(Followed::look);
                }
                // What was written last is not left behind.
                files.iter_mut().for_each(Followed::look);
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that follows the application's logs panicked");
        }
    }
}

impl Followed {
    /// Reads what is new. A file that cannot be read now is tried again the next time.
    fn look(&mut self) {
        if let Some(open) = &mut self.open {
            let _unread = open.read(&mut self.lines);
        }
        let now = identity(&self.path);
        let same = self.open.as_ref().map(|open| open.identity);
        if now.is_some() && now != same {
            self.lines.finish();
            self.open = Open::new(&self.path, self.known).ok();
            if let Some(open) = &mut self.open {
                let _unread = open.read(&mut self.lines);
            }
        }
        self.known = true;
    }
}

impl Open {
    fn new(path: &Path, from_start: bool) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let told = file.metadata()?;
        let at = if from_start {
            0
        } else {
            file.seek(SeekFrom::End(0))?
        };
        Ok(Self {
            file,
            at,
            identity: (told.dev(), told.ino()),
        })
    }

    fn read(&mut self, lines: &mut Lines) -> io::Result<()> {
        if self.file.metadata()?.len() < self.at {
            lines.finish();
            self.at = self.file.seek(SeekFrom::Start(0))?;
        }
        let mut buffer = [0; 16 << 10];
        let mut taken = 0;
        while taken < AT_ONCE {
            let count = self.file.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            lines.push(buffer.get(..count).unwrap_or_default());
            taken += count as u64;
        }
        self.at += taken;
        Ok(())
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let told = fs::metadata(path).ok()?;
    Some((told.dev(), told.ino()))
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tail").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::telemetry::clock::Clock;
    use crate::telemetry::log::Format;
    use crate::telemetry::queue::{self, Output};

    #[derive(Clone, Default)]
    struct Taken(Arc<Mutex<Vec<u8>>>);

    impl Output for Taken {
        fn take(&mut self, batch: &[u8]) -> u64 {
            self.0.lock().unwrap().extend_from_slice(batch);
            0
        }
    }

    #[test]
    fn lines_of_files_arrive_whatever_becomes_of_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let (old, late) = (folder.path().join("old"), folder.path().join("late"));
        fs::write(&old, "before\n").unwrap();
        let taken = Taken::default();
        let (queue, flush) = queue::start_to("test", 1 << 20, taken.clone()).unwrap();
        let log = AppLog::new(Format::Json, queue, Clock::system());
        let mut files = [&old, &late].map(|path| Followed {
            path: path.clone(),
            lines: Lines::new(log.clone(), path.file_name().unwrap().to_str().unwrap()),
            open: None,
            known: false,
        });
        let mut look = || files.iter_mut().for_each(Followed::look);
        look();
        let append = |path: &Path, text: &str| {
            let mut file = File::options()
                .append(true)
                .create(true)
                .open(path)
                .unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        append(&old, "one\ntw");
        append(&late, "made later\n");
        look();
        append(&old, "o\nlast of it\n");
        fs::rename(&old, folder.path().join("moved")).unwrap();
        append(&old, "replaced\n");
        look();
        fs::write(&old, "again\n").unwrap();
        look();
        fs::remove_file(&late).unwrap();
        look();
        append(&late, "back\n");
        look();
        drop((log, files, flush));
        let taken = String::from_utf8(taken.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<String> = taken
            .lines()
            .map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                format!(
                    "{} {}",
                    line["source"].as_str().unwrap(),
                    line["line"].as_str().unwrap()
                )
            })
            .collect();
        assert_eq!(
            lines,
            [
                "old one",
                "late made later",
                "old two",
                "old last of it",
                "old replaced",
                "old again",
                "late back"
            ]
        );
    }

    #[test]
    fn the_thread_reads_the_rest_before_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let taken = Taken::default();
        let (queue, flush) = queue::start_to("test", 1 << 20, taken.clone()).unwrap();
        let log = AppLog::new(Format::Json, queue, Clock::system());
        let tail = Tail::start(std::slice::from_ref(&path), &log).unwrap();
        fs::write(&path, "no end").unwrap();
        drop((tail, flush));
        let taken = String::from_utf8(taken.0.lock().unwrap().clone()).unwrap();
        assert!(taken.contains("\"line\":\"no end\""), "{taken}");
    }
}
