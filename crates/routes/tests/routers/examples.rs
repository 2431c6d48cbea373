//! The examples that users begin with: those of `docs/routers.md`, and the services of `examples/ml-portfolio`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use serin_core::Hash;
use serin_routes::Service;

use crate::stage::Stage;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The objects as a server keeps them: in a namespace, and the Rollout with a uid; and what its Services select.
fn stage(mut objects: Vec<Value>, rollout: &str) -> Stage {
    for object in &mut objects {
        object["metadata"]["namespace"] = json!("default");
    }
    let at = objects.iter().position(|o| o["kind"] == "Rollout" && o["metadata"]["name"] == *rollout).unwrap();
    let mut rollout = objects.remove(at);
    rollout["metadata"]["uid"] = json!("u-1");
    let service = |role: &str, version: &str| {
        let name = rollout["spec"]["strategy"]["canary"][role].as_str().unwrap();
        Service { name: name.to_owned(), selects: Some(Hash::new(version)), port: None }
    };
    Stage {
        services: vec![service("stableService", "v1"), service("canaryService", "v2")],
        rollout: serde_json::from_value(rollout).unwrap(),
        version: Hash::new("v2"),
        objects,
        keeps_names: true,
    }
}

#[test]
fn the_examples_of_the_documentation_carry_a_split() {
    let text = fs::read_to_string(root("docs/routers.md")).unwrap();
    let blocks = text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut carried = 0;
    for block in blocks {
        let objects: Vec<Value> = serde_saphyr::from_multiple(block).unwrap();
        if objects.iter().all(|object| object["kind"] != "Rollout") {
            continue;
        }
        let mut stage = stage(objects, "shop");
        let routes = if block.contains("httpRoute: shop") { vec!["testers", "shadow"] } else { vec![] };
        let split = stage.with_routes(stage.weight(20), &routes);
        assert_eq!((split.header_routes.len(), split.mirrors.len()), (routes.len() / 2, routes.len() / 2));
        assert_eq!(stage.carry(&split).len(), 1);
        assert_eq!(stage.observe(), Ok(Some(split)));
        carried += 1;
    }
    assert_eq!(carried, 2);
}

#[test]
fn the_services_of_the_portfolio_carry_a_split() {
    let mut text = fs::read_to_string(root("examples/ml-portfolio/k8s/ingresses.yaml")).unwrap();
    let folder = root("examples/ml-portfolio/k8s/argo-rollouts");
    let names = ["bankchurn", "chicagotaxi", "nlpinsight"];
    for name in names {
        text += "\n---\n";
        text += &fs::read_to_string(folder.join(format!("{name}-rollout.yaml"))).unwrap();
    }
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let rollouts: Vec<&str> =
        objects.iter().filter(|o| o["kind"] == "Rollout").map(|o| o["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(rollouts.len(), names.len());
    for name in rollouts {
        let mut stage = stage(objects.clone(), name);
        assert_eq!(stage.observe(), Ok(None), "{name}");
        for weight in [0, 20, 50, 100, 0] {
            assert_eq!(stage.carry(&stage.weight(weight)).len(), 1, "{name} at {weight}");
            assert_eq!(stage.observe(), Ok(Some(stage.weight(weight))));
        }
    }
}
