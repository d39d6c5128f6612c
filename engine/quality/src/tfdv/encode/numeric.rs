//! Numbers. Our moments, range and quantiles are over finite values; TFDV's are over all but NaN, so that
//! infinities make the mean NaN, the standard deviation 0 (its maximum of 0 and NaN) and the range infinite.
//! It is written as TFDV has it, and the finite figures stand beside it.

use sluice_core::statistics::{
    ColumnStatistics, Histogram, Histograms, NumericStatistics, Presence, Quantiles,
    WeightedNumericStatistics,
};

use super::super::custom::{Customs, buckets};
use super::super::message::{Bucket, Buckets, Common, Numeric, QUANTILES, STANDARD, WeightedNumeric};
use crate::protobuf::text_of_double;

/// The statistics of a column of numbers.
pub(crate) fn statistics(
    column: &ColumnStatistics,
    common_stats: Option<Common>,
    customs: &mut Customs,
) -> Numeric {
    let mut message = Numeric { common_stats, ..Numeric::default() };
    super::strings::put_distinct(column, customs);
    super::strings::put_top_values(column, customs);
    let presence = &column.presence;
    let Some(numeric) = &column.numeric else { return message };
    put_histograms(&mut message, numeric, presence, customs);
    let num_infinite = presence.num_negative_infinity + presence.num_positive_infinity;
    if numeric.num_finite + num_infinite == 0 {
        return message;
    }
    message.num_zeros = numeric.num_zeros;
    if num_infinite == 0 {
        message.mean = numeric.mean.unwrap_or(0.0);
        message.std_dev = numeric.standard_deviation.unwrap_or(0.0);
    } else {
        message.mean = f64::NAN;
        put_finite(numeric, customs);
    }
    let lowest = (presence.num_negative_infinity > 0).then_some(f64::NEG_INFINITY);
    let highest = (presence.num_positive_infinity > 0).then_some(f64::INFINITY);
    message.min = lowest.or(numeric.min).or(highest).unwrap_or(0.0);
    message.max = highest.or(numeric.max).or(lowest).unwrap_or(0.0);
    message.median = median(numeric.num_finite, presence, numeric.quantiles.as_ref());
    if let Some((least, greatest)) = &numeric.exact_range {
        customs.text("min", least);
        customs.text("max", greatest);
    }
    customs.quantiles("quantiles", numeric.quantiles.as_ref());
    if let Some(weighted) = column.weighted.as_ref().and_then(|weighted| weighted.numeric.as_ref()) {
        message.weighted_numeric_stats = Some(weighted_statistics(weighted, presence, customs));
    }
    message
}

fn put_finite(numeric: &NumericStatistics, customs: &mut Customs) {
    for (name, value) in [("mean", numeric.mean), ("standard_deviation", numeric.standard_deviation)] {
        if let Some(value) = value {
            customs.number(name, value);
        }
    }
    for (name, value) in [("min", numeric.min), ("max", numeric.max)] {
        if let Some(value) = value {
            customs.text(name, text_of_double(value));
        }
    }
}

/// The median of all values but NaN. Among infinities it is one of them, or the kept quantile of the finite
/// values whose rank is nearest.
fn median(num_finite: u64, presence: &Presence, quantiles: Option<&Quantiles>) -> f64 {
    let (below, above) = (presence.num_negative_infinity as f64, presence.num_positive_infinity as f64);
    let half = (below + num_finite as f64 + above) / 2.0;
    if half <= below && below > 0.0 {
        return f64::NEG_INFINITY;
    }
    if half > below + num_finite as f64 {
        return f64::INFINITY;
    }
    let wanted = (half - below) / num_finite as f64;
    let kept = quantiles.iter().flat_map(|quantiles| &quantiles.values);
    kept.min_by(|(a, _), (b, _)| (a - wanted).abs().total_cmp(&(b - wanted).abs()))
        .map_or(f64::NAN, |(_, value)| *value)
}

/// Both histograms, with NaN and infinities. Without histograms of finite values these two are all there is
/// to say.
fn put_histograms(
    message: &mut Numeric,
    numeric: &NumericStatistics,
    presence: &Presence,
    customs: &mut Customs,
) {
    let has_special = presence.num_nan + presence.num_negative_infinity + presence.num_positive_infinity > 0;
    let nothing = Histogram::default();
    let (width, depth) = match &numeric.histograms {
        Some(Histograms { equal_width, equal_depth }) => (equal_width, equal_depth),
        None if has_special => (&nothing, &nothing),
        None => return,
    };
    message.histograms = vec![
        with_infinities(width, STANDARD, presence, presence.num_nan),
        with_infinities(depth, QUANTILES, presence, presence.num_nan),
    ];
    put_errors("", width, depth, customs);
}

fn put_errors(which: &str, width: &Histogram, depth: &Histogram, customs: &mut Customs) {
    customs.number_unless_zero(&format!("{which}standard_histogram_max_error"), width.max_error);
    customs.number_unless_zero(&format!("{which}quantiles_histogram_max_error"), depth.max_error);
}

fn with_infinities(histogram: &Histogram, kind: u64, presence: &Presence, num_nan: u64) -> Buckets {
    let mut message = buckets(histogram, kind);
    message.num_nan = num_nan;
    let infinite = |value: f64, count: u64| {
        (count > 0).then_some(Bucket { low_value: value, high_value: value, sample_count: count as f64 })
    };
    let lowest = infinite(f64::NEG_INFINITY, presence.num_negative_infinity);
    let highest = infinite(f64::INFINITY, presence.num_positive_infinity);
    message.buckets = lowest.into_iter().chain(message.buckets).chain(highest).collect();
    message
}

/// The weight of infinities alone is not known, so that weighted histograms are of the finite values.
fn weighted_statistics(
    weighted: &WeightedNumericStatistics,
    presence: &Presence,
    customs: &mut Customs,
) -> WeightedNumeric {
    let is_finite = presence.num_negative_infinity + presence.num_positive_infinity == 0;
    if !is_finite {
        customs.number("weighted_mean", weighted.mean);
        customs.number("weighted_standard_deviation", weighted.standard_deviation);
    }
    customs.quantiles("weighted_quantiles", weighted.quantiles.as_ref());
    let histograms = weighted.histograms.as_ref().map_or_else(Vec::new, |both| {
        put_errors("weighted_", &both.equal_width, &both.equal_depth, customs);
        [(&both.equal_width, STANDARD), (&both.equal_depth, QUANTILES)]
            .into_iter()
            .map(|(histogram, kind)| Buckets { num_nan: presence.num_nan, ..buckets(histogram, kind) })
            .collect()
    });
    WeightedNumeric {
        mean: if is_finite { weighted.mean } else { f64::NAN },
        std_dev: if is_finite { weighted.standard_deviation } else { 0.0 },
        median: weighted.quantiles.as_ref().and_then(|quantiles| quantiles.at(0.5)).unwrap_or(f64::NAN),
        histograms,
    }
}
