//! `serin`: the one binary. Each command is one file under `command/`; what they print goes through [`output`].

mod arguments;
mod cluster;
mod command;
mod error;
mod output;
mod place;
mod plugin;
mod screen;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    if let Some(words) = plugin::command_line(std::env::args_os()) {
        return plugin::run(words);
    }
    let cli = arguments::Cli::parse();
    start_log(match cli.verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    });
    match command::run(cli) {
        Ok(code) => code,
        Err(error) => {
            output::report(&error);
            error.exit_code()
        }
    }
}

/// Diagnostics go to standard error; `SERIN_LOG` filters them as `RUST_LOG` does elsewhere.
fn start_log(default: &str) {
    // What the client of a cluster cannot do is told by whoever asked it.
    let client = if default == "debug" { "" } else { ",kube_client=off" };
    let filter = tracing_subscriber::EnvFilter::try_from_env("SERIN_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(format!("{default}{client}")));
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi);
    // Telling standard error that it cannot be written to would be a panic, and the end of a control process on a full disk.
    log.log_internal_errors(false).init();
}
