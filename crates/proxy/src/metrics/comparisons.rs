//! The metrics of what comparisons are made of: weights, visitors, slices and pairs.

use std::fmt::{Display, Write};

use super::escaped;
use crate::prediction::OTHER;
use crate::report::{Counts, PairCounts, SliceCounts, Snapshot, Transition};

/// Renders what there is; a proxy that is told to record none of it has no such metrics.
pub(super) fn render(snapshot: &Snapshot, out: &mut String) {
    weights(&snapshot.versions, out);
    if snapshot.versions.iter().any(|c| c.units.count > 0) {
        units(&snapshot.versions, out);
    }
    if !snapshot.slices.is_empty() {
        slices(&snapshot.slices, out);
    }
    if !snapshot.pairs.is_empty() {
        pairs(&snapshot.pairs, out);
    }
}

fn weights(versions: &[Counts], out: &mut String) {
    let labels = |c: &Counts| labels(&[("route", &c.route), ("version", &c.version)]);
    family(out, "drawn_total", "counter", "Requests that the weights gave to this version.");
    versions.iter().for_each(|c| line(out, "drawn_total", &labels(c), c.drawn));
    family(out, "weight_ratio", "gauge", "Share of the requests that the weights decide, by the table in force.");
    for c in versions {
        if let Some(weight) = c.weight {
            line(out, "weight_ratio", &labels(c), f64::from(weight.weight) / weight.total as f64);
        }
    }
}

fn units(versions: &[Counts], out: &mut String) {
    // A summary without quantiles is the type that has a sum and a count.
    family(out, "unit_failed_ratio", "summary", "Visitors by the share of their requests that got a server error.");
    for c in versions {
        let labels = labels(&[("route", &c.route), ("version", &c.version)]);
        line(out, "unit_failed_ratio_sum", &labels, c.units.bad_sum);
        line(out, "unit_failed_ratio_count", &labels, c.units.count);
    }
}

fn slices(slices: &[SliceCounts], out: &mut String) {
    let labels = |s: &SliceCounts| {
        labels(&[("route", &s.route), ("version", &s.version), ("slice", &s.slice), ("value", &s.value)])
    };
    family(out, "slice_requests_total", "counter", "Answers by the value of a slice.");
    slices.iter().for_each(|s| line(out, "slice_requests_total", &labels(s), s.answered));
    family(out, "slice_errors_total", "counter", "Server errors by the value of a slice.");
    slices.iter().for_each(|s| line(out, "slice_errors_total", &labels(s), s.server_error));
}

fn pairs(pairs: &[PairCounts], out: &mut String) {
    let labels = |p: &PairCounts, name: &str, value: &str| {
        labels(&[("route", &p.route), ("version", &p.stable), ("mirror", &p.canary), (name, value)])
    };
    family(out, "pairs_total", "counter", "Copied requests by which of their two answers were bad.");
    for p in pairs {
        let e = &p.errors;
        let outcomes = [
            ("both_ok", e.both_ok),
            ("canary_bad", e.canary_bad),
            ("stable_bad", e.stable_bad),
            ("both_bad", e.both_bad),
        ];
        outcomes.iter().for_each(|(outcome, n)| line(out, "pairs_total", &labels(p, "outcome", outcome), n));
    }
    family(out, "pairs_incomplete_total", "counter", "Copied requests that made no pair.");
    for p in pairs {
        p.incomplete.iter().for_each(|(why, n)| line(out, "pairs_incomplete_total", &labels(p, "reason", why), n));
    }
    family(out, "pair_predictions_total", "counter", "Pairs by whether their two answers predict the same class.");
    for p in pairs {
        // Two classes beyond those with a name may be the same or not.
        let is_unknown = |t: &&Transition| t.stable == OTHER && t.canary == OTHER;
        let sum =
            |takes: &dyn Fn(&&Transition) -> bool| p.transitions.iter().filter(takes).map(|t| t.count).sum::<u64>();
        let same = sum(&|t| t.stable == t.canary && !is_unknown(t));
        for (value, n) in
            [("true", same), ("false", sum(&|t| t.stable != t.canary)), ("unknown", sum(&|t| is_unknown(t)))]
        {
            line(out, "pair_predictions_total", &labels(p, "same", value), n);
        }
    }
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = write!(out, "# HELP serin_router_{name} {help}\n# TYPE serin_router_{name} {kind}\n");
}

fn labels(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    pairs.join(",")
}

fn line(out: &mut String, name: &str, labels: &str, value: impl Display) {
    let _ = writeln!(out, "serin_router_{name}{{{labels}}} {value}");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::report::{PairErrors, Units, Weight};

    #[test]
    fn what_is_recorded_reads_as_prometheus_text() {
        let step =
            |stable: &str, canary: &str, count| Transition { stable: stable.into(), canary: canary.into(), count };
        let snapshot = Snapshot {
            versions: vec![Counts {
                route: "r".into(),
                version: "v".into(),
                drawn: 7,
                weight: Some(Weight { weight: 20, total: 80, steady: false }),
                units: Units { count: 4, bad_sum: 1.5, ..Units::default() },
                ..Counts::default()
            }],
            slices: vec![SliceCounts {
                route: "r".into(),
                version: "v".into(),
                slice: "country".into(),
                value: "a\"t".into(),
                answered: 3,
                server_error: 1,
                ..SliceCounts::default()
            }],
            pairs: vec![PairCounts {
                route: "r".into(),
                stable: "v".into(),
                canary: "w".into(),
                errors: PairErrors { both_ok: 5, canary_bad: 2, ..PairErrors::default() },
                transitions: vec![step("a", "a", 3), step("a", "b", 1), step(OTHER, OTHER, 9), step("b", OTHER, 4)],
                incomplete: BTreeMap::from([("busy".into(), 6)]),
                ..PairCounts::default()
            }],
            ..Snapshot::default()
        };
        let text = super::super::render(&snapshot);
        for line in [
            r#"serin_router_drawn_total{route="r",version="v"} 7"#,
            r#"serin_router_weight_ratio{route="r",version="v"} 0.25"#,
            r#"serin_router_unit_failed_ratio_sum{route="r",version="v"} 1.5"#,
            r#"serin_router_unit_failed_ratio_count{route="r",version="v"} 4"#,
            r#"serin_router_slice_requests_total{route="r",version="v",slice="country",value="a\"t"} 3"#,
            r#"serin_router_slice_errors_total{route="r",version="v",slice="country",value="a\"t"} 1"#,
            r#"serin_router_pairs_total{route="r",version="v",mirror="w",outcome="both_ok"} 5"#,
            r#"serin_router_pairs_total{route="r",version="v",mirror="w",outcome="canary_bad"} 2"#,
            r#"serin_router_pairs_total{route="r",version="v",mirror="w",outcome="both_bad"} 0"#,
            r#"serin_router_pairs_incomplete_total{route="r",version="v",mirror="w",reason="busy"} 6"#,
            r#"serin_router_pair_predictions_total{route="r",version="v",mirror="w",same="true"} 3"#,
            r#"serin_router_pair_predictions_total{route="r",version="v",mirror="w",same="false"} 5"#,
            r#"serin_router_pair_predictions_total{route="r",version="v",mirror="w",same="unknown"} 9"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert!(text.lines().all(|l| l.starts_with("# ") || l.starts_with("serin_router_")));
    }
}
