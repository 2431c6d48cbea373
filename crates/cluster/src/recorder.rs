//! Which events are sent: the same words about the same object are not told again within a minute.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serin_controller::Write;
use serin_controller::write::Verb;
use serin_core::{Span, Time};

/// For how long an event is not repeated. Whoever looks later than that sees anew what still happens.
const REPEAT: Span = Span::from_secs(60);

/// Events that are remembered before those that may be repeated are forgotten.
const REMEMBERED: usize = 1024;

/// What was told lately.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// When each was sent last, by a hash of object and words.
    told: BTreeMap<u64, Time>,
}

impl Recorder {
    /// Whether a write is to be sent: all are, but for events that repeat themselves. A warning is always one more.
    //= compat: 9.4-1
    pub(crate) fn is_news(&mut self, write: &Write, now: Time) -> bool {
        let Verb::Create(event) = &write.verb else { return true };
        if write.target.kind != "Event" || event["type"] == "Warning" {
            return true;
        }
        let involved = &event["involvedObject"];
        let mut words = DefaultHasher::new();
        for part in [&involved["namespace"], &involved["name"], &involved["uid"], &event["reason"], &event["message"]] {
            part.as_str().hash(&mut words);
        }
        let lately = |at: Time| at <= now && now.since(at) < REPEAT;
        if self.told.len() >= REMEMBERED {
            self.told.retain(|_, at| lately(*at));
        }
        let words = words.finish();
        if self.told.get(&words).is_some_and(|at| lately(*at)) {
            return false;
        }
        self.told.insert(words, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use serin_controller::Object;
    use serin_controller::render::event::on;

    fn event(uid: &str, message: &str, warning: bool) -> Write {
        let object = json!({ "kind": "Rollout", "metadata": { "name": "r", "namespace": "n", "uid": uid } });
        on(&Object(object), "RolloutPaused", message, warning, Time::from_secs(0))
    }

    #[test]
    fn the_same_words_are_told_once_a_minute() {
        let mut recorder = Recorder::default();
        let mut at = |seconds, event| recorder.is_news(&event, Time::from_secs(seconds));
        assert!(at(100, event("1", "paused", false)));
        assert!(!at(159, event("1", "paused", false)));
        assert!(at(159, event("2", "paused", false)), "another object");
        assert!(at(159, event("1", "paused again", false)), "other words");
        assert!(at(160, event("1", "paused", false)));
        assert!(!at(161, event("1", "paused", false)));
        assert!(at(30, event("1", "paused", false)), "the clock was set back");
    }

    #[test]
    fn warnings_and_what_is_no_event_are_always_sent() {
        let mut recorder = Recorder::default();
        let service = || Write::create(json!({ "kind": "Service", "metadata": { "name": "s" } }));
        for _ in 0..2 {
            assert!(recorder.is_news(&event("1", "aborted", true), Time::from_secs(1)));
            assert!(recorder.is_news(&service(), Time::from_secs(1)));
        }
    }

    #[test]
    fn what_may_be_repeated_is_forgotten() {
        let mut recorder = Recorder::default();
        for n in 0..10_000 {
            assert!(recorder.is_news(&event("1", &n.to_string(), false), Time::from_millis(n * 100)));
        }
        assert!(recorder.told.len() <= REMEMBERED, "{}", recorder.told.len());
        assert!(!recorder.is_news(&event("1", "9999", false), Time::from_secs(1000)));
    }
}
