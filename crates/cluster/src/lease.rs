//! The lock of the leader as a machine without a clock: what a lease says, and what follows from it at a moment. It plays by
//! the rules of Kubernetes' own client, so a controller of Argo with the same lock and this one exclude each other.

use std::time::Duration;

use serde_json::{Value, json};
use serin_controller::Object;
use serin_core::Time;
use serin_spec::timestamp;

/// The spans of an election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long others let a lock be that nobody renews.
    pub lease: Duration,
    /// How long a leader may go without a renewal. It stops working then, some time before anybody may take the lock.
    pub renew: Duration,
    /// How often the lock is renewed, or looked at.
    pub retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { lease: Duration::from_secs(15), renew: Duration::from_secs(10), retry: Duration::from_secs(2) }
    }
}

impl Timing {
    /// Why these spans do not go together; `None` if they do.
    pub fn problem(&self) -> Option<&'static str> {
        if self.lease.as_secs() == 0 {
            return Some("the lease duration must be a second at least");
        }
        if self.lease <= self.renew {
            return Some("the lease duration must be longer than the renew deadline");
        }
        // The same slack that Kubernetes' own client asks for.
        (self.renew <= self.retry.mul_f64(1.2))
            .then_some("the renew deadline must be longer than 1.2 times the retry period")
    }
}

/// What a lease says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Record {
    /// Who holds it; empty if it was given back.
    pub(crate) holder: String,
    /// For how long, seconds.
    pub(crate) duration_s: u64,
    /// Since when, as it is written.
    pub(crate) acquired: String,
    /// When it was last renewed, as it is written. It is compared with itself only: clocks of machines differ.
    pub(crate) renewed: String,
    /// How often it went from one to another.
    pub(crate) transitions: i64,
}

impl Record {
    /// What a lease says.
    pub(crate) fn read(lease: &Object) -> Self {
        let spec = &lease.0["spec"];
        let text = |key: &str| spec[key].as_str().unwrap_or_default().to_owned();
        Self {
            holder: text("holderIdentity"),
            duration_s: spec["leaseDurationSeconds"].as_u64().unwrap_or(0),
            acquired: text("acquireTime"),
            renewed: text("renewTime"),
            transitions: spec["leaseTransitions"].as_i64().unwrap_or(0),
        }
    }

    /// Says it in a lease, and leaves what else it says.
    pub(crate) fn write(&self, lease: &mut Object) {
        if !lease.0["spec"].is_object() {
            lease.0["spec"] = json!({});
        }
        let spec = &mut lease.0["spec"];
        spec["holderIdentity"] = self.holder.clone().into();
        spec["leaseDurationSeconds"] = self.duration_s.into();
        let time = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
        spec["acquireTime"] = time(&self.acquired);
        spec["renewTime"] = time(&self.renewed);
        spec["leaseTransitions"] = self.transitions.into();
    }
}

/// One candidate. Moments are spans since any fixed one of its own, on a clock that only goes forward.
#[derive(Debug)]
pub(crate) struct Elector {
    identity: String,
    timing: Timing,
    /// What the lease said last, and when that was seen first.
    seen: Option<(Record, Duration)>,
    /// When the request of the last renewal that went through was sent; none while it does not lead.
    renewed: Option<Duration>,
}

/// What a candidate does about a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Write this: it is free, has run out, or is its own.
    Write(Record),
    /// Somebody else holds it.
    Held(String),
}

impl Elector {
    pub(crate) const fn new(identity: String, timing: Timing) -> Self {
        Self { identity, timing, seen: None, renewed: None }
    }

    /// What to do about the lease as it is (`None`: there is none), at a moment. `wall` is what is written down of it.
    pub(crate) fn claim(&mut self, lease: Option<&Record>, at: Duration, wall: Time) -> Claim {
        let renewed = micros(wall);
        let duration_s = self.timing.lease.as_secs();
        let fresh =
            Record { holder: self.identity.clone(), duration_s, acquired: renewed.clone(), renewed, transitions: 0 };
        let Some(lease) = lease else { return Claim::Write(fresh) };
        if lease.holder == self.identity {
            let acquired = if lease.acquired.is_empty() { fresh.acquired } else { lease.acquired.clone() };
            return Claim::Write(Record { acquired, transitions: lease.transitions, ..fresh });
        }
        // It does not matter what time the holder wrote, only for how long it was seen to write nothing.
        if self.seen.as_ref().is_none_or(|(seen, _)| seen != lease) {
            self.seen = Some((lease.clone(), at));
        }
        let since = self.seen.as_ref().map_or(at, |(_, since)| *since);
        if !lease.holder.is_empty() && at < since + Duration::from_secs(lease.duration_s) {
            return Claim::Held(lease.holder.clone());
        }
        Claim::Write(Record { transitions: lease.transitions + 1, ..fresh })
    }

    /// A claim that was sent at a moment went through.
    pub(crate) const fn holds(&mut self, sent: Duration) {
        self.renewed = Some(sent);
    }

    /// Until when it leads, if nothing is renewed. Others see the renewal after it was sent and wait for the whole lease, which is
    /// longer, so they cannot lead before.
    pub(crate) fn until(&self) -> Option<Duration> {
        self.renewed.map(|sent| sent + self.timing.renew)
    }

    /// It leads no more.
    pub(crate) const fn lost(&mut self) {
        self.renewed = None;
    }

    /// What to write to give the lease back; `None` if it is not its own.
    pub(crate) fn release(&self, lease: &Record, wall: Time) -> Option<Record> {
        // Kubernetes' own client writes a second too: zero is not valid.
        let given = Record { holder: String::new(), duration_s: 1, renewed: micros(wall), ..lease.clone() };
        (lease.holder == self.identity).then_some(given)
    }
}

/// A time as leases write it.
fn micros(time: Time) -> String {
    let whole = timestamp::format(Time::from_secs(time.as_secs()));
    let micros = time.as_millis().rem_euclid(1000) * 1000;
    format!("{}.{micros:06}Z", whole.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: Time = Time::from_millis(1_700_000_000_250);
    const NOW: &str = "2023-11-14T22:13:20.250000Z";

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn elector() -> Elector {
        Elector::new("me".to_owned(), Timing::default())
    }

    fn record(holder: &str, renewed: &str, transitions: i64) -> Record {
        Record { holder: holder.into(), duration_s: 15, acquired: "then".into(), renewed: renewed.into(), transitions }
    }

    fn written(claim: &Claim) -> String {
        match claim {
            Claim::Held(by) => format!("held by {by}"),
            Claim::Write(Record { holder, duration_s, acquired, renewed, transitions }) => {
                format!("{holder} {duration_s} {acquired} {renewed} {transitions}")
            }
        }
    }

    //= compat: 9.2-1
    #[test]
    fn a_lease_is_taken_when_nobody_has_it() {
        let check = |lease: Option<Record>, expected: &str| {
            let claim = elector().claim(lease.as_ref(), s(0), WALL);
            assert_eq!(written(&claim), expected, "{lease:?}");
        };
        check(None, &format!("me 15 {NOW} {NOW} 0"));
        check(Some(record("", "1", 3)), &format!("me 15 {NOW} {NOW} 4"));
        check(Some(record("me", "1", 3)), &format!("me 15 then {NOW} 3"));
        check(Some(record("other", "1", 3)), "held by other");
        check(Some(Record::default()), &format!("me 15 {NOW} {NOW} 1"));
    }

    #[test]
    fn anothers_lease_runs_out_by_the_time_that_it_was_seen_unchanged() {
        let mut elector = elector();
        let mut at =
            |seconds, renewed: &str| written(&elector.claim(Some(&record("other", renewed, 0)), s(seconds), WALL));
        // Whatever its clock says, and however old what it wrote is.
        assert_eq!(at(100, "1970-01-01T00:00:00Z"), "held by other");
        assert_eq!(at(114, "1970-01-01T00:00:00Z"), "held by other");
        assert_eq!(at(114, "2999-01-01T00:00:00Z"), "held by other", "a renewal begins the wait anew");
        assert_eq!(at(128, "2999-01-01T00:00:00Z"), "held by other");
        assert_eq!(at(129, "2999-01-01T00:00:00Z"), format!("me 15 {NOW} {NOW} 1"));
    }

    #[test]
    fn the_holders_own_duration_counts() {
        let mut elector = elector();
        let short = Record { duration_s: 2, ..record("other", "1", 0) };
        assert_eq!(elector.claim(Some(&short), s(0), WALL), Claim::Held("other".into()));
        assert!(matches!(elector.claim(Some(&short), s(2), WALL), Claim::Write(_)));
    }

    /// At every moment of two candidates of which one loses the server, at most one leads.
    #[test]
    fn a_leader_stops_before_another_may_begin() {
        let timing = Timing::default();
        // The renewal is sent at 0 and reaches the server at `late`; the other one looks at every second after that.
        for late in 0..3 {
            let (mut leader, mut other) = (elector(), Elector::new("other".to_owned(), timing));
            let Claim::Write(record) = leader.claim(None, s(0), WALL) else { panic!("it is free") };
            leader.holds(s(0));
            let taken = (late..60).find(|at| matches!(other.claim(Some(&record), s(*at), WALL), Claim::Write(_)));
            let stopped = leader.until().unwrap();
            assert!(stopped + s(5) <= s(taken.unwrap()), "stopped {stopped:?}, taken {taken:?}");
        }
    }

    #[test]
    fn what_is_given_back_is_free_at_once() {
        let mut me = elector();
        let Claim::Write(mine) = me.claim(None, s(0), WALL) else { panic!("it is free") };
        let free = me.release(&mine, WALL).unwrap();
        assert_eq!((free.holder.as_str(), free.duration_s), ("", 1));
        let mut other = Elector::new("other".to_owned(), Timing::default());
        assert!(matches!(other.claim(Some(&free), s(0), WALL), Claim::Write(_)));
        assert_eq!(other.release(&mine, WALL), None, "nobody gives back what another holds");
    }

    #[test]
    fn a_lease_keeps_what_it_says_besides() {
        let mut lease =
            Object(json!({ "metadata": { "name": "l" }, "spec": { "strategy": "OldestEmulationVersion" } }));
        let record = record("me", NOW, 2);
        record.write(&mut lease);
        assert_eq!(Record::read(&lease), record);
        assert_eq!(lease.0["spec"]["strategy"], "OldestEmulationVersion");
    }

    #[test]
    fn spans_that_would_let_two_lead_are_refused() {
        let timing = |lease, renew, retry| Timing { lease: s(lease), renew: s(renew), retry: s(retry) };
        assert_eq!(Timing::default().problem(), None);
        assert!(timing(10, 10, 2).problem().unwrap().contains("lease duration"));
        assert!(timing(15, 2, 2).problem().unwrap().contains("retry period"));
        assert!(timing(0, 0, 0).problem().is_some());
    }
}
