//! Time goes on: from one moment at which something happens to the next.

use serin_core::{Decision, Time, World};

use crate::control::{After, Control, Unsettled};
use crate::world::{Cluster, Happening};

/// A world and its control process.
#[derive(Debug, Clone)]
pub struct Sim {
    /// The world. After changing it, call [`Sim::touch`].
    pub cluster: Cluster,
    /// The control process.
    pub control: Control,
    /// Something changed since the last turn.
    touched: bool,
}

impl Sim {
    /// A world that nothing was decided for yet.
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster, control: Control::default(), touched: true }
    }

    /// Somebody changed the world: the control process observes it at its next step.
    pub fn touch(&mut self) {
        self.touched = true;
    }

    /// Whether something changed that the control process has not acted on.
    pub fn is_touched(&self) -> bool {
        self.touched
    }

    /// The next moment at which something happens by itself.
    pub fn next_at(&self) -> Option<Time> {
        let wake_at = self.control.wake_at();
        // A killed process observes nothing; what happens meanwhile waits for the next one.
        let touched = (self.touched && !self.control.is_down(self.cluster.now)).then_some(self.cluster.now);
        let next = wake_at.into_iter().chain(self.cluster.next_at()).chain(touched).min();
        next.map(|at| at.max(self.cluster.now))
    }

    /// Lets the control process act now, if there is anything to act on. `watch` sees every snapshot and decision.
    ///
    /// # Errors
    /// When the decisions do not come to an end.
    pub fn settle(&mut self, watch: &mut dyn FnMut(&World, &Decision, Time)) -> Result<Vec<Happening>, Unsettled> {
        let now = self.cluster.now;
        let mut happened = Vec::new();
        let due =
            self.control.wake_at().is_some_and(|at| at <= now) || self.cluster.next_at().is_some_and(|at| at <= now);
        if self.touched || due {
            self.touched = self.control.is_down(now);
            self.control.turn(&mut self.cluster, &mut happened, watch)?;
            // Runs are measured by their own controller, whether or not the rollout's is there.
            if self.control.is_down(now) {
                self.cluster.measure(&mut happened);
            }
        }
        Ok(happened)
    }

    /// Goes to a moment without letting the control process act; what happens by itself until then happens.
    pub fn go_to(&mut self, at: Time) {
        self.touched |= self.cluster.advance(at);
    }

    /// One pass of the control process, if it has anything to act on at this moment. Between two passes anybody may change
    /// the world.
    pub fn pass(&mut self, happened: &mut Vec<Happening>, watch: &mut dyn FnMut(&World, &Decision, Time)) -> After {
        let now = self.cluster.now;
        if self.next_at().is_none_or(|at| at > now) {
            return After::Rest;
        }
        let down = self.control.is_down(now);
        let after = self.control.pass(&mut self.cluster, happened, watch);
        self.touched = after == After::Decided || down;
        if after == After::Rest {
            // Runs are measured by their own controller, whether or not the rollout's is there.
            if self.control.is_down(now) {
                self.cluster.measure(happened);
            }
        }
        after
    }

    /// Goes to the next moment up to `until` at which something happens, and lets the control process act. `None` once
    /// there is no such moment; the clock then stands at `until`.
    ///
    /// # Errors
    /// When the decisions do not come to an end.
    pub fn step(
        &mut self,
        until: Time,
        watch: &mut dyn FnMut(&World, &Decision, Time),
    ) -> Result<Option<Vec<Happening>>, Unsettled> {
        let next = self.next_at().filter(|at| *at <= until);
        self.touched |= self.cluster.advance(next.unwrap_or(until));
        match next {
            Some(_) => self.settle(watch).map(Some),
            None => Ok(None),
        }
    }
}
