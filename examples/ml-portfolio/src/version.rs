//! The releases of all three services: two good ones and three that went wrong in ways that really happen.

use std::str::FromStr;

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
}

impl Version {
    /// All of them, oldest first.
    pub const ALL: [Version; 5] =
        [Version::Baseline, Version::Better, Version::Fragile, Version::Misscaled, Version::Slow];

    /// The tag of its image.
    pub fn tag(self) -> &'static str {
        match self {
            Version::Baseline => "v3.1.0",
            Version::Better => "v3.2.0",
            Version::Fragile => "v3.3.0",
            Version::Misscaled => "v3.4.0",
            Version::Slow => "v3.5.0",
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
