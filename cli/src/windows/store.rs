//! Track as they come, series by series or scrape by scrape → the scrapes of each instance, in order of time.
//!
//! A day of three Envoys has tens of millions of samples. Most of them are as far behind the one before as that was, and have
//! counted little since: such a sample is one byte here.

use super::registry::{InstanceId, SeriesId};
use llm_canary::timestamp::UnixMs;

/// A sample that comes at the usual time, with a value that is greater by a whole number up to this, is one byte.
const STEP_MAX: u8 = 0xef;
/// Another time since the last sample follows, and then the value.
const NEW_INTERVAL: u8 = 0xf0;
/// A difference that is a whole number follows.
const WHOLE: u8 = 0xf1;
/// The value itself follows.
const VALUE: u8 = 0xf2;
/// Numbers up to this are exact as `f64`.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// The last sample of a series.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    at_ms: UnixMs,
    interval_ms: u64,
    value: f64,
}

/// The samples of one series that have not been taken yet.
#[derive(Clone, Debug, Default)]
struct Track {
    bytes: Vec<u8>,
    /// The last one that was written; `None` before the first.
    written: Option<Position>,
    /// The next that is read, where it ends, and the last one that was read.
    next: Option<Position>,
    read: Position,
    at: usize,
    first_ms: UnixMs,
    /// What it has counted since its first sample.
    growth: f64,
}

/// Why a sample cannot be taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disorder {
    /// It is older than the one before of its series.
    Older,
    /// Its series has another value at the same time.
    TwoValues,
}

/// All samples that have not been taken yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    series: Vec<Track>,
    instances: Vec<OfInstance>,
}

/// What an instance has.
#[derive(Clone, Debug, Default)]
struct OfInstance {
    series: Vec<SeriesId>,
    /// The time of its first sample; `None` before.
    first_ms: Option<UnixMs>,
}

impl Track {
    fn push(&mut self, at_ms: UnixMs, value: f64) -> Result<(), Disorder> {
        let last = self.written.unwrap_or_default();
        if self.written.is_some() {
            if at_ms < last.at_ms {
                return Err(Disorder::Older);
            }
            if at_ms == last.at_ms {
                let is_same =
                    value.to_bits() == last.value.to_bits() || value.is_nan() && last.value.is_nan();
                return if is_same { Ok(()) } else { Err(Disorder::TwoValues) };
            }
            self.growth += if value >= last.value { value - last.value } else { value.max(0.0) };
        } else {
            self.first_ms = at_ms;
        }
        let interval_ms = at_ms - last.at_ms;
        if interval_ms != last.interval_ms {
            self.bytes.push(NEW_INTERVAL);
            write_number(&mut self.bytes, interval_ms);
        }
        let change = value - last.value;
        let is_exact = value.abs() <= EXACT_MAX && last.value.abs() <= EXACT_MAX && change.fract() == 0.0;
        // A NaN is not exact, nor is any sum with it.
        if is_exact && last.value + change == value {
            if change >= 0.0 && change <= f64::from(STEP_MAX) {
                self.bytes.push(change as u8);
            } else {
                self.bytes.push(WHOLE);
                // The sign is the lowest bit.
                write_number(&mut self.bytes, (change.abs() as u64) << 1 | u64::from(change < 0.0));
            }
        } else {
            self.bytes.push(VALUE);
            self.bytes.extend(value.to_le_bytes());
        }
        self.written = Some(Position { at_ms, interval_ms, value });
        Ok(())
    }

    /// The next sample, without taking it.
    fn peek(&mut self) -> Option<Position> {
        if self.next.is_none() && self.at < self.bytes.len() {
            let mut rest = self.bytes.get(self.at..)?;
            self.next = read(&mut rest, self.read);
            self.at = self.bytes.len() - rest.len();
        }
        self.next
    }

    /// Takes it; returns the one behind it.
    fn take(&mut self) -> Option<Position> {
        self.read = self.next.take().unwrap_or(self.read);
        if self.at == self.bytes.len() {
            self.bytes.clear();
            self.at = 0;
            return None;
        }
        self.peek()
    }
}

/// Reads a sample that follows another.
fn read(bytes: &mut &[u8], last: Position) -> Option<Position> {
    let mut token = read_byte(bytes)?;
    let mut interval_ms = last.interval_ms;
    if token == NEW_INTERVAL {
        interval_ms = read_number(bytes)?;
        token = read_byte(bytes)?;
    }
    let value = match token {
        WHOLE => {
            let number = read_number(bytes)?;
            let change = (number >> 1) as f64;
            last.value + if number & 1 == 1 { -change } else { change }
        }
        VALUE => {
            let (value, rest) = bytes.split_first_chunk::<8>()?;
            *bytes = rest;
            f64::from_le_bytes(*value)
        }
        change => last.value + f64::from(change),
    };
    Some(Position { at_ms: last.at_ms.saturating_add(interval_ms), interval_ms, value })
}

fn read_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*byte)
}

/// Seven bits a byte, the lowest first.
fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0_u64, 0);
    loop {
        let byte = read_byte(bytes)?;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(number);
        }
        shift += 7;
    }
}

impl Store {
    /// Adds a sample of a series, which must come in order of time.
    pub(super) fn push(
        &mut self,
        instance: InstanceId,
        series: SeriesId,
        at_ms: UnixMs,
        value: f64,
    ) -> Result<(), Disorder> {
        if self.series.len() <= series.index() {
            self.series.resize_with(series.index() + 1, Track::default);
        }
        let Some(samples) = self.series.get_mut(series.index()) else { return Ok(()) };
        if samples.written.is_none() {
            if self.instances.len() <= instance.index() {
                self.instances.resize_with(instance.index() + 1, OfInstance::default);
            }
            if let Some(of_instance) = self.instances.get_mut(instance.index()) {
                of_instance.series.push(series);
                of_instance.first_ms = Some(of_instance.first_ms.map_or(at_ms, |first| first.min(at_ms)));
            }
        }
        samples.push(at_ms, value)
    }

    /// What a series has counted since its instance was first seen: a series that came later began at 0.
    pub(super) fn growth(&self, instance: InstanceId, series: SeriesId) -> f64 {
        let first_ms = self.instances.get(instance.index()).and_then(|of_instance| of_instance.first_ms);
        let Some(samples) = self.series.get(series.index()) else { return 0.0 };
        let value = samples.written.map_or(0.0, |last| last.value);
        // What came later began at 0. A reset has been counted from 0 as well.
        if first_ms.is_some_and(|first| first < samples.first_ms) {
            samples.growth.max(value)
        } else {
            samples.growth
        }
    }

    /// The last value of a series.
    pub(super) fn last(&self, series: SeriesId) -> Option<f64> {
        self.series.get(series.index())?.written.map(|last| last.value)
    }

    /// Takes all samples, scrape by scrape, in order of time; of one time in order of the instances.
    pub(super) fn drain(&mut self, mut on_scrape: impl FnMut(InstanceId, UnixMs, &[(SeriesId, f64)])) {
        let mut scrape = Vec::new();
        let mut due: Vec<Option<UnixMs>> = Vec::new();
        for of_instance in &self.instances {
            due.push(of_instance.series.iter().filter_map(|id| next_ms(&mut self.series, *id)).min());
        }
        loop {
            let times = due.iter().enumerate().filter_map(|(index, due)| Some(((*due)?, index)));
            let Some((at_ms, index)) = times.min() else { return };
            scrape.clear();
            let mut next_due = None;
            for id in self.instances.get(index).into_iter().flat_map(|of_instance| &of_instance.series) {
                let Some(samples) = self.series.get_mut(id.index()) else { continue };
                // Each was looked at before.
                let mut next = samples.next;
                if let Some(sample) = next.filter(|sample| sample.at_ms == at_ms) {
                    scrape.push((*id, sample.value));
                    next = samples.take();
                }
                if let Some(next) = next {
                    next_due = Some(next_due.map_or(next.at_ms, |due: UnixMs| due.min(next.at_ms)));
                }
            }
            if let Some(due) = due.get_mut(index) {
                *due = next_due;
            }
            on_scrape(InstanceId::new(index), at_ms, &scrape);
        }
    }
}

fn next_ms(series: &mut [Track], id: SeriesId) -> Option<UnixMs> {
    Some(series.get_mut(id.index())?.peek()?.at_ms)
}

#[cfg(test)]
mod tests {
    use super::{Disorder, Store};
    use crate::windows::registry::{InstanceId, SeriesId};
    use proptest::prelude::*;

    type Sample = (usize, usize, u64, f64);

    /// Pushes samples; returns them scrape by scrape.
    fn drained(store: &mut Store, samples: &[Sample]) -> Vec<Sample> {
        for (instance, series, at_ms, value) in samples {
            let (instance, series) = (InstanceId::new(*instance), SeriesId::new(*series));
            assert_eq!(store.push(instance, series, *at_ms, *value), Ok(()));
        }
        let mut all = Vec::new();
        store.drain(|instance, at_ms, scrape| {
            all.extend(scrape.iter().map(|(id, value)| (instance.index(), id.index(), at_ms, *value)));
        });
        assert!(all.is_sorted_by_key(|(instance, _, at_ms, _)| (*at_ms, *instance)));
        all.sort_by_key(|(instance, series, at_ms, _)| (*at_ms, *instance, *series));
        all
    }

    #[test]
    fn scrapes_come_in_order_of_time() {
        let by_series = [
            (0, 0, 10, 1.0),
            (0, 0, 20, 2.5),
            (1, 1, 5, 7.0),
            (1, 1, 15, 3.0),
            (0, 2, 20, 1e300),
            (0, 2, 25, 0.0),
        ];
        let mut store = Store::default();
        let mut expect = by_series.to_vec();
        expect.sort_by_key(|(instance, series, at, _)| (*at, *instance, *series));
        assert_eq!(drained(&mut store, &by_series), expect);
        // What is added later follows.
        assert_eq!(drained(&mut store, &[(0, 0, 30, 2.5)]), [(0, 0, 30, 2.5)]);
        assert_eq!(drained(&mut store, &[]), []);
    }

    #[test]
    fn disorder_is_named() {
        let mut store = Store::default();
        let mut push = |at, value| store.push(InstanceId::new(0), SeriesId::new(0), at, value);
        assert_eq!(push(10, 1.0), Ok(()));
        assert_eq!(push(10, 1.0), Ok(()), "the same sample again");
        assert_eq!(push(10, 2.0), Err(Disorder::TwoValues));
        assert_eq!(push(9, 2.0), Err(Disorder::Older));
        assert_eq!(push(11, f64::NAN), Ok(()));
        assert_eq!(push(11, f64::NAN), Ok(()));
    }

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            (0_u64..1_000).prop_map(|whole| whole as f64),
            any::<u64>().prop_map(|whole| whole as f64),
            any::<f64>().prop_map(|value| value + 0.0),
            Just(f64::NAN),
            Just(f64::INFINITY),
        ]
    }

    proptest! {
        #[test]
        fn every_value_comes_back(samples in prop::collection::vec((0_usize..3, 1_u64..100_000, value()), 0..200)) {
            let mut times = [0_u64; 3];
            let samples: Vec<Sample> = samples.into_iter().map(|(series, interval, value)| {
                let at = &mut times[series];
                *at += interval;
                (series % 2, series, *at, value)
            }).collect();
            let mut expect = samples.clone();
            expect.sort_by_key(|(instance, series, at, _)| (*at, *instance, *series));
            let bits = |samples: Vec<Sample>| -> Vec<_> {
                samples.into_iter().map(|(instance, series, at, value)| (instance, series, at, value.to_bits())).collect()
            };
            prop_assert_eq!(bits(drained(&mut Store::default(), &samples)), bits(expect));
        }
    }
}
