//! [`Signals`]: what this process is sent, one after the other, to be heeded or handed on.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::task::Poll;

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{self, SignalKind};

/// The signals that a supervisor or a person sends on purpose.
const HEARD: [(Signal, SignalKind); 7] = [
    (Signal::TERM, SignalKind::terminate()),
    (Signal::INT, SignalKind::interrupt()),
    (Signal::HUP, SignalKind::hangup()),
    (Signal::QUIT, SignalKind::quit()),
    (Signal::USR1, SignalKind::user_defined1()),
    (Signal::USR2, SignalKind::user_defined2()),
    (Signal::WINCH, SignalKind::window_change()),
];

/// Everything that is heard; none of it has its usual effect any more.
pub struct Signals(Vec<(Signal, unix::Signal)>);

impl Signals {
    /// Hears from now on. It belongs on a runtime.
    pub fn listen() -> io::Result<Self> {
        let heard = HEARD.map(|(signal, kind)| Ok((signal, unix::signal(kind)?)));
        heard.into_iter().collect::<io::Result<_>>().map(Self)
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        poll_fn(|context| {
            for (signal, heard) in &mut self.0 {
                if heard.poll_recv(context).is_ready() {
                    return Poll::Ready(*signal);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// Whether a signal asks a process to end in good order.
pub fn is_stop(signal: Signal) -> bool {
    signal == Signal::TERM || signal == Signal::INT
}

/// Sends a signal; a process that has ended needs none.
pub fn send(process: u32, signal: Signal) {
    let Some(process) = i32::try_from(process).ok().and_then(Pid::from_raw) else {
        return;
    };
    if let Err(error) = kill_process(process, signal) {
        tracing::debug!(%error, ?signal, "a signal was not delivered");
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(signal, _)| signal))
            .finish()
    }
}
