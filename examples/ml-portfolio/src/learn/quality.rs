//! How good a model is.

/// Share of the pairs (positive, negative) that the scores put in the right order; ties count half. One half is a coin.
/// `NaN` when one class is missing.
pub fn auc(scored: &[(f64, bool)]) -> f64 {
    let mut scored = scored.to_vec();
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positive = scored.iter().filter(|(_, y)| *y).count() as f64;
    let negative = scored.len() as f64 - positive;
    let (mut before, mut pairs) = (0.0, 0.0);
    for tied in scored.chunk_by(|a, b| a.0 == b.0) {
        let ones = tied.iter().filter(|(_, y)| *y).count() as f64;
        let zeros = tied.len() as f64 - ones;
        pairs += ones * (before + zeros / 2.0);
        before += zeros;
    }
    pairs / (positive * negative)
}

/// The score at and above which as many rows lie as are positive.
pub fn operating_point(scored: &[(f64, bool)]) -> f64 {
    let mut scores: Vec<f64> = scored.iter().map(|(s, _)| *s).collect();
    scores.sort_by(f64::total_cmp);
    let positive = scored.iter().filter(|(_, y)| *y).count();
    let at = scores.len().saturating_sub(positive.max(1));
    scores.get(at).copied().unwrap_or(0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auc_counts_ordered_pairs() {
        assert_eq!(auc(&[(0.1, false), (0.9, true)]), 1.0);
        assert_eq!(auc(&[(0.9, false), (0.1, true)]), 0.0);
        assert_eq!(auc(&[(0.5, false), (0.5, true)]), 0.5);
        // Pairs: (0.4 over 0.1) and not (0.4 over 0.7), (0.8 over both): 3 of 4.
        assert_eq!(auc(&[(0.1, false), (0.4, true), (0.7, false), (0.8, true)]), 0.75);
        assert!(auc(&[(0.5, true)]).is_nan());
    }

    #[test]
    fn the_operating_point_lets_as_many_through_as_are_positive() {
        let scored = [(0.9, true), (0.8, false), (0.3, true), (0.2, false), (0.1, false)];
        assert_eq!(operating_point(&scored), 0.8);
        assert_eq!(scored.iter().filter(|(s, _)| *s >= 0.8).count(), 2);
    }
}
