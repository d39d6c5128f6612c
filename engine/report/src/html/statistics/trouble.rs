//! What is worth a look in a column, with a score that orders the page.
//!
//! | what | when | score |
//! |---|---|---|
//! | no value at all | every row is null or absent | 1 |
//! | missing | share m of rows null or absent | m, at least 0.02 |
//! | NaN, infinities | any | 0.4 + 0.6 share |
//! | not UTF-8 | any | 0.5 + 0.5 share |
//! | one value | every value is the same, of more than one | 0.6 |
//! | nearly unique | text, 100 values or more, 95 % of them different | 0.45 |
//! | zeros | half of the numbers or more (share z) | 0.5 z |
//! | empty text | 1 % of values or more (share e) | 0.2 + 0.6 e |
//! | far out | a value ten times the width of the middle 98 % beyond it | 0.35 |
//! | not in a data set, other kind | one has it, another has not, or as another kind | 0.95 |
//! | missing moved | share of missing rows differs by d ≥ 1 % | min(1, 0.3 + 3 d) |
//! | new values | the first data set, all of whose values are known, lacks some (share v) | 0.4 + v |
//! | mean moved | by s ≥ 0.1 standard deviations of the first data set | min(1, 0.2 + s) |
//! | distribution moved | shares differ by d ≥ 5 % | min(1, 0.3 + 2 d) |
//!
//! Differences between data sets count only beyond four standard errors of two samples of these sizes. The
//! score of a column is its greatest plus a tenth of the others. Shares of text come from the most frequent
//! values, shares of numbers from quantiles; both are lower bounds of the true difference, so that an
//! approximate figure never makes a difference of its own.

use sluice_core::column::ColumnKind;
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics, Distinct, Quantiles};

use crate::html::escape::{VALUE, escape};
use crate::html::figures::{counted, counted_rows, figure, percent, share};
use crate::html::put;
use crate::html::statistics::{difference, set_name};

/// Stands in the words of a trouble for the data set it is in. A control character, which escaped text
/// lacks.
const HERE: &str = "\u{1}";

/// One thing worth a look.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) score: f64,
    /// A word or two, for the overview; escaped.
    pub(super) label: String,
    /// With its figures; escaped.
    pub(super) words: String,
}

pub(super) fn trouble(score: f64, label: impl Into<String>, words: String) -> Trouble {
    Trouble { score, label: label.into(), words }
}

/// How bad: the class in the style sheet, the sign and the word.
pub(super) fn grade(score: f64) -> (&'static str, &'static str, &'static str) {
    match score {
        score if score >= 0.6 => ("g2", "▲", "serious"),
        score if score >= 0.3 => ("g1", "◆", "look"),
        _ => ("g0", "●", "minor"),
    }
}

/// The greatest plus a tenth of the others.
pub(super) fn score(troubles: &[Trouble]) -> f64 {
    let total: f64 = troubles.iter().map(|trouble| trouble.score).sum();
    troubles.first().map_or(0.0, |worst| worst.score + 0.1 * (total - worst.score))
}

/// Everything worth a look, worst first.
pub(super) fn of(columns: &[Option<&ColumnStatistics>], sets: &[&DatasetStatistics]) -> Vec<Trouble> {
    let mut found = Vec::new();
    let present: Vec<(usize, &ColumnStatistics)> =
        columns.iter().enumerate().filter_map(|(set, column)| column.map(|column| (set, column))).collect();
    let mut own: Vec<Vec<Trouble>> = Vec::new();
    for (_, column) in &present {
        let mut troubles = Vec::new();
        of_one(column, HERE, &mut troubles);
        own.push(troubles);
    }
    for ((set, _), troubles) in present.iter().zip(&own) {
        for one in troubles {
            // What is the same everywhere needs no place.
            let is_same = own.iter().all(|others| others.iter().any(|other| other.words == one.words));
            let place = if is_same { String::new() } else { format!(" in {}", set_name(sets[*set])) };
            found.push(Trouble { words: one.words.replace(HERE, &place), ..one.clone() });
        }
    }
    let absent: Vec<String> = columns
        .iter()
        .zip(sets)
        .filter(|(column, _)| column.is_none())
        .map(|(_, set)| set_name(set))
        .collect();
    if !absent.is_empty() {
        found.push(trouble(0.95, "absent", format!("not in {}", absent.join(", "))));
    }
    if let Some(((base, first), others)) = present.split_first() {
        for (set, other) in others {
            let names = [set_name(sets[*base]), set_name(sets[*set])];
            difference::between(first, other, [&names[0], &names[1]], &mut found);
        }
    }
    found.sort_by(|left, right| right.score.total_cmp(&left.score));
    if found.iter().any(|trouble| trouble.label == "missing moved") {
        found.retain(|trouble| trouble.label != "missing");
    }
    // One place is named per sort of trouble: the worst.
    let mut labels: Vec<String> = Vec::new();
    found.retain(|trouble| {
        let is_new = !labels.contains(&trouble.label);
        labels.push(trouble.label.clone());
        is_new
    });
    found
}

/// What is worth a look in one data set.
fn of_one(column: &ColumnStatistics, place: &str, found: &mut Vec<Trouble>) {
    let presence = &column.presence;
    let nothing = presence.num_missing + presence.num_absent;
    if presence.num_rows > 0 && nothing == presence.num_rows {
        let words = format!("no value in {}{place}", counted_rows(presence.num_rows));
        found.push(trouble(1.0, "no value", words));
        return;
    }
    if nothing > 0 {
        let missing = share(nothing, presence.num_rows);
        let words = format!("{} missing{place} ({})", percent(missing), counted_rows(nothing));
        found.push(trouble(missing.clamp(0.02, 1.0), "missing", words));
    }
    let values = column.num_values();
    let infinities = presence.num_positive_infinity + presence.num_negative_infinity;
    for (count, label) in [(presence.num_nan, "NaN"), (infinities, "infinite")] {
        if count > 0 {
            let words = format!("{} of {} values {label}{place}", counted(count), counted(values));
            found.push(trouble(0.4 + 0.6 * share(count, values).clamp(0.0, 1.0), label, words));
        }
    }
    if presence.num_empty > 0 && share(presence.num_empty, values) >= 0.01 {
        let empty = share(presence.num_empty, values).clamp(0.0, 1.0);
        found.push(trouble(0.2 + 0.6 * empty, "empty text", format!("{} empty text{place}", percent(empty))));
    }
    if let Some(text) = column.text.filter(|text| text.num_invalid_utf8 > 0) {
        let invalid = share(text.num_invalid_utf8, values).clamp(0.0, 1.0);
        let words =
            format!("{} of {} values not UTF-8{place}", counted(text.num_invalid_utf8), counted(values));
        found.push(trouble(0.5 + 0.5 * invalid, "not UTF-8", words));
    }
    of_values(column, place, found);
}

/// What is worth a look in the values themselves.
fn of_values(column: &ColumnStatistics, place: &str, found: &mut Vec<Trouble>) {
    let values = column.num_values();
    if let Some(Distinct { count: 1, .. }) = column.distinct
        && values > 1
    {
        let only = only_value(column).map(|value| format!(": {value}")).unwrap_or_default();
        found.push(trouble(0.6, "one value", format!("always the same{place}{only}")));
        return;
    }
    if let (ColumnKind::Text, Some(distinct)) = (column.kind.innermost(), column.distinct) {
        let different = share(distinct.count, values);
        if values >= 100 && different >= 0.95 {
            let about = if distinct.relative_error > 0.0 { "about " } else { "" };
            let words = format!(
                "{about}{} of {} values are different{place}",
                counted(distinct.count),
                counted(values)
            );
            found.push(trouble(0.45, "nearly unique", words));
        }
    }
    let is_boolean = matches!(column.kind.innermost(), ColumnKind::Boolean);
    if let Some(numeric) = column.numeric.as_ref().filter(|_| !is_boolean) {
        let zeros = share(numeric.num_zeros, numeric.num_finite);
        if zeros >= 0.5 {
            found.push(trouble(
                0.5 * zeros.clamp(0.0, 1.0),
                "zeros",
                format!("{} zeros{place}", percent(zeros)),
            ));
        }
        if let (Some(min), Some(max), Some(quantiles)) = (numeric.min, numeric.max, &numeric.quantiles) {
            far_out(min, max, quantiles, place, found);
        }
    }
}

/// The only value, escaped.
fn only_value(column: &ColumnStatistics) -> Option<String> {
    let text = column.top_values.as_ref().and_then(|top| top.values.first());
    match (text, column.numeric.as_ref().and_then(|numeric| numeric.min), &column.time) {
        (Some((value, _)), _, _) => Some(format!("“{}”", escape(value, VALUE))),
        (None, Some(value), _) => Some(figure(value)),
        (None, None, Some(time)) => Some(escape(&time.earliest, VALUE)),
        (None, None, None) => None,
    }
}

/// Extremes far beyond the middle 98 %.
fn far_out(min: f64, max: f64, quantiles: &Quantiles, place: &str, found: &mut Vec<Trouble>) {
    let (Some(first), Some(last)) = (quantiles.at(0.01), quantiles.at(0.99)) else { return };
    let width = last - first;
    if !(width > 0.0) {
        return;
    }
    for (extreme, beyond, name, quantile) in
        [(max, max - last, "largest", last), (min, first - min, "smallest", first)]
    {
        if beyond > 10.0 * width {
            let words = format!(
                "the {name} value{place}, {}, lies far beyond the middle 98% (which ends at {})",
                figure(extreme),
                figure(quantile)
            );
            found.push(trouble(0.35, "far out", words));
        }
    }
}

/// How the order comes about, for the foot of the page.
pub(super) fn explanation(body: &mut String, is_compared: bool) {
    body.push_str(
        "<section class=\"about\"><h2>How columns are ordered</h2><p>Each trouble has a score from 0 to 1; \
         a column \
         has the greatest of its own plus a tenth of the others. No value at all: 1. Missing rows: their \
         share. NaN \
         and infinities: 0.4 and more. One value throughout: 0.6. Text that is nearly all different: 0.45. \
         Zeros: half \
         their share, from one half on. Empty text: 0.2 and more. Extremes far beyond the middle 98%: 0.35.",
    );
    if is_compared {
        body.push_str(
            " Data sets are compared with the first: a column absent or of another kind 0.95; a share of \
             missing rows that moved by d, 0.3 + 3d; values that the first lacks, 0.4 and more; a mean that \
             moved by s standard deviations, 0.2 + s; a share of values that moved by d, 0.3 + 2d. Differences \
             within four standard errors do not count.",
        );
    }
    put!(body, " ▲ is 0.6 and more, ◆ 0.3 and more.</p></section>");
}
