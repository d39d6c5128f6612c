//! The codec against the definitions, against itself, against files that TFDV wrote
//! (`tests/data/tfdv/make.py`), and against damaged ones.

use std::collections::BTreeSet;

use proptest::prelude::*;
use prost_reflect::DynamicMessage;
use prost_reflect::prost::Message as _;
use sluice_core::column::ColumnKind;
use sluice_core::statistics::{
    Association, Bucket, ColumnStatistics, ComposedStatistics, CrossStatistics, CustomStatistic,
    DatasetStatistics, DatasetWeight, Distinct, Histogram, Histograms, Level, NumericStatistics, Presence,
    Quantiles, TextStatistics, TimeBucket, TimeStatistics, TopValues, Valency, WeightedNumericStatistics,
    WeightedStatistics,
};
use sluice_core::{Diagnostic, ErrorKind};

use super::container::masked_checksum;
use super::message::FIELDS;
use super::*;
use crate::protobuf::{descriptor, print};
use crate::sample::{column, dataset, missing, numbers, text};

fn histogram(bounds: &[f64], count: f64, max_error: f64) -> Histogram {
    let bucket = |pair: &[f64]| Bucket { low: pair[0], high: pair[1], count };
    Histogram { buckets: bounds.windows(2).map(bucket).collect(), max_error }
}

fn histograms() -> Histograms {
    let (equal_width, equal_depth) =
        (histogram(&[1.0, 2.0, 3.0], 3.5, 0.0), histogram(&[1.0, 1.5, 3.0], 3.5, 0.25));
    Histograms { equal_width, equal_depth }
}

fn quantiles(rank_error_fraction: f64) -> Option<Quantiles> {
    Some(Quantiles { values: vec![(0.0, 1.0), (0.25, 1.25), (0.5, 1.5), (1.0, 3.0)], rank_error_fraction })
}

fn top(values: &[(&str, u64)], max_error: u64, is_complete: bool) -> Option<TopValues> {
    let values = values.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect();
    Some(TopValues { values, max_error, is_complete })
}

fn weighted(
    numeric: Option<WeightedNumericStatistics>,
    values: &[(&str, f64)],
) -> Option<WeightedStatistics> {
    Some(WeightedStatistics {
        num_present: 5.5,
        num_missing: 0.5,
        num_values: 5.5,
        numeric,
        top_values: values.iter().map(|(value, weight)| ((*value).to_owned(), *weight)).collect(),
        top_values_max_error: 0.5,
    })
}

fn floats() -> ColumnStatistics {
    let mut fare = missing(numbers("fare", ColumnKind::Float, 1.0, 3.0), 1);
    fare.presence = Presence {
        num_nan: 1,
        num_negative_infinity: 2,
        num_positive_infinity: 1,
        num_absent: 1,
        ..fare.presence
    };
    let numeric = fare.numeric.as_mut().unwrap();
    numeric.num_finite = 4;
    numeric.num_zeros = 2;
    numeric.mean = Some(1.75);
    numeric.standard_deviation = Some(0.5);
    numeric.quantiles = quantiles(0.125);
    numeric.histograms = Some(histograms());
    fare.distinct = Some(Distinct { count: 4, relative_error: 0.01 });
    fare.weighted = weighted(
        Some(WeightedNumericStatistics {
            mean: 1.5,
            standard_deviation: 0.25,
            quantiles: quantiles(0.0),
            histograms: Some(histograms()),
        }),
        &[],
    );
    fare.association = Some(Association {
        label: "tips".into(),
        num_rows: 7,
        adjusted_mutual_information: 0.5,
        normalized_mutual_information: 0.25,
        correlation: Some(-0.5),
    });
    let _ = fare.custom.insert("int_-1".into(), CustomStatistic::Number(3.0));
    let _ = fare.custom.insert("domain_info".into(), CustomStatistic::Text("image_domain {}".into()));
    let _ = fare
        .custom
        .insert("lengths_quantiles".into(), CustomStatistic::Histogram(histogram(&[0.0, 1.0], 2.0, 0.0)));
    let _ = fare.custom.insert("missing_index".into(), CustomStatistic::Counts(vec![("i".into(), 1.0)]));
    fare
}

fn integers() -> ColumnStatistics {
    let mut key = numbers("key", ColumnKind::Unsigned, 0.0, 1.8446744073709552e19);
    let numeric = key.numeric.as_mut().unwrap();
    numeric.exact_range = Some(("0".into(), u64::MAX.to_string()));
    numeric.mean = Some(1e18);
    numeric.standard_deviation = Some(2.0);
    key.top_values = top(&[("18446744073709551615", 6), ("0", 4)], 2, true);
    key
}

fn words() -> ColumnStatistics {
    let mut company = text("company", &[("Sun", 6), ("", 4)]);
    company.presence.num_empty = 4;
    company.top_values = top(&[("Sun", 6), ("", 4)], 1, false);
    company.text = Some(TextStatistics {
        mean_length_bytes: 1.75,
        min_length_bytes: 0,
        max_length_bytes: 90,
        num_invalid_utf8: 2,
    });
    company.weighted = weighted(None, &[("Sun", 5.0), ("", 0.5)]);
    company
}

fn days() -> ColumnStatistics {
    let mut day = column("day", ColumnKind::Date, 10);
    day.distinct = Some(Distinct { count: 2, relative_error: 0.0 });
    day.top_values = top(&[("2024-02-29", 9), ("2024-02-28", 1)], 0, true);
    day.time = Some(TimeStatistics {
        earliest: "2024-02-28".into(),
        latest: "2024-02-29".into(),
        resolution: Some("day".into()),
        quantiles: vec![(0.0, "2024-02-28".into()), (0.5, "2024-02-29".into())],
        rank_error_fraction: 0.25,
        histogram: vec![TimeBucket { low: "2024-02-28".into(), high: "2024-02-29".into(), count: 10.0 }],
    });
    day
}

fn level(num_present: u64, num_missing: u64, lengths: (u64, u64), num_elements: u64) -> Level {
    let (min_length, max_length) = lengths;
    Level {
        num_present,
        num_missing,
        num_empty: u64::from(min_length == 0),
        min_length,
        max_length,
        num_elements,
    }
}

fn nested() -> Vec<ColumnStatistics> {
    let mut numbers = missing(numbers("nested", ColumnKind::Integer, 1.0, 3.0), 3);
    let levels = vec![level(7, 3, (0, 2), 8), level(8, 0, (1, 2), 11)];
    let lengths = Some(histogram(&[0.0, 1.0, 3.0], 3.5, 0.0));
    numbers.valency = Some(Valency { levels, num_null_values: 1, lengths });
    let fields = vec![("x".to_owned(), ColumnKind::List(Box::new(ColumnKind::Text)))];
    let mut stop = column("stop", ColumnKind::Struct(fields), 10);
    let levels = vec![level(10, 0, (1, 1), 10)];
    stop.valency = Some(Valency { levels, num_null_values: 0, lengths: None });
    let mut field = text("stop.x", &[("a", 9)]);
    field.path = vec!["stop".into(), "x".into()];
    field.presence = Presence { num_rows: 10, num_missing: 1, ..Presence::default() };
    field.valency = Some(Valency { levels: vec![level(9, 1, (0, 3), 9)], num_null_values: 0, lengths: None });
    field.text = Some(TextStatistics {
        mean_length_bytes: 1.0,
        min_length_bytes: 1,
        max_length_bytes: 1,
        num_invalid_utf8: 0,
    });
    vec![numbers, stop, field]
}

/// Statistics of every sort.
fn terms() -> ComposedStatistics {
    let of_index = |count| CustomStatistic::Counts(vec![("i".into(), count), ("j".into(), 0.0)]);
    let figures = [
        ("missing_value", CustomStatistic::Number(2.0)),
        ("missing_index", of_index(1.0)),
        ("min_length_diff", of_index(-3.0)),
        ("max_length_diff", of_index(0.0)),
    ];
    let custom = figures.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect();
    ComposedStatistics { name: "terms".into(), custom }
}

/// A feature of the name of a column is kept with the column, as TFDV joins features of one path.
#[test]
fn composed_features_and_columns_of_one_name_are_one_feature() {
    let ComposedStatistics { custom, .. } = terms();
    let composed = vec![ComposedStatistics { name: "word".into(), custom }];
    let statistics = DatasetStatistics { composed, ..dataset(vec![column("word", ColumnKind::Integer, 10)]) };
    let read = read_statistics(&write_statistics(&[statistics]), "statistics.binpb").unwrap().remove(0);
    assert_eq!((read.columns.len(), read.composed.len()), (1, 0));
    let figure = &read.composed("word").unwrap()["missing_value"];
    assert_eq!(figure, &CustomStatistic::Number(2.0));
}

fn everything() -> DatasetStatistics {
    let mut columns = vec![floats(), integers(), words(), days()];
    columns.extend(nested());
    columns.push(column("is_late", ColumnKind::Boolean, 10));
    columns.push(missing(column("nothing", ColumnKind::Null, 10), 10));
    columns.push(column("tags", ColumnKind::Other("Map".into()), 10));
    let mut category = column("zip", ColumnKind::Integer, 10);
    category.top_values = top(&[("94105", 10)], 0, true);
    category.distinct = Some(Distinct { count: 1, relative_error: 0.0 });
    columns.push(category);
    // Numbers without figures read as numbers of which nothing is known.
    columns.iter_mut().find(|column| column.name == "is_late").unwrap().numeric =
        numbers("", ColumnKind::Boolean, 0.0, 1.0).numeric;
    let crosses = [None, Some(0.5)].map(|correlation| CrossStatistics {
        x: "fare".into(),
        y: "stop.x".into(),
        num_rows: 9,
        covariance: 0.25,
        correlation,
    });
    DatasetStatistics {
        weight: Some(DatasetWeight { column: "fare".into(), sum: 6.0, sum_of_squares: None }),
        crosses: crosses.into(),
        composed: vec![terms()],
        ..dataset(columns)
    }
}

/// What the message adds where our statistics have nothing: a moment of 0, and lengths.
fn as_read(statistics: DatasetStatistics) -> DatasetStatistics {
    let mut statistics = statistics;
    for column in &mut statistics.columns {
        let infinite = column.presence.num_negative_infinity + column.presence.num_positive_infinity > 0;
        if let Some(numeric) = column.numeric.as_mut().filter(|_| !infinite) {
            numeric.mean = numeric.mean.or(Some(0.0));
            numeric.standard_deviation = numeric.standard_deviation.or(Some(0.0));
            numeric.num_finite = match &column.valency {
                Some(valency) => valency.num_values(),
                None => numeric.num_finite,
            };
        }
    }
    statistics
}

#[test]
fn names_and_numbers_are_those_of_the_definitions() {
    for (message, fields) in FIELDS {
        let definition = descriptor(message);
        for (name, number) in *fields {
            let field = definition.get_field_by_name(name.trim_start_matches("r#"));
            assert_eq!(field.map(|field| field.number()), Some(*number), "{message}.{name}");
        }
        assert!(fields.is_sorted_by_key(|(_, number)| number), "{message}");
    }
}

#[test]
fn bytes_are_those_of_another_writer_and_nothing_is_unknown() {
    let bytes = write_statistics(&[everything()]);
    let message =
        DynamicMessage::decode(descriptor("DatasetFeatureStatisticsList"), bytes.as_slice()).unwrap();
    assert_eq!(message.encode_to_vec(), bytes);
    let text = print(&message);
    // Text leaves unknown fields out, so that nothing may be lost through it.
    let again = crate::protobuf::read(descriptor("DatasetFeatureStatisticsList"), &text, "text").unwrap();
    assert_eq!(again.encode_to_vec(), bytes);
    assert_eq!(write_statistics(&read_statistics(text.as_bytes(), "s.pbtxt").unwrap()), bytes);
}

#[test]
fn what_was_written_is_read_back() {
    let written = everything();
    let read = read_statistics(&write_statistics(std::slice::from_ref(&written)), "s.binpb").unwrap();
    let mut wanted = as_read(written);
    wanted.name = String::new();
    assert_eq!(read.len(), 1);
    for (mine, theirs) in wanted.columns.iter().zip(&read[0].columns) {
        assert_eq!(mine, theirs, "{}", mine.name);
    }
    assert_eq!(read, [wanted]);
}

#[test]
fn slices_lie_beside_all_examples_and_subsets_beside_each_other() {
    let plain = dataset(vec![words()]);
    let slice = DatasetStatistics { name: "company_Sun".into(), ..plain.clone() };
    let whole = DatasetStatistics { slices: vec![slice.clone()], ..plain.clone() };
    let read = read_statistics(&write_statistics(&[whole]), "s").unwrap();
    assert_eq!((read[0].name.as_str(), read[0].slices.as_slice()), (ALL_EXAMPLES, &[slice.clone()][..]));
    let read = read_statistics(&write_statistics(&[plain, slice]), "s").unwrap();
    let names: Vec<&str> = read.iter().map(|subset| subset.name.as_str()).collect();
    assert_eq!(names, ["eval", "company_Sun"]);
}

#[test]
fn exact_integers_and_infinities_stand_where_tfdv_looks() {
    let bytes = write_statistics(&[everything()]);
    let message =
        DynamicMessage::decode(descriptor("DatasetFeatureStatisticsList"), bytes.as_slice()).unwrap();
    let text = print(&message);
    for part in [
        "      mean: nan\n      num_zeros: 2\n      min: -inf\n      median: 1.25\n      max: inf\n",
        "        num_nan: 1\n        buckets {\n          low_value: -inf\n          high_value: -inf\n \
         \x20        sample_count: 2.0\n",
        "      name: \"sluice_max\"\n      str: \"18446744073709551615\"\n",
        "      name: \"sluice_kind\"\n      str: \"date\"\n",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

fn of_tfdv(name: &str) -> Vec<u8> {
    fs_err::read(sluice_testkit::datasets::repository().join("tests/data/tfdv").join(name)).unwrap()
}

#[test]
fn files_of_tfdv_say_the_same_in_every_form() {
    let binary = read_statistics(&of_tfdv("statistics.binpb"), "statistics.binpb").unwrap();
    for name in ["statistics.pbtxt", "statistics.tfrecord"] {
        assert_eq!(read_statistics(&of_tfdv(name), name).unwrap(), binary, "{name}");
    }
    let shards = ["shards-00000-of-00002", "shards-00001-of-00002"].map(|name| (name, of_tfdv(name)));
    let parts: Vec<(&str, &[u8])> = shards.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    let mut joined = read_shards(&parts).unwrap().remove(0);
    let place = |name: &str| binary[0].columns.iter().position(|column| column.name == name);
    joined.columns.sort_by_key(|column| place(&column.name));
    assert_eq!([joined], binary.as_slice());
}

#[test]
fn what_validation_needs_is_read_from_a_file_of_tfdv() {
    let read = read_statistics(&of_tfdv("statistics.binpb"), "statistics.binpb").unwrap().remove(0);
    assert_eq!(read.num_rows, 4);
    assert_eq!(read.weight.as_ref().map(|weight| weight.sum), Some(5.0));
    let column = |name: &str| read.columns.iter().find(|column| column.name == name).unwrap();
    let fare = column("fare");
    let presence = Presence { num_rows: 4, num_nan: 1, num_negative_infinity: 1, ..Presence::default() };
    assert_eq!(fare.presence, presence);
    let numeric = fare.numeric.as_ref().unwrap();
    assert_eq!((numeric.num_finite, numeric.min, numeric.max), (2, Some(1.5), Some(2.5)));
    let depth = &numeric.histograms.as_ref().unwrap().equal_depth;
    assert!(
        depth.buckets.iter().all(|bucket| bucket.low.is_finite() && bucket.high.is_finite()),
        "{depth:?}"
    );
    assert_eq!(column("infinite").presence.num_positive_infinity, 2);
    let count = column("count").valency.as_ref().unwrap();
    assert_eq!((count.levels[0].min_length, count.levels[0].max_length, count.num_values()), (0, 2, 3));
    assert_eq!(column("nested").valency.as_ref().unwrap().levels.len(), 2);
    assert!(column("nested").custom.contains_key("level_2_value_list_length_standard"));
    let company = column("company");
    assert_eq!(company.valency, None);
    assert_eq!(company.presence.num_empty, 1);
    let top = company.top_values.as_ref().unwrap();
    assert_eq!(top.values, [("Sun".to_owned(), 2), ("Blue".to_owned(), 1), (String::new(), 1)]);
    assert!(top.is_complete);
    assert_eq!(company.weighted.as_ref().unwrap().top_values[0], ("Sun".to_owned(), 3.0));
    assert_eq!(column("bytes").text.unwrap().num_invalid_utf8, 1);
    assert_eq!(column("nothing").presence.num_missing, 4);
    let x = column("stop.x");
    assert_eq!((x.presence.num_rows, x.presence.num_missing), (3, 1));
    let ColumnKind::Struct(fields) = &column("stop").kind else { panic!("no struct") };
    assert_eq!(fields[0], ("x".to_owned(), ColumnKind::List(Box::new(ColumnKind::Integer))));
}

#[test]
fn fields_of_later_versions_are_skipped() {
    let mut bytes = write_statistics(&[dataset(vec![text("a", &[("b", 1)])])]);
    let known = read_statistics(&bytes, "s").unwrap();
    // Fields 500 to 503 of each way to store one.
    bytes.extend([
        0xa0, 0x1f, 1, 0xa9, 0x1f, 1, 2, 3, 4, 5, 6, 7, 8, 0xb2, 0x1f, 1, 0, 0xbd, 0x1f, 1, 2, 3, 4,
    ]);
    assert_eq!(read_statistics(&bytes, "s").unwrap(), known);
}

fn message_of(bytes: &[u8]) -> String {
    let error = read_statistics(bytes, "s").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.hint().is_some());
    error.to_string()
}

#[test]
fn a_damaged_file_is_refused_with_its_place() {
    let whole = of_tfdv("statistics.binpb");
    assert_eq!(message_of(&[]), "`s` holds no statistics: not one data set is in it");
    assert_eq!(message_of(&[0x1f, 0x8b, 8]), "`s` is packed by gzip");
    assert_eq!(
        message_of(&whole[..whole.len() - 1]),
        "`s`, byte 3: cut short: a value reaches beyond the end of its message"
    );
    // A data set whose name is a number; a length beyond any file.
    assert_eq!(
        message_of(&[0x0a, 2, 0x08, 1]),
        "`s`, byte 2, in `DatasetFeatureStatistics.name`: a text or message was expected, a number stands \
         there"
    );
    assert!(
        message_of(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]).contains("byte 9: cut short")
    );
    assert!(message_of(&[0x0a, 3, 0x0a, 1, 0xff]).contains("a text is not UTF-8"));
    assert!(message_of(b"datasets {\n  num_examples: many\n}\n").starts_with("`s`, line 2: "));
    assert_eq!(
        message_of(b"datasets {\n  num_exmples: 1\n}\n"),
        "`s`, line 2, column 3: `DatasetFeatureStatistics` has no field `num_exmples`"
    );
}

#[test]
fn a_damaged_record_is_refused_with_its_number() {
    // The check value of CRC-32C over the digits 1 to 9 is e3069283.
    assert_eq!(masked_checksum(b"123456789"), 0xe306_9283_u32.rotate_right(15).wrapping_add(0xa282_ead8));
    let whole = of_tfdv("statistics.tfrecord");
    let twice = [whole.as_slice(), &whole].concat();
    assert!(read_statistics(&twice, "s").is_ok());
    for (place, says) in [
        (3, "record 1 (byte 0): its length does not have"),
        (9, "record 1 (byte 0): its length does not have"),
        (whole.len() / 2, "record 1 (byte 0): its content does not have"),
        (whole.len() + 60, "record 2 (byte 4190): its content does not have"),
    ] {
        let mut damaged = twice.clone();
        damaged[place] ^= 0x10;
        let message = message_of(&damaged);
        assert!(message.contains(says), "{place}: {message}");
    }
    let message = message_of(&twice[..twice.len() - 1]);
    assert!(message.contains("record 2 (byte 4190): the record is cut short"), "{message}");
}

#[test]
fn records_of_statistics_are_told_from_records_of_rows() {
    let record = |content: &[u8]| {
        let length = (content.len() as u64).to_le_bytes();
        [&length[..], &masked_checksum(&length).to_le_bytes(), content, &[0; 4]].concat()
    };
    let statistics = of_tfdv("statistics.tfrecord");
    assert!(begins_statistics_records(&statistics) && begins_statistics_records(&statistics[..200]));
    assert!(begins_statistics_records(&record(&write_statistics(&[everything()]))));
    // Without a name, and without anything but rows.
    assert!(begins_statistics_records(&record(&[0x0a, 2, 0x10, 3])));
    // `tf.Example` of no feature, of one and of two: {a: [1]}, {b: [2]}.
    let (one, two) = (
        [0x0a, 10, 0x0a, 1, b'a', 0x12, 5, 0x1a, 3, 0x0a, 1, 1],
        [0x0a, 10, 0x0a, 1, b'b', 0x12, 5, 0x1a, 3, 0x0a, 1, 2],
    );
    let example = |features: &[u8]| [&[0x0a, u8::try_from(features.len()).unwrap()][..], features].concat();
    for content in [Vec::new(), example(&[]), example(&one), example(&[one, two].concat())] {
        assert!(!begins_statistics_records(&record(&content)), "{content:?}");
    }
    assert!(!begins_statistics_records(b"a,b\n1,2\n") && !begins_statistics_records(&[]));
}

proptest! {
    #[test]
    fn cut_and_flipped_files_never_panic(
        form in 0..4_usize,
        flips in proptest::collection::vec((0..30_000_usize, 0..8_u32), 0..8),
        cut in proptest::option::of(0..30_000_usize),
    ) {
        let mut bytes = match form {
            0 => write_statistics(&[everything()]),
            1 => of_tfdv("statistics.binpb"),
            2 => of_tfdv("statistics.tfrecord"),
            _ => of_tfdv("statistics.pbtxt"),
        };
        for (place, bit) in flips {
            let length = bytes.len();
            bytes[place % length] ^= 1 << bit;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut);
        }
        if let Ok(read) = read_statistics(&bytes, "damaged") {
            // What is read can be written, validated and proposed a schema for.
            let _ = write_statistics(&read);
            for subset in &read {
                let schema = crate::schema::infer_schema(subset, &Default::default());
                let _ = crate::validation::validate(subset, &schema, &Default::default());
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_statistics(&bytes, "noise");
        let length = (bytes.len() as u64).to_le_bytes();
        let head = [&length[..], &masked_checksum(&length).to_le_bytes(), &bytes].concat();
        let _ = begins_statistics_records(&head);
    }
}

#[test]
fn names_of_columns_are_unique_after_reading() {
    let read = read_statistics(&of_tfdv("statistics.binpb"), "s").unwrap().remove(0);
    let names: BTreeSet<&str> = read.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names.len(), read.columns.len());
}

#[test]
fn numeric_statistics_of_nothing_are_none() {
    let nan = ColumnStatistics {
        presence: Presence { num_rows: 3, num_nan: 3, ..Presence::default() },
        numeric: Some(NumericStatistics {
            num_finite: 0,
            num_zeros: 0,
            mean: None,
            standard_deviation: None,
            min: None,
            max: None,
            exact_range: None,
            quantiles: None,
            histograms: None,
        }),
        ..ColumnStatistics::new("nan", ColumnKind::Float)
    };
    let read = read_statistics(&write_statistics(&[dataset(vec![nan.clone()])]), "s").unwrap();
    assert_eq!(read[0].columns, [nan]);
}

#[test]
fn statistics_of_tfdv_are_written_again_as_they_were_read() {
    let read = read_statistics(&of_tfdv("statistics.binpb"), "s").unwrap();
    let again = read_statistics(&write_statistics(&read), "again").unwrap();
    for (mine, theirs) in read[0].columns.iter().zip(&again[0].columns) {
        assert_eq!(mine, theirs, "{}", mine.name);
    }
}
