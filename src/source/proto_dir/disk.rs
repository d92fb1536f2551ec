//! The proto files of a disk: which there are below the user's roots, and which one an import
//! names. It must never read more than its limits allow, nor follow a circle of links.

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Params;
use super::scan::Position;
use crate::schema::problem::{Location, Problem};

/// The longest proto file that is read.
const MAX_FILE_BYTES: u64 = 32 << 20;
/// The most files that are listed below one root.
const MAX_FILES: usize = 100_000;
/// The most directories within each other.
const MAX_DEPTH: usize = 64;

/// Where files are looked for, in this order.
#[derive(Debug, Default)]
pub(super) struct Roots {
    roots: Vec<PathBuf>,
}

/// A proto file on disk.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// Its import name: relative to the root that holds it.
    pub(super) name: String,
    /// Its path as the user would write it.
    pub(super) path: PathBuf,
}

impl Roots {
    /// Lists what `params` name, in order: each directory's files by name, each file. Of what
    /// cannot be read a problem remains.
    pub(super) fn list(params: &Params, problems: &mut Vec<Problem>) -> (Self, Vec<Listed>) {
        let mut roots = Self::default();
        let mut singles = Vec::new();
        for path in &params.protos {
            match fs::metadata(path) {
                Ok(metadata) if metadata.is_dir() => roots.add(path),
                Ok(_) => singles.push(path),
                Err(error) => problems.push(unreadable(path, &error)),
            }
        }
        let listed_roots = roots.roots.clone();
        for path in &params.includes {
            match fs::metadata(path) {
                Ok(metadata) if metadata.is_dir() => roots.add(path),
                Ok(_) => problems.push(
                    Problem::error(place(path), "an include has to be a directory")
                        .with_help("name the directory that the imports are relative to"),
                ),
                Err(error) => problems.push(unreadable(path, &error)),
            }
        }
        let mut listed = Vec::new();
        for root in &listed_roots {
            let mut walk = Walk::new(root, problems);
            walk.run();
            if walk.files.is_empty() {
                walk.problems.push(
                    Problem::warning(place(root), "there is no .proto file in this directory")
                        .with_help("files whose names begin with a dot do not count"),
                );
            }
            listed.append(&mut walk.files);
        }
        for path in singles {
            listed.extend(roots.single(path, problems));
        }
        (roots, listed)
    }

    fn add(&mut self, root: &Path) {
        if !self.roots.iter().any(|known| known == root) {
            self.roots.push(root.to_owned());
        }
    }

    /// A file that was named by itself: relative to the first root that holds it, else to its own
    /// directory, which becomes a root behind all others.
    fn single(&mut self, path: &Path, problems: &mut Vec<Problem>) -> Option<Listed> {
        if path
            .extension()
            .is_none_or(|extension| extension != "proto")
        {
            problems.push(
                Problem::error(place(path), "this is not a .proto file or a directory")
                    .with_help("a descriptor set is given by --descriptor-set"),
            );
            return None;
        }
        let absolute = fs::canonicalize(path.parent()?).unwrap_or_default();
        let file_name = path.file_name()?;
        let held = self.roots.iter().find_map(|root| {
            let inside = absolute.strip_prefix(fs::canonicalize(root).ok()?).ok()?;
            Some((root.join(inside).join(file_name), inside.join(file_name)))
        });
        let (path, relative) = held.unwrap_or_else(|| {
            let parent = path.parent().filter(|parent| *parent != Path::new(""));
            self.add(parent.unwrap_or_else(|| Path::new(".")));
            (path.to_owned(), PathBuf::from(file_name))
        });
        match import_name(&relative) {
            Some(name) => Some(Listed { name, path }),
            None => {
                problems.push(nameless(&path));
                None
            }
        }
    }

    /// The file of an import name, in the first root that has it.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        let paths = self.roots.iter().map(|root| root.join(name));
        is_sound(name).then_some(paths)?.find(|path| path.is_file())
    }

    /// The roots for a message, `none` when there is none.
    pub(super) fn describe(&self) -> String {
        if self.roots.is_empty() {
            return String::from("no directory");
        }
        let names = self.roots.iter().map(|root| root.display().to_string());
        names.collect::<Vec<_>>().join(", ")
    }

    /// A directory that would be a root in which `name` is found: one above a root.
    pub(super) fn suggest(&self, name: &str) -> Option<PathBuf> {
        if !is_sound(name) {
            return None;
        }
        self.roots.iter().find_map(|root| {
            let absolute = fs::canonicalize(root).ok()?;
            let above = absolute.ancestors().skip(1).take(4);
            let found = above.zip(1..).find(|(above, _)| above.join(name).is_file());
            found.map(|(_, ups)| {
                let up = "../".repeat(ups);
                root.join(up.trim_end_matches('/'))
            })
        })
    }
}

/// Whether an import name stays below its root and is written as protoc wants it.
fn is_sound(name: &str) -> bool {
    !name.contains('\\') && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// A relative path as an import name: with slashes, in UTF-8.
fn import_name(relative: &Path) -> Option<String> {
    let parts = relative.iter().map(|part| part.to_str());
    let parts = parts.collect::<Option<Vec<_>>>()?;
    Some(parts.join("/"))
}

/// Reads one file as text, without its byte order mark.
pub(super) fn read(path: &Path) -> Result<String, Box<Problem>> {
    let told = |error: std::io::Error| Box::new(unreadable(path, &error));
    let file = fs::File::open(path).map_err(told)?;
    let mut bytes = Vec::new();
    let mut limited = file.take(MAX_FILE_BYTES + 1);
    limited.read_to_end(&mut bytes).map_err(told)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let limit = MAX_FILE_BYTES >> 20;
        let message = format!("the file is longer than {limit} MiB");
        return Err(Box::new(Problem::error(place(path), message)));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes());
        let at = Position::of(&text, good).within(&name_of(path));
        Box::new(
            Problem::error(at, "the file is not UTF-8")
                .with_help("store the file as UTF-8 without a byte order mark"),
        )
    })
}

/// How a path is named to the user.
pub(super) fn name_of(path: &Path) -> Arc<str> {
    Arc::from(path.display().to_string())
}

fn place(path: &Path) -> Location {
    Location::file(name_of(path))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::error(
        place(path),
        format!("cannot be read: {error}").to_lowercase(),
    )
}

fn nameless(path: &Path) -> Problem {
    Problem::warning(
        place(path),
        "the name is not UTF-8, so nothing can import the file",
    )
    .with_help("rename the file")
}

/// One walk through a root: directories before links to directories, so that a file keeps the
/// name that needs no link, and everything in order of names.
struct Walk<'a> {
    root: &'a Path,
    problems: &'a mut Vec<Problem>,
    files: Vec<Listed>,
    seen: HashSet<PathBuf>,
    links: Vec<(PathBuf, usize)>,
}

impl<'a> Walk<'a> {
    fn new(root: &'a Path, problems: &'a mut Vec<Problem>) -> Self {
        Self {
            root,
            problems,
            files: Vec::new(),
            seen: HashSet::new(),
            links: Vec::new(),
        }
    }

    fn run(&mut self) {
        let mut folders = vec![(PathBuf::new(), 0)];
        loop {
            while let Some((folder, depth)) = folders.pop() {
                let mut inner = self.folder(&folder, depth);
                inner.reverse();
                folders.append(&mut inner);
            }
            if self.links.is_empty() {
                break;
            }
            folders.push(self.links.remove(0));
        }
        self.files.sort_by(|left, right| left.name.cmp(&right.name));
    }

    /// Takes the files of one directory and returns its directories.
    fn folder(&mut self, folder: &Path, depth: usize) -> Vec<(PathBuf, usize)> {
        let path = self.root.join(folder);
        if !fs::canonicalize(&path).is_ok_and(|real| self.seen.insert(real)) {
            return Vec::new();
        }
        if depth > MAX_DEPTH {
            let message = format!("directories deeper than {MAX_DEPTH} are not searched");
            self.problems.push(Problem::warning(place(&path), message));
            return Vec::new();
        }
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) => {
                self.problems.push(unreadable(&path, &error));
                return Vec::new();
            }
        };
        let mut names = entries
            .filter_map(|entry| Some(entry.ok()?.file_name()))
            .filter(|name| !name.as_encoded_bytes().starts_with(b"."))
            .collect::<Vec<_>>();
        names.sort();
        let mut folders = Vec::new();
        for name in names {
            let inside = folder.join(&name);
            let path = self.root.join(&inside);
            // A link that leads nowhere, or a file that vanished, is nobody's proto.
            let Ok(metadata) = fs::metadata(&path) else {
                continue;
            };
            if metadata.is_dir() {
                if path.is_symlink() {
                    self.links.push((inside, depth + 1));
                } else {
                    folders.push((inside, depth + 1));
                }
            } else if metadata.is_file() && inside.extension().is_some_and(|end| end == "proto") {
                self.file(&inside, path);
            }
        }
        folders
    }

    fn file(&mut self, inside: &Path, path: PathBuf) {
        if self.files.len() == MAX_FILES {
            let message = format!("more than {MAX_FILES} files: the rest is left out");
            if !self.problems.iter().any(|known| known.message == message) {
                self.problems
                    .push(Problem::error(place(self.root), message));
            }
            return;
        }
        match import_name(inside) {
            Some(name) => self.files.push(Listed { name, path }),
            None => self.problems.push(nameless(&path)),
        }
    }
}
