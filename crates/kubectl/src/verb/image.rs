//! Another image.

use serde_json::Value;
use serin_controller::write::{Target, Verb};
use serin_controller::{Object, Write};

use super::VerbError;

/// The object that holds the template (a rollout, or what its `workloadRef` names) with another image in the containers of a
/// name, or in all of them for `*`. It is written whole, with the version it was read at, so that nobody's change is lost.
///
/// # Errors
/// When no container has this name.
//= compat: 7.6-1
pub fn set_image(holder: &Object, container: &str, image: &str) -> Result<Write, VerbError> {
    let mut changed = holder.0.clone();
    let path = if holder.kind() == "PodTemplate" { "/template/spec" } else { "/spec/template/spec" };
    let mut found = false;
    if let Some(pod) = changed.pointer_mut(path) {
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            for one in pod.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                if (container == "*" || one["name"] == container) && one.is_object() {
                    one["image"] = image.into();
                    found = true;
                }
            }
        }
    }
    match found {
        true => Ok(Write::new(Target::of(holder), Verb::Update(changed))),
        false => Err(VerbError::NoContainer(container.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn images(kind: &str, container: &str) -> Result<Vec<String>, VerbError> {
        let pod = json!({ "spec": {
            "initContainers": [{ "name": "web", "image": "a:1" }],
            "containers": [{ "name": "side", "image": "b:1" }, { "name": "web", "image": "a:1" }],
            "ephemeralContainers": [{ "name": "web", "image": "a:1" }],
        } });
        let holder = match kind {
            "PodTemplate" => json!({ "kind": kind, "template": pod }),
            _ => json!({ "kind": kind, "spec": { "template": pod } }),
        };
        let write = set_image(&Object(holder), container, "a:2")?;
        let Verb::Update(changed) = write.verb else { panic!("{write:?}") };
        let pod = if kind == "PodTemplate" { &changed["template"] } else { &changed["spec"]["template"] };
        let lists = ["initContainers", "containers", "ephemeralContainers"];
        let all = lists.into_iter().flat_map(|list| pod["spec"][list].as_array().unwrap());
        Ok(all.map(|one| one["image"].as_str().unwrap().to_owned()).collect())
    }

    //= compat: 7.6-1
    #[test]
    fn containers_of_a_name_or_all_get_the_image() {
        for kind in ["Rollout", "Deployment", "PodTemplate"] {
            assert_eq!(images(kind, "web").unwrap(), ["a:2", "b:1", "a:2", "a:2"]);
            assert_eq!(images(kind, "*").unwrap(), ["a:2", "a:2", "a:2", "a:2"]);
            assert_eq!(images(kind, "none").unwrap_err().to_string(), "unable to find container named \"none\"");
        }
    }
}
