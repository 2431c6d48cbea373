//! The samples of one series, in blocks.

use std::collections::VecDeque;

use crate::store::AppendError;
use crate::value::{Point, is_stale};

/// Samples in a block. Dropping old samples drops whole blocks, so this is also how coarse the retention is; 256 keep
/// the bookkeeping below a percent of the samples.
pub(crate) const BLOCK_LEN: usize = 256;

/// A run of samples. Times are offsets in 32 bits, which leaves 12 bytes a sample and still lets a window be read
/// without decoding what comes before it.
#[derive(Debug, Clone)]
struct Block {
    start_ms: i64,
    offsets: Vec<u32>,
    values: Vec<f64>,
}

impl Block {
    fn new(t_ms: i64, value: f64) -> Block {
        Block { start_ms: t_ms, offsets: vec![0], values: vec![value] }
    }

    fn time(&self, at: usize) -> i64 {
        self.start_ms + i64::from(self.offsets[at])
    }

    fn newest_ms(&self) -> i64 {
        self.time(self.offsets.len() - 1)
    }

    /// Index of the first sample after `t_ms`.
    fn after(&self, t_ms: i64) -> usize {
        self.offsets.partition_point(|&offset| self.start_ms + i64::from(offset) <= t_ms)
    }

    /// The offset that a sample at `t_ms` has, if the block can still take it.
    fn offset(&self, t_ms: i64) -> Option<u32> {
        if self.offsets.len() >= BLOCK_LEN {
            return None;
        }
        u32::try_from(t_ms.checked_sub(self.start_ms)?).ok()
    }
}

/// The samples of one series, oldest first; never empty.
#[derive(Debug, Clone)]
pub(crate) struct Samples {
    blocks: VecDeque<Block>,
    newest: Point,
    len: usize,
}

impl Samples {
    pub(crate) fn new(t_ms: i64, value: f64) -> Samples {
        Samples { blocks: VecDeque::from([Block::new(t_ms, value)]), newest: Point { t_ms, value }, len: 1 }
    }

    /// Adds a sample; false if it is there already.
    pub(crate) fn append(&mut self, t_ms: i64, value: f64) -> Result<bool, AppendError> {
        if t_ms < self.newest.t_ms {
            return Err(AppendError::OutOfOrder);
        }
        if t_ms == self.newest.t_ms {
            let same = value.to_bits() == self.newest.value.to_bits();
            return if same { Ok(false) } else { Err(AppendError::DuplicateTimestamp) };
        }
        match self.blocks.back_mut().and_then(|block| block.offset(t_ms).map(|offset| (block, offset))) {
            Some((block, offset)) => {
                block.offsets.push(offset);
                block.values.push(value);
            }
            None => self.blocks.push_back(Block::new(t_ms, value)),
        }
        self.newest = Point { t_ms, value };
        self.len += 1;
        Ok(true)
    }

    /// Drops the blocks that end before `horizon_ms`, except for the last; returns the number of samples.
    pub(crate) fn expire(&mut self, horizon_ms: i64) -> usize {
        let before = self.len;
        while self.blocks.len() > 1 && self.blocks[0].newest_ms() < horizon_ms {
            self.len -= self.blocks[0].offsets.len();
            self.blocks.pop_front();
        }
        before - self.len
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Every sample from `from_ms` on, marks of the end included.
    pub(crate) fn since(&self, from_ms: i64) -> impl Iterator<Item = Point> {
        let points =
            |b: &Block| (0..b.offsets.len()).map(|i| Point { t_ms: b.time(i), value: b.values[i] }).collect::<Vec<_>>();
        let blocks = self.blocks.iter().filter(move |b| b.newest_ms() >= from_ms);
        blocks.flat_map(points).filter(move |p| p.t_ms >= from_ms)
    }

    pub(crate) fn oldest_ms(&self) -> i64 {
        self.blocks.front().map_or(self.newest.t_ms, |block| block.start_ms)
    }

    pub(crate) fn newest_ms(&self) -> i64 {
        self.newest.t_ms
    }

    /// Whether the series has ended and not begun again.
    pub(crate) fn has_ended(&self) -> bool {
        is_stale(self.newest.value)
    }

    /// The value at `at_ms`: the last sample up to then, unless it is not after `oldest_ms` or marks the end.
    pub(crate) fn latest(&self, at_ms: i64, oldest_ms: i64) -> Option<Point> {
        let found = if self.newest.t_ms <= at_ms {
            self.newest
        } else {
            let block = self.blocks.partition_point(|block| block.start_ms <= at_ms).checked_sub(1)?;
            let block = &self.blocks[block];
            let at = block.after(at_ms).checked_sub(1)?;
            Point { t_ms: block.time(at), value: block.values[at] }
        };
        (found.t_ms > oldest_ms && !is_stale(found.value)).then_some(found)
    }

    /// Adds to `out` the samples after `after_ms` up to and with `until_ms`, without marks of the end.
    pub(crate) fn window(&self, after_ms: i64, until_ms: i64, out: &mut Vec<Point>) {
        if until_ms <= after_ms {
            return;
        }
        let first = self.blocks.partition_point(|block| block.newest_ms() <= after_ms);
        for block in self.blocks.range(first..) {
            if block.start_ms > until_ms {
                break;
            }
            let (from, to) = (block.after(after_ms), block.after(until_ms));
            let (offsets, values) = (&block.offsets[from..to], &block.values[from..to]);
            let points = offsets.iter().zip(values).filter(|(_, value)| !is_stale(**value));
            out.extend(points.map(|(&o, &value)| Point { t_ms: block.start_ms + i64::from(o), value }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::stale_marker;

    /// Every 10 ms from 0 on, value = index, over several blocks.
    fn series(count: i64) -> Samples {
        let mut samples = Samples::new(0, 0.0);
        for i in 1..count {
            samples.append(i * 10, i as f64).unwrap();
        }
        samples
    }

    fn window(samples: &Samples, after: i64, until: i64) -> Vec<i64> {
        let mut out = Vec::new();
        samples.window(after, until, &mut out);
        out.iter().map(|point| point.t_ms).collect()
    }

    #[test]
    fn windows_are_open_on_the_left() {
        let samples = series(1000);
        assert_eq!(window(&samples, 20, 50), [30, 40, 50]);
        assert_eq!(window(&samples, 2540, 2580), [2550, 2560, 2570, 2580]);
        assert_eq!(window(&samples, 9985, 20_000), [9990]);
        assert_eq!(window(&samples, -5, 0), [0]);
        assert!(window(&samples, 9990, 20_000).is_empty() && window(&samples, 50, 20).is_empty());
        assert_eq!(window(&samples, i64::MIN, i64::MAX).len(), 1000);
    }

    #[test]
    fn the_latest_value_is_found_anywhere() {
        let samples = series(1000);
        let check = |at, oldest, want: Option<i64>| {
            assert_eq!(samples.latest(at, oldest).map(|point| point.t_ms), want, "at {at} after {oldest}");
        };
        check(9_999, 0, Some(9_990));
        check(50_000, 9_989, Some(9_990));
        check(50_000, 9_990, None);
        check(2_559, 0, Some(2_550));
        check(2_560, 0, Some(2_560));
        check(-1, i64::MIN, None);
    }

    #[test]
    fn an_end_hides_what_was_before_it() {
        let mut samples = series(3);
        samples.append(30, stale_marker()).unwrap();
        assert!(samples.has_ended());
        assert_eq!(samples.latest(40, 0), None);
        assert_eq!(samples.latest(29, 0).map(|point| point.t_ms), Some(20));
        assert_eq!(window(&samples, -1, 40), [0, 10, 20]);
        samples.append(50, 7.0).unwrap();
        assert!(!samples.has_ended());
        assert_eq!(samples.latest(50, 0).map(|point| point.value), Some(7.0));
    }

    #[test]
    fn a_gap_of_months_starts_a_block() {
        let mut samples = Samples::new(0, 1.0);
        samples.append(10_000_000_000, 2.0).unwrap();
        assert_eq!(window(&samples, -1, i64::MAX), [0, 10_000_000_000]);
        samples.append(i64::MAX, 3.0).unwrap();
        assert_eq!(samples.latest(i64::MAX, 0).map(|point| point.value), Some(3.0));
    }
}
