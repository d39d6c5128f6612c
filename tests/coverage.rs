//! Intervals hold the true value as often as they say, and the gate errs as often: a short form of the simulations of
//! `benches/coverage`, whose tables stand in `docs/intervals.md`.

#[path = "../benches/coverage/simulation.rs"]
mod simulation;

use simulation::{Rows, Study, blocked, coverage};
use sluice_evaluation::comparison::{BootstrapOptions, IntervalOptions};

/// Of 600 simulations a share of 95 % spreads by 0.9 %.
const STUDY: Study = Study { simulations: 600, size: 200, copies: 1, intervals: IntervalOptions::Analytic };

#[test]
fn intervals_cover_from_200_rows_on() {
    let bootstrap = IntervalOptions::Bootstrap(BootstrapOptions { replicates: 100, seed: 0 });
    for (rows, metrics) in [
        (Rows::Normal, ["mean_error", "mae", "rmse"].as_slice()),
        (Rows::LogNormal(0.5), &["mean_error", "mae", "rmse"]),
        (Rows::Classes, &["log_loss", "accuracy"]),
    ] {
        for intervals in [IntervalOptions::Analytic, bootstrap, IntervalOptions::Jackknife] {
            for found in coverage(rows, metrics, Study { intervals, ..STUDY }) {
                let is_near = (0.92..=0.98).contains(&found.covered);
                assert!(is_near, "{rows:?}, {intervals:?}: {found}");
            }
        }
    }
}

#[test]
fn intervals_of_order_statistics_cover_from_200_rows_on() {
    let bootstrap = IntervalOptions::Bootstrap(BootstrapOptions { replicates: 100, seed: 0 });
    let all = [IntervalOptions::Analytic, bootstrap, IntervalOptions::Jackknife];
    // The others are only known from replicates, and of quantiles the bootstrap's.
    let scores = ["average_precision", "precision_at_recall"];
    for (rows, metrics, methods) in [
        (Rows::NormalScores, ["auc"].as_slice(), all.as_slice()),
        (Rows::LogNormalScores(1.0), &["auc"], &all),
        (Rows::NormalScores, &scores, &all[1..]),
        (Rows::Normal, &["spearman"], &all[1..]),
        (Rows::Normal, &["median_absolute_error"], &all[1..2]),
    ] {
        for intervals in methods {
            for found in coverage(rows, metrics, Study { intervals: *intervals, ..STUDY }) {
                let is_near = (0.92..=0.99).contains(&found.covered);
                assert!(is_near, "{rows:?}, {intervals:?}: {found}");
            }
        }
    }
}

#[test]
fn rows_of_one_key_are_no_more_than_one() {
    // Each row stands there twice: as if they were independent, errors are too small by √2.
    let twice = Study { size: 400, copies: 2, ..STUDY };
    for found in coverage(Rows::Normal, &["mae", "rmse"], twice) {
        assert!(found.covered < 0.9, "{found}");
    }
    let bootstrap = IntervalOptions::Bootstrap(BootstrapOptions { replicates: 100, seed: 0 });
    for intervals in [bootstrap, IntervalOptions::Jackknife] {
        for found in coverage(Rows::Normal, &["mae", "rmse"], Study { intervals, ..twice }) {
            assert!((0.92..=0.98).contains(&found.covered), "{found}");
        }
    }
}

#[test]
fn the_gate_errs_at_its_level_and_sees_harm() {
    let bootstrap = IntervalOptions::Bootstrap(BootstrapOptions { replicates: 100, seed: 0 });
    for intervals in [IntervalOptions::Analytic, bootstrap] {
        let (equal, expected) = blocked("rmse", 1.0, (400, 5, 200), intervals);
        // The chance of any false alarm is 4.9 % of five independent slices; of 400 it spreads by 1.1 %.
        assert!((0.015..=0.09).contains(&equal), "{intervals:?}: {equal}");
        assert!(expected < 0.02, "{expected}");
        let (worse, expected) = blocked("rmse", 1.08, (400, 5, 200), intervals);
        assert!((worse - expected).abs() < 0.1 && expected > 0.3, "{intervals:?}: {worse} for {expected}");
    }
}
