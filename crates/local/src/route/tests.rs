//! From a split to the table and back.

use serin_core::weight::{HeaderRoute as CoreHeaderRoute, MirrorRoute, RouteMatch, ValueMatch as Matching};
use serin_proxy::Table;

use super::*;

/// A fifth to the canary, and a third of the posts of one path copied to it.
fn split() -> CoreSplit {
    let header = |value| weight::HeaderMatch { header: "x-a".into(), value };
    CoreSplit {
        canary: Hash::new("canary"),
        weight: 20,
        header_routes: vec![CoreHeaderRoute {
            name: "by-header".into(),
            matches: vec![header(Matching::Exact("1".into()))],
        }],
        mirrors: vec![MirrorRoute {
            name: "copies".into(),
            percentage: 33,
            matches: vec![RouteMatch {
                method: Some(Matching::Exact("POST".into())),
                path: Some(Matching::Prefix("/predict".into())),
                headers: vec![header(Matching::Regex("a|b".into()))],
            }],
        }],
        ..CoreSplit::all_to(Hash::new("stable"), 100)
    }
}

fn route(split: Split) -> Route {
    let mut table: Table = serde_json::from_str(
        r#"{"version": 1, "routes": [{"name": "r", "split": {"groups": [{"version": "v", "endpoints": [], "weight": 1}]}}]}"#,
    )
    .unwrap();
    table.routes[0].split = split;
    assert_eq!(table.validate(), Vec::<String>::new());
    table.routes.remove(0)
}

#[test]
fn a_mirror_route_is_rendered_whole() {
    let mirror = render(&split()).mirrors.remove(0);
    assert_eq!((mirror.name.as_str(), mirror.version.as_str(), mirror.percent), ("copies", "canary", 33));
    assert!(mirror.unsafe_methods);
    assert_eq!(
        mirror.matches,
        [MirrorMatch {
            method: Some(ValueMatch::Exact("POST".into())),
            path: Some(ValueMatch::Prefix("/predict".into())),
            headers: vec![HeaderMatch { header: "x-a".into(), value: ValueMatch::Regex("a|b".into()) }],
        }]
    );
}

#[test]
fn without_a_method_only_what_changes_nothing_is_copied() {
    let mut any = split();
    any.mirrors[0].matches[0].method = None;
    let mirror = render(&any).mirrors.remove(0);
    assert_eq!(mirror.matches[0].method, Some(ValueMatch::Regex("GET|HEAD|OPTIONS|TRACE".into())));
    route(render(&any));
}

#[test]
fn a_split_is_carried_when_all_of_it_is_there_whoever_answers() {
    let wanted = split();
    let mut carried = render(&wanted);
    let endpoint = Endpoint { id: "m".into(), address: ([127, 0, 0, 1], 9).into() };
    carried.groups[1].endpoints.push(endpoint.clone());
    carried.mirrors[0].endpoints.push(endpoint);
    let check = |edit: &dyn Fn(&mut Split), expect: bool| {
        let mut split = carried.clone();
        edit(&mut split);
        assert_eq!(carry([route(split)].iter(), &wanted), expect);
    };
    check(&|_| {}, true);
    check(&|s| s.groups[1].weight = 21, false);
    check(&|s| s.header_routes.clear(), false);
    check(&|s| s.mirrors.clear(), false);
    check(&|s| s.mirrors[0].percent = 34, false);
    check(&|s| s.mirrors[0].version = "stable".into(), false);
    check(&|s| s.mirrors[0].matches[0].method = None, false);
    assert!(!carry([].iter(), &wanted), "no route carries nothing");
}
