//! Counters of processes that are started, restarted, lost and found again, read whenever one likes: what is counted against
//! what really happened.

use proptest::prelude::*;
use serin_providers::counters::{Counter, Cursor, Delta, Reading, Resets, SeriesId};

/// What happens to the canary's processes between two looks.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// A process answers so many requests badly and so many well.
    Answers(usize, u32, u32),
    /// A scrape of a process.
    Scrape(usize),
    /// A process begins anew, with or without a scrape before.
    Restart(usize),
    /// A process is not scraped any more, and has no series.
    Hide(usize),
    /// It is scraped again.
    Show(usize),
    /// A look.
    Look(Look),
}

#[derive(Debug, Clone, Copy)]
enum Look {
    Answered,
    /// There is no answer.
    Failed,
    /// Another server answers, whose samples are those of the look before the last.
    Older,
    /// The bad answers are of now, and all answers of the look before.
    Skewed,
}

const PODS: usize = 4;

#[derive(Debug, Clone, Copy, Default)]
struct Pod {
    counted: [f64; 2],
    scraped: Option<[f64; 2]>,
    hidden: bool,
}

#[derive(Default)]
struct World {
    pods: [Pod; PODS],
    /// What really happened: bad answers and all.
    happened: [f64; 2],
}

impl World {
    fn apply(&mut self, event: Event) {
        match event {
            Event::Answers(pod, bad, ok) => {
                let grown = [f64::from(bad), f64::from(bad + ok)];
                let add = |to: &mut [f64; 2]| to.iter_mut().zip(grown).for_each(|(n, grown)| *n += grown);
                add(&mut self.pods[pod].counted);
                add(&mut self.happened);
            }
            Event::Scrape(pod) => self.scrape(pod),
            Event::Restart(pod) => self.pods[pod].counted = [0.0; 2],
            Event::Hide(pod) => (self.pods[pod].hidden, self.pods[pod].scraped) = (true, None),
            Event::Show(pod) => self.pods[pod].hidden = false,
            Event::Look(_) => {}
        }
    }

    fn scrape(&mut self, pod: usize) {
        let pod = &mut self.pods[pod];
        if !pod.hidden {
            pod.scraped = Some(pod.counted);
        }
    }

    /// Bad answers and all, as a server has them.
    fn counters(&self, resets: Resets) -> [Counter; 2] {
        [0, 1].map(|i| {
            let scraped = self.pods.iter().enumerate();
            let scraped: Vec<(usize, f64)> = scraped.filter_map(|(n, pod)| Some((n, pod.scraped?[i]))).collect();
            match resets {
                // A process that has answered nothing badly yet has no such series.
                Resets::PerSeries => {
                    let series = scraped.iter().filter(|(_, value)| i == 1 || *value > 0.0);
                    series.map(|(n, value)| (SeriesId::of([("pod", n.to_string().as_str())]), *value)).collect()
                }
                Resets::Sum if scraped.is_empty() => Counter::absent(),
                Resets::Sum => Counter::sum(scraped.iter().map(|(_, value)| value).sum()),
            }
        })
    }
}

/// Everything that a run tells.
#[derive(Debug, Default)]
struct Told {
    bad: f64,
    total: f64,
    carried: f64,
    looks: usize,
    missing: usize,
}

/// Looks at the world from its first moment to its last.
fn run(events: &[Event], resets: Resets) -> (World, Told) {
    let mut world = World::default();
    (0..PODS).for_each(|pod| world.scrape(pod));
    let mut cursor = Cursor::new([resets; 4], Cursor::GAP_MAX_MS);
    let mut told = Told::default();
    let first = world.counters(resets);
    // The samples of the last look and of the one before.
    let (mut last, mut earlier) = (first.clone(), first);
    let mut look = |look: Look, world: &World| {
        told.looks += 1;
        let at_ms = told.looks as i64 * 1000;
        let now = world.counters(resets);
        let [canary_bad, canary_total] = match look {
            Look::Older => earlier.clone(),
            Look::Skewed => [now[0].clone(), last[1].clone()],
            Look::Answered | Look::Failed => now.clone(),
        };
        earlier = std::mem::replace(&mut last, now);
        let stable = (Counter::absent(), Counter::sum(1.0));
        let reading = Reading { at_ms, canary_bad, canary_total, stable_bad: stable.0, stable_total: stable.1 };
        let answer = if matches!(look, Look::Failed) { Err("no answer".to_owned()) } else { Ok(reading) };
        // The state is stored between looks.
        cursor = serde_json::from_str(&serde_json::to_string(&cursor).unwrap()).unwrap();
        match cursor.advance(answer) {
            Delta::Counts(interval) => {
                let grown = interval.canary;
                assert!(grown.bad >= 0.0 && grown.bad <= grown.total && grown.carried >= 0.0, "{grown:?}");
                told.bad += grown.bad;
                told.total += grown.total;
                told.carried = grown.carried;
            }
            Delta::First => {}
            Delta::Reset { .. } | Delta::Missing { .. } => told.missing += 1,
            delta => panic!("{delta:?} at a steady clock"),
        }
    };
    look(Look::Answered, &world);
    for event in events {
        world.apply(*event);
        if let Event::Look(kind) = event {
            look(*kind, &world);
        }
    }
    // In the end everything is scraped and looked at.
    (0..PODS).for_each(|pod| world.apply(Event::Show(pod)));
    (0..PODS).for_each(|pod| world.scrape(pod));
    look(Look::Answered, &world);
    (world, told)
}

fn answers() -> impl Strategy<Value = Event> {
    // Few and many, so that processes differ much in what they have counted.
    let count = prop_oneof![Just(0), 0..5_u32, 0..1000_u32];
    (0..PODS, count.clone(), count).prop_map(|(pod, bad, ok)| Event::Answers(pod, bad, ok))
}

fn scrape() -> impl Strategy<Value = Event> {
    (0..PODS).prop_map(Event::Scrape)
}

fn look() -> impl Strategy<Value = Event> {
    prop_oneof![4 => Just(Look::Answered), 1 => Just(Look::Failed), 1 => Just(Look::Skewed)].prop_map(Event::Look)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Whenever processes are scraped and counters looked at, and whoever answers: every request is counted once.
    #[test]
    fn without_restarts_every_request_is_counted_once(
        events in prop::collection::vec(prop_oneof![4 => answers(), 3 => scrape(), 3 => look()], 0..60),
        by_series in any::<bool>(),
    ) {
        let resets = if by_series { Resets::PerSeries } else { Resets::Sum };
        let (world, told) = run(&events, resets);
        prop_assert_eq!([told.bad + told.carried, told.total], world.happened);
    }

    /// The same when scrapes fail, and when older samples are answered in between.
    #[test]
    fn series_that_are_lost_and_found_are_counted_once(
        events in prop::collection::vec(
            prop_oneof![
                4 => answers(),
                3 => scrape(),
                3 => look(),
                1 => Just(Event::Look(Look::Older)),
                1 => (0..PODS).prop_map(Event::Hide),
                1 => (0..PODS).prop_map(Event::Show),
            ],
            0..60,
        ),
    ) {
        let (world, told) = run(&events, Resets::PerSeries);
        // An older sample of less than half is how a restart looks: those worlds are for below.
        prop_assume!(!halved(&events));
        prop_assert_eq!([told.bad + told.carried, told.total], world.happened);
    }

    /// Processes that are restarted, hidden and shown: never more than happened.
    #[test]
    fn with_restarts_nothing_is_counted_that_did_not_happen(
        events in prop::collection::vec(
            prop_oneof![
                4 => answers(),
                3 => scrape(),
                3 => look(),
                1 => (0..PODS).prop_map(Event::Restart),
                1 => (0..PODS).prop_map(Event::Hide),
                1 => (0..PODS).prop_map(Event::Show),
            ],
            0..80,
        ),
    ) {
        let (world, told) = run(&events, Resets::PerSeries);
        prop_assert!(told.bad + told.carried <= world.happened[0] && told.total <= world.happened[1], "{told:?}");
    }

    /// Sums over processes that are restarted: never more than happened.
    #[test]
    fn sums_that_fall_count_nothing_that_did_not_happen(
        events in prop::collection::vec(
            prop_oneof![4 => answers(), 3 => scrape(), 3 => look(), 1 => (0..PODS).prop_map(Event::Restart)],
            0..80,
        ),
    ) {
        let (world, told) = run(&events, Resets::Sum);
        prop_assert!(told.bad <= world.happened[0] && told.total <= world.happened[1], "{told:?}");
    }
}

/// Whether a look sees a process with less than half of what a look before has seen of it, though nothing was restarted.
fn halved(events: &[Event]) -> bool {
    let mut world = World::default();
    (0..PODS).for_each(|pod| world.scrape(pod));
    let (mut last, mut earlier) = (world.pods, world.pods);
    let mut highest = [[0.0_f64; 2]; PODS];
    for event in events {
        world.apply(*event);
        let Event::Look(look) = event else { continue };
        let seen = if matches!(look, Look::Older) { earlier } else { world.pods };
        earlier = std::mem::replace(&mut last, world.pods);
        for (pod, highest) in seen.iter().zip(&mut highest) {
            let Some(scraped) = pod.scraped else { continue };
            for i in 0..2 {
                if scraped[i] < highest[i] / 2.0 {
                    return true;
                }
                highest[i] = highest[i].max(scraped[i]);
            }
        }
    }
    false
}

/// Two processes of which one is restarted: its lost tail is all that is missing.
#[test]
fn a_restart_loses_only_what_was_not_scraped() {
    let events = [
        Event::Answers(0, 10, 90),
        Event::Answers(1, 0, 500),
        Event::Scrape(0),
        Event::Scrape(1),
        Event::Look(Look::Answered),
        Event::Answers(0, 3, 4),
        Event::Restart(0),
        Event::Answers(0, 2, 8),
        Event::Scrape(0),
        Event::Look(Look::Answered),
    ];
    let (world, told) = run(&events, Resets::PerSeries);
    assert_eq!(world.happened, [15.0, 617.0]);
    assert_eq!([told.bad, told.total, told.missing as f64], [12.0, 610.0, 0.0]);
    let (_, told) = run(&events, Resets::Sum);
    assert_eq!([told.bad, told.total, told.missing as f64], [10.0, 600.0, 1.0]);
}
