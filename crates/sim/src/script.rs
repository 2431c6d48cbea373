//! The language of the stories: one command a line, `#` begins a comment. See `stories/README.md`.

use serin_core::Span;

use crate::world::Measure;

/// One line of a script.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// `replicas 2`, `router nginx|none`, `surge 1`, `deadline 600s [abort]`, ...: a setting of the rollout.
    Set(Vec<String>),
    /// `step setWeight 20`, `step pause 60s`, `step pause`, `step analysis`, ...
    Step(Vec<String>),
    /// `metric NAME success EXPR [interval 30s] [count 3] [failureLimit 1] ...`
    Metric(Vec<String>),
    /// `version v2 ready 2s error-rate=0.01 p95=none`
    Version {
        /// Its name.
        name: String,
        /// Time to readiness.
        ready_after: Option<Span>,
        /// What is measured of it.
        measures: Vec<(String, Measure)>,
    },
    /// `deploy v2`
    Deploy(String),
    /// `run 90s`
    Run(Span),
    /// `until healthy|paused|degraded [within 600s]`
    Until {
        /// The phase, in lower case.
        phase: String,
        /// How long at most.
        within: Span,
    },
    /// `promote`, `promote full`, `abort`, `retry`, `pause`, `resume`, `undo`
    Person(String),
    /// `expect stable v2`, `expect weight 20`, `expect phase Paused`
    Expect(String, String),
}

/// Reads a script; errors name the line.
pub fn parse(text: &str) -> Result<Vec<(usize, Command)>, String> {
    let mut commands = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if line.is_empty() {
            continue;
        }
        let command = command(line).map_err(|why| format!("line {}: {why}: {line}", i + 1))?;
        commands.push((i + 1, command));
    }
    Ok(commands)
}

fn command(line: &str) -> Result<Command, String> {
    let words: Vec<String> = words(line);
    let rest = || words[1..].to_vec();
    match words[0].as_str() {
        "replicas" | "router" | "surge" | "unavailable" | "deadline" | "background" | "dynamic" | "history"
        | "window" | "minPods" | "scaleDownDelay" | "abortDelay" => Ok(Command::Set(words)),
        "step" => Ok(Command::Step(rest())),
        "metric" => Ok(Command::Metric(rest())),
        "version" => version(&words),
        "deploy" => Ok(Command::Deploy(word(&words, 1)?)),
        "run" => Ok(Command::Run(span(&word(&words, 1)?)?)),
        "until" => {
            let within = words.get(3).map_or(Ok(Span::from_secs(3600)), |w| span(w))?;
            Ok(Command::Until { phase: word(&words, 1)?, within })
        }
        "promote" | "abort" | "retry" | "pause" | "resume" | "undo" => Ok(Command::Person(line.to_owned())),
        "expect" => Ok(Command::Expect(word(&words, 1)?, word(&words, 2)?)),
        other => Err(format!("unknown command '{other}'")),
    }
}

/// Splits a line at blanks, keeping what stands in double quotes together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().expect("there is a word").push(c),
        }
    }
    words.retain(|w| !w.is_empty());
    words
}

fn word(words: &[String], index: usize) -> Result<String, String> {
    words.get(index).cloned().ok_or_else(|| format!("needs {index} words after it"))
}

fn version(words: &[String]) -> Result<Command, String> {
    let name = word(words, 1)?;
    let mut ready_after = Some(Span::from_secs(2));
    let mut measures = Vec::new();
    let mut i = 2;
    while i < words.len() {
        if words[i] == "ready" {
            let when = word(words, i + 1)?;
            ready_after = if when == "never" { None } else { Some(span(&when)?) };
            i += 2;
            continue;
        }
        let (metric, value) = words[i].split_once('=').ok_or_else(|| format!("'{}' is not metric=value", words[i]))?;
        let measure = match value {
            "none" => Measure::NoData,
            "broken" => Measure::Broken("connection refused".to_owned()),
            number => Measure::Number(number.parse().map_err(|_| format!("'{number}' is not a number"))?),
        };
        measures.push((metric.to_owned(), measure));
        i += 1;
    }
    Ok(Command::Version { name, ready_after, measures })
}

/// `90s`, `2m`, `1h`.
pub fn span(text: &str) -> Result<Span, String> {
    let (number, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let number: i64 = number.parse().map_err(|_| format!("'{text}' is not a time such as 30s"))?;
    match unit {
        "s" => Ok(Span::from_secs(number)),
        "m" => Ok(Span::from_secs(number * 60)),
        "h" => Ok(Span::from_secs(number * 3600)),
        _ => Err(format!("'{text}' is not a time such as 30s")),
    }
}
