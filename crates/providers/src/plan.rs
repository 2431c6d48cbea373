//! Queries that are a share of one version's requests, for plans: of those, chance can be told from counts.

use serin_promql::{Quantity, Query, Reads};

/// The range that a query looks back when it is one share of the requests of a version, in milliseconds. `version` stands for the version's hash in the query. `None` for any other
/// query: then nobody can tell how many requests a reading counts.
pub fn share_of(query: &str, version: &str) -> Option<i64> {
    let facts = Query::parse(query).ok()?.facts();
    let [ratio] = facts.ratios.as_slice() else { return None };
    let selects = |reads: &Reads| reads.conditions.iter().any(|condition| condition.value.contains(version));
    let all = |side: &[Reads]| !side.is_empty() && side.iter().all(selects);
    let (range, others) = facts.windows.split_first()?;
    let alike = others.iter().all(|other| other.range_ms == range.range_ms);
    // Shares by label are several shares, and nobody knows how many requests each counts.
    let is_one = facts.quantity == Quantity::Share && facts.apart.is_empty();
    (is_one && alike && all(&ratio.above) && all(&ratio.below)).then_some(range.range_ms)
}

#[cfg(test)]
mod tests {
    use super::share_of;

    #[test]
    fn one_share_of_one_version_is_counted_and_nothing_else() {
        let check = |query: &str, want: Option<i64>| assert_eq!(share_of(query, "v2"), want, "{query}");
        let errors = r#"sum(rate(http_requests_total{hash="v2",status=~"5.."}[2m]))"#;
        let all = r#"sum(rate(http_requests_total{hash="v2"}[2m]))"#;
        check(&format!("{errors} / {all}"), Some(120_000));
        check(&format!("({errors} or vector(0)) / ({all} > 0)"), Some(120_000));
        check(&format!("{errors} / sum(rate(http_requests_total[2m]))"), None);
        check(&format!("{errors} / {}", all.replace("2m", "5m")), None);
        check(&errors.replace("v2", "v1"), None);
        check(&format!("{errors} / {all} - {errors} / {all}"), None);
        check("histogram_quantile(0.95, sum by (le) (rate(s_bucket{hash=\"v2\"}[2m])))", None);
        check("not a query (", None);
    }
}
