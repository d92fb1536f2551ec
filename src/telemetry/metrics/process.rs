//! What the system says about this process, under the names that Prometheus clients use.
//!
//! It is read from `/proc` when somebody asks; where there is none, it is left out.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use super::page::Page;

/// The kernel counts processor time for user space in hundredths of a second, whatever its own
/// clock is.
const TICKS_PER_SECOND: u64 = 100;

/// Adds what is known to the page.
pub fn expose(page: &mut Page, since: SystemTime) {
    if let Ok(started) = since.duration_since(UNIX_EPOCH) {
        page.single(
            "process_start_time_seconds",
            "gauge",
            "When the process began, in seconds of the Unix epoch.",
            started.as_secs_f64(),
        );
    }
    if let Some((whole, hundredths)) = processor_time() {
        page.single(
            "process_cpu_seconds_total",
            "counter",
            "Processor time used.",
            format_args!("{whole}.{hundredths:02}"),
        );
    }
    if let Some(bytes) = resident() {
        page.single(
            "process_resident_memory_bytes",
            "gauge",
            "Memory that is in use.",
            bytes,
        );
    }
    if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
        page.single(
            "process_open_fds",
            "gauge",
            "File descriptors that are open.",
            descriptors.count(),
        );
    }
}

/// User and system time together: whole seconds and hundredths.
fn processor_time() -> Option<(u64, u64)> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program stands in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(str::parse::<u64>);
    let ticks = times.next()?.ok()? + times.next()?.ok()?;
    Some((ticks / TICKS_PER_SECOND, ticks % TICKS_PER_SECOND))
}

fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}
