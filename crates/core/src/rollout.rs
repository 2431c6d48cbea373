//! The rollout as the core sees it: validated, defaulted, in the core's own terms. `serin-spec` lowers into it.

use crate::Hash;
use crate::metadata::RoleMetadata;
use crate::plugin::PluginStep;
use crate::time::{Span, Time};
use crate::weight::{HeaderRoute, MirrorRoute, Share};

/// What the user asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// Object name; pools and runs are named after it.
    pub name: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// Wanted number of members.
    pub replicas: u32,
    /// Hash of the current template.
    pub hash: Hash,
    /// Hash of the step list; empty for strategies without steps.
    pub steps_hash: String,
    /// `spec.paused`: a person halts the rollout.
    pub paused: bool,
    /// How long the rollout may go without progress.
    pub progress_deadline: Span,
    /// Whether passing the deadline aborts.
    pub progress_deadline_abort: bool,
    /// How many old pools without members are kept.
    pub revision_history_limit: u32,
    /// `rollbackWindow.revisions`.
    pub rollback_window: Option<u32>,
    /// Finished runs kept: successful, unsuccessful.
    pub run_history_limits: (usize, usize),
    /// `restartAt`: members that are older than this are replaced.
    pub restart_at: Option<Time>,
    /// Labels and annotations of members by the role of their version.
    pub metadata: RoleMetadata,
    /// The workload that ran the service before and holds the template, if its size is ours to set.
    pub workload: Option<Workload>,
    /// The strategy.
    pub strategy: Strategy,
}

/// The workload behind a `workloadRef`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    /// When it is taken down.
    pub scale_down: ScaleDown,
    /// Members that it wants now.
    pub replicas: u32,
}

/// `workloadRef.scaleDown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScaleDown {
    /// Not at all.
    #[default]
    Never,
    /// Once the first revision is healthy.
    OnSuccess,
    /// As the members of the first revision become ready.
    Progressively,
}

/// How a new version takes over.
#[derive(Debug, Clone, PartialEq)]
pub enum Strategy {
    /// `strategy.canary`: a share of the requests first.
    Canary(Canary),
    /// `strategy.blueGreen`: all requests at once, once the new version stands beside the old one.
    BlueGreen(BlueGreen),
}

/// `strategy.blueGreen`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BlueGreen {
    /// Service of the users; the switch is made here.
    pub active_service: String,
    /// Service that selects the new version as soon as it exists.
    pub preview_service: Option<String>,
    /// Members of the new version before the switch is allowed; all of them where it is not said.
    pub preview_replicas: Option<u32>,
    /// `autoPromotionEnabled`: false waits for a person before the switch.
    pub auto_promotion: bool,
    /// `autoPromotionSeconds`: wait before the switch; means nothing without `auto_promotion`.
    pub auto_promotion_delay: Span,
    /// Missing members allowed while members are restarted.
    pub max_unavailable: Amount,
    /// Whether `prePromotionAnalysis` must succeed before the switch.
    pub pre_promotion: bool,
    /// Whether `postPromotionAnalysis` must succeed after the switch.
    pub post_promotion: bool,
    /// `scaleDownDelaySeconds` as written; `None` means the default of 30 s.
    pub scale_down_delay: Option<Span>,
    /// `scaleDownDelayRevisionLimit`; `None` is unlimited.
    pub scale_down_delay_revision_limit: Option<u32>,
    /// `abortScaleDownDelaySeconds` as written; `None` means the default of 30 s.
    pub abort_scale_down_delay: Option<Span>,
}

/// `strategy.canary`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Canary {
    /// The steps in order; empty means a rolling update to 100%.
    pub steps: Vec<Step>,
    /// Extra members allowed without a traffic router.
    pub max_surge: Amount,
    /// Missing members allowed.
    pub max_unavailable: Amount,
    /// Present when a traffic router splits the requests.
    pub traffic: Option<Traffic>,
    /// Service that selects the new version.
    pub canary_service: Option<String>,
    /// Service that selects the stable version.
    pub stable_service: Option<String>,
    /// Names under `managedRoutes`: of two routes that fit a request, the one that is listed first is taken.
    pub managed_routes: Vec<String>,
    /// `pingPong`: two services that swap roles, beside or instead of the other two.
    pub ping_pong: Option<PingPong>,
    /// Index of the step from which background analysis runs, if there is one.
    pub background_from: Option<usize>,
    /// `scaleDownDelaySeconds` after defaults; zero scales down at once.
    pub scale_down_delay: Span,
    /// `scaleDownDelayRevisionLimit`; `None` is unlimited.
    pub scale_down_delay_revision_limit: Option<u32>,
    /// `abortScaleDownDelaySeconds` as written; `None` means the default of 30 s.
    pub abort_scale_down_delay: Option<Span>,
    /// `dynamicStableScale`.
    pub dynamic_stable_scale: bool,
    /// `minPodsPerReplicaSet`.
    pub min_pods: Option<u32>,
    /// `replicaProgressThreshold`.
    pub progress_threshold: Option<Threshold>,
    /// `serin.dev/advance: evidence`: a pause with an end is over as soon as the background run's tests have passed at its
    /// weight, and this is what happens where they have not when it ends.
    pub advance: Option<Undecided>,
}

/// What is done when time is up and neither "no worse" nor "worse" could be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Undecided {
    /// Nothing: the tests go on, or a person decides.
    #[default]
    Hold,
    /// The update goes on.
    Promote,
    /// The update is aborted.
    RollBack,
}

/// `pingPong`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingPong {
    /// One service.
    pub ping: String,
    /// The other.
    pub pong: String,
}

/// `trafficRouting`, as far as decisions depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// `maxTrafficWeight`, 100 by default; at least 1.
    pub weight_total: u32,
}

/// An int-or-percent value such as `maxSurge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// A number of members.
    Count(u32),
    /// A share of the replicas in percent.
    Percent(u32),
}

impl Default for Amount {
    /// Argo's default for both surge and unavailability.
    //= compat: 1.7-2
    fn default() -> Self {
        Amount::Percent(25)
    }
}

impl Amount {
    /// The number of members for `replicas`, rounding a share up.
    //= compat: 1.7-3
    pub fn of_rounded_up(self, replicas: u32) -> u32 {
        match self {
            Amount::Count(n) => n,
            Amount::Percent(p) => clamp_u32((u64::from(replicas) * u64::from(p)).div_ceil(100)),
        }
    }

    /// The number of members for `replicas`, rounding a share down.
    pub fn of_rounded_down(self, replicas: u32) -> u32 {
        match self {
            Amount::Count(n) => n,
            Amount::Percent(p) => clamp_u32(u64::from(replicas) * u64::from(p) / 100),
        }
    }
}

/// Narrows, saturating: counts beyond u32 mean "as many as there are" everywhere in this crate.
pub(crate) fn clamp_u32(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// `replicaProgressThreshold`: how many members are enough to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threshold {
    /// Share of the wanted members in percent.
    Percent(u32),
    /// A number of members.
    Pods(u32),
}

/// One item of `steps`.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// `setWeight`, out of the total weight.
    SetWeight(u32),
    /// `pause`; without a duration it waits for a person.
    Pause(Option<Span>),
    /// `setCanaryScale`.
    SetCanaryScale(CanaryScale),
    /// `analysis`: an inline run that must succeed.
    Analysis,
    /// `experiment`: versions side by side, which must succeed.
    Experiment(ExperimentStep),
    /// `setHeaderRoute`; a route without matches is removed.
    SetHeaderRoute(HeaderRoute),
    /// `setMirrorRoute`; a route without matches is removed.
    SetMirrorRoute(MirrorRoute),
    /// `plugin`.
    Plugin(PluginStep),
}

/// `experiment`, as far as the rollout's own decisions depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExperimentStep {
    /// The versions that get a share of the requests: template and weight, out of the total weight.
    pub weights: Vec<(String, u32)>,
}

/// `setCanaryScale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CanaryScale {
    /// A fixed number of members.
    Replicas(u32),
    /// A share of the replicas, independent of the traffic.
    Weight(u32),
    /// Back to following `setWeight`.
    MatchTrafficWeight,
}

impl std::fmt::Display for Step {
    /// Argo's step strings, as they stand in its events.
    //= compat: 1.7-7
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Step::SetWeight(w) => write!(f, "setWeight: {w}"),
            Step::Pause(None) => f.write_str("pause"),
            Step::Pause(Some(d)) => write!(f, "pause: {d}"),
            Step::SetCanaryScale(CanaryScale::Replicas(n)) => {
                write!(f, "setCanaryScale{{replicas: {n}}}")
            }
            Step::SetCanaryScale(CanaryScale::Weight(w)) => {
                write!(f, "setCanaryScale{{weight: {w}}}")
            }
            Step::SetCanaryScale(CanaryScale::MatchTrafficWeight) => {
                f.write_str("setCanaryScale{matchTrafficWeight: true}")
            }
            Step::Analysis => f.write_str("analysis"),
            Step::Experiment(_) => f.write_str("experiment"),
            Step::SetHeaderRoute(route) => write!(f, "setHeaderRoute: {}", route.name),
            Step::SetMirrorRoute(route) => write!(f, "setMirrorRoute: {}", route.name),
            Step::Plugin(plugin) => write!(f, "plugin: {}", plugin.name),
        }
    }
}

impl Rollout {
    /// The canary strategy, if it is this one.
    pub fn canary(&self) -> Option<&Canary> {
        match &self.strategy {
            Strategy::Canary(canary) => Some(canary),
            Strategy::BlueGreen(_) => None,
        }
    }

    /// The blue-green strategy, if it is this one.
    pub fn blue_green(&self) -> Option<&BlueGreen> {
        match &self.strategy {
            Strategy::Canary(_) => None,
            Strategy::BlueGreen(blue_green) => Some(blue_green),
        }
    }

    /// `maxUnavailable` in members.
    //= compat: 1.4-9
    pub fn unavailable(&self) -> u32 {
        match &self.strategy {
            Strategy::Canary(canary) => canary.unavailable(self.replicas),
            Strategy::BlueGreen(bg) => bg.max_unavailable.of_rounded_down(self.replicas).min(self.replicas),
        }
    }

    /// Number of canary steps; a blue-green rollout has none.
    pub fn steps(&self) -> usize {
        self.canary().map_or(0, |c| c.steps.len())
    }

    /// Index of the first step; none without steps.
    pub fn first_step(&self) -> Option<usize> {
        (self.steps() > 0).then_some(0)
    }

    /// Index behind the last step, where none is left to run; none without steps.
    //= compat: 2.4-3
    pub fn behind_last_step(&self) -> Option<usize> {
        Some(self.steps()).filter(|steps| *steps > 0)
    }
}

impl Canary {
    /// Total weight that `setWeight` counts against.
    pub fn weight_total(&self) -> u32 {
        self.traffic.map_or(100, |t| t.weight_total)
    }

    /// `maxSurge` in members.
    pub fn surge(&self, replicas: u32) -> u32 {
        self.max_surge.of_rounded_up(replicas)
    }

    /// `maxUnavailable` in members: never more than the replicas, and 1 where surge and unavailability are both 0,
    /// because then nothing could ever move.
    //= compat: 1.7-3
    pub fn unavailable(&self, replicas: u32) -> u32 {
        let unavailable = self.max_unavailable.of_rounded_down(replicas);
        if replicas > 0 && unavailable == 0 && self.surge(replicas) == 0 {
            return 1;
        }
        unavailable.min(replicas)
    }

    /// The wanted weight of the canary at a step, see [`Canary::weight_at`].
    pub fn share_at(&self, index: Option<usize>) -> Share {
        Share { weight: self.weight_at(index), total: self.weight_total() }
    }

    /// The step at `index`, if the steps are not over.
    pub fn step(&self, index: Option<usize>) -> Option<&Step> {
        self.steps.get(index?)
    }

    /// The nearest `setWeight` at or before `index`; 0 when there is none, everything when the steps are over.
    pub fn weight_at(&self, index: Option<usize>) -> u32 {
        match index {
            Some(i) if i < self.steps.len() => self.last_weight(i + 1),
            _ => self.weight_total(),
        }
    }

    /// The last `setWeight` among the first `count` steps, 0 if none.
    pub fn last_weight(&self, count: usize) -> u32 {
        self.steps[..count.min(self.steps.len())]
            .iter()
            .rev()
            .find_map(|step| match step {
                Step::SetWeight(w) => Some(*w),
                _ => None,
            })
            .unwrap_or(0)
    }

    /// The `setCanaryScale` in force at `index`.
    //= compat: 1.7-13, 1.7-14, 1.7-15
    pub fn scale_at(&self, index: Option<usize>) -> Option<CanaryScale> {
        let index = index.filter(|i| *i < self.steps.len())?;
        self.traffic?;
        let found = self.steps[..=index].iter().rev().find_map(|step| match step {
            Step::SetCanaryScale(scale) => Some(*scale),
            _ => None,
        })?;
        (found != CanaryScale::MatchTrafficWeight).then_some(found)
    }
}

/// When a pause with a duration that began at `start` is over: strictly after its end.
//= compat: 1.7-10
pub fn pause_over(start: Time, duration: Span, now: Time) -> bool {
    now > start + duration
}
