//! Requests, answers and scrapes: what is drawn has the means that were asked for, and what is scraped is what was drawn.

use std::sync::Arc;

use serin_core::rollout::{BlueGreen, Canary, Rollout, Strategy, Traffic as Routed};
use serin_core::weight::{HeaderMatch, HeaderRoute, MirrorRoute, Split, ValueMatch};
use serin_core::{Action, Hash, RoleMetadata, Span, Time};
use serin_promql::{Labels, Query, Value};
use serin_sim::load::conduct::{Answers, Conduct};
use serin_sim::load::export::{Export, Family};
use serin_sim::load::traffic::{HeaderShare, Traffic};
use serin_sim::load::{Load, Pages, Scene, Scrape, Tally};
use serin_sim::world::{Cluster, Version};

const START: Time = Time::from_secs(1_000_000);

fn rollout(strategy: Strategy) -> Rollout {
    Rollout {
        name: "svc".to_owned(),
        generation: 1,
        replicas: 2,
        hash: Hash::new("v2"),
        steps_hash: "s".to_owned(),
        paused: false,
        progress_deadline: Span::from_secs(600),
        progress_deadline_abort: false,
        revision_history_limit: 10,
        rollback_window: None,
        restart_at: None,
        metadata: RoleMetadata::default(),
        run_history_limits: (5, 5),
        workload: None,
        strategy,
    }
}

fn canary() -> Strategy {
    Strategy::Canary(Canary {
        traffic: Some(Routed { weight_total: 100 }),
        canary_service: Some("canary".to_owned()),
        stable_service: Some("stable".to_owned()),
        ..Canary::default()
    })
}

fn conduct(errors: f64, yes: f64) -> Conduct {
    Conduct { errors, p50_s: 0.1, p95_s: 0.4, predictions: vec![1.0 - yes, yes], number: (7.0, 2.0) }
}

fn scene(traffic: Traffic) -> Scene {
    let export = |name: &str, family| Export { name: name.to_owned(), family };
    let requests = || Family::Requests {
        label: "status".to_owned(),
        good: vec!["200".to_owned()],
        failed: vec!["500".to_owned()],
    };
    let labels = |name: &str| Labels::from_pairs([("app", "svc"), ("version", name)]);
    let both = [("v1", conduct(0.01, 0.5)), ("v2", conduct(0.1, 0.25))];
    Scene {
        traffic,
        answers: both.iter().map(|(name, c)| (Hash::new(*name), Answers::steady(c.clone()))).collect(),
        outages: Vec::new(),
        classes: vec!["no".into(), "yes".into()],
        scrape: Scrape { interval: Span::from_secs(5), lost: 0.0, late: Span::ZERO },
        members: vec![
            export("requests_total", requests()),
            export("seconds", Family::Durations { bounds: vec![0.1, 0.4, 1.0] }),
            export("predictions_total", Family::Predictions { label: "class".to_owned() }),
            export("number", Family::Numbers),
        ],
        router: vec![export("router_requests_total", requests())],
        member_labels: both.iter().map(|(name, _)| (Hash::new(*name), labels(name))).collect(),
        router_labels: both.iter().map(|(name, _)| (Hash::new(*name), labels(name))).collect(),
        router_others: vec![export("router_mirror_requests_total", requests())],
        router_others_labels: both.iter().map(|(name, _)| (Hash::new(*name), labels(name))).collect(),
        wanted: Arc::new(|_| true),
        pages: Pages::default(),
    }
}

/// Two pools of two ready members each, and nothing else; the load begins once they are ready.
fn cluster(strategy: Strategy, scene: Scene) -> Cluster {
    let mut cluster = Cluster::new(rollout(strategy), START, 7);
    for (revision, name) in [(1, "v1"), (2, "v2")] {
        let hash = Hash::new(name);
        cluster.versions.insert(hash.clone(), Version::steady(Some(Span::from_secs(1))));
        cluster.apply(&Action::CreatePool { hash: hash.clone(), revision });
        cluster.apply(&Action::ScalePool { hash, size: 2, replicas_seen: 2 });
    }
    cluster.advance(START + Span::from_secs(1));
    cluster.set_load(Load::new(Arc::new(scene), cluster.now, 7));
    cluster.load.as_mut().unwrap().begin(Hash::new("v2"), Hash::new("v1"));
    cluster
}

fn split(weight: u32) -> Split {
    Split { canary: Hash::new("v2"), weight, ..Split::all_to(Hash::new("v1"), 100) }
}

fn run(cluster: &mut Cluster, seconds: i64) -> Tally {
    let end = cluster.now + Span::from_secs(seconds);
    cluster.advance(end);
    cluster.load.as_mut().unwrap().tally()
}

fn query(cluster: &Cluster, text: &str) -> f64 {
    let store = &cluster.load.as_ref().unwrap().store;
    match Query::parse(text).unwrap().eval(store, cluster.now.as_millis()).unwrap() {
        Value::Vector(elements) => elements.first().map_or(f64::NAN, |(_, value)| *value),
        other => panic!("{other:?}"),
    }
}

/// Within four standard deviations of a Poisson number.
fn assert_near(what: &str, got: f64, want: f64) {
    assert!((got - want).abs() <= 4.0 * want.sqrt() + 1e-9, "{what}: {got} instead of about {want}");
}

#[test]
fn the_split_divides_the_requests() {
    let mut cluster = cluster(canary(), scene(Traffic::steady(100.0)));
    cluster.apply(&Action::SetSplit(split(20)));
    let tally = run(&mut cluster, 1000);
    assert_near("requests", tally.requests as f64, 100_000.0);
    assert_near("of the new version", tally.new_requests as f64, 20_000.0);
    assert_near("failed", tally.failed as f64, 2000.0 + 800.0);
    assert_near("failed of the new version", tally.new_failed as f64, 2000.0);
    assert!((tally.new_failed_if_stable - 200.0).abs() < 1e-6, "{tally:?}");
    assert!((tally.excess() - 1800.0).abs() < 4.0 * 2000_f64.sqrt());
}

#[test]
fn what_is_scraped_is_what_was_drawn() {
    let mut cluster = cluster(canary(), scene(Traffic::steady(100.0)));
    cluster.apply(&Action::SetSplit(split(50)));
    let tally = run(&mut cluster, 600);
    let last = |text: &str| query(&cluster, text);
    let counted = last("sum(requests_total{version='v2'})");
    // The last scrape of a member is up to five seconds old.
    assert!(counted <= tally.new_requests as f64 && counted > 0.98 * tally.new_requests as f64, "{counted} {tally:?}");
    let of_v2 = |text: &str| last(&text.replace("V", "version='v2'"));
    assert_eq!(of_v2("sum(seconds_count{V})"), counted);
    assert_eq!(of_v2("sum(seconds_bucket{V,le='+Inf'})"), counted);
    let good = of_v2("sum(requests_total{V,status='200'})");
    assert_eq!(of_v2("sum(predictions_total{V})"), good);
    assert_eq!(of_v2("sum(number_count{V})"), good);
    assert_near("errors", of_v2("sum(requests_total{V,status='500'})"), 0.1 * counted);
    assert_near("class", of_v2("sum(predictions_total{V,class='yes'})"), 0.25 * good);
    assert_near("up to the median", of_v2("sum(seconds_bucket{V,le='0.1'})"), 0.5 * counted);
    assert_near("up to the 95th percentile", of_v2("sum(seconds_bucket{V,le='0.4'})"), 0.95 * counted);
    let mean = of_v2("sum(number_sum{V}) / sum(number_count{V})");
    assert!((mean - 7.0).abs() < 4.0 * 2.0 / good.sqrt(), "{mean}");
    let routed = of_v2("sum(router_requests_total{V})");
    assert!((counted - routed).abs() < 0.02 * counted, "{counted} {routed}");
}

#[test]
fn without_a_ready_member_the_other_version_answers_and_without_any_nobody_does() {
    let mut cluster = cluster(canary(), scene(Traffic::steady(10.0)));
    cluster.apply(&Action::SetSplit(split(100)));
    cluster.apply(&Action::ScalePool { hash: Hash::new("v2"), size: 0, replicas_seen: 2 });
    let tally = run(&mut cluster, 100);
    assert_eq!(tally.new_requests, 0);
    assert_near("answered by stable", tally.requests as f64, 1000.0);
    assert!(tally.failed < 40, "{tally:?}");
    cluster.apply(&Action::ScalePool { hash: Hash::new("v1"), size: 0, replicas_seen: 2 });
    let before = tally;
    let tally = run(&mut cluster, 100);
    assert_eq!(tally.failed - before.failed, tally.requests - before.requests);
    assert_near("answered by nobody", (tally.requests - before.requests) as f64, 1000.0);
}

#[test]
fn headers_and_copies_reach_the_new_version_besides_its_weight() {
    let headers = vec![HeaderShare { name: "X-Tester".to_owned(), value: "yes".to_owned(), share: 0.1 }];
    let mut cluster = cluster(canary(), scene(Traffic { headers, ..Traffic::steady(100.0) }));
    let matches = vec![HeaderMatch { header: "x-tester".to_owned(), value: ValueMatch::Prefix("y".to_owned()) }];
    let mirrors = vec![MirrorRoute { name: "copy".to_owned(), percentage: 50, matches: Vec::new() }];
    let header_routes = vec![HeaderRoute { name: "testers".to_owned(), matches }];
    cluster.apply(&Action::SetSplit(Split { header_routes, mirrors, ..split(20) }));
    let tally = run(&mut cluster, 1000);
    // A tenth by its header, and a fifth of the rest; copies are no requests of users.
    assert_near("of users", tally.new_requests as f64, 10_000.0 + 18_000.0);
    assert_near("requests", tally.requests as f64, 100_000.0);
    assert_near(
        "all that it answered",
        query(&cluster, "sum(requests_total{version='v2'})"),
        28_000.0 + 50_000.0 - 390.0,
    );
}

#[test]
fn a_preview_gets_its_own_requests_and_the_switch_moves_all_others() {
    let strategy = Strategy::BlueGreen(BlueGreen {
        active_service: "active".to_owned(),
        preview_service: Some("preview".to_owned()),
        ..BlueGreen::default()
    });
    let mut cluster = cluster(strategy, scene(Traffic { preview_rate: 2.0, ..Traffic::steady(100.0) }));
    let point = |service: &str, name: &str| Action::PointService { service: service.to_owned(), hash: Hash::new(name) };
    cluster.apply(&point("active", "v1"));
    cluster.apply(&point("preview", "v2"));
    let tally = run(&mut cluster, 100);
    assert_eq!(tally.new_requests, 0);
    assert_near("requests", tally.requests as f64, 10_000.0);
    assert_near("previews", query(&cluster, "sum(requests_total{version='v2'})"), 200.0 - 5.0);
    cluster.apply(&point("active", "v2"));
    let tally = run(&mut cluster, 100);
    assert_near("after the switch", tally.new_requests as f64, 10_000.0);
}

#[test]
fn scrapes_are_lost_and_late_and_counters_start_anew() {
    let mut scene = scene(Traffic::steady(100.0));
    scene.scrape = Scrape { interval: Span::from_secs(5), lost: 0.3, late: Span::from_secs(1) };
    let mut cluster = cluster(canary(), scene);
    for name in ["v1", "v2"] {
        cluster.versions.get_mut(&Hash::new(name)).unwrap().members.crash_every = Some(Span::from_secs(60));
    }
    // New members, which crash.
    for size in [0, 2] {
        cluster.apply(&Action::ScalePool { hash: Hash::new("v2"), size, replicas_seen: 2 });
    }
    cluster.apply(&Action::SetSplit(split(50)));
    run(&mut cluster, 1200);
    let resets = query(&cluster, "sum(resets(requests_total{version='v2',status='200'}[20m]))");
    assert!(resets >= 5.0, "{resets}");
    // 240 scrapes without loss and delay; 200 with delay; two thirds of those are answered.
    let scraped = query(&cluster, "count_over_time(requests_total{version='v1',status='200',pod='v1-0'}[20m])");
    assert!((110.0..170.0).contains(&scraped), "{scraped}");
    // A rate over what is left is still right, because counters hold what lost scrapes did not bring.
    let rate = query(&cluster, "sum(rate(requests_total{version='v1'}[10m]))");
    assert!((rate - 50.0).abs() < 4.0, "{rate}");
}

#[test]
fn the_series_of_a_member_that_is_gone_end() {
    let mut cluster = cluster(canary(), scene(Traffic::steady(100.0)));
    cluster.apply(&Action::SetSplit(split(50)));
    run(&mut cluster, 60);
    assert_eq!(query(&cluster, "count(requests_total{version='v2',status='200'})"), 2.0);
    cluster.apply(&Action::ScalePool { hash: Hash::new("v2"), size: 1, replicas_seen: 2 });
    run(&mut cluster, 1);
    assert_eq!(query(&cluster, "count(requests_total{version='v2',status='200'})"), 1.0);
    cluster.apply(&Action::DeletePool { hash: Hash::new("v2") });
    run(&mut cluster, 1);
    assert!(query(&cluster, "count(requests_total{version='v2',status='200'})").is_nan());
}
