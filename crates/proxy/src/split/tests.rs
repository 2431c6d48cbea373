//! Exactness of the weights over every window, stickiness, header routes.

use super::*;
use crate::table::{Group, HeaderRoute};

fn split(weights: &[u32]) -> Split {
    let group = |(i, w): (usize, &u32)| Group { version: format!("v{i}"), endpoints: Vec::new(), weight: *w };
    Split { groups: weights.iter().enumerate().map(group).collect(), header_routes: Vec::new(), mirrors: Vec::new() }
}

fn chooser(weights: &[u32]) -> Chooser {
    Chooser::new(&split(weights), &mut Vec::new()).unwrap()
}

/// How far the count of a group strays from its share over the worst of all windows, in units of 1/total requests.
///
/// With D(k) = total * taken(k) - weight * k a window from i to j is off by D(j) - D(i), so the worst is the range of D.
fn worst_window(picks: impl Iterator<Item = usize>, group: usize, weight: u32, total: u32) -> i64 {
    let (mut d, mut low, mut high) = (0i64, 0i64, 0i64);
    for pick in picks {
        d += i64::from(total) * i64::from(pick == group) - i64::from(weight);
        (low, high) = (low.min(d), high.max(d));
    }
    high - low
}

#[test]
fn every_window_is_within_one_request_of_the_weight() {
    for total in [100, 7, 1000] {
        for weight in 0..=total {
            let c = chooser(&[total - weight, weight]);
            let off = worst_window((0..5 * total).map(|_| c.by_weight()), 1, weight, total);
            assert!(off < i64::from(total), "{weight} of {total}: {off}");
        }
    }
}

#[test]
fn a_weight_change_does_not_jump() {
    // Whatever the weights before and after, the sum of the shares asked for and the requests taken stay within one.
    let mut rotations = Vec::new();
    let (mut wanted, mut taken, mut low, mut high) = (0i64, 0i64, 0i64, 0i64);
    for round in 0..2_000u64 {
        let weight = (mix(round) % 101) as u32;
        let c = Chooser::new(&split(&[100 - weight, weight]), &mut rotations).unwrap();
        for _ in 0..mix(round ^ 0x55) % 5 {
            taken += 100 * i64::from(c.by_weight() == 1);
            // At the ends the fraction rests: neither 0 % nor 100 % moves it, and neither is off by anything.
            wanted += i64::from(weight);
            (low, high) = (low.min(taken - wanted), high.max(taken - wanted));
        }
    }
    assert!(high - low <= 100, "{low} {high}");
}

#[test]
fn of_three_groups_the_second_is_exact_and_the_others_within_two() {
    for weights in [[50, 25, 25], [80, 15, 5], [1, 1, 1], [0, 33, 67], [98, 1, 1]] {
        let c = chooser(&weights);
        let total: u32 = weights.iter().sum();
        let picks: Vec<_> = (0..20_000).map(|_| c.by_weight()).collect();
        for (group, weight) in weights.iter().enumerate() {
            let off = worst_window(picks.iter().copied(), group, *weight, total);
            let allowed = if group == 1 { 1 } else { 2 };
            assert!(off <= allowed * i64::from(total), "{weights:?}[{group}]: {off}");
        }
    }
}

#[test]
fn threads_together_are_exact() {
    let c = chooser(&[80, 20]);
    let taken: usize = std::thread::scope(|s| {
        let threads: Vec<_> = (0..4).map(|_| s.spawn(|| (0..25_000).filter(|_| c.by_weight() == 1).count())).collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(taken, 20_000);
}

#[test]
fn a_growing_canary_keeps_its_visitors() {
    let ids: Vec<_> = (0..2_000).map(|i| format!("visitor-{i}")).collect();
    let mut before = vec![0; ids.len()];
    for weight in 0..=100u32 {
        let c = chooser(&[100 - weight, weight]);
        let now: Vec<_> = ids.iter().map(|id| c.by_visitor(visitor(id.as_bytes()))).collect();
        assert!(before.iter().zip(&now).all(|(b, n)| b <= n), "somebody left the canary at {weight}");
        let share = now.iter().filter(|g| **g == 1).count() as f64 / ids.len() as f64;
        assert!((share - f64::from(weight) / 100.0).abs() < 0.04, "{weight}: {share}");
        before = now;
    }
    assert!(before.iter().all(|g| *g == 1));
}

#[test]
fn visitors_are_hashed_the_same_for_ever() {
    assert_eq!(visitor(b""), 0xf52a_15e9_a9b5_e89b);
    assert_eq!(visitor(b"visitor-1"), visitor(b"visitor-1"));
    assert_ne!(visitor(b"visitor-1"), visitor(b"visitor-2"));
}

#[test]
fn a_new_visitor_gets_an_id_of_the_group_that_was_chosen() {
    let mut seed = 0;
    let c = chooser(&[90, 7, 3]);
    for group in [0, 1, 2, 0, 2] {
        let id = c.visitor_in(group, || {
            seed += 1;
            mix(seed)
        });
        assert_eq!(c.by_visitor(visitor(id.as_bytes())), group);
    }
}

#[test]
fn header_routes_match_all_of_their_conditions() {
    let condition = |header: &str, value| HeaderMatch { header: header.into(), value };
    let mut split = split(&[100, 0]);
    split.header_routes = vec![
        HeaderRoute {
            name: "both".into(),
            matches: vec![
                condition("x-team", ValueMatch::Exact("ml".into())),
                condition("X-Build", ValueMatch::Prefix("beta-".into())),
            ],
            version: "v1".into(),
        },
        HeaderRoute {
            name: "regex".into(),
            matches: vec![condition("x-user", ValueMatch::Regex("a|bc+".into()))],
            version: "v1".into(),
        },
    ];
    let c = Chooser::new(&split, &mut Vec::new()).unwrap();
    let check = |headers: &[(&str, &str)], expect: Option<usize>| {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| httparse::Header { name, value: value.as_bytes() }).collect();
        assert_eq!(c.by_header(&headers), expect, "{headers:?}");
    };
    check(&[("X-Team", "ml"), ("x-build", "beta-2")], Some(1));
    check(&[("X-Team", "ml"), ("x-build", "alpha")], None);
    check(&[("X-Team", "ML"), ("x-build", "beta-2")], None);
    check(&[("x-user", "bcc")], Some(1));
    check(&[("x-user", "xbcc")], None);
    check(&[("x-user", "ab")], None);
    check(&[("x-user", "no"), ("x-user", "a")], Some(1));
    check(&[], None);
}
