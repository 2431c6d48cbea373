//! Follows the objects of one kind: one list, then a watch from there; a new list only when the server has forgotten where the
//! watch stood.

use std::time::Duration;

use futures::{StreamExt as _, pin_mut};
use serin_controller::Object;
use tokio::sync::mpsc::Sender;

use crate::client::{Client, Told};
use crate::error::Error;
use crate::resource::Resource;
use crate::trim::trimmed;

/// Wait before a kind that the server does not have is asked for again.
const ABSENT_WAIT: Duration = Duration::from_secs(10);

/// First and longest wait after an error. Every controller of a cluster asks again when its server comes back.
const WAIT: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// What is followed.
#[derive(Debug, Clone)]
pub(crate) struct Followed {
    /// The kind.
    pub(crate) resource: Resource,
    /// One namespace, or all.
    pub(crate) namespace: Option<String>,
    /// A label selector, or empty.
    pub(crate) labels: String,
}

/// What is told.
#[derive(Debug)]
pub(crate) enum Heard {
    /// All objects there are, and the version of the list.
    Listed(Resource, Vec<Object>, String),
    /// The server has no such kind.
    Absent(Resource),
    /// A change.
    Changed(Resource, Told),
    /// The server was not reached or refused; it is asked again.
    Failed(Resource, Error),
}

/// Follows until nobody listens any more.
pub(crate) async fn follow(client: Client, followed: Followed, tell: Sender<Heard>) {
    let Followed { resource, namespace, labels } = &followed;
    let mut wait = WAIT.0;
    loop {
        let heard = match client.listed(*resource, namespace.as_deref(), labels).await {
            Ok((objects, at)) => {
                let objects = objects.into_iter().map(|object| trimmed(*resource, object)).collect();
                if tell.send(Heard::Listed(*resource, objects, at.clone())).await.is_err() {
                    return;
                }
                wait = WAIT.0;
                match watch(&client, &followed, at, &tell).await {
                    // The server forgot the place: a new list, without a wait.
                    Some(_) => continue,
                    None => return,
                }
            }
            Err(error) if error.is_not_found() => {
                if tell.send(Heard::Absent(*resource)).await.is_err() {
                    return;
                }
                tokio::time::sleep(ABSENT_WAIT).await;
                continue;
            }
            Err(error) => Heard::Failed(*resource, error),
        };
        if tell.send(heard).await.is_err() {
            return;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(WAIT.1);
    }
}

/// Watches from a version on, over as many connections as it takes. Returns when a new list is needed, `None` when nobody listens.
async fn watch(client: &Client, followed: &Followed, mut at: String, tell: &Sender<Heard>) -> Option<()> {
    let Followed { resource, namespace, labels } = followed;
    let mut wait = WAIT.0;
    loop {
        let error = match client.watch(*resource, namespace.as_deref(), labels, &at).await {
            Ok(stream) => {
                pin_mut!(stream);
                let mut failed = None;
                while let Some(event) = stream.next().await {
                    match event {
                        Ok((told, version)) => {
                            wait = WAIT.0;
                            if !version.is_empty() {
                                at = version;
                            }
                            let Some(told) = told else { continue };
                            let told = match told {
                                Told::Applied(object) => Told::Applied(trimmed(*resource, object)),
                                Told::Deleted(object) => Told::Deleted(trimmed(*resource, object)),
                            };
                            tell.send(Heard::Changed(*resource, told)).await.ok()?;
                        }
                        Err(error) => {
                            failed = Some(error);
                            break;
                        }
                    }
                }
                failed
            }
            Err(error) => Some(error),
        };
        match error {
            // Ended after its time.
            None => {}
            Some(error) if matches!(error.code(), 404 | 410) => return Some(()),
            Some(error) => {
                tell.send(Heard::Failed(*resource, error)).await.ok()?;
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(WAIT.1);
            }
        }
    }
}
