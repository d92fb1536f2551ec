//! [`Supervisor`]: what the environment says of whoever has started us.

use std::env::var_os;
use std::io;

use crate::app::Sockets;
use crate::life::systemd::{self, Activated, Notifier, Watchdog};

/// Who has started us, if it is somebody who listens or has opened sockets for us.
#[derive(Debug, Default)]
pub(super) struct Supervisor {
    pub(super) notifier: Notifier,
    pub(super) watchdog: Option<Watchdog>,
    pub(super) sockets: Sockets,
}

impl Supervisor {
    /// Reads the environment, once and at the start: sockets can be taken only then.
    pub(super) fn of_environment() -> io::Result<Self> {
        let notifier = Notifier::new(var_os("NOTIFY_SOCKET").as_deref())?;
        let (micros, process) = (var_os("WATCHDOG_USEC"), var_os("WATCHDOG_PID"));
        let watchdog = notifier.watchdog(micros.as_deref(), process.as_deref());
        let names = var_os("LISTEN_FDNAMES");
        Ok(Self {
            watchdog,
            notifier,
            sockets: sort(systemd::activated(names.as_deref())?)?,
        })
    }
}

/// Sockets are told apart by their names; the first of another name is for clients.
fn sort(activated: Vec<Activated>) -> io::Result<Sockets> {
    let mut sockets = Sockets::default();
    for Activated { name, socket } in activated {
        let place = match name.as_str() {
            "admin" => &mut sockets.admin,
            "ops" => &mut sockets.ops,
            "acme" => &mut sockets.acme,
            _ => &mut sockets.listen,
        };
        if place.replace(socket).is_some() {
            let message = format!(
                "two sockets were handed over for one purpose, the second with the name {name:?}: \
                 `FileDescriptorName=` tells `admin` and `ops` from the port for clients"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn activated(name: &str) -> Activated {
        Activated {
            name: name.to_owned(),
            socket: TcpListener::bind("127.0.0.1:0").unwrap(),
        }
    }

    #[test]
    fn names_tell_what_a_socket_is_for() {
        let sockets = sort(vec![activated("admin"), activated("web"), activated("ops")]).unwrap();
        assert!(sockets.listen.is_some() && sockets.admin.is_some() && sockets.ops.is_some());
        let sockets = sort(vec![activated("")]).unwrap();
        assert!(sockets.listen.is_some() && sockets.admin.is_none());
        let told = sort(vec![activated("a"), activated("b")]).unwrap_err();
        assert!(told.to_string().contains("FileDescriptorName="), "{told}");
        assert!(sort(Vec::new()).unwrap().listen.is_none());
    }
}
