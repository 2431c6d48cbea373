//! Cost of one decision: time and allocations in typical worlds, and whether both grow linearly with the number of rollouts.
//! `cargo bench -p serin-sim --bench decide`

// A bench measures time; the ban is for decisions.
#![allow(clippy::disallowed_methods)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serin_core::analysis::Metric;
use serin_core::rollout::{Amount, Canary, Rollout, Step, Strategy, Traffic};
use serin_core::{Hash, RoleMetadata, Span, Time, World, decide};
use serin_sim::drive::Sim;
use serin_sim::measure::Plans;
use serin_sim::world::{Cluster, Measure, Version};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed to the system allocator unchanged; only counters are kept beside it. Counting allocations is not
// possible without implementing this trait, and the bench itself is its test: a wrong allocator would not get through a run.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size() as u64, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn rollout(hash: &str) -> Rollout {
    let minute = Span::from_secs(60);
    let steps = vec![
        Step::SetWeight(20),
        Step::Pause(Some(minute)),
        Step::Analysis,
        Step::SetWeight(50),
        Step::Pause(Some(minute)),
        Step::Analysis,
    ];
    Rollout {
        name: "svc".to_owned(),
        generation: 1,
        replicas: 4,
        hash: Hash::new(hash),
        steps_hash: "steps".to_owned(),
        paused: false,
        progress_deadline: Span::from_secs(600),
        progress_deadline_abort: false,
        revision_history_limit: 10,
        rollback_window: None,
        restart_at: None,
        metadata: RoleMetadata::default(),
        run_history_limits: (5, 5),
        workload: None,
        strategy: Strategy::Canary(Canary {
            steps,
            max_surge: Amount::Percent(25),
            traffic: Some(Traffic { weight_total: 100 }),
            canary_service: Some("svc-canary".to_owned()),
            stable_service: Some("svc-stable".to_owned()),
            scale_down_delay: Span::from_secs(30),
            ..Canary::default()
        }),
    }
}

/// A world in the middle of an update, as an adapter would observe it.
fn midway(old_versions: u32) -> (World, Time) {
    let start = Time::from_secs(1_700_000_000);
    let mut cluster = Cluster::new(rollout("v0"), start, 0);
    let good = Version {
        measures: [("error-rate".to_owned(), Measure::Number(0.01))].into(),
        ..Version::steady(Some(Span::from_secs(2)))
    };
    let mut metric = Metric::new("error-rate");
    (metric.success, metric.interval, metric.count) =
        (Some("result[0] < 0.05".to_owned()), Some(Span::from_secs(30)), 3);
    cluster.plans = Plans::same(vec![metric]);
    for i in 0..=old_versions {
        cluster.versions.insert(Hash::new(format!("v{i}")), good.clone());
    }
    cluster.versions.insert(Hash::new("new"), good);
    let mut sim = Sim::new(cluster);
    for i in 0..=old_versions {
        run(&mut sim, rollout(&format!("v{i}")), Span::from_secs(900));
    }
    run(&mut sim, rollout("new"), Span::from_secs(90));
    (sim.cluster.truth, sim.cluster.now)
}

fn run(sim: &mut Sim, rollout: Rollout, span: Span) {
    sim.cluster.truth.rollout = rollout;
    sim.touch();
    let end = sim.cluster.now + span;
    while sim.step(end, &mut |_, _, _| {}).expect("it settles").is_some() {}
}

fn measure(name: &str, work: impl Fn(), decisions: u64) {
    work();
    let (allocations, bytes) = (ALLOCATIONS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    work();
    let allocations = (ALLOCATIONS.load(Ordering::Relaxed) - allocations) / decisions;
    let bytes = (BYTES.load(Ordering::Relaxed) - bytes) / decisions;
    let (mut best, end) = (Duration::MAX, Instant::now() + Duration::from_secs(1));
    while Instant::now() < end {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed());
    }
    let each = best.as_nanos() as u64 / decisions;
    println!("{name:<44} {each:>8} ns/decision  {allocations:>4} allocations  {bytes:>6} bytes");
}

fn main() {
    for old in [0, 3, 9] {
        let (world, now) = midway(old);
        let name = format!("midway, {} pools, {} runs", world.pools.len(), world.runs.len());
        measure(&name, || drop(black_box(decide(black_box(&world), now))), 1);
    }
    for count in [250u64, 500, 1000, 2000] {
        let (world, now) = midway(1);
        let worlds: Vec<World> = (0..count).map(|_| world.clone()).collect();
        let all = || worlds.iter().for_each(|w| drop(black_box(decide(black_box(w), now))));
        measure(&format!("{count} rollouts in turn"), all, count);
    }
}
