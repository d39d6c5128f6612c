//! Text, and what TFDV takes for text.

use sluice_core::column::ColumnKind;
use sluice_core::statistics::{
    ColumnStatistics, Distinct, TextStatistics, TimeBucket, TimeStatistics, TopValues, WeightedStatistics,
};

use super::super::custom::{Customs, counts};
use super::super::encode::count_of;
use super::super::message::{ByteStrings, FreqAndValue, Ranks, Strings};

/// The names under which TFDV puts together values that it does not show.
const GROUPS: [&str; 2] = ["__BYTES_VALUE__", "__LARGE_BYTES__"];

/// Adds what a message says to a column whose presence is known.
pub(crate) fn put(column: &mut ColumnStatistics, message: Strings, customs: &mut Customs) {
    let is_time = matches!(column.kind.innermost(), ColumnKind::Date | ColumnKind::Timestamp { .. });
    let num_values = column.num_values();
    let relative_error = customs.take_number("unique_relative_error").unwrap_or(0.0);
    let values = listed(message.rank_histogram, message.top_values);
    column.top_values =
        take_top_values(customs).or_else(|| values.map(|values| top_values(values, message.unique, customs)));
    column.distinct = distinct(column, message.unique, relative_error);
    let empty = column.top_values.iter().flat_map(|top| &top.values).find(|(value, _)| value.is_empty());
    let empty = empty.map(|(_, count)| *count).or(customs.foreign_number("str_empty").map(count_of));
    column.presence.num_empty = customs.take_number("num_empty").map(count_of).or(empty).unwrap_or(0);
    let lengths = customs.take_number("min_length").zip(customs.take_number("max_length"));
    // Numbers that are names have the lengths of their decimal text, which say nothing.
    let is_text = matches!(column.kind.innermost(), ColumnKind::Text | ColumnKind::Binary);
    if is_text && num_values > 0 {
        let mean = f64::from(message.avg_length);
        let (min, max) = lengths
            .map(|(min, max)| (count_of(min), count_of(max)))
            .unwrap_or_else(|| lengths_of(column.top_values.as_ref(), mean));
        column.text = Some(TextStatistics {
            mean_length_bytes: mean,
            min_length_bytes: min,
            max_length_bytes: max,
            num_invalid_utf8: message.invalid_utf8_count,
        });
    }
    if is_time {
        column.time = time(customs);
    }
    if let Some(weighted) = column.weighted.as_mut() {
        take_weighted(weighted, customs);
        if let Some(message) = message.weighted_string_stats {
            weighted.top_values = listed(message.rank_histogram, message.top_values).unwrap_or_default();
        }
    }
}

/// The longer list: the rank histogram holds up to 1000 values, the top values are its first 20.
fn listed(ranks: Option<Ranks>, top: Vec<FreqAndValue>) -> Option<Vec<(String, f64)>> {
    if top.is_empty() || ranks.as_ref().is_some_and(|ranks| !ranks.buckets.is_empty()) {
        return ranks.map(counts);
    }
    Some(top.into_iter().map(|one| (one.value, one.frequency)).collect())
}

/// TFDV counts all different values and lists the most frequent: the list is complete where it is as long. A
/// file that lists values without counting them, as a person writes it, means what it lists.
fn top_values(values: Vec<(String, f64)>, unique: u64, customs: &mut Customs) -> TopValues {
    let written = customs.take_number("top_values_complete").map(|complete| complete > 0.0);
    let max_error = customs.take_number("top_values_max_error").map_or(0, count_of);
    let is_group = |value: &String| GROUPS.contains(&value.as_str());
    let complete = unique <= values.len() as u64 && !values.iter().any(|(value, _)| is_group(value));
    TopValues {
        values: values.into_iter().map(|(value, count)| (value, count_of(count))).collect(),
        max_error,
        is_complete: written.unwrap_or(complete),
    }
}

fn distinct(column: &ColumnStatistics, unique: u64, relative_error: f64) -> Option<Distinct> {
    let listed = column.top_values.as_ref().filter(|top| top.is_complete);
    let count = if unique > 0 { Some(unique) } else { listed.map(|top| top.values.len() as u64) };
    count.map(|count| Distinct { count, relative_error })
}

/// The shortest and longest as far as the listed values and the mean tell.
fn lengths_of(top: Option<&TopValues>, mean: f64) -> (u64, u64) {
    let listed = || top.into_iter().flat_map(|top| &top.values).map(|(value, _)| value.len() as u64);
    let (least, most) = (count_of(mean.floor()), count_of(mean.ceil()));
    (
        listed().min().map_or(least, |length| length.min(least)),
        listed().max().map_or(most, |length| length.max(most)),
    )
}

/// Bytes that TFDV did not look into.
pub(crate) fn put_bytes(column: &mut ColumnStatistics, message: &ByteStrings) {
    if column.num_values() > 0 {
        let longest = message.max_num_bytes_int.max(count_of(f64::from(message.max_num_bytes)));
        column.text = Some(TextStatistics {
            mean_length_bytes: f64::from(message.avg_num_bytes),
            min_length_bytes: count_of(f64::from(message.min_num_bytes)),
            max_length_bytes: longest,
            num_invalid_utf8: 0,
        });
    }
    if message.unique > 0 {
        column.distinct = Some(Distinct { count: message.unique, relative_error: 0.0 });
    }
}

/// The number of different values where the message has no field for it.
pub(crate) fn take_distinct(customs: &mut Customs) -> Option<Distinct> {
    let count = count_of(customs.take_number("unique")?);
    let relative_error = customs.take_number("unique_relative_error").unwrap_or(0.0);
    Some(Distinct { count, relative_error })
}

/// The most frequent values where the message has no field for them.
pub(crate) fn take_top_values(customs: &mut Customs) -> Option<TopValues> {
    let values = customs.take_counts("top_values")?;
    Some(TopValues {
        values: values.into_iter().map(|(value, count)| (value, count_of(count))).collect(),
        max_error: customs.take_number("top_values_max_error").map_or(0, count_of),
        is_complete: customs.take_number("top_values_complete").is_some_and(|complete| complete > 0.0),
    })
}

/// The values of greatest weight where the message has no field for them.
pub(crate) fn take_weighted(weighted: &mut WeightedStatistics, customs: &mut Customs) {
    if let Some(values) = customs.take_counts("weighted_top_values") {
        weighted.top_values = values;
    }
    if let Some(error) = customs.take_number("weighted_top_values_max_error") {
        weighted.top_values_max_error = error;
    }
}

fn time(customs: &mut Customs) -> Option<TimeStatistics> {
    let (earliest, latest) = customs.take_text("earliest").zip(customs.take_text("latest"))?;
    let quantiles = customs.take_counts("time_quantiles").unwrap_or_default();
    let spans = customs.take_counts("time_histogram").unwrap_or_default();
    let span = |(label, count): (String, f64)| {
        let (low, high) = label.split_once('/')?;
        Some(TimeBucket { low: low.to_owned(), high: high.to_owned(), count })
    };
    Some(TimeStatistics {
        earliest,
        latest,
        resolution: customs.take_text("resolution"),
        quantiles: quantiles.into_iter().map(|(instant, q)| (q, instant)).collect(),
        rank_error_fraction: customs.take_number("time_quantiles_rank_error").unwrap_or(0.0),
        histogram: spans.into_iter().filter_map(span).collect(),
    })
}
