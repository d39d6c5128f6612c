//! The rules of a column other than its domain, each relaxed until the data of the statistics fulfil it.

use sluice_core::column::ColumnKind;
use sluice_core::schema::{Domain, Feature, FeatureType, Lifecycle, Shape, ValueCount};

use crate::schema::infer::value_counts as inferred_counts;
use crate::schema::view::{Lengths, View};

/// What stands for "nearly all" where the share that has a value rounds to 1.
const NEARLY_ALL: f64 = 0.9999;

/// Bounds that are broken become the observed ones; a lower bound of 0 says nothing and goes. Where lists are nested
/// otherwise than the schema says, the numbers are inferred anew.
pub(super) fn value_counts(feature: &mut Feature, view: View<'_>) {
    let Shape::ValueCounts(levels) = &mut feature.shape else { return };
    let observed = view.lengths();
    if levels.len() != observed.len() {
        feature.shape = inferred_counts(view);
        return;
    }
    for (bounds, observed) in levels.iter_mut().zip(&observed) {
        relax_counts(bounds, observed);
    }
}

fn relax_counts(bounds: &mut ValueCount, observed: &Lengths) {
    let count = |length: u64| i64::try_from(length).unwrap_or(i64::MAX);
    if bounds.min.is_some_and(|min| count(observed.min) < min) {
        bounds.min = (observed.min > 0).then(|| count(observed.min));
    }
    if bounds.max.is_some_and(|max| count(observed.max) > max) {
        bounds.max = Some(count(observed.max));
    }
}

/// A shape holds where every row has the same number of values at every level, and as many as the shape.
pub(super) fn shape(feature: &mut Feature, view: View<'_>) {
    let Shape::Fixed(sizes) = &feature.shape else { return };
    let expected = sizes.iter().try_fold(1_i64, |product, size| product.checked_mul(*size));
    let observed = view.lengths().iter().try_fold(1_i64, |product, level| {
        let is_fixed = !level.has_missing && level.min == level.max && level.min > 0;
        product.checked_mul(i64::try_from(level.min).ok().filter(|_| is_fixed)?)
    });
    if observed.is_none() || observed != expected {
        feature.shape = Shape::Any;
    }
}

/// The least count and share become the observed ones.
pub(super) fn presence(feature: &mut Feature, view: View<'_>) {
    let presence = &mut feature.presence;
    if presence.min_count.is_some_and(|min| view.num_present() < min as f64) {
        #[expect(clippy::cast_possible_truncation, reason = "a count, or the whole part of a weight")]
        let observed = view.num_present() as i64;
        presence.min_count = Some(observed);
    }
    let Some(fraction) = view.fraction_present() else { return };
    if presence.min_fraction.is_some_and(|min| fraction < min) {
        presence.min_fraction = Some(fraction);
    }
    if presence.min_fraction.is_some_and(|min| min >= 1.0) && view.num_missing() > 0.0 {
        presence.min_fraction = Some(NEARLY_ALL);
    }
}

/// A column of another type is another column: the schema's one is deprecated. Whole numbers under FLOAT and true and
/// false under BYTES with a `bool_domain` are the same type spelled otherwise, as in validation.
pub(super) fn data_type(feature: &mut Feature, view: View<'_>) {
    let Some(expected) = feature.feature_type else { return };
    let is_spelling = match expected {
        FeatureType::Float => matches!(view.kind(), ColumnKind::Integer | ColumnKind::Unsigned),
        FeatureType::Bytes => {
            *view.kind() == ColumnKind::Boolean && matches!(feature.domain, Some(Domain::Boolean { .. }))
        }
        FeatureType::Int | FeatureType::Struct => false,
    };
    if view.feature_type() != Some(expected) && !is_spelling {
        feature.lifecycle = Lifecycle::Deprecated;
    }
}

/// The number of different values; numbers are not counted unless they are categories.
pub(super) fn unique(feature: &mut Feature, view: View<'_>) {
    let Some(bounds) = &mut feature.unique else { return };
    let is_counted = view.feature_type() == Some(FeatureType::Bytes)
        || matches!(
            feature.domain,
            Some(Domain::Int { is_categorical: true, .. } | Domain::Float { is_categorical: true, .. })
        );
    let Some(distinct) = view.column.distinct.filter(|_| is_counted) else {
        feature.unique = None;
        return;
    };
    let count = i64::try_from(distinct.count).unwrap_or(i64::MAX);
    bounds.min = bounds.min.map(|min| min.min(count));
    bounds.max = bounds.max.map(|max| max.max(count));
}
