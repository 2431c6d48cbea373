//! Logs of runs whose answers are made up, with processes that die between writing a look and making it hold.

use proptest::prelude::*;
use serde_json::json;
use serin_core::analysis::schedule::{self, Task};
use serin_core::analysis::{RunPhase, RunStatus, assess, record};
use serin_core::{Share, Span, Time};
use serin_spec::wire::analysis::AnalysisRunSpec;
use serin_spec::{lower, recipe};
use serin_stats::batch::{Arm, Batch};
use serin_stats::judge::Verdict;

use super::{Chain, Entry, Flaw, FlawKind, How, Place, Reader, Settled, Update, Version, begun, looked};
use crate::sequential::replay::{Played, Replay};
use crate::sequential::what_if::WhatIf;
use crate::sequential::{Fed, Look, Taken};

fn update() -> Entry {
    let version = |hash: &str| Version { hash: hash.to_owned(), image: format!("model:{hash}") };
    Entry::Update(Box::new(Update {
        format: super::FORMAT,
        serin: "0.1.0".to_owned(),
        rollout: "ns/model".to_owned(),
        revision: 2,
        canary: version("new"),
        stable: version("old"),
        begun_ms: 0,
        speed: 1.0,
    }))
}

fn spec() -> AnalysisRunSpec {
    let metric = |name: &str, plugin: &str, settings: serde_json::Value| json!({"name": name, "provider": {"plugin": {plugin: settings}}});
    let plain = json!({"name": "p95", "provider": {"prometheus": {"query": "x"}}});
    let mut metrics = [
        plain,
        metric("errors", "serin.dev/compare", json!({"tolerance": "1pt"})),
        metric("latency", "serin.dev/compare", json!({"outcome": "latency"})),
    ];
    metrics[2]["interval"] = json!("3s");
    let mut spec: AnalysisRunSpec = serde_json::from_value(json!({ "metrics": metrics })).unwrap();
    let total = recipe::weight(&spec);
    recipe::resolve(&mut spec, total, true);
    spec
}

fn second(seq: u64, bad: u64) -> Batch {
    let arm = |answered, errors| Arm {
        answered,
        errors,
        latency: vec![(200, answered / 2), (230 + (seq % 7) as u16, answered - answered / 2)],
        ..Arm::default()
    };
    let (start_ms, end_ms) = (seq as i64 * 1000 - 1000, seq as i64 * 1000);
    Batch {
        seq,
        start_ms,
        end_ms,
        canary: arm(20, bad),
        stable: arm(80, 1),
        split: Some((20, 100)),
        ..Batch::default()
    }
}

/// A run and its log. The log has every look, the status only those that held.
struct Story {
    blocks: Vec<Vec<u8>>,
    chain: Chain,
    status: RunStatus,
    looks: Vec<Batch>,
}

impl Story {
    /// `lost` says of which looks the process died before they held.
    fn new(seconds: u64, bad: u64, lost: impl Fn(u64) -> bool) -> Self {
        let spec = spec();
        let core = lower::run_spec(&spec);
        let mut story =
            Self { blocks: Vec::new(), chain: Chain::default(), status: RunStatus::default(), looks: Vec::new() };
        story.add(&[update(), Entry::Run(Box::new(begun("run", "Background", 0, &spec)))]);
        for seq in 0..=seconds {
            if seq > 0 {
                story.looks.push(second(seq, bad));
            }
            let now = Time::from_secs(seq as i64);
            let (status, batches) = (story.status.clone(), story.looks.clone());
            if status.phase.is_completed() {
                break;
            }
            let window = Share { weight: 20, total: 100 };
            let look = Look { filled: &spec, spec: &core, status: &status, window, now, every_min: Span::ZERO };
            let due = schedule::due(&core, &status, now).into_iter().filter(|(index, _)| *index > 0);
            let (stopped, due): (Vec<_>, Vec<_>) = due.partition(|(_, task)| *task == Task::Terminate);
            let due: Vec<usize> = due.into_iter().map(|(index, _)| index).collect();
            let mut taken = look.take(&due, seq, &|_| Ok(Fed::Batches(batches.clone())));
            let stop = |(index, _)| Taken { index, measurement: look.terminate(index), judged: Vec::new() };
            taken.extend(stopped.into_iter().map(stop));
            story.add(&looked(&look, "run", seq, &taken, &str::to_owned));
            if lost(seq) {
                continue;
            }
            for one in taken {
                record(&core, &mut story.status, one.index, one.measurement);
            }
            story.status = assess(&core, &story.status, now);
        }
        story
    }

    fn add(&mut self, entries: &[Entry]) {
        let block = self.chain.block(entries);
        self.blocks.push(block);
    }

    fn bytes(&self) -> Vec<u8> {
        self.blocks.concat()
    }
}

fn entries(bytes: &[u8]) -> (Vec<Entry>, Option<Flaw>) {
    let mut entries = Vec::new();
    for entry in Reader::new(bytes) {
        match entry {
            Ok(entry) => entries.push(entry),
            Err(flaw) => return (entries, Some(flaw)),
        }
    }
    (entries, None)
}

fn replayed(entries: &[Entry]) -> Replay {
    let mut replay = Replay::default();
    entries.iter().for_each(|entry| _ = replay.take(entry));
    replay.finish();
    replay
}

#[test]
fn every_look_comes_to_what_was_recorded() {
    let story = Story::new(60, 4, |_| false);
    let (entries, flaw) = entries(&story.bytes());
    assert_eq!((flaw, story.status.phase), (None, RunPhase::Failed));
    let replay = replayed(&entries);
    assert_eq!((&replay.differences, &replay.gaps), (&Vec::new(), &Vec::new()));
    assert!(replay.looks > 3);
    assert_eq!(replay.results("run"), story.status.metrics.as_slice());
    let runs: Vec<_> = replay.runs().collect();
    assert_eq!((runs.len(), &runs[0].others), (1, &vec!["p95".to_owned()]));
}

#[test]
fn a_second_is_there_once_however_many_judged_it() {
    let (entries, _) = entries(&Story::new(6, 0, |_| false).bytes());
    let judged = entries.iter().filter_map(|entry| match entry {
        Entry::Look(look) => Some(look.metrics.len()),
        _ => None,
    });
    assert_eq!(judged.collect::<Vec<_>>(), [2, 1, 1, 2, 1, 1, 2]);
}

#[test]
fn looks_that_did_not_hold_count_for_nothing() {
    // Each pattern is another moment to die at; some die several times in a row.
    for pattern in [0b1u64, 0b10, 0b110, 0b1011, 0b10_0101, 0b111_0000, 0b1010_1010_1010] {
        for bad in [0, 2, 4] {
            let story = Story::new(14, bad, |seq| pattern >> seq & 1 == 1);
            let (entries, _) = entries(&story.bytes());
            let replay = replayed(&entries);
            assert_eq!((&replay.differences, &replay.gaps), (&Vec::new(), &Vec::new()), "{pattern:b} {bad}");
            // What was made last did not hold where the process died after it.
            if !story.status.metrics.is_empty() && pattern >> 14 & 1 == 0 {
                assert_eq!(replay.results("run"), story.status.metrics.as_slice(), "{pattern:b} {bad}");
            }
        }
    }
}

#[test]
fn a_log_that_is_cut_off_anywhere_is_whole_up_to_there_and_says_so() {
    let story = Story::new(8, 4, |_| false);
    let whole = story.bytes();
    let (all, _) = entries(&whole);
    let mut ends = vec![0];
    story.blocks.iter().for_each(|block| ends.push(ends.last().unwrap() + block.len()));
    for cut in 1..whole.len() {
        let (left, flaw) = entries(&whole[..cut]);
        assert_eq!(left, all[..left.len()], "{cut}");
        match ends.contains(&cut) {
            true => assert_eq!(flaw, None, "{cut}"),
            false => {
                let flaw = flaw.unwrap();
                assert_eq!((flaw.kind, flaw.entry), (FlawKind::CutOff, left.len() as u64 + 1), "{cut}");
                assert!(flaw.byte < cut && ends.contains(&flaw.byte));
            }
        }
        let replay = replayed(&left);
        assert_eq!((replay.differences, replay.gaps), (Vec::new(), Vec::new()), "{cut}");
    }
    let flaw = entries(&whole[..whole.len() - 1]).1.unwrap().to_string();
    assert!(flaw.starts_with("the log is cut off at entry ") && flaw.contains("after second "), "{flaw}");
}

#[test]
fn a_byte_that_was_altered_anywhere_is_found() {
    let story = Story::new(4, 4, |_| false);
    let whole = story.bytes();
    let (all, _) = entries(&whole);
    let mut harmless = 0;
    for place in 0..whole.len() {
        for flip in [1u8, 0x80] {
            let mut altered = whole.clone();
            altered[place] ^= flip;
            let (left, flaw) = entries(&altered);
            assert_eq!(left, all[..left.len()], "{place}");
            // Some bits behind the packed data mean nothing.
            let same = flaw.is_none() && left == all;
            assert!(same || flaw.is_some_and(|flaw| flaw.byte <= place), "{place}");
            harmless += usize::from(same);
        }
    }
    assert!(harmless <= story.blocks.len(), "{harmless}");
}

#[test]
fn blocks_that_were_taken_out_put_in_or_exchanged_are_found() {
    let story = Story::new(5, 1, |_| false);
    let check = |blocks: Vec<&[u8]>, block: usize| {
        let flaw = entries(&blocks.concat()).1.unwrap();
        let byte: usize = blocks[..block].iter().map(|b| b.len()).sum();
        assert_eq!((flaw.kind, flaw.byte), (FlawKind::Altered, byte));
    };
    let blocks = || story.blocks.iter().map(Vec::as_slice).collect::<Vec<_>>();
    let edited = |edit: fn(&mut Vec<&[u8]>)| {
        let mut blocks = blocks();
        edit(&mut blocks);
        blocks
    };
    check(edited(|b| _ = b.remove(2)), 2);
    check(edited(|b| b.swap(2, 3)), 2);
    check(edited(|b| b.insert(3, b[2])), 3);
    check(edited(|b| _ = b.remove(0)), 0);
}

#[test]
fn what_is_no_log_or_of_another_format_is_said_to_be() {
    let kind = |bytes: &[u8]| entries(bytes).1.map(|flaw| flaw.kind);
    assert_eq!(kind(b"apiVersion: v1\nkind: Service\n"), Some(FlawKind::NoLog));
    assert_eq!(kind(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9]), Some(FlawKind::NoLog));
    assert_eq!(kind(b""), Some(FlawKind::CutOff));
    let Entry::Update(mut update) = update() else { unreachable!() };
    update.format = 9;
    let later = Chain::default().block(&[Entry::Update(update)]);
    assert_eq!(kind(&later), Some(FlawKind::OtherFormat(9)));
}

#[test]
fn a_look_whose_seconds_are_missing_gives_no_verdict() {
    let story = Story::new(30, 1, |_| false);
    let (mut entries, _) = entries(&story.bytes());
    let third = entries.iter().position(|entry| matches!(entry, Entry::Second(batch) if batch.seq == 3)).unwrap();
    entries.remove(third);
    let replay = replayed(&entries);
    let metrics: Vec<&str> = replay.gaps.iter().map(|gap| gap.metric.as_str()).collect();
    assert_eq!(metrics, ["errors", "latency"]);
    assert!(replay.results("run").iter().all(|result| result.phase != RunPhase::Failed));
    // The same where whole looks are missing, as after a power failure.
    let (mut entries, _) = self::entries(&story.bytes());
    let look = entries.iter().rposition(|entry| matches!(entry, Entry::Look(_))).unwrap();
    let first = entries.iter().position(|entry| matches!(entry, Entry::Look(_))).unwrap();
    entries.drain(first + 1..look);
    assert_eq!(replayed(&entries).gaps.len(), 1);
}

#[test]
fn what_differs_from_the_record_is_told() {
    let (mut entries, _) = entries(&Story::new(30, 4, |_| false).bytes());
    let failed = |entry: &&mut Entry| matches!(entry, Entry::Look(look) if look.metrics[0].phase == "Failed");
    let Some(Entry::Look(look)) = entries.iter_mut().find(failed) else { panic!() };
    let How::Judged { verdict, .. } = &mut look.metrics[0].how else { panic!() };
    *verdict = Verdict::Passed;
    let found = replayed(&entries).differences;
    let told: Vec<_> = found.iter().map(|d| (d.what, d.recorded.as_str(), d.replayed.as_str())).collect();
    assert_eq!(told, [("verdict", "passed", "failed")]);
}

#[test]
fn a_decision_that_was_logged_twice_is_shown_once() {
    let settled =
        |at_ms, step| Settled { at_ms, place: Place { step: Some(step), ..Place::default() }, events: Vec::new() };
    let mut replay = Replay::default();
    let mut shown = |at_ms, step| replay.take(&Entry::Settled(settled(at_ms, step))) != Played::Nothing;
    assert_eq!([shown(1, 0), shown(2, 0), shown(3, 1), shown(4, 0)], [true, false, true, true]);
}

#[test]
fn the_same_template_would_have_come_to_the_same_and_a_laxer_one_to_none() {
    let (entries, _) = entries(&Story::new(60, 4, |_| false).bytes());
    let verdict = |tolerance: &str| {
        let mut metrics = spec().metrics;
        metrics[1].provider.plugin = [("serin.dev/compare".to_owned(), json!({ "tolerance": tolerance }))].into();
        let mut what_if = WhatIf::new(metrics, true);
        assert_eq!(what_if.unanswered.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["p95"]);
        let mut judged: Vec<_> = entries.iter().flat_map(|entry| what_if.take(entry)).collect();
        judged.extend(what_if.finish());
        judged.iter().find(|one| one.phase == RunPhase::Failed).map(|one| (one.metric.clone(), one.at_ms))
    };
    let happened = replayed(&entries);
    let failed = happened.results("run").iter().find(|r| r.phase == RunPhase::Failed).unwrap();
    let at = failed.measurements[0].finished.unwrap().as_millis();
    assert_eq!(verdict("1pt"), Some(("errors".to_owned(), at)));
    assert_eq!(verdict("60pt"), None);
}

proptest! {
    #[test]
    fn entries_read_back(counts in prop::collection::vec((any::<u64>(), 0..9u64, any::<i64>(), "\\PC{0,9}"), 1..20)) {
        let mut chain = Chain::default();
        let mut bytes = chain.block(&[update()]);
        let mut written = vec![update()];
        for (seq, bad, at, text) in counts {
            let place = Place { phase: text.clone(), message: text, ..Place::default() };
            let mut batch = second(seq % (1 << 40), bad);
            batch.canary.classes.insert(place.phase.clone(), seq);
            let some = [Entry::Second(Box::new(batch)), Entry::Settled(Settled { at_ms: at, place, events: Vec::new() }), Entry::Full(at)];
            bytes.extend(chain.block(&some));
            written.extend(some);
        }
        prop_assert_eq!(chain.entries(), written.len() as u64);
        prop_assert_eq!(entries(&bytes), (written, None));
    }
}

/// A run that is judged by counters, on a server that may lose answers.
struct Remote {
    spec: AnalysisRunSpec,
    core: serin_core::analysis::RunSpec,
    /// As it is written, and as it was before the last write: what a late watch still shows.
    written: RunStatus,
    stale: RunStatus,
    entries: Vec<Entry>,
    now: i64,
}

/// What becomes of a look.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    /// It is written.
    Held,
    /// It is written, and who made it does not learn so.
    Lost,
    /// It is refused.
    Refused,
    /// It goes on from what was written before the last write, and is refused.
    Stale,
}

impl Remote {
    fn new() -> Self {
        let mut spec = spec();
        spec.metrics = spec.metrics.split_off(1);
        spec.metrics.truncate(1);
        let counters = |v: &str| json!({"bad": format!("sum(bad_total{{v='{v}'}})"), "total": format!("sum(all_total{{v='{v}'}})")});
        let settings =
            json!({"tolerance": "1pt", "prometheus": {"canary": counters("new"), "stable": counters("old")}});
        spec.metrics[0].provider.plugin = [("serin.dev/compare".to_owned(), settings)].into();
        let total = recipe::weight(&spec);
        recipe::resolve(&mut spec, total, true);
        let core = lower::run_spec(&spec);
        let entries = vec![update(), Entry::Run(Box::new(begun("run", "Background", 0, &spec)))];
        Self { spec, core, written: RunStatus::default(), stale: RunStatus::default(), entries, now: 0 }
    }

    fn look(&mut self, fate: Fate, bad: u64) {
        self.now += 1;
        let status = if fate == Fate::Stale { self.stale.clone() } else { self.written.clone() };
        if status.phase.is_completed() {
            return;
        }
        let now = Time::from_secs(self.now);
        let window = Share { weight: 20, total: 100 };
        let look = Look { filled: &self.spec, spec: &self.core, status: &status, window, now, every_min: Span::ZERO };
        let seq = crate::sequential::judged_until(&self.core, &status, 0).map_or(0, |seq| seq + 1);
        let fed = Fed::Batches(vec![Batch { split: None, ..second(seq.max(1), bad) }]);
        let taken = look.take(&[0], 0, &|_| Ok(fed.clone()));
        self.entries.extend(looked(&look, "run", 0, &taken, &str::to_owned));
        let mut next = status.clone();
        for one in taken {
            record(&self.core, &mut next, one.index, one.measurement);
        }
        if matches!(fate, Fate::Held | Fate::Lost) {
            self.stale = std::mem::replace(&mut self.written, assess(&self.core, &next, now));
        }
    }

    /// What the log comes to, which is what is written.
    fn check(&self, what: &str) {
        let mut chain = Chain::default();
        let bytes = chain.block(&self.entries);
        let read = entries(&bytes).0;
        assert_eq!(read, self.entries);
        let mut replay = Replay::default();
        let mut held: Vec<_> = Vec::new();
        for entry in &read {
            if let Played::Judged(judged) = replay.take(entry) {
                held.extend(judged);
            }
        }
        held.extend(replay.finish());
        assert_eq!((&replay.differences, &replay.gaps), (&Vec::new(), &Vec::new()), "{what}");
        let bare = |results: &[serin_core::analysis::MetricResult]| {
            let measured = results.iter().flat_map(|r| r.measurements.iter());
            measured.map(|m| (m.phase, m.started, m.finished, super::digest(m), m.message.clone())).collect::<Vec<_>>()
        };
        assert_eq!(bare(replay.results("run")), bare(&self.written.metrics), "{what}");
        let answered: u64 = held.iter().flat_map(|one| &one.batches).map(|batch| batch.canary.answered).sum();
        let last = self.written.metrics[0].measurements.last().unwrap();
        let state: serde_json::Value = serde_json::from_str(&last.metadata[crate::sequential::STATE]).unwrap();
        assert_eq!(state["answered"][0], answered, "{what}: what is shown is what is written");
    }
}

#[test]
fn looks_that_were_made_twice_count_as_they_are_written() {
    use Fate::{Held, Lost, Refused, Stale};
    let stories: [&[Fate]; 7] = [
        &[Lost, Stale, Held],
        &[Held, Lost, Stale, Stale, Held, Held],
        &[Held, Refused, Refused, Lost, Stale, Held],
        &[Lost, Held, Refused, Lost, Stale, Refused, Held],
        &[Refused, Lost, Stale, Stale, Stale],
        &[Held, Held, Held, Lost, Stale],
        &[Held, Held, Held, Refused, Refused],
    ];
    for story in stories {
        for bad in [0, 9] {
            let mut remote = Remote::new();
            for (i, fate) in story.iter().enumerate() {
                remote.look(*fate, bad + i as u64 % 3);
            }
            let concluded = super::concluded("run", &remote.core, &remote.written);
            remote.entries.push(Entry::Concluded(concluded));
            remote.check(&format!("{story:?} with {bad} bad"));
        }
    }
}

#[test]
fn a_log_that_begins_in_the_midst_of_a_run_goes_on_from_what_it_remembers() {
    let mut remote = Remote::new();
    for _ in 0..5 {
        remote.look(Fate::Held, 1);
    }
    let begun = begun("run", "Background", 5000, &remote.spec).going_on(&remote.core, &remote.written);
    assert_eq!(begun.remembered.len(), 1);
    remote.entries = vec![update(), Entry::Run(Box::new(begun))];
    for _ in 0..30 {
        remote.look(Fate::Held, 9);
    }
    assert_eq!(remote.written.phase, RunPhase::Failed);
    let replay = replayed(&remote.entries);
    assert_eq!((&replay.differences, &replay.gaps), (&Vec::new(), &Vec::new()));
    let (now, then) = (&replay.results("run")[0], &remote.written.metrics[0]);
    assert_eq!((now.phase, now.measurements[0].finished), (then.phase, then.measurements[0].finished));
    // Without what it remembers nothing is known.
    let Entry::Run(run) = &mut remote.entries[1] else { unreachable!() };
    run.remembered.clear();
    assert_eq!(replayed(&remote.entries).gaps.len(), 1);
}

#[test]
fn another_template_judges_what_others_counted_once() {
    use Fate::{Held, Lost, Refused, Stale};
    let mut remote = Remote::new();
    for fate in [Held, Refused, Lost, Stale, Held, Refused, Held, Lost, Stale, Held] {
        remote.look(fate, 1);
    }
    let last = remote.written.metrics[0].measurements.last().unwrap();
    let state: serde_json::Value = serde_json::from_str(&last.metadata[crate::sequential::STATE]).unwrap();
    let mut metric = remote.spec.metrics[0].clone();
    metric.provider.plugin.values_mut().for_each(|settings| settings["tolerance"] = "30pt".into());
    let mut what_if = WhatIf::new(vec![metric], true);
    let mut judged: Vec<_> = remote.entries.iter().flat_map(|entry| what_if.take(entry)).collect();
    judged.extend(what_if.finish());
    let answered: u64 = judged.iter().flat_map(|one| &one.batches).map(|batch| batch.canary.answered).sum();
    assert_eq!(state["answered"][0], answered);
}
