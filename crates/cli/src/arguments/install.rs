//! `install` and `migrate`: the way to a cluster.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serin_controller::install::EvidenceLog;

/// `install`
#[derive(Debug, Args)]
pub(crate) struct Install {
    /// Drive the rollouts of this namespace alone, instead of those of the whole cluster
    #[arg(long, value_name = "NAMESPACE", value_parser = name)]
    pub(crate) namespaced: Option<String>,
    /// Where the controller runs: `serin`, or with --namespaced the same namespace
    #[arg(long, value_name = "NAMESPACE", value_parser = name)]
    pub(crate) controller_namespace: Option<String>,
    /// Let secrets of this namespace be arguments of analyses (repeat it for more)
    #[arg(long, value_name = "NAMESPACE", value_parser = name, conflicts_with = "namespaced")]
    pub(crate) secrets_in: Vec<String>,
    /// Image of the controller
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// Processes, of which one leads
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) replicas: u32,
    /// Drive only objects with this controller-instance-id label
    #[arg(long, default_value = "", value_name = "NAME", value_parser = instance)]
    pub(crate) instance_id: String,
    /// Log every update that sequential metrics judge, for `serin replay` and `serin report`: in the pod, or in this volume claim
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "", value_name = "CLAIM",
        value_parser = claim)]
    pub(crate) evidence_log: Option<String>,
    /// Most that these logs may take together, in MiB
    #[arg(long, value_name = "MIB", requires = "evidence_log", default_value_t = EvidenceLog::MAX_MIB,
        value_parser = clap::value_parser!(u32).range(4..=1 << 20))]
    pub(crate) evidence_log_max: u32,
    /// Leave out what a cluster has once: the definitions, and the roles for people
    #[arg(long)]
    pub(crate) without_crds: bool,
    /// Apply the objects instead of printing them
    #[arg(long)]
    pub(crate) apply: bool,
    /// Show what applying would change, and change nothing
    #[arg(long, conflicts_with = "apply")]
    pub(crate) diff: bool,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Which cluster.
#[derive(Debug, Clone, Args)]
pub(crate) struct Reach {
    /// Path of the kubeconfig
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub(crate) kube_context: Option<String>,
}

/// Longest name of a namespace.
const NAME_MAX: usize = 63;
/// Longest name of an instance, which names of objects begin with.
const INSTANCE_MAX: usize = 30;

fn name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = !text.is_empty() && text.len() <= NAME_MAX && text.chars().all(plain);
    match good && !text.starts_with('-') && !text.ends_with('-') {
        true => Ok(text.to_owned()),
        false => Err("expected small letters, digits and dashes".to_owned()),
    }
}

fn claim(text: &str) -> Result<String, String> {
    if text.is_empty() { Ok(String::new()) } else { name(text) }
}

fn instance(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Ok(String::new()),
        1..=INSTANCE_MAX => name(text),
        _ => Err(format!("expected at most {INSTANCE_MAX} letters")),
    }
}

/// `migrate`
#[derive(Debug, Subcommand)]
pub(crate) enum Migrate {
    /// A Deployment becomes a Rollout
    Deployment(MigrateDeployment),
}

/// `migrate deployment`
#[derive(Debug, Args)]
pub(crate) struct MigrateDeployment {
    /// Its name; on the cluster, where no files are given
    #[arg(required_unless_present = "files")]
    pub(crate) name: Option<String>,
    /// Files or folders with the Deployment and what stands in front of it: Services, Ingresses, routes, autoscalers
    #[arg(long = "filename", short = 'f', value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Namespace on the cluster; that of the context when not given
    #[arg(long, short = 'n', value_name = "NAME", value_parser = name)]
    pub(crate) namespace: Option<String>,
    /// How a new version takes over
    #[arg(long, value_enum, default_value_t = Strategy::Canary)]
    pub(crate) strategy: Strategy,
    /// Leave the template in the Deployment, which stays at zero replicas
    #[arg(long)]
    pub(crate) workload_ref: bool,
    /// The Service in front of the pods, where several select them
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// Show the steps of a move of the running Deployment, and change nothing
    #[arg(long, conflicts_with = "files")]
    pub(crate) plan: bool,
    /// Move the running Deployment
    #[arg(long, conflicts_with_all = ["files", "plan"])]
    pub(crate) apply: bool,
    /// Delete the Deployment at the end of a move instead of leaving it at zero replicas
    #[arg(long, conflicts_with = "workload_ref")]
    pub(crate) delete: bool,
    /// Longest wait for one step of a move, in seconds; it can be taken up again
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) timeout: u64,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// How a new version takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Strategy {
    /// Step by step
    Canary,
    /// At once, when a person says so
    #[value(name = "blueGreen", alias = "blue-green")]
    BlueGreen,
}
