//! Prints how often intervals of 95 % hold the true value, and how often the gate blocks, by simulation:
//! `cargo run --release --example coverage`, some minutes. The tables stand in docs/numerics.md.

#![allow(clippy::unwrap_used, reason = "a program of simulations")]
#![allow(clippy::print_stdout, reason = "a table is what it is for")]

mod simulation;

use simulation::{Rows, Study, blocked, coverage};
use sluice_evaluation::comparison::{BootstrapOptions, IntervalOptions};

const SIMULATIONS: usize = 2_000;

fn main() {
    let bootstrap = IntervalOptions::Bootstrap(BootstrapOptions::default());
    let methods = [
        ("analytic", IntervalOptions::Analytic),
        ("bootstrap", bootstrap),
        ("jackknife", IntervalOptions::Jackknife),
    ];
    let numbers = ["mean_error", "mae", "rmse", "mse", "r2"].as_slice();
    let classes = [
        "log_loss",
        "brier_score",
        "accuracy",
        "precision",
        "recall",
        "f1",
        "mcc",
        "expected_calibration_error",
    ]
    .as_slice();
    println!("| rows | method | n | figure | covered | below | above | missing | length |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for (name, rows, metrics) in [
        ("normal", Rows::Normal, numbers),
        ("log-normal 0.5", Rows::LogNormal(0.5), numbers),
        ("log-normal 1", Rows::LogNormal(1.0), numbers),
        ("classes", Rows::Classes, classes),
    ] {
        for (method, intervals) in methods {
            for size in [200, 1_000] {
                for found in
                    coverage(rows, metrics, Study { simulations: SIMULATIONS, size, copies: 1, intervals })
                {
                    println!("| {name} | {method} | {size} | {found} |");
                }
            }
        }
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
