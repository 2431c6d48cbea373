//! Whether labels come for both versions alike. The comparison is valid only if what is labelled does not depend on which version predicted.

use std::collections::BTreeSet;

use super::{Arms, Predictions};

/// Predictions of a version from which the share of labelled ones says something.
const PREDICTIONS_MIN: u64 = 100;

/// Standard errors that two shares are apart before anything is said: chance does that once in 15,000 looks that have nothing to do with each other.
const ERRORS_APART: f64 = 4.0;

/// Points that they are apart before anything is said: less bends a comparison by less than a usual tolerance.
const APART_MIN: f64 = 0.1;

/// A sentence, if labels came for one version far more than for the other. Only predictions up to the newest labelled one are looked at: truth
/// takes its time, and what was predicted just now has none yet.
pub(super) fn doubt(kept: &Predictions, labelled: &BTreeSet<String>, arms: Arms<'_>) -> Option<String> {
    let newest = kept.iter().rposition(|kept| labelled.contains(&*kept.id))?;
    let (mut canary, mut stable) = ((0u64, 0u64), (0u64, 0u64));
    for kept in kept.iter().take(newest + 1) {
        let (all, known) = match &*kept.version {
            version if version == arms.canary => &mut canary,
            version if version == arms.stable => &mut stable,
            _ => continue,
        };
        *all += 1;
        *known += u64::from(labelled.contains(&*kept.id));
    }
    differ(canary, stable).then(|| {
        let share = |(all, known): (u64, u64)| 100.0 * known as f64 / all as f64;
        format!(
            "labels came for {:.0} % of the canary's predictions and {:.0} % of stable's: if the version decides what is labelled, the comparison says nothing",
            share(canary),
            share(stable)
        )
    })
}

/// Whether two shares, each as all and those that count, differ a lot.
fn differ(first: (u64, u64), second: (u64, u64)) -> bool {
    if first.0 < PREDICTIONS_MIN || second.0 < PREDICTIONS_MIN {
        return false;
    }
    let (n, m) = (first.0 as f64, second.0 as f64);
    let (p, q) = (first.1 as f64 / n, second.1 as f64 / m);
    let pooled = (first.1 + second.1) as f64 / (n + m);
    let error = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    (p - q).abs() > APART_MIN && (p - q).abs() > ERRORS_APART * error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_differ_when_it_is_neither_chance_nor_little() {
        assert!(!differ((1000, 480), (4000, 2000)), "chance");
        assert!(differ((1000, 100), (4000, 2000)));
        assert!(differ((1000, 500), (4000, 0)));
        assert!(!differ((99, 0), (4000, 4000)), "too few to tell");
        assert!(!differ((100_000, 50_000), (100_000, 45_000)), "no chance, but little");
        assert!(!differ((100, 12), (100, 30)), "three errors apart");
    }
}
