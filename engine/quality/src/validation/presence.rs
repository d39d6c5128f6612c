//! Whether columns are there and how often they have a value. NaN and infinities are values, nulls and rows of
//! parts without the column are not.

use sluice_core::schema::{Feature, Shape};
use sluice_core::statistics::ColumnStatistics;

use super::finding::{Finding, FindingCode, Words, change, rows};
use crate::protobuf::text_of_double;

const DEPRECATE: &str = "lifecycle_stage: DEPRECATED";

/// A required column that is not in the data, or absent from every part of them.
pub(crate) fn check_missing_column(feature: &Feature, num_rows: u64, findings: &mut Vec<Finding>) {
    if feature.is_required() {
        let words = Words {
            rule: "presence",
            expected: "the column".into(),
            observed: format!("no such column in {}", rows(num_rows)),
            message: format!("column `{}` is required, but not in the data", feature.name),
            suggestion: change(&feature.name, DEPRECATE),
        };
        findings.push(Finding::column(FindingCode::MissingColumn, &feature.name, words));
    }
}

/// A required column without a single value.
pub(crate) fn check_not_present(feature: &Feature, column: &ColumnStatistics, findings: &mut Vec<Finding>) {
    if feature.is_required() {
        let words = Words {
            rule: "presence",
            expected: "values".into(),
            observed: format!("0 of {} have a value", rows(column.presence.num_rows)),
            message: format!("column `{}` is required, but has no value in any row", feature.name),
            suggestion: change(&feature.name, DEPRECATE),
        };
        findings.push(Finding::column(FindingCode::NotPresent, &feature.name, words));
    }
}

/// Share and number of rows with a value, and one value in each row where the shape says so.
pub(crate) fn check(feature: &Feature, column: &ColumnStatistics, findings: &mut Vec<Finding>) {
    let (name, present, total) = (&feature.name, column.presence.num_present(), column.presence.num_rows);
    let observed = format!("{present} of {} have a value", rows(total));
    let fraction = column.presence.fraction_present();
    let is_rare = feature.presence.min_fraction.is_some_and(|least| {
        // Beyond 2^53 rows one missing row is lost in the fraction.
        fraction < least || (least >= 1.0 && present < total)
    });
    if is_rare {
        let least = text_of_double(feature.presence.min_fraction.unwrap_or(0.0));
        let body = format!("presence {{ min_fraction: {} }}", text_of_double(floor_fraction(fraction)));
        let words = Words {
            rule: "presence.min_fraction",
            expected: format!("a value in a share of at least {least} of the rows"),
            observed: observed.clone(),
            message: format!(
                "column `{name}` has too few values: {observed}, a share of {least} is demanded"
            ),
            suggestion: change(name, &body),
        };
        findings.push(Finding::column(FindingCode::LowFractionPresent, name, words));
    }
    if let Some(least) = feature.presence.min_count
        && i128::from(present) < i128::from(least)
    {
        let words = Words {
            rule: "presence.min_count",
            expected: format!("a value in at least {least} rows"),
            observed: observed.clone(),
            message: format!("column `{name}` has too few values: {observed}, {least} are demanded"),
            suggestion: change(name, &format!("presence {{ min_count: {present} }}")),
        };
        findings.push(Finding::column(FindingCode::LowNumberPresent, name, words));
    }
    if feature.shape == Shape::scalar() && present < total && !is_rare {
        let words = Words {
            rule: "shape",
            expected: "one value in each row".into(),
            observed: observed.clone(),
            message: format!("column `{name}` must have one value in each row: {observed}"),
            suggestion: format!("in feature `{name}`, remove `shape`"),
        };
        findings.push(Finding::column(FindingCode::ShapeBroken, name, words));
    }
}

/// The fraction cut to four digits, so that the proposed bound holds; as it is where that would be zero.
fn floor_fraction(fraction: f64) -> f64 {
    let cut = (fraction * 1e4).floor() / 1e4;
    if cut > 0.0 { cut } else { fraction }
}
