//! Replays quantities and durations as Kubernetes and Go read them.

use proptest::prelude::*;
use serde_json::Value;
use serin_spec::duration;
use serin_spec::quantity::Quantity;

fn cases(text: &str) -> Vec<Value> {
    let cases: Value = serde_json::from_str(text).unwrap();
    cases.as_array().unwrap().clone()
}

fn check(case: &Value) {
    let text = case["in"].as_str().unwrap();
    let got = Quantity::parse(text);
    match case["error"].as_str() {
        Some(error) => assert_eq!(got.map_err(|e| e.to_string()), Err(error.to_owned()), "{text}"),
        None => assert_eq!(got.unwrap().to_string(), case["canonical"], "{text}"),
    }
}

#[test]
fn quantities_are_read_and_written_as_kubernetes_does() {
    let cases = cases(include_str!("data/quantities.json"));
    assert_eq!(cases.len(), 40);
    // Beyond 64 bits the original wraps around.
    let wraps = ["1Ei", "1E", "9223372036854775807", "9223372036854775808", "4000000000000000000000"];
    for case in &cases {
        check(case);
        let text = case["in"].as_str().unwrap();
        let Ok(quantity) = Quantity::parse(text) else { continue };
        if wraps.contains(&text) {
            assert_eq!(quantity.milli(), i64::MAX, "{text}");
        } else {
            assert_eq!(Value::from(quantity.milli()), case["milli"], "{text}");
            assert_eq!(Value::from(quantity.value()), case["value"], "{text}");
        }
    }
}

#[test]
fn random_texts_are_quantities_or_not_as_kubernetes_has_it() {
    let cases = cases(include_str!("data/quantities-more.json"));
    assert_eq!(cases.len(), 400);
    let digits = |case: &&Value| {
        case["in"].as_str().unwrap().trim_start_matches(['+', '-', '.']).starts_with(|c: char| c.is_ascii_digit())
    };
    let (numbers, bare): (Vec<&Value>, Vec<&Value>) = cases.iter().partition(digits);
    numbers.into_iter().for_each(check);
    // The original takes some texts without a digit for zero, and refuses others; none is a quantity here.
    assert!(bare.len() < 60);
    assert!(bare.iter().all(|case| Quantity::parse(case["in"].as_str().unwrap()).is_err()));
}

#[test]
fn values_stop_at_the_ends_of_64_bits_and_round_away_from_zero() {
    let milli = |text: &str| Quantity::parse(text).unwrap().milli();
    assert_eq!((milli("-1e30"), milli("1e30"), milli("1e300")), (-i64::MAX, i64::MAX, i64::MAX));
    assert_eq!((milli("1n"), milli("-1n"), milli("0n"), milli("1001u")), (1, -1, 0, 2));
}

//= compat: 1.7-9
#[test]
fn durations_are_read_as_go_reads_them() {
    let cases = cases(include_str!("data/durations.json"));
    assert_eq!(cases.len(), 26);
    for case in &cases {
        let got = duration::parse_ns(case["in"].as_str().unwrap());
        assert_eq!(got.is_err(), case.get("error").is_some(), "{case}: {got:?}");
        if let Ok(ns) = got {
            assert_eq!(Value::from(ns), case["ns"], "{case}");
        }
    }
}

proptest! {
    #[test]
    fn the_canonical_form_is_the_same_number_in_canonical_form(text in "[+-]?[0-9]{1,12}(\\.[0-9]{0,9})?(n|u|m|k|M|G|Ki|Mi|Gi|e[0-9]|)") {
        let quantity = Quantity::parse(&text).unwrap();
        let again = Quantity::parse(&quantity.to_string()).unwrap();
        prop_assert_eq!(quantity.milli(), again.milli());
        prop_assert_eq!(quantity.to_string(), again.to_string());
    }

    #[test]
    fn no_text_is_too_strange(text in "[-+.0-9eEinumkKMGTP]{0,60}") {
        if let Ok(quantity) = Quantity::parse(&text) {
            let _ = (quantity.to_string(), quantity.milli());
        }
    }
}
