//! A directory for one run of an external compiler: files go in, a descriptor set comes out. It
//! vanishes with the value.

use std::fs::{self, DirBuilder};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, process};

use bytes::Bytes;

/// The largest descriptor set that is read back.
const MAX_SET_BYTES: u64 = 512 << 20;
/// The most that is kept of what a compiler says.
const MAX_OUTPUT_BYTES: usize = 1 << 20;

/// A private directory below the system's one for temporary files.
#[derive(Debug)]
pub(super) struct Workspace {
    folder: PathBuf,
}

impl Workspace {
    /// Makes one.
    pub(super) fn new() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let base = env::temp_dir();
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let folder = base.join(format!("sidegate-{}-{number}", process::id()));
            let mut builder = DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            match builder.create(&folder) {
                Ok(()) => {
                    fs::create_dir(folder.join("in"))?;
                    return Ok(Self { folder });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Lays a file in under its import name, which stays below its root.
    pub(super) fn lay(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.input().join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)
    }

    /// Compiles the files of these names; an error is what protoc said.
    pub(super) fn protoc(&self, protoc: &Path, names: &[&str]) -> Result<Bytes, String> {
        let arguments = self.folder.join("arguments");
        // No name can be taken for an option behind a `./`.
        let listed = names.iter().map(|name| format!("./{name}"));
        let listed = listed.collect::<Vec<_>>().join("\n");
        fs::write(&arguments, listed).map_err(|error| error.to_string())?;
        let mut command = Command::new(protoc);
        command
            .current_dir(self.input())
            .args([
                "--proto_path=.",
                "--include_imports",
                "--include_source_info",
            ])
            .arg("--descriptor_set_out")
            .arg(self.output())
            .arg(format!("@{}", arguments.display()));
        self.run(command)
    }

    /// Compiles all files; an error is what buf said.
    pub(super) fn buf(&self, buf: &Path) -> Result<Bytes, String> {
        let mut command = Command::new(buf);
        command
            .current_dir(self.input())
            .args(["build", ".", "--as-file-descriptor-set", "--output"])
            .arg(self.output());
        self.run(command)
    }

    fn run(&self, mut command: Command) -> Result<Bytes, String> {
        let told = |error: io::Error| format!("the compiler could not be run: {error}");
        let output = command.stdin(Stdio::null()).output().map_err(told)?;
        if !output.status.success() {
            let said = output
                .stderr
                .get(..MAX_OUTPUT_BYTES)
                .unwrap_or(&output.stderr);
            return Err(String::from_utf8_lossy(said).into_owned());
        }
        let file = fs::File::open(self.output()).map_err(told)?;
        let mut bytes = Vec::new();
        let mut limited = file.take(MAX_SET_BYTES + 1);
        limited.read_to_end(&mut bytes).map_err(told)?;
        if bytes.len() as u64 > MAX_SET_BYTES {
            return Err(String::from("what it wrote is too large"));
        }
        Ok(Bytes::from(bytes))
    }

    fn input(&self) -> PathBuf {
        self.folder.join("in")
    }

    fn output(&self) -> PathBuf {
        self.folder.join("out.binpb")
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // What cannot be removed now, the system's own cleaning removes.
        let _removed = fs::remove_dir_all(&self.folder);
    }
}
