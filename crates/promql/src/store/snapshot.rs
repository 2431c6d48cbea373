//! A store as bytes, so that a restarted process finds the windows of its queries filled.
//!
//! Little-endian: a mark, then the series (labels, samples as times and bits of values), then the targets with the series that
//! their last scrape brought, so that staleness goes on too. A few lines of code instead of a format of somebody else, because
//! nothing but this store reads it, and what does not fit is thrown away.

use std::collections::BTreeSet;

use super::{Limits, Store};
use crate::labels::Labels;

/// Names the format; another one is not read.
const MARK: &[u8; 8] = b"serinTS1";

impl Store {
    /// The samples of the last `window_ms` milliseconds before the newest one, with their series and targets.
    pub fn snapshot(&self, window_ms: i64) -> Vec<u8> {
        let from = self.newest_ms.saturating_sub(window_ms);
        let mut out = MARK.to_vec();
        let series = self.metrics.values().flatten();
        let kept: Vec<_> = series
            .map(|(labels, samples)| (labels, samples.since(from).collect::<Vec<_>>()))
            .filter(|(_, points)| !points.is_empty())
            .collect();
        put_len(&mut out, kept.len());
        for (labels, points) in kept {
            put_labels(&mut out, labels);
            put_len(&mut out, points.len());
            for point in points {
                out.extend_from_slice(&point.t_ms.to_le_bytes());
                out.extend_from_slice(&point.value.to_bits().to_le_bytes());
            }
        }
        put_len(&mut out, self.targets.len());
        for (target, series) in &self.targets {
            put_labels(&mut out, target);
            put_len(&mut out, series.len());
            series.iter().for_each(|labels| put_labels(&mut out, labels));
        }
        out
    }

    /// The store that a snapshot was made of, `None` if the bytes are no whole snapshot.
    pub fn restore(bytes: &[u8], limits: Limits) -> Option<Store> {
        let mut rest = bytes.strip_prefix(MARK)?;
        let mut store = Store::new(limits);
        for _ in 0..take_len(&mut rest)? {
            let labels = take_labels(&mut rest)?;
            for _ in 0..take_len(&mut rest)? {
                let t = i64::from_le_bytes(take(&mut rest)?);
                let value = f64::from_bits(u64::from_le_bytes(take(&mut rest)?));
                // A limit that became smaller since drops what is too much, as it would have.
                let _ = store.append(&labels, t, value);
            }
        }
        for _ in 0..take_len(&mut rest)? {
            let target = take_labels(&mut rest)?;
            let mut series = BTreeSet::new();
            for _ in 0..take_len(&mut rest)? {
                series.insert(take_labels(&mut rest)?);
            }
            store.targets.insert(target, series);
        }
        rest.is_empty().then_some(store)
    }
}

fn put_len(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_len(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn put_labels(out: &mut Vec<u8>, labels: &Labels) {
    put_len(out, labels.len());
    for (name, value) in labels.iter() {
        put_text(out, name);
        put_text(out, value);
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}

fn take_len(rest: &mut &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(take(rest)?)).ok()
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let length = take_len(rest)?;
    let (first, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(std::str::from_utf8(first).ok()?.to_owned())
}

fn take_labels(rest: &mut &[u8]) -> Option<Labels> {
    let mut builder = Labels::builder();
    for _ in 0..take_len(rest)? {
        let name = take_text(rest)?;
        builder.set(name, take_text(rest)?);
    }
    Some(builder.build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Query, text};

    #[test]
    fn a_restored_store_answers_alike_and_goes_on() {
        let mut store = Store::new(Limits::default());
        let target = Labels::from_pairs([("pod", "a")]);
        for t in 0..100 {
            let page = format!("up 1\nreqs_total{{status=\"200\"}} {}\n", t * 3);
            store.append_scrape(&target, &text::parse(&page).unwrap(), t * 1000);
        }
        let restored = Store::restore(&store.snapshot(60_000), Limits::default());
        let mut restored = restored.expect("it is whole");
        let query = Query::parse("rate(reqs_total[30s])").unwrap();
        assert_eq!(query.eval(&restored, 99_000).unwrap(), query.eval(&store, 99_000).unwrap());
        assert!(restored.sample_count() < store.sample_count());
        restored.append_scrape(&target, &text::parse("up 1\n").unwrap(), 100_000);
        let gone = Query::parse("reqs_total").unwrap().eval(&restored, 100_000).unwrap();
        assert_eq!(gone, crate::Value::Vector(Vec::new()), "a series that the target lost ends after a restart too");
    }

    #[test]
    fn what_is_no_whole_snapshot_is_refused() {
        let mut store = Store::new(Limits::default());
        store.append(&Labels::from_pairs([("__name__", "x")]), 1, 2.0).unwrap();
        let whole = store.snapshot(1000);
        assert!(Store::restore(&whole, Limits::default()).is_some());
        for end in 0..whole.len() {
            assert!(Store::restore(&whole[..end], Limits::default()).is_none(), "cut at {end}");
        }
        assert!(Store::restore(b"something else", Limits::default()).is_none());
    }
}
