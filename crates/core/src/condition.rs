//! Conditions as `kubectl` users know them, with Argo's types, reasons and texts (section 2.6 of the reference).

use crate::time::Time;

/// A condition's type.
//= compat: 2.6-2
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The spec cannot be carried out.
    InvalidSpec,
    /// Enough members are available.
    Available,
    /// The rollout moves, or why it does not.
    Progressing,
    /// A pool cannot make its members.
    ReplicaFailure,
    /// The rollout is paused.
    Paused,
    /// The current version is the promoted one.
    Completed,
    /// Promoted and every member available.
    Healthy,
}

/// A condition's truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Neither can be said.
    Unknown,
}

impl Truth {
    /// `True` or `False`.
    pub fn of(holds: bool) -> Self {
        if holds { Truth::True } else { Truth::False }
    }

    /// Argo's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Truth::True => "True",
            Truth::False => "False",
            Truth::Unknown => "Unknown",
        }
    }
}

impl Kind {
    /// Argo's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::InvalidSpec => "InvalidSpec",
            Kind::Available => "Available",
            Kind::Progressing => "Progressing",
            Kind::ReplicaFailure => "ReplicaFailure",
            Kind::Paused => "Paused",
            Kind::Completed => "Completed",
            Kind::Healthy => "Healthy",
        }
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What it speaks of.
    pub kind: Kind,
    /// Whether it holds.
    pub truth: Truth,
    /// One word for machines.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
    /// When it was last written.
    pub updated: Time,
    /// When its truth last changed.
    pub transitioned: Time,
}

/// The conditions of a rollout, at most one of each type, the latest changed last.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Conditions(Vec<Condition>);

impl Conditions {
    /// Takes conditions as they were stored.
    pub fn from_vec(conditions: Vec<Condition>) -> Self {
        Self(conditions)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Condition> {
        self.0.iter()
    }

    /// The condition of this type.
    pub fn get(&self, kind: Kind) -> Option<&Condition> {
        self.0.iter().find(|c| c.kind == kind)
    }

    /// The reason of the condition of this type, empty if there is none.
    pub fn reason(&self, kind: Kind) -> &str {
        self.get(kind).map_or("", |c| c.reason.as_str())
    }

    /// Whether the condition of this type is true.
    pub fn is_true(&self, kind: Kind) -> bool {
        self.get(kind).is_some_and(|c| c.truth == Truth::True)
    }

    /// Sets a condition. Nothing happens when truth and reason are as before, even if the message differs; a new reason
    /// with the same truth keeps the transition time. Returns whether it changed.
    //= compat: 2.6-1, 2.6-16
    pub fn set(&mut self, kind: Kind, truth: Truth, reason: &str, message: &str, now: Time) -> bool {
        if self.get(kind).is_some_and(|c| c.truth == truth && c.reason == reason) {
            return false;
        }
        self.renew(kind, truth, reason, message, now);
        true
    }

    /// Sets a condition and its update time even if nothing else changed; progress renews the deadline this way.
    //= compat: 2.6-11
    pub fn renew(&mut self, kind: Kind, truth: Truth, reason: &str, message: &str, now: Time) {
        let transitioned = self.get(kind).filter(|c| c.truth == truth).map_or(now, |c| c.transitioned);
        self.remove(kind);
        self.0.push(Condition {
            kind,
            truth,
            reason: reason.to_owned(),
            message: message.to_owned(),
            updated: now,
            transitioned,
        });
    }

    /// Removes the condition of this type.
    pub fn remove(&mut self, kind: Kind) {
        self.0.retain(|c| c.kind != kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= compat: 2.6-1
    #[test]
    fn setting_the_same_truth_and_reason_changes_nothing() {
        let mut conditions = Conditions::default();
        assert!(conditions.set(Kind::Progressing, Truth::True, "A", "first", Time::from_secs(1)));
        assert!(!conditions.set(Kind::Progressing, Truth::True, "A", "second", Time::from_secs(2)));
        assert_eq!(conditions.get(Kind::Progressing).unwrap().message, "first");
        assert!(conditions.set(Kind::Progressing, Truth::True, "B", "third", Time::from_secs(3)));
        let condition = conditions.get(Kind::Progressing).unwrap();
        assert_eq!((condition.updated, condition.transitioned), (Time::from_secs(3), Time::from_secs(1)));
    }

    //= compat: 2.6-1
    #[test]
    fn a_changed_condition_moves_to_the_end() {
        let mut conditions = Conditions::default();
        conditions.set(Kind::Progressing, Truth::True, "A", "", Time::from_secs(1));
        conditions.set(Kind::Available, Truth::True, "A", "", Time::from_secs(1));
        conditions.set(Kind::Progressing, Truth::False, "B", "", Time::from_secs(2));
        let kinds: Vec<_> = conditions.iter().map(|c| c.kind).collect();
        assert_eq!(kinds, [Kind::Available, Kind::Progressing]);
    }
}
