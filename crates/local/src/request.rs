//! What people ask for, as changes of a workload's wanted object and memory. Pure; the engine makes the result durable and
//! decides afterwards.

use serin_core::{Rollout, Span, Status, Time, intent};
use serin_spec::wire::pod::PodTemplate;
use serin_spec::wire::rollout::Rollout as WireRollout;
use serin_spec::{lower, raise};

use crate::LocalError;
use crate::model::{Key, PoolState, Workload};

/// What a request did: a sentence, and whether anything changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// One sentence.
    pub message: String,
    /// Whether anything changed.
    pub changed: bool,
}

impl Done {
    fn changed(message: impl Into<String>) -> Self {
        Self { message: message.into(), changed: true }
    }

    fn unchanged(message: impl Into<String>) -> Self {
        Self { message: message.into(), changed: false }
    }
}

/// The object in the core's terms.
pub fn lowered(object: &WireRollout, status: &Status) -> Rollout {
    let generation = object.metadata.generation.unwrap_or(1);
    let collisions = i32::try_from(status.collision_count).unwrap_or(i32::MAX);
    lower::rollout(object, generation, Some(collisions).filter(|c| *c > 0))
}

/// Takes a changed object: a new generation, lowered anew.
pub fn change(workload: &mut Workload, edit: impl FnOnce(&mut WireRollout)) {
    edit(&mut workload.object);
    let generation = workload.object.metadata.generation.unwrap_or(0) + 1;
    workload.object.metadata.generation = Some(generation);
    workload.rollout = lowered(&workload.whole(), &workload.status);
}

/// Takes another template, where it is written: in the rollout, or in the object that its `workloadRef` names.
fn change_template(workload: &mut Workload, template: PodTemplate) {
    match &mut workload.held {
        Some(held) => {
            held.template = template;
            change(workload, |_| {});
        }
        None => change(workload, |object| object.spec.template = Some(template)),
    }
}

/// Sets the version of the only container, or of the named one. `version` is a tag, `sha256:...`, or a whole image.
///
/// # Errors
/// When there is no such container, or several and none is named.
pub fn deploy(workload: &mut Workload, version: &str, container: Option<&str>) -> Result<Done, LocalError> {
    let key = workload.key();
    let mut object = workload.whole().into_owned();
    let image = raise::rollout_with_image(&mut object, container, version).map_err(|error| {
        let names: Vec<String> = workload.template().containers().into_iter().map(|c| c.name).collect();
        LocalError::refused_with(format!("{key}: {error}"), format!("name one with --container: {}", names.join(", ")))
    })?;
    let template = object.spec.template.unwrap_or_default();
    if template == workload.template() {
        return Ok(Done::unchanged(format!("{key} already wants {image}")));
    }
    change_template(workload, template);
    Ok(Done::changed(format!("{key} wants {image} now")))
}

fn update_in_progress(workload: &Workload) -> bool {
    workload.status.stable.is_some() && workload.status.stable.as_ref() != Some(&workload.rollout.hash)
}

/// Goes on: ends the pause, or skips the step that runs; `full` skips everything that is left.
///
/// # Errors
/// When there is nothing to promote, or the update was aborted. A blue-green rollout has no steps to skip, so it must be paused.
pub fn promote(workload: &mut Workload, full: bool) -> Result<Done, LocalError> {
    let key = workload.key();
    if workload.status.abort && !full {
        let message = format!("the update of {key} was aborted");
        return Err(LocalError::refused_with(
            message,
            "try it again with `serin retry`, or go back with `serin rollback`",
        ));
    }
    let paused = workload.rollout.paused;
    if !update_in_progress(workload) && !paused && workload.status.pauses.is_empty() {
        return Err(LocalError::refused(format!("{key} has no update to promote: it is at its stable version")));
    }
    if !full && !paused && workload.rollout.blue_green().is_some() && workload.status.pauses.is_empty() {
        let message = format!("{key} is not paused: there is nothing to end before its switch");
        return Err(LocalError::refused_with(message, "`serin promote --full` skips its analysis and its pause"));
    }
    let unpause = match full {
        true => match intent::promote_full(&workload.rollout, &mut workload.status) {
            Some(unpause) => unpause,
            None => return Ok(Done::unchanged(format!("{key} is fully promoted already"))),
        },
        false => intent::promote(&workload.rollout, &mut workload.status),
    };
    if unpause.0 {
        change(workload, |object| object.spec.paused = false);
    }
    Ok(Done::changed(match full {
        true => format!("{key} goes to 100% now"),
        false => format!("{key} goes on"),
    }))
}

/// Stops the update: traffic goes back to stable, the new version stays wanted until a retry or a rollback.
///
/// # Errors
/// When there is no update.
pub fn abort(workload: &mut Workload) -> Result<Done, LocalError> {
    let key = workload.key();
    if !update_in_progress(workload) {
        let message = format!("{key} has no update to abort: it is at its stable version");
        return Err(LocalError::refused_with(message, "go back to an earlier version with `serin undo`"));
    }
    if workload.status.abort {
        return Ok(Done::unchanged(format!("the update of {key} was aborted already")));
    }
    intent::abort(&mut workload.status);
    let left = workload.rollout.blue_green().is_none() || workload.status.blue_green.active != workload.status.stable;
    let traffic = if left { "traffic goes back to stable" } else { "the users never left stable" };
    Ok(Done::changed(format!("the update of {key} is aborted: {traffic}")))
}

/// Tries an aborted update again from its first step.
///
/// # Errors
/// When nothing was aborted.
pub fn retry(workload: &mut Workload) -> Result<Done, LocalError> {
    let key = workload.key();
    if !workload.status.abort {
        return Err(LocalError::refused(format!("{key} has no aborted update to retry")));
    }
    intent::retry(&mut workload.status);
    let begins = if workload.rollout.steps() > 0 { " from its first step" } else { "" };
    Ok(Done::changed(format!("{key} starts again{begins}")))
}

/// Wants the stable version again, which ends the update at once: traffic goes back, and the rollout ends healthy.
///
/// # Errors
/// When there is no update.
pub fn rollback(workload: &mut Workload) -> Result<Done, LocalError> {
    let key = workload.key();
    if !update_in_progress(workload) {
        let message = format!("{key} has nothing to roll back: it is at its stable version");
        return Err(LocalError::refused_with(message, "go back to an earlier version with `serin undo`"));
    }
    let stable = workload.status.stable.clone();
    let Some(pool) = stable.and_then(|hash| workload.pool(&hash)).cloned() else {
        return Err(LocalError::refused(format!("{key} has lost its stable pool")));
    };
    restore(workload, &pool);
    Ok(Done::changed(format!("{key} goes back to revision {} ({})", pool.revision, pool_image(&pool))))
}

/// Takes the template of an earlier revision: the given one, or the newest before the present one.
///
/// # Errors
/// When there is no such revision.
pub fn undo(workload: &mut Workload, to_revision: Option<u64>) -> Result<Done, LocalError> {
    let key = workload.key();
    let present = workload.rollout.hash.clone();
    let mut others: Vec<&PoolState> = workload.pools.iter().filter(|p| p.hash != present).collect();
    others.sort_by_key(|p| std::cmp::Reverse(p.revision));
    let chosen = match to_revision.filter(|n| *n > 0) {
        None => others.first().copied(),
        Some(n) => {
            if workload.pool(&present).is_some_and(|p| p.revision == n) {
                return Ok(Done::unchanged(format!("{key} is at revision {n} already")));
            }
            others.iter().find(|p| p.revision == n).copied()
        }
    };
    let Some(pool) = chosen.cloned() else {
        let known: Vec<String> = others.iter().map(|p| p.revision.to_string()).collect();
        let hint = match known.is_empty() {
            true => "there is no earlier revision".to_owned(),
            false => format!("known revisions: {}", known.join(", ")),
        };
        let wanted = to_revision.map_or_else(|| "an earlier revision".to_owned(), |n| format!("revision {n}"));
        return Err(LocalError::refused_with(format!("{key} does not know {wanted}"), hint));
    };
    restore(workload, &pool);
    Ok(Done::changed(format!("{key} wants revision {} again ({})", pool.revision, pool_image(&pool))))
}

fn restore(workload: &mut Workload, pool: &PoolState) {
    change_template(workload, pool.template.clone());
}

/// Wants every member that was started before `at` replaced by a new one; `at` is `in_seconds` from now.
///
/// # Errors
/// Never now; the signature is that of the other requests.
//= compat: 7.4-4
pub fn restart(workload: &mut Workload, at: Time, in_seconds: f64) -> Result<Done, LocalError> {
    let key = workload.key();
    change(workload, |object| object.spec.restart_at = Some(raise::time(at)));
    let when = Span::from_millis((in_seconds * 1000.0) as i64);
    Ok(Done::changed(format!("{key} restarts in {when}: its members are replaced one after the other")))
}

/// Halts until promoted.
///
/// # Errors
/// Never now; the signature is that of the other requests.
pub fn pause(workload: &mut Workload) -> Result<Done, LocalError> {
    let key = workload.key();
    if workload.rollout.paused {
        return Ok(Done::unchanged(format!("{key} is paused already")));
    }
    change(workload, |object| object.spec.paused = true);
    Ok(Done::changed(format!("{key} is paused: resume with `serin promote {}`", key.name)))
}

/// Image of a pool's first container.
pub fn pool_image(pool: &PoolState) -> String {
    pool.template.containers().first().map_or_else(String::new, |c| c.image.clone())
}

/// The rollouts that a service name means: all of them, the one of this name, or the only one whose name begins with or
/// contains it. `namespace/name` narrows it down.
///
/// # Errors
/// When none or several fit, with the names that exist.
pub fn resolve<'a>(service: &str, keys: impl Iterator<Item = &'a Key> + Clone) -> Result<Vec<Key>, LocalError> {
    let known = || keys.clone().map(|k| k.name.as_str()).collect::<Vec<_>>().join(", ");
    if keys.clone().next().is_none() {
        return Err(LocalError::refused_with("there is no rollout yet", "apply one with `serin apply -f FILE`"));
    }
    if service == "all" {
        return Ok(keys.cloned().collect());
    }
    let (namespace, name) = match service.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, service),
    };
    let within = |k: &&Key| namespace.is_none_or(|n| k.namespace == n);
    type Fits = fn(&str, &str) -> bool;
    let stages: [Fits; 3] =
        [|have, asked| have == asked, |have, asked| have.starts_with(asked), |have, asked| have.contains(asked)];
    for fits in stages.iter().filter(|_| !name.is_empty()) {
        let found: Vec<&Key> = keys.clone().filter(within).filter(|k| fits(&k.name, name)).collect();
        match found.as_slice() {
            [] => {}
            [one] => return Ok(vec![(*one).clone()]),
            several => {
                let names: Vec<String> = several.iter().map(|k| k.to_string()).collect();
                let message = format!("\"{service}\" may be any of {}", names.join(", "));
                return Err(LocalError::refused_with(message, "write more of the name, or namespace/name"));
            }
        }
    }
    Err(LocalError::refused_with(format!("there is no rollout \"{service}\""), format!("known: {}", known())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_found_by_short_names() {
        let keys = [
            Key::new("ns", "bankchurn-predictor"),
            Key::new("ns", "chicagotaxi-predictor"),
            Key::new("other", "chicagotaxi-predictor"),
            Key::new("ns", "nlp"),
            Key::new("ns", "nlp-next"),
        ];
        let found =
            |service: &str| resolve(service, keys.iter()).map(|k| k.iter().map(Key::to_string).collect::<Vec<_>>());
        assert_eq!(found("bankchurn").unwrap(), ["ns/bankchurn-predictor"]);
        assert_eq!(found("churn").unwrap(), ["ns/bankchurn-predictor"]);
        assert_eq!(found("nlp").unwrap(), ["ns/nlp"]);
        assert_eq!(found("other/chicagotaxi").unwrap(), ["other/chicagotaxi-predictor"]);
        assert_eq!(found("all").unwrap().len(), 5);
        let ambiguous = found("chicagotaxi").unwrap_err();
        assert!(ambiguous.to_string().contains("ns/chicagotaxi-predictor, other/chicagotaxi-predictor"), "{ambiguous}");
        let missing = found("spam").unwrap_err();
        assert!(missing.hint().unwrap().contains("bankchurn-predictor"), "{missing:?}");
        assert!(found("").is_err());
        assert!(resolve("x", [].iter()).unwrap_err().hint().unwrap().contains("serin apply"));
    }
}
