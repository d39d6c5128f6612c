//! Bounds of floats, NaN, infinities, and floats as booleans. Bounds are compared in single precision, as in
//! TFDV, because the schema's format holds them so: 0.1 in the data is not below a bound of 0.1.

use sluice_core::schema::Domain;
use sluice_core::statistics::ColumnStatistics;

use super::finding::{Finding, FindingCode, Words, change, rows};
use super::integers::undecided;
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

/// A float column against its bounds and what it must not hold.
pub(crate) fn check(domain: &Domain, column: &ColumnStatistics, findings: &mut Vec<Finding>) {
    let Domain::Float { min, max, disallow_nan, disallow_inf, .. } = domain else { return };
    let presence = &column.presence;
    if *disallow_nan && presence.num_nan > 0 {
        findings.push(forbidden(FindingCode::HasNan, "float_domain.disallow_nan", presence.num_nan, column));
    }
    let num_infinite = presence.num_positive_infinity + presence.num_negative_infinity;
    if *disallow_inf && num_infinite > 0 {
        findings.push(forbidden(FindingCode::HasInfinity, "float_domain.disallow_inf", num_infinite, column));
    }
    if min.is_none() && max.is_none() {
        return;
    }
    match range(column) {
        Some(range) => check_range(range, *min, *max, column, findings),
        None if presence.num_nan == presence.num_present() => {}
        None => findings.push(undecided("float_domain", column)),
    }
}

/// A range, be it of floats or of text that means floats, against bounds.
pub(crate) fn check_range(
    (lowest, highest): (f64, f64),
    min: Option<f64>,
    max: Option<f64>,
    column: &ColumnStatistics,
    findings: &mut Vec<Finding>,
) {
    if let Some(bound) = max.filter(|bound| exceeds(highest, *bound)) {
        let words = words("float_domain.max", ("at most", bound), ("largest", "max", highest), column);
        findings.push(Finding::column(FindingCode::FloatTooBig, &column.name, words));
    }
    if let Some(bound) = min.filter(|bound| exceeds(*bound, lowest)) {
        let words = words("float_domain.min", ("at least", bound), ("smallest", "min", lowest), column);
        findings.push(Finding::column(FindingCode::FloatTooSmall, &column.name, words));
    }
}

fn words(
    rule: &'static str,
    (side, bound): (&str, f64),
    (which, field, value): (&str, &str, f64),
    column: &ColumnStatistics,
) -> Words {
    let (name, bound, value) = (&column.name, text_of_double(bound), text_of_double(value));
    Words {
        rule,
        expected: format!("{side} {bound}"),
        observed: format!("{which} value {value} in {}", rows(column.presence.num_present())),
        message: format!("the {which} value of column `{name}` is {value}, {side} {bound} is allowed"),
        suggestion: change(name, &format!("float_domain {{ {field}: {value} }}")),
    }
}

/// NaN or infinity where there must be none.
pub(crate) fn forbidden(
    code: FindingCode,
    rule: &'static str,
    count: u64,
    column: &ColumnStatistics,
) -> Finding {
    let (what, field) =
        if code == FindingCode::HasNan { ("NaN", "disallow_nan") } else { ("infinity", "disallow_inf") };
    let found = format!("{count} of {}", rows(column.presence.num_present()));
    let words = Words {
        rule,
        expected: format!("no {what}"),
        observed: format!("{found} are {what}"),
        message: format!("column `{}` must not hold {what}: {found} do", column.name),
        suggestion: change(&column.name, &format!("float_domain {{ {field}: false }}")),
    };
    Finding::column(code, &column.name, words)
}

/// A float column that should hold 0 and 1 only.
pub(crate) fn check_boolean(column: &ColumnStatistics, findings: &mut Vec<Finding>) {
    let presence = &column.presence;
    let Some((lowest, highest)) = range(column) else {
        let is_all_nan = presence.num_nan == presence.num_present();
        findings.push(if is_all_nan {
            not_boolean("NaN", column, None)
        } else {
            undecided("bool_domain", column)
        });
        return;
    };
    let bounds = Some((lowest, highest));
    if !is_zero_or_one(lowest) || !is_zero_or_one(highest) {
        let stranger = if is_zero_or_one(lowest) { highest } else { lowest };
        findings.push(not_boolean(&text_of_double(stranger), column, bounds));
    } else if presence.num_nan > 0 {
        findings.push(not_boolean("NaN", column, bounds));
    } else if let Some(between) = between(column) {
        findings.push(not_boolean(&between, column, bounds));
    }
}

fn is_zero_or_one(value: f64) -> bool {
    [0.0_f64, -0.0, 1.0].iter().any(|allowed| allowed.to_bits() == value.to_bits())
}

/// A value between 0 and 1 that is surely there: among the top values, among the quantiles, or as a third one.
fn between(column: &ColumnStatistics) -> Option<String> {
    let top = column.top_values.iter().flat_map(|top| &top.values);
    let mut listed = top.filter_map(|(value, _)| value.parse::<f64>().ok());
    let numeric = column.numeric.as_ref().and_then(|numeric| numeric.quantiles.as_ref());
    let mut quantiles = numeric.iter().flat_map(|quantiles| &quantiles.values).map(|(_, value)| *value);
    let is_between = |value: &f64| *value > 0.0 && *value < 1.0;
    if let Some(value) = listed.find(is_between).or_else(|| quantiles.find(is_between)) {
        return Some(text_of_double(value));
    }
    let distinct = column.distinct.filter(|distinct| distinct.relative_error <= 0.0 && distinct.count > 2)?;
    Some(format!("one of {} different values", distinct.count))
}

fn not_boolean(stranger: &str, column: &ColumnStatistics, bounds: Option<(f64, f64)>) -> Finding {
    let body = bounds.map_or_else(
        || "float_domain { }".to_owned(),
        |(min, max)| format!("float_domain {{ min: {} max: {} }}", text_of_double(min), text_of_double(max)),
    );
    let words = Words {
        rule: "bool_domain",
        expected: "0 or 1".into(),
        observed: format!("{stranger} in {}", rows(column.presence.num_present())),
        message: format!("column `{}` should hold 0 and 1 only, but holds {stranger}", column.name),
        suggestion: change(&column.name, &body),
    };
    Finding::column(FindingCode::FloatNotBoolean, &column.name, words)
}
