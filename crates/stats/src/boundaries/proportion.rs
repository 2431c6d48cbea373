//! An interval for a proportion that holds at every look.

use super::Mixture;
use crate::numeric::ln;
use crate::special::first_root;

/// The interval for the probability of a success after `successes` of `trials` (above 0) that covers it at every time with probability at least `1 - alpha`, tightest at
/// `trials_best` for the error probability `alpha_best`. Successes may be a sum of outcomes in \[0, 1\].
pub fn proportion_interval(successes: f64, trials: f64, alpha: f64, trials_best: f64, alpha_best: f64) -> (f64, f64) {
    let seen = successes / trials;
    let excess = |p: f64| {
        let mixture = Mixture::beta_binomial_two_sided(p * (1.0 - p) * trials_best, alpha_best, p, 1.0 - p);
        mixture.log_e((seen - p) * trials, p * (1.0 - p) * trials) + ln(alpha)
    };
    let inner = |p: f64| p > 0.0 && p < 1.0;
    let low = if seen > 0.0 { first_root(0.0, seen, |p| if inner(p) { -excess(p) } else { -1.0 }) } else { 0.0 };
    let high = if seen < 1.0 { first_root(seen, 1.0, |p| if inner(p) { excess(p) } else { 1.0 }) } else { 1.0 };
    (low, high)
}
