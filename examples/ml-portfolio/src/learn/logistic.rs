//! Logistic regression by stochastic gradient descent with a step size per weight (AdaGrad).

use serde::{Deserialize, Serialize};

use super::{Features, Shuffle, probability, rounded};

/// Weights, and for dense features the scale they were learnt on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logistic {
    bias: f64,
    weights: Vec<f64>,
    /// Mean and standard deviation of each dense feature; empty for sparse ones.
    scale: Vec<(f64, f64)>,
}

/// How to learn.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Times over all rows.
    pub epochs: usize,
    /// First step size.
    pub rate: f64,
    /// Pull of weights to zero, per row.
    pub decay: f64,
}

impl Logistic {
    /// Learns from rows. `width` is the number of weights; sparse indices are below it.
    pub fn fit(rows: &[(Features, bool)], width: usize, settings: Settings) -> Self {
        let mut model = Self { bias: 0.0, weights: vec![0.0; width], scale: scale(rows) };
        let rows: Vec<(Vec<(u32, f64)>, bool)> = rows.iter().map(|(f, y)| (model.scaled(f), *y)).collect();
        // One place more than there are weights: the bias takes steps like the others.
        let mut seen = vec![1e-8; width + 1];
        let mut order: Vec<usize> = (0..rows.len()).collect();
        let mut shuffle = Shuffle::new(1);
        for _ in 0..settings.epochs {
            shuffle.shuffle(&mut order);
            for &i in &order {
                let (features, label) = &rows[i];
                let error = probability(model.sum(features)) - f64::from(u8::from(*label));
                for &(index, value) in features {
                    let weight = &mut model.weights[index as usize];
                    *weight -= step(&mut seen[index as usize], error * value + settings.decay * *weight, settings.rate);
                }
                model.bias -= step(&mut seen[width], error, settings.rate);
            }
        }
        model.weights.iter_mut().chain([&mut model.bias]).for_each(|w| *w = rounded(*w));
        model
    }

    /// Log-odds of the positive class.
    pub fn log_odds(&self, features: &Features) -> f64 {
        self.sum(&self.scaled(features))
    }

    fn sum(&self, features: &[(u32, f64)]) -> f64 {
        features.iter().fold(self.bias, |sum, (i, v)| sum + self.weights.get(*i as usize).unwrap_or(&0.0) * v)
    }

    fn scaled(&self, features: &Features) -> Vec<(u32, f64)> {
        match features {
            Features::Sparse(pairs) => pairs.clone(),
            Features::Dense(values) => {
                let scaled = values.iter().zip(&self.scale).map(|(v, (mean, deviation))| (v - mean) / deviation);
                (0..).zip(scaled).collect()
            }
        }
    }
}

fn step(seen: &mut f64, gradient: f64, rate: f64) -> f64 {
    *seen += gradient * gradient;
    rate * gradient / seen.sqrt()
}

/// Mean and standard deviation of each dense feature; a constant feature keeps its size.
fn scale(rows: &[(Features, bool)]) -> Vec<(f64, f64)> {
    let dense: Vec<&Vec<f64>> =
        rows.iter().filter_map(|(f, _)| if let Features::Dense(v) = f { Some(v) } else { None }).collect();
    let count = dense.len() as f64;
    let width = dense.first().map_or(0, |v| v.len());
    (0..width)
        .map(|i| {
            let mean = dense.iter().map(|v| v[i]).sum::<f64>() / count;
            let variance = dense.iter().map(|v| (v[i] - mean) * (v[i] - mean)).sum::<f64>() / count;
            (rounded(mean), if variance > 1e-9 { rounded(variance.sqrt()) } else { 1.0 })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learns_a_line() {
        // Positive exactly when the first feature exceeds the second, on a grid of 21 by 21.
        let grid = (0..441).map(|i| (f64::from(i % 21), f64::from(i / 21)));
        let rows: Vec<(Features, bool)> =
            grid.filter(|(a, b)| a != b).map(|(a, b)| (Features::Dense(vec![a, b]), a > b)).collect();
        let model = Logistic::fit(&rows, 2, Settings { epochs: 20, rate: 0.3, decay: 0.0 });
        let right = rows.iter().filter(|(f, y)| (model.log_odds(f) > 0.0) == *y).count();
        assert!(right as f64 / rows.len() as f64 > 0.97, "{right} of {}", rows.len());
    }
}
