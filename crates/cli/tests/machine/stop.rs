//! Stopping: what goes, what stays, and that nothing is left behind.

use std::net::TcpListener;
use std::time::Duration;

use rustix::process::Signal;

use crate::machine::{Machine, eventually, signal};
use crate::manifests::App;

fn app() -> App {
    let mut app = App::new("model", &["setWeight: 20", "pause: {}"]);
    app.replicas = 2;
    app
}

#[test]
fn down_leaves_no_process_and_what_was_wanted_comes_back() {
    let app = app();
    let mut machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    machine.at_step("model", 1, 20);
    // Members are told to end once they have no requests, not once the ten seconds that they may take for them are over.
    assert_eq!(machine.run_within(&["down"], Duration::from_secs(8)).ok(), "everything is stopped\n");
    assert!(machine.ended().success(), "{}", machine.said());
    assert_eq!(machine.processes(), Vec::<i32>::new());
    machine.run(&["status"]).fails(3);
    machine.up_again();
    machine.at_step("model", 1, 20);
    let view = machine.until("model", "whole again", |v| v["replicas"]["ready"] == 3);
    assert_eq!(view["image"], "registry.test/model:good.2");
    assert_eq!(machine.visitor(&app).get("/predict").unwrap().status, 200);
}

#[test]
fn down_cleans_up_after_a_killed_control_process() {
    let app = app();
    let mut machine = Machine::with(&[&app], &[]);
    machine.kill_control();
    assert_eq!(machine.processes().len(), 3, "router and members go on");
    machine.run_within(&["down"], Duration::from_secs(8)).ok();
    assert_eq!(machine.processes(), Vec::<i32>::new());
}

#[test]
fn down_cleans_up_also_when_the_side_file_was_broken_since() {
    let app = app();
    let mut machine = Machine::with(&[&app], &[]);
    machine.kill_control();
    machine.write("serin.yaml", "router: [what, is, this]\n");
    let refused = machine.run(&["up", "--detach"]).fails(2);
    assert!(refused.contains("serin.yaml") && refused.contains("line 1"), "{refused}");
    assert_eq!(machine.processes().len(), 3, "router and members go on");
    machine.run(&["down"]).ok();
    assert_eq!(machine.processes(), Vec::<i32>::new());
}

#[test]
fn down_cleans_up_where_the_router_was_killed_too_and_its_port_is_taken() {
    let app = app();
    let mut machine = Machine::with(&[&app], &[]);
    let (address, router) = (machine.router(), machine.router_pid());
    machine.kill_control();
    signal(router, Signal::KILL);
    let mut taken = None;
    eventually("free", || {
        taken = TcpListener::bind(address).ok();
        taken.is_some()
    });
    machine.run(&["down"]).ok();
    assert_eq!(machine.processes(), Vec::<i32>::new());
    drop(taken);
    machine.up_again();
    machine.until("model", "healthy", |v| v["phase"] == "Healthy" && v["replicas"]["ready"] == 2);
    assert_eq!(machine.router(), address, "it comes back where it was");
}

#[test]
fn down_says_so_where_a_router_hangs() {
    let mut machine = Machine::with(&[&app()], &[]);
    let router = machine.router_pid();
    machine.kill_control();
    signal(router, Signal::STOP);
    let err = machine.run(&["down"]).fails(3);
    assert!(err.contains("does not answer and was left running"), "{err}");
    assert_eq!(machine.processes(), [router], "the members are stopped");
    signal(router, Signal::CONT);
    machine.run(&["down"]).ok();
    assert_eq!(machine.processes(), Vec::<i32>::new());
}

#[test]
fn a_hanging_router_of_this_control_process_is_killed_with_it() {
    let mut machine = Machine::with(&[&app()], &[]);
    signal(machine.router_pid(), Signal::STOP);
    machine.signal_control(Signal::INT);
    assert!(machine.ended().success(), "{}", machine.said());
    assert_eq!(machine.processes(), Vec::<i32>::new());
}

#[test]
fn term_leaves_the_data_plane_to_the_next_control_process() {
    let app = app();
    let mut machine = Machine::with(&[&app], &[]);
    let load = machine.load(&app);
    let mut before = machine.processes_of("service");
    before.push(machine.router_pid());
    machine.signal_control(Signal::TERM);
    assert!(machine.ended().success(), "{}", machine.said());
    let mut left = machine.processes();
    left.sort_unstable();
    before.sort_unstable();
    assert_eq!(left, before);
    machine.run(&["status"]).fails(3);
    machine.up_again();
    machine.until("model", "healthy", |v| v["phase"] == "Healthy" && v["replicas"]["ready"] == 2);
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

#[test]
fn an_interrupt_finishes_requests_and_stops_everything() {
    let mut app = app();
    app.tag = "slow.1".to_owned();
    let mut machine = Machine::with(&[&app], &[]);
    let mut visitor = machine.visitor(&app);
    assert_eq!(visitor.get("/health").unwrap().status, 200);
    let under_way = std::thread::spawn(move || visitor.get("/predict"));
    // Long enough for the request to be with its member, shorter than it takes there.
    std::thread::sleep(Duration::from_millis(50));
    machine.signal_control(Signal::INT);
    assert_eq!(under_way.join().unwrap().map(|a| a.status), Ok(200));
    assert!(machine.ended().success(), "{}", machine.said());
    assert_eq!(machine.processes(), Vec::<i32>::new());
    assert!(machine.said().contains("requests under way are finished first"), "{}", machine.said());
}
