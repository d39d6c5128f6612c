//! Bounds of floats, NaN, infinities, and floats as booleans. Bounds are compared in single precision, as in
//! TFDV, because the schema's format holds them so: 0.1 in the data is not below a bound of 0.1.

use sluice_core::schema::Domain;
use sluice_core::statistics::ColumnStatistics;

use super::code::FindingCode;
use super::finding::{Finding, Words, rows};
use super::subject::Subject;
use super::words::general;
use crate::protobuf::text_of_double;

/// The smallest and largest number of a column, infinities included; `None` where all are NaN.
fn range(column: &ColumnStatistics) -> Option<(f64, f64)> {
    let (numeric, presence) = (column.numeric.as_ref()?, &column.presence);
    let lowest = (presence.num_negative_infinity > 0).then_some(f64::NEG_INFINITY);
    let highest = (presence.num_positive_infinity > 0).then_some(f64::INFINITY);
    lowest.or(numeric.min).or(highest).zip(highest.or(numeric.max).or(lowest))
}

/// Whether one lies above the other in single precision.
#[expect(clippy::cast_possible_truncation, reason = "the schema's format holds single precision")]
fn exceeds(value: f64, bound: f64) -> bool {
    value as f32 > bound as f32
}

/// A float column against its bounds and what it must not hold, in TFDV's order.
pub(crate) fn check(subject: &Subject<'_>, domain: &Domain, findings: &mut Vec<Finding>) {
    let Domain::Float { min, max, disallow_nan, disallow_inf, .. } = domain else { return };
    let presence = &subject.column.presence;
    if *disallow_nan && presence.num_nan > 0 {
        findings.push(forbidden(subject, FindingCode::HasNan, presence.num_nan));
    }
    if min.is_some() || max.is_some() {
        match range(subject.column) {
            Some(range) => check_range(subject, range, *min, *max, findings),
            None if presence.num_nan > 0 && presence.num_nan == subject.column.num_values() => {}
            None => findings.push(subject.undecided("float_domain")),
        }
    }
    let num_infinite = presence.num_positive_infinity + presence.num_negative_infinity;
    if *disallow_inf && num_infinite > 0 {
        findings.push(forbidden(subject, FindingCode::HasInfinity, num_infinite));
    }
}

/// A range, be it of floats or of text that means floats, against bounds.
pub(crate) fn check_range(
    subject: &Subject<'_>,
    (lowest, highest): (f64, f64),
    min: Option<f64>,
    max: Option<f64>,
    findings: &mut Vec<Finding>,
) {
    if let Some(bound) = min.filter(|bound| exceeds(*bound, lowest)) {
        let words = words(subject, "float_domain.min", ("at least", bound), ("smallest", "min", lowest));
        let tfdv = format!(
            "Unexpectedly low values: {}<{}(upto six significant digits)",
            general(lowest),
            general(bound)
        );
        findings.push(subject.finding(FindingCode::FloatTooSmall, words).saying(tfdv));
    }
    if let Some(bound) = max.filter(|bound| exceeds(highest, *bound)) {
        let words = words(subject, "float_domain.max", ("at most", bound), ("largest", "max", highest));
        let tfdv = format!(
            "Unexpectedly high value: {}>{}(upto six significant digits)",
            general(highest),
            general(bound)
        );
        findings.push(subject.finding(FindingCode::FloatTooBig, words).saying(tfdv));
    }
}

fn words(
    subject: &Subject<'_>,
    rule: &'static str,
    (side, bound): (&str, f64),
    (which, field, value): (&str, &str, f64),
) -> Words {
    let (name, bound, value) = (subject.name(), text_of_double(bound), text_of_double(value));
    let in_all = Subject { weighted: None, ..*subject }.amount(subject.column.num_values() as f64);
    Words {
        rule,
        expected: format!("{side} {bound}"),
        observed: format!("{which} value {value} in {in_all}"),
        message: format!("the {which} value of column `{name}` is {value}, {side} {bound} is allowed"),
        suggestion: subject.change(&format!("float_domain {{ {field}: {value} }}")),
    }
}

/// NaN or infinity where there must be none.
pub(crate) fn forbidden(subject: &Subject<'_>, code: FindingCode, count: u64) -> Finding {
    let (what, field, rule, tfdv) = if code == FindingCode::HasNan {
        ("NaN", "disallow_nan", "float_domain.disallow_nan", "Float feature has NaN values.")
    } else {
        ("infinity", "disallow_inf", "float_domain.disallow_inf", "Float feature has Inf values.")
    };
    let unweighted = Subject { weighted: None, ..*subject };
    let found = unweighted.amount_of(count as f64, subject.column.num_values() as f64);
    let words = Words {
        rule,
        expected: format!("no {what}"),
        observed: format!("{found} are {what}"),
        message: format!("column `{}` must not hold {what}: {found} do", subject.name()),
        suggestion: subject.change(&format!("float_domain {{ {field}: false }}")),
    };
    subject.finding(code, words).saying(tfdv).violated_by(Some(count))
}

/// A float column that should hold 0 and 1 only: its range, NaN, then what lies between or beyond by the
/// histograms, the most frequent values and the quantiles.
pub(crate) fn check_boolean(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let column = subject.column;
    let num_nan = column.presence.num_nan;
    let such_as =
        |value: &str| format!("Floats (such as {value}) not in {{0, 1}}: converting to float_domain.");
    let Some((lowest, highest)) = range(column) else {
        findings.push(if num_nan > 0 && num_nan == column.num_values() {
            not_boolean(subject, "NaN", None).saying(such_as("NaN")).violated_by(Some(num_nan))
        } else {
            subject.undecided("bool_domain")
        });
        return;
    };
    let bounds = Some((lowest, highest));
    if !is_zero_or_one(lowest) || !is_zero_or_one(highest) {
        let stranger = if is_zero_or_one(lowest) { highest } else { lowest };
        let finding = not_boolean(subject, &text_of_double(stranger), bounds);
        findings.push(finding.saying(such_as(&general(stranger))));
    } else if num_nan > 0 {
        findings.push(not_boolean(subject, "NaN", bounds).saying(such_as("NaN")));
    } else if let Some(between) = between(column) {
        let tfdv = "Float values falling between 0 and 1: converting to float_domain.";
        findings.push(not_boolean(subject, &between, bounds).saying(tfdv));
    }
}

fn is_zero_or_one(value: f64) -> bool {
    [0.0_f64, -0.0, 1.0].iter().any(|allowed| allowed.to_bits() == value.to_bits())
}

/// A value between 0 and 1 that is surely there: among the top values, among the quantiles, in a bucket that lies
/// strictly between, or as a third one.
fn between(column: &ColumnStatistics) -> Option<String> {
    let top = column.top_values.iter().flat_map(|top| &top.values);
    let mut listed = top.filter_map(|(value, _)| value.parse::<f64>().ok());
    let numeric = column.numeric.as_ref();
    let quantiles = numeric.and_then(|numeric| numeric.quantiles.as_ref());
    let mut quantiles = quantiles.iter().flat_map(|quantiles| &quantiles.values).map(|(_, value)| *value);
    let is_between = |value: &f64| *value > 0.0 && *value < 1.0;
    if let Some(value) = listed.find(is_between).or_else(|| quantiles.find(is_between)) {
        return Some(text_of_double(value));
    }
    let histograms = numeric.and_then(|numeric| numeric.histograms.as_ref());
    let mut buckets = histograms.iter().flat_map(|both| &both.equal_depth.buckets);
    if let Some(bucket) = buckets.find(|bucket| bucket.count > 0.0 && bucket.low > 0.0 && bucket.high < 1.0) {
        return Some(format!(
            "values from {} to {}",
            text_of_double(bucket.low),
            text_of_double(bucket.high)
        ));
    }
    let distinct = column.distinct.filter(|distinct| distinct.relative_error <= 0.0 && distinct.count > 2)?;
    Some(format!("one of {} different values", distinct.count))
}

fn not_boolean(subject: &Subject<'_>, stranger: &str, bounds: Option<(f64, f64)>) -> Finding {
    let body = bounds.map_or_else(
        || "float_domain { }".to_owned(),
        |(min, max)| format!("float_domain {{ min: {} max: {} }}", text_of_double(min), text_of_double(max)),
    );
    let words = Words {
        rule: "bool_domain",
        expected: "0 or 1".into(),
        observed: format!("{stranger} in {}", rows(subject.column.presence.num_present())),
        message: format!("column `{}` should hold 0 and 1 only, but holds {stranger}", subject.name()),
        suggestion: subject.change(&body),
    };
    subject.finding(FindingCode::FloatNotBoolean, words)
}
