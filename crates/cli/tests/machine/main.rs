//! The control process and the command line as they are used: the real `serin`, real member processes, real sockets on loopback.
//! Clocks run fast, every wait is bounded, and nothing is asserted about how long anything takes.

mod blue_green;
mod blue_green_kills;
mod commands;
mod disk;
mod experiments;
mod faults;
mod happy;
mod input;
mod kills;
mod labels;
mod lint;
mod machine;
mod manifests;
mod plan;
mod plugins;
#[path = "../shared/ran.rs"]
mod ran;
mod replay;
mod restarts;
mod roles;
mod routes;
mod screens;
mod secrets;
mod sequential;
mod server;
mod service;
mod start;
mod stop;
mod visitor;
mod workloads;

/// No test: the model service that the tests let `serin` start. As a test it has nothing to do.
#[test]
fn service() {
    service::serve_if_asked();
}
