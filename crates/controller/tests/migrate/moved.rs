//! Moves of running Deployments: no moment with fewer pods than the load needs, whatever happens on the way.

use proptest::prelude::*;
use serde_json::{Value, json};
use serin_controller::migrate::plan::{Blocked, KEPT_BEHAVIOUR};
use serin_controller::migrate::{Options, Step, Strategy, migrate, plan};

use crate::world::{World, autoscaler, deployment, service};

fn words(steps: &[Step]) -> Vec<String> {
    let word = |step: &Step| match step {
        Step::Write { what, .. } => what.clone(),
        Step::Wait { until } => format!("wait: {until}"),
    };
    steps.iter().map(word).collect()
}

fn next(world: &World, options: &Options, delete: bool) -> Result<Vec<Step>, Blocked> {
    let first = world.seen.deployment.clone().unwrap_or_else(|| deployment(0));
    let migration = migrate(&first, &world.seen.others, options).unwrap();
    plan(&migration, &world.seen, options, delete)
}

#[test]
fn the_whole_way_is_told_before_it_begins() {
    let options = Options { strategy: Strategy::BlueGreen, ..Options::default() };
    let world = World::new(4, vec![service(), autoscaler(&Value::Null)]);
    assert_eq!(
        words(&next(&world, &options, true).unwrap()),
        [
            "create Service web-preview",
            "create Rollout web",
            "aim autoscaler web at the Rollout, and let it scale nothing down",
            "wait: Rollout web is healthy with 4 available pods",
            "scale Deployment web to 3",
            "wait: Deployment web has 3 pods, and the Rollout stands",
            "scale Deployment web to 2",
            "wait: Deployment web has 2 pods, and the Rollout stands",
            "scale Deployment web to 1",
            "wait: Deployment web has 1 pods, and the Rollout stands",
            "scale Deployment web to 0",
            "wait: Deployment web has 0 pods, and the Rollout stands",
            "let autoscaler web scale down again",
            "delete Deployment web",
        ]
    );
}

/// It would never get pods.
#[test]
fn a_paused_deployment_makes_no_paused_rollout() {
    let mut world = World::new(2, vec![]);
    world.seen.deployment.as_mut().unwrap().0["spec"]["paused"] = true.into();
    let step = next(&world, &Options::default(), false).unwrap()[0].clone();
    world.take(&step);
    assert_eq!(world.seen.rollout.unwrap().0["spec"]["paused"], Value::Null);
}

#[test]
fn an_update_under_way_is_not_moved() {
    let blocked = |edit: &dyn Fn(&mut Value)| {
        let mut world = World::new(4, vec![service()]);
        edit(&mut world.seen.deployment.as_mut().unwrap().0);
        next(&world, &Options::default(), false)
    };
    assert!(blocked(&|_| ()).is_ok());
    assert_eq!(blocked(&|d| d["status"]["updatedReplicas"] = 2.into()), Err(Blocked::Updating));
    assert_eq!(blocked(&|d| d["status"]["replicas"] = 5.into()), Err(Blocked::Updating));
    assert_eq!(blocked(&|d| d["metadata"]["generation"] = 4.into()), Err(Blocked::Updating));
}

#[test]
fn a_deployment_that_changed_meanwhile_is_not_taken_down() {
    let options = Options::default();
    let mut world = World::new(2, vec![]);
    for _ in 0..2 {
        let step = next(&world, &options, false).unwrap()[0].clone();
        world.take(&step);
    }
    let mut changed = deployment(2);
    changed.0["spec"]["template"]["spec"]["dnsPolicy"] = "ClusterFirst".into();
    let migration = migrate(&deployment(2), &[], &options).unwrap();
    world.seen.deployment = Some(changed.clone());
    assert!(plan(&migration, &world.seen, &options, false).is_ok(), "what a server fills in is no change");
    changed.0["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2".into();
    world.seen.deployment = Some(changed);
    assert_eq!(plan(&migration, &world.seen, &options, false), Err(Blocked::OtherTemplate));
}

#[test]
fn there_must_be_something_to_move() {
    let migration = migrate(&deployment(1), &[], &Options::default()).unwrap();
    assert_eq!(plan(&migration, &Default::default(), &Options::default(), false), Err(Blocked::Nothing));
}

fn behaviours() -> impl proptest::strategy::Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!({ "scaleUp": { "stabilizationWindowSeconds": 5 } })),
        Just(json!({ "scaleDown": { "selectPolicy": "Min", "stabilizationWindowSeconds": 60 } })),
        Just(json!({ "scaleDown": { "stabilizationWindowSeconds": 60 } })),
    ]
}

/// More steps than any move of these sizes takes.
const STEPS_MAX: usize = 600;

proptest! {
    /// Every step is planned anew from what is there; the load and the people of the cluster go on meanwhile.
    #[test]
    fn no_pod_is_lost(
        replicas in 0..30u32,
        behaviour in proptest::option::of(behaviours()),
        blue_green: bool,
        workload_ref: bool,
        delete: bool,
        grown in proptest::collection::vec((0..200usize, 1..4u32), 0..3),
        lost in proptest::collection::vec(0..200usize, 0..3),
    ) {
        let strategy = if blue_green { Strategy::BlueGreen } else { Strategy::Canary };
        let options = Options { strategy, workload_ref, service: None };
        let mut others = vec![service()];
        others.extend(behaviour.as_ref().map(autoscaler));
        let mut world = World::new(replicas, others);
        let (mut last, mut died) = (Vec::new(), 0);
        for turn in 0..STEPS_MAX {
            let steps = next(&world, &options, delete).unwrap();
            last = words(&steps);
            let Some(step) = steps.first() else { break };
            let stands = world.seen.rollout.as_ref().is_some_and(|r| r.0["spec"]["replicas"] == world.pods.1);
            let shrinks = last[0].starts_with("scale Deployment") || last[0].starts_with("delete");
            prop_assert!(stands || !shrinks, "{}: {:?}", last[0], world.log);
            world.take(step);
            // A pod that died is nobody's fault here.
            prop_assert!(world.reached() + died >= replicas, "{:?}", world.log);
            if let Some(rollout) = world.seen.rollout.as_mut() {
                // The autoscaler answers more load; a pod of the Rollout dies.
                for (_, by) in grown.iter().filter(|(at, _)| *at == turn && behaviour.is_some()) {
                    let size = rollout.0["spec"]["replicas"].as_u64().unwrap() + u64::from(*by);
                    rollout.0["spec"]["replicas"] = size.into();
                    rollout.0["metadata"]["generation"] = (rollout.generation() + 1).into();
                }
                if lost.contains(&turn) && world.pods.1 > 0 {
                    world.pods.1 -= 1;
                    died += 1;
                    rollout.0["status"]["availableReplicas"] = world.pods.1.into();
                    rollout.0["status"]["phase"] = "Progressing".into();
                }
            }
        }
        prop_assert_eq!(last, Vec::<String>::new(), "{:?}", world.log);
        match &world.seen.deployment {
            Some(left) => prop_assert_eq!(&left.0["spec"]["replicas"], &json!(0)),
            None => prop_assert!(delete && !workload_ref),
        }
        let after = world.seen.others.iter().find(|o| o.kind() == "HorizontalPodAutoscaler");
        if let (Some(before), Some(after)) = (behaviour, after) {
            prop_assert_eq!(&after.0["spec"]["scaleTargetRef"]["kind"], "Rollout");
            prop_assert_eq!(after.annotation(KEPT_BEHAVIOUR), None);
            let policy = &after.0["spec"]["behavior"]["scaleDown"]["selectPolicy"];
            prop_assert_eq!(policy, &before["scaleDown"]["selectPolicy"]);
        }
    }
}
