//! A switch for tests: the process ends at once before or after a chosen write, as if it were killed there, or passes over a
//! chosen rollout panic.

use std::cell::Cell;

use serin_controller::Write;
use serin_controller::write::Verb;

use crate::pass::Key;
use crate::store::Name;

/// Where the process ends.
#[derive(Debug, Default)]
pub struct Fault {
    at: Option<Point>,
    seen: Cell<u32>,
    /// The rollout whose passes panic.
    panics: Option<Name>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Point {
    after: bool,
    verb: String,
    kind: String,
    nth: u32,
}

impl Fault {
    /// Reads `before|after:VERB:KIND[:N]`, such as `after:create:ReplicaSet:2`. Verbs are `create`, `update`, `patch`, `status` and
    /// `delete`; `*` stands for any verb or kind. `panic:NAMESPACE/NAME` lets the passes over a rollout panic.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(rollout) = text.strip_prefix("panic:") {
            let name =
                rollout.split_once('/').ok_or_else(|| format!("{rollout:?} is not of the form NAMESPACE/NAME"))?;
            return Ok(Self { panics: Some(Name::new(name.0, name.1)), ..Self::default() });
        }
        let parts: Vec<&str> = text.split(':').collect();
        let (when, verb, kind, nth) = match parts[..] {
            [when, verb, kind] => (when, verb, kind, "1"),
            [when, verb, kind, nth] => (when, verb, kind, nth),
            _ => return Err(format!("{text:?} is not of the form before|after:VERB:KIND[:N]")),
        };
        let after = match when {
            "before" => false,
            "after" => true,
            other => return Err(format!("{other:?} is neither before nor after")),
        };
        let nth = nth.parse().map_err(|_| format!("{nth:?} is no number"))?;
        let point = Point { after, verb: verb.to_owned(), kind: kind.to_owned(), nth };
        Ok(Self { at: Some(point), ..Self::default() })
    }

    /// To be called at the begin of a pass.
    pub(crate) fn pass(&self, key: &Key) {
        let meant = matches!(key, Key::Rollout(name) if self.panics.as_ref() == Some(name));
        assert!(!meant, "the fault switch says so");
    }

    /// To be called before a write is sent.
    pub fn before(&self, write: &Write) {
        let Some(point) = self.at.as_ref().filter(|point| point.fits(write)) else { return };
        self.seen.set(self.seen.get() + 1);
        if !point.after && self.seen.get() == point.nth {
            end(point);
        }
    }

    /// To be called after a write was answered.
    pub fn after(&self, write: &Write) {
        if let Some(point) = self.at.as_ref().filter(|point| point.fits(write) && point.after)
            && self.seen.get() == point.nth
        {
            end(point);
        }
    }
}

impl Point {
    fn fits(&self, write: &Write) -> bool {
        let verb = match write.verb {
            Verb::Create(_) => "create",
            Verb::Update(_) => "update",
            Verb::MergePatch(_) | Verb::StrategicPatch(_) | Verb::JsonPatch(_) => "patch",
            Verb::StatusPatch(_) => "status",
            Verb::Delete { .. } => "delete",
        };
        (self.verb == "*" || self.verb == verb) && (self.kind == "*" || self.kind == write.target.kind)
    }
}

/// Without a word to anybody, as a kill does it.
fn end(point: &Point) -> ! {
    tracing::warn!(?point, "ends here because the fault switch says so");
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read() {
        let point = |text: &str| Fault::parse(text).map(|fault| fault.at.unwrap());
        let whole = Point { after: true, verb: "create".into(), kind: "ReplicaSet".into(), nth: 2 };
        assert_eq!(point("after:create:ReplicaSet:2"), Ok(whole));
        assert_eq!(point("before:*:*").unwrap().nth, 1);
        assert_eq!(Fault::parse("panic:shop/taste").unwrap().panics, Some(Name::new("shop", "taste")));
        for wrong in ["", "panic:taste", "after", "during:create:Pod", "after:create:Pod:x", "a:b:c:d:e"] {
            assert!(point(wrong).is_err(), "{wrong}");
        }
    }
}
