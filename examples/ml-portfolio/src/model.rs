//! A release of a service: what it learnt and how it answers.

mod floor;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use floor::{Floor, floor};

use crate::PortfolioError;
use crate::data::{Example, held_out};
use crate::features::{FeatureError, Side, features, width};
use crate::learn::{Features, Learner, logistic, probability, quality, rounded, trees};
use crate::row::Row;
use crate::service::Service;
use crate::version::Version;

/// A trained model of one service and release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    service: Service,
    version: Version,
    /// Scores at and above it are the positive class.
    threshold: f64,
    /// Added to the learner's log-odds, because it saw fewer rows of the positive class than there are.
    offset: f64,
    learner: Learner,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Probability of the positive class, 0 to 1.
    pub score: f64,
    /// Whether the answer is the positive class.
    pub positive: bool,
}

/// What a model does to the rows it never saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// Number of rows.
    pub rows: usize,
    /// Share of right answers among those answered.
    pub accuracy: f64,
    /// Area under the ROC curve, of those answered.
    pub auc: f64,
    /// Share of the positive class among the answers.
    pub positive: f64,
    /// Share of rows without an answer.
    pub failing: f64,
}

impl Model {
    /// Learns from the rows that are not held out. Equal rows give the same model on every machine.
    pub fn train(service: Service, version: Version, examples: &[Example]) -> Self {
        let known = examples.iter().filter(|e| !e.held_out);
        // Rows that a release cannot turn into numbers are left out here without a word. That is how v3.3.0 and v4.0.0 came to be.
        let rows: Vec<(Features, bool)> =
            known.filter_map(|e| Some((features(&e.row, version, Side::Training).ok()?, e.label))).collect();
        let sampling = sampling(service, version);
        let learner =
            if sampling == 1 { fit(service, version, &rows) } else { fit(service, version, &sampled(&rows, sampling)) };
        let offset = rounded(libm::log(sampling as f64));
        let mut model = Self { service, version, threshold: 0.5, offset, learner };
        let scored: Vec<(f64, bool)> = rows.iter().map(|(f, y)| (model.score(f, Side::Training), *y)).collect();
        model.threshold = rounded(quality::operating_point(&scored));
        model
    }

    /// The service it belongs to.
    pub fn service(&self) -> Service {
        self.service
    }

    /// The release it is.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Answers a row.
    ///
    /// # Errors
    /// When the release cannot make its features of this row.
    pub fn predict(&self, row: &Row) -> Result<Prediction, FeatureError> {
        let features = features(row, self.version, Side::Serving)?;
        let score = self.score(&features, Side::Serving);
        Ok(Prediction { score, positive: score >= self.threshold })
    }

    /// The probability of the positive class. The two sides differ where v3.4.0 went wrong.
    fn score(&self, features: &Features, side: Side) -> f64 {
        let log_odds = self.learner.log_odds(features);
        match (self.service, self.version, side) {
            // The serving code does not know that the model was trained on a sample, and leaves the odds as they come.
            (Service::Tip, Version::Misscaled, Side::Serving) => probability(log_odds),
            // The serving code squashes the model's output, which the model's last layer has squashed already.
            (Service::Sentiment, Version::Misscaled, Side::Serving) => probability(probability(log_odds)),
            _ => probability(log_odds + self.offset),
        }
    }

    /// Measures it on the rows that are held out.
    pub fn report(&self, examples: &[Example]) -> Report {
        let answers: Vec<(Option<Prediction>, bool)> =
            held_out(examples).map(|e| (self.predict(&e.row).ok(), e.label)).collect();
        let answered: Vec<(Prediction, bool)> = answers.iter().filter_map(|(p, y)| Some(((*p)?, *y))).collect();
        let share = |count: usize, of: usize| count as f64 / of as f64;
        let scored: Vec<(f64, bool)> = answered.iter().map(|(p, y)| (p.score, *y)).collect();
        Report {
            rows: answers.len(),
            accuracy: share(answered.iter().filter(|(p, y)| p.positive == *y).count(), answered.len()),
            auc: quality::auc(&scored),
            positive: share(answered.iter().filter(|(p, _)| p.positive).count(), answered.len()),
            failing: share(answers.len() - answered.len(), answers.len()),
        }
    }
}

/// Of how many rows of the positive class training sees one. Tips are so common that v3.4.0 drops most of them.
fn sampling(service: Service, version: Version) -> usize {
    if (service, version) == (Service::Tip, Version::Misscaled) { 4 } else { 1 }
}

/// All rows of the negative class and one in `sampling` of the others.
fn sampled(rows: &[(Features, bool)], sampling: usize) -> Vec<(Features, bool)> {
    let (positive, mut kept): (Vec<_>, Vec<_>) = rows.iter().cloned().partition(|(_, y)| *y);
    kept.extend(positive.into_iter().step_by(sampling));
    kept
}

fn fit(service: Service, version: Version, rows: &[(Features, bool)]) -> Learner {
    match (service, version) {
        (Service::Sentiment, _) => {
            let settings = logistic::Settings { epochs: 12, rate: 0.5, decay: 1e-5 };
            Learner::Logistic(logistic::Logistic::fit(rows, width(version), settings))
        }
        (_, Version::Baseline) => {
            let settings = logistic::Settings { epochs: 15, rate: 0.2, decay: 1e-5 };
            Learner::Logistic(logistic::Logistic::fit(rows, dense_width(rows), settings))
        }
        _ => {
            let dense: Vec<(&[f64], bool)> = rows
                .iter()
                .filter_map(|(f, y)| if let Features::Dense(v) = f { Some((v.as_slice(), *y)) } else { None })
                .collect();
            let settings = match version {
                Version::Outgrown | Version::Major => trees::Settings { trees: 80, depth: 5, rate: 0.1, leaf: 4.0 },
                _ => trees::Settings { trees: 60, depth: 3, rate: 0.1, leaf: 6.0 },
            };
            Learner::Trees(trees::Trees::fit(&dense, settings))
        }
    }
}

fn dense_width(rows: &[(Features, bool)]) -> usize {
    rows.iter().map(|(f, _)| if let Features::Dense(v) = f { v.len() } else { 0 }).max().unwrap_or(0)
}

/// Where the model of a service and release is kept in a folder.
pub fn path(dir: &Path, service: Service, version: Version) -> PathBuf {
    dir.join(format!("{service}-{version}.json"))
}

/// The model from its file; nothing when there is no such file.
///
/// # Errors
/// When the file cannot be read or holds something else.
pub fn load(dir: &Path, service: Service, version: Version) -> Result<Option<Model>, PortfolioError> {
    let path = path(dir, service, version);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(PortfolioError::Read { path, source }),
    };
    let wrong = |message: String| PortfolioError::Model { path: path.clone(), message };
    let model: Model = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    if (model.service, model.version) != (service, version) {
        return Err(wrong(format!("it holds {} {}", model.service, model.version)));
    }
    if matches!(&model.learner, Learner::Trees(trees) if !trees.is_sound()) {
        return Err(wrong("a tree is not well formed".to_owned()));
    }
    Ok(Some(model))
}

/// Writes the model's file. It is whole or not there: a reader never sees half of it.
///
/// # Errors
/// When the folder cannot be made or the file not written.
pub fn save(dir: &Path, model: &Model) -> Result<PathBuf, PortfolioError> {
    let path = path(dir, model.service, model.version);
    let partial = dir.join(format!(".{}-{}.{}.partial", model.service, model.version, std::process::id()));
    let text = serde_json::to_string(model)
        .map_err(|e| PortfolioError::Model { path: path.clone(), message: e.to_string() })?;
    let write = || {
        std::fs::create_dir_all(dir)?;
        std::fs::write(&partial, text)?;
        std::fs::File::open(&partial)?.sync_all()?;
        std::fs::rename(&partial, &path)
    };
    write().map_err(|source| PortfolioError::Write { path: path.clone(), source })?;
    Ok(path)
}
