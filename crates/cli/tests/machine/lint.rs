//! `serin lint` from the outside: levels, exit codes, pages, and what machines read.

use serde_json::Value;

use crate::machine::Machine;
use crate::manifests::App;

/// A machine with a rollout that says one weight twice, which is allowed and can hardly be meant.
fn machine() -> Machine {
    let machine = Machine::new();
    machine.write("model.yaml", &App::new("model", &["setWeight: 20", "setWeight: 20", "pause: {}"]).yaml());
    machine
}

#[test]
fn levels_decide_what_is_said_and_how_it_ends() {
    let machine = machine();
    let count = |flags: &[&str], code: i32| {
        let ran = machine.run(&[&["lint", "app"], flags].concat());
        assert_eq!(ran.code, code, "{flags:?}: {}{}", ran.out, ran.err);
        ran.out.lines().last().unwrap_or_default().to_owned()
    };
    assert!(count(&[], 0).contains("1 warning"), "{}", count(&[], 0));
    for deny in ["repeated-weight", "SL103", "sl103", "all", "warnings", "SL101,SL103"] {
        assert!(count(&["--deny", deny], 2).contains("error"), "{deny}");
    }
    assert!(!count(&["--allow", "SL103"], 0).contains("warning"));
    assert!(!count(&["-D", "warnings", "-A", "SL103"], 0).contains("error"));
    let unknown = machine.run(&["lint", "app", "--deny", "repeated-wait"]).fails(2);
    assert!(unknown.contains("repeated-weight"), "{unknown}");
    let text = machine.run(&["lint", "app"]).ok();
    assert!(text.contains("warning[SL103 repeated-weight]") && text.contains("model.yaml:"), "{text}");
}

#[test]
fn an_annotation_allows_a_finding() {
    let machine = Machine::new();
    let mut app = App::new("model", &["setWeight: 20", "setWeight: 20", "pause: {}"]);
    app.annotations.push(("serin.dev/allow".to_owned(), "repeated-weight".to_owned()));
    machine.write("model.yaml", &app.yaml());
    let said = machine.run(&["lint", "app", "--deny", "warnings"]).ok();
    assert!(!said.contains("repeated-weight"), "{said}");
}

#[test]
fn pages_and_the_list_are_printed() {
    let machine = Machine::new();
    let by_code = machine.run(&["lint", "--explain", "sl303"]).ok();
    assert!(by_code.starts_with("# SL303 wrong-unit\n") && by_code.contains("## Put right"), "{by_code}");
    assert_eq!(machine.run(&["lint", "--explain", "wrong-unit"]).ok(), by_code);
    let unknown = machine.run(&["lint", "--explain", "wrong-units"]).fails(2);
    assert!(unknown.contains("wrong-unit"), "{unknown}");
    let list = machine.run(&["lint", "--list", "--deny", "SL303"]).ok();
    let row = list.lines().find(|line| line.starts_with("SL303")).unwrap();
    assert!(row.contains("wrong-unit") && row.contains("deny"), "{row}");
    let json: Vec<Value> = serde_json::from_str(&machine.run(&["lint", "--list", "-o", "json"]).ok()).unwrap();
    assert!(json.len() > 50 && json.iter().all(|lint| lint["code"].is_string() && lint["level"].is_string()));
}

#[test]
fn machines_read_the_lint_beside_its_name() {
    let machine = machine();
    let found: Vec<Value> = serde_json::from_str(&machine.run(&["lint", "app", "-o", "json"]).ok()).unwrap();
    let repeated = found.iter().find(|problem| problem["code"] == "repeated-weight").unwrap();
    assert_eq!((&repeated["lint"], &repeated["severity"]), (&"SL103".into(), &"warning".into()));
    assert!(repeated["hint"].is_string() && repeated["line"].is_u64() && repeated["column"].is_u64());
    let yaml = machine.run(&["lint", "app", "-o", "yaml"]).ok();
    assert!(yaml.contains("code: repeated-weight"), "{yaml}");
}

/// Whether an object has no other keys than these. The schema of SARIF 2.1.0 allows properties that it does not name
/// nowhere, except in property bags.
fn only(object: &Value, keys: &[&str]) {
    for key in object.as_object().unwrap_or_else(|| panic!("no object: {object}")).keys() {
        assert!(keys.contains(&key.as_str()), "{key} is not allowed in {object}");
    }
}

/// What the schema of SARIF 2.1.0 asks of the parts that are written here.
fn check_sarif(log: &Value) {
    only(log, &["$schema", "version", "runs"]);
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().ends_with("sarif-schema-2.1.0.json"));
    for run in log["runs"].as_array().unwrap() {
        only(run, &["tool", "results", "columnKind"]);
        assert!(["utf16CodeUnits", "unicodeCodePoints"].contains(&run["columnKind"].as_str().unwrap()));
        only(&run["tool"], &["driver"]);
        let driver = &run["tool"]["driver"];
        only(driver, &["name", "version", "rules"]);
        assert!(!driver["name"].as_str().unwrap().is_empty());
        let rules = driver["rules"].as_array().unwrap();
        for (i, rule) in rules.iter().enumerate() {
            only(rule, &["id", "name", "shortDescription", "help", "defaultConfiguration"]);
            assert!(rule["id"].is_string() && rule["shortDescription"]["text"].is_string(), "{rule}");
            assert!(!rules[..i].contains(rule), "rules are unique");
            if let Some(level) = rule["defaultConfiguration"].get("level") {
                assert!(["none", "note", "warning", "error"].contains(&level.as_str().unwrap()), "{level}");
            }
        }
        for result in run["results"].as_array().unwrap() {
            check_result(result, rules);
        }
    }
}

fn check_result(result: &Value, rules: &[Value]) {
    only(result, &["ruleId", "ruleIndex", "level", "message", "locations"]);
    assert_eq!(rules[result["ruleIndex"].as_u64().unwrap() as usize]["id"], result["ruleId"]);
    assert!(["none", "note", "warning", "error"].contains(&result["level"].as_str().unwrap()));
    only(&result["message"], &["text"]);
    assert!(result["message"]["text"].is_string());
    for location in result["locations"].as_array().unwrap() {
        only(location, &["physicalLocation", "logicalLocations"]);
        let physical = &location["physicalLocation"];
        only(physical, &["artifactLocation", "region"]);
        only(&physical["artifactLocation"], &["uri"]);
        let uri = physical["artifactLocation"]["uri"].as_str().unwrap();
        assert!(!uri.contains(' ') && uri.is_ascii(), "{uri}");
        if let Some(region) = physical.get("region") {
            only(region, &["startLine", "startColumn", "endColumn"]);
            let number = |key: &str| region[key].as_u64().unwrap();
            assert!(number("startLine") >= 1 && number("startColumn") >= 1);
            assert!(number("endColumn") >= number("startColumn"));
        }
        for logical in location.get("logicalLocations").and_then(Value::as_array).into_iter().flatten() {
            only(logical, &["name", "kind", "fullyQualifiedName"]);
        }
    }
}

#[test]
fn sarif_is_what_its_schema_says() {
    let machine = machine();
    machine.write("with blank.yaml", "a: [");
    machine.write("other.yaml", "{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {ports: [{prt: 1}]}}");
    let ran = machine.run(&["lint", "app", "--output", "sarif"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    let log: Value = serde_json::from_str(&ran.out).unwrap();
    check_sarif(&log);
    let results = log["runs"][0]["results"].as_array().unwrap();
    let levels: Vec<(&str, &str)> =
        results.iter().map(|result| (result["ruleId"].as_str().unwrap(), result["level"].as_str().unwrap())).collect();
    assert!(levels.contains(&("SL103", "warning")), "{levels:?}");
    assert!(levels.contains(&("yaml-syntax", "error")) && levels.contains(&("unknown-field", "error")), "{levels:?}");
    assert!(ran.out.contains("with%20blank.yaml"));
    let file = machine.write("fine.yaml", "{apiVersion: v1, kind: Namespace, metadata: {name: fine}}");
    let empty: Value =
        serde_json::from_str(&machine.run(&["lint", "-o", "sarif", file.to_str().unwrap()]).ok()).unwrap();
    check_sarif(&empty);
    assert_eq!(empty["runs"][0]["results"], Value::Array(Vec::new()));
    let refused = machine.run(&["status", "-o", "sarif"]).fails(2);
    assert!(refused.contains("only lint writes SARIF"), "{refused}");
}

#[test]
fn up_and_apply_tell_warnings_and_go_on() {
    let app = App::new("model", &["setWeight: 20", "setWeight: 20", "pause: {}"]);
    let machine = Machine::with(&[&app], &[]);
    let file = machine.beside("model.yaml");
    std::fs::write(&file, app.yaml()).unwrap();
    let ran = machine.run(&["apply", "-f", file.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("warning[SL103 repeated-weight]"), "{}", ran.err);
    assert!(!ran.err.contains("note["), "notes are for serin lint: {}", ran.err);
}
