//! Whole rollouts a second on one core: an update through 20, 50 and 100% in a described world, metrics scraped and judged by
//! PromQL. `cargo bench -p serin-sim --bench simulate`

use std::path::PathBuf;
use std::sync::Arc;

use serin_expr::Value;
use serin_promql::{Query, Store, format_value};
use serin_sim::description::Description;
use serin_sim::scenario::{Question, Questions, Scenario};
use serin_sim::simulate;
use serin_spec::wire::provider::PrometheusMetric;
use serin_spec::{Source, check, read, settings};

fn question(metric: &PrometheusMetric) -> Result<Question, String> {
    let query = Query::parse(metric.query.as_deref().unwrap_or_default()).map_err(|e| e.to_string())?;
    let reads = query.clone();
    let ask = move |store: &Store, at_ms: i64| match query.eval(store, at_ms).map_err(|e| e.to_string())? {
        serin_promql::Value::Vector(elements) => {
            let values: Vec<f64> = elements.iter().map(|(_, value)| *value).collect();
            let texts: Vec<String> = values.iter().map(|value| format_value(*value)).collect();
            Ok((Value::from(values), format!("[{}]", texts.join(","))))
        }
        _ => Err("a vector is expected".to_owned()),
    };
    Ok(Question { ask: Arc::new(ask), reads: Arc::new(move |labels| reads.reads(labels)) })
}

fn scenario(world: &str) -> Scenario {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (sources, problems) = read::files(&[root.join("examples/ml-portfolio/k8s")]);
    assert!(problems.is_empty(), "{problems:?}");
    let path = root.join("examples/worlds").join(world);
    let text = std::fs::read_to_string(&path).expect("the world is there");
    let world = settings::read::<Description>(&Source::new("world.yaml", text), "world").expect("it is a world");
    Scenario::new(
        &check(&sources).catalog,
        &world,
        None,
        Questions { query: &question, judge: &|_| unreachable!("no sequential metrics") },
    )
    .expect("it is a scenario")
}

/// Processor time of this process in seconds: what others do on the machine does not count.
fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("Linux tells the processor time");
    let ns: f64 = text.split(' ').next().and_then(|ns| ns.parse().ok()).expect("it is a number");
    ns / 1e9
}

fn main() {
    for world in ["healthy.yaml", "errors.yaml", "slow.yaml", "drift.yaml", "shared-outage.yaml"] {
        let scenario = scenario(world);
        let mut seed = 0;
        let (mut simulated, mut decisions) = (0, 0);
        let start = cpu_s();
        while cpu_s() - start < 2.0 {
            seed += 1;
            let report = simulate::run(&scenario, seed, None).expect("it settles");
            simulated += report.took.as_secs();
            decisions += report.decisions;
        }
        let took = cpu_s() - start;
        println!(
            "{world:<20} {:>6.0} rollouts/s, {:>4.0} decisions and {:>4} s of virtual time each",
            seed as f64 / took,
            decisions as f64 / seed as f64,
            simulated / seed as i64,
        );
    }
}
