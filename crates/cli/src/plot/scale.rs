//! From values to places, and the round values that are written beside an axis.

/// An axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    from: f64,
    to: f64,
    log: bool,
    /// What values are multiplied by to be written.
    factor: f64,
    unit: &'static str,
}

impl Scale {
    /// Even steps. Bounds that are no range are widened.
    pub(crate) fn linear(from: f64, to: f64) -> Self {
        let sound = from.is_finite() && to.is_finite() && to > from;
        let (from, to) = if sound {
            (from, to)
        } else {
            (if from.is_finite() { from } else { 0.0 }, if from.is_finite() { from + 1.0 } else { 1.0 })
        };
        Self { from, to, log: false, factor: 1.0, unit: "" }
    }

    /// Even factors. Values are above 0; those below `from` are drawn there.
    pub(crate) fn log(from: f64, to: f64) -> Self {
        let from = if from.is_finite() { from.max(f64::MIN_POSITIVE) } else { 1.0 };
        let to = if to.is_finite() && to > from { to } else { from * 10.0 };
        Self { from, to, log: true, factor: 1.0, unit: "" }
    }

    /// Shares written as per cent.
    pub(crate) fn percent(self) -> Self {
        Self { factor: 100.0, unit: " %", ..self }
    }

    /// Where a value is between two places; what is beyond the bounds is at the bound.
    pub(crate) fn place(&self, value: f64, first: f64, last: f64) -> f64 {
        let share = match self.log {
            true => (value.max(self.from) / self.from).ln() / (self.to / self.from).ln(),
            false => (value - self.from) / (self.to - self.from),
        };
        let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        first + share * (last - first)
    }

    /// About `count` round values within the bounds, as they are written.
    pub(crate) fn ticks(&self, count: f64) -> Vec<(f64, String)> {
        let values = if self.log { self.powers(count) } else { self.steps(count) };
        values.into_iter().map(|value| (value, format!("{}{}", number(value * self.factor), self.unit))).collect()
    }

    fn steps(&self, count: f64) -> Vec<f64> {
        let raw = (self.to - self.from) / count.max(1.0);
        let power = 10_f64.powf(raw.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|step| *step >= raw * 0.999).unwrap_or(raw);
        let first = (self.from / step).ceil();
        let last = (self.to / step + 1e-9).floor();
        (0..=(last - first).max(0.0) as usize).map(|i| (first + i as f64) * step).collect()
    }

    fn powers(&self, count: f64) -> Vec<f64> {
        let (first, last) = ((self.from.log10() - 1e-9).ceil() as i32, (self.to.log10() + 1e-9).floor() as i32);
        let every = (f64::from(last - first) / count.max(1.0)).ceil().max(1.0) as i32;
        let powers: Vec<f64> = (first..=last).filter(|p| p.rem_euclid(every) == 0).map(|p| 10_f64.powi(p)).collect();
        // Within one decade there are not enough powers.
        if powers.len() >= 2 { powers } else { Self { log: false, ..*self }.steps(count) }
    }
}

/// A number without needless digits.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 1e6 || (size > 0.0 && size < 1e-4) {
        let text = format!("{value:.1e}");
        return text.replace(".0e", "e");
    }
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
