//! [`Places`]: what has to be looked at so that no change of some files is missed.
//!
//! A file is watched by its name in its directory, never by itself: editors replace it, and a
//! ConfigMap of Kubernetes swaps a link above it. So every link on the way to it is a name to be
//! watched as well, and where the way ends early the first part that is not there is one.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, Metadata};
use std::hash::{Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustc_hash::FxHasher;

/// As many links as the system follows on one way.
const MOST_LINKS: usize = 40;
/// The most directories below those that were named.
const MOST_FOLDERS: usize = 4096;
/// The most directories within each other.
const DEEPEST: usize = 64;

/// Where files may change.
#[derive(Debug, Default)]
pub(in crate::app) struct Places {
    /// Files, links and directories by the name they have where they stand.
    pub(in crate::app) names: BTreeSet<PathBuf>,
    /// Directories any of whose entries matters.
    pub(in crate::app) folders: BTreeSet<PathBuf>,
}

impl Places {
    /// Those of files and of directories with everything in them. Looks at the disk.
    pub(in crate::app) fn of(paths: &[PathBuf]) -> Self {
        let mut places = Self::default();
        let mut seen = HashSet::new();
        for path in paths {
            let Ok(path) = std::path::absolute(path) else {
                continue;
            };
            if let Some(folder) = places.follow(&path, MOST_LINKS)
                && folder.is_dir()
            {
                places.descend(&folder, DEEPEST, &mut seen);
            }
        }
        places
    }

    /// The directories in which something may happen.
    pub(in crate::app) fn watched(&self) -> BTreeSet<&Path> {
        let parents = self.names.iter().filter_map(|name| name.parent());
        parents
            .chain(self.folders.iter().map(PathBuf::as_path))
            .collect()
    }

    /// Whether what happened to `path` may be a change.
    pub(in crate::app) fn concerns(&self, path: &Path) -> bool {
        self.names.contains(path)
            || path.parent().is_some_and(|parent| {
                self.folders.contains(parent) && matters(path.file_name().unwrap_or_default())
            })
    }

    /// A number that is another one when anything has changed.
    pub(in crate::app) fn fingerprint(&self) -> u64 {
        let mut hasher = FxHasher::default();
        for name in &self.names {
            mark(name, &mut hasher);
        }
        for folder in &self.folders {
            folder.hash(&mut hasher);
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let mut entries: Vec<PathBuf> = entries
                .map(|entry| entry.path())
                .filter(|path| matters(path.file_name().unwrap_or_default()))
                .collect();
            entries.sort();
            for entry in &entries {
                mark(entry, &mut hasher);
            }
        }
        hasher.finish()
    }

    /// Notes the links on the way and its end; what the end really is, if it is there.
    fn follow(&mut self, path: &Path, links: usize) -> Option<PathBuf> {
        let mut at = PathBuf::new();
        let mut parts = path.components();
        while let Some(part) = parts.next() {
            match part {
                Component::ParentDir => {
                    at.pop();
                    continue;
                }
                Component::CurDir => continue,
                Component::Prefix(_) | Component::RootDir => {
                    at.push(part);
                    continue;
                }
                Component::Normal(name) => at.push(name),
            }
            let rest = parts.as_path();
            let Ok(metadata) = fs::symlink_metadata(&at) else {
                self.names.insert(at);
                return None;
            };
            if metadata.is_symlink() {
                let target = fs::read_link(&at).ok()?;
                let next = at.parent()?.join(target).join(rest);
                self.names.insert(at);
                return self.follow(&next, links.checked_sub(1)?);
            }
            if rest.as_os_str().is_empty() {
                self.names.insert(at.clone());
            }
        }
        Some(at)
    }

    /// Notes a directory and those in it, links to directories too.
    fn descend(&mut self, folder: &Path, deeper: usize, seen: &mut HashSet<(u64, u64)>) {
        let Ok(metadata) = fs::metadata(folder) else {
            return;
        };
        let fresh = seen.insert((metadata.dev(), metadata.ino()));
        if !fresh || deeper == 0 || self.folders.len() >= MOST_FOLDERS {
            return;
        }
        self.folders.insert(folder.to_owned());
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if !is_hidden(&entry.file_name()) && path.is_dir() {
                if path.is_symlink() {
                    self.follow(&path, MOST_LINKS);
                }
                self.descend(&path, deeper - 1, seen);
            }
        }
    }
}

/// Proto files, and whatever may be a directory or a link to one; a link of a ConfigMap is hidden.
fn matters(name: &std::ffi::OsStr) -> bool {
    let extension = Path::new(name).extension();
    extension.is_none_or(|extension| extension == "proto") || is_hidden(name) && is_swapped(name)
}

fn is_hidden(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// How Kubernetes names what it swaps.
fn is_swapped(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"..")
}

fn mark(path: &Path, hasher: &mut FxHasher) {
    path.hash(hasher);
    let stands = |metadata: Metadata, hasher: &mut FxHasher| {
        let place = (metadata.dev(), metadata.ino(), metadata.mode());
        // A directory is made of its entries, which are marked by themselves.
        let state = (!metadata.is_dir()).then(|| {
            let modified = (metadata.mtime(), metadata.mtime_nsec());
            (
                metadata.size(),
                modified,
                metadata.ctime(),
                metadata.ctime_nsec(),
            )
        });
        (place, state).hash(hasher);
    };
    if let Ok(metadata) = fs::symlink_metadata(path) {
        stands(metadata, hasher);
    }
    if let Ok(metadata) = fs::metadata(path) {
        stands(metadata, hasher);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_swapped_link_of_a_config_map_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| fs::canonicalize(folder.path()).unwrap().join(name);
        write(&at("..one/a.yaml"), "1");
        write(&at("..two/a.yaml"), "1");
        symlink("..one", at("..data")).unwrap();
        symlink("..data/a.yaml", at("a.yaml")).unwrap();

        let places = Places::of(&[at("a.yaml")]);
        for name in ["a.yaml", "..data", "..one/a.yaml"] {
            assert!(places.concerns(&at(name)), "{name}: {places:?}");
        }
        assert!(!places.concerns(&at("b.yaml")));
        assert!(places.watched().contains(at("").as_path()));
        let before = places.fingerprint();
        assert_eq!(before, places.fingerprint());

        symlink("..two", at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        assert_ne!(Places::of(&[at("a.yaml")]).fingerprint(), before);
    }

    #[test]
    fn what_is_not_there_yet_is_waited_for_where_it_would_appear() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let places = Places::of(&[root.join("conf/deep/a.yaml")]);
        assert!(places.concerns(&root.join("conf")));
        assert_eq!(places.watched().into_iter().collect::<Vec<_>>(), [&root]);
        let before = places.fingerprint();
        write(&root.join("conf/deep/a.yaml"), "1");
        let places = Places::of(&[root.join("conf/deep/a.yaml")]);
        assert_ne!(places.fingerprint(), before);
        assert!(places.concerns(&root.join("conf/deep/a.yaml")));
    }

    #[test]
    fn a_directory_matters_with_its_protos_and_its_directories() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        write(&root.join("a/b/c.proto"), "1");
        write(&root.join(".git/d.proto"), "1");
        symlink(&root, root.join("a/circle")).unwrap();
        let places = Places::of(std::slice::from_ref(&root));
        for name in ["x.proto", "a/b/c.proto", "new", "..data"] {
            assert!(places.concerns(&root.join(name)), "{name}");
        }
        for name in ["x.log", "a/b/c.proto.swp", ".git/d.proto"] {
            assert!(!places.concerns(&root.join(name)), "{name}");
        }
        let before = places.fingerprint();
        write(&root.join("a/b/e.proto"), "1");
        assert_ne!(places.fingerprint(), before);
        let before = places.fingerprint();
        write(&root.join("a/b/e.log"), "1");
        assert_eq!(places.fingerprint(), before);
    }
}
