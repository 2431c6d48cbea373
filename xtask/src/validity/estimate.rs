//! What many runs say: shares and means with their standard errors.

/// How many of some runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// Those of which something is true.
    pub(crate) hits: u64,
    /// All.
    pub(crate) runs: u64,
}

impl Share {
    /// Counts one run.
    pub(crate) fn add(&mut self, hit: bool) {
        self.hits += u64::from(hit);
        self.runs += 1;
    }

    /// The share, 0 to 1; 0 of none.
    pub(crate) fn value(self) -> f64 {
        self.hits as f64 / self.runs.max(1) as f64
    }

    /// Its standard error.
    pub(crate) fn error(self) -> f64 {
        (self.value() * (1.0 - self.value()) / self.runs.max(1) as f64).sqrt()
    }

    /// The most that it may be where the probability is at most `level`: three standard errors more.
    pub(crate) fn bound(self, level: f64) -> f64 {
        level + 3.0 * (level * (1.0 - level) / self.runs.max(1) as f64).sqrt()
    }
}

/// Numbers of many runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Numbers(Vec<f64>);

impl Numbers {
    /// Adds that of a run.
    pub(crate) fn add(&mut self, number: f64) {
        self.0.push(number);
    }

    /// The mean; `None` of nothing.
    pub(crate) fn mean(&self) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.iter().sum::<f64>() / self.0.len() as f64)
    }

    /// The standard error of the mean; 0 of fewer than two.
    pub(crate) fn error(&self) -> f64 {
        let (Some(mean), n) = (self.mean(), self.0.len() as f64) else { return 0.0 };
        let squares: f64 = self.0.iter().map(|x| (x - mean) * (x - mean)).sum();
        if n < 2.0 { 0.0 } else { (squares / (n - 1.0) / n).sqrt() }
    }

    /// A quantile, `q` from 0 to 1; `None` of nothing.
    pub(crate) fn quantile(&self, q: f64) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let place = (q * sorted.len() as f64).ceil() as usize;
        sorted.get(place.saturating_sub(1)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_means_with_their_errors() {
        let share = Share { hits: 100, runs: 10_000 };
        assert_eq!(share.value(), 0.01);
        assert!((share.error() - 0.000_995).abs() < 1e-6);
        assert!((share.bound(0.01) - 0.012_985).abs() < 1e-6);
        let numbers = Numbers(vec![4.0, 1.0, 2.0, 3.0, 5.0]);
        assert_eq!((numbers.mean(), numbers.quantile(0.5), numbers.quantile(0.95)), (Some(3.0), Some(3.0), Some(5.0)));
        assert!((numbers.error() - 0.5f64.sqrt()).abs() < 1e-12);
        assert_eq!((Numbers::default().mean(), Numbers::default().quantile(0.5)), (None, None));
    }
}
