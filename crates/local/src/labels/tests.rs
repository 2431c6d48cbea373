//! Labels joined with made-up predictions.

use serin_proxy::report::RecordedPrediction;

use super::*;

const ARMS: Arms<'static> = Arms { canary: "new", stable: "old" };

fn predicted(id: &str, version: &str, class: &str) -> RecordedPrediction {
    RecordedPrediction {
        seq: 1,
        time_ms: 0,
        id: id.to_owned(),
        version: version.to_owned(),
        class: Some(class.to_owned()),
        number: None,
    }
}

fn labels(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(id, truth)| ((*id).to_owned(), (*truth).to_owned())).collect()
}

fn some() -> Labels {
    let mut some = Labels::default();
    for (id, version, class) in
        [("a", "new", "yes"), ("b", "new", "no"), ("c", "old", "yes"), ("d", "older", "yes"), ("e", "old", "yes")]
    {
        some.kept.push(predicted(id, version, class));
    }
    some
}

fn join(known: &Labels, pairs: &[(&str, &str)]) -> Joined {
    known.join("ns/model", &labels(pairs), ARMS, Tolerance::default())
}

#[test]
fn labels_are_counted_by_version_and_everything_else_is_told() {
    let mut known = some();
    known.kept.push(predicted("e", "new", "no"));
    known.kept.push(RecordedPrediction { class: None, number: Some(0.5), ..predicted("f", "new", "") });
    let labels =
        [("a", "yes"), ("b", "yes"), ("c", "no"), ("d", "yes"), ("e", "yes"), ("f", "high"), ("z", "yes"), ("a", "no")];
    let joined = join(&known, &labels);
    let told = &joined.told;
    assert_eq!((told.counted, told.wrong), (3, 2));
    let ids = |told: &Told| (told.count, told.first.join(" "));
    assert_eq!(ids(&told.again), (1, "a".to_owned()));
    assert_eq!(ids(&told.unknown), (1, "z".to_owned()));
    assert_eq!(ids(&told.elsewhere), (1, "d".to_owned()));
    assert_eq!(ids(&told.ambiguous), (1, "e".to_owned()));
    assert_eq!(ids(&told.unfit), (1, "f".to_owned()));
    let all = told.again.count + told.unknown.count + told.elsewhere.count + told.ambiguous.count + told.unfit.count;
    assert_eq!(told.counted + all, labels.len() as u64, "each label is in one of the numbers");
    let versions: Vec<_> = told.versions.iter().map(|v| (v.role.as_str(), v.labelled, v.wrong)).collect();
    assert_eq!(versions, [("canary", 2, 1), ("stable", 1, 1)]);
    assert_eq!(known.counts("new"), Counts::default(), "nothing holds before it is durable");
    known.take(joined);
    assert_eq!(known.counts("new"), Counts { labelled: 2, wrong: 1 });
}

#[test]
fn a_label_is_counted_once_also_after_a_restart() {
    let mut known = some();
    let joined = join(&known, &[("a", "no"), ("c", "yes")]);
    let (record, page) = (joined.record.clone(), joined.page.clone().unwrap());
    known.take(joined);
    assert_eq!(join(&known, &[("a", "no"), ("c", "yes")]).told.again.count, 2);
    let mut again = Labels::restored(record, vec![page]);
    assert_eq!(again.counts("new"), Counts { labelled: 1, wrong: 1 });
    // The predictions come again from the router.
    again.kept = some().kept;
    let joined = join(&again, &[("a", "no"), ("b", "no")]);
    assert_eq!((joined.told.counted, joined.told.again.count), (1, 1));
    assert_eq!(joined.page.as_ref().unwrap().0, 1, "no page is written over");
    again.take(joined);
    assert_eq!(again.counts("new"), Counts { labelled: 2, wrong: 1 });
}

#[test]
fn labels_without_anything_new_write_nothing() {
    let joined = join(&some(), &[("x", "yes"), ("d", "yes")]);
    assert!(joined.page.is_none() && joined.forgotten.is_empty());
    assert_eq!(joined.record, LabelsRecord::default());
}

#[test]
fn the_oldest_prediction_makes_room() {
    let mut kept = Predictions::new(3);
    for id in ["a", "b", "c", "d"] {
        kept.push(predicted(id, "new", "yes"));
    }
    assert_eq!((kept.find("a"), kept.iter().len()), (Found::None, 3));
    assert!(matches!(kept.find("d"), Found::One(found) if found.version == "new" && found.class == Some("yes")));
    kept.push(predicted("d", "old", "yes"));
    assert_eq!(kept.find("d"), Found::Several);
    for id in ["e", "f", "g"] {
        kept.push(predicted(id, "new", "yes"));
    }
    assert_eq!(kept.find("d"), Found::None);
    kept.push(predicted("d", "old", "no"));
    assert!(matches!(kept.find("d"), Found::One(_)), "what an id stood for is forgotten with its prediction");
}

#[test]
fn the_oldest_labelled_ids_make_room() {
    let (part, mut known) = (10, Labels::new(10, 20));
    for round in 0..3 {
        let ids: Vec<String> = (0..part).map(|n| format!("{round}-{n}")).collect();
        ids.iter().for_each(|id| known.kept.push(predicted(id, "new", "yes")));
        let pairs: Vec<(String, String)> = ids.into_iter().map(|id| (id, "yes".to_owned())).collect();
        let joined = known.join("ns/model", &pairs, ARMS, Tolerance::default());
        assert_eq!(joined.forgotten, if round == 2 { vec![0] } else { Vec::new() });
        known.take(joined);
    }
    assert_eq!(known.pages().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(known.counts("new").labelled, 3 * part as u64, "what was counted stays counted");
    let told = join(&known, &[("2-0", "no"), ("0-0", "no")]).told;
    assert_eq!((told.again.count, told.unknown.count, told.counted), (1, 1, 0));
}

#[test]
fn labels_that_come_for_one_version_only_are_doubted() {
    let mut known = Labels::default();
    for n in 0..1000 {
        known.kept.push(predicted(&format!("n{n}"), "new", "yes"));
        known.kept.push(predicted(&format!("o{n}"), "old", "yes"));
    }
    let label = |known: &mut Labels, letter: &str, every: usize, until: usize| {
        let pairs: Vec<(String, String)> =
            (0..until).step_by(every).map(|n| (format!("{letter}{n}"), "yes".to_owned())).collect();
        let joined = known.join("ns/model", &pairs, ARMS, Tolerance::default());
        known.take(joined);
    };
    assert_eq!(known.doubt(ARMS), None);
    label(&mut known, "o", 2, 600);
    let doubt = known.doubt(ARMS).unwrap();
    assert!(doubt.starts_with("labels came for 0 % of the canary's predictions and 50 % of stable's"), "{doubt}");
    label(&mut known, "n", 2, 600);
    assert_eq!(known.doubt(ARMS), None, "the last 400 of either have no labels yet");
}

#[test]
fn what_became_of_labels_adds_up_over_requests() {
    let mut all = Labelled::default();
    let known = some();
    all.merge(join(&known, &[("x1", "yes"), ("x2", "yes"), ("x3", "yes"), ("x4", "yes")]).told);
    all.merge(join(&known, &[("x5", "yes"), ("x6", "yes"), ("a", "no")]).told);
    assert_eq!((all.counted, all.wrong, all.unknown.count), (1, 1, 6));
    assert_eq!(all.unknown.first.join(" "), "x1 x2 x3 x4 x5");
    assert_eq!(all.versions[0].labelled, 1);
}
