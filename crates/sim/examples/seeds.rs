//! Plays seeds on all cores and prints figures: what `cargo xtask seeds` runs.
#![expect(clippy::disallowed_methods, reason = "the plays know no clock; how long they take is measured here")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serin_sim::seeds::{self, Failure, Figures, Scenario, draw, play, shrink};

/// What to do, from the arguments.
struct Order {
    first: u64,
    /// How many seeds; as many as there is time for where it is not said.
    count: Option<u64>,
    time: Option<Duration>,
    jobs: usize,
    /// Failing seeds after which it ends.
    most_failures: usize,
    shrink: bool,
}

fn main() -> ExitCode {
    // A panic of a decision is a failure like any other, and told with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[String]) -> Result<bool, String> {
    let mut order = Order { first: 1, count: None, time: None, jobs: 2, most_failures: 1, shrink: true };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut number = || -> Result<u64, String> {
            let text = words.next().ok_or_else(|| format!("{word} needs a number"))?;
            text.parse().map_err(|_| format!("'{text}' is not a number"))
        };
        match word.as_str() {
            "--seed" => return Ok(tell(number()?)),
            "--first" => order.first = number()?,
            "--count" => order.count = Some(number()?),
            "--seconds" => order.time = Some(Duration::from_secs(number()?)),
            "--jobs" => order.jobs = number()?.max(1) as usize,
            "--failures" => order.most_failures = number()?.max(1) as usize,
            "--no-shrink" => order.shrink = false,
            other => return Err(format!("unknown argument '{other}'")),
        }
    }
    if order.count.is_none() && order.time.is_none() {
        return Err("needs --seed, --count or --seconds".to_owned());
    }
    Ok(many(&order))
}

/// A check whose panic is a failure.
fn check(scenario: &Scenario) -> Result<seeds::Played, Failure> {
    std::panic::catch_unwind(|| seeds::check_scenario(scenario)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        Err(Failure { oracle: "panics", why: text.unwrap_or_default(), at: None })
    })
}

/// One seed in full: its script, what happens, and where it fails the smallest that fails as well.
fn tell(seed: u64) -> bool {
    let scenario = draw::scenario(seed);
    println!("{scenario}");
    match check(&scenario) {
        Ok(played) => {
            println!("{}", play::transcript(&scenario));
            println!("seed {seed} holds: {} decisions", played.figures.decisions);
            true
        }
        Err(failure) => {
            println!("{}", smallest(&scenario, &failure));
            false
        }
    }
}

/// The smallest scenario that fails in the same way, told.
fn smallest(scenario: &Scenario, failure: &Failure) -> String {
    let (small, failure) = shrink::shrink(scenario, failure, &check);
    let told = std::panic::catch_unwind(|| play::transcript(&small)).unwrap_or_default();
    format!("# made small\n{small}\n{told}{failure}")
}

/// Many seeds on several threads.
fn many(order: &Order) -> bool {
    let begun = Instant::now();
    let (next, over) = (AtomicU64::new(order.first), AtomicBool::new(false));
    let total = Mutex::new(Figures::default());
    let failures: Mutex<Vec<(u64, Failure)>> = Mutex::new(Vec::new());
    let end = order.count.map_or(u64::MAX, |count| order.first.saturating_add(count));
    let work = || {
        let mut figures = Figures::default();
        while !over.load(Ordering::Relaxed) && order.time.is_none_or(|time| begun.elapsed() < time) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                break;
            }
            match check(&draw::scenario(seed)) {
                Ok(played) => figures.add(&played.figures),
                Err(failure) => {
                    let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                    failures.push((seed, failure));
                    over.fetch_or(failures.len() >= order.most_failures, Ordering::Relaxed);
                }
            }
        }
        total.lock().unwrap_or_else(PoisonError::into_inner).add(&figures);
    };
    std::thread::scope(|scope| {
        for _ in 0..order.jobs {
            scope.spawn(work);
        }
    });
    let seconds = begun.elapsed().as_secs_f64();
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort_by_key(|(seed, _)| *seed);
    for (seed, failure) in &failures {
        println!("seed {seed} fails\n{failure}\nreplay it with: cargo xtask seeds --seed {seed}");
    }
    if let Some((seed, failure)) = failures.first().filter(|_| order.shrink) {
        println!("{}", smallest(&draw::scenario(*seed), failure));
    }
    report(&total, seconds, order.jobs);
    failures.is_empty()
}

fn report(total: &Figures, seconds: f64, jobs: usize) {
    let rate = total.plays as f64 / seconds;
    println!(
        "{} seeds, each played twice, in {seconds:.1} s on {jobs} threads: {rate:.0} seeds/s, {:.0} rollouts/s and thread",
        total.plays,
        2.0 * rate / jobs as f64,
    );
    println!(
        "{} decisions in {} passes, {} states of rest, {} situations, {} faults, {} acts, {} h simulated; longest way to rest {} s",
        total.decisions,
        total.passes,
        total.rests,
        total.situations.len(),
        total.faults,
        total.acts,
        total.seconds / 3600,
        total.longest_rest,
    );
}
