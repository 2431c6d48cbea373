//! Logs in a folder: taken up after any end, bounded, and no reason to stop.

use serin_stats::batch::{Arm, Batch};
use serin_stats::judge::Verdict;

use super::super::written::RESERVE;
use super::*;
use crate::sequential::log::{
    Concluded, Event, How, Look, MetricLook, Origin, Place, Reader, RunBegun, Settled, Version,
};

const ROLLOUT: &str = "shop/churn";

fn logs(folder: &Path) -> Logs {
    Logs::new(folder.join("evidence"))
}

fn file(folder: &Path, revision: u64) -> PathBuf {
    folder.join("evidence").join(format!("shop_churn_{revision}.log"))
}

fn update(revision: u64) -> Update {
    let version = |hash: &str| Version { hash: hash.to_owned(), image: format!("churn:{hash}") };
    Update {
        format: 1,
        serin: "0".to_owned(),
        rollout: "shop/churn".to_owned(),
        revision,
        canary: version("new"),
        stable: version("old"),
        begun_ms: 7,
        speed: 1.0,
    }
}

fn second(seq: u64, answered: u64) -> Entry {
    let canary = Arm { answered, ..Arm::default() };
    Entry::Second(Box::new(Batch { seq, end_ms: seq as i64 * 1000, canary, ..Batch::default() }))
}

fn look(at_ms: i64) -> Entry {
    let how = How::Judged {
        fresh: false,
        after: 1,
        until: 2,
        batches: Vec::new(),
        verdict: Verdict::Undecided,
        state: "0".to_owned(),
    };
    let metric = MetricLook {
        metric: "errors".to_owned(),
        from: None,
        how,
        phase: "Running".to_owned(),
        message: String::new(),
    };
    Entry::Look(Look { run: "run".to_owned(), at_ms, window: "20/100".to_owned(), metrics: vec![metric] })
}

fn settled(at_ms: i64, step: usize, events: usize) -> Entry {
    let event = |i| Event { at_ms, reason: "X".to_owned(), message: format!("event {i}"), warning: false };
    let place = Place { step: Some(step), ..Place::default() };
    Entry::Settled(Settled { at_ms, place, events: (0..events).map(event).collect() })
}

fn over(at_ms: i64) -> Entry {
    let Entry::Settled(mut settled) = settled(at_ms, 4, 1) else { unreachable!() };
    (settled.place.promoted, settled.place.phase) = (true, "Healthy".to_owned());
    Entry::Settled(settled)
}

fn read(folder: &Path, revision: u64) -> Vec<Entry> {
    let bytes = std::fs::read(file(folder, revision)).unwrap();
    Reader::new(&bytes).map(|entry| entry.unwrap()).collect()
}

#[test]
fn what_is_there_is_not_written_again_and_what_differs_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut logs = logs(folder.path());
    let mut add = |entries: &[Entry]| assert_eq!(logs.add(&update(2), entries.to_vec()), Written::Done);
    add(&[second(1, 10), second(2, 10), look(2000)]);
    add(&[second(1, 10), second(2, 11), look(2000)]);
    add(&[settled(1, 0, 1)]);
    add(&[settled(2, 0, 0)]);
    add(&[settled(3, 1, 0)]);
    // Once the update is over, what happens to the rollout is no part of it.
    add(&[over(4), over(5), settled(6, 0, 1)]);
    add(&[over(7)]);
    add(&[over(8)]);
    let want = [
        Entry::Update(Box::new(update(2))),
        second(1, 10),
        second(2, 10),
        look(2000),
        second(2, 11),
        look(2000),
        settled(1, 0, 1),
        settled(3, 1, 0),
        over(4),
        over(5),
        settled(6, 0, 1),
        over(7),
    ];
    assert_eq!(read(folder.path(), 2), want);
    assert!(logs.is_kept(ROLLOUT, 2) && !logs.is_kept(ROLLOUT, 3));
}

#[test]
fn a_block_that_was_cut_off_at_any_byte_is_dropped_when_the_log_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), 2);
    let add = |entries: Vec<Entry>| assert_eq!(logs(folder.path()).add(&update(2), entries), Written::Done);
    add(vec![look(1000)]);
    let before = std::fs::read(&path).unwrap();
    add(vec![look(2000)]);
    let whole = std::fs::read(&path).unwrap();
    for cut in before.len()..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        add(vec![look(3000)]);
        assert_eq!(read(folder.path(), 2), [Entry::Update(Box::new(update(2))), look(1000), look(3000)], "{cut}");
    }
}

#[test]
fn a_log_of_another_life_or_that_was_altered_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), 2);
    let add = |update: &Update| assert_eq!(logs(folder.path()).add(update, vec![look(1000)]), Written::Done);
    add(&update(2));
    let again = Update { begun_ms: 99, ..update(2) };
    add(&again);
    assert_eq!(read(folder.path(), 2), [Entry::Update(Box::new(again.clone())), look(1000)]);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[60] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    add(&again);
    assert_eq!(read(folder.path(), 2).len(), 2);
    assert_eq!(std::fs::read(path.with_extension("log.old")).unwrap(), bytes);
}

#[test]
fn a_full_log_says_so_once_and_still_takes_events() {
    let folder = tempfile::tempdir().unwrap();
    let mut logs = logs(folder.path());
    logs.bytes_max = RESERVE + 600;
    let mut at = 0;
    while logs.known.is_empty() || logs.known.values().all(|log| !log.is_full()) {
        at += 1000;
        assert_eq!(logs.add(&update(2), vec![second(at as u64, at as u64 * 7), look(at)]), Written::Done);
        assert!(at < 100_000, "it is never full");
    }
    logs.add(&update(2), vec![look(at + 1000)]);
    logs.add(&update(2), vec![settled(at + 2000, 3, 1)]);
    let entries = read(folder.path(), 2);
    let full: Vec<usize> = (0..entries.len()).filter(|i| matches!(entries[*i], Entry::Full(_))).collect();
    assert_eq!((full.as_slice(), entries[full[0]].clone()), ([entries.len() - 2].as_slice(), Entry::Full(at)));
    assert_eq!(entries[entries.len() - 1], settled(at + 2000, 3, 1));
    // A process that takes it up knows that it is full.
    let mut later = Logs::new(folder.path().join("evidence"));
    later.bytes_max = logs.bytes_max;
    later.add(&update(2), vec![look(at + 3000)]);
    assert_eq!(read(folder.path(), 2).len(), entries.len());
}

#[test]
fn only_the_latest_updates_of_a_rollout_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let other = Update { rollout: "shop/churn-old".to_owned(), ..update(1) };
    logs(folder.path()).add(&other, vec![look(1)]);
    let mut logs = logs(folder.path());
    for revision in 1..=KEPT as u64 + 5 {
        logs.add(&update(revision), vec![look(1)]);
    }
    let kept = found(&folder.path().join("evidence")).unwrap();
    let mine: Vec<u64> = kept.iter().filter(|log| log.rollout() == ROLLOUT).map(|log| log.revision).collect();
    assert_eq!(mine, (6..=KEPT as u64 + 5).collect::<Vec<_>>());
    assert!(kept.iter().any(|log| log.rollout() == other.rollout));
}

#[test]
fn a_folder_that_cannot_be_written_is_said_once_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("evidence");
    std::fs::write(&blocked, "no folder").unwrap();
    let mut logs = logs(folder.path());
    let mut add = |at| logs.add(&update(2), vec![look(at)]);
    assert!(matches!(add(1), Written::Failed(_)));
    assert_eq!(add(2), Written::StillNot);
    std::fs::remove_file(&blocked).unwrap();
    assert_eq!(add(3), Written::Done);
    std::fs::remove_dir_all(&blocked).unwrap();
    assert_eq!(add(4), Written::Done);
    assert_eq!(read(folder.path(), 2), [Entry::Update(Box::new(update(2))), look(4)], "it is begun anew");
}

#[test]
fn what_somebody_else_has_written_is_gone_on_from() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut other) = (logs(folder.path()), logs(folder.path()));
    for at in 1..4 {
        assert_eq!(one.add(&update(2), vec![look(at * 10)]), Written::Done);
        assert_eq!(other.add(&update(2), vec![look(at * 10 + 1)]), Written::Done);
    }
    assert_eq!(read(folder.path(), 2)[1..], [look(10), look(11), look(20), look(21), look(30), look(31)]);
}

#[test]
fn the_end_of_a_run_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin { state: None, since_ms: 1, until_ms: Some(5) };
    let concluded = Concluded { run: "run".to_owned(), at_ms: 5, metrics: [("errors".to_owned(), origin)].into() };
    let event = Event { at_ms: 5, reason: "X".to_owned(), message: "it ended".to_owned(), warning: false };
    let end = || vec![Entry::Ended(event.clone()), Entry::Concluded(concluded.clone())];
    let begun = RunBegun {
        run: "run".to_owned(),
        kind: "Background".to_owned(),
        at_ms: 1,
        spec: serin_spec::wire::analysis::AnalysisRunSpec::default(),
        remembered: BTreeMap::new(),
        others: Vec::new(),
    };
    logs(folder.path()).add(&update(2), end());
    assert_eq!(read(folder.path(), 2).len(), 1, "nothing of it is there");
    logs(folder.path()).add(&update(2), vec![Entry::Run(Box::new(begun))]);
    let mut one = logs(folder.path());
    one.add(&update(2), end());
    one.add(&update(2), end());
    logs(folder.path()).add(&update(2), end());
    assert_eq!(read(folder.path(), 2)[2..], end());
}

#[test]
fn the_logs_of_all_namespaces_stay_below_a_limit_and_the_longest_untouched_go() {
    let folder = tempfile::tempdir().unwrap();
    let (a_log, limit) = (file(folder.path(), 1), 4 << 20);
    let mut logs = Logs::by_namespace(folder.path().to_owned(), limit);
    let of = |namespace: &str| Update { rollout: format!("{namespace}/churn"), ..update(1) };
    let path = |namespace: &str| folder.path().join(namespace).join(format!("{namespace}_churn_1.log"));
    for namespace in ["a", "b", "c"] {
        logs.add(&of(namespace), vec![look(1)]);
    }
    // Something of somebody else's is left alone.
    let foreign = folder.path().join("notes.txt");
    std::fs::write(&foreign, vec![0; 8 << 20]).unwrap();
    let long_ago = SystemTime::now() - std::time::Duration::from_secs(3600);
    for (namespace, bytes, since) in [("a", 2 << 20, long_ago), ("b", (2 << 20) - 999, SystemTime::now())] {
        let file = std::fs::File::options().write(true).open(path(namespace)).unwrap();
        file.set_len(bytes).unwrap();
        file.set_modified(since).unwrap();
    }
    let mut later = Logs::by_namespace(folder.path().to_owned(), limit);
    for at in 0.. {
        assert_eq!(later.add(&of("c"), vec![look(at)]), Written::Done);
        if !path("a").exists() {
            break;
        }
        assert!(at < 100, "there is more than the limit");
    }
    assert!(path("b").exists() && path("c").exists() && foreign.exists() && !a_log.exists());
    let kept: Vec<String> = found(folder.path()).unwrap().iter().map(Found::rollout).collect();
    assert_eq!(kept, ["b/churn", "c/churn"]);
}
