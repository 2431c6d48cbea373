//! Orders values: quantiles, sorting, the largest and the smallest few.

use std::cmp::Ordering;

use super::Element;

/// The order of values with NaN before all numbers.
fn ascending(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.total_cmp(&b),
    }
}

/// The quantile of some values, between two of them in proportion. Infinite for a quantile that is not in 0..=1.
pub(super) fn quantile(quantile: f64, mut values: Vec<f64>) -> f64 {
    if values.is_empty() || quantile.is_nan() {
        return f64::NAN;
    }
    if !(0.0..=1.0).contains(&quantile) {
        return if quantile < 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    values.sort_unstable_by(|a, b| ascending(*a, *b));
    let rank = quantile * (values.len() - 1) as f64;
    let weight = rank - rank.floor();
    let lower = rank as usize;
    if weight == 0.0 {
        return values[lower];
    }
    values[lower] * (1.0 - weight) + values[(lower + 1).min(values.len() - 1)] * weight
}

/// Sorts by value; NaN stands last either way. Equal values keep their order.
pub(super) fn sort(elements: &mut [Element], descending: bool) {
    elements.sort_by(|a, b| match (a.value.is_nan(), b.value.is_nan()) {
        (false, false) if descending => numbers(b.value, a.value),
        (false, false) => numbers(a.value, b.value),
        (a, b) => a.cmp(&b),
    });
}

/// The order of two numbers, in which both zeros are equal.
fn numbers(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

/// Collects the `k` largest or smallest elements; the least wanted one is on top.
///
/// It is a binary heap rather than a sort, because among equal values Prometheus keeps those that its heap keeps.
#[derive(Debug)]
pub(super) struct Best {
    heap: Vec<Element>,
    k: usize,
    largest: bool,
}

impl Best {
    pub(super) fn new(k: usize, largest: bool) -> Best {
        Best { heap: Vec::new(), k, largest }
    }

    /// Whether `a` is wanted less than `b`.
    fn below(&self, a: &Element, b: &Element) -> bool {
        a.value.is_nan() || if self.largest { a.value < b.value } else { a.value > b.value }
    }

    pub(super) fn add(&mut self, element: Element) {
        if self.heap.len() < self.k {
            self.heap.push(element);
            self.rise(self.heap.len() - 1);
            return;
        }
        let top = self.heap[0].value;
        let better = if self.largest { top < element.value } else { top > element.value };
        if better || (top.is_nan() && !element.value.is_nan()) {
            self.heap[0] = element;
            self.sink();
        }
    }

    fn rise(&mut self, mut at: usize) {
        while at > 0 && self.below(&self.heap[at], &self.heap[(at - 1) / 2]) {
            self.heap.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
    }

    fn sink(&mut self) {
        let mut at = 0;
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            if left >= self.heap.len() {
                return;
            }
            let lesser =
                if right < self.heap.len() && self.below(&self.heap[right], &self.heap[left]) { right } else { left };
            if !self.below(&self.heap[lesser], &self.heap[at]) {
                return;
            }
            self.heap.swap(at, lesser);
            at = lesser;
        }
    }

    /// The elements, the most wanted first.
    pub(super) fn into_sorted(mut self) -> Vec<Element> {
        sort(&mut self.heap, self.largest);
        self.heap
    }
}

/// Compares texts as people read them: runs of digits by their number.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (chunks(a).into_iter(), chunks(b).into_iter());
    loop {
        let (a, b) = match (left.next(), right.next()) {
            (Some(a), Some(b)) => (a, b),
            (a, b) => return a.is_some().cmp(&b.is_some()),
        };
        let order = match (digits(a), digits(b)) {
            (true, true) => {
                let (x, y) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
                x.len().cmp(&y.len()).then_with(|| x.cmp(y)).then_with(|| b.len().cmp(&a.len()))
            }
            _ => a.cmp(b),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn digits(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// Runs of digits and runs of other characters.
fn chunks(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    for (at, c) in text.char_indices() {
        if at > start && c.is_ascii_digit() != digits(&text[start..]) {
            out.push(&text[start..at]);
            start = at;
        }
    }
    if start < text.len() {
        out.push(&text[start..]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::Labels;

    fn elements(values: &[f64]) -> Vec<Element> {
        let element = |(i, &value): (usize, &f64)| Element {
            labels: Labels::from_pairs([("i", i.to_string())]),
            value,
            t_ms: 0,
            unnamed: false,
        };
        values.iter().enumerate().map(element).collect()
    }

    #[test]
    fn the_best_few_without_nan_if_there_are_enough_numbers() {
        let best = |k, largest, values: &[f64]| -> Vec<f64> {
            let mut best = Best::new(k, largest);
            elements(values).into_iter().for_each(|element| best.add(element));
            best.into_sorted().iter().map(|element| element.value).collect()
        };
        let values = [3.0, f64::NAN, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        assert_eq!(best(3, true, &values), [9.0, 6.0, 5.0]);
        assert_eq!(best(3, false, &values), [1.0, 1.0, 2.0]);
        assert_eq!(best(9, false, &values)[..8], [1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 9.0]);
        assert!(best(9, false, &values)[8].is_nan());
    }

    #[test]
    fn nan_stands_last() {
        let sorted = |descending| -> Vec<String> {
            let mut out = elements(&[2.0, f64::NAN, 1.0, 3.0]);
            sort(&mut out, descending);
            out.iter().map(|element| element.value.to_string()).collect()
        };
        assert_eq!(sorted(false), ["1", "2", "3", "NaN"]);
        assert_eq!(sorted(true), ["3", "2", "1", "NaN"]);
    }

    #[test]
    fn numbers_in_texts_count() {
        let check = |a: &str, b: &str, want: Ordering| assert_eq!(natural(a, b), want, "{a} and {b}");
        check("pod-2", "pod-10", Ordering::Less);
        check("pod-10", "pod-10", Ordering::Equal);
        check("pod", "pod-1", Ordering::Less);
        check("1.10", "1.9", Ordering::Greater);
        check("", "a", Ordering::Less);
    }
}
