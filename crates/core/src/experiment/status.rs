//! The memory of an experiment: the fields of Argo's `status`, in the core's terms.

use crate::Hash;
use crate::analysis::RunPhase;
use crate::condition::Conditions;
use crate::time::Time;

/// What the experiment remembers between decisions.
//= compat: 5.1-2
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExperimentStatus {
    /// Where it stands; `None` until something was decided about a valid spec.
    pub phase: Option<RunPhase>,
    /// Why it stands there.
    pub message: String,
    /// When all versions were there; the duration counts from it.
    pub available_at: Option<Time>,
    /// One entry per template that was looked at.
    pub templates: Vec<TemplateStatus>,
    /// One entry per analysis that was begun or cannot be.
    pub analyses: Vec<AnalysisStatus>,
    /// Conditions, in Argo's order of last change.
    pub conditions: Conditions,
}

/// What is known of one template.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TemplateStatus {
    /// The template's name.
    pub name: String,
    /// Where it stands.
    pub phase: TemplatePhase,
    /// Why.
    pub message: String,
    /// When the phase changed, or when it last got more available members.
    pub transitioned: Time,
    /// Existing members.
    pub members: u32,
    /// Ready members.
    pub ready: u32,
    /// Available members.
    pub available: u32,
    /// Bumped when its pool's name was taken.
    pub collision_count: u32,
    /// The service that selects it, while there is one.
    pub service: Option<String>,
    /// Hash of its pods, once it has a pool.
    pub hash: Option<Hash>,
}

/// What is known of one analysis.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AnalysisStatus {
    /// The analysis' name.
    pub name: String,
    /// Object name of its run; empty where it could not be begun.
    pub run: String,
    /// Phase when last looked at.
    pub phase: RunPhase,
    /// Message when last looked at.
    pub message: String,
}

/// Where a template stands.
//= compat: 5.1-3
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TemplatePhase {
    /// Not every member is available yet.
    #[default]
    Progressing,
    /// Every member is available.
    Running,
    /// Its time is over.
    Successful,
    /// Its members did not come in time.
    Failed,
    /// It cannot be carried out.
    Error,
}

impl TemplatePhase {
    const ALL: [TemplatePhase; 5] = [
        TemplatePhase::Progressing,
        TemplatePhase::Running,
        TemplatePhase::Successful,
        TemplatePhase::Failed,
        TemplatePhase::Error,
    ];

    /// Argo's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            TemplatePhase::Progressing => "Progressing",
            TemplatePhase::Running => "Running",
            TemplatePhase::Successful => "Successful",
            TemplatePhase::Failed => "Failed",
            TemplatePhase::Error => "Error",
        }
    }

    /// Reads Argo's word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == word)
    }

    /// Whether it is final.
    pub const fn is_completed(self) -> bool {
        matches!(self, TemplatePhase::Successful | TemplatePhase::Failed | TemplatePhase::Error)
    }

    /// How bad it is; the worst template decides an experiment.
    //= compat: 5.1-3
    pub const fn severity(self) -> u8 {
        match self {
            TemplatePhase::Successful => 0,
            TemplatePhase::Running => 1,
            TemplatePhase::Progressing => 2,
            TemplatePhase::Error => 3,
            TemplatePhase::Failed => 4,
        }
    }
}

impl ExperimentStatus {
    /// Whether it is over.
    pub fn is_completed(&self) -> bool {
        self.phase.is_some_and(RunPhase::is_completed)
    }

    /// The entry of this template.
    pub fn template(&self, name: &str) -> Option<&TemplateStatus> {
        self.templates.iter().find(|t| t.name == name)
    }

    /// The entry of this analysis.
    pub fn analysis(&self, name: &str) -> Option<&AnalysisStatus> {
        self.analyses.iter().find(|a| a.name == name)
    }
}
