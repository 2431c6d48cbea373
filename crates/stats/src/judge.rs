//! Judging a metric: its [`Recipe`] and what was seen so far ([`State`]) take in a [`Batch`] and say where it stands.
//!
//! The state is plain data of some kilobytes. Every batch is judged once ([`Batch::seq`]) and by itself, so it does not matter how many come at a time, or which process
//! takes them in: the same batches give the same bits.

mod extract;
mod history;
mod part;
mod standing;

pub use history::History;
pub use part::Part;
pub use standing::{Rate, Standing, Verdict};

use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::combine;
use crate::difference::Difference;
use crate::numeric::ln;
use crate::process::Process;
use crate::recipe::{Distribution, Paired, Recipe, Test};
use crate::split::Split;
use crate::two_arm::Line;
use part::{Bet, Seen};

/// Most values of a slice that are watched one by one. Later ones count in the whole only.
const SLICES_MAX: usize = 16;

/// What a metric remembers. Begins with [`State::new`], which needs the recipe that all later calls are made with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The last batch that was judged.
    pub seq: u64,
    /// Batches that were judged.
    pub batches: u64,
    /// End of the last batch, in milliseconds on the rollout's clock.
    pub now_ms: i64,
    /// The weight that passing is about, in the words of who judges.
    pub window: String,
    /// When that weight was first seen.
    pub window_ms: Option<i64>,
    /// Time in batches in which the canary answered, in milliseconds.
    pub(crate) active_ms: i64,
    /// Answers of the canary and of stable.
    pub(crate) answered: (u64, u64),
    /// The comparisons.
    pub parts: Vec<Part>,
    /// What the bets are made from.
    pub history: History,
    /// How much worse the canary is, for the first comparison of two versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) difference: Option<Difference>,
    /// Whether requests are split as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) split: Option<Split>,
}

impl State {
    /// Nothing seen yet. Batches up to `seq` are not for this metric.
    pub fn new(recipe: &Recipe, seq: u64) -> Self {
        let mut state = Self {
            seq,
            batches: 0,
            now_ms: 0,
            window: String::new(),
            window_ms: None,
            active_ms: 0,
            answered: (0, 0),
            parts: Vec::new(),
            history: History::default(),
            difference: None,
            split: None,
        };
        state.add_parts(recipe, None, 1.0);
        state
    }

    /// Whether a state that was kept elsewhere is one of this recipe, and whole.
    pub fn fits(&self, recipe: &Recipe) -> bool {
        let fresh = Self::new(recipe, 0);
        let known = |(own, fresh): (&Part, &Part)| (&own.name, own.bet) == (&fresh.name, fresh.bet);
        let history = &self.history;
        self.parts.len() >= fresh.parts.len()
            && self.parts.iter().zip(&fresh.parts).all(known)
            && self.parts.iter().all(Part::is_sound)
            && self.difference.as_ref().is_none_or(Difference::is_sound)
            && self.split.as_ref().is_none_or(|split| split.fits(2))
            && (history.edges.is_empty() || history.between.len() == history.edges.len() + 1)
    }

    /// Takes in a batch, unless it was judged before. `window` names the weight that the canary is wanted to have: when it changes, passing begins anew.
    pub fn step(&mut self, recipe: &Recipe, batch: &Batch, window: &str) {
        if batch.seq <= self.seq {
            return;
        }
        self.seq = batch.seq;
        if self.window != window {
            window.clone_into(&mut self.window);
            self.window_ms = None;
            self.parts.iter_mut().for_each(Part::begin_window);
        }
        let lasted = batch.end_ms.saturating_sub(batch.start_ms);
        // A clock that was set back says nothing about what happened within.
        if lasted < 0 {
            return;
        }
        self.batches += 1;
        self.now_ms = batch.end_ms;
        self.window_ms.get_or_insert(batch.start_ms);
        let horizon = recipe.budget.horizon_ms.max(1) as f64;
        let restart_mass = Process::RESTART_SHARE * lasted as f64 / horizon;
        let pass_at = recipe.pass_at() + self.pass_penalty(recipe);
        let mut parts = std::mem::take(&mut self.parts);
        let mut first = None;
        for (i, part) in parts.iter_mut().enumerate() {
            if let Some(seen) = extract::seen(recipe, part, &self.history, batch) {
                let seen = part.step(seen, lasted, restart_mass, pass_at);
                if i == 0 {
                    first = Some(seen);
                }
            }
        }
        if let (Some(Seen::Arms(counts)), Some(Bet::Line(line))) = (first, parts.first().map(|part| part.bet))
            && let Some(weight) = counts.realised_weight()
        {
            let fresh = || Difference::new(line.ratio, recipe.budget.alpha);
            self.difference.get_or_insert_with(fresh).step(&counts, weight);
        }
        self.parts = parts;
        self.remember(recipe, batch, lasted);
    }

    /// Passing beyond one of several lines is enough, so each has to be surer.
    fn pass_penalty(&self, recipe: &Recipe) -> f64 {
        match &recipe.test {
            Test::Compare { lines, .. } => ln(lines.len() as f64),
            _ => 0.0,
        }
    }

    fn remember(&mut self, recipe: &Recipe, batch: &Batch, lasted: i64) {
        self.answered.0 += batch.canary.answered;
        self.answered.1 += batch.stable.answered;
        if batch.canary.answered > 0 || batch.pairs.is_some() {
            self.active_ms += lasted;
        }
        let split = batch.split.filter(|(weight, total)| recipe.test.needs_split() && *weight > 0 && weight < total);
        if let Some((weight, total)) = split {
            let expected = [f64::from(weight), f64::from(total - weight)];
            let split = self.split.get_or_insert_with(|| Split::new(&expected));
            split.expect(&expected);
            let (canary, stable) = batch.drawn.unwrap_or((batch.canary.answered, batch.stable.answered));
            split.step(&[canary as f64, stable as f64]);
        }
        match &recipe.test {
            Test::Slower { .. } => self.history.add_latency(&batch.stable),
            Test::Drift { of: Distribution::Classes(named), tolerance } => {
                let new = self.history.add_classes(batch);
                if named.is_empty() {
                    self.watch_classes(&new, *tolerance);
                }
            }
            Test::Drift { of: Distribution::TotalVariation, tolerance } => {
                if !self.history.add_classes(batch).is_empty() {
                    self.watch_all_classes(*tolerance);
                }
            }
            Test::Drift { of: Distribution::Numbers, tolerance } => {
                if self.history.add_numbers(batch) {
                    self.watch_numbers(*tolerance);
                }
            }
            Test::Shadow { of: Paired::Classes, tolerance } => {
                let new = self.history.add_classes(&extract::answers(batch));
                self.watch_paired_classes(&new, *tolerance);
            }
            Test::Compare { .. } | Test::Limit { .. } | Test::Shadow { .. } => {}
        }
        self.watch_slices(recipe, batch);
    }

    /// The comparisons that are known from the recipe alone.
    fn add_parts(&mut self, recipe: &Recipe, slice: Option<&str>, weight: f64) {
        let mut add = |name: String, weight: f64, bet: Bet, place: usize| {
            self.parts.push(Part::new(name, slice.map(str::to_owned), weight, bet, place));
        };
        match &recipe.test {
            Test::Compare { lines, .. } => {
                lines
                    .iter()
                    .enumerate()
                    .for_each(|(i, line)| add(extract::line_name(*line), weight, Bet::Line(*line), i));
            }
            Test::Limit { limit, .. } => add("limit".to_owned(), weight, Bet::Limit(*limit), 0),
            Test::Slower { quantiles, .. } => {
                let each = weight / quantiles.len().max(1) as f64;
                let line = Line { ratio: 1.0, delta: 0.0 };
                let named = quantiles.iter().enumerate();
                named.for_each(|(i, q)| add(extract::quantile_name(*q), each, Bet::Line(line), i));
            }
            Test::Drift { of: Distribution::Classes(named), tolerance } => {
                let each = weight / (2 * named.len().max(1)) as f64;
                let line = Line { ratio: 1.0, delta: *tolerance };
                for (i, class) in named.iter().enumerate() {
                    for (direction, word) in ["up", "down"].into_iter().enumerate() {
                        add(format!("{class} {word}"), each, Bet::Line(line), 2 * i + direction);
                    }
                }
            }
            Test::Drift { of: Distribution::TotalVariation, tolerance } => {
                add("any classes".to_owned(), weight, Bet::Line(Line { ratio: 1.0, delta: *tolerance }), usize::MAX);
            }
            Test::Drift { of: Distribution::Numbers, .. } | Test::Shadow { of: Paired::Classes, .. } => {}
            Test::Shadow { of: Paired::Errors, tolerance } => {
                add("pairs".to_owned(), weight, Bet::Pairs(*tolerance), 0)
            }
            Test::Shadow { of: Paired::Agreement, tolerance } => {
                add("pairs that differ".to_owned(), weight, Bet::Limit(*tolerance), 0);
            }
            // A sign test: of two equal versions either is slower half of the time.
            Test::Shadow { of: Paired::Latency, .. } => add("pairs".to_owned(), weight, Bet::Limit(0.5), 0),
        }
    }

    /// Classes that were not named beforehand: the first to appear gets half of the evidence, the next a sixth, then a twelfth and so on, which is less than
    /// 1 in all however many come.
    fn watch_classes(&mut self, new: &[String], tolerance: f64) {
        let bet = Bet::Line(Line { ratio: 1.0, delta: tolerance });
        self.watch_new_classes(new, bet);
    }

    fn watch_paired_classes(&mut self, new: &[String], tolerance: f64) {
        self.watch_new_classes(new, Bet::Pairs(tolerance));
    }

    fn watch_new_classes(&mut self, new: &[String], bet: Bet) {
        for class in new {
            let place = self.history.classes.iter().position(|(known, ..)| known == class).unwrap_or_default();
            let weight = harmonic(place) / 2.0;
            for (direction, word) in ["up", "down"].into_iter().enumerate() {
                let part = Part::new(format!("{class} {word}"), None, weight, bet, 2 * place + direction);
                self.parts.push(part);
            }
        }
    }

    /// Total variation is within the tolerance when no class moves by more than twice its part of it. Such parts only serve to pass.
    fn watch_all_classes(&mut self, tolerance: f64) {
        self.parts.truncate(1);
        let line = Line { ratio: 1.0, delta: 2.0 * tolerance / self.history.classes.len() as f64 };
        for (i, (class, ..)) in self.history.classes.iter().enumerate() {
            for (direction, word) in ["up", "down"].into_iter().enumerate() {
                self.parts.push(Part::new(format!("{class} {word}"), None, 0.0, Bet::Line(line), 2 * i + direction));
            }
        }
    }

    fn watch_numbers(&mut self, tolerance: f64) {
        let each = 0.5 / self.history.edges.len() as f64;
        let bet = Bet::Line(Line { ratio: 1.0, delta: tolerance });
        for (i, edge) in self.history.edges.iter().enumerate() {
            let bound = crate::sketch::number::bound(*edge);
            for (direction, word) in ["above", "up to"].into_iter().enumerate() {
                self.parts.push(Part::new(format!("{word} {bound:.4}"), None, each, bet, 2 * i + direction));
            }
        }
    }

    /// Values of the slice that were not seen before.
    fn watch_slices(&mut self, recipe: &Recipe, batch: &Batch) {
        let Some(values) = recipe.slice.as_ref().and_then(|slice| batch.slices.get(slice)) else { return };
        for value in values.keys() {
            let mut known: Vec<&str> = self.parts.iter().filter_map(|part| part.slice.as_deref()).collect();
            known.dedup();
            if known.contains(&value.as_str()) || known.len() >= SLICES_MAX {
                continue;
            }
            let weight = harmonic(known.len());
            self.add_parts(recipe, Some(value), weight);
        }
    }

    /// `ln` of the evidence that the canary is worse than tolerated. Half of it is about the slices where there are any.
    pub fn log_e(&self, recipe: &Recipe) -> f64 {
        let whole = self.log_e_of(recipe, None);
        if recipe.slice.is_none() {
            return whole;
        }
        let mut slices: Vec<(&str, f64)> = Vec::new();
        for part in &self.parts {
            if let Some(slice) = part.slice.as_deref().filter(|s| slices.last().is_none_or(|(last, _)| last != s)) {
                slices.push((slice, self.log_e_of(recipe, Some(slice))));
            }
        }
        let mut pieces = vec![(0.5, whole)];
        pieces.extend(slices.iter().enumerate().map(|(i, (_, log_e))| (0.5 * harmonic(i), *log_e)));
        with_rest(pieces)
    }

    /// The same for all requests (`None`) or for one value of the slice.
    pub(crate) fn log_e_of(&self, recipe: &Recipe, slice: Option<&str>) -> f64 {
        let parts = self.parts.iter().filter(|part| part.slice.as_deref() == slice);
        if matches!(recipe.test, Test::Compare { .. }) {
            // Worse than tolerated is beyond every line.
            let log_es: Vec<f64> = parts.map(|part| part.fail.log_e()).collect();
            return combine::minimum(&log_es);
        }
        let scale = if slice.is_some() {
            parts.clone().map(|part| part.weight).sum::<f64>().max(f64::MIN_POSITIVE)
        } else {
            1.0
        };
        with_rest(parts.map(|part| (part.weight / scale, part.fail.log_e())).collect())
    }

    /// Whether everything that has to pass has passed at the present weight.
    pub fn passed(&self, recipe: &Recipe) -> bool {
        let mut parts = self.parts.iter().filter(|part| part.slice.is_none());
        match &recipe.test {
            Test::Compare { .. } => parts.any(|part| part.passed),
            Test::Drift { of: Distribution::TotalVariation, .. } => {
                let mut classes = parts.skip(1).peekable();
                classes.peek().is_some() && classes.all(|part| part.passed)
            }
            _ => {
                let mut parts = parts.peekable();
                parts.peek().is_some() && parts.all(|part| part.passed)
            }
        }
    }

    /// About how many more answers of the canary it takes to pass, if all is as it was so far. `None` when it would not.
    pub fn needed(&self, recipe: &Recipe) -> Option<f64> {
        let pass_at = recipe.pass_at() + self.pass_penalty(recipe);
        let parts = self.parts.iter().filter(|part| part.slice.is_none());
        match &recipe.test {
            Test::Compare { .. } => parts.filter_map(|part| part.needed(pass_at)).reduce(f64::min),
            Test::Drift { of: Distribution::TotalVariation, .. } => most(parts.skip(1), pass_at),
            _ => most(parts, pass_at),
        }
    }

    /// Whether requests are not split as they should be, which makes every comparison void.
    pub fn split_is_wrong(&self, recipe: &Recipe) -> bool {
        self.split.as_ref().is_some_and(|split| split.best_log_e() >= -ln(recipe.budget.alpha))
    }
}

/// What the slowest of the parts needs.
fn most<'a>(parts: impl Iterator<Item = &'a Part>, pass_at: f64) -> Option<f64> {
    parts.map(|part| part.needed(pass_at)).try_fold(None, |most: Option<f64>, needed| {
        let needed = needed?;
        Some(Some(most.map_or(needed, |most| most.max(needed))))
    })?
}

/// 1/2, 1/6, 1/12, …: weights for what comes one after the other, with a sum below 1 however many come.
fn harmonic(index: usize) -> f64 {
    let n = index as f64 + 1.0;
    1.0 / (n * (n + 1.0))
}

/// The weighted mean of evidence whose weights leave something over: that bets on nothing and stays 1.
fn with_rest(mut pieces: Vec<(f64, f64)>) -> f64 {
    let rest = 1.0 - pieces.iter().map(|(weight, _)| weight).sum::<f64>();
    if rest > 1e-12 {
        pieces.push((rest, 0.0));
    }
    combine::weighted_mean(&pieces)
}

/// The metric of a run that fails it, if any: the evidence of all metrics together is enough, and this one gave most of it and has seen enough bad outcomes.
/// The level is that of the strictest of them.
pub fn failing(metrics: &[(&Recipe, &State)]) -> Option<usize> {
    let alpha = metrics.iter().map(|(recipe, _)| recipe.budget.alpha).fold(f64::INFINITY, f64::min);
    let pieces: Vec<(f64, f64)> = metrics.iter().map(|(r, s)| (r.budget.share, s.log_e(r))).collect();
    let joint = ln_sum(&pieces);
    if joint < -ln(alpha) {
        return None;
    }
    let most = (0..pieces.len()).max_by(|a, b| term(pieces[*a]).total_cmp(&term(pieces[*b])))?;
    let (recipe, state) = metrics[most];
    extract::has_enough_bad(recipe, state).then_some(most)
}

fn term((share, log_e): (f64, f64)) -> f64 {
    ln(share) + log_e
}

/// `ln` of the sum of shares of evidence.
fn ln_sum(pieces: &[(f64, f64)]) -> f64 {
    crate::numeric::ln_sum_exp(pieces.iter().map(|piece| term(*piece)))
}

#[cfg(test)]
mod tests;
