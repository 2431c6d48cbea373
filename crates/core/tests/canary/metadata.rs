//! Table: labels and annotations that follow the role of a version (section 1.9).

use serin_core::rollout::{Canary, Rollout};
use serin_core::{Action, Metadata, RoleMetadata, intent};

use crate::oracle::judged_settle;
use crate::stage::{PAUSE, Stage, as_is, rollout, weight};

fn role(value: &str) -> Metadata {
    let labels = [("role".to_owned(), value.to_owned())].into();
    Metadata { labels, ..Metadata::default() }
}

fn roles(rollout: &mut Rollout, _: &mut Canary) {
    rollout.metadata = RoleMetadata { new: role("canary"), stable: role("stable") };
}

/// `v1 stable, v2 canary`: pools that carry anything, and what.
fn carried(stage: &Stage) -> String {
    let pools = stage.world.pools.iter().filter(|p| !p.metadata.is_empty());
    pools.map(|p| format!("{} {}", p.hash, p.metadata.labels["role"])).collect::<Vec<_>>().join(", ")
}

//= compat: 1.9-1, 1.9-2
#[test]
fn members_carry_what_their_role_says() {
    let mut stage = Stage::deployed(rollout(&[weight(50), PAUSE], roles));
    assert_eq!(carried(&stage), "v1 stable");
    stage.template("v2");
    stage.settle();
    assert_eq!(carried(&stage), "v1 stable, v2 canary");
    stage.template("v3");
    stage.settle();
    assert_eq!(carried(&stage), "v1 stable, v3 canary", "the second version is no canary any more");
    stage.promote();
    stage.wait(60);
    assert_eq!(carried(&stage), "v3 stable");
}

//= compat: 1.9-1
#[test]
fn an_abort_changes_no_role_and_going_back_ends_one() {
    let mut stage = Stage::updating(rollout(&[weight(50), PAUSE], roles));
    intent::abort(&mut stage.world.status);
    stage.wait(60);
    assert_eq!(carried(&stage), "v1 stable, v2 canary");
    stage.template("v1");
    stage.wait(60);
    assert_eq!(carried(&stage), "v1 stable");
}

/// No member is ever seen without: the pool is marked before it is scaled.
//= compat: 1.9-6
#[test]
fn a_pool_is_made_with_its_metadata() {
    let mut stage = Stage::new(rollout(&[weight(50), PAUSE], roles));
    let first = stage.pass();
    let made = |actions: &[Action]| actions.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    assert_eq!(made(&first.actions), "create pool v1 (revision 1); pool v1 carries role=stable");
    stage.wait(60);
    stage.template("v2");
    let second = stage.pass();
    assert_eq!(made(&second.actions), "create pool v2 (revision 2); pool v2 carries role=canary");
}

/// The original leaves on members what it put there when the fields leave the spec.
//= compat: 1.9-7, 10.33, 10.34
#[test]
fn fields_that_leave_the_spec_leave_the_members() {
    let mut stage = Stage::updating(rollout(&[weight(50), PAUSE], roles));
    stage.edit(|rollout, _| rollout.metadata.new = role("changed"));
    judged_settle(&mut stage, 20);
    assert_eq!(carried(&stage), "v1 stable, v2 changed", "members are not restarted for it");
    stage.edit(|rollout, _| rollout.metadata = RoleMetadata::default());
    judged_settle(&mut stage, 20);
    assert_eq!((carried(&stage).as_str(), stage.sizes().as_str()), ("", "v1 4, v2 2"));
}

#[test]
fn without_the_fields_nothing_is_put_on() {
    let mut stage = Stage::updating(rollout(&[weight(50), PAUSE], as_is));
    stage.promote();
    for _ in 0..20 {
        let decision = stage.pass();
        assert!(!decision.actions.iter().any(|a| matches!(a, Action::SetMetadata { .. })));
    }
}
