//! What a package installs beside the program: completions for shells, and manual pages.
//!
//! Both are made from the command line's own grammar, so that they cannot say anything else.

use std::io::{self, Write};

use clap_complete::{Generator, Shell};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::args::grammar;
use super::exit;

/// What stands in the page of `sidegate` and in no help text: a heading, and terms with what they
/// mean.
const SECTIONS: [(&str, &[(&str, &str)]); 4] = [
    (
        "FILES",
        &[
            (
                "sidegate.yaml",
                "The configuration, when it is in the working directory; --config names another. \
                 sidegate config-schema prints its JSON Schema.",
            ),
            (
                "proto/",
                "The application's .proto files, when it is in the working directory.",
            ),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            (
                "SIDEGATE_*",
                "Every flag of the configuration has its variable, which its description names. \
                 Flags beat variables, and variables beat the file.",
            ),
            (
                "LISTEN_FDS, NOTIFY_SOCKET, WATCHDOG_USEC",
                "As systemd gives them: sockets that are open already, and whom to tell of being \
                 ready and alive.",
            ),
        ],
    ),
    (
        "EXIT STATUS",
        &[
            ("0", "All is well; of run, the application ended well."),
            (
                "1",
                "check found a problem, explain a request that would be refused, or probe a \
                 gateway that is not ready.",
            ),
            ("64", "The command line is wrong."),
            ("69", "Nothing could be listened on."),
            ("78", "The configuration is wrong."),
        ],
    ),
    (
        "SIGNALS",
        &[
            (
                "SIGTERM, SIGINT",
                "Stop: running calls may end until lifecycle.drain_timeout is over.",
            ),
            ("SIGHUP", "Read all files anew, as when they change."),
        ],
    ),
];

/// Prints what completes the command line.
pub(super) fn completions(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    let mut command = grammar();
    command.set_bin_name("sidegate");
    command.build();
    let mut text = Vec::new();
    shell.try_generate(&command, &mut text)?;
    out.write_all(&text)
}

/// Prints the page of the program, or of one of its commands; the exit code.
pub(super) fn page(name: Option<&str>, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let mut command = grammar();
    command.build();
    let Some(name) = name else {
        out.write_all(&whole(command)?)?;
        return Ok(exit::FINE);
    };
    let Some(one) = command.find_subcommand(name) else {
        let names: Vec<_> = command
            .get_subcommands()
            .map(clap::Command::get_name)
            .collect();
        writeln!(err, "error: there is no command `{name}`")?;
        writeln!(err, "help: the commands are {}", names.join(", "))?;
        return Ok(exit::USAGE);
    };
    let mut text = Vec::new();
    Man::new(one.clone())
        .source(source())
        .manual(MANUAL)
        .render(&mut text)?;
    out.write_all(&text)?;
    Ok(exit::FINE)
}

/// What the head of every page says it belongs to.
const MANUAL: &str = "Sidegate";

fn source() -> String {
    format!("sidegate {}", env!("CARGO_PKG_VERSION"))
}

/// The page of the program.
fn whole(command: clap::Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command).source(source()).manual(MANUAL);
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_subcommands_section(&mut text)?;
    man.render_options_section(&mut text)?;
    let mut more = Roff::new();
    for (heading, entries) in SECTIONS {
        more.control("SH", [heading]);
        for (term, meaning) in entries {
            more.control("TP", []);
            more.text([bold(*term)]);
            more.text([roman(*meaning)]);
        }
    }
    more.to_writer(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    fn printed(name: Option<&str>) -> (u8, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = page(name, &mut out, &mut err).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (code, text(out), text(err))
    }

    #[test]
    fn every_shell_is_told_of_every_command_and_flag() {
        let command = grammar();
        for shell in Shell::value_variants() {
            let mut out = Vec::new();
            completions(*shell, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            for one in command.get_subcommands() {
                assert!(text.contains(one.get_name()), "{shell}: {}", one.get_name());
            }
            for flag in command.get_arguments().filter_map(clap::Arg::get_long) {
                assert!(text.contains(flag), "{shell}: {flag}");
            }
        }
    }

    #[test]
    fn the_page_has_every_command_flag_and_exit_code() {
        let (code, text, _) = printed(None);
        assert_eq!(code, exit::FINE);
        assert!(text.contains(".TH sidegate 1"), "{text}");
        let plain = text.replace("\\-", "-");
        for one in grammar().get_subcommands() {
            let name = format!("sidegate-{}(1)", one.get_name());
            assert!(plain.contains(&name), "{name}");
        }
        for flag in grammar().get_arguments().filter_map(clap::Arg::get_long) {
            assert!(plain.contains(&format!("--{flag}")), "{flag}");
        }
        for code in [
            exit::FINE,
            exit::PROBLEM,
            exit::USAGE,
            exit::UNAVAILABLE,
            exit::CONFIG,
        ] {
            let line = format!("\\fB{code}\\fR\n");
            assert!(text.contains(&line), "{code}: {text}");
        }
    }

    #[test]
    fn every_command_has_its_page() {
        for one in grammar().get_subcommands() {
            let (code, text, _) = printed(Some(one.get_name()));
            assert_eq!(code, exit::FINE);
            let title = format!(".TH sidegate-{} 1", one.get_name());
            assert!(text.replace("\\-", "-").contains(&title), "{text}");
        }
        let (code, text, said) = printed(Some("rum"));
        assert_eq!((code, text.as_str()), (exit::USAGE, ""));
        assert!(
            said.contains("no command `rum`") && said.contains("run, check"),
            "{said}"
        );
    }
}
