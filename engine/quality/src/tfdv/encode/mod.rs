//! Our statistics as TFDV's messages: data sets, columns, and what all columns have in common.

mod numeric;
mod strings;

use sluice_core::statistics::{
    Association, ColumnStatistics, ComposedStatistics, CrossStatistics, CustomStatistic, DatasetStatistics,
    Valency, WeightedStatistics,
};

use super::custom::{Customs, buckets};
use super::message::{
    Bucket, Buckets, Common, Cross, Dataset, DerivedSource, Feature, NumericCross, Path, QUANTILES,
    StatisticsList, Struct, Valencies, WeightedCommon, feature_type,
};
use super::wire::MAX_COUNT;
use super::{ALL_EXAMPLES, DERIVED_SOURCE, kind};

/// TFDV's `num_values_histogram_buckets`.
const NUM_VALUES_BUCKETS: u8 = 10;

/// One data set per subset or slice, each as a list of its own.
pub(crate) fn lists(subsets: &[DatasetStatistics]) -> impl Iterator<Item = StatisticsList> {
    subsets.iter().flat_map(|subset| {
        // TFDV looks for the whole by this name where there is more than one data set; one alone has no name.
        let name = match (subset.slices.is_empty(), subsets.len()) {
            (false, 1) => ALL_EXAMPLES,
            (true, 1) => "",
            _ => subset.name.as_str(),
        };
        let slices = subset.slices.iter().map(|slice| (slice, slice.name.as_str()));
        std::iter::once((subset, name))
            .chain(slices)
            .map(|(statistics, name)| StatisticsList { datasets: vec![dataset(statistics, name)] })
    })
}

fn dataset(statistics: &DatasetStatistics, name: &str) -> Dataset {
    let weight = statistics.weight.as_ref();
    let features = statistics.columns.iter().map(|column| {
        let is_weight = weight.is_some_and(|weight| column.path.is_empty() && column.name == weight.column);
        feature(column, is_weight)
    });
    let mut features: Vec<Feature> = features.collect();
    statistics.composed.iter().for_each(|composed| put_composed(composed, &mut features));
    Dataset {
        name: name.to_owned(),
        num_examples: statistics.num_rows,
        features,
        weighted_num_examples: weight.map_or(0.0, |weight| weight.sum),
        cross_features: statistics.crosses.iter().map(|pair| cross(pair, statistics)).collect(),
    }
}

/// The format holds these in single precision.
#[expect(clippy::cast_possible_truncation, reason = "the format holds single precision")]
fn single(value: f64) -> f32 {
    value as f32
}

fn cross(pair: &CrossStatistics, statistics: &DatasetStatistics) -> Cross {
    let path = |name: &str| {
        let column = statistics.columns.iter().find(|column| column.name == name);
        let step = column.map_or_else(|| vec![name.to_owned()], |column| column.steps().to_vec());
        Some(Path { step })
    };
    Cross {
        path_x: path(&pair.x),
        path_y: path(&pair.y),
        count: pair.num_rows,
        num_cross_stats: Some(NumericCross {
            correlation: pair.correlation.map_or(0.0, single),
            covariance: single(pair.covariance),
        }),
    }
}

fn feature(column: &ColumnStatistics, is_weight: bool) -> Feature {
    let mut customs = Customs::of(&column.custom);
    if let Some(word) = kind::word(&column.kind) {
        customs.text("kind", word);
    }
    if is_weight {
        customs.number("is_weight", 1.0);
    }
    customs.number_unless_zero("num_absent", column.presence.num_absent as f64);
    let r#type = kind::type_of(&column.kind);
    let common_stats = Some(common(column, &mut customs));
    let mut feature = Feature {
        r#type,
        path: Some(Path { step: column.steps().to_vec() }),
        validation_derived_source: derived_source(column),
        ..Feature::default()
    };
    let is_number = matches!(r#type, feature_type::INT | feature_type::FLOAT);
    // Numbers that are names have statistics of text, as TFDV gives them.
    let is_category = is_number && column.numeric.is_none() && column.top_values.is_some();
    if r#type == feature_type::STRUCT {
        feature.struct_stats = Some(Struct { common_stats });
    } else if is_number && !is_category {
        feature.num_stats = Some(numeric::statistics(column, common_stats, &mut customs));
    } else {
        feature.string_stats = Some(strings::statistics(column, common_stats, &mut customs));
    }
    if let Some(association) = &column.association {
        put_association(association, &mut customs);
    }
    feature.custom_stats = customs.into_messages();
    feature
}

/// A feature without statistics of its own; with those of the column that has its name, if there is one.
fn put_composed(composed: &ComposedStatistics, features: &mut Vec<Feature>) {
    let path = Path { step: vec![composed.name.clone()] };
    let custom_stats = Customs::of(&composed.custom).into_messages();
    match features.iter_mut().find(|feature| feature.path.as_ref() == Some(&path)) {
        Some(feature) => feature.custom_stats.extend(custom_stats),
        None => features.push(Feature { path: Some(path), custom_stats, ..Feature::default() }),
    }
}

fn derived_source(column: &ColumnStatistics) -> Option<DerivedSource> {
    match column.custom.get(DERIVED_SOURCE) {
        Some(CustomStatistic::Text(name)) => Some(DerivedSource { deriver_name: name.clone() }),
        _ => None,
    }
}

/// Presence and lengths. A column that is no list has one value in each row that has any.
fn common(column: &ColumnStatistics, customs: &mut Customs) -> Common {
    let present = column.presence.num_present();
    let mut common = Common {
        num_non_missing: present,
        num_missing: column.presence.num_rows - present,
        weighted_common_stats: column.weighted.as_ref().map(weighted_common),
        ..Common::default()
    };
    match &column.valency {
        Some(valency) => put_valency(&mut common, valency, customs),
        None if present > 0 => {
            common.min_num_values = 1;
            common.max_num_values = 1;
            common.tot_num_values = present;
            let share = present as f64 / f64::from(NUM_VALUES_BUCKETS);
            let bucket = Bucket { low_value: 1.0, high_value: 1.0, sample_count: share };
            let buckets = vec![bucket; usize::from(NUM_VALUES_BUCKETS)];
            common.num_values_histogram = Some(Buckets { num_nan: 0, buckets, r#type: QUANTILES });
        }
        None => {}
    }
    if present > 0 {
        common.avg_num_values = single(common.tot_num_values as f64 / present as f64);
    }
    common
}

fn put_valency(common: &mut Common, valency: &Valency, customs: &mut Customs) {
    let (Some(outermost), Some(innermost)) = (valency.levels.first(), valency.levels.last()) else { return };
    common.tot_num_values = innermost.num_elements;
    // Of nested lists the number of values per row, all levels together.
    (common.min_num_values, common.max_num_values) = match (valency.levels.len(), &valency.lengths) {
        (2.., Some(lengths)) => (
            lengths.buckets.first().map_or(0, |bucket| count_of(bucket.low)),
            lengths.buckets.last().map_or(0, |bucket| count_of(bucket.high)),
        ),
        _ => (outermost.min_length, outermost.max_length),
    };
    if let Some(lengths) = valency.lengths.as_ref().filter(|_| common.num_non_missing > 0) {
        common.num_values_histogram = Some(buckets(lengths, QUANTILES));
        customs.number_unless_zero("num_values_histogram_max_error", lengths.max_error);
    }
    if valency.levels.len() > 1 {
        let levels = valency.levels.iter().map(|level| Valencies {
            num_non_missing: level.num_present,
            num_missing: level.num_missing,
            min_num_values: level.min_length,
            max_num_values: level.max_length,
            tot_num_values: level.num_elements,
        });
        common.presence_and_valency_stats = levels.collect();
    }
    customs.number("num_levels", valency.levels.len() as f64);
    customs.number_unless_zero("num_null_values", valency.num_null_values as f64);
    let empty = (1..).zip(&valency.levels).filter(|(_, level)| level.num_empty > 0);
    customs.counts(
        "num_empty_lists",
        empty.map(|(number, level): (u32, _)| (number.to_string(), level.num_empty as f64)).collect(),
    );
}

/// A count that stands as a double; what is none is 0, what is too large for one the largest.
pub(crate) fn count_of(value: f64) -> u64 {
    let rounded = value.round();
    if rounded >= MAX_COUNT as f64 {
        return MAX_COUNT;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    let count = if rounded >= 0.0 { rounded as u64 } else { 0 };
    count
}

fn weighted_common(weighted: &WeightedStatistics) -> WeightedCommon {
    let is_present = weighted.num_present > 0.0;
    WeightedCommon {
        num_non_missing: weighted.num_present,
        num_missing: weighted.num_missing,
        avg_num_values: if is_present { weighted.num_values / weighted.num_present } else { 0.0 },
        tot_num_values: weighted.num_values,
    }
}

fn put_association(association: &Association, customs: &mut Customs) {
    customs.text("association_label", &association.label);
    customs.number("association_num_rows", association.num_rows as f64);
    customs.number("adjusted_mutual_information", association.adjusted_mutual_information);
    customs.number("normalized_mutual_information", association.normalized_mutual_information);
    if let Some(correlation) = association.correlation {
        customs.number("correlation", correlation);
    }
}
