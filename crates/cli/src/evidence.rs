//! A sequential test as people read it: a gauge of its evidence, and some lines of what it has seen and what is missing.

use serin_stats::judge::{Rate, Standing, Verdict};

use crate::output::age;

/// Cells of one side of a gauge.
const SIDE: usize = 10;

/// What is shown of the evidence against and for a version: `✖▕███░░░░░░░│░░████████▏✔`. From the middle to the left end is what fails it, to the right
/// end what passes it.
pub(crate) fn gauge(standing: &Standing) -> String {
    let filled = |log_e: f64, limit: f64| {
        let share = if limit > 0.0 { (log_e / limit).clamp(0.0, 1.0) } else { 0.0 };
        // The last cell is for the limit itself: what is nearly enough is not enough.
        let cells = (share * SIDE as f64).floor() as usize;
        cells.min(SIDE)
    };
    let against = filled(standing.log_e, standing.log_e_fail);
    let passes = if standing.verdict == Verdict::Passed {
        SIDE
    } else {
        filled(standing.log_e_pass, standing.log_e_pass_at).min(SIDE - 1)
    };
    format!(
        "✖▕{}{}│{}{}▏✔",
        "░".repeat(SIDE - against),
        "█".repeat(against),
        "█".repeat(passes),
        "░".repeat(SIDE - passes)
    )
}

/// The rates of both versions and what is still needed, short enough for a line beside a gauge.
pub(crate) fn brief(standing: &Standing) -> String {
    let mut text = rate(&standing.canary);
    if standing.stable.total > 0.0 {
        text.push_str(&format!(" : {}", rate(&standing.stable)));
    }
    if let Some(slice) = &standing.slice {
        text.push_str(&format!(" for {slice}"));
    }
    let rest = match standing.verdict {
        Verdict::NoData => "no data".to_owned(),
        Verdict::Passed => "passed".to_owned(),
        Verdict::Failed => "worse".to_owned(),
        Verdict::SplitWrong => "the split is wrong".to_owned(),
        Verdict::Undecided => missing(standing).unwrap_or_else(|| "open".to_owned()),
    };
    format!("{text}  {rest}")
}

/// Where it stands in words that stay the same while nothing changes but numbers: what is printed line by line.
pub(crate) fn word(standing: &Standing) -> &'static str {
    match standing.verdict {
        Verdict::NoData => "no data yet",
        Verdict::Undecided => "not decided yet",
        Verdict::Passed => "passed at this weight",
        Verdict::Failed => "worse than tolerated",
        Verdict::SplitWrong => "the requests are not split as configured",
    }
}

/// What is missing until it passes, if that is known.
fn missing(standing: &Standing) -> Option<String> {
    let answers = standing.needed?;
    Some(match standing.needed_ms {
        Some(ms) => format!("{answers} answers to go, {}", age(ms)),
        None => format!("{answers} answers to go"),
    })
}

/// Everything there is to say, a line each, without indentation.
pub(crate) fn lines(standing: &Standing) -> Vec<String> {
    let mut out = Vec::new();
    let part = match (&standing.slice, standing.part.is_empty()) {
        (Some(slice), _) => format!(" ({} for {slice})", standing.part),
        (None, false) => format!(" ({})", standing.part),
        (None, true) => String::new(),
    };
    let mut rates = format!("canary {} bad of {}", rate(&standing.canary), standing.canary.total);
    if standing.stable.total > 0.0 {
        rates.push_str(&format!(", stable {} of {}", rate(&standing.stable), standing.stable.total));
    }
    if let Some(tolerated) = standing.tolerated {
        rates.push_str(&format!("; tolerated {}", percent(tolerated)));
    }
    out.push(format!("{rates}{part}"));
    if let Some(difference) = &standing.difference {
        let points = |share: f64| format!("{:+.2}", 100.0 * share);
        let (low, high) = (points(difference.low), points(difference.high));
        out.push(format!("difference {} points, within {low} and {high} at every look", points(difference.estimate)));
    }
    out.push(format!("{}  {}", gauge(standing), closing(standing)));
    if let Some(scores) = &standing.scores {
        let score =
            |name: &str, score: &serin_stats::shift::Score| format!("{name} {:.3} ±{:.3}", score.value, score.slack);
        let all = [("PSI", &scores.psi), ("JS", &scores.js), ("KS", &scores.ks), ("TV", &scores.tv)];
        let all: Vec<String> = all.into_iter().map(|(name, one)| score(name, one)).collect();
        out.push(format!("for comparison, never acted on: {}", all.join(", ")));
    }
    out
}

fn closing(standing: &Standing) -> String {
    let evidence = |log_e: f64| match log_e.exp() {
        e if e < 99.95 => format!("{e:.1}"),
        e if e < 1e6 => format!("{e:.0}"),
        _ => format!("e^{log_e:.0}"),
    };
    let against = format!("evidence against it {} of {}", evidence(standing.log_e), evidence(standing.log_e_fail));
    let to_pass = format!("for it {} of {}", evidence(standing.log_e_pass), evidence(standing.log_e_pass_at));
    match standing.verdict {
        Verdict::NoData => format!("no data: the new version has answered nothing that counts; {against}"),
        Verdict::Passed => format!("passed at this weight; {against}"),
        Verdict::Failed => format!("worse than tolerated; {against}"),
        Verdict::SplitWrong => {
            "the requests are not split as configured, so that a comparison says nothing about the version".to_owned()
        }
        Verdict::Undecided => match missing(standing) {
            Some(missing) => format!("not decided: {against}, {to_pass}; about {missing}"),
            None => format!("not decided: {against}, {to_pass}; as it is going it would not pass"),
        },
    }
}

fn rate(rate: &Rate) -> String {
    rate.share().map_or_else(|| "-".to_owned(), percent)
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serin_stats::batch::{Arm, Batch};
    use serin_stats::judge::State;
    use serin_stats::recipe::{Outcome, Recipe, Test};
    use serin_stats::two_arm::Line;

    fn after(seconds: u64, canary: (u64, u64), stable: (u64, u64)) -> Standing {
        let lines = vec![Line { ratio: 1.0, delta: 0.01 }];
        let recipe = Recipe::new(Test::Compare { outcome: Outcome::Errors, lines });
        let mut state = State::new(&recipe, 0);
        let arm = |(answered, errors)| Arm { answered, errors, ..Arm::default() };
        for seq in 1..=seconds {
            let (start_ms, end_ms) = (seq as i64 * 1000, seq as i64 * 1000 + 1000);
            let batch = Batch { seq, start_ms, end_ms, canary: arm(canary), stable: arm(stable), ..Batch::default() };
            state.step(&recipe, &batch, "20/100");
        }
        let failed = serin_stats::judge::failing(&[(&recipe, &state)]).is_some();
        state.standing(&recipe, failed)
    }

    #[test]
    fn a_gauge_fills_to_the_side_that_the_evidence_is_on() {
        let text = |standing: &Standing| format!("{} {}", gauge(standing), brief(standing));
        assert_eq!(text(&after(0, (0, 0), (0, 0))), "✖▕░░░░░░░░░░│░░░░░░░░░░▏✔ -  no data");
        let open = after(10, (20, 0), (80, 0));
        assert!(gauge(&open).ends_with("░▏✔") && gauge(&open).contains("│█"), "{}", gauge(&open));
        assert!(
            brief(&open).starts_with("0.00 % : 0.00 %  ") && brief(&open).contains(" answers to go, "),
            "{}",
            brief(&open)
        );
        assert_eq!(text(&after(60, (20, 0), (80, 0))), "✖▕░░░░░░░░░░│██████████▏✔ 0.00 % : 0.00 %  passed");
        assert_eq!(text(&after(9, (20, 2), (80, 0))), "✖▕██████████│░░░░░░░░░░▏✔ 10.00 % : 0.00 %  worse");
    }

    #[test]
    fn everything_is_told_in_words() {
        let told = lines(&after(9, (20, 2), (80, 0)));
        assert_eq!(told[0], "canary 10.00 % bad of 180, stable 0.00 % of 720; tolerated 1.00 % (stable +1 points)");
        assert!(told[1].starts_with("difference +10.00 points, within "), "{told:?}");
        assert!(told[2].contains("worse than tolerated; evidence against it "), "{told:?}");
    }
}
