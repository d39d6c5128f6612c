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
//! | mean moved | by s ≥ 0.1 standard deviations of the first data set | min(1, 0.2 + s) |
//! | distribution moved | shares differ by d ≥ 5 % | min(1, 0.3 + 2 d) |
//!
//! Differences between data sets count only beyond four standard errors of two samples of these sizes. The score of
//! a column is its greatest plus a tenth of the others. Shares of text come from the most frequent values, shares
//! of numbers from quantiles; both are lower bounds of the true difference, so that an approximate figure never makes
//! a difference of its own.

use sluice_core::column::ColumnKind;
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics, Distinct, Quantiles, TopValues};

use crate::html::escape::{VALUE, escape};
use crate::html::figures::{brief, counted, figure, kind, percent, share};
use crate::html::put;
use crate::html::statistics::set_name;

/// Stands in the words of a trouble for the data set it is in. A control character, which escaped text lacks.
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

fn trouble(score: f64, label: impl Into<String>, words: String) -> Trouble {
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
            between(first, other, [&names[0], &names[1]], &mut found);
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
        let words = format!("no value in {} rows{place}", counted(presence.num_rows));
        found.push(trouble(1.0, "no value", words));
        return;
    }
    if nothing > 0 {
        let missing = share(nothing, presence.num_rows);
        let words = format!("{} missing{place} ({} rows)", percent(missing), counted(nothing));
        found.push(trouble(missing.clamp(0.02, 1.0), "missing", words));
    }
    let values = column.num_values();
    let infinities = presence.num_positive_infinity + presence.num_negative_infinity;
    for (count, label) in [(presence.num_nan, "NaN"), (infinities, "infinite")] {
        if count > 0 {
            let words =
                format!("{} values are {label}{place} ({})", counted(count), percent(share(count, values)));
            found.push(trouble(0.4 + 0.6 * share(count, values).clamp(0.0, 1.0), label, words));
        }
    }
    if presence.num_empty > 0 && share(presence.num_empty, values) >= 0.01 {
        let empty = share(presence.num_empty, values).clamp(0.0, 1.0);
        found.push(trouble(0.2 + 0.6 * empty, "empty text", format!("{} empty text{place}", percent(empty))));
    }
    if let Some(text) = column.text.filter(|text| text.num_invalid_utf8 > 0) {
        let invalid = share(text.num_invalid_utf8, values).clamp(0.0, 1.0);
        let words = format!("{} not UTF-8{place}", counted(text.num_invalid_utf8));
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

/// Where two data sets differ.
fn between(first: &ColumnStatistics, other: &ColumnStatistics, names: [&str; 2], found: &mut Vec<Trouble>) {
    let [base, name] = names;
    if first.kind != other.kind {
        let words = format!(
            "{} in {base}, {} in {name}",
            escape(&kind(&first.kind), VALUE),
            escape(&kind(&other.kind), VALUE)
        );
        found.push(trouble(0.95, "other kind", words));
        return;
    }
    let missing = [first, other].map(|column| {
        share(column.presence.num_missing + column.presence.num_absent, column.presence.num_rows)
    });
    let rows = [first, other].map(|column| column.presence.num_rows);
    let moved = (missing[1] - missing[0]).abs();
    if moved >= 0.01 && moved > noise(rows) {
        let words = format!("missing {} in {base}, {} in {name}", percent(missing[0]), percent(missing[1]));
        found.push(trouble((0.3 + 3.0 * moved).clamp(0.0, 1.0), "missing moved", words));
    }
    mean_moved(first, other, names, found);
    if let Some((distance, words)) = distribution_moved(first, other, names) {
        found.push(trouble((0.3 + 2.0 * distance).clamp(0.0, 1.0), "distribution moved", words));
    }
}

/// Four standard errors of the difference of two shares, at most: those of a half.
fn noise(counts: [u64; 2]) -> f64 {
    if counts.contains(&0) {
        return f64::INFINITY;
    }
    2.0 * counts.map(|count| 1.0 / count as f64).iter().sum::<f64>().sqrt()
}

fn mean_moved(
    first: &ColumnStatistics,
    other: &ColumnStatistics,
    names: [&str; 2],
    found: &mut Vec<Trouble>,
) {
    let (Some(left), Some(right)) = (&first.numeric, &other.numeric) else { return };
    let (Some(mean), Some(deviation)) = (left.mean, left.standard_deviation) else { return };
    let (Some(other_mean), Some(other_deviation)) = (right.mean, right.standard_deviation) else { return };
    if left.num_finite == 0 || right.num_finite == 0 {
        return;
    }
    let moved = (other_mean - mean).abs();
    let error =
        deviation.powi(2) / left.num_finite as f64 + other_deviation.powi(2) / right.num_finite as f64;
    let deviations = moved / deviation;
    if deviations >= 0.1 && moved > 4.0 * error.sqrt() {
        let far = if deviations.is_finite() {
            format!(", {} standard deviations", figure((deviations * 100.0).round() / 100.0))
        } else {
            String::new()
        };
        let words =
            format!("mean {} in {}, {} in {}{far}", brief(mean), names[0], brief(other_mean), names[1]);
        found.push(trouble((0.2 + deviations).clamp(0.0, 1.0), "mean moved", words));
    }
}

/// The greatest difference of shares that is sure, with its words.
fn distribution_moved(
    first: &ColumnStatistics,
    other: &ColumnStatistics,
    [base, name]: [&str; 2],
) -> Option<(f64, String)> {
    let is_enough = |distance: f64, counts: [u64; 2]| distance >= 0.05 && distance > noise(counts);
    if let (Some(left), Some(right)) = (&first.top_values, &other.top_values) {
        let counts = [first.num_values(), other.num_values()];
        let (distance, value) = share_difference([left, right], counts)?;
        let shares = [left, right].map(|top| known(top, value).0);
        let [shown, other_shown] =
            [percent(share(shares[0], counts[0])), percent(share(shares[1], counts[1]))];
        let words = format!("“{}” is {shown} of {base}, {other_shown} of {name}", escape(value, VALUE));
        return is_enough(distance, counts).then_some((distance, words));
    }
    let numeric = [first, other].map(|column| column.numeric.as_ref());
    let [Some(left), Some(right)] = numeric else { return None };
    let (distance, value, shares) = quantile_distance(left.quantiles.as_ref()?, right.quantiles.as_ref()?)?;
    let words = format!(
        "values up to {} are {} of {base}, {} of {name}",
        figure(value),
        bounded(shares[0]),
        bounded(shares[1])
    );
    is_enough(distance, [left.num_finite, right.num_finite]).then_some((distance, words))
}

/// A share of which only bounds are known.
fn bounded((low, high): (f64, f64)) -> String {
    match (low <= 0.0, high >= 1.0) {
        (true, true) => "an unknown share".into(),
        (true, false) => format!("less than {}", percent(high)),
        (false, true) => format!("at least {}", percent(low)),
        (false, false) => format!("{} to {}", percent(low), percent(high)),
    }
}

/// The least and greatest count that a value can have.
fn known(top: &TopValues, value: &str) -> (u64, u64) {
    match top.values.iter().find(|(mine, _)| mine == value) {
        Some((_, count)) => (*count, *count + top.max_error),
        None if top.is_complete => (0, 0),
        None => (0, top.values.last().map_or(0, |last| last.1) + top.max_error),
    }
}

/// The value whose share surely differs most; of the first hundred of each list.
fn share_difference<'a>(tops: [&'a TopValues; 2], counts: [u64; 2]) -> Option<(f64, &'a str)> {
    let mut most: Option<(f64, &str)> = None;
    for (value, _) in tops.iter().flat_map(|top| top.values.iter().take(100)) {
        let [left, right] = [0, 1].map(|set| {
            let (low, high) = known(tops[set], value);
            (share(low, counts[set]), share(high, counts[set]))
        });
        let distance = if left.0 - right.1 > right.0 - left.1 { left.0 - right.1 } else { right.0 - left.1 };
        if distance > most.map_or(0.0, |it| it.0) {
            most = Some((distance, value));
        }
    }
    most
}

/// The bounds of the share of values that do not exceed `value`. A quantile is the smallest value that a share of at
/// least q does not exceed; so the share at it is at least q, and below the next greater quantile less than that q.
fn share_up_to(quantiles: &Quantiles, value: f64) -> (f64, f64) {
    let error = quantiles.rank_error_fraction;
    let low = quantiles.values.iter().filter(|(_, at)| *at <= value).map(|(q, _)| *q).next_back();
    let high = quantiles.values.iter().find(|(_, at)| *at > value).map(|(q, _)| *q);
    let low = (low.unwrap_or(0.0) - error).clamp(0.0, 1.0);
    (low, high.map_or(1.0, |high| (high + error).clamp(0.0, 1.0)))
}

/// A lower bound of the Kolmogorov-Smirnov distance, where it is, and the shares there.
fn quantile_distance(left: &Quantiles, right: &Quantiles) -> Option<(f64, f64, [(f64, f64); 2])> {
    let mut most = None;
    for (_, value) in left.values.iter().chain(&right.values) {
        let shares = [left, right].map(|quantiles| share_up_to(quantiles, *value));
        let (over, under) = (shares[0].0 - shares[1].1, shares[1].0 - shares[0].1);
        let distance = if over > under { over } else { under };
        if distance > most.map_or(0.0, |it: (f64, f64, [(f64, f64); 2])| it.0) {
            most = Some((distance, *value, shares));
        }
    }
    most
}

/// How the order comes about, for the foot of the page.
pub(super) fn explanation(body: &mut String, is_compared: bool) {
    body.push_str(
        "<section class=\"about\"><h2>How columns are ordered</h2><p>Each trouble has a score from 0 to 1; a column \
         has the greatest of its own plus a tenth of the others. No value at all: 1. Missing rows: their share. NaN \
         and infinities: 0.4 and more. One value throughout: 0.6. Text that is nearly all different: 0.45. Zeros: half \
         their share, from one half on. Empty text: 0.2 and more. Extremes far beyond the middle 98%: 0.35.",
    );
    if is_compared {
        body.push_str(
            " Data sets are compared with the first: a column absent or of another kind 0.95; a share of missing rows \
             that moved by d, 0.3 + 3d; a mean that moved by s standard deviations, 0.2 + s; a share of values that moved \
             by d, 0.3 + 2d. Differences within four standard errors do not count.",
        );
    }
    put!(body, " ▲ is 0.6 and more, ◆ 0.3 and more.</p></section>");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantiles(values: &[(f64, f64)]) -> Quantiles {
        Quantiles { values: values.to_vec(), rank_error_fraction: 0.0 }
    }

    #[test]
    fn the_distance_of_quantiles_is_a_lower_bound() {
        let left = quantiles(&[(0.0, 0.0), (0.5, 5.0), (1.0, 10.0)]);
        assert!(quantile_distance(&left, &left).is_none());
        // All of the right lies above all of the left.
        let right = quantiles(&[(0.0, 20.0), (0.5, 25.0), (1.0, 30.0)]);
        let (distance, value, _) = quantile_distance(&left, &right).unwrap();
        assert_eq!((distance, value), (1.0, 10.0));
        // Another grid of the same values makes no difference.
        let finer = quantiles(&[(0.0, 0.0), (0.25, 2.0), (0.5, 5.0), (0.75, 7.0), (1.0, 10.0)]);
        assert!(quantile_distance(&left, &finer).is_none());
    }

    #[test]
    fn values_that_are_not_listed_may_have_the_last_count() {
        let top = |values: &[(&str, u64)], is_complete| TopValues {
            values: values.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect(),
            max_error: 0,
            is_complete,
        };
        let left = top(&[("a", 60), ("b", 40)], true);
        let right = top(&[("a", 60), ("c", 30)], false);
        let (distance, value) = share_difference([&left, &right], [100, 100]).unwrap();
        assert_eq!(value, "c");
        assert!((distance - 0.3).abs() < 1e-12);
    }
}
