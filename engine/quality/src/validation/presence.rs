//! Whether columns are there and how often they have a value. NaN and infinities are values, nulls and rows of
//! parts without the column are not.

use sluice_core::schema::Feature;

use super::code::FindingCode;
use super::finding::{Finding, Words, rows};
use super::place::Place;
use super::subject::Subject;
use crate::protobuf::text_of_double;

const DEPRECATE: &str = "lifecycle_stage: DEPRECATED";

/// A required column that is not in the data, or absent from every part of them.
pub(crate) fn check_missing_column(
    feature: &Feature,
    place: &Place,
    num_rows: u64,
    findings: &mut Vec<Finding>,
) {
    if feature.is_required() {
        let words = Words {
            rule: "presence",
            expected: "the column".into(),
            observed: format!("no such column in {}", rows(num_rows)),
            message: format!("column `{}` is required, but not in the data", place.name()),
            suggestion: place.change(DEPRECATE),
        };
        findings
            .push(place.finding(FindingCode::MissingColumn, words).saying("Column is completely missing"));
    }
}

/// A required column without a single value.
pub(crate) fn check_not_present(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    if subject.feature.is_required() {
        let num_rows = subject.column.presence.num_rows;
        let words = Words {
            rule: "presence",
            expected: "values".into(),
            observed: format!("0 of {} have a value", rows(num_rows)),
            message: format!("column `{}` is required, but has no value in any row", subject.name()),
            suggestion: subject.change(DEPRECATE),
        };
        let finding = subject.finding(FindingCode::NotPresent, words).violated_by(Some(num_rows));
        findings.push(finding.saying("The feature was not present in any examples."));
    }
}

/// A column in an environment to which the schema says it does not belong.
pub(crate) fn check_environment(subject: &Subject<'_>, environment: &str, findings: &mut Vec<Finding>) {
    let name = subject.name();
    let words = Words {
        rule: "not_in_environment",
        expected: format!("no such column in the environment {environment}"),
        observed: subject.presence_in_words(),
        message: format!("column `{name}` is in the data, but not in the environment `{environment}`"),
        suggestion: format!(
            "in feature `{name}`, remove `not_in_environment: \"{environment}\"` or add `in_environment: \
             \"{environment}\"`"
        ),
    };
    let tfdv =
        format!("New column {name} found in data but not in the environment {environment} in the schema.");
    findings.push(subject.finding(FindingCode::WrongEnvironment, words).saying(tfdv));
}

/// Number and share of rows with a value.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let presence = &subject.feature.presence;
    if let Some(least) = presence.min_count
        && is_below(subject, least)
    {
        findings.push(low_number(subject, least));
    }
    // A share beyond its range is a finding on the schema.
    let Some(least) = presence.min_fraction.map(|least| least.clamp(0.0, 1.0)) else { return };
    let missing = subject.num_missing();
    let fraction = subject.fraction_present();
    // Beyond 2^53 rows one missing row is lost in the fraction.
    if fraction < least || (least >= 1.0 && missing > 0.0) {
        findings.push(low_fraction(subject, least, fraction));
    }
}

/// Exact where rows are counted.
fn is_below(subject: &Subject<'_>, least: i64) -> bool {
    match subject.weighted {
        Some(weighted) => weighted.num_present < least as f64,
        None => i128::from(subject.column.presence.num_present()) < i128::from(least),
    }
}

fn low_number(subject: &Subject<'_>, least: i64) -> Finding {
    let (name, observed) = (subject.name(), subject.presence_in_words());
    let words = Words {
        rule: "presence.min_count",
        expected: format!("a value in at least {least} rows"),
        observed: observed.clone(),
        message: format!("column `{name}` has too few values: {observed}, {least} are demanded"),
        suggestion: subject
            .change(&format!("presence {{ min_count: {:.0} }}", subject.num_present().floor())),
    };
    let tfdv = format!(
        "The feature was present in fewer examples than expected: minimum count = {least}, actual = {:.0}",
        subject.num_present().floor()
    );
    subject.finding(FindingCode::LowNumberPresent, words).saying(tfdv)
}

fn low_fraction(subject: &Subject<'_>, least: f64, fraction: f64) -> Finding {
    let (name, observed, demanded) = (subject.name(), subject.presence_in_words(), text_of_double(least));
    let body = format!("presence {{ min_fraction: {} }}", text_of_double(floor_fraction(fraction)));
    let words = Words {
        rule: "presence.min_fraction",
        expected: format!("a value in a share of at least {demanded} of the rows"),
        observed: observed.clone(),
        message: format!("column `{name}` has too few values: {observed}, a share of {demanded} is demanded"),
        suggestion: subject.change(&body),
    };
    let missing = subject.num_missing();
    let tfdv = if fraction < least {
        format!(
            "The feature was present in fewer examples than expected: minimum fraction = {least:.6}, actual \
             = {fraction:.6}"
        )
    } else {
        format!("The feature was expected everywhere, but was missing in {missing:.0} examples.")
    };
    let presence = &subject.column.presence;
    let count = subject.weighted.is_none().then(|| presence.num_rows - presence.num_present());
    subject.finding(FindingCode::LowFractionPresent, words).saying(tfdv).violated_by(count)
}

/// The fraction cut to four digits, so that the proposed bound holds; as it is where that would be zero or all.
fn floor_fraction(fraction: f64) -> f64 {
    let cut = (fraction.clamp(0.0, 0.9999) * 1e4).floor() / 1e4;
    if cut > 0.0 { cut } else { fraction }
}
