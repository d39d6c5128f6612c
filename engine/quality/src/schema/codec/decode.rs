//! The plain schema of a message.

use std::collections::BTreeSet;

use prost_reflect::DynamicMessage;
use sluice_core::schema::{
    Comparator, Feature, Lifecycle, PresenceConstraint, RowsComparator, Schema, Shape, SparseFeature,
    UniqueConstraint, ValueCount, WeightedFeature,
};

use super::domain::{Shared, decode_domain};
use super::{QUANTILES, STAGES, TYPES};
use crate::error::QualityError;
use crate::protobuf::Fields;

/// The plain schema of a message.
///
/// # Errors
/// [`QualityError::NameMissing`], [`QualityError::NameRepeated`], [`QualityError::DomainMissing`].
pub(crate) fn decode(schema: &DynamicMessage, file: &str) -> Result<Schema, QualityError> {
    let shared = Shared::of(schema, file)?;
    let limits = schema.message("dataset_constraints");
    let limit = |name: &str| limits.as_ref().and_then(|limits| limits.integer(name));
    let comparator = |name: &str| {
        let comparator = limits.as_ref().and_then(|limits| limits.message(name))?;
        Some(RowsComparator {
            min_fraction: comparator.double("min_fraction_threshold"),
            max_fraction: comparator.double("max_fraction_threshold"),
        })
    };
    let sparse: Vec<_> = schema.messages("sparse_feature").iter().map(decode_sparse).collect();
    let weighted: Vec<_> = schema.messages("weighted_feature").iter().map(decode_weighted).collect();
    once(sparse.iter().map(|feature| feature.name.as_str()), "sparse feature", file)?;
    once(weighted.iter().map(|feature| feature.name.as_str()), "weighted feature", file)?;
    Ok(Schema {
        features: decode_features(schema, &[], &shared, file)?,
        sparse_features: sparse,
        weighted_features: weighted,
        default_environments: schema.texts("default_environment"),
        min_rows: limit("min_examples_count"),
        max_rows: limit("max_examples_count"),
        rows_drift: comparator("num_examples_drift_comparator"),
        rows_version: comparator("num_examples_version_comparator"),
    })
}

/// The features of the schema, or the fields of a struct.
fn decode_features(
    owner: &DynamicMessage,
    above: &[&str],
    shared: &Shared,
    file: &str,
) -> Result<Vec<Feature>, QualityError> {
    let mut features: Vec<Feature> = Vec::new();
    for (index, message) in owner.messages("feature").iter().enumerate() {
        let Some(name) = message.text("name").filter(|name| !name.is_empty()) else {
            let owner = above.join(".");
            return Err(QualityError::NameMissing { file: file.into(), position: index + 1, owner });
        };
        let mut steps = above.to_vec();
        steps.push(&name);
        features.push(decode_feature(message, &steps, shared, file)?);
    }
    let what = if above.is_empty() { "feature" } else { "field" };
    once(features.iter().map(|feature| feature.name.as_str()), what, file)?;
    Ok(features)
}

/// Every name occurs once.
fn once<'a>(
    names: impl Iterator<Item = &'a str>,
    what: &'static str,
    file: &str,
) -> Result<(), QualityError> {
    let mut known = BTreeSet::new();
    for name in names {
        if !known.insert(name) {
            return Err(QualityError::NameRepeated { file: file.into(), what, name: name.into() });
        }
    }
    Ok(())
}

fn decode_feature(
    message: &DynamicMessage,
    steps: &[&str],
    shared: &Shared,
    file: &str,
) -> Result<Feature, QualityError> {
    let name = steps.last().copied().unwrap_or_default();
    let presence =
        message.message("presence").map_or_else(PresenceConstraint::default, |presence| PresenceConstraint {
            min_fraction: presence.double("min_fraction"),
            min_count: presence.integer("min_count"),
        });
    let mass =
        message.message("distribution_constraints").and_then(|limits| limits.double("min_domain_mass"));
    let fields = match message.message("struct_domain") {
        Some(fields) => decode_features(&fields, steps, shared, file)?,
        None => Vec::new(),
    };
    Ok(Feature {
        feature_type: message.number("type").and_then(|number| {
            TYPES.iter().find(|(known, _)| *known == number).map(|(_, feature_type)| *feature_type)
        }),
        presence,
        shape: decode_shape(message),
        domain: decode_domain(message, &steps.join("."), shared, file)?,
        min_domain_mass: mass.unwrap_or(1.0),
        unique: message
            .message("unique_constraints")
            .map(|bounds| UniqueConstraint { min: bounds.integer("min"), max: bounds.integer("max") }),
        lifecycle: if message.truth("deprecated") { Lifecycle::Deprecated } else { stage(message) },
        in_environment: message.texts("in_environment"),
        not_in_environment: message.texts("not_in_environment"),
        drift: message.message("drift_comparator").as_ref().map(decode_comparator),
        skew: message.message("skew_comparator").as_ref().map(decode_comparator),
        fields,
        ..Feature::new(name)
    })
}

fn stage(message: &DynamicMessage) -> Lifecycle {
    let stage = message.number("lifecycle_stage").unwrap_or(0);
    STAGES.iter().find(|(number, _)| *number == stage).map_or(Lifecycle::Unknown, |(_, stage)| *stage)
}

fn decode_shape(message: &DynamicMessage) -> Shape {
    let count = |count: &DynamicMessage| ValueCount { min: count.integer("min"), max: count.integer("max") };
    if let Some(shape) = message.message("shape") {
        let sizes = shape.messages("dim").iter().map(|dim| dim.integer("size").unwrap_or(0)).collect();
        return Shape::Fixed(sizes);
    }
    if let Some(counts) = message.message("value_counts") {
        return Shape::ValueCounts(counts.messages("value_count").iter().map(count).collect());
    }
    message.message("value_count").map_or(Shape::Any, |one| Shape::ValueCounts(vec![count(&one)]))
}

fn decode_comparator(message: &DynamicMessage) -> Comparator {
    let threshold = |name: &str| message.message(name).and_then(|distance| distance.double("threshold"));
    let source = message
        .message("jensen_shannon_divergence")
        .and_then(|distance| distance.message("source"))
        .and_then(|source| source.number("type"));
    Comparator {
        infinity_norm: threshold("infinity_norm"),
        jensen_shannon_divergence: threshold("jensen_shannon_divergence"),
        on_quantiles: source == Some(QUANTILES),
        normalized_absolute_difference: threshold("normalized_abs_difference"),
    }
}

fn decode_sparse(message: &DynamicMessage) -> SparseFeature {
    let name = |message: &DynamicMessage| message.text("name").unwrap_or_default();
    SparseFeature {
        name: name(message),
        index_columns: message.messages("index_feature").iter().map(name).collect(),
        value_column: message.message("value_feature").as_ref().map(name).unwrap_or_default(),
        lifecycle: if message.truth("deprecated") { Lifecycle::Deprecated } else { stage(message) },
    }
}

fn decode_weighted(message: &DynamicMessage) -> WeightedFeature {
    let path = |name: &str| message.message(name).map(|path| path.texts("step")).unwrap_or_default();
    WeightedFeature {
        name: message.text("name").unwrap_or_default(),
        value_path: path("feature"),
        weight_path: path("weight_feature"),
        lifecycle: stage(message),
    }
}
