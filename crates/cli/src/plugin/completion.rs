//! Completion: scripts that ask the binary, and its answer, in the form that kubectl asks its plugins for.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgAction, Command, Parser, ValueEnum};
use serin_cluster::Resource;
use serin_cluster::resource::{ANALYSIS_RUN, EXPERIMENT, ROLLOUT};

use super::arguments;
use super::connection::Connection;
use crate::cluster::Cluster;
use crate::output::{line, text};

/// The shells that there are scripts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
    /// PowerShell
    Powershell,
}

/// Prints the script of a shell. Each asks `__complete` with the words before the cursor.
//= compat: 7.7-5
pub(super) fn script(shell: Shell) -> ExitCode {
    text(match shell {
        Shell::Bash => include_str!("completion/bash"),
        Shell::Zsh => include_str!("completion/zsh"),
        Shell::Fish => include_str!("completion/fish"),
        Shell::Powershell => include_str!("completion/powershell"),
    });
    ExitCode::SUCCESS
}

/// What a shell should do when there is nothing to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Directive {
    /// Offer files.
    Files = 0,
    /// Something went wrong: offer nothing.
    Error = 1,
    /// Offer nothing.
    NoFiles = 4,
}

/// What may stand at the end of a line: words with their descriptions.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Some of these.
    Words(Vec<(String, String)>),
    /// Names of objects.
    Names(Resource),
    /// A file.
    File,
    /// Nothing that could be guessed.
    Nothing,
}

/// Answers what may stand next: candidates with their descriptions, and a directive at the end. kubectl asks so of its plugins.
//= compat: 7.7-5
pub(super) fn complete(words: &[String]) -> ExitCode {
    let (last, before) = words.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let (found, directive) = match next(before, last) {
        Next::Words(words) => (words, Directive::NoFiles),
        Next::File => (Vec::new(), Directive::Files),
        Next::Nothing => (Vec::new(), Directive::NoFiles),
        Next::Names(kind) => match names(before, kind) {
            Some(names) => (names.into_iter().map(|name| (name, String::new())).collect(), Directive::NoFiles),
            None => (Vec::new(), Directive::Error),
        },
    };
    for (word, about) in found.iter().filter(|(word, _)| word.starts_with(last)) {
        line(if about.is_empty() { word.clone() } else { format!("{word}\t{about}") });
    }
    line(format!(":{}", directive as u8));
    ExitCode::SUCCESS
}

/// Only the flags of the connection, wherever they stand.
#[derive(Debug, Parser)]
#[command(ignore_errors = true, disable_help_flag = true)]
struct Anywhere {
    #[command(flatten)]
    connection: Connection,
    #[arg(num_args = 0..)]
    rest: Vec<String>,
}

fn names(before: &[String], kind: Resource) -> Option<Vec<String>> {
    let named = std::iter::once("kubectl-argo-rollouts").chain(before.iter().map(String::as_str));
    let connection = Anywhere::try_parse_from(named).map(|any| any.connection).ok()?;
    let asked = async {
        let cluster = Cluster::connect(&connection.options().ok()?, connection.namespace.as_deref()).await.ok()?;
        let all = cluster.all(kind).await.ok()?;
        Some(all.iter().map(|object| object.name().to_owned()).collect())
    };
    super::runtime().ok()?.block_on(asked)
}

/// The verb that a command line names, for its usage.
pub(super) fn deepest(words: &[OsString]) -> Command {
    let mut command = arguments::command();
    command.build();
    for word in words.iter().skip(1).filter_map(|word| word.to_str()) {
        command = command.find_subcommand(word).cloned().unwrap_or(command);
    }
    command
}

/// What may follow these words.
fn next(before: &[String], last: &str) -> Next {
    let mut command = arguments::command();
    command.build();
    let mut path: Vec<String> = Vec::new();
    let mut given = 0;
    let mut words = before.iter();
    while let Some(word) = words.next() {
        if let Some(flag) = flag(&command, word) {
            if !word.contains('=') && takes_value(flag) && words.next().is_none() {
                return value(flag);
            }
        } else if let Some(deeper) = command.find_subcommand(word).cloned() {
            path.push(deeper.get_name().to_owned());
            command = deeper;
        } else {
            given += 1;
        }
    }
    if last.starts_with('-') {
        return Next::Words(flags(&command));
    }
    let deeper: Vec<(String, String)> = command
        .get_subcommands()
        .filter(|c| !c.is_hide_set())
        .map(|c| (c.get_name().to_owned(), c.get_about().map(ToString::to_string).unwrap_or_default()))
        .collect();
    if !deeper.is_empty() {
        return Next::Words(deeper);
    }
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let several = matches!(path.as_slice(), ["abort" | "pause"] | ["retry" | "terminate", _]);
    if given > 0 && !several {
        return Next::Nothing;
    }
    match path.as_slice() {
        ["abort" | "pause" | "promote" | "restart" | "status" | "undo"]
        | ["get" | "retry", "rollout"]
        | ["set", "image"] => Next::Names(ROLLOUT),
        ["get" | "retry" | "terminate", "experiment"] => Next::Names(EXPERIMENT),
        ["terminate", "analysisrun"] => Next::Names(ANALYSIS_RUN),
        ["completion"] => {
            let shells = Shell::value_variants().iter().filter_map(Shell::to_possible_value);
            Next::Words(shells.map(|shell| (shell.get_name().to_owned(), String::new())).collect())
        }
        _ => Next::Nothing,
    }
}

fn flag<'c>(command: &'c Command, word: &str) -> Option<&'c clap::Arg> {
    let name = word.split('=').next().unwrap_or(word);
    let long = name.strip_prefix("--").filter(|long| !long.is_empty());
    let short = name.strip_prefix('-').and_then(|rest| rest.chars().next()).filter(|_| long.is_none());
    let mut all = command.get_arguments();
    all.find(|arg| long.is_some() && arg.get_long() == long || short.is_some() && arg.get_short() == short)
}

fn takes_value(arg: &clap::Arg) -> bool {
    let switch = arg.is_require_equals_set();
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) && !switch
}

fn value(arg: &clap::Arg) -> Next {
    match arg.get_value_names().and_then(|names| names.first()).map(|name| name.as_str()) {
        Some("FILE" | "DIR") => Next::File,
        _ => Next::Nothing,
    }
}

fn flags(command: &Command) -> Vec<(String, String)> {
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    shown
        .filter_map(|arg| {
            let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
            Some((format!("--{}", arg.get_long()?), about))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, last: &str, want: &Next) {
        let before: Vec<String> = before.split_whitespace().map(str::to_owned).collect();
        assert_eq!(&next(&before, last), want, "{before:?} {last:?}");
    }

    //= compat: 7.7-5
    #[test]
    fn names_are_offered_where_a_name_stands() {
        check("abort", "", &Next::Names(ROLLOUT));
        check("abort a", "", &Next::Names(ROLLOUT));
        check("-n shop get ro", "", &Next::Names(ROLLOUT));
        check("get rollout -w", "", &Next::Names(ROLLOUT));
        check("get rollout a", "", &Next::Nothing);
        check("promote --full", "", &Next::Names(ROLLOUT));
        check("retry exp", "", &Next::Names(EXPERIMENT));
        check("terminate ar a", "", &Next::Names(ANALYSIS_RUN));
        check("set image", "", &Next::Names(ROLLOUT));
        check("undo a --to-revision", "", &Next::Nothing);
        check("lint -f", "", &Next::File);
        check("lint", "", &Next::Nothing);
    }

    #[test]
    fn verbs_and_flags_are_offered_with_what_they_do() {
        let words = |before: &str, last: &str| match next(
            &before.split_whitespace().map(str::to_owned).collect::<Vec<_>>(),
            last,
        ) {
            Next::Words(words) => words.into_iter().map(|(word, _)| word).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(words("get", ""), ["rollout", "experiment", "help"]);
        assert!(words("", "").contains(&"promote".to_owned()) && !words("", "").contains(&"__complete".to_owned()));
        let flags = words("promote", "--");
        assert!(flags.contains(&"--full".to_owned()) && flags.contains(&"--namespace".to_owned()), "{flags:?}");
        assert_eq!(words("completion", ""), ["bash", "zsh", "fish", "powershell"]);
    }
}
