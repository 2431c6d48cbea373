//! Files of settings that are no Kubernetes objects, read with the same care: every problem at once, each with its place and
//! the name that was meant.

use std::sync::Arc;

use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;

use crate::catalog::{Entry, Origin, Place};
use crate::check::Schema;
use crate::document::{self, Kind, Node, Spot, Style};
use crate::problem::{Findings, Problem};
use crate::read::Source;

/// Reads the one document of a source as settings of this type; an empty file has none of the fields. `ident` is what
/// problems call the whole, such as `world`. Objects of the type must refuse unknown fields (`deny_unknown_fields`) for
/// unknown fields to be problems, and must be free of unions, whose places are not known.
///
/// # Errors
/// Every problem, in the order of the file.
pub fn read<T: JsonSchema + DeserializeOwned>(source: &Source, ident: &str) -> Result<Entry<T>, Vec<Problem>> {
    let mut findings = Findings::default();
    let (documents, _) = document::parse(source, &mut findings);
    let problems = findings.into_list();
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut documents = documents.into_iter().filter(|node| node.kind != Kind::Null);
    let empty = Node { spot: Spot { line: 1, column: 1, width: 0 }, kind: Kind::Map(Vec::new()), style: Style::Other };
    let node = documents.next().unwrap_or(empty);
    let mut origin = Origin { file: source.name.as_str().into(), ident: ident.to_owned(), node, wrong: Vec::new() };
    if let Some(second) = documents.next() {
        let message = "a second document begins here; the settings are one document";
        return Err(vec![origin.problem_at("second-document", second.spot, "", message)]);
    }
    let schema = Schema::new(SchemaGenerator::default().into_root_schema_for::<T>().to_value());
    let outcome = schema.check(&origin);
    if !outcome.problems.is_empty() {
        return Err(outcome.problems);
    }
    origin.wrong = outcome.wrong;
    let place = Place { file: origin.file.clone(), line: origin.node.spot.line };
    match serde_json::from_value(outcome.value) {
        Ok(object) => Ok(Entry { object, place, origin: Arc::new(origin) }),
        Err(error) => {
            Err(vec![origin.problem("unreadable-object", "", format!("failed to read the {ident}: {error}"))])
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, JsonSchema, PartialEq)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Settings {
        #[serde(default)]
        rate: f64,
        #[serde(default)]
        parts: Vec<Part>,
    }

    #[derive(Debug, Deserialize, JsonSchema, PartialEq)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Part {
        ready_after: String,
    }

    fn problems(text: &str) -> Vec<String> {
        let found = read::<Settings>(&Source::new("w.yaml", text), "world").unwrap_err();
        found.iter().map(|p| format!("{p} / {}", p.hint.as_deref().unwrap_or("-"))).collect()
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        let text = "rat: 3\nparts:\n  - redyAfter: 3s\n  - readyAfter: [1]\n";
        let want = [
            "w.yaml:1:1: error: rat: there is no field \"rat\" in the object / did you mean \"rate\"?",
            "w.yaml:3:5: error: parts[0].redyAfter: there is no field \"redyAfter\" in parts[0] / did you mean \"readyAfter\"?",
            "w.yaml:4:5: error: parts[1].readyAfter: expected a string, found a list / -",
        ];
        assert_eq!(problems(text), want);
        assert_eq!(problems("rate: 1\n---\nrate: 2\n").len(), 1);
        assert_eq!(problems("a: [\n").len(), 1);
    }

    #[test]
    fn good_settings_know_their_places() {
        let text = "# none\nparts:\n  - readyAfter: 3s\n";
        let entry = read::<Settings>(&Source::new("w.yaml", text), "world").unwrap();
        assert_eq!(entry.object.parts[0].ready_after, "3s");
        assert_eq!(entry.place_of("parts[0].readyAfter"), Some((3, 17)));
        let none = read::<Settings>(&Source::new("w.yaml", "# nothing\n"), "world").unwrap();
        assert_eq!(none.object, Settings { rate: 0.0, parts: Vec::new() });
    }
}
