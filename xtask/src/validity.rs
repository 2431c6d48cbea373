//! `validity`: how often verdicts are wrong in simulated rollouts, and what they are worth beside other rules. Writes the tables and pictures of `docs/verdicts.md`.

mod document;
mod estimate;
mod judged;
mod kayenta;
mod plot;
mod record;
mod report;
mod study;
mod table;
mod traffic;

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};

use crate::TaskError;
use crate::repository::root;
use table::{Kind, Promotion, RATES, Row};

/// Options of `validity`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Rollouts of a cell of the validity study
    #[arg(long, default_value_t = 20_000)]
    runs: u64,
    /// Rollouts of a line of the comparison [default: a tenth]
    #[arg(long)]
    lines: Option<u64>,
    /// Seed of all random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Play only one of the two parts; the other's tables and pictures stay as they are
    #[arg(long, value_enum)]
    part: Option<Part>,
    /// Write pictures into this folder, and tables into the document of the same name beside it
    #[arg(long)]
    out: Option<PathBuf>,
}

/// A part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// How often verdicts are wrong.
    Study,
    /// What they are worth beside other rules.
    Comparison,
}

/// All that was found.
#[derive(Debug, Default)]
struct Findings {
    study: Vec<study::Seen>,
    rows: Vec<Row>,
    promotions: Vec<Promotion>,
    promotions_of_three: Vec<Promotion>,
}

/// Plays everything, prints it as it comes, and fails where a bound is broken.
pub(crate) fn run(options: &Options) -> Result<(), TaskError> {
    let begun = Instant::now();
    let findings = play(options, &begun);
    if let Some(out) = &options.out {
        let out = if out.is_absolute() { out.clone() } else { root().join(out) };
        let blocks = report::blocks(&findings, options);
        document::write(&out, &blocks, &report::pictures(&findings))?;
        println!("written to {} and {}", out.display(), out.with_extension("md").display());
    }
    let broken: Vec<&str> = findings.study.iter().filter(|seen| !seen.holds()).map(|seen| seen.name).collect();
    match broken.as_slice() {
        [] => Ok(()),
        names => Err(TaskError::Found(format!("bounds are broken: {}", names.join("; ")))),
    }
}

fn play(options: &Options, begun: &Instant) -> Findings {
    let mut findings = Findings::default();
    if options.part != Some(Part::Comparison) {
        study(options, begun, &mut findings);
    }
    if options.part != Some(Part::Study) {
        compare(options, begun, &mut findings);
    }
    findings
}

fn study(options: &Options, begun: &Instant, findings: &mut Findings) {
    for (i, cell) in study::cells().iter().enumerate() {
        let seen = study::play(cell, options.runs, seed(options, i));
        say(begun, &report::study_line(&seen));
        findings.study.push(seen);
    }
}

fn compare(options: &Options, begun: &Instant, findings: &mut Findings) {
    let runs = options.lines.unwrap_or(options.runs / 10).max(1);
    for (i, kind) in Kind::all().into_iter().enumerate() {
        for (j, rps) in kind.rates().iter().enumerate() {
            let row = table::play(kind, *rps, runs, seed(options, 1_000 + 10 * i + j));
            say(begun, &report::row_line(&row));
            findings.rows.push(row);
        }
    }
    for (i, rps) in RATES.into_iter().enumerate() {
        findings.promotions.push(table::promote(false, rps, runs / 4 + 1, seed(options, 5_000 + i)));
        findings.promotions_of_three.push(table::promote(true, rps, runs / 8 + 1, seed(options, 6_000 + i)));
        say(begun, &report::promotion_line(&findings.promotions[i], &findings.promotions_of_three[i]));
    }
}

/// The seed of a cell: apart from those of all others.
fn seed(options: &Options, place: usize) -> u64 {
    options.seed.wrapping_mul(1_000_003).wrapping_add(place as u64)
}

fn say(begun: &Instant, text: &str) {
    println!("{:5.0} s  {text}", begun.elapsed().as_secs_f64());
}
