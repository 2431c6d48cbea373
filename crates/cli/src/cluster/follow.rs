//! The objects of a namespace, kept up by watches.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use serin_cluster::{Client, Error, Resource, Told};
use serin_controller::Object;
use tokio::sync::Notify;

/// Wait before a watch that failed is begun anew.
const AGAIN: Duration = Duration::from_secs(1);

/// Objects by namespace and name.
type Known = BTreeMap<(String, String), Object>;

/// Kinds that are watched. What it holds is as old as the last event; nothing is asked twice.
pub(crate) struct Follow {
    kinds: Vec<(Resource, Arc<Mutex<Known>>)>,
    news: Arc<Notify>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Follow {
    /// Reads the objects of these kinds, and watches them from there.
    ///
    /// # Errors
    /// When they cannot be read. A watch that fails later is begun anew, for ever.
    pub(crate) async fn start(client: &Client, namespace: Option<&str>, kinds: &[Resource]) -> Result<Self, Error> {
        let news = Arc::new(Notify::new());
        let mut follow = Self { kinds: Vec::new(), news: Arc::clone(&news), tasks: Vec::new() };
        for kind in kinds {
            let known = Arc::new(Mutex::new(Known::new()));
            let from = list(client, *kind, namespace, &known).await?;
            let (client, namespace) = (client.clone(), namespace.map(str::to_owned));
            let (kind, news) = (*kind, Arc::clone(&news));
            follow.kinds.push((kind, Arc::clone(&known)));
            follow.tasks.push(tokio::spawn(async move {
                keep(&client, kind, namespace.as_deref(), from, &known, &news).await;
            }));
        }
        Ok(follow)
    }

    /// The objects of a kind as they are now.
    pub(crate) fn all(&self, kind: Resource) -> Vec<Object> {
        let known = self.kinds.iter().find(|(one, _)| *one == kind);
        known.map_or_else(Vec::new, |(_, known)| lock(known).values().cloned().collect())
    }

    /// Waits until something changed.
    pub(crate) async fn changed(&self) {
        self.news.notified().await;
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

fn lock(known: &Mutex<Known>) -> std::sync::MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads all objects of a kind; one whose definition is not installed has none, and no version to watch from.
async fn list(
    client: &Client,
    kind: Resource,
    namespace: Option<&str>,
    known: &Mutex<Known>,
) -> Result<Option<String>, Error> {
    let (objects, version) = match client.listed(kind, namespace, "").await {
        Err(error) if error.is_not_found() => return Ok(None),
        listed => listed?,
    };
    let named = |object: Object| ((object.namespace().to_owned(), object.name().to_owned()), object);
    *lock(known) = objects.into_iter().map(named).collect();
    Ok(Some(version))
}

/// Watches for ever.
async fn keep(
    client: &Client,
    kind: Resource,
    namespace: Option<&str>,
    mut from: Option<String>,
    known: &Mutex<Known>,
    news: &Notify,
) {
    loop {
        if let Some(version) = &mut from {
            match watch(client, kind, namespace, version, known, news).await {
                Ok(()) => continue,
                Err(error) => tracing::debug!(%error, "the watch of {} ended", kind.plural),
            }
        }
        tokio::time::sleep(AGAIN).await;
        match list(client, kind, namespace, known).await {
            Ok(version) => from = version,
            Err(error) => tracing::warn!(%error, "{} are as they were last seen", kind.plural),
        }
        news.notify_one();
    }
}

/// One watch, until the server ends it.
async fn watch(
    client: &Client,
    kind: Resource,
    namespace: Option<&str>,
    version: &mut String,
    known: &Mutex<Known>,
    news: &Notify,
) -> Result<(), Error> {
    let mut events = pin!(client.watch(kind, namespace, "", version).await?);
    while let Some(event) = events.next().await {
        let (told, at) = event?;
        *version = at;
        match told {
            Some(Told::Applied(object)) => {
                let name = (object.namespace().to_owned(), object.name().to_owned());
                lock(known).insert(name, object);
            }
            Some(Told::Deleted(object)) => {
                lock(known).remove(&(object.namespace().to_owned(), object.name().to_owned()));
            }
            None => continue,
        }
        news.notify_one();
    }
    Ok(())
}
