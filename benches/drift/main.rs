//! Prints how often `drift` raises an alarm, by simulation: where nothing changed at all, and where something did.
//! `cargo run --release --example drift`, some minutes.

#![allow(clippy::unwrap_used, reason = "a program of simulations")]
#![allow(clippy::print_stdout, reason = "a table is what it is for")]

use std::collections::BTreeMap;

use sluice_core::column::ColumnKind;
use sluice_core::statistics::{
    ColumnStatistics, DatasetStatistics, NumericStatistics, Quantiles, TextStatistics, TopValues,
};
use sluice_quality::drift::{Cumulative, DriftOptions, DriftSide, Measure, Tables, compare};

/// `SplitMix64`.
struct Chance(u64);

impl Chance {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (2.0 * std::f64::consts::PI * self.uniform()).cos()
    }
}

/// What is done to the first column of numbers, or the first of labels.
#[derive(Clone, Copy, Debug)]
enum Change {
    Nothing,
    Shift(f64),
    Spread(f64),
    /// Two in a hundred are that many times as large.
    Tail(f64),
    Outliers,
    /// That share of the rows turns to the last label.
    Mass(f64),
    /// That share of the rows turns to a label that was not there.
    New(f64),
    /// That share of the rows loses its value.
    Missing(f64),
}

fn numbers(rows: usize, change: Change, chance: &mut Chance) -> Vec<Option<f64>> {
    let one = |index: usize, chance: &mut Chance| {
        let value = chance.normal();
        let is = |share: f64, chance: &mut Chance| chance.uniform() < share;
        match change {
            Change::Shift(by) => Some(value + by),
            Change::Spread(by) => Some(value * by),
            Change::Tail(by) if is(0.02, chance) => Some(value * by),
            Change::Missing(share) if is(share, chance) => None,
            Change::Outliers if index < 10 => Some(1e9),
            _ => Some(value),
        }
    };
    (0..rows).map(|index| one(index, chance)).collect()
}

/// Ten labels with the shares of a geometric sequence.
fn labels(rows: usize, change: Change, chance: &mut Chance) -> ColumnStatistics {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for _ in 0..rows {
        let mut label = 0;
        while label < 9 && chance.uniform() < 0.6 {
            label += 1;
        }
        let moved = match change {
            Change::Mass(share) if chance.uniform() < share => 9,
            Change::New(share) if chance.uniform() < share => 99,
            _ => label,
        };
        *counts.entry(moved.to_string()).or_default() += 1;
    }
    let mut column = ColumnStatistics::new("label", ColumnKind::Text);
    column.presence.num_rows = rows as u64;
    column.text = Some(TextStatistics {
        mean_length_bytes: 1.0,
        min_length_bytes: 1,
        max_length_bytes: 1,
        num_invalid_utf8: 0,
    });
    let values = counts.into_iter().collect();
    column.top_values = Some(TopValues { values, max_error: 0, is_complete: true });
    column
}

/// What statistics keep of numbers, and their table.
fn summed_up(name: &str, values: &[Option<f64>]) -> (ColumnStatistics, Cumulative) {
    let mut sorted: Vec<f64> = values.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the values")]
    let at = |q: f64| (q, sorted[((q * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len()) - 1]);
    let kept = [0.0, 0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99, 1.0];
    let mut column = ColumnStatistics::new(name, ColumnKind::Float);
    column.presence.num_rows = values.len() as u64;
    column.presence.num_missing = (values.len() - sorted.len()) as u64;
    column.numeric = Some(NumericStatistics {
        num_finite: sorted.len() as u64,
        num_zeros: 0,
        mean: None,
        standard_deviation: None,
        min: sorted.first().copied(),
        max: sorted.last().copied(),
        exact_range: None,
        quantiles: Some(Quantiles { values: kept.map(at).to_vec(), rank_error_fraction: 0.0 }),
        histograms: None,
    });
    let mut counted: Vec<(f64, u64)> = Vec::new();
    for value in sorted {
        match counted.last_mut().filter(|last| last.0.total_cmp(&value).is_eq()) {
            Some(last) => last.1 += 1,
            None => counted.push((value, 1)),
        }
    }
    (column, Cumulative::of_values(counted.into_iter()).unwrap())
}

struct Side(DatasetStatistics, Tables);

/// Nine columns of numbers for each of labels.
fn side(rows: usize, columns: usize, change: Change, chance: &mut Chance) -> Side {
    let mut side = Side(DatasetStatistics { num_rows: rows as u64, ..Default::default() }, Tables::new());
    for index in 0..columns {
        let name = format!("x{index}");
        let own = if index < 2 { change } else { Change::Nothing };
        if index % 10 == 1 {
            let column = ColumnStatistics { name, ..labels(rows, own, chance) };
            side.0.columns.push(column);
            continue;
        }
        let (column, table) = summed_up(&name, &numbers(rows, own, chance));
        side.0.columns.push(column);
        let _ = side.1.insert(name, table);
    }
    side
}

/// Shares of simulations with any alarm, in the changed columns and in the others.
fn rates(
    (simulations, rows, columns): (usize, usize, usize),
    change: Change,
    (is_saved, options): (bool, &DriftOptions),
) -> (f64, f64) {
    let mut chance = Chance(20_261_122);
    let (mut hits, mut false_alarms) = (0, 0);
    for _ in 0..simulations {
        let current = side(rows, columns, change, &mut chance);
        let reference = side(rows, columns, Change::Nothing, &mut chance);
        let of = |side| -> DriftSide<'_> {
            let Side(statistics, tables): &Side = side;
            DriftSide { statistics, tables: (!is_saved).then_some(tables) }
        };
        let report = compare(of(&current), of(&reference), options).unwrap();
        let is_first = |name: &str| matches!(name, "x0" | "x1") && !matches!(change, Change::Nothing);
        hits += usize::from(report.alarms().any(|(column, _)| is_first(&column.column)));
        false_alarms += usize::from(report.alarms().any(|(column, _)| !is_first(&column.column)));
    }
    (hits as f64 / simulations as f64, false_alarms as f64 / simulations as f64)
}

fn main() {
    let thresholds = Measure::ALL.iter().map(|measure| (*measure, 0.0)).collect();
    let no_thresholds = DriftOptions { thresholds, ..DriftOptions::default() };
    let usual = DriftOptions::default();
    println!(
        "| rows | columns | simulations | from | any alarm, thresholds 0 | any alarm, usual thresholds |"
    );
    println!("|---|---|---|---|---|---|");
    for (simulations, rows, columns) in
        [(1000, 1_000, 20), (60, 1_000, 500), (200, 10_000, 20), (40, 100_000, 20), (10, 1_000_000, 20)]
    {
        for (is_saved, name) in [(false, "rows"), (true, "statistics")] {
            let study = (simulations, rows, columns);
            let (_, strict) = rates(study, Change::Nothing, (is_saved, &no_thresholds));
            let (_, lenient) = rates(study, Change::Nothing, (is_saved, &usual));
            let (strict, lenient) = (100.0 * strict, 100.0 * lenient);
            println!("| {rows} | {columns} | {simulations} | {name} | {strict:.1} % | {lenient:.1} % |");
        }
    }
    println!("\n| change | rows | found from rows | from statistics | false alarms elsewhere |");
    println!("|---|---|---|---|---|");
    for change in [
        Change::Shift(0.1),
        Change::Shift(0.25),
        Change::Shift(0.5),
        Change::Spread(1.25),
        Change::Spread(1.5),
        Change::Tail(10.0),
        Change::Outliers,
        Change::Mass(0.05),
        Change::Mass(0.15),
        Change::New(0.03),
        Change::Missing(0.03),
        Change::Missing(0.1),
    ] {
        for (simulations, rows) in [(100, 300), (100, 1_000), (60, 10_000)] {
            let study = (simulations, rows, 20);
            let (hits, elsewhere) = rates(study, change, (false, &usual));
            let (saved, _) = rates(study, change, (true, &usual));
            let [hits, saved, elsewhere] = [hits, saved, elsewhere].map(|rate| 100.0 * rate);
            println!("| {change:?} | {rows} | {hits:.0} % | {saved:.0} % | {elsewhere:.0} % |");
        }
    }
}
