//! Mirrors: who gets copies of which requests.

use serde::{Deserialize, Serialize};

use super::{Endpoint, HeaderMatch, ValueMatch, endpoints, header_matches, name, value};

/// Copies of a part of a route's requests, sent to a version whose answers nobody gets.
///
/// A copy has the method, target, headers and body of the request, and the header `x-serin-mirror: 1`; its body comes with a
/// length, however the request's came. The user's answer neither waits for a copy nor fails with it. Never copied are requests
/// that ask for another protocol, and requests that carry that header themselves, which would go in circles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// Its name, unique within the split. A table that keeps the name continues the sequence of its choices.
    pub name: String,
    /// A request matches when one of these does. Not empty; a [`MirrorMatch`] without any condition takes every request.
    pub matches: Vec<MirrorMatch>,
    /// Of 100 requests that match so many are copied: 0 to 100, exact to within one request over any window.
    pub percent: u32,
    /// The label `version` of what is counted. It need not be the version of a group, and then it answers no user.
    pub version: String,
    /// May be empty: then copies are dropped.
    pub endpoints: Vec<Endpoint>,
    /// Copies requests of every method, and not only those of GET, HEAD, OPTIONS and TRACE. A service that writes does so twice then.
    #[serde(default)]
    pub unsafe_methods: bool,
}

/// Conditions on a request. All that are there must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MirrorMatch {
    /// On the method, in its case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<ValueMatch>,
    /// On the path, without the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<ValueMatch>,
    /// On headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderMatch>,
}

impl Mirror {
    pub(super) fn validate(&self, at: &str, problems: &mut Vec<String>) {
        name(&self.name, &format!("{at}.name"), problems);
        name(&self.version, &format!("{at}.version"), problems);
        if self.percent > 100 {
            problems.push(format!("{at}.percent: {} is not within 0 and 100", self.percent));
        }
        endpoints(&self.endpoints, at, problems);
        if self.matches.is_empty() {
            problems.push(format!("{at}.matches: at least one is needed"));
        }
        for (i, matching) in self.matches.iter().enumerate() {
            let at = format!("{at}.matches[{i}]");
            for (part, matching) in [("method", &matching.method), ("path", &matching.path)] {
                if let Some(matching) = matching {
                    value(matching, &format!("{at}.{part}"), problems);
                }
            }
            header_matches(&matching.headers, &format!("{at}.headers"), problems);
        }
    }
}
