//! Manifests from files and folders: the one place of this crate that touches files.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::document::{self, Node};
use crate::problem::{Findings, Problem};

/// Most bytes of one manifest file. A cluster takes objects of 1.5 MiB; ten such objects in one file are more than
/// anybody writes by hand, and a model file named by mistake must not fill the memory.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// Most bytes of all files of one call.
pub const TOTAL_BYTES_MAX: u64 = 64 << 20;

/// Most folders inside each other; also ends a circle of links.
const FOLDERS_DEEP_MAX: usize = 32;

/// The project's own configuration, which lies beside the manifests and is none.
const CONFIGURATION: &str = "serin.yaml";

/// The text of one manifest file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The name by which problems call it.
    pub name: String,
    /// Its whole text.
    pub text: String,
}

impl Source {
    /// A source from a text at hand.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Source { name: name.into(), text: text.into() }
    }
}

/// The objects of sources as they are written, in their order, whatever their kinds; the items of a `List` are objects of their
/// own. What is no object is left out: [`crate::check()`] says what is wrong with it.
///
/// ```
/// use serin_spec::{Source, read};
///
/// let source = Source::new("two.yaml", "{kind: A, x: 1}\n---\n{kind: List, items: [{kind: B}]}\n---\n3\n");
/// let kinds: Vec<_> = read::objects(&[source]).into_iter().map(|object| object["kind"].clone()).collect();
/// assert_eq!(kinds, ["A", "B"]);
/// ```
pub fn objects(sources: &[Source]) -> Vec<Value> {
    let mut objects = Vec::new();
    for source in sources {
        let documents = document::parse(source, &mut Findings::default()).0;
        for object in documents.iter().map(Node::to_value).filter(Value::is_object) {
            let is_list = object["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
            match object["items"].as_array().filter(|_| is_list) {
                Some(items) => objects.extend(items.iter().filter(|item| item.is_object()).cloned()),
                None => objects.push(object),
            }
        }
    }
    objects
}

/// Reads files, and every `*.yaml`, `*.yml` and `*.json` in folders and their folders, sorted by name. Hidden entries
/// and `serin.yaml` are skipped in folders, and so are folders within that have a `serin.yaml` of their own, because they
/// are run on their own; a file that is named itself is always read. What cannot be read is a problem, and the other files
/// are read all the same.
pub fn files(paths: &[PathBuf]) -> (Vec<Source>, Vec<Problem>) {
    let mut reading = Reading::default();
    for path in paths {
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => {
                let before = reading.found;
                reading.folder(path, 0);
                if reading.found == before {
                    let problem = Problem::of_file("no-manifest", &name_of(path), "the folder holds no manifest");
                    reading.problems.push(problem.expected("files that end in .yaml, .yml or .json"));
                }
            }
            Ok(_) => reading.file(path),
            Err(error) => reading.failed(path, &error),
        }
    }
    (reading.sources, reading.problems)
}

#[derive(Default)]
struct Reading {
    sources: Vec<Source>,
    problems: Vec<Problem>,
    /// Manifest files met, readable or not.
    found: usize,
    bytes: u64,
}

impl Reading {
    fn folder(&mut self, folder: &Path, depth: usize) {
        if depth > FOLDERS_DEEP_MAX {
            let message = format!("folders lie more than {FOLDERS_DEEP_MAX} deep");
            self.problems.push(Problem::of_file("folders-too-deep", &name_of(folder), message));
            return;
        }
        let entries = match fs::read_dir(folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>()) {
            Ok(entries) => entries,
            Err(error) => return self.failed(folder, &error),
        };
        let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            match fs::metadata(&path) {
                Ok(meta) if meta.is_dir() && path.join(CONFIGURATION).is_file() => {}
                Ok(meta) if meta.is_dir() => self.folder(&path, depth + 1),
                Ok(_) if is_manifest(&path) && name != CONFIGURATION => self.file(&path),
                Ok(_) => {}
                Err(error) => self.failed(&path, &error),
            }
        }
    }

    fn file(&mut self, path: &Path) {
        self.found += 1;
        let name = name_of(path);
        if self.sources.iter().any(|source| source.name == name) {
            return;
        }
        let bytes = match read_capped(path) {
            Ok(bytes) => bytes,
            Err(error) => return self.failed(path, &error),
        };
        if bytes.len() as u64 > FILE_BYTES_MAX {
            self.problems.push(too_large(&name));
            return;
        }
        self.bytes += bytes.len() as u64;
        if self.bytes > TOTAL_BYTES_MAX {
            let message = format!("the files before this one already fill {} MiB", TOTAL_BYTES_MAX >> 20);
            self.problems.push(Problem::of_file("files-too-large", &name, message));
            return;
        }
        match String::from_utf8(bytes) {
            Ok(text) => self.sources.push(Source { name, text }),
            Err(error) => self.problems.push(not_text(&name, &error)),
        }
    }

    fn failed(&mut self, path: &Path, error: &std::io::Error) {
        let message = format!("failed to read: {error}");
        self.problems.push(Problem::of_file("unreadable", &name_of(path), message));
    }
}

/// Reads one byte more than is allowed at most, whatever the file claims its size to be.
fn read_capped(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The problem of a text over the limit of one file.
pub(crate) fn too_large(name: &str) -> Problem {
    Problem::of_file("file-too-large", name, format!("the file is larger than {} MiB", FILE_BYTES_MAX >> 20))
        .hint("is this a manifest? split it, or name the right file")
}

fn not_text(name: &str, error: &std::string::FromUtf8Error) -> Problem {
    let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
    Problem::of_file("not-utf8", name, "the file is not UTF-8 text")
        .at(line, column, 1)
        .hint("is this a manifest? save it as UTF-8")
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json")
}

fn name_of(path: &Path) -> String {
    path.display().to_string()
}
