//! The flags that make a command work on a cluster.

use std::path::PathBuf;

use clap::Args;

/// Which cluster, instead of the control process of this machine. Any of these makes a command work there.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "On a cluster")]
pub(crate) struct Kube {
    /// Work on the cluster of this context of the kubeconfig
    #[arg(long, global = true, env = "SERIN_KUBE_CONTEXT", value_name = "CONTEXT")]
    pub(crate) kube_context: Option<String>,
    /// Work on the cluster of this kubeconfig
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Work in this namespace of the cluster
    #[arg(long, short = 'n', global = true, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
}

impl Kube {
    /// Whether a cluster is meant.
    pub(crate) fn is_asked(&self) -> bool {
        self.kube_context.is_some() || self.kubeconfig.is_some() || self.namespace.is_some()
    }

    /// What the client is told.
    pub(crate) fn options(&self) -> serin_cluster::Options {
        serin_cluster::Options {
            kubeconfig: self.kubeconfig.clone(),
            context: self.kube_context.clone(),
            ..serin_cluster::Options::default()
        }
    }
}
