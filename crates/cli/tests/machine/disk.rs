//! A disk that is full, by a limit on the size of files: what cannot be written does not happen, is said, and is possible again
//! as soon as there is space.

use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::machine::{Machine, eventually};
use crate::manifests::App;

/// A limit that is none.
const BOUNDLESS: u64 = 1 << 40;

/// Starts the control process, without a folder, so that it can write files up to this size only.
fn up_within(machine: &mut Machine, bytes: u64) {
    let plain = machine.command(&["up"]);
    let mut limited = std::process::Command::new("/bin/sh");
    // The limit counts in blocks of 512 bytes. Without the trap a write beyond it would end the process.
    limited.args(["-c", "trap '' XFSZ; ulimit -f $0; exec \"$@\"", &(bytes / 512).to_string()]);
    limited.arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited.current_dir(plain.get_current_dir().unwrap());
    machine.start_as(limited);
}

/// A ConfigMap that needs more space than the state file has now.
fn large(machine: &Machine) -> String {
    let size = usize::try_from(std::fs::metadata(machine.state().join("state.redb")).unwrap().size()).unwrap();
    let lines: String = (0..size.max(2 << 20) / 60).map(|n| format!("    line {n:040} of very much text\n")).collect();
    let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: large}}\ndata:\n  text: |\n{lines}");
    let path = machine.beside("large.yaml");
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn a_full_disk_refuses_what_does_not_fit_and_nothing_else() {
    let app = App::new("model", &["setWeight: 20", "pause: {}"]);
    let mut machine = Machine::with(&[&app], &[]);
    let large = large(&machine);
    let size = std::fs::metadata(machine.state().join("state.redb")).unwrap().size();
    machine.kill_control();
    up_within(&mut machine, size);
    eventually("answering", || machine.run(&["list"]).code == 0);
    let before = machine.until("model", "healthy", |v| v["phase"] == "Healthy" && v["replicas"]["ready"] == 1);
    let load = machine.load(&app);
    let err = machine.run(&["apply", "-f", &large]).fails(3);
    assert!(err.contains("nothing was changed") && err.contains("hint: free space on the disk"), "{err}");
    let after = machine.view("model");
    assert_eq!((&before["pools"], &before["phase"]), (&after["pools"], &after["phase"]));
    // What fits is taken, with the same process.
    eventually("taken", || machine.run(&["deploy", "model", "good.2"]).code == 0);
    machine.at_step("model", 1, 20);
    machine.kill_control();
    machine.up_again();
    machine.at_step("model", 1, 20);
    machine.run(&["apply", "-f", &large]).ok();
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

#[test]
fn a_disk_that_takes_nothing_stops_no_traffic_and_heals() {
    let app = App::new("model", &["setWeight: 20", "pause: {}"]);
    let mut machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    machine.at_step("model", 1, 20);
    let load = machine.load(&app);
    machine.kill_control();
    // Enough for what it says and for nothing of the state.
    up_within(&mut machine, 512);
    let status = machine.ended();
    assert_eq!(status.code(), Some(3), "{}", machine.said());
    assert!(machine.said().contains("failed to use the state in"), "{}", machine.said());
    machine.up_again();
    machine.at_step("model", 1, 20);
    machine.run(&["promote", "model", "--wait"]).ok();
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

/// From now on the control process can write files up to this size only.
fn limit(machine: &Machine, bytes: u64) {
    let limit = Rlimit { current: Some(bytes), maximum: Some(BOUNDLESS) };
    prlimit(Pid::from_raw(machine.control_pid()), Resource::Fsize, limit).unwrap();
}

#[test]
fn a_disk_that_fills_up_while_an_update_runs_makes_it_stand_still() {
    let app = App::new("model", &["setWeight: 20", "pause: {duration: 60s}", "setWeight: 60", "pause: {}"]);
    let mut machine = Machine::with(&[&app], &[]);
    machine.kill_control();
    up_within(&mut machine, BOUNDLESS);
    eventually("answering", || machine.run(&["list"]).code == 0);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "good.2"]).ok();
    machine.at_step("model", 1, 20);
    // Nor can it write down what happens: its output is on the same disk.
    limit(&machine, 0);
    for command in
        [&["promote", "model"][..], &["abort", "model"], &["deploy", "model", "good.3"], &["delete", "model"]]
    {
        let err = machine.run(command).fails(3);
        assert!(err.contains("nothing was changed"), "{command:?}: {err}");
    }
    let over = machine.until("model", "past the end of its pause", |v| v["nowMs"].as_i64() > v["wakeAtMs"].as_i64());
    assert_eq!((&over["stepIndex"], &over["weight"]["actual"]), (&1.into(), &20.into()), "{over:#}");
    let told = machine.run(&["explain", "model"]).ok();
    assert!(told.contains("nothing goes on until the state can be written"), "{told}");
    std::thread::sleep(Duration::from_millis(1200));
    let still = machine.view("model");
    assert_eq!(
        (&still["stepIndex"], &still["weight"], &still["image"]),
        (&over["stepIndex"], &over["weight"], &over["image"])
    );
    limit(&machine, BOUNDLESS);
    let on = machine.at_step("model", 3, 60);
    assert!(!on["reasons"].to_string().contains("state-not-written"), "{on:#}");
    machine.run(&["promote", "model", "--wait"]).ok();
    assert_eq!(load.finish().failures, Vec::<String>::new());
}
