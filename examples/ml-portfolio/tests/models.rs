//! What each release does to the rows that training never saw: the good ones are good, the broken ones broken as said.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ml_portfolio::model::{self, Floor, Report, floor};
use ml_portfolio::{Model, Service, Version, data};

/// All of them, trained once for all tests.
static REPORTS: LazyLock<BTreeMap<(Service, Version), Report>> = LazyLock::new(|| {
    let mut reports = BTreeMap::new();
    for service in Service::ALL {
        let examples = data::examples(service, None).unwrap();
        for &version in Version::of(service) {
            let report = Model::train(service, version, &examples).report(&examples);
            reports.insert((service, version), report);
        }
    }
    reports
});

fn report(service: Service, version: Version) -> Report {
    REPORTS[&(service, version)]
}

#[test]
fn every_release_reaches_its_floor() {
    for service in Service::ALL {
        for &version in Version::of(service) {
            let report = report(service, version);
            if let Some(floor) = floor(service, version) {
                assert!(floor.holds(&report), "{service} {version}: {report:?} is below {floor:?}");
            }
        }
    }
}

#[test]
fn a_floor_is_broken_by_either_number() {
    let floor = Floor { accuracy: 0.8, auc: 0.7 };
    let report = |accuracy, auc| Report { rows: 1, accuracy, auc, positive: 0.5, failing: 0.0 };
    assert!(floor.holds(&report(0.8, 0.7)));
    assert!(!floor.holds(&report(0.79, 0.9)));
    assert!(!floor.holds(&report(0.9, 0.69)));
    assert!(!floor.holds(&report(0.9, f64::NAN)));
}

#[test]
fn the_better_release_is_better_and_answers_as_often_yes() {
    for service in Service::ALL {
        let (baseline, better) = (report(service, Version::Baseline), report(service, Version::Better));
        assert!(better.auc > baseline.auc + 0.03, "{service}: {baseline:?} {better:?}");
        assert!(better.accuracy > baseline.accuracy + 0.01, "{service}: {baseline:?} {better:?}");
        // A healthy release must stay far from the limit of the drift gate, 0.3.
        assert!((better.positive - baseline.positive).abs() < 0.1, "{service}: {baseline:?} {better:?}");
        assert_eq!((baseline.failing, better.failing), (0.0, 0.0), "{service}");
    }
}

#[test]
fn the_fragile_release_fails_on_more_than_15_percent_of_the_rows_and_is_good_on_the_others() {
    for service in Service::ALL {
        let (baseline, fragile) = (report(service, Version::Baseline), report(service, Version::Fragile));
        assert!((0.15..0.5).contains(&fragile.failing), "{service}: {fragile:?}");
        assert!(fragile.auc > baseline.auc, "{service}: {baseline:?} {fragile:?}");
    }
}

#[test]
fn the_misscaled_release_shifts_its_answers_by_more_than_0_3_and_never_fails() {
    for service in Service::ALL {
        let misscaled = report(service, Version::Misscaled);
        assert_eq!(misscaled.failing, 0.0, "{service}");
        for stable in [Version::Baseline, Version::Better] {
            let stable = report(service, stable);
            assert!((misscaled.positive - stable.positive).abs() > 0.33, "{service}: {stable:?} {misscaled:?}");
        }
    }
}

#[test]
fn the_major_release_is_another_model_that_answers_everybody_as_well() {
    let [better, outgrown, major] =
        [Version::Better, Version::Outgrown, Version::Major].map(|version| report(Service::Churn, version));
    // The limit of bluegreen-validation is 2% of errors.
    assert!((0.1..0.2).contains(&outgrown.failing), "{outgrown:?}");
    assert_eq!(major.failing, 0.0);
    assert!(major.accuracy >= better.accuracy && (major.auc - better.auc).abs() < 0.01, "{better:?} {major:?}");
    assert!((major.positive - better.positive).abs() < 0.05, "{better:?} {major:?}");
    assert_ne!(major, better);
}

#[test]
fn the_slow_release_is_as_good_as_the_better_one() {
    for service in Service::ALL {
        assert_eq!(report(service, Version::Slow), report(service, Version::Better), "{service}");
    }
}

#[test]
fn training_is_the_same_every_time_and_survives_its_file() {
    let dir = tempfile::tempdir().unwrap();
    for (service, version) in [(Service::Churn, Version::Better), (Service::Sentiment, Version::Baseline)] {
        let examples = data::examples(service, None).unwrap();
        let model = Model::train(service, version, &examples);
        // Not `assert_eq`, which would print every weight.
        assert!(Model::train(service, version, &examples) == model, "{service}");
        assert!(model::load(dir.path(), service, version).unwrap().is_none(), "there is no file yet");
        model::save(dir.path(), &model).unwrap();
        assert!(model::load(dir.path(), service, version).unwrap().as_ref() == Some(&model), "{service}");
    }
    let names: Vec<String> =
        std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names.len(), 2, "nothing partial stays behind: {names:?}");
}

#[test]
fn a_file_with_another_model_or_half_a_model_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let examples = data::examples(Service::Churn, None).unwrap();
    let path = model::save(dir.path(), &Model::train(Service::Churn, Version::Better, &examples)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let refuse = |text: &str, want: &str| {
        std::fs::write(model::path(dir.path(), Service::Churn, Version::Baseline), text).unwrap();
        let error = model::load(dir.path(), Service::Churn, Version::Baseline).unwrap_err().to_string();
        assert!(error.contains("churn-v3.1.0.json: ") && error.contains(want), "{error}");
    };
    refuse(&text, "it holds churn v3.2.0");
    refuse(&text[..text.len() / 2], "EOF while parsing");
    let edited = text.replace("v3.2.0", "v3.1.0");
    let split = edited.find("\"below\":").unwrap();
    let circle = format!("{}\"below\":0{}", &edited[..split], &edited[edited[split..].find(',').unwrap() + split..]);
    refuse(&circle, "a tree is not well formed");
}

#[test]
fn data_of_ones_own_can_be_trained_on() {
    let dir = tempfile::tempdir().unwrap();
    let error = data::examples(Service::Tip, Some(dir.path())).unwrap_err().to_string();
    assert!(error.contains("failed to read") && error.contains("chicago_taxi.csv"), "{error}");
    let rows =
        "tip,distance,company,local,dow,month,hour\nyes,1.5,Sun Taxi,no,Mon,Jan,8\nno,2,A New Company,yes,Sun,Dec,23\n";
    std::fs::write(dir.path().join("chicago_taxi.csv"), rows).unwrap();
    assert_eq!(data::examples(Service::Tip, Some(dir.path())).unwrap().len(), 2);
}

#[test]
fn the_readme_says_what_the_models_do() {
    let readme = include_str!("../README.md");
    for ((service, version), r) in REPORTS.iter() {
        let numbers = format!("| {:.3} | {:.3} | {:.3} | {:.3} |", r.accuracy, r.auc, r.positive, r.failing);
        let line = readme.lines().find(|l| l.starts_with(&format!("| {service} | {version} |"))).unwrap();
        assert!(line.ends_with(&numbers), "the README says\n{line}\nbut it is\n{numbers}");
    }
}
