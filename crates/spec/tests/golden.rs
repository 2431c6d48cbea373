//! Every problem of bad manifests, as a person sees it, and none of good ones. `UPDATE_GOLDEN=1` rewrites the answers.

use std::fs;
use std::path::{Path, PathBuf};

use serin_spec::problem::{Colour, render};
use serin_spec::{Checked, Problem, Source, check_with, validate};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// The manifests of a folder, by name.
fn manifests(name: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "json"));
    paths.sort();
    paths
}

/// Stands for a PromQL reader: it refuses queries with the word `BAD` and points at it.
fn query(text: &str) -> Result<(), (String, usize, usize)> {
    match text.find("BAD") {
        Some(at) => Err(("unexpected identifier \"BAD\"".to_owned(), at, at + 3)),
        None => Ok(()),
    }
}

/// The problems of one file; those of running it on one machine too, if its name begins with `local`.
fn checked(path: &Path) -> (Vec<Source>, Checked) {
    let name = path.file_name().unwrap().to_str().unwrap();
    let text = String::from_utf8(fs::read(path).unwrap()).unwrap();
    let sources = vec![Source::new(name, text)];
    let mut checked = check_with(&sources, &query);
    if name.starts_with("local") {
        checked.problems.extend(validate::local(&checked.catalog));
    }
    (sources, checked)
}

fn shown(problems: &[Problem], sources: &[Source]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let pictures: Vec<String> = problems.iter().map(|problem| render(problem, sources, Colour::Never)).collect();
    format!("{}\n\n{}\n", lines.join("\n"), pictures.join("\n\n"))
}

#[test]
fn bad_manifests_give_the_recorded_problems() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut different = Vec::new();
    let paths = manifests("bad");
    assert!(paths.len() >= 40, "only {} bad manifests", paths.len());
    for path in paths {
        let (sources, checked) = checked(&path);
        assert!(!checked.problems.is_empty(), "{}: no problem found", path.display());
        let found = shown(&checked.problems, &sources);
        let golden = path.with_extension("txt");
        if update {
            fs::write(&golden, &found).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != found {
            different.push(format!("{}:\n{found}", path.display()));
        }
    }
    assert!(
        different.is_empty(),
        "{} answers differ from the recorded ones:\n{}",
        different.len(),
        different.join("\n")
    );
}

#[test]
fn every_problem_has_a_place_and_its_line_holds_it() {
    for path in manifests("bad") {
        let (sources, checked) = checked(&path);
        for problem in &checked.problems {
            let line = sources[0].text.lines().nth(problem.line.max(1) - 1).unwrap_or_default();
            assert!(problem.line >= 1, "{problem}: no line");
            assert!(
                problem.column >= 1 && problem.column <= line.chars().count() + 1,
                "{problem}: outside of its line"
            );
        }
    }
}

#[test]
fn good_manifests_have_no_problem() {
    let paths = manifests("good");
    assert!(paths.len() >= 3);
    for path in paths {
        let (sources, checked) = checked(&path);
        assert!(checked.problems.is_empty(), "{}", shown(&checked.problems, &sources));
    }
}
