//! How close noise floors are to what values come to where nothing changed: they are means, so that the mean of the values
//! over that of the floors is 1, and a little less than half of the values are above.

use rayon::prelude::*;
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics, Histograms};
use sluice_quality::drift::{Comparison, DriftOptions, Measure, Tables, compare};

use crate::samples::{Chance, Change, Side, counted_up, equal_width, labels, summed_up};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// The name of a column, and what makes its values of normal ones.
type Shape = (&'static str, fn(f64) -> f64);

/// Columns of which both sides are samples.
const SHAPES: [Shape; 3] =
    [("normal", |z| z), ("log-normal, 1.5", |z| (1.5 * z).exp()), ("whole numbers", |z| (3.0 * z).round())];

fn side(rows: usize, chance: &mut Chance) -> Side {
    let mut side = Side(DatasetStatistics { num_rows: rows as u64, ..Default::default() }, Tables::new());
    for (name, shape) in SHAPES {
        let values = counted_up((0..rows).map(|_| shape(chance.normal())).collect());
        let (mut column, table) = summed_up(name, &values, 0);
        let equal_width = equal_width(&values);
        if let Some(numeric) = &mut column.numeric {
            numeric.histograms = Some(Histograms { equal_depth: equal_width.clone(), equal_width });
        }
        side.0.columns.push(column);
        let _ = side.1.insert(name.to_owned(), table);
    }
    let column = labels(rows, Change::Nothing, chance);
    side.0.columns.push(ColumnStatistics { name: "ten labels".into(), ..column });
    side
}

/// Sums of values and of noise floors, and how many values are above theirs, by column and measure.
type Sums = Vec<((String, Measure), [f64; 3])>;

fn one(rows: usize, is_saved: bool, seed: u64) -> Sums {
    let mut chance = Chance(20_261_122 ^ (seed << 32));
    let sides = [0, 1].map(|_| side(rows, &mut chance));
    let of = |comparison| Measure::ALL.iter().copied().filter(|measure| measure.fits(comparison)).collect();
    let options = DriftOptions {
        numbers: of(Comparison::Numbers),
        labels: of(Comparison::Labels),
        ..DriftOptions::default()
    };
    let report = compare(sides[0].seen(is_saved), sides[1].seen(is_saved), &options).unwrap();
    let signals = report.columns.iter().flat_map(|column| {
        let of_column = column.signals.iter().filter(|signal| signal.measure.is_distance());
        of_column.map(|signal| {
            let above = f64::from(u8::from(signal.value > signal.noise_floor));
            ((column.column.clone(), signal.measure), [signal.value, signal.noise_floor, above])
        })
    });
    signals.collect()
}

/// Prints the table.
pub(crate) fn print() {
    println!(
        "\n| distance | of | mean of the values over that of the noise floors, at 1,000 / 10,000 / 100,000 rows | above, of 10,000 | from statistics, 10,000 | above |"
    );
    println!("|---|---|---:|---:|---:|---:|");
    let run = |rows: usize, is_saved: bool| {
        let count = (4_000_000 / rows as u64).min(400);
        let all: Vec<Sums> = (0..count).into_par_iter().map(|seed| one(rows, is_saved, seed)).collect();
        let mut sums = all[0].clone();
        for more in &all[1..] {
            for (sum, one) in sums.iter_mut().zip(more) {
                sum.1.iter_mut().zip(one.1).for_each(|(sum, one)| *sum += one);
            }
        }
        let share = |of: [f64; 3]| (of[0] / of[1], 100.0 * of[2] / count as f64);
        sums.into_iter().map(|(name, of)| (name, share(of))).collect::<Vec<_>>()
    };
    let rows = SIZES.map(|rows| run(rows, false));
    let saved = run(SIZES[1], true);
    for (index, ((column, measure), (_, above))) in rows[1].iter().enumerate() {
        let means = rows.each_ref().map(|of| format!("{:.2}", of[index].1.0)).join(" / ");
        let (mean, saved_above) = saved[index].1;
        println!("| `{measure}` | {column} | {means} | {above:.0} % | {mean:.2} | {saved_above:.0} % |");
    }
}
