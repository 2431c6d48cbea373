//! `controller`: the flags are Argo's where Argo has one, so that its Deployment's arguments go on working.

use std::path::PathBuf;

use clap::Args;

/// `controller`
#[derive(Debug, Args)]
pub(crate) struct Controller {
    /// A kubeconfig; without one the service account of the pod, or the usual places
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Look at one namespace only
    #[arg(long)]
    pub(crate) namespaced: bool,
    /// The namespace that `--namespaced` means; that of the context without it
    #[arg(long, short, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Care for objects with this instance label only
    #[arg(long, default_value = "", value_name = "ID")]
    pub(crate) instance_id: String,
    /// Seconds after which everything is looked at though nothing was heard
    #[arg(long, default_value_t = 900, value_name = "SECONDS")]
    pub(crate) rollout_resync: u64,
    /// Rollouts and experiments that are looked at at the same time
    #[arg(long, visible_alias = "rollout-threads", default_value_t = 10, value_name = "N")]
    pub(crate) threads: usize,
    /// Analysis runs that are measured at the same time
    #[arg(long, default_value_t = 30, value_name = "N")]
    pub(crate) analysis_threads: usize,
    /// `analysis` to measure analysis runs and leave rollouts to another controller
    #[arg(long, value_name = "NAME", value_parser = ["analysis"])]
    pub(crate) controllers: Option<String>,
    /// The Prometheus of metrics that name none
    #[arg(long, env = "ARGO_ROLLOUTS_PROMETHEUS_ADDRESS", value_name = "URL")]
    pub(crate) prometheus_address: Option<String>,
    /// For tests: end at once before or after a write
    #[arg(long, hide = true, value_name = "before|after:VERB:KIND[:N]")]
    pub(crate) fault: Option<String>,
}
