//! What is wrong with a world although its shape is right: lengths of time, shares, times of day, words.

use serin_spec::catalog::Entry;
use serin_spec::{Problem, Severity, duration};

use super::{AnswersDescription, Description, MembersDescription, MetricDescription, PersonDescription};

/// Deeds, and whether each takes a `to`.
const DEEDS: [(&str, bool); 8] = [
    ("promote", false),
    ("promote-full", false),
    ("abort", false),
    ("retry", false),
    ("pause", false),
    ("undo", false),
    ("deploy", true),
    ("replicas", true),
];

/// What can be counted, and whether it needs a label.
const COUNTS: [(&str, bool); 4] = [("requests", true), ("durations", false), ("predictions", true), ("numbers", false)];

/// Every problem of a world, each with its place.
pub fn check(entry: &Entry<Description>) -> Vec<Problem> {
    let mut checker = Checker { entry, problems: Vec::new() };
    checker.world(&entry.object);
    checker.problems
}

struct Checker<'a> {
    entry: &'a Entry<Description>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn problem(&mut self, path: &str, message: impl Into<String>, expected: &str) {
        let mut problem = self.entry.problem(Severity::Error, "bad-world", path, message);
        problem.expected = (!expected.is_empty()).then(|| expected.to_owned());
        self.problems.push(problem);
    }

    fn world(&mut self, world: &Description) {
        if world.deploy.to.is_none() {
            self.problem("deploy.to", "the new version is not named", "an image tag");
        }
        if world.expect.as_deref().is_some_and(|word| word != "promoted" && word != "aborted") {
            self.problem("expect", "this is no outcome", "promoted or aborted");
        }
        self.span("warmUp", world.warm_up.as_deref());
        self.span("within", world.within.as_deref());
        self.traffic(world);
        self.versions(world);
        for (i, outage) in world.outages.iter().enumerate() {
            self.span(&format!("outages[{i}].at"), Some(&outage.at));
            self.span(&format!("outages[{i}].lasts"), Some(&outage.lasts));
            self.share(&format!("outages[{i}].errors"), Some(outage.errors));
            self.positive(&format!("outages[{i}].slower"), outage.slower);
        }
        self.scrape(world);
        for (i, metric) in world.metrics.iter().enumerate() {
            self.metric(&format!("metrics[{i}]"), metric);
        }
        for (i, person) in world.people.iter().enumerate() {
            self.person(&format!("people[{i}]"), person);
        }
        self.faults(world);
    }

    fn scrape(&mut self, world: &Description) {
        self.span("scrape.interval", world.scrape.interval.as_deref());
        if world.scrape.interval.as_deref().and_then(|text| duration::parse_ms(text).ok()).is_some_and(|ms| ms < 100) {
            self.problem("scrape.interval", "scrapes come too fast", "at least 100ms");
        }
        self.share("scrape.lost", world.scrape.lost);
        self.span("scrape.late", world.scrape.late.as_deref());
    }

    fn faults(&mut self, world: &Description) {
        let faults = &world.faults;
        let shares = [
            ("lost", faults.lost),
            ("twice", faults.twice),
            ("late", faults.late),
            ("killed", faults.killed),
            ("stale", faults.stale),
        ];
        for (name, share) in shares {
            self.share(&format!("faults.{name}"), share);
        }
        self.span("faults.lateBy", faults.late_by.as_deref());
        self.span("faults.backAfter", faults.back_after.as_deref());
        self.span("faults.staleBy", faults.stale_by.as_deref());
    }

    fn traffic(&mut self, world: &Description) {
        let traffic = &world.traffic;
        for (name, rate) in [("rate", traffic.rate), ("previewRate", traffic.preview_rate)] {
            // A million a second is beyond any single service, and keeps every counter exact.
            if rate.is_some_and(|rate| !(0.0..=1e6).contains(&rate)) {
                self.problem(&format!("traffic.{name}"), "this is no rate", "0 to 1000000 requests a second");
            }
        }
        self.share("traffic.swing", traffic.swing);
        for (name, text) in [("peakAt", &traffic.peak_at), ("deployAt", &traffic.deploy_at)] {
            if text.as_deref().is_some_and(|text| time_of_day_ms(text).is_none()) {
                self.problem(&format!("traffic.{name}"), "this is no time of day", "a form such as \"09:30\"");
            }
        }
        for (i, header) in traffic.headers.iter().enumerate() {
            self.share(&format!("traffic.headers[{i}].share"), Some(header.share));
        }
        if traffic.headers.iter().map(|h| h.share).sum::<f64>() > 1.0 {
            self.problem("traffic.headers", "the shares add up to more than 1", "");
        }
    }

    fn versions(&mut self, world: &Description) {
        for (i, version) in world.versions.iter().enumerate() {
            let path = format!("versions[{i}]");
            if world.versions[..i].iter().any(|other| other.tag == version.tag) {
                self.problem(&format!("{path}.tag"), format!("{:?} is described twice", version.tag), "");
            }
            self.members(&format!("{path}.members"), &version.members);
            self.answers(&format!("{path}.answers"), &version.answers);
            let mut free_ms = 0;
            for (j, change) in version.changes.iter().enumerate() {
                let path = format!("{path}.changes[{j}]");
                let at = self.span(&format!("{path}.at"), Some(&change.at)).unwrap_or(free_ms);
                let over = self.span(&format!("{path}.over"), change.over.as_deref()).unwrap_or(0);
                if at < free_ms {
                    self.problem(&format!("{path}.at"), "the change before this one is not over yet", "");
                }
                free_ms = at.saturating_add(over);
                self.answers(&format!("{path}.to"), &change.to);
            }
        }
    }

    fn members(&mut self, path: &str, members: &MembersDescription) {
        let spans = [
            ("readyAfter", &members.ready_after),
            ("readyAfterP95", &members.ready_after_p95),
            ("crashEvery", &members.crash_every),
            ("flapEvery", &members.flap_every),
            ("flapLasts", &members.flap_lasts),
        ];
        for (name, text) in spans {
            self.span(&format!("{path}.{name}"), text.as_deref());
        }
        self.share(&format!("{path}.neverReady"), members.never_ready);
    }

    fn answers(&mut self, path: &str, answers: &AnswersDescription) {
        self.share(&format!("{path}.errors"), answers.errors);
        let p50 = self.span(&format!("{path}.p50"), answers.p50.as_deref());
        let p95 = self.span(&format!("{path}.p95"), answers.p95.as_deref());
        if p50 == Some(0) {
            self.problem(&format!("{path}.p50"), "no answer comes at once", "at least 1ms");
        }
        if let (Some(p50), Some(p95)) = (p50, p95)
            && p95 < p50
        {
            self.problem(&format!("{path}.p95"), "the 95th percentile is below the median", "");
        }
        for (class, share) in &answers.predictions {
            self.share(&format!("{path}.predictions.{class}"), Some(*share));
        }
        if !answers.predictions.is_empty() && (answers.predictions.values().sum::<f64>() - 1.0).abs() > 0.001 {
            self.problem(&format!("{path}.predictions"), "the shares do not add up to 1", "");
        }
        if answers.number_deviation.is_some_and(|deviation| deviation < 0.0) {
            self.problem(&format!("{path}.numberDeviation"), "a deviation is not negative", "");
        }
    }

    fn metric(&mut self, path: &str, metric: &MetricDescription) {
        let Some((_, labelled)) = COUNTS.iter().find(|(name, _)| *name == metric.counts) else {
            let names = COUNTS.map(|(name, _)| name).join(", ");
            return self.problem(&format!("{path}.counts"), "this is not counted", &format!("one of {names}"));
        };
        if *labelled && metric.label.is_none() {
            self.problem(&format!("{path}.label"), format!("{} need a label", metric.counts), "");
        }
        let ascending = metric.bounds.windows(2).all(|pair| pair[0] < pair[1]);
        if metric.counts == "durations" && (metric.bounds.is_empty() || !ascending) {
            self.problem(&format!("{path}.bounds"), "a histogram needs bounds, ascending", "");
        }
    }

    fn person(&mut self, path: &str, person: &PersonDescription) {
        self.span(&format!("{path}.at"), Some(&person.at));
        let Some((_, needs)) = DEEDS.iter().find(|(name, _)| *name == person.deed) else {
            let names = DEEDS.map(|(name, _)| name).join(", ");
            let message = format!("nobody can {:?}", person.deed);
            return self.problem(&format!("{path}.do"), message, &format!("one of {names}"));
        };
        if *needs != person.to.is_some() {
            let message = if *needs { "this deed needs a to" } else { "this deed takes no to" };
            self.problem(&format!("{path}.to"), message, "");
        }
        if person.deed == "replicas" && person.to.as_deref().is_some_and(|to| to.parse::<u32>().is_err()) {
            self.problem(&format!("{path}.to"), "this is no number of replicas", "a whole number in quotes");
        }
    }

    /// Milliseconds of a length of time, if it is one.
    fn span(&mut self, path: &str, text: Option<&str>) -> Option<i64> {
        let text = text?;
        match duration::parse_ms(text) {
            Ok(ms) if ms >= 0 => Some(ms),
            Ok(_) => {
                self.problem(path, format!("{text} is in the past"), "a length of time such as 30s or 5m");
                None
            }
            Err(_) => {
                let message = format!("{text:?} is no length of time");
                self.problem(path, message, "a length of time such as 30s or 5m");
                None
            }
        }
    }

    fn share(&mut self, path: &str, share: Option<f64>) {
        if share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            self.problem(path, "this is no share", "0 to 1");
        }
    }

    fn positive(&mut self, path: &str, number: Option<f64>) {
        if number.is_some_and(|number| number.is_nan() || number <= 0.0) {
            self.problem(path, "this must be more than 0", "");
        }
    }
}

/// Milliseconds since midnight of `HH:MM`.
pub(crate) fn time_of_day_ms(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, below: i64| text.parse::<i64>().ok().filter(|n| (0..below).contains(n));
    Some((number(hours, 24)? * 60 + number(minutes, 60)?) * 60_000)
}

#[cfg(test)]
mod tests {
    use serin_spec::{Source, settings};

    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let entry = settings::read::<Description>(&Source::new("world.yaml", text), "world").unwrap();
        check(&entry).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_schema_cannot_tell_has_a_place_too() {
        let check = |text: &str, want: &str| {
            let found = problems(&format!("deploy: {{to: v2}}\n{text}\n"));
            assert!(found.len() == 1 && found[0].contains(want), "{text}: {found:?}");
        };
        check("warmUp: soon", "2:9: error: warmUp: \"soon\" is no length of time");
        check("traffic: {swing: 2}", "2:18: error: traffic.swing: this is no share");
        check("traffic: {peakAt: \"25:00\"}", "traffic.peakAt: this is no time of day");
        check("traffic: {rate: -1}", "traffic.rate: this is no rate");
        check("expect: good", "expect: this is no outcome");
        check("versions: [{tag: a}, {tag: a}]", "versions[1].tag: \"a\" is described twice");
        check("versions: [{tag: a, answers: {p50: 2s, p95: 1s}}]", "the 95th percentile is below the median");
        check("versions: [{tag: a, answers: {predictions: {x: 0.5}}}]", "the shares do not add up to 1");
        let change = "{at: 1m, over: 1m, to: {}}";
        check(&format!("versions: [{{tag: a, changes: [{change}, {change}]}}]"), "the change before this one");
        check("people: [{at: 1s, do: dance}]", "people[0].do: nobody can \"dance\"");
        check("people: [{at: 1s, do: replicas}]", "people[0].to: this deed needs a to");
        check("people: [{at: 1s, do: abort, to: x}]", "people[0].to: this deed takes no to");
        check("metrics: [{name: a, counts: b}]", "metrics[0].counts: this is not counted");
        check("metrics: [{name: a, counts: durations, bounds: [2, 1]}]", "metrics[0].bounds: a histogram needs bounds");
        check("outages: [{at: 1m, lasts: 1m, slower: 0}]", "outages[0].slower: this must be more than 0");
        check("scrape: {interval: 1ms}", "scrape.interval: scrapes come too fast");
        check("faults: {lost: 1.5}", "faults.lost: this is no share");
        assert_eq!(problems("{}"), ["world.yaml:1:1: error: deploy.to: the new version is not named"]);
    }
}
