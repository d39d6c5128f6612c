//! How often thresholds learned from good batches raise alarms, and how often timelines tell changes.

use rayon::prelude::*;
use sluice_quality::drift::{Compared, DriftOptions, Moment, calibrate, compare, timeline};

use crate::samples::{Chance, Side, batch};

const ROWS: usize = 2_000;
const COLUMNS: usize = 20;
const REPETITIONS: u64 = 200;
/// Means of good batches differ by this part of a deviation.
const SPREAD: f64 = 0.1;

fn compared(now: &Side, then: &Side, options: &DriftOptions) -> Compared {
    let reports = vec![compare(now.seen(false), then.seen(false), options).unwrap()];
    Compared { batch: "b".into(), against: "r".into(), reports }
}

fn share(hits: impl Fn(&mut Chance) -> bool + Sync) -> f64 {
    let hit = |index: u64| hits(&mut Chance(20_261_122 ^ (index << 32)));
    let found = (0..REPETITIONS).into_par_iter().filter(|index| hit(*index)).count();
    100.0 * found as f64 / REPETITIONS as f64
}

/// The share of batches to come with any alarm, by thresholds learned from `count` comparisons with a reference.
fn after_calibration(count: usize, rate: f64, shift: f64) -> f64 {
    share(|chance| {
        let usual = DriftOptions::default();
        let reference = batch(ROWS, COLUMNS, (SPREAD, 0.0), chance);
        let mut next = |shift| compared(&batch(ROWS, COLUMNS, (SPREAD, shift), chance), &reference, &usual);
        let good: Vec<Compared> = (0..count).map(|_| next(0.0)).collect();
        let learned = calibrate(&good, rate, |_, _| true).unwrap().options(&usual);
        let to_come = batch(ROWS, COLUMNS, (SPREAD, shift), chance);
        compare(to_come.seen(false), reference.seen(false), &learned).unwrap().alarms().next().is_some()
    })
}

fn usual_thresholds() -> f64 {
    share(|chance| {
        let sides = [0, 1].map(|_| batch(ROWS, COLUMNS, (SPREAD, 0.0), chance));
        let report = compare(sides[0].seen(false), sides[1].seen(false), &DriftOptions::default()).unwrap();
        report.alarms().next().is_some()
    })
}

/// The shares of timelines with any change, any trend, and with a change of the first column at the right batch.
fn over_time(count: usize, at: usize, shift: f64) -> [f64; 3] {
    let told = |asked: usize| {
        share(|chance| {
            let usual = DriftOptions::default();
            let reference = batch(ROWS, COLUMNS, (SPREAD, 0.0), chance);
            let of = |index: usize, chance: &mut Chance| {
                let shift = if index >= at { shift } else { 0.0 };
                compared(&batch(ROWS, COLUMNS, (SPREAD, shift), chance), &reference, &usual)
            };
            let all: Vec<Compared> = (0..count).map(|index| of(index, chance)).collect();
            let moment = |one| -> Moment<'_> {
                let reference: &Compared = one;
                Moment { batch: &reference.batch, num_rows: ROWS as u64, reference, before: None }
            };
            let found = timeline(&all.iter().map(moment).collect::<Vec<_>>(), usual.level);
            match asked {
                0 => !found.changes().is_empty(),
                1 => !found.trends().is_empty(),
                _ => found.changes().iter().any(|(one, change)| one.column == "x0" && change.index == at),
            }
        })
    };
    [0, 1, 2].map(told)
}

/// Prints both tables.
pub(crate) fn print() {
    println!(
        "\n| thresholds | wanted | alarms of good batches | of a mean shifted by 0.7 |\n|---|---:|---:|---:|"
    );
    println!("| the usual ones | – | {:.1} % | |", usual_thresholds());
    for (count, rate) in [(5, 0.05), (10, 0.05), (19, 0.05), (39, 0.05), (9, 0.1), (99, 0.01)] {
        let [calm, moved] = [0.0, 0.7].map(|shift| after_calibration(count, rate, shift));
        println!("| of {count} comparisons | {:.0} % | {calm:.1} % | {moved:.0} % |", 100.0 * rate);
    }
    println!(
        "\n| batches | what happened | any change told | any trend told | the right batch |\n|---:|---|---:|---:|---:|"
    );
    for (count, at, shift, what) in [
        (8, 8, 0.0, "nothing"),
        (16, 16, 0.0, "nothing"),
        (30, 30, 0.0, "nothing"),
        (16, 8, 0.7, "a mean shifted by 0.7 in the middle"),
        (16, 15, 0.7, "the same, the latest batch"),
        (16, 15, 1.5, "by 1.5, the latest batch"),
    ] {
        let [changes, trends, exactly] = over_time(count, at, shift);
        println!("| {count} | {what} | {changes:.1} % | {trends:.1} % | {exactly:.1} % |");
    }
}
