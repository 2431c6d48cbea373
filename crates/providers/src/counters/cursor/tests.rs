//! Looks at counters one after the other, and what each says.

use super::*;

/// Series by a letter each: `a=5 b=7`; nothing for an absent counter. A number alone is a sum.
fn counter(text: &str) -> Counter {
    text.split_whitespace()
        .map(|word| match word.split_once('=') {
            Some((name, value)) => (SeriesId::of([("pod", name)]), value.parse().unwrap()),
            None => (SeriesId::SUM, word.parse().unwrap()),
        })
        .collect()
}

fn reading(at_s: i64, canary_bad: &str, canary_total: &str) -> Reading {
    Reading {
        at_ms: at_s * 1000,
        canary_bad: counter(canary_bad),
        canary_total: counter(canary_total),
        stable_bad: Counter::absent(),
        stable_total: Counter::sum(1000.0),
    }
}

fn cursor(resets: Resets) -> Cursor {
    Cursor::new([resets, resets, Resets::Sum, Resets::Sum], 60_000)
}

/// `3/10` for three bad answers of ten, and `+2` for two that are carried.
fn told(delta: &Delta) -> String {
    match delta {
        Delta::First => "first".into(),
        Delta::Counts(interval) => {
            assert_eq!(interval.stable, Growth::default());
            let Growth { bad, total, carried } = interval.canary;
            let carried = if carried > 0.0 { format!("+{carried}") } else { String::new() };
            format!("{bad}/{total}{carried}")
        }
        Delta::Reset { which } => which.iter().map(|source| source.name()).collect::<Vec<_>>().join(" "),
        Delta::Missing { why } => why.clone(),
        Delta::Gap { ms } => format!("gap {ms}"),
        Delta::Backwards { by_ms } => format!("back {by_ms}"),
    }
}

/// Looks at these times, each with bad and all answers of the canary, and what it says.
#[track_caller]
fn check(resets: Resets, looks: &[(i64, &str, &str, &str)]) {
    let mut cursor = cursor(resets);
    for (at_s, bad, total, want) in looks {
        assert_eq!(told(&cursor.advance(Ok(reading(*at_s, bad, total)))), *want, "at {at_s} s");
        let stored = serde_json::to_string(&cursor).unwrap();
        assert_eq!(serde_json::from_str::<Cursor>(&stored).unwrap(), cursor, "{stored}");
    }
}

#[test]
fn the_first_look_is_where_counting_starts() {
    check(Resets::PerSeries, &[(0, "a=5", "a=50", "first"), (1, "a=5", "a=50", "0/0"), (2, "a=6", "a=60", "1/10")]);
    check(Resets::Sum, &[(0, "5", "50", "first"), (1, "6", "60", "1/10"), (2, "6", "61", "0/1")]);
}

#[test]
fn without_bad_answers_there_is_no_series_of_them() {
    check(Resets::PerSeries, &[(0, "", "a=50", "first"), (1, "", "a=60", "0/10"), (2, "a=3", "a=70", "3/10")]);
    check(Resets::Sum, &[(0, "", "50", "first"), (1, "", "60", "0/10"), (2, "3", "70", "3/10")]);
}

#[test]
fn without_any_answer_there_is_nothing_to_compare() {
    let none = "there are no series for the canary's answers";
    // A version that has just started: all that its first series counts happened since the look that had none.
    check(Resets::PerSeries, &[(0, "", "", none), (1, "", "", none), (2, "a=1", "a=7", "1/7")]);
    check(Resets::Sum, &[(0, "", "", none), (1, "1", "7", "1/7")]);
    // A version that is not seen for a while: nothing is lost.
    for resets in [Resets::PerSeries, Resets::Sum] {
        check(resets, &[(0, "4", "50", "first"), (1, "", "", none), (2, "5", "60", "1/10")]);
    }
}

#[test]
fn a_process_that_began_anew_counts_from_zero() {
    check(
        Resets::PerSeries,
        &[
            (0, "a=9 b=1", "a=90 b=90", "first"),
            (1, "a=2 b=2", "a=20 b=100", "3/30"),
            (2, "a=2 b=2", "a=25 b=100", "0/5"),
        ],
    );
    let mut cursor = cursor(Resets::PerSeries);
    cursor.advance(Ok(reading(0, "", "a=90 b=90")));
    let Delta::Counts(interval) = cursor.advance(Ok(reading(1, "", "a=20 b=100"))) else { panic!("it counts") };
    assert_eq!(interval.restarts, 1);
}

#[test]
fn processes_come_and_go() {
    check(
        Resets::PerSeries,
        &[
            (0, "", "a=100", "first"),
            // A second one.
            (1, "b=1", "a=110 b=5", "1/15"),
            // The first is not seen, and seen again: what it counted meanwhile is not lost and not counted anew.
            (2, "b=1", "b=6", "0/1"),
            (3, "b=1", "a=140 b=6", "0/30"),
            // Not seen for longer than the gap: nobody knows when it counted that.
            (40, "b=1", "b=6", "0/0"),
            (80, "b=1", "b=6", "0/0"),
            (110, "b=1", "a=900 b=6", "0/0"),
            (111, "b=1", "a=901 b=6", "0/1"),
        ],
    );
}

#[test]
fn an_answer_from_an_older_sample_counts_nothing_twice() {
    check(
        Resets::PerSeries,
        &[
            (0, "a=8", "a=100", "first"),
            (1, "a=7", "a=95", "0/0"),
            (2, "a=9", "a=110", "1/10"),
            (3, "a=8", "a=104", "0/0"),
        ],
    );
}

#[test]
fn a_sum_that_falls_says_nothing_about_its_interval() {
    check(
        Resets::Sum,
        &[
            (0, "10", "100", "first"),
            (1, "10", "60", "canaryTotal"),
            // As much again may be the process that was lost.
            (2, "10", "100", "canaryTotal"),
            (3, "11", "110", "1/10"),
            (4, "0", "50", "canaryBad canaryTotal"),
            (5, "0", "59", "0/9"),
        ],
    );
    // By code: a group that vanishes has fallen to nothing, and one that appears grew from it.
    check(
        Resets::Sum,
        &[
            (0, "", "ok=100", "first"),
            (1, "", "ok=100 err=2", "0/2"),
            (2, "", "ok=110", "canaryTotal"),
            (3, "", "ok=111", "0/1"),
        ],
    );
}

#[test]
fn bad_answers_wait_for_the_answers_that_they_belong_to() {
    check(
        Resets::Sum,
        &[
            (0, "0", "0", "first"),
            (1, "5", "3", "3/3+2"),
            (2, "5", "3", "0/0+2"),
            (3, "6", "4", "1/1+2"),
            (4, "6", "9", "2/5"),
        ],
    );
    // What is carried over a reset has lost the answers that it belongs to.
    check(
        Resets::Sum,
        &[(0, "0", "9", "first"), (1, "5", "12", "3/3+2"), (2, "5", "1", "canaryTotal"), (3, "5", "7", "0/6")],
    );
}

#[test]
fn what_is_no_count_is_missing() {
    for (bad, why) in [("NaN", "NaN"), ("inf", "+Inf"), ("-1", "-1")] {
        let why = format!("the canary's bad answers are {why}, which is no count");
        check(Resets::Sum, &[(0, "0", "5", "first"), (1, bad, "6", &why), (2, "1", "7", "1/2")]);
    }
    let many = |n: usize| (0..n).map(|i| format!("p{i}=1 ")).collect::<String>();
    let why = "the canary's answers are 1001 series, of which at most 1000 are read";
    check(Resets::PerSeries, &[(0, "", &many(1000), "first"), (1, "", &many(1001), why)]);
}

#[test]
fn an_error_loses_nothing() {
    let mut cursor = cursor(Resets::PerSeries);
    cursor.advance(Ok(reading(0, "", "a=10")));
    assert_eq!(told(&cursor.advance(Err("no route".into()))), "no route");
    assert_eq!(cursor.last_ms(), Some(0));
    let Delta::Counts(interval) = cursor.advance(Ok(reading(30, "", "a=15"))) else { panic!("it counts") };
    assert_eq!((interval.start_ms, interval.end_ms, interval.canary.total), (0, 30_000, 5.0));
}

#[test]
fn a_long_gap_counts_for_nobody() {
    check(
        Resets::PerSeries,
        &[
            (0, "", "a=10", "first"),
            (60, "", "a=11", "0/1"),
            (121, "", "a=500", "gap 61000"),
            (122, "", "a=501 b=1", "0/2"),
        ],
    );
}

#[test]
fn a_clock_that_goes_back_counts_nothing_twice() {
    check(
        Resets::PerSeries,
        &[
            (100, "", "a=10", "first"),
            (110, "", "a=20", "0/10"),
            (110, "", "a=20", "back 0"),
            (90, "", "a=5", "back 20000"),
            (109, "", "a=19", "back 1000"),
            (120, "", "a=30", "0/10"),
        ],
    );
}

#[test]
fn the_memory_of_series_that_are_gone_is_bounded() {
    let mut cursor = cursor(Resets::PerSeries);
    for i in 0..5000 {
        cursor.advance(Ok(reading(i, "", &format!("p{i}=1"))));
    }
    let total = &cursor.counters[Source::CanaryTotal as usize];
    assert_eq!((total.present.len(), total.gone.len()), (1, SERIES_MAX - 1));
    assert!(total.gone.contains_key(&SeriesId::of([("pod", "p4998")])));
}

#[test]
fn labels_tell_series_apart() {
    let id = |labels: &[(&'static str, &'static str)]| SeriesId::of(labels.iter().copied());
    assert_eq!(id(&[]), SeriesId::SUM);
    assert_ne!(id(&[("ab", "c")]), id(&[("a", "bc")]));
    assert_ne!(id(&[("a", "b"), ("c", "d")]), id(&[("a", "b")]));
    // It is stored, so it stays what it is: FNV-1a of the bytes `pod`, 0xff, `a`, 0xff.
    assert_eq!(id(&[("pod", "a")]), SeriesId(0xda14_2057_f579_62e5));
}

#[test]
fn a_look_at_the_same_numbers_needs_not_be_kept_until_half_of_the_longest_gap() {
    let mut first = cursor(Resets::PerSeries);
    first.advance(Ok(reading(0, "a=5", "a=50")));
    let stands = |at_s: i64, bad: &str, total: &str| {
        let mut next = first.clone();
        next.advance(Ok(reading(at_s, bad, total)));
        next.stands_as(&first)
    };
    assert!(stands(30, "a=5", "a=50"));
    assert!(!stands(31, "a=5", "a=50"), "later it could be too late");
    assert!(!stands(1, "a=5", "a=51"));
    assert!(!stands(1, "a=5", "a=50 b=0"), "a series that came is counted from here");
    assert!(!stands(1, "", "a=50"));
    let mut missing = first.clone();
    missing.advance(Err("nobody answers".to_owned()));
    assert!(missing.stands_as(&first));
    assert!(!first.stands_as(&cursor(Resets::PerSeries)));
}
