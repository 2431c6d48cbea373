//! Which version answers a request: header routes, stickiness and exact weights. Pure apart from one atomic counter a level.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use regex::bytes::{Regex, RegexBuilder};

use crate::table::{HeaderMatch, Split, ValueMatch};

/// A regular expression may not grow beyond this when compiled: tables come from people, and one of them may be wrong.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// A regular expression that must match the whole of a value.
pub(crate) fn whole_value(pattern: &str) -> Result<Regex, regex::Error> {
    // By itself first: `a)|(b` only makes sense inside the brackets that are put around it.
    regex::bytes::Regex::new(pattern)?;
    RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(REGEX_BYTES_MAX).build()
}

/// A running fraction in units of 2^-64, to which every request adds a share; the request that carries it over the next
/// whole number is taken.
///
/// Of any `n` requests in a row it takes `n * share` rounded up or down, which is as exact as whole requests can be. One atomic
/// addition, so it is exact over all workers together. The fraction outlives the table: when the share changes, the next
/// request continues where the last one stood.
#[derive(Debug)]
pub(crate) struct Rotation(AtomicU64);

impl Default for Rotation {
    /// Begins in the middle, where the rounding of shares that 2^-64 does not divide needs 2^62 requests to matter.
    fn default() -> Self {
        Self(AtomicU64::new(1 << 63))
    }
}

impl Rotation {
    /// Whether the next request is taken.
    pub(crate) fn take(&self, share: Share) -> bool {
        match share {
            Share::None => false,
            Share::All => true,
            Share::Part(step) => self.0.fetch_add(step, Ordering::Relaxed).checked_add(step).is_none(),
        }
    }
}

/// Which part of the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    None,
    All,
    /// Of 2^64.
    Part(u64),
}

impl Share {
    pub(crate) fn of(weight: u64, total: u64) -> Self {
        match weight {
            0 => Self::None,
            w if w >= total => Self::All,
            w => Self::Part(scaled(w, total) as u64),
        }
    }
}

/// `part / total` in units of 2^-64.
fn scaled(part: u64, total: u64) -> u128 {
    (u128::from(part) << 64) / u128::from(total.max(1))
}

/// The choice between the groups of a split, ready to be made many times.
///
/// Groups are asked in order from the second on, each whether it takes the request; the first group takes the rest. So two groups
/// are both exact over any window, and of more the second is.
#[derive(Debug)]
pub(crate) struct Chooser {
    levels: Vec<(Share, Arc<Rotation>)>,
    /// For every group but the first: visitors whose hash is below belong to it or to one before it.
    borders: Vec<u128>,
    header_routes: Vec<(Vec<HeaderCondition>, usize)>,
}

/// A condition on one header, made ready.
#[derive(Debug)]
pub(crate) struct HeaderCondition {
    header: String,
    value: Value,
}

/// A condition on a value, made ready.
#[derive(Debug)]
pub(crate) enum Value {
    Exact(Vec<u8>),
    Prefix(Vec<u8>),
    Regex(Regex),
}

impl Value {
    pub(crate) fn new(matching: &ValueMatch) -> Result<Self, regex::Error> {
        Ok(match matching {
            ValueMatch::Exact(text) => Self::Exact(text.clone().into_bytes()),
            ValueMatch::Prefix(text) => Self::Prefix(text.clone().into_bytes()),
            ValueMatch::Regex(pattern) => Self::Regex(whole_value(pattern)?),
        })
    }

    pub(crate) fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Exact(text) => value == text,
            Self::Prefix(text) => value.starts_with(text),
            Self::Regex(regex) => regex.is_match(value),
        }
    }
}

impl HeaderCondition {
    pub(crate) fn new(matching: &HeaderMatch) -> Result<Self, regex::Error> {
        Ok(Self { header: matching.header.clone(), value: Value::new(&matching.value)? })
    }

    pub(crate) fn holds(&self, headers: &[httparse::Header<'_>]) -> bool {
        headers.iter().any(|h| h.name.eq_ignore_ascii_case(&self.header) && self.value.holds(h.value))
    }
}

impl Chooser {
    /// `rotations` are those of the route's earlier tables; missing ones are added.
    pub(crate) fn new(split: &Split, rotations: &mut Vec<Arc<Rotation>>) -> Result<Self, regex::Error> {
        let total: u64 = split.groups.iter().map(|g| u64::from(g.weight)).sum();
        let (mut left, mut sum) = (total, 0);
        let (mut levels, mut borders) = (Vec::new(), Vec::new());
        for (i, group) in split.groups.iter().skip(1).enumerate() {
            if rotations.len() <= i {
                rotations.push(Arc::default());
            }
            let weight = u64::from(group.weight);
            levels.push((Share::of(weight, left), rotations[i].clone()));
            left -= weight;
            sum += weight;
            borders.push(scaled(sum, total));
        }
        let version = |name: &str| split.groups.iter().position(|g| g.version == name).unwrap_or(0);
        let header_routes = split.header_routes.iter().map(|route| {
            let conditions = route.matches.iter().map(HeaderCondition::new).collect::<Result<_, _>>()?;
            Ok((conditions, version(&route.version)))
        });
        Ok(Self { levels, borders, header_routes: header_routes.collect::<Result<_, _>>()? })
    }

    /// The group that a header route names for these headers.
    pub(crate) fn by_header(&self, headers: &[httparse::Header<'_>]) -> Option<usize> {
        let hit = self.header_routes.iter().find(|(conditions, _)| conditions.iter().all(|c| c.holds(headers)));
        hit.map(|(_, group)| *group)
    }

    /// The group of the next request.
    pub(crate) fn by_weight(&self) -> usize {
        self.levels.iter().position(|(share, rotation)| rotation.take(*share)).map_or(0, |i| i + 1)
    }

    /// The group of a visitor. While a group's weight grows at the expense of the first, nobody leaves it.
    pub(crate) fn by_visitor(&self, visitor: u64) -> usize {
        let place = u128::from(visitor);
        self.borders.iter().position(|border| place < *border).map_or(0, |i| i + 1)
    }

    /// A new visitor's id whose group is `group`, from a source of random numbers. Drawing until one fits keeps the ids of every
    /// group spread evenly over its share, which is what lets the share grow later; the first choice stays exact.
    pub(crate) fn visitor_in(&self, group: usize, mut random: impl FnMut() -> u64) -> String {
        /// A share of one in a thousand is missed once in e^16 visitors; then the visitor gets the group of the id.
        const TRIES: usize = 16_384;
        let mut id = String::new();
        for _ in 0..TRIES {
            id = format!("{:016x}", random());
            if self.by_visitor(visitor(id.as_bytes())) == group {
                break;
            }
        }
        id
    }
}

/// What a visitor is known by once its id has been read. FNV-1a with a final mix, since FNV leaves the high bits, which decide here, poorly mixed. Part of the contract: visitors must keep
/// their version over a restart and over two proxies.
pub(crate) fn visitor(id: &[u8]) -> u64 {
    let fnv = id.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    mix(fnv)
}

/// The finalizer of splitmix64: a bijection whose every output bit depends on every input bit.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
