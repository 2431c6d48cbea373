//! Tests on a real Kubernetes: `cargo xtask e2e`. One binary, so that it is linked once; a module for each part.

#[path = "cluster/account.rs"]
mod account;
#[path = "cluster/badinput.rs"]
mod badinput;
#[path = "cluster/client.rs"]
mod client;
#[path = "cluster/crowd.rs"]
mod crowd;
#[path = "cluster/disturbing.rs"]
mod disturbing;
#[path = "cluster/evidence.rs"]
mod evidence;
#[path = "cluster/example.rs"]
mod example;
#[path = "cluster/friends.rs"]
mod friends;
#[path = "cluster/install.rs"]
mod install;
#[path = "cluster/kills.rs"]
mod kills;
#[path = "cluster/kubectl.rs"]
mod kubectl;
#[path = "cluster/leaders.rs"]
mod leaders;
#[path = "cluster/manifests.rs"]
mod manifests;
#[path = "cluster/platform.rs"]
mod platform;
#[path = "cluster/portfolio.rs"]
mod portfolio;
#[path = "cluster/rights.rs"]
mod rights;
#[path = "cluster/takeover.rs"]
mod takeover;
#[path = "cluster/web.rs"]
mod web;
