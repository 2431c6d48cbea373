//! What an experiment asks for, and the snapshot that a decision about it is made from.

use super::status::ExperimentStatus;
use crate::Hash;
use crate::analysis::RunPhase;
use crate::time::{Span, Time};

/// What the user asks for: several versions side by side for a while, and what is measured meanwhile.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Experiment {
    /// Object name; pools and runs are named after it.
    pub name: String,
    /// The versions, names unique.
    pub templates: Vec<Template>,
    /// How long the versions run once all of them are there; without it until terminated or until the required analyses
    /// succeed.
    pub duration: Option<Span>,
    /// How long a version may go without getting more available members.
    pub progress_deadline: Span,
    /// How long the members of a version stay once it is over; zero stops them at once.
    pub scale_down_delay: Span,
    /// Stop early.
    pub terminate: bool,
    /// What is measured.
    pub analyses: Vec<Analysis>,
    /// Why the spec cannot be carried out at all, if so. Nothing is done for such an experiment until it is put right.
    pub invalid: Option<String>,
}

/// One version of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// Hash of its pods.
    pub hash: Hash,
    /// Wanted members.
    pub replicas: u32,
    /// The service that selects it, where one is asked for and its containers have a port.
    pub service: Option<String>,
}

/// One analysis of an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analysis {
    /// Its name.
    pub name: String,
    /// Whether the experiment lasts until it is done.
    pub required: bool,
    /// Why it cannot be begun, such as a template that does not exist.
    pub problem: Option<String>,
}

/// Everything a decision about an experiment may depend on, besides the time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExperimentWorld {
    /// What is wanted.
    pub experiment: Experiment,
    /// The memory of the experiment: what the last decision returned.
    pub status: ExperimentStatus,
    /// The pools that belong to the experiment.
    pub pools: Vec<TemplatePool>,
    /// The services that have a name which one of the templates asks for, and those that belong to the experiment.
    pub services: Vec<TemplateService>,
    /// The analysis runs that belong to the experiment, and those of others that have a name it might want.
    pub runs: Vec<ExperimentRun>,
}

/// The members that run one template.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplatePool {
    /// The template's name.
    pub template: String,
    /// Hash of its pods.
    pub hash: Hash,
    /// Wanted members.
    pub size: u32,
    /// Members that exist.
    pub members: u32,
    /// Members that pass their readiness probe.
    pub ready: u32,
    /// Members that have been ready for `minReadySeconds`.
    pub available: u32,
    /// When it is to be scaled to zero.
    pub scale_down_at: Option<Time>,
    /// Whether a router was last seen to give it a share of a rollout's requests.
    pub routed: bool,
    /// Why its members can never be made, if so.
    pub refused: Option<String>,
}

impl TemplatePool {
    /// A pool without members.
    pub fn new(template: impl Into<String>, hash: Hash) -> Self {
        Self {
            template: template.into(),
            hash,
            size: 0,
            members: 0,
            ready: 0,
            available: 0,
            scale_down_at: None,
            routed: false,
            refused: None,
        }
    }
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateService {
    /// Object name.
    pub name: String,
    /// The template of this experiment that it belongs to; `None` for a service of somebody else.
    pub template: Option<String>,
}

/// An analysis run, as far as the experiment cares.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentRun {
    /// Object name.
    pub name: String,
    /// The analysis of this experiment that it carries out; `None` for a run of somebody else.
    pub analysis: Option<String>,
    /// Where it stands.
    pub phase: RunPhase,
    /// Why it stands there.
    pub message: String,
    /// Whether it has been told to stop.
    pub terminating: bool,
}

impl ExperimentWorld {
    /// The pool of this template.
    pub fn pool(&self, template: &str) -> Option<&TemplatePool> {
        self.pools.iter().find(|p| p.template == template)
    }

    /// The run of this name that belongs to the experiment.
    pub fn run(&self, name: &str) -> Option<&ExperimentRun> {
        self.runs.iter().find(|r| r.name == name && r.analysis.is_some())
    }

    /// The service of this name.
    pub fn service(&self, name: &str) -> Option<&TemplateService> {
        self.services.iter().find(|s| s.name == name)
    }
}
