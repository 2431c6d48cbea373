//! What a table may say.

use super::*;

fn good() -> Table {
    serde_json::from_str(
        r#"{"version": 3, "routes": [{
            "name": "default/iris", "host": "*.example.com", "path": {"kind": "Prefix", "path": "/predict"},
            "split": {
                "groups": [
                    {"version": "a", "endpoints": [{"id": "a-0", "address": "127.0.0.1:1001"}], "weight": 80},
                    {"version": "b", "endpoints": [], "weight": 20}],
                "header_routes": [{"name": "qa", "version": "b",
                    "matches": [{"header": "X-Qa", "value": {"regex": "yes|1"}}]}]},
            "sticky": {"cookie": {"name": "serin"}}, "prediction": "$.prediction", "timeout_ms": 1000}]}"#,
    )
    .unwrap()
}

#[track_caller]
fn check(edit: impl FnOnce(&mut Route), expect: &str) {
    let mut table = good();
    edit(&mut table.routes[0]);
    assert_eq!(table.validate().join("; "), expect);
}

#[test]
fn a_table_survives_json_and_is_accepted() {
    let table = good();
    assert_eq!(serde_json::from_str::<Table>(&serde_json::to_string(&table).unwrap()).unwrap(), table);
    check(|_| {}, "");
}

#[test]
fn unknown_fields_are_refused() {
    assert!(serde_json::from_str::<Table>(r#"{"version": 1, "routes": [], "extra": 1}"#).is_err());
}

#[test]
fn every_problem_is_named_with_its_place() {
    check(|r| r.name.clear(), "routes[0].name: '' is not a name of 1 to 253 bytes");
    check(|r| r.host = Some("*.".into()), "routes[0].host: '*.' is neither a host nor '*.' and a suffix");
    check(|r| r.path.path = "predict".into(), "routes[0].path.path: 'predict' is not a path that starts with '/'");
    check(|r| r.timeout_ms = 0, "routes[0].timeout_ms: 0 is not within 1 and 86400000");
    check(|r| r.prediction = Some("x".into()), "routes[0].prediction: 'x' does not start with '$'");
    check(|r| r.sticky = Some(Sticky::Cookie { name: "a;b".into() }), "routes[0].sticky: 'a;b' is not an HTTP token");
    check(|r| r.split.groups[0].weight = 0, "");
    check(|r| r.split.groups.iter_mut().for_each(|g| g.weight = 0), "routes[0].split.groups: all weights are 0");
    check(
        |r| r.split.groups[1].version = "a".into(),
        "routes[0].split.groups[1].version: 'a' is there twice; \
         routes[0].split.header_routes[0].version: no group has version 'b'",
    );
    check(
        |r| r.split.groups[0].endpoints[0].address.set_port(0),
        "routes[0].split.groups[0].endpoints[0].address: port 0",
    );
    check(
        |r| r.split.header_routes[0].matches.clear(),
        "routes[0].split.header_routes[0].matches: at least one is needed",
    );
}

#[test]
fn a_regular_expression_that_does_not_parse_is_named() {
    let mut table = good();
    table.routes[0].split.header_routes[0].matches[0].value = ValueMatch::Regex("(".into());
    let problems = table.validate();
    assert!(problems[0].starts_with("routes[0].split.header_routes[0].matches[0].value.regex: "), "{problems:?}");
}

#[test]
fn routes_of_one_name_must_agree_and_may_not_overlap() {
    let mut table = good();
    let mut second = table.routes[0].clone();
    table.routes.push(second.clone());
    assert_eq!(table.validate(), ["routes[1]: takes the same host and path as routes[0]"]);
    second.path.path = "/other".into();
    table.routes[1] = second;
    assert_eq!(table.validate(), Vec::<String>::new());
    table.routes[1].split.groups[0].weight = 1;
    assert_eq!(
        table.validate(),
        [
            "routes[1]: another route named 'default/iris' has a different split, sticky, prediction, slices, record or units"
        ]
    );
}

#[test]
fn a_mirror_is_checked_like_the_rest() {
    let mirror = || Mirror {
        name: "m".into(),
        matches: vec![MirrorMatch { method: Some(ValueMatch::Exact("POST".into())), ..MirrorMatch::default() }],
        percent: 100,
        version: "c".into(),
        endpoints: Vec::new(),
        unsafe_methods: true,
    };
    let edited = |edit: &dyn Fn(&mut Mirror)| {
        let mut mirror = mirror();
        edit(&mut mirror);
        move |r: &mut Route| r.split.mirrors.push(mirror)
    };
    check(edited(&|_| {}), "");
    check(edited(&|m| m.percent = 101), "routes[0].split.mirrors[0].percent: 101 is not within 0 and 100");
    check(edited(&|m| m.version.clear()), "routes[0].split.mirrors[0].version: '' is not a name of 1 to 253 bytes");
    check(edited(&|m| m.matches.clear()), "routes[0].split.mirrors[0].matches: at least one is needed");
    let header = HeaderMatch { header: "a b".into(), value: ValueMatch::Exact(String::new()) };
    check(
        edited(&|m| m.matches[0].headers.push(header.clone())),
        "routes[0].split.mirrors[0].matches[0].headers[0].header: 'a b' is not an HTTP token",
    );
    let endpoint = Endpoint { id: "e".into(), address: ([127, 0, 0, 1], 0).into() };
    check(edited(&|m| m.endpoints.push(endpoint.clone())), "routes[0].split.mirrors[0].endpoints[0].address: port 0");
    check(|r| r.split.mirrors.extend([mirror(), mirror()]), "routes[0].split.mirrors[1].name: 'm' is there twice");
    let mut table = good();
    edited(&|m| m.matches[0].path = Some(ValueMatch::Regex("(".into())))(&mut table.routes[0]);
    let problems = table.validate();
    assert!(problems[0].starts_with("routes[0].split.mirrors[0].matches[0].path.regex: "), "{problems:?}");
    table = good();
    edited(&|_| {})(&mut table.routes[0]);
    assert_eq!(serde_json::from_str::<Table>(&serde_json::to_string(&table).unwrap()).unwrap(), table);
}

#[test]
fn what_is_recorded_is_checked_with_its_place() {
    let slice = |name: &str, header: Option<&str>, field: Option<&str>| Slice {
        name: name.into(),
        header: header.map(str::to_owned),
        answer_field: field.map(str::to_owned),
        ..Slice::default()
    };
    let with = |slices: Vec<Slice>| move |r: &mut Route| r.slices = slices;
    check(with(vec![slice("a", Some("x-a"), None), slice("b", None, Some("$.b"))]), "");
    check(with(vec![slice("", Some("x-a"), None)]), "routes[0].slices[0].name: '' is not a name of 1 to 253 bytes");
    for both in [slice("a", Some("x"), Some("$.x")), slice("a", None, None)] {
        check(with(vec![both]), "routes[0].slices[0]: exactly one of header, request_field and answer_field is needed");
    }
    check(with(vec![slice("a", Some("x y"), None)]), "routes[0].slices[0].header: 'x y' is not an HTTP token");
    check(with(vec![slice("a", None, Some("x"))]), "routes[0].slices[0].answer_field: 'x' does not start with '$'");
    let request = Slice { name: "a".into(), request_field: Some("$[x]".into()), ..Slice::default() };
    check(with(vec![request]), "routes[0].slices[0].request_field: '$[x]' cannot be read from '[x]' on");
    let twice = vec![slice("a", Some("x"), None), slice("a", Some("y"), None)];
    check(with(twice), "routes[0].slices[1].name: 'a' is there twice");
    let many = (0..5).map(|i| slice(&format!("s{i}"), Some("x"), None)).collect();
    check(with(many), "routes[0].slices: 5 are more than 4");

    let record = |capacity| move |r: &mut Route| (r.record, r.request_id) = (Some(Record { capacity }), true);
    check(record(1_000_000), "");
    check(record(0), "routes[0].record.capacity: 0 is not within 1 and 1000000");
    check(record(1_000_001), "routes[0].record.capacity: 1000001 is not within 1 and 1000000");
    check(
        |r| (r.record, r.prediction) = (Some(Record { capacity: 1 }), None),
        "routes[0].record: the route does not say where the prediction stands; \
         routes[0].record: the route has no request_id by which an answer can be found again",
    );

    let units = |silence_ms, requests| move |r: &mut Route| r.units = Some(UnitLimits { silence_ms, requests });
    check(units(1, 65_535), "");
    check(units(0, 1), "routes[0].units.silence_ms: 0 is not within 1 and 3600000");
    check(units(1, 65_536), "routes[0].units.requests: 65536 is not within 1 and 65535");
    check(
        |r| (r.units, r.sticky) = (Some(UnitLimits::default()), None),
        "routes[0].units: the route is not sticky, so that its visitors are not known",
    );
}

#[test]
fn routes_of_one_name_must_record_the_same() {
    let mut table = good();
    let mut second = table.routes[0].clone();
    second.path.path = "/other".into();
    second.units = Some(UnitLimits::default());
    table.routes.push(second);
    assert_eq!(
        table.validate(),
        [
            "routes[1]: another route named 'default/iris' has a different split, sticky, prediction, slices, record or units"
        ]
    );
}

#[test]
fn what_is_recorded_is_written_in_few_words() {
    let text = r#"{"version":1,"routes":[{"name":"r","split":{"groups":[{"version":"v","endpoints":[],"weight":1}]},
        "sticky":{"header":{"name":"x-user"}},"prediction":"$.p","request_id":true,"record":{"capacity":10},"units":{},
        "slices":[{"name":"a","header":"x-country"},{"name":"b","request_field":"$.c"},{"name":"d","answer_field":"$.e"}]}]}"#;
    let table: Table = serde_json::from_str(text).unwrap();
    assert_eq!(table.validate(), Vec::<String>::new());
    assert_eq!(table.routes[0].units, Some(UnitLimits { silence_ms: 60_000, requests: 1_000 }));
    assert_eq!(serde_json::from_str::<Table>(&serde_json::to_string(&table).unwrap()).unwrap(), table);
}
