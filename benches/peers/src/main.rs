//! The yardstick as one command: prepares the gateways, lets them take turns, prints the tables.

use std::fs;
use std::process::ExitCode;

use peers::Result;
use peers::fixtures;
use peers::measure::{self, Loaded, Yard, latency, start};
use peers::options::{Options, PARTS, USAGE};
use peers::promises;
use peers::report::Table;
use peers::setup;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let Some(options) = Options::read(std::env::args().skip(1))? else {
        print!("{USAGE}");
        return Ok(());
    };
    if options.short {
        println!(
            "SHORTENED peers: {} rounds with a third of the calls, and Sidegate without the link-time \
             optimisation that it ships with",
            options.rounds
        );
    }
    let fixtures = fixtures::fixtures();
    let tools = setup::prepare(&options.build, &options.peers, &fixtures)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    let (tables, loaded) = local.block_on(&runtime, async {
        let yard = Yard::open(&options, &tools, &fixtures).await?;
        measure(&yard).await
    })?;
    let text: String = tables.iter().map(Table::render).collect();
    let text = text.trim_end().to_owned() + "\n";
    print!("{text}");
    if let Some(path) = &options.markdown {
        fs::write(path, text)?;
    }
    match loaded {
        Some(loaded) if options.short => promises::check(&loaded),
        _ => Ok(()),
    }
}

async fn measure(yard: &Yard<'_>) -> Result<(Vec<Table>, Option<Loaded>)> {
    let mut tables = Vec::new();
    let loaded = measure::under_load(yard).await?;
    if let Some(loaded) = &loaded {
        tables.extend(loaded.tables(yard));
    }
    for part in PARTS {
        if !yard.options.wants(part) {
            continue;
        }
        eprintln!("{part}");
        tables.push(match part {
            "latency" => latency::at_a_rate(yard).await?,
            "connections" => latency::of_few_connections(yard).await?,
            "idle" => start::idle(yard).await?,
            "start" => start::small(yard).await?,
            "schema" => start::with_large_schema(yard).await?,
            _ => latency::of_workers(yard).await?,
        });
    }
    Ok((tables, loaded))
}
