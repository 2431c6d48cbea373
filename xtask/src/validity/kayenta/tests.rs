//! Small cases. The numbers were computed apart from this code: ranks and p-values by scipy 1.17 (`rankdata`, `mannwhitneyu`), ends of intervals by trying every
//! pairwise difference.

use super::*;

const APART: ([f64; 8], [f64; 8]) =
    ([10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.5]);
const MIXED: ([f64; 8], [f64; 8]) =
    ([3.1, 4.7, 2.2, 5.9, 4.4, 6.1, 3.8, 5.2], [2.0, 3.3, 1.9, 4.1, 2.7, 3.9, 3.0, 2.4]);
const EVEN: ([f64; 8], [f64; 8]) =
    ([3.1, 2.2, 4.1, 2.9, 3.4, 2.6, 3.7, 3.05], [3.0, 3.3, 1.9, 4.15, 2.7, 3.9, 2.4, 3.2]);

#[test]
fn the_statistic_is_that_of_scipy() {
    for ((x, y), wanted) in [(APART, 3.308_161_698_516), (MIXED, 2.152_930_629_193), (EVEN, 0.052_510_503_151)] {
        let seen = statistic(0.0, &x, &y);
        assert!((seen - wanted).abs() < 1e-11, "{seen} {wanted}");
    }
    let ties = statistic(0.0, &[0.0, 0.0, 0.01, 0.02, 0.02, 0.05], &[0.0, 0.0, 0.0, 0.01, 0.01, 0.02]);
    assert!((ties - 0.927_264_321_241).abs() < 1e-11, "{ties}");
}

#[test]
fn the_interval_ends_where_the_statistic_crosses_its_deviate() {
    for ((x, y), low, high) in [(APART, 5.0, 13.0), (MIXED, -0.2, 3.2), (EVEN, -1.0, 1.0)] {
        let seen = shift(&x, &y);
        assert!((seen.low - low).abs() <= 1e-4 && (seen.high - high).abs() <= 1e-4, "{seen:?} {low} {high}");
    }
    assert!((shift(&APART.0, &APART.1).estimate - 9.0).abs() <= 1.0, "the median of the differences");
}

#[test]
fn points_are_high_when_surely_beyond_a_quarter_of_the_shift() {
    assert_eq!(classify(&APART.0, &APART.1), Class::High);
    assert_eq!(classify(&APART.1, &APART.0), Class::Low);
    assert_eq!(classify(&MIXED.0, &MIXED.1), Class::Pass);
    assert_eq!(classify(&EVEN.0, &EVEN.1), Class::Pass);
}

#[test]
fn samples_that_are_equal_constant_or_empty() {
    assert_eq!(classify(&[0.0; 8], &[0.0; 8]), Class::Pass);
    assert_eq!(classify(&[0.0; 8], &[0.0; 7]), Class::Pass);
    assert_eq!(classify(&[2.0, 1.0], &[1.0, 2.0]), Class::Pass);
    assert_eq!(classify(&[], &[1.0]), Class::Pass);
    assert_eq!(classify(&[0.5; 8], &[0.25; 8]), Class::High);
    assert_eq!(classify(&[0.25; 8], &[0.5; 8]), Class::Low);
}

#[test]
fn a_rollout_is_judged_at_the_end_of_its_steps() {
    let second = |errors: u64, i: u64| {
        let arm = |answered, errors| Arm { answered, errors, ..Arm::default() };
        Batch { canary: arm(100, errors), stable: arm(400, u64::from(i.is_multiple_of(7))), ..Batch::default() }
    };
    let bad_from = |from: u64| -> Vec<Batch> {
        (0..WHOLE_S as u64).map(|i| second(if i >= from { 10 + i % 5 } else { u64::from(i % 20 == 3) }, i)).collect()
    };
    assert_eq!(rolled_back(Rule::Errors, &bad_from(0)), Some(SECOND_STEP_S));
    assert_eq!(rolled_back(Rule::Errors, &bad_from(60)), Some(WHOLE_S));
}
