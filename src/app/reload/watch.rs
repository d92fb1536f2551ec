//! [`Watcher`]: tells that files have changed, once they have come to rest.

use std::collections::{BTreeMap, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::places::Places;

/// How long nothing may happen before what has happened is looked at.
const REST: Duration = Duration::from_millis(200);
/// The same while somebody has a file open for writing.
const REST_OF_WRITING: Duration = Duration::from_secs(1);
/// What never comes to rest is looked at all the same.
const LONGEST: Duration = Duration::from_millis(1500);
/// The most files that are known to be written at a time.
const MOST_WRITTEN: usize = 256;

/// Watches the directories of files.
#[derive(Debug)]
pub(in crate::app) struct Watcher {
    /// `None` when the system gives none.
    system: Option<RecommendedWatcher>,
    /// The directories that are watched, each as it was then: another one may take its name.
    folders: BTreeMap<PathBuf, (u64, u64)>,
    shared: Arc<Shared>,
    told: bool,
}

/// What the system's thread sees as well.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    places: Places,
    /// Files that were written to and are open still.
    written: HashSet<PathBuf>,
}

impl Watcher {
    /// Watches nothing yet.
    pub(in crate::app) fn new() -> Self {
        let shared = Arc::<Shared>::default();
        let listener = Arc::clone(&shared);
        let system = notify::recommended_watcher(move |event: notify::Result<Event>| {
            match event {
                Ok(event) => listener.happened(&event),
                // What was lost may have been anything.
                Err(_lost) => listener.changed.notify_one(),
            }
        });
        let system = system
            .inspect_err(|error| tell_blind(&error.to_string()))
            .ok();
        Self {
            system,
            folders: BTreeMap::new(),
            shared,
            told: false,
        }
    }

    /// Watches these files and directories, as they are now, and no others; their fingerprint.
    pub(in crate::app) fn watch(&mut self, paths: &[PathBuf]) -> u64 {
        let places = Places::of(paths);
        let wanted: BTreeMap<PathBuf, (u64, u64)> = places
            .watched()
            .into_iter()
            .filter_map(|folder| Some((folder.to_owned(), identity(folder)?)))
            .collect();
        if let Some(system) = &mut self.system {
            let mut added = Vec::new();
            for (folder, identity) in &wanted {
                let known = self.folders.get(folder);
                if known == Some(identity) {
                    continue;
                }
                if known.is_some() {
                    // The one that was watched may be gone, and its watch with it.
                    let _unwatched = system.unwatch(folder);
                }
                match system.watch(folder, RecursiveMode::NonRecursive) {
                    Ok(()) => added.push((folder.clone(), *identity)),
                    Err(error) if !self.told => {
                        self.told = true;
                        tell_blind(&format!("{}: {error}", folder.display()));
                    }
                    Err(_) => {}
                }
            }
            self.folders.retain(|folder, _| {
                let keep = wanted.contains_key(folder);
                if !keep {
                    let _unwatched = system.unwatch(folder);
                }
                keep
            });
            self.folders.extend(added);
        }
        // After the watches are set: what changes from now on is heard of.
        let fingerprint = Places::of(paths).fingerprint();
        self.shared.lock().places = places;
        fingerprint
    }

    /// Waits for a change, and until there are no more for a moment.
    pub(in crate::app) async fn changed(&self) {
        self.shared.changed.notified().await;
        let first = Instant::now();
        while first.elapsed() < LONGEST {
            let rest = if self.shared.lock().written.is_empty() {
                REST
            } else {
                REST_OF_WRITING
            };
            if timeout(rest, self.shared.changed.notified()).await.is_err() {
                break;
            }
        }
    }
}

impl Shared {
    fn happened(&self, event: &Event) {
        let mut state = self.lock();
        let concerned = event.paths.iter().any(|path| state.places.concerns(path));
        if event.need_rescan() {
            self.changed.notify_one();
            return;
        }
        if !concerned || !state.note(event) {
            return;
        }
        drop(state);
        self.changed.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the event is a change: our own reading is one too, of another kind.
    fn note(&mut self, event: &Event) -> bool {
        match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) => {
                if self.written.len() < MOST_WRITTEN {
                    self.written.extend(event.paths.iter().cloned());
                }
            }
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_) => {
                for path in &event.paths {
                    self.written.remove(path);
                }
            }
            EventKind::Access(_) => return false,
            EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Other => {}
        }
        true
    }
}

fn identity(folder: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::metadata(folder).ok()?;
    metadata.is_dir().then(|| (metadata.dev(), metadata.ino()))
}

fn tell_blind(why: &str) {
    tracing::warn!(
        error = why,
        "changes of files are not noticed by themselves; SIGHUP or POST /reload tells of them"
    );
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_change_is_told_once_it_has_come_to_rest() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        fs::write(&file, "1").unwrap();
        let mut watcher = Watcher::new();
        watcher.watch(std::slice::from_ref(&file));

        fs::write(folder.path().join("other"), "1").unwrap();
        drop(fs::read(&file).unwrap());
        let quiet = timeout(2 * REST, watcher.changed()).await;
        assert!(
            quiet.is_err(),
            "neither a neighbour nor a reader is a change"
        );

        // Longer than the rest between the parts, but the file stays open.
        let mut open = fs::File::create(&file).unwrap();
        open.write_all(b"half").unwrap();
        let writing = async {
            tokio::time::sleep(2 * REST).await;
            open.write_all(b" and half").unwrap();
            drop(open);
        };
        let ((), ()) = tokio::join!(timeout_ok(watcher.changed()), writing);
        assert_eq!(fs::read_to_string(&file).unwrap(), "half and half");
    }

    #[tokio::test]
    async fn a_file_that_appears_is_seen_and_so_is_the_link_that_is_swapped() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let paths = [at("conf/a.yaml")];
        let mut watcher = Watcher::new();
        watcher.watch(&paths);
        fs::create_dir(at("one")).unwrap();
        fs::write(at("one/a.yaml"), "1").unwrap();
        symlink("one", at("conf")).unwrap();
        timeout_ok(watcher.changed()).await;
        let before = watcher.watch(&paths);

        fs::create_dir(at("two")).unwrap();
        fs::write(at("two/a.yaml"), "2").unwrap();
        symlink("two", at("new")).unwrap();
        fs::rename(at("new"), at("conf")).unwrap();
        timeout_ok(watcher.changed()).await;
        assert_ne!(watcher.watch(&paths), before);

        // In the directory that is meant now.
        fs::write(at("two/a.yaml"), "3").unwrap();
        timeout_ok(watcher.changed()).await;
    }

    async fn timeout_ok(changed: impl Future<Output = ()>) {
        timeout(PATIENCE, changed).await.expect("a change");
    }
}
