//! Starting where something is in the way: another control process, a port that is taken, a folder that cannot be used.

use std::net::TcpListener;

use crate::machine::Machine;
use crate::manifests::App;

fn app() -> App {
    App::new("model", &["setWeight: 20", "pause: {}"])
}

#[test]
fn a_second_control_process_on_the_same_state_is_refused() {
    let app = app();
    let machine = Machine::with(&[&app], &[]);
    for command in [&["up", "app"][..], &["up"], &["up", "app", "--detach"]] {
        let err = machine.run(command).fails(3);
        assert!(err.contains("another serin process") && err.contains("is using the state folder"), "{err}");
        assert!(err.contains("hint: ") && err.contains("serin down"), "{err}");
    }
    assert_eq!(machine.processes_of("up").len(), 1);
    assert_eq!(machine.visitor(&app).get("/predict").unwrap().status, 200);
}

#[test]
fn commands_without_a_control_process_say_how_to_start_one() {
    let machine = Machine::new();
    let file = machine.write("model.yaml", &app().yaml());
    for command in [
        &["status"][..],
        &["list"],
        &["info"],
        &["apply", "-f", file.to_str().unwrap()],
        &["deploy", "model", "good.2"],
        &["promote", "model"],
        &["abort", "model"],
        &["retry", "model"],
        &["rollback", "model"],
        &["undo", "model"],
        &["pause", "model"],
        &["delete", "model"],
        &["get", "rollout", "model"],
        &["history", "model"],
        &["explain", "model"],
        &["logs", "model"],
        &["query", "up"],
        &["down"],
    ] {
        let err = machine.run(command).fails(3);
        assert!(err.contains("no serin process is running on the state folder"), "{command:?}: {err}");
        assert!(err.contains("hint: start one with `serin up DIR`"), "{command:?}: {err}");
        assert!(!machine.state().exists(), "{command:?}");
    }
}

#[test]
fn a_router_that_runs_is_not_asked_to_move_in_silence() {
    let app = app();
    let mut machine = Machine::with(&[&app], &[]);
    let here = machine.router();
    machine.kill_control();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let err = machine.run(&["up", "--listen", &free.to_string()]).fails(2);
    assert!(err.contains(&format!("runs on {here} already, not on {free}")) && err.contains("serin down"), "{err}");
    assert_eq!(machine.visitor(&app).get("/predict").unwrap().status, 200, "its visitors are not cut off");
    machine.up_again();
    assert_eq!(machine.router(), here);
}

#[test]
fn a_port_that_is_taken_is_named_and_leaves_nothing_behind() {
    let mut machine = Machine::new();
    let app = app();
    machine.write("model.yaml", &app.yaml());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for more in [&[][..], &["--detach"]] {
        let err = machine.run(&[&["up", "app", "--listen", &address], more].concat()).fails(3);
        assert!(err.contains(&address) && err.contains("in use"), "{err}");
        assert_eq!(machine.processes(), Vec::<i32>::new());
    }
    drop(taken);
    machine.up_with(&["app", "--listen", &address, "--speed", "50"]);
    machine.until("model", "healthy", |v| v["phase"] == "Healthy");
    assert_eq!(machine.router().to_string(), address);
    assert_eq!(machine.visitor(&app).get("/predict").unwrap().status, 200);
}

#[test]
fn a_state_folder_that_cannot_be_made_is_named() {
    let machine = Machine::new();
    machine.write("model.yaml", &app().yaml());
    std::fs::write(machine.beside("file"), "").unwrap();
    let state = machine.beside("file").join("state");
    for more in [&[][..], &["--detach"]] {
        let err = machine.run(&[&["up", "app", "--state", state.to_str().unwrap()], more].concat()).fails(3);
        assert!(err.contains(state.to_str().unwrap()), "{err}");
    }
    assert_eq!(machine.processes(), Vec::<i32>::new());
}

#[test]
fn a_state_file_that_is_none_is_named_and_kept() {
    let machine = Machine::new();
    machine.write("model.yaml", &app().yaml());
    std::fs::create_dir(machine.state()).unwrap();
    let file = machine.state().join("state.redb");
    let junk = "this was never written by serin\n".repeat(1000);
    std::fs::write(&file, &junk).unwrap();
    let err = machine.run(&["up", "app", "--listen", "127.0.0.1:0"]).fails(3);
    assert!(err.contains("failed to use the state in") && err.contains("state.redb"), "{err}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), junk);
    assert_eq!(machine.processes(), Vec::<i32>::new());
}

#[test]
fn a_state_path_that_is_too_long_for_a_socket_is_refused_before_anything_is_made() {
    let machine = Machine::new();
    machine.write("model.yaml", &app().yaml());
    let state = machine.beside(&"long".repeat(30));
    for command in [&["up", "app"][..], &["up", "app", "--detach"], &["status"], &["down"]] {
        let err = machine.run(&[command, &["--state", state.to_str().unwrap()]].concat()).fails(2);
        assert!(err.contains("is too long for a Unix socket") && err.contains("--state"), "{command:?}: {err}");
        assert!(!state.exists(), "{command:?}");
    }
    assert_eq!(machine.processes(), Vec::<i32>::new());
}

#[test]
fn members_that_could_not_be_taken_up_are_not_stopped_for_it() {
    let app = app();
    let mut machine = Machine::with(&[&app], &[]);
    let load = machine.load(&app);
    let side = std::fs::read_to_string(machine.app().join("serin.yaml")).unwrap();
    machine.kill_control();
    let before = machine.processes();

    machine.write("serin.yaml", &side.replace("*/model", "*/other"));
    let err = machine.run(&["up"]).fails(2);
    assert!(err.contains("runs and cannot be taken up: no command stands for image"), "{err}");
    std::fs::rename(machine.app(), machine.beside("moved")).unwrap();
    let err = machine.run(&["up"]).fails(2);
    assert!(err.contains("failed to read") && err.contains("/app"), "{err}");
    assert_eq!(machine.processes(), before);
    assert_eq!(load.finish().failures, Vec::<String>::new());

    std::fs::rename(machine.beside("moved"), machine.app()).unwrap();
    machine.write("serin.yaml", &side);
    machine.up_again();
    machine.until("model", "healthy", |v| v["phase"] == "Healthy");
    assert_eq!(machine.processes_of("service").len(), 1);
    // Stopping needs no side file.
    machine.kill_control();
    std::fs::rename(machine.app(), machine.beside("moved")).unwrap();
    machine.run(&["down"]).ok();
    assert_eq!(machine.processes(), Vec::<i32>::new());
}

#[test]
fn nonsense_on_the_control_socket_is_answered_and_harms_nobody() {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::net::UnixStream;
    let machine = Machine::with(&[&app()], &[]);
    let connect = || UnixStream::connect(machine.state().join("control.sock")).unwrap();
    let mut answers = BufReader::new(connect());
    for nonsense in ["hello", "{}", "{\"do\":\"explode\"}", "{\"do\":\"deploy\"}", "[[[[[["] {
        writeln!(answers.get_mut(), "{nonsense}").unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        assert!(answer.contains("the request is not understood"), "{nonsense}: {answer}");
    }
    connect().write_all(b"{\"do\":\"del").unwrap();
    connect().write_all(&[0xff, 0xfe, b'\n']).unwrap();
    assert_eq!(machine.view("model")["phase"], "Healthy");
}

#[test]
fn a_start_in_the_background_returns_once_it_answers() {
    let machine = Machine::new();
    let app = app();
    machine.write("model.yaml", &app.yaml());
    let said = machine.run(&["up", "app", "--detach", "--listen", "127.0.0.1:0", "--speed", "50"]).ok();
    let address = said.split("http://").nth(1).unwrap().split(' ').next().unwrap();
    machine.until("model", "healthy", |v| v["phase"] == "Healthy");
    let mut visitor = crate::visitor::Visitor::new(address.parse().unwrap(), &app.host());
    assert_eq!(visitor.get("/predict").unwrap().status, 200);
    assert!(machine.run(&["logs", "serin"]).ok().contains("serin takes requests on"));
    machine.run(&["down"]).ok();
    assert_eq!(machine.processes(), Vec::<i32>::new());
}
