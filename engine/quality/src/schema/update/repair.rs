//! A feature that contradicts itself, repaired as TFDV does it.

use std::collections::BTreeSet;

use sluice_core::schema::{Domain, Feature, FeatureType, Lifecycle, Shape};

/// Repairs what can be seen without data. A feature of which not even the type is known is deprecated.
pub(super) fn repair(feature: &mut Feature) {
    if !feature.is_live() {
        return;
    }
    let Some(feature_type) = feature.feature_type else {
        if matches!(feature.domain, Some(Domain::Strings { .. })) {
            feature.feature_type = Some(FeatureType::Bytes);
        } else {
            feature.lifecycle = Lifecycle::Deprecated;
        }
        return;
    };
    feature.presence.min_fraction = feature
        .presence
        .min_fraction
        .filter(|share| *share >= 0.0)
        .map(|share| if share > 1.0 { 1.0 } else { share });
    repair_shape(&mut feature.shape);
    if feature.domain.as_ref().is_some_and(|domain| !fits(domain, feature_type)) {
        feature.domain = None;
    }
    match &mut feature.domain {
        Some(Domain::Strings { values, .. }) => {
            let mut known = BTreeSet::new();
            values.retain(|value| known.insert(value.clone()));
        }
        Some(Domain::Boolean { true_value, false_value }) if true_value == false_value => *false_value = None,
        _ => {}
    }
    // A share of values inside means something for lists of strings only.
    if !matches!(feature.domain, Some(Domain::Strings { .. })) {
        feature.min_domain_mass = 1.0;
    }
}

fn repair_shape(shape: &mut Shape) {
    match shape {
        Shape::Fixed(sizes) if sizes.iter().any(|size| *size <= 0) => *shape = Shape::Any,
        Shape::ValueCounts(levels) => {
            for bounds in levels {
                bounds.min = bounds.min.filter(|min| *min >= 0);
                bounds.max = bounds.max.map(|max| max.max(bounds.min.unwrap_or(0)));
            }
        }
        Shape::Any | Shape::Fixed(_) => {}
    }
}

/// Whether a column of this type can have this domain.
pub(super) fn fits(domain: &Domain, feature_type: FeatureType) -> bool {
    use FeatureType::{Bytes, Float, Int, Struct};
    match domain {
        Domain::Strings { .. } => feature_type == Bytes,
        Domain::Boolean { .. } => feature_type != Struct,
        Domain::Int { .. } | Domain::Time { .. } => matches!(feature_type, Int | Bytes),
        Domain::Float { .. } => matches!(feature_type, Float | Bytes),
        Domain::Semantic(name) => match name.as_str() {
            "natural_language_domain" => matches!(feature_type, Bytes | Int),
            "image_domain" | "mid_domain" | "url_domain" => feature_type == Bytes,
            _ => true,
        },
    }
}
