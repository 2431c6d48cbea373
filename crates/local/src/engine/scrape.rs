//! Scraping: what the members and the router export goes into the series store, with the labels that the usual Kubernetes
//! scrape configuration attaches.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serin_promql::{Labels, Limits, text};
use serin_providers::{Method, Request, http};
use serin_supervisor::State;

use super::experiments::event_object_of;
use super::{Engine, Report};
use crate::staff::{self, MemberId};

/// Time between two scrapes on the rollout's clock, unless the side file says otherwise.
const INTERVAL_S: f64 = 1.0;

/// Shortest real time between two scrapes, whatever the speed of the clock.
const INTERVAL_MIN: Duration = Duration::from_millis(250);

/// Longest wait for a page.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long samples are kept, in milliseconds on the rollout's clock.
const RETENTION_MS: i64 = 2 * 3600 * 1000;

/// The page of a member, or why there is none.
#[derive(Debug)]
pub(super) struct Scraped {
    member: MemberId,
    labels: Labels,
    page: Result<String, String>,
}

/// Scrapes under way, and when the next begin.
#[derive(Debug, Default)]
pub(super) struct Scrapes {
    under_way: BTreeSet<MemberId>,
    known: std::collections::BTreeMap<MemberId, Labels>,
    troubled: BTreeSet<MemberId>,
    began: Option<Instant>,
}

/// What the series store keeps.
pub(super) fn limits() -> Limits {
    Limits { retention_ms: RETENTION_MS, ..Limits::default() }
}

impl Engine {
    /// Begins the scrapes that are due.
    pub(super) async fn scrape(&mut self) {
        let wanted = self.side.scrape_interval_seconds.unwrap_or(INTERVAL_S);
        let interval = Duration::from_secs_f64(wanted / self.clock.speed).max(INTERVAL_MIN);
        if self.scrapes.began.is_some_and(|at| at.elapsed() < interval) {
            return;
        }
        self.scrapes.began = Some(Instant::now());
        self.scrape_router().await;
        self.forget_gone();
        let targets: Vec<(MemberId, Labels, String)> =
            self.members.all().filter_map(|(id, seen)| self.target(id, seen)).collect();
        for (member, labels, url) in targets {
            if !self.scrapes.under_way.insert(member.clone()) {
                continue;
            }
            self.scrapes.known.insert(member.clone(), labels.clone());
            let send = self.reports.0.clone();
            tokio::spawn(async move {
                let page = fetch(&url).await;
                // The loop may have ended.
                let _ = send.send(Report::Scraped(Scraped { member, labels, page }));
            });
        }
    }

    /// Where a member exports metrics, by the usual annotations, and the labels of its series.
    fn target(&self, id: &MemberId, seen: &super::members::Seen) -> Option<(MemberId, Labels, String)> {
        if !matches!(seen.view.state, State::Ready | State::Draining { .. }) {
            return None;
        }
        let template = self.wanted_pool(&id.rollout, &id.hash)?.template;
        let annotations = template.annotations();
        if annotations.get("prometheus.io/scrape").map(String::as_str) != Some("true") {
            return None;
        }
        let containers = template.containers();
        let named = annotations.get("prometheus.io/port").cloned().unwrap_or_default();
        let port = staff::port(containers.first()?, &serde_json::Value::String(named)).unwrap_or(seen.view.port);
        let path = annotations.get("prometheus.io/path").map_or("/metrics", String::as_str);
        let scheme = annotations.get("prometheus.io/scheme").map_or("http", String::as_str);
        Some((id.clone(), target_labels(id, &template), format!("{scheme}://127.0.0.1:{port}{path}")))
    }

    async fn scrape_router(&mut self) {
        let Some(page) = self.link.metrics().await else { return };
        let now = self.now().as_millis();
        match text::parse(&page) {
            Ok(samples) => {
                let labels = Labels::from_pairs([("job", "serin-router")]);
                self.series.append_scrape(&labels, &samples, now);
                self.journal.keep(now, &labels, Some(&page));
            }
            Err(error) => tracing::error!("the router's metrics cannot be read: {error}"),
        }
    }

    /// Members that ended: their series end too.
    fn forget_gone(&mut self) {
        let now = self.now().as_millis();
        let here: BTreeSet<&MemberId> = self.members.all().map(|(id, _)| id).collect();
        let gone: Vec<MemberId> = self.scrapes.known.keys().filter(|id| !here.contains(id)).cloned().collect();
        for id in gone {
            if let Some(labels) = self.scrapes.known.remove(&id) {
                self.series.target_gone(&labels, now);
                self.journal.keep(now, &labels, None);
            }
            self.scrapes.troubled.remove(&id);
        }
    }

    pub(super) fn take_scrape(&mut self, scraped: Scraped) {
        self.scrapes.under_way.remove(&scraped.member);
        let now = self.now().as_millis();
        let read = scraped.page.and_then(|page| Ok((text::parse(&page).map_err(|e| e.to_string())?, page)));
        match read {
            Ok((samples, page)) => {
                self.series.append_scrape(&scraped.labels, &samples, now);
                self.journal.keep(now, &scraped.labels, Some(&page));
                self.scrapes.troubled.remove(&scraped.member);
            }
            Err(why) => {
                // No data is not zero: the series of this member end until it can be read again.
                self.series.target_gone(&scraped.labels, now);
                self.journal.keep(now, &scraped.labels, None);
                if self.scrapes.troubled.insert(scraped.member.clone()) {
                    let message = format!("the metrics of {} cannot be read: {why}", scraped.member.pod());
                    self.note_on(&event_object_of(&scraped.member.rollout), "ScrapeFailed", message, true);
                }
            }
        }
    }
}

/// The labels that the usual Kubernetes scrape configuration attaches to a pod's series: its own labels, with characters that
/// Prometheus does not allow replaced, and where it runs.
fn target_labels(id: &MemberId, template: &serin_spec::wire::pod::PodTemplate) -> Labels {
    let mut builder = Labels::builder();
    for (name, value) in staff::labels(id, template) {
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        builder.set(name, value);
    }
    builder.set("namespace", id.rollout.namespace.as_str());
    builder.set("pod", id.pod());
    builder.set("instance", id.pod());
    builder.set("job", "kubernetes-pods");
    builder.build()
}

async fn fetch(url: &str) -> Result<String, String> {
    let request = Request {
        method: Method::Get,
        url: url.to_owned(),
        headers: vec![("Accept".to_owned(), "text/plain;version=0.0.4".to_owned())],
        body: Vec::new(),
        timeout: TIMEOUT,
        insecure: false,
    };
    let response = http::send(&request).await.map_err(|e| e.to_string())?;
    if response.status != 200 {
        return Err(format!("status {}", response.status));
    }
    String::from_utf8(response.body).map_err(|_| "it is not UTF-8".to_owned())
}
