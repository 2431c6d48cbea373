//! How long rollouts take: from the moment at which one is no longer complete to its completion or abort, and how much of that
//! somebody was waited for. Read from statuses, so it outlives the process; only pauses before it began are not known.

use std::collections::BTreeMap;
use std::time::Duration;

use serin_core::decision::Event;
use serin_core::{Span, Time};
use serin_spec::timestamp;
use serin_spec::wire::Rollout;

use super::Histogram;
use crate::store::Name;

/// Upper bounds of the buckets, seconds.
//= compat: 9.3-1
const WHOLE: [f64; 11] = [30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0];
const PROGRESSION: [f64; 8] = [30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0];
const PAUSE: [f64; 9] = [0.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0];

/// Durations of rollouts that ended alike.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    /// From begin to end.
    pub(crate) whole: Histogram<11>,
    /// Without the time that somebody was waited for.
    pub(crate) progression: Histogram<8>,
    /// That time.
    pub(crate) pause: Histogram<9>,
}

/// What is known of rollouts on their way, and of those that ended.
#[derive(Debug, Default)]
pub(crate) struct Courses {
    waits: BTreeMap<Name, Waits>,
    /// By how they ended.
    pub(crate) ended: BTreeMap<&'static str, Course>,
}

/// Waits for somebody since a rollout began.
#[derive(Debug)]
struct Waits {
    over: Span,
    since: Option<Time>,
}

impl Default for Waits {
    fn default() -> Self {
        Self { over: Span::from_millis(0), since: None }
    }
}

impl Courses {
    /// A decision was made about a rollout that was read with this status.
    pub(super) fn decided(&mut self, name: Name, rollout: &Rollout, events: &[Event], now: Time) {
        let waits = self.waits.entry(name.clone()).or_default();
        match (waits.since, manual_pause(rollout)) {
            (None, Some(since)) => waits.since = Some(since),
            (Some(since), None) => {
                waits.over = Span::from_millis(waits.over.as_millis() + now.since(since).as_millis());
                waits.since = None;
            }
            _ => {}
        }
        let told = |reason: &str| events.iter().any(|event| event.reason == reason);
        if told("RolloutUpdated") {
            self.waits.remove(&name);
            return;
        }
        let status = match (told("RolloutCompleted"), told("RolloutAborted")) {
            (true, _) => "Completed",
            (false, true) => "Aborted",
            (false, false) => return,
        };
        let waits = self.waits.remove(&name).unwrap_or_default();
        let Some(begun) = begun(rollout) else { return };
        let whole = seconds(now.since(begun)).max(0.0);
        let waiting = waits.since.map_or(0.0, |since| seconds(now.since(since)));
        let paused = (seconds(waits.over) + waiting).min(whole);
        let course = self.ended.entry(status).or_insert_with(|| Course {
            whole: Histogram::new(WHOLE),
            progression: Histogram::new(PROGRESSION),
            pause: Histogram::new(PAUSE),
        });
        course.whole.observe(whole);
        course.progression.observe(whole - paused);
        course.pause.observe(paused);
    }

    /// The rollout has gone.
    pub(super) fn forget(&mut self, name: &Name) {
        self.waits.remove(name);
    }
}

fn seconds(span: Span) -> f64 {
    Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(0)).as_secs_f64()
}

/// Since when it is not complete.
fn begun(rollout: &Rollout) -> Option<Time> {
    let conditions = &rollout.status.as_ref()?.conditions;
    let open = conditions.iter().find(|condition| condition.kind == "Completed" && condition.status == "False")?;
    timestamp::parse_optional(open.last_transition_time.as_deref())
}

/// Since when it waits for somebody: a pause that no time ends.
fn manual_pause(rollout: &Rollout) -> Option<Time> {
    let status = rollout.status.as_ref()?;
    let pause = status.pause_conditions.first()?;
    let strategy = &rollout.spec.strategy;
    let timed = match (&strategy.canary, &strategy.blue_green) {
        (Some(canary), _) if pause.reason == "CanaryPauseStep" => {
            let index = usize::try_from(status.current_step_index.unwrap_or(0)).ok()?;
            let step = canary.steps.get(index)?;
            step.pause.as_ref().is_some_and(|pause| pause.duration.is_some())
        }
        (_, Some(blue_green)) if pause.reason == "BlueGreenPause" => {
            blue_green.auto_promotion_seconds.is_some_and(|seconds| seconds > 0)
        }
        _ => false,
    };
    (!timed).then(|| timestamp::parse(&pause.start_time)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rollout(begun_s: i64, step: u32, pause_s: Option<i64>) -> Rollout {
        let at = |seconds| timestamp::format(Time::from_secs(seconds));
        let pauses: Vec<Value> =
            pause_s.iter().map(|since| json!({ "reason": "CanaryPauseStep", "startTime": at(*since) })).collect();
        let rollout = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
            "metadata": { "name": "r", "namespace": "n" },
            "spec": { "strategy": { "canary": { "steps": [{ "pause": {} }, { "pause": { "duration": "1m" } }] } } },
            "status": {
                "currentStepIndex": step,
                "pauseConditions": pauses,
                "conditions": [{
                    "type": "Completed", "status": "False", "lastTransitionTime": at(begun_s),
                    "reason": "RolloutCompleted", "message": "",
                }],
            },
        });
        serde_json::from_value(rollout).unwrap()
    }

    fn told(reason: &'static str) -> [Event; 1] {
        [Event { reason, message: String::new(), warning: false }]
    }

    fn ended(courses: &Courses, status: &str) -> (f64, f64, f64) {
        let course = &courses.ended[status];
        (course.whole.sum, course.progression.sum, course.pause.sum)
    }

    #[test]
    fn waits_for_a_person_are_told_apart() {
        let (mut courses, name) = (Courses::default(), Name::new("n", "r"));
        let mut at = |seconds, rollout, events: &[Event]| {
            courses.decided(name.clone(), &rollout, events, Time::from_secs(seconds));
        };
        at(110, rollout(100, 0, Some(110)), &[]);
        at(140, rollout(100, 0, Some(110)), &[]);
        // The plugin took the pause off; then one that ends by itself.
        at(150, rollout(100, 1, None), &told("RolloutResumed"));
        at(160, rollout(100, 1, Some(150)), &[]);
        at(230, rollout(100, 1, None), &told("RolloutCompleted"));
        assert_eq!(ended(&courses, "Completed"), (130.0, 90.0, 40.0));
        assert_eq!(courses.ended["Completed"].pause.buckets[..2], [0, 1]);
    }

    #[test]
    fn one_that_is_aborted_while_it_waits_counts_apart() {
        let (mut courses, name) = (Courses::default(), Name::new("n", "r"));
        courses.decided(name.clone(), &rollout(100, 0, Some(110)), &told("RolloutAborted"), Time::from_secs(130));
        assert_eq!(ended(&courses, "Aborted"), (30.0, 10.0, 20.0));
        // What is complete already is not completed again.
        let mut complete = rollout(100, 0, None);
        complete.status.as_mut().unwrap().conditions.clear();
        courses.decided(name, &complete, &told("RolloutCompleted"), Time::from_secs(140));
        assert_eq!(courses.ended.len(), 1);
    }
}
