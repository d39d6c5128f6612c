//! Prints how often intervals of 95 % hold the true value, and how often the gate blocks, by simulation:
//! `cargo run --release --example coverage`, some minutes; with the names of rows, such as `scores`, those only. The tables
//! stand in docs/intervals.md.

#![allow(clippy::unwrap_used, reason = "a program of simulations")]
#![allow(clippy::print_stdout, reason = "a table is what it is for")]

mod simulation;

use simulation::{Rows, Study, blocked, coverage};
use sluice_evaluation::comparison::{BootstrapOptions, IntervalOptions};

const SIMULATIONS: usize = 2_000;

const NUMBERS: &[&str] = &["mean_error", "mae", "rmse", "mse", "r2"];
const ORDERED: &[&str] = &["median_absolute_error", "absolute_error_quantile", "spearman"];
const SCORES: &[&str] = &[
    "auc",
    "gini",
    "average_precision",
    "auc_pr",
    "ks",
    "gain",
    "lift",
    "precision_at_recall",
    "recall_at_precision",
    "sensitivity_at_specificity",
    "specificity_at_sensitivity",
    "recall_at_false_positive_rate",
    "threshold_at_recall",
];
const CLASSES: &[&str] = &[
    "log_loss",
    "brier_score",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "mcc",
    "expected_calibration_error",
];

/// What rows are called, how they are made, and the metrics of such.
const STUDIES: [(&str, Rows, &[&str]); 8] = [
    ("normal", Rows::Normal, NUMBERS),
    ("log-normal 0.5", Rows::LogNormal(0.5), NUMBERS),
    ("log-normal 1", Rows::LogNormal(1.0), NUMBERS),
    ("classes", Rows::Classes, CLASSES),
    ("order, normal", Rows::Normal, ORDERED),
    ("order, log-normal 1", Rows::LogNormal(1.0), ORDERED),
    ("scores, normal", Rows::NormalScores, SCORES),
    ("scores, log-normal 1", Rows::LogNormalScores(1.0), SCORES),
];

fn main() {
    let bootstrap = IntervalOptions::Bootstrap(BootstrapOptions::default());
    let methods = [
        ("analytic", IntervalOptions::Analytic),
        ("bootstrap", bootstrap),
        ("jackknife", IntervalOptions::Jackknife),
    ];
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| name.starts_with(wanted));
    println!("| rows | method | n | figure | covered | below | above | missing | length |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for (name, rows, metrics) in STUDIES.into_iter().filter(|(name, ..)| is_wanted(name)) {
        for (method, intervals) in methods {
            for size in [200, 1_000] {
                let study = Study { simulations: SIMULATIONS, size, copies: 1, intervals };
                for found in coverage(rows, metrics, study) {
                    println!("| {name} | {method} | {size} | {found} |");
                }
            }
        }
    }
    if !is_wanted("gate") {
        return;
    }
    println!(
        "\n| metric | method | errors of the first of 5 slices | blocked | expected |\n|---|---|---|---|---|"
    );
    for metric in ["rmse", "mae"] {
        for (method, intervals) in methods {
            for factor in [1.0, 1.05, 1.1, 1.15, 1.2] {
                let (share, expected) = blocked(metric, factor, (SIMULATIONS, 5, 200), intervals);
                let (share, expected) = (100.0 * share, 100.0 * expected);
                println!("| {metric} | {method} | x {factor} | {share:.1} % | {expected:.1} % |");
            }
        }
    }
}
