//! Scrapes of instances, in order of time → what each version counted since the last window was closed.
//!
//! * A series' first sample is a starting point. Where its instance answered before without it, it began at 0 since then: the
//!   filter defines all series of a version, at 0, when it loads a configuration.
//! * Where one counter of an instance goes back, the instance was restarted, and all its series began anew, at 0.
//! * Instances that run another configuration than most are left out.
//! * Exact sums wait until the histograms show their responses ([`super::ahead`]), where the instance has the histogram of durations.
//!
//! The last value of each series and the sums of the window are kept, in arrays, and nothing of earlier windows.

use super::ahead::{Ahead, ExactSums, SHOWN, is_of_requests};
use super::catalogue::{EXACT_SUMS, Part, Quantity, SLOTS, Slot};
use super::registry::{InstanceId, Registry, Series, SeriesId, Target};
use llm_canary::timestamp::UnixMs;
use std::collections::BTreeMap;

/// The last sample of a series.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    /// No number if the series is there and its value is none.
    value: f64,
    /// What it counted in this window.
    increment: f64,
    /// The run of its instance, from 1 on; 0 before the first sample.
    run: u32,
}

/// What is known of an instance.
#[derive(Clone, Debug, Default)]
struct Instance {
    /// It counts up with each restart that is seen, from 1 on; 0 before the first scrape.
    run: u32,
    last_ms: UnixMs,
    /// The usual time between two scrapes; 0 before the second.
    interval_ms: u64,
    /// Whether it has a scrape in this window.
    is_present: bool,
    /// Its series that counted in this window.
    counted: Vec<SeriesId>,
    /// The hash of the configuration, by rollout.
    hashes: BTreeMap<u32, f64>,
    /// The edges that its buckets have, and the run in which they were seen last.
    edges: [BTreeMap<u16, u32>; Quantity::ALL.len()],
    /// By version.
    sides: BTreeMap<u32, ExactSums>,
}

/// What one version counted in a window.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    pub(super) slots: Vec<f64>,
    /// Which series exist, in this window or earlier.
    pub(super) exist: Vec<bool>,
    /// Responses up to each edge, by the number of the edge.
    pub(super) buckets: [Vec<f64>; Quantity::ALL.len()],
    /// By the number of the defect; `None` without a series.
    pub(super) defects: Vec<Option<f64>>,
    is_touched: bool,
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            slots: vec![0.0; SLOTS],
            exist: vec![false; SLOTS],
            buckets: Default::default(),
            defects: Vec::new(),
            is_touched: false,
        }
    }
}

impl Sums {
    pub(super) fn get(&self, slot: Slot) -> f64 {
        self.slots.get(slot.index()).copied().unwrap_or_default()
    }

    pub(super) fn has(&self, slot: Slot) -> bool {
        self.exist.get(slot.index()).copied().unwrap_or_default()
    }

    /// Notes that a series exists.
    fn define(&mut self, target: Target) {
        match target {
            Target::Sum(slot) => {
                if let Some(exists) = self.exist.get_mut(slot.index()) {
                    *exists = true;
                }
            }
            Target::Defect(defect) => {
                let defect = usize::from(defect);
                if self.defects.len() <= defect {
                    self.defects.resize(defect + 1, None);
                }
                if let Some(sum) = self.defects.get_mut(defect) {
                    sum.get_or_insert(0.0);
                }
            }
            Target::Bucket(..) | Target::ConfigHash(_) | Target::Restart => {}
        }
    }

    fn add(&mut self, target: Target, increment: f64) {
        let sum = match target {
            Target::Sum(slot) => self.slots.get_mut(slot.index()),
            Target::Bucket(quantity, edge) => self.buckets.get_mut(quantity as usize).and_then(|buckets| {
                let edge = usize::from(edge);
                if buckets.len() <= edge {
                    buckets.resize(edge + 1, 0.0);
                }
                buckets.get_mut(edge)
            }),
            Target::Defect(defect) => self.defects.get_mut(usize::from(defect)).and_then(Option::as_mut),
            Target::ConfigHash(_) | Target::Restart => None,
        };
        if let Some(sum) = sum {
            *sum += increment;
            self.is_touched = true;
        }
    }

    /// Begins the next window.
    fn clear(&mut self) {
        if !std::mem::take(&mut self.is_touched) {
            return;
        }
        self.slots.fill(0.0);
        self.buckets.iter_mut().for_each(|buckets| buckets.fill(0.0));
        self.defects.iter_mut().flatten().for_each(|sum| *sum = 0.0);
    }
}

/// Follows the series of all instances.
#[derive(Clone, Debug, Default)]
pub(super) struct Counting {
    last: Vec<Last>,
    instances: Vec<Instance>,
    sums: Vec<Sums>,
    /// The edges that all instances of the window have, by quantity: numbers in order of the edges.
    edges: [Vec<u16>; Quantity::ALL.len()],
}

impl Counting {
    /// Takes in what an instance showed at a time. An empty scrape says that it answered. Returns whether it had answered
    /// before: its first scrape has starting points only.
    pub(super) fn scrape(
        &mut self,
        registry: &Registry,
        instance: InstanceId,
        at_ms: UnixMs,
        samples: &[(SeriesId, f64)],
    ) -> bool {
        if self.instances.len() <= instance.index() {
            self.instances.resize_with(instance.index() + 1, Instance::default);
        }
        let Self { last, instances, sums, .. } = self;
        let Some(state) = instances.get_mut(instance.index()) else { return false };
        if last.len() < registry.len() {
            last.resize(registry.len(), Last::default());
        }
        let is_first = state.run == 0;
        let goes_back = |(id, value): &(SeriesId, f64)| {
            let last = last.get(id.index()).copied().unwrap_or_default();
            // What is rare is asked last.
            *value < last.value
                && *value >= 0.0
                && last.run == state.run
                && registry.get(*id).is_some_and(|series| is_exact(series.target))
        };
        if is_first || samples.iter().any(goes_back) {
            state.run = state.run.saturating_add(1);
            // What was not shown yet is gone with the histograms.
            state.sides.values_mut().for_each(|side| side.ahead = Ahead::default());
        }
        for (id, value) in samples {
            let (Some(series), Some(last)) = (registry.get(*id), last.get_mut(id.index())) else { continue };
            if last.run != state.run {
                define(state, sums, &series);
            }
            if let Target::ConfigHash(rollout) = series.target {
                state.hashes.insert(rollout, *value);
                continue;
            }
            let begins_at = match last.run {
                // Not known, unless the instance answered without it.
                0 if is_first => f64::NAN,
                run if run < state.run => 0.0,
                _ => last.value,
            };
            let is_count = value.is_finite() && *value >= 0.0;
            if !is_count {
                // The value is not known. That of a series that was never seen is not known later either.
                if last.run != state.run {
                    (last.value, last.run) = (f64::NAN, state.run);
                }
                continue;
            }
            (last.value, last.run) = (*value, state.run);
            let increment = value - begins_at;
            if let Target::Sum(slot) = series.target
                && (slot.exact().is_some() || slot == SHOWN || is_of_requests(slot))
            {
                let side = state.sides.entry(series.side).or_default();
                side.is_compared |= slot == SHOWN;
                if is_first {
                    ExactSums::takes(&mut side.before, slot, *value);
                } else if ExactSums::takes(&mut side.piece, slot, increment.max(0.0)) {
                    continue;
                }
            }
            if increment > 0.0 && series.target != Target::Restart {
                if last.increment == 0.0 {
                    state.counted.push(*id);
                }
                last.increment += increment;
            }
        }
        state.sides.values_mut().for_each(|side| side.end_scrape(at_ms));
        let gap_ms = at_ms.saturating_sub(state.last_ms);
        if !is_first && (state.interval_ms == 0 || gap_ms < 2 * state.interval_ms) {
            state.interval_ms = gap_ms;
        }
        state.last_ms = at_ms;
        state.is_present = true;
        !is_first
    }

    /// Closes the window that ends at a time: adds up what the instances counted in it.
    pub(super) fn close(&mut self, registry: &Registry) {
        self.sums.iter_mut().for_each(Sums::clear);
        if self.sums.len() < registry.sides().len() {
            self.sums.resize_with(registry.sides().len(), Sums::default);
        }
        let majorities = majorities(&self.instances);
        self.edges = std::array::from_fn(|index| {
            let quantity = Quantity::ALL.get(index);
            quantity.map_or_else(Vec::new, |quantity| common_edges(&self.instances, registry, *quantity))
        });
        for instance in &mut self.instances {
            let is_left_out = |rollout: u32| match (majorities.get(&rollout), instance.hashes.get(&rollout)) {
                (Some(Some(majority)), Some(hash)) => hash != majority,
                _ => false,
            };
            let left_out: Vec<u32> =
                majorities.keys().copied().filter(|rollout| is_left_out(*rollout)).collect();
            for id in instance.counted.drain(..) {
                let (Some(series), Some(last)) = (registry.get(id), self.last.get_mut(id.index())) else {
                    continue;
                };
                let increment = std::mem::take(&mut last.increment);
                let is_out = !left_out.is_empty()
                    && registry.rollout_of(series.side).is_some_and(|rollout| left_out.contains(&rollout));
                if let Some(sums) = self.sums.get_mut(series.side as usize).filter(|_| !is_out) {
                    sums.add(series.target, increment);
                }
            }
            for (side, exact) in &mut instance.sides {
                let passed = std::mem::replace(&mut exact.passed, [0.0; EXACT_SUMS]);
                let is_out = registry.rollout_of(*side).is_some_and(|rollout| left_out.contains(&rollout));
                let Some(sums) = self.sums.get_mut(*side as usize).filter(|_| !is_out) else { continue };
                for (place, sum) in passed.into_iter().enumerate().filter(|(_, sum)| *sum > 0.0) {
                    if let Some(slot) = Slot::of_exact(place) {
                        sums.add(Target::Sum(slot), sum);
                    }
                }
            }
            instance.is_present = false;
        }
    }

    /// Whether an instance that is still expected to answer has not, in the window that ends now.
    pub(super) fn is_missing(&self, end_ms: UnixMs, window_ms: u64) -> bool {
        self.instances.iter().any(|instance| {
            let silent_ms = end_ms.saturating_sub(instance.last_ms);
            let usual_ms = window_ms.max(instance.interval_ms);
            // One that is gone is not waited for for long.
            instance.interval_ms > 0
                && !instance.is_present
                && silent_ms >= instance.interval_ms
                && silent_ms <= usual_ms.saturating_mul(EXPECTED_WINDOWS)
        })
    }

    /// The sums of a version in the window that was closed last.
    pub(super) fn sums(&self, side: Option<u32>) -> Option<&Sums> {
        self.sums.get(side? as usize)
    }

    /// The numbers of the edges that are comparable in the window that was closed last.
    pub(super) fn edges(&self, quantity: Quantity) -> &[u16] {
        self.edges.get(quantity as usize).map_or(&[], Vec::as_slice)
    }

    /// Which instances run a rollout by another configuration than most, among those with a sample since a time.
    pub(super) fn other_configs(&self, rollout: u32, since_ms: UnixMs) -> Vec<InstanceId> {
        let hashes = self.config_hashes(rollout, since_ms);
        let most = most_frequent(hashes.iter().map(|(_, hash)| *hash));
        hashes.into_iter().filter(|(_, hash)| most != Some(*hash)).map(|(id, _)| id).collect()
    }

    /// The hash of the configuration by which each instance runs a rollout, of those with a sample since a time.
    pub(super) fn config_hashes(&self, rollout: u32, since_ms: UnixMs) -> Vec<(InstanceId, f64)> {
        let recent = |instance: &Instance| instance.run > 0 && instance.last_ms >= since_ms;
        let instances = self.instances.iter().enumerate().filter(|(_, instance)| recent(instance));
        let hash = |(index, instance): (usize, &Instance)| {
            Some((InstanceId::new(index), *instance.hashes.get(&rollout)?))
        };
        instances.filter_map(hash).collect()
    }
}

/// So many windows without a sample, and an instance is taken to be gone.
const EXPECTED_WINDOWS: u64 = 3;

/// Whether a series never goes back while its instance runs. Envoy rounds the sums of its histograms.
fn is_exact(target: Target) -> bool {
    match target {
        Target::Sum(slot) => !Quantity::ALL.iter().any(|of| slot == Slot::part(*of, Part::HistogramSum)),
        Target::Bucket(..) | Target::Defect(_) | Target::Restart => true,
        Target::ConfigHash(_) => false,
    }
}

/// Notes a series that was not seen before in this run of its instance.
fn define(instance: &mut Instance, sums: &mut Vec<Sums>, series: &Series) {
    let side = series.side as usize;
    if sums.len() <= side {
        sums.resize_with(side + 1, Sums::default);
    }
    if let Some(sums) = sums.get_mut(side) {
        sums.define(series.target);
    }
    if let Target::Bucket(quantity, edge) = series.target
        && let Some(edges) = instance.edges.get_mut(quantity as usize)
    {
        edges.insert(edge, instance.run);
    }
}

/// The hash of most instances with a sample in this window, by rollout; `None` where no hash has more than the others.
fn majorities(instances: &[Instance]) -> BTreeMap<u32, Option<f64>> {
    let mut hashes: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for instance in instances.iter().filter(|instance| instance.is_present) {
        for (rollout, hash) in &instance.hashes {
            hashes.entry(*rollout).or_default().push(*hash);
        }
    }
    let differ = |hashes: &Vec<f64>| hashes.windows(2).any(|pair| pair.first() != pair.last());
    hashes.retain(|_, hashes| differ(hashes));
    hashes.into_iter().map(|(rollout, hashes)| (rollout, most_frequent(hashes.into_iter()))).collect()
}

/// The value that is the most frequent; `None` if two are.
fn most_frequent(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    values.for_each(|value| *counts.entry(value.to_bits()).or_default() += 1);
    let most = counts.values().max()?;
    let mut of_most = counts.iter().filter(|(_, count)| *count == most);
    of_most.next().filter(|_| of_most.next().is_none()).map(|(bits, _)| f64::from_bits(*bits))
}

/// The edges that all instances with a sample in this window have: buckets count all responses up to an edge, so those at
/// common edges can be added up, whatever other edges there are.
fn common_edges(instances: &[Instance], registry: &Registry, quantity: Quantity) -> Vec<u16> {
    let mut common: Option<Vec<u16>> = None;
    for instance in instances.iter().filter(|instance| instance.is_present) {
        let Some(edges) = instance.edges.get(quantity as usize) else { continue };
        let has = |edge: &u16| edges.get(edge) == Some(&instance.run);
        match &mut common {
            Some(common) if edges.values().any(|run| *run == instance.run) => common.retain(has),
            Some(_) => {}
            None => {
                let own: Vec<u16> = edges.keys().copied().filter(has).collect();
                common = Some(own).filter(|own| !own.is_empty());
            }
        }
    }
    let mut common = common.unwrap_or_default();
    let values = registry.edges(quantity);
    let value = |edge: &u16| values.get(usize::from(*edge)).copied().unwrap_or(f64::INFINITY);
    common.sort_by(|one, other| value(one).total_cmp(&value(other)));
    common
}
