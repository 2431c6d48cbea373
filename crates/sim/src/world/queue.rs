//! What will happen by itself, in the order of its time; what was asked for first comes first at the same time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serin_core::Time;

/// Things that happen later.
#[derive(Debug, Clone)]
pub(crate) struct Queue<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    asked: u64,
}

#[derive(Debug, Clone)]
struct Entry<E> {
    at: Time,
    number: u64,
    event: E,
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), asked: 0 }
    }
}

impl<E> Queue<E> {
    /// Lets something happen at a time.
    pub(crate) fn push(&mut self, at: Time, event: E) {
        self.heap.push(Reverse(Entry { at, number: self.asked, event }));
        self.asked += 1;
    }

    /// When the next thing happens.
    pub(crate) fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// The next thing that happens up to `until`, and when.
    pub(crate) fn pop(&mut self, until: Time) -> Option<(Time, E)> {
        if self.next_at()? > until {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order_of_time_and_then_of_asking() {
        let mut queue = Queue::default();
        for (at, event) in [(3, "d"), (1, "a"), (2, "b"), (2, "c")] {
            queue.push(Time::from_secs(at), event);
        }
        assert_eq!(queue.pop(Time::from_millis(999)), None);
        let mut all = Vec::new();
        while let Some((_, event)) = queue.pop(Time::from_secs(9)) {
            all.push(event);
        }
        assert_eq!(all, ["a", "b", "c", "d"]);
        assert_eq!(queue.next_at(), None);
    }
}
