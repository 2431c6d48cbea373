//! Real processes: start, probe, stop, what hangs, what prints too much, and what an earlier supervisor left behind.

use std::path::Path;
use std::time::{Duration, Instant};

use serin_supervisor::{Check, MemberSpec, MemberView, Probe, State, Supervisor, logs, system};

fn member(id: &str, script: &str) -> MemberSpec {
    MemberSpec {
        id: id.to_owned(),
        command: vec!["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()],
        env: vec![("GREETING".to_owned(), "port {port}".to_owned())],
        dir: None,
        startup: None,
        readiness: None,
        liveness: None,
        grace_ms: 300,
        drain_ms: 2_000,
    }
}

fn probe(check: Check) -> Probe {
    Probe { check, initial_delay_ms: 0, period_ms: 20, timeout_ms: 500, success_threshold: 1, failure_threshold: 2 }
}

fn state_id() -> String {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    format!("test-{}-{nanos}", std::process::id())
}

/// Turns until `done`, at most ten seconds.
async fn until(supervisor: &mut Supervisor, what: &str, done: impl Fn(&[MemberView]) -> bool) -> Vec<MemberView> {
    let start = Instant::now();
    loop {
        supervisor.turn();
        let members = supervisor.members();
        if done(&members) {
            return members;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "never {what}: {members:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

fn supervisor(dir: &Path, id: &str) -> Supervisor {
    Supervisor::new(dir, id).unwrap()
}

#[tokio::test]
async fn a_member_starts_prints_and_stops_after_its_drain() {
    let dir = tempfile::tempdir().unwrap();
    let mut s = supervisor(dir.path(), &state_id());
    s.want(member("a", "echo $GREETING; exec sleep 60"));
    let members = until(&mut s, "ready", |m| m[0].is_ready()).await;
    let (pid, port) = (members[0].pid.unwrap(), members[0].port);
    let log = s.log_path("a");
    until(&mut s, "printed", |_| logs::tail(&log, 1).unwrap() == [format!("port {port}")]).await;
    s.stop("a");
    until(&mut s, "draining", |m| matches!(m[0].state, State::Draining { .. })).await;
    assert!(alive(pid), "it is not signalled while requests are under way");
    s.drained("a");
    until(&mut s, "gone", <[MemberView]>::is_empty).await;
    assert!(!alive(pid));
}

#[tokio::test]
async fn what_ignores_term_is_killed_with_its_whole_group() {
    let dir = tempfile::tempdir().unwrap();
    let mut s = supervisor(dir.path(), &state_id());
    let pids = dir.path().join("pids");
    let script =
        format!("trap '' TERM; (trap '' TERM; sleep 60) & echo $! > {}; while :; do sleep 1; done", pids.display());
    s.want(member("stubborn", &script));
    let members = until(&mut s, "ready", |m| m[0].is_ready()).await;
    let leader = members[0].pid.unwrap();
    until(&mut s, "forked", |_| std::fs::read_to_string(&pids).is_ok_and(|t| t.ends_with('\n'))).await;
    let child: i32 = std::fs::read_to_string(&pids).unwrap().trim().parse().unwrap();
    s.stop("stubborn");
    s.drained("stubborn");
    until(&mut s, "gone", <[MemberView]>::is_empty).await;
    let start = Instant::now();
    while alive(child) || alive(leader) {
        assert!(start.elapsed() < Duration::from_secs(5), "leader or grandchild survived");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_exits_at_once_is_restarted_with_growing_waits_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let mut s = supervisor(dir.path(), &state_id());
    s.want(member("crash", "echo no model; exit 3"));
    let members = until(&mut s, "restarted", |m| m[0].health.restarts >= 2).await;
    assert_eq!(members[0].trouble.as_deref(), Some("exit status: 3"));
    s.want(member("missing", ""));
    let mut missing = member("nothing", "");
    missing.command = vec!["/no/such/program".to_owned()];
    s.want(missing);
    let members = until(&mut s, "failed", |m| m.iter().any(|m| m.id == "nothing" && m.trouble.is_some())).await;
    let trouble = members.iter().find(|m| m.id == "nothing").unwrap().trouble.clone().unwrap();
    assert!(trouble.contains("failed to start '/no/such/program'"), "{trouble}");
}

#[tokio::test]
async fn readiness_and_liveness_follow_their_probes() {
    let dir = tempfile::tempdir().unwrap();
    let mut s = supervisor(dir.path(), &state_id());
    let (ready, alive_file) = (dir.path().join("ready"), dir.path().join("alive"));
    std::fs::write(&alive_file, "").unwrap();
    let test = |path: &Path| Check::Exec(vec!["/usr/bin/test".to_owned(), "-e".to_owned(), path.display().to_string()]);
    let mut spec = member("probed", "exec sleep 60");
    spec.readiness = Some(probe(test(&ready)));
    spec.liveness = Some(probe(test(&alive_file)));
    s.want(spec);
    until(&mut s, "started", |m| m[0].state == State::Starting).await;
    std::fs::write(&ready, "").unwrap();
    until(&mut s, "ready", |m| m[0].is_ready()).await;
    std::fs::remove_file(&ready).unwrap();
    until(&mut s, "unready", |m| m[0].state == State::Starting).await;
    std::fs::remove_file(&alive_file).unwrap();
    let members = until(&mut s, "restarted", |m| m[0].health.restarts == 1).await;
    assert!(members[0].trouble.is_some());
    s.stop("probed");
    s.drained("probed");
    until(&mut s, "gone", <[MemberView]>::is_empty).await;
}

#[tokio::test]
async fn children_of_a_dead_supervisor_are_found_again_and_never_a_stranger() {
    let dir = tempfile::tempdir().unwrap();
    let id = state_id();
    let mut first = supervisor(dir.path(), &id);
    first.want(member("kept", "exec sleep 60"));
    first.want(member("left", "exec sleep 60"));
    let members = until(&mut first, "ready", |m| m.iter().all(MemberView::is_ready)).await;
    let (kept, left) = (members[0].clone(), members[1].clone());
    drop(first);
    let mut other = supervisor(dir.path(), &state_id());
    assert!(other.unclaimed().is_empty(), "another state folder's processes are not ours");
    other.turn();
    let mut second = supervisor(dir.path(), &id);
    second.want(member("kept", "exec sleep 60"));
    let members = until(&mut second, "ready", |m| m[0].is_ready()).await;
    assert_eq!((members[0].pid, members[0].port), (kept.pid, kept.port));
    // Whoever finds it again knows to a few hundredths of a second when it was started, and does not take it for older: but for what the wall
    // clock was set by meanwhile, since that time counts from the start of the machine.
    let (told, found) = (kept.started_ms.unwrap(), members[0].started_ms.unwrap());
    assert!((told - 30..told + 60).contains(&found), "started at {told}, found to have at {found}");
    assert_eq!(second.unclaimed(), ["left"]);
    second.stop_unclaimed();
    until(&mut second, "one left", |m| m.len() == 1).await;
    assert!(!alive(left.pid.unwrap()));
    second.stop("kept");
    second.drained("kept");
    until(&mut second, "gone", <[MemberView]>::is_empty).await;
}

#[tokio::test]
async fn a_member_is_found_while_it_becomes_another_program() {
    let dir = tempfile::tempdir().unwrap();
    let id = state_id();
    let script = dir.path().join("again.sh");
    std::fs::write(&script, "exec /bin/sh \"$0\"").unwrap();
    let mut s = supervisor(dir.path(), &id);
    s.want(member("changing", &format!("exec /bin/sh {}", script.display())));
    let pid = until(&mut s, "started", |m| m[0].pid.is_some()).await[0].pid.unwrap();
    for look in 0..300 {
        let found: Vec<i32> = system::find(&id).iter().map(|f| f.identity.pid).collect();
        assert_eq!(found, [pid], "look {look}");
    }
    s.stop("changing");
    s.drained("changing");
    until(&mut s, "gone", <[MemberView]>::is_empty).await;
}

#[tokio::test]
async fn a_reused_pid_is_not_signalled() {
    let mut child = std::process::Command::new("/bin/sleep").arg("60").spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let mut stranger = system::Process::adopted(system::Identity { pid, start_ticks: 1 });
    stranger.term();
    stranger.kill();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(child.try_wait().unwrap().is_none(), "a process with another start time was signalled");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn a_flood_of_output_stays_within_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let mut s = supervisor(dir.path(), &state_id());
    // About 100 MB as fast as it goes.
    s.want(member(
        "loud",
        "head -c 100000000 /dev/zero | tr '\\0' 'x' | fold -w 200; while :; do echo done; sleep 0.1; done",
    ));
    let log = s.log_path("loud");
    let start = Instant::now();
    while logs::tail(&log, 1).unwrap() != ["done"] {
        s.turn();
        assert!(start.elapsed() < Duration::from_secs(60), "the member never finished printing");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let size = |p: &Path| std::fs::metadata(p).map_or(0, |m| m.len());
    // The last look at the sizes may have been just before the end of the flood.
    until(&mut s, "within bounds", |_| size(&log) + size(&logs::previous(&log)) <= logs::ROTATE_AT + logs::KEEP).await;
    s.stop("loud");
    s.drained("loud");
    until(&mut s, "gone", <[MemberView]>::is_empty).await;
}
