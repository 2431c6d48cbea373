//! Every small world: sizes, available members, steps, weights and wishes in all combinations, also those that no history
//! leads to (members die, people edit objects, other tools leave half-done updates behind).

use serin_core::rollout::{Canary, CanaryScale, Rollout};
use serin_core::status::Weights;
use serin_core::{Hash, Split, Step, intent};

use crate::oracle::judged_settle;
use crate::stage::{PAUSE, Stage, pause, rollout, weight, without_router};
use crate::walk::finish;

/// What a person or a decision asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Wish {
    Nothing,
    Abort,
    PromoteFull,
    Paused,
    BackToStable,
}

const WISHES: [Wish; 5] = [Wish::Nothing, Wish::Abort, Wish::PromoteFull, Wish::Paused, Wish::BackToStable];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Router {
    None,
    Fixed,
    Dynamic,
}

fn step_lists() -> Vec<Vec<Step>> {
    let scale = |n| Step::SetCanaryScale(CanaryScale::Replicas(n));
    vec![
        vec![],
        vec![weight(30), PAUSE],
        vec![weight(50), pause(10), weight(100)],
        vec![weight(75), Step::Analysis, weight(25)],
        vec![scale(2), weight(50), PAUSE],
        vec![weight(50), scale(0), PAUSE],
    ]
}

/// Wanted and available members of a pool: none, some, all.
fn pools(replicas: u32) -> Vec<(u32, u32)> {
    let sizes = (0..=replicas).flat_map(|size| (0..=size).map(move |available| (size, available)));
    sizes.filter(|(size, available)| *available == 0 || *available == *size || *available == 1).collect()
}

/// A world in the middle of an update from `v1` to `v2`, made by hand.
fn middle(made: &Stage, index: usize, new: (u32, u32), stable: (u32, u32), carried: u32, wish: Wish) -> Stage {
    let mut stage = made.clone();
    for (hash, (size, available)) in [("v2", new), ("v1", stable)] {
        let pool = stage.pool(hash);
        (pool.size, pool.members, pool.ready, pool.available) = (size, size, available, available);
        pool.scale_down_at = None;
    }
    let status = &mut stage.world.status;
    status.step_index = status.step_index.map(|_| index);
    status.clear_pauses();
    status.step_run = None;
    stage.world.runs.clear();
    if stage.world.rollout.canary().unwrap().traffic.is_some() {
        let (v1, v2) = (Hash::new("v1"), Hash::new("v2"));
        let (canary_hash, stable_hash) = (v2.clone(), v1.clone());
        status.weights = Some(Weights {
            canary: carried,
            canary_hash,
            stable: 100 - carried,
            stable_hash,
            additional: Vec::new(),
            verified: true,
        });
        let header_routes = Vec::new();
        stage.world.split = Some(Split { canary: v2, weight: carried, header_routes, ..Split::all_to(v1, 100) });
    }
    match wish {
        Wish::Nothing => {}
        Wish::Abort => intent::abort(&mut stage.world.status),
        Wish::PromoteFull => stage.promote_full(),
        Wish::Paused => stage.edit(|rollout, _| rollout.paused = true),
        Wish::BackToStable => stage.template("v1"),
    }
    (stage.members_come, stage.router_obeys) = (false, true);
    stage
}

fn made(replicas: u32, router: Router, steps: &[Step]) -> Stage {
    let steps: Vec<Step> = match router {
        Router::None => steps.iter().filter(|s| !matches!(s, Step::SetCanaryScale(_))).cloned().collect(),
        _ => steps.to_vec(),
    };
    let mut stage = Stage::deployed(rollout(&steps, |rollout: &mut Rollout, canary: &mut Canary| {
        rollout.replicas = replicas;
        match router {
            Router::None => without_router(canary),
            Router::Fixed => {}
            Router::Dynamic => canary.dynamic_stable_scale = true,
        }
    }));
    stage.template("v2");
    (0..3).for_each(|_| drop(stage.pass()));
    stage
}

/// Every world is decided until nothing changes, each decision judged; every seventh is played to its end.
#[test]
fn in_every_small_world_traffic_is_carried_and_a_way_out_remains() {
    let mut worlds = 0_u32;
    for (replicas, router) in (1..=4).flat_map(|n| [Router::None, Router::Fixed, Router::Dynamic].map(|r| (n, r))) {
        for steps in step_lists() {
            let made = made(replicas, router, &steps);
            let carried: &[u32] = if router == Router::None { &[0] } else { &[0, 50, 100] };
            let indices = 0..=made.world.rollout.canary().unwrap().steps.len();
            for (index, carried) in indices.flat_map(|i| carried.iter().map(move |c| (i, *c))) {
                for (new, stable) in
                    pools(replicas).into_iter().flat_map(|n| pools(replicas).into_iter().map(move |s| (n, s)))
                {
                    let wish = WISHES[worlds as usize % WISHES.len()];
                    worlds += 1;
                    let mut stage = middle(&made, index, new, stable, carried, wish);
                    judged_settle(&mut stage, 30);
                    if worlds.is_multiple_of(7) {
                        finish(&mut stage);
                    }
                }
            }
        }
    }
    assert!(worlds > 10_000, "only {worlds} worlds");
}
