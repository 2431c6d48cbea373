//! What the proxy tells about itself: counts per version, in total and by the second.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

mod pairs;
mod recorded;
mod slices;

pub use pairs::{PairCounts, PairErrors, PairMissing, Transition};
pub use recorded::{PAGE_MAX, Recorded, RecordedPrediction};
pub use slices::{NONE, SliceCounts, Units};

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Process id.
    pub pid: u32,
    /// Version of the table in force; 0 before the first one.
    pub table_version: u64,
    /// The addresses that clients connect to, with the ports that were found.
    pub listen: Vec<SocketAddr>,
    /// Where `/metrics` is answered.
    pub metrics_listen: Option<SocketAddr>,
    /// Unix time of the start in milliseconds.
    pub started_ms: u64,
    /// Whether it takes no more connections.
    pub draining: bool,
}

/// Everything counted since the start.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// Version of the table in force.
    pub table_version: u64,
    /// Client connections open now.
    pub connections: u64,
    /// Per route and version, sorted.
    pub versions: Vec<Counts>,
    /// Of versions that get copies of requests, sorted like `versions` and counted apart from them.
    #[serde(default)]
    pub mirrors: Vec<MirrorCounts>,
    /// Of requests that were copied: the user's answer beside the copy's. Sorted by route and versions.
    #[serde(default)]
    pub pairs: Vec<PairCounts>,
    /// Per route, version, slice and value, sorted.
    #[serde(default)]
    pub slices: Vec<SliceCounts>,
    /// Endpoints of the table in force, and those that left it and still work on requests.
    pub endpoints: Vec<EndpointView>,
    /// Requests that no version was asked for, by reason.
    pub rejected: BTreeMap<String, u64>,
}

impl Snapshot {
    /// The counts of one version.
    pub fn of(&self, route: &str, version: &str) -> Option<&Counts> {
        self.versions.iter().find(|c| c.route == route && c.version == version)
    }

    /// The counts of the copies for one version.
    pub fn mirror_of(&self, route: &str, version: &str) -> Option<&MirrorCounts> {
        self.mirrors.iter().find(|m| m.counts.route == route && m.counts.version == version)
    }
}

/// One endpoint now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointView {
    /// Its route.
    pub route: String,
    /// Its version.
    pub version: String,
    /// Its name.
    pub id: String,
    /// Its address.
    pub address: SocketAddr,
    /// Requests it is working on.
    pub in_flight: u64,
    /// Whether it is passed over because a connection to it failed a moment ago.
    pub ejected: bool,
    /// Whether it left the table and is listed only until its last request is answered.
    pub leaving: bool,
}

/// What one version of one route did: since the start in a [`Snapshot`], within one second in a [`Batch`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Name of the route.
    pub route: String,
    /// The version.
    pub version: String,
    /// Answers by status class. An answer that the upstream broke off, and a 502 or 504 in its place, is a server error.
    pub by_class: ByClass,
    /// Requests whose client left before the answer was complete. In no class.
    pub aborted: u64,
    /// Requests that this version should have had and another one got, since no endpoint of this one was alive.
    pub fallbacks: u64,
    /// Requests sent again to another connection.
    pub retries: u64,
    /// Requests being worked on, at the end of the time.
    pub in_flight: u64,
    /// Time from the head of the request to the end of the answer, in microseconds, summed.
    pub latency_us_sum: u64,
    /// Answers per latency bin, see [`crate::sketch::latency`]. Bins without any are left out.
    pub latency: Vec<(u16, u64)>,
    /// Answers per class of the prediction: a string, `true`, `false` or an integer. From the 21st class on `other`.
    pub predictions: BTreeMap<String, u64>,
    /// The predictions that are numbers.
    pub numbers: Numbers,
    /// Successful answers in which a prediction was looked for and not found.
    pub predictions_missing: u64,
    /// Requests that the weights gave to this version: neither a header route, nor the cookie or header of a visitor. Counted when
    /// they are routed, whoever answers them in the end.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub drawn: u64,
    /// The weight in the table at the end of the time; `None` for a version that is not in the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<Weight>,
    /// Its visitors, on a sticky route.
    #[serde(default, skip_serializing_if = "Units::is_empty")]
    pub units: Units,
}

/// A version's share of the requests that the weights decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    /// Out of `total`.
    pub weight: u32,
    /// The sum over the versions of the route.
    pub total: u64,
    /// In a [`Batch`]: whether it was the same at the end of the batch before. A split can only be tested on such seconds.
    #[serde(default)]
    pub steady: bool,
}

impl Counts {
    /// Answers in total.
    pub fn answered(&self) -> u64 {
        let c = &self.by_class;
        c.informational + c.success + c.redirect + c.client_error + c.server_error
    }

    /// What came to the counts since `earlier`, which must be an earlier state of the same version.
    pub fn since(&self, earlier: &Counts) -> Counts {
        Counts {
            route: self.route.clone(),
            version: self.version.clone(),
            by_class: self.by_class.since(&earlier.by_class),
            aborted: self.aborted - earlier.aborted,
            fallbacks: self.fallbacks - earlier.fallbacks,
            retries: self.retries - earlier.retries,
            in_flight: self.in_flight,
            latency_us_sum: self.latency_us_sum - earlier.latency_us_sum,
            latency: bins_since(&self.latency, &earlier.latency),
            predictions: since_by_key(&self.predictions, &earlier.predictions),
            numbers: self.numbers.since(&earlier.numbers),
            predictions_missing: self.predictions_missing - earlier.predictions_missing,
            drawn: self.drawn - earlier.drawn,
            weight: self.weight.map(|now| Weight { steady: self.has_weight_of(earlier), ..now }),
            units: self.units.since(&earlier.units),
        }
    }

    fn has_weight_of(&self, other: &Counts) -> bool {
        let share = |counts: &Counts| counts.weight.map(|w| (w.weight, w.total));
        share(self) == share(other)
    }

    /// Whether nothing happened.
    pub fn is_quiet(&self) -> bool {
        self.answered() + self.aborted + self.fallbacks + self.retries + self.in_flight + self.predictions_missing == 0
            && self.drawn + self.units.count == 0
            && self.latency.is_empty()
            && self.predictions.is_empty()
            && self.numbers.bins.is_empty()
    }
}

/// What became of the copies of requests for one version of one route.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MirrorCounts {
    /// The copies that were sent. A copy that got no valid answer in time is a server error. The latency begins where the copy is
    /// sent, which is when the body of the request was complete. Aborted are those that
    /// the proxy cut: at its own end, or since the answer was too large.
    pub counts: Counts,
    /// The copies that were not sent: `body_too_large`, `busy` (too many were on their way), `no_endpoint`, and `incomplete` (the
    /// request was broken off, or its answer did not wait for the whole of it).
    pub dropped: BTreeMap<String, u64>,
}

impl MirrorCounts {
    /// What came to the counts since `earlier`, which must be an earlier state of the same version.
    pub fn since(&self, earlier: &MirrorCounts) -> MirrorCounts {
        let before = |reason: &String| earlier.dropped.get(reason).copied().unwrap_or(0);
        let dropped = self.dropped.iter().map(|(reason, count)| (reason.clone(), count - before(reason)));
        MirrorCounts { counts: self.counts.since(&earlier.counts), dropped: dropped.collect() }
    }

    /// Whether nothing happened.
    pub fn is_quiet(&self) -> bool {
        self.counts.is_quiet() && self.dropped.values().all(|count| *count == 0)
    }
}

/// Answers by the first digit of their status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ByClass {
    /// 101: a tunnel was made.
    pub informational: u64,
    /// 2xx
    pub success: u64,
    /// 3xx
    pub redirect: u64,
    /// 4xx
    pub client_error: u64,
    /// 5xx
    pub server_error: u64,
}

impl ByClass {
    fn since(&self, earlier: &ByClass) -> ByClass {
        ByClass {
            informational: self.informational - earlier.informational,
            success: self.success - earlier.success,
            redirect: self.redirect - earlier.redirect,
            client_error: self.client_error - earlier.client_error,
            server_error: self.server_error - earlier.server_error,
        }
    }
}

/// Predictions that are numbers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Numbers {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub sum_squares: f64,
    /// How many per bin, see [`crate::sketch::number`]. Bins without any are left out.
    pub bins: Vec<(i16, u64)>,
}

impl Numbers {
    fn is_empty(&self) -> bool {
        self.count == 0 && self.bins.is_empty()
    }

    fn since(&self, earlier: &Numbers) -> Numbers {
        Numbers {
            count: self.count - earlier.count,
            sum: self.sum - earlier.sum,
            sum_squares: self.sum_squares - earlier.sum_squares,
            bins: bins_since(&self.bins, &earlier.bins),
        }
    }
}

/// One second of every version that was used in it. Each begins where the one before ended.
///
/// Counters are read one after the other while requests go on, so that parts of one request may fall into neighbouring seconds;
/// sums over the seconds are exact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Grows with every batch, also over a restart of the proxy. About the Unix time in seconds; never compute with it.
    pub seq: u64,
    /// `seq` of the batch before; 0 for the first one of a proxy. A reader whose last batch is another one has missed some.
    #[serde(default)]
    pub follows: u64,
    /// Unix time of its start in milliseconds.
    pub start_ms: u64,
    /// Its length.
    pub duration_ms: u64,
    /// Sorted by route and version. Versions that did nothing are left out.
    pub versions: Vec<Counts>,
    /// The same of versions that get copies of requests.
    #[serde(default)]
    pub mirrors: Vec<MirrorCounts>,
    /// Of requests that were copied: the user's answer beside the copy's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pairs: Vec<PairCounts>,
    /// Per route, version, slice and value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<SliceCounts>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What came to counts by name; those that nothing came to are left out.
fn since_by_key(now: &BTreeMap<String, u64>, earlier: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let came = now.iter().map(|(key, count)| (key, count - earlier.get(key).copied().unwrap_or(0)));
    came.filter(|(_, count)| *count > 0).map(|(key, count)| (key.clone(), count)).collect()
}

/// Both lists are sorted by bin, and a bin never gets fewer.
fn bins_since<B: Copy + Ord>(now: &[(B, u64)], earlier: &[(B, u64)]) -> Vec<(B, u64)> {
    let mut earlier = earlier.iter().peekable();
    let mut out = Vec::new();
    for &(bin, count) in now {
        while earlier.next_if(|(b, _)| *b < bin).is_some() {}
        let before = earlier.next_if(|(b, _)| *b == bin).map_or(0, |(_, c)| *c);
        if count > before {
            out.push((bin, count - before));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_the_difference_field_by_field() {
        let earlier = Counts {
            by_class: ByClass { success: 3, server_error: 1, ..ByClass::default() },
            latency: vec![(4, 2), (9, 2)],
            predictions: BTreeMap::from([("cat".into(), 2), ("dog".into(), 1)]),
            numbers: Numbers { count: 1, sum: 2.0, sum_squares: 4.0, bins: vec![(7, 1)] },
            ..Counts::default()
        };
        let mut now = earlier.clone();
        now.by_class.success = 5;
        now.latency = vec![(2, 1), (4, 3), (9, 2)];
        now.predictions.insert("dog".into(), 3);
        now.numbers = Numbers { count: 2, sum: 5.0, sum_squares: 13.0, bins: vec![(7, 1), (8, 1)] };
        let delta = now.since(&earlier);
        assert_eq!(delta.by_class, ByClass { success: 2, ..ByClass::default() });
        assert_eq!(delta.latency, [(2, 1), (4, 1)]);
        assert_eq!(delta.predictions, BTreeMap::from([("dog".into(), 2)]));
        assert_eq!(delta.numbers, Numbers { count: 1, sum: 3.0, sum_squares: 9.0, bins: vec![(8, 1)] });
        assert!(now.since(&now).is_quiet());
    }
}
