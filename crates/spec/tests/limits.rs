//! Hostile and broken files: a clear problem each, soon, and never a panic.

use std::fs;
use std::path::PathBuf;

use serin_spec::{Checked, Problem, Source, check, read};

fn checked(text: impl Into<String>) -> Checked {
    check(&[Source::new("file.yaml", text)])
}

/// The only problem of a text.
#[track_caller]
fn only(text: impl Into<String>) -> Problem {
    let problems = checked(text).problems;
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.into_iter().next().unwrap()
}

#[track_caller]
fn refused(text: impl Into<String>, code: &str) {
    let problem = only(text);
    assert!(problem.is_error());
    assert_eq!(problem.code, code, "{problem}");
    assert!(problem.line >= 1 && problem.column >= 1, "{problem}");
}

const SIZE: usize = 1 << 20;

#[test]
fn a_megabyte_of_nesting_is_refused() {
    refused("[".repeat(SIZE), "too-deep");
    refused("{a: ".repeat(SIZE / 4), "too-deep");
    refused("- ".repeat(SIZE / 2), "too-deep");
    refused("? ".repeat(SIZE / 2), "complex-key");
    let mut block = String::new();
    for depth in 0..1_400 {
        block.push_str(&" ".repeat(depth));
        block.push_str("a:\n");
    }
    assert!(block.len() > 900_000);
    refused(block, "too-deep");
    refused(format!("{}{}", "[".repeat(SIZE / 2), "]".repeat(SIZE / 2)), "too-deep");
}

#[test]
fn aliases_that_multiply_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let before = i - 1;
        text.push_str(&format!("a{i}: &a{i} [{}]\n", vec![format!("*a{before}"); 10].join(", ")));
    }
    refused(text, "too-many-copies");
    let anchors = (0..60).map(|i| format!("&a{i} [")).collect::<String>();
    let text = format!("{anchors}{}{}", "x, ".repeat(20_000), "]".repeat(60));
    refused(text, "too-many-copies");
    refused("a: &a [*a]", "circular-alias");
    let deep = format!("a: &a {}x{}\nb: {}*a{}", "[".repeat(40), "]".repeat(40), "[".repeat(40), "]".repeat(40));
    refused(deep, "too-deep");
}

#[test]
fn very_many_values_are_refused() {
    refused("- a\n".repeat(1_100_000), "too-many-values");
    let objects = "{apiVersion: v1, kind: Namespace, metadata: {name: a}}\n---\n".repeat(12_000);
    let checked = checked(objects);
    assert_eq!(checked.catalog.namespaces.len(), 10_000);
    assert!(
        checked.problems.iter().any(|problem| problem.code == "too-many-objects" || problem.code == "more-problems")
    );
    assert!(checked.problems.len() <= 201, "{}", checked.problems.len());
}

#[test]
fn very_many_problems_are_cut_off() {
    let mut text = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: a}\nspec:\n".to_owned();
    for i in 0..50_000 {
        text.push_str(&format!("  replicaz{i}: 1\n"));
    }
    let problems = checked(text).problems;
    assert!(problems.len() <= 202, "{}", problems.len());
    assert_eq!(problems.last().map(|problem| problem.code), Some("more-problems"));
    let text = "a: [\n---\n".repeat(20_000);
    assert!(checked(text).problems.len() <= 202);
}

#[test]
fn a_file_of_a_hundred_megabytes_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.yaml");
    fs::File::create(&path).unwrap().set_len(100 << 20).unwrap();
    let (sources, problems) = read::files(std::slice::from_ref(&path));
    assert!(sources.is_empty());
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].code, "file-too-large");
    let text = "#".repeat((16 << 20) + 1);
    let problem = only(text);
    assert_eq!(problem.code, "file-too-large");
}

#[test]
fn many_files_together_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..5 {
        fs::write(folder.path().join(format!("{i}.yaml")), "#".repeat(15 << 20)).unwrap();
    }
    let (sources, problems) = read::files(&[folder.path().to_owned()]);
    assert_eq!(sources.len(), 4);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].code, "files-too-large");
}

#[test]
fn odd_texts_are_told_or_taken() {
    refused("a: b\0c", "control-character");
    refused("\0", "control-character");
    refused("a: b\rc: d\n", "control-character");
    refused("a: [\n\n", "yaml-syntax");
    refused("a: \u{1b}[31m", "control-character");
    refused("a:\n\t- b", "yaml-syntax");
    refused("a: b: c", "yaml-syntax");
    for empty in ["", "\n\n", "# only a comment", "---\n---\n...\n", "\u{feff}", "\u{feff}# comment\r\n", "null", "~"] {
        assert!(checked(empty).problems.is_empty(), "{empty:?}");
    }
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    for text in [config.replace('\n', "\r\n"), format!("\u{feff}{config}"), config.trim_end().to_owned()] {
        let checked = checked(text);
        assert!(checked.problems.is_empty());
        assert_eq!(checked.catalog.config_maps.len(), 1);
    }
}

#[test]
fn one_broken_document_leaves_the_others_readable() {
    let good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let text = format!("a: [\n---\n{good}---\nb: {{\n--- # marker\n{}", good.replace("name: a", "name: b"));
    let checked = checked(text);
    assert_eq!(checked.catalog.config_maps.len(), 2);
    let lines: Vec<usize> = checked.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [1, 7], "{:#?}", checked.problems);
    assert_eq!(checked.catalog.config_maps[1].place.line, 9);
}

/// A block text may hold lines that look like the beginning of a document anywhere but at its margin.
#[test]
fn document_markers_inside_of_texts_are_no_markers() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: |\n    ---\n    b\n";
    let checked = checked(text);
    assert!(checked.problems.is_empty());
    assert_eq!(checked.catalog.config_maps[0].object.data["a"], "---\nb\n");
}

#[test]
fn files_and_folders_are_read_sorted_without_hidden_ones() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir_all(root.join("b/.git")).unwrap();
    fs::create_dir_all(root.join(".hidden")).unwrap();
    fs::create_dir_all(root.join("another/k8s")).unwrap();
    let names =
        ["b/2.yml", "a.json", "b/1.yaml", "c.txt", "serin.yaml", ".secret.yaml", ".hidden/x.yaml", "b/.git/x.yaml"];
    // A folder with a side file of its own is run on its own.
    let another = ["another/serin.yaml", "another/x.yaml", "another/k8s/y.yaml"];
    for name in names.into_iter().chain(another) {
        fs::write(root.join(name), "# text").unwrap();
    }
    let (sources, problems) = read::files(&[root.to_owned(), root.join("c.txt"), root.join("a.json")]);
    assert!(problems.is_empty(), "{problems:#?}");
    let found: Vec<PathBuf> = sources.iter().map(|source| PathBuf::from(&source.name)).collect();
    let wanted = ["a.json", "b/1.yaml", "b/2.yml", "c.txt"].map(|name| root.join(name));
    assert_eq!(found, wanted);
    let (sources, _) = read::files(&[root.join("another")]);
    assert_eq!(sources.len(), 2, "{sources:?}");
}

#[test]
fn what_cannot_be_read_is_a_problem_beside_what_can() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::write(root.join("a.yaml"), "# text").unwrap();
    fs::write(root.join("b.yaml"), b"a: b\nc: \xc3\xa4\xff").unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    let paths = ["missing.yaml", "empty", "a.yaml", "b.yaml"].map(|name| root.join(name));
    let (sources, problems) = read::files(&paths);
    assert_eq!(sources.len(), 1);
    let found: Vec<(&str, usize, usize)> = problems.iter().map(|p| (p.code, p.line, p.column)).collect();
    assert_eq!(found, [("unreadable", 0, 0), ("no-manifest", 0, 0), ("not-utf8", 2, 5)]);
    let line = problems[0].to_string();
    assert!(line.starts_with(&format!("{}: error: failed to read: ", root.join("missing.yaml").display())), "{line}");
}

#[cfg(unix)]
#[test]
fn a_circle_of_links_comes_to_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::write(root.join("a.yaml"), "# text").unwrap();
    std::os::unix::fs::symlink(root, root.join("again")).unwrap();
    let (_, problems) = read::files(&[root.to_owned()]);
    assert!(problems.iter().all(|problem| problem.is_error()));
    assert!(!problems.is_empty());
}
