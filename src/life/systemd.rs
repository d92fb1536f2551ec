//! What systemd gives a service and wants to hear of it: sockets that are open already, and how far
//! it has come (`sd_notify`). Any supervisor that speaks the same may stand in its place.

use std::ffi::OsStr;
use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use listenfd::ListenFd;
use rustix::io::{FdFlags, fcntl_setfd};
use tokio::time::{MissedTickBehavior, interval};

/// Variables that are for this process alone and would mislead a child.
pub const VARIABLES: &[&str] = &[
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
];

/// Says how far the service has come; clones say it to the same one, and without one nobody
/// listens.
#[derive(Clone, Debug, Default)]
pub struct Notifier(Option<Arc<UnixDatagram>>);

/// Shows that the thread that runs it still turns.
#[derive(Debug)]
pub struct Watchdog {
    notifier: Notifier,
    period: Duration,
}

impl Notifier {
    /// Who listens at `NOTIFY_SOCKET`; an error says that it cannot be reached.
    pub fn new(socket: Option<&OsStr>) -> io::Result<Self> {
        let Some(name) = socket.filter(|name| !name.is_empty()) else {
            return Ok(Self(None));
        };
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(name)?,
        };
        let sender = UnixDatagram::unbound()?;
        sender.connect_addr(&address)?;
        // Whoever does not listen must not hold us up.
        sender.set_nonblocking(true)?;
        Ok(Self(Some(Arc::new(sender))))
    }

    /// It serves; `status` is for people.
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// Another process serves in place of this one.
    pub fn replaced(&self, by: u32) {
        self.tell(&format!("MAINPID={by}"));
    }

    /// It ends.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=draining");
    }

    fn tell(&self, what: &str) {
        if let Some(socket) = &self.0
            && let Err(error) = socket.send(what.as_bytes())
        {
            tracing::debug!(%error, "the supervisor does not listen");
        }
    }

    /// The watchdog of `WATCHDOG_USEC`, if this process is the one that `WATCHDOG_PID` means.
    pub fn watchdog(&self, micros: Option<&OsStr>, process: Option<&OsStr>) -> Option<Watchdog> {
        self.0.as_ref()?;
        let number = |text: &OsStr| text.to_str()?.parse::<u64>().ok();
        let period = Duration::from_micros(number(micros?)?);
        let ours = process.is_none_or(|text| number(text) == Some(std::process::id().into()));
        (ours && !period.is_zero()).then(|| Watchdog {
            notifier: self.clone(),
            period: period / 2,
        })
    }
}

impl Watchdog {
    /// Says that all is well, twice in each period.
    #[allow(
        clippy::infinite_loop,
        reason = "it ends with its task, which somebody owns"
    )]
    pub async fn keep(self) {
        let mut ticks = interval(self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.notifier.tell("WATCHDOG=1");
        }
    }
}

/// A socket that was open before this process began.
#[derive(Debug)]
pub struct Activated {
    /// Its name in `LISTEN_FDNAMES`; empty without one.
    pub name: String,
    /// Bound, and listening.
    pub socket: TcpListener,
}

/// Takes the sockets that were handed over, in their order; what is no TCP listener is an error.
/// It belongs to the start of a program: nobody else can take them then.
pub fn activated(names: Option<&OsStr>) -> io::Result<Vec<Activated>> {
    let mut given = ListenFd::from_env();
    let names = names.map(OsStr::to_string_lossy).unwrap_or_default();
    let mut names = names.split(':');
    let mut sockets = Vec::new();
    for index in 0..given.len() {
        let name = names.next().unwrap_or_default().to_owned();
        if let Some(socket) = given.take_tcp_listener(index)? {
            // It is not for a program that we start.
            fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
            sockets.push(Activated { name, socket });
        }
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut text = [0; 256];
        let length = socket.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    }

    #[test]
    fn nobody_listens_or_somebody_does() {
        let nobody = Notifier::new(None).unwrap();
        nobody.ready("x");
        assert!(nobody.watchdog(Some("1000".as_ref()), None).is_none());
        assert!(Notifier::new(Some("/no/such/socket".as_ref())).is_err());

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::new(Some(path.as_os_str())).unwrap();
        notifier.ready("all well");
        assert_eq!(heard(&listener), "READY=1\nSTATUS=all well");
        notifier.stopping();
        assert!(heard(&listener).starts_with("STOPPING=1\n"));
    }

    #[test]
    fn an_abstract_name_is_one() {
        let name = format!("sidegate-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        let notifier = Notifier::new(Some(format!("@{name}").as_ref())).unwrap();
        notifier.stopping();
        assert!(heard(&listener).starts_with("STOPPING=1"));
    }

    #[test]
    fn the_watchdog_is_for_the_process_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let _listener = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::new(Some(path.as_os_str())).unwrap();
        let ours = std::process::id().to_string();
        for (micros, process, period) in [
            (Some("3000000"), None, Some(1500)),
            (Some("3000000"), Some(ours.as_str()), Some(1500)),
            (Some("3000000"), Some("1"), None),
            (Some("0"), None, None),
            (Some("soon"), None, None),
            (None, None, None),
        ] {
            let watchdog = notifier.watchdog(micros.map(OsStr::new), process.map(OsStr::new));
            let found = watchdog.map(|watchdog| watchdog.period);
            assert_eq!(
                found,
                period.map(Duration::from_millis),
                "{micros:?} {process:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_fed_twice_a_period() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let notifier = Notifier::new(Some(path.as_os_str())).unwrap();
        let watchdog = notifier.watchdog(Some("2000000".as_ref()), None).unwrap();
        let feeding = tokio::time::timeout(Duration::from_millis(3500), watchdog.keep());
        assert!(feeding.await.is_err());
        let mut fed = 0;
        while listener.recv(&mut [0; 16]).is_ok() {
            fed += 1;
        }
        assert_eq!(fed, 4);
    }
}
