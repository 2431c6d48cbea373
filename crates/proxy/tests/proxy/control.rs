//! The control socket: who may use it, who owns it, and what it refuses.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use serin_proxy::{Client, Config, ProxyError, serve};

use crate::rig::{Proxy, Upstream, proxy_to, table};

#[test]
fn the_socket_is_for_its_owner_and_goes_with_the_proxy() {
    let upstream = Upstream::named("v");
    let proxy = proxy_to(&upstream);
    let path = proxy.dir.path().join("control");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(proxy.info.pid, std::process::id());
    assert_eq!((proxy.info.table_version, proxy.info.draining), (1, false));
    let dir = std::fs::read_dir(proxy.dir.path()).unwrap().count();
    assert_eq!(dir, 2, "the socket and its lock");
    let kept = proxy.dir.path().to_owned();
    let unlink = proxy.end();
    assert!(unlink.is_ok() && !kept.join("control").exists());
}

#[test]
fn a_second_proxy_gives_way_and_a_dead_ones_socket_is_replaced() {
    let upstream = Upstream::named("v");
    let proxy = proxy_to(&upstream);
    let path = proxy.dir.path().join("control");
    let config = |path: &std::path::Path| Config::new("127.0.0.1:0".parse().unwrap(), path);
    assert!(matches!(serve(config(&path)), Err(ProxyError::Busy { .. })));
    assert_eq!(proxy.talk().get("/").status(), 200, "the first one goes on");

    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other");
    let listener = UnixListener::bind(&other).unwrap();
    assert!(matches!(serve(config(&other)), Err(ProxyError::Busy { .. })), "somebody else listens");
    drop(listener);
    assert!(other.exists(), "left behind");
    let stale = Proxy::with(table(1, &[("v", 1, &[upstream.address])]), |c| c.socket.clone_from(&other));
    drop(stale);
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("precious");
    std::fs::write(&path, "data").unwrap();
    let error = serve(Config::new("127.0.0.1:0".parse().unwrap(), &path)).unwrap_err();
    assert!(matches!(error, ProxyError::Socket { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "data");
}

#[test]
fn an_address_in_use_is_an_error() {
    let upstream = Upstream::named("v");
    let proxy = proxy_to(&upstream);
    let dir = tempfile::tempdir().unwrap();
    let error = serve(Config::new(proxy.address, dir.path().join("s"))).unwrap_err();
    assert!(matches!(error, ProxyError::Listen { address, .. } if address == proxy.address), "{error}");
}

#[test]
fn older_tables_are_refused_unless_forced_and_wrong_ones_always() {
    let upstream = Upstream::named("v");
    let proxy = proxy_to(&upstream);
    let make = |version| table(version, &[("v", 1, &[upstream.address])]);
    assert_eq!(proxy.set(&make(7)), 7);
    assert_eq!(proxy.set(&make(7)), 7, "twice is once");
    let error = proxy.wait(proxy.client.set_table(&make(6))).unwrap_err();
    assert!(matches!(error, ProxyError::Stale { given: 6, current: 7 }), "{error}");
    assert_eq!(proxy.wait(proxy.client.force_table(&make(6))).unwrap(), 6);
    let mut wrong = make(8);
    wrong.routes[0].name.clear();
    wrong.routes[0].timeout_ms = 0;
    match proxy.wait(proxy.client.set_table(&wrong)).unwrap_err() {
        ProxyError::Table(problems) => assert_eq!(problems.len(), 2, "{problems:?}"),
        other => panic!("{other}"),
    }
    assert_eq!(proxy.wait(proxy.client.table()).unwrap(), make(6), "the one in force can be read back");
}

#[test]
fn nonsense_is_answered_and_does_not_end_the_conversation() {
    let upstream = Upstream::named("v");
    let proxy = proxy_to(&upstream);
    let mut stream = UnixStream::connect(proxy.dir.path().join("control")).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    for (request, expect) in [
        ("hello", "{\"refused\":"),
        (r#"{"op":"unknown"}"#, "{\"refused\":"),
        (r#"{"op":"set_table","table":{"version":1,"routes":[],"more":1}}"#, "{\"refused\":"),
        (r#"{"op":"info"}"#, "{\"info\":"),
    ] {
        stream.write_all(format!("{request}\n").as_bytes()).unwrap();
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        assert!(line.starts_with(expect), "{request}: {line}");
    }
}

#[test]
fn a_control_process_that_dies_in_the_middle_of_a_word_moves_no_traffic() {
    let upstream = Upstream::named("v");
    let proxy = proxy_to(&upstream);
    let mut talk = proxy.talk();
    for _ in 0..20 {
        let mut dying = UnixStream::connect(proxy.dir.path().join("control")).unwrap();
        dying.write_all(br#"{"op":"set_table","table":{"version":9,"routes":[]"#).unwrap();
        drop(dying);
        let mut deaf = UnixStream::connect(proxy.dir.path().join("control")).unwrap();
        deaf.write_all(b"{\"op\":\"stats\"}\n").unwrap();
        drop(deaf);
        assert_eq!(talk.get("/").status(), 200);
    }
    assert_eq!(proxy.stats().table_version, 1);
}

#[test]
fn nobody_there_is_an_error_and_so_is_a_proxy_that_goes() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let nowhere = std::path::Path::new("/nonexistent/control");
    let error = runtime.block_on(Client::connect(nowhere)).unwrap_err();
    assert!(matches!(error, ProxyError::Reach { .. }), "{error}");

    let upstream = Upstream::named("v");
    let proxy = proxy_to(&upstream);
    let path = proxy.dir.path().join("control");
    let client = runtime.block_on(Client::connect(&path)).unwrap();
    runtime.block_on(client.stop()).unwrap();
    crate::rig::until("the proxy has ended", || proxy.has_ended());
    let error = runtime.block_on(client.info()).unwrap_err();
    assert!(matches!(error, ProxyError::Talk(_)), "{error}");
}
