//! Reads series from the store: values at a time and windows of samples.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{Answer, Element, Evaluator, LABEL_WORK, STEP_WORK};
use crate::labels::Labels;
use crate::query::EvalError;
use crate::store::Samples;
use crate::syntax::{At, Expr, Node, Selector, Shift, Subquery};
use crate::value::Point;

/// A series that a selector found.
#[derive(Debug)]
struct Found<'s> {
    labels: &'s Labels,
    /// Its labels without the metric's name, made once for all times of the query.
    bare: Labels,
    samples: &'s Samples,
}

/// What a selector found.
#[derive(Debug)]
pub(crate) struct Selection<'s> {
    series: Vec<Found<'s>>,
    /// Whether two series differ in their names only.
    may_collide: bool,
}

/// Samples of several series within one range of time, open on the left.
#[derive(Debug)]
pub(crate) struct Windows<'s> {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) range_ms: i64,
    source: Source<'s>,
}

#[derive(Debug)]
enum Source<'s> {
    Stored(Rc<Selection<'s>>),
    Computed(Vec<Computed>),
}

/// A series of a subquery.
#[derive(Debug)]
struct Computed {
    labels: Labels,
    unnamed: bool,
    points: Vec<Point>,
}

impl Windows<'_> {
    /// Number of series, those without samples in the range included.
    pub(crate) fn len(&self) -> usize {
        match &self.source {
            Source::Stored(found) => found.series.len(),
            Source::Computed(series) => series.len(),
        }
    }

    /// Adds the samples of a series in the range to `out`.
    pub(crate) fn points(&self, index: usize, out: &mut Vec<Point>) {
        match &self.source {
            Source::Stored(found) => found.series[index].samples.window(self.start_ms, self.end_ms, out),
            Source::Computed(series) => out.extend_from_slice(&series[index].points),
        }
    }

    /// The labels of a series, with its name.
    pub(super) fn labels(&self, index: usize) -> &Labels {
        match &self.source {
            Source::Stored(found) => found.series[index].labels,
            Source::Computed(series) => &series[index].labels,
        }
    }

    /// The labels of a series without its name.
    pub(super) fn bare(&self, index: usize) -> Labels {
        match &self.source {
            Source::Stored(found) => found.series[index].bare.clone(),
            Source::Computed(series) => series[index].labels.without_metadata(),
        }
    }

    /// Whether two series may have the same labels without their names.
    pub(super) fn may_collide(&self) -> bool {
        match &self.source {
            Source::Stored(found) => found.may_collide,
            Source::Computed(_) => true,
        }
    }

    /// Whether the name of a series goes at the end anyway.
    pub(super) fn unnamed(&self, index: usize) -> bool {
        matches!(&self.source, Source::Computed(series) if series[index].unnamed)
    }
}

impl<'s> Evaluator<'s> {
    /// The series of a selector.
    fn find(&mut self, selector: &Selector) -> Rc<Selection<'s>> {
        let store = self.store;
        let slot = &mut self.found[selector.slot];
        let look = || {
            let found = store.select(&selector.matchers).into_iter();
            let series: Vec<Found<'s>> =
                found.map(|(labels, samples)| Found { labels, bare: labels.without_metadata(), samples }).collect();
            let mut seen = BTreeSet::new();
            let may_collide = series.iter().any(|found| !seen.insert(&found.bare));
            Rc::new(Selection { series, may_collide })
        };
        slot.get_or_insert_with(look).clone()
    }

    /// The time that a shift makes of the time of the query.
    fn shifted(&self, shift: Shift, at_ms: i64) -> i64 {
        let base = match shift.at {
            None => at_ms,
            Some(At::Time(t_ms)) => t_ms,
            Some(At::Start) => self.bounds_ms.0,
            Some(At::End) => self.bounds_ms.1,
        };
        base.saturating_sub(shift.offset_ms.unwrap_or(0))
    }

    /// The values of a selector.
    pub(super) fn instant(&mut self, selector: &Selector, at_ms: i64) -> Result<Vec<Element>, EvalError> {
        let found = self.find(selector);
        self.work(found.series.len())?;
        let at_ms = self.shifted(selector.shift, at_ms);
        let oldest_ms = at_ms.saturating_sub(self.options.lookback_ms);
        let mut out = Vec::with_capacity(found.series.len());
        for series in &found.series {
            if let Some(point) = series.samples.latest(at_ms, oldest_ms) {
                let labels = series.labels.clone();
                out.push(Element { labels, value: point.value, t_ms: point.t_ms, unnamed: false });
            }
        }
        Ok(out)
    }

    /// The windows of a range or a subquery.
    pub(crate) fn windows(&mut self, expr: &Expr, at_ms: i64) -> Result<Windows<'s>, EvalError> {
        match &expr.node {
            Node::Range { selector, range_ms } => {
                let end_ms = self.shifted(selector.shift, at_ms);
                let start_ms = end_ms.saturating_sub(*range_ms);
                let source = Source::Stored(self.find(selector));
                Ok(Windows { start_ms, end_ms, range_ms: *range_ms, source })
            }
            Node::Subquery(subquery) => self.subquery(subquery, at_ms),
            _ => Err(EvalError::data(expr.span, "expected a range vector")),
        }
    }

    /// Evaluates the inner query at whole multiples of the step. Series come in the order in which they appear.
    fn subquery(&mut self, subquery: &Subquery, at_ms: i64) -> Result<Windows<'s>, EvalError> {
        let end_ms = self.shifted(subquery.shift, at_ms);
        let start_ms = end_ms.saturating_sub(subquery.range_ms);
        let step_ms = subquery.step_ms.unwrap_or(self.options.subquery_step_ms).max(1);
        let mut series: Vec<Computed> = Vec::new();
        let mut known: BTreeMap<Labels, usize> = BTreeMap::new();
        let mut t_ms = (start_ms / step_ms).saturating_mul(step_ms);
        if t_ms <= start_ms {
            t_ms = t_ms.saturating_add(step_ms);
        }
        while t_ms <= end_ms {
            self.work(STEP_WORK)?;
            if let Answer::Vector(elements) = self.answer(&subquery.inner, t_ms)? {
                self.work(elements.len() * LABEL_WORK)?;
                for Element { labels, value, unnamed, .. } in elements {
                    let index = *known.entry(labels.clone()).or_insert(series.len());
                    if index == series.len() {
                        series.push(Computed { labels, unnamed, points: Vec::new() });
                    }
                    series[index].points.push(Point { t_ms, value });
                }
            }
            t_ms = match t_ms.checked_add(step_ms) {
                Some(next) => next,
                None => break,
            };
        }
        Ok(Windows { start_ms, end_ms, range_ms: subquery.range_ms, source: Source::Computed(series) })
    }

    /// The labels of a window in the result of a query.
    pub(crate) fn final_labels(&self, windows: &Windows<'_>, index: usize) -> Labels {
        if windows.unnamed(index) { windows.bare(index) } else { windows.labels(index).clone() }
    }
}
