//! Answering requests. What a request changes is durable before it is answered.

use serde::Serialize;
use serde_json::Value;
use serin_core::Span;
use serin_promql::Query;

use super::Engine;
use crate::LocalError;
use crate::model::{Key, Workload};
use crate::protocol::{Answer, Info, Outcome, Refusal, Request};
use crate::record::WorkloadRecord;
use crate::request::{self, Done};
use crate::store::{Batch, EventRecord, Shelf};

/// Events told with an experiment.
const EXPERIMENT_EVENTS: usize = 30;

impl Engine {
    pub(super) async fn answer(&mut self, asked: Request) -> Answer {
        if asked == Request::Metrics {
            let router = self.link.metrics().await.unwrap_or_default();
            return Answer::Ok(Value::String(router + &self.metrics()));
        }
        if let Request::Labels { service, .. } = &asked {
            // What was answered just now may be labelled already.
            self.catch_up(&service.clone()).await;
        }
        match self.carry_out(asked) {
            Ok(value) => Answer::Ok(value),
            Err(error) => {
                Answer::Error(Refusal { message: error.to_string(), hint: error.hint(), class: error.class() })
            }
        }
    }

    fn carry_out(&mut self, asked: Request) -> Result<Value, LocalError> {
        match asked {
            Request::Info => json(&self.info()),
            Request::Apply { sources } => json(&self.apply(&sources)?),
            Request::Deploy { service, version, container } => {
                self.change(&service, "Deployed", |w| request::deploy(w, &version, container.as_deref()))
            }
            Request::Promote { service, full } => self.change(&service, "Promoted", |w| request::promote(w, full)),
            Request::Rollback { service } => self.change(&service, "RolledBack", request::rollback),
            Request::Abort { service } => self.change(&service, "Aborted", request::abort),
            Request::Retry { service } => self.change(&service, "Retried", request::retry),
            Request::Undo { service, to_revision } => {
                self.change(&service, "Undone", |w| request::undo(w, to_revision))
            }
            Request::Restart { service, in_seconds } => {
                let at = self.now() + Span::from_millis((in_seconds * 1000.0) as i64);
                self.change(&service, "Restarted", |w| request::restart(w, at, in_seconds))
            }
            Request::Pause { service } => self.change(&service, "Paused", request::pause),
            Request::Delete { service } => json(&self.delete(&service)?),
            Request::Labels { service, labels } => json(&self.label(&service, &labels)?),
            Request::Status { service } => {
                let keys = self.resolve(service.as_deref())?;
                json(&keys.iter().map(|key| self.view(key)).collect::<Vec<_>>())
            }
            Request::Manifest { service } => {
                let keys = self.resolve(Some(&service))?;
                json(&keys.iter().filter_map(|key| self.workloads.get(key)).map(Workload::manifest).collect::<Vec<_>>())
            }
            Request::Experiments { name } => {
                let (keys, events) = match name {
                    Some(name) => (vec![self.resolve_experiment(&name)?], EXPERIMENT_EVENTS),
                    None => (self.experiments.keys().cloned().collect(), 0),
                };
                json(&keys.iter().map(|key| self.experiment_view(key, events)).collect::<Vec<_>>())
            }
            Request::Terminate { experiment } => json(&[self.terminate(&experiment)?]),
            Request::DeleteExperiment { experiment } => json(&[self.delete_experiment(&experiment)?]),
            Request::Events { service, count } => json(&self.events(service.as_deref(), count)?),
            Request::Logs { service } => {
                let keys = self.resolve(Some(&service))?;
                json(&keys.iter().flat_map(|key| self.logs(key)).collect::<Vec<_>>())
            }
            Request::Query { query } => self.query(&query),
            Request::Metrics => Ok(Value::String(self.metrics())),
            Request::Down => {
                self.begin_down();
                Ok(Value::Null)
            }
        }
    }

    fn info(&self) -> Info {
        Info {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            router_pid: self.link.pid(),
            router: self.link.listen().to_string(),
            status: self.status.map(|a| a.to_string()),
            speed: self.clock.speed,
            now_ms: self.now().as_millis(),
            settled: self.dirty.is_empty() && self.dirty_experiments.is_empty() && self.link.is_connected(),
        }
    }

    pub(super) fn resolve(&self, service: Option<&str>) -> Result<Vec<Key>, LocalError> {
        match service {
            None => Ok(self.workloads.keys().cloned().collect()),
            Some(service) => request::resolve(service, self.workloads.keys()),
        }
    }

    /// Changes the rollouts that a service name means. For `all`, one that has nothing to change is no error, but if none
    /// has, the first refusal is the answer.
    fn change(
        &mut self,
        service: &str,
        reason: &str,
        edit: impl Fn(&mut Workload) -> Result<Done, LocalError>,
    ) -> Result<Value, LocalError> {
        let keys = self.resolve(Some(service))?;
        let mut outcomes = Vec::new();
        let mut refusal = None;
        let mut batch = Batch::default();
        let mut changed = Vec::new();
        let mut events = Vec::new();
        for key in keys {
            let mut workload = self.workloads[&key].clone();
            match edit(&mut workload) {
                Ok(done) => {
                    if done.changed {
                        batch.put(Shelf::Workloads, key.to_string(), &WorkloadRecord::from(&workload))?;
                        events.push(EventRecord {
                            at_ms: self.now().as_millis(),
                            object: key.to_string(),
                            reason: reason.to_owned(),
                            message: done.message.clone(),
                            warning: false,
                        });
                        changed.push((key.clone(), workload));
                    }
                    outcomes.push(Outcome { rollout: key.to_string(), message: done.message, changed: done.changed });
                }
                Err(error) => {
                    outcomes.push(Outcome { rollout: key.to_string(), message: error.to_string(), changed: false });
                    refusal.get_or_insert(error);
                }
            }
        }
        if let Some(error) = refusal
            && (service != "all" || outcomes.iter().all(|o| !o.changed))
        {
            return Err(error);
        }
        events.iter().cloned().for_each(|e| batch.event(e));
        self.commit_or_refuse(batch, &events)?;
        for (key, workload) in changed {
            self.dirty.insert(key.clone());
            self.workloads.insert(key, workload);
        }
        json(&outcomes)
    }

    /// Makes a request durable, or says that it cannot be.
    pub(super) fn commit_or_refuse(&mut self, batch: Batch, events: &[EventRecord]) -> Result<(), LocalError> {
        if self.commit(batch, events) {
            return Ok(());
        }
        let why = self.blocked.clone().unwrap_or_default();
        Err(LocalError::NotNow {
            message: format!("nothing was changed: {why}"),
            hint: Some("free space on the disk and try again".to_owned()),
        })
    }

    fn delete(&mut self, service: &str) -> Result<Vec<Outcome>, LocalError> {
        let keys = request::resolve(service, self.workloads.keys())?;
        let mut batch = Batch::default();
        for key in &keys {
            batch.delete(Shelf::Workloads, key.to_string());
            for (name, _) in self.runs.iter().filter(|(_, run)| run.owner.as_ref() == Some(key)) {
                batch.delete(Shelf::Runs, name.to_string());
            }
        }
        let mine = self.experiments.iter().filter(|(_, e)| keys.iter().any(|key| e.belongs_to(key)));
        let experiments: Vec<Key> = mine.map(|(name, _)| name.clone()).collect();
        self.put_forgotten(&mut batch, &experiments);
        keys.iter().for_each(|key| self.put_labels_forgotten(&mut batch, key));
        self.commit_or_refuse(batch, &[])?;
        self.forget_experiments(&experiments);
        for key in &keys {
            self.workloads.remove(key);
            self.dirty.remove(key);
            self.forget_questions(key, None);
            self.truths.forget(key);
            self.runs.retain(|_, run| run.owner.as_ref() != Some(key));
        }
        self.routes_stale = true;
        self.staff_stale = true;
        let outcome =
            |key: &Key| Outcome { rollout: key.to_string(), message: format!("{key} is deleted"), changed: true };
        Ok(keys.iter().map(outcome).collect())
    }

    fn events(&self, service: Option<&str>, count: usize) -> Result<Vec<EventRecord>, LocalError> {
        let Some(service) = service else { return self.store.events(None, count) };
        let mut all = Vec::new();
        for key in self.resolve(Some(service))? {
            all.extend(self.store.events(Some(&key.to_string()), count)?);
        }
        all.sort_by_key(|e| e.at_ms);
        Ok(all)
    }

    fn query(&self, query: &str) -> Result<Value, LocalError> {
        let parsed = Query::parse(query).map_err(|e| LocalError::Refused {
            message: format!("{} (at {}..{})", e.message, e.start, e.end),
            hint: e.hint.clone(),
        })?;
        let value =
            parsed.eval(&self.series, self.now().as_millis()).map_err(|e| LocalError::refused(e.to_string()))?;
        Ok(Value::String(described(&value)))
    }
}

/// An answer as Prometheus' own tools print it: one line per series.
fn described(value: &serin_promql::Value) -> String {
    use serin_promql::{Value as Answer, format_value};
    match value {
        Answer::Scalar(number) => format_value(*number),
        Answer::Text(text) => text.clone(),
        Answer::Vector(elements) if elements.is_empty() => "no data".to_owned(),
        Answer::Vector(elements) => {
            elements.iter().map(|(labels, n)| format!("{labels} {}", format_value(*n))).collect::<Vec<_>>().join("\n")
        }
        Answer::Matrix(series) => {
            let points = |s: &serin_promql::Series| {
                s.points.iter().map(|p| format!("{}@{}", format_value(p.value), p.t_ms)).collect::<Vec<_>>().join(" ")
            };
            series.iter().map(|s| format!("{} {}", s.labels, points(s))).collect::<Vec<_>>().join("\n")
        }
    }
}

fn json(value: &impl Serialize) -> Result<Value, LocalError> {
    serde_json::to_value(value).map_err(|e| LocalError::Bug(e.to_string()))
}
