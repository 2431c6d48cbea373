//! Generated series with resets, gaps, late starts, early ends and odd values.

use std::collections::BTreeMap;

use serin_promql::Labels;

/// The first sample. A time in the past that both sides accept.
const START_MS: i64 = 1_700_000_000_000;

/// 90 minutes of samples every 15 seconds.
const STEPS: i64 = 360;

/// When to ask. Odd milliseconds, because Prometheus 2 and 3 differ on samples exactly at the edge of a range.
pub(crate) const TIMES_MS: [i64; 4] =
    [START_MS + 2_500_007, START_MS + 3_333_013, START_MS + 4_700_501, START_MS + 5_400_003];

/// A generator of numbers that is the same everywhere (xorshift).
struct Numbers(u64);

impl Numbers {
    /// The next number from 0 up to 1.
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Samples sorted by series and time.
pub(crate) fn generate() -> Vec<(Labels, i64, f64)> {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut out = Vec::new();
    for (index, instance) in ["a:1", "b:2", "c:3"].into_iter().enumerate() {
        for (code, rate) in [("200", 50.0), ("404", 3.0), ("500", 0.4)] {
            for method in ["GET", "POST"] {
                let pairs = [("code", code), ("method", method)];
                counter(&mut numbers, &mut out, "requests_total", instance, &pairs, rate * (index + 1) as f64);
            }
        }
        histogram(&mut numbers, &mut out, instance);
        gauge(&mut numbers, &mut out, "temperature_celsius", instance, |n, t| 20.0 + 5.0 * (t / 300.0).sin() + n);
        gauge(&mut numbers, &mut out, "memory_bytes", instance, |n, t| 1e9 + 12_345.0 * t + 1e7 * n);
        gauge(&mut numbers, &mut out, "score", instance, |n, _| if n < 0.02 { f64::NAN } else { n * 10.0 - 5.0 });
        gauge(&mut numbers, &mut out, "workers", instance, |n, _| (n * 4.0).floor());
        gauge(&mut numbers, &mut out, "up", instance, |n, _| if n < 0.1 { 0.0 } else { 1.0 });
        let info = Labels::from_pairs([("__name__", "build_info"), ("instance", instance), ("version", "1.2")]);
        out.extend((0..STEPS).map(|step| (info.clone(), START_MS + step * 15_000 + 411, 1.0)));
    }
    out.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.cmp(&b.1)));
    out
}

fn labels(name: &str, instance: &str, pairs: &[(&str, &str)]) -> Labels {
    let fixed = [("__name__", name), ("instance", instance), ("job", "api")];
    Labels::from_pairs(fixed.into_iter().chain(pairs.iter().copied()))
}

/// Times with jitter, single misses, and in some series a gap of ten minutes, a late start or an early end.
fn times(numbers: &mut Numbers) -> Vec<i64> {
    let gap = (numbers.next() < 0.3).then(|| (numbers.next() * 250.0) as i64 + 40);
    let first = if numbers.next() < 0.15 { 100 } else { 0 };
    let last = if numbers.next() < 0.15 { 280 } else { STEPS };
    let steps = (first..last).filter(|step| gap.is_none_or(|gap| !(gap..gap + 40).contains(step)));
    let kept: Vec<i64> = steps.filter(|_| numbers.next() > 0.04).collect();
    kept.into_iter().map(|step| START_MS + step * 15_000 + (numbers.next() * 900.0) as i64 + 10).collect()
}

fn counter(
    numbers: &mut Numbers,
    out: &mut Vec<(Labels, i64, f64)>,
    name: &str,
    instance: &str,
    pairs: &[(&str, &str)],
    rate: f64,
) {
    let labels = labels(name, instance, pairs);
    let mut value = (numbers.next() * 1e5).floor();
    for t_ms in times(numbers) {
        value += (numbers.next() * 2.0 * rate * 15.0).floor();
        if numbers.next() < 0.008 {
            value = (numbers.next() * 20.0).floor();
        }
        out.push((labels.clone(), t_ms, value));
    }
}

fn gauge(
    numbers: &mut Numbers,
    out: &mut Vec<(Labels, i64, f64)>,
    name: &str,
    instance: &str,
    value: impl Fn(f64, f64) -> f64,
) {
    let labels = labels(name, instance, &[]);
    for t_ms in times(numbers) {
        out.push((labels.clone(), t_ms, value(numbers.next(), (t_ms - START_MS) as f64 / 1000.0)));
    }
}

/// A histogram of latencies, some of which lie above the highest bound.
fn histogram(numbers: &mut Numbers, out: &mut Vec<(Labels, i64, f64)>, instance: &str) {
    const BOUNDS: [(&str, f64); 7] = [
        ("0.01", 0.01),
        ("0.05", 0.05),
        ("0.1", 0.1),
        ("0.25", 0.25),
        ("0.5", 0.5),
        ("1", 1.0),
        ("+Inf", f64::INFINITY),
    ];
    let mut counts = [0.0; BOUNDS.len()];
    let mut sum = 0.0;
    for t_ms in times(numbers) {
        if numbers.next() < 0.01 {
            (counts, sum) = ([0.0; BOUNDS.len()], 0.0);
        }
        for _ in 0..20 {
            let latency = 0.02 / (1.0 - numbers.next() * 0.985);
            sum += latency;
            for (count, _) in counts.iter_mut().zip(BOUNDS).filter(|(_, (_, bound))| latency <= *bound) {
                *count += 1.0;
            }
        }
        for (count, (bound, _)) in counts.iter().zip(BOUNDS) {
            out.push((labels("latency_seconds_bucket", instance, &[("le", bound)]), t_ms, *count));
        }
        out.push((labels("latency_seconds_sum", instance, &[]), t_ms, sum));
        out.push((labels("latency_seconds_count", instance, &[]), t_ms, counts[BOUNDS.len() - 1]));
    }
}

/// The samples as a page that promtool reads.
pub(crate) fn open_metrics(samples: &[(Labels, i64, f64)]) -> String {
    let mut by_name: BTreeMap<&str, Vec<&(Labels, i64, f64)>> = BTreeMap::new();
    for sample in samples {
        by_name.entry(sample.0.get("__name__").unwrap()).or_default().push(sample);
    }
    let mut page = String::new();
    for (name, samples) in by_name {
        page.push_str(&format!("# TYPE {name} unknown\n"));
        for (labels, t_ms, value) in samples {
            // OpenMetrics has no space between labels.
            let labels = labels.to_string().replace("\", ", "\",");
            page.push_str(&format!("{labels} {value} {}.{:03}\n", t_ms / 1000, t_ms % 1000));
        }
    }
    page.push_str("# EOF\n");
    page
}
