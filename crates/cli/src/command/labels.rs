//! `serin labels`: what turned out to be true, from a file, a pipe or the command line, to the control process that kept the predictions.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal as _, Read as _};
use std::process::ExitCode;

use serde::Serialize;
use serin_local::labels::read::{LINE_MAX, Lines, pair};
use serin_local::protocol::{Labelled, Request, Told};

use crate::arguments::{Format, Labels};
use crate::error::{CliError, USAGE};
use crate::output;
use crate::place::Place;

/// Labels of one request: each is one commit, and decisions go on in between.
const BATCH: usize = 5_000;

/// A line that is no label.
#[derive(Debug, Serialize)]
struct Problem {
    line: usize,
    message: String,
}

/// What is printed for machines.
#[derive(Debug, Serialize)]
struct Report<'a> {
    labels: &'a Labelled,
    problems: &'a [Problem],
}

pub(super) async fn run(place: &mut Place, format: Format, asked: &Labels) -> Result<ExitCode, CliError> {
    let mut sending =
        Sending { service: &asked.service, told: None, waiting: Vec::new(), problems: Vec::new(), format };
    match asked.labels.as_slice() {
        [one] if one == "-" => sending.lines(place, std::io::stdin().lock()).await?,
        [one] if !one.contains('=') || std::path::Path::new(one).exists() => {
            let file = File::open(one).map_err(|source| match source.kind() {
                std::io::ErrorKind::NotFound => CliError::usage(
                    format!("there is no file {one}"),
                    "name a file of labels, - for standard input, or write ID=LABEL",
                ),
                _ => CliError::Io { doing: format!("read {one}"), source },
            })?;
            sending.lines(place, BufReader::new(file)).await?;
        }
        pairs => sending.pairs(place, pairs).await?,
    }
    sending.finish(place).await
}

struct Sending<'a> {
    service: &'a str,
    told: Option<Labelled>,
    waiting: Vec<(String, String)>,
    problems: Vec<Problem>,
    format: Format,
}

impl Sending<'_> {
    async fn pairs(&mut self, place: &mut Place, pairs: &[String]) -> Result<(), CliError> {
        let hint = "write a file or -, or pairs such as 4f1c2a=yes";
        for text in pairs {
            let (id, label) = text
                .split_once('=')
                .ok_or_else(|| CliError::usage(format!("\"{text}\" is no pair of request id and label"), hint))?;
            self.waiting.push(pair(id, label).map_err(|why| CliError::usage(format!("{text}: {why}"), hint))?);
        }
        self.send(place).await
    }

    async fn lines(&mut self, place: &mut Place, mut source: impl BufRead) -> Result<(), CliError> {
        let mut lines = Lines::new(None);
        for number in 1.. {
            let Some(line) = next_line(&mut source).map_err(CliError::io("read the labels"))? else { break };
            let found = match line {
                Line::Text(text) => lines.line(&text),
                Line::Bad(why) => Some(Err(why)),
            };
            match found {
                Some(Ok(label)) => self.waiting.push(label),
                Some(Err(message)) => self.problem(number, message),
                None => {}
            }
            if self.waiting.len() >= BATCH {
                self.send(place).await?;
            }
        }
        self.send(place).await
    }

    fn problem(&mut self, line: usize, message: String) {
        if self.format == Format::Text {
            eprintln!("line {line}: {message}");
        }
        self.problems.push(Problem { line, message });
    }

    /// Sends what waits. Nothing is lost or counted twice by sending it again, so a failure says how far it came.
    async fn send(&mut self, place: &mut Place) -> Result<(), CliError> {
        if self.waiting.is_empty() && self.told.is_some() {
            return Ok(());
        }
        let request = Request::Labels { service: self.service.to_owned(), labels: std::mem::take(&mut self.waiting) };
        let told: Result<Labelled, CliError> = place.ask(&request).await;
        let told = told.inspect_err(|_| {
            if let Some(before) = &self.told {
                eprintln!("{} labels were counted; send all of them again, none is counted twice", before.counted);
            }
        })?;
        match &mut self.told {
            Some(before) => {
                before.merge(told);
                if self.format == Format::Text && std::io::stderr().is_terminal() {
                    eprintln!("{} labels counted so far", before.counted);
                }
            }
            None => self.told = Some(told),
        }
        Ok(())
    }

    async fn finish(mut self, place: &mut Place) -> Result<ExitCode, CliError> {
        self.send(place).await?;
        let told = self.told.unwrap_or_default();
        if !output::machine(self.format, &Report { labels: &told, problems: &self.problems })? {
            output::line(described(&told));
        }
        if self.problems.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        if self.format == Format::Text {
            let n = self.problems.len();
            let lines = if n == 1 {
                "1 line is no label and was".to_owned()
            } else {
                format!("{n} lines are no labels and were")
            };
            eprintln!("{lines} passed over");
        }
        Ok(ExitCode::from(USAGE))
    }
}

/// A line of the source.
enum Line {
    Text(String),
    Bad(String),
}

/// The next line; one that is too long is read to its end and not kept.
fn next_line(source: &mut impl BufRead) -> std::io::Result<Option<Line>> {
    let mut line = Vec::new();
    source.by_ref().take(LINE_MAX as u64).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() == LINE_MAX && line.last() != Some(&b'\n') {
        source.skip_until(b'\n')?;
        return Ok(Some(Line::Bad(format!("the line is longer than {LINE_MAX} bytes"))));
    }
    Ok(Some(match String::from_utf8(line) {
        Ok(text) => Line::Text(text),
        Err(_) => Line::Bad("this is no UTF-8".to_owned()),
    }))
}

/// What became of the labels, for people.
fn described(told: &Labelled) -> String {
    let mut lines =
        vec![format!("{}: {} labels counted, {} predictions wrong", told.rollout, told.counted, told.wrong)];
    let others: [(&Told, &str); 5] = [
        (&told.again, "had a label already, which stays"),
        (&told.unknown, "have no prediction that is kept"),
        (&told.elsewhere, "were answered by a version that is neither the canary nor stable"),
        (&told.ambiguous, "are those of several answers"),
        (&told.unfit, "have a label of another kind than the prediction"),
    ];
    lines.extend(others.into_iter().filter(|(told, _)| told.count > 0).map(|(told, what)| {
        let more = if told.count > told.first.len() as u64 { ", ..." } else { "" };
        format!("{} {what}: {}{more}", told.count, told.first.join(", "))
    }));
    if told.versions.iter().any(|version| version.labelled > 0) {
        lines.extend(told.versions.iter().map(|v| format!("{}: {} of {} wrong", v.role, v.wrong, v.labelled)));
    }
    lines.extend(told.remark.clone());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_too_long_are_passed_over() {
        let text = [b"a,yes\n".to_vec(), vec![b'x'; 3 * LINE_MAX], b"\nb,no\n\xff\nlast,one".to_vec()].concat();
        let mut source = text.as_slice();
        let mut seen = Vec::new();
        while let Some(line) = next_line(&mut source).unwrap() {
            seen.push(match line {
                Line::Text(text) => text,
                Line::Bad(why) => why,
            });
        }
        assert_eq!(seen, ["a,yes\n", "the line is longer than 65536 bytes", "b,no\n", "this is no UTF-8", "last,one"]);
    }

    #[test]
    fn what_became_of_labels_is_told_in_full() {
        let told = Labelled {
            rollout: "ns/model".into(),
            counted: 3,
            wrong: 1,
            unknown: Told { count: 7, first: vec!["a".into(), "b".into()] },
            remark: Some("so that none are kept".into()),
            ..Labelled::default()
        };
        let want = "ns/model: 3 labels counted, 1 predictions wrong\n7 have no prediction that is kept: a, b, ...\nso that none are kept";
        assert_eq!(described(&told), want);
    }
}
