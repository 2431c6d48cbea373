//! Boosted regression trees on the logistic loss, split on quantiles of each feature.

use serde::{Deserialize, Serialize};

use super::{probability, rounded};

/// The sum of many small trees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trees {
    base: f64,
    trees: Vec<Tree>,
}

/// A tree as a list of nodes; the first is its root.
type Tree = Vec<Node>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Node {
    Leaf(f64),
    Split { feature: usize, at: f64, below: usize, above: usize },
}

/// How to learn.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Number of trees.
    pub trees: usize,
    /// Splits between root and leaf.
    pub depth: usize,
    /// Share of each tree that is added.
    pub rate: f64,
    /// Least weight of a leaf, in rows of probability one half times four.
    pub leaf: f64,
}

/// Split points per feature. More of them make training slower and, on a few thousand rows, no tree better.
const CUTS: usize = 31;

/// Pull of leaves to zero.
const SMOOTH: f64 = 1.0;

impl Trees {
    /// Learns from rows of equal width.
    pub fn fit(rows: &[(&[f64], bool)], settings: Settings) -> Self {
        let positive = rows.iter().filter(|(_, y)| *y).count() as f64;
        let negative = rows.len() as f64 - positive;
        let base = rounded(libm::log((positive + 1.0) / (negative + 1.0)));
        let mut grower = Grower::new(rows, settings);
        let mut odds = vec![base; rows.len()];
        let mut trees = Vec::with_capacity(settings.trees);
        for _ in 0..settings.trees {
            for (i, (_, label)) in rows.iter().enumerate() {
                let p = probability(odds[i]);
                grower.gradients[i] = (p - f64::from(u8::from(*label)), p * (1.0 - p));
            }
            let mut tree = Vec::new();
            grower.grow(&(0..rows.len()).collect::<Vec<usize>>(), settings.depth, &mut tree);
            for (odd, (values, _)) in odds.iter_mut().zip(rows) {
                *odd += leaf(&tree, values);
            }
            trees.push(tree);
        }
        Self { base, trees }
    }

    /// Log-odds of the positive class.
    pub fn log_odds(&self, values: &[f64]) -> f64 {
        self.trees.iter().fold(self.base, |sum, tree| sum + leaf(tree, values))
    }

    /// Whether every node leads downwards, so that an answer always ends. For files that somebody may have edited.
    pub fn is_sound(&self) -> bool {
        self.trees.iter().all(|tree| {
            tree.iter().enumerate().all(|(i, node)| match node {
                Node::Leaf(value) => value.is_finite(),
                Node::Split { below, above, .. } => *below > i && *above > i && *below.max(above) < tree.len(),
            }) && !tree.is_empty()
        })
    }
}

fn leaf(tree: &Tree, values: &[f64]) -> f64 {
    let mut at_node = 0;
    loop {
        match &tree[at_node] {
            Node::Leaf(value) => return *value,
            Node::Split { feature, at, below, above } => {
                let value = values.get(*feature).copied().unwrap_or(0.0);
                at_node = if value < *at { *below } else { *above };
            }
        }
    }
}

/// What all trees of a model share.
struct Grower {
    settings: Settings,
    /// Split points of each feature, ascending.
    cuts: Vec<Vec<f64>>,
    /// For each feature and row: the number of split points at or below its value.
    bins: Vec<Vec<u8>>,
    /// First and second derivative of the loss, of each row.
    gradients: Vec<(f64, f64)>,
}

/// A split and what it gains.
struct Best {
    feature: usize,
    cut: usize,
    gain: f64,
}

impl Grower {
    fn new(rows: &[(&[f64], bool)], settings: Settings) -> Self {
        let width = rows.first().map_or(0, |(values, _)| values.len());
        let cuts: Vec<Vec<f64>> =
            (0..width).map(|f| cuts(rows.iter().map(|(values, _)| values[f]).collect())).collect();
        let bin =
            |f: usize, values: &[f64]| u8::try_from(cuts[f].partition_point(|c| *c <= values[f])).unwrap_or(u8::MAX);
        let bins = (0..width).map(|f| rows.iter().map(|(values, _)| bin(f, values)).collect()).collect();
        Self { settings, cuts, bins, gradients: vec![(0.0, 0.0); rows.len()] }
    }

    /// Adds the tree of some rows to `tree` and returns the place of its root.
    fn grow(&mut self, rows: &[usize], depth: usize, tree: &mut Tree) -> usize {
        let place = tree.len();
        let (g, h) = rows.iter().fold((0.0, 0.0), |(g, h), i| (g + self.gradients[*i].0, h + self.gradients[*i].1));
        tree.push(Node::Leaf(rounded(-self.settings.rate * g / (h + SMOOTH))));
        let Some(best) = (depth > 0).then(|| self.best(rows, g, h)).flatten() else { return place };
        let (below, above): (Vec<usize>, Vec<usize>) =
            rows.iter().partition(|i| usize::from(self.bins[best.feature][**i]) <= best.cut);
        let at = self.cuts[best.feature][best.cut];
        let below = self.grow(&below, depth - 1, tree);
        let above = self.grow(&above, depth - 1, tree);
        tree[place] = Node::Split { feature: best.feature, at, below, above };
        place
    }

    /// The split that lowers the loss most, if one does.
    fn best(&self, rows: &[usize], g: f64, h: f64) -> Option<Best> {
        let score = |g: f64, h: f64| g * g / (h + SMOOTH);
        let mut best: Option<Best> = None;
        for (feature, bins) in self.bins.iter().enumerate() {
            let mut sums = [(0.0, 0.0); CUTS + 1];
            for &i in rows {
                let sum = &mut sums[usize::from(bins[i])];
                sum.0 += self.gradients[i].0;
                sum.1 += self.gradients[i].1;
            }
            let (mut left_g, mut left_h) = (0.0, 0.0);
            for (cut, sum) in sums.iter().enumerate().take(self.cuts[feature].len()) {
                left_g += sum.0;
                left_h += sum.1;
                if left_h < self.settings.leaf || h - left_h < self.settings.leaf {
                    continue;
                }
                let gain = score(left_g, left_h) + score(g - left_g, h - left_h) - score(g, h);
                if gain > best.as_ref().map_or(1e-6, |b| b.gain) {
                    best = Some(Best { feature, cut, gain });
                }
            }
        }
        best
    }
}

/// Points between neighbouring values at equal shares of the rows.
fn cuts(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    let mut cuts: Vec<f64> = (1..=CUTS)
        .filter_map(|k| {
            let upper = values[(k * values.len() / (CUTS + 1)).min(values.len() - 1)];
            let lower = values[..values.partition_point(|v| *v < upper)].last()?;
            Some(rounded((lower + upper) / 2.0))
        })
        .collect();
    // The largest step of a rare value would otherwise never be a split point: 0/1 features with few ones.
    let top = values[values.len() - 1];
    if let Some(below) = values[..values.partition_point(|v| *v < top)].last() {
        cuts.push(rounded((below + top) / 2.0));
    }
    cuts.dedup();
    cuts.truncate(CUTS);
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Vec<(Vec<f64>, bool)> {
        // Exclusive or of two halves, which no line can tell apart.
        let points = (0..400).map(|i| (f64::from(i % 20), f64::from(i / 20)));
        points.map(|(a, b)| (vec![a, b], (a < 10.0) != (b < 10.0))).collect()
    }

    #[test]
    fn learns_what_no_line_can() {
        // A first split of a perfectly even exclusive or gains nothing, so one corner is left out.
        let grid: Vec<_> = grid().into_iter().filter(|(v, _)| v[0] + v[1] > 3.0).collect();
        let rows: Vec<(&[f64], bool)> = grid.iter().map(|(v, y)| (v.as_slice(), *y)).collect();
        let trees = Trees::fit(&rows, Settings { trees: 20, depth: 2, rate: 0.5, leaf: 1.0 });
        assert!(rows.iter().all(|(v, y)| (trees.log_odds(v) > 0.0) == *y));
        assert!(trees.is_sound());
    }

    #[test]
    fn a_tree_that_runs_in_circles_is_not_sound() {
        let circle = vec![Node::Split { feature: 0, at: 0.0, below: 0, above: 1 }, Node::Leaf(1.0)];
        assert!(!Trees { base: 0.0, trees: vec![circle] }.is_sound());
        assert!(!Trees { base: 0.0, trees: vec![Vec::new()] }.is_sound());
        assert!(Trees { base: 0.0, trees: vec![vec![Node::Leaf(1.0)]] }.is_sound());
    }

    #[test]
    fn rare_ones_can_be_split_off() {
        let mut values = vec![0.0; 1000];
        values.extend([1.0; 5]);
        assert_eq!(cuts(values), [0.5]);
        assert!(cuts(vec![3.0; 10]).is_empty());
    }
}
