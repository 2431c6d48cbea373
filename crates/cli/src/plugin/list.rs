//! `list rollouts` and `list experiments`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use serin_cluster::resource::{EXPERIMENT, ROLLOUT};
use serin_controller::Object;
use serin_kubectl::list::{self, Before};

use super::PluginError;
use super::arguments::ListRollouts;
use crate::cluster::follow::Follow;
use crate::cluster::{Cluster, now};
use crate::output;

/// Changes of this time are printed together, so that their columns stand below each other.
const TOGETHER: Duration = Duration::from_millis(500);

//= compat: 7.3-2
pub(super) async fn rollouts(cluster: &Cluster, asked: &ListRollouts) -> Result<ExitCode, PluginError> {
    let namespace = (!asked.all_namespaces).then_some(cluster.namespace.as_str());
    let before = Before { namespace: asked.all_namespaces, timestamp: asked.timestamps };
    let named = |all: Vec<Object>| -> Vec<Object> {
        let wanted = |rollout: &Object| asked.name.as_ref().is_none_or(|name| rollout.name() == name);
        all.into_iter().filter(wanted).collect()
    };
    if asked.watch {
        let follow = Follow::start(&cluster.client, namespace, &[ROLLOUT]).await?;
        return watch(&follow, before, named).await;
    }
    let all = named(cluster.client.list(ROLLOUT, namespace, "").await?);
    match all.is_empty() {
        true => eprintln!("No resources found."),
        false => output::text(&list::rollouts(&all, before, now(), true)),
    }
    Ok(ExitCode::SUCCESS)
}

/// The table, and then every line that became another one.
async fn watch(
    follow: &Follow,
    before: Before,
    named: impl Fn(Vec<Object>) -> Vec<Object>,
) -> Result<ExitCode, PluginError> {
    let mut told: BTreeMap<(String, String), [String; 9]> = BTreeMap::new();
    let mut head = true;
    loop {
        let is_news = |rollout: &Object| {
            let key = (rollout.namespace().to_owned(), rollout.name().to_owned());
            let cells = list::rollout_cells(rollout, now());
            told.insert(key, cells.clone()).is_none_or(|before| before != cells)
        };
        let mut news = named(follow.all(ROLLOUT));
        news.retain(is_news);
        if head || !news.is_empty() {
            output::text(&list::rollouts(&news, before, now(), head));
            head = false;
        }
        follow.changed().await;
        tokio::time::sleep(TOGETHER).await;
    }
}

//= compat: 7.3-3
pub(super) async fn experiments(cluster: &Cluster, all_namespaces: bool) -> Result<ExitCode, PluginError> {
    let namespace = (!all_namespaces).then_some(cluster.namespace.as_str());
    let all = cluster.client.list(EXPERIMENT, namespace, "").await?;
    match all.is_empty() {
        true => eprintln!("No resources found."),
        false => output::text(&list::experiments(&all, all_namespaces, now())),
    }
    Ok(ExitCode::SUCCESS)
}
