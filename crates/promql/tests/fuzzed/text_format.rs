//! What must hold for every metrics page: it is refused with a place, or read so that its samples can be kept and its
//! labels be written and read again.

use serin_promql::{Labels, Store, is_stale, text};

pub(crate) fn check(page: &str) {
    let samples = match text::parse(page) {
        Ok(samples) => samples,
        Err(error) => {
            let line = page.split('\n').nth(error.line - 1).unwrap_or_default();
            assert!(error.column >= 1 && error.column <= line.chars().count() + 1, "{error}");
            return;
        }
    };
    assert!(samples.len() <= page.split('\n').count());
    for sample in &samples {
        assert!(sample.labels.metric().is_some() && !is_stale(sample.value), "{sample:?}");
        assert!(sample.labels.iter().all(|(_, value)| !value.is_empty()));
        // Other control characters than line ends have no escape in a page.
        if sample.labels.iter().all(|(name, value)| !(name.to_owned() + value).contains(|c: char| c.is_control())) {
            let again = text::parse(&format!("{} 1\n", sample.labels)).unwrap();
            assert_eq!(again[0].labels, sample.labels);
        }
    }
    let mut store = Store::default();
    let target = Labels::from_pairs([("job", "fuzz"), ("le", "target")]);
    let scrape = store.append_scrape(&target, &samples, 1_000_000);
    let refused = scrape.out_of_order + scrape.duplicates + scrape.over_limit + scrape.out_of_bounds;
    assert_eq!(scrape.appended + refused, samples.len());
    assert!(store.sample_count() <= samples.len());
    store.append_scrape(&target, &[], 2_000_000);
    store.target_gone(&target, 3_000_000);
}
