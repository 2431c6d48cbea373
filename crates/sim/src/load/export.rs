//! The series that a target exports: what they are called, and which counter each shows.

use std::sync::Arc;

use serin_core::Time;
use serin_promql::{Labels, Store, stale_marker};

/// A family of series.
#[derive(Debug, Clone, PartialEq)]
pub enum Family {
    /// Requests, by status.
    Requests {
        /// Label of the status.
        label: String,
        /// Values of the label for good answers and for server errors; the first of each counts, the others stay 0.
        good: Vec<String>,
        /// Values of the label for server errors.
        failed: Vec<String>,
    },
    /// A histogram of the time to answer, in seconds, by these upper bounds (without `+Inf`).
    Durations {
        /// Upper bounds, ascending.
        bounds: Vec<f64>,
    },
    /// Good answers by the class they predict.
    Predictions {
        /// Label of the class.
        label: String,
    },
    /// Sum and count of the predictions that are numbers.
    Numbers,
}

/// A family and its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// Name of the family, without `_bucket`, `_sum` and `_count`.
    pub name: String,
    /// What it shows.
    pub family: Family,
}

/// What one series shows of the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Good,
    Failed,
    Zero,
    /// Answers up to a bound.
    UpTo(usize),
    /// All answers.
    Answers,
    Seconds,
    Class(usize),
    NumberSum,
    NumberCount,
}

/// What a target has counted since its start.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Counters {
    pub(crate) good: u64,
    pub(crate) failed: u64,
    /// Answers by the scene's latency bounds; the last is beyond them all.
    pub(crate) by_latency: Vec<u64>,
    pub(crate) seconds: f64,
    pub(crate) by_class: Vec<u64>,
    pub(crate) number_sum: f64,
}

impl Counters {
    pub(crate) fn add(&mut self, other: &Counters) {
        self.good += other.good;
        self.failed += other.failed;
        self.seconds += other.seconds;
        self.number_sum += other.number_sum;
        for (mine, theirs) in [(&mut self.by_latency, &other.by_latency), (&mut self.by_class, &other.by_class)] {
            mine.resize(theirs.len().max(mine.len()), 0);
            mine.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        }
    }

    fn show(&self, cell: Cell) -> f64 {
        let sum = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
        match cell {
            Cell::Good | Cell::NumberCount => self.good as f64,
            Cell::Failed => self.failed as f64,
            Cell::Zero => 0.0,
            Cell::UpTo(bound) => sum(self.by_latency.get(..=bound).unwrap_or_default()),
            Cell::Answers => (self.good + self.failed) as f64,
            Cell::Seconds => self.seconds,
            Cell::Class(class) => self.by_class.get(class).copied().unwrap_or(0) as f64,
            Cell::NumberSum => self.number_sum,
        }
    }
}

/// The series of one target, as far as any query reads them. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    lines: Arc<[(Labels, Cell)]>,
    /// Whether its series have a last sample that is not the mark of an end.
    open: bool,
}

impl Page {
    /// The series of these families under these labels that `wanted` asks for. `bounds` are the scene's latency bounds.
    pub(crate) fn new(
        exports: &[Export],
        target: &Labels,
        bounds: &[f64],
        classes: &[Arc<str>],
        wanted: &dyn Fn(&Labels) -> bool,
    ) -> Self {
        let mut lines = Vec::new();
        for export in exports {
            let mut line = |suffix: &str, label: Option<(&str, &str)>, cell: Cell| {
                let mut labels = target.edit();
                labels.set("__name__", format!("{}{suffix}", export.name));
                if let Some((name, value)) = label {
                    labels.set(name, value);
                }
                let labels = labels.build();
                if wanted(&labels) {
                    lines.push((labels, cell));
                }
            };
            match &export.family {
                Family::Requests { label, good, failed } => {
                    for (values, cell) in [(good, Cell::Good), (failed, Cell::Failed)] {
                        for (i, value) in values.iter().enumerate() {
                            line("", Some((label, value)), if i == 0 { cell } else { Cell::Zero });
                        }
                    }
                }
                Family::Durations { bounds: own } => {
                    for bound in own {
                        let index = bounds.partition_point(|b| b < bound);
                        line("_bucket", Some(("le", &serin_promql::format_value(*bound))), Cell::UpTo(index));
                    }
                    line("_bucket", Some(("le", "+Inf")), Cell::Answers);
                    line("_sum", None, Cell::Seconds);
                    line("_count", None, Cell::Answers);
                }
                Family::Predictions { label } => {
                    for (i, class) in classes.iter().enumerate() {
                        line("", Some((label, class)), Cell::Class(i));
                    }
                }
                Family::Numbers => {
                    line("_sum", None, Cell::NumberSum);
                    line("_count", None, Cell::NumberCount);
                }
            }
        }
        Self { lines: lines.into(), open: false }
    }

    pub(crate) fn shows_latency(&self) -> bool {
        self.lines.iter().any(|(_, cell)| matches!(cell, Cell::UpTo(_) | Cell::Seconds))
    }

    pub(crate) fn shows_classes(&self) -> bool {
        self.lines.iter().any(|(_, cell)| matches!(cell, Cell::Class(_)))
    }

    pub(crate) fn shows_numbers(&self) -> bool {
        self.lines.iter().any(|(_, cell)| matches!(cell, Cell::NumberSum))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Puts the counters into the store, as a scrape at this time does.
    pub(crate) fn scrape(&mut self, counters: &Counters, store: &mut Store, now: Time) {
        for (labels, cell) in self.lines.iter() {
            // The only refusal here is that of a second scrape in the same millisecond, which shows nothing new.
            let _ = store.append(labels, now.as_millis(), counters.show(*cell));
        }
        self.open = true;
    }

    /// Ends the series: the target is gone or did not answer.
    pub(crate) fn end(&mut self, store: &mut Store, now: Time) {
        if std::mem::take(&mut self.open) {
            for (labels, _) in self.lines.iter() {
                let _ = store.append(labels, now.as_millis(), stale_marker());
            }
        }
    }
}
