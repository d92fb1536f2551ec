//! What is kept on disk: one file a certificate, key and chain together, and one for the account.
//! Only this user may read them, and a file is there whole or not at all.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use serde::{Deserialize, Serialize};

/// Where the certificate for a name is, in a folder.
pub fn certificate(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.pem"))
}

/// An account with one authority.
#[derive(Serialize, Deserialize)]
struct Kept {
    directory: String,
    account: AccountCredentials,
}

/// The account that is kept for an authority, if there is one.
pub(super) fn account(folder: &Path, directory: &str) -> io::Result<Option<AccountCredentials>> {
    let text = match fs::read(account_path(folder)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let kept: Kept = serde_json::from_slice(&text)?;
    Ok((kept.directory == directory).then_some(kept.account))
}

/// Keeps an account.
pub(super) fn keep_account(
    folder: &Path,
    directory: &str,
    account: AccountCredentials,
) -> io::Result<()> {
    let kept = Kept {
        directory: directory.to_owned(),
        account,
    };
    write(&account_path(folder), &serde_json::to_vec_pretty(&kept)?)
}

/// The authority does not know it any more.
pub(super) fn forget_account(folder: &Path) {
    // Where it stays, the next start asks in vain once more.
    drop(fs::remove_file(account_path(folder)));
}

fn account_path(folder: &Path) -> PathBuf {
    folder.join("account.json")
}

/// Writes a file that only this user may read, in place of what is there.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}", std::process::id()));
    let aside = PathBuf::from(aside);
    // One that a process of this number has left.
    drop(fs::remove_file(&aside));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&aside)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&aside, path));
    written.inspect_err(|_| drop(fs::remove_file(&aside)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn nobody_else_reads_it_and_nothing_is_left_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = certificate(&folder.path().join("deep/er"), "a.example");
        for text in ["one", "two"] {
            write(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let place = path.parent().unwrap();
        let mode = fs::metadata(place).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(fs::read_dir(place).unwrap().count(), 1);
        fs::create_dir(place.join("b.example.pem")).unwrap();
        assert!(write(&certificate(place, "b.example"), b"x").is_err());
        assert_eq!(fs::read_dir(place).unwrap().count(), 2);
    }

    #[test]
    fn an_account_belongs_to_its_authority() {
        let folder = tempfile::tempdir().unwrap();
        assert!(account(folder.path(), "https://a").unwrap().is_none());
        let text = r#"{"id":"1","key_pkcs8":"AA","directory":"https://a"}"#;
        let made = serde_json::from_str(text).unwrap();
        keep_account(folder.path(), "https://a", made).unwrap();
        assert!(account(folder.path(), "https://a").unwrap().is_some());
        assert!(account(folder.path(), "https://b").unwrap().is_none());
        fs::write(account_path(folder.path()), "{").unwrap();
        assert!(account(folder.path(), "https://a").is_err());
    }
}
