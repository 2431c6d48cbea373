//! Mistakes that decisions once made, each with the world that showed it.

use serin_core::intent;

use crate::oracle::{judged_pass, judged_settle};
use crate::stage::{PAUSE, Stage, as_is, basic, rollout, weight};

/// The abort of a full promotion had no effect on sizes: the bad version went on to grow.
#[test]
fn an_abort_after_a_full_promotion_wins() {
    let mut stage = Stage::updating(rollout(&[weight(25), PAUSE], basic(1, 0)));
    stage.members_come = false;
    intent::promote_full(&stage.world.rollout, &mut stage.world.status);
    judged_settle(&mut stage, 20);
    intent::abort(&mut stage.world.status);
    stage.members_come = true;
    judged_settle(&mut stage, 40);
    assert_eq!((stage.sizes().as_str(), stage.world.status.promote_full), ("v1 4", false));
    intent::retry(&mut stage.world.status);
    judged_settle(&mut stage, 40);
    assert_eq!(stage.state(), "Paused step 1: CanaryPauseStep", "a retry begins with the first step");
}
