//! The yardstick as one command: prepares the gateways, lets them take turns, prints the tables.

use std::fs;
use std::process::ExitCode;

use peers::Result;
use peers::fixtures;
use peers::measure::{self, Yard};
use peers::options::{Options, USAGE};
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
    let fixtures = fixtures::fixtures();
    let tools = setup::prepare(&options.build, &options.peers, &fixtures)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    let tables = local.block_on(&runtime, async {
        let yard = Yard::open(&options, &tools, &fixtures).await?;
        measure(&yard).await
    })?;
    let text: String = tables.iter().map(Table::render).collect();
    print!("{text}");
    if let Some(path) = &options.markdown {
        fs::write(path, text)?;
    }
    Ok(())
}

async fn measure(yard: &Yard<'_>) -> Result<Vec<Table>> {
    let mut tables = Vec::new();
    if let Some(loaded) = measure::under_load(yard).await? {
        tables.extend(loaded.tables(yard));
    }
    Ok(tables)
}
