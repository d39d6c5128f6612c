//! Sparse and weighted features: values with their positions or weights in other columns. TFDV counts what does
//! not fit together, and so do we where statistics were computed with the schema; where they were not, nothing is
//! checked.

use std::collections::{BTreeMap, BTreeSet};

use sluice_core::schema::{Schema, SparseFeature, WeightedFeature};
use sluice_core::statistics::{CustomStatistic, DatasetStatistics};

use super::code::FindingCode;
use super::finding::{Finding, Words};
use super::words::general;

/// All sparse and weighted features that are live.
pub(crate) fn check(statistics: &DatasetStatistics, schema: &Schema, findings: &mut Vec<Finding>) {
    let features = || schema.features.iter().filter(|feature| feature.is_live());
    let plain: BTreeSet<&str> = features().map(|feature| feature.name.as_str()).collect();
    let sparse: BTreeSet<&str> = live_sparse(schema).map(|feature| feature.name.as_str()).collect();
    let weighted: BTreeSet<&str> = live_weighted(schema).map(|feature| feature.name.as_str()).collect();
    for feature in live_sparse(schema) {
        let name = feature.name.as_str();
        if weighted.contains(name) {
            // Named once, below.
        } else if plain.contains(name) {
            findings.push(collision(name, FindingCode::SparseNameCollision, "sparse"));
        } else if let Some(figures) = statistics.composed(name) {
            check_sparse(feature, figures, findings);
        }
    }
    for feature in live_weighted(schema) {
        let name = feature.name.as_str();
        if plain.contains(name) || sparse.contains(name) {
            findings.push(collision(name, FindingCode::WeightedNameCollision, "weighted"));
        } else if let Some(figures) = statistics.composed(name) {
            check_weighted(feature, figures, findings);
        }
    }
}

fn live_sparse(schema: &Schema) -> impl Iterator<Item = &SparseFeature> {
    schema.sparse_features.iter().filter(|feature| feature.lifecycle.is_live())
}

fn live_weighted(schema: &Schema) -> impl Iterator<Item = &WeightedFeature> {
    schema.weighted_features.iter().filter(|feature| feature.lifecycle.is_live())
}

fn collision(name: &str, code: FindingCode, kind: &str) -> Finding {
    let words = Words {
        rule: if kind == "sparse" { "sparse_feature" } else { "weighted_feature" },
        expected: "a name of its own".into(),
        observed: "another feature with this name".into(),
        message: format!("the {kind} feature `{name}` has the name of another feature"),
        suggestion: format!("rename one of the features `{name}`, or set `{DEPRECATE}` in one"),
    };
    let tfdv =
        if kind == "sparse" { "Sparse feature name collision." } else { "Weighted feature name collision." };
    Finding::column(code, name, words).saying(tfdv)
}

/// What was counted of a feature, by name.
type Figures = BTreeMap<String, CustomStatistic>;

const DEPRECATE: &str = "lifecycle_stage: DEPRECATED";

/// One number, where the statistics have it and it is not 0.
fn number(figures: &Figures, name: &str) -> Option<f64> {
    match figures.get(name)? {
        CustomStatistic::Number(value) => Some(*value).filter(|value| value.abs() > 0.0),
        _ => None,
    }
}

/// The numbers by column that are not 0.
fn by_column<'a>(figures: &'a Figures, name: &str) -> Vec<(&'a str, f64)> {
    match figures.get(name) {
        Some(CustomStatistic::Counts(counts)) => {
            let counts = counts.iter().map(|(label, count)| (label.as_str(), *count));
            counts.filter(|(_, count)| count.abs() > 0.0).collect()
        }
        _ => Vec::new(),
    }
}

/// "1 row lacks the values `v`".
fn lacking(count: f64, what: &str, column: &str) -> String {
    let (rows, lack) = if count > 1.0 { ("rows", "lack") } else { ("row", "lacks") };
    format!("{} {rows} {lack} the {what} `{column}`", general(count))
}

/// A finding on a composed feature, which TFDV answers by deprecating it.
fn broken(
    kind: &'static str,
    name: &str,
    code: FindingCode,
    (expected, observed): (&str, String),
    tfdv: String,
) -> Finding {
    let words = Words {
        rule: kind,
        expected: expected.into(),
        message: format!("the {} `{name}` does not fit together: {observed}", kind.replace('_', " ")),
        observed,
        suggestion: format!("{kind} {{ name: \"{}\" {DEPRECATE} }}", crate::protobuf::escape(name)),
    };
    Finding::column(code, name, words).saying(tfdv)
}

fn check_sparse(feature: &SparseFeature, figures: &Figures, findings: &mut Vec<Finding>) {
    let (kind, name) = ("sparse_feature", feature.name.as_str());
    if let Some(count) = number(figures, "missing_value") {
        let observed = lacking(count, "values", &feature.value_column);
        let tfdv = format!("Found {} examples missing value feature", general(count));
        let told = ("values wherever there are positions", observed);
        findings.push(broken(kind, name, FindingCode::SparseMissingValue, told, tfdv));
    }
    for (index, count) in by_column(figures, "missing_index") {
        let observed = lacking(count, "positions", index);
        let tfdv = format!("Found {} examples missing index feature: {index}", general(count));
        let told = ("positions wherever there are values", observed);
        findings.push(broken(kind, name, FindingCode::SparseMissingIndex, told, tfdv));
    }
    for statistic in ["max_length_diff", "min_length_diff"] {
        for (index, difference) in by_column(figures, statistic) {
            let amount = general(difference.abs());
            // Positions less values.
            let side = if difference > 0.0 { "more" } else { "fewer" };
            let observed = format!("rows have up to {amount} {side} positions `{index}` than values");
            let tfdv = format!(
                "Mismatch between index feature: {index} and value column, with {statistic} = {}",
                general(difference)
            );
            let told = ("as many positions as values in each row", observed);
            findings.push(broken(kind, name, FindingCode::SparseLengthMismatch, told, tfdv));
        }
    }
}

fn check_weighted(feature: &WeightedFeature, figures: &Figures, findings: &mut Vec<Finding>) {
    let (kind, name) = ("weighted_feature", feature.name.as_str());
    if let Some(count) = number(figures, "missing_weight") {
        let observed = lacking(count, "weights", &feature.weight_path.join("."));
        let tfdv = format!("Found {} examples missing weight feature.", general(count));
        let told = ("weights wherever there are values", observed);
        findings.push(broken(kind, name, FindingCode::WeightedMissingWeight, told, tfdv));
    }
    if let Some(count) = number(figures, "missing_value") {
        let observed = lacking(count, "values", &feature.value_path.join("."));
        let tfdv = format!("Found {} examples missing value feature.", general(count));
        let told = ("values wherever there are weights", observed);
        findings.push(broken(kind, name, FindingCode::WeightedMissingValue, told, tfdv));
    }
    let least = number(figures, "min_weight_length_diff");
    let most = number(figures, "max_weight_length_diff");
    if least.is_some() || most.is_some() {
        let (least, most) = (general(least.unwrap_or(0.0)), general(most.unwrap_or(0.0)));
        let observed = format!("rows have {least} to {most} more weights than values");
        let tfdv = format!(
            "Mismatch between weight and value feature with min_weight_length_diff = {least} and \
             max_weight_length_diff = {most}."
        );
        let told = ("as many weights as values in each row", observed);
        findings.push(broken(kind, name, FindingCode::WeightedLengthMismatch, told, tfdv));
    }
}
