//! Decisions of the canary strategy: scenarios, tables of single decisions, and what holds in every world.

#[path = "canary/scenarios.rs"]
mod scenarios;
#[path = "canary/stage.rs"]
mod stage;
