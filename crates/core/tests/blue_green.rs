//! Decisions of the blue-green strategy: scenarios, tables of single decisions, and what holds in every world.

#[path = "blue_green/analysis.rs"]
mod analysis;
#[path = "blue_green/details.rs"]
mod details;
#[path = "blue_green/faults.rs"]
mod faults;
#[path = "blue_green/members.rs"]
mod members;
#[path = "blue_green/oracle.rs"]
mod oracle;
#[path = "blue_green/outside.rs"]
mod outside;
#[path = "blue_green/retiring.rs"]
mod retiring;
#[path = "blue_green/scenarios.rs"]
mod scenarios;
#[path = "blue_green/setting.rs"]
mod setting;
#[path = "blue_green/small.rs"]
mod small;
#[path = "canary/stage.rs"]
#[allow(dead_code, reason = "the canary's tests use the rest")]
mod stage;
#[path = "blue_green/switching.rs"]
mod switching;
#[path = "blue_green/walk.rs"]
mod walk;
