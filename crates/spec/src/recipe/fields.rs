//! Reading free-form settings with the care of the typed ones: every problem at once, each with its path and the name that was meant.

use std::cell::RefCell;

use serde_json::{Map, Value};
use serin_core::Span;

use super::RecipeProblem;
use crate::check::did_you_mean;
use crate::duration;

/// The fields of one object. Fields that are not in `known` are problems.
pub(super) struct Fields<'a> {
    map: Option<&'a Map<String, Value>>,
    path: String,
    problems: &'a RefCell<Vec<RecipeProblem>>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(value: &'a Value, path: &str, known: &[&str], problems: &'a RefCell<Vec<RecipeProblem>>) -> Self {
        let fields = Self { map: value.as_object(), path: path.to_owned(), problems };
        match fields.map {
            None if !value.is_null() => fields.problem("", "not an object", Some("an object of fields"), None),
            None => {}
            Some(map) => {
                for name in map.keys().filter(|name| !known.contains(&name.as_str())) {
                    let hint = did_you_mean(name, known.iter().copied());
                    let hint = hint.unwrap_or_else(|| format!("known fields: {}", known.join(", ")));
                    fields.problem(name, &format!("unknown field {name:?}"), None, Some(hint));
                }
            }
        }
        fields
    }

    pub(super) fn at(&self, name: &str) -> String {
        match (self.path.is_empty(), name.is_empty()) {
            (true, _) => name.to_owned(),
            (false, true) => self.path.clone(),
            (false, false) => format!("{}.{name}", self.path),
        }
    }

    pub(super) fn problem(&self, name: &str, message: &str, expected: Option<&str>, hint: Option<String>) {
        let problem = RecipeProblem {
            path: self.at(name),
            message: message.to_owned(),
            expected: expected.map(str::to_owned),
            hint,
        };
        self.problems.borrow_mut().push(problem);
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.map?.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        let value = self.get(name)?;
        let text = value.as_str().filter(|text| !text.is_empty());
        if text.is_none() {
            self.problem(name, &format!("{value} is no text"), Some("a text"), None);
        }
        text
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)], default: T) -> T {
        let Some(value) = self.get(name) else { return default };
        let said = value.as_str().unwrap_or_default();
        if let Some((_, meant)) = words.iter().find(|(word, _)| *word == said) {
            return *meant;
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let hint = did_you_mean(said, names.iter().copied());
        self.problem(name, &format!("{value} is not allowed"), Some(&format!("one of {}", names.join(", "))), hint);
        default
    }

    /// A share between the bounds (exclusive): `0.01`, `1%` or `1pt`.
    pub(super) fn share(&self, name: &str, bounds: (f64, f64), default: f64) -> f64 {
        let Some(value) = self.get(name) else { return default };
        let share = amount(value).map(|amount| match amount {
            Amount::Share(share) | Amount::Percent(share) => share,
        });
        match share {
            Some(share) if share > bounds.0 && share < bounds.1 => share,
            Some(share) => {
                let expected = format!("above {} and below {}", bounds.0, bounds.1);
                self.problem(name, &format!("{share} is out of range"), Some(&expected), None);
                default
            }
            None => {
                self.problem(name, &format!("{value} is no share"), Some("a share such as 0.01, 1% or 1pt"), None);
                default
            }
        }
    }

    pub(super) fn positive(&self, name: &str, default: f64) -> f64 {
        let Some(value) = self.get(name) else { return default };
        match value.as_f64().filter(|n| n.is_finite() && *n > 0.0) {
            Some(n) => n,
            None => {
                self.problem(name, &format!("{value} is no number above 0"), Some("a number above 0"), None);
                default
            }
        }
    }

    pub(super) fn span(&self, name: &str, default: Span) -> Span {
        let Some(value) = self.get(name) else { return default };
        match value.as_str().and_then(|text| duration::parse_ms(text).ok()).filter(|ms| *ms > 0) {
            Some(ms) => Span::from_millis(ms),
            None => {
                let expected = "a duration such as 30s, 5m or 1h";
                self.problem(name, &format!("{value} is no duration above 0"), Some(expected), None);
                default
            }
        }
    }
}

/// A number that says what it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Amount {
    /// A plain share, or points: `0.01`, `1pt`.
    Share(f64),
    /// Percent: of what depends on the field.
    Percent(f64),
}

/// Reads `0.01`, `"0.01"`, `"1pt"`, `"1 pt"`, `"1%"`.
pub(super) fn amount(value: &Value) -> Option<Amount> {
    if let Some(n) = value.as_f64() {
        return n.is_finite().then_some(Amount::Share(n));
    }
    let text = value.as_str()?.trim();
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
    if let Some(points) = ["points", "pts", "pt"].iter().find_map(|unit| text.strip_suffix(unit)) {
        return number(points).map(|n| Amount::Share(n / 100.0));
    }
    if let Some(percent) = text.strip_suffix('%') {
        return number(percent).map(|n| Amount::Percent(n / 100.0));
    }
    number(text).map(Amount::Share)
}
