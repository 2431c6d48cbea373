//! Rules that steps add to a route and that go again: header routes and mirrors.

use serde_json::{Value, json};
use serin_core::weight::{HeaderRoute, MirrorRoute, RouteMatch, Split};

use super::Kind;
use super::matching;
use super::rule::{Backends, is_same, without_name};
use crate::object::items;

/// What the steps of a Rollout may add to one route.
pub(super) struct Managed<'a> {
    pub kind: Kind,
    pub backends: Backends<'a>,
    /// Names that belong to the Rollout; none where nothing is added to this route.
    pub names: &'a [String],
    /// Header routes of the steps.
    pub headers: &'a [HeaderRoute],
    /// Mirrors of the steps.
    pub mirrors: &'a [MirrorRoute],
    /// Whether header routes are added to this route.
    pub by_header: bool,
}

impl Managed<'_> {
    /// The rules as they stand: the users' own, and `None` for each that a step has added.
    ///
    /// What steps have added leads to the Rollout's services under a name of `managedRoutes`, or that name and a number. A
    /// server that does not know names of rules drops them; a rule without one is the Rollout's if a step would add exactly
    /// this one. That it leads to the canary alone is no sign: users write such rules, too.
    //= compat: 6.11-5
    //= compat-differs: 6.11-5 a rule without a name of managedRoutes is a user's own, also one that leads to the canary alone
    //= compat-differs: 10.38 a user's own rule that leads to the canary alone is left as it is
    pub(super) fn slots<'r>(&self, rules: &'r [Value]) -> Vec<Option<&'r Value>> {
        let named = |rule: &Value| self.has_name(rule);
        let sources: Vec<&Value> = rules.iter().filter(|r| !named(r) && self.backends.names_both(r)).collect();
        let added = |rule: &Value| named(rule) || rule.get("name").is_none() && self.could_add(&sources, rule);
        rules.iter().map(|rule| (!added(rule)).then_some(rule)).collect()
    }

    /// Several Rollouts may share a route and the names in it, so a name alone is no sign either.
    fn has_name(&self, rule: &Value) -> bool {
        let Some(name) = rule["name"].as_str() else { return false };
        let numbered = |base: &String| {
            let rest = name.strip_prefix(base.as_str()).and_then(|rest| rest.strip_prefix('-'));
            rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit()))
        };
        let roles = self.backends.roles;
        let ours = |backend: &Value| self.backends.is(backend, roles.canary) || self.backends.is(backend, roles.stable);
        let mirrors = items(rule, "filters").iter().any(|filter| ours(&filter["requestMirror"]["backendRef"]));
        let backends = items(rule, "backendRefs");
        // A number behind a name may be a user's, who would not send everything to one of the services under it.
        self.names.iter().any(|base| base == name) && (mirrors || backends.iter().any(ours))
            || self.names.iter().any(numbered) && (mirrors || matches!(backends, [only] if ours(only)))
    }

    /// Whether a step would add this rule, whatever the weights are at the moment.
    fn could_add(&self, sources: &[&Value], rule: &Value) -> bool {
        let rule = weightless(rule);
        let is = |added: Result<Option<Value>, String>| added.is_ok_and(|a| a.is_some_and(|a| weightless(&a) == rule));
        sources.iter().any(|source| {
            self.headers.iter().any(|route| is(self.header_rule(source, route)))
                || self.mirrors.iter().any(|route| is(self.mirror_rule(source, route)))
        })
    }

    /// The rules that a split adds to the users' own ones, each with the name of its route. The weights of `own` are those of
    /// the split already.
    ///
    /// # Errors
    /// A route of a step cannot be expressed together with a rule.
    //= compat: 6.11-6
    pub(super) fn rules(&self, own: &[Value], split: &Split) -> Result<Vec<(String, Value)>, String> {
        let sources: Vec<&Value> = own.iter().filter(|rule| self.backends.names_both(rule)).collect();
        let mut added: Vec<(String, Value)> = Vec::new();
        let headers = split.header_routes.iter().filter(|route| self.by_header && !route.matches.is_empty());
        for route in headers {
            for source in &sources {
                let rule =
                    self.header_rule(source, route).map_err(|m| format!("header route `{}`: {m}", route.name))?;
                push(&mut added, own, &route.name, rule);
            }
        }
        for route in &split.mirrors {
            for source in &sources {
                let rule =
                    self.mirror_rule(source, route).map_err(|m| format!("mirror route `{}`: {m}", route.name))?;
                push(&mut added, own, &route.name, rule);
            }
        }
        Ok(added)
    }

    /// The routes of steps that stand in the rules just as this split would add them, in the order of their names.
    pub(super) fn present(
        &self,
        rules: &[Value],
        own: &[Value],
        split: &Split,
        names: &[String],
    ) -> (Vec<HeaderRoute>, Vec<MirrorRoute>) {
        let stands = |split: Split| {
            let wanted = self.rules(own, &split).unwrap_or_default();
            !wanted.is_empty() && wanted.iter().all(|(_, wanted)| rules.iter().any(|found| is_alike(found, wanted)))
        };
        let by_name = |name: &String| {
            let mut headers = self.headers.iter().filter(|route| route.name == *name);
            headers.find(|route| stands(Split { header_routes: vec![(*route).clone()], ..split.clone() }))
        };
        let mirror_by_name = |name: &String| {
            let mut mirrors = self.mirrors.iter().filter(|route| route.name == *name);
            mirrors.find(|route| stands(Split { mirrors: vec![(*route).clone()], ..split.clone() }))
        };
        (
            names.iter().filter_map(by_name).cloned().collect(),
            names.iter().filter_map(mirror_by_name).cloned().collect(),
        )
    }

    /// A rule like the source, for the requests with these headers and to the canary alone. Filters, time-outs and everything
    /// else of the source hold for it, too.
    //= compat: 6.11-6
    fn header_rule(&self, source: &Value, route: &HeaderRoute) -> Result<Option<Value>, String> {
        let more = RouteMatch { headers: route.matches.clone(), ..RouteMatch::default() };
        let Some(canary) = self.backends.find(source, self.backends.roles.canary) else { return Ok(None) };
        let mut backend = canary.clone();
        backend["weight"] = json!(1);
        let Some(mut rule) = self.narrowed(source, &[more])? else { return Ok(None) };
        rule["backendRefs"] = json!([backend]);
        Ok(Some(rule))
    }

    /// A rule like the source, for requests that are copied to the canary.
    //= compat-differs: 6.11-9 mirrors are carried, as a filter of the routes, and weights are read back from them
    fn mirror_rule(&self, source: &Value, route: &MirrorRoute) -> Result<Option<Value>, String> {
        let Some(canary) = self.backends.find(source, self.backends.roles.canary) else { return Ok(None) };
        let mut copy = json!({ "group": "", "kind": "Service" });
        for key in ["group", "kind", "name", "namespace", "port"] {
            if let Some(value) = canary.get(key) {
                copy[key] = value.clone();
            }
        }
        let mut mirror = json!({ "backendRef": copy });
        if route.percentage < 100 {
            mirror["percent"] = json!(route.percentage);
        }
        let filter = json!({ "type": "RequestMirror", "requestMirror": mirror });
        let Some(mut rule) = self.narrowed(source, &route.matches)? else { return Ok(None) };
        match rule["filters"].as_array_mut() {
            Some(filters) => filters.push(filter),
            None => rule["filters"] = json!([filter]),
        }
        Ok(Some(rule))
    }

    /// The source for the requests that fulfil one of these besides. `None` if there are none.
    fn narrowed(&self, source: &Value, alternatives: &[RouteMatch]) -> Result<Option<Value>, String> {
        let any = [json!({})];
        let found = items(source, "matches");
        let mut matches = Vec::new();
        for found in if found.is_empty() { &any } else { found } {
            for more in alternatives {
                matches.extend(matching::with(self.kind, found, more)?);
            }
        }
        let mut rule = without_name(source);
        rule["matches"] = Value::Array(matches);
        Ok((!items(&rule, "matches").is_empty()).then_some(rule))
    }
}

/// The users' own rules where they stand, and those of steps where such stood before; further ones at the end. Nobody who shares
/// the route then moves the rules of others about.
pub(super) fn placed(slots: &[Option<&Value>], own: Vec<Value>, added: Vec<Value>) -> Vec<Value> {
    let (mut own, mut added) = (own.into_iter(), added.into_iter());
    let mut rules: Vec<Value> =
        slots.iter().filter_map(|slot| if slot.is_some() { own.next() } else { added.next() }).collect();
    rules.extend(added);
    rules
}

/// Adds a rule under the first free name of its route. A rule of the users keeps its name.
//= compat: 6.11-6
fn push(added: &mut Vec<(String, Value)>, own: &[Value], route: &str, rule: Option<Value>) {
    let Some(rule) = rule else { return };
    let taken = |name: &str, added: &[(String, Value)]| {
        own.iter().chain(added.iter().map(|(_, rule)| rule)).any(|rule| rule["name"] == name)
    };
    let mut name = route.to_owned();
    let mut number = 0;
    while taken(&name, added) {
        number += 1;
        name = format!("{route}-{number}");
    }
    // The name comes first, as people write it.
    let mut named = json!({ "name": name });
    for (key, value) in rule.as_object().into_iter().flatten() {
        named[key] = value.clone();
    }
    added.push((route.to_owned(), named));
}

/// The same rule, under whatever number.
fn is_alike(found: &Value, wanted: &Value) -> bool {
    is_same(&without_name(found), wanted)
}

/// A rule without its name and the weights of its backends, which change while it stands.
fn weightless(rule: &Value) -> Value {
    let mut rule = without_name(rule);
    let backends = rule.get_mut("backendRefs").and_then(Value::as_array_mut);
    for backend in backends.into_iter().flatten() {
        if let Some(fields) = backend.as_object_mut() {
            fields.shift_remove("weight");
        }
    }
    rule
}
