//! [`run`]: the first process of a container, which has two duties that no other has: it hands
//! signals on, and it takes leave of processes whose parents have gone.
//!
//! It starts this very program once more as its only child, and does nothing else, so that taking
//! leave of strangers never takes the end of a child from somebody who waits for it.

use std::ffi::OsString;
use std::io;
use std::process::{Child, Command};

use rustix::process::{WaitOptions, WaitStatus, wait};
use tokio::signal::unix::{SignalKind, signal};

use super::signals::{self, Signals};
use super::{child, task};

/// Whether this is the first process.
pub fn is_first() -> bool {
    std::process::id() == 1
}

/// Starts this program with the same arguments, and lasts as long; the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> io::Result<u8> {
    let mut command = Command::new("/proc/self/exe");
    command.args(arguments);
    task::local_runtime()?.block_on(async {
        let mut signals = Signals::listen()?;
        // Heard before there is a child, or its end might be missed.
        let mut ended = signal(SignalKind::child())?;
        let child = command.spawn()?;
        loop {
            tokio::select! {
                signal = signals.next() => signals::send(child.id(), signal),
                _ = ended.recv() => {
                    if let Some(status) = reap(&child) {
                        return Ok(code(status));
                    }
                }
            }
        }
    })
}

/// Takes leave of everybody who has ended; how the child did, if it is among them.
fn reap(child: &Child) -> Option<WaitStatus> {
    let mut of_child = None;
    // An error says that there is nobody left.
    while let Ok(Some((process, status))) = wait(WaitOptions::NOHANG) {
        if u32::try_from(process.as_raw_nonzero().get()) == Ok(child.id()) {
            of_child = Some(status);
        }
    }
    of_child
}

fn code(status: WaitStatus) -> u8 {
    child::code(status.exit_status(), status.terminating_signal())
}
