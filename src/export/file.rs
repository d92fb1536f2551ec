//! [`Rotated`]: a file of lines that is put aside when it is large, and opened anew when somebody
//! else has put it aside.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::telemetry::queue::Output;

/// Which file, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// The file; those put aside have `.1`, `.2` and so on behind its name, the newest first.
    pub path: PathBuf,
    /// It is put aside before it has more than this.
    pub size: u64,
    /// How many are kept besides it.
    pub keep: u32,
}

/// The file while it is written.
pub struct Rotated {
    params: Params,
    open: Option<Open>,
    /// Whether writing failed the last time; said once.
    failing: bool,
}

struct Open {
    file: File,
    size: u64,
    /// Device and number, by which it is known.
    identity: (u64, u64),
}

impl Rotated {
    /// Writes to the file of `params`, which is made when the first lines come.
    pub fn new(params: Params) -> Self {
        Self {
            params,
            open: None,
            failing: false,
        }
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut open = match self.open.take() {
            Some(open) if identity(&self.params.path) == Some(open.identity) => open,
            // It was moved or removed, as logrotate does it; no signal is needed.
            _ => Open::new(&self.params.path)?,
        };
        let length = lines.len() as u64;
        if open.size > 0 && open.size.saturating_add(length) > self.params.size {
            drop(open);
            put_aside(&self.params)?;
            open = Open::new(&self.params.path)?;
        }
        open.file.write_all(lines)?;
        open.size += length;
        self.open = Some(open);
        Ok(())
    }
}

impl Open {
    fn new(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let told = file.metadata()?;
        Ok(Self {
            file,
            size: told.len(),
            identity: (told.dev(), told.ino()),
        })
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let told = fs::metadata(path).ok()?;
    Some((told.dev(), told.ino()))
}

/// Moves every file one number on; the last one goes.
fn put_aside(params: &Params) -> io::Result<()> {
    let numbered = |number: u32| {
        let mut name = params.path.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    if params.keep == 0 {
        return fs::remove_file(&params.path);
    }
    for number in (1..params.keep).rev() {
        match fs::rename(numbered(number), numbered(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(&params.path, numbered(1))
}

impl Output for Rotated {
    fn take(&mut self, batch: &[u8]) -> u64 {
        match self.write(batch) {
            Ok(()) => {
                self.failing = false;
                0
            }
            Err(error) => {
                if !self.failing {
                    self.failing = true;
                    let path = self.params.path.display();
                    tracing::error!(%error, %path, "the file of the access log cannot be written");
                }
                memchr::memchr_iter(b'\n', batch).count() as u64
            }
        }
    }
}

impl fmt::Debug for Rotated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotated")
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).unwrap_or_default()
    }

    fn rotated(folder: &Path, keep: u32) -> Rotated {
        Rotated::new(Params {
            path: folder.join("log"),
            size: 20,
            keep,
        })
    }

    #[test]
    fn a_file_is_put_aside_before_it_is_too_large() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("log"), "before\n").unwrap();
        let mut output = rotated(folder.path(), 2);
        for number in 1..=6 {
            assert_eq!(output.take(format!("line {number}\n").as_bytes()), 0);
        }
        assert_eq!(read(folder.path(), "log"), "line 6\n");
        assert_eq!(read(folder.path(), "log.1"), "line 4\nline 5\n");
        assert_eq!(read(folder.path(), "log.2"), "line 2\nline 3\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        assert_eq!(
            output.take(&b"0123456789\n".repeat(9)),
            0,
            "one batch stays together"
        );
        assert_eq!(read(folder.path(), "log").len(), 99);

        let mut output = rotated(folder.path(), 0);
        assert_eq!(output.take(b"anew\n"), 0);
        assert_eq!(read(folder.path(), "log"), "anew\n");
        assert_eq!(read(folder.path(), "log.1"), "line 6\n");
    }

    #[test]
    fn a_file_that_is_moved_away_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut output = rotated(folder.path(), 5);
        assert_eq!(output.take(b"1\n"), 0);
        fs::rename(folder.path().join("log"), folder.path().join("moved")).unwrap();
        assert_eq!(output.take(b"2\n"), 0);
        assert_eq!(read(folder.path(), "moved"), "1\n");
        assert_eq!(read(folder.path(), "log"), "2\n");
    }

    #[test]
    fn what_cannot_be_written_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let mut output = rotated(&folder.path().join("absent"), 1);
        assert_eq!(output.take(b"1\n2\n"), 2);
        fs::create_dir(folder.path().join("absent")).unwrap();
        assert_eq!(output.take(b"3\n"), 0);
        assert_eq!(read(&folder.path().join("absent"), "log"), "3\n");
    }
}
