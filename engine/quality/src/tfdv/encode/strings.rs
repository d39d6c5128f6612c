//! Text, and what TFDV takes for text: binary columns, dates and timestamps. The values of dates and
//! timestamps are not listed as text is, lest TFDV takes the days of the past for all there will be; they are
//! custom statistics.

use sluice_core::column::ColumnKind;
use sluice_core::statistics::{ColumnStatistics, TimeStatistics, TopValues, WeightedStatistics};

use super::super::custom::{Customs, ranks};
use super::super::message::{Common, FreqAndValue, Strings, WeightedStrings};
use super::single;

/// TFDV's `num_top_values`; its rank histogram holds all that are known.
const TOP_VALUES: usize = 20;

/// The statistics of a column that TFDV takes for text.
pub(crate) fn statistics(
    column: &ColumnStatistics,
    common_stats: Option<Common>,
    customs: &mut Customs,
) -> Strings {
    let mut message = Strings { common_stats, ..Strings::default() };
    customs.number_unless_zero("num_empty", column.presence.num_empty as f64);
    if let Some(text) = &column.text {
        message.avg_length = single(text.mean_length_bytes);
        message.invalid_utf8_count = text.num_invalid_utf8;
        customs.number("min_length", text.min_length_bytes as f64);
        customs.number("max_length", text.max_length_bytes as f64);
    }
    if let Some(distinct) = &column.distinct {
        message.unique = distinct.count;
        customs.number_unless_zero("unique_relative_error", distinct.relative_error);
    }
    if let Some(time) = &column.time {
        put_time(time, customs);
    }
    let is_time = matches!(column.kind.innermost(), ColumnKind::Date | ColumnKind::Timestamp { .. });
    if is_time {
        put_top_values(column, customs);
    } else if let Some(top) = &column.top_values {
        let values = counts(top);
        message.top_values = first(&values);
        message.rank_histogram = Some(ranks(values));
        put_completeness(top, message.unique, customs);
    }
    let weighted = column.weighted.as_ref().filter(|weighted| !weighted.top_values.is_empty());
    message.weighted_string_stats = weighted.map(|weighted| put_weighted(weighted, customs));
    message
}

fn counts(top: &TopValues) -> Vec<(String, f64)> {
    top.values.iter().map(|(value, count)| (value.clone(), *count as f64)).collect()
}

fn first(values: &[(String, f64)]) -> Vec<FreqAndValue> {
    let first = values.iter().take(TOP_VALUES);
    first.map(|(value, frequency)| FreqAndValue { value: value.clone(), frequency: *frequency }).collect()
}

/// A reader takes the list for complete where it is as long as there are different values.
fn put_completeness(top: &TopValues, unique: u64, customs: &mut Customs) {
    customs.number_unless_zero("top_values_max_error", top.max_error as f64);
    if top.is_complete != (top.values.len() as u64 == unique) {
        customs.number("top_values_complete", f64::from(u8::from(top.is_complete)));
    }
}

fn put_weighted(weighted: &WeightedStatistics, customs: &mut Customs) -> WeightedStrings {
    customs.number_unless_zero("weighted_top_values_max_error", weighted.top_values_max_error);
    let values = weighted.top_values.clone();
    WeightedStrings { top_values: first(&values), rank_histogram: Some(ranks(values)) }
}

/// The number of different values of a column whose message has no field for it.
pub(crate) fn put_distinct(column: &ColumnStatistics, customs: &mut Customs) {
    if let Some(distinct) = &column.distinct {
        customs.number("unique", distinct.count as f64);
        customs.number_unless_zero("unique_relative_error", distinct.relative_error);
    }
}

/// The most frequent values of a column whose message has no field for them.
pub(crate) fn put_top_values(column: &ColumnStatistics, customs: &mut Customs) {
    if let Some(top) = &column.top_values {
        customs.counts("top_values", counts(top));
        customs.number("top_values_complete", f64::from(u8::from(top.is_complete)));
        customs.number_unless_zero("top_values_max_error", top.max_error as f64);
    }
    if let Some(weighted) = &column.weighted {
        customs.counts("weighted_top_values", weighted.top_values.clone());
        customs.number_unless_zero("weighted_top_values_max_error", weighted.top_values_max_error);
    }
}

/// Instants stand as labels: quantiles with their q, spans as `beginning/end` with their counts.
fn put_time(time: &TimeStatistics, customs: &mut Customs) {
    customs.text("earliest", &time.earliest);
    customs.text("latest", &time.latest);
    if let Some(resolution) = &time.resolution {
        customs.text("resolution", resolution);
    }
    customs
        .counts("time_quantiles", time.quantiles.iter().map(|(q, instant)| (instant.clone(), *q)).collect());
    customs.number_unless_zero("time_quantiles_rank_error", time.rank_error_fraction);
    let spans = time.histogram.iter().map(|span| (format!("{}/{}", span.low, span.high), span.count));
    customs.counts("time_histogram", spans.collect());
}
