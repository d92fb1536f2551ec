//! What the machine gives us: processors by quota, open files, memory. Linux's files, read once.

use std::fs;
use std::path::{Path, PathBuf};

/// Reads small files of the system; a test brings its own.
type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// Worker threads that suit the machine: the CPU quota of the cgroup rounded up, and never more
/// than the processors we may run on.
pub(super) fn workers() -> usize {
    let processors = allowed_processors(&read)
        .or_else(|| std::thread::available_parallelism().ok().map(usize::from));
    workers_from(cpu_quota(&read), processors)
}

/// The memory that this process may use, in bytes; `None` when nobody limits it.
pub(super) fn memory() -> Option<u64> {
    memory_limit(&read)
}

/// The memory that a cgroup gives us, and when it is short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    limit: u64,
    percent: u64,
    /// What is used, and what of it can be given back at once.
    usage: PathBuf,
    stat: PathBuf,
}

impl Memory {
    /// That of the cgroup above us which gives least; `None` when nobody limits it, or when all of it
    /// may be used.
    pub(super) fn find(percent: u32) -> Option<Self> {
        Self::among(percent, &read)
    }

    fn among(percent: u32, read: Read<'_>) -> Option<Self> {
        if percent >= 100 {
            return None;
        }
        let at = |directory: &Path, limit: &str, usage: &str| {
            let limit = read(&directory.join(limit))?.trim().parse::<u64>().ok()?;
            Some(Self {
                limit,
                percent: percent.into(),
                usage: directory.join(usage),
                stat: directory.join("memory.stat"),
            })
        };
        let unified = own_directories(read, "", Path::new("/sys/fs/cgroup"));
        let unified = unified.iter();
        let unified = unified.filter_map(|path| at(path, "memory.max", "memory.current"));
        let older = own_directories(read, "memory", Path::new("/sys/fs/cgroup/memory"));
        let older = older.iter();
        let older =
            older.filter_map(|path| at(path, "memory.limit_in_bytes", "memory.usage_in_bytes"));
        let limited = unified.chain(older).filter(|one| one.limit < NO_LIMIT);
        limited.min_by_key(|one| one.limit)
    }

    /// What is used of it and cannot be given back at once: files that were read can.
    pub fn used(&self) -> Option<u64> {
        self.used_by(&read)
    }

    fn used_by(&self, read: Read<'_>) -> Option<u64> {
        let all: u64 = read(&self.usage)?.trim().parse().ok()?;
        let stat = read(&self.stat).unwrap_or_default();
        let of = |name: &str| {
            let line = stat.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim().parse::<u64>().ok())
        };
        let files = of("total_inactive_file ").or_else(|| of("inactive_file "));
        Some(all.saturating_sub(files.unwrap_or_default()))
    }

    /// All of it.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Whether so much is too much.
    pub fn is_short(&self, used: u64) -> bool {
        used.saturating_mul(100) > self.limit.saturating_mul(self.percent)
    }
}

/// Version 1 says "none" by a huge number.
const NO_LIMIT: u64 = 1 << 60;

/// The smallest memory limit of the cgroups above us.
fn memory_limit(read: Read<'_>) -> Option<u64> {
    let unified = own_directories(read, "", Path::new("/sys/fs/cgroup"));
    let unified = unified.iter().map(|directory| directory.join("memory.max"));
    let older = own_directories(read, "memory", Path::new("/sys/fs/cgroup/memory"));
    let older = older
        .iter()
        .map(|directory| directory.join("memory.limit_in_bytes"));
    let limits = unified
        .chain(older)
        .filter_map(|file| read(&file)?.trim().parse::<u64>().ok());
    limits.filter(|limit| *limit < NO_LIMIT).min()
}

fn workers_from(quota: Option<usize>, processors: Option<usize>) -> usize {
    match (quota, processors) {
        (Some(quota), Some(processors)) => quota.min(processors),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => 1,
    }
    .max(1)
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// Whole processors that hold the quota of every cgroup above us; `None` without a quota.
fn cpu_quota(read: Read<'_>) -> Option<usize> {
    let unified = own_directories(read, "", Path::new("/sys/fs/cgroup"));
    let quotas = unified.iter().filter_map(|directory| {
        let text = read(&directory.join("cpu.max"))?;
        let (quota, period) = text.trim().split_once(' ')?;
        processors(quota, period)
    });
    let controlled = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"]
        .into_iter()
        .flat_map(|root| own_directories(read, "cpu", Path::new(root)));
    let older = controlled.filter_map(|directory| {
        let quota = read(&directory.join("cpu.cfs_quota_us"))?;
        let period = read(&directory.join("cpu.cfs_period_us"))?;
        processors(quota.trim(), period.trim())
    });
    quotas.min().into_iter().chain(older).min()
}

/// The directories of our cgroup under a root, from our own up to the root. `controller` is empty
/// for the unified hierarchy of version 2. In a container the root itself is our own.
fn own_directories(read: Read<'_>, controller: &str, root: &Path) -> Vec<PathBuf> {
    let text = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let own = text.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let ours = controllers.split(',').any(|name| name == controller);
        ours.then(|| path.trim_start_matches('/').to_owned())
    });
    let own = own.unwrap_or_default();
    let mut directories: Vec<PathBuf> = Path::new(&own)
        .ancestors()
        .map(|part| root.join(part))
        .collect();
    directories.dedup();
    directories
}

/// `quota` of each `period` as whole processors, rounded up; `max` and `-1` are no quota.
fn processors(quota: &str, period: &str) -> Option<usize> {
    let quota: u64 = quota.parse().ok()?;
    let period: u64 = period.parse().ok().filter(|period| *period > 0)?;
    usize::try_from(quota.div_ceil(period))
        .ok()
        .filter(|n| *n > 0)
}

/// Processors that this process may run on, of `Cpus_allowed_list: 0-3,8`.
fn allowed_processors(read: Read<'_>) -> Option<usize> {
    let status = read(Path::new("/proc/self/status"))?;
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let mut count = 0;
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        count += last.checked_sub(first)? + 1;
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine whose files are these.
    fn with<T>(files: &[(&str, &str)], ask: impl Fn(Read<'_>) -> T) -> T {
        ask(&|path: &Path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path)?;
            Some(found.1.to_owned())
        })
    }

    /// Files of a machine and what is found there.
    type Row<'a, T> = (&'a [(&'a str, &'a str)], Option<T>);

    #[test]
    fn f22_memory_is_short_when_what_cannot_be_given_back_is_near_the_limit() {
        let files = [
            ("/proc/self/cgroup", "0::/a/b\n"),
            ("/sys/fs/cgroup/a/memory.max", "1000\n"),
            ("/sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("/sys/fs/cgroup/a/memory.current", "950\n"),
            ("/sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 60\n"),
        ];
        let memory = with(&files, |read| Memory::among(90, read)).unwrap();
        assert_eq!(memory.limit(), 1000);
        let used = with(&files, |read| memory.used_by(read)).unwrap();
        assert_eq!(
            (used, memory.is_short(used), memory.is_short(901)),
            (890, false, true)
        );
        assert_eq!(with(&files, |read| Memory::among(100, read)), None);
        assert_eq!(with(&[], |read| Memory::among(90, read)), None);
    }

    #[test]
    fn a_quota_is_rounded_up_and_the_smallest_counts() {
        let rows: &[Row<'_, usize>] = &[
            (&[("/sys/fs/cgroup/cpu.max", "150000 100000\n")], Some(2)),
            (&[("/sys/fs/cgroup/cpu.max", "max 100000\n")], None),
            (&[("/sys/fs/cgroup/cpu.max", "1000 100000\n")], Some(1)),
            (&[("/sys/fs/cgroup/cpu.max", "junk")], None),
            (&[], None),
            (
                &[
                    ("/proc/self/cgroup", "0::/pod/app\n"),
                    ("/sys/fs/cgroup/pod/app/cpu.max", "400000 100000"),
                    ("/sys/fs/cgroup/pod/cpu.max", "250000 100000"),
                ],
                Some(3),
            ),
            (
                &[
                    ("/proc/self/cgroup", "4:cpu,cpuacct:/docker/x\n"),
                    (
                        "/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us",
                        "50000\n",
                    ),
                    (
                        "/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us",
                        "100000\n",
                    ),
                ],
                Some(1),
            ),
            (
                &[
                    ("/proc/self/cgroup", "4:cpu:/\n"),
                    ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"),
                    ("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
                ],
                None,
            ),
        ];
        for (files, expected) in rows {
            assert_eq!(with(files, cpu_quota), *expected, "{files:?}");
        }
    }

    #[test]
    fn the_smallest_memory_limit_counts() {
        let rows: &[Row<'_, u64>] = &[
            (&[], None),
            (&[("/sys/fs/cgroup/memory.max", "max\n")], None),
            (
                &[("/sys/fs/cgroup/memory.max", "67108864\n")],
                Some(64 << 20),
            ),
            (
                &[
                    ("/proc/self/cgroup", "0::/pod/app\n"),
                    ("/sys/fs/cgroup/pod/memory.max", "1000"),
                    ("/sys/fs/cgroup/pod/app/memory.max", "2000"),
                ],
                Some(1000),
            ),
            (
                &[(
                    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                    "9223372036854771712\n",
                )],
                None,
            ),
        ];
        for (files, expected) in rows {
            assert_eq!(with(files, memory_limit), *expected, "{files:?}");
        }
    }

    #[test]
    fn processors_are_counted_from_the_list() {
        for (list, expected) in [
            ("0-3,8", Some(5)),
            ("0", Some(1)),
            ("3-1", None),
            ("x", None),
        ] {
            let status = format!("Name:\tx\nCpus_allowed_list:\t{list}\n");
            let files = [("/proc/self/status", status.as_str())];
            assert_eq!(with(&files, allowed_processors), expected, "{list}");
        }
    }

    #[test]
    fn there_is_always_a_worker_and_never_one_without_a_processor() {
        assert_eq!(workers_from(Some(8), Some(2)), 2);
        assert_eq!(workers_from(Some(1), Some(2)), 1);
        assert_eq!(workers_from(None, None), 1);
        assert_eq!(workers_from(None, Some(4)), 4);
        assert_eq!(workers_from(Some(3), None), 3);
    }
}
