//! The order in which Go writes the fields of a pod template and of a canary step, as tables.

mod container;
mod pod;
mod step;
pub(super) mod table;
mod volume;

pub(super) use pod::POD_TEMPLATE_SPEC;
pub(super) use step::CANARY_STEP;
