//! The states of all behaviours, and how they are shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::json;

use super::State;
use super::assertions::Assertion;
use super::scan::{Mark, MarkKind};

/// Every behaviour with its state, in the order of the list.
pub(super) struct Report {
    rows: Vec<(Assertion, State, Option<String>)>,
}

/// How many behaviours are in each state.
#[derive(Default, Clone, Copy)]
struct Count {
    all: usize,
    tested: usize,
    implemented: usize,
    different: usize,
    open: usize,
}

impl Count {
    fn add(&mut self, state: State) {
        self.all += 1;
        *match state {
            State::Tested => &mut self.tested,
            State::Implemented => &mut self.implemented,
            State::Different => &mut self.different,
            State::Open => &mut self.open,
        } += 1;
    }
}

impl Report {
    /// A difference outweighs everything, a test outweighs code.
    pub(super) fn new(assertions: Vec<Assertion>, marks: &[Mark], reasons: &BTreeMap<String, String>) -> Self {
        let (mut code, mut tests) = (BTreeSet::new(), BTreeSet::new());
        let mut reasons = reasons.clone();
        for mark in marks {
            match &mark.kind {
                MarkKind::Code => drop(code.insert(mark.id.as_str())),
                MarkKind::Test => drop(tests.insert(mark.id.as_str())),
                MarkKind::Differs(why) => drop(reasons.insert(mark.id.clone(), why.clone())),
            }
        }
        let state = |id: &str| match () {
            () if reasons.contains_key(id) => State::Different,
            () if tests.contains(id) => State::Tested,
            () if code.contains(id) => State::Implemented,
            () => State::Open,
        };
        let rows = assertions.into_iter().map(|assertion| {
            let (state, reason) = (state(&assertion.id), reasons.get(&assertion.id).cloned());
            (assertion, state, reason)
        });
        Self { rows: rows.collect() }
    }

    /// One line a section, and the totals.
    pub(super) fn table(&self) -> String {
        let mut out = String::new();
        let mut line = |section: &str, title: &str, count: Count| {
            let Count { all, tested, implemented, different, open } = count;
            let title: String = title.chars().take(46).collect();
            let _ = writeln!(
                out,
                "{section:<5} {title:<46} {all:>5} {tested:>7} {implemented:>12} {different:>10} {open:>5}"
            );
        };
        let mut total = Count::default();
        let mut sections: Vec<(&str, &str, Count)> = Vec::new();
        for (assertion, state, _) in &self.rows {
            if sections.last().is_none_or(|(section, _, _)| *section != assertion.section) {
                sections.push((&assertion.section, &assertion.title, Count::default()));
            }
            if let Some((_, _, count)) = sections.last_mut() {
                count.add(*state);
            }
            total.add(*state);
        }
        for (section, title, count) in sections {
            line(section, title, count);
        }
        line("", "all", total);
        let head = format!(
            "{:<5} {:<46} {:>5} {:>7} {:>12} {:>10} {:>5}\n",
            "", "section", "all", "tested", "implemented", "different", "open"
        );
        head + &out
    }

    /// The totals in one line.
    pub(super) fn summary(&self) -> String {
        let mut total = Count::default();
        self.rows.iter().for_each(|(_, state, _)| total.add(*state));
        let Count { all, tested, implemented, different, open } = total;
        format!(
            "{all} behaviours of Argo Rollouts: {tested} tested, {implemented} implemented without a test, {different} different on purpose, {open} open"
        )
    }

    /// The behaviours in one state, one a line; for differences with the reason.
    pub(super) fn list(&self, wanted: State) -> String {
        let mut out = String::new();
        for (assertion, _, reason) in self.rows.iter().filter(|(_, state, _)| *state == wanted) {
            let _ = write!(out, "{:<8} {}", assertion.id, assertion.summary);
            if let Some(reason) = reason {
                let _ = write!(out, " | {reason}");
            }
            out.push('\n');
        }
        out
    }

    /// Everything, for programs.
    pub(super) fn to_json(&self) -> String {
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|(a, state, reason)| json!({ "id": a.id, "section": a.section, "summary": a.summary, "state": state, "reason": reason }))
            .collect();
        let mut total = Count::default();
        self.rows.iter().for_each(|(_, state, _)| total.add(*state));
        let total = json!({ "all": total.all, "tested": total.tested, "implemented": total.implemented, "different": total.different, "open": total.open });
        format!("{:#}\n", json!({ "total": total, "behaviours": rows }))
    }

    /// Whether any behaviour belongs to `section`.
    pub(super) fn has_section(&self, section: &str) -> bool {
        self.rows.iter().any(|(assertion, _, _)| within(&assertion.section, section))
    }

    /// The behaviours of these sections that no test names and that are not different on purpose. Sections count with
    /// everything below them.
    pub(super) fn undecided_in(&self, sections: &[String]) -> Vec<&str> {
        let denied = |assertion: &Assertion| sections.iter().any(|section| within(&assertion.section, section));
        let undecided = |state: State| matches!(state, State::Open | State::Implemented);
        let open = self.rows.iter().filter(|(assertion, state, _)| undecided(*state) && denied(assertion));
        open.map(|(assertion, _, _)| assertion.id.as_str()).collect()
    }
}

/// `2.8` lies within `2` and within `2.8`, but not within `2.81`.
fn within(section: &str, wanted: &str) -> bool {
    section.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let assertion = |id: &str, section: &str| Assertion {
            id: id.to_owned(),
            summary: format!("what {id} says"),
            section: section.to_owned(),
            title: "Title".to_owned(),
        };
        let mark = |id: &str, kind: MarkKind| Mark { id: id.to_owned(), path: String::new(), line: 1, kind };
        let assertions = vec![
            assertion("1.1-1", "1.1"),
            assertion("1.1-2", "1.1"),
            assertion("1.10-1", "1.10"),
            assertion("2-1", "2"),
        ];
        let marks = [
            mark("1.1-1", MarkKind::Code),
            mark("1.1-1", MarkKind::Test),
            mark("1.1-2", MarkKind::Code),
            mark("2-1", MarkKind::Test),
        ];
        Report::new(assertions, &marks, &BTreeMap::from([("2-1".to_owned(), "better so".to_owned())]))
    }

    #[test]
    fn differences_outweigh_tests_and_tests_outweigh_code() {
        let states: Vec<State> = report().rows.iter().map(|(_, state, _)| *state).collect();
        assert_eq!(states, [State::Tested, State::Implemented, State::Open, State::Different]);
        assert!(report().summary().starts_with("4 behaviours of Argo Rollouts: 1 tested, 1 implemented"));
        assert_eq!(report().list(State::Different), "2-1      what 2-1 says | better so\n");
        assert_eq!(report().table().lines().count(), 5);
    }

    #[test]
    fn a_section_counts_with_what_is_below_it_and_not_beside_it() {
        let open = |sections: &[&str]| {
            report().undecided_in(&sections.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()).join(" ")
        };
        assert_eq!(
            (open(&["1.1"]), open(&["1"]), open(&["1.10", "2"]), open(&[])),
            ("1.1-2".into(), "1.1-2 1.10-1".into(), "1.10-1".into(), String::new())
        );
        assert!(report().has_section("1") && !report().has_section("3"));
    }
}
