//! What a metric remembers of earlier batches, so that its bets are made before the batch they are settled by.

use serde::{Deserialize, Serialize};

use crate::batch::{Arm, Batch};

/// Answers from which stable's latency quantile is worth comparing with.
const LATENCIES_MIN: u64 = 100;
/// Answers beyond which old latencies count half, so that the quantile follows the load.
const LATENCIES_MAX: u64 = 20_000;
/// Numbers of stable that fix the quantiles at which numbers are compared: twenty a bin.
const NUMBERS_MIN: u64 = 320;
/// Bins of equal mass that numbers are compared in.
pub(crate) const NUMBER_BINS: usize = 16;
/// Most classes that are told apart; the rest are one.
pub(crate) const CLASSES_MAX: usize = 20;
/// The class of what is not told apart.
pub(crate) const OTHER: &str = "other";

/// Sums over earlier batches. Plain data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct History {
    /// Stable's latencies by bin, those of long ago counted less.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub latency: Vec<(u16, u64)>,
    /// Classes in the order of their appearance, with the predictions of the canary and of stable.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<(String, u64, u64)>,
    /// Stable's numbers by bin, until the quantiles are fixed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<(i16, u64)>,
    /// The bins at whose upper bound numbers are compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<i16>,
    /// Numbers of the canary and of stable between those bounds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub between: Vec<(u64, u64)>,
}

impl History {
    /// Takes in stable's latencies.
    pub(crate) fn add_latency(&mut self, stable: &Arm) {
        add(&mut self.latency, &stable.latency);
        if self.latency.iter().map(|(_, n)| n).sum::<u64>() > LATENCIES_MAX {
            self.latency.iter_mut().for_each(|(_, n)| *n /= 2);
            self.latency.retain(|(_, n)| *n > 0);
        }
    }

    /// The bin of stable's latency at a quantile, once enough is known.
    pub(crate) fn latency_bin(&self, quantile: f64) -> Option<usize> {
        let total: u64 = self.latency.iter().map(|(_, n)| n).sum();
        if total < LATENCIES_MIN {
            return None;
        }
        crate::sketch::latency::quantile_us(&self.latency, quantile).map(crate::sketch::latency::bin)
    }

    /// Takes in predicted classes; returns those that were never seen before.
    pub(crate) fn add_classes(&mut self, batch: &Batch) -> Vec<String> {
        let mut new = Vec::new();
        for (arm, is_canary) in [(&batch.stable, false), (&batch.canary, true)] {
            for (class, n) in &arm.classes {
                let place = self.place(class, &mut new);
                let (_, canary, stable) = &mut self.classes[place];
                *(if is_canary { canary } else { stable }) += n;
            }
        }
        new
    }

    /// Where a class is counted: under its own name, or among the others when there are too many.
    fn place(&mut self, class: &str, new: &mut Vec<String>) -> usize {
        let known = |classes: &[(String, u64, u64)], name: &str| classes.iter().position(|(known, ..)| known == name);
        if let Some(place) = known(&self.classes, class) {
            return place;
        }
        let class = if self.classes.len() < CLASSES_MAX { class } else { OTHER };
        known(&self.classes, class).unwrap_or_else(|| {
            self.classes.push((class.to_owned(), 0, 0));
            new.push(class.to_owned());
            self.classes.len() - 1
        })
    }

    /// How many predictions of an arm are of this class, counted as [`History::add_classes`] counts them.
    pub(crate) fn count(&self, arm: &Arm, class: &str) -> u64 {
        if class != OTHER {
            return arm.classes.get(class).copied().unwrap_or(0);
        }
        let named = |name: &String| name != OTHER && self.classes.iter().any(|(known, ..)| known == name);
        arm.classes.iter().filter(|(name, _)| !named(name)).map(|(_, n)| n).sum()
    }

    /// The classes of which the canary had a larger share so far, and by how much in all, drawn towards 0 while little is known.
    pub(crate) fn risen(&self) -> (Vec<&str>, f64) {
        let total = |of: fn(&(String, u64, u64)) -> u64| self.classes.iter().map(of).sum::<u64>() as f64;
        let (canary, stable) = (total(|c| c.1), total(|c| c.2));
        if canary < 1.0 || stable < 1.0 {
            return (Vec::new(), 0.0);
        }
        let excess = |class: &&(String, u64, u64)| class.1 as f64 / canary - class.2 as f64 / stable;
        let risen: Vec<_> = self.classes.iter().filter(|class| excess(class) > 0.0).collect();
        let sum: f64 = risen.iter().map(excess).sum();
        (risen.iter().map(|class| class.0.as_str()).collect(), sum * canary / (canary + 50.0))
    }

    /// Takes in predicted numbers; returns whether the quantiles were fixed by it.
    pub(crate) fn add_numbers(&mut self, batch: &Batch) -> bool {
        if !self.edges.is_empty() {
            for (arm, is_canary) in [(&batch.canary, true), (&batch.stable, false)] {
                for (bin, n) in &arm.numbers {
                    let (canary, stable) = &mut self.between[self.edges.partition_point(|edge| edge < bin)];
                    *(if is_canary { canary } else { stable }) += n;
                }
            }
            return false;
        }
        add(&mut self.numbers, &batch.stable.numbers);
        let total: u64 = self.numbers.iter().map(|(_, n)| n).sum();
        if total < NUMBERS_MIN {
            return false;
        }
        let mut seen = 0;
        for (bin, n) in &self.numbers {
            seen += n;
            let next = (self.edges.len() + 1) as u64;
            // Numbers that are often the same make fewer bins.
            if seen * NUMBER_BINS as u64 >= next * total && seen < total {
                self.edges.push(*bin);
            }
        }
        if self.edges.is_empty() {
            // All numbers were one: anything above or below it is news.
            self.edges.extend(self.numbers.first().map(|(bin, _)| *bin));
        }
        self.numbers = Vec::new();
        self.between = vec![(0, 0); self.edges.len() + 1];
        true
    }
}

/// Adds sorted counts by bin.
fn add<B: Copy + Ord>(sum: &mut Vec<(B, u64)>, more: &[(B, u64)]) {
    for (bin, n) in more {
        match sum.binary_search_by_key(bin, |(bin, _)| *bin) {
            Ok(place) => sum[place].1 += n,
            Err(place) => sum.insert(place, (*bin, *n)),
        }
    }
}
