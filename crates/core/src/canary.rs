//! The canary strategy: one pass from a snapshot to the next targets. The files beside this one hold one concern each;
//! this one holds their order.
//!
//! The order of a pass, each part seeing what the parts before it decided:
//! 1. the pool of the current template exists ([`crate::revision`]);
//! 2. a changed template or step list starts over ([`restart`]);
//! 3. members older than `restartAt` are replaced ([`crate::restarting`]), labels and annotations follow the roles
//!    ([`crate::metadata`]), services and traffic ([`pingpong`], [`traffic`]);
//! 4. experiments and analysis runs, and what their results mean ([`experiment`], [`runs`]);
//! 5. sizes of the pools ([`scale`]);
//! 6. promotion ([`promote`]), else the current step ([`advance`], [`plugins`]);
//! 7. conditions, phase, reasons ([`outcome`]).

pub mod advance;
pub mod experiment;
pub mod outcome;
pub mod pingpong;
pub mod plugins;
pub mod promote;
pub mod restart;
pub mod runs;
pub mod scale;
pub mod sizing;
pub mod traffic;

use crate::abort;
use crate::decision::Decision;
use crate::metadata;
use crate::restarting;
use crate::revision;
use crate::rollout::Canary;
use crate::time::Time;
use crate::workload;
use crate::world::World;

/// A pass of this strategy.
pub type Pass<'a> = crate::pass::Pass<'a, Canary>;

/// One pass.
pub fn decide(world: &World, canary: &Canary, now: Time) -> Decision {
    let mut pass = Pass::new(world, canary, now);
    reconcile(&mut pass);
    workload::reconcile(&mut pass);
    outcome::conclude(&mut pass);
    pass.into_decision()
}

//= compat: 1.4-8, 2.2-9
fn reconcile(pass: &mut Pass) {
    plugins::forget(pass);
    if pass.sync_new_pool() {
        return;
    }
    if restart::changed(pass) {
        return restart::start_over(pass);
    }
    abort::drop_when_promoted(pass);
    abort::outweighs_promotion(pass);
    if abort::retried(pass) {
        forget_verdicts(pass);
    }
    restart::skip_within_window(pass);
    if crate::scale::resized(pass) {
        return scale::resize(pass);
    }
    if restarting::reconcile(pass) {
        return;
    }
    metadata::reconcile(pass);
    traffic::services(pass);
    traffic::split(pass);
    experiment::reconcile(pass);
    runs::reconcile(pass);
    scale::reconcile(pass);
    // First, so that what follows the last step is decided for the sizes and the traffic after it.
    promote::promote(pass);
    plugins::reconcile(pass);
    advance::step(pass);
    pass.actions.extend(revision::expired_pools(pass.world));
}

/// A retry judges the version anew, also where no pass came between the abort and it that would have ended the runs.
//= compat: 2.7-10, 4.3-5
fn forget_verdicts(pass: &mut Pass) {
    let status = &mut pass.status;
    (status.step_run, status.background_run, status.current_experiment) = (None, None, None);
}
