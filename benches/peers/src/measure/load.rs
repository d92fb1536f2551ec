//! CPU time and throughput under load: 32 calls at a time, a fixed number of calls, all gateways in
//! turns; and the memory before and after.

use super::{Yard, closed, columns};
use crate::Result;
use crate::load::Target;
use crate::peer::{Kind, Peer};
use crate::report::{Table, beside, figure, median};
use crate::rows::{ROWS, Row};

/// The figures of one row.
#[derive(Debug)]
pub struct Figures {
    row: &'static Row,
    /// For each gateway microseconds of CPU for a call or message, and calls or messages a second;
    /// or why not.
    cells: Vec<(Kind, std::result::Result<(f64, f64), &'static str>)>,
}

/// All that was measured under load.
#[derive(Debug)]
pub struct Loaded {
    rows: Vec<Figures>,
    /// Bytes resident before the first row, after it, and after the last.
    memory: Vec<(Kind, [u64; 3])>,
}

/// Measures all rows that are asked for.
pub async fn under_load(yard: &Yard<'_>) -> Result<Option<Loaded>> {
    let rows: Vec<&'static Row> = ROWS
        .iter()
        .filter(|row| yard.options.wants(row.name))
        .collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let mut peers = Vec::new();
    for kind in &yard.options.peers {
        let peer = yard.start(*kind, 1).await?;
        let idle = peer.process.resident();
        peers.push((peer, [idle; 3]));
    }
    let mut figures = Vec::new();
    for (at, row) in rows.into_iter().enumerate() {
        figures.push(measure(yard, row, &mut peers).await?);
        for (peer, memory) in &mut peers {
            let now = peer.process.resident();
            memory[2] = now;
            if at == 0 {
                memory[1] = now;
            }
        }
    }
    let memory = peers
        .iter()
        .map(|(peer, memory)| (peer.kind, *memory))
        .collect();
    Ok(Some(Loaded {
        rows: figures,
        memory,
    }))
}

/// One gateway in one row.
struct Runner<'a> {
    peer: &'a mut Peer,
    target: std::result::Result<Target, &'static str>,
    cpu: Vec<f64>,
    rate: Vec<f64>,
}

async fn measure(
    yard: &Yard<'_>,
    row: &'static Row,
    peers: &mut [(Peer, [u64; 3])],
) -> Result<Figures> {
    let calls = if yard.options.short {
        row.calls / 3
    } else {
        row.calls
    };
    let mut runners = Vec::new();
    for (peer, _) in peers {
        let target = match peer.kind.cannot(row.ability) {
            None => Ok(row.check(peer, yard.fixtures).await?),
            Some(reason) => Err(reason),
        };
        if let Ok(target) = &target {
            closed(target, calls / 10 + 1, row.title).await?;
        }
        runners.push(Runner {
            peer,
            target,
            cpu: Vec::new(),
            rate: Vec::new(),
        });
    }
    let units = row.units(yard.fixtures) as f64;
    let count = runners.len();
    for round in 0..yard.options.rounds {
        for turn in 0..count {
            // Another begins in each round, so that none always follows the same neighbour.
            let runner = &mut runners[(round + turn) % count];
            let Ok(target) = &runner.target else { continue };
            let what = format!("{}, {}", runner.peer.kind.name(), row.title);
            let before = runner.peer.process.cpu();
            let outcome = closed(target, calls, &what).await?;
            let cpu = runner.peer.process.cpu() - before;
            runner.peer.process.check()?;
            runner
                .cpu
                .push(cpu.as_secs_f64() * 1e6 / (calls as f64 * units));
            runner.rate.push(outcome.rate() * units);
        }
    }
    let cells = runners
        .iter()
        .map(|runner| {
            let figures = (median(&runner.cpu), median(&runner.rate));
            let cell = runner.target.as_ref().map(|_| figures).map_err(|why| *why);
            (runner.peer.kind, cell)
        })
        .collect();
    let figures = Figures { row, cells };
    eprintln!("{}", figures.line());
    Ok(figures)
}

impl Figures {
    /// Microseconds of CPU.
    fn cpu(&self, kind: Kind) -> Option<f64> {
        let (_, cell) = self.cells.iter().find(|(known, _)| *known == kind)?;
        cell.as_ref().ok().map(|(cpu, _)| *cpu)
    }

    /// What ratios are to: Sidegate, and where it cannot, nothing.
    fn base(&self) -> Option<(f64, f64)> {
        let (_, cell) = self.cells.first()?;
        cell.as_ref().ok().copied()
    }

    /// For who watches.
    fn line(&self) -> String {
        let cells = self.cells.iter().map(|(kind, cell)| match cell {
            Ok((cpu, rate)) => format!("{} {} us, {}/s", kind.name(), figure(*cpu), figure(*rate)),
            Err(_) => format!("{} -", kind.name()),
        });
        let cells: Vec<String> = cells.collect();
        format!("{}: {}", self.row.title, cells.join("; "))
    }

    fn cells(&self, pick: impl Fn(&(f64, f64)) -> f64) -> Vec<String> {
        let base = self.base().map_or(f64::NAN, |base| pick(&base));
        let cells = self.cells.iter().map(|(_, cell)| match cell {
            Ok(both) => beside(pick(both), base),
            Err(_) => "-".to_owned(),
        });
        std::iter::once(self.row.title.to_owned())
            .chain(cells)
            .collect()
    }
}

impl Loaded {
    /// Microseconds of CPU in a row, by its title.
    pub fn cpu(&self, title: &str, kind: Kind) -> Option<f64> {
        let row = self.rows.iter().find(|row| row.row.title == title)?;
        row.cpu(kind)
    }

    /// The tables.
    pub fn tables(&self, yard: &Yard<'_>) -> Vec<Table> {
        let peers = &yard.options.peers;
        let mut cpu = Table::new(
            "CPU microseconds for a request (user and kernel, all threads), and how many times \
             Sidegate's:",
            columns(peers),
        );
        let mut rate = Table::new(
            "Requests a second, 32 at a time; the load generator and the application share the \
             machine's cores:",
            columns(peers),
        );
        for row in &self.rows {
            cpu.rows.push(row.cells(|(cpu, _)| *cpu));
            rate.rows.push(row.cells(|(_, rate)| *rate));
        }
        cpu.notes = self.reasons();
        let mut memory = Table::new(
            "Memory, MB resident: after the first answer, after the first row above, and after all \
             of them (with 32 downloads at a time where they are among them):",
            columns(peers),
        );
        let first = self.rows.first().map_or("", |row| row.row.title);
        let titles = [
            "idle".to_owned(),
            format!("after {first}"),
            "after all".to_owned(),
        ];
        for (at, title) in titles.into_iter().enumerate() {
            let of = |all: &[u64; 3]| all[at] as f64 / 1e6;
            let base = self.memory.first().map_or(f64::NAN, |(_, all)| of(all));
            let cells = self.memory.iter().map(|(_, all)| beside(of(all), base));
            memory
                .rows
                .push(std::iter::once(title).chain(cells).collect());
        }
        vec![cpu, rate, memory]
    }

    /// Why some cells are empty.
    fn reasons(&self) -> Vec<String> {
        let mut all: Vec<(&str, &str, Vec<&str>)> = Vec::new();
        for row in &self.rows {
            for (kind, cell) in &row.cells {
                let Err(why) = cell else { continue };
                let entry = all
                    .iter_mut()
                    .find(|(name, known, _)| *name == kind.name() && known == why);
                match entry {
                    Some((_, _, titles)) => titles.push(row.row.title),
                    None => all.push((kind.name(), why, vec![row.row.title])),
                }
            }
        }
        all.into_iter()
            .map(|(name, why, titles)| format!("- {name}: {} - {why}.", titles.join("; ")))
            .collect()
    }
}
