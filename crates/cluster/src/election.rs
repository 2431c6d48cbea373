//! The lock of the leader on the API server: taken, renewed, given back.

use std::time::{Duration, Instant};

use serde_json::json;
use serin_controller::write::Verb;
use serin_controller::{Object, Write};

use crate::client::Client;
use crate::error::Error;
use crate::fence::Fence;
use crate::lease::{Claim, Elector, Record, Timing};
use crate::resource::LEASE;
use crate::shared::now;

/// Which lock, for whom.
#[derive(Debug, Clone)]
pub struct Election {
    /// Namespace of the lease.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Who asks for it; never the same twice.
    pub identity: String,
    /// The spans.
    pub timing: Timing,
}

impl Election {
    /// That of the controllers that care for an instance (empty for objects without one), in the namespace where they run.
    //= compat: 9.2-1
    pub fn new(namespace: impl Into<String>, instance: &str, timing: Timing) -> Self {
        const NAME: &str = "argo-rollouts-controller-lock";
        let name = match instance {
            "" => NAME.to_owned(),
            instance => format!("{NAME}-{instance}"),
        };
        let read = |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).ok();
        let host = read("/proc/sys/kernel/hostname").unwrap_or_else(|| "serin".to_owned());
        let one = read("/proc/sys/kernel/random/uuid").unwrap_or_else(|| std::process::id().to_string());
        Self { namespace: namespace.into(), name, identity: format!("{host}_{one}"), timing }
    }
}

/// A candidate's hold of the lock.
pub(crate) struct Lock {
    /// Not bound by the fence.
    client: Client,
    election: Election,
    elector: Elector,
    fence: Fence,
    /// Moments are counted from here.
    origin: Instant,
    /// The lease as it was last written by us: a renewal needs no look before it.
    lease: Option<Object>,
    /// Who held it when it was last looked at.
    holder: Option<String>,
}

impl Lock {
    pub(crate) fn new(client: Client, election: Election, fence: Fence) -> Self {
        let elector = Elector::new(election.identity.clone(), election.timing);
        Self { client, election, elector, fence, origin: Instant::now(), lease: None, holder: None }
    }

    fn named(&self) -> String {
        format!("{}/{}", self.election.namespace, self.election.name)
    }

    /// Waits until the lock is held.
    pub(crate) async fn acquire(&mut self) {
        let lease = self.named();
        let mut failing = false;
        loop {
            match self.attempt().await {
                Ok(true) => {
                    tracing::info!(lease, identity = self.election.identity, "leads");
                    return;
                }
                Ok(false) => failing = false,
                Err(error) if failing => tracing::debug!(lease, %error, "cannot ask for the lease"),
                Err(error) => {
                    tracing::warn!(lease, %error, "cannot ask for the lease; it is tried again");
                    failing = true;
                }
            }
            // Twice as often as it is renewed, so that one that was given back is not free for long. Not all at the same moment.
            tokio::time::sleep(self.election.timing.retry.mul_f64(0.5 + 0.1 * f64::from(jitter()) / 256.0)).await;
        }
    }

    /// Renews the lock for as long as that works. Returns when it is lost; nothing was written after it could be taken.
    pub(crate) async fn keep(&mut self) -> Error {
        let mut why = "it could not be renewed in time".to_owned();
        loop {
            let left = self.left();
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(self.election.timing.retry.min(left)).await;
            match tokio::time::timeout(self.left(), self.attempt()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => {
                    if let Some(holder) = &self.holder {
                        why = format!("{holder} has taken it");
                        break;
                    }
                }
                Ok(Err(error)) => {
                    tracing::warn!(lease = self.named(), %error, left = ?self.left(), "cannot renew the lease");
                    why = error.to_string();
                }
                Err(_) => {}
            }
        }
        self.fence.close();
        self.elector.lost();
        Error::Lost { lease: self.named(), why }
    }

    fn left(&self) -> Duration {
        self.elector.until().map_or(Duration::ZERO, |until| until.saturating_sub(self.origin.elapsed()))
    }

    /// Gives the lock back, so that another one need not wait for its end. Nothing may be written after that.
    //= compat-differs: 9.2-1 the lease is given back at a clean stop, so that another controller goes on within about a second; the original lets it run out
    pub(crate) async fn release(&mut self) {
        self.fence.close();
        self.elector.lost();
        let Some(mut lease) = self.lease.take() else { return };
        let Some(given) = self.elector.release(&Record::read(&lease), now()) else { return };
        given.write(&mut lease);
        match self.client.send(&Write::new(self.target(), Verb::Update(lease.0))).await {
            Ok(_) => tracing::info!(lease = self.named(), "gave the lease back"),
            Err(error) => tracing::warn!(lease = self.named(), %error, "could not give the lease back; it runs out"),
        }
    }

    fn target(&self) -> serin_controller::write::Target {
        LEASE.target(&self.election.namespace, &self.election.name)
    }

    /// Looks at the lease, unless the last look is still good, and takes or renews it. Whether it is held now.
    async fn attempt(&mut self) -> Result<bool, Error> {
        let limit = self.election.timing.renew / 2;
        let sent = self.origin.elapsed();
        let asked = tokio::time::timeout(limit, self.ask(sent)).await;
        asked.unwrap_or_else(|_| {
            let why = format!("no answer within {} s", limit.as_secs());
            Err(Error::Reach { verb: "update", what: format!("Lease {}", self.named()), why })
        })
    }

    async fn ask(&mut self, sent: Duration) -> Result<bool, Error> {
        self.holder = None;
        let known = match self.lease.take() {
            Some(lease) => Some(lease),
            None => self.client.get(LEASE, &self.election.namespace, &self.election.name).await?,
        };
        let record = known.as_ref().map(Record::read);
        // A look takes its time: what counts for a lease of another is when its answer was there.
        let at = if record.is_some() { self.origin.elapsed() } else { sent };
        let wanted = match self.elector.claim(record.as_ref(), at, now()) {
            Claim::Write(wanted) => wanted,
            Claim::Held(holder) => {
                self.holder = Some(holder);
                return Ok(false);
            }
        };
        let verb = match known {
            Some(mut lease) => {
                wanted.write(&mut lease);
                Verb::Update(lease.0)
            }
            None => {
                let mut lease = Object(json!({
                    "apiVersion": LEASE.api_version, "kind": LEASE.kind,
                    "metadata": { "name": self.election.name, "namespace": self.election.namespace },
                }));
                wanted.write(&mut lease);
                Verb::Create(lease.0)
            }
        };
        let sent = self.origin.elapsed();
        match self.client.send(&Write::new(self.target(), verb)).await {
            Ok(lease) => {
                self.lease = lease;
                self.elector.holds(sent);
                self.fence.open(self.origin + sent + self.election.timing.renew);
                Ok(true)
            }
            // Somebody wrote it in between: looked at anew at the next attempt.
            Err(error) if error.is_conflict() || error.is_taken() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Anything from 0 to 255, other for every process and time.
fn jitter() -> u8 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0u8).to_le_bytes()[0]
}
