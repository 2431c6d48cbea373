//! Rollouts as the core sees them: defaults, and every kind of step.

use serde_json::{Value, json};
use serin_core::plugin::PluginStep;
use serin_core::rollout::{Amount, CanaryScale, ExperimentStep, PingPong, Step, Strategy, Threshold, Traffic};
use serin_core::weight::{HeaderMatch, RouteMatch, ValueMatch};
use serin_core::{BlueGreen, Canary, Metadata, Rollout, Span, Time};
use serin_spec::{hash, lower, wire};

fn wire(spec: Value) -> wire::Rollout {
    let object = json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": { "name": "fraud" }, "spec": spec });
    serde_json::from_value(object).unwrap()
}

fn lowered(spec: Value) -> Rollout {
    lower::rollout(&wire(spec), 7, None)
}

fn canary(canary: Value) -> Canary {
    let Strategy::Canary(canary) = lowered(json!({ "strategy": { "canary": canary } })).strategy else {
        panic!("not a canary");
    };
    canary
}

fn step(step: Value) -> Step {
    canary(json!({ "steps": [step] })).steps.remove(0)
}

//= compat: 1.2-2, 1.2-4, 1.2-13, 1.7-1, 1.7-2, 2.3-11
#[test]
fn an_empty_canary_has_argos_defaults() {
    let spec = json!({ "template": { "spec": { "containers": [] } }, "strategy": { "canary": {} } });
    let rollout = lowered(spec.clone());
    assert_eq!((rollout.name.as_str(), rollout.generation, rollout.replicas), ("fraud", 7, 1));
    assert_eq!(rollout.hash, hash::pod_template(wire(spec.clone()).spec.template.as_ref().unwrap(), None));
    assert_ne!(rollout.hash, lower::rollout(&wire(spec), 7, Some(1)).hash);
    assert_eq!(rollout.steps_hash, "5ffbfbbd64");
    assert_eq!((rollout.paused, rollout.progress_deadline_abort), (false, false));
    assert_eq!(rollout.progress_deadline, Span::from_secs(600));
    assert_eq!((rollout.revision_history_limit, rollout.rollback_window), (10, None));
    assert_eq!(rollout.run_history_limits, (5, 5));
    assert_eq!(rollout.strategy, Strategy::Canary(Canary::default()));
}

#[test]
fn what_is_written_wins_over_the_defaults() {
    let rollout = lowered(json!({
        "replicas": 0, "paused": true, "progressDeadlineSeconds": 30, "progressDeadlineAbort": true, "revisionHistoryLimit": 0,
        "rollbackWindow": { "revisions": 3 }, "analysis": { "successfulRunHistoryLimit": 1, "unsuccessfulRunHistoryLimit": 0 },
        "strategy": { "canary": {} },
    }));
    assert_eq!((rollout.replicas, rollout.paused, rollout.progress_deadline_abort), (0, true, true));
    assert_eq!(rollout.progress_deadline, Span::from_secs(30));
    assert_eq!((rollout.revision_history_limit, rollout.rollback_window), (0, Some(3)));
    assert_eq!(rollout.run_history_limits, (1, 0));
}

//= compat: 1.2-3
#[test]
fn what_is_not_in_the_template_makes_no_revision() {
    let hash = |seconds: i32| {
        lowered(json!({ "minReadySeconds": seconds, "template": {}, "strategy": { "canary": {} } })).hash
    };
    assert_eq!(hash(0), hash(30));
}

//= compat: 1.5-1
#[test]
fn a_rollback_window_of_nothing_is_none() {
    let window =
        |window: Value| lowered(json!({ "rollbackWindow": window, "strategy": { "canary": {} } })).rollback_window;
    assert_eq!([window(json!({})), window(json!({ "revisions": 0 })), window(json!({ "revisions": -1 }))], [None; 3]);
}

#[test]
fn a_rollout_without_a_strategy_stands_still() {
    let rollout = lowered(json!({ "strategy": {} }));
    assert!(rollout.paused);
    assert_eq!((rollout.steps_hash.as_str(), rollout.steps()), ("", 0));
}

#[test]
fn blue_green_has_its_defaults() {
    let bare = lowered(json!({ "strategy": { "blueGreen": { "activeService": "a" } } }));
    let want = BlueGreen { active_service: "a".to_owned(), auto_promotion: true, ..BlueGreen::default() };
    assert_eq!((bare.strategy, bare.paused, bare.steps_hash.as_str()), (Strategy::BlueGreen(want), false, ""));
    let analysis = json!({ "templates": [{ "templateName": "t" }] });
    let full = lowered(json!({ "strategy": { "blueGreen": {
        "activeService": "a", "previewService": "p", "previewReplicaCount": 1, "autoPromotionEnabled": false,
        "autoPromotionSeconds": 9, "maxUnavailable": 2, "scaleDownDelaySeconds": 0, "scaleDownDelayRevisionLimit": 2,
        "abortScaleDownDelaySeconds": 5, "prePromotionAnalysis": analysis, "postPromotionAnalysis": { "templates": [] },
    } } }));
    let want = BlueGreen {
        active_service: "a".to_owned(),
        preview_service: Some("p".to_owned()),
        preview_replicas: Some(1),
        auto_promotion: false,
        auto_promotion_delay: Span::from_secs(9),
        max_unavailable: Amount::Count(2),
        pre_promotion: true,
        post_promotion: false,
        scale_down_delay: Some(Span::ZERO),
        scale_down_delay_revision_limit: Some(2),
        abort_scale_down_delay: Some(Span::from_secs(5)),
    };
    assert_eq!(full.strategy, Strategy::BlueGreen(want));
}

//= compat: 1.7-2, 10.7
#[test]
fn surge_is_a_number_or_a_percentage() {
    let surge = |value: Value| canary(json!({ "maxSurge": value, "maxUnavailable": value }));
    let check = |value: Value, want: Amount| {
        let canary = surge(value);
        assert_eq!((canary.max_surge, canary.max_unavailable), (want, want));
    };
    check(json!(3), Amount::Count(3));
    check(json!(0), Amount::Count(0));
    check(json!("25%"), Amount::Percent(25));
    check(json!("25"), Amount::Percent(25));
    check(json!("0"), Amount::Percent(0));
}

//= compat: 1.7-4, 2.9-1, 2.9-3, 10.24
#[test]
fn the_threshold_counts_percent_or_members() {
    let threshold = |kind: &str, value: i32| {
        canary(json!({ "replicaProgressThreshold": { "type": kind, "value": value } })).progress_threshold
    };
    assert_eq!(threshold("Percent", 90), Some(Threshold::Percent(90)));
    assert_eq!(threshold("Pods", 0), Some(Threshold::Pods(0)));
    assert_eq!(threshold("Any", 2), Some(Threshold::Pods(2)));
    assert_eq!(threshold("Percent", -1), None);
}

#[test]
fn a_traffic_router_brings_its_delays_and_total() {
    let plain = canary(json!({ "scaleDownDelaySeconds": 7 }));
    assert_eq!((plain.traffic, plain.scale_down_delay), (None, Span::ZERO));
    let routed = canary(
        json!({ "trafficRouting": { "nginx": { "stableIngress": "i" } }, "canaryService": "c", "stableService": "s" }),
    );
    assert_eq!(routed.traffic, Some(Traffic { weight_total: 100 }));
    assert_eq!(routed.scale_down_delay, Span::from_secs(30));
    assert_eq!((routed.canary_service.as_deref(), routed.stable_service.as_deref()), (Some("c"), Some("s")));
    assert_eq!(
        (routed.abort_scale_down_delay, routed.scale_down_delay_revision_limit, routed.min_pods),
        (None, None, None)
    );
    let all = canary(json!({
        "trafficRouting": { "maxTrafficWeight": 1000 }, "scaleDownDelaySeconds": 0, "scaleDownDelayRevisionLimit": 2,
        "abortScaleDownDelaySeconds": 0, "dynamicStableScale": true, "minPodsPerReplicaSet": 2,
    }));
    assert_eq!(all.traffic, Some(Traffic { weight_total: 1000 }));
    assert_eq!((all.scale_down_delay, all.abort_scale_down_delay), (Span::ZERO, Some(Span::ZERO)));
    assert_eq!((all.scale_down_delay_revision_limit, all.min_pods, all.dynamic_stable_scale), (Some(2), Some(2), true));
}

//= compat: 4.2-2
#[test]
fn background_analysis_runs_from_its_starting_step() {
    let from = |analysis: Value| canary(json!({ "analysis": analysis })).background_from;
    assert_eq!(from(json!({ "templates": [{ "templateName": "t" }] })), Some(0));
    assert_eq!(from(json!({ "templates": [{ "templateName": "t" }], "startingStep": 2 })), Some(2));
    assert_eq!(from(json!({ "templates": [] })), None);
}

//= compat: 1.7-9, 10.6
#[test]
fn pauses_are_seconds_or_durations() {
    let check = |duration: Value, want: Option<i64>| {
        assert_eq!(
            step(json!({ "pause": { "duration": duration } })),
            Step::Pause(want.map(Span::from_secs)),
            "{duration}"
        );
    };
    check(json!(30), Some(30));
    check(json!("30"), Some(30));
    check(json!(0), Some(0));
    check(json!("0"), Some(0));
    check(json!("1h30m"), Some(5400));
    check(json!("1.9s"), Some(1));
    check(json!("soon"), None);
    check(json!(-5), None);
    assert_eq!(step(json!({ "pause": {} })), Step::Pause(None));
}

//= compat: 1.7-15, 1.7-16
#[test]
fn the_scale_of_the_canary_has_a_precedence() {
    let check = |scale: Value, want: CanaryScale| {
        assert_eq!(step(json!({ "setCanaryScale": scale })), Step::SetCanaryScale(want))
    };
    check(json!({ "weight": 200 }), CanaryScale::Weight(200));
    check(json!({ "replicas": 3, "weight": 5 }), CanaryScale::Replicas(3));
    check(json!({ "replicas": 3, "matchTrafficWeight": true }), CanaryScale::MatchTrafficWeight);
    check(json!({}), CanaryScale::MatchTrafficWeight);
}

//= compat: 1.7-18
#[test]
fn header_routes_match_in_three_ways_and_none_removes() {
    let Step::SetHeaderRoute(route) = step(json!({ "setHeaderRoute": { "name": "beta", "match": [
        { "headerName": "A", "headerValue": { "exact": "1" } },
        { "headerName": "B", "headerValue": { "prefix": "v" } },
        { "headerName": "C", "headerValue": { "regex": "^x" } },
    ] } })) else {
        panic!("no header route");
    };
    assert_eq!(route.name, "beta");
    let want = [
        ("A", ValueMatch::Exact("1".into())),
        ("B", ValueMatch::Prefix("v".into())),
        ("C", ValueMatch::Regex("^x".into())),
    ];
    let want: Vec<HeaderMatch> =
        want.into_iter().map(|(header, value)| HeaderMatch { header: header.into(), value }).collect();
    assert_eq!(route.matches, want);
    let Step::SetHeaderRoute(removed) = step(json!({ "setHeaderRoute": { "name": "beta" } })) else {
        panic!("no header route");
    };
    assert!(removed.matches.is_empty());
}

/// The answers to copies reach nobody; what is copied is said like in a route by header, and by method and path.
//= compat: 1.7-18
#[test]
fn mirror_routes_copy_all_that_matches_unless_told_otherwise() {
    let mirror = |written: Value| match step(json!({ "setMirrorRoute": written })) {
        Step::SetMirrorRoute(route) => route,
        other => panic!("{other}"),
    };
    let route = mirror(json!({ "name": "shadow", "match": [
        { "method": { "exact": "POST" }, "path": { "prefix": "/predict" }, "headers": { "x-b": { "regex": "^1" } } },
        {},
    ] }));
    assert_eq!((route.name.as_str(), route.percentage), ("shadow", 100));
    let first = RouteMatch {
        method: Some(ValueMatch::Exact("POST".into())),
        path: Some(ValueMatch::Prefix("/predict".into())),
        headers: vec![HeaderMatch { header: "x-b".into(), value: ValueMatch::Regex("^1".into()) }],
    };
    assert_eq!(route.matches, [first, RouteMatch::default()]);
    let percentage = |n: i32| mirror(json!({ "name": "m", "percentage": n, "match": [{}] })).percentage;
    assert_eq!([percentage(30), percentage(0), percentage(250), percentage(-1)], [30, 0, 100, 0]);
    assert!(mirror(json!({ "name": "m" })).matches.is_empty());
}

//= compat: 1.7-4
#[test]
fn plugins_are_steps_and_their_configuration_is_theirs() {
    let plugin = Step::Plugin(PluginStep { name: "acme/gate".to_owned() });
    assert_eq!(step(json!({ "plugin": { "name": "acme/gate", "config": { "any": [1] } } })), plugin);
    assert_eq!(plugin.to_string(), "plugin: acme/gate");
}

//= compat: 1.4-1, 1.9-1, 1.10-1, 6.10-1
#[test]
fn restarts_services_that_swap_metadata_and_managed_routes() {
    let strategy = json!({ "canary": {
        "pingPong": { "pingService": "a", "pongService": "b" },
        "canaryMetadata": { "labels": { "role": "canary" }, "annotations": { "note": "new" } },
        "stableMetadata": { "labels": { "role": "stable" } },
        "trafficRouting": { "managedRoutes": [{ "name": "second" }, { "name": "first" }] },
    } });
    let rollout = lowered(json!({ "restartAt": "1970-01-01T00:01:00Z", "strategy": strategy }));
    assert_eq!(rollout.restart_at, Some(Time::from_secs(60)));
    let text = |key: &str, value: &str| std::collections::BTreeMap::from([(key.to_owned(), value.to_owned())]);
    assert_eq!(rollout.metadata.new, Metadata { labels: text("role", "canary"), annotations: text("note", "new") });
    assert_eq!(rollout.metadata.stable.labels, text("role", "stable"));
    let canary = rollout.canary().unwrap();
    assert_eq!(canary.ping_pong, Some(PingPong { ping: "a".to_owned(), pong: "b".to_owned() }));
    assert_eq!(canary.managed_routes, ["second", "first"]);
    let blue_green = lowered(json!({ "strategy": { "blueGreen": {
        "activeService": "s", "previewMetadata": { "labels": { "role": "preview" } }, "activeMetadata": { "labels": { "role": "active" } },
    } } }));
    assert_eq!(blue_green.metadata.new.labels, text("role", "preview"));
    assert_eq!(blue_green.metadata.stable.labels, text("role", "active"));
    assert!(lowered(json!({ "restartAt": "soon", "strategy": { "canary": {} } })).restart_at.is_none());
}

#[test]
fn weights_and_analyses_are_steps_and_what_cannot_be_carried_out_waits_for_a_person() {
    assert_eq!(step(json!({ "setWeight": 20 })), Step::SetWeight(20));
    assert_eq!(step(json!({ "experiment": { "templates": [] } })), Step::Experiment(ExperimentStep::default()));
    assert_eq!(step(json!({ "analysis": { "templates": [{ "templateName": "t" }] } })), Step::Analysis);
    assert_eq!(step(json!({})), Step::Pause(None));
}
