//! Against TFDV itself: `expected/make.py` wrote statistics and what TFDV 1.16.1 makes of them.

use prost_reflect::DynamicMessage;
use sluice_core::column::ColumnKind;
use sluice_core::statistics::{
    ColumnStatistics, DatasetStatistics, DatasetWeight, Distinct, Level, NumericStatistics, Presence,
    TextStatistics, TopValues, Valency, WeightedStatistics,
};

use super::*;
use crate::protobuf::{self, Fields};

macro_rules! expected {
    ($name:literal) => {
        include_str!(concat!("expected/", $name, ".pbtxt"))
    };
}

/// The plain statistics of TFDV's, as far as schemas depend on them.
fn statistics(text: &str) -> DatasetStatistics {
    let list = protobuf::read(protobuf::descriptor("DatasetFeatureStatisticsList"), text, "tfdv").unwrap();
    let dataset = list.messages("datasets").remove(0);
    let weight = dataset.double("weighted_num_examples");
    DatasetStatistics {
        name: "train".into(),
        num_rows: whole(&dataset, "num_examples"),
        weight: weight.map(|sum| DatasetWeight { column: "weight".into(), sum, sum_of_squares: None }),
        columns: dataset.messages("features").iter().map(column).collect(),
        ..DatasetStatistics::default()
    }
}

fn whole(message: &DynamicMessage, name: &str) -> u64 {
    message.read(name, prost_reflect::Value::as_u64).unwrap_or(0)
}

fn column(feature: &DynamicMessage) -> ColumnStatistics {
    let steps = feature.message("path").unwrap().texts("step");
    let (kind, stats) = match feature.number("type").unwrap_or(0) {
        0 => (ColumnKind::Integer, "num_stats"),
        1 => (ColumnKind::Float, "num_stats"),
        2 => (ColumnKind::Text, "string_stats"),
        3 => (ColumnKind::Binary, "bytes_stats"),
        _ => (ColumnKind::Struct(Vec::new()), "struct_stats"),
    };
    let stats = feature.message(stats).unwrap();
    let common = stats.message("common_stats").unwrap();
    let (present, missing) = (whole(&common, "num_non_missing"), whole(&common, "num_missing"));
    let mut column = ColumnStatistics::new(serialized_steps(&steps), kind.clone());
    if steps.len() > 1 {
        column.path = steps;
    } else {
        column.name.clone_from(&steps[0]);
    }
    column.presence = Presence { num_rows: present + missing, num_missing: missing, ..Presence::default() };
    column.valency = Some(valency(&common));
    if matches!(kind, ColumnKind::Integer | ColumnKind::Float) {
        column.numeric = Some(NumericStatistics {
            num_finite: present,
            num_zeros: 0,
            mean: None,
            standard_deviation: None,
            min: Some(stats.double("min").unwrap_or(0.0)),
            max: Some(stats.double("max").unwrap_or(0.0)),
            exact_range: None,
            quantiles: None,
            histograms: None,
        });
    }
    if kind == ColumnKind::Text {
        put_text(&mut column, &stats);
    }
    if let Some(weighted) = common.message("weighted_common_stats") {
        column.weighted = Some(WeightedStatistics {
            num_present: weighted.double("num_non_missing").unwrap_or(0.0),
            num_missing: weighted.double("num_missing").unwrap_or(0.0),
            num_values: weighted.double("tot_num_values").unwrap_or(0.0),
            numeric: None,
            top_values: stats
                .message("weighted_string_stats")
                .map(|stats| labels(&stats))
                .unwrap_or_default(),
            top_values_max_error: 0.0,
        });
    }
    column
}

fn put_text(column: &mut ColumnStatistics, stats: &DynamicMessage) {
    let (unique, values) = (whole(stats, "unique"), labels(stats));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
    let values: Vec<(String, u64)> = values.into_iter().map(|(value, count)| (value, count as u64)).collect();
    column.text = Some(TextStatistics {
        mean_length_bytes: 0.0,
        min_length_bytes: 0,
        max_length_bytes: 0,
        num_invalid_utf8: whole(stats, "invalid_utf8_count"),
    });
    column.distinct = Some(Distinct { count: unique, relative_error: 0.0 });
    let is_complete = values.len() as u64 >= unique;
    column.top_values = Some(TopValues { values, max_error: 0, is_complete });
}

fn labels(stats: &DynamicMessage) -> Vec<(String, f64)> {
    let ranks = stats.message("rank_histogram").map(|ranks| ranks.messages("buckets")).unwrap_or_default();
    ranks
        .iter()
        .map(|bucket| {
            (bucket.text("label").unwrap_or_default(), bucket.double("sample_count").unwrap_or(0.0))
        })
        .collect()
}

fn valency(common: &DynamicMessage) -> Valency {
    let level = |stats: &DynamicMessage| Level {
        num_present: whole(stats, "num_non_missing"),
        num_missing: whole(stats, "num_missing"),
        num_empty: 0,
        min_length: whole(stats, "min_num_values"),
        max_length: whole(stats, "max_num_values"),
        num_elements: whole(stats, "tot_num_values"),
    };
    let nested = common.messages("presence_and_valency_stats");
    let levels = if nested.is_empty() { vec![level(common)] } else { nested.iter().map(level).collect() };
    Valency { levels, num_null_values: 0, lengths: None }
}

#[test]
fn inference_gives_the_schemas_of_tfdv() {
    let defaults = InferOptions::default();
    let no_shape = InferOptions { shape: false, ..InferOptions::default() };
    let five = InferOptions { max_string_domain_size: 5, ..InferOptions::default() };
    for (name, from, options, schema) in [
        ("taxi", expected!("taxi.statistics"), &defaults, expected!("taxi.schema")),
        ("adult", expected!("adult.statistics"), &defaults, expected!("adult.schema")),
        ("penguins", expected!("penguins.statistics"), &defaults, expected!("penguins.schema")),
        ("nested", expected!("nested.statistics"), &defaults, expected!("nested.schema")),
        ("weighted", expected!("weighted.statistics"), &defaults, expected!("weighted.schema")),
        ("no shape", expected!("nested.statistics"), &no_shape, expected!("nested.no-shape")),
        ("five values", expected!("adult.statistics"), &five, expected!("adult.five-values")),
    ] {
        let inferred = infer_schema_file(&statistics(from), options);
        assert_eq!(write_schema(&inferred), schema, "{name}");
        let read = read_schema(schema, name).unwrap();
        assert_eq!(read.schema(), inferred.schema(), "{name}: the file says the same");
    }
}

/// `disallow_nan: false` and the like, which TFDV writes out, say nothing.
#[test]
fn updates_give_the_schemas_of_tfdv() {
    for (name, before, from, after) in [
        (
            "penguins",
            expected!("penguins.before"),
            expected!("penguins.statistics"),
            expected!("penguins.updated"),
        ),
        ("nested", expected!("nested.before"), expected!("nested.statistics"), expected!("nested.updated")),
        ("taxi", expected!("taxi.schema"), expected!("taxi.part2.statistics"), expected!("taxi.updated")),
    ] {
        let mut file = read_schema(before, name).unwrap();
        update_schema(&mut file, &statistics(from), &InferOptions::default());
        assert_eq!(write_schema(&file), after, "{name}");
        assert_eq!(
            read_schema(after, name).unwrap().schema(),
            file.schema(),
            "{name}: the file says the same"
        );
    }
}

#[test]
fn a_schema_of_tfdv_needs_no_update_for_its_own_data() {
    for (from, schema) in [
        (expected!("adult.statistics"), expected!("adult.schema")),
        (expected!("nested.statistics"), expected!("nested.schema")),
        (expected!("weighted.statistics"), expected!("weighted.schema")),
    ] {
        let mut file = read_schema(schema, "schema.pbtxt").unwrap();
        update_schema(&mut file, &statistics(from), &InferOptions::default());
        assert_eq!(write_schema(&file), schema);
    }
}
