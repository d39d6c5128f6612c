//! What concerns the whole data set: its rows, and columns that the schema does not know.

use std::collections::BTreeSet;

use sluice_core::RESERVED_PREFIX;
use sluice_core::schema::{RowsComparator, Schema};
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics};

use super::code::FindingCode;
use super::finding::{Finding, Words, rows};
use super::place::Place;
use super::subject::is_by_weight;
use super::words::general;
use super::{Baselines, type_in_words};
use crate::schema::{InferOptions, infer_feature, write_schema};

/// A data set without rows.
pub(crate) fn no_rows() -> Finding {
    let words = Words {
        rule: "data",
        expected: "rows".into(),
        observed: rows(0),
        message: "the data set has no rows, nothing could be checked".into(),
        suggestion: "no schema accepts it; look for the rows in the step before".into(),
    };
    Finding::dataset(FindingCode::NoRows, words)
}

/// Rows, or their weight.
fn num_rows(statistics: &DatasetStatistics, by_weight: bool) -> f64 {
    match &statistics.weight {
        Some(weight) if by_weight => weight.sum,
        _ => statistics.num_rows as f64,
    }
}

fn in_words(statistics: &DatasetStatistics, by_weight: bool) -> String {
    if by_weight {
        format!("a weight of {}", general(num_rows(statistics, true)))
    } else {
        rows(statistics.num_rows)
    }
}

/// The number of rows against those of other data sets, then against its bounds, each by itself.
pub(crate) fn check_rows(
    statistics: &DatasetStatistics,
    schema: &Schema,
    baselines: &Baselines<'_>,
    findings: &mut Vec<Finding>,
) {
    let by_weight = is_by_weight(statistics);
    let span = Before { what: "span", rule: "num_examples_drift_comparator" };
    let version = Before { what: "version", rule: "num_examples_version_comparator" };
    for (comparator, control, before) in [
        (&schema.rows_drift, baselines.previous, span),
        (&schema.rows_version, baselines.previous_version, version),
    ] {
        if let (Some(comparator), Some(control)) = (comparator, control) {
            before.check(statistics, control, comparator, by_weight, findings);
        }
    }
    check_bounds(statistics, schema, by_weight, findings);
}

fn check_bounds(
    statistics: &DatasetStatistics,
    schema: &Schema,
    by_weight: bool,
    findings: &mut Vec<Finding>,
) {
    let found = num_rows(statistics, by_weight);
    let observed = in_words(statistics, by_weight);
    let is_below = |bound: i64| {
        if by_weight { found < bound as f64 } else { i128::from(statistics.num_rows) < i128::from(bound) }
    };
    let is_above = |bound: i64| {
        if by_weight { found > bound as f64 } else { i128::from(statistics.num_rows) > i128::from(bound) }
    };
    let words = |name: &'static str, rule: &'static str, bound: i64, side: &str| Words {
        rule,
        expected: format!("{side} {bound} rows"),
        observed: observed.clone(),
        message: format!("the data set has {observed}, the schema demands {side} {bound}"),
        suggestion: format!("dataset_constraints {{ {name}: {found:.0} }}"),
    };
    let tfdv =
        |side: &str| format!("The dataset has {} examples, which is {side} than expected.", general(found));
    if let Some(least) = schema.min_rows.filter(|least| is_below(*least)) {
        let words = words("min_examples_count", "dataset_constraints.min_examples_count", least, "at least");
        findings.push(Finding::dataset(FindingCode::TooFewRows, words).saying(tfdv("fewer")));
    }
    if let Some(most) = schema.max_rows.filter(|most| is_above(*most)) {
        let words = words("max_examples_count", "dataset_constraints.max_examples_count", most, "at most");
        findings.push(Finding::dataset(FindingCode::TooManyRows, words).saying(tfdv("more")));
    }
}

/// An earlier data set.
#[derive(Clone, Copy)]
struct Before {
    what: &'static str,
    rule: &'static str,
}

impl Before {
    fn check(
        self,
        statistics: &DatasetStatistics,
        control: &DatasetStatistics,
        comparator: &RowsComparator,
        by_weight: bool,
        findings: &mut Vec<Finding>,
    ) {
        let by_weight = by_weight && is_by_weight(control);
        let (now, then) = (num_rows(statistics, by_weight), num_rows(control, by_weight));
        let observed = format!(
            "{} now, {} in the previous {}",
            in_words(statistics, by_weight),
            in_words(control, by_weight),
            self.what
        );
        if !(then > 0.0) {
            if comparator.max_fraction.is_some() {
                findings.push(self.without_rows(observed));
            }
            return;
        }
        let ratio = now / then;
        if let Some(least) = comparator.min_fraction.filter(|least| ratio < *least) {
            findings.push(self.finding(FindingCode::FewerRowsThanBefore, ratio, least, observed.clone()));
        }
        if let Some(most) = comparator.max_fraction.filter(|most| ratio > *most) {
            findings.push(self.finding(FindingCode::MoreRowsThanBefore, ratio, most, observed));
        }
    }

    fn rule(self, field: &str) -> &'static str {
        match (self.what, field) {
            ("span", "min") => "dataset_constraints.num_examples_drift_comparator.min_fraction_threshold",
            ("span", _) => "dataset_constraints.num_examples_drift_comparator.max_fraction_threshold",
            (_, "min") => "dataset_constraints.num_examples_version_comparator.min_fraction_threshold",
            (_, _) => "dataset_constraints.num_examples_version_comparator.max_fraction_threshold",
        }
    }

    fn finding(self, code: FindingCode, ratio: f64, bound: f64, observed: String) -> Finding {
        let is_low = code == FindingCode::FewerRowsThanBefore;
        let (side, field, short, tfdv) =
            if is_low { ("at least", "min", "Low", "below") } else { ("at most", "max", "High", "above") };
        let (ratio_shown, bound_shown, what) = (general(ratio), general(bound), self.what);
        let words = Words {
            rule: self.rule(field),
            expected: format!("{side} {bound_shown} times the rows of the previous {what}"),
            observed,
            message: format!(
                "the data set has {ratio_shown} times the rows of the previous {what}, {side} {bound_shown} \
                 is allowed"
            ),
            suggestion: format!(
                "dataset_constraints {{ {} {{ {field}_fraction_threshold: {ratio} }} }}",
                self.rule
            ),
        };
        let finding = Finding::dataset(code, words)
            .in_short(format!("{short} num examples in current dataset versus the previous {what}."));
        finding.saying(format!(
            "The ratio of num examples in the current dataset versus the previous {what} is {ratio_shown} (up \
             to six significant digits), which is {tfdv} the threshold {bound_shown}."
        ))
    }

    fn without_rows(self, observed: String) -> Finding {
        let what = self.what;
        let words = Words {
            rule: self.rule("max"),
            expected: format!("rows in the previous {what}"),
            observed,
            message: format!("the previous {what} has no rows, the number of rows cannot be compared"),
            suggestion: format!("in `dataset_constraints`, remove `{}`", self.rule),
        };
        let finding = Finding::dataset(FindingCode::MoreRowsThanBefore, words).in_short(format!(
            "High num examples in current dataset versus the previous {what}, which has 0."
        ));
        finding.saying(format!(
            "The previous {what} has 0 examples, so there is a high number of examples in the current dataset \
             versus the previous {what}."
        ))
    }
}

/// Columns, and fields of known structs, that the schema does not know; our own (`__row_hash`) and those of sparse
/// and weighted features are none of its business. Of a new struct only the struct itself is named.
pub(crate) fn check_new_columns(
    statistics: &DatasetStatistics,
    schema: &Schema,
    findings: &mut Vec<Finding>,
) {
    let sparse = schema.sparse_features.iter().map(|feature| feature.name.as_str());
    let composed: BTreeSet<&str> =
        sparse.chain(schema.weighted_features.iter().map(|feature| feature.name.as_str())).collect();
    let known: BTreeSet<&str> = schema.features.iter().map(|feature| feature.name.as_str()).collect();
    for column in &statistics.columns {
        let is_new = match column.steps() {
            [name] => {
                !name.starts_with(RESERVED_PREFIX)
                    && !known.contains(name.as_str())
                    && !composed.contains(name.as_str())
            }
            [parent @ .., _] => {
                schema.at(column.steps()).is_none()
                    && (1..=parent.len())
                        .all(|depth| schema.at(&parent[..depth]).is_some_and(|it| it.is_live()))
            }
            [] => false,
        };
        if is_new {
            findings.push(new_column(column));
        }
    }
}

fn new_column(column: &ColumnStatistics) -> Finding {
    let place = Place::new(column.steps().to_vec());
    let kind = type_in_words(&column.kind);
    let feature = infer_feature(column, &InferOptions::default());
    let proposal = Schema { features: vec![feature], ..Schema::default() };
    let proposal = write_schema(&proposal.into());
    let suggestion = match place.steps() {
        [_] => proposal,
        [parent @ .., _] => {
            let parent = Place::new(parent.to_vec());
            format!("in feature `{}`, in `struct_domain`, add\n{proposal}", parent.name())
        }
        [] => proposal,
    };
    let num_present = column.presence.num_present();
    let words = Words {
        rule: "feature",
        expected: "a column that the schema describes".into(),
        observed: format!("{kind} in {}", rows(num_present)),
        message: format!("column `{}` is not in the schema; it is {kind}", place.name()),
        suggestion,
    };
    place.finding(FindingCode::NewColumn, words).saying("New column (column in data but not in schema)")
}
