//! The table itself: every fault by its number, with what is done, the gateway's configuration and
//! the function that does it.

mod endpoints;
mod failing;
mod found;
mod lifecycle;
mod load;
mod slow;
mod smuggling;
mod telling;
mod tokens;
mod unread;
mod wire;

use std::future::Future;
use std::pin::Pin;

use crate::Result;
use crate::scene::Scene;

type Doing<'a> = Pin<Box<dyn Future<Output = Result<Found>> + 'a>>;
type Run = for<'a> fn(&'a mut Scene) -> Doing<'a>;

/// A fault.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) number: u8,
    /// What is done.
    pub(crate) title: &'static str,
    /// `sidegate.yaml`; `{app}` is the application, `{app1}` the second of several, and of
    /// `{30s|2s}` a long run has the first and a short one the second.
    pub(crate) config: &'static str,
    pub(crate) apps: usize,
    pub(crate) wrapper: &'static [&'static str],
    pub(crate) reads_stdout: bool,
    pub(crate) neighbour: Neighbour,
    /// What the bystander's calls wait for on purpose, so that only failures count.
    pub(crate) waits: Option<&'static str>,
    pub(crate) between: Between,
    /// Which other gateways it can be done to.
    pub(crate) peers: Peers,
    /// Does it; without it the gateway has nothing to try it on.
    pub(crate) run: Option<Run>,
    /// What that is.
    pub(crate) missing: &'static str,
}

/// Which other gateways a fault can be done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peers {
    None,
    /// Those that speak REST.
    Rest,
    /// All that speak gRPC.
    Grpc,
}

/// What stands between the gateway and its first application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Between {
    Nothing,
    /// A relay, as `{relay}`.
    Relay,
    /// A name server, as `{dns}`; `{port}` is that of the application.
    Names,
    /// A server with keys, as `{keys}`.
    Keys,
}

/// Whether somebody calls meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Neighbour {
    Beside,
    /// Nobody can, for this reason.
    Nobody(&'static str),
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) good: bool,
    pub(crate) figure: String,
}

impl Found {
    pub(crate) fn new(good: bool, figure: impl Into<String>) -> Self {
        Self {
            good,
            figure: figure.into(),
        }
    }

    /// From all that is wrong.
    pub(crate) fn of(wrong: &[String], figure: impl Into<String>) -> Self {
        let figure = figure.into();
        match wrong {
            [] => Self::new(true, figure),
            wrong => Self::new(false, format!("{figure}; wrong: {}", wrong.join("; "))),
        }
    }
}

impl Fault {
    /// One that is done to a gateway with these settings, beside somebody.
    fn new(number: u8, title: &'static str, config: &'static str, run: Run) -> Self {
        Self {
            number,
            title,
            config,
            apps: 1,
            wrapper: &[],
            reads_stdout: true,
            neighbour: Neighbour::Beside,
            waits: None,
            between: Between::Nothing,
            peers: Peers::None,
            run: Some(run),
            missing: "",
        }
    }

    /// So many applications.
    fn apps(mut self, count: usize) -> Self {
        self.apps = count;
        self
    }

    /// Nobody can be beside it.
    fn alone(mut self, why: &'static str) -> Self {
        self.neighbour = Neighbour::Nobody(why);
        self
    }

    /// One that there is nothing to try on.
    fn missing(number: u8, title: &'static str, what: &'static str) -> Self {
        let mut fault = Self::new(number, title, "", |_scene| {
            Box::pin(async { Ok(Found::new(false, "")) })
        });
        fault.run = None;
        fault.missing = what;
        fault
    }

    /// The bystander's calls wait for this on purpose.
    fn waited_for(mut self, what: &'static str) -> Self {
        self.waits = Some(what);
        self
    }

    /// A relay stands before the first application.
    fn relayed(mut self) -> Self {
        self.between = Between::Relay;
        self
    }

    /// There is a server with keys.
    fn keyed(mut self) -> Self {
        self.between = Between::Keys;
        self
    }

    /// There is a name server.
    fn named(mut self) -> Self {
        self.between = Between::Names;
        self
    }

    /// The gateway is started by this command.
    fn wrapped(mut self, words: &'static [&'static str]) -> Self {
        self.wrapper = words;
        self
    }

    /// It can be done to any gateway that speaks REST too.
    fn for_rest_peers(mut self) -> Self {
        self.peers = Peers::Rest;
        self
    }

    /// It can be done to any gateway that speaks gRPC.
    fn for_peers(mut self) -> Self {
        self.peers = Peers::Grpc;
        self
    }
}

/// All of them, in order.
pub(crate) fn all() -> Vec<Fault> {
    let parts = [
        wire::faults(),
        unread::faults(),
        smuggling::faults(),
        slow::faults(),
        failing::faults(),
        endpoints::faults(),
        lifecycle::faults(),
        telling::faults(),
        load::faults(),
        found::faults(),
        tokens::faults(),
    ];
    let mut all: Vec<Fault> = parts.into_iter().flatten().collect();
    all.sort_by_key(|fault| fault.number);
    all
}
