//! "Did you mean": the known name that somebody most likely meant.

/// Longest names that are compared; longer ones are no slips of the hand, and comparing costs their product.
const LENGTH_MAX: usize = 64;

/// Most candidates that are compared, so that many mistakes in large files stay cheap.
pub(super) const CANDIDATES_MAX: usize = 200;

/// The candidate that is most like `name`, if any is like it: the same but for case or punctuation, or a few letters
/// different, or the end of it (`weight` for `setWeight`).
pub(crate) fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let best = candidates
        .into_iter()
        .take(CANDIDATES_MAX)
        .filter_map(|candidate| unlikeness(name, candidate).map(|score| (score, candidate)));
    best.min_by_key(|(score, _)| *score).map(|(_, candidate)| candidate)
}

/// `did you mean "x"?`, if something is like `name`.
pub(crate) fn did_you_mean<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    nearest(name, candidates).map(|candidate| format!("did you mean {candidate:?}?"))
}

/// The way out for a name that does not exist: a similar one, or all there are.
pub(crate) fn suggest(name: &str, candidates: &[&str]) -> Option<String> {
    const LISTED: usize = 5;
    did_you_mean(name, candidates.iter().copied()).or_else(|| {
        let mut names: Vec<&str> = candidates.to_vec();
        names.sort_unstable();
        names.dedup();
        match names.len() {
            0 => None,
            count if count <= LISTED => Some(format!("there is {}", names.join(", "))),
            count => Some(format!("there are {count}, such as {}", names[..LISTED].join(", "))),
        }
    })
}

/// Lower is more alike; `None` is not alike at all.
fn unlikeness(name: &str, candidate: &str) -> Option<usize> {
    if name.len() > LENGTH_MAX || candidate.len() > LENGTH_MAX || name == candidate {
        return None;
    }
    let (plain, plain_candidate) = (folded(name), folded(candidate));
    if plain == plain_candidate {
        return Some(0);
    }
    let allowed = (plain.chars().count().max(plain_candidate.chars().count()) / 3).clamp(1, 4);
    let distance = distance(&plain, &plain_candidate);
    if distance <= allowed && distance < plain.chars().count() {
        return Some(distance);
    }
    let part = plain.len() >= 4 && plain_candidate.ends_with(&plain)
        || plain_candidate.len() >= 4 && plain.ends_with(&plain_candidate);
    part.then_some(10 + plain.len().abs_diff(plain_candidate.len()))
}

fn folded(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_' | '.' | ' ')).flat_map(char::to_lowercase).collect()
}

/// Insertions, deletions, replacements and swaps of neighbours that make one text of the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, candidates: &[&str], want: Option<&str>) {
        assert_eq!(nearest(name, candidates.iter().copied()), want, "{name}");
    }

    #[test]
    fn slips_of_the_hand_are_understood() {
        let steps = ["setWeight", "pause", "setCanaryScale", "analysis", "experiment", "plugin"];
        check("setweight", &steps, Some("setWeight"));
        check("set_weight", &steps, Some("setWeight"));
        check("setWieght", &steps, Some("setWeight"));
        check("weight", &steps, Some("setWeight"));
        check("puase", &steps, Some("pause"));
        check("analisys", &steps, Some("analysis"));
        check("replicas", &steps, None);
        check("x", &["a", "b"], None);
        check("name", &[], None);
    }

    #[test]
    fn the_nearest_of_several_wins() {
        check("canaryServce", &["stableService", "canaryService"], Some("canaryService"));
        check("kind", &["kinds", "mind"], Some("kinds"));
    }

    #[test]
    fn long_names_are_not_compared() {
        let long = "x".repeat(100_000);
        check(&long, &["y"], None);
    }
}
