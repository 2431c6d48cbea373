//! `serin controller`: rollouts on a cluster.

use std::process::ExitCode;

use serin_cluster::{Client, Controller as Loop, Fault, Options, Settings};

use crate::arguments::Controller;
use crate::error::CliError;

pub(super) fn run(controller: Controller) -> Result<ExitCode, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::io("start the runtime"))?;
    let local = tokio::task::LocalSet::new();
    runtime.block_on(local.run_until(work(controller)))
}

async fn work(controller: Controller) -> Result<ExitCode, CliError> {
    let options = Options { kubeconfig: controller.kubeconfig, context: controller.context, ..Options::default() };
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
        resync: std::time::Duration::from_secs(controller.rollout_resync.max(1)),
        analysis_only: controller.controllers.as_deref() == Some("analysis"),
        prometheus: controller.prometheus_address,
    };
    let (stop, stopped) = tokio::sync::watch::channel(false);
    tokio::task::spawn_local(async move {
        signal().await;
        let _ = stop.send(true);
    });
    Loop::new(client, settings, fault).run(stopped).await;
    Ok(ExitCode::SUCCESS)
}

async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
