//! What is printed, beside what Argo's own plugin prints for the same objects (see `crates/kubectl/tests/data/README.md`).

use std::path::{Path, PathBuf};

use serde_json::Value;
use serin_spec::{Source, read, timestamp};

use crate::person::Person;
use crate::server::Server;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../kubectl/tests/data/screens")
}

/// The objects, all as old as they were at the time that the screens are of.
fn shop() -> Vec<Value> {
    let then = timestamp::parse("2026-01-10T12:00:00Z").unwrap().as_millis();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    // Whole seconds, rounded up: nothing looks younger than it was.
    let moved = (i64::try_from(now.as_millis()).unwrap() - then) / 1000 * 1000;
    let text = std::fs::read_to_string(folder().join("shop.yaml")).unwrap();
    let mut objects = read::objects(&[Source::new("shop.yaml", text)]);
    objects.iter_mut().for_each(|object| later(object, moved));
    objects
}

fn later(value: &mut Value, ms: i64) {
    match value {
        Value::String(text) if text.len() == 20 && text.ends_with('Z') => {
            if let Some(at) = timestamp::parse(text) {
                *text = timestamp::format(serin_core::Time::from_millis(at.as_millis() + ms));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| later(item, ms)),
        Value::Object(fields) => fields.values_mut().for_each(|field| later(field, ms)),
        _ => {}
    }
}

/// The commands with their files.
fn commands(objects: &[Value]) -> Vec<(String, String)> {
    let names = |kind: &str| {
        let of = objects.iter().filter(move |object| object["kind"] == kind);
        of.map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let get = |kind: &str, name: &String| (format!("get {kind} {name} --no-color"), format!("get-{kind}-{name}"));
    let rollouts = names("Rollout");
    let mut commands: Vec<(String, String)> = rollouts.iter().map(|name| get("rollout", name)).collect();
    commands.extend(names("Experiment").iter().map(|name| get("experiment", name)));
    let list = |arguments: &str, file: &str| (format!("list {arguments}"), format!("list-{file}"));
    commands.extend([
        list("rollouts", "rollouts"),
        list("rollouts -A", "rollouts-all-namespaces"),
        list("rollouts --name web", "rollouts-name"),
        list("experiments", "experiments"),
        list("experiments --all-namespaces", "experiments-all-namespaces"),
    ]);
    commands.extend(rollouts.iter().map(|name| (format!("status {name} --watch=false"), format!("status-{name}"))));
    commands
}

//= compat: 7.1-1, 7.2-1, 7.2-2, 7.3-1, 7.3-2, 7.3-3, 7.3-5, 7.3-6, 10.48
#[test]
fn screens_are_those_of_the_original() {
    let original = std::env::var_os("SERIN_ARGO_PLUGIN").map(PathBuf::from);
    for (line, file) in commands(&shop()) {
        // Made anew each time, so that they are as old as they should be, however slow the commands are.
        let person = Person::at(&Server::with(shop()));
        let path = folder().join(format!("{file}.txt"));
        if let Some(original) = &original {
            let theirs = person.run(original.clone(), &line);
            let text = format!("{}{}", theirs.out, theirs.err);
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::write(&path, &text).unwrap();
            }
            assert_eq!(
                std::fs::read_to_string(&path).unwrap_or_default(),
                text,
                "{file}.txt is not what the original prints"
            );
            assert_eq!(person.kubectl(&line).code, theirs.code, "{line}");
        }
        let ours = person.kubectl(&line);
        let wanted = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(format!("{}{}", ours.out, ours.err), wanted, "{line}");
    }
}

/// Verbs whose words and writes are those of the original. Where ours are others on purpose, `verbs.rs` holds them.
const VERBS: [&str; 40] = [
    "abort web",
    "abort web given-up",
    "retry rollout given-up",
    "retry rollouts given-up web",
    "pause web",
    "promote web",
    "promote web --full",
    "promote api",
    "promote api --full",
    "promote plain",
    "promote plain --full=true",
    "promote plain --skip-current-step",
    "promote plain -c",
    "promote plain --skip-all-steps",
    "promote plain -c -a",
    "promote api -a",
    "promote done -c",
    "promote done --full",
    "set image web web=shop/web:4",
    "set image web *=shop/all:4",
    "set image web none=shop/web:4",
    "terminate analysisrun web-h3-3-bg",
    "terminate ar web-h3-3-bg web-h2-2-3",
    "undo web --to-revision 9",
    "undo done",
    "abort none",
    "abort none web",
    "retry rollout none",
    "pause none",
    "promote none",
    "promote none --full",
    "restart none",
    "undo none",
    "set image none web=i",
    "terminate ar none",
    "terminate experiment none",
    "get rollout none",
    "get experiment none",
    "list rollouts -n none",
    "list experiments -n none",
];

/// What a verb says, how it ends, and what it wrote; the time of a restart is left out.
fn told(program: &Path, line: &str, objects: &[Value]) -> String {
    let server = Server::with(objects.to_vec());
    let person = Person::at(&server);
    let ran = person.run(program.to_owned(), line);
    let calls: String =
        server.calls().into_iter().filter(|call| !call.contains("restartAt")).map(|call| call + "\n").collect();
    format!("$ {line}\n{}{}exit {}\n{calls}\n", ran.out, ran.err, ran.code)
}

//= compat: 7.1-1, 7.1-2, 7.4-1, 7.4-2, 7.4-3, 7.4-5, 7.4-6, 7.5-1, 7.5-2, 7.5-4, 7.5-6, 7.6-1
#[test]
fn verbs_say_and_write_what_the_original_does() {
    let objects = shop();
    let path = folder().join("verbs.txt");
    let all = |program: &Path| VERBS.iter().map(|line| told(program, line, &objects)).collect::<String>();
    let still = |text: String| {
        // Times were moved to be as long ago as they were; updates carry them.
        text.lines()
            .map(|line| if line.starts_with("PUT ") { untimed(line) } else { line.to_owned() } + "\n")
            .collect::<String>()
    };
    if let Some(original) = std::env::var_os("SERIN_ARGO_PLUGIN").map(PathBuf::from) {
        let theirs = still(all(&original));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &theirs).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(&path).unwrap_or_default(),
            theirs,
            "verbs.txt is not what the original does"
        );
    }
    let here = Person::at(&Server::with([]));
    let ours = still(all(&here.path("kubectl-argo-rollouts")));
    assert_eq!(ours, std::fs::read_to_string(&path).unwrap_or_default());
}

/// What `serin` shows of the same rollouts, lengths of time left out.
#[test]
fn pictures_of_a_cluster_are_those_of_one_machine() {
    let person = Person::at(&Server::with(shop()));
    let length = |word: &str| {
        let bare = word.trim_end_matches([',', '.', ')']);
        let clock = bare.len() == 8 && bare.split(':').count() == 3;
        let begins = bare.starts_with(|c: char| c.is_ascii_digit());
        clock || begins && bare.ends_with(['s', 'm', 'h']) && serin_spec::duration::parse_ns(bare).is_ok()
    };
    let still = |text: &str| {
        let words = |line: &str| {
            line.split(' ').map(|word| if length(word) { "#" } else { word }).collect::<Vec<_>>().join(" ")
        };
        text.lines().map(words).collect::<Vec<_>>().join("\n")
    };
    for line in [
        "get rollout web",
        "get rollout api",
        "explain web",
        "explain api",
        "explain given-up",
        "status",
        "list experiments",
    ] {
        let told = person.serin(&format!("{line} -n shop")).ok();
        insta::assert_snapshot!(line.replace(' ', "-"), still(&told));
    }
}

/// A line without its times.
fn untimed(line: &str) -> String {
    let is_time = |part: &&str| part.len() == 20 && part.ends_with('Z') && timestamp::parse(part).is_some();
    line.split('"').map(|part| if is_time(&part) { "TIME" } else { part }).collect::<Vec<_>>().join("\"")
}
