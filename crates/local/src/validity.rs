//! Whether a rollout can be carried out with the objects that are there: what was refused when it was applied can still come
//! about later, with a state of an older version or one that somebody changed.

use serin_core::invalid::Problem;
use serin_spec::validate::{self, CARRIED_ON_ONE_MACHINE, FieldError};
use serin_spec::wire::canary::AnalysisTemplateRef;
use serin_spec::wire::rollout::WorkloadRef;
use serin_spec::workload::{self, Holder};

use crate::model::{Key, Objects, Workload};
use crate::request;

/// Takes the template of the object that the rollout names, if that changed since, and finds out whether anything is wrong.
/// Returns whether the workload is another one now.
//= compat: 1.3-3, 1.3-4, 1.3-6, 8.1-3, 8.5-11
pub(crate) fn look(workload: &mut Workload, objects: &Objects) -> bool {
    let before = (workload.taken.clone(), workload.problem.clone());
    workload.problem = take(workload, objects).or_else(|| broken(workload, objects));
    before != (workload.taken.clone(), workload.problem.clone())
}

fn take(workload: &mut Workload, objects: &Objects) -> Option<Problem> {
    let Some(reference) = workload.object.spec.workload_ref.clone() else {
        (workload.held, workload.taken) = (None, None);
        return None;
    };
    let found = holder(objects, &workload.key(), &reference);
    let held = match workload::resolve(&reference, found.map(|holder| &holder.object)) {
        Ok(held) => held,
        Err(error) => return Some(Problem::Workload(error.to_string())),
    };
    if workload.taken.as_ref() == Some(&held) {
        return None;
    }
    let first = workload.taken.is_none();
    (workload.held, workload.taken) = (Some(held.clone()), Some(held));
    match first {
        true => workload.rollout = request::lowered(&workload.whole(), &workload.status),
        false => request::change(workload, |_| {}),
    }
    None
}

/// The object that a rollout takes its template from.
fn holder<'o>(objects: &'o Objects, rollout: &Key, reference: &WorkloadRef) -> Option<&'o Holder> {
    let kind = workload::kind(reference).ok()?;
    objects.holders.get(&(kind, rollout.beside(reference.name.as_deref()?)))
}

/// The first rule that it breaks, in the words of the original.
//= compat: 8.1-2, 8.1-3
fn broken(workload: &Workload, objects: &Objects) -> Option<Problem> {
    let mut errors = validate::rollout(&workload.object);
    if workload.held.is_some() {
        errors.extend(validate::resolved(&workload.whole()));
    }
    let find = |reference: &AnalysisTemplateRef| match reference.is_cluster_scope() {
        true => objects.cluster_templates.get(&reference.template_name).map(|t| &t.spec),
        false => objects.templates.get(&workload.key().beside(&reference.template_name)).map(|t| &t.spec),
    };
    errors.extend(validate::templates(&workload.object, &find));
    // The router of one machine carries more than the one that the manifest names.
    let counts = |error: &FieldError| !CARRIED_ON_ONE_MACHINE.contains(&error.detail.as_str());
    errors.into_iter().find(counts).map(|error| Problem::Spec(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use serin_core::Status;
    use serin_spec::wire::Rollout;

    fn workload(spec: Value) -> Workload {
        let object: Rollout = serde_json::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": { "name": "web", "generation": 1 }, "spec": spec,
        }))
        .unwrap();
        Workload {
            applied: Value::Null,
            rollout: request::lowered(&object, &Status::default()),
            object,
            held: None,
            taken: None,
            problem: None,
            status: Status::default(),
            pools: Vec::new(),
            services: Default::default(),
            split: None,
            reasons: Vec::new(),
            wake_at: None,
        }
    }

    fn behind() -> Workload {
        let reference = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" });
        workload(json!({ "workloadRef": reference, "strategy": { "canary": {} } }))
    }

    fn objects(image: &str) -> Objects {
        let template = json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "c", "image": image }] } });
        let holder = Holder::of(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
            "spec": { "selector": { "matchLabels": { "app": "web" } }, "template": template },
        }));
        let holder = holder.unwrap();
        let mut objects = Objects::default();
        objects.holders.insert((holder.kind, Key::new("default", "web")), holder);
        objects
    }

    fn image(workload: &Workload) -> String {
        workload.template().containers()[0].image.clone()
    }

    //= compat: 1.3-3, 1.3-4
    #[test]
    fn a_template_is_taken_and_not_written_into_the_rollout() {
        let mut workload = behind();
        assert!(look(&mut workload, &objects("m:1")));
        assert_eq!((image(&workload).as_str(), &workload.problem), ("m:1", &None));
        assert!(!look(&mut workload, &objects("m:1")), "twice is once");
        let manifest = workload.manifest();
        assert_eq!((manifest.spec.template, manifest.spec.selector), (None, None));
        assert_eq!(manifest.status.unwrap().selector.as_deref(), Some("app=web"));
        assert_eq!(workload.object.metadata.generation, Some(1));
    }

    #[test]
    fn only_a_file_that_changed_takes_back_what_a_command_changed() {
        let mut workload = behind();
        look(&mut workload, &objects("m:1"));
        let hash = workload.rollout.hash.clone();
        request::deploy(&mut workload, "2", None).unwrap();
        assert_ne!(workload.rollout.hash, hash);
        assert!(!look(&mut workload, &objects("m:1")));
        assert_eq!(image(&workload), "m:2");
        assert!(look(&mut workload, &objects("m:3")));
        assert_eq!((image(&workload).as_str(), workload.object.metadata.generation), ("m:3", Some(3)));
        assert_eq!(workload.object.spec.template, None);
    }

    //= compat: 1.3-6, 8.1-3, 8.5-11
    #[test]
    fn what_is_missing_is_a_problem_until_it_is_there() {
        let mut workload = behind();
        assert!(look(&mut workload, &Objects::default()));
        let missing = Problem::Workload("deployments.apps \"web\" not found".to_owned());
        assert_eq!(workload.problem, Some(missing));
        assert!(look(&mut workload, &objects("m:1")));
        assert_eq!(workload.problem, None);
        // It keeps what it had, should that go again.
        assert!(look(&mut workload, &Objects::default()));
        assert_eq!((workload.problem.is_some(), image(&workload).as_str()), (true, "m:1"));
    }

    //= compat: 8.1-2, 8.1-3
    #[test]
    fn the_first_broken_rule_is_the_problem() {
        let template = json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "c", "image": "m:1" }] } });
        let spec = |steps: Value| json!({ "selector": { "matchLabels": { "app": "web" } }, "template": template, "strategy": { "canary": { "steps": steps } } });
        let mut good = workload(spec(json!([{ "setWeight": 10 }])));
        assert!(!look(&mut good, &Objects::default()));
        let mut analysis = workload(spec(json!([{ "analysis": { "templates": [{ "templateName": "gone" }] } }])));
        look(&mut analysis, &Objects::default());
        let text = "spec.strategy.steps[0].analysis.templates: Invalid value: AnalysisTemplate 'gone' not found";
        assert_eq!(analysis.problem, Some(Problem::Spec(text.to_owned())));
        let mut bad = workload(spec(json!([{ "setWeight": 101 }, {}])));
        assert!(look(&mut bad, &Objects::default()));
        let Some(Problem::Spec(text)) = &bad.problem else { panic!("{:?}", bad.problem) };
        assert!(text.starts_with("spec.strategy.steps[0].setWeight: Invalid value: "), "{text}");
    }
}
