//! Table: restarts of members (section 1.4) and what members carry by their role (section 1.9).

use serin_core::rollout::Amount;
use serin_core::{Action, Metadata, RoleMetadata};

use crate::oracle::{judged_pass, judged_settle};
use crate::setting::{deployed, services, template, updating};
use crate::stage::Stage;

fn replaced(stage: &mut Stage) -> usize {
    judged_pass(stage).actions.iter().filter(|a| matches!(a, Action::EvictMember { .. })).count()
}

//= compat: 1.4-4, 1.4-9
#[test]
fn max_unavailable_is_for_restarts() {
    let check = |amount: Amount, want: usize| {
        let mut stage = deployed(|own| own.max_unavailable = amount);
        stage.members_come = false;
        stage.restart();
        assert_eq!(replaced(&mut stage), want, "{amount:?}");
    };
    check(Amount::default(), 1);
    check(Amount::Count(2), 2);
    check(Amount::Percent(67), 2);
    check(Amount::Percent(100), 3);
}

/// The pass goes on after a restart: an update moves meanwhile.
//= compat: 1.4-8, 2.2-11
#[test]
fn an_update_goes_on_while_members_are_replaced() {
    let mut stage = deployed(|_| {});
    template(&mut stage, "v2");
    judged_pass(&mut stage);
    judged_pass(&mut stage);
    stage.restart();
    stage.members_come = false;
    stage.all_available();
    let decision = judged_pass(&mut stage);
    let evicts = decision.actions.iter().filter(|a| matches!(a, Action::EvictMember { .. })).count();
    assert!(evicts > 0 && decision.actions.len() > evicts, "{:?}", decision.actions);
    stage.members_come = true;
    stage.wait(120);
    assert_eq!((stage.state().as_str(), services(&stage).as_str()), ("Healthy", "v2/v2"));
    assert_eq!(stage.world.status.restarted_at, stage.world.rollout.restart_at);
}

//= compat: 1.9-1, 1.9-6
#[test]
fn preview_and_active_members_carry_their_role() {
    let role = |value: &str| Metadata { labels: [("role".to_owned(), value.to_owned())].into(), ..Metadata::default() };
    let carried = |stage: &Stage| {
        let pools = stage.world.pools.iter().filter(|p| !p.metadata.is_empty());
        pools.map(|p| format!("{} {}", p.hash, p.metadata.labels["role"])).collect::<Vec<_>>().join(", ")
    };
    let mut stage = updating(|own| own.auto_promotion = false);
    stage.world.rollout.metadata = RoleMetadata { new: role("preview"), stable: role("active") };
    judged_settle(&mut stage, 20);
    assert_eq!(carried(&stage), "v1 active, v2 preview");
    stage.promote();
    stage.wait(60);
    assert_eq!(carried(&stage), "v2 active");
}
