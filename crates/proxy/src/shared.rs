//! What the workers and the control thread share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;

use crate::ProxyError;
use crate::config::Config;
use crate::refusal::Refusals;
use crate::report::Snapshot;
use crate::routing::{Memory, Routing, ms_between};
use crate::table::Table;

/// The state of the proxy.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    /// The table in force. Every request reads it once.
    pub(crate) routing: ArcSwap<Routing>,
    pub(crate) refusals: Refusals,
    pub(crate) connections: AtomicU64,
    pub(crate) draining: AtomicBool,
    pub(crate) started_ms: u64,
    started: Instant,
    memory: Mutex<Memory>,
}

impl Shared {
    /// # Errors
    /// When the table in the configuration is wrong.
    pub(crate) fn new(config: Config) -> Result<Self, ProxyError> {
        let started_ms = unix_ms();
        // No proxy keeps a prediction a microsecond for as long as it runs, so that one that is started later begins above all of them.
        let mut memory = Memory::new(config.workers.max(1), started_ms.saturating_mul(1_000));
        let routing = match config.table.clone() {
            Some(table) => memory.prepare(table).map_err(ProxyError::Table)?,
            None => Routing::empty(),
        };
        Ok(Self {
            config,
            routing: ArcSwap::from_pointee(routing),
            refusals: Refusals::default(),
            connections: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            started_ms,
            started: Instant::now(),
            memory: Mutex::new(memory),
        })
    }

    /// What outlives a table. Only the control thread takes it, so it never waits.
    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the table; the next request that any worker reads is served by it.
    ///
    /// # Errors
    /// [`ProxyError::Table`] and [`ProxyError::Stale`]; the old table stays.
    pub(crate) fn set_table(&self, table: Table, force: bool) -> Result<u64, ProxyError> {
        let current = self.routing.load().table.version;
        let given = table.version;
        if given < current && !force {
            return Err(ProxyError::Stale { given, current });
        }
        let routing = self.memory().prepare(table).map_err(ProxyError::Table)?;
        self.routing.store(std::sync::Arc::new(routing));
        Ok(given)
    }

    /// Milliseconds from the start of the proxy to an instant.
    pub(crate) fn ms_at(&self, now: Instant) -> u64 {
        ms_between(self.started, now)
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let routing = self.routing.load();
        let mut endpoints = routing.views(self.ms_at(Instant::now()));
        let mut memory = self.memory();
        endpoints.extend(memory.leaving(&routing));
        let totals = memory.totals(&routing);
        Snapshot {
            table_version: routing.table.version,
            connections: self.connections.load(Relaxed),
            versions: totals.versions,
            mirrors: totals.mirrors,
            pairs: totals.pairs,
            slices: totals.slices,
            endpoints,
            rejected: self.refusals.counts().map(|(reason, count)| (reason.to_owned(), count)).collect(),
        }
    }
}

/// Unix time in milliseconds.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
