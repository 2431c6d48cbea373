//! Events without a denominator (exceptions, restarts, kills for memory): is the canary's rate of them at most `ratio` times the stable version's?
//!
//! Rates may move with time. Given that an event happened, it is the canary's with probability at most `q = x r / (1 + x r)` when its rate is at most `r` times the
//! stable one's, where `x` is how much of it there is to one of the stable version (pods to pods, or `w / (1 - w)`). The label of every event is then an outcome of [`one_arm`]
//! with the limit `q`; every event may have its own.

use crate::one_arm;
use crate::side::Side;

/// The largest tolerated probability that an event is the canary's. `exposure` is how much of the canary there is to one of the stable version, `ratio` the tolerated
/// ratio of the rates; both above 0.
pub fn share(exposure: f64, ratio: f64) -> f64 {
    let odds = exposure * ratio;
    if odds.is_infinite() { 1.0 } else { odds / (1.0 + odds) }
}

/// The log multipliers `[event of the canary, event of the stable version]` of every component, for [`one_arm::log_gains`]. The alternatives see events more often than
/// tolerated by factors of 1.2 to 670, or less often by 1.2 to 25 to pass (a shift in log odds is a factor of the ratio). All zeros, which is no bet, when the share is
/// not within (1e-9, 1 - 1e-9).
pub fn table(exposure: f64, ratio: f64, side: Side) -> Vec<[f64; 2]> {
    one_arm::table(share(exposure, ratio), side)
}

#[cfg(test)]
mod tests {
    use super::{share, table};
    use crate::Side;
    use crate::one_arm::log_gains;

    #[test]
    fn shares_follow_from_exposure_and_ratio() {
        assert!((share(0.25, 2.0) - 1.0 / 3.0).abs() < 1e-15);
        assert_eq!((share(0.0, 2.0), share(f64::MAX, 1e9)), (0.0, 1.0));
        assert!(table(0.0, 1.0, Side::Fail).iter().flatten().all(|gain| *gain == 0.0));
    }

    #[test]
    fn events_of_the_canary_speak_against_it_and_those_of_the_stable_version_for_it() {
        let (fail, pass) = (table(0.25, 1.0, Side::Fail), table(0.25, 1.0, Side::Pass));
        assert!(log_gains(&fail, 1.0, 0.0).iter().all(|gain| *gain > 0.0));
        assert!(log_gains(&fail, 0.0, 1.0).iter().all(|gain| *gain < 0.0));
        assert!(log_gains(&pass, 1.0, 0.0).iter().all(|gain| *gain < 0.0));
        assert!(log_gains(&pass, 0.0, 1.0).iter().all(|gain| *gain > 0.0));
    }
}
