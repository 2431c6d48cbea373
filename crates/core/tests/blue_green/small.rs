//! Every small world: sizes, available members, services, results and wishes in all combinations, also those that no history
//! leads to (members die, people edit objects, other tools leave half-done updates behind).

use serin_core::analysis::RunPhase;
use serin_core::{Hash, intent};

use crate::oracle::judged_settle;
use crate::setting::{deployed, replicas, services, template, updating};
use crate::stage::Stage;
use crate::walk::finish;

/// What a person or a decision asked for.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Nothing,
    Abort,
    PromoteFull,
    Paused,
    BackToStable,
    NoReplicas,
    Third,
}

const WISHES: [Wish; 7] =
    [Wish::Nothing, Wish::Abort, Wish::PromoteFull, Wish::Paused, Wish::BackToStable, Wish::NoReplicas, Wish::Third];

fn wish(stage: &mut Stage, wish: Wish) {
    match wish {
        Wish::Nothing => {}
        Wish::Abort => intent::abort(&mut stage.world.status),
        Wish::PromoteFull => stage.promote_full(),
        Wish::Paused => stage.world.rollout.paused = true,
        Wish::BackToStable => template(stage, "v1"),
        Wish::NoReplicas => replicas(stage, 0),
        Wish::Third => template(stage, "v3"),
    }
}

/// Wanted and available members of a pool of a rollout with two.
const POOLS: [(u32, u32); 5] = [(0, 0), (1, 1), (2, 0), (2, 1), (2, 2)];

/// The settings: no preview size, person, pre- and post-promotion analysis.
fn made(flags: usize) -> Stage {
    let mut stage = deployed(|own| {
        own.auto_promotion = flags & 1 == 0;
        own.pre_promotion = flags & 2 != 0;
        own.post_promotion = flags & 4 != 0;
        own.preview_replicas = (flags & 8 != 0).then_some(1);
    });
    replicas(&mut stage, 2);
    stage.settle();
    template(&mut stage, "v2");
    stage.settle();
    for run in &mut stage.world.runs {
        run.phase = RunPhase::Successful;
    }
    stage
}

fn middle(made: &Stage, new: (u32, u32), stable: (u32, u32), active: Option<&str>, checkpoint: bool) -> Stage {
    let mut stage = made.clone();
    for (hash, (size, available)) in [("v2", new), ("v1", stable)] {
        let pool = stage.pool(hash);
        (pool.size, pool.members, pool.ready, pool.available) = (size, size, available, available);
        pool.scale_down_at = None;
    }
    let status = &mut stage.world.status;
    status.clear_pauses();
    status.stable = Some(Hash::new("v1"));
    status.blue_green.checkpoint = checkpoint;
    stage.world.services[0].selects = active.map(Hash::new);
    stage
}

#[test]
fn every_small_world_is_left() {
    let mut worlds = 0;
    for flags in 0..16 {
        let made = made(flags);
        for (new, stable) in POOLS.into_iter().flat_map(|new| POOLS.map(|stable| (new, stable))) {
            for (active, checkpoint) in [None, Some("v1"), Some("v2")].into_iter().flat_map(|a| [(a, false), (a, true)])
            {
                for asked in WISHES {
                    let mut stage = middle(&made, new, stable, active, checkpoint);
                    wish(&mut stage, asked);
                    stage.members_come = false;
                    judged_settle(&mut stage, 60);
                    finish(&mut stage);
                    worlds += 1;
                }
            }
        }
    }
    assert_eq!(worlds, 16 * 25 * 6 * 7);
}

/// A version that had the users kept its last member when no replicas were wanted any more, and the rollout was stuck.
#[test]
fn no_replicas_means_no_members_of_the_active_version_either() {
    let mut stage = updating(|own| own.post_promotion = true);
    replicas(&mut stage, 0);
    stage.wait(100);
    assert_eq!((stage.sizes().as_str(), services(&stage).as_str()), ("", "v2/v2"));
    intent::abort(&mut stage.world.status);
    stage.wait(100);
    assert_eq!(services(&stage), "v1/v2", "and an abort still brings the service back");
}
