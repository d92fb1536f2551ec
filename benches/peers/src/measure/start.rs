//! From the start of the program to its first good answer, with the small schema and with a large
//! one; and what connections cost that only wait.

use std::fs;
use std::time::{Duration, Instant};

use super::{Yard, columns, first_row};
use crate::Result;
use crate::large;
use crate::load::{Call, Connection, Stub};
use crate::peer::{Ability, Kind, Peer, Setting};
use crate::report::{Table, beside, median};

/// How many connections wait.
const CONNECTIONS: usize = 1_000;

/// Milliseconds to the first answer.
pub async fn small(yard: &Yard<'_>) -> Result<Table> {
    let kinds = &yard.options.kinds();
    let setting = Setting::new(yard.tools, yard.backend);
    let starts = starts(yard, kinds, &setting).await?;
    let mut table = Table::new(
        "From the start of the program to its first good answer (nginx: over gRPC), ms:",
        columns(kinds),
    );
    table.rows.push(line(
        "start",
        starts.iter().map(|(time, _)| *time).collect(),
    ));
    Ok(table)
}

/// The same, and memory then, with 5,000 messages and 100,000 fields.
pub async fn with_large_schema(yard: &Yard<'_>) -> Result<Table> {
    let (kinds, others): (Vec<Kind>, Vec<Kind>) = yard
        .options
        .kinds()
        .into_iter()
        .partition(|kind| kind.cannot(Ability::LargeSchema).is_none());
    let large = large::schema();
    let path = yard.tools.cache.join("large.binpb");
    fs::write(&path, &large.descriptor_set)?;
    let setting = Setting {
        descriptor_set: path,
        services: large.services,
        ..Setting::new(yard.tools, yard.backend)
    };
    let starts = starts(yard, &kinds, &setting).await?;
    let mut table = Table::new(
        "A schema of 5,000 messages with 100,000 fields and 2,500 methods, each with a route:",
        columns(&kinds),
    );
    table.rows.push(line(
        "to the first good answer, ms",
        starts.iter().map(|(time, _)| *time).collect(),
    ));
    table.rows.push(line(
        "resident then, MB",
        starts.iter().map(|(_, memory)| *memory).collect(),
    ));
    table.notes = others
        .iter()
        .filter_map(|kind| Some((kind, kind.cannot(Ability::LargeSchema)?)))
        .map(|(kind, why)| format!("- {}: {why}.", kind.name()))
        .collect();
    Ok(table)
}

fn line(title: &str, figures: Vec<f64>) -> Vec<String> {
    let base = figures.first().copied().unwrap_or(f64::NAN);
    std::iter::once(title.to_owned())
        .chain(figures.into_iter().map(|value| beside(value, base)))
        .collect()
}

/// For each gateway the medians of milliseconds and of megabytes.
async fn starts(yard: &Yard<'_>, kinds: &[Kind], setting: &Setting<'_>) -> Result<Vec<(f64, f64)>> {
    let mut samples = vec![(Vec::new(), Vec::new()); kinds.len()];
    for _ in 0..yard.options.rounds {
        for (kind, (times, memory)) in kinds.iter().zip(&mut samples) {
            let begun = Instant::now();
            let peer = Peer::start(*kind, setting)?;
            yard.answered(&peer).await?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            memory.push(peer.process.resident() as f64 / 1e6);
        }
    }
    Ok(samples
        .iter()
        .map(|(times, memory)| (median(times), median(memory)))
        .collect())
}

/// An open connection that has made a call.
enum Waiting {
    Rest(#[allow(dead_code, reason = "kept open")] Connection),
    Grpc(#[allow(dead_code, reason = "kept open")] Stub),
}

/// Bytes for each of many connections that have made one call and then wait.
pub async fn idle(yard: &Yard<'_>) -> Result<Table> {
    let kinds = &yard.options.kinds();
    let mut figures = Vec::new();
    for kind in kinds {
        let peer = yard.start(*kind, 1).await?;
        let row = first_row(*kind);
        let target = row.check(&peer, yard.fixtures).await?;
        // What the first calls allocate once is no cost of a connection.
        super::closed(&target, 2_000, kind.name()).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let before = peer.process.resident();
        let mut waiting = Vec::new();
        for _ in 0..CONNECTIONS {
            waiting.push(match &target.call {
                Call::Rest(request) => {
                    let mut connection = Connection::open(target.address).await?;
                    connection.call(request).await?;
                    Waiting::Rest(connection)
                }
                Call::Grpc(rpc, frame) => {
                    let mut stub = Stub::open(target.address).await?;
                    stub.call(rpc, frame).await?;
                    Waiting::Grpc(stub)
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let grown = peer.process.resident().saturating_sub(before);
        figures.push(grown as f64 / CONNECTIONS as f64);
    }
    let caption = format!(
        "Bytes resident for each of {CONNECTIONS} connections that have made a call and wait \
         (HTTP/1.1; for nginx HTTP/2):"
    );
    let mut table = Table::new(&caption, columns(kinds));
    table.rows.push(line("a connection", figures));
    Ok(table)
}
