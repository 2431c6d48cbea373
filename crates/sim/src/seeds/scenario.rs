//! What is played: a rollout, versions, people and faults. A value that can be made smaller piece by piece.

use std::fmt;

use serin_core::analysis::Metric;
use serin_core::rollout::{Amount, BlueGreen, Canary, Strategy, Threshold};
use serin_core::{Rollout, Span, Step};

use crate::control::{Fate, Faults, PassFault};
use crate::world::{Behaviour, Delay, ExperimentPlan, Measure, Plugin};

/// Names of the versions a scenario may deploy; the last is never bad: it is the way out that must always be open.
pub const VERSIONS: [&str; 5] = ["v1", "v2", "v3", "v4", "good"];

/// Name of the step plugin.
pub const PLUGIN: &str = "gate";

/// Names of the versions of an experiment: the stable one, and the one under test.
pub const TEMPLATES: [&str; 2] = ["baseline", "trial"];

/// One play. Everything in it is fixed before it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Where it came from.
    pub seed: u64,
    /// The rollout as it is deployed first.
    pub rollout: Rollout,
    /// What every run measures.
    pub metrics: Vec<Metric>,
    /// How the versions behave, in the order of [`VERSIONS`] without the last.
    pub versions: Vec<Character>,
    /// How the step plugin behaves.
    pub plugin: Plugin,
    /// What every experiment step means.
    pub experiment: ExperimentPlan,
    /// What people and the world do, and when.
    pub acts: Vec<(When, Act)>,
    /// What goes wrong between decisions and the world.
    pub faults: Faults,
}

/// How a version behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Character {
    /// Its members.
    pub members: Behaviour,
    /// What is measured of it.
    pub quality: Quality,
}

/// What a metric says of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// Passes.
    Good,
    /// Fails.
    Bad,
    /// Neither passes nor fails.
    Unclear,
    /// Nothing was scraped.
    NoData,
    /// The query fails.
    Broken,
}

impl Quality {
    /// The measured share of errors.
    pub fn measure(self) -> Measure {
        match self {
            Quality::Good => Measure::Number(0.01),
            Quality::Unclear => Measure::Number(0.07),
            Quality::Bad => Measure::Number(0.5),
            Quality::NoData => Measure::NoData,
            Quality::Broken => Measure::Broken("connection refused".to_owned()),
        }
    }
}

/// When something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// So many seconds after the begin.
    Seconds(i64),
    /// Between the pass that made the n-th decision and the next one: the worst moment.
    Decision(u64),
}

/// What somebody does, or what befalls the world.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Another version in the spec, by index into [`VERSIONS`].
    Deploy(usize),
    /// The stable version in the spec again.
    Undo,
    /// Ends a pause, or skips a step.
    Promote,
    /// Skips everything that is left.
    PromoteFull,
    /// Back to stable.
    Abort,
    /// Tries an aborted version again.
    Retry,
    /// `spec.paused`.
    Pause,
    /// Other steps (nothing for a blue-green rollout).
    Steps(Vec<Step>),
    /// Another number of members.
    Replicas(u32),
    /// A version is measured otherwise from now on.
    Quality(usize, Quality),
    /// Every member is replaced (`spec.restartAt`).
    Restart,
    /// The router loses what it was told.
    RouterForgets,
    /// Every member of a version ends and starts again.
    MembersDie(usize),
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Deploy(index) => write!(f, "deploy {}", VERSIONS[*index]),
            Act::Undo => f.write_str("undo"),
            Act::Promote => f.write_str("promote"),
            Act::PromoteFull => f.write_str("promote full"),
            Act::Abort => f.write_str("abort"),
            Act::Retry => f.write_str("retry"),
            Act::Pause => f.write_str("pause"),
            Act::Steps(steps) => {
                let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
                write!(f, "other steps: {}", steps.join(", "))
            }
            Act::Replicas(count) => write!(f, "replicas {count}"),
            Act::Quality(index, quality) => write!(f, "{} measures {quality:?} from now on", VERSIONS[*index]),
            Act::Restart => f.write_str("restart"),
            Act::RouterForgets => f.write_str("the router forgets"),
            Act::MembersDie(index) => write!(f, "every member of {} dies", VERSIONS[*index]),
        }
    }
}

impl fmt::Display for Scenario {
    /// A script for people, in the manner of the stories.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# seed {}", self.seed)?;
        let rollout = &self.rollout;
        write!(f, "replicas {}\ndeadline {}", rollout.replicas, rollout.progress_deadline)?;
        writeln!(f, "{}", if rollout.progress_deadline_abort { " abort" } else { "" })?;
        writeln!(f, "history {} runs {:?}", rollout.revision_history_limit, rollout.run_history_limits)?;
        if let Some(window) = rollout.rollback_window {
            writeln!(f, "window {window}")?;
        }
        if let Some(workload) = rollout.workload {
            writeln!(f, "workload of {} scaleDown {:?}", workload.replicas, workload.scale_down)?;
        }
        match &rollout.strategy {
            Strategy::Canary(canary) => write_canary(f, canary)?,
            Strategy::BlueGreen(blue_green) => write_blue_green(f, blue_green)?,
        }
        for metric in &self.metrics {
            write!(f, "metric {} success {:?}", metric.name, metric.success.as_deref().unwrap_or(""))?;
            if let Some(failure) = &metric.failure {
                write!(f, " failure {failure:?}")?;
            }
            write!(f, " count {} failureLimit {}", metric.count, metric.failure_limit)?;
            write!(f, " inconclusiveLimit {}", metric.inconclusive_limit)?;
            write!(f, " consecutiveErrorLimit {}", metric.consecutive_error_limit)?;
            write!(f, " consecutiveSuccessLimit {}", metric.consecutive_success_limit)?;
            writeln!(f, "{}{}", span(" interval", metric.interval), span(" initialDelay", metric.initial_delay))?;
        }
        for (name, version) in VERSIONS.iter().zip(&self.versions) {
            writeln!(f, "version {name} {}, measures {:?}", version.members_text(), version.quality)?;
        }
        let plugin = &self.plugin;
        let runs = &plugin.runs;
        writeln!(f, "plugin {PLUGIN} {runs:?} answers after {} again {}", plugin.answers_after, plugin.again_after)?;
        write_experiment(f, &self.experiment)?;
        for (when, act) in &self.acts {
            match when {
                When::Seconds(at) => writeln!(f, "at {at}s: {act}")?,
                When::Decision(number) => writeln!(f, "after decision {number}: {act}")?,
            }
        }
        write_faults(f, &self.faults)
    }
}

impl Character {
    fn members_text(&self) -> String {
        let members = &self.members;
        let ready = match members.ready_after {
            Delay::Fixed(span) => format!("ready {span}"),
            Delay::Uniform(low, high) => format!("ready {low} to {high}"),
            Delay::LogNormal(p50, p95) => format!("ready p50 {p50} p95 {p95}"),
        };
        let never = match members.never_ready {
            n if n >= 1.0 => " never".to_owned(),
            n if n > 0.0 => format!(" never at {:.0}% of the starts", n * 100.0),
            _ => String::new(),
        };
        let (crash, flap) = (span(" crashes every", members.crash_every), span(" flaps every", members.flap_every));
        format!("{ready}{never}{crash}{flap}")
    }
}

fn span(label: &str, value: Option<Span>) -> String {
    value.map_or(String::new(), |value| format!("{label} {value}"))
}

fn amount(amount: Amount) -> String {
    match amount {
        Amount::Count(n) => n.to_string(),
        Amount::Percent(p) => format!("{p}%"),
    }
}

fn write_canary(f: &mut fmt::Formatter<'_>, canary: &Canary) -> fmt::Result {
    match canary.traffic {
        Some(traffic) => writeln!(f, "router of {}", traffic.weight_total)?,
        None => writeln!(f, "router none")?,
    }
    writeln!(f, "surge {}, unavailable {}", amount(canary.max_surge), amount(canary.max_unavailable))?;
    writeln!(f, "scaleDownDelay {}{}", canary.scale_down_delay, span(", abortDelay", canary.abort_scale_down_delay))?;
    if let Some(limit) = canary.scale_down_delay_revision_limit {
        writeln!(f, "scaleDownDelayRevisionLimit {limit}")?;
    }
    if canary.ping_pong.is_some() {
        writeln!(f, "ping-pong")?;
    }
    if canary.dynamic_stable_scale {
        writeln!(f, "dynamic")?;
    }
    if let Some(min) = canary.min_pods {
        writeln!(f, "minPods {min}")?;
    }
    match canary.progress_threshold {
        Some(Threshold::Percent(percent)) => writeln!(f, "progressThreshold {percent}%")?,
        Some(Threshold::Pods(pods)) => writeln!(f, "progressThreshold {pods}")?,
        None => {}
    }
    if let Some(from) = canary.background_from {
        writeln!(f, "background {from}")?;
    }
    canary.steps.iter().try_for_each(|step| match step {
        Step::Experiment(experiment) => writeln!(f, "step {step} with weights {:?}", experiment.weights),
        _ => writeln!(f, "step {step}"),
    })
}

fn write_experiment(f: &mut fmt::Formatter<'_>, experiment: &ExperimentPlan) -> fmt::Result {
    write!(f, "experiment")?;
    for template in &experiment.templates {
        write!(f, " {}={}", template.name, template.replicas)?;
    }
    let (duration, delay) = (span(" duration", experiment.duration), experiment.scale_down_delay);
    write!(f, "{duration} delay {delay}")?;
    for analysis in &experiment.analyses {
        write!(f, " {} {}", if analysis.required { "required" } else { "analysis" }, analysis.name)?;
    }
    writeln!(f)
}

fn write_blue_green(f: &mut fmt::Formatter<'_>, blue_green: &BlueGreen) -> fmt::Result {
    write!(f, "blue-green{}", if blue_green.preview_service.is_some() { " with preview" } else { "" })?;
    if let Some(replicas) = blue_green.preview_replicas {
        write!(f, ", previewReplicas {replicas}")?;
    }
    let promotion = if blue_green.auto_promotion { "autoPromotion after" } else { "no autoPromotion;" };
    writeln!(f, ", {promotion} {}", blue_green.auto_promotion_delay)?;
    writeln!(f, "analysis before {}, after {}", blue_green.pre_promotion, blue_green.post_promotion)?;
    let (delay, abort) = (blue_green.scale_down_delay, blue_green.abort_scale_down_delay);
    let limit = blue_green.scale_down_delay_revision_limit.map_or(String::new(), |n| format!(" limit {n}"));
    writeln!(f, "delays{}{limit}{}", span(" scaleDown", delay), span(" abort", abort))
}

fn write_faults(f: &mut fmt::Formatter<'_>, faults: &Faults) -> fmt::Result {
    for (number, fate) in &faults.actions {
        match fate {
            Fate::Lost => writeln!(f, "action {number}: lost")?,
            Fate::Twice => writeln!(f, "action {number}: applied twice")?,
            Fate::Late(by) => writeln!(f, "action {number}: {by} late")?,
            Fate::Killed(back) => writeln!(f, "action {number}: killed before it, back after {back}")?,
        }
    }
    for (number, fault) in &faults.passes {
        match fault {
            PassFault::Stale(by) => writeln!(f, "pass {number}: sees the world of {by} before")?,
            PassFault::Killed(back) => writeln!(f, "pass {number}: killed before it wrote, back after {back}")?,
        }
    }
    Ok(())
}
