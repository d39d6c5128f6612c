//! What changed in the rules of one column.

use sluice_core::schema::{Comparator, Domain, Feature, Lifecycle, Shape, ValueCount};

use super::{ChangeKind, Changes};
use crate::protobuf::text_of_double;

/// A number as protobuf text has it.
#[derive(PartialEq, PartialOrd)]
struct Number(f64);

impl std::fmt::Display for Number {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&text_of_double(self.0))
    }
}

/// Compares everything but the fields of a struct.
pub(super) fn compare(changes: &mut Changes, old: &Feature, new: &Feature) {
    let type_name =
        |feature: &Feature| feature.feature_type.map(|feature_type| feature_type.name().to_owned());
    changes.other("type", type_name(old), type_name(new));
    lifecycle(changes, old.lifecycle, new.lifecycle);
    // Nothing said and 0 are the same demand.
    let share = |feature: &Feature| feature.presence.min_fraction.filter(|share| *share > 0.0).map(Number);
    changes.lower("presence.min_fraction", share(old), share(new));
    let count = |feature: &Feature| feature.presence.min_count.filter(|count| *count > 0);
    changes.lower("presence.min_count", count(old), count(new));
    shape(changes, &old.shape, &new.shape);
    domain(changes, old.domain.as_ref(), new.domain.as_ref());
    let mass = |feature: &Feature| Some(Number(feature.min_domain_mass));
    changes.lower("distribution_constraints.min_domain_mass", mass(old), mass(new));
    let unique = (old.unique.unwrap_or_default(), new.unique.unwrap_or_default());
    changes.lower("unique_constraints.min", unique.0.min, unique.1.min);
    changes.upper("unique_constraints.max", unique.0.max, unique.1.max);
    let kinds = (ChangeKind::Changed, ChangeKind::Changed);
    changes.members("in_environment", kinds, &old.in_environment, &new.in_environment);
    changes.members("not_in_environment", kinds, &old.not_in_environment, &new.not_in_environment);
    comparator(changes, "drift_comparator", old.drift, new.drift);
    comparator(changes, "skew_comparator", old.skew, new.skew);
}

/// The word of the format for a stage.
pub(super) fn stage(stage: Lifecycle) -> &'static str {
    match stage {
        Lifecycle::Unknown => "UNKNOWN_STAGE",
        Lifecycle::Planned => "PLANNED",
        Lifecycle::Alpha => "ALPHA",
        Lifecycle::Beta => "BETA",
        Lifecycle::Production => "PRODUCTION",
        Lifecycle::Deprecated => "DEPRECATED",
        Lifecycle::DebugOnly => "DEBUG_ONLY",
        Lifecycle::Disabled => "DISABLED",
        Lifecycle::ValidationDerived => "VALIDATION_DERIVED",
    }
}

fn lifecycle(changes: &mut Changes, old: Lifecycle, new: Lifecycle) {
    if old == new {
        return;
    }
    let kind = match (old.is_live(), new.is_live()) {
        (true, false) => ChangeKind::Loosened,
        (false, true) => ChangeKind::Tightened,
        _ => ChangeKind::Changed,
    };
    changes.push(kind, "lifecycle_stage", Some(stage(old).into()), Some(stage(new).into()));
}

fn shape(changes: &mut Changes, old: &Shape, new: &Shape) {
    match (old, new) {
        (old, new) if old == new => {}
        (Shape::ValueCounts(old), Shape::ValueCounts(new)) if old.len() == new.len() => {
            let levels = new.len();
            for (level, (old, new)) in old.iter().zip(new).enumerate() {
                let rule =
                    if levels > 1 { format!("value_counts[{level}]") } else { "value_count".to_owned() };
                changes.lower(&format!("{rule}.min"), old.min, new.min);
                changes.upper(&format!("{rule}.max"), old.max, new.max);
            }
        }
        (Shape::Any, new) => changes.push(ChangeKind::Tightened, rule_of(new), None, Some(in_words(new))),
        (old, Shape::Any) => changes.push(ChangeKind::Loosened, rule_of(old), Some(in_words(old)), None),
        (old, new) => changes.other(rule_of(new), Some(in_words(old)), Some(in_words(new))),
    }
}

fn rule_of(shape: &Shape) -> &'static str {
    match shape {
        Shape::Any | Shape::Fixed(_) => "shape",
        Shape::ValueCounts(levels) if levels.len() == 1 => "value_count",
        Shape::ValueCounts(_) => "value_counts",
    }
}

fn in_words(shape: &Shape) -> String {
    let bounds = |count: &ValueCount| {
        let bound = |bound: Option<i64>| bound.map_or_else(String::new, |bound| bound.to_string());
        format!("{}..{}", bound(count.min), bound(count.max))
    };
    match shape {
        Shape::Any => "any".into(),
        Shape::Fixed(sizes) => format!("{sizes:?}"),
        Shape::ValueCounts(levels) => levels.iter().map(bounds).collect::<Vec<_>>().join(" of "),
    }
}

/// The field of a domain, which names its kind.
fn field(domain: &Domain) -> &str {
    match domain {
        Domain::Int { .. } => "int_domain",
        Domain::Float { .. } => "float_domain",
        Domain::Strings { .. } => "string_domain",
        Domain::Boolean { .. } => "bool_domain",
        Domain::Time { .. } => "time_domain",
        Domain::Semantic(name) => name,
    }
}

fn domain(changes: &mut Changes, old: Option<&Domain>, new: Option<&Domain>) {
    let words = |domain: &Domain| match domain {
        Domain::Strings { values, .. } if values.len() == 1 => "1 value".to_owned(),
        Domain::Strings { values, .. } => format!("{} values", values.len()),
        other => field(other).to_owned(),
    };
    match (old, new) {
        (None, None) => {}
        (None, Some(new)) => changes.push(ChangeKind::Tightened, field(new), None, Some(words(new))),
        (Some(old), None) => changes.push(ChangeKind::Loosened, field(old), Some(words(old)), None),
        (Some(old), Some(new)) if field(old) != field(new) => {
            changes.other("domain", Some(field(old).to_owned()), Some(field(new).to_owned()));
        }
        (Some(old), Some(new)) => same_kind(changes, old, new),
    }
}

fn same_kind(changes: &mut Changes, old: &Domain, new: &Domain) {
    match (old, new) {
        (
            Domain::Int { min, max, is_categorical },
            Domain::Int { min: new_min, max: new_max, is_categorical: new_categorical },
        ) => {
            changes.lower("int_domain.min", *min, *new_min);
            changes.upper("int_domain.max", *max, *new_max);
            let words = |is: &bool| Some(is.to_string());
            changes.other("int_domain.is_categorical", words(is_categorical), words(new_categorical));
        }
        (Domain::Float { .. }, Domain::Float { .. }) => floats(changes, old, new),
        (
            Domain::Strings { name, values, is_categorical },
            Domain::Strings { name: new_name, values: new_values, is_categorical: new_categorical },
        ) => {
            changes.other("string_domain.name", Some(name.clone()), Some(new_name.clone()));
            let kinds = (ChangeKind::Loosened, ChangeKind::Tightened);
            changes.members("string_domain.value", kinds, values, new_values);
            let words = |is: &Option<bool>| is.map(|is| is.to_string());
            changes.other("string_domain.is_categorical", words(is_categorical), words(new_categorical));
        }
        (
            Domain::Boolean { true_value, false_value },
            Domain::Boolean { true_value: new_true, false_value: new_false },
        ) => {
            changes.other("bool_domain.true_value", true_value.clone(), new_true.clone());
            changes.other("bool_domain.false_value", false_value.clone(), new_false.clone());
        }
        (Domain::Time { format }, Domain::Time { format: new_format }) => {
            changes.other("time_domain.format", Some(format.clone()), Some(new_format.clone()));
        }
        _ => {}
    }
}

fn floats(changes: &mut Changes, old: &Domain, new: &Domain) {
    let (
        Domain::Float { min, max, disallow_nan, disallow_inf, is_categorical },
        Domain::Float {
            min: new_min,
            max: new_max,
            disallow_nan: new_nan,
            disallow_inf: new_inf,
            is_categorical: new_categorical,
        },
    ) = (old, new)
    else {
        return;
    };
    changes.lower("float_domain.min", min.map(Number), new_min.map(Number));
    changes.upper("float_domain.max", max.map(Number), new_max.map(Number));
    changes.forbids("float_domain.disallow_nan", *disallow_nan, *new_nan);
    changes.forbids("float_domain.disallow_inf", *disallow_inf, *new_inf);
    let words = |is: &bool| Some(is.to_string());
    changes.other("float_domain.is_categorical", words(is_categorical), words(new_categorical));
}

fn comparator(changes: &mut Changes, rule: &str, old: Option<Comparator>, new: Option<Comparator>) {
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    for (distance, old, new) in [
        ("infinity_norm", old.infinity_norm, new.infinity_norm),
        ("jensen_shannon_divergence", old.jensen_shannon_divergence, new.jensen_shannon_divergence),
        ("normalized_abs_difference", old.normalized_absolute_difference, new.normalized_absolute_difference),
    ] {
        changes.upper(&format!("{rule}.{distance}.threshold"), old.map(Number), new.map(Number));
    }
    let source = |comparator: Comparator| {
        let source = if comparator.on_quantiles { "QUANTILES" } else { "STANDARD" };
        Some(source.to_owned())
    };
    changes.other(&format!("{rule}.jensen_shannon_divergence.source"), source(old), source(new));
}
