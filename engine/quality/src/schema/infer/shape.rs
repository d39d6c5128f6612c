//! How many values rows have: a shape where all rows have the same, else bounds.

use sluice_core::column::ColumnKind;
use sluice_core::schema::{Shape, ValueCount};

use crate::schema::view::{Lengths, View};

/// The one number of values that every row has, level by level; none where rows differ or have none. Structs have
/// no shape, as in TFDV.
pub(super) fn fixed(view: View<'_>) -> Option<Vec<i64>> {
    if matches!(view.kind(), ColumnKind::Struct(_) | ColumnKind::Other(_)) {
        return None;
    }
    let size = |level: &Lengths| {
        let is_fixed = !level.has_missing && level.min == level.max && level.min > 0;
        is_fixed.then_some(i64::try_from(level.min).unwrap_or(i64::MAX))
    };
    view.lengths().iter().map(size).collect()
}

/// Bounds for the number of values: both where all present rows have the same, at least one where none is empty.
pub(crate) fn value_counts(view: View<'_>) -> Shape {
    let bounds = |level: &Lengths| match (level.min, level.max) {
        (0, _) => ValueCount::default(),
        (min, max) if min == max => {
            let count = i64::try_from(min).unwrap_or(i64::MAX);
            ValueCount { min: Some(count), max: Some(count) }
        }
        _ => ValueCount { min: Some(1), max: None },
    };
    let levels = view.lengths();
    match levels.as_slice() {
        [] => Shape::Any,
        [only] if only.min == 0 => Shape::Any,
        levels => Shape::ValueCounts(levels.iter().map(bounds).collect()),
    }
}
