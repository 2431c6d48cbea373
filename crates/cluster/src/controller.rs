//! The loop of the controller: what is heard makes objects due, what is due gets a pass, many at the same time on one thread.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serin_core::Span;
use serin_spec::wire::keys::{HASH_LABEL, INSTANCE_LABEL, MANAGED_BY};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use crate::client::{Client, Told};
use crate::error::{Class, Error};
use crate::evidence::{Evidence, EvidenceLog};
use crate::fault::Fault;
use crate::pass::{Key, LANES, Next, attempt, failure};
use crate::resource::{
    ANALYSIS_RUN, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, EXPERIMENT, REPLICA_SET, ROLLOUT, Resource, SERVICE,
};
use crate::shared::Shared;
use crate::store::{Compact, Name, News};
use crate::watch::{Followed, Heard, follow};

/// The kinds that are always followed; templates of the cluster only where the controller is not bound to a namespace.
//= compat: 9.2-5
pub(crate) const FOLLOWED: [Resource; 7] =
    [ROLLOUT, EXPERIMENT, ANALYSIS_RUN, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, REPLICA_SET, SERVICE];

/// How long passes that have begun may take when the controller is told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Longest sleep: the wall clock may be set meanwhile.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// Passes in a row that all write something, before they are made one a second: decisions settle after far fewer.
const ROW_MAX: u32 = 100;

/// Soonest look that an object may ask for by itself.
const WAKE_MIN: Span = Span::from_millis(10);

/// How a controller works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The one namespace that it looks at; all of them if none is given.
    pub namespace: Option<String>,
    /// Objects with this label only; those without one if it is empty.
    pub instance: String,
    /// Passes over rollouts and experiments at the same time.
    pub workers: usize,
    /// Analysis runs that are measured at the same time.
    pub analysis_workers: usize,
    /// How often everything is looked at though nothing was heard.
    pub resync: Duration,
    /// Only analysis runs.
    pub analysis_only: bool,
    /// The Prometheus of templates that name none.
    pub prometheus: Option<String>,
    /// Where what sequential metrics judge is logged, if anywhere.
    pub evidence_log: Option<EvidenceLog>,
}

impl Default for Settings {
    //= compat: 9.1-1
    fn default() -> Self {
        Self {
            namespace: None,
            instance: String::new(),
            workers: 10,
            analysis_workers: 30,
            resync: Duration::from_mins(15),
            analysis_only: false,
            prometheus: None,
            evidence_log: None,
        }
    }
}

impl Settings {
    /// The kinds that every pass needs.
    //= compat: 9.2-5, 9.2-6
    pub(crate) fn always(&self) -> impl Iterator<Item = Resource> + use<> {
        let (bound, analysis_only) = (self.namespace.is_some(), self.analysis_only);
        FOLLOWED.into_iter().filter(move |resource| match (*resource, analysis_only) {
            (ANALYSIS_RUN, _) => true,
            (_, true) => false,
            (CLUSTER_ANALYSIS_TEMPLATE, false) => !bound,
            (_, false) => true,
        })
    }

    fn places(&self, lane: usize) -> usize {
        if lane == 0 { self.workers.max(1) } else { self.analysis_workers.max(1) }
    }

    /// What of a kind is followed.
    //= compat: 9.2-7
    fn followed(&self, resource: Resource) -> Followed {
        let labels = match resource {
            REPLICA_SET => HASH_LABEL.to_owned(),
            ROLLOUT | EXPERIMENT | ANALYSIS_RUN | ANALYSIS_TEMPLATE | CLUSTER_ANALYSIS_TEMPLATE => {
                match self.instance.as_str() {
                    "" => format!("!{INSTANCE_LABEL}"),
                    instance => format!("{INSTANCE_LABEL}={instance}"),
                }
            }
            _ => String::new(),
        };
        let namespace = self.namespace.clone().filter(|_| resource.namespaced);
        Followed { resource, namespace, labels }
    }
}

/// A controller that was not started yet.
pub struct Controller {
    shared: Rc<Shared>,
}

impl Controller {
    /// A controller of a cluster.
    pub fn new(client: Client, settings: Settings, fault: Fault) -> Self {
        let shared = Shared {
            client,
            evidence: settings.evidence_log.as_ref().map(Evidence::new),
            settings,
            store: Default::default(),
            references: Default::default(),
            queues: Default::default(),
            fault,
            wanted: Default::default(),
            unsaved: Default::default(),
            undeleted: Default::default(),
            looks: Default::default(),
            recorder: Default::default(),
            told: Default::default(),
            cleared: Default::default(),
            labelled: Default::default(),
            lost_runs: Default::default(),
            tally: Default::default(),
            turned: Default::default(),
            failing: Default::default(),
        };
        Self { shared: Rc::new(shared) }
    }

    /// What its passes share, for those that tell of it.
    pub(crate) fn shared(&self) -> Rc<Shared> {
        self.shared.clone()
    }

    /// Works until it is told to stop, and ends what it began. Must run on a [`tokio::task::LocalSet`].
    //= compat: 9.2-3
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let (tell, mut hear) = mpsc::channel(1024);
        let mut loop_ = Loop {
            shared: self.shared.clone(),
            tell,
            followers: BTreeMap::new(),
            running: BTreeMap::new(),
            lanes: [0; LANES],
            passes: JoinSet::new(),
            in_a_row: BTreeMap::new(),
        };
        self.shared.wanted.borrow_mut().extend(self.shared.settings.always());
        let mut resync = tokio::time::interval(self.shared.settings.resync.max(Duration::from_secs(1)));
        resync.tick().await;
        while !*stop.borrow() {
            self.shared.turned.set(Some(Instant::now()));
            loop_.follow_wanted();
            loop_.begin_due();
            let sleep = loop_.sleep();
            tokio::select! {
                heard = hear.recv() => {
                    let Some(heard) = heard else { break };
                    loop_.hear(heard);
                    while let Ok(heard) = hear.try_recv() {
                        loop_.hear(heard);
                    }
                }
                Some(ended) = loop_.passes.join_next_with_id() => loop_.ended(ended),
                () = tokio::time::sleep(sleep) => {}
                _ = resync.tick() => loop_.everything(),
                _ = stop.changed() => break,
            }
        }
        loop_.end().await;
    }
}

struct Loop {
    shared: Rc<Shared>,
    tell: mpsc::Sender<Heard>,
    followers: BTreeMap<Resource, AbortHandle>,
    running: BTreeMap<Id, (Key, Instant)>,
    /// Running passes by lane.
    lanes: [usize; LANES],
    passes: JoinSet<Result<Next, Error>>,
    /// Passes over an object that all wrote something.
    in_a_row: BTreeMap<Key, u32>,
}

impl Loop {
    /// Begins to follow the kinds that passes ask for.
    fn follow_wanted(&mut self) {
        let wanted = std::mem::take(&mut *self.shared.wanted.borrow_mut());
        for resource in wanted {
            if !self.followers.contains_key(&resource) {
                tracing::debug!(kind = resource.kind, "follows");
                let followed = self.shared.settings.followed(resource);
                let task = follow(self.shared.client.clone(), followed, self.tell.clone());
                self.followers.insert(resource, tokio::task::spawn_local(task).abort_handle());
            }
        }
    }

    /// Begins passes over what is due. Measuring waits for others, so analysis runs have places of their own.
    fn begin_due(&mut self) {
        let now = self.shared.now();
        for (lane, queue) in self.shared.queues.iter().enumerate() {
            while self.lanes[lane] < self.shared.settings.places(lane) {
                let next = queue.borrow_mut().take(now);
                let Some(key) = next else { break };
                let (shared, of) = (self.shared.clone(), key.clone());
                let handle = self.passes.spawn_local(async move { attempt(&shared, &of).await });
                self.lanes[lane] += 1;
                self.running.insert(handle.id(), (key, Instant::now()));
            }
        }
    }

    fn sleep(&self) -> Duration {
        let free = |lane: &usize| self.lanes[*lane] < self.shared.settings.places(*lane);
        // Where no place is free a pass that ends wakes the loop.
        let lanes = (0..LANES).filter(free);
        let next = lanes.filter_map(|lane| self.shared.queues[lane].borrow().next_at()).min();
        let Some(at) = next else { return SLEEP_MAX };
        let ms = at.since(self.shared.now()).as_millis();
        Duration::from_millis(u64::try_from(ms).unwrap_or(0)).min(SLEEP_MAX)
    }

    fn hear(&mut self, heard: Heard) {
        let shared = self.shared.clone();
        match heard {
            Heard::Page(resource, objects) => {
                shared.failing.borrow_mut().remove(&resource);
                objects.into_iter().for_each(|object| self.hear_listed(resource, object));
            }
            Heard::Listed(resource, listed, at) => {
                let first = !shared.store.borrow().is_synced(resource);
                let gone = shared.store.borrow_mut().end_list(resource, &listed, &at);
                gone.iter().for_each(|object| shared.learn(resource, object));
                if first {
                    tracing::info!(kind = resource.kind, objects = listed.len(), "knows the objects of the kind");
                    self.everything();
                }
            }
            Heard::Absent(resource) => {
                let first = !shared.store.borrow().is_synced(resource);
                shared.store.borrow_mut().absent(resource);
                if first {
                    tracing::info!(kind = resource.kind, "the server does not have the kind; it is asked again");
                    self.everything();
                }
            }
            Heard::Changed(resource, Told::Applied(object)) => {
                shared.failing.borrow_mut().remove(&resource);
                let news = shared.store.borrow_mut().put(resource, &object);
                if news != News::Nothing {
                    shared.learn(resource, &object);
                }
            }
            Heard::Changed(resource, Told::Deleted(object)) => {
                if shared.store.borrow_mut().remove(resource, &object) {
                    shared.learn(resource, &object);
                }
            }
            Heard::Failed(resource, error) => {
                if shared.failing.borrow_mut().insert(resource) {
                    tracing::warn!(kind = resource.kind, %error, "cannot follow the kind; it is tried again");
                }
            }
        }
    }

    /// Keeps an object of a list. While the first one of a kind is read nothing is due: its end makes everything due.
    fn hear_listed(&self, resource: Resource, object: Compact) {
        let shared = &self.shared;
        let name = object.name().clone();
        let news = shared.store.borrow_mut().put_compact(resource, object);
        if news == News::Nothing || !shared.store.borrow().is_synced(resource) {
            return;
        }
        let known = shared.store.borrow().get(resource, &name);
        if let Some(object) = known {
            shared.learn(resource, &object);
        }
    }

    /// Makes everything due, rollouts and experiments only when everything is known that each of their passes needs.
    fn everything(&self) {
        let shared = &self.shared;
        let complete = shared.knows(shared.settings.always());
        let keys: Vec<Key> = {
            let store = shared.store.borrow();
            let of =
                |resource: Resource, key: fn(Name) -> Key| store.names(resource).cloned().map(key).collect::<Vec<_>>();
            let mut keys = of(ANALYSIS_RUN, Key::Run);
            if complete {
                keys.extend(of(ROLLOUT, Key::Rollout));
                keys.extend(of(EXPERIMENT, Key::Experiment));
                // Their rollouts may have gone while nobody looked.
                let managed = store.texts(SERVICE).filter(|(_, text)| text.contains(MANAGED_BY));
                keys.extend(managed.map(|(name, _)| Key::Service(name.clone())));
            }
            keys
        };
        keys.into_iter().for_each(|key| shared.add(key));
    }

    fn ended(&mut self, ended: Result<(Id, Result<Next, Error>), JoinError>) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let Some((key, begun)) = self.running.remove(&id) else { return };
        self.lanes[key.lane()] -= 1;
        let shared = self.shared.clone();
        let (now, took) = (shared.now(), begun.elapsed());
        let queue = shared.queue(&key);
        match ended {
            Ok((_, Ok(Next::Again))) => {
                shared.tally.passed(&key, took, None);
                let row = self.in_a_row.entry(key.clone()).or_default();
                *row += 1;
                let wait = if *row > ROW_MAX { Span::from_secs(1) } else { Span::ZERO };
                if *row == ROW_MAX {
                    tracing::error!(object = %key, "decisions do not settle; it is looked at once a second from now on");
                }
                queue.borrow_mut().done(&key, Some(now + wait));
            }
            Ok((_, Ok(Next::At(at)))) => {
                shared.tally.passed(&key, took, None);
                self.in_a_row.remove(&key);
                queue.borrow_mut().done(&key, at.map(|at| at.max(now + WAKE_MIN)));
            }
            Ok((_, Err(error))) => {
                shared.tally.passed(&key, took, Some(error.class()));
                let wait = queue.borrow_mut().failed(&key, now);
                match error.class() {
                    Class::Conflict => {
                        tracing::debug!(object = %key, %error, "somebody was faster; it is decided again")
                    }
                    _ => tracing::warn!(object = %key, %error, %wait, "a pass failed; it is made again"),
                }
            }
            Err(error) => {
                let Ok(panic) = error.try_into_panic() else { return };
                let what = failure::panic_text(&*panic);
                tracing::error!(object = %key, what, "a pass panicked; other objects go on");
                shared.tally.passed(&key, took, Some(Class::Bug));
                shared.tally.panicked();
                queue.borrow_mut().failed(&key, now);
                let telling = shared.clone();
                tokio::task::spawn_local(async move { failure::tell_panic(&telling, &key, &what).await });
            }
        }
    }

    /// Passes that have begun are ended; no watch is needed for that.
    async fn end(mut self) {
        self.followers.values().for_each(AbortHandle::abort);
        let all = async { while self.passes.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, all).await.is_err() {
            tracing::warn!("passes did not end in time");
        }
    }
}
