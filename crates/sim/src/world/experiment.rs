//! Experiments in the simulated world: pools and services of their own, runs, and their own memory.

use serin_core::analysis::RunPhase;
use serin_core::experiment::{
    Analysis, Experiment, ExperimentAction, ExperimentRun, ExperimentStatus, ExperimentWorld, Template, TemplatePool,
    TemplateService,
};
use serin_core::world::{ExperimentPool, StepExperiment};
use serin_core::{Hash, Span, Time};

use super::Cluster;

/// What an experiment step asks for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExperimentPlan {
    /// The versions.
    pub templates: Vec<TemplatePlan>,
    /// How long they run; without it until the required analyses are done.
    pub duration: Option<Span>,
    /// How long their members stay afterwards.
    pub scale_down_delay: Span,
    /// Analyses by name, and whether the experiment lasts until each is done.
    pub analyses: Vec<(String, bool)>,
}

/// A version of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplatePlan {
    /// Its name.
    pub name: String,
    /// Whether it is the version under test, and not the stable one.
    pub canary: bool,
    /// Its members.
    pub replicas: u32,
    /// Whether it has a service of its own, as it needs for a share of the requests.
    pub service: bool,
}

/// An experiment that exists.
#[derive(Debug, Clone)]
pub(super) struct SimExperiment {
    spec: Experiment,
    pub(super) status: ExperimentStatus,
    pub(super) pools: Vec<TemplatePool>,
    services: Vec<TemplateService>,
    pub(super) runs: Vec<ExperimentRun>,
    /// Version under test.
    pub(super) hash: Hash,
    created: Time,
}

impl Cluster {
    /// Names of the experiments there are.
    pub fn experiments(&self) -> Vec<String> {
        self.experiments.keys().cloned().collect()
    }

    /// The snapshot of an experiment that an adapter would take now.
    pub fn experiment_world(&self, name: &str) -> Option<ExperimentWorld> {
        let experiment = self.experiments.get(name)?;
        let split = self.truth.split.as_ref();
        let routed = |hash: &Hash| split.is_some_and(|s| s.experiment.iter().any(|d| d.hash == *hash && d.weight > 0));
        let pools = experiment.pools.iter().map(|p| TemplatePool { routed: routed(&p.hash), ..p.clone() });
        Some(ExperimentWorld {
            experiment: experiment.spec.clone(),
            status: experiment.status.clone(),
            pools: pools.collect(),
            services: experiment.services.clone(),
            runs: experiment.runs.clone(),
        })
    }

    /// Keeps what a decision about an experiment decided to remember.
    pub fn keep_experiment(&mut self, name: &str, status: ExperimentStatus) {
        if let Some(experiment) = self.experiments.get_mut(name) {
            experiment.status = status;
        }
        self.show_experiments();
    }

    pub(super) fn start_experiment(&mut self, name: &str, step: usize, hash: &Hash) {
        let Some(plan) = self.experiment_plans.get(&step).filter(|_| !self.experiments.contains_key(name)) else {
            return;
        };
        let stable = self.truth.status.stable.clone();
        let mut templates = Vec::new();
        for template in &plan.templates {
            let version = if template.canary { Some(hash) } else { stable.as_ref() };
            let own = Hash::new(format!("{name}-{}", template.name));
            // Its pods behave as those of the version that they are made of.
            if let Some(version) = version.and_then(|v| self.versions.get(v)).cloned() {
                self.versions.insert(own.clone(), version);
            }
            let service = template.service.then(|| own.to_string());
            let (name, replicas) = (template.name.clone(), template.replicas);
            templates.push(Template { name, hash: own, replicas, service });
        }
        let analysis =
            |(name, required): &(String, bool)| Analysis { name: name.clone(), required: *required, problem: None };
        let spec = Experiment {
            name: name.to_owned(),
            templates,
            duration: plan.duration,
            progress_deadline: self.truth.rollout.progress_deadline,
            scale_down_delay: plan.scale_down_delay,
            terminate: false,
            analyses: plan.analyses.iter().map(analysis).collect(),
            invalid: None,
        };
        let experiment = SimExperiment {
            spec,
            status: ExperimentStatus::default(),
            pools: Vec::new(),
            services: Vec::new(),
            runs: Vec::new(),
            hash: hash.clone(),
            created: self.now,
        };
        self.experiments.insert(name.to_owned(), experiment);
        self.show_experiments();
    }

    pub(super) fn stop_experiment(&mut self, name: &str) {
        if let Some(experiment) = self.experiments.get_mut(name) {
            experiment.spec.terminate = true;
        }
        self.show_experiments();
    }

    pub(super) fn delete_experiment(&mut self, name: &str) {
        for pool in self.experiments.remove(name).into_iter().flat_map(|e| e.pools) {
            self.members.remove(&pool.hash);
        }
        self.show_experiments();
    }

    /// Carries out one action of an experiment, as an adapter would. Twice is once.
    pub fn apply_to_experiment(&mut self, name: &str, action: &ExperimentAction) {
        let Some(experiment) = self.experiments.get_mut(name) else { return };
        let pool = |pools: &mut Vec<TemplatePool>, template: &str, edit: &mut dyn FnMut(&mut TemplatePool)| {
            pools.iter_mut().filter(|p| p.template == template).for_each(edit);
        };
        match action {
            ExperimentAction::CreatePool { template, hash } => {
                if !experiment.pools.iter().any(|p| p.template == *template) {
                    experiment.pools.push(TemplatePool::new(template.as_str(), hash.clone()));
                }
            }
            ExperimentAction::ScalePool { template, size } => {
                let mut scaled = None;
                pool(&mut experiment.pools, template, &mut |p| {
                    p.size = *size;
                    if *size == 0 {
                        p.scale_down_at = None;
                    }
                    scaled = Some(p.hash.clone());
                });
                if let Some(hash) = scaled {
                    self.staff(&hash, *size);
                }
            }
            ExperimentAction::SetScaleDownAt { template, at } => {
                pool(&mut experiment.pools, template, &mut |p| p.scale_down_at = *at);
            }
            ExperimentAction::CreateService { template, name } => {
                if !experiment.services.iter().any(|s| s.name == *name) {
                    experiment.services.push(TemplateService { name: name.clone(), template: Some(template.clone()) });
                }
            }
            ExperimentAction::DeleteService { name } => experiment.services.retain(|s| s.name != *name),
            ExperimentAction::StartRun { name: run, analysis } => self.start_experiment_run(name, run, analysis),
            ExperimentAction::StopRun { name: run } => {
                experiment.runs.iter_mut().filter(|r| r.name == *run).for_each(|r| r.terminating = true);
                self.stop_run(run);
            }
        }
        self.show_experiments();
    }

    fn start_experiment_run(&mut self, experiment: &str, name: &str, analysis: &str) {
        if self.runs.contains_key(name) {
            return;
        }
        let phase = self.insert_run(name, self.plans.any());
        if let Some(experiment) = self.experiments.get_mut(experiment) {
            experiment.runs.push(ExperimentRun {
                name: name.to_owned(),
                analysis: Some(analysis.to_owned()),
                phase,
                message: String::new(),
                terminating: false,
            });
        }
    }

    /// What a rollout observes of its experiments.
    pub(super) fn show_experiments(&mut self) {
        let shown = self.experiments.iter().map(|(name, experiment)| StepExperiment {
            name: name.clone(),
            hash: experiment.hash.clone(),
            phase: experiment.status.phase.unwrap_or(RunPhase::Pending),
            message: experiment.status.message.clone(),
            terminating: experiment.spec.terminate,
            created: experiment.created,
            pools: experiment
                .pools
                .iter()
                .map(|pool| ExperimentPool {
                    template: pool.template.clone(),
                    hash: pool.hash.clone(),
                    members: pool.members,
                    available: pool.available,
                    service: experiment
                        .services
                        .iter()
                        .find(|s| s.template.as_deref() == Some(pool.template.as_str()))
                        .map(|s| s.name.clone()),
                })
                .collect(),
        });
        self.truth.experiments = shown.collect();
    }
}
