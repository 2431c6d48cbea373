//! Who answers which requests: the router's split, the services, and what happens where nobody is ready.

use serin_core::rollout::Strategy;
use serin_core::weight::{HeaderRoute, ValueMatch};
use serin_core::{Hash, World};

use super::traffic::Traffic;

/// What a pool gets of the requests.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Share {
    /// Share of the users' requests.
    pub(crate) users: f64,
    /// Share of the users' requests that it gets a copy of; the answers reach nobody.
    pub(crate) copies: f64,
    /// Whether the preview leads to it.
    pub(crate) preview: bool,
}

/// The pools that may get requests, and how many members of each can answer: those of the rollout in its order, then those
/// of its experiments.
pub(crate) fn pools(world: &World) -> impl Iterator<Item = (&Hash, u32)> {
    let own = world.pools.iter().map(|p| (&p.hash, p.ready));
    own.chain(world.experiments.iter().flat_map(|e| &e.pools).map(|p| (&p.hash, p.available)))
}

/// What every pool gets, in the order of [`pools`]; what is missing to 1 is answered by nobody.
pub(crate) fn of(world: &World, traffic: &Traffic) -> Vec<Share> {
    let mut shares = vec![Share::default(); pools(world).count()];
    let index = |hash: &Hash| world.pools.iter().position(|p| p.hash == *hash);
    let selected = |name: &str| world.service(name).and_then(|s| s.selects.as_ref()).and_then(index);
    match &world.rollout.strategy {
        Strategy::Canary(canary) if canary.traffic.is_some() => match &world.split {
            Some(_) => by_split(world, traffic, &mut shares),
            // Before the router knows the rollout, its stable service gets everything.
            None => give(world, canary.stable_service.as_deref().and_then(selected), 1.0, &mut shares),
        },
        Strategy::Canary(_) => by_members(world, &mut shares),
        Strategy::BlueGreen(blue_green) => {
            give(world, selected(&blue_green.active_service), 1.0, &mut shares);
            if let Some(preview) = blue_green.preview_service.as_deref().and_then(selected) {
                shares[preview].preview = world.pools[preview].ready > 0;
            }
        }
    }
    shares
}

/// Gives a share to a pool, if it can answer.
fn give(world: &World, pool: Option<usize>, share: f64, shares: &mut [Share]) {
    if let Some(pool) = pool.filter(|i| pools(world).nth(*i).is_some_and(|(_, ready)| ready > 0)) {
        shares[pool].users += share;
    }
}

/// A service over all pools: every ready member gets as much as any other.
fn by_members(world: &World, shares: &mut [Share]) {
    let ready: u32 = world.pools.iter().map(|p| p.ready).sum();
    for (pool, share) in world.pools.iter().zip(shares) {
        share.users = f64::from(pool.ready) / f64::from(ready.max(1));
    }
}

fn by_split(world: &World, traffic: &Traffic, shares: &mut [Share]) {
    let Some(split) = &world.split else { return };
    let alive = |hash: &Hash| pools(world).position(|(pool, ready)| pool == hash && ready > 0);
    let by_header: f64 = traffic
        .headers
        .iter()
        .filter(|h| split.header_routes.iter().any(|route| takes(route, &h.name, &h.value)))
        .map(|h| h.share)
        .sum();
    let total = f64::from(split.weight_total.max(1));
    let rest = 1.0 - by_header.min(1.0);
    let weight = |weight: u32| rest * f64::from(weight) / total;
    let mut parts = vec![(&split.canary, by_header.min(1.0) + weight(split.weight))];
    parts.push((&split.stable, weight(split.weight_stable())));
    parts.extend(split.experiment.iter().map(|d| (&d.hash, weight(d.weight))));
    for (hash, share) in parts {
        // Where no member of a version is alive, the router falls back to the other.
        let pool = alive(hash).or_else(|| alive(&split.stable)).or_else(|| alive(&split.canary));
        give(world, pool, share, shares);
    }
    let copies: u32 = split.mirrors.iter().map(|m| m.percentage).max().unwrap_or(0);
    if let Some(canary) = alive(&split.canary) {
        shares[canary].copies = f64::from(copies.min(100)) / 100.0;
    }
}

/// Whether a route by header takes requests of this header. Requests of the simulated traffic carry one header, so a route
/// that asks for several takes none.
fn takes(route: &HeaderRoute, name: &str, value: &str) -> bool {
    let [only] = route.matches.as_slice() else { return false };
    only.header.eq_ignore_ascii_case(name)
        && match &only.value {
            ValueMatch::Exact(text) => value == text,
            ValueMatch::Prefix(text) => value.starts_with(text.as_str()),
            ValueMatch::Regex(text) => regex::Regex::new(text).is_ok_and(|regex| regex.is_match(value)),
        }
}
