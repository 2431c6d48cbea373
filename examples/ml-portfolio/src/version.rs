//! The releases of the services: good ones, and ones that went wrong in ways that really happen. BankChurn alone has got to v4.

use std::str::FromStr;

use crate::service::Service;

/// A release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// v3.1.0, the baseline: logistic regression on plain features.
    Baseline,
    /// v3.2.0, the better model: boosted trees, or more n-grams.
    Better,
    /// v3.3.0: a new feature that cannot be computed for some rows, which training left out without a word.
    Fragile,
    /// v3.4.0: serving scales its numbers in another way than training did.
    Misscaled,
    /// v3.5.0: asks a profile store that does not answer before every prediction.
    Slow,
    /// v4.0.0, another model: more and deeper trees on features of its own, one of which has no value for customers of long standing.
    Outgrown,
    /// v4.1.0: the model of v4.0.0 with that feature put right.
    Major,
}

impl Version {
    /// All of them, oldest first.
    pub const ALL: [Version; 7] = [
        Version::Baseline,
        Version::Better,
        Version::Fragile,
        Version::Misscaled,
        Version::Slow,
        Version::Outgrown,
        Version::Major,
    ];

    /// The releases of a service, oldest first.
    pub fn of(service: Service) -> &'static [Version] {
        match service {
            Service::Churn => &Self::ALL,
            Service::Tip | Service::Sentiment => &Self::ALL[..5],
        }
    }

    /// The tag of its image.
    pub fn tag(self) -> &'static str {
        match self {
            Version::Baseline => "v3.1.0",
            Version::Better => "v3.2.0",
            Version::Fragile => "v3.3.0",
            Version::Misscaled => "v3.4.0",
            Version::Slow => "v3.5.0",
            Version::Outgrown => "v4.0.0",
            Version::Major => "v4.1.0",
        }
    }
}

impl FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(tag: &str) -> Result<Self, UnknownVersion> {
        Self::ALL.into_iter().find(|v| v.tag() == tag).ok_or(UnknownVersion)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.tag())
    }
}

/// There is no such release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownVersion;

impl std::error::Error for UnknownVersion {}

impl std::fmt::Display for UnknownVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known: Vec<&str> = Version::ALL.into_iter().map(Version::tag).collect();
        write!(f, "no such version; known: {}", known.join(", "))
    }
}

impl serde::Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.tag())
    }
}

impl<'de> serde::Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tag = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        tag.parse().map_err(serde::de::Error::custom)
    }
}
