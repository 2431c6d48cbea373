//! A tree against the schema that the wire types generate: every unknown field, wrong type and missing field at once,
//! where serde would stop at the first and not know its place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Number, Value};

use super::kind::Known;
use super::nearest::nearest;
use crate::catalog::Origin;
use crate::document::{Field, Kind, Node, Spot, join, quoted};
use crate::problem::{Findings, Problem, Severity};
use crate::wire::experiment::Experiment;
use crate::wire::kubernetes::{ConfigMap, Ingress, Namespace, Secret, Service};
use crate::wire::{AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate, Rollout};

/// The schema of one kind.
pub(crate) struct Schema {
    root: Value,
    /// Where each field name exists in the kind, for fields that stand in the wrong place.
    places: BTreeMap<String, BTreeSet<String>>,
}

/// Deepest path that is offered for a misplaced field; also ends types that hold themselves.
const PLACES_DEEP_MAX: usize = 8;

static SCHEMAS: LazyLock<BTreeMap<Known, Schema>> =
    LazyLock::new(|| Known::ALL.iter().map(|(kind, ..)| (*kind, Schema::new(root_of(*kind)))).collect());

fn root_of(kind: Known) -> Value {
    fn root<T: JsonSchema>() -> Value {
        SchemaGenerator::default().into_root_schema_for::<T>().to_value()
    }
    match kind {
        Known::Rollout => root::<Rollout>(),
        Known::AnalysisTemplate => root::<AnalysisTemplate>(),
        Known::ClusterAnalysisTemplate => root::<ClusterAnalysisTemplate>(),
        Known::AnalysisRun => root::<AnalysisRun>(),
        Known::Experiment => root::<Experiment>(),
        Known::Service => root::<Service>(),
        Known::Ingress => root::<Ingress>(),
        Known::ConfigMap => root::<ConfigMap>(),
        Known::Secret => root::<Secret>(),
        Known::Namespace => root::<Namespace>(),
    }
}

impl Schema {
    /// The schema of a kind.
    pub(crate) fn of(kind: Known) -> &'static Schema {
        &SCHEMAS[&kind]
    }

    /// The schema of a type, as `schemars` writes it.
    pub(crate) fn new(root: Value) -> Schema {
        let mut schema = Schema { root, places: BTreeMap::new() };
        let mut places = BTreeMap::new();
        schema.collect(&schema.root, "", 0, &mut places);
        schema.places = places;
        schema
    }

    fn collect(&self, schema: &Value, path: &str, depth: usize, places: &mut BTreeMap<String, BTreeSet<String>>) {
        if depth > PLACES_DEEP_MAX {
            return;
        }
        let schema = self.resolve(schema);
        for (name, below) in schema["properties"].as_object().into_iter().flatten() {
            let path = join(path, name);
            places.entry(name.clone()).or_default().insert(path.clone());
            self.collect(below, &path, depth + 1, places);
        }
        if schema["items"].is_object() {
            self.collect(&schema["items"], &format!("{path}[]"), depth + 1, places);
        }
    }

    /// Follows references and takes the side of an `anyOf` that is not null.
    fn resolve<'s>(&'s self, mut schema: &'s Value) -> &'s Value {
        loop {
            if let Some(name) = schema["$ref"].as_str() {
                schema = self.root.pointer(name.trim_start_matches('#')).unwrap_or(&Value::Null);
            } else if let Some([some, null]) = schema["anyOf"].as_array().map(Vec::as_slice)
                && null["type"] == "null"
            {
                schema = some;
            } else {
                return schema;
            }
        }
    }

    /// Checks a whole object.
    pub(crate) fn check(&self, origin: &Origin) -> Outcome {
        let mut walker = Walker { schema: self, origin, problems: Vec::new(), warnings: Vec::new(), wrong: Vec::new() };
        let value = walker.value(&origin.node, &self.root, "", origin.node.spot);
        let value = value.unwrap_or_else(|| self.empty(&self.root));
        walker.problems.append(&mut walker.warnings);
        Outcome { value, problems: walker.problems, wrong: walker.wrong }
    }

    /// The least value that fits a schema, in the place of one that does not.
    fn empty(&self, schema: &Value) -> Value {
        let schema = self.resolve(schema);
        match &schema["type"] {
            Value::String(kind) => match kind.as_str() {
                "string" => Value::String(String::new()),
                "array" => Value::Array(Vec::new()),
                "integer" | "number" => Value::from(0),
                "boolean" => Value::Bool(false),
                "object" => {
                    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
                    let fields = required.map(|name| (name.to_owned(), self.empty(&schema["properties"][name])));
                    Value::Object(fields.collect())
                }
                _ => Value::Null,
            },
            _ if schema["x-kubernetes-int-or-string"] == true => Value::from(0),
            _ => Value::Null,
        }
    }
}

/// What came of checking an object.
pub(crate) struct Outcome {
    /// Its JSON. What is null is left out as Kubernetes does it, and so is what is wrong, so that the rest can be looked
    /// at.
    pub(crate) value: Value,
    pub(crate) problems: Vec<Problem>,
    /// The paths of what is wrong and left out.
    pub(crate) wrong: Vec<String>,
}

struct Walker<'s> {
    schema: &'s Schema,
    origin: &'s Origin,
    problems: Vec<Problem>,
    /// Of the status; they leave room for the problems of the rest.
    warnings: Vec<Problem>,
    wrong: Vec<String>,
}

impl Walker<'_> {
    /// A hostile object has as many problems as values; those past the limit would not be shown.
    fn report(&mut self, problem: Problem) {
        if !self.is_full() {
            self.wrong.push(problem.path.clone());
            self.problems.push(problem);
        }
    }

    fn is_full(&self) -> bool {
        self.problems.len() > Findings::MAX
    }

    /// The JSON of a value, as far as it fits the schema; `None` if it is wrong altogether. `spot` is where an object as a whole is pointed at.
    fn value(&mut self, node: &Node, schema: &Value, path: &str, spot: Spot) -> Option<Value> {
        let schema = self.schema.resolve(schema);
        if schema["x-kubernetes-int-or-string"] == true {
            return self.int_or_string(node, path);
        }
        let kind = match &schema["type"] {
            Value::String(kind) => kind.as_str(),
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or(""),
            _ => return Some(node.to_value()),
        };
        match (kind, &node.kind) {
            // Kept as it is written, nulls included, though what is read of it is checked.
            ("object", Kind::Map(fields)) if schema["x-kubernetes-preserve-unknown-fields"] == true => {
                let before = self.problems.len();
                let fitting = self.object(fields, schema, path, spot);
                Some(if self.problems.len() == before { node.to_value() } else { fitting })
            }
            ("object", Kind::Map(fields)) => Some(self.object(fields, schema, path, spot)),
            ("array", Kind::List(items)) => {
                let values = items.iter().enumerate().map(|(i, item)| {
                    let value = self.value(item, &schema["items"], &format!("{path}[{i}]"), item.spot);
                    // The items behind a wrong one keep their numbers.
                    value.unwrap_or_else(|| self.schema.empty(&schema["items"]))
                });
                Some(Value::Array(values.collect()))
            }
            ("string", Kind::Text(text)) => self.text(node, text, schema, path),
            ("integer", Kind::Number(number)) => self.integer(node, number, schema, path),
            ("number", Kind::Number(number)) => Some(Value::Number(number.clone())),
            ("boolean", Kind::Bool(value, _)) => Some(Value::Bool(*value)),
            (kind, _) => self.wrong_type(node, kind, schema, path, spot),
        }
    }

    fn object(&mut self, fields: &[Field], schema: &Value, path: &str, spot: Spot) -> Value {
        let properties = schema["properties"].as_object();
        let others = &schema["additionalProperties"];
        let mut object = Map::new();
        for field in fields {
            let below = join(path, &field.key);
            let known = properties.and_then(|properties| properties.get(&field.key));
            let value = match known {
                // Kubernetes takes a null for an absent field.
                Some(_) if field.node.kind == Kind::Null => None,
                Some(known) if below == "status" => self.status(field, known),
                Some(known) => self.value(&field.node, known, &below, field.spot),
                None if *others == false => self.unknown(field, schema, path, &below),
                None if self.is_slip(field, schema, path, &below) => None,
                None => self.value(&field.node, others, &below, field.spot),
            };
            if let Some(value) = value {
                object.insert(field.key.clone(), value);
            }
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.iter().any(|field| field.key == name && field.node.kind != Kind::Null) {
                self.missing(name, schema, fields, path, spot);
            }
            if !object.contains_key(name) {
                object.insert(name.to_owned(), self.schema.empty(&schema["properties"][name]));
            }
        }
        Value::Object(object)
    }

    /// A status comes from a controller, perhaps of another version; what does not fit is left out with a warning.
    fn status(&mut self, field: &Field, schema: &Value) -> Option<Value> {
        let (outer, wrong) = (std::mem::take(&mut self.problems), self.wrong.len());
        let value = self.value(&field.node, schema, "status", field.spot);
        self.wrong.truncate(wrong);
        let found = std::mem::replace(&mut self.problems, outer);
        if found.is_empty() {
            return value;
        }
        self.warnings.extend(
            found
                .into_iter()
                .map(|problem| Problem { severity: Severity::Warning, ..problem }.hint("the whole status is ignored")),
        );
        None
    }

    fn text(&mut self, node: &Node, text: &str, schema: &Value, path: &str) -> Option<Value> {
        let allowed: Vec<&str> = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if allowed.is_empty() || allowed.contains(&text) {
            return Some(Value::String(text.to_owned()));
        }
        let problem = self.origin.problem_at("bad-value", node.spot, path, format!("{} is not allowed", quoted(text)));
        let hint = nearest(text, allowed.iter().copied()).map(|name| format!("did you mean {name:?}?"));
        self.report(problem.expected(format!("one of {}", allowed.join(", "))).maybe_hint(hint));
        None
    }

    fn integer(&mut self, node: &Node, number: &Number, schema: &Value, path: &str) -> Option<Value> {
        let (least, most) = match schema["format"].as_str() {
            Some("int32") => (i64::from(i32::MIN), i64::from(i32::MAX)),
            Some("uint32") => (0, i64::from(u32::MAX)),
            Some("uint64") => (0, i64::MAX),
            _ => (i64::MIN, i64::MAX),
        };
        // A float without a fraction, such as 1e3, is a whole number to JSON.
        let whole = number.as_i64().or_else(|| {
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15)?;
            Some(float as i64)
        });
        match whole {
            Some(value) if (least..=most).contains(&value) => Some(Value::from(value)),
            Some(value) => {
                let problem =
                    self.origin.problem_at("out-of-range", node.spot, path, format!("{value} is out of range"));
                self.report(problem.expected(format!("a whole number from {least} to {most}")));
                None
            }
            None => self.wrong_type(node, "integer", schema, path, node.spot),
        }
    }

    fn int_or_string(&mut self, node: &Node, path: &str) -> Option<Value> {
        match &node.kind {
            Kind::Number(number) if number.is_i64() => Some(Value::Number(number.clone())),
            Kind::Text(text) => Some(Value::String(text.clone())),
            _ => {
                let message = format!("expected a whole number or a string, found {}", node.described());
                self.report(
                    self.origin
                        .problem_at("wrong-type", node.spot, path, message)
                        .expected("a whole number or a string"),
                );
                None
            }
        }
    }

    fn wrong_type(&mut self, node: &Node, kind: &str, schema: &Value, path: &str, spot: Spot) -> Option<Value> {
        let expected = match kind {
            "object" => "an object",
            "array" => "a list",
            "string" => "a string",
            "integer" => "a whole number",
            "number" => "a number",
            "boolean" => "true or false",
            other => other,
        };
        let here = if matches!(node.kind, Kind::List(_) | Kind::Map(_) | Kind::Null) { spot } else { node.spot };
        let message = format!("expected {expected}, found {}", node.described());
        let problem = self.origin.problem_at("wrong-type", here, path, message).expected(expected);
        let hint = self.type_hint(node, kind, schema);
        self.report(problem.maybe_hint(hint));
        None
    }

    fn type_hint(&self, node: &Node, kind: &str, schema: &Value) -> Option<String> {
        match (kind, &node.kind) {
            ("string", Kind::Number(number)) => Some(format!("put it in quotes: \"{number}\"")),
            ("string", Kind::Bool(_, word)) => Some(format!("put it in quotes: \"{word}\"")),
            ("integer", Kind::Text(text)) if text.trim().parse::<i64>().is_ok() => {
                Some(format!("remove the quotes: {}", text.trim()))
            }
            ("boolean", Kind::Text(text)) if matches!(text.as_str(), "true" | "false") => {
                Some(format!("remove the quotes: {text}"))
            }
            ("array", Kind::Map(_)) => Some("begin each item with a dash".to_owned()),
            ("array", _) if self.schema.resolve(&schema["items"])["type"] == "string" => {
                Some("write a list, even of one: [value]".to_owned())
            }
            ("object", Kind::List(_)) => Some("remove the dashes".to_owned()),
            ("object", Kind::Null) => Some("check the indentation, or write {}".to_owned()),
            _ => None,
        }
    }

    fn unknown(&mut self, field: &Field, schema: &Value, path: &str, below: &str) -> Option<Value> {
        if self.is_full() {
            return None;
        }
        let names: Vec<&str> =
            schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let owner = if path.is_empty() { "the object" } else { path };
        let message = format!("there is no field {} in {owner}", quoted(&field.key));
        let problem = self.origin.problem_at("unknown-field", field.spot, below, message);
        let near = nearest(&field.key, names.iter().copied());
        // What is missing because its name is misspelt need not be reported again.
        self.wrong.extend(near.map(|name| join(path, name)));
        let hint = match (near, self.elsewhere(&field.key, path)) {
            (Some(near), Some(place)) => Some(format!("did you mean {near:?}? this field exists at {place}")),
            (Some(near), None) => Some(format!("did you mean {near:?}?")),
            (None, Some(place)) => Some(format!("this field exists at {place}")),
            (None, None) if names.len() <= 12 => Some(format!("the fields are {}", names.join(", "))),
            (None, None) => None,
        };
        self.report(problem.maybe_hint(hint));
        None
    }

    /// Where else in the kind a field of this name exists, or one of almost this name if there is none.
    fn elsewhere(&self, key: &str, path: &str) -> Option<&str> {
        let places = &self.schema.places;
        let named = places.get(key).or_else(|| {
            let shape = |name: &str| name.replace(['-', '_'], "").to_lowercase();
            places.iter().find(|(name, _)| shape(name) == shape(key)).map(|(_, places)| places)
        });
        named.and_then(|places| closest(places, path))
    }

    /// Kinds of Kubernetes are not known in full, so only a field that is almost one of the known ones is refused.
    fn is_slip(&mut self, field: &Field, schema: &Value, path: &str, below: &str) -> bool {
        let Some(more) = schema["x-known-fields"].as_array() else { return false };
        let more: Vec<&str> = more.iter().filter_map(Value::as_str).collect();
        if more.contains(&field.key.as_str()) {
            return false;
        }
        if self.is_full() {
            return true;
        }
        let read = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        let Some(near) = nearest(&field.key, read.chain(more)) else { return false };
        let owner = if path.is_empty() { "the object" } else { path };
        let message = format!("there is no field {} in {owner}", quoted(&field.key));
        let problem = self.origin.problem_at("unknown-field", field.spot, below, message);
        let meant = join(path, near);
        self.report(problem.hint(format!("did you mean {near:?}?")));
        self.wrong.push(meant);
        true
    }

    fn missing(&mut self, name: &str, schema: &Value, fields: &[Field], path: &str, spot: Spot) {
        let below = join(path, name);
        let message = format!("the field {name:?} is missing");
        let problem = self.origin.problem_at("missing-field", spot, &below, message);
        let description = schema["properties"][name]["description"].as_str();
        let expected = description.map(|text| format!("{name}: {}", text.lines().next().unwrap_or_default()));
        let near = fields.iter().map(|field| field.key.as_str()).filter(|key| schema["properties"][*key].is_null());
        let near = nearest(name, near);
        if near.is_some() && schema["additionalProperties"] == false {
            // Reported as an unknown field, with the name that is meant.
            return;
        }
        let hint = near.map(|near| format!("is {near:?} meant to be {name:?}?"));
        self.report(Problem { expected, ..problem }.maybe_hint(hint));
    }
}

/// Of the places of a field the one that shares most of its beginning with `path`.
fn closest<'p>(places: &'p BTreeSet<String>, path: &str) -> Option<&'p str> {
    let shared = |place: &str| place.bytes().zip(path.bytes()).take_while(|(a, b)| a == b).count();
    // Fields of `metadata` and `status` have common names, and are hardly ever what was meant.
    let offered = places.iter().filter(|place| !place.starts_with("status") && !place.starts_with("metadata"));
    offered.max_by_key(|place| (shared(place), std::cmp::Reverse(place.len()))).map(String::as_str)
}
