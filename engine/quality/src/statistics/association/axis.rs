//! The few places into which the values of a column fall, one pass and no look ahead.
//!
//! **Numbers** fall into ranges of the ordered line of all `f64` (or of whole numbers, for days and instants): the
//! place of a value in that order, without its last `shift` bits. `shift` begins at 0, where every value has a range of
//! its own, and grows by one whenever more than `capacity` ranges are taken: the uniform collapse of `UDDSketch`
//! (Epicoco et al. 2020) with the bits of the format in the place of a logarithm. More rows only make it grow, so it is
//! the least one that serves all rows: the same for any order, layout and cut.
//!
//! **Names** are themselves until there are more than twice `capacity`; then the `capacity` most frequent ones stay
//! (of equals, those with the smaller hash), and the others are one place together. A name that comes back starts
//! anew, so beyond that limit the counts follow the order of the rows.
//!
//! Null is a place of its own, and NaN; infinities are numbers. -0 counts as 0.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Date32Type, TimestampMicrosecondType, TimestampNanosecondType};
use serde::{Deserialize, Serialize};

use sluice_core::column::{Column, ColumnKind, numbers};
use sluice_core::error::Result;
use sluice_summaries::hash_bytes;

/// Bytes of a name that are shown.
const SHOWN_BYTES: usize = 256;
/// The sign of 64-bit numbers.
const SIGN: u64 = 1 << 63;

/// Where a value falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Bin {
    /// No value.
    Null,
    /// Not a number.
    Nan,
    /// A name that is not among the frequent ones.
    Other,
    /// The place of a number without its last bits, or the hash of a name.
    Value(u64),
}

/// Where the values of one column fall.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Axis {
    /// Ranges, or half the names, at most.
    capacity: u32,
    scale: Scale,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Scale {
    /// By how many bits the places are shortened.
    Numbers { shift: u32 },
    /// The names by hash, and whether some are no longer told apart.
    Names { names: BTreeMap<u64, Box<str>>, is_cut: bool },
}

/// What to do with places that were given out before.
pub(super) enum Change {
    /// Nothing.
    None,
    /// Shorten them by so many bits.
    Shorten(u32),
    /// Put these together.
    Forget(BTreeSet<u64>),
}

impl Change {
    pub(super) fn apply(&self, bin: Bin) -> Bin {
        match (self, bin) {
            (Self::Shorten(bits), Bin::Value(place)) => Bin::Value(shorten(place, *bits)),
            (Self::Forget(names), Bin::Value(name)) if names.contains(&name) => Bin::Other,
            _ => bin,
        }
    }
}

fn shorten(place: u64, bits: u32) -> u64 {
    place.checked_shr(bits).unwrap_or(0)
}

/// Place of a number on the ordered line.
fn place_of_float(value: f64) -> u64 {
    let bits = if value == 0.0 { 0 } else { value.to_bits() };
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

fn float_at(place: u64) -> f64 {
    f64::from_bits(if place & SIGN == 0 { !place } else { place & !SIGN })
}

impl Axis {
    /// The axis of a column of this kind; none where values are neither numbers, times nor text.
    pub(super) fn of(kind: &ColumnKind, capacity: u32) -> Option<Self> {
        let scale = match kind {
            ColumnKind::Text => Scale::Names { names: BTreeMap::new(), is_cut: false },
            ColumnKind::Date | ColumnKind::Timestamp { .. } => Scale::Numbers { shift: 0 },
            kind if kind.is_number() => Scale::Numbers { shift: 0 },
            _ => return None,
        };
        Some(Self { capacity, scale })
    }

    /// The same, with nothing seen.
    pub(super) fn empty(&self) -> Self {
        let scale = match &self.scale {
            Scale::Numbers { .. } => Scale::Numbers { shift: 0 },
            Scale::Names { .. } => Scale::Names { names: BTreeMap::new(), is_cut: false },
        };
        Self { capacity: self.capacity, scale }
    }

    /// Whether both take the same kind of values.
    pub(super) fn fits(&self, other: &Self) -> bool {
        let is_names = |axis: &Self| matches!(axis.scale, Scale::Names { .. });
        is_names(self) == is_names(other) && self.capacity == other.capacity
    }

    pub(super) fn is_names(&self) -> bool {
        matches!(self.scale, Scale::Names { .. })
    }

    /// Whether every value still has a place of its own.
    pub(super) fn is_exact(&self) -> bool {
        match &self.scale {
            Scale::Numbers { shift } => *shift == 0,
            Scale::Names { is_cut, .. } => !is_cut,
        }
    }

    /// The value at a place, as text; for exact axes of names and of numbers that are no times.
    pub(super) fn text(&self, bin: Bin) -> Option<String> {
        match (bin, &self.scale) {
            (Bin::Value(place), Scale::Numbers { shift: 0 }) => Some(float_at(place).to_string()),
            (Bin::Value(hash), Scale::Names { names, .. }) => {
                names.get(&hash).map(|name| (**name).to_owned())
            }
            _ => None,
        }
    }

    /// Where the values of a batch fall; names are remembered.
    pub(super) fn bins(&mut self, column: &str, values: &ArrayRef) -> Result<Vec<Bin>> {
        let rows = values.len();
        let whole = |value: i64, shift: u32| Bin::Value(shorten(value.cast_unsigned() ^ SIGN, shift));
        let bins = |iterator: &mut dyn Iterator<Item = Option<i64>>, shift: u32| {
            iterator.map(|value| value.map_or(Bin::Null, |value| whole(value, shift))).collect()
        };
        Ok(match (&mut self.scale, Column::view(values)) {
            (_, Column::Null(_)) => vec![Bin::Null; rows],
            (Scale::Names { names, .. }, view @ (Column::Text(_) | Column::CodedText(..))) => {
                (0..rows).map(|row| view.text(row).map_or(Bin::Null, |name| remember(names, name))).collect()
            }
            (Scale::Numbers { shift }, Column::Date(_)) => {
                let days = values.as_primitive::<Date32Type>();
                bins(&mut days.iter().map(|day| day.map(i64::from)), *shift)
            }
            (Scale::Numbers { shift }, Column::TimestampMicrosecond(_)) => {
                bins(&mut values.as_primitive::<TimestampMicrosecondType>().iter(), *shift)
            }
            (Scale::Numbers { shift }, Column::TimestampNanosecond(_)) => {
                bins(&mut values.as_primitive::<TimestampNanosecondType>().iter(), *shift)
            }
            (Scale::Numbers { shift }, _) => {
                let bin = |value: f64| {
                    if value.is_nan() { Bin::Nan } else { Bin::Value(shorten(place_of_float(value), *shift)) }
                };
                let values = numbers(column, values, "an association with the label")?;
                values.iter().map(|value| value.map_or(Bin::Null, bin)).collect()
            }
            (Scale::Names { .. }, _) => {
                numbers(column, values, "an association with the label")?;
                vec![Bin::Null; rows]
            }
        })
    }

    /// Takes over what a later axis knows; answers what is to be done with the places of both.
    pub(super) fn join(&mut self, later: Self) -> (Change, Change) {
        match (&mut self.scale, later.scale) {
            (Scale::Numbers { shift }, Scale::Numbers { shift: theirs }) => {
                let mine = *shift;
                *shift = std::cmp::max(mine, theirs);
                (Change::Shorten(*shift - mine), Change::Shorten(*shift - theirs))
            }
            (Scale::Names { names, is_cut }, Scale::Names { names: theirs, is_cut: cut }) => {
                theirs.into_iter().for_each(|(hash, name)| {
                    names.entry(hash).or_insert(name);
                });
                *is_cut |= cut;
                (Change::None, Change::None)
            }
            _ => (Change::None, Change::None),
        }
    }

    /// Makes room when too many places are taken; `counts` says how often each occurs.
    pub(super) fn make_room(&mut self, counts: &BTreeMap<Bin, u64>) -> Change {
        let capacity = std::cmp::max(self.capacity, 1) as usize;
        let taken = |counts: &BTreeMap<Bin, u64>| -> Vec<(u64, u64)> {
            let place = |(bin, count): (&Bin, &u64)| match bin {
                Bin::Value(place) => Some((*place, *count)),
                _ => None,
            };
            counts.iter().filter_map(place).collect()
        };
        match &mut self.scale {
            Scale::Numbers { shift } => {
                let places: Vec<u64> = taken(counts).into_iter().map(|(place, _)| place).collect();
                let mut bits = 0;
                // Places ascend, so equal ones are neighbours however many bits are left out.
                while distinct_neighbours(&places, bits) > capacity {
                    bits += 1;
                }
                *shift = shift.saturating_add(bits);
                if bits == 0 { Change::None } else { Change::Shorten(bits) }
            }
            Scale::Names { names, is_cut } => {
                let mut all = taken(counts);
                if all.len() <= 2 * capacity {
                    return Change::None;
                }
                all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
                let forgotten: BTreeSet<u64> = all[capacity..].iter().map(|(name, _)| *name).collect();
                names.retain(|name, _| !forgotten.contains(name));
                *is_cut = true;
                Change::Forget(forgotten)
            }
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        match &self.scale {
            Scale::Numbers { .. } => 0,
            Scale::Names { names, .. } => names.values().map(|name| 32 + name.len()).sum(),
        }
    }
}

fn distinct_neighbours(places: &[u64], bits: u32) -> usize {
    let changes = places.windows(2).filter(|pair| shorten(pair[0], bits) != shorten(pair[1], bits)).count();
    if places.is_empty() { 0 } else { changes + 1 }
}

fn remember(names: &mut BTreeMap<u64, Box<str>>, name: &str) -> Bin {
    let hash = hash_bytes(name.as_bytes());
    names.entry(hash).or_insert_with(|| {
        if name.len() <= SHOWN_BYTES {
            return Box::from(name);
        }
        format!("{}… {hash:016x}", &name[..name.floor_char_boundary(SHOWN_BYTES)]).into()
    });
    Bin::Value(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_ordered_and_goes_back() {
        let values =
            [f64::NEG_INFINITY, -1e300, -2.0, -1e-300, 0.0, 5e-324, 1.0, 1.5, f64::MAX, f64::INFINITY];
        assert!(values.windows(2).all(|pair| place_of_float(pair[0]) < place_of_float(pair[1])));
        assert!(values.iter().all(|value| float_at(place_of_float(*value)).to_bits() == value.to_bits()));
        assert_eq!(place_of_float(-0.0), place_of_float(0.0));
    }

    #[test]
    fn ranges_grow_only_as_far_as_they_must() {
        let mut axis = Axis::of(&ColumnKind::Float, 8).unwrap();
        let counts = |values: &[f64]| -> BTreeMap<Bin, u64> {
            values.iter().map(|value| (Bin::Value(place_of_float(*value)), 1)).collect()
        };
        let years: Vec<f64> = (2013..2021).map(f64::from).collect();
        assert!(matches!(axis.make_room(&counts(&years)), Change::None));
        assert!(axis.is_exact());
        let years: Vec<f64> = (2013..2022).map(f64::from).collect();
        assert!(matches!(axis.make_room(&counts(&years)), Change::Shorten(43)), "two years a range");
    }

    #[test]
    fn frequent_names_stay() {
        let mut axis = Axis::of(&ColumnKind::Text, 2).unwrap();
        let Scale::Names { names, .. } = &mut axis.scale else { unreachable!() };
        let counts: BTreeMap<Bin, u64> = [("a", 1), ("b", 9), ("c", 2), ("d", 1), ("e", 7)]
            .map(|(name, count)| (remember(names, name), count))
            .into();
        let change = axis.make_room(&counts);
        let kept = |name: &str| change.apply(Bin::Value(hash_bytes(name.as_bytes()))) != Bin::Other;
        assert_eq!(["a", "b", "c", "d", "e"].map(kept), [false, true, false, false, true]);
        assert!(!axis.is_exact());
    }
}
