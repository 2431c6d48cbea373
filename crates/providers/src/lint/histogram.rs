//! Buckets of the one histogram that is known: that of our own router.

use serin_promql::Quantity;
use serin_spec::Problem;

use super::Found;

/// What the names of the router's metrics begin with.
pub(super) const ROUTER_METRICS: &str = "serin_router_";

/// The series of the router's histograms of latencies: of users' requests and of copies.
pub const ROUTER_BUCKETS: [&str; 2] =
    ["serin_router_request_duration_seconds_bucket", "serin_router_mirror_request_duration_seconds_bucket"];

/// The finite bounds of these buckets, in seconds.
pub const ROUTER_BUCKETS_S: [f64; 13] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The lowest and the highest finite bound of a histogram's buckets, where they are known.
pub(super) fn bounds(metric: &str) -> Option<(f64, f64)> {
    ROUTER_BUCKETS.contains(&metric).then_some((ROUTER_BUCKETS_S[0], ROUTER_BUCKETS_S[ROUTER_BUCKETS_S.len() - 1]))
}

/// The bounds on either side of a number that is none; 0 stands below the first.
fn around(seconds: f64) -> Option<(f64, f64)> {
    let above = ROUTER_BUCKETS_S.iter().position(|bound| *bound >= seconds)?;
    let below = above.checked_sub(1).map_or(0.0, |below| ROUTER_BUCKETS_S[below]);
    (seconds > 0.0 && ROUTER_BUCKETS_S[above] != seconds).then_some((below, ROUTER_BUCKETS_S[above]))
}

impl Found<'_> {
    /// Buckets that do not exist, and limits between two that do.
    pub(super) fn buckets(&self, problems: &mut Vec<Problem>) {
        let router = |metric: &str| ROUTER_BUCKETS.contains(&metric);
        for reads in self.facts.reads.iter().filter(|reads| router(&reads.metric)) {
            let bounds = reads.conditions.iter().filter(|condition| condition.label == "le" && !condition.negated);
            for bound in bounds {
                let Ok(number) = bound.value.parse::<f64>() else { continue };
                let spelled = ROUTER_BUCKETS_S.iter().any(|known| known.to_string() == bound.value);
                if spelled || bound.value == "+Inf" {
                    continue;
                }
                let message = format!("the router has no bucket {}, so the selector finds nothing", bound.value);
                let hint = match around(number) {
                    Some((below, above)) if below > 0.0 => format!("its bounds around it are {below} and {above}"),
                    _ => format!("its bounds are {}", ROUTER_BUCKETS_S.map(|bound| bound.to_string()).join(", ")),
                };
                problems.push(self.problem("no-such-bucket", (reads.start, reads.end), message, &hint));
            }
        }
        let in_a_second = match self.facts.quantity {
            Quantity::Seconds => 1.0,
            Quantity::Milliseconds => 1000.0,
            _ => return,
        };
        if self.facts.reads.is_empty() || !self.facts.reads.iter().all(|reads| router(&reads.metric)) {
            return;
        }
        for limit in &self.query.limits {
            let value = limit.threshold.value;
            let Some((below, above)) = around(value / in_a_second) else { continue };
            let (below, above) = (below * in_a_second, above * in_a_second);
            let message =
                format!("{value} lies in the bucket from {below} to {above}, within which a quantile is a guess");
            let hint = format!(
                "on a bound of a bucket it is exact: {}",
                if below > 0.0 { format!("{below} or {above}") } else { above.to_string() }
            );
            problems.push(self.limit("between-buckets", limit, message, hint));
        }
    }
}
