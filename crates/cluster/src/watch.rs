//! Follows the objects of one kind: one list, page by page, then a watch from there; a new list only when the server has forgotten
//! where the watch, or the list itself, stood.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt as _, pin_mut};
use tokio::sync::mpsc::Sender;

use crate::client::{Client, Told};
use crate::error::Error;
use crate::resource::Resource;
use crate::store::{Compact, Name};
use crate::trim::trimmed;

/// Objects of the first pages: a page is in memory as a whole, and an object takes some kilobytes.
const PAGE: u32 = 100;

/// A list whose place was forgotten is made anew in pages so many times larger, so that it comes to an end.
const PAGE_GROWTH: u32 = 8;

/// Largest page.
const PAGE_MAX: u32 = 10_000;

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
    /// Some of the objects of a list.
    Page(Resource, Vec<Compact>),
    /// The end of the list: the names and uids of all that were in it, and its version.
    Listed(Resource, BTreeMap<Name, Box<str>>, String),
    /// The server has no such kind.
    Absent(Resource),
    /// A change.
    Changed(Resource, Told),
    /// The server was not reached or refused; it is asked again.
    Failed(Resource, Error),
}

/// Follows until nobody listens any more.
pub(crate) async fn follow(client: Client, followed: Followed, tell: Sender<Heard>) {
    let resource = followed.resource;
    let (mut wait, mut page) = (WAIT.0, PAGE);
    loop {
        match list(&client, &followed, page, &tell).await {
            Ok(Some(at)) => {
                (wait, page) = (WAIT.0, PAGE);
                match watch(&client, &followed, at, &tell).await {
                    // The server forgot the place: a new list, without a wait.
                    Some(_) => continue,
                    None => return,
                }
            }
            Ok(None) => return,
            Err(error) if error.is_not_found() => {
                if tell.send(Heard::Absent(resource)).await.is_err() {
                    return;
                }
                tokio::time::sleep(ABSENT_WAIT).await;
                continue;
            }
            // It went too slowly: no fault of the server.
            Err(error) if error.code() == 410 => {
                tracing::debug!(kind = resource.kind, page, "a list was too slow; it is made anew");
                page = page.saturating_mul(PAGE_GROWTH).min(PAGE_MAX);
            }
            Err(error) => {
                if tell.send(Heard::Failed(resource, error)).await.is_err() {
                    return;
                }
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(WAIT.1);
    }
}

/// Lists in pages of this many objects. Returns the version to watch from, `None` when nobody listens.
async fn list(client: &Client, followed: &Followed, limit: u32, tell: &Sender<Heard>) -> Result<Option<String>, Error> {
    let Followed { resource, namespace, labels } = followed;
    let mut listed = BTreeMap::new();
    let mut from = String::new();
    loop {
        let mut objects = Vec::new();
        let mut keep = |object| objects.push(Compact::of(&trimmed(*resource, object)));
        let place = client.page(*resource, (namespace.as_deref(), labels), (limit, &from), &mut keep).await?;
        listed.extend(objects.iter().map(|object| (object.name().clone(), object.uid().into())));
        if tell.send(Heard::Page(*resource, objects)).await.is_err() {
            return Ok(None);
        }
        if place.next.is_empty() {
            let ended = Heard::Listed(*resource, listed, place.version.clone());
            return Ok(tell.send(ended).await.is_ok().then_some(place.version));
        }
        from = place.next;
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
