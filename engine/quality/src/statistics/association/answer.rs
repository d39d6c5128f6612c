//! From counts to figures: the places joined to a few ranges, information, correlation and lift.

use std::collections::BTreeMap;

use sluice_core::statistics::{Association, CustomStatistic};

use super::axis::{Axis, Bin};
use super::information::Contingency;
use super::{Joint, LabelAssociation};

/// Ranges of numbers at most.
const MOST_RANGES: u64 = 32;
/// Rows that a cell should hold if the columns had nothing to do with one another.
const ROWS_PER_CELL: u64 = 5;
/// A label with more values than this has no lift.
const LIFT_LABELS: usize = 20;
/// Information that rounding may leave where there is none, in natural units.
const NOISE: f64 = 1e-12;

/// What a column tells about the label.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnAssociation {
    /// The column.
    pub column: String,
    /// How much it tells.
    pub association: Association,
    /// The lift of its values by name (`Lift (Y=y)`), where there is one.
    pub lift: Vec<(String, CustomStatistic)>,
}

/// The figures of every column.
pub(super) fn of(state: &LabelAssociation) -> Vec<ColumnAssociation> {
    let label_places = places(&state.axis, &state.counts);
    let classes = classes(state);
    let of_column = |joint: &Joint| ColumnAssociation {
        column: joint.column.clone(),
        association: association(&state.label, joint, &label_places),
        lift: classes.as_deref().map_or_else(Vec::new, |classes| lift(joint, classes)),
    };
    state.columns.iter().map(of_column).collect()
}

/// The number of the row or column of the final table that each place becomes.
fn places(axis: &Axis, counts: &BTreeMap<Bin, u64>) -> BTreeMap<Bin, usize> {
    let rows: u64 = counts.values().sum();
    let is_value = |bin: &Bin| matches!(bin, Bin::Value(_));
    let values = counts.keys().filter(|bin| is_value(bin)).count();
    let ranges = (rows / ROWS_PER_CELL).isqrt().clamp(2, MOST_RANGES);
    let mut places = BTreeMap::new();
    if axis.is_names() || values as u64 <= ranges {
        places.extend(counts.keys().enumerate().map(|(place, bin)| (*bin, place)));
        return places;
    }
    let total: u64 = counts.iter().filter(|(bin, _)| is_value(bin)).map(|(_, count)| count).sum();
    let mut before = 0;
    // Special places come first in the order, the ranges after them by the middle of their rows.
    let mut specials = 0;
    for (bin, count) in counts {
        if !is_value(bin) {
            places.insert(*bin, specials);
            specials += 1;
            continue;
        }
        let middle = 2 * u128::from(before) + u128::from(*count);
        let range = middle * u128::from(ranges) / (2 * u128::from(total));
        places.insert(*bin, specials + usize::try_from(range).unwrap_or(0));
        before += count;
    }
    places
}

fn association(label: &str, joint: &Joint, label_places: &BTreeMap<Bin, usize>) -> Association {
    let column_places = places(&joint.axis, &joint.counts());
    let place = |places: &BTreeMap<Bin, usize>, bin: &Bin| places.get(bin).copied().unwrap_or(0);
    let table = Contingency::new(
        joint.cells.iter().map(|((x, y), count)| (place(&column_places, x), place(label_places, y), *count)),
    );
    let (information, expected) = (table.mutual_information(), table.expected_mutual_information());
    let (adjusted, most) = (information - expected, table.column_entropy() - expected);
    let is_something = adjusted > NOISE && most > NOISE;
    let is_pair = |(x, y): &(Bin, Bin)| *x != Bin::Null && *y != Bin::Null;
    Association {
        label: label.into(),
        num_rows: joint.cells.iter().filter(|(cell, _)| is_pair(cell)).map(|(_, count)| count).sum(),
        adjusted_mutual_information: if is_something { adjusted / std::f64::consts::LN_2 } else { 0.0 },
        normalized_mutual_information: if is_something { (adjusted / most).clamp(0.0, 1.0) } else { 0.0 },
        correlation: joint.moments.correlation(),
    }
}

/// The values of the label with their rows and names, by name, where lift makes sense of them.
fn classes(state: &LabelAssociation) -> Option<Vec<(Bin, u64, String)>> {
    let is_time = !state.is_number && !state.axis.is_names();
    let values = state.counts.iter().filter(|(bin, _)| matches!(bin, Bin::Value(_)));
    let mut classes: Vec<(Bin, u64, String)> =
        values.filter_map(|(bin, count)| Some((*bin, *count, state.axis.text(*bin)?))).collect();
    if state.axis.is_names() {
        classes.sort_by(|a, b| a.2.cmp(&b.2));
    }
    (state.axis.is_exact() && !is_time && classes.len() <= LIFT_LABELS).then_some(classes)
}

/// `(n_xy / n_x) / (n_y / n)` of every value of a text column, by class; descending, then by value.
fn lift(joint: &Joint, classes: &[(Bin, u64, String)]) -> Vec<(String, CustomStatistic)> {
    if !joint.axis.is_names() || !joint.axis.is_exact() {
        return Vec::new();
    }
    let n: u64 = joint.cells.values().sum();
    let counts = joint.counts();
    let values: Vec<(Bin, u64, String)> =
        counts.iter().filter_map(|(bin, count)| Some((*bin, *count, joint.axis.text(*bin)?))).collect();
    let of_class = |(y, y_count, name): &(Bin, u64, String)| {
        let mut lifts: Vec<(String, f64)> = values
            .iter()
            .map(|(x, x_count, value)| {
                let both = joint.cells.get(&(*x, *y)).copied().unwrap_or(0);
                (value.clone(), (both as f64 / *x_count as f64) / (*y_count as f64 / n as f64))
            })
            .collect();
        lifts.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        (format!("Lift (Y={name})"), CustomStatistic::Counts(lifts))
    };
    if values.is_empty() { Vec::new() } else { classes.iter().map(of_class).collect() }
}
