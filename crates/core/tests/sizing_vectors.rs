//! Replays the sizes that the original code computed, with and without a traffic router.

use serde_json::Value;
use serin_core::canary::sizing::{Limits, Routed, Size, Sizes, basic_pass, basic_target};
use serin_core::rollout::{Amount, Canary, CanaryScale, Step, Traffic};
use serin_core::time::Span;

fn size(v: &Value) -> Size {
    Size { wanted: v[0].as_u64().unwrap() as u32, available: v[1].as_u64().unwrap() as u32 }
}

fn amount(v: &Value) -> Amount {
    match v {
        Value::Null => Amount::default(),
        Value::String(s) => Amount::Percent(s.trim_end_matches('%').parse().unwrap()),
        n => Amount::Count(n.as_u64().unwrap() as u32),
    }
}

fn number(v: &Value) -> Option<u32> {
    v.as_u64().map(|n| n as u32)
}

/// Weights where the original asks for no canary at all (2.8-8); we differ there on purpose.
fn vanishing(n: u32, weight: u32, surge: u32) -> bool {
    surge == 0 && n >= 2 && weight < 100 && 2 * n * weight == 100 * (2 * n - 1)
}

//= compat: 2.8-4, 2.8-5, 2.8-6, 2.8-7, 2.8-9, 2.8-10, 2.8-11, 2.8-12, 2.8-13, 2.8-14, 2.8-15, 2.8-16, 2.8-17
//= compat: 1.7-2, 1.7-3, 10.7, A.3-1, A.3-2, A.3-3, A.3-4, A.3-5
#[test]
fn sizes_without_a_router_agree_with_the_original() {
    let cases: Value = serde_json::from_str(include_str!("data/sizing-basic.json")).unwrap();
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 1500);
    let mut wrong = Vec::new();
    let mut on_purpose = 0;
    for case in cases {
        let replicas = number(&case["replicas"]).unwrap();
        let weight = number(&case["weight"]).unwrap();
        let canary = Canary {
            max_surge: amount(&case["maxSurge"]),
            max_unavailable: amount(&case["maxUnavailable"]),
            ..Canary::default()
        };
        let (surge, unavailable) = (canary.surge(replicas), canary.unavailable(replicas));
        let older: u32 = case["older"].as_array().into_iter().flatten().filter_map(number).sum();
        let target = basic_target(replicas, weight, 100, surge);
        let limits = Limits { replicas, surge, unavailable };
        let got = basic_pass(limits, target, size(&case["new"]), size(&case["stable"]), older);
        let want = Sizes { new: number(&case["want"][0]).unwrap(), stable: number(&case["want"][1]).unwrap() };
        if vanishing(replicas, weight, surge) {
            on_purpose += 1;
        } else if got != want {
            wrong.push(format!("{case}\n   target {target:?} got {got:?}"));
        }
    }
    assert!(on_purpose < 30, "{on_purpose} cases set aside");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong[..wrong.len().min(8)].join("\n"));
}

//= compat: A.2-1, A.2-2
#[test]
fn nothing_and_everything_are_exact() {
    for surge in 0..4 {
        for n in 1..=100 {
            assert_eq!(basic_target(n, 0, 100, surge), Sizes { new: 0, stable: n });
            assert_eq!(basic_target(n, 100, 100, surge), Sizes { new: n, stable: 0 });
        }
        (0..=100).for_each(|weight| assert_eq!(basic_target(0, weight, 100, surge), Sizes::default()));
    }
}

/// Canary and stable by weight: the rows of table A.2 with few replicas, where rounding shows most.
//= compat: 2.8-17, 2.8-7
#[test]
fn few_members_come_as_near_as_they_can() {
    let weights = [1, 10, 25, 33, 50, 60, 75, 90];
    let check = |n: u32, surge: u32, want: &str| {
        let got = weights.map(|weight| {
            let Sizes { new, stable } = basic_target(n, weight, 100, surge);
            format!("{new}/{stable}")
        });
        assert_eq!(got.join(" "), want, "{n} replicas, surge {surge}");
    };
    check(1, 0, "0/1 0/1 0/1 0/1 1/0 1/0 1/0 1/0");
    check(1, 1, "1/1 1/1 1/1 1/1 1/1 1/1 1/1 1/1");
    check(2, 1, "1/2 1/2 1/2 1/2 1/1 2/1 2/1 2/1");
    check(3, 0, "1/2 1/2 1/2 1/2 2/1 2/1 2/1 2/1");
    check(4, 1, "1/4 1/4 1/3 2/3 2/2 3/2 3/1 4/1");
    check(10, 0, "1/9 1/9 3/7 3/7 5/5 6/4 8/2 9/1");
}

fn canary(v: &Value) -> Canary {
    let step = |v: &Value| {
        if let Some(weight) = number(&v["setWeight"]) {
            return Step::SetWeight(weight);
        }
        let scale = &v["setCanaryScale"];
        if scale["matchTrafficWeight"] == true {
            return Step::SetCanaryScale(CanaryScale::MatchTrafficWeight);
        }
        if let Some(count) = number(&scale["replicas"]) {
            return Step::SetCanaryScale(CanaryScale::Replicas(count));
        }
        if let Some(weight) = number(&scale["weight"]) {
            return Step::SetCanaryScale(CanaryScale::Weight(weight));
        }
        assert!(v.get("pause").is_some(), "unexpected step {v}");
        Step::Pause(None)
    };
    Canary {
        steps: v["steps"].as_array().into_iter().flatten().map(step).collect(),
        max_surge: amount(&v["maxSurge"]),
        max_unavailable: amount(&v["maxUnavailable"]),
        traffic: Some(Traffic { weight_total: number(&v["trafficRouting"]["maxTrafficWeight"]).unwrap_or(100) }),
        abort_scale_down_delay: number(&v["abortScaleDownDelaySeconds"]).map(|s| Span::from_secs(i64::from(s))),
        dynamic_stable_scale: v["dynamicStableScale"] == true,
        min_pods: number(&v["minPodsPerReplicaSet"]),
        ..Canary::default()
    }
}

//= compat: 2.8-1, 2.8-2, 2.8-3, 2.8-18, 2.8-19, 2.8-21, 2.8-22, 1.7-13, 1.7-14, 1.7-15, 1.7-16, 1.7-17, 1.10-5
//= compat: 1.10-6, A.4-1, A.4-2, 10.20
#[test]
fn sizes_with_a_router_agree_with_the_original() {
    let cases: Value = serde_json::from_str(include_str!("data/sizing-routed.json")).unwrap();
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 1500);
    let mut wrong = Vec::new();
    for case in cases {
        let canary = canary(&case["canary"]);
        let steps = canary.steps.len();
        let routed = Routed {
            canary: &canary,
            replicas: number(&case["replicas"]).unwrap(),
            step_index: (steps > 0).then(|| case["stepIndex"].as_u64().unwrap() as usize),
            abort: case["abort"] == true,
            promote_full: case["promoteFull"] == true,
            promoted: case["fullyPromoted"] == true,
            new: size(&case["new"]),
            stable: size(&case["stable"]),
            weight_recorded: number(&case["actualCanaryWeight"]),
        };
        let got = (routed.sizes(), routed.step_weight());
        let want = (
            Sizes { new: number(&case["wantReplicas"][0]).unwrap(), stable: number(&case["wantReplicas"][1]).unwrap() },
            number(&case["wantCanaryWeight"]).unwrap(),
        );
        if got != want {
            wrong.push(format!("{case}\n   got {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong[..wrong.len().min(8)].join("\n"));
}
