//! The routing table: what the proxy is told. Plain values, read and written as JSON; nothing here knows a socket.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::prediction::Path;

mod mirror;
mod recording;

pub use mirror::{Mirror, MirrorMatch};
pub use recording::{RECORD_MAX, Record, SILENCE_MS_MAX, SLICES_MAX, Slice, UNIT_REQUESTS_MAX, UnitLimits};

/// Longest name of a route, version, endpoint, header or cookie, in bytes. Names become metric labels.
pub const NAME_MAX: usize = 253;
/// Largest sum of the weights of a split.
pub const WEIGHT_TOTAL_MAX: u64 = u32::MAX as u64;
/// Longest wait for an upstream, in milliseconds: one day.
pub const TIMEOUT_MS_MAX: u64 = 86_400_000;

/// The whole of what the proxy serves. Tables replace each other as a whole; nothing is merged.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Grows with every table. A table whose version is below the current one is refused, see [`crate::Client::set_table`].
    pub version: u64,
    /// In any order: the most specific host wins, then the most specific path.
    pub routes: Vec<Route>,
}

/// Requests of one host and path, and the versions that answer them.
///
/// Routes that share a name (an ingress with several paths) share their split: one sequence of choices, one set of statistics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// `namespace/rollout`. The label `route` of every metric.
    pub name: String,
    /// An exact host, `*.suffix` for exactly one label before the suffix, or any host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Which paths.
    #[serde(default)]
    pub path: PathMatch,
    /// Who answers.
    pub split: Split,
    /// Keeps a visitor on one version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
    /// Where the prediction stands in the JSON answer, such as `$.prediction` or `$.outputs[0].label`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<String>,
    /// Longest wait for the upstream's answer to begin, and then between two pieces of it. 1 to [`TIMEOUT_MS_MAX`].
    #[serde(default = "timeout_default")]
    pub timeout_ms: u64,
    /// Adds `X-Serin-Version` to answers.
    #[serde(default)]
    pub expose_version: bool,
    /// Passes `X-Request-Id` on, and makes one where the client sent none.
    #[serde(default)]
    pub request_id: bool,
    /// Qualities of requests by which they are counted apart. At most [`SLICES_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<Slice>,
    /// Keeps the predictions of single requests. Needs `prediction` and `request_id`; answers then carry their `X-Request-Id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
    /// When the requests of a visitor end as a unit; a sticky route counts units in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<UnitLimits>,
}

fn timeout_default() -> u64 {
    60_000
}

/// How the path of a request is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathMatch {
    /// The rule.
    pub kind: PathKind,
    /// Starts with `/`.
    pub path: String,
}

impl Default for PathMatch {
    fn default() -> Self {
        Self { kind: PathKind::Prefix, path: "/".to_owned() }
    }
}

/// The path types of a Kubernetes Ingress, with its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PathKind {
    /// The whole path, case and trailing slash included.
    Exact,
    /// Element by element: `/a` takes `/a`, `/a/` and `/a/b` and not `/ab`.
    Prefix,
    /// Here the same as [`PathKind::Prefix`].
    ImplementationSpecific,
}

/// The whole traffic state of a route.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The versions. The first (the stable one) takes what the others leave; the second (the canary) is exact to within
    /// one request over any window.
    pub groups: Vec<Group>,
    /// Tried in order before the weights.
    #[serde(default)]
    pub header_routes: Vec<HeaderRoute>,
    /// Who gets copies of which requests. The first that takes a request decides alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<Mirror>,
}

/// One version and where it listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The label `version` of every metric.
    pub version: String,
    /// May be empty: then the group takes no request whatever its weight.
    pub endpoints: Vec<Endpoint>,
    /// Share of the requests, of the sum over the groups.
    pub weight: u32,
}

/// One process of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Its name. With the address it is the endpoint's identity: connections survive tables that keep both.
    pub id: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Requests whose headers decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderRoute {
    /// Its name, unique within the split.
    pub name: String,
    /// All must match.
    pub matches: Vec<HeaderMatch>,
    /// The version of one of the groups.
    pub version: String,
}

/// A condition on one header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderMatch {
    /// Its name, in any case.
    pub header: String,
    /// What one of its values must look like.
    pub value: ValueMatch,
}

/// A condition on a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum ValueMatch {
    /// Equal, byte by byte.
    Exact(String),
    /// Begins with.
    Prefix(String),
    /// The whole value matches the regular expression.
    Regex(String),
}

/// What a visitor is known by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Sticky {
    /// A cookie, set with the first answer where it is missing.
    Cookie {
        /// Its name.
        name: String,
    },
    /// A header the client sends. Requests without it are split by weight.
    Header {
        /// Its name.
        name: String,
    },
}

impl Table {
    /// Everything wrong with the table, each with its place. Empty when the proxy will take it.
    pub fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut by_name: BTreeMap<&str, &Route> = BTreeMap::new();
        let mut by_match = BTreeMap::new();
        for (i, route) in self.routes.iter().enumerate() {
            let at = format!("routes[{i}]");
            route.validate(&at, &mut problems);
            let first = by_name.entry(&route.name).or_insert(route);
            let same =
                first.split == route.split && first.sticky == route.sticky && first.prediction == route.prediction;
            if !(same && first.records_like(route)) {
                problems.push(format!(
                    "{at}: another route named '{}' has a different split, sticky, prediction, slices, record or units",
                    route.name
                ));
            }
            let exact = route.path.kind == PathKind::Exact;
            let path = if exact { route.path.path.as_str() } else { route.path.path.trim_end_matches('/') };
            let host = route.host.as_deref().unwrap_or("").to_ascii_lowercase();
            if let Some(other) = by_match.insert((host, exact, path), i) {
                problems.push(format!("{at}: takes the same host and path as routes[{other}]"));
            }
        }
        problems
    }
}

impl Route {
    fn validate(&self, at: &str, problems: &mut Vec<String>) {
        name(&self.name, &format!("{at}.name"), problems);
        if let Some(host) = &self.host {
            let bare = host.strip_prefix("*.").unwrap_or(host);
            let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
            if bare.is_empty() || bare.len() > NAME_MAX || !bare.bytes().all(good) || bare.starts_with('.') {
                problems.push(format!("{at}.host: '{host}' is neither a host nor '*.' and a suffix"));
            }
        }
        let path = &self.path.path;
        if !path.starts_with('/') || path.bytes().any(|b| b <= b' ' || matches!(b, b'?' | b'#' | 0x7f)) {
            problems.push(format!("{at}.path.path: '{path}' is not a path that starts with '/'"));
        }
        if self.timeout_ms == 0 || self.timeout_ms > TIMEOUT_MS_MAX {
            problems.push(format!("{at}.timeout_ms: {} is not within 1 and {TIMEOUT_MS_MAX}", self.timeout_ms));
        }
        if let Some(Err(why)) = self.prediction.as_deref().map(Path::parse) {
            problems.push(format!("{at}.prediction: {why}"));
        }
        match &self.sticky {
            Some(Sticky::Cookie { name } | Sticky::Header { name }) => token(name, &format!("{at}.sticky"), problems),
            None => {}
        }
        self.validate_recording(at, problems);
        self.split.validate(&format!("{at}.split"), problems);
    }
}

impl Split {
    fn validate(&self, at: &str, problems: &mut Vec<String>) {
        if self.groups.is_empty() {
            problems.push(format!("{at}.groups: at least one is needed"));
        }
        let total: u64 = self.groups.iter().map(|g| u64::from(g.weight)).sum();
        if total > WEIGHT_TOTAL_MAX {
            problems.push(format!("{at}.groups: the weights sum to {total}, more than {WEIGHT_TOTAL_MAX}"));
        }
        if total == 0 && !self.groups.is_empty() {
            problems.push(format!("{at}.groups: all weights are 0"));
        }
        for (i, group) in self.groups.iter().enumerate() {
            let at = format!("{at}.groups[{i}]");
            name(&group.version, &format!("{at}.version"), problems);
            if self.groups[..i].iter().any(|other| other.version == group.version) {
                problems.push(format!("{at}.version: '{}' is there twice", group.version));
            }
            endpoints(&group.endpoints, &at, problems);
        }
        for (i, route) in self.header_routes.iter().enumerate() {
            let at = format!("{at}.header_routes[{i}]");
            name(&route.name, &format!("{at}.name"), problems);
            if self.header_routes[..i].iter().any(|other| other.name == route.name) {
                problems.push(format!("{at}.name: '{}' is there twice", route.name));
            }
            if !self.groups.iter().any(|g| g.version == route.version) {
                problems.push(format!("{at}.version: no group has version '{}'", route.version));
            }
            if route.matches.is_empty() {
                problems.push(format!("{at}.matches: at least one is needed"));
            }
            header_matches(&route.matches, &format!("{at}.matches"), problems);
        }
        for (i, mirror) in self.mirrors.iter().enumerate() {
            let at = format!("{at}.mirrors[{i}]");
            mirror.validate(&at, problems);
            if self.mirrors[..i].iter().any(|other| other.name == mirror.name) {
                problems.push(format!("{at}.name: '{}' is there twice", mirror.name));
            }
        }
    }
}

fn endpoints(endpoints: &[Endpoint], at: &str, problems: &mut Vec<String>) {
    for (j, endpoint) in endpoints.iter().enumerate() {
        name(&endpoint.id, &format!("{at}.endpoints[{j}].id"), problems);
        if endpoint.address.port() == 0 {
            problems.push(format!("{at}.endpoints[{j}].address: port 0"));
        }
        if endpoints[..j].contains(endpoint) {
            problems.push(format!("{at}.endpoints[{j}]: '{}' is there twice", endpoint.id));
        }
    }
}

fn header_matches(matches: &[HeaderMatch], at: &str, problems: &mut Vec<String>) {
    for (j, matching) in matches.iter().enumerate() {
        token(&matching.header, &format!("{at}[{j}].header"), problems);
        value(&matching.value, &format!("{at}[{j}].value"), problems);
    }
}

fn value(matching: &ValueMatch, at: &str, problems: &mut Vec<String>) {
    if let ValueMatch::Regex(pattern) = matching
        && let Err(error) = crate::split::whole_value(pattern)
    {
        problems.push(format!("{at}.regex: {error}"));
    }
}

fn name(text: &str, at: &str, problems: &mut Vec<String>) {
    if text.is_empty() || text.len() > NAME_MAX || text.chars().any(char::is_control) {
        problems.push(format!("{at}: '{}' is not a name of 1 to {NAME_MAX} bytes", text.escape_debug()));
    }
}

/// Names that go into or come out of a header: what HTTP calls a token.
fn token(text: &str, at: &str, problems: &mut Vec<String>) {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if text.is_empty() || text.len() > NAME_MAX || !text.bytes().all(good) {
        problems.push(format!("{at}: '{}' is not an HTTP token", text.escape_debug()));
    }
}

#[cfg(test)]
mod tests;
