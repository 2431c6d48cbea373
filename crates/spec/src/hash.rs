//! Argo's hashes of a pod template and of the steps: names of pools, and the test whether something changed.
//!
//! A template that has not changed must keep its hash for ever, or a controller that takes over would start every rollout
//! anew. So what is hashed is byte for byte the JSON that Go writes, by tables of its structs.

mod fields;
mod go_json;

use serde_json::Value;
use serin_core::Hash;

use crate::wire::PodTemplate;
use crate::wire::canary::CanaryStep;
use crate::wire::keys::HASH_LABEL;

/// Which of Kubernetes' Go types wrote the JSON; they differ in empty metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Types {
    /// Kubernetes 0.34 and later: an absent `creationTimestamp` is left out.
    Current,
    /// Before: it is written as `null`.
    Older,
}

/// The pod-template hash. `collision_count` is that of the rollout's status.
//= compat: 2.3-1, 2.3-2, 2.2-1
pub fn pod_template(template: &PodTemplate, collision_count: Option<i32>) -> Hash {
    pod_template_by(template, collision_count, Types::Current)
}

/// The hash of the pods of a version of an experiment. The name of its pool is part of it: the original gives a version the
/// hash of the pods that it was copied from, so that the stable service selects them too and every query counts both.
//= compat-differs: 5.2-2 a version of an experiment never has the hash of the pods it was copied from
pub fn experiment_template(template: &PodTemplate, collision_count: Option<i32>, pool: &str) -> Hash {
    let mut template = template.clone();
    if let Some(labels) = template.0.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(HASH_LABEL);
    }
    let mut sum = fnv(FNV_BASIS, pod_template_json(&template, Types::Current).as_bytes());
    sum = fnv(sum, pool.as_bytes());
    sum = fnv(sum, &collision_count.unwrap_or(0).to_le_bytes());
    Hash::new(encode(sum))
}

/// The pod-template hash as a controller with other types computes it: to recognise the pools that it left.
//= compat: 2.3-3
pub fn pod_template_by(template: &PodTemplate, collision_count: Option<i32>, types: Types) -> Hash {
    let mut sum = fnv(FNV_BASIS, pod_template_json(template, types).as_bytes());
    if let Some(count) = collision_count {
        sum = fnv(sum, &count.to_le_bytes());
        sum = fnv(sum, &[0; 4]);
    }
    Hash::new(encode(sum))
}

/// What is hashed.
pub fn pod_template_json(template: &PodTemplate, types: Types) -> String {
    let mut json = String::new();
    go_json::object(&template.0, fields::POD_TEMPLATE_SPEC, types, &mut json);
    json
}

/// The hash of the steps. No steps have a hash too, that of `null`.
//= compat: 2.3-11, 10.31
pub fn steps(steps: &[CanaryStep]) -> String {
    encode(fnv(FNV_BASIS, steps_json(steps).as_bytes()))
}

/// What is hashed.
pub fn steps_json(steps: &[CanaryStep]) -> String {
    if steps.is_empty() {
        return "null".to_owned();
    }
    let value = serde_json::to_value(steps).unwrap_or(Value::Null);
    let mut json = String::new();
    go_json::objects(&value, fields::CANARY_STEP, Types::Current, &mut json);
    json
}

const FNV_BASIS: u32 = 2_166_136_261;
const FNV_PRIME: u32 = 16_777_619;

/// FNV-1a with 32 bits, going on from `sum`.
fn fnv(sum: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(sum, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(FNV_PRIME))
}

/// The decimal digits in an alphabet without vowels, so that no word comes up by accident.
//= compat: 2.3-2
fn encode(sum: u32) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    sum.to_string().bytes().map(|digit| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    //= compat: A.1-1, 2.3-2
    #[test]
    fn the_sum_of_nothing_is_encoded_as_argo_encodes_it() {
        assert_eq!(encode(fnv(FNV_BASIS, b"")), "65bb57b6b5");
        let digits: String = (0..10).map(encode).collect();
        assert_eq!(digits, "456789bcdf");
    }
}
