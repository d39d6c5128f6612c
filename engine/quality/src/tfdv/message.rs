//! The messages of `statistics.proto` that statistics are made of, with their numbers on the wire. A test
//! holds names and numbers against the definitions in `schemas/`. Left out, and skipped when read, are those
//! that nothing here uses: lift, undefined values, vocabulary files, and what an `Any` holds.

use super::wire::{Fault, Field, Message, Value};

/// Structs with protobuf's names, in the order of their numbers.
macro_rules! messages {
    ($($name:ident as $path:literal { $($field:ident: $kind:ty = $number:literal,)* })*) => {
        $(
            #[derive(Clone, Debug, Default, PartialEq)]
            pub(crate) struct $name {
                $(pub(crate) $field: $kind,)*
            }

            impl Message for $name {
                const NAME: &'static str = $path;

                fn merge_field(&mut self, number: u32, value: Value<'_>) -> Result<(), Fault> {
                    match number {
                        $($number => {
                            let merged = self.$field.merge(value);
                            merged.map_err(|fault| fault.within(Self::NAME, stringify!($field)))
                        })*
                        _ => Ok(()),
                    }
                }

                fn write_fields(&self, out: &mut Vec<u8>) {
                    $(self.$field.write($number, out);)*
                }
            }
        )*

        /// Every message with its fields and numbers.
        #[cfg(test)]
        pub(crate) const FIELDS: &[(&str, &[(&str, u32)])] =
            &[$(($path, &[$((stringify!($field), $number)),*])),*];
    };
}

messages! {
    StatisticsList as "DatasetFeatureStatisticsList" {
        datasets: Vec<Dataset> = 1,
    }
    Dataset as "DatasetFeatureStatistics" {
        name: String = 1,
        num_examples: u64 = 2,
        features: Vec<Feature> = 3,
        weighted_num_examples: f64 = 4,
        cross_features: Vec<Cross> = 5,
    }
    Cross as "CrossFeatureStatistics" {
        path_x: Option<Path> = 1,
        path_y: Option<Path> = 2,
        count: u64 = 3,
        num_cross_stats: Option<NumericCross> = 4,
    }
    NumericCross as "NumericCrossStatistics" {
        correlation: f32 = 1,
        covariance: f32 = 2,
    }
    Path as "Path" {
        step: Vec<String> = 1,
    }
    Feature as "FeatureNameStatistics" {
        name: Option<String> = 1,
        r#type: u64 = 2,
        num_stats: Option<Numeric> = 3,
        string_stats: Option<Strings> = 4,
        bytes_stats: Option<ByteStrings> = 5,
        custom_stats: Vec<Custom> = 6,
        struct_stats: Option<Struct> = 7,
        path: Option<Path> = 8,
        validation_derived_source: Option<DerivedSource> = 10,
    }
    DerivedSource as "DerivedFeatureSource" {
        deriver_name: String = 1,
    }
    Custom as "CustomStatistic" {
        name: String = 1,
        num: Option<f64> = 2,
        str: Option<String> = 3,
        histogram: Option<Buckets> = 4,
        rank_histogram: Option<Ranks> = 5,
    }
    Numeric as "NumericStatistics" {
        common_stats: Option<Common> = 1,
        mean: f64 = 2,
        std_dev: f64 = 3,
        num_zeros: u64 = 4,
        min: f64 = 5,
        median: f64 = 6,
        max: f64 = 7,
        histograms: Vec<Buckets> = 8,
        weighted_numeric_stats: Option<WeightedNumeric> = 9,
    }
    WeightedNumeric as "WeightedNumericStatistics" {
        mean: f64 = 1,
        std_dev: f64 = 2,
        median: f64 = 3,
        histograms: Vec<Buckets> = 4,
    }
    Strings as "StringStatistics" {
        common_stats: Option<Common> = 1,
        unique: u64 = 2,
        top_values: Vec<FreqAndValue> = 3,
        avg_length: f32 = 4,
        rank_histogram: Option<Ranks> = 5,
        weighted_string_stats: Option<WeightedStrings> = 6,
        invalid_utf8_count: u64 = 8,
    }
    WeightedStrings as "WeightedStringStatistics" {
        top_values: Vec<FreqAndValue> = 1,
        rank_histogram: Option<Ranks> = 2,
    }
    FreqAndValue as "StringStatistics.FreqAndValue" {
        value: String = 2,
        frequency: f64 = 3,
    }
    ByteStrings as "BytesStatistics" {
        common_stats: Option<Common> = 1,
        unique: u64 = 2,
        avg_num_bytes: f32 = 3,
        min_num_bytes: f32 = 4,
        max_num_bytes: f32 = 5,
        max_num_bytes_int: u64 = 6,
    }
    Struct as "StructStatistics" {
        common_stats: Option<Common> = 1,
    }
    Common as "CommonStatistics" {
        num_non_missing: u64 = 1,
        num_missing: u64 = 2,
        min_num_values: u64 = 3,
        max_num_values: u64 = 4,
        avg_num_values: f32 = 5,
        num_values_histogram: Option<Buckets> = 6,
        weighted_common_stats: Option<WeightedCommon> = 7,
        tot_num_values: u64 = 8,
        presence_and_valency_stats: Vec<Valencies> = 10,
    }
    WeightedCommon as "WeightedCommonStatistics" {
        num_non_missing: f64 = 1,
        num_missing: f64 = 2,
        avg_num_values: f64 = 3,
        tot_num_values: f64 = 4,
    }
    Valencies as "PresenceAndValencyStatistics" {
        num_non_missing: u64 = 1,
        num_missing: u64 = 2,
        min_num_values: u64 = 3,
        max_num_values: u64 = 4,
        tot_num_values: u64 = 5,
    }
    Buckets as "Histogram" {
        num_nan: u64 = 1,
        buckets: Vec<Bucket> = 3,
        r#type: u64 = 4,
    }
    Bucket as "Histogram.Bucket" {
        low_value: f64 = 1,
        high_value: f64 = 2,
        sample_count: f64 = 4,
    }
    Ranks as "RankHistogram" {
        buckets: Vec<Rank> = 1,
    }
    Rank as "RankHistogram.Bucket" {
        low_rank: u64 = 1,
        high_rank: u64 = 2,
        label: String = 4,
        sample_count: f64 = 5,
    }
}

/// The types of a feature on the wire.
pub(crate) mod feature_type {
    pub(crate) const INT: u64 = 0;
    pub(crate) const FLOAT: u64 = 1;
    pub(crate) const STRING: u64 = 2;
    pub(crate) const BYTES: u64 = 3;
    pub(crate) const STRUCT: u64 = 4;
}

/// The type of a histogram of equal width.
pub(crate) const STANDARD: u64 = 0;
/// The type of a histogram of equal depth.
pub(crate) const QUANTILES: u64 = 1;
