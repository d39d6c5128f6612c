//! How many values rows have, and how deep lists lie in lists.
//!
//! `value_count` bounds the values of a row, `value_counts` the elements of the lists of each level from the
//! outermost inwards, `shape` fixes them. A column that is no list has one value in each row that has any.

use sluice_core::column::ColumnKind;
use sluice_core::schema::{Shape, ValueCount};
use sluice_core::statistics::Level;

use super::code::FindingCode;
use super::finding::{Finding, Words, rows};
use super::subject::Subject;

/// The lists of a column from the outermost inwards; a column that is no list is one level of single values.
fn levels(subject: &Subject<'_>) -> Vec<Level> {
    let presence = &subject.column.presence;
    let found = subject.column.valency.as_ref().map(|valency| valency.levels.clone());
    found.filter(|levels| !levels.is_empty()).unwrap_or_else(|| {
        let num_present = presence.num_present();
        vec![Level {
            num_present,
            num_missing: presence.num_rows - num_present,
            num_empty: 0,
            min_length: 1,
            max_length: 1,
            num_elements: num_present,
        }]
    })
}

/// The numbers of values against what the schema says of them.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    if subject.feature.shape == Shape::Any {
        return;
    }
    if matches!(subject.column.kind, ColumnKind::List(_)) && subject.column.valency.is_none() {
        let rule = if matches!(subject.feature.shape, Shape::Fixed(_)) { "shape" } else { "value_count" };
        findings.push(subject.undecided(rule));
        return;
    }
    let levels = levels(subject);
    match &subject.feature.shape {
        Shape::Any => {}
        Shape::Fixed(sizes) => check_shape(subject, sizes, &levels, findings),
        Shape::ValueCounts(counts) => check_counts(subject, counts, &levels, findings),
    }
}

fn check_counts(subject: &Subject<'_>, counts: &[ValueCount], levels: &[Level], findings: &mut Vec<Finding>) {
    if counts.len() != levels.len() {
        findings.push(nestedness(subject, counts, levels));
        return;
    }
    for (index, (count, level)) in counts.iter().zip(levels).enumerate() {
        let of_level = (counts.len() > 1).then_some(index);
        if let Some(least) = count.min.filter(|least| i128::from(level.min_length) < i128::from(*least)) {
            findings.push(too_few(subject, least, level, of_level));
        }
        // Bounds that contradict each other are a finding on the schema, of which the lower one is kept.
        let most = count.max.filter(|most| count.min.is_none_or(|least| least <= *most));
        if let Some(most) = most.filter(|most| i128::from(level.max_length) > i128::from(*most)) {
            findings.push(too_many(subject, most, level, of_level));
        }
    }
}

fn nestedness(subject: &Subject<'_>, counts: &[ValueCount], levels: &[Level]) -> Finding {
    let depth = |count: usize| if count == 1 { "1 level".to_owned() } else { format!("{count} levels") };
    let (rule, tfdv) = match counts {
        [_] => (
            "value_count",
            "This feature has a value_count, but the nestedness level of the feature > 1. For features with \
             nestedness levels greater than 1, value_counts, not value_count, should be specified.",
        ),
        _ => (
            "value_counts",
            "The values have a different nest level than expected. Value counts will not be checked.",
        ),
    };
    let found: String = levels
        .iter()
        .map(|level| format!(" value_count {{ min: {} max: {} }}", level.min_length, level.max_length))
        .collect();
    let suggestion = match levels {
        [only] => {
            subject.change(&format!("value_count {{ min: {} max: {} }}", only.min_length, only.max_length))
        }
        _ => subject.change(&format!("value_counts {{{found} }}")),
    };
    let words = Words {
        rule,
        expected: format!("lists of {}", depth(counts.len())),
        observed: format!(
            "lists of {} in {}",
            depth(levels.len()),
            rows(subject.column.presence.num_present())
        ),
        message: format!(
            "column `{}` has lists of {}, the schema says {}",
            subject.name(),
            depth(levels.len()),
            depth(counts.len())
        ),
        suggestion,
    };
    subject.finding(FindingCode::NestednessMismatch, words).saying(tfdv)
}

/// " at level 1" in our words, " at nestedness level 1" in TFDV's.
fn at(level: Option<usize>) -> (String, String) {
    level.map_or_else(Default::default, |level| {
        (format!(" at level {level}"), format!(" at nestedness level {level}"))
    })
}

fn rule(level: Option<usize>) -> &'static str {
    if level.is_some() { "value_counts" } else { "value_count" }
}

fn change(subject: &Subject<'_>, level: Option<usize>, bound: &str) -> String {
    match level {
        None => subject.change(&format!("value_count {{ {bound} }}")),
        Some(level) => {
            format!(
                "in feature `{}`, in `value_count` {} of `value_counts`, set {bound}",
                subject.name(),
                level + 1
            )
        }
    }
}

fn too_few(subject: &Subject<'_>, least: i64, level: &Level, index: Option<usize>) -> Finding {
    let (place, tfdv) = at(index);
    // Lists without an element are counted; how many are short otherwise, the statistics do not say.
    let count = (least == 1).then_some(level.num_empty).filter(|count| *count > 0);
    let words = Words {
        rule: rule(index),
        expected: format!("at least {least} values{place}"),
        observed: format!("the shortest list{place} has {} values", level.min_length),
        message: format!(
            "column `{}` has lists{place} of {} values, at least {least} are demanded",
            subject.name(),
            level.min_length
        ),
        suggestion: change(subject, index, &format!("min: {}", level.min_length)),
    };
    let finding = subject.finding(FindingCode::TooFewValues, words).violated_by(count);
    finding.saying(format!("Some examples have fewer values than expected{tfdv}."))
}

fn too_many(subject: &Subject<'_>, most: i64, level: &Level, index: Option<usize>) -> Finding {
    let (place, tfdv) = at(index);
    let words = Words {
        rule: rule(index),
        expected: format!("at most {most} values{place}"),
        observed: format!("the longest list{place} has {} values", level.max_length),
        message: format!(
            "column `{}` has lists{place} of {} values, at most {most} are allowed",
            subject.name(),
            level.max_length
        ),
        suggestion: change(subject, index, &format!("max: {}", level.max_length)),
    };
    let finding = subject.finding(FindingCode::TooManyValues, words);
    finding.saying(format!("Some examples have more values than expected{tfdv}."))
}

fn check_shape(subject: &Subject<'_>, sizes: &[i64], levels: &[Level], findings: &mut Vec<Finding>) {
    // A shape that is wrong by itself is a finding on the schema.
    if sizes.iter().any(|size| *size <= 0) {
        return;
    }
    let is_fixed = |level: &Level| level.num_missing == 0 && level.min_length == level.max_length;
    let name = subject.name();
    let shape = shape_in_words(sizes);
    let all_present = subject.column.presence.num_present() == subject.column.presence.num_rows;
    let (observed, count, tfdv) = if !all_present || !levels.iter().all(is_fixed) {
        let (observed, count) = what_varies(subject, levels);
        let tfdv = "The feature has a shape, but it's not always present (if the feature is nested, then it \
                    should always be present at each nested level) or its value lengths vary.";
        (observed, count, tfdv.to_owned())
    } else {
        let demanded = sizes.iter().try_fold(1_i128, |product, size| product.checked_mul(i128::from(*size)));
        let found = levels
            .iter()
            .try_fold(1_i128, |product, level| product.checked_mul(i128::from(level.max_length)));
        if demanded.is_some() && demanded == found {
            return;
        }
        let length = found.map_or_else(|| "more than 2^127".into(), |found| found.to_string());
        let observed = format!("each row has {length} values");
        let tfdv = format!(
            "The feature has fixed value length {length} but it's not compatible with the specified shape."
        );
        (observed, None, tfdv)
    };
    let words = Words {
        rule: "shape",
        expected: format!("{shape} in each row"),
        message: format!("column `{name}` must have {shape} in each row: {observed}"),
        observed,
        suggestion: format!("in feature `{name}`, remove `shape`"),
    };
    findings.push(subject.finding(FindingCode::ShapeBroken, words).saying(tfdv).violated_by(count));
}

fn shape_in_words(sizes: &[i64]) -> String {
    match sizes {
        [] | [1] => "one value".into(),
        several => {
            let sizes: Vec<String> = several.iter().map(ToString::to_string).collect();
            format!("{} values", sizes.join(" x "))
        }
    }
}

/// What breaks a shape, and in how many rows where that is known.
fn what_varies(subject: &Subject<'_>, levels: &[Level]) -> (String, Option<u64>) {
    let presence = &subject.column.presence;
    let num_missing = presence.num_rows - presence.num_present();
    let varying = levels.iter().position(|level| level.min_length != level.max_length);
    match varying {
        Some(index) => {
            let place = at((levels.len() > 1).then_some(index)).0;
            let (shortest, longest) = (levels[index].min_length, levels[index].max_length);
            let missing =
                if num_missing > 0 { format!(", {} have none", rows(num_missing)) } else { String::new() };
            (format!("lists{place} have {shortest} to {longest} values{missing}"), None)
        }
        None if num_missing > 0 => (subject.presence_in_words(), Some(num_missing)),
        None => {
            let nulls: u64 = levels.iter().skip(1).map(|level| level.num_missing).sum();
            (format!("{nulls} inner lists are null"), None)
        }
    }
}
