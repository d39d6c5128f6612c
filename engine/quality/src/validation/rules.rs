//! Which rules of a schema are checked: a list for reports that name what passed, too.

use sluice_core::schema::{Domain, Feature, Schema, Shape};

use super::comparators::{self, Against};
use super::place::Place;
use super::specification::rule_of;
use super::{Baselines, ValidateOptions};

/// One rule of one column, or of the whole data set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CheckedRule {
    /// The column as findings name it; none for the whole data set.
    pub column: Option<String>,
    /// The rule as findings name it: `presence.min_fraction`.
    pub rule: String,
}

/// Every rule that is checked with these options and data sets to compare with, in the order of the schema.
#[must_use]
pub fn checked_rules(
    schema: &Schema,
    options: &ValidateOptions,
    baselines: &Baselines<'_>,
) -> Vec<CheckedRule> {
    let mut rules = Vec::new();
    for feature in &schema.features {
        of_feature(feature, &[], (schema, options, baselines), &mut rules);
    }
    let of_data = |rule: &str| CheckedRule { column: None, rule: rule.to_owned() };
    rules.push(of_data("data"));
    for (is_set, rule) in [
        (schema.min_rows.is_some(), "dataset_constraints.min_examples_count"),
        (schema.max_rows.is_some(), "dataset_constraints.max_examples_count"),
    ] {
        if is_set {
            rules.push(of_data(rule));
        }
    }
    for (comparator, is_there, name) in [
        (schema.rows_drift, baselines.previous.is_some(), "num_examples_drift_comparator"),
        (schema.rows_version, baselines.previous_version.is_some(), "num_examples_version_comparator"),
    ] {
        let Some(comparator) = comparator.filter(|_| is_there) else { continue };
        for (bound, field) in [(comparator.min_fraction, "min"), (comparator.max_fraction, "max")] {
            if bound.is_some() {
                rules.push(of_data(&format!("dataset_constraints.{name}.{field}_fraction_threshold")));
            }
        }
    }
    rules
}

fn of_feature(
    feature: &Feature,
    parent: &[String],
    context: (&Schema, &ValidateOptions, &Baselines<'_>),
    rules: &mut Vec<CheckedRule>,
) {
    let (schema, options, baselines) = context;
    if !feature.is_live() || !feature.is_in(options.environment.as_deref(), schema) {
        return;
    }
    let place = Place::below(parent, &feature.name);
    for rule in names(feature, baselines) {
        rules.push(CheckedRule { column: Some(place.name().to_owned()), rule: rule.to_owned() });
    }
    for field in &feature.fields {
        of_feature(field, place.steps(), context, rules);
    }
}

fn names(feature: &Feature, baselines: &Baselines<'_>) -> Vec<&'static str> {
    let presence = &feature.presence;
    let unique = feature.unique.unwrap_or_default();
    let shape = match &feature.shape {
        Shape::Any => None,
        Shape::Fixed(_) => Some("shape"),
        Shape::ValueCounts(counts) if counts.len() == 1 => Some("value_count"),
        Shape::ValueCounts(_) => Some("value_counts"),
    };
    let mut names: Vec<&'static str> = [
        (feature.is_required(), "presence"),
        (shape.is_some(), shape.unwrap_or_default()),
        (presence.min_count.is_some(), "presence.min_count"),
        (presence.min_fraction.is_some(), "presence.min_fraction"),
        (feature.feature_type.is_some(), "type"),
        (unique.min.is_some(), "unique_constraints.min"),
        (unique.max.is_some(), "unique_constraints.max"),
    ]
    .into_iter()
    .filter_map(|(is_set, name)| is_set.then_some(name))
    .collect();
    match &feature.domain {
        Some(Domain::Int { min, max, .. }) => {
            names.push("int_domain");
            names.extend(min.map(|_| "int_domain.min"));
            names.extend(max.map(|_| "int_domain.max"));
        }
        Some(Domain::Float { min, max, disallow_nan, disallow_inf, .. }) => {
            names.push("float_domain");
            names.extend(min.map(|_| "float_domain.min"));
            names.extend(max.map(|_| "float_domain.max"));
            names.extend(disallow_nan.then_some("float_domain.disallow_nan"));
            names.extend(disallow_inf.then_some("float_domain.disallow_inf"));
        }
        Some(domain) => names.push(rule_of(domain)),
        None => {}
    }
    for (comparator, is_there, against) in [
        (&feature.drift, baselines.previous.is_some(), Against::Previous),
        (&feature.skew, baselines.serving.is_some(), Against::Serving),
    ] {
        if let Some(comparator) = comparator.as_ref().filter(|_| is_there) {
            names.extend(comparators::rules(comparator, against));
        }
    }
    names
}
