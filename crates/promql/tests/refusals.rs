//! Queries that are refused when they are parsed: where, and with what words.

use serin_promql::{EvalError, Options, Query, supported};

/// `query` with the refused part between `«` and `»`, and the message.
fn check(query: &str, message: &str) {
    let start = query.find('«').unwrap();
    let end = query.find('»').unwrap() - '«'.len_utf8();
    let plain = query.replace(['«', '»'], "");
    let error = Query::parse(&plain).expect_err(&plain);
    assert_eq!((error.message.as_str(), error.start, error.end), (message, start, end), "{plain}");
}

#[test]
fn functions_that_are_not_spoken() {
    check("1 + «rat»(x[5m])", "there is no function rat");
    check(
        "sum(«histogram_count»(x))",
        "histogram_count is not supported: native histograms are not supported; classic ones with `le` are",
    );
    check(
        "«holt_winters»(x[5m], 0.5, 0.5)",
        "holt_winters is not supported: Prometheus 3 calls it double_exponential_smoothing",
    );
    check(
        "«limit_ratio»(0.5, x)",
        "limit_ratio is not supported: which series it takes depends on a hash that only Prometheus has",
    );
    check("«info»(x)", "info is not supported: joining with info metrics is not supported; use * on(…) group_left(…)");
    let hint = Query::parse("rat(x)").unwrap_err().hint.unwrap();
    assert!(supported().iter().all(|name| hint.contains(name)), "{hint}");
}

#[test]
fn constructs_that_are_not_spoken() {
    check("rate(x[5m] «anchored»)", "the modifier anchored is not supported");
    check("rate(x[5m] «smoothed»)", "the modifier smoothed is not supported");
    check("a + «fill»(0) b", "the modifier fill is not supported");
    check("a «</» b", "the operator </ is not supported");
    check("rate(x[5m «*» 2])", "expected ], found \"*\"");
    check("x offset «(»5m)", "expected a duration such as 5m, found \"(\"");
    check("caf«é»", "unexpected character 'é'");
}

#[test]
fn kinds_that_do_not_fit() {
    check("rate(«x»)", "expected a range vector in the call of rate, got an instant vector");
    check("sum(«x[5m]»)", "expected an instant vector in the aggregation, got a range vector");
    check("«x[5m]» + 1", "an operator needs scalars or instant vectors, not a range vector");
    check("«-x[5m]»", "a sign needs a scalar or an instant vector, not a range vector");
    check("1 «==» 2", "a comparison of two scalars needs bool");
    check("1 + bool«» 2".replace("1 + bool«»", "1 «+» bool").as_str(), "bool is for comparisons only");
    check("a «and» 1", "and, or and unless need an instant vector on both sides");
    check("a «and» on(x) group_left b", "and, or and unless take no group_left or group_right");
    check("a «+» on(x) 1", "on and ignoring need an instant vector on both sides");
    check("a «+» on(x) group_left(x) b", "label \"x\" stands both in on and in the group");
    check("a + «group_left» b", "group_left needs on or ignoring before it");
    check("«clamp(x, 1)»", "expected 3 argument(s) in the call of clamp, got 2");
    check("«round()»", "expected 1 to 2 argument(s) in the call of round, got 0");
    check("«label_join(x, \"a\")»", "expected at least 3 argument(s) in the call of label_join, got 2");
    check("«topk(x)»", "expected 2 argument(s) in the aggregation, got 1");
    check("topk(«\"3\"», x)", "expected a scalar in the aggregation, got a string");
}

#[test]
fn selectors_and_their_modifiers() {
    check("«{}»", "the selector matches every series: at least one matcher must refuse the empty value");
    check("«{a=~\".*\"}»", "the selector matches every series: at least one matcher must refuse the empty value");
    check("x{a=~«\"(\"»}", "bad pattern \"(\": error: unclosed group");
    check("x{a«>»\"1\"}", "expected =, !=, =~ or !~, found \">\"");
    check("x{a=«1»}", "expected a string, found \"1\"");
    check("x{a=\"1\"«»", "expected , or }, found the end of the query");
    check("(x)«[5m]»", "a range needs a selector before it");
    check("(x) «offset» 5m", "offset must stand directly behind a selector, a range or a subquery");
    check("x offset 5m «[5m]»", "the range must come before offset and @");
    check("x[«0s»]", "the duration must be greater than 0");
    check("x @ «nan»", "the time after @ is out of range");
    check("«x @ 1 @ 2»", "@ is given twice");
    check("label_replace(x, \"a\", \"$1\", \"b\", «\"(\"»)", "bad pattern \"(\": error: unclosed group");
}

#[test]
fn what_is_no_query_at_all() {
    check("«»", "the query is empty");
    check("«  »", "the query is empty");
    check("x «y»", "expected an operator or the end of the query, found \"y\"");
    check("sum(x«»", "expected , or ), found the end of the query");
    check("x + «»", "expected an expression, found the end of the query");
    check("«\"abc»", "the string is not closed");
    check("a + «5z»", "bad number or duration \"5z\"");
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = |depth: usize| format!("{}x{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Query::parse(&deep(100)).is_ok());
    assert!(Query::parse(&deep(20_000)).unwrap_err().message.contains("nested deeper"));
    assert!(Query::parse(&"-".repeat(50_000)).is_err());
    assert!(Query::parse(&vec!["x"; 10_000].join("+")).unwrap_err().message.contains("nested deeper"));
    assert!(Query::parse(&vec!["x"; 100].join("+")).is_ok());
    assert!(Query::parse(&" ".repeat(70_000)).unwrap_err().message.contains("longer than"));
}

#[test]
fn the_deepest_query_is_answered() {
    let nested = |levels: usize| format!("{}vector(1){}", "abs(".repeat(levels), ")".repeat(levels));
    let query = Query::parse(&nested(120)).unwrap();
    let answer = query.eval(&serin_promql::Store::default(), 0).unwrap();
    assert!(matches!(answer, serin_promql::Value::Vector(elements) if elements.len() == 1));
}

#[test]
fn work_is_bounded() {
    let store = serin_promql::Store::default();
    let query = |text: &str, work_max| Query::parse_with(text, Options { work_max, ..Options::default() }).unwrap();
    let endless = query("sum_over_time(vector(1)[200y:1ms])", 10_000);
    assert_eq!(endless.eval(&store, 0), Err(EvalError::TooMuchWork { limit: 10_000 }));
    assert_eq!(query("1", 10_000).eval_range(&store, 0, i64::MAX, 1), Err(EvalError::TooMuchWork { limit: 10_000 }));
    assert!(query("sum_over_time(vector(1)[1m:1s])", 10_000).eval(&store, 0).is_ok());
}
