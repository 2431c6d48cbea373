//! The language of the stories: one command a line, `#` begins a comment. See `stories/README.md`.

use serin_core::Span;

use crate::control::Fate;
use crate::world::{Behaviour, Delay, Measure};

/// One line of a script.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// `replicas 2`, `router nginx|none`, `surge 1`, `deadline 600s [abort]`, ...: a setting of the rollout.
    Set(Vec<String>),
    /// `step setWeight 20`, `step pause 60s`, `step pause`, `step analysis`, ...
    Step(Vec<String>),
    /// `metric NAME success EXPR [interval 30s] [count 3] [failureLimit 1] ...`
    Metric(Vec<String>),
    /// `minReady 10s`
    MinReady(Span),
    /// `fault lost|twice|late 5s|killed 5s [after 2]`: what becomes of the next action, or of a later one
    Fault {
        /// What becomes of it.
        fate: Fate,
        /// Actions before it.
        after: u64,
    },
    /// `version v2 ready 2s error-rate=0.01 p95=none`
    Version {
        /// Its name.
        name: String,
        /// How its members come and go.
        members: Behaviour,
        /// What is measured of it.
        measures: Vec<(String, Measure)>,
    },
    /// `plugin NAME running,successful [answers 2s] [again 30s]`: how a step plugin behaves
    Plugin(Vec<String>),
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
    /// `promote`, `promote full`, `abort`, `retry`, `pause`, `resume`, `undo`, `restart`
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
        "replicas" | "strategy" | "router" | "maxWeight" | "surge" | "unavailable" | "deadline" | "background"
        | "dynamic" | "history" | "window" | "minPods" | "threshold" | "scaleDownDelay" | "delayRevisions"
        | "abortDelay" | "preview" | "previewReplicas" | "autoPromotion" | "preAnalysis" | "postAnalysis"
        | "workload" | "metadata" | "pingPong" | "routes" => Ok(Command::Set(words)),
        "plugin" => Ok(Command::Plugin(rest())),
        "minReady" => Ok(Command::MinReady(span(&word(&words, 1)?)?)),
        "fault" => fault(&words),
        "step" => Ok(Command::Step(rest())),
        "metric" => Ok(Command::Metric(rest())),
        "version" => version(&words),
        "deploy" => Ok(Command::Deploy(word(&words, 1)?)),
        "run" => Ok(Command::Run(span(&word(&words, 1)?)?)),
        "until" => {
            let within = words.get(3).map_or(Ok(Span::from_secs(3600)), |w| span(w))?;
            Ok(Command::Until { phase: word(&words, 1)?, within })
        }
        "promote" | "abort" | "retry" | "pause" | "resume" | "undo" | "restart" => Ok(Command::Person(line.to_owned())),
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

fn fault(words: &[String]) -> Result<Command, String> {
    let lasts = || span(&word(words, 2)?);
    let (fate, used) = match word(words, 1)?.as_str() {
        "lost" => (Fate::Lost, 2),
        "twice" => (Fate::Twice, 2),
        "late" => (Fate::Late(lasts()?), 3),
        "killed" => (Fate::Killed(lasts()?), 3),
        other => return Err(format!("there is no fault '{other}'")),
    };
    let after = match words.get(used) {
        Some(_) => word(words, used + 1)?.parse().map_err(|_| "needs a number of actions".to_owned())?,
        None => 0,
    };
    Ok(Command::Fault { fate, after })
}

fn version(words: &[String]) -> Result<Command, String> {
    let name = word(words, 1)?;
    let mut members = Behaviour::steady(Some(Span::from_secs(2)));
    let mut measures = Vec::new();
    let mut i = 2;
    while i < words.len() {
        let next = || word(words, i + 1);
        match words[i].as_str() {
            "ready" if next()? == "never" => members.never_ready = 1.0,
            "ready" => members.ready_after = delay(&next()?)?,
            "crashes" => members.crash_every = Some(span(&next()?)?),
            "flaps" => members.flap_every = Some(span(&next()?)?),
            pair => {
                measures.push(measure(pair)?);
                i += 1;
                continue;
            }
        }
        i += 2;
    }
    Ok(Command::Version { name, members, measures })
}

/// `5s`, or `5s-15s` for anything between.
fn delay(text: &str) -> Result<Delay, String> {
    match text.split_once('-') {
        Some((low, high)) => Ok(Delay::Uniform(span(low)?, span(high)?)),
        None => Ok(Delay::Fixed(span(text)?)),
    }
}

/// `error-rate=0.01`, `p95=none`, `p95=broken`.
fn measure(pair: &str) -> Result<(String, Measure), String> {
    let (metric, value) = pair.split_once('=').ok_or_else(|| format!("'{pair}' is not metric=value"))?;
    let measure = match value {
        "none" => Measure::NoData,
        "broken" => Measure::Broken("connection refused".to_owned()),
        number => Measure::Number(number.parse().map_err(|_| format!("'{number}' is not a number"))?),
    };
    Ok((metric.to_owned(), measure))
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
