//! Every lint, in the order of the codes.

use super::{Level, Lint};

macro_rules! lints {
    ($($code:literal $name:literal $level:ident $summary:literal;)+) => {
        /// Every lint, in the order of the codes: 1 the steps, 2 analyses, 3 queries, 4 the rest.
        pub const LINTS: &[Lint] = &[$(Lint {
            code: $code,
            name: $name,
            level: Level::$level,
            summary: $summary,
            page: include_str!(concat!("../../../../docs/lints/", $code, ".md")),
        }),+];
    };
}

lints! {
    "SL101" "no-steps" Warn "an empty list of steps";
    "SL102" "falling-weight" Warn "a weight that is lower than the one before";
    "SL103" "repeated-weight" Warn "a weight that is already in force";
    "SL104" "mixed-step" Warn "one step that says several things";
    "SL105" "no-effect" Warn "a field or step that does nothing";
    "SL106" "zero-pause" Warn "a pause of no time";
    "SL107" "pause-at-full-weight" Note "a pause without end after all requests went to the new version";
    "SL108" "analysis-without-canary" Warn "an analysis while the new version has no member";
    "SL109" "weight-without-members" Warn "a weight at which the new version has no member";
    "SL110" "too-few-members" Warn "fewer members than the weight needs";
    "SL111" "coarse-weight" Warn "a weight that the number of replicas cannot show";
    "SL112" "route-without-members" Warn "a header or mirror route to a version without members";
    "SL113" "threshold-passes-all" Warn "a progress threshold that is met by no members at all";
    "SL114" "percent-without-sign" Warn "a quoted number that is read as a percentage";
    "SL115" "nothing-judges" Note "an update that nothing can stop";
    "SL116" "pointless-last-step" Warn "a last step that is undone at once";
    "SL117" "paused" Warn "a rollout that its own manifest holds";
    "SL201" "no-condition" Warn "a metric without a condition";
    "SL202" "constant-condition" Warn "a condition with the same answer for every result";
    "SL203" "wrong-result" Warn "a condition that does not fit the form of the result";
    "SL204" "no-data-passes" Warn "a metric that passes without data";
    "SL205" "nan-passes" Warn "a metric that passes on NaN";
    "SL206" "never-fails" Warn "a metric that can never fail";
    "SL207" "inconclusive-passes" Warn "a metric that passes though no measurement did";
    "SL208" "never-passes" Warn "a metric that can never pass";
    "SL209" "overlapping-conditions" Warn "a result that meets both conditions";
    "SL210" "dry-run-only" Warn "an analysis whose metrics all only look on";
    "SL211" "background-too-late" Warn "a background metric that cannot fail before the steps are over";
    "SL212" "never-starts" Warn "a background analysis that starts after the last step";
    "SL213" "measured-too-early" Warn "a first measurement before there can be data";
    "SL214" "unused-template" Note "a template that nothing names";
    "SL215" "unused-argument" Warn "an argument that no template declares";
    "SL216" "empty-argument" Warn "an argument without a value";
    "SL217" "no-data-is-an-error" Allow "a condition that is an error without data";
    "SL218" "endless-errors" Warn "a limit of errors that takes an hour and more to reach";
    "SL219" "all-must-fail" Warn "a metric that fails only if every measurement does";
    "SL301" "mixes-versions" Warn "a query that adds up both versions";
    "SL302" "lopsided-ratio" Warn "a ratio of one version's events to everybody's";
    "SL303" "wrong-unit" Warn "a limit in another unit than the query";
    "SL304" "share-out-of-range" Warn "a share that is compared with more than 1";
    "SL305" "raw-counter" Warn "a limit on a counter's value since its start";
    "SL306" "quantile-without-bound" Warn "a quantile of buckets that were added up over their bounds";
    "SL307" "quantile-out-of-range" Warn "a quantile that is not between 0 and 1";
    "SL308" "only-first-series" Warn "several series, of which one is judged";
    "SL309" "nan-fails" Warn "a metric that fails when there are no requests";
    "SL310" "short-range" Note "a rate over a range with fewer than two samples";
    "SL311" "limit-out-of-reach" Warn "a limit that no answer of the query can pass, or none can fail";
    "SL312" "no-such-bucket" Warn "a bucket that the histogram does not have";
    "SL313" "between-buckets" Note "a limit on a quantile within a bucket";
    "SL314" "window-before-step" Note "a range that looks back to the time before the step";
    "SL315" "needs-failures" Warn "a query without an answer while nothing fails";
    "SL316" "base-rate" Warn "a share that is held against a fixed number";
    "SL317" "no-counter" Warn "a counter of a comparison that is none";
    "SL318" "sum-over-processes" Note "a counter that loses an interval whenever a process goes away";
    "SL401" "scale-down-before-verdict" Note "earlier versions that are stopped before the analysis after the switch has passed";
    "SL402" "auto-promotion-ignored" Warn "a time until promotion where a person promotes";
    "SL403" "small-preview" Note "a preview that is judged with fewer members than it is promoted with";
    "SL404" "abort-delay-zero" Warn "an abort delay of 0, which does not mean at once";
    "SL405" "endless-experiment" Warn "an experiment that nothing ends";
    "SL406" "experiment-ends-first" Warn "an experiment that ends before its analysis";
    "SL407" "moving-tag" Warn "an image whose tag does not say which version it is";
    "SL408" "no-readiness-probe" Note "a container that counts as ready before it answers";
    "SL409" "deadline-before-ready" Warn "a progress deadline that passes before a member can be ready";
    "SL410" "unknown-lint" Warn "an annotation that allows a lint that does not exist";
}
