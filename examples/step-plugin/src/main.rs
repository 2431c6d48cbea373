//! A step plugin: it holds an update until a file is there. The first line of the file is the answer, `yes` or `no`, and a
//! sentence about it. What a plugin is told and says is described in `docs/step-plugins.md`.

use std::io::Read as _;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

/// The part of the question that this plugin reads.
#[derive(Debug, Deserialize)]
struct Question {
    operation: String,
    config: Option<Config>,
    status: Option<Memory>,
}

/// The step's `config`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Config {
    /// The file that is waited for.
    file: String,
    /// How often it is looked for, in seconds.
    #[serde(default = "look_every_s")]
    look_every_seconds: f64,
    /// How often it is looked for before that counts as no.
    looks: Option<u64>,
}

fn look_every_s() -> f64 {
    10.0
}

/// What this plugin remembers from one question to the next.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    looks: u64,
}

/// The answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    phase: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    requeue_after_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Memory>,
}

impl Answer {
    fn over(phase: &'static str, message: impl Into<String>) -> Self {
        Self { phase, message: message.into(), requeue_after_seconds: None, status: None }
    }
}

fn answer(question: Question) -> Result<Answer, String> {
    // Looking changes nothing, so there is nothing to take back or to end.
    if question.operation != "Run" {
        return Ok(Answer::over("Successful", ""));
    }
    let config = question.config.ok_or("the step has no config: expected {file: PATH}")?;
    let looks = question.status.unwrap_or_default().looks + 1;
    let text = match std::fs::read_to_string(&config.file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(missing(&config, looks)),
        Err(error) => return Err(format!("{}: {error}", config.file)),
    };
    let line = text.lines().next().unwrap_or_default();
    let (word, why) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "yes" => Ok(Answer::over("Successful", why)),
        "no" => Ok(Answer::over("Failed", why)),
        other => Err(format!("{} begins with \"{other}\": expected yes or no", config.file)),
    }
}

fn missing(config: &Config, looks: u64) -> Answer {
    if config.looks.is_some_and(|most| looks >= most) {
        return Answer::over("Failed", format!("{} did not come", config.file));
    }
    Answer {
        phase: "Running",
        message: format!("waiting for {}", config.file),
        requeue_after_seconds: Some(config.look_every_seconds),
        status: Some(Memory { looks }),
    }
}

fn main() -> ExitCode {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text).map_err(|e| e.to_string());
    let question = read.and_then(|_| serde_json::from_str(&text).map_err(|e| e.to_string()));
    match question.and_then(answer).and_then(|answer| serde_json::to_string(&answer).map_err(|e| e.to_string())) {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
