//! TFDV's messages as our statistics: data sets, columns, and what all columns have in common.
//!
//! TFDV counts no empty lists, no lengths of text and no different numbers; where we wrote the file, our
//! custom statistics say them, and where TFDV did, they are derived from what is there, or not known (0,
//! nothing).

mod numeric;
mod strings;

use sluice_core::column::ColumnKind;
use sluice_core::statistics::{
    Association, ColumnStatistics, ComposedStatistics, CrossStatistics, CustomStatistic, DatasetStatistics,
    DatasetWeight, Level, Presence, Valency, WeightedStatistics,
};

use super::custom::{Customs, plain};
use super::encode::count_of;
use super::message::{Common, Cross, Dataset, Feature, Path, StatisticsList};
use super::wire::{Bytes, Fault, Message};
use super::{ALL_EXAMPLES, DERIVED_SOURCE, kind};
use crate::schema::serialized_path;

/// Joins lists as TFDV joins its shards: data sets of one name become one, features of one path too.
pub(crate) fn merge(lists: Vec<StatisticsList>) -> Result<Vec<Dataset>, Fault> {
    let mut merged: Vec<Dataset> = Vec::new();
    for later in lists.into_iter().flat_map(|list| list.datasets) {
        match merged.iter_mut().find(|dataset| dataset.name == later.name) {
            Some(dataset) => merge_dataset(dataset, later)?,
            None => merged.push(later),
        }
    }
    Ok(merged)
}

fn merge_dataset(dataset: &mut Dataset, later: Dataset) -> Result<(), Fault> {
    let mut places: std::collections::BTreeMap<Vec<String>, usize> =
        dataset.features.iter().enumerate().map(|(index, feature)| (steps(feature), index)).collect();
    for feature in later.features {
        match places.entry(steps(&feature)) {
            std::collections::btree_map::Entry::Occupied(place) => {
                let rest = Feature { path: None, name: None, ..feature };
                dataset.features[*place.get()].merge(Bytes::new(&rest.to_bytes()))?;
            }
            std::collections::btree_map::Entry::Vacant(place) => {
                let _ = place.insert(dataset.features.len());
                dataset.features.push(feature);
            }
        }
    }
    if later.num_examples > 0 {
        dataset.num_examples = later.num_examples;
    }
    if later.weighted_num_examples > 0.0 {
        dataset.weighted_num_examples = later.weighted_num_examples;
    }
    dataset.cross_features.extend(later.cross_features);
    Ok(())
}

/// The subsets: what is not the whole (`All Examples`) beside a whole is a slice of it.
pub(crate) fn subsets(datasets: Vec<Dataset>) -> Vec<DatasetStatistics> {
    let mut decoded: Vec<DatasetStatistics> = datasets.into_iter().map(dataset).collect();
    match decoded.iter().position(|dataset| dataset.name == ALL_EXAMPLES) {
        Some(place) if decoded.len() > 1 => {
            let mut whole = decoded.remove(place);
            whole.slices = decoded;
            vec![whole]
        }
        _ => decoded,
    }
}

fn dataset(message: Dataset) -> DatasetStatistics {
    let mut weight = (message.weighted_num_examples > 0.0).then(|| DatasetWeight {
        column: String::new(),
        sum: message.weighted_num_examples,
        sum_of_squares: None,
    });
    let mut columns = Vec::with_capacity(message.features.len());
    let mut composed = Vec::new();
    for feature in message.features {
        if let ([name], true) = (steps(&feature).as_slice(), is_composed(&feature)) {
            let custom = Customs::of_messages(feature.custom_stats).into_rest();
            composed.push(ComposedStatistics { name: name.clone(), custom });
            continue;
        }
        let (column, is_weight) = column(feature, message.num_examples);
        if let Some(weight) = weight.as_mut().filter(|_| is_weight) {
            weight.column.clone_from(&column.name);
        }
        columns.push(column);
    }
    fill_structs(&mut columns);
    DatasetStatistics {
        name: message.name,
        conditions: Vec::new(),
        num_rows: message.num_examples,
        spans: Vec::new(),
        weight,
        columns,
        composed,
        crosses: message.cross_features.into_iter().filter_map(cross).collect(),
        slicings: Vec::new(),
        slices: Vec::new(),
    }
}

/// A feature with figures but no statistics of values is none of the columns.
fn is_composed(feature: &Feature) -> bool {
    let Feature { num_stats, string_stats, bytes_stats, struct_stats, custom_stats, .. } = feature;
    let has_values =
        num_stats.is_some() || string_stats.is_some() || bytes_stats.is_some() || struct_stats.is_some();
    !has_values && !custom_stats.is_empty()
}

fn cross(message: Cross) -> Option<CrossStatistics> {
    let numbers = message.num_cross_stats?;
    let name = |path: Option<Path>| path.map_or_else(String::new, |path| name_of(&path.step));
    Some(CrossStatistics {
        x: name(message.path_x),
        y: name(message.path_y),
        num_rows: message.count,
        covariance: f64::from(numbers.covariance),
        // Left out where there is none, and where it is exactly 0.
        correlation: (numbers.correlation != 0.0).then(|| f64::from(numbers.correlation)),
    })
}

fn steps(feature: &Feature) -> Vec<String> {
    match (&feature.path, &feature.name) {
        (Some(path), _) => path.step.clone(),
        (None, name) => vec![name.clone().unwrap_or_default()],
    }
}

/// The name of a column, or the steps to a field of a struct joined by points.
fn name_of(steps: &[String]) -> String {
    match steps {
        [only] => only.clone(),
        steps => steps.iter().map(|step| serialized_path(step)).collect::<Vec<_>>().join("."),
    }
}

/// The kinds of the fields of structs, which TFDV does not repeat in the struct. Inner structs come first, so
/// that outer ones see them whole.
fn fill_structs(columns: &mut [ColumnStatistics]) {
    let mut structs: Vec<usize> =
        (0..columns.len()).filter(|index| matches!(columns[*index].kind, ColumnKind::Struct(_))).collect();
    structs.sort_by_key(|index| std::cmp::Reverse(columns[*index].steps().len()));
    let mut fields: std::collections::BTreeMap<Vec<String>, Vec<(usize, String)>> = Default::default();
    for (index, column) in columns.iter().enumerate() {
        if let Some((last, parent)) = column.path.split_last() {
            fields.entry(parent.to_vec()).or_default().push((index, last.clone()));
        }
    }
    for index in structs {
        let inside = fields.get(columns[index].steps()).cloned().unwrap_or_default();
        let inside = inside.into_iter().map(|(field, name)| (name, whole_kind(&columns[field]))).collect();
        columns[index].kind = ColumnKind::Struct(inside);
    }
}

/// The kind with the lists around it.
fn whole_kind(column: &ColumnStatistics) -> ColumnKind {
    let levels = column.valency.as_ref().map_or(0, |valency| valency.levels.len());
    (0..levels).fold(column.kind.clone(), |kind, _| ColumnKind::List(Box::new(kind)))
}

/// A column, and whether it is the weight of rows.
fn column(feature: Feature, num_examples: u64) -> (ColumnStatistics, bool) {
    let steps = steps(&feature);
    let mut customs = Customs::of_messages(feature.custom_stats);
    let mut kind = kind::kind_of(feature.r#type);
    let named = customs.take_text("kind").and_then(|word| kind::of_word(&word));
    // What the type denies is not believed.
    if let Some(named) = named.filter(|named| kind::type_of(named) == feature.r#type) {
        kind = named;
    }
    let is_weight = customs.take_number("is_weight").is_some();
    let mut column = ColumnStatistics::new(name_of(&steps), kind);
    let is_top = steps.len() < 2;
    if !is_top {
        column.path = steps;
    }
    let common = [
        feature.num_stats.as_ref().and_then(|stats| stats.common_stats.clone()),
        feature.string_stats.as_ref().and_then(|stats| stats.common_stats.clone()),
        feature.bytes_stats.as_ref().and_then(|stats| stats.common_stats.clone()),
        feature.struct_stats.as_ref().and_then(|stats| stats.common_stats.clone()),
    ];
    if let Some(common) = common.into_iter().flatten().next() {
        put_common(&mut column, &common, if is_top { num_examples } else { 0 }, &mut customs);
    }
    if let Some(message) = &feature.num_stats {
        numeric::put(&mut column, message, &mut customs);
    }
    if let Some(message) = feature.string_stats {
        strings::put(&mut column, message, &mut customs);
    }
    if let Some(message) = &feature.bytes_stats {
        strings::put_bytes(&mut column, message);
    }
    column.association = association(&mut customs);
    column.custom = customs.into_rest();
    if let Some(source) = feature.validation_derived_source {
        let _ = column.custom.insert(DERIVED_SOURCE.to_owned(), CustomStatistic::Text(source.deriver_name));
    }
    (column, is_weight)
}

fn put_common(column: &mut ColumnStatistics, common: &Common, num_examples: u64, customs: &mut Customs) {
    let present = common.num_non_missing;
    let num_rows = present.saturating_add(common.num_missing).max(num_examples);
    let num_absent = customs.take_number("num_absent").map_or(0, count_of).min(num_rows - present);
    column.presence = Presence {
        num_rows,
        num_absent,
        num_missing: num_rows - present - num_absent,
        ..Presence::default()
    };
    column.valency = valency(common, customs);
    column.weighted = common.weighted_common_stats.as_ref().map(|weighted| WeightedStatistics {
        num_present: weighted.num_non_missing,
        num_missing: weighted.num_missing,
        num_values: weighted.tot_num_values,
        numeric: None,
        top_values: Vec::new(),
        top_values_max_error: 0.0,
    });
}

/// The lists of a column; none where each row that has values has exactly one, unless we wrote it.
fn valency(common: &Common, customs: &mut Customs) -> Option<Valency> {
    let num_levels = customs.take_number("num_levels");
    let num_null_values = customs.take_number("num_null_values").map_or(0, count_of);
    let empty = customs.take_counts("num_empty_lists").unwrap_or_default();
    let max_error = customs.take_number("num_values_histogram_max_error").unwrap_or(0.0);
    let is_scalar = common.num_non_missing == 0 || (common.min_num_values == 1 && common.max_num_values == 1);
    let nested = &common.presence_and_valency_stats;
    if num_levels.is_none() && nested.is_empty() && is_scalar {
        return None;
    }
    let mut levels: Vec<Level> = nested
        .iter()
        .map(|level| Level {
            num_present: level.num_non_missing,
            num_missing: level.num_missing,
            num_empty: 0,
            min_length: level.min_num_values,
            max_length: level.max_num_values,
            num_elements: level.tot_num_values,
        })
        .collect();
    if levels.is_empty() {
        levels.push(Level {
            num_present: common.num_non_missing,
            num_missing: common.num_missing,
            num_empty: 0,
            min_length: common.min_num_values,
            max_length: common.max_num_values,
            num_elements: num_elements(common),
        });
    }
    let num_levels = levels.len();
    for (number, level) in (1_usize..).zip(&mut levels) {
        let label = number.to_string();
        let written = empty.iter().find(|(level, _)| *level == label).map(|(_, count)| *count);
        // TFDV's own counter, where it was asked for, is of the innermost lists.
        let counted = || customs.foreign_number("list_empty").filter(|_| number == num_levels);
        level.num_empty = written.or_else(counted).map_or(0, count_of);
    }
    let lengths = common.num_values_histogram.as_ref().map(|histogram| {
        let mut lengths = plain(histogram);
        lengths.max_error = max_error;
        lengths
    });
    Some(Valency { levels, num_null_values, lengths })
}

/// Files of old versions say it by the mean alone.
fn num_elements(common: &Common) -> u64 {
    if common.tot_num_values > 0 {
        return common.tot_num_values;
    }
    count_of(f64::from(common.avg_num_values) * common.num_non_missing as f64)
}

fn association(customs: &mut Customs) -> Option<Association> {
    let label = customs.take_text("association_label")?;
    Some(Association {
        label,
        num_rows: customs.take_number("association_num_rows").map_or(0, count_of),
        adjusted_mutual_information: customs.take_number("adjusted_mutual_information").unwrap_or(0.0),
        normalized_mutual_information: customs.take_number("normalized_mutual_information").unwrap_or(0.0),
        correlation: customs.take_number("correlation"),
    })
}
