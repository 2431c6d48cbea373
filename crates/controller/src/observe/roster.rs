//! The pods of a pool one by one: who is old enough to be replaced by a restart, and who may be missed (section 1.4 of the Argo
//! reference).

use serin_core::Member;
use serin_spec::timestamp;

use crate::object::Object;
use crate::replica_set::ReplicaSet;

/// The live pods of a ReplicaSet, and those on their way out.
//= compat: 1.4-2, 1.4-6
pub(super) fn roster(pool: &ReplicaSet, available: u32, pods: &[Object]) -> Vec<Member> {
    let mut own: Vec<&Object> = pods.iter().filter(|pod| pod.is_controlled_by(pool.0.uid())).collect();
    // How many have been ready for `minReadySeconds` is what their ReplicaSet says; those that have been ready longest are it.
    own.sort_by_key(|pod| (pod.is_deleted(), ready_since(pod).is_none(), ready_since(pod), pod.name().to_owned()));
    let member = |(i, pod): (usize, &&Object)| Member {
        name: pod.name().to_owned(),
        started: pod.created(),
        available: i < available as usize && !pod.is_deleted() && ready_since(pod).is_some(),
        leaving: pod.is_deleted(),
    };
    own.iter().enumerate().map(member).collect()
}

fn ready_since(pod: &Object) -> Option<serin_core::Time> {
    let conditions = pod.0["status"]["conditions"].as_array()?;
    let ready = conditions.iter().find(|c| c["type"] == "Ready" && c["status"] == "True")?;
    Some(timestamp::parse_optional(ready["lastTransitionTime"].as_str()).unwrap_or_default())
}
