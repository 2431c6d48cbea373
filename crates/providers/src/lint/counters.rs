//! Lints of the counters of comparisons.

use serin_spec::lint::Counter;
use serin_spec::{Catalog, Problem};

use super::selects;
use super::versions::SELECT;
use crate::counters::{Resets, refusal};

pub(super) fn check(catalog: &Catalog, problems: &mut Vec<Problem>) {
    for counter in serin_spec::lint::counters(catalog) {
        let read = |(at, text): (usize, &String)| Some((at, serin_promql::Query::parse(text).ok()?));
        let Some((reading, query)) = counter.readings.iter().enumerate().find_map(read) else { continue };
        look(&counter, reading, &query, problems);
    }
}

fn look(counter: &Counter, reading: usize, query: &serin_promql::Query, problems: &mut Vec<Problem>) {
    let facts = query.facts();
    let whole = 0..counter.readings[reading].trim_end().len();
    if let Some(why) = refusal(query) {
        let place = facts.windows.first().map_or(whole, |window| window.start..window.end);
        let hint = "ask for the counter as it is, such as sum by (pod) (requests_total)";
        problems.push(counter.problem("no-counter", reading, place, why, hint));
        return;
    }
    if let (Some(first), true) = (facts.reads.first(), counter.used)
        && !facts.reads.iter().any(|reads| selects(reads, counter.open))
    {
        let message = "the counter does not say which version, so both are compared with both".to_owned();
        problems.push(counter.problem("mixes-versions", reading, first.start..first.end, message, SELECT));
    }
    if Resets::of(query) == Resets::Sum && !facts.reads.is_empty() {
        let message = "the sum does not say which process counted what: whenever one goes away, an interval is lost";
        let hint = "leave the process apart: sum by (pod) (…)";
        problems.push(counter.problem("sum-over-processes", reading, whole, message.to_owned(), hint));
    }
}
