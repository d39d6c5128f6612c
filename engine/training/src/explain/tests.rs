//! Against `tests/data/explain.py`, and laws.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use serde_json::Value;

use sluice_core::batch::{Batch, RowIdentity};
use sluice_core::execution::Execution;
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureKind, FeatureSpace, FeatureSpec};
use sluice_core::seam::BatchTransform;
use sluice_testkit::{MemorySource, assert_relative};

use super::*;
use crate::data::{TrainingColumns, TrainingData};
use crate::least_squares::{RidgeOptions, fit_ridge};

/// Columns as they are; one named `code` holds codes of three levels; `ratio` is `a / b`.
struct Plain(FeatureSpace);

impl Plain {
    fn shared(names: &[&str]) -> Arc<dyn BatchTransform> {
        let features = names.iter().map(|name| FeatureSpec {
            name: (*name).into(),
            kind: match *name {
                "code" => FeatureKind::OneHot { levels: vec!["0".into(), "1".into(), "2".into()] },
                _ => FeatureKind::Number,
            },
            sources: match *name {
                "ratio" => vec!["a".into(), "b".into()],
                name => vec![name.into()],
            },
        });
        Arc::new(Self(FeatureSpace { features: features.collect() }))
    }
}

impl BatchTransform for Plain {
    fn inputs(&self) -> Vec<String> {
        ["a", "b", "code", "unused"].map(str::to_owned).into()
    }

    fn space(&self) -> &FeatureSpace {
        &self.0
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "codes are 0, 1 and 2")]
    fn apply(&self, batch: &Batch) -> Result<FeatureBatch> {
        let column = |name: &str| sluice_core::column::numbers(name, batch.require(name)?, "a test");
        let columns = self.0.features.iter().map(|feature| {
            Ok(match feature.name.as_str() {
                "code" => FeatureColumn::Codes(UInt32Array::from_iter(
                    column("code")?.iter().map(|code| code.map(|code| code as u32)),
                )),
                "ratio" => {
                    let (a, b) = (column("a")?, column("b")?);
                    let pairs = a.iter().zip(b.iter());
                    FeatureColumn::Numbers(pairs.map(|(a, b)| Some(a? / b?)).collect())
                }
                name => FeatureColumn::Numbers(column(name)?),
            })
        });
        Ok(FeatureBatch { rows: batch.rows(), columns: columns.collect::<Result<_>>()? })
    }
}

fn golden() -> Value {
    serde_json::from_str(include_str!("../../tests/data/explain.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// The rows of the reference, with a column that no feature reads.
fn table(golden: &Value) -> RecordBatch {
    let mut columns: Vec<(&str, ArrayRef)> = ["a", "b", "code"]
        .map(|name| (name, Arc::new(Float64Array::from(numbers(&golden["frame"][name]))) as ArrayRef))
        .into();
    let label = numbers(&golden["label"]);
    columns.push(("unused", Arc::new(Float64Array::from(label.clone()))));
    columns.push(("y", Arc::new(Float64Array::from(label))));
    let hashes = golden["hashes"].as_array().unwrap().iter();
    let hashes = hashes.map(|hash| hash.as_str().unwrap().parse::<u64>().unwrap()).collect::<Vec<_>>();
    columns.push(("__row_hash", Arc::new(UInt64Array::from(hashes))));
    RecordBatch::try_from_iter(columns).unwrap()
}

fn model(table: &RecordBatch, transform: &Arc<dyn BatchTransform>, alpha: f64) -> crate::LinearModel {
    let columns = TrainingColumns::from("y");
    let source = MemorySource::new(table, 50);
    let data = TrainingData { source: &source, transform, columns: &columns };
    fit_ridge(data, &RidgeOptions::from(alpha), &Execution::with_threads(1)).unwrap()
}

fn sampled(table: &RecordBatch, rows: u64, seed: u64, split: u64, threads: usize) -> Sample {
    let options = SampleOptions { rows, seed, identity: RowIdentity::Stored };
    let columns = ["a", "b", "code", "unused", "y"].map(str::to_owned);
    let source = MemorySource::new(table, split);
    Sample::take(&source, &columns, &options, &Execution::with_threads(threads)).unwrap()
}

#[test]
fn shapley_values_agree_with_the_formula_and_add_up() {
    let golden = golden();
    let (table, transform) = (table(&golden), Plain::shared(&["a", "b", "code"]));
    let model = model(&table, &transform, 2.0);
    for (found, expected) in model.column_means.iter().zip(numbers(&golden["means"])) {
        assert_relative(*found, expected, 1e-14);
    }
    let explainer = LinearExplainer::new(&model, transform.space()).unwrap();
    assert_eq!(explainer.features, ["a", "b", "code"]);
    let output = &explainer.outputs[0];
    assert_relative(output.base_value, golden["base_value"].as_f64().unwrap(), 1e-13);
    assert_relative(output.base_value, model.label_mean, 1e-14);
    let features = transform.apply(&Batch::new(&table)).unwrap();
    let found = &explainer.contributions(&features, None).unwrap()[0];
    let predictions = model.predict(&features, transform.space()).unwrap();
    for (row, expected) in golden["shapley"].as_array().unwrap().iter().enumerate() {
        for (column, expected) in found.iter().zip(numbers(expected)) {
            assert!((column.value(row) - expected).abs() < 1e-11, "{} {expected}", column.value(row));
        }
        let sum = found.iter().fold(output.base_value, |sum, column| sum + column.value(row));
        assert!((sum - predictions[0].value(row)).abs() < 1e-13);
    }
    // The average over the training rows is 0, and the sizes are those of the columns.
    let mut sums = ContributionSums::default();
    sums.update(std::slice::from_ref(found));
    let means = &sums.finish(&explainer)[0];
    assert!(means.features.iter().all(|feature| feature.mean.abs() < 1e-14), "{means:?}");
    let sizes: Vec<f64> = means.features.iter().map(|feature| feature.mean_absolute).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b) && means.features[0].feature == "a", "{means:?}");
    // In two parts, in the other order.
    let parts = [60..120, 0..60].map(|rows: std::ops::Range<usize>| {
        let mut part = ContributionSums::default();
        part.update(&[found.iter().map(|column| column.slice(rows.start, rows.len())).collect()]);
        part
    });
    let mut joined = ContributionSums::default();
    parts.into_iter().for_each(|part| joined.merge(part));
    assert_eq!(joined, sums);
}

#[test]
fn a_model_without_means_is_refused() {
    let (table, transform) = (table(&golden()), Plain::shared(&["a", "b"]));
    let mut model = model(&table, &transform, 1.0);
    model.column_means.clear();
    let error = LinearExplainer::new(&model, transform.space()).unwrap_err();
    assert!(error.to_string().contains("means of its columns"), "{error}");
}

#[test]
fn permutation_importance_agrees_with_the_same_permutations_in_numpy() {
    let golden = golden();
    let (table, transform) = (table(&golden), Plain::shared(&["a", "b", "code"]));
    let model = model(&table, &transform, 2.0);
    let explained = Explained { transform: transform.as_ref(), model: &model };
    let options = PermutationOptions { repeats: 4, seed: 7 };
    let found = |threads: usize, split: u64| {
        let sample = sampled(&table, 1000, 7, split, threads);
        permutation_importance(explained, &sample, options, &Execution::with_threads(threads)).unwrap()
    };
    let first = found(1, 50);
    assert_relative(first.loss, golden["loss"].as_f64().unwrap(), 1e-10);
    for column in first.columns.iter().filter(|column| column.column != "unused") {
        for (found, expected) in column.repeats.iter().zip(numbers(&golden["importance"][&column.column])) {
            assert_relative(*found, expected, 1e-10);
        }
        assert!(column.importance > 0.0 && column.standard_error.unwrap() > 0.0);
    }
    assert_eq!(first.columns[0].column, "a");
    for (threads, split) in [(2, 7), (7, 33)] {
        assert_eq!(found(threads, split), first);
    }
}

#[test]
fn what_a_column_cannot_tell_weighs_nothing_and_the_only_one_weighs_twice_the_variance() {
    let golden = golden();
    let table = table(&golden);
    let transform = Plain::shared(&["unused"]);
    // `unused` is the label itself here, so the model repeats it.
    let model = model(&table, &transform, 0.0);
    let explained = Explained { transform: transform.as_ref(), model: &model };
    let sample = sampled(&table, 1000, 1, 40, 2);
    let options = PermutationOptions { repeats: 200, seed: 3 };
    let found = permutation_importance(explained, &sample, options, &Execution::with_threads(2)).unwrap();
    assert!(found.loss < 1e-25);
    let (all, none) = found.columns.split_first().unwrap();
    assert_eq!(all.column, "unused");
    // E (y - y')^2 over permutations is 2 n / (n - 1) times the variance (divisor n) times (1 - 1 / n), so twice it.
    let labels = numbers(&golden["label"]);
    let mean = labels.iter().sum::<f64>() / labels.len() as f64;
    let variance = labels.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / labels.len() as f64;
    let error = all.standard_error.unwrap();
    assert!((all.importance - 2.0 * variance).abs() < 4.0 * error, "{} {variance}", all.importance);
    assert!(none.iter().all(|column| column.repeats.iter().all(|growth| *growth == 0.0)));
}

#[test]
fn a_permuted_row_without_a_prediction_is_counted() {
    let (a, b) = (vec![1.0, 2.0, 0.0, 4.0], vec![2.0, 1.0, 4.0, 0.5]);
    let column = |values: Vec<f64>| Arc::new(Float64Array::from(values)) as ArrayRef;
    let hashes: ArrayRef = Arc::new(UInt64Array::from(vec![1, 2, 3, 4]));
    let zeros = vec![0.0, 1.0, 1.0, 0.0];
    let table = |b: Vec<f64>| {
        let columns = [("a", column(a.clone())), ("b", column(b)), ("code", column(zeros.clone()))];
        let rest = [("unused", column(zeros.clone())), ("y", column(vec![0.5, 2.0, 0.1, 8.0]))];
        let hashes = std::iter::once(("__row_hash", Arc::clone(&hashes)));
        RecordBatch::try_from_iter(columns.into_iter().chain(rest).chain(hashes)).unwrap()
    };
    let transform = Plain::shared(&["ratio"]);
    let model = model(&table(b), &transform, 0.0);
    let explained = Explained { transform: transform.as_ref(), model: &model };
    // Of the row with a / b = 1 / 0 there is no prediction; a 0 / 0 is not there before anything is permuted.
    let sample = sampled(&table(vec![0.0, 1.0, 4.0, 0.5]), 100, 0, 10, 1);
    let options = PermutationOptions { repeats: 3, seed: 0 };
    let found = permutation_importance(explained, &sample, options, &Execution::with_threads(1)).unwrap();
    assert_eq!((found.rows, found.rows_left_out), (3, 1));
    let nothing = sampled(&table(vec![0.0; 4]), 100, 0, 10, 1);
    let error =
        permutation_importance(explained, &nothing, options, &Execution::with_threads(1)).unwrap_err();
    assert!(error.to_string().contains("none of the 4 rows"), "{error}");
}

#[test]
fn partial_dependence_agrees_with_scikit_learn() {
    let golden = golden();
    let (table, transform) = (table(&golden), Plain::shared(&["a", "b", "code"]));
    let model = model(&table, &transform, 2.0);
    let explained = Explained { transform: transform.as_ref(), model: &model };
    let sample = sampled(&table, 1000, 0, 30, 1);
    for threads in [1, 7] {
        let execution = Execution::with_threads(threads);
        for column in ["a", "b", "code"] {
            let expected = &golden["dependence"][column];
            let grid: ArrayRef = Arc::new(Float64Array::from(numbers(&expected["grid"])));
            let index = sample.rows.schema().index_of(column).unwrap();
            let found = dependence::averages_at(explained, &sample.rows, index, &grid, &execution).unwrap();
            for (found, expected) in found.iter().zip(numbers(&expected["average"])) {
                assert_relative(found[0].unwrap(), expected, 1e-12);
            }
        }
        // Few values are all in the grid.
        let options = DependenceOptions { grid: 10 };
        let found = partial_dependence(explained, &sample, "b", options, &execution).unwrap();
        let grid = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0].map(GridValue::Number);
        assert_eq!(found.grid, grid);
        for (found, expected) in
            found.curves[0].averages.iter().zip(numbers(&golden["dependence"]["b"]["average"]))
        {
            assert_relative(found.unwrap(), expected, 1e-12);
        }
        // Many are not: ascending, each once, within the tails.
        let found = partial_dependence(explained, &sample, "a", options, &execution).unwrap();
        let grid: Vec<f64> = found
            .grid
            .iter()
            .map(|value| match value {
                GridValue::Number(value) => *value,
                GridValue::Text(text) => panic!("{text}"),
            })
            .collect();
        assert!(grid.len() == 10 && grid.is_sorted_by(|a, b| a < b), "{grid:?}");
    }
    let error = partial_dependence(
        explained,
        &sample,
        "y",
        DependenceOptions { grid: 5 },
        &Execution::with_threads(1),
    );
    assert!(error.unwrap_err().to_string().contains("column `y`"));
}

#[test]
fn a_sample_follows_from_the_keys_alone() {
    let table = table(&golden());
    let whole = sampled(&table, 1000, 5, 50, 1);
    assert_eq!((whole.rows.num_rows(), whole.of_rows), (120, 120));
    let some = sampled(&table, 40, 5, 50, 1);
    assert_eq!(some.rows, whole.rows.slice(0, 40));
    for (split, threads) in [(7, 3), (120, 1), (1, 7)] {
        assert_eq!(sampled(&table, 40, 5, split, threads).rows, some.rows);
    }
    // In another order of the rows.
    let places: UInt64Array = (0..120_u64).map(|row| Some((row * 77 + 5) % 120)).collect();
    let other = arrow::compute::take_record_batch(&table, &places).unwrap();
    assert_eq!(sampled(&other, 40, 5, 9, 2).rows, some.rows);
    assert_ne!(sampled(&table, 40, 6, 50, 1).rows, some.rows);
}

/// More rows than are kept, with text: what is pruned is what is not among the least.
#[test]
fn a_large_source_is_pruned_on_the_way() {
    let rows = 20_000_u64;
    let names: Vec<String> = (0..rows).map(|row| format!("a text that no view holds inline {row}")).collect();
    let table = RecordBatch::try_from_iter([
        ("id", Arc::new(UInt64Array::from_iter_values(0..rows)) as ArrayRef),
        ("name", Arc::new(StringArray::from(names))),
    ])
    .unwrap();
    let take = |split: u64, threads: usize| {
        let identity = RowIdentity::Key(vec!["id".into()]);
        let options = SampleOptions { rows: 50, seed: 1, identity };
        let source = MemorySource::new(&table, split);
        let execution = Execution::with_threads(threads);
        Sample::take(&source, &["name".into(), "id".into()], &options, &execution).unwrap()
    };
    let (one, other) = (take(500, 1), take(20_000, 2));
    assert_eq!(one.rows, other.rows);
    assert_eq!(one.rows.num_rows(), 50);
    assert!(one.hashes.iter().map(|hash| sample::keyed(*hash, 1)).is_sorted());
}
