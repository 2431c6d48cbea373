//! Decisions about experiments: their life, tables of single decisions, and what holds in every world.

#[path = "experiment/analyses.rs"]
mod analyses;
#[path = "experiment/life.rs"]
mod life;
#[path = "experiment/oracle.rs"]
mod oracle;
#[path = "experiment/pools.rs"]
mod pools;
#[path = "experiment/reasons.rs"]
mod reasons;
#[path = "experiment/small.rs"]
mod small;
#[path = "experiment/stage.rs"]
mod stage;
#[path = "experiment/walk.rs"]
mod walk;
