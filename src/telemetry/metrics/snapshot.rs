//! What was counted so far, as values: for who draws it and not for Prometheus.

use super::histogram::Summary;
use super::{Metrics, Words};
use crate::call::Code;

/// What was counted of one thing: its name, and how long calls took by how they ended.
pub type Counted<Name, End> = (Name, Vec<(End, Summary)>);

/// All series that counted something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// By rpc (`pkg.Service/Method`, or `other`), whatever the protocol.
    pub methods: Vec<Counted<String, &'static str>>,
    /// By REST route: HTTP method and template (or `other`), then HTTP status.
    pub routes: Vec<Counted<(String, String), u16>>,
    /// Calls that are under way.
    pub in_flight: u64,
    /// Calls by client protocol.
    pub protocols: Vec<(&'static str, u64)>,
    /// Calls by the reason of the gateway's own fault.
    pub reasons: Vec<(&'static str, u64)>,
}

impl Metrics {
    /// What was counted so far.
    pub fn snapshot(&self) -> Snapshot {
        let table = self.table.load();
        let methods = table.methods().map(|series| {
            let codes = (0..17).map(Code::from_number).map(|code| {
                let mut summary = Summary::default();
                for cells in series.cells.all() {
                    cells.add_ended_to(code, &mut summary);
                }
                (code.name(), summary)
            });
            let counted = codes.filter(|(_, summary)| summary.count > 0);
            (series.rpc.to_string(), counted.collect::<Vec<_>>())
        });
        let routes = table.routes().map(|series| {
            let mut statuses: Vec<(u16, Summary)> = Vec::new();
            for (status, histogram) in series.cells.all().flat_map(|cells| cells.all()) {
                match statuses.iter_mut().find(|(known, _)| *known == status) {
                    Some((_, summary)) => histogram.add_to(summary),
                    None => {
                        let mut summary = Summary::default();
                        histogram.add_to(&mut summary);
                        statuses.push((status, summary));
                    }
                }
            }
            statuses.retain(|(_, summary)| summary.count > 0);
            statuses.sort_by_key(|(status, _)| *status);
            let key = (series.http_method.to_string(), series.template.to_string());
            (key, statuses)
        });
        let protocols: Vec<_> = self.workers.all().map(|cells| &cells.protocols).collect();
        let reasons: Vec<_> = self.workers.all().map(|cells| &cells.reasons).collect();
        Snapshot {
            methods: methods.filter(|(_, counted)| !counted.is_empty()).collect(),
            routes: routes.filter(|(_, counted)| !counted.is_empty()).collect(),
            in_flight: self.calls_in_flight(),
            protocols: sums(&protocols),
            reasons: sums(&reasons),
        }
    }
}

/// The counts of all workers, word by word.
fn sums<const N: usize>(workers: &[&Words<N>]) -> Vec<(&'static str, u64)> {
    let mut all: Vec<(&'static str, u64)> = Vec::new();
    for (word, count) in workers.iter().flat_map(|words| words.all()) {
        match all.iter_mut().find(|(known, _)| *known == word) {
            Some((_, sum)) => *sum += count,
            None => all.push((word, count)),
        }
    }
    all
}
