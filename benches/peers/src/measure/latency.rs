//! How long a call takes: at a fixed rate, and with few connections, beside the same call made
//! directly to the application (over gRPC, as it speaks nothing else).

use std::time::Duration;

use super::{LANES, Yard, clean, columns};
use crate::Result;
use crate::load::{Lanes, Outcome, Target};
use crate::peer::{Ability, Kind, Peer};
use crate::report::{Table, figure, median};
use crate::rows::Row;

/// Calls a second: what about half of one core gives with the slowest gateway.
const RATE: usize = 2_000;
/// A delayed acknowledgement that waits for Nagle's algorithm takes 40 ms.
const STALL: Duration = Duration::from_millis(35);
/// The row that is measured.
const ROW: &Row = &crate::rows::ROWS[0];

/// What is called in turns: a gateway, or the application itself.
struct Subject {
    kind: Option<Kind>,
    target: Target,
    _peer: Option<Peer>,
}

async fn subjects(yard: &Yard<'_>) -> Result<Vec<Subject>> {
    let mut all = vec![Subject {
        kind: None,
        target: Target::grpc(yard.backend, yard.fixtures.get(ROW.fixture)),
        _peer: None,
    }];
    for kind in of_rest(yard) {
        let peer = yard.start(kind, 1).await?;
        all.push(Subject {
            kind: Some(kind),
            target: ROW.check(&peer, yard.fixtures).await?,
            _peer: Some(peer),
        });
    }
    Ok(all)
}

fn of_rest(yard: &Yard<'_>) -> impl Iterator<Item = Kind> {
    let kinds = yard.options.kinds().into_iter();
    kinds.filter(|kind| kind.cannot(Ability::Unary).is_none())
}

fn name(subject: &Subject) -> String {
    subject
        .kind
        .map_or("direct gRPC call", Kind::name)
        .to_owned()
}

fn milliseconds(time: f64) -> String {
    format!("{:.3}", time * 1e3)
}

/// The latencies at a fixed rate.
pub async fn at_a_rate(yard: &Yard<'_>) -> Result<Table> {
    const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];
    let time = Duration::from_secs(if yard.options.short { 2 } else { 5 });
    let subjects = subjects(yard).await?;
    let mut samples: Vec<Vec<Outcome>> = subjects.iter().map(|_| Vec::new()).collect();
    for round in 0..=yard.options.rounds {
        for (subject, samples) in subjects.iter().zip(&mut samples) {
            let lanes = Lanes::open(&subject.target, LANES).await?;
            let outcome = clean(lanes.at_rate(RATE, time).await?, &name(subject))?;
            // The first round is for warming up.
            if round > 0 {
                samples.push(outcome);
            }
        }
    }
    let caption = format!(
        "Latency of the small GET at {RATE} calls a second over {LANES} connections, ms \
         (medians of rounds; in brackets what is added to the direct call):"
    );
    let mut table = Table::new(
        &caption,
        std::iter::once(String::new()).chain(subjects.iter().map(name)),
    );
    for (title, share) in QUANTILES {
        let figures: Vec<f64> = samples
            .iter()
            .map(|samples| {
                let of_round = |outcome: &Outcome| outcome.quantile(share).as_secs_f64();
                median(&samples.iter().map(of_round).collect::<Vec<_>>())
            })
            .collect();
        let direct = figures.first().copied().unwrap_or(f64::NAN);
        let cells = figures.iter().enumerate().map(|(at, figure)| match at {
            0 => milliseconds(*figure),
            _ => format!(
                "{} ({:+.3})",
                milliseconds(*figure),
                (figure - direct) * 1e3
            ),
        });
        table
            .rows
            .push(std::iter::once(title.to_owned()).chain(cells).collect());
    }
    Ok(table)
}

/// The latencies of one to eight connections that each make a call at a time, and how many calls
/// took as long as a stall.
pub async fn of_few_connections(yard: &Yard<'_>) -> Result<Table> {
    let calls = if yard.options.short { 500 } else { 2_000 };
    let subjects = subjects(yard).await?;
    let mut table = Table::new(
        "Latency of the small GET with few connections, each with one call at a time: p50 / p99 \
         in ms, and calls of 35 ms and more (a delayed acknowledgement takes 40):",
        std::iter::once("connections".to_owned()).chain(subjects.iter().map(name)),
    );
    for connections in [1, 2, 4, 8] {
        let mut samples: Vec<Vec<Outcome>> = subjects.iter().map(|_| Vec::new()).collect();
        for _ in 0..yard.options.rounds {
            for (subject, samples) in subjects.iter().zip(&mut samples) {
                let lanes = Lanes::open(&subject.target, connections).await?;
                samples.push(clean(lanes.closed(calls).await?, &name(subject))?);
            }
        }
        let cells = samples.iter().map(|samples| {
            let of = |share| {
                let each = samples
                    .iter()
                    .map(|outcome: &Outcome| outcome.quantile(share).as_secs_f64());
                milliseconds(median(&each.collect::<Vec<_>>()))
            };
            let stalls: usize = samples
                .iter()
                .map(|outcome| {
                    outcome
                        .latencies
                        .iter()
                        .filter(|time| **time >= STALL)
                        .count()
                })
                .sum();
            format!("{} / {}, {stalls}", of(0.5), of(0.99))
        });
        table.rows.push(
            std::iter::once(connections.to_string())
                .chain(cells)
                .collect(),
        );
    }
    Ok(table)
}

/// Throughput and CPU time with one worker and with two.
pub async fn of_workers(yard: &Yard<'_>) -> Result<Table> {
    let calls = ROW.calls / if yard.options.short { 3 } else { 1 };
    let kinds: Vec<Kind> = of_rest(yard)
        .filter(|kind| kind.cannot(Ability::Workers).is_none())
        .collect();
    let mut table = Table::new(
        "One worker and two, small GET: requests a second, CPU microseconds for each:",
        columns(&kinds),
    );
    let mut peers = Vec::new();
    for workers in [1, 2] {
        for kind in &kinds {
            let peer = yard.start(*kind, workers).await?;
            let target = ROW.check(&peer, yard.fixtures).await?;
            super::closed(&target, calls / 10, kind.name()).await?;
            peers.push((peer, target, Vec::new(), Vec::new()));
        }
    }
    for _ in 0..yard.options.rounds {
        for (peer, target, rates, costs) in &mut peers {
            let before = peer.process.cpu();
            let outcome = super::closed(target, calls, peer.kind.name()).await?;
            let cpu = peer.process.cpu() - before;
            rates.push(outcome.rate());
            costs.push(cpu.as_secs_f64() * 1e6 / calls as f64);
        }
    }
    for (title, of_workers) in ["1 worker", "2 workers"]
        .iter()
        .zip(peers.chunks(kinds.len()))
    {
        let cells = of_workers.iter().map(|(_, _, rates, costs)| {
            format!("{}/s, {} us", figure(median(rates)), figure(median(costs)))
        });
        table
            .rows
            .push(std::iter::once((*title).to_owned()).chain(cells).collect());
    }
    Ok(table)
}
