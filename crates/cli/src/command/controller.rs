//! `serin controller`: rollouts on a cluster.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serin_cluster::process::Ports;
use serin_cluster::{Client, Election, EvidenceLog, Fault, Options, Process, Settings, Timing};

use crate::arguments::Controller;
use crate::error::CliError;

/// Where a pod finds the name of its namespace.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

pub(super) fn run(controller: Controller) -> Result<ExitCode, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::io("start the runtime"))?;
    let local = tokio::task::LocalSet::new();
    runtime.block_on(local.run_until(work(controller)))
}

async fn work(controller: Controller) -> Result<ExitCode, CliError> {
    for (flag, why) in controller.ignored.all() {
        tracing::warn!("--{flag}: ignored: {why}");
    }
    let in_pod = controller.kubeconfig.is_none() && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    let election = election(&controller, in_pod)?;
    let address = listen_address(controller.listen_address, in_pod);
    let at = |port| SocketAddr::new(address, port);
    let ports = Ports { health: at(controller.healthz_port), metrics: at(controller.metrics_port) };
    let options = Options {
        kubeconfig: controller.kubeconfig,
        context: controller.context,
        impersonate: controller.impersonate,
        // A disruption budget may refuse for hours; nothing else of the rollout waits for that.
        returns_busy: true,
        ..Options::default()
    };
    let client = Client::new(&options).await?;
    let fault = match controller.fault {
        Some(text) => Fault::parse(&text).map_err(|why| CliError::usage(why, "it is for tests only"))?,
        None => Fault::default(),
    };
    let settings = Settings {
        namespace: controller.namespaced.then(|| controller.namespace.unwrap_or_else(|| client.namespace().to_owned())),
        instance: controller.instance_id,
        workers: controller.threads,
        analysis_workers: controller.analysis_threads,
        resync: Duration::from_secs(controller.rollout_resync.max(1)),
        analysis_only: controller.controllers.as_deref() == Some("analysis"),
        prometheus: controller.prometheus_address,
        evidence_log: controller
            .evidence_log
            .map(|folder| EvidenceLog { folder, bytes_max: controller.evidence_log_max << 20 }),
    };
    let (stop, stopped) = tokio::sync::watch::channel(false);
    tokio::task::spawn_local(async move {
        signal().await;
        tracing::info!("was told to stop");
        let _ = stop.send(true);
    });
    let process = Process::new(client, settings, fault, election, ports, env!("CARGO_PKG_VERSION")).await?;
    process.run(stopped).await?;
    Ok(ExitCode::SUCCESS)
}

/// In a pod there may be another one of the same Deployment; somebody who tries a controller by hand has one.
fn election(controller: &Controller, in_pod: bool) -> Result<Option<Election>, CliError> {
    if !controller.leader_elect.unwrap_or(in_pod) {
        return Ok(None);
    }
    let timing = Timing {
        lease: controller.leader_election_lease_duration,
        renew: controller.leader_election_renew_deadline,
        retry: controller.leader_election_retry_period,
    };
    if let Some(problem) = timing.problem() {
        return Err(CliError::usage(problem, "the defaults are 15s, 10s and 2s"));
    }
    let namespace = namespace(std::env::var("POD_NAMESPACE").ok(), Path::new(ACCOUNT));
    Ok(Some(Election::new(namespace, &controller.instance_id, timing)))
}

/// The kubelet asks a pod from outside of it, so Argo's Deployment must need no further argument; on a person's machine nobody
/// else is to ask.
fn listen_address(asked: Option<IpAddr>, in_pod: bool) -> IpAddr {
    let usual = if in_pod { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
    asked.unwrap_or(usual.into())
}

/// Where the controller runs.
//= compat: 9.1-1
fn namespace(named: Option<String>, account: &Path) -> String {
    let read = || std::fs::read_to_string(account).ok().map(|text| text.trim().to_owned());
    let found = named.filter(|name| !name.is_empty()).or_else(read);
    found.filter(|name| !name.is_empty()).unwrap_or_else(|| "argo-rollouts".to_owned())
}

async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pod_can_be_asked_from_elsewhere_without_being_told() {
        assert!(listen_address(None, false).is_loopback());
        assert!(listen_address(None, true).is_unspecified());
        let asked = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(listen_address(Some(asked), true), asked);
    }

    //= compat: 9.1-1
    #[test]
    fn the_namespace_of_the_lease_is_that_of_the_pod() {
        let folder = tempfile::tempdir().unwrap();
        let account = folder.path().join("namespace");
        assert_eq!(namespace(None, &account), "argo-rollouts");
        std::fs::write(&account, "of-the-account\n").unwrap();
        assert_eq!(namespace(None, &account), "of-the-account");
        assert_eq!(namespace(Some(String::new()), &account), "of-the-account");
        assert_eq!(namespace(Some("named".to_owned()), &account), "named");
    }
}
