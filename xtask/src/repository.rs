//! The repository as the checks see it: its text files, and what cargo knows of its packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::TaskError;

/// Files beyond this size are data, not text that somebody wrote.
const TEXT_LIMIT_BYTES: u64 = 1 << 20;

/// Endings of files that are text.
const TEXT_ENDINGS: [&str; 16] = [
    "rs",
    "toml",
    "md",
    "yaml",
    "yml",
    "json",
    "sh",
    "py",
    "story",
    "transcript",
    "tsv",
    "txt",
    "html",
    "css",
    "js",
    "lock",
];

/// A text file.
#[derive(Debug, Clone)]
pub(crate) struct TextFile {
    /// Its path from the root, with slashes.
    pub(crate) path: String,
    /// What it says.
    pub(crate) text: String,
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// All text files under `root`, by path. Built things, hidden folders (but cargo's and CI's) and large files are left out.
pub(crate) fn text_files(root: &Path) -> Result<Vec<TextFile>, TaskError> {
    let mut files = Vec::new();
    let mut ahead = vec![root.to_owned()];
    while let Some(folder) = ahead.pop() {
        let entries = fs::read_dir(&folder).map_err(|e| TaskError::read(folder.display().to_string(), e))?;
        for entry in entries {
            let entry = entry.map_err(|e| TaskError::read(folder.display().to_string(), e))?;
            let (path, kind) = (entry.path(), entry.file_type());
            let kind = kind.map_err(|e| TaskError::read(path.display().to_string(), e))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if kind.is_dir() {
                if !is_skipped(&name) {
                    ahead.push(path);
                }
            } else if kind.is_file() && is_text(&path) {
                files.extend(read(root, &path)?);
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn is_skipped(name: &str) -> bool {
    let hidden = name.starts_with('.') && ![".cargo", ".github"].contains(&name);
    hidden || ["target", "node_modules", "__pycache__"].contains(&name)
}

fn is_text(path: &Path) -> bool {
    path.extension().and_then(|e| e.to_str()).is_some_and(|ending| TEXT_ENDINGS.contains(&ending))
}

fn read(root: &Path, path: &Path) -> Result<Option<TextFile>, TaskError> {
    let failed = |e: std::io::Error| TaskError::read(path.display().to_string(), e);
    if fs::metadata(path).map_err(failed)?.len() > TEXT_LIMIT_BYTES {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&fs::read(path).map_err(failed)?).into_owned();
    let relative = path.strip_prefix(root).unwrap_or(path);
    let path = relative.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
    Ok(Some(TextFile { path, text }))
}

/// What cargo says of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    /// Its packages.
    pub(crate) packages: Vec<Package>,
    /// Where it builds.
    pub(crate) target_directory: PathBuf,
}

/// A package of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// What it depends on.
    pub(crate) dependencies: Vec<Dependency>,
}

/// A direct dependency.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    /// Name of the package.
    pub(crate) name: String,
    /// `dev` or `build`; none for ordinary ones.
    pub(crate) kind: Option<String>,
}

impl Metadata {
    /// Whether the workspace has a package of this name.
    pub(crate) fn has(&self, package: &str) -> bool {
        self.packages.iter().any(|p| p.name == package)
    }
}

/// Asks cargo for the packages of the workspace.
pub(crate) fn metadata() -> Result<Metadata, TaskError> {
    let program = "cargo metadata";
    let output = cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .map_err(|e| TaskError::run(program, e))?;
    if !output.status.success() {
        return Err(TaskError::run(program, String::from_utf8_lossy(&output.stderr).trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| TaskError::run(program, e))
}

/// The cargo that runs this task, at the root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}
