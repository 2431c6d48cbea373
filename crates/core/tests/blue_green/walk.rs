//! Random walks: people, members, services and runs do anything at any moment, and what must hold is asked of every decision.

use proptest::prelude::*;
use serin_core::analysis::RunPhase;
use serin_core::rollout::Rollout;
use serin_core::{Span, Time, intent};

use crate::oracle::{judge_rest, judged_pass, judged_settle};
use crate::setting::{self, replicas, template};
use crate::stage::Stage;

/// Something that happens to a rollout.
#[derive(Debug, Clone)]
enum Happening {
    Nothing,
    MembersUp,
    /// A pool has so many available members, as far as it has members.
    Available(usize, u32),
    ServicesCatchUp,
    ServicesObey(bool),
    Seconds(i64),
    /// Time passes up to the moment a decision asked for.
    Wake,
    RunEnds(RunPhase),
    Abort,
    Retry,
    Promote,
    PromoteFull,
    Pause,
    Restart,
    /// Another template, one of four.
    Template(usize),
    Replicas(u32),
}

const TEMPLATES: [&str; 4] = ["v1", "v2", "v3", "v4"];

fn happening() -> impl Strategy<Value = Happening> {
    let phase = prop_oneof![
        4 => Just(RunPhase::Successful),
        1 => Just(RunPhase::Failed),
        1 => Just(RunPhase::Error),
        1 => Just(RunPhase::Inconclusive),
    ];
    prop_oneof![
        3 => Just(Happening::Nothing),
        4 => Just(Happening::MembersUp),
        4 => (0usize..4, 0u32..7).prop_map(|(pool, n)| Happening::Available(pool, n)),
        3 => Just(Happening::ServicesCatchUp),
        1 => any::<bool>().prop_map(Happening::ServicesObey),
        1 => (1i64..700).prop_map(Happening::Seconds),
        4 => Just(Happening::Wake),
        3 => phase.prop_map(Happening::RunEnds),
        1 => Just(Happening::Abort),
        2 => Just(Happening::Retry),
        3 => Just(Happening::Promote),
        1 => Just(Happening::PromoteFull),
        1 => Just(Happening::Pause),
        1 => Just(Happening::Restart),
        2 => (0usize..4).prop_map(Happening::Template),
        1 => (0u32..7).prop_map(Happening::Replicas),
    ]
}

fn made() -> impl Strategy<Value = Rollout> {
    let counts = (0u32..6, proptest::option::weighted(0.4, 1u32..4), proptest::option::weighted(0.3, 0u32..3));
    let spans = (
        prop_oneof![Just(0i64), 1i64..40],
        proptest::option::weighted(0.5, 0i64..40),
        proptest::option::weighted(0.5, 0i64..40),
    );
    let window = proptest::option::weighted(0.2, 1u32..3);
    (counts, spans, window, any::<[bool; 5]>()).prop_map(|(counts, spans, window, flags)| {
        let [auto, pre, post, preview, deadline_aborts] = flags;
        let mut rollout = setting::rollout(|own| {
            own.auto_promotion = auto;
            own.auto_promotion_delay = Span::from_secs(spans.0);
            (own.pre_promotion, own.post_promotion) = (pre, post);
            own.preview_replicas = counts.1;
            own.scale_down_delay_revision_limit = counts.2;
            own.scale_down_delay = spans.1.map(Span::from_secs);
            own.abort_scale_down_delay = spans.2.map(Span::from_secs);
            own.preview_service = own.preview_service.take().filter(|_| preview);
        });
        rollout.replicas = counts.0;
        rollout.rollback_window = window;
        rollout.progress_deadline_abort = deadline_aborts;
        rollout.metadata.new.labels.insert("role".to_owned(), "preview".to_owned());
        rollout
    })
}

fn happen(stage: &mut Stage, happening: &Happening, wake: &mut Option<Time>) {
    match happening {
        Happening::Nothing => {}
        Happening::MembersUp => stage.all_available(),
        Happening::Available(index, count) => {
            if let Some(pool) = stage.world.pools.get_mut(*index) {
                let count = (*count).min(pool.members);
                (pool.ready, pool.available) = (count, count);
            }
        }
        Happening::ServicesCatchUp => stage.services_catch_up(),
        Happening::ServicesObey(obey) => stage.services_obey = *obey,
        Happening::Seconds(seconds) => stage.now = stage.now + Span::from_secs(*seconds),
        Happening::Wake => stage.now = wake.take().map_or(stage.now, |at| at.max(stage.now)),
        Happening::RunEnds(phase) => {
            if let Some(run) = stage.world.runs.iter_mut().find(|r| !r.phase.is_completed()) {
                run.phase = *phase;
            }
        }
        Happening::Abort => intent::abort(&mut stage.world.status),
        Happening::Retry => intent::retry(&mut stage.world.status),
        Happening::Promote => promote(stage),
        Happening::PromoteFull => stage.promote_full(),
        Happening::Restart => stage.restart(),
        Happening::Pause => stage.world.rollout.paused = true,
        Happening::Template(index) => template(stage, TEMPLATES[*index]),
        Happening::Replicas(count) => replicas(stage, *count),
    }
}

fn promote(stage: &mut Stage) {
    stage.promote();
    stage.world.rollout.paused = false;
}

/// With good members, obedient services, good runs and a person who promotes, every rollout gets there.
pub(crate) fn finish(stage: &mut Stage) {
    (stage.members_come, stage.services_obey) = (true, true);
    stage.services_catch_up();
    for _ in 0..120 {
        let decision = judged_settle(stage, 60);
        judge_rest(stage, &decision).unwrap_or_else(|why| panic!("{why}\n{}", stage.brief()));
        if stage.world.runs.iter().any(|r| !r.phase.is_completed()) {
            let open = stage.world.runs.iter_mut().filter(|r| !r.phase.is_completed());
            open.for_each(|r| r.phase = RunPhase::Successful);
        } else if stage.world.status.abort {
            intent::retry(&mut stage.world.status);
        } else if stage.world.rollout.paused {
            promote(stage);
        } else if let Some(at) = decision.wake_at {
            stage.now = at;
        } else if stage.phase() == "Healthy" {
            return;
        } else {
            promote(stage);
        }
    }
    panic!("does not get there: {}", stage.brief());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_users_are_served_and_a_way_out_remains(
        rollout in made(),
        happenings in proptest::collection::vec((happening(), 0usize..6), 1..60),
    ) {
        let mut stage = Stage::new(rollout);
        stage.members_come = false;
        let mut wake = None;
        for (happening, passes) in &happenings {
            happen(&mut stage, happening, &mut wake);
            for _ in 0..*passes {
                wake = judged_pass(&mut stage).wake_at;
            }
        }
        finish(&mut stage);
    }
}
