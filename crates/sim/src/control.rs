//! The adapter between the decisions and the world: observes, decides, keeps the status, applies. What can go wrong on that
//! way is said by [`Faults`]; without any, it is the adapter that one would wish for.

use std::collections::{BTreeMap, VecDeque};

use serin_core::{Decision, Span, Time, World, decide, experiment};

use crate::world::{Asked, Cluster, Happening};

/// Decisions without a change of time before it is called a loop. Far more than any update needs.
const PASSES_MAX: usize = 200;

/// Wait before a target that is not reached yet is looked at again.
const AGAIN: Span = Span::from_millis(500);

/// How long past states are kept for passes that see one.
const PAST: Span = Span::from_secs(120);

/// What goes wrong, by number: the first action, and the first pass, is 0. A list that can be shortened one by one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    /// What becomes of actions; those that are not named are applied.
    pub actions: BTreeMap<u64, Fate>,
    /// What becomes of passes; those that are not named see the present and go through.
    pub passes: BTreeMap<u64, PassFault>,
}

/// What becomes of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nobody carries it out.
    Lost,
    /// It is carried out twice.
    Twice,
    /// It is carried out later.
    Late(Span),
    /// The process is killed before it; a new one begins after this time with what the status holds.
    Killed(Span),
}

/// What becomes of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassFault {
    /// It sees pools, runs, services and split as they were so long ago. Rollout and status are always the present ones:
    /// a store refuses to write a status over one that was not read.
    Stale(Span),
    /// The process is killed after it decided and before anything is written; a new one begins after this time.
    Killed(Span),
}

/// Decisions go on and on without a change of time: a fault of the core.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("failed to settle at {} s: the last decision asked for {}", .at.as_secs(), describe(.last))]
pub struct Unsettled {
    /// When.
    pub at: Time,
    /// The last decision.
    pub last: Box<Decision>,
}

fn describe(decision: &Decision) -> String {
    let actions: Vec<String> = decision.actions.iter().map(ToString::to_string).collect();
    match actions.is_empty() {
        true => format!("no action, and to be asked again at {:?} ms", decision.wake_at.map(Time::as_millis)),
        false => actions.join("; "),
    }
}

/// The control process. All it remembers is when to wake up; everything else is read from the world.
#[derive(Debug, Clone, Default)]
pub struct Control {
    /// What goes wrong.
    pub faults: Faults,
    /// Passes made so far.
    pub passes: u64,
    /// Actions asked for so far.
    pub actions: u64,
    wake_at: Option<Time>,
    /// Killed, and when a new process begins.
    back_at: Option<Time>,
    past: VecDeque<(Time, World)>,
}

/// How it goes on after a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Something was decided: another pass follows at once.
    Decided,
    /// Nothing more is done at this moment.
    Rest,
}

/// How a pass goes on after an action.
enum Then {
    On,
    /// Something was done that the rollout observes.
    Again,
    /// The target is not reached now.
    Unreached,
    Killed,
}

impl Control {
    /// When it acts even if nothing is observed before.
    pub fn wake_at(&self) -> Option<Time> {
        self.back_at.or(self.wake_at)
    }

    /// Whether it is killed and not back yet.
    pub fn is_down(&self, now: Time) -> bool {
        self.back_at.is_some_and(|at| at > now)
    }

    /// Decides and applies until nothing changes at this moment. `watch` sees every snapshot and what was decided from it.
    ///
    /// # Errors
    /// When the decisions do not come to an end.
    pub fn turn(
        &mut self,
        cluster: &mut Cluster,
        happened: &mut Vec<Happening>,
        watch: &mut dyn FnMut(&World, &Decision, Time),
    ) -> Result<(), Unsettled> {
        for _ in 0..PASSES_MAX {
            if self.pass(cluster, happened, watch) == After::Rest {
                return Ok(());
            }
        }
        let last = Box::new(decide(&cluster.truth, cluster.now));
        Err(Unsettled { at: cluster.now, last })
    }

    /// One pass: observe, decide, write the status, carry out. Between two of them anything may happen to the world.
    pub fn pass(
        &mut self,
        cluster: &mut Cluster,
        happened: &mut Vec<Happening>,
        watch: &mut dyn FnMut(&World, &Decision, Time),
    ) -> After {
        if self.is_down(cluster.now) {
            return After::Rest;
        }
        if self.back_at.take().is_some() {
            happened.push(Happening::Fault("a new control process begins".to_owned()));
        }
        cluster.measure(happened);
        let fault = self.faults.passes.get(&self.passes).copied();
        self.passes += 1;
        let stale = self.stale(cluster, fault);
        let world = stale.as_ref().unwrap_or(&cluster.truth);
        let decision = decide(world, cluster.now);
        watch(world, &decision, cluster.now);
        self.remember(cluster);
        let again = cluster.now + AGAIN;
        if decision.actions.is_empty() && decision.status == cluster.truth.status {
            // To be asked again at once, when nothing has changed, is a loop as well.
            if stale.is_none() && decision.wake_at.is_some_and(|at| at <= cluster.now) {
                self.wake_at = decision.wake_at;
                return After::Decided;
            }
            let wake_at = if stale.is_some() { Some(again) } else { decision.wake_at };
            return if self.rests(cluster, happened, wake_at) { After::Rest } else { After::Decided };
        }
        if let Some(PassFault::Killed(back_after)) = fault {
            happened.push(Happening::Fault("killed before anything was written".to_owned()));
            self.back_at = Some(cluster.now + back_after);
            return After::Rest;
        }
        cluster.truth.status.clone_from(&decision.status);
        let mut faults = Vec::new();
        let asked = decision.actions.iter().cloned().map(Asked::Rollout).collect();
        let then = self.carry_out(cluster, asked, &mut faults);
        self.wake_at = match then {
            Then::Unreached => Some(decision.wake_at.map_or(again, |at| at.min(again))),
            Then::On if stale.is_some() => Some(again),
            Then::On | Then::Again | Then::Killed => self.wake_at,
        };
        let after = if matches!(then, Then::On) && stale.is_none() { After::Decided } else { After::Rest };
        happened.push(Happening::Decided(Box::new(decision)));
        happened.append(&mut faults);
        after
    }

    /// The rollout is decided; whether nothing is left to do for its experiments either. If so, it is asked again at
    /// `wake_at` or when an experiment wants to be.
    fn rests(&mut self, cluster: &mut Cluster, happened: &mut Vec<Happening>, wake_at: Option<Time>) -> bool {
        let (then, next) = self.experiments(cluster, happened);
        match then {
            Then::On => self.wake_at = wake_at.into_iter().chain(next).min(),
            Then::Unreached => self.wake_at = Some(cluster.now + AGAIN),
            Then::Killed => {}
            Then::Again => return false,
        }
        true
    }

    /// Decides every experiment once; returns how it went on, and when the first of them wants to be asked again.
    fn experiments(&mut self, cluster: &mut Cluster, happened: &mut Vec<Happening>) -> (Then, Option<Time>) {
        let (mut then, mut next) = (Then::On, None::<Time>);
        for name in cluster.experiments() {
            let Some(world) = cluster.experiment_world(&name) else { continue };
            let decision = experiment::decide(&world, cluster.now);
            if decision.actions.is_empty() && decision.status == world.status {
                next = next.into_iter().chain(decision.wake_at).min();
                continue;
            }
            let fault = self.faults.passes.get(&self.passes).copied();
            self.passes += 1;
            if let Some(PassFault::Killed(back_after)) = fault {
                happened.push(Happening::Fault("killed before anything was written".to_owned()));
                self.back_at = Some(cluster.now + back_after);
                return (Then::Killed, None);
            }
            cluster.keep_experiment(&name, decision.status.clone());
            let asked = decision.actions.iter().cloned().map(|a| Asked::Experiment(name.clone(), a)).collect();
            happened.push(Happening::Experimented(name, Box::new(decision)));
            match self.carry_out(cluster, asked, happened) {
                Then::Killed => return (Then::Killed, None),
                Then::Unreached => then = Then::Unreached,
                Then::On | Then::Again if matches!(then, Then::On) => then = Then::Again,
                Then::On | Then::Again => {}
            }
        }
        (then, next)
    }

    fn carry_out(&mut self, cluster: &mut Cluster, asked: Vec<Asked>, happened: &mut Vec<Happening>) -> Then {
        let mut then = Then::On;
        for action in &asked {
            let fate = self.faults.actions.get(&self.actions).copied();
            self.actions += 1;
            match fate {
                None => cluster.carry_out(action),
                Some(Fate::Twice) => {
                    cluster.carry_out(action);
                    cluster.carry_out(action);
                    happened.push(Happening::Fault(format!("applied twice: {action}")));
                }
                Some(Fate::Lost) => {
                    happened.push(Happening::Fault(format!("lost: {action}")));
                    then = Then::Unreached;
                }
                Some(Fate::Late(by)) => {
                    happened.push(Happening::Fault(format!("{by} late: {action}")));
                    cluster.carry_out_later(cluster.now + by, action.clone());
                    then = Then::Unreached;
                }
                Some(Fate::Killed(back_after)) => {
                    happened.push(Happening::Fault(format!("killed before: {action}")));
                    self.back_at = Some(cluster.now + back_after);
                    return Then::Killed;
                }
            }
        }
        then
    }

    /// What a pass sees that sees the past.
    fn stale(&self, cluster: &Cluster, fault: Option<PassFault>) -> Option<World> {
        let Some(PassFault::Stale(by)) = fault else { return None };
        let then = cluster.now - by;
        let (_, past) = self.past.iter().rev().find(|(at, _)| *at <= then).or(self.past.front())?;
        let (rollout, status) = (cluster.truth.rollout.clone(), cluster.truth.status.clone());
        Some(World { rollout, status, ..past.clone() })
    }

    /// Keeps what a later pass may see, if any is going to.
    fn remember(&mut self, cluster: &Cluster) {
        let ahead = self.faults.passes.range(self.passes..).any(|(_, fault)| matches!(fault, PassFault::Stale(_)));
        if !ahead {
            self.past.clear();
            return;
        }
        self.past.push_back((cluster.now, cluster.truth.clone()));
        while self.past.len() > 1 && self.past[1].0 + PAST < cluster.now {
            self.past.pop_front();
        }
    }
}
