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

/// In how many of the repetitions, in percent, each of the answers is yes.
fn shares<const N: usize>(answers: impl Fn(&mut Chance) -> [bool; N] + Sync) -> [f64; N] {
    let one = |index: u64| answers(&mut Chance(20_261_122 ^ (index << 32))).map(u64::from);
    let add = |mut sums: [u64; N], one: [u64; N]| {
        sums.iter_mut().zip(one).for_each(|(sum, one)| *sum += one);
        sums
    };
    let found = (0..REPETITIONS).into_par_iter().map(one).reduce(|| [0; N], add);
    found.map(|count| 100.0 * count as f64 / REPETITIONS as f64)
}

/// The shares of batches to come with any alarm, by thresholds learned from `count` comparisons with a reference: of good
/// ones, and of such as are shifted.
fn after_calibration(count: usize, rate: f64, shift: f64) -> [f64; 2] {
    shares(|chance| {
        let usual = DriftOptions::default();
        let reference = batch(ROWS, COLUMNS, (SPREAD, 0.0), chance);
        let mut next = || compared(&batch(ROWS, COLUMNS, (SPREAD, 0.0), chance), &reference, &usual);
        let good: Vec<Compared> = (0..count).map(|_| next()).collect();
        let learned = calibrate(&good, rate, |_, _| true).unwrap().options(&usual);
        [0.0, shift].map(|shift| {
            // Of the same chance, so that the shift is all in which they differ.
            let to_come = batch(ROWS, COLUMNS, (SPREAD, shift), &mut Chance(chance.0));
            compare(to_come.seen(false), reference.seen(false), &learned).unwrap().alarms().next().is_some()
        })
    })
}

fn usual_thresholds() -> f64 {
    let [found] = shares(|chance| {
        let sides = [0, 1].map(|_| batch(ROWS, COLUMNS, (SPREAD, 0.0), chance));
        let report = compare(sides[0].seen(false), sides[1].seen(false), &DriftOptions::default()).unwrap();
        [report.alarms().next().is_some()]
    });
    found
}

/// The shares of timelines with any change, any trend, and with a change of the first column at the right batch.
fn over_time(count: usize, at: usize, shift: f64) -> [f64; 3] {
    shares(|chance| {
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
        let mut changes = found.changes().into_iter();
        let is_right = changes.any(|(one, change)| one.column == "x0" && change.index == at);
        [!found.changes().is_empty(), !found.trends().is_empty(), is_right]
    })
}

/// Prints both tables.
pub(crate) fn print() {
    println!(
        "\n| thresholds | wanted | alarms of good batches | of a mean shifted by 0.7 |\n|---|---:|---:|---:|"
    );
    println!("| the usual ones | – | {:.1} % | |", usual_thresholds());
    for (count, rate) in [(5, 0.05), (10, 0.05), (19, 0.05), (39, 0.05), (9, 0.1), (99, 0.01)] {
        let [calm, moved] = after_calibration(count, rate, 0.7);
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
