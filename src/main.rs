//! `sidegate`: from arguments to a running gateway. The only place that prints and exits.

use std::io::{self, Write};
use std::process::ExitCode;

use sidegate::cli::{Args, run};

fn main() -> ExitCode {
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let code = match Args::parse(std::env::args_os()) {
        Ok(args) => run::run(&args, &mut out, &mut err).unwrap_or_else(|error| {
            // Where even this cannot be written, the code still tells.
            drop(writeln!(err, "error: {error}"));
            1
        }),
        Err(stop) => {
            let to: &mut dyn Write = if stop.code == 0 { &mut out } else { &mut err };
            drop(write!(to, "{}", stop.text));
            stop.code
        }
    };
    ExitCode::from(code)
}
