//! The command line: [`Args`], read from argv.
//!
//! Values of flags are not judged here: they are laid over the file and the variables and checked
//! with them, so that a user sees all problems at once ([`crate::config::load`]). Nothing is
//! printed and nothing exits; help is a [`Stop`] like every mistake.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, Parser, ValueHint};

use super::command::Command;
use super::exit;
use crate::config::Input;

/// What the user asks for.
#[derive(Clone, Debug)]
pub struct Args {
    /// What to do.
    pub command: Command,
    /// The flags, to be loaded as a configuration; without the environment.
    pub input: Input,
}

/// Nothing is to be done but to print and exit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// What to print: to stdout when the code is 0, else to stderr.
    pub text: String,
    /// The exit code.
    pub code: u8,
}

/// A sidecar that gives one gRPC application REST/JSON and gRPC on one port, from its descriptors
/// alone
#[derive(Debug, Parser)]
#[command(
    name = "sidegate",
    bin_name = "sidegate",
    version,
    disable_help_subcommand = true,
    after_help = "Every flag has its key in sidegate.yaml and its variable; flags beat variables \
                  beat the file.\nExit codes: 0 fine, 1 a problem found by check, 64 bad usage, \
                  69 nothing to listen on, 78 bad configuration."
)]
struct Line {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Configuration")]
struct Flags {
    /// Configuration file [default: sidegate.yaml when it exists] [env: SIDEGATE_CONFIG]
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,

    /// Where clients are served; port 0 takes a free one [default: 0.0.0.0:8081]
    /// [env: SIDEGATE_LISTEN]
    #[arg(long, value_name = "ADDR", global = true)]
    listen: Option<String>,

    /// Where operators are served, or `off` [default: 127.0.0.1:9901] [env: SIDEGATE_ADMIN]
    #[arg(long, value_name = "ADDR", global = true)]
    admin: Option<String>,

    /// Read-only /livez, /readyz and /metrics on another interface [default: off]
    /// [env: SIDEGATE_OPS]
    #[arg(long, value_name = "ADDR", global = true)]
    ops: Option<String>,

    /// The application: http://, https://, unix: or dns:/// [default: http://127.0.0.1:50051]
    /// [env: SIDEGATE_UPSTREAM]
    #[arg(long, value_name = "URL", global = true)]
    upstream: Option<String>,

    /// The certificate for TLS towards clients, PEM, its issuers after it [env: SIDEGATE_TLS_CERT]
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    tls_cert: Option<String>,

    /// The private key of the certificate, PEM [env: SIDEGATE_TLS_KEY]
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    tls_key: Option<String>,

    /// TLS with a certificate that is made at the start, for development
    /// [env: SIDEGATE_TLS_SELF_SIGNED]
    #[arg(
        long,
        value_name = "BOOL",
        global = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    tls_self_signed: Option<String>,

    /// A .proto file or a directory of them, repeatable [default: proto when it exists]
    /// [env: SIDEGATE_PROTO]
    #[arg(long, value_name = "PATH", global = true, value_hint = ValueHint::AnyPath)]
    proto: Vec<String>,

    /// One more import root, repeatable [env: SIDEGATE_INCLUDE]
    #[arg(long, value_name = "DIR", global = true, value_hint = ValueHint::DirPath)]
    include: Vec<String>,

    /// A FileDescriptorSet, repeatable [env: SIDEGATE_DESCRIPTOR_SET]
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    descriptor_set: Vec<String>,

    /// Ask the application for its schema: auto (when no files are given), on or off
    /// [default: auto] [env: SIDEGATE_REFLECTION]
    #[arg(long, value_name = "WHEN", global = true)]
    reflection: Option<String>,

    /// A google.api.Service YAML file with http.rules, repeatable; overrides annotations
    /// [env: SIDEGATE_HTTP_RULES]
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    http_rules: Vec<String>,

    /// Worker threads, or `auto` for the CPU quota [default: auto] [env: SIDEGATE_WORKERS]
    #[arg(long, value_name = "N", global = true)]
    workers: Option<String>,

    /// json, text or auto: json when stdout is no terminal [default: auto]
    /// [env: SIDEGATE_LOG_FORMAT]
    #[arg(long, value_name = "FORMAT", global = true)]
    log_format: Option<String>,
}

impl Args {
    /// Reads a command line, the program's name first.
    pub fn parse(
        argv: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, Stop> {
        match Line::try_parse_from(argv) {
            Ok(line) => Ok(Self {
                command: line.command.unwrap_or(Command::Serve { takeover: false }),
                input: line.flags.into_input(),
            }),
            Err(error) => Err(Stop {
                code: if error.use_stderr() {
                    exit::USAGE
                } else {
                    exit::FINE
                },
                text: error.render().to_string(),
            }),
        }
    }
}

/// The command line as clap knows it, for completions and the manual.
pub(super) fn grammar() -> clap::Command {
    Line::command()
}

impl Flags {
    fn into_input(self) -> Input {
        let one = |flag, value: Option<String>| (flag, value.into_iter().collect::<Vec<_>>());
        let flags = vec![
            one("--listen", self.listen),
            one("--admin", self.admin),
            one("--ops", self.ops),
            one("--upstream", self.upstream),
            one("--tls-cert", self.tls_cert),
            one("--tls-key", self.tls_key),
            one("--tls-self-signed", self.tls_self_signed),
            ("--proto", self.proto),
            ("--include", self.include),
            ("--descriptor-set", self.descriptor_set),
            one("--reflection", self.reflection),
            ("--http-rules", self.http_rules),
            one("--workers", self.workers),
            one("--log-format", self.log_format),
        ];
        Input {
            file: self.config,
            flags: flags
                .into_iter()
                .filter(|(_, values)| !values.is_empty())
                .collect(),
            ..Input::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::command::{DocumentFormat, TableFormat};
    use super::super::probe::Check;
    use super::*;
    use crate::config::SWITCHES;

    fn parse(line: &str) -> Result<Args, Stop> {
        Args::parse(std::iter::once("sidegate").chain(line.split_whitespace()))
    }

    #[test]
    fn the_default_is_to_serve() {
        for line in [
            "",
            "serve",
            "--listen 127.0.0.1:0",
            "serve --listen 127.0.0.1:0",
            "--listen 127.0.0.1:0 serve",
        ] {
            let args = parse(line).unwrap();
            assert_eq!(args.command, Command::Serve { takeover: false }, "{line}");
            let listen = line.contains("--listen");
            let expected = vec![("--listen", vec!["127.0.0.1:0".to_owned()])];
            assert_eq!(args.input.flags == expected, listen, "{line}");
        }
    }

    #[test]
    fn flags_repeat_where_they_may() {
        let args = parse("check --proto a --proto b.proto --config x.yaml").unwrap();
        assert_eq!(args.command, Command::Check);
        assert_eq!(args.input.file, Some(PathBuf::from("x.yaml")));
        let expected = ("--proto", vec!["a".to_owned(), "b.proto".to_owned()]);
        assert_eq!(args.input.flags, [expected]);
        assert_eq!(parse("--listen a --listen b").unwrap_err().code, 64);
    }

    #[test]
    fn routes_have_a_format() {
        let format = |line| match parse(line).unwrap().command {
            Command::Routes { format } => format,
            other => panic!("{other:?}"),
        };
        assert_eq!(format("routes"), TableFormat::Table);
        assert_eq!(
            format("routes --format json --reflection on"),
            TableFormat::Json
        );
    }

    #[test]
    fn a_description_has_a_format() {
        let format = |line| match parse(line).unwrap().command {
            Command::Openapi { format } => format,
            other => panic!("{other:?}"),
        };
        assert_eq!(format("openapi"), DocumentFormat::Json);
        assert_eq!(format("openapi --format yaml"), DocumentFormat::Yaml);
        assert_eq!(parse("openapi --format xml").unwrap_err().code, 64);
    }

    #[test]
    fn a_command_stands_after_two_dashes() {
        let command = |line| match parse(line).unwrap().command {
            Command::Run { command } => command,
            other => panic!("{other:?}"),
        };
        assert_eq!(command("run -- app"), ["app"]);
        assert_eq!(
            command("run --listen 127.0.0.1:0 -- app --listen x -- y"),
            ["app", "--listen", "x", "--", "y"]
        );
        for line in ["run", "run --", "run app"] {
            assert_eq!(parse(line).unwrap_err().code, 64, "{line}");
        }
    }

    #[test]
    fn probes_and_drains_have_their_times() {
        let seconds = Duration::from_secs;
        for (line, check, timeout) in [
            ("probe", Check::Ready, 3),
            (
                "probe live --timeout 1s --admin 127.0.0.1:1",
                Check::Live,
                1,
            ),
        ] {
            let timeout = seconds(timeout);
            assert_eq!(
                parse(line).unwrap().command,
                Command::Probe { check, timeout }
            );
        }
        for (line, wait) in [("drain", 0), ("drain --wait 1m", 60)] {
            let wait = seconds(wait);
            assert_eq!(parse(line).unwrap().command, Command::Drain { wait });
        }
        let stop = parse("drain --wait soon").unwrap_err();
        assert_eq!(stop.code, 64);
        assert!(
            stop.text.contains("a length of time such as `500ms`"),
            "{}",
            stop.text
        );
    }

    #[test]
    fn mistakes_exit_with_64_and_help_with_0() {
        for line in [
            "--lisen x",
            "wrong",
            "--listen",
            "routes --format xml",
            "serve extra",
        ] {
            assert_eq!(parse(line).unwrap_err().code, 64, "{line}");
        }
        for line in ["--help", "check --help", "--version", "-h"] {
            let stop = parse(line).unwrap_err();
            assert_eq!(stop.code, 0, "{line}");
            assert!(stop.text.contains("sidegate"), "{line}");
        }
    }

    #[test]
    fn every_flag_has_its_key_and_names_its_variable() {
        Line::command().debug_assert();
        let command = Line::command();
        for switch in SWITCHES {
            let flag = command
                .get_arguments()
                .find(|arg| arg.get_long() == switch.flag.strip_prefix("--"));
            let help = flag.and_then(clap::Arg::get_help).unwrap().to_string();
            assert!(
                help.contains(&format!("[env: {}]", switch.variable)),
                "{help}"
            );
        }
        let flags = command
            .get_arguments()
            .filter(|arg| arg.get_long().is_some_and(|long| long != "config"));
        assert_eq!(flags.count(), SWITCHES.len());
    }
}
