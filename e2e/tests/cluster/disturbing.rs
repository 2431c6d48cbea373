//! Tests that stop a part of the cluster. They run alone: any other test would take it for a fault.

use std::time::Duration;

use serin_e2e::{Cluster, wait_for};

/// For what takes a cluster seconds; a machine that is busy with a build needs more of them.
const SOON: Duration = Duration::from_secs(60);

#[test]
fn the_api_server_comes_back_with_what_it_had() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("restart");
    namespace.kubectl(&["create", "configmap", "kept", "--from-literal=a=1"]);
    cluster.process(&["stop", "apiserver"]);
    assert!(!cluster.try_kubectl(&["get", "--raw", "/readyz", "--request-timeout=2s"], "").success);
    cluster.process(&["start", "apiserver"]);
    cluster.wait_for_api(SOON);
    assert_eq!(namespace.object("configmap", "kept").unwrap()["data"]["a"], "1");
    // The controller manager has found it again, too: a new namespace gets its service account from it.
    let other = cluster.namespace("after");
    wait_for("a service account", SOON, || {
        other.object("serviceaccount", "default").map(|_| ()).ok_or_else(|| "none".to_owned())
    });
}

#[test]
fn a_server_that_hangs_goes_on_where_it_was() {
    let cluster = Cluster::booted();
    cluster.process(&["signal", "STOP", "apiserver"]);
    let answer = cluster.try_kubectl(&["get", "--raw", "/readyz", "--request-timeout=1s"], "");
    cluster.process(&["signal", "CONT", "apiserver"]);
    assert!(!answer.success, "{answer:?}");
    cluster.wait_for_api(SOON);
}
