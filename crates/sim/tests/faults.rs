//! The adapter between decisions and world, with faults: what was lost is asked for again, what was killed goes on.

use serin_core::rollout::{Canary, Rollout, Step, Strategy, Traffic};
use serin_core::{Hash, RoleMetadata, Span, Time};
use serin_sim::control::{Fate, PassFault};
use serin_sim::drive::Sim;
use serin_sim::world::{Cluster, Happening, Version};

const START: Time = Time::from_secs(1_000_000);

fn rollout(hash: &str, generation: i64) -> Rollout {
    Rollout {
        name: "svc".to_owned(),
        generation,
        replicas: 2,
        hash: Hash::new(hash),
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
        strategy: Strategy::Canary(Canary {
            steps: vec![Step::SetWeight(20), Step::Pause(Some(Span::from_secs(60))), Step::SetWeight(50)],
            traffic: Some(Traffic { weight_total: 100 }),
            canary_service: Some("canary".to_owned()),
            stable_service: Some("stable".to_owned()),
            scale_down_delay: Span::from_secs(30),
            ..Canary::default()
        }),
    }
}

/// A world in which v1 is deployed.
fn deployed() -> Sim {
    let mut cluster = Cluster::new(rollout("v1", 1), START, 1);
    for name in ["v1", "v2"] {
        cluster.versions.insert(Hash::new(name), Version::steady(Some(Span::from_secs(5))));
    }
    let mut sim = Sim::new(cluster);
    play(&mut sim, 60);
    assert_eq!(sim.cluster.truth.status.stable, Some(Hash::new("v1")));
    sim
}

fn play(sim: &mut Sim, seconds: i64) -> Vec<Happening> {
    let end = sim.cluster.now + Span::from_secs(seconds);
    let mut all = Vec::new();
    while let Some(happened) = sim.step(end, &mut |_, _, _| {}).unwrap() {
        all.extend(happened);
    }
    all
}

fn deploy_v2(sim: &mut Sim) {
    sim.cluster.truth.rollout = rollout("v2", 2);
    sim.touch();
}

/// Where v2 got to: stable version, weight, sizes.
fn outcome(sim: &Sim) -> (Option<Hash>, Option<u32>, String) {
    let truth = &sim.cluster.truth;
    (truth.status.stable.clone(), truth.split.as_ref().map(|s| s.weight), sim.cluster.sizes())
}

#[test]
fn any_one_fault_leaves_the_outcome_as_it_is() {
    let before = deployed();
    let mut plain = before.clone();
    deploy_v2(&mut plain);
    play(&mut plain, 600);
    let wanted = outcome(&plain);
    assert_eq!(wanted, (Some(Hash::new("v2")), Some(0), "v2=2".to_owned()));
    let (actions, passes) = (plain.control.actions, plain.control.passes);
    let second = Span::from_secs(1);
    for number in before.control.actions..actions {
        for fate in [Fate::Lost, Fate::Twice, Fate::Late(second), Fate::Killed(second)] {
            let mut sim = before.clone();
            sim.control.faults.actions.insert(number, fate);
            deploy_v2(&mut sim);
            let happened = play(&mut sim, 600);
            assert!(happened.iter().any(|h| matches!(h, Happening::Fault(_))), "{fate:?} at {number} did not happen");
            assert_eq!(outcome(&sim), wanted, "{fate:?} at action {number}");
        }
    }
    for number in before.control.passes..passes {
        for fault in [PassFault::Stale(second), PassFault::Killed(second)] {
            let mut sim = before.clone();
            sim.control.faults.passes.insert(number, fault);
            deploy_v2(&mut sim);
            play(&mut sim, 600);
            assert_eq!(outcome(&sim), wanted, "{fault:?} at pass {number}");
        }
    }
}

#[test]
fn a_killed_process_does_nothing_until_another_begins() {
    let mut sim = deployed();
    sim.control.faults.actions.insert(sim.control.actions, Fate::Killed(Span::from_secs(20)));
    deploy_v2(&mut sim);
    let killed_at = sim.cluster.now;
    play(&mut sim, 19);
    assert!(sim.cluster.truth.pool(&Hash::new("v2")).is_none());
    let happened = play(&mut sim, 2);
    assert!(happened.contains(&Happening::Fault("a new control process begins".to_owned())));
    let pool = sim.cluster.truth.pool(&Hash::new("v2")).unwrap();
    assert_eq!(pool.created, killed_at + Span::from_secs(20));
}

#[test]
fn members_that_crash_come_back_and_flap() {
    let mut sim = deployed();
    let members = &mut sim.cluster.versions.get_mut(&Hash::new("v1")).unwrap().members;
    members.crash_every = Some(Span::from_secs(40));
    members.flap_every = Some(Span::from_secs(30));
    // The present members were drawn before; new ones behave so.
    sim.cluster.truth.rollout.replicas = 8;
    sim.touch();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..600 {
        play(&mut sim, 1);
        let pool = sim.cluster.truth.pool(&Hash::new("v1")).unwrap();
        assert_eq!(pool.members, 8);
        seen.insert(pool.ready);
    }
    assert!(seen.len() > 2 && seen.contains(&8), "{seen:?}");
}
