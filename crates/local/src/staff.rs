//! Pools to processes: which members a pool wants, and what their processes look like.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use serin_core::Hash;
use serin_spec::image;
use serin_spec::wire::pod::{Container, EnvVar, PodTemplate, Probe as WireProbe};
use serin_supervisor::{Check, MemberSpec, Probe};

use crate::model::{Key, Objects};
use crate::side::Side;

/// Longest wait for requests under way before a member is told to stop.
const DRAIN_MS: u64 = 10_000;

/// A member: which rollout (or [version of an experiment](Key::of_version)), which hash, which one of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberId {
    /// The rollout.
    pub rollout: Key,
    /// The version.
    pub hash: Hash,
    /// Which one, from 0; numbers are used again.
    pub ordinal: u32,
}

impl MemberId {
    /// The name of the pod it stands for.
    pub fn pod(&self) -> String {
        format!("{}-{}-{}", self.rollout.name.replace('/', "-"), self.hash, self.ordinal)
    }

    /// The name of its process, unique on the machine. A namespace has no dot and no name has two in a row, so it reads back.
    pub fn process(&self) -> String {
        let Key { namespace, name } = &self.rollout;
        format!("{namespace}.{}-{}-{}", name.replace('/', ".."), self.hash, self.ordinal)
    }

    /// Reads [`MemberId::process`] back.
    pub fn parse(process: &str) -> Option<Self> {
        let (namespace, pod) = process.split_once('.')?;
        let (rest, ordinal) = pod.rsplit_once('-')?;
        let (name, hash) = rest.rsplit_once('-')?;
        Some(Self {
            rollout: Key::new(namespace, name.replace("..", "/")),
            hash: Hash::new(hash),
            ordinal: ordinal.parse().ok()?,
        })
    }
}

/// What to start and what to stop so that a pool has `size` members; `live` are the ordinals that run and are not leaving,
/// `leaving` those that still drain. The youngest go first.
pub fn changes(size: u32, live: &BTreeSet<u32>, leaving: &BTreeSet<u32>) -> (Vec<u32>, Vec<u32>) {
    let have = u32::try_from(live.len()).unwrap_or(u32::MAX);
    if have >= size {
        let excess = (have - size) as usize;
        return (Vec::new(), live.iter().rev().take(excess).copied().collect());
    }
    let free = (0u32..).filter(|n| !live.contains(n) && !leaving.contains(n));
    (free.take((size - have) as usize).collect(), Vec::new())
}

/// Which of the members that are to be replaced may go now: those that take no requests, and as many of the others as there are
/// members in their place. `evicted` are ordinals and whether each is ready; `serving` members stay and are available.
pub fn replaced(size: u32, serving: u32, evicted: &[(u32, bool)]) -> Vec<u32> {
    let missing = size.saturating_sub(serving) as usize;
    let idle = evicted.iter().filter(|(_, ready)| !ready);
    let ready = evicted.iter().filter(|(_, ready)| *ready).skip(missing);
    idle.chain(ready).map(|(ordinal, _)| *ordinal).collect()
}

/// What a process needs from outside its template.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The side file.
    pub side: &'a Side,
    /// Config maps and secrets.
    pub objects: &'a Objects,
    /// How fast the rollout's clock runs; readiness is asked for accordingly.
    pub speed: f64,
}

/// The process of a member.
///
/// # Errors
/// Why it cannot be started, in words for the rollout's status: no container, no command for its image, a variable whose
/// source is missing.
pub fn process(id: &MemberId, template: &PodTemplate, ground: Ground<'_>) -> Result<MemberSpec, String> {
    let containers = template.containers();
    let container = containers.first().ok_or("the pod template has no container")?;
    let parts = image::split(&container.image);
    let entry = ground.side.command_for(parts.name).ok_or_else(|| {
        format!("no command stands for image \"{}\": add it to images in {}", parts.name, crate::side::FILE)
    })?;
    let tag = parts.tag.or(parts.digest).unwrap_or("latest");
    let fill =
        |text: &str| text.replace("{tag}", tag).replace("{name}", &id.pod()).replace("{image}", &container.image);
    let mut command: Vec<String> = entry.command.iter().map(|a| fill(a)).collect();
    if let Some(program) = command.first_mut() {
        *program = located(program, entry.directory.as_deref());
    }
    command.extend(container.args.iter().map(|a| fill(a)));
    let mut env = environment(id, template, container, ground.objects)?;
    env.extend(entry.env.iter().map(|(k, v)| (k.clone(), fill(v))));
    Ok(MemberSpec {
        id: id.process(),
        command,
        env: env.into_iter().collect(),
        dir: entry.directory.clone(),
        startup: container.startup_probe.as_ref().and_then(|p| probe(p, container, 1.0)),
        readiness: container.readiness_probe.as_ref().and_then(|p| probe(p, container, ground.speed)),
        liveness: container.liveness_probe.as_ref().and_then(|p| probe(p, container, 1.0)),
        grace_ms: template.grace_period_s().saturating_mul(1000),
        drain_ms: DRAIN_MS,
    })
}

/// A program named without a folder is looked up beside `serin` itself first, so that an example that was built with it is
/// found without a PATH; a relative one is relative to the entry's folder.
pub(crate) fn located(program: &str, directory: Option<&std::path::Path>) -> String {
    if program.contains('/') {
        let base = directory.filter(|_| !program.starts_with('/'));
        return base.map_or_else(|| program.to_owned(), |d| d.join(program).to_string_lossy().into_owned());
    }
    let beside = std::env::current_exe().ok().and_then(|own| own.parent().map(|folder| folder.join(program)));
    match beside {
        Some(path) if path.is_file() => path.to_string_lossy().into_owned(),
        _ => program.to_owned(),
    }
}

fn environment(
    id: &MemberId,
    template: &PodTemplate,
    container: &Container,
    objects: &Objects,
) -> Result<BTreeMap<String, String>, String> {
    let mut env = BTreeMap::new();
    for whole in &container.env_from {
        if let Some(reference) = &whole.config_map_ref {
            match objects.config_maps.get(&id.rollout.beside(&reference.name)) {
                Some(map) => env.extend(map.data.iter().map(|(k, v)| (format!("{}{k}", whole.prefix), v.clone()))),
                None if reference.optional => {}
                None => return Err(format!("envFrom names ConfigMap \"{}\", which is missing", reference.name)),
            }
        }
        if let Some(reference) = &whole.secret_ref {
            match objects.secret_values(&id.rollout.beside(&reference.name)) {
                Some(values) => env.extend(values.into_iter().map(|(k, v)| (format!("{}{k}", whole.prefix), v))),
                None if reference.optional => {}
                None => return Err(format!("envFrom names Secret \"{}\", which is missing", reference.name)),
            }
        }
    }
    for variable in &container.env {
        if let Some(value) = variable_value(id, template, variable, objects)? {
            env.insert(variable.name.clone(), value);
        }
    }
    Ok(env)
}

fn variable_value(
    id: &MemberId,
    template: &PodTemplate,
    variable: &EnvVar,
    objects: &Objects,
) -> Result<Option<String>, String> {
    let Some(source) = &variable.value_from else { return Ok(variable.value.clone()) };
    let name = &variable.name;
    if let Some(reference) = &source.config_map_key_ref {
        return match objects.config_value(&id.rollout.beside(&reference.name), &reference.key) {
            Some(value) => Ok(Some(value)),
            None if reference.optional => Ok(None),
            None => Err(format!("variable {name}: ConfigMap \"{}\" has no key \"{}\"", reference.name, reference.key)),
        };
    }
    if let Some(reference) = &source.secret_key_ref {
        return match objects.secret_value(&id.rollout.beside(&reference.name), &reference.key) {
            Some(value) => Ok(Some(value)),
            None if reference.optional => Ok(None),
            None => Err(format!("variable {name}: Secret \"{}\" has no key \"{}\"", reference.name, reference.key)),
        };
    }
    let Some(field) = &source.field_ref else { return Ok(None) };
    let labels = labels(id, template);
    let bracketed = |prefix: &str, map: &BTreeMap<String, String>| {
        let key = field.field_path.strip_prefix(prefix)?.strip_prefix("['")?.strip_suffix("']")?;
        Some(map.get(key).cloned().unwrap_or_default())
    };
    match field.field_path.as_str() {
        "metadata.name" => Ok(Some(id.pod())),
        "metadata.namespace" => Ok(Some(id.rollout.namespace.clone())),
        "status.podIP" | "status.hostIP" => Ok(Some("127.0.0.1".to_owned())),
        path => bracketed("metadata.labels", &labels)
            .or_else(|| bracketed("metadata.annotations", &template.annotations()))
            .map(Some)
            .ok_or_else(|| format!("variable {name}: field \"{path}\" does not exist on one machine")),
    }
}

/// The labels of a member's pod.
pub fn labels(id: &MemberId, template: &PodTemplate) -> BTreeMap<String, String> {
    let mut labels = template.labels();
    labels.insert(serin_spec::wire::keys::HASH_LABEL.to_owned(), id.hash.to_string());
    labels
}

/// The port of a container that a number or name in a probe or an annotation means: the member's own (`None`) when the
/// container declares it, else that very port.
pub fn port(container: &Container, port: &Value) -> Option<u16> {
    let number = match port {
        Value::Number(n) => n.as_i64(),
        Value::String(text) => match text.parse() {
            Ok(number) => Some(number),
            Err(_) => return None,
        },
        _ => None,
    };
    let declared = container.ports.is_empty() || container.ports.iter().any(|p| Some(p.container_port) == number);
    number.filter(|_| !declared).and_then(|n| u16::try_from(n).ok())
}

fn probe(wire: &WireProbe, container: &Container, speed: f64) -> Option<Probe> {
    let check = if let Some(http) = &wire.http_get {
        Check::Http {
            path: http.path.clone().unwrap_or_else(|| "/".to_owned()),
            headers: http.http_headers.iter().map(|h| (h.name.clone(), h.value.clone())).collect(),
            port: port(container, &http.port),
        }
    } else if let Some(tcp) = &wire.tcp_socket {
        Check::Tcp { port: port(container, &tcp.port) }
    } else {
        Check::Exec(wire.exec.as_ref()?.command.clone())
    };
    let scaled = |seconds: u32| ((f64::from(seconds) * 1000.0 / speed) as u64).max(200);
    Some(Probe {
        check,
        initial_delay_ms: wire.initial_delay_seconds.filter(|s| *s > 0).map_or(0, scaled),
        period_ms: scaled(wire.period_seconds.unwrap_or(10)),
        timeout_ms: u64::from(wire.timeout_seconds.unwrap_or(1)) * 1000,
        success_threshold: wire.success_threshold.unwrap_or(1),
        failure_threshold: wire.failure_threshold.unwrap_or(3),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::side::ImageCommand;
    use serde_json::json;

    fn id() -> MemberId {
        MemberId { rollout: Key::new("ns", "bank-churn"), hash: Hash::new("abc"), ordinal: 3 }
    }

    #[test]
    fn member_names_read_back() {
        assert_eq!(id().process(), "ns.bank-churn-abc-3");
        assert_eq!(MemberId::parse(&id().process()), Some(id()));
        let version = MemberId { rollout: Key::of_version(&Key::new("ns", "a.b"), "c-d"), ..id() };
        assert_eq!((version.pod().as_str(), version.process().as_str()), ("a.b-c-d-abc-3", "ns.a.b..c-d-abc-3"));
        assert_eq!(MemberId::parse(&version.process()), Some(version));
        assert_eq!(MemberId::parse("router"), None);
    }

    #[test]
    fn pools_grow_into_free_places_and_lose_the_youngest() {
        let set = |n: &[u32]| n.iter().copied().collect::<BTreeSet<_>>();
        let check = |size, live: &[u32], leaving: &[u32], start: &[u32], stop: &[u32]| {
            assert_eq!(changes(size, &set(live), &set(leaving)), (start.to_vec(), stop.to_vec()));
        };
        check(2, &[], &[], &[0, 1], &[]);
        check(2, &[0, 1], &[], &[], &[]);
        check(3, &[0, 2], &[1], &[3], &[]);
        check(1, &[0, 1, 4], &[], &[], &[4, 1]);
        check(0, &[0], &[1], &[], &[0]);
    }

    #[test]
    fn members_are_replaced_when_others_are_there() {
        let check = |size, serving, evicted: &[(u32, bool)], want: &[u32]| {
            assert_eq!(replaced(size, serving, evicted), want, "{size} wanted, {serving} stay");
        };
        check(1, 0, &[(0, true)], &[]);
        check(1, 1, &[(0, true)], &[0]);
        check(3, 2, &[(0, true), (1, true)], &[1]);
        check(3, 1, &[(0, true), (1, false), (2, true)], &[1]);
        check(0, 0, &[(0, true)], &[0]);
    }

    fn side() -> Side {
        let entry = ImageCommand {
            image: "*/bank".to_owned(),
            command: ["sh", "-c", "{tag} {port} {name}"].map(str::to_owned).to_vec(),
            env: BTreeMap::from([("TAG".to_owned(), "{tag}".to_owned())]),
            directory: None,
        };
        Side { images: vec![entry], ..Side::default() }
    }

    fn template(extra: Value) -> PodTemplate {
        let mut container = json!({
            "name": "c", "image": "reg:5000/x/bank:v2", "args": ["--fast"], "ports": [{"containerPort": 8000, "name": "http"}],
            "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 2},
        });
        if let (Some(c), Value::Object(extra)) = (container.as_object_mut(), extra) {
            c.extend(extra);
        }
        PodTemplate(json!({"metadata": {"labels": {"app": "bank"}}, "spec": {"containers": [container]}}))
    }

    #[test]
    fn a_process_is_made_of_its_container_and_the_side_file() {
        let (side, mut objects) = (side(), Objects::default());
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ns"}, "data": {"k": "c2VjcmV0"}});
        objects.secrets.insert(Key::new("ns", "s"), serde_json::from_value(secret).unwrap());
        let env = json!({"env": [
            {"name": "A", "value": "1"},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        ]});
        let ground = Ground { side: &side, objects: &objects, speed: 20.0 };
        let spec = process(&id(), &template(env), ground).unwrap();
        assert_eq!(spec.command[1..], ["-c", "v2 {port} bank-churn-abc-3", "--fast"]);
        let env: BTreeMap<String, String> = spec.env.into_iter().collect();
        assert_eq!(
            (env["A"].as_str(), env["B"].as_str(), env["C"].as_str(), env["TAG"].as_str()),
            ("1", "secret", "bank", "v2")
        );
        let readiness = spec.readiness.unwrap();
        assert_eq!((readiness.period_ms, readiness.timeout_ms), (200, 1000));
        assert_eq!(readiness.check, Check::Http { path: "/health".to_owned(), headers: Vec::new(), port: None });
    }

    #[test]
    fn what_is_missing_is_named() {
        let (side, objects) = (side(), Objects::default());
        let check = |template: PodTemplate, side: &Side, want: &str| {
            let why = process(&id(), &template, Ground { side, objects: &objects, speed: 1.0 }).unwrap_err();
            assert!(why.contains(want), "{why}");
        };
        check(template(json!({})), &Side::default(), "no command stands for image \"reg:5000/x/bank\"");
        check(PodTemplate(json!({})), &side, "no container");
        let env = |from: Value| template(json!({"env": [{"name": "X", "valueFrom": from}]}));
        check(env(json!({"secretKeyRef": {"name": "s", "key": "k"}})), &side, "Secret \"s\" has no key \"k\"");
        check(env(json!({"configMapKeyRef": {"name": "m", "key": "k"}})), &side, "ConfigMap \"m\" has no key \"k\"");
        check(env(json!({"fieldRef": {"fieldPath": "spec.nodeName"}})), &side, "spec.nodeName");
    }
}
