//! `serin plan` beside a running control process: the rate is what the router sees.

use serde_json::Value;

use crate::machine::Machine;
use crate::manifests::{App, background, sequential};

#[test]
fn the_router_says_how_many_requests_there_are() {
    let mut app = App::new("model", &["setWeight: 20", "pause: {duration: 1h}"]);
    app.canary = background("errors");
    let machine = Machine::with(&[&app], &[sequential("errors", "compare", "{tolerance: 1pt}")]);
    let idle = machine.run(&["plan", "app"]).fails(2);
    assert!(idle.contains("sees no requests for model now") && idle.contains("--rate 40"), "{idle}");
    let load = machine.load(&app);
    machine.until("model", "traffic", |v| v["traffic"][0]["rate"].as_f64() > Some(1.0));
    let report: Value = serde_json::from_str(&machine.run(&["plan", "app", "-o", "json"]).ok()).unwrap();
    let rollout = &report["rollouts"][0];
    assert_eq!((&rollout["rateFrom"], &rollout["stableErrorsFrom"]), (&"router".into(), &"router".into()));
    // Of the clock's seconds, of which fifty are one.
    let (rate, real) =
        (rollout["assumed"]["rate"].as_f64().unwrap(), machine.view("model")["traffic"][0]["rate"].as_f64());
    assert!(rate > 0.0 && rate < real.unwrap() / 5.0, "{rate} {real:?}");
    assert_eq!(rollout["assumed"]["stableErrors"], 0.0);
    let text = machine.run(&["plan", "app"]).ok();
    assert!(text.contains("as the router sees now") && text.contains("errors (beside)"), "{text}");
    assert!(load.finish().failures.is_empty());
}
