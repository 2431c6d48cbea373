//! Blue-green rollouts for the stage.

use serin_core::rollout::{Rollout, Strategy};
use serin_core::{BlueGreen, Hash};

use crate::stage::{self, Stage};

/// A rollout named `svc` with 3 replicas, an active and a preview service; `edit` makes it what the test needs.
pub(crate) fn rollout(edit: impl FnOnce(&mut BlueGreen)) -> Rollout {
    let mut own = BlueGreen {
        active_service: "svc-active".to_owned(),
        preview_service: Some("svc-preview".to_owned()),
        auto_promotion: true,
        ..BlueGreen::default()
    };
    edit(&mut own);
    let mut rollout = stage::rollout(&[], |rollout, _| {
        rollout.replicas = 3;
        rollout.steps_hash = String::new();
    });
    rollout.strategy = Strategy::BlueGreen(own);
    rollout
}

/// A world in which `v1` is promoted and whole.
pub(crate) fn deployed(edit: impl FnOnce(&mut BlueGreen)) -> Stage {
    Stage::deployed(rollout(edit))
}

/// The same, with `v2` in the spec, and decided as far as it goes now.
pub(crate) fn updating(edit: impl FnOnce(&mut BlueGreen)) -> Stage {
    let mut stage = deployed(edit);
    template(&mut stage, "v2");
    stage.settle();
    stage
}

/// Another template in the spec.
pub(crate) fn template(stage: &mut Stage, hash: &str) {
    stage.world.rollout.hash = Hash::new(hash);
    stage.world.rollout.generation += 1;
}

/// Other replicas in the spec.
pub(crate) fn replicas(stage: &mut Stage, replicas: u32) {
    stage.world.rollout.replicas = replicas;
    stage.world.rollout.generation += 1;
}

/// `active/preview` as the services select.
pub(crate) fn services(stage: &Stage) -> String {
    let of = |name: &str| stage.world.service(name).and_then(|s| s.selects.as_ref()).map_or("-", Hash::as_str);
    format!("{}/{}", of("svc-active"), of("svc-preview"))
}

/// The stable version.
pub(crate) fn stable(stage: &Stage) -> &str {
    stage.world.status.stable.as_ref().map_or("-", Hash::as_str)
}

/// Phases of the runs, `svc-v2-2-pre Running`.
pub(crate) fn runs(stage: &Stage) -> String {
    stage.world.runs.iter().map(|r| format!("{} {}", r.name, r.phase)).collect::<Vec<_>>().join(", ")
}
