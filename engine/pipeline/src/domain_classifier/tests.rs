use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use sluice_core::execution::Execution;
use sluice_quality::drift::{
    ColumnDrift, DomainClassifierOptions, DriftOptions, DriftReport, DriftSide, compare, compute_with_tables,
};
use sluice_quality::statistics::StatisticsOptions;
use sluice_training::interop::TableSource;

use super::{DomainSample, Side, classify};

/// Numbers between 0 and 1 that follow from a seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / 9_007_199_254_740_992.0
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

/// Two numbers that go together as `together` says, shifted by `shift`, and a label.
fn table(rows: usize, seed: u64, shift: f64, together: f64) -> TableSource {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let (mut x, mut z, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rows {
        let (a, b) = (chance.normal(), chance.normal());
        x.push((chance.next() > 0.1).then_some(a + shift));
        z.push(Some(together * a + (1.0 - together * together).sqrt() * b));
        kinds.push(if chance.next() < 0.3 { "card" } else { "cash" });
    }
    let columns: [(&str, ArrayRef); 3] = [
        ("x", Arc::new(Float64Array::from(x))),
        ("z", Arc::new(Float64Array::from(z))),
        ("kind", Arc::new(StringArray::from(kinds))),
    ];
    TableSource::new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
}

fn options(rows: u64) -> DriftOptions {
    let domain_classifier = Some(DomainClassifierOptions { rows, ..DomainClassifierOptions::default() });
    DriftOptions { domain_classifier, ..DriftOptions::default() }
}

fn report(current: &TableSource, reference: &TableSource, rows: u64, threads: usize) -> DriftReport {
    let (options, execution) = (options(rows), Execution::with_threads(threads));
    let known = |source: &TableSource| {
        compute_with_tables("all", source, &StatisticsOptions::default(), false, &execution).unwrap().0
    };
    let (now, before) = (known(current), known(reference));
    let side = |statistics| DriftSide { statistics, tables: None };
    let mut report = compare(side(&now), side(&before), &options).unwrap();
    let sample = |source, side| DomainSample::take(source, side, &options, &execution).unwrap();
    let (now, before) = (sample(current, Side::Current), sample(reference, Side::Reference));
    classify(std::slice::from_mut(&mut report), [&now, &before], &options, &execution).unwrap();
    report
}

#[test]
fn a_change_of_what_goes_together_is_seen_that_no_column_shows() {
    let found = report(&table(3000, 1, 0.0, 0.0), &table(3000, 2, 0.0, 0.7), 5000, 2);
    assert!(!found.columns.iter().any(ColumnDrift::is_alarm), "{found:#?}");
    let domain = found.domain_alarm().unwrap();
    assert_eq!(domain.columns[0].column, "x × z");
    assert!(domain.columns[0].drop > 0.05 && domain.columns[1].alone < 0.55, "{:#?}", domain.columns);
    let signal = &domain.signal;
    assert!(signal.at_least < signal.value && signal.value < signal.at_most && signal.at_least > 0.55);
}

#[test]
fn the_same_bits_for_any_threads_and_rows_up_to_the_size_asked() {
    let (now, before) = (table(3000, 1, 0.3, 0.5), table(2500, 2, 0.0, 0.5));
    let found = [1, 3].map(|threads| report(&now, &before, 1000, threads));
    assert_eq!(found[0], found[1]);
    let domain = found[0].domain_classifier.as_ref().unwrap();
    assert_eq!((domain.num_rows, domain.num_reference_rows), (1000, 1000));
    // Φ(0.3/√2) = 0.584 of a normal shift, a little less for a tenth is missing.
    assert!((domain.signal.value - 0.575).abs() < 0.03, "{domain:#?}");
    assert_eq!(domain.columns[0].column, "x");
}

#[test]
fn of_the_same_data_p_is_as_often_small_as_it_says() {
    let mut small = 0;
    for seed in 0..100 {
        let found = report(&table(300, 3 * seed + 1, 0.0, 0.5), &table(300, 3 * seed + 2, 0.0, 0.5), 1000, 1);
        let domain = found.domain_classifier.unwrap();
        small += u32::from(domain.signal.p.unwrap() <= 0.1);
        assert!((domain.signal.value - 0.5).abs() < 0.12, "{domain:#?}");
    }
    // Of 100 with a chance of a tenth, 19 or more have a chance of 0.5 %.
    assert!((2..=18).contains(&small), "{small}");
}

#[test]
fn few_rows_and_constant_columns_are_told_apart_by_nothing() {
    let found = report(&table(5, 1, 9.0, 0.0), &table(4000, 2, 0.0, 0.0), 1000, 1);
    let domain = found.domain_classifier.unwrap();
    assert!(!domain.signal.alarm && domain.notes[0].contains("too few rows"), "{domain:#?}");
    let constant = || {
        let column: ArrayRef = Arc::new(Float64Array::from(vec![1.0; 200]));
        TableSource::new(RecordBatch::try_from_iter([("x", column)]).unwrap()).unwrap()
    };
    let domain = report(&constant(), &constant(), 1000, 1).domain_classifier.unwrap();
    assert!(!domain.signal.alarm && domain.notes[0].contains("no column varies"), "{domain:#?}");
}

#[test]
fn a_column_that_tells_with_another_only_stands_before_one_that_tells_little_alone() {
    // `x` is what changed plus an error, and `z` the error: alone it says nothing.
    let table = |seed: u64, shift: f64| {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut columns = [const { Vec::new() }; 3];
        for _ in 0..3000 {
            let (signal, error) = (0.5 * chance.normal() + 0.5 * shift, chance.normal());
            columns[0].push(chance.normal() + 0.25 * shift);
            columns[1].push(signal + error);
            columns[2].push(error);
        }
        let columns = columns.map(|values| Arc::new(Float64Array::from(values)) as ArrayRef);
        let named = ["little", "x", "z"].into_iter().zip(columns);
        TableSource::new(RecordBatch::try_from_iter(named).unwrap()).unwrap()
    };
    let domain = report(&table(1, 1.0), &table(2, 0.0), 5000, 2).domain_classifier.unwrap();
    let places = ["x", "z", "little"]
        .map(|name| domain.columns.iter().position(|column| column.column == name).unwrap());
    let z = &domain.columns[places[1]];
    let little = &domain.columns[places[2]];
    assert!(places.is_sorted() && z.alone < little.alone && z.drop > little.drop, "{:#?}", domain.columns);
    assert!(
        domain.signal.detail.contains("`z` ") && domain.signal.detail.contains("with others"),
        "{domain:#?}"
    );
}
