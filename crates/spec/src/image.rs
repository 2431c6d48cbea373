//! Image references: `registry:port/name:tag@digest`, taken apart and given another tag.

use std::fmt;

/// The parts of an image reference, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image<'t> {
    /// Registry and name, such as `ghcr.io:5000/team/fraud-model`.
    pub name: &'t str,
    /// The tag, without its colon.
    pub tag: Option<&'t str>,
    /// The digest, such as `sha256:…`, without its at sign.
    pub digest: Option<&'t str>,
}

/// Takes a reference apart. A colon before the last slash belongs to the registry's port, not to a tag.
pub fn split(reference: &str) -> Image<'_> {
    let (rest, digest) = match reference.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (reference, None),
    };
    let path = rest.rfind('/').map_or(0, |slash| slash + 1);
    match rest[path..].split_once(':') {
        Some((last, tag)) => Image { name: &rest[..path + last.len()], tag: Some(tag), digest },
        None => Image { name: rest, tag: None, digest },
    }
}

/// The same image at another version: a tag, or a digest written as `sha256:…` or `@sha256:…`. The former tag and digest
/// are dropped, because a digest that stays would win over the new tag. A version that is a whole reference (it holds a
/// slash, or a name before its tag or digest) replaces everything.
pub fn with_tag(reference: &str, version: &str) -> String {
    let name = split(reference).name;
    if let Some(digest) = version.strip_prefix('@') {
        return format!("{name}@{digest}");
    }
    if is_digest(version) {
        return format!("{name}@{version}");
    }
    if version.contains(['/', ':', '@']) {
        return version.to_owned();
    }
    format!("{name}:{version}")
}

/// `algorithm:hex`, where the algorithm's name holds no tag of an image by accident: the hex part has at least 32 digits.
fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty() && hex.len() >= 32 && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

impl fmt::Display for Image<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if let Some(tag) = self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn references_are_taken_apart_and_put_together_again() {
        let check = |text: &str, name: &str, tag: Option<&str>, digest: Option<&str>| {
            let image = split(text);
            assert_eq!((image.name, image.tag, image.digest), (name, tag, digest), "{text}");
            assert_eq!(image.to_string(), text);
        };
        check("model", "model", None, None);
        check("model:v2", "model", Some("v2"), None);
        check("host:5000/model", "host:5000/model", None, None);
        check("host:5000/team/model:v2", "host:5000/team/model", Some("v2"), None);
        check("model@sha256:ab", "model", None, Some("sha256:ab"));
        check("host:5000/model:v2@sha256:ab", "host:5000/model", Some("v2"), Some("sha256:ab"));
        check("", "", None, None);
    }

    #[test]
    fn a_version_replaces_tag_and_digest() {
        let check = |text: &str, version: &str, want: &str| assert_eq!(with_tag(text, version), want);
        check("model:v1", "v2", "model:v2");
        check("model", "v2", "model:v2");
        check("host:5000/model", "v2", "host:5000/model:v2");
        check("host:5000/model:v1@sha256:ab", "v2", "host:5000/model:v2");
        check("model:v1", &format!("sha256:{HEX}"), &format!("model@sha256:{HEX}"));
        check("model:v1", "@sha256:ab", "model@sha256:ab");
        check("model:v1", "other:v2", "other:v2");
        check("model:v1", "host:5000/other", "host:5000/other");
        check("model:v1", "other@sha256:ab", "other@sha256:ab");
    }
}
