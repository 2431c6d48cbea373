//! The side file `serin.yaml`: what one machine must know besides the manifests, above all which command stands for an image.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::LocalError;

/// The file's name in a manifest folder.
pub const FILE: &str = "serin.yaml";

/// The side file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Side {
    /// The embedded router.
    pub router: RouterSide,
    /// Where the read-only status listens, if anywhere.
    pub status: Option<SocketAddr>,
    /// A Prometheus server that answers the queries instead of the embedded store: `http://host:9090`.
    pub prometheus: Option<String>,
    /// Time between two scrapes of a member, in seconds on the rollout's clock.
    pub scrape_interval_seconds: Option<f64>,
    /// Which command stands for an image; the first match wins.
    pub images: Vec<ImageCommand>,
    /// Which command stands for a step plugin.
    pub plugins: Vec<PluginCommand>,
}

/// What the command line says instead of the side file. It is kept with the state, so that a control process that carries on
/// listens where the one before did and asks the same server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overrides {
    /// Where the router takes requests.
    pub listen: Option<SocketAddr>,
    /// Where the read-only status listens.
    pub status: Option<SocketAddr>,
    /// The Prometheus server to ask.
    pub prometheus: Option<String>,
}

/// The embedded router.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RouterSide {
    /// Where it takes requests; loopback unless told otherwise.
    pub listen: SocketAddr,
    /// Threads that carry requests.
    pub workers: usize,
}

impl Default for RouterSide {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8080)), workers: 1 }
    }
}

/// A command that stands for an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageCommand {
    /// Image without its tag; `*` stands for any text.
    pub image: String,
    /// Program and arguments. `{tag}`, `{port}`, `{name}` and `{image}` are filled in.
    pub command: Vec<String>,
    /// Environment on top of the container's.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Working directory, relative to the side file.
    #[serde(default)]
    pub directory: Option<PathBuf>,
}

/// A command that stands for a step plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PluginCommand {
    /// Name of the plugin as it stands in steps.
    pub name: String,
    /// Program and arguments.
    #[serde(default)]
    pub command: Vec<String>,
    /// Environment on top of the control process's.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Working directory, relative to the side file.
    #[serde(default)]
    pub directory: Option<PathBuf>,
    /// Longest time for an answer, in seconds of wall time.
    #[serde(default = "plugin_timeout_s")]
    pub timeout_seconds: u64,
    /// Its steps are over at once, without asking it.
    #[serde(default)]
    pub disabled: bool,
}

/// Long enough for a request to another service with its retries; a step that takes longer answers `Running`.
fn plugin_timeout_s() -> u64 {
    30
}

impl Side {
    /// Reads the side file of a manifest folder; a missing one is an empty one.
    ///
    /// # Errors
    /// When it cannot be read, or holds something else than a side file: with line and column.
    pub fn read(folder: &Path) -> Result<Self, LocalError> {
        let path = folder.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(LocalError::Read { path, source }),
        };
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let mut side: Self = serde_saphyr::from_str(&text)
            .map_err(|error| LocalError::Side { path: path.clone(), problem: error.to_string() })?;
        side.check().map_err(|problem| LocalError::Side { path, problem })?;
        let images = side.images.iter_mut().map(|image| &mut image.directory);
        for directory in images.chain(side.plugins.iter_mut().map(|plugin| &mut plugin.directory)) {
            *directory = directory.take().map(|d| folder.join(d));
        }
        Ok(side)
    }

    /// The same with what is said instead of it.
    #[must_use]
    pub fn with(mut self, overrides: &Overrides) -> Self {
        self.router.listen = overrides.listen.unwrap_or(self.router.listen);
        self.status = overrides.status.or(self.status);
        self.prometheus = overrides.prometheus.clone().or(self.prometheus);
        self
    }

    fn check(&self) -> Result<(), String> {
        for (i, image) in self.images.iter().enumerate() {
            if image.image.is_empty() {
                return Err(format!(
                    "images[{i}].image is empty: expected an image without its tag, such as \"*/predictor\""
                ));
            }
            if image.command.first().is_none_or(String::is_empty) {
                return Err(format!("images[{i}].command is empty: expected a program and its arguments"));
            }
        }
        self.check_plugins()?;
        if self.scrape_interval_seconds.is_some_and(|s| !(0.1..=3600.0).contains(&s)) {
            return Err("scrapeIntervalSeconds must be between 0.1 and 3600".to_owned());
        }
        if !(1..=64).contains(&self.router.workers) {
            return Err("router.workers must be between 1 and 64".to_owned());
        }
        Ok(())
    }

    fn check_plugins(&self) -> Result<(), String> {
        for (i, plugin) in self.plugins.iter().enumerate() {
            if plugin.name.is_empty() {
                return Err(format!("plugins[{i}].name is empty: expected a name as in steps, such as \"acme/gate\""));
            }
            if self.plugins[..i].iter().any(|p| p.name == plugin.name) {
                return Err(format!("plugins[{i}].name stands twice: {}", plugin.name));
            }
            if !plugin.disabled && plugin.command.first().is_none_or(String::is_empty) {
                return Err(format!("plugins[{i}].command is empty: expected a program and its arguments"));
            }
            if !(1..=600).contains(&plugin.timeout_seconds) {
                return Err(format!("plugins[{i}].timeoutSeconds must be between 1 and 600"));
            }
        }
        Ok(())
    }

    /// The entry for an image (without its tag).
    pub fn command_for(&self, image: &str) -> Option<&ImageCommand> {
        self.images.iter().find(|entry| glob(&entry.image, image))
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any text.
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let middle: Vec<&str> = parts.collect();
    let Some((last, middle)) = middle.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_images() {
        let check = |pattern: &str, text: &str, want: bool| assert_eq!(glob(pattern, text), want, "{pattern} {text}");
        check("ghcr.io/x/bank", "ghcr.io/x/bank", true);
        check("ghcr.io/x/bank", "ghcr.io/x/banks", false);
        check("*/bank", "ghcr.io/x/bank", true);
        check("*/bank", "bank", false);
        check("*", "anything", true);
        check("a*b*c", "a1b2c", true);
        check("a*b*c", "a1c", false);
        check("ab*ba", "aba", false);
    }

    fn read(text: &str) -> Result<Side, LocalError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        Side::read(folder.path())
    }

    #[test]
    fn a_side_file_is_read_and_a_missing_one_is_empty() {
        let side =
            read("router: {listen: 127.0.0.1:9000}\nimages:\n- image: '*/m'\n  command: [m, '{port}']\n").unwrap();
        assert_eq!(side.router.listen.port(), 9000);
        assert_eq!(side.command_for("x/m").unwrap().command, ["m", "{port}"]);
        assert!(side.command_for("x/n").is_none());
        assert_eq!(Side::read(tempfile::tempdir().unwrap().path()).unwrap(), Side::default());
        assert_eq!(read("").unwrap(), Side::default());
        let plugin = read("plugins:\n- {name: a, disabled: true}\n").unwrap().plugins.remove(0);
        assert_eq!((plugin.disabled, plugin.timeout_seconds), (true, 30), "one that is switched off needs no command");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let check = |text: &str, want: &str| {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        };
        check("rooter: {}\n", "rooter");
        check("images:\n- image: x\n  command: []\n", "images[0].command is empty");
        check("images:\n- image: ''\n  command: [x]\n", "images[0].image is empty");
        check("scrapeIntervalSeconds: 0\n", "scrapeIntervalSeconds");
        check("router: {listen: nowhere}\n", "line 1");
        check("router: {workers: 0}\n", "router.workers");
        check("plugins:\n- name: ''\n  command: [x]\n", "plugins[0].name is empty");
        check("plugins:\n- name: a\n", "plugins[0].command is empty");
        check("plugins:\n- {name: a, command: [x]}\n- {name: a, command: [y]}\n", "plugins[1].name stands twice");
        check("plugins:\n- {name: a, command: [x], timeoutSeconds: 0}\n", "plugins[0].timeoutSeconds");
    }
}
