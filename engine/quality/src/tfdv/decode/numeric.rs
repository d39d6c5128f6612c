//! Numbers. TFDV's range holds infinities; how many there are, and the finite range, stand in the histogram
//! of equal width, whose buckets of finite bounds reach from the smallest to the largest finite value.

use sluice_core::statistics::{
    Bucket, ColumnStatistics, Histogram, Histograms, NumericStatistics, Quantiles, WeightedNumericStatistics,
};

use super::super::custom::{Customs, plain};
use super::super::encode::count_of;
use super::super::message::{Buckets, Numeric, QUANTILES, STANDARD, WeightedNumeric};
use super::strings::{take_distinct, take_top_values};

/// TFDV's default bound on the rank of a quantile.
const TFDV_RANK_ERROR: f64 = 0.01;

/// Adds what a message says to a column whose presence is known.
pub(crate) fn put(column: &mut ColumnStatistics, message: &Numeric, customs: &mut Customs) {
    let presence = &mut column.presence;
    let standard = message.histograms.iter().find(|histogram| histogram.r#type == STANDARD);
    let depth = message.histograms.iter().find(|histogram| histogram.r#type == QUANTILES);
    presence.num_nan = message.histograms.iter().map(|histogram| histogram.num_nan).max().unwrap_or(0);
    let at = |infinity: f64| {
        let buckets = standard.into_iter().flat_map(|histogram| &histogram.buckets);
        let is_it = |value: f64| value.to_bits() == infinity.to_bits();
        let infinite = buckets.filter(|bucket| is_it(bucket.low_value) && is_it(bucket.high_value));
        count_of(infinite.map(|bucket| bucket.sample_count).sum())
    };
    // Without a histogram the range alone tells that there is one at least.
    let least = u64::from(message.min == f64::NEG_INFINITY);
    let greatest = u64::from(message.max == f64::INFINITY);
    presence.num_negative_infinity = at(f64::NEG_INFINITY).max(least);
    presence.num_positive_infinity = at(f64::INFINITY).max(greatest);
    let num_infinite = presence.num_negative_infinity.saturating_add(presence.num_positive_infinity);
    let special = (presence.num_negative_infinity as f64, presence.num_positive_infinity as f64);
    let num_nan = presence.num_nan;
    let num_values = column.num_values();
    let num_finite = num_values.saturating_sub(num_nan).saturating_sub(num_infinite);
    column.distinct = take_distinct(customs);
    column.top_values = take_top_values(customs);
    if column.presence.num_present() == 0 {
        return;
    }
    let is_known = num_finite > 0 || (num_values == 0 && num_infinite == 0);
    let (min, max, exact_range) = range(message, standard, customs);
    let range = min.zip(max);
    let finite = |value: f64| Some(value).filter(|value| value.is_finite() && is_known && num_infinite == 0);
    let histograms = standard.zip(depth).and_then(|(width, depth)| {
        let width = errors(finite_buckets(width, range, special), "standard_histogram_max_error", customs);
        let depth = errors(finite_buckets(depth, range, special), "quantiles_histogram_max_error", customs);
        let is_empty = width.buckets.is_empty() && depth.buckets.is_empty();
        (!is_empty).then_some(Histograms { equal_width: width, equal_depth: depth })
    });
    let quantiles = customs.take_quantiles("quantiles").or_else(|| {
        let is_plain = is_known && num_infinite == 0;
        depth.filter(|_| is_plain).and_then(|depth| of_buckets(depth, message.median))
    });
    if let Some((message, weighted)) = message.weighted_numeric_stats.as_ref().zip(column.weighted.as_mut()) {
        // Of infinities there is no mean.
        weighted.numeric =
            Some(weighted_of(message, range, customs)).filter(|numeric| numeric.mean.is_finite());
    }
    if let Some(weighted) = column.weighted.as_mut() {
        super::strings::take_weighted(weighted, customs);
    }
    column.numeric = Some(NumericStatistics {
        num_finite,
        num_zeros: message.num_zeros,
        mean: customs.take_number("mean").or(finite(message.mean)),
        standard_deviation: customs.take_number("standard_deviation").or(finite(message.std_dev)),
        min: min.filter(|_| is_known),
        max: max.filter(|_| is_known),
        exact_range,
        quantiles,
        histograms,
    });
}

type Range = (Option<f64>, Option<f64>, Option<(String, String)>);

/// The finite range, and the exact one where doubles cannot hold it.
fn range(message: &Numeric, standard: Option<&Buckets>, customs: &mut Customs) -> Range {
    let written = customs.take_text("min").zip(customs.take_text("max"));
    let bounds = |value: f64| value.is_finite();
    let mut finite = standard
        .into_iter()
        .flat_map(|histogram| &histogram.buckets)
        .filter(|bucket| bounds(bucket.low_value) && bounds(bucket.high_value));
    let (first, last) = (finite.next(), finite.next_back());
    let lowest = first.map(|bucket| bucket.low_value);
    let highest = last.or(first).map(|bucket| bucket.high_value);
    let is_finite = message.min.is_finite() && message.max.is_finite();
    if is_finite {
        return (Some(message.min), Some(message.max), written);
    }
    let parsed = |text: &String| text.parse::<f64>().ok().filter(|value| value.is_finite());
    let min = written.as_ref().and_then(|(min, _)| parsed(min));
    let max = written.as_ref().and_then(|(_, max)| parsed(max));
    let of = |value: f64| Some(value).filter(|value| value.is_finite());
    (min.or(of(message.min)).or(lowest), max.or(of(message.max)).or(highest), None)
}

/// The buckets of finite values. One that reaches from an infinity into the finite values begins at the
/// smallest of them, and holds what is left of the infinite ones.
fn finite_buckets(histogram: &Buckets, range: Option<(f64, f64)>, special: (f64, f64)) -> Histogram {
    let (mut below, mut above) = special;
    for bucket in &histogram.buckets {
        if bucket.high_value == f64::NEG_INFINITY {
            below -= bucket.sample_count;
        } else if bucket.low_value == f64::INFINITY {
            above -= bucket.sample_count;
        }
    }
    let mut finite = Histogram::default();
    let Some((min, max)) = range else { return finite };
    for bucket in plain(histogram).buckets {
        if bucket.high == f64::NEG_INFINITY || bucket.low == f64::INFINITY {
            continue;
        }
        let Bucket { mut low, mut high, mut count } = bucket;
        if low == f64::NEG_INFINITY {
            (low, count) = (min, count - below);
        }
        if high == f64::INFINITY {
            (high, count) = (max, count - above);
        }
        if low.is_finite() && high.is_finite() {
            // Fractions of TFDV's buckets round.
            let is_negative = count < 0.0;
            finite.buckets.push(Bucket { low, high, count: if is_negative { 0.0 } else { count } });
        }
    }
    finite
}

fn errors(histogram: Histogram, name: &str, customs: &mut Customs) -> Histogram {
    Histogram { max_error: customs.take_number(name).unwrap_or(0.0), ..histogram }
}

/// The bounds of buckets of equal depth are quantiles; the median is given.
fn of_buckets(histogram: &Buckets, median: f64) -> Option<Quantiles> {
    let buckets = &histogram.buckets;
    let first = buckets.first()?;
    let num_buckets = buckets.len() as f64;
    let mut values = vec![(0.0, first.low_value)];
    values.extend(
        (1_u32..).zip(buckets).map(|(index, bucket)| (f64::from(index) / num_buckets, bucket.high_value)),
    );
    if median.is_finite() && !values.iter().any(|(q, _)| (q - 0.5).abs() < 1e-12) {
        values.push((0.5, median));
        values.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    }
    let is_finite = values.iter().all(|(_, value)| value.is_finite());
    is_finite.then_some(Quantiles { values, rank_error_fraction: TFDV_RANK_ERROR })
}

fn weighted_of(
    message: &WeightedNumeric,
    range: Option<(f64, f64)>,
    customs: &mut Customs,
) -> WeightedNumericStatistics {
    let find = |kind| message.histograms.iter().find(|histogram| histogram.r#type == kind);
    let (width, depth) = (find(STANDARD), find(QUANTILES));
    let quantiles = customs
        .take_quantiles("weighted_quantiles")
        .or_else(|| depth.and_then(|depth| of_buckets(depth, message.median)));
    let histograms = width.zip(depth).map(|(width, depth)| {
        let read = |histogram: &Buckets, name: &str, customs: &mut Customs| {
            errors(finite_buckets(histogram, range, (0.0, 0.0)), name, customs)
        };
        Histograms {
            equal_width: read(width, "weighted_standard_histogram_max_error", customs),
            equal_depth: read(depth, "weighted_quantiles_histogram_max_error", customs),
        }
    });
    WeightedNumericStatistics {
        mean: customs.take_number("weighted_mean").unwrap_or(message.mean),
        standard_deviation: customs.take_number("weighted_standard_deviation").unwrap_or(message.std_dev),
        quantiles,
        histograms,
    }
}
