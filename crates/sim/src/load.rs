//! Load: requests come, versions answer, members and router count, and what they count is scraped into a series store.
//!
//! Nothing is simulated per request. Requests are a Poisson process, so the good and bad answers of a member between two
//! scrapes are Poisson numbers whose means are integrals over that time; how they spread over latency bounds and predicted
//! classes is multinomial. The means are added up whenever anything changes, and drawn only when somebody looks.

pub mod conduct;
pub mod export;
pub mod scene;
mod share;
mod tap;
pub mod traffic;

use std::collections::BTreeMap;
use std::sync::Arc;

use serin_core::{Hash, Span, Time, World};
use serin_promql::Store;
use serin_stats::batch::Batch;

use crate::random::Rng;
use crate::sample;
use conduct::Conduct;
use export::{Counters, Page};
pub use scene::{Pages, Scene, Scrape};
use share::Share;
use tap::Tap;

/// What became of the users' requests.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tally {
    /// All of them.
    pub requests: u64,
    /// Answered with a server error, or by nobody.
    pub failed: u64,
    /// Answered by the version that is deployed.
    pub new_requests: u64,
    /// Of those, answered with a server error.
    pub new_failed: u64,
    /// Server errors that the stable version would have made of those, on average.
    pub new_failed_if_stable: f64,
}

impl Tally {
    /// Failed requests beyond what the stable version would have failed; below zero where the new version is the better
    /// one.
    pub fn excess(&self) -> f64 {
        self.new_failed as f64 - self.new_failed_if_stable
    }
}

/// Means that were added up and not drawn yet.
#[derive(Debug, Clone, Copy, Default)]
struct Pending {
    /// Good and failed answers to users.
    users: (f64, f64),
    /// Good and failed answers to copies and previews.
    others: (f64, f64),
    /// Failed answers that stable would have made of the users' requests.
    failed_if_stable: f64,
}

/// A member as a target of scrapes.
#[derive(Debug, Clone)]
struct Target {
    counters: Counters,
    page: Page,
    pending: Pending,
    ready: bool,
    /// Since when means are added up.
    since: Time,
}

/// A version as the router counts it.
#[derive(Debug, Clone, Default)]
struct Routed {
    counters: Counters,
    page: Page,
}

/// Whose requests they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Users,
    Others,
}

#[derive(Debug, Clone)]
struct PoolLoad {
    hash: Hash,
    /// The version that its members run.
    version: Hash,
    /// What its series are called.
    shown: Hash,
    targets: Vec<Target>,
    share: Share,
    /// Shares of the answers by latency bound, for the conduct they were computed for.
    spread: Option<(u64, u64, Vec<f64>)>,
    /// The same for the bins of latencies, where tests look at them.
    fine: Option<(u64, u64, Vec<f64>)>,
}

/// The load of one world.
#[derive(Debug, Clone)]
pub struct Load {
    /// What does not change.
    pub scene: Arc<Scene>,
    /// What was scraped.
    pub store: Store,
    /// What became of the users' requests since the last [`Load::begin`].
    pub tally: Tally,
    /// The version whose requests are tallied on their own, and the one it is compared with.
    compared: Option<(Hash, Hash)>,
    pools: Vec<PoolLoad>,
    /// Pools that are not named after the version they run: that version, and what their series are called.
    copies: BTreeMap<Hash, (Hash, Hash)>,
    routed: BTreeMap<(Hash, Whose), Routed>,
    /// Latency bounds of every family, ascending.
    bounds: Arc<[f64]>,
    /// What tests look at, and the bounds of its latencies; nothing is counted for them while nobody looks.
    tap: Option<(Tap, Arc<[f64]>)>,
    /// Users' requests that nobody answers.
    unanswered: f64,
    /// Who gets what must be found out anew.
    stale: bool,
    at: Time,
    rng: Rng,
}

impl Load {
    /// The load of a world that begins at `now`.
    pub fn new(scene: Arc<Scene>, now: Time, seed: u64) -> Self {
        let bounds = scene.bounds();
        Self {
            scene,
            store: Store::default(),
            tally: Tally::default(),
            compared: None,
            pools: Vec::new(),
            copies: BTreeMap::new(),
            routed: BTreeMap::new(),
            bounds,
            tap: None,
            unanswered: 0.0,
            stale: true,
            at: now,
            rng: Rng::stream(seed, 2),
        }
    }

    /// Begins to tally: `new` on its own, compared with what `stable` would have done.
    pub fn begin(&mut self, new: Hash, stable: Hash) {
        self.draw_all();
        self.unanswered = 0.0;
        self.tally = Tally::default();
        self.compared = Some((new, stable));
    }

    /// The tally up to now.
    pub fn tally(&mut self) -> Tally {
        self.draw_all();
        let unanswered = sample::poisson(&mut self.rng, std::mem::take(&mut self.unanswered));
        self.tally.requests += unanswered;
        self.tally.failed += unanswered;
        self.tally
    }

    /// A pool runs a version that it is not named after; its series are called `shown`, or after the pool.
    pub(crate) fn copy(&mut self, pool: &Hash, version: &Hash, shown: Option<&Hash>) {
        self.copies.insert(pool.clone(), (version.clone(), shown.unwrap_or(pool).clone()));
    }

    /// Split, services or members have changed.
    pub(crate) fn changed(&mut self) {
        self.stale = true;
    }

    /// The members of a pool are these now: for each, whether it is ready, and whether it is a new process in the place of
    /// a former one. Members that are gone end their series.
    pub(crate) fn members(&mut self, hash: &Hash, members: &[(bool, bool)]) {
        self.stale = true;
        let now = self.at;
        let index = self.pools.iter().position(|p| p.hash == *hash).unwrap_or_else(|| {
            let (version, shown) = self.copies.get(hash).cloned().unwrap_or_else(|| (hash.clone(), hash.clone()));
            let (hash, share) = (hash.clone(), Share::default());
            self.pools.push(PoolLoad { hash, version, shown, targets: Vec::new(), share, spread: None, fine: None });
            self.pools.len() - 1
        });
        while self.pools[index].targets.len() > members.len() {
            self.draw(index, self.pools[index].targets.len() - 1);
            if let Some(mut gone) = self.pools[index].targets.pop() {
                gone.page.end(&mut self.store, now);
            }
        }
        for (slot, (ready, fresh)) in members.iter().enumerate() {
            if slot >= self.pools[index].targets.len() {
                let target = self.target(index, slot);
                self.pools[index].targets.push(target);
            }
            if *fresh {
                self.draw(index, slot);
                self.pools[index].targets[slot].counters = Counters::default();
            }
            self.pools[index].targets[slot].ready = *ready;
        }
    }

    fn target(&self, pool: usize, slot: usize) -> Target {
        let pool = &self.pools[pool];
        let page = self.scene.member_page(&pool.shown, &pool.hash, slot, &self.bounds);
        Target { counters: Counters::default(), page, pending: Pending::default(), ready: false, since: self.at }
    }

    /// Lets requests come until `to`, during which nothing changes but time itself.
    pub(crate) fn carry(&mut self, to: Time, world: &World) {
        let span = to.since(self.at);
        if self.stale {
            self.share_out(world);
        }
        if span <= Span::ZERO {
            return;
        }
        let middle = self.at + Span::from_millis(span.as_millis() / 2);
        self.at = to;
        let seconds = span.as_millis() as f64 / 1000.0;
        let coming = self.scene.traffic.rate_at(middle) * seconds;
        let previewed = self.scene.traffic.preview_rate * seconds;
        let scene = self.scene.clone();
        let errors = |hash: &Hash| scene.answers.get(hash).map_or(0.0, |a| a.at(middle, &scene.outages).errors);
        let compared = self.compared.as_ref().map(|(new, stable)| (new, errors(stable)));
        let mut answered = 0.0;
        for pool in &mut self.pools {
            let share = &pool.share;
            let ready = pool.targets.iter().filter(|t| t.ready).count();
            let users = share.users * coming;
            let others = share.copies * coming + if share.preview { previewed } else { 0.0 };
            if ready == 0 || users + others == 0.0 {
                continue;
            }
            answered += users;
            let bad = errors(&pool.version);
            let (users, others) = (users / ready as f64, others / ready as f64);
            let if_stable = compared.filter(|(new, _)| **new == pool.version).map_or(0.0, |(_, errors)| users * errors);
            for target in pool.targets.iter_mut().filter(|t| t.ready) {
                let pending = &mut target.pending;
                pending.users.0 += users * (1.0 - bad);
                pending.users.1 += users * bad;
                pending.others.0 += others * (1.0 - bad);
                pending.others.1 += others * bad;
                pending.failed_if_stable += if_stable;
            }
        }
        self.unanswered += (coming - answered).max(0.0);
    }

    fn share_out(&mut self, world: &World) {
        self.stale = false;
        let shares = share::of(world, &self.scene.traffic);
        for pool in &mut self.pools {
            let index = share::pools(world).position(|(hash, _)| *hash == pool.hash);
            pool.share = index.map(|i| shares[i].clone()).unwrap_or_default();
        }
    }

    fn draw_all(&mut self) {
        for pool in 0..self.pools.len() {
            for slot in 0..self.pools[pool].targets.len() {
                self.draw(pool, slot);
            }
        }
    }

    /// Draws what a member answered since it was last looked at, and counts it everywhere.
    fn draw(&mut self, pool: usize, slot: usize) {
        let now = self.at;
        let target = &mut self.pools[pool].targets[slot];
        let pending = std::mem::take(&mut target.pending);
        let since = std::mem::replace(&mut target.since, now);
        let rng = &mut self.rng;
        let users = (sample::poisson(rng, pending.users.0), sample::poisson(rng, pending.users.1));
        let others = (sample::poisson(rng, pending.others.0), sample::poisson(rng, pending.others.1));
        let hash = &self.pools[pool].version;
        self.tally.requests += users.0 + users.1;
        self.tally.failed += users.1;
        if self.compared.as_ref().is_some_and(|(new, _)| new == hash) {
            self.tally.new_requests += users.0 + users.1;
            self.tally.new_failed += users.1;
            self.tally.new_failed_if_stable += pending.failed_if_stable;
        }
        let middle = since + Span::from_millis(now.since(since).as_millis() / 2);
        for (whose, (good, failed)) in [(Whose::Users, users), (Whose::Others, others)] {
            if good + failed == 0 {
                continue;
            }
            let mut new = Counters { good, failed, ..Counters::default() };
            self.details(pool, slot, whose, middle, &mut new);
            self.pools[pool].targets[slot].counters.add(&new);
            if whose == Whose::Users {
                self.tap(pool, middle, (good, failed));
            }
            if let Some(routed) = self.routed.get_mut(&(self.pools[pool].shown.clone(), whose)) {
                routed.counters.add(&new);
            }
        }
    }

    /// What two versions answered users since this was last asked for.
    pub(crate) fn batch(&mut self, canary: &Hash, stable: &Hash) -> Batch {
        self.tap.get_or_insert_with(|| (Tap::default(), tap::bounds()));
        self.draw_all();
        let scene = self.scene.clone();
        let (tap, _) = self.tap.get_or_insert_with(|| (Tap::default(), tap::bounds()));
        tap.take(canary, stable, &scene.classes, self.at)
    }

    /// Counts answers for the tests, if any look.
    fn tap(&mut self, pool: usize, at: Time, (good, failed): (u64, u64)) {
        let Some((tap, bounds)) = &mut self.tap else { return };
        let pool = &mut self.pools[pool];
        let Some(answers) = self.scene.answers.get(&pool.version) else { return };
        let conduct = answers.at(at, &self.scene.outages);
        let mut new = Counters { good, failed, ..Counters::default() };
        let shares = spread(&mut pool.fine, &conduct, bounds);
        new.by_latency = vec![0; shares.len()];
        sample::multinomial(&mut self.rng, good + failed, shares, &mut new.by_latency);
        new.by_class = vec![0; conduct.predictions.len()];
        sample::multinomial(&mut self.rng, good, &conduct.predictions, &mut new.by_class);
        tap.add(&pool.version, &new);
    }

    /// Latency and predictions of the answers, as far as anybody reads them.
    fn details(&mut self, pool: usize, slot: usize, whose: Whose, at: Time, new: &mut Counters) {
        let Some(answers) = self.scene.answers.get(&self.pools[pool].version) else { return };
        let routed = self.routed.get(&(self.pools[pool].shown.clone(), whose));
        let pages = [Some(&self.pools[pool].targets[slot].page), routed.map(|r| &r.page)];
        let shown = |what: fn(&Page) -> bool| pages.iter().flatten().any(|page| what(page));
        let (latency, classes, numbers) =
            (shown(Page::shows_latency), shown(Page::shows_classes), shown(Page::shows_numbers));
        if !(latency || classes || numbers) {
            return;
        }
        let conduct = answers.at(at, &self.scene.outages);
        if latency {
            let spread = spread(&mut self.pools[pool].spread, &conduct, &self.bounds);
            new.by_latency = vec![0; spread.len()];
            sample::multinomial(&mut self.rng, new.good + new.failed, spread, &mut new.by_latency);
            new.seconds = conduct.latency().mean() * (new.good + new.failed) as f64;
        }
        if classes {
            new.by_class = vec![0; conduct.predictions.len()];
            sample::multinomial(&mut self.rng, new.good, &conduct.predictions, &mut new.by_class);
        }
        if numbers {
            let (mean, deviation) = conduct.number;
            let count = new.good as f64;
            new.number_sum = count * mean + libm::sqrt(count) * deviation * sample::normal(&mut self.rng);
        }
    }

    /// A scrape of a member; one that is not ready does not answer.
    pub(crate) fn scrape_member(&mut self, hash: &Hash, slot: usize) {
        let Some(pool) = self.pools.iter().position(|p| p.hash == *hash) else { return };
        if self.pools[pool].targets.get(slot).is_none_or(|t| t.page.is_empty()) {
            return;
        }
        self.draw(pool, slot);
        let lost = self.is_lost();
        let target = &mut self.pools[pool].targets[slot];
        if lost || !target.ready {
            target.page.end(&mut self.store, self.at);
        } else {
            target.page.scrape(&target.counters, &mut self.store, self.at);
        }
    }

    /// A scrape of the router.
    pub(crate) fn scrape_router(&mut self) {
        for pool in 0..self.pools.len() {
            for whose in [Whose::Users, Whose::Others] {
                let key = (self.pools[pool].shown.clone(), whose);
                if !self.routed.contains_key(&key) {
                    let page = self.routed_page(&key.0, whose);
                    self.routed.insert(key, Routed { page, ..Routed::default() });
                }
            }
        }
        if self.routed.values().all(|r| r.page.is_empty()) {
            return;
        }
        self.draw_all();
        let lost = self.is_lost();
        for routed in self.routed.values_mut() {
            match lost {
                true => routed.page.end(&mut self.store, self.at),
                false => routed.page.scrape(&routed.counters, &mut self.store, self.at),
            }
        }
    }

    fn routed_page(&self, hash: &Hash, whose: Whose) -> Page {
        let scene = &self.scene;
        let (exports, labels) = match whose {
            Whose::Users => (&scene.router, &scene.router_labels),
            Whose::Others => (&scene.router_others, &scene.router_others_labels),
        };
        let Some(labels) = labels.get(hash) else { return Page::default() };
        Page::new(exports, labels, &self.bounds, &scene.classes, &*scene.wanted)
    }

    fn is_lost(&mut self) -> bool {
        self.scene.scrape.lost > 0.0 && self.rng.chance(self.scene.scrape.lost)
    }

    /// From one scrape of a target to the next.
    pub(crate) fn until_next_scrape(&mut self) -> Span {
        let Scrape { interval, late, .. } = self.scene.scrape;
        if late <= Span::ZERO {
            return interval;
        }
        let by = sample::exponential(&mut self.rng, late.as_millis() as f64) as i64;
        Span::from_millis(interval.as_millis().saturating_add(by))
    }

    /// From the start of a target to its first scrape: anywhere in an interval, as scrapes are spread over it.
    pub(crate) fn until_first_scrape(&mut self) -> Span {
        Span::from_millis(self.rng.between(0, self.scene.scrape.interval.as_millis()))
    }
}

/// Shares of the answers between the latency bounds; the last is beyond them all. Computed anew only when the conduct is
/// another one.
fn spread<'c>(cache: &'c mut Option<(u64, u64, Vec<f64>)>, conduct: &Conduct, bounds: &[f64]) -> &'c [f64] {
    let key = (conduct.p50_s.to_bits(), conduct.p95_s.to_bits());
    if cache.as_ref().is_none_or(|(p50, p95, _)| (*p50, *p95) != key) {
        let curve = conduct.latency();
        let mut below = 0.0;
        let mut shares: Vec<f64> = Vec::with_capacity(bounds.len() + 1);
        for bound in bounds {
            let up_to = curve.cdf(*bound);
            shares.push((up_to - below).max(0.0));
            below = up_to;
        }
        shares.push((1.0 - below).max(0.0));
        *cache = Some((key.0, key.1, shares));
    }
    cache.as_ref().map_or(&[], |(_, _, shares)| shares)
}
