//! [`Draft`]: a text that stands beside its file until it is published whole.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A text for a file. Nobody sees half of it, and nobody sees it before it is published.
#[derive(Debug)]
pub struct Draft {
    file: PathBuf,
    /// Where it stands for now; `None` when the file holds it already.
    beside: Option<PathBuf>,
}

impl Draft {
    /// Writes it beside its file, unless that says the same. Blocks.
    pub fn new(file: &Path, text: &[u8]) -> io::Result<Self> {
        let file = file.to_owned();
        if fs::read(&file).is_ok_and(|present| present == text) {
            return Ok(Self { file, beside: None });
        }
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let beside = file.with_file_name(format!(".{name}.{}", std::process::id()));
        let draft = Self {
            file,
            beside: Some(beside.clone()),
        };
        // Nothing that somebody else has put there is followed, or written to.
        drop(fs::remove_file(&beside));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        // Who may read the file may read it on, and nobody else before.
        let present = fs::metadata(&draft.file).ok();
        if present.is_some() {
            options.mode(0o600);
        }
        let mut out = options.open(&beside)?;
        if let Some(present) = present {
            out.set_permissions(present.permissions())?;
        }
        out.write_all(text)?;
        out.sync_all()?;
        Ok(draft)
    }

    /// Whether publishing it changes the file.
    pub fn is_new(&self) -> bool {
        self.beside.is_some()
    }

    /// Puts it in the place of its file.
    pub fn publish(mut self) -> io::Result<()> {
        match self.beside.take() {
            Some(beside) => fs::rename(beside, &self.file),
            None => Ok(()),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            // It was never published, and may not even have been begun.
            drop(fs::remove_file(beside));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn it_is_published_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app.json");
        let draft = Draft::new(&file, b"one").unwrap();
        assert!(draft.is_new() && !file.exists());
        draft.publish().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "one");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();

        drop(Draft::new(&file, b"two").unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "one");
        assert!(!Draft::new(&file, b"one").unwrap().is_new());
        Draft::new(&file, b"three").unwrap().publish().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "three");
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert_eq!(names(folder.path()), ["app.json"]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("none/app.json");
        assert!(Draft::new(&file, b"one").is_err());
    }
}
