//! From manifests and description to a scenario. Lengths of time and shares were checked before, so they are only read here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serin_core::{Hash, Rollout, Span, Time};
use serin_promql::Labels;
use serin_spec::Catalog;
use serin_spec::catalog::Entry;
use serin_spec::{duration, image, lower, raise, wire};

use super::plans;
use super::{Deed, Expected, FaultShares, Person, Questions, Scenario, ScenarioError};
use crate::control::{Fate, Faults, PassFault};
use crate::description::{
    AnswersDescription, Description, MetricDescription, PersonDescription, VersionDescription, time_of_day_ms,
};
use crate::load::conduct::{Answers, Change, Conduct, Outage};
use crate::load::export::{Export, Family};
use crate::load::traffic::{HeaderShare, Traffic};
use crate::load::{Pages, Scene, Scrape};
use crate::random::Rng;
use crate::world::{Behaviour, Delay, Measure, Version};

/// Midnight of the day of every run: 2026-01-05, a Monday. Only the time of day matters, and small numbers are easy to read.
const MIDNIGHT: Time = Time::from_secs(1_767_571_200);

/// Actions and passes for which faults are drawn ahead: more than an update of hours makes.
const FAULTS_AHEAD: u64 = 4000;

/// Upper bounds of the router's histogram, as `serin proxy` exports them.
const ROUTER_BOUNDS: [f64; 13] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Upper bounds of a service's histogram where the world names no metrics: those of the example, which hold the limits of
/// its analysis.
const SERVICE_BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// A length of time that may be left out.
fn span(text: Option<&str>, default: Span) -> Span {
    text.and_then(|text| duration::parse_ms(text).ok()).map_or(default, Span::from_millis)
}

const fn secs(s: i64) -> Span {
    Span::from_secs(s)
}

pub(super) fn scenario(
    catalog: &Catalog,
    world: &Description,
    rollout: Option<&str>,
    questions: Questions<'_>,
) -> Result<Scenario, ScenarioError> {
    let entry = choose(catalog, rollout.or(world.rollout.as_deref()))?;
    let object = &entry.object;
    all_simulated(object)?;
    let time_of_day = world.traffic.deploy_at.as_deref().and_then(time_of_day_ms).unwrap_or(12 * 3_600_000);
    let deploy_at = MIDNIGHT + Span::from_millis(time_of_day);
    let (stable_tag, new_tag) = tags(object, world);
    let deployed = world.people.iter().filter(|p| p.deed == "deploy").filter_map(|p| p.to.clone());
    let taking_part: Vec<String> = [stable_tag.clone(), new_tag.clone()].into_iter().chain(deployed).collect();
    let mut cast = BTreeMap::new();
    let mut hashes = BTreeMap::new();
    for tag in &taking_part {
        let part = part(object, world, tag)?;
        hashes.insert(tag.clone(), part.rollout.hash.clone());
        cast.insert(part.rollout.hash.clone(), part);
    }
    let (stable, new) = (hashes[&stable_tag].clone(), hashes[&new_tag].clone());
    if stable == new {
        return Err(ScenarioError::SameVersion(new_tag));
    }
    let mut people: Vec<Person> = world.people.iter().map(|p| person(p, deploy_at, &hashes)).collect();
    people.sort_by_key(|p| p.at);
    let moved = people.iter().any(|p| matches!(p.deed, Deed::Deploy(_) | Deed::Undo));
    let pairs = pairs(&cast, &stable, &new, moved);
    let prepared = plans::prepare(catalog, &cast, &pairs, questions);
    let scene = scene(world, object, &cast, deploy_at, prepared.wanted);
    Ok(Scenario {
        name: format!("{}/{}", object.metadata.namespace(), object.metadata.name()),
        deploy_at,
        warm_up: span(world.warm_up.as_deref(), secs(600)),
        within: span(world.within.as_deref(), secs(2 * 3600)),
        expected: match world.expect.as_deref() {
            Some("promoted") => Some(Expected::Promoted),
            Some("aborted") => Some(Expected::Aborted),
            _ => None,
        },
        stable,
        new,
        people,
        faults: fault_shares(world),
        versions: cast.iter().map(|(hash, part)| (hash.clone(), part.version.clone())).collect(),
        rollouts: cast.into_iter().map(|(hash, part)| (hash, (part.tag, part.rollout))).collect(),
        min_ready: secs(i64::from(object.spec.min_ready_seconds.unwrap_or(0).max(0))),
        plans: prepared.plans,
        scene: Arc::new(scene),
    })
}

/// A version that takes part.
pub(super) struct Part {
    pub(super) tag: String,
    pub(super) object: wire::Rollout,
    pub(super) rollout: Rollout,
    version: Version,
    described: VersionDescription,
}

fn choose<'c>(catalog: &'c Catalog, name: Option<&str>) -> Result<&'c Entry<wire::Rollout>, ScenarioError> {
    let full = |e: &Entry<wire::Rollout>| format!("{}/{}", e.object.metadata.namespace(), e.object.metadata.name());
    let known = || catalog.rollouts.iter().map(full).collect::<Vec<_>>();
    match (name, catalog.rollouts.as_slice()) {
        (_, []) => Err(ScenarioError::NoRollouts),
        (None, [only]) => Ok(only),
        (None, _) => Err(ScenarioError::WhichRollout(known())),
        (Some(name), all) => {
            let is = |e: &&Entry<wire::Rollout>| e.object.metadata.name() == name || full(e) == name;
            let found = all.iter().find(is);
            found.ok_or_else(|| ScenarioError::NoRollout { name: name.to_owned(), known: known() })
        }
    }
}

/// Refuses what would stand still here and not in production.
fn all_simulated(object: &wire::Rollout) -> Result<(), ScenarioError> {
    let steps = object.spec.strategy.canary.iter().flat_map(|canary| &canary.steps);
    for (index, step) in steps.enumerate() {
        if step.experiment.is_some() {
            return Err(ScenarioError::Step { index, what: "experiment" });
        }
        if step.plugin.is_some() {
            return Err(ScenarioError::Step { index, what: "plugin" });
        }
    }
    Ok(())
}

/// Stable and new tag.
fn tags(object: &wire::Rollout, world: &Description) -> (String, String) {
    let own = object.spec.template.as_ref().and_then(|t| t.containers().first().map(|c| c.image.clone()));
    let own = own.and_then(|reference| image::split(&reference).tag.map(str::to_owned));
    let stable = world.deploy.from.clone().or(own).unwrap_or_else(|| "latest".to_owned());
    (stable, world.deploy.to.clone().unwrap_or_default())
}

fn part(object: &wire::Rollout, world: &Description, tag: &str) -> Result<Part, ScenarioError> {
    let described = world.versions.iter().find(|v| v.tag == tag).cloned();
    let described = described.ok_or_else(|| ScenarioError::NotDescribed(tag.to_owned()))?;
    let mut object = object.clone();
    raise::rollout_with_image(&mut object, None, tag)?;
    object.status = None;
    let rollout = lower::rollout(&object, 1, None);
    let members = &described.members;
    let p50 = span(members.ready_after.as_deref(), secs(5));
    let behaviour = Behaviour {
        ready_after: match &members.ready_after_p95 {
            Some(p95) => Delay::LogNormal(p50, span(Some(p95), p50)),
            None => Delay::Fixed(p50),
        },
        never_ready: members.never_ready.unwrap_or(0.0),
        crash_every: members.crash_every.as_deref().map(|text| span(Some(text), Span::ZERO)),
        flap_every: members.flap_every.as_deref().map(|text| span(Some(text), Span::ZERO)),
        flap_lasts: Delay::Fixed(span(members.flap_lasts.as_deref(), secs(10))),
    };
    let measures = described.measures.iter().map(|(name, n)| (name.clone(), Measure::Number(*n))).collect();
    Ok(Part { tag: tag.to_owned(), object, rollout, version: Version { members: behaviour, measures }, described })
}

/// Which version may be judged beside which stable one.
fn pairs(cast: &BTreeMap<Hash, Part>, stable: &Hash, new: &Hash, moved: bool) -> Vec<(Hash, Hash)> {
    if !moved {
        return vec![(new.clone(), stable.clone())];
    }
    let all = cast.keys().flat_map(|a| cast.keys().map(move |b| (a.clone(), b.clone())));
    all.filter(|(a, b)| a != b).collect()
}

fn person(person: &PersonDescription, deploy_at: Time, hashes: &BTreeMap<String, Hash>) -> Person {
    let to = person.to.as_deref().unwrap_or_default();
    let deed = match person.deed.as_str() {
        "promote" => Deed::Promote,
        "promote-full" => Deed::PromoteFull,
        "retry" => Deed::Retry,
        "pause" => Deed::Pause,
        "undo" => Deed::Undo,
        "deploy" => hashes.get(to).cloned().map_or(Deed::Abort, Deed::Deploy),
        "replicas" => to.parse().map_or(Deed::Abort, Deed::Replicas),
        _ => Deed::Abort,
    };
    Person { at: deploy_at + span(Some(&person.at), Span::ZERO), deed }
}

fn scene(
    world: &Description,
    object: &wire::Rollout,
    cast: &BTreeMap<Hash, Part>,
    deploy_at: Time,
    wanted: Arc<dyn Fn(&Labels) -> bool + Send + Sync>,
) -> Scene {
    let named = |answers: &AnswersDescription| answers.predictions.keys().cloned().collect::<Vec<String>>();
    let described = || cast.values().map(|part| &part.described);
    let classes: BTreeSet<String> = described()
        .flat_map(|v| named(&v.answers).into_iter().chain(v.changes.iter().flat_map(|c| named(&c.to))))
        .collect();
    let classes: Vec<Arc<str>> = classes.into_iter().map(Arc::from).collect();
    let answers =
        cast.iter().map(|(hash, part)| (hash.clone(), answers(&part.described, &classes, deploy_at))).collect();
    let outage = |o: &crate::description::OutageDescription| Outage {
        at: deploy_at + span(Some(&o.at), Span::ZERO),
        lasts: span(Some(&o.lasts), Span::ZERO),
        errors: o.errors,
        slower: o.slower.unwrap_or(1.0),
    };
    let (namespace, name) = (object.metadata.namespace(), object.metadata.name());
    let preview = object.spec.strategy.blue_green.as_ref().and_then(|b| b.preview_service.as_deref());
    let routed = |route: &str| -> BTreeMap<Hash, Labels> {
        let labels =
            |hash: &Hash| Labels::from_pairs([("job", "serin-router"), ("route", route), ("version", hash.as_str())]);
        cast.keys().map(|hash| (hash.clone(), labels(hash))).collect()
    };
    let mut scene = Scene {
        traffic: traffic(world),
        answers,
        outages: world.outages.iter().map(outage).collect(),
        classes,
        scrape: Scrape {
            interval: span(world.scrape.interval.as_deref(), secs(15)),
            lost: world.scrape.lost.unwrap_or(0.0),
            late: span(world.scrape.late.as_deref(), Span::ZERO),
        },
        members: exports(world, name),
        router: router_exports("serin_router"),
        router_labels: routed(&format!("{namespace}/{name}")),
        // The preview is a route of its own; copies of requests have series of their own.
        router_others: router_exports(if preview.is_some() { "serin_router" } else { "serin_router_mirror" }),
        router_others_labels: match preview {
            Some(service) => routed(&format!("service/{namespace}/{service}")),
            None => routed(&format!("{namespace}/{name}")),
        },
        member_labels: cast.iter().map(|(hash, part)| (hash.clone(), member_labels(&part.object, hash))).collect(),
        wanted,
        pages: Pages::default(),
    };
    // Surge and a resize by people stay below twice the replicas in all but odd cases, which are made when they come up.
    scene.prepare(object.spec.replicas.map_or(1, |n| usize::try_from(n).unwrap_or(0)).min(100) * 2);
    scene
}

fn traffic(world: &Description) -> Traffic {
    let described = &world.traffic;
    let peak = described.peak_at.as_deref().and_then(time_of_day_ms).unwrap_or(15 * 3_600_000);
    let header = |h: &crate::description::HeaderDescription| HeaderShare {
        name: h.name.clone(),
        value: h.value.clone(),
        share: h.share,
    };
    Traffic {
        rate: described.rate.unwrap_or(50.0),
        swing: described.swing.unwrap_or(0.0),
        peak: MIDNIGHT + Span::from_millis(peak),
        preview_rate: described.preview_rate.unwrap_or(0.0),
        headers: described.headers.iter().map(header).collect(),
    }
}

fn answers(version: &VersionDescription, classes: &[Arc<str>], deploy_at: Time) -> Answers {
    let usual =
        Conduct { errors: 0.0, p50_s: 0.05, p95_s: 0.15, predictions: vec![0.0; classes.len()], number: (0.0, 0.0) };
    let first = conduct(&usual, &version.answers, classes);
    let mut changes: Vec<Change> = Vec::new();
    for change in &version.changes {
        let before = changes.last().map_or(&first, |c| &c.to);
        let to = conduct(before, &change.to, classes);
        let at = deploy_at + span(Some(&change.at), Span::ZERO);
        changes.push(Change { at, over: span(change.over.as_deref(), Span::ZERO), to });
    }
    Answers { first, changes }
}

/// What is described, and for the rest what was before.
fn conduct(before: &Conduct, described: &AnswersDescription, classes: &[Arc<str>]) -> Conduct {
    let seconds = |text: Option<&str>| text.and_then(|t| duration::parse_ms(t).ok()).map(|ms| ms as f64 / 1000.0);
    let p50_s = seconds(described.p50.as_deref()).unwrap_or(before.p50_s);
    // A median alone keeps the shape of the distribution.
    let p95_s = seconds(described.p95.as_deref()).unwrap_or(before.p95_s / before.p50_s * p50_s);
    let share = |class: &Arc<str>| described.predictions.get(&**class).copied().unwrap_or(0.0);
    Conduct {
        errors: described.errors.unwrap_or(before.errors),
        p50_s,
        p95_s: p95_s.max(p50_s),
        predictions: match described.predictions.is_empty() {
            true => before.predictions.clone(),
            false => classes.iter().map(share).collect(),
        },
        number: (described.number.unwrap_or(before.number.0), described.number_deviation.unwrap_or(before.number.1)),
    }
}

/// What members export: as described, or as the example's services do.
fn exports(world: &Description, rollout: &str) -> Vec<Export> {
    let service = rollout.split('-').next().unwrap_or(rollout);
    let named = |name: &str| name.replace("{rollout}", rollout).replace("{service}", service);
    if world.metrics.is_empty() {
        let family = |name: &str, family| Export { name: named(name), family };
        return vec![
            family("{service}_requests_total", requests("status", &[], &[])),
            family("{service}_request_duration_seconds", Family::Durations { bounds: SERVICE_BOUNDS.to_vec() }),
            family("{service}_predictions_total", Family::Predictions { label: "prediction".to_owned() }),
        ];
    }
    let export = |metric: &MetricDescription| {
        let label = metric.label.clone().unwrap_or_default();
        let family = match metric.counts.as_str() {
            "durations" => Family::Durations { bounds: metric.bounds.clone() },
            "predictions" => Family::Predictions { label },
            "numbers" => Family::Numbers,
            _ => requests(&label, &metric.good, &metric.failed),
        };
        Export { name: named(&metric.name), family }
    };
    world.metrics.iter().map(export).collect()
}

fn requests(label: &str, good: &[String], failed: &[String]) -> Family {
    let or = |values: &[String], usual: &str| match values {
        [] => vec![usual.to_owned()],
        values => values.to_vec(),
    };
    Family::Requests { label: label.to_owned(), good: or(good, "200"), failed: or(failed, "500") }
}

/// What `serin proxy` exports of each version, under names that begin so.
fn router_exports(prefix: &str) -> Vec<Export> {
    let classes = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let export = |name: &str, family| Export { name: format!("{prefix}_{name}"), family };
    let requests = Family::Requests {
        label: "code_class".to_owned(),
        good: classes(&["2xx", "1xx", "3xx", "4xx"]),
        failed: classes(&["5xx"]),
    };
    vec![
        export("requests_total", requests),
        export("request_duration_seconds", Family::Durations { bounds: ROUTER_BOUNDS.to_vec() }),
        export("predictions_total", Family::Predictions { label: "prediction".to_owned() }),
        export("prediction", Family::Numbers),
    ]
}

/// The labels that the usual Kubernetes scrape configuration attaches, but those of the single pod.
fn member_labels(object: &wire::Rollout, hash: &Hash) -> Labels {
    let mut builder = Labels::builder();
    let template = object.spec.template.as_ref().map(|t| t.labels()).unwrap_or_default();
    for (name, value) in template {
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        builder.set(name, value);
    }
    builder.set("rollouts_pod_template_hash", hash.as_str());
    builder.set("namespace", object.metadata.namespace());
    builder.set("job", "kubernetes-pods");
    builder.build()
}

fn fault_shares(world: &Description) -> FaultShares {
    let faults = &world.faults;
    let share = |share: Option<f64>| share.unwrap_or(0.0);
    FaultShares {
        actions: [share(faults.lost), share(faults.twice), share(faults.late), share(faults.killed)],
        late_by: span(faults.late_by.as_deref(), secs(5)),
        back_after: span(faults.back_after.as_deref(), secs(10)),
        stale: share(faults.stale),
        stale_by: span(faults.stale_by.as_deref(), secs(2)),
    }
}

/// The faults of a run, drawn ahead.
pub(super) fn faults(shares: &FaultShares, seed: u64) -> Faults {
    let mut faults = Faults::default();
    let mut rng = Rng::stream(seed, 3);
    let fates = [Fate::Lost, Fate::Twice, Fate::Late(shares.late_by), Fate::Killed(shares.back_after)];
    for (fate, share) in fates.into_iter().zip(shares.actions) {
        if share > 0.0 {
            for number in 0..FAULTS_AHEAD {
                if rng.chance(share) {
                    faults.actions.entry(number).or_insert(fate);
                }
            }
        }
    }
    if shares.stale > 0.0 {
        let hit = (0..FAULTS_AHEAD).filter(|_| rng.chance(shares.stale));
        faults.passes = hit.map(|number| (number, PassFault::Stale(shares.stale_by))).collect();
    }
    faults
}
