//! The services of `examples/ml-portfolio`, by the very files that one machine runs.

use std::time::Duration;

use serin_e2e::{Cluster, ask};

/// For what takes a cluster seconds; a machine that is busy with a build needs more of them.
const SOON: Duration = Duration::from_secs(90);

#[test]
fn the_first_versions_come_up_and_are_reached_by_their_hosts() {
    let namespace = Cluster::booted().claim("ml-services");
    namespace.apply_path("examples/ml-portfolio/k8s");
    namespace.apply_path("examples/ml-portfolio/k8s/argo-rollouts");
    let mut controller = namespace.controller(&[]);
    for service in ["bankchurn", "chicagotaxi", "nlpinsight"] {
        let name = format!("{service}-predictor");
        let healthy = namespace.wait_for("rollout", &name, "healthy", SOON, |r| r["status"]["phase"] == "Healthy");
        assert_eq!(healthy["status"]["readyReplicas"], 2);
        let host = format!("{service}.local");
        let answers = namespace.wait_until(&format!("answers of {host}"), SOON, || {
            let answers = ask(&host, 20, SOON);
            if answers.failed == 0 { Ok(answers) } else { Err(format!("{answers:?}")) }
        });
        assert_eq!(answers.versions, [("v3.1.0".to_owned(), 20)].into());
    }
    assert!(controller.is_running(), "{}", controller.log());
    assert_eq!(controller.stop(Duration::from_secs(20)), Some(0));
}
