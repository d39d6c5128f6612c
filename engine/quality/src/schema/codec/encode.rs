//! The message of a plain schema.

use std::collections::BTreeSet;

use prost_reflect::{DynamicMessage, Value};
use sluice_core::schema::{
    Comparator, Feature, Lifecycle, PresenceConstraint, RowsComparator, Schema, Shape, SparseFeature,
    ValueCount, WeightedFeature,
};

use super::domain::encode_domain;
use super::{QUANTILES, STAGES, TYPES};
use crate::protobuf::{Fields, message};

/// Collects the lists of strings that features name.
pub(super) struct Encoder<'a> {
    /// In the order of the features.
    lists: Vec<(String, DynamicMessage)>,
    /// The steps to features whose list stands in the feature itself.
    inline: &'a BTreeSet<Vec<String>>,
}

impl Encoder<'_> {
    /// Whether the list stands at the top of the file under its name. Not where the feature has its own, or the name
    /// is another list's.
    pub(super) fn share(&mut self, name: &str, list: &DynamicMessage, steps: &[String]) -> bool {
        if self.inline.contains(steps) {
            return false;
        }
        match self.lists.iter().find(|(known, _)| known == name) {
            Some((_, known)) => known == list,
            None => {
                self.lists.push((name.to_owned(), list.clone()));
                true
            }
        }
    }
}

/// The message of a plain schema; the features at `inline` keep their list of strings to themselves.
pub(crate) fn encode(schema: &Schema, inline: &BTreeSet<Vec<String>>) -> DynamicMessage {
    let mut encoded = message("Schema");
    let mut encoder = Encoder { lists: Vec::new(), inline };
    put_messages(&mut encoded, "feature", encode_features(&schema.features, &[], &mut encoder));
    let lists = encoder.lists.into_iter().map(|(_, list)| list).collect();
    put_messages(&mut encoded, "string_domain", lists);
    put_texts(&mut encoded, "default_environment", &schema.default_environments);
    put_messages(&mut encoded, "sparse_feature", schema.sparse_features.iter().map(encode_sparse).collect());
    let weighted = schema.weighted_features.iter().map(encode_weighted).collect();
    put_messages(&mut encoded, "weighted_feature", weighted);
    let mut limits = message("DatasetConstraints");
    limits.put_integer("min_examples_count", schema.min_rows);
    limits.put_integer("max_examples_count", schema.max_rows);
    for (name, comparator) in [
        ("num_examples_drift_comparator", &schema.rows_drift),
        ("num_examples_version_comparator", &schema.rows_version),
    ] {
        if let Some(comparator) = comparator {
            limits.put(name, Value::Message(encode_rows(comparator)));
        }
    }
    if limits.fields().next().is_some() {
        encoded.put("dataset_constraints", Value::Message(limits));
    }
    encoded
}

fn put_messages(owner: &mut DynamicMessage, name: &str, messages: Vec<DynamicMessage>) {
    if !messages.is_empty() {
        owner.put_messages(name, messages);
    }
}

fn put_texts(owner: &mut DynamicMessage, name: &str, texts: &[String]) {
    if !texts.is_empty() {
        owner.put_texts(name, texts);
    }
}

fn put_double(owner: &mut DynamicMessage, name: &str, value: Option<f64>) {
    if let Some(value) = value {
        owner.put(name, Value::F64(value));
    }
}

fn encode_rows(comparator: &RowsComparator) -> DynamicMessage {
    let mut encoded = message("NumericValueComparator");
    put_double(&mut encoded, "min_fraction_threshold", comparator.min_fraction);
    put_double(&mut encoded, "max_fraction_threshold", comparator.max_fraction);
    encoded
}

fn encode_features(features: &[Feature], above: &[String], encoder: &mut Encoder<'_>) -> Vec<DynamicMessage> {
    features
        .iter()
        .map(|feature| {
            let mut steps = above.to_vec();
            steps.push(feature.name.clone());
            encode_feature(feature, &steps, encoder)
        })
        .collect()
}

fn encode_feature(feature: &Feature, steps: &[String], encoder: &mut Encoder<'_>) -> DynamicMessage {
    let mut encoded = message("Feature");
    encoded.put_text("name", &feature.name);
    if let Some((number, _)) = TYPES.iter().find(|(_, known)| Some(*known) == feature.feature_type) {
        encoded.put("type", Value::EnumNumber(*number));
    }
    if feature.presence != PresenceConstraint::default() {
        let mut presence = message("FeaturePresence");
        put_double(&mut presence, "min_fraction", feature.presence.min_fraction);
        presence.put_integer("min_count", feature.presence.min_count);
        encoded.put("presence", Value::Message(presence));
    }
    encode_shape(&mut encoded, &feature.shape);
    if feature.min_domain_mass.to_bits() != 1.0_f64.to_bits() {
        let mut limits = message("DistributionConstraints");
        put_double(&mut limits, "min_domain_mass", Some(feature.min_domain_mass));
        encoded.put("distribution_constraints", Value::Message(limits));
    }
    put_stage(&mut encoded, feature.lifecycle);
    if let Some(bounds) = feature.unique {
        let mut unique = message("UniqueConstraints");
        unique.put_integer("min", bounds.min);
        unique.put_integer("max", bounds.max);
        encoded.put("unique_constraints", Value::Message(unique));
    }
    put_texts(&mut encoded, "in_environment", &feature.in_environment);
    put_texts(&mut encoded, "not_in_environment", &feature.not_in_environment);
    for (name, comparator) in [("drift_comparator", &feature.drift), ("skew_comparator", &feature.skew)] {
        if let Some(comparator) = comparator {
            encoded.put(name, Value::Message(encode_comparator(comparator)));
        }
    }
    if let Some(domain) = &feature.domain {
        encode_domain(&mut encoded, domain, steps, encoder);
    }
    if !feature.fields.is_empty() {
        let mut fields = message("StructDomain");
        put_messages(&mut fields, "feature", encode_features(&feature.fields, steps, encoder));
        encoded.put("struct_domain", Value::Message(fields));
    }
    encoded
}

fn put_stage(owner: &mut DynamicMessage, lifecycle: Lifecycle) {
    if let Some((number, _)) = STAGES.iter().find(|(_, stage)| *stage == lifecycle) {
        owner.put("lifecycle_stage", Value::EnumNumber(*number));
    }
}

fn encode_shape(feature: &mut DynamicMessage, shape: &Shape) {
    let count = |bounds: &ValueCount| {
        let mut count = message("ValueCount");
        count.put_integer("min", bounds.min);
        count.put_integer("max", bounds.max);
        count
    };
    match shape {
        Shape::Any => {}
        Shape::Fixed(sizes) => {
            let dimension = |size: &i64| {
                let mut dimension = message("FixedShape.Dim");
                dimension.put_integer("size", Some(*size));
                dimension
            };
            let mut shape = message("FixedShape");
            put_messages(&mut shape, "dim", sizes.iter().map(dimension).collect());
            feature.put("shape", Value::Message(shape));
        }
        Shape::ValueCounts(levels) => match levels.as_slice() {
            [only] => feature.put("value_count", Value::Message(count(only))),
            levels => {
                let mut counts = message("ValueCountList");
                put_messages(&mut counts, "value_count", levels.iter().map(count).collect());
                feature.put("value_counts", Value::Message(counts));
            }
        },
    }
}

fn encode_comparator(comparator: &Comparator) -> DynamicMessage {
    let mut encoded = message("FeatureComparator");
    for (field, kind, threshold) in [
        ("infinity_norm", "InfinityNorm", comparator.infinity_norm),
        ("jensen_shannon_divergence", "JensenShannonDivergence", comparator.jensen_shannon_divergence),
        (
            "normalized_abs_difference",
            "NormalizedAbsoluteDifference",
            comparator.normalized_absolute_difference,
        ),
    ] {
        if threshold.is_none() {
            continue;
        }
        let mut distance = message(kind);
        put_double(&mut distance, "threshold", threshold);
        if field == "jensen_shannon_divergence" && comparator.on_quantiles {
            let mut source = message("HistogramSelection");
            source.put("type", Value::EnumNumber(QUANTILES));
            distance.put("source", Value::Message(source));
        }
        encoded.put(field, Value::Message(distance));
    }
    encoded
}

fn encode_sparse(feature: &SparseFeature) -> DynamicMessage {
    let column = |kind: &str, name: &str| {
        let mut column = message(kind);
        column.put_text("name", name);
        column
    };
    let mut encoded = message("SparseFeature");
    encoded.put_text("name", &feature.name);
    let indices =
        feature.index_columns.iter().map(|name| column("SparseFeature.IndexFeature", name)).collect();
    put_messages(&mut encoded, "index_feature", indices);
    if !feature.value_column.is_empty() {
        let value = column("SparseFeature.ValueFeature", &feature.value_column);
        encoded.put("value_feature", Value::Message(value));
    }
    put_stage(&mut encoded, feature.lifecycle);
    encoded
}

fn encode_weighted(feature: &WeightedFeature) -> DynamicMessage {
    let mut encoded = message("WeightedFeature");
    encoded.put_text("name", &feature.name);
    for (name, steps) in [("feature", &feature.value_path), ("weight_feature", &feature.weight_path)] {
        if !steps.is_empty() {
            let mut path = message("Path");
            path.put_texts("step", steps);
            encoded.put(name, Value::Message(path));
        }
    }
    put_stage(&mut encoded, feature.lifecycle);
    encoded
}
