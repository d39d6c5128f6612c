//! TFDV's cases about distances, shapes, skew and the number of rows.

use serde_json::Value;
use sluice_core::column::ColumnKind;
use sluice_core::schema::{Comparator, Feature, FeatureType, RowsComparator, Schema, Shape};
use sluice_core::statistics::{
    Bucket, ColumnStatistics, Histogram, Histograms, Level, NumericStatistics, TopValues, Valency,
};

use crate::drift::{
    Distribution, infinity_norm, jensen_shannon_of_histograms, jensen_shannon_of_labels,
    normalized_absolute_difference,
};
use crate::sample::{column, dataset, missing};
use crate::validation::{Baselines, ValidateOptions, validate_against};

fn labels(side: &Value) -> Vec<(&str, f64)> {
    side.as_object().unwrap().iter().map(|(label, count)| (label.as_str(), count.as_f64().unwrap())).collect()
}

fn histogram(side: &Value) -> Histogram {
    let number = |bucket: &Value, key: &str| bucket[key].as_f64().unwrap();
    let bucket = |one: &Value| Bucket {
        low: number(one, "low"),
        high: number(one, "high"),
        count: number(one, "count"),
    };
    Histogram { buckets: side["buckets"].as_array().unwrap().iter().map(bucket).collect(), max_error: 0.0 }
}

/// Whether the case was about a distance and was checked.
pub(super) fn check_distance(case: &Value) -> Option<()> {
    let (current, control) = (&case["input"]["current"], &case["input"]["baseline"]);
    let found = match case["op"].as_str()? {
        "l_infinity" => infinity_norm(&labels(current), &labels(control)).value,
        "normalized_abs_difference" => {
            normalized_absolute_difference(&labels(current), &labels(control)).value
        }
        _ if current.get("buckets").is_some() => {
            let sides = [histogram(current), histogram(control)];
            let nan = |side: &Value| side["num_nan"].as_f64().unwrap_or(0.0);
            let of = |histogram, num_nan| Distribution { histogram, num_infinite: 0.0, num_nan };
            jensen_shannon_of_histograms(of(&sides[0], nan(current)), of(&sides[1], nan(control)))?
        }
        _ => jensen_shannon_of_labels(&labels(current), &labels(control))?,
    };
    let wanted = case["expect"]["value"].as_f64()?;
    assert!((found - wanted).abs() < case["tolerance"].as_f64()?, "{case}: {found}");
    Some(())
}

/// A column with these values or this histogram.
fn measured(side: &Value) -> ColumnStatistics {
    if side.get("buckets").is_some() {
        let mut sample = column("f", ColumnKind::Float, 10);
        let equal_width = histogram(side);
        sample.numeric = Some(NumericStatistics {
            num_finite: 10,
            num_zeros: 0,
            mean: None,
            standard_deviation: None,
            min: None,
            max: None,
            exact_range: None,
            quantiles: None,
            histograms: Some(Histograms { equal_depth: equal_width.clone(), equal_width }),
        });
        return sample;
    }
    let mut sample = column("f", ColumnKind::Text, 10);
    let values = side.as_object().unwrap().iter();
    let values = values.map(|(label, count)| (label.clone(), count.as_u64().unwrap())).collect();
    sample.top_values = Some(TopValues { values, max_error: 0, is_complete: true });
    sample
}

/// Skew between training and serving.
pub(super) fn check_skew(case: &Value) -> Option<()> {
    let (input, options, expect) = (&case["input"], &case["options"], &case["expect"]);
    let threshold = options["threshold"].as_f64();
    let is_divergence = options["measure"] == "jensen_shannon";
    let skew = Comparator {
        infinity_norm: threshold.filter(|_| !is_divergence),
        jensen_shannon_divergence: threshold.filter(|_| is_divergence),
        ..Comparator::default()
    };
    let training = measured(&input["training"]);
    let feature_type = if training.numeric.is_some() { FeatureType::Float } else { FeatureType::Bytes };
    let feature = Feature { skew: Some(skew), feature_type: Some(feature_type), ..Feature::new("f") };
    let schema = Schema { features: vec![feature], ..Schema::default() };
    let serving = dataset(vec![measured(&input["serving"])]);
    let baselines = Baselines { serving: Some(&serving), ..Baselines::default() };
    let report = validate_against(&dataset(vec![training]), &schema, &ValidateOptions::default(), &baselines);
    let tfdv = &report.findings[0].tfdv;
    assert_eq!(tfdv.name, expect["type"].as_str()?, "{case}");
    assert_eq!(tfdv.short_description, expect["short_description"].as_str()?, "{case}");
    assert_eq!(tfdv.description, expect["description"].as_str()?, "{case}");
    assert!((report.measurements[0].value - expect["value"].as_f64()?).abs() < 1e-6, "{case}");
    Some(())
}

/// A shape that holds or not; a shape that survives a missing row is a wish of a format older than ours.
pub(super) fn check_shape(case: &Value) -> Option<()> {
    let (input, expect) = (&case["input"], &case["expect"]);
    if input["generate_legacy_feature_spec"] == true {
        return None;
    }
    let sizes = input["shape"].as_array()?.iter().map(|size| size.as_i64().unwrap()).collect();
    let levels = input["levels"].as_array().cloned();
    let levels = levels.unwrap_or_else(|| vec![serde_json::json!([input["min"], input["max"]])]);
    let level = |level: &Value| Level {
        num_present: 10,
        min_length: level[0].as_u64().unwrap(),
        max_length: level[1].as_u64().unwrap(),
        ..Level::default()
    };
    let mut sample = missing(column("f", ColumnKind::Integer, 10), input["num_missing"].as_u64()?);
    sample.valency =
        Some(Valency { levels: levels.iter().map(level).collect(), num_null_values: 0, lengths: None });
    let feature =
        Feature { shape: Shape::Fixed(sizes), feature_type: Some(FeatureType::Int), ..Feature::new("f") };
    let schema = Schema { features: vec![feature], ..Schema::default() };
    let options = ValidateOptions::default();
    let report = validate_against(&dataset(vec![sample]), &schema, &options, &Baselines::default());
    assert_eq!(report.findings.is_empty(), expect["valid"].as_bool()?, "{case}: {:?}", report.findings);
    if let (Some(name), Some(finding)) = (expect["type"].as_str(), report.findings.first()) {
        assert_eq!(finding.tfdv.name, name, "{case}");
    }
    Some(())
}

/// The number of rows against that of the span before.
pub(super) fn check_rows(case: &Value) -> Option<()> {
    let input = &case["input"];
    let rows_drift = Some(RowsComparator {
        min_fraction: input["min_fraction_threshold"].as_f64(),
        max_fraction: input["max_fraction_threshold"].as_f64(),
    });
    let schema = Schema { rows_drift, ..Schema::default() };
    let mut sides = [dataset(Vec::new()), dataset(Vec::new())];
    sides[0].num_rows = input["current"].as_u64()?;
    sides[1].num_rows = input["previous"].as_u64()?;
    let baselines = Baselines { previous: Some(&sides[1]), ..Baselines::default() };
    let report = validate_against(&sides[0], &schema, &ValidateOptions::default(), &baselines);
    assert_eq!(report.findings.is_empty(), case["expect"]["anomaly"].is_null(), "{case}");
    Some(())
}
