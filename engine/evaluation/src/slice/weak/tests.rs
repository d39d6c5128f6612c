//! Planted weak slices are found, noise is not, and figures are those of filtered rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use sluice_core::error::ErrorKind;
use sluice_core::execution::Execution;
use sluice_core::seam::Predictor;
use sluice_testkit::close::assert_relative;
use sluice_testkit::memory::MemorySource;

use super::{WeakSliceOptions, WeakSlices, find_weak_slices};
use crate::fixture::{Linear, numbers};

/// Numbers that look random (S. Vigna's splitmix64), the same for a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Of mean 0 and variance 1: Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn below(&mut self, count: u32) -> u32 {
        u32::try_from(self.next() % u64::from(count)).unwrap()
    }

    fn place(&mut self, count: u32) -> usize {
        self.below(count) as usize
    }
}

/// A row of the made-up data.
#[derive(Clone, Debug)]
struct Row {
    city: &'static str,
    member: Option<bool>,
    hour: i64,
    fare: Option<f64>,
    error: f64,
}

fn rows(seed: u64, count: usize, spread: impl Fn(&Row) -> f64) -> Vec<Row> {
    let mut random = Random(seed);
    let row = |_| {
        let mut row = Row {
            city: ["a", "b", "c", "d", "e"][random.place(5)],
            member: (random.below(10) > 0).then(|| random.below(2) == 0),
            hour: i64::from(random.below(6)),
            fare: (random.below(20) > 0).then(|| random.uniform() * 100.0),
            error: random.normal(),
        };
        row.error *= spread(&row);
        row
    };
    (0..count).map(row).collect()
}

fn table_of(rows: &[Row]) -> RecordBatch {
    let of = |number: fn(&Row) -> f64| numbers(&rows.iter().map(number).collect::<Vec<_>>());
    let columns: [(&str, ArrayRef); 7] = [
        ("city", Arc::new(rows.iter().map(|row| Some(row.city)).collect::<StringArray>())),
        ("member", Arc::new(rows.iter().map(|row| row.member).collect::<BooleanArray>())),
        ("hour", Arc::new(rows.iter().map(|row| row.hour).collect::<Int64Array>())),
        ("fare", Arc::new(rows.iter().map(|row| row.fare).collect::<Float64Array>())),
        ("y", of(|_| 0.0)),
        ("c", of(|row| row.error)),
        ("w", of(|_| 3.0)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
}

fn options() -> WeakSliceOptions {
    let columns = ["city", "member", "hour", "fare"].map(str::to_owned).to_vec();
    WeakSliceOptions { columns, ..WeakSliceOptions::default() }
}

fn find(rows: &[Row], options: &WeakSliceOptions, threads: usize) -> WeakSlices {
    let source = MemorySource::new(&table_of(rows), 1_000);
    let model: Arc<dyn Predictor> = Linear::column("c", "c");
    find_weak_slices(&source, &model, None, options, &Execution::with_threads(threads)).unwrap()
}

/// Those that no smaller one explains.
fn names(found: &WeakSlices) -> Vec<String> {
    let plain = found.slices.iter().filter(|slice| slice.explained_by.is_none());
    plain.map(|slice| slice.slice.to_string()).collect()
}

#[test]
fn a_planted_slice_is_found_with_the_figures_of_its_rows() {
    let rows = rows(1, 8_000, |row| if row.city == "c" { 1.6 } else { 1.0 });
    let found = find(&rows, &options(), 2);
    assert_eq!(names(&found), ["city=c"]);
    let (inside, outside): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.city == "c");
    let mean = |rows: &[&Row]| rows.iter().map(|row| row.error * row.error).sum::<f64>() / rows.len() as f64;
    let slice = &found.slices[0];
    assert_eq!(slice.rows, inside.len() as u64);
    assert_relative(slice.loss_inside, mean(&inside), 1e-12);
    assert_relative(slice.loss_outside, mean(&outside), 1e-12);
    assert_relative(slice.effect, mean(&inside) - mean(&outside), 1e-10);
    assert!(slice.q_value < 1e-10 && slice.effect_size.unwrap() > 0.3, "{slice:?}");
    assert_relative(found.mean_loss, mean(&rows.iter().collect::<Vec<_>>()), 1e-12);
    assert_eq!((found.rows, found.minimum_rows, found.loss.as_str()), (8_000, 100, "mse"));
    let stored = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<WeakSlices>(&stored).unwrap(), found);
}

#[test]
fn slices_of_two_and_three_conditions_explain_those_that_hold_them() {
    let is_bad = |row: &Row| row.city == "b" && row.fare.is_some_and(|fare| fare > 75.0);
    let found = find(&rows(2, 20_000, |row| if is_bad(row) { 2.0 } else { 1.0 }), &options(), 2);
    let names_of_two = names(&found);
    assert_eq!(names_of_two.len(), 1, "{names_of_two:?}");
    assert!(names_of_two[0].starts_with("city=b, fare=[7") && names_of_two[0].ends_with(", inf]"));
    let city = found.slices.iter().find(|slice| slice.slice.to_string() == "city=b").unwrap();
    assert_eq!(city.explained_by.as_ref().unwrap().to_string(), names_of_two[0]);

    let is_bad = |row: &Row| row.city == "b" && row.member == Some(true) && row.hour == 4;
    let found = find(&rows(3, 40_000, |row| if is_bad(row) { 3.0 } else { 1.0 }), &options(), 2);
    assert_eq!(names(&found), ["city=b, member=true, hour=4"]);
    let two = WeakSliceOptions { conditions: 2, ..options() };
    let found = find(&rows(3, 40_000, |row| if is_bad(row) { 3.0 } else { 1.0 }), &two, 2);
    assert!(found.slices.iter().all(|slice| slice.slice.parts.len() < 3) && !found.slices.is_empty());
}

/// At a false discovery rate of 5 % one in twenty searches of pure noise may report anything; of these 100 none does.
#[test]
fn noise_is_reported_at_the_stated_rate() {
    let reported: Vec<u64> = (0..100)
        .filter(|seed| find(&rows(1_000 + seed, 2_000, |_| 1.0), &options(), 1).num_weak > 0)
        .collect();
    assert!(reported.len() <= 5, "{reported:?}");
}

#[test]
fn threads_change_nothing_and_equal_weights_hardly_anything() {
    let rows = rows(4, 6_000, |row| if row.hour == 2 { 1.5 } else { 1.0 });
    let found = find(&rows, &options(), 1);
    assert_eq!(find(&rows, &options(), 3), found);
    assert_eq!(names(&found), ["hour=2"]);
    let source = MemorySource::new(&table_of(&rows), 1_000);
    let model: Arc<dyn Predictor> = Linear::column("c", "c");
    let execution = Execution::with_threads(1);
    let weighted = find_weak_slices(&source, &model, Some("w"), &options(), &execution).unwrap();
    assert_eq!(names(&weighted), names(&found));
    for (weighted, plain) in weighted.slices.iter().zip(&found.slices) {
        assert_relative(weighted.loss_inside, plain.loss_inside, 1e-12);
        assert_relative(weighted.p_value, plain.p_value, 1e-9);
    }
}

#[test]
fn missing_values_and_rare_ones_are_conditions_too() {
    let found = find(&rows(5, 6_000, |row| if row.fare.is_none() { 2.0 } else { 1.0 }), &options(), 2);
    assert_eq!(names(&found), ["fare=(null)"]);
    let few = WeakSliceOptions { values: 2, ..options() };
    let found = find(&rows(6, 6_000, |row| if row.hour > 3 { 2.0 } else { 1.0 }), &few, 2);
    // Six hours are more than two values: they are cut into buckets.
    assert!(names(&found).iter().all(|name| name.starts_with("hour=[")), "{:?}", names(&found));
}

#[test]
fn without_named_columns_all_that_fit_are_searched() {
    let found = find(&rows(7, 3_000, |_| 1.0), &WeakSliceOptions::default(), 1);
    assert_eq!(found.columns, ["city", "member", "hour", "fare", "c", "w"]);
    // The prediction itself says where errors are large.
    assert!(found.slices.iter().any(|slice| slice.slice.parts[0].column == "c"));
}

#[test]
fn what_cannot_be_searched_is_refused() {
    let table = table_of(&rows(8, 300, |_| 1.0));
    let refused = |options: WeakSliceOptions| {
        let model: Arc<dyn Predictor> = Linear::column("c", "c");
        let source = MemorySource::new(&table, 100);
        let error =
            find_weak_slices(&source, &model, None, &options, &Execution::with_threads(1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        error.to_string()
    };
    let with = |change: fn(&mut WeakSliceOptions)| {
        let mut options = options();
        change(&mut options);
        refused(options)
    };
    assert_eq!(with(|options| options.columns.push("gone".into())), "column `gone` is not in memory");
    assert_eq!(with(|options| options.columns.push("city".into())), "`columns` has `city` twice");
    assert_eq!(
        with(|options| options.conditions = 4),
        "`conditions` is 4, but must be at least 1 and at most 3"
    );
    assert_eq!(with(|options| options.level = 0.5), "`level` is 0.5, but must be above 0 and below 0.5");
    assert_eq!(
        with(|options| options.loss = Some("rmse".into())),
        "`loss` is `rmse`, which is not the mean of a number per row"
    );
    assert_eq!(
        with(|options| options.loss = Some("mean_error".into())),
        "`loss` is `mean_error`, of which neither more nor less is worse"
    );
    assert_eq!(
        with(|options| options.minimum_rows = Some(1)),
        "`minimum_rows` is 1, but must be a finite number at least 2"
    );
    // Where no slice is large enough, none is weak.
    let none = find(&rows(9, 90, |_| 1.0), &options(), 1);
    assert_eq!((none.num_tested, none.slices.len()), (0, 0));
}

#[test]
fn columns_of_texts_alone_are_looked_at() {
    let rows = rows(1, 8_000, |row| if row.city == "c" { 1.6 } else { 1.0 });
    let found = find(&rows, &WeakSliceOptions { columns: vec!["city".into()], ..options() }, 2);
    assert_eq!(names(&found), ["city=c"]);
}
