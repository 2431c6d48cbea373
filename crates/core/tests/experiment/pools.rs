//! Pools and services of an experiment.

use serin_core::experiment::{Experiment, TemplatePool, TemplateService};
use serin_core::{Hash, Span};

use crate::stage::{Stage, as_is, experiment, template};

//= compat: 5.2-5, 5.2-6
#[test]
fn members_stay_for_the_delay_and_then_go() {
    let mut stage = Stage::running(experiment(|e| e.duration = Some(Span::from_secs(10))));
    stage.wait(11);
    assert_eq!((stage.phase(), stage.sizes().as_str()), ("Successful", "baseline 1, canary 1"));
    assert_eq!(stage.next(), " | ended scale-down-planned scale-down-planned");
    stage.wait(28);
    assert_eq!(stage.sizes(), "baseline 1, canary 1");
    stage.wait(2);
    assert_eq!(stage.sizes(), "baseline 0, canary 0");
    assert_eq!(stage.settle(), None);
}

//= compat: 5.2-6
#[test]
fn without_a_delay_members_go_at_once() {
    let mut stage = Stage::running(experiment(|e| e.scale_down_delay = Span::ZERO));
    stage.world.experiment.terminate = true;
    stage.settle();
    assert_eq!(stage.sizes(), "baseline 0, canary 0");
}

#[test]
fn members_stay_while_a_router_sends_them_requests() {
    let mut stage = Stage::running(experiment(|e| e.scale_down_delay = Span::ZERO));
    stage.pool("canary").routed = true;
    stage.world.experiment.terminate = true;
    stage.settle();
    assert_eq!(stage.sizes(), "baseline 0, canary 1");
    assert_eq!(stage.next(), " | ended awaiting-router");
    stage.pool("canary").routed = false;
    stage.settle();
    assert_eq!(stage.sizes(), "baseline 0, canary 0");
}

//= compat: 5.3-14
#[test]
fn changed_replicas_of_a_running_experiment_are_followed() {
    let mut stage = Stage::running(experiment(as_is));
    stage.world.experiment.templates[1].replicas = 3;
    stage.members_come = false;
    stage.settle();
    assert_eq!(stage.sizes(), "baseline 1, canary 3");
    assert_eq!((stage.phase(), stage.templates().as_str()), ("Running", "baseline Running, canary Progressing"));
    stage.members_come = true;
    stage.world.experiment.templates[1].replicas = 2;
    stage.settle();
    assert_eq!(stage.sizes(), "baseline 1, canary 2");
    assert_eq!(stage.templates(), "baseline Running, canary Running");
}

#[test]
fn a_planned_scale_down_is_dropped_when_members_are_wanted_again() {
    let mut stage = Stage::running(experiment(as_is));
    stage.world.experiment.templates[1].replicas = 0;
    stage.settle();
    assert!(stage.pool("canary").scale_down_at.is_some());
    stage.world.experiment.templates[1].replicas = 1;
    stage.settle();
    assert_eq!((stage.pool("canary").scale_down_at, stage.sizes().as_str()), (None, "baseline 1, canary 1"));
}

#[test]
fn a_template_taken_out_of_the_spec_goes_with_its_service() {
    let mut stage = Stage::running(experiment(|e| {
        e.scale_down_delay = Span::ZERO;
        e.templates[1].service = Some("exp-canary".to_owned());
    }));
    stage.world.experiment.templates.pop();
    stage.settle();
    assert_eq!((stage.sizes().as_str(), stage.templates().as_str()), ("baseline 1, canary 0", "baseline Running"));
    assert_eq!(stage.world.services, []);
}

//= compat: 5.2-2
#[test]
fn two_pools_of_one_template_stop_everything_until_one_is_gone() {
    let mut stage = Stage::running(experiment(|e| e.duration = Some(Span::from_secs(10))));
    stage.world.pools.push(TemplatePool::new("canary", Hash::new("other")));
    let before = stage.world.clone();
    stage.wait(1000);
    assert_eq!(stage.world, before);
    assert_eq!(stage.next(), " | two-pools");
    stage.world.pools.pop();
    stage.settle();
    assert_eq!(stage.phase(), "Successful");
}

fn served(experiment: &mut Experiment) {
    experiment.templates = vec![template("a", 1)];
    experiment.templates[0].service = Some("exp-a".to_owned());
}

fn services(stage: &Stage) -> Vec<(&str, Option<&str>)> {
    stage.world.services.iter().map(|s| (s.name.as_str(), s.template.as_deref())).collect()
}

//= compat: 5.2-3, 5.2-4
#[test]
fn a_service_comes_with_its_pool_and_goes_after_its_members() {
    let mut stage = Stage::new(experiment(served));
    stage.pass();
    assert_eq!(services(&stage), []);
    stage.settle();
    assert_eq!(services(&stage), [("exp-a", Some("a"))]);
    assert_eq!(stage.world.status.template("a").unwrap().service.as_deref(), Some("exp-a"));
    stage.world.experiment.terminate = true;
    stage.settle();
    assert_eq!(services(&stage), [("exp-a", Some("a"))], "the members are still there");
    stage.wait(30);
    assert_eq!((stage.sizes().as_str(), services(&stage)), ("a 0", vec![]));
    assert_eq!(stage.world.status.template("a").unwrap().service, None);
}

//= compat: 5.2-4
#[test]
fn a_service_stays_while_members_answer() {
    let mut stage = Stage::running(experiment(|e| {
        served(e);
        e.scale_down_delay = Span::ZERO;
    }));
    stage.members_come = false;
    stage.world.experiment.terminate = true;
    stage.pass();
    stage.pool("a").available = 1;
    stage.settle();
    assert_eq!(services(&stage), [("exp-a", Some("a"))]);
    stage.pool("a").available = 0;
    stage.settle();
    assert_eq!(services(&stage), []);
}

//= compat: 5.2-3
#[test]
fn a_service_of_somebody_else_is_an_error_and_stays() {
    let mut stage = Stage::new(experiment(served));
    stage.world.services.push(TemplateService { name: "exp-a".to_owned(), template: None });
    stage.wait(100);
    assert_eq!(stage.state(), "Error: service 'exp-a' exists and does not belong to template 'a'");
    assert_eq!(services(&stage), [("exp-a", None)]);
}

/// Members that are wanted, though none answers now, keep their service.
//= compat: 5.2-4
#[test]
fn a_service_stays_while_members_are_wanted() {
    let mut stage = Stage::running(experiment(served));
    stage.members_come = false;
    stage.world.experiment.terminate = true;
    stage.available("a", 0);
    stage.settle();
    assert_eq!((stage.sizes().as_str(), services(&stage)), ("a 1", vec![("exp-a", Some("a"))]));
}
