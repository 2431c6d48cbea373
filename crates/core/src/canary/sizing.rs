//! How many members each pool should have (section 2.8 of the reference). Pure arithmetic on integers, replayed against
//! 3,000 vectors of the original.

use crate::rollout::{Canary, CanaryScale, Step, Threshold, clamp_u32};

/// Wanted and available members of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Wanted members.
    pub wanted: u32,
    /// Available members.
    pub available: u32,
}

/// Members of both pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// Members of the new pool.
    pub new: u32,
    /// Members of the stable pool.
    pub stable: u32,
}

/// `ceil(count * weight / total)`.
pub fn share_rounded_up(count: u32, weight: u32, total: u32) -> u32 {
    clamp_u32((u64::from(count) * u64::from(weight)).div_ceil(u64::from(total.max(1))))
}

/// `floor(count * weight / total)`.
pub fn share_rounded_down(count: u32, weight: u32, total: u32) -> u32 {
    clamp_u32(u64::from(count) * u64::from(weight) / u64::from(total.max(1)))
}

/// Without a router the split is the ratio of members: the nearest ratio to the weight with `replicas` members, or with
/// one more where surge allows it.
///
/// The original finds no candidate when surge is 0 and `replicas * weight` lies exactly between two members near 100%,
/// and then asks for no canary at all, so the step completes untested. Here the smaller canary is taken instead.
//= compat: 2.8-4, 2.8-5, 2.8-6, 2.8-7, A.2-1, A.2-2
//= compat-differs: 2.8-8, 10.22, A.2-3 the canary never gets zero members at a weight above zero
pub fn basic_target(replicas: u32, weight: u32, total: u32, surge: u32) -> Sizes {
    if replicas == 0 {
        return Sizes::default();
    }
    let alone = replicas == 1 && surge == 0;
    let (up, down) = (share_rounded_up(replicas, weight, total), share_rounded_down(replicas, weight, total));
    let (n, w, t) = (u64::from(replicas), u64::from(weight), u64::from(total.max(1)));
    // |canary / members - weight / total|, compared as fractions: distance * members of the other one.
    let distance = |(canary, members): (u32, u64)| u128::from((u64::from(canary) * t).abs_diff(w * members));
    let candidates = [
        (up < replicas || alone).then_some((up, n)),
        (down > 0 || alone).then_some((down, n)),
        // Only with the larger canary: one more member beside the smaller one is further away still.
        (surge > 0).then_some((up, n + 1)),
    ];
    let nearer =
        |a: &(u32, u64), b: &(u32, u64)| (distance(*a) * u128::from(b.1)).cmp(&(distance(*b) * u128::from(a.1)));
    // The first of equals is taken: the larger canary, and the fewer members.
    let (new, members) = candidates.into_iter().flatten().min_by(nearer).unwrap_or((down, n));
    Sizes { new, stable: clamp_u32(members - u64::from(new)) }
}

/// Limits of one scaling pass without a router.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The rollout's replicas.
    pub replicas: u32,
    /// Members above the replicas that may exist.
    pub surge: u32,
    /// Members below the replicas that may be missing.
    pub unavailable: u32,
}

/// One scaling pass without a router: from the sizes as they are towards `target`, within surge and availability.
//= compat: 2.8-10, 2.8-11, 2.8-12, 2.8-13, 2.8-14, 2.8-15, 2.8-16
pub fn basic_pass(limits: Limits, target: Sizes, new: Size, stable: Size, older_wanted: u32) -> Sizes {
    let max = i64::from(limits.replicas) + i64::from(limits.surge);
    let mut room = max - i64::from(older_wanted) - i64::from(new.wanted) - i64::from(stable.wanted);
    let mut grow = |from: u32, to: u32| {
        let step = (i64::from(to) - i64::from(from)).clamp(0, room.max(0));
        room -= step;
        from + clamp_u32(step as u64)
    };
    let stable_grown = grow(stable.wanted, target.stable);
    let new_grown = grow(new.wanted, target.new);
    let sizes = Sizes { new: new_grown, stable: stable_grown };
    if older_wanted > 0 {
        return sizes;
    }
    let min_available = i64::from(limits.replicas) - i64::from(limits.unavailable);
    let increasing = target.new >= new.wanted;
    let countable = |size: Size, ignore_availability: bool| match ignore_availability {
        true => i64::from(size.wanted),
        false => i64::from(size.wanted.min(size.available)),
    };
    let budget = countable(new, !increasing) + countable(stable, increasing) - min_available;
    if budget <= 0 {
        return sizes;
    }
    let shrink = |from: u32, to: u32, grown: u32| match from > to {
        true => clamp_u32((i64::from(from) - budget).max(i64::from(to)).max(0) as u64),
        false => grown,
    };
    if increasing {
        let drained = shrink(stable.wanted, target.stable, stable_grown);
        let (new, stable) = fit(max, min_available, new_grown, new.available, drained, stable.available);
        Sizes { new, stable }
    } else {
        let drained = shrink(new.wanted, target.new, new_grown);
        let (stable, new) = fit(max, min_available, stable_grown, stable.available, drained, new.available);
        Sizes { new, stable }
    }
}

/// Keeps the two sizes within the limits: the growing side gives way first, gets back as many of its available members
/// as the minimum needs, and the draining side loses what is still too much.
fn fit(
    max: i64,
    min_available: i64,
    growing: u32,
    growing_available: u32,
    draining: u32,
    draining_available: u32,
) -> (u32, u32) {
    let (mut grow, mut drain) = (i64::from(growing), i64::from(draining));
    let over = (grow + drain - max).max(0);
    grow = (grow - over).max(0);
    let spare = (i64::from(growing_available).min(i64::from(growing)) - grow).max(0);
    let missing = (min_available - drain.min(i64::from(draining_available)) - grow).max(0);
    grow += spare.min(missing);
    drain -= (grow + drain - max).max(0);
    (clamp_u32(grow.max(0) as u64), clamp_u32(drain.max(0) as u64))
}

/// What the sizes of a routed canary depend on.
#[derive(Debug, Clone, Copy)]
pub struct Routed<'a> {
    /// The strategy.
    pub canary: &'a Canary,
    /// The rollout's replicas.
    pub replicas: u32,
    /// Next step to run.
    pub step_index: Option<usize>,
    /// Whether the update is aborted.
    pub abort: bool,
    /// Whether a person asked to skip the rest.
    pub promote_full: bool,
    /// Whether there is no update under way (or no stable version yet).
    pub promoted: bool,
    /// The new pool.
    pub new: Size,
    /// The stable pool.
    pub stable: Size,
    /// Recorded weight of the canary, if a router has one.
    pub weight_recorded: Option<u32>,
}

impl Routed<'_> {
    /// Sizes of both pools.
    //= compat: 2.8-18, 2.8-19, 2.8-22, 1.10-5, A.4-1
    pub fn sizes(&self) -> Sizes {
        let (n, total) = (self.replicas, self.canary.weight_total());
        if let Some(CanaryScale::Replicas(count)) = self.fixed_scale()
            && !self.canary.dynamic_stable_scale
        {
            return Sizes { new: count, stable: n };
        }
        let weight = self.size_weight();
        let mut new = match self.fixed_scale() {
            Some(CanaryScale::Replicas(count)) => count,
            _ => share_rounded_up(n, weight, total),
        };
        new = self.at_least_min(new);
        if !self.canary.dynamic_stable_scale {
            return Sizes { new, stable: n };
        }
        // A fixed number of canary members says nothing about the traffic, so stable stays whole.
        let leaves = match self.fixed_scale() {
            Some(CanaryScale::Replicas(_)) => 0,
            _ => weight,
        };
        let recorded = self.weight_recorded;
        let mut stable = share_rounded_up(n, total.saturating_sub(leaves), total);
        if let Some(recorded) = recorded {
            stable = stable.max(share_rounded_up(n, total.saturating_sub(recorded), total));
        }
        if self.abort
            && let Some(recorded) = recorded
        {
            new = new.max(share_rounded_up(n, recorded, total));
            new = self.at_least_min(new);
        }
        Sizes { new, stable: self.at_least_min(stable) }
    }

    fn at_least_min(&self, count: u32) -> u32 {
        match self.canary.min_pods {
            Some(min) if count > 0 => count.max(min.min(self.replicas)),
            _ => count,
        }
    }

    /// The `setCanaryScale` in force; an abort ignores it unless the canary is meant to stay up.
    //= compat: 1.7-16, 1.7-17
    pub fn fixed_scale(&self) -> Option<CanaryScale> {
        let stays = self.canary.abort_scale_down_delay == Some(crate::time::Span::ZERO);
        if self.promote_full || self.promoted || (self.abort && !stays) {
            return None;
        }
        self.canary.scale_at(self.step_index)
    }

    /// Weight that the canary's size follows.
    fn size_weight(&self) -> u32 {
        match self.fixed_scale() {
            Some(CanaryScale::Weight(weight)) => weight,
            _ => self.traffic_weight(),
        }
    }

    /// Weight that traffic is meant to have at this point.
    //= compat: 2.8-1, 2.8-3
    pub fn traffic_weight(&self) -> u32 {
        match self.promote_full || self.promoted {
            true => self.canary.weight_total(),
            false => self.step_weight(),
        }
    }

    /// Weight of the current step, or of the way back after an abort.
    pub fn step_weight(&self) -> u32 {
        match self.abort {
            true if self.canary.dynamic_stable_scale => self.step_down_weight(),
            true => 0,
            false => self.canary.weight_at(self.step_index),
        }
    }

    /// With dynamic stable scale an abort goes back in the steps' own weights, as far as stable can already carry.
    //= compat: 2.8-21, A.4-2
    pub fn step_down_weight(&self) -> u32 {
        let (n, total) = (self.replicas, self.canary.weight_total());
        let missing = n.saturating_sub(self.stable.available);
        let explicit_delay = self.canary.abort_scale_down_delay.is_some_and(|d| d > crate::time::Span::ZERO);
        let limit = if explicit_delay { missing } else { missing.max(self.new.available) };
        let weights = self.canary.steps.iter().rev().filter_map(|step| match step {
            Step::SetWeight(weight) => Some(*weight),
            _ => None,
        });
        weights.into_iter().find(|weight| share_rounded_up(n, *weight, total) < limit).unwrap_or(0)
    }
}

/// Whether `available` of `wanted` members are enough to go on. A threshold that asks for more than all of them asks for
/// all of them, or an update of few replicas could never end.
//= compat: 2.9-1, 2.9-2
//= compat-differs: 2.9-3 a number above the wanted members counts as all of them; the original waits for ever
pub fn enough(threshold: Option<Threshold>, wanted: u32, available: u32) -> bool {
    match threshold {
        None => available >= wanted,
        Some(Threshold::Percent(percent)) => {
            u64::from(available) * 100 >= u64::from(wanted) * u64::from(percent.min(100))
        }
        Some(Threshold::Pods(pods)) => available >= pods.min(wanted),
    }
}
