//! The instances, versions and series that have been seen, each with a number.
//!
//! Whatever a source calls a series, and wherever its labels stand: the same series has the same number.

use super::catalogue::{self, Meaning, Quantity, Slot, TRAFFIC};
use std::collections::HashMap;
use std::sync::Arc;

/// More series than this are no evidence of one release: a thousand versions have half a million on each Envoy.
const SERIES_MAX: usize = 8_000_000;
/// Edges of all buckets of one quantity. Instances may differ in theirs.
const EDGES_MAX: usize = 512;
/// Kinds of defects.
const DEFECTS_MAX: usize = 256;

/// The number of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct InstanceId(u32);

/// The number of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SeriesId(u32);

impl InstanceId {
    pub(super) fn new(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

impl SeriesId {
    pub(super) fn new(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A version of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Side {
    pub(super) rollout: Arc<str>,
    pub(super) version: Arc<str>,
}

/// Where the increments of a series are added up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    Sum(Slot),
    /// The number of its edge.
    Bucket(Quantity, u16),
    /// The number of the defect.
    Defect(u16),
    /// The configuration's hash, by the number of the rollout.
    ConfigHash(u32),
    /// Nowhere; it shows restarts.
    Restart,
}

/// A series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Series {
    pub(super) instance: InstanceId,
    /// The number of its version.
    pub(super) side: u32,
    pub(super) target: Target,
}

/// What makes a series the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Identity {
    instance: InstanceId,
    side: u32,
    is_compared: bool,
    name: String,
    /// The value of the metric's own label, an edge as the bits of its number.
    label: String,
}

/// Numbers for things of one kind, in the order in which they were seen.
#[derive(Clone, Debug)]
struct Numbers<T> {
    by_value: HashMap<T, u32>,
    values: Vec<T>,
}

impl<T: Clone + Eq + std::hash::Hash> Numbers<T> {
    fn number(&mut self, value: T) -> u32 {
        if let Some(number) = self.by_value.get(&value) {
            return *number;
        }
        let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.values.push(value.clone());
        self.by_value.insert(value, number);
        number
    }
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self { by_value: HashMap::new(), values: Vec::new() }
    }
}

/// There are more series than the tool can keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManySeries;

/// Everything that has a number.
#[derive(Clone, Debug, Default)]
pub(super) struct Registry {
    instances: Numbers<Arc<str>>,
    /// The prefix of the first filter that has a rollout, by the name of the page and of the rollout.
    prefixes: HashMap<(Arc<str>, Arc<str>), Arc<str>>,
    rollouts: Numbers<Arc<str>>,
    sides: Numbers<Side>,
    /// The rollout of each side.
    rollout_of: Vec<u32>,
    edges: [Vec<f64>; Quantity::ALL.len()],
    /// Which histograms have series of native ones.
    native: [bool; Quantity::ALL.len()],
    defects: Numbers<Arc<str>>,
    by_identity: HashMap<Identity, SeriesId>,
    series: Vec<Series>,
}

impl Registry {
    /// The number of an instance that answers, whether or not it has series.
    pub(super) fn instance(&mut self, name: &str) -> InstanceId {
        InstanceId(self.instances.number(name.into()))
    }

    /// The number of an instance whose page has a series of a rollout with this prefix. Filters of one page that have the same
    /// rollout, such as one in WebAssembly and a native one, count apart, as in other sources.
    fn instance_of_page(&mut self, page: &str, rollout: &str, prefix: &str) -> InstanceId {
        let first = self.prefixes.entry((page.into(), rollout.into())).or_insert_with(|| prefix.into());
        if **first == *prefix { self.instance(page) } else { self.instance(&format!("{page} {prefix}*")) }
    }

    /// The number of a series; `None` for one that is not read. Without a name the instance is what its labels say.
    pub(super) fn series(
        &mut self,
        instance: Option<&str>,
        name: &str,
        labels: &[(impl AsRef<str>, impl AsRef<str>)],
    ) -> Result<Option<SeriesId>, TooManySeries> {
        let label = |wanted: &str| {
            labels.iter().find(|(name, _)| name.as_ref() == wanted).map(|(_, value)| value.as_ref())
        };
        let Some((prefix, name)) = catalogue::without_prefix(name) else { return Ok(None) };
        let meaning = catalogue::meaning(name, label);
        let is_compared = label("llm_compare") == Some("yes");
        if is_compared {
            self.note_native(name);
        }
        let is_hash = meaning == Meaning::ConfigHash;
        let is_traffic = TRAFFIC.contains(&name);
        let Some(rollout) = label("llm_rollout") else { return Ok(None) };
        let version = label("llm_version").filter(|_| !is_hash);
        if meaning == Meaning::Other
            || !(is_compared || is_hash || is_traffic)
            || version.is_none() && !is_hash
        {
            return Ok(None);
        }
        let instance = match instance {
            Some(page) => self.instance_of_page(page, rollout, prefix),
            None => self.instance(&instance_name(prefix, labels)),
        };
        let own = |name: &str| {
            name.starts_with("llm_") && !["llm_rollout", "llm_version", "llm_compare"].contains(&name)
        };
        let own = match meaning {
            Meaning::Bucket(_, edge) => edge.to_bits().to_string(),
            _ => labels
                .iter()
                .find(|(name, _)| own(name.as_ref()))
                .map_or_else(String::new, |(_, value)| value.as_ref().to_owned()),
        };
        let rollout_id = self.rollouts.number(rollout.into());
        let side = self.side_number(rollout, rollout_id, version.unwrap_or_default());
        let identity = Identity { instance, side, is_compared, name: name.to_owned(), label: own };
        if let Some(id) = self.by_identity.get(&identity) {
            return Ok(Some(*id));
        }
        let target = match meaning {
            _ if !is_compared && !is_hash => Some(Target::Restart),
            Meaning::Sum(slot) => Some(Target::Sum(slot)),
            Meaning::Bucket(quantity, edge) => {
                self.edge(quantity, edge).map(|edge| Target::Bucket(quantity, edge))
            }
            Meaning::Defect(name) => self.defect(name).map(Target::Defect),
            Meaning::ConfigHash => Some(Target::ConfigHash(rollout_id)),
            Meaning::Other => None,
        };
        let Some(target) = target else { return Ok(None) };
        if self.series.len() >= SERIES_MAX {
            return Err(TooManySeries);
        }
        let id = SeriesId::new(self.series.len());
        self.series.push(Series { instance, side, target });
        self.by_identity.insert(identity, id);
        Ok(Some(id))
    }

    /// Notes a series, if its name without a prefix is that of a native histogram.
    pub(super) fn note_native(&mut self, name: &str) {
        let native = catalogue::native(name).and_then(|quantity| self.native.get_mut(quantity as usize));
        if let Some(native) = native {
            *native = true;
        }
    }

    /// Whether the series of a histogram are native ones alone.
    pub(super) fn is_native_only(&self, quantity: Quantity) -> bool {
        self.native.get(quantity as usize) == Some(&true) && self.edges(quantity).is_empty()
    }

    fn side_number(&mut self, rollout: &str, rollout_id: u32, version: &str) -> u32 {
        let side = self.sides.number(Side { rollout: rollout.into(), version: version.into() });
        if self.rollout_of.len() <= side as usize {
            self.rollout_of.push(rollout_id);
        }
        side
    }

    fn edge(&mut self, quantity: Quantity, edge: f64) -> Option<u16> {
        let edges = self.edges.get_mut(quantity as usize)?;
        let place = edges.iter().position(|known| *known == edge).or_else(|| {
            (edges.len() < EDGES_MAX).then(|| {
                edges.push(edge);
                edges.len() - 1
            })
        });
        place.and_then(|place| u16::try_from(place).ok())
    }

    fn defect(&mut self, name: &str) -> Option<u16> {
        let is_known = self.defects.by_value.contains_key(name);
        let number =
            (is_known || self.defects.values.len() < DEFECTS_MAX).then(|| self.defects.number(name.into()));
        number.and_then(|number| u16::try_from(number).ok())
    }

    pub(super) fn get(&self, id: SeriesId) -> Option<Series> {
        self.series.get(id.index()).copied()
    }

    /// How many series there are.
    pub(super) fn len(&self) -> usize {
        self.series.len()
    }

    /// All series with their numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = (SeriesId, Series)> {
        self.series.iter().enumerate().map(|(index, series)| (SeriesId::new(index), *series))
    }

    pub(super) fn instance_name(&self, instance: InstanceId) -> &str {
        self.instances.values.get(instance.index()).map_or("", |name| name)
    }

    pub(super) fn sides(&self) -> &[Side] {
        &self.sides.values
    }

    /// The number of a version.
    pub(super) fn side(&self, rollout: &str, version: &str) -> Option<u32> {
        let side = Side { rollout: rollout.into(), version: version.into() };
        self.sides.by_value.get(&side).copied()
    }

    /// The number of the rollout of a version.
    pub(super) fn rollout_of(&self, side: u32) -> Option<u32> {
        self.rollout_of.get(side as usize).copied()
    }

    /// The number of a rollout.
    pub(super) fn rollout(&self, name: &str) -> Option<u32> {
        self.rollouts.by_value.get(name).copied()
    }

    /// The edges of a quantity, by their numbers.
    pub(super) fn edges(&self, quantity: Quantity) -> &[f64] {
        self.edges.get(quantity as usize).map_or(&[], Vec::as_slice)
    }

    /// The kinds of defects, by their numbers.
    pub(super) fn defects(&self) -> &[Arc<str>] {
        &self.defects.values
    }
}

/// The name of an instance: the values of all labels that are not the filter's, and what stands in front of the metrics'
/// names. Two filters in one Envoy count apart, and so one that restarts there says nothing about the other.
fn instance_name(prefix: &str, labels: &[(impl AsRef<str>, impl AsRef<str>)]) -> String {
    let is_own = |name: &str| name.starts_with("llm_") || ["le", "__name__"].contains(&name);
    let of_labels = labels.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
    let mut others: Vec<(&str, &str)> = of_labels.filter(|(name, _)| !is_own(name)).collect();
    others.sort_unstable();
    let mut name: Vec<String> = others.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !prefix.is_empty() {
        name.push(format!("{prefix}*"));
    }
    name.join(" ")
}
