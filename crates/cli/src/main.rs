//! `serin`: the one binary. Each command is one file under `command/`; what they print goes through [`output`].

mod arguments;
mod cluster;
mod command;
mod error;
mod evidence;
mod judged;
mod log;
mod output;
mod place;
mod plot;
mod plugin;
mod screen;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    if let Some(words) = plugin::command_line(std::env::args_os()) {
        return plugin::run(words);
    }
    let cli = arguments::Cli::parse();
    start_log(&cli);
    match command::run(cli) {
        Ok(code) => code,
        Err(error) => {
            output::report(&error);
            error.exit_code()
        }
    }
}

fn start_log(cli: &arguments::Cli) {
    let level = match (&cli.command, cli.verbose) {
        (arguments::Command::Controller(controller), 0) => &controller.loglevel,
        (_, 0) => "warn",
        (arguments::Command::Controller(_), _) | (_, 2..) => "debug",
        (_, 1) => "info",
    };
    let json = matches!(&cli.command, arguments::Command::Controller(controller) if controller.logformat == "json");
    log::start(level, json);
}
