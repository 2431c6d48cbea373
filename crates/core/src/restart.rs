//! Forgetting the progress of a former template, whatever the strategy (section 2.4 of the reference).

use crate::canary::plugins;
use crate::pass::Pass;
use crate::restarting;
use crate::status::BlueGreenStatus;

/// Forgets pauses, an abort, runs and the progress of the former template: the status speaks of the current one from now on.
//= compat: 2.4-2
pub fn forget_progress<S>(pass: &mut Pass<S>) {
    restarting::superseded(pass);
    let (rollout, now) = (pass.rollout(), pass.now);
    let status = &mut pass.status;
    plugins::start_over(status, now);
    status.clear_pauses();
    status.clear_abort();
    status.promote_full = false;
    status.step_run = None;
    status.background_run = None;
    status.current_experiment = None;
    status.step_index = rollout.first_step();
    let BlueGreenStatus { active, preview, .. } = std::mem::take(&mut status.blue_green);
    status.blue_green = BlueGreenStatus { active, preview, ..BlueGreenStatus::default() };
    status.current_hash = Some(rollout.hash.clone());
    // A strategy without steps has no hash of them: what is written is what is read back.
    status.current_steps_hash = Some(rollout.steps_hash.clone()).filter(|hash| !hash.is_empty());
}
