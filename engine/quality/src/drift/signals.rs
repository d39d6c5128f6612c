//! Changes that are signals of their own, whatever the distribution of the values does.
//!
//! | measure | value | its probability when nothing changed |
//! |---|---|---|
//! | missing rate, NaN rate, infinite rate | difference of the shares | of two samples of the same (`significance`) |
//! | out of range | share of current values beyond the smallest and largest of the reference | that so many of both sides' extremes are all current, twice over for both ends |
//! | new categories | share of current values whose label the reference lacks | that a label so frequent is on one side only, times the number of labels (Bonferroni) |
//! | cardinality | change of the number of labels beyond that of labels shared out at random, over these | Chernoff's bound on either side, at most |
//! | length | change of the mean, as a share of it | normal, with the greatest variance that mean, least and greatest length leave, at most |

use sluice_core::distribution::normal;
use sluice_core::statistics::ColumnStatistics;

use super::cumulative::Cumulative;
use super::labels::{AlignedBin, AlignedLabels, OTHER};
use super::measure::Measure;
use super::significance::{shares_tail, unseen_tail};
use super::view::View;
use crate::validation::words::shortest;

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measured {
    pub(super) measure: Measure,
    /// At least, as far as is known, and at most.
    pub(super) bounds: (f64, f64, f64),
    pub(super) noise: f64,
    /// None where chance has no part in it.
    pub(super) tail: Option<f64>,
    pub(super) tail_is_bound: bool,
    pub(super) detail: String,
}

impl Measured {
    pub(super) fn exactly(
        measure: Measure,
        value: f64,
        noise: f64,
        tail: Option<f64>,
        detail: String,
    ) -> Self {
        Self { measure, bounds: (value, value, value), noise, tail, tail_is_bound: false, detail }
    }
}

/// The rates of nothing, and what is no number.
pub(super) fn rates(current: View<'_>, reference: View<'_>) -> Vec<Measured> {
    let mut found = Vec::new();
    let mut rate = |measure, x: f64, n: f64, y: f64, m: f64| {
        // Where nothing of the sort is on either side there is nothing to test.
        if n > 0.0 && m > 0.0 && (x > 0.0 || y > 0.0) {
            let share = (x + y) / (n + m);
            let noise = (2.0 / std::f64::consts::PI * share * (1.0 - share) * (1.0 / n + 1.0 / m)).sqrt();
            let detail = format!("{} of {}, was {} of {}", shown(x), shown(n), shown(y), shown(m));
            let value = (x / n - y / m).abs();
            found.push(Measured::exactly(measure, value, noise, Some(shares_tail((x, n), (y, m))), detail));
        }
    };
    rate(Measure::MissingRate, current.missing(), current.rows(), reference.missing(), reference.rows());
    let [n, m] = [current, reference].map(|side| side.values_by_rows());
    rate(Measure::NanRate, current.nan(), n, reference.nan(), m);
    rate(Measure::InfiniteRate, current.infinite(), n, reference.infinite(), m);
    found
}

/// A number of rows; an effective one with a digit behind the point.
fn shown(rows: f64) -> String {
    if rows.fract().abs() > 0.0 { format!("{rows:.1}") } else { rows.to_string() }
}

/// Values beyond the extremes of the reference.
pub(super) fn out_of_range(current: &Cumulative, reference: &Cumulative) -> Measured {
    let (min, max) = reference.extremes();
    let (n, m) = (current.count(), reference.count());
    let above = current.up_to(max);
    let mut below = current.up_to(min.next_down());
    // What lies just below the smallest of the reference may be told apart from it in a table only.
    below.low = if current.extremes().0 < min { below.low } else { 0.0 };
    below.value = if current.extremes().0 < min { below.value } else { 0.0 };
    below.high = if current.extremes().0 < min { below.high } else { 0.0 };
    let low = below.low + 1.0 - above.high;
    let value = below.value + 1.0 - above.value;
    let high = (below.high + 1.0 - above.low).min(1.0);
    // Where shares are bounds, a part of a row is none; where they are counts, they are off by rounding only.
    let least = [below.low * n, (1.0 - above.high) * n].map(|count| (count + 1e-6).floor());
    let tail = least.map(|count| unseen_tail(count, n, m)).into_iter().fold(1.0, f64::min);
    let [low_end, high_end] = [current.extremes().0, current.extremes().1].map(shortest);
    let detail = format!("reference {} to {}, current {low_end} to {high_end}", shortest(min), shortest(max));
    Measured {
        measure: Measure::OutOfRange,
        bounds: (low.max(0.0), value.max(0.0), high),
        noise: (2.0 / (m + 1.0)).min(1.0),
        tail: Some((2.0 * tail).min(1.0)),
        tail_is_bound: true,
        detail,
    }
}

/// Labels that the reference does not have; nothing where its list is cut off.
pub(super) fn new_categories(labels: &AlignedLabels, n: f64, m: f64) -> Option<Measured> {
    if !(labels.is_complete && n > 0.0 && m > 0.0) {
        return None;
    }
    let new: Vec<_> = labels.bins.iter().filter(|bin| !(bin.reference > 0.0) && bin.bin != OTHER).collect();
    // The sum of nothing would be -0.
    let count = new.iter().fold(0.0, |sum, bin| sum + bin.current);
    let least = new.iter().map(|bin| unseen_tail(bin.current, n, m)).fold(1.0, f64::min);
    let names: Vec<String> = new.iter().take(3).map(|bin| format!("{:?}", bin.bin)).collect();
    let detail = match new.len() {
        0 => "no new labels".to_owned(),
        number => format!("{number} new: {}", names.join(", ")),
    };
    // Labels seen once are how many more there are (Good and Turing).
    let once = labels.bins.iter().filter(|bin| (bin.reference - 1.0).abs() < 0.5).count() as f64;
    let tail = (least * labels.bins.len() as f64).min(1.0);
    let mut measured =
        Measured::exactly(Measure::NewCategories, count / n, (once / m).min(1.0), Some(tail), detail);
    measured.tail_is_bound = true;
    Some(measured)
}

/// How the number of labels changed, beyond what the numbers of rows explain: so many rows of both sides' labels, shared
/// out at random, would have as many as expected.
pub(super) fn cardinality(labels: &AlignedLabels, n: f64, m: f64) -> Option<Measured> {
    if !(labels.is_complete && n > 0.0 && m > 0.0) {
        return None;
    }
    let counted = |of: fn(&AlignedBin) -> f64| labels.bins.iter().filter(|bin| of(bin) > 0.0).count() as f64;
    let found = [counted(|bin| bin.current), counted(|bin| bin.reference)];
    // The chance of a label to be on no row of a side.
    let absent =
        |bin: &AlignedBin, others: f64| ((bin.current + bin.reference) * (others / (n + m)).ln()).exp();
    let expected = [m, n].map(|others| labels.bins.iter().map(|bin| 1.0 - absent(bin, others)).sum::<f64>());
    if !(expected[0] > 0.0) {
        return None;
    }
    let change = ((found[0] - found[1]) - (expected[0] - expected[1])).abs();
    let all = labels.bins.len() as f64;
    // One of the sides is off by half of the change, at least.
    let tail: f64 = expected.iter().map(|expected| chernoff(change / 2.0, *expected, all)).sum();
    let variance: f64 = [m, n]
        .map(|others| {
            labels.bins.iter().map(|bin| absent(bin, others) * (1.0 - absent(bin, others))).sum::<f64>()
        })
        .iter()
        .sum();
    let detail = format!("{} labels, was {}; {:.1} expected", found[0], found[1], expected[0]);
    let noise = (2.0 / std::f64::consts::PI * variance).sqrt() / expected[0];
    let value = change / expected[0];
    let mut measured = Measured::exactly(Measure::Cardinality, value, noise, Some(tail.min(1.0)), detail);
    measured.tail_is_bound = true;
    Some(measured)
}

/// The probability that a sum of `count` independent yes and no is `off` from what is expected, either way, at most
/// (Chernoff and Hoeffding).
fn chernoff(off: f64, expected: f64, count: f64) -> f64 {
    let term = |p: f64, q: f64| {
        if !(p > 0.0) {
            0.0
        } else if q > 0.0 {
            p * (p / q).ln()
        } else {
            f64::INFINITY
        }
    };
    let q = (expected / count).clamp(0.0, 1.0);
    let one = |p: f64| {
        if !(0.0..=1.0).contains(&p) {
            return 0.0;
        }
        (-count * (term(p, q) + term(1.0 - p, 1.0 - q)).max(0.0)).exp()
    };
    if off > 0.0 { (one(q - off / count) + one(q + off / count)).min(1.0) } else { 1.0 }
}

/// The mean length of texts, or of lists.
pub(super) fn length(current: View<'_>, reference: View<'_>) -> Option<Measured> {
    let ((n, mean, low, high), (m, before, least, most)) = (lengths(current)?, lengths(reference)?);
    if !(n > 0.0 && m > 0.0) {
        return None;
    }
    // Bhatia and Davis: no variance exceeds (greatest − mean)(mean − least).
    let pooled = (mean * n + before * m) / (n + m);
    let variance = (high.max(most) - pooled) * (pooled - low.min(least));
    let deviation = (variance.max(0.0) * (1.0 / n + 1.0 / m)).sqrt();
    let difference = (mean - before).abs();
    let tail = if deviation > 0.0 { 2.0 * normal::upper_tail(difference / deviation) } else { 1.0 };
    let scale = before.max(f64::MIN_POSITIVE);
    // From nothing to something is all that can change.
    let value = if before > 0.0 { difference / scale } else { f64::from(u8::from(difference > 0.0)) };
    let noise = if before > 0.0 { (2.0 / std::f64::consts::PI).sqrt() * deviation / scale } else { 0.0 };
    let detail = format!("mean length {mean:.4}, was {before:.4}");
    let mut measured = Measured::exactly(Measure::Length, value, noise, Some(tail.min(1.0)), detail);
    measured.tail_is_bound = true;
    Some(measured)
}

/// How many lengths there are, their mean, least and greatest.
fn lengths(side: View<'_>) -> Option<(f64, f64, f64, f64)> {
    let column: &ColumnStatistics = side.column;
    if let Some(level) = column.valency.as_ref().and_then(|valency| valency.levels.first()) {
        let mean = level.num_elements as f64 / (level.num_present as f64).max(1.0);
        let lists = side.rows() - side.missing();
        return Some((lists, mean, level.min_length as f64, level.max_length as f64));
    }
    let text = column.text?;
    let (low, high) = (text.min_length_bytes as f64, text.max_length_bytes as f64);
    Some((side.values_by_rows(), text.mean_length_bytes, low, high))
}
