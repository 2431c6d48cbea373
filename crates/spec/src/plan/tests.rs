//! Tables: manifests and what they see, and a simulation of what is promised.

use std::collections::BTreeMap;

use serin_stats::batch::{Arm, Batch};
use serin_stats::judge::{State, failing};
use serin_stats::recipe::Recipe;

use super::{Assumed, Judged, Kind, Metric, Outlook, Plan, Readings, plan};
use crate::recipe::{COMPARE, DRIFT, read};
use crate::{Source, check};

const ROLLOUT: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web ANNOTATIONS}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: 'web:1'}]}}
  strategy: STRATEGY
";

/// What the analyses name: one test, three tests, copies, readings of a share.
const TEMPLATES: &str = r#"
---
{apiVersion: argoproj.io/v1alpha1, kind: AnalysisTemplate, metadata: {name: errors}, spec: {metrics: [
  {name: errors, provider: {plugin: {serin.dev/compare: {tolerance: 1pt}}}}]}}
---
{apiVersion: argoproj.io/v1alpha1, kind: AnalysisTemplate, metadata: {name: three}, spec: {metrics: [
  {name: errors, provider: {plugin: {serin.dev/compare: {within: 60s}}}},
  {name: slow, provider: {plugin: {serin.dev/compare: {outcome: latency, tolerance: 50%, within: 60s}}}},
  {name: classes, provider: {plugin: {serin.dev/drift: {within: 60s}}}}]}}
---
{apiVersion: argoproj.io/v1alpha1, kind: AnalysisTemplate, metadata: {name: copies}, spec: {metrics: [
  {name: copies, provider: {plugin: {serin.dev/shadow: {within: 60s}}}}]}}
---
{apiVersion: argoproj.io/v1alpha1, kind: AnalysisTemplate, metadata: {name: readings}, spec: {
  args: [{name: hash}], metrics: [
  {name: share, interval: 10s, count: 3, failureLimit: 1, successCondition: 'result[0] < 0.05', provider: {prometheus: {address: 'http://p', query: 'q{{args.hash}}'}}}]}}
"#;

fn planned(annotations: &str, strategy: &str, rate: f64) -> Plan {
    let rollout = ROLLOUT.replace("ANNOTATIONS", annotations).replace("STRATEGY", strategy);
    let checked = check(&[Source::new("web.yaml", rollout + TEMPLATES)]);
    let errors: Vec<_> = checked.problems.iter().filter(|problem| problem.is_error()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let assumed = Assumed { rate, stable_errors: 0.005, power: 0.8 };
    let counted = |query: &str, hash: &str| (query == format!("q{hash}")).then_some(20_000);
    plan(&checked.catalog, &checked.catalog.rollouts[0], assumed, &counted).unwrap()
}

/// A canary with these steps, and this beside them.
fn canary(beside: &str, steps: &[&str], rate: f64) -> Plan {
    planned("", &format!("{{canary: {{{beside} steps: [{}]}}}}", steps.join(", ")), rate)
}

const BESIDE: &str = "analysis: {templates: [{templateName: errors}]},";

fn inline(template: &str) -> String {
    let hash = "args: [{name: hash, valueFrom: {podTemplateHashValue: Latest}}]";
    format!("{{analysis: {{templates: [{{templateName: {template}}}], {hash}}}}}")
}

fn tests(metric: &Metric) -> &Outlook {
    match &metric.judged {
        Judged::Tests(outlook) => outlook,
        other => panic!("{other:?}"),
    }
}

fn seen(plan: &Plan, step: usize, metric: usize) -> f64 {
    tests(&plan.steps[step].metrics[metric]).sights[0].seen_from.unwrap()
}

fn kinds(plan: &Plan) -> Vec<(usize, &str, Kind)> {
    plan.warnings.iter().map(|warning| (warning.step, warning.metric.as_str(), warning.kind)).collect()
}

#[test]
fn what_runs_beside_the_steps_has_the_time_at_their_weight() {
    let steps =
        ["{setWeight: 20}", "{pause: {duration: 1m}}", "{pause: {duration: 30s}}", "{setWeight: 50}", "{pause: {}}"];
    let plan = canary(BESIDE, &steps, 40.0);
    let told: Vec<_> = plan.steps.iter().map(|s| (s.number, s.weight, s.least_s, s.canary_requests)).collect();
    let minute = (2, 0.2, Some(60.0), Some(480.0));
    assert_eq!(told, [minute, (3, 0.2, Some(30.0), Some(240.0)), (5, 0.5, None, None)]);
    let requests: Vec<_> = plan.steps.iter().map(|s| tests(&s.metrics[0]).requests).collect();
    assert_eq!(requests, [Some(480.0), Some(720.0), None]);
    assert!(seen(&plan, 1, 0) < seen(&plan, 0, 0), "the longer, the smaller");
    let passes = tests(&plan.steps[2].metrics[0]).sights[0].passes_after_s.unwrap();
    assert!((20.0..120.0).contains(&passes), "{passes}");
}

#[test]
fn the_published_time_to_pass_is_forecast() {
    // 20 % of a hundred a second: 825 requests of the canary, 41 s.
    let plan = canary(BESIDE, &["{setWeight: 20}", "{pause: {duration: 2m}}"], 100.0);
    let passes = tests(&plan.steps[0].metrics[0]).sights[0].passes_after_s.unwrap();
    assert!((36.0..48.0).contains(&passes), "{passes}");
    assert_eq!(kinds(&plan), []);
}

#[test]
fn metrics_that_share_an_alpha_each_see_less() {
    let at = |template: &str, more: &str| canary("", &["{setWeight: 20}", &inline(template), more], 40.0);
    let alone = at("three", "{setWeight: 50}");
    let twice = at("three", &inline("three"));
    assert!(seen(&alone, 0, 0) < seen(&twice, 0, 0), "six tests have less of it each than three");
    let [errors, slow, classes] = alone.steps[0].metrics.as_slice() else { panic!("{:#?}", alone.steps) };
    assert_eq!((errors.seconds, alone.steps[0].least_s, alone.steps[0].most_s), (Some(60.0), Some(0.0), Some(60.0)));
    let slow = &tests(slow).sights[0];
    assert!((slow.stable - 0.05).abs() < 1e-12 && slow.seen_from > Some(0.05), "{slow:?}");
    let bases: Vec<f64> = tests(classes).sights.iter().map(|sight| sight.stable).collect();
    assert_eq!(bases, [0.2, 0.5]);
}

#[test]
fn steps_that_see_nothing_are_told_why() {
    let why = |plan: &Plan| -> String {
        let [warning] = plan.warnings.as_slice() else { panic!("{:#?}", plan.warnings) };
        assert_eq!(warning.kind, Kind::SeesNothing);
        warning.message.clone()
    };
    let rare = canary(BESIDE, &["{setWeight: 5}", "{pause: {duration: 10s}}"], 1.0);
    assert!(why(&rare).contains("even a version that answers nothing right is not noticed in 10 s"), "{}", why(&rare));
    let before = canary("", &[&inline("errors"), "{setWeight: 20}"], 40.0);
    assert!(why(&before).contains("gets no requests"), "{}", why(&before));
    let whole = canary("", &["{setWeight: 100}", &inline("errors")], 40.0);
    assert!(why(&whole).contains("stable answers nothing"), "{}", why(&whole));
    let unmirrored = canary("", &["{setWeight: 20}", &inline("copies")], 40.0);
    assert!(why(&unmirrored).contains("no requests are copied"), "{}", why(&unmirrored));
    let switch = "{blueGreen: {activeService: a, previewService: b, prePromotionAnalysis: {templates: [{templateName: errors}]}}}";
    let services = "apiVersion: v1\nkind: Service\nspec: {ports: [{port: 80}], selector: {app: web}}\nmetadata: ";
    let switched = planned("", &format!("{switch}\n---\n{services}{{name: a}}\n---\n{services}{{name: b}}\n"), 40.0);
    assert!(why(&switched).contains("before the switch"), "{}", why(&switched));
}

#[test]
fn a_comparison_that_goes_on_at_full_weight_holds_the_canary_to_what_stable_was() {
    let steps = ["{setWeight: 20}", "{pause: {duration: 1m}}", "{setWeight: 100}", "{pause: {duration: 1m}}"];
    let plan = canary(BESIDE, &steps, 40.0);
    assert!(seen(&plan, 1, 0) > 0.015, "{:?}", tests(&plan.steps[1].metrics[0]));
    assert_eq!(kinds(&plan), []);
}

#[test]
fn time_that_is_too_short_to_pass_matters_where_something_waits_for_it() {
    let steps = ["{setWeight: 20}", "{pause: {duration: 35s}}"];
    let strategy = format!("{{canary: {{{BESIDE} steps: [{}]}}}}", steps.join(", "));
    assert_eq!(kinds(&planned("", &strategy, 100.0)), [], "time alone ends the pause");
    let waits = planned(", annotations: {serin.dev/advance: evidence}", &strategy, 100.0);
    assert_eq!(kinds(&waits), [(2, "errors", Kind::CannotPass)]);
    assert!(waits.warnings[0].message.contains("undecided (hold)"), "{}", waits.warnings[0].message);
    let short = ["{setWeight: 20}", "{pause: {duration: 60s}}"];
    let few = canary(BESIDE, &short, 4.0);
    assert_eq!(kinds(&few), [(2, "errors", Kind::ToleranceOutOfReach)], "{few:#?}");
}

#[test]
fn copies_of_stables_requests_are_pairs() {
    let mirror = "{setMirrorRoute: {name: m, percentage: 50, match: [{method: {exact: GET}}]}}";
    let routing = "canaryService: c, stableService: s, trafficRouting: {managedRoutes: [{name: m}], istio: {virtualService: {name: v}}},";
    let service = "apiVersion: v1\nkind: Service\nspec: {ports: [{port: 80}], selector: {app: web}}\nmetadata: ";
    let strategy = format!("{{canary: {{{routing} steps: [{mirror}, {}, {{setWeight: 20}}]}}}}", inline("copies"));
    let plan = planned("", &format!("{strategy}\n---\n{service}{{name: c}}\n---\n{service}{{name: s}}\n"), 40.0);
    let step = &plan.steps[0];
    assert_eq!((step.mirrored, step.weight), (0.5, 0.0));
    let outlook = tests(&step.metrics[0]);
    assert_eq!(outlook.requests, Some(1200.0));
    let sight = &outlook.sights[0];
    assert!(sight.seen_from.is_some_and(|seen| seen > 0.015 && seen < 0.06), "{sight:?}");
}

#[test]
fn readings_of_a_share_fail_by_chance() {
    let readings = |rate: f64| -> Readings {
        let plan = canary("", &["{setWeight: 20}", "{pause: {duration: 5s}}", &inline("readings")], rate);
        match &plan.steps[1].metrics[0].judged {
            Judged::Readings(readings) => readings.clone(),
            other => panic!("{other:?}"),
        }
    };
    // The last reading of three looks back over twenty seconds of the step: 20 requests, of which one is the limit.
    let few = readings(5.0);
    assert_eq!((few.count, few.must_fail, few.limit, few.requests), (Some(3), Some(2), 0.05, 20.0));
    let shares: Vec<f64> = few.chances.iter().map(|chance| chance.share).collect();
    assert_eq!(shares, [0.1, 0.25]);
    assert!((few.chances[0].fails - (1.0 - 0.9f64.powi(20))).abs() < 1e-9, "{few:?}");
    // 100 requests: five fail. P(Bin(100, 0.1) >= 5) is 0.97629.
    assert!((readings(25.0).chances[0].fails - 0.97629).abs() < 1e-5, "{:?}", readings(25.0));
}

/// A sequence of random numbers (splitmix64).
struct Chances(u64);

impl Chances {
    fn hits(&mut self, p: f64) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64 <= p
    }

    fn arm(&mut self, answered: u64, bad: f64) -> Arm {
        let errors = (0..answered).filter(|_| self.hits(bad)).count() as u64;
        let classes = BTreeMap::from([("no".to_owned(), answered - errors), ("yes".to_owned(), errors)]);
        Arm { answered, errors, classes, ..Arm::default() }
    }
}

/// Share of simulated steps of a minute, looked at every two seconds, in which the engine fails a canary with this share of errors or of a class.
fn caught(recipe: &Recipe, canary: f64, stable: f64, per_second: (u64, u64), runs: u32) -> f64 {
    let mut chances = Chances(5);
    let mut one = || {
        let mut state = State::new(recipe, 0);
        (1..=30).any(|seq: i64| {
            let batch = Batch {
                seq: seq as u64,
                start_ms: 2_000 * (seq - 1),
                end_ms: 2_000 * seq,
                canary: chances.arm(2 * per_second.0, canary),
                stable: chances.arm(2 * per_second.1, stable),
                ..Batch::default()
            };
            state.step(recipe, &batch, "20/100");
            failing(&[(recipe, &state)]).is_some()
        })
    };
    f64::from((0..runs).map(|_| u32::from(one())).sum::<u32>()) / f64::from(runs)
}

#[test]
fn what_is_promised_is_seen_as_often_by_the_engine_itself() {
    let cells = [
        (COMPARE, serde_json::json!({"within": "60s"}), 40.0, 1.0),
        (COMPARE, serde_json::json!({"within": "60s"}), 5.0, 3.0),
        (DRIFT, serde_json::json!({"within": "60s", "classes": ["yes"]}), 40.0, 1.0),
    ];
    for (name, settings, rate, weights) in cells {
        let mut sequential = read(name, &settings).unwrap();
        let share = 1.0 / weights;
        let moments = vec![super::timeline::Moment {
            number: 1,
            path: String::new(),
            text: String::new(),
            weight: 0.2,
            mirrored: 0.0,
            least_s: Some(60.0),
            most_s: Some(60.0),
            runs: Vec::new(),
        }];
        let assumed = Assumed { rate, stable_errors: 0.005, power: 0.8 };
        let scene = super::timeline::Scene::of(&moments, 0, false, &assumed);
        let stakes = super::sequential::Stakes { alpha: 0.01, share };
        let outlook = super::sequential::outlook(&sequential, stakes, &scene, Some(60.0), &assumed);
        let sight = &outlook.sights[0];
        let seen = sight.seen_from.unwrap();
        sequential.recipe.budget.share = share;
        let per_second = ((0.2 * rate) as u64, (0.8 * rate) as u64);
        let share = |canary: f64| caught(&sequential.recipe, canary, sight.stable, per_second, 150);
        let (at, halfway) = (share(seen), share(0.5 * (sight.tolerated + seen)));
        assert!((0.68..0.94).contains(&at), "{name} at {rate}: {at} of those at {seen}");
        assert!(halfway < 0.6, "{name} at {rate}: {halfway} halfway to {seen}");
    }
}
