//! The blue-green strategy: one pass from a snapshot to the next targets. The files beside this one hold one concern each;
//! this one holds their order.
//!
//! The new version gets a pool of full size (or `previewReplicaCount` members) beside the stable one, is looked at through
//! the preview service, judged by the pre-promotion analysis, and then gets every request at once: the active service is
//! switched. A post-promotion analysis may still take that back, so the former version stays whole meanwhile.
//!
//! The order of a pass, each part seeing what the parts before it decided:
//! 1. the pool of the current template exists ([`crate::revision`]);
//! 2. a changed template starts over ([`crate::restart`]);
//! 3. members older than `restartAt` are replaced ([`crate::restarting`]), the preview service follows the new version
//!    ([`switch`]);
//! 4. sizes of the pools ([`scale`]);
//! 5. the pause before the switch, and the switch ([`switch`]);
//! 6. analysis runs and what their results mean ([`runs`]);
//! 7. promotion ([`promote`]), labels and annotations follow the roles ([`crate::metadata`]);
//! 8. conditions, phase, reasons ([`outcome`]).

pub mod outcome;
pub mod promote;
pub mod runs;
pub mod scale;
pub mod switch;

use crate::abort;
use crate::decision::Decision;
use crate::metadata;
use crate::reason::Reason;
use crate::restart;
use crate::restarting;
use crate::revision;
use crate::rollout::BlueGreen;
use crate::time::Time;
use crate::workload;
use crate::world::World;

/// A pass of this strategy.
pub type Pass<'a> = crate::pass::Pass<'a, BlueGreen>;

/// One pass.
pub fn decide(world: &World, blue_green: &BlueGreen, now: Time) -> Decision {
    let mut pass = Pass::new(world, blue_green, now);
    switch::look(&mut pass);
    reconcile(&mut pass);
    workload::reconcile(&mut pass);
    outcome::conclude(&mut pass);
    pass.into_decision()
}

//= compat: 2.2-11
fn reconcile(pass: &mut Pass) {
    if pass.sync_new_pool() {
        return;
    }
    if pass.status.current_hash.as_ref() != Some(&pass.rollout().hash) {
        return start_over(pass);
    }
    abort::drop_when_promoted(pass);
    abort::outweighs_promotion(pass);
    if abort::retried(pass) {
        forget_verdicts(pass);
    }
    if crate::scale::resized(pass) {
        return scale::resize(pass);
    }
    restarting::reconcile(pass);
    switch::preview(pass);
    scale::reconcile(pass);
    switch::pause(pass);
    switch::active(pass);
    runs::reconcile(pass);
    promote::promote(pass);
    metadata::reconcile(pass);
    pass.actions.extend(revision::expired_pools(pass.world));
}

/// The template changed: nothing of the former one's progress counts.
//= compat: 2.4-1, 2.4-2
fn start_over(pass: &mut Pass) {
    let known = pass.status.current_hash.is_some();
    restart::forget_progress(pass);
    if pass.fully_promoted() {
        pass.reasons.push(Reason::BackToStable);
    } else if known && pass.status.stable.is_some() {
        pass.reasons.push(Reason::Restarted);
    }
}

/// A retry judges the version anew: neither a former run nor a former pause counts for it.
//= compat: 2.7-10, 4.3-5
fn forget_verdicts(pass: &mut Pass) {
    let blue_green = &mut pass.status.blue_green;
    (blue_green.pre_run, blue_green.post_run) = (None, None);
    blue_green.checkpoint = false;
}
