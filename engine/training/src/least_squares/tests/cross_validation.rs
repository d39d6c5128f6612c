//! Penalties chosen by cross-validation.

use sluice_core::batch::RowIdentity;
use sluice_core::execution::Execution;
use sluice_core::folds::{FOLD_SEED, fold_of};
use sluice_testkit::{MemorySource, assert_relative, laws};

use super::{FEATURES, Plain, data, diabetes, fit, floats, numbered, only, ridge, searched, skewed, table};
use crate::data::{TrainingColumns, TrainingData};
use crate::design::Design;
use crate::least_squares::{
    CrossValidation, LinearModel, Penalty, PenaltySearch, RidgeOptions, Solved, fit_ridge, solve,
};

#[test]
fn cross_validation_agrees_with_scikit_learn() {
    let path = sluice_testkit::datasets::repository().join("datasets/diabetes/expected/ridge_cv.json");
    let golden: serde_json::Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    assert_eq!(golden["fold_seed"], FOLD_SEED);
    let source = MemorySource::new(&numbered(&diabetes()), 50);
    for search in golden["searches"].as_array().unwrap() {
        let folds = u32::try_from(search["folds"].as_u64().unwrap()).unwrap();
        for (row, fold) in (0..).zip(search["fold_of_first_rows"].as_array().unwrap()) {
            assert_eq!(*fold, fold_of(row, folds));
        }
        let scores = search["scores"].as_array().unwrap();
        let alphas: Vec<f64> = scores.iter().map(|score| score["alpha"].as_f64().unwrap()).collect();
        let model = fit(&source, &FEATURES, "target", Penalty::Searched(searched(&alphas, folds)), 2);
        let model = model.label_output();
        let found = model.cross_validation.as_ref().unwrap();
        assert_eq!(found.folds, folds);
        assert_eq!(serde_json::to_value(&found.fold_rows).unwrap(), search["fold_rows"]);
        assert_eq!(found.chosen.to_bits(), search["chosen"].as_f64().unwrap().to_bits());
        assert_eq!(found.note, None);
        assert_eq!(found.alphas.len(), scores.len());
        for (found, expected) in found.alphas.iter().zip(scores) {
            assert_eq!(found.alpha.to_bits(), expected["alpha"].as_f64().unwrap().to_bits());
            assert_relative(
                found.mean_squared_error,
                expected["mean_squared_error"].as_f64().unwrap(),
                1e-12,
            );
            assert_relative(found.standard_error, expected["standard_error"].as_f64().unwrap(), 1e-10);
            for (found, expected) in found.per_fold.iter().zip(floats(&expected["per_fold"])) {
                assert_relative(*found, expected, 1e-12);
            }
        }
        assert_relative(model.intercept, search["intercept"].as_f64().unwrap(), 1e-10);
        for (coefficient, expected) in model.coefficients.iter().zip(floats(&search["coefficients"])) {
            assert_relative(coefficient.value, expected, 1e-10);
        }
    }
}

#[test]
fn the_chosen_penalty_given_is_the_same_model() {
    let source = MemorySource::new(&numbered(&diabetes()), 50);
    let mut found = fit(&source, &FEATURES, "target", Penalty::Searched(searched(&[0.01, 0.03, 0.1], 5)), 2);
    let chosen = found.outputs[0].cross_validation.take().unwrap().chosen;
    assert_eq!(found, fit(&source, &FEATURES, "target", chosen.into(), 2));
    assert!(!serde_json::to_string(&found).unwrap().contains("cross_validation"));
}

fn cross_validated(
    source: &MemorySource,
    form: impl Fn(TrainingData<'_>, u32) -> Design,
    search: &PenaltySearch,
    method: &str,
) -> (Solved, CrossValidation) {
    let transform = Plain::shared(&["x", "z", "code"]);
    let columns = TrainingColumns { identity: Some(RowIdentity::Stored), ..TrainingColumns::from("y") };
    let data = data(source, &transform, &columns);
    let execution = Execution::with_threads(2);
    let fitted =
        solve(data, &ridge(Penalty::Searched(search.clone())), form(data, search.folds), &execution).unwrap();
    assert_eq!(fitted.method, method);
    let mut solved = only(fitted);
    let record = solved.cross_validation.take().unwrap();
    (solved, record)
}

#[test]
fn the_three_ways_of_cross_validation_agree() {
    let source = MemorySource::new(&numbered(&skewed(3000)), 400).with_batch_rows(256);
    let search = searched(&[1e-3, 0.01, 0.1, 1.0, 10.0], 5);
    let (whole, expected) =
        cross_validated(&source, |data, folds| Design::new(data, folds).unwrap(), &search, "whole");
    let (blocked, of_blocked) =
        cross_validated(&source, |data, folds| Design::blocked(data, folds).unwrap(), &search, "blocked");
    let (exact, of_exact) = cross_validated(&source, Design::exact, &search, "exact");
    for (found, solved, tolerance) in [(of_blocked, blocked, 1e-9), (of_exact, exact, 1e-14)] {
        assert_eq!(
            (found.chosen.to_bits(), &found.fold_rows),
            (expected.chosen.to_bits(), &expected.fold_rows)
        );
        for (found, expected) in found.alphas.iter().zip(&expected.alphas) {
            assert_relative(found.mean_squared_error, expected.mean_squared_error, tolerance);
            assert_relative(found.standard_error, expected.standard_error, 10.0 * tolerance);
        }
        for (found, expected) in solved.solution.coefficients.iter().zip(&whole.solution.coefficients) {
            // The middle level of `code` all but cancels, so that its digits count from 1.
            assert_relative(1.0 + found, 1.0 + expected, tolerance);
        }
    }
}

#[test]
fn dependent_columns_in_a_search_get_a_second_scan() {
    // The three levels of `code` add up to 1: at penalty 0 one of them is dropped.
    let source = MemorySource::new(&numbered(&skewed(900)), 100);
    let search = searched(&[0.0, 0.1], 4);
    let (_, of_blocked) =
        cross_validated(&source, |data, folds| Design::blocked(data, folds).unwrap(), &search, "exact");
    let (_, of_whole) =
        cross_validated(&source, |data, folds| Design::new(data, folds).unwrap(), &search, "whole");
    for (found, expected) in of_blocked.alphas.iter().zip(&of_whole.alphas) {
        assert_relative(found.mean_squared_error, expected.mean_squared_error, 1e-14);
    }
}

#[test]
fn gathering_by_fold_keeps_the_laws() {
    let source = MemorySource::new(&numbered(&skewed(700)), 33).with_batch_rows(16);
    let transform = Plain::shared(&["x", "z", "code"]);
    let plain = TrainingColumns { identity: Some(RowIdentity::Stored), ..TrainingColumns::from("y") };
    let weighted = TrainingColumns { weight: Some("code".into()), ..plain.clone() };
    for columns in [plain, weighted] {
        let data = data(&source, &transform, &columns);
        for design in
            [Design::new(data, 5).unwrap(), Design::blocked(data, 5).unwrap(), Design::exact(data, 5)]
        {
            laws::check(&source, &design);
        }
    }
}

#[test]
fn threads_do_not_change_a_search() {
    // More rows than are kept whole, in batches that fill some folds' buffers and leave others.
    let source = MemorySource::new(&numbered(&skewed(70_000)), 9_000).with_batch_rows(4_500);
    let bytes = |threads| {
        let penalty = Penalty::Searched(searched(&[0.1, 1.0], 3));
        let model = fit(&source, &["x", "z", "code"], "y", penalty, threads);
        assert_eq!(model.method, "blocked");
        serde_json::to_string(&model).unwrap()
    };
    let expected = bytes(1);
    assert_eq!([bytes(2), bytes(7)], [expected.clone(), expected]);
}

#[test]
fn rows_of_one_key_are_in_one_fold_and_empty_folds_are_told() {
    let key: Vec<f64> = (0..60).map(|row| f64::from(row % 20)).collect();
    let x: Vec<f64> = (0..60).map(|row| f64::from(row * 7 % 13)).collect();
    let y: Vec<f64> = (0..60).map(|row| f64::from(row * 11 % 17)).collect();
    let source = MemorySource::new(&table(vec![("key", key), ("x", x), ("y", y)]), 10);
    let fit = |columns: &[&str], folds| {
        let identity = RowIdentity::Key(columns.iter().map(|column| (*column).to_owned()).collect());
        let columns = TrainingColumns { identity: Some(identity), ..TrainingColumns::from("y") };
        let options = RidgeOptions::from(Penalty::Searched(searched(&[0.1, 1.0], folds)));
        let transform = Plain::shared(&["x"]);
        fit_ridge(data(&source, &transform, &columns), &options, &Execution::with_threads(2))
    };
    let record = record(fit(&["key"], 2).unwrap());
    assert!(record.fold_rows.iter().all(|rows| rows % 3 == 0), "{:?}", record.fold_rows);
    let error = fit(&["key"], 50).unwrap_err();
    assert_eq!(error.kind().exit_code(), 2);
    let message = error.to_string();
    assert!(message.starts_with("fold ") && message.contains("of 50 in the cross-validation"), "{message}");
    let hint = "lower `alpha.folds`: there are 60 training rows, and those of one key are in one fold";
    assert_eq!(error.hint().unwrap(), hint);
    // Without an identity, all columns are the key.
    let options = RidgeOptions::from(Penalty::Searched(searched(&[0.1, 1.0], 2)));
    let execution = Execution::with_threads(2);
    let (transform, columns) = (Plain::shared(&["x"]), TrainingColumns::from("y"));
    let found = fit_ridge(data(&source, &transform, &columns), &options, &execution).unwrap();
    assert_eq!(found, fit(&["x", "key", "y"], 2).unwrap());
}

/// How the penalty of the label was chosen.
fn record(mut model: LinearModel) -> CrossValidation {
    model.outputs.remove(0).cross_validation.unwrap()
}

#[test]
fn the_edge_of_a_grid_is_noted_and_ties_go_to_the_larger_penalty() {
    let source = MemorySource::new(&numbered(&diabetes()), 50);
    let chosen = |alphas: &[f64]| {
        let penalty = Penalty::Searched(searched(alphas, 5));
        let record = record(fit(&source, &FEATURES, "target", penalty, 1));
        (record.chosen, record.note.unwrap_or_default())
    };
    let noted = |alpha: f64, edge: &str, beyond: &str| {
        (alpha, format!("{alpha} is the {edge} penalty of the grid; a {beyond} one may be better"))
    };
    assert_eq!(chosen(&[10.0, 1.0, 0.5]), noted(0.5, "smallest", "smaller"));
    assert_eq!(chosen(&[0.0, 0.001, 0.01]), noted(0.01, "largest", "larger"));
    assert_eq!(chosen(&[0.5]), (0.5, String::new()));
    // Of columns that do not vary, every penalty makes the same model.
    let y: Vec<f64> = (0..40).map(|row| f64::from(row * 11 % 17)).collect();
    let constant = MemorySource::new(&numbered(&table(vec![("x", vec![1.0; 40]), ("y", y)])), 50);
    let penalty = Penalty::Searched(searched(&[0.0, 0.1, 1.0], 3));
    let record = record(fit(&constant, &["x"], "y", penalty, 1));
    assert_eq!(record.chosen.to_bits(), 1.0_f64.to_bits());
    let error = record.alphas[0].mean_squared_error.to_bits();
    assert!(record.alphas.iter().all(|score| score.mean_squared_error.to_bits() == error));
}
