//! Prints how often `drift` raises an alarm, by simulation: where nothing changed at all, where something did, and over
//! many batches; and how close noise floors are. `cargo run --example drift`, some minutes;
//! `cargo run --example drift calm|power|batches|noise` for one part.

#![allow(clippy::unwrap_used, reason = "a program of simulations")]
#![allow(clippy::panic, reason = "a program of simulations")]
#![allow(clippy::print_stdout, reason = "a table is what it is for")]

mod batches;
mod noise;
mod samples;

use rayon::prelude::*;
use sluice_quality::drift::{DriftOptions, Measure, compare};

use samples::{Chance, Change, side};

/// What one simulation comes to: from rows and from statistics.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// An alarm in a column that changed.
    hits: [usize; 2],
    /// An alarm in one that did not.
    elsewhere: [usize; 2],
    /// The same with thresholds of 0.
    strict: [usize; 2],
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        let add = |a: [usize; 2], b: [usize; 2]| [a[0] + b[0], a[1] + b[1]];
        Self {
            hits: add(self.hits, other.hits),
            elsewhere: add(self.elsewhere, other.elsewhere),
            strict: add(self.strict, other.strict),
        }
    }
}

fn simulation(rows: usize, columns: usize, change: Change, seed: u64) -> Counts {
    let mut chance = Chance(20_261_122 ^ (seed << 32));
    let current = side(rows, columns, change, &mut chance);
    let reference = side(rows, columns, Change::Nothing, &mut chance);
    let usual = DriftOptions::default();
    let thresholds = Measure::ALL.iter().map(|measure| (*measure, 0.0)).collect();
    let strict = DriftOptions { thresholds, ..DriftOptions::default() };
    let changed: &[&str] = match change {
        Change::Nothing => &[],
        Change::Mass(_) | Change::New(_) => &["x1"],
        _ => &["x0"],
    };
    let mut counts = Counts::default();
    for (index, is_saved) in [false, true].into_iter().enumerate() {
        let report = compare(current.seen(is_saved), reference.seen(is_saved), &usual).unwrap();
        let is_changed = |name: &str| changed.contains(&name);
        counts.hits[index] = usize::from(report.alarms().any(|(column, _)| is_changed(&column.column)));
        counts.elsewhere[index] = usize::from(report.alarms().any(|(column, _)| !is_changed(&column.column)));
        if changed.is_empty() {
            let report = compare(current.seen(is_saved), reference.seen(is_saved), &strict).unwrap();
            counts.strict[index] = usize::from(report.alarms().next().is_some());
        }
    }
    counts
}

fn simulations(count: u64, rows: usize, columns: usize, change: Change) -> Counts {
    let one = |seed| simulation(rows, columns, change, seed);
    (0..count).into_par_iter().map(one).reduce(Counts::default, Counts::plus)
}

fn calm() {
    println!(
        "| rows | columns | simulations | any alarm from rows, thresholds 0 | from statistics, thresholds 0 | usual thresholds |"
    );
    println!("|---:|---:|---:|---:|---:|---:|");
    for (count, rows, columns) in [
        (2000, 1_000, 20),
        (1000, 10_000, 20),
        (400, 100_000, 20),
        (400, 1_000_000, 20),
        (400, 10_000_000, 20),
        (200, 1_000, 500),
        (40, 10_000, 500),
        (40, 100_000, 500),
        (20, 1_000_000, 500),
        (20, 10_000_000, 500),
    ] {
        let Counts { elsewhere, strict, .. } = simulations(count, rows, columns, Change::Nothing);
        let [strict, usual] = [strict, elsewhere].map(|it| it.map(|it| 100.0 * it as f64 / count as f64));
        let most = if usual[0] > usual[1] { usual[0] } else { usual[1] };
        println!("| {rows} | {columns} | {count} | {:.1} % | {:.1} % | {most:.1} % |", strict[0], strict[1]);
    }
}

fn power() {
    const SIZES: [usize; 4] = [300, 1_000, 3_000, 10_000];
    println!(
        "\n| change | found from rows, of 300 / 1,000 / 3,000 / 10,000 | from statistics | false alarms elsewhere |"
    );
    println!("|---|---:|---:|---:|");
    for change in [
        Change::Shift(0.1),
        Change::Shift(0.25),
        Change::Shift(0.5),
        Change::Shift(1.0),
        Change::Spread(1.1),
        Change::Spread(1.25),
        Change::Spread(1.5),
        Change::Spread(2.0),
        Change::Tail(3.0),
        Change::Tail(10.0),
        Change::Outliers,
        Change::Mass(0.05),
        Change::Mass(0.15),
        Change::Mass(0.3),
        Change::New(0.005),
        Change::New(0.03),
        Change::Missing(0.03),
        Change::Missing(0.1),
    ] {
        let count = 100;
        let found = SIZES.map(|rows| simulations(count, rows, 20, change));
        let shares = |of: usize| {
            found.map(|it| format!("{:.0}", 100.0 * it.hits[of] as f64 / count as f64)).join(" / ")
        };
        let elsewhere: usize = found.iter().map(|it| it.elsewhere[0] + it.elsewhere[1]).sum();
        let elsewhere = 100.0 * elsewhere as f64 / (2 * SIZES.len() as u64 * count) as f64;
        println!("| {change:?} | {} % | {} % | {elsewhere:.1} % |", shares(0), shares(1));
    }
}

fn main() {
    let part = std::env::args().nth(1);
    let is = |name: &str| part.as_deref().is_none_or(|part| part == name);
    if is("calm") {
        calm();
    }
    if is("power") {
        power();
    }
    if is("batches") {
        batches::print();
    }
    if is("noise") {
        noise::print();
    }
}
