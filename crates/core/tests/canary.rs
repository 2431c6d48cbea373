//! Decisions of the canary strategy: scenarios, tables of single decisions, and what holds in every world.

#[path = "canary/conditions.rs"]
mod conditions;
#[path = "canary/details.rs"]
mod details;
#[path = "canary/evidence.rs"]
mod evidence;
#[path = "canary/experiment.rs"]
mod experiment;
#[path = "canary/faults.rs"]
mod faults;
#[path = "canary/flow.rs"]
mod flow;
#[path = "canary/judging.rs"]
mod judging;
#[path = "canary/metadata.rs"]
mod metadata;
#[path = "canary/mirrors.rs"]
mod mirrors;
#[path = "canary/oracle.rs"]
mod oracle;
#[path = "canary/people.rs"]
mod people;
#[path = "canary/pingpong.rs"]
mod pingpong;
#[path = "canary/plugins.rs"]
mod plugins;
#[path = "canary/progress.rs"]
mod progress;
#[path = "canary/reasons.rs"]
mod reasons;
#[path = "canary/restarts.rs"]
mod restarts;
#[path = "canary/scenarios.rs"]
mod scenarios;
#[path = "canary/sizes.rs"]
mod sizes;
#[path = "canary/small.rs"]
mod small;
#[path = "canary/stage.rs"]
mod stage;
#[path = "canary/unhealthy.rs"]
mod unhealthy;
#[path = "canary/valid.rs"]
mod valid;
#[path = "canary/walk.rs"]
mod walk;
#[path = "canary/workload.rs"]
mod workload;
