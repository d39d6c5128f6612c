//! What scans add up.

use std::sync::Arc;

use arrow::array::ArrayRef;
use sluice_core::batch::Batch;
use sluice_core::seam::BatchTransform;
use sluice_testkit::{MemorySource, laws};

use super::super::family::{Family, softmax};
use super::super::labels::{LabelReader, LabelSummary};
use super::super::rows::{Keep, RowReader, Rows};
use super::super::scan::{Point, RowSums as _, Scaling, Scan, Scratch, Sums, Wanted};
use super::super::separation::Recession;
use super::super::{Class, Offsets};
use super::{FEATURES, Plain, made, numbers, table};

fn reader(label: &str, family: Family, transform: &Arc<dyn BatchTransform>) -> RowReader {
    let classes = match family {
        Family::Power(_) => Vec::new(),
        Family::Logistic => vec![Class::Integer(0), Class::Integer(1)],
        Family::Softmax(classes) => (0..).take(classes).map(Class::Integer).collect(),
    };
    RowReader {
        transform: Some(Arc::clone(transform)),
        label: LabelReader { label: label.into(), family, distribution: "test".into(), classes },
        weight: Some("weight".into()),
        offsets: Offsets { offset: None, exposure: Some("exposure".into()) },
    }
}

#[test]
fn accumulators_keep_the_laws() {
    let source = MemorySource::new(&made(), 40).with_batch_rows(17);
    let transform = Plain::shared(&FEATURES);
    for (label, family) in
        [("binary", Family::Logistic), ("three", Family::Softmax(3)), ("zeros", Family::Power(1.5))]
    {
        let reader = reader(label, family, &transform);
        let scaling = Arc::new(Scaling { shift: vec![0.0, 11.0, 0.0], scale: vec![1.0, 0.5, 1.0] });
        let mut point =
            Point { family, intercept: true, scaling, coefficients: Vec::new(), is_expected: false };
        point.coefficients = (0..family.predictors() * 4).map(|n| 0.1 * n as f64 - 0.2).collect();
        for wanted in [Wanted::Slope, Wanted::Matrix] {
            let sums = Sums::new(family, 4, wanted);
            laws::check(&source, &Scan::new(reader.clone(), point.clone(), sums, false));
        }
        laws::check(&source, &Scan::new(reader.clone(), point, Recession::new(family, 4), false));
        laws::check(&source, &Keep::new(reader.clone(), 3));
        laws::check(&source, &LabelSummary::new(reader.label, reader.weight));
    }
}

/// Features of many rows, more than are taken at once and no whole number of lines of the cache.
const WIDTH: usize = 99;
const COUNT: usize = 701;

fn cell(row: usize, column: usize) -> f64 {
    ((row * 31 + column * 17) % 101) as f64 / 25.0 - 2.0
}

fn label(row: usize) -> usize {
    row % 3
}

fn weight(row: usize) -> f64 {
    (row % 4) as f64 / 2.0
}

/// Slope and second derivatives by definition.
fn naive(point: &Point) -> (Vec<f64>, Vec<f64>) {
    let outputs = point.family.predictors();
    let (size, columns) = (outputs * (WIDTH + 1), WIDTH + 1);
    let (mut slope, mut matrix) = (vec![0.0; size], vec![0.0; size * size]);
    let one = |a: usize, b: usize| f64::from(u8::from(a == b));
    for row in (0..COUNT).filter(|row| weight(*row) > 0.0) {
        let cells: Vec<f64> =
            std::iter::once(1.0).chain((0..WIDTH).map(|column| (cell(row, column) - 0.5) * 0.25)).collect();
        let sum = |own: &[f64]| own.iter().zip(&cells).map(|(a, b)| a * b).sum::<f64>();
        let mut shares: Vec<f64> = point.coefficients.chunks(columns).map(sum).collect();
        let (pulls, curvatures): (Vec<f64>, Vec<f64>) = if outputs == 1 {
            let mean = shares[0].exp();
            (vec![label(row) as f64 - mean], vec![mean])
        } else {
            softmax(label(row), &mut shares);
            let pair = |n: usize| shares[n / 3] * (one(n / 3, n % 3) - shares[n % 3]);
            ((0..3).map(|class| one(class, label(row)) - shares[class]).collect(), (0..9).map(pair).collect())
        };
        for i in 0..size {
            let own = weight(row) * cells[i % columns];
            slope[i] += pulls[i / columns] * own;
            for j in 0..size {
                let curvature = curvatures[i / columns * outputs + j / columns];
                matrix[i * size + j] += curvature * own * cells[j % columns];
            }
        }
    }
    (slope, matrix)
}

#[test]
fn sums_of_many_columns_are_those_of_their_rows() {
    let names: Vec<String> = (0..WIDTH).map(|column| format!("c{column}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let of_rows = |value: &dyn Fn(usize) -> f64| numbers(&(0..COUNT).map(value).collect::<Vec<f64>>());
    let mut columns: Vec<(&str, ArrayRef)> = names
        .iter()
        .enumerate()
        .map(|(column, name)| (*name, of_rows(&|row: usize| cell(row, column))))
        .collect();
    columns.push(("y", of_rows(&|row| label(row) as f64)));
    columns.push(("weight", of_rows(&weight)));
    columns.push(("exposure", of_rows(&|_| 1.0)));
    let batch = table(&columns);
    let transform = Plain::shared(&names);
    let scaling = Arc::new(Scaling { shift: vec![0.5; WIDTH], scale: vec![0.25; WIDTH] });
    for family in [Family::Power(1.0), Family::Softmax(3)] {
        let size = family.predictors() * (WIDTH + 1);
        let coefficients = (0..size).map(|n| ((n * 7) % 11) as f64 / 50.0 - 0.1).collect();
        let scaling = Arc::clone(&scaling);
        let point = Point { family, intercept: true, scaling, coefficients, is_expected: false };
        let (mut sums, mut scratch) = (Sums::new(family, WIDTH + 1, Wanted::Matrix), Scratch::default());
        let visit = |rows: Rows<'_>, _: &[usize]| {
            sums.add(&point, rows, &mut scratch);
            Ok(())
        };
        reader("y", family, &transform).each(&Batch::new(&batch), point.layout(), visit).unwrap();
        assert_eq!(sums.rows, (0..COUNT).filter(|row| weight(*row) > 0.0).count() as u64);
        let (slope, matrix) = naive(&point);
        let information = sums.information();
        let is_close = |found: f64, expected: f64| (found - expected).abs() < 1e-10 * (1.0 + expected.abs());
        for i in 0..size {
            assert!(is_close(sums.slope[i].to_f64(), slope[i]), "{family:?} {i}");
            for j in 0..=i {
                assert!(is_close(information.at(i, j).to_f64(), matrix[i * size + j]), "{family:?} {i} {j}");
            }
        }
    }
}
