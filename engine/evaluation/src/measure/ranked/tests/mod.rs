//! Order statistics against their definitions, laws and reference values.

mod binned;
mod golden;
mod replicated;

use std::sync::Arc;

use arrow::array::RecordBatch;
use proptest::prelude::*;
use sluice_core::Accumulator;
use sluice_core::batch::Batch;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::features::{FeatureBatch, FeatureSpace};
use sluice_core::fold::fold;
use sluice_core::group::Grouping;
use sluice_core::memory::MemoryLimit;
use sluice_core::seam::{BatchTransform, Predictor, Task};
use sluice_core::spill::Scratch;
use sluice_testkit::close::assert_relative;
use sluice_testkit::laws;
use sluice_testkit::memory::MemorySource;

use super::external::Aside;
use super::figures::RankedFigures;
use crate::comparison::{Method, Resampling};
use crate::curves::Curves;
use crate::fixture::{Linear, numbers, table, texts};
use crate::measure::{MeasureOptions, Measured, Measures, Missing};
use crate::metric::{Metric, Side, Undefined};

/// A column as the probability of the class 1.
struct Classifier(Arc<dyn Predictor>);

impl BatchTransform for Classifier {
    fn inputs(&self) -> Vec<String> {
        self.0.inputs()
    }

    fn space(&self) -> &FeatureSpace {
        self.0.space()
    }

    fn apply(&self, batch: &Batch) -> Result<FeatureBatch> {
        self.0.apply(batch)
    }
}

impl Predictor for Classifier {
    fn digest(&self) -> &str {
        self.0.digest()
    }

    fn label(&self) -> &str {
        self.0.label()
    }

    fn task(&self) -> Task {
        Task::Binary { positive: None }
    }
}

fn classifier(column: &str) -> Arc<dyn Predictor> {
    Arc::new(Classifier(Linear::column(column, column)))
}

fn metric(name: &str) -> Arc<Metric> {
    Metric::find(name).unwrap()
}

/// Rows as the tests write them.
#[derive(Clone, Debug)]
struct Rows {
    y: Vec<f64>,
    w: Vec<f64>,
    c: Vec<f64>,
    b: Vec<f64>,
    g: Vec<usize>,
}

const NAMES: [&str; 4] = ["p", "q", "r", "s"];

impl Rows {
    fn table(&self) -> RecordBatch {
        let groups: Vec<&str> = self.g.iter().map(|group| NAMES[*group]).collect();
        table(&[
            ("y", numbers(&self.y)),
            ("w", numbers(&self.w)),
            ("c", numbers(&self.c)),
            ("b", numbers(&self.b)),
            ("g", texts(&groups)),
        ])
    }

    fn source(&self, split_rows: u64) -> MemorySource {
        MemorySource::new(&self.table(), split_rows)
    }

    fn of_group(&self, group: usize) -> Self {
        let pick = |values: &[f64]| {
            let rows = values.iter().zip(&self.g).filter(|(_, of)| **of == group);
            rows.map(|(value, _)| *value).collect()
        };
        let g = vec![group; self.g.iter().filter(|of| **of == group).count()];
        Self { y: pick(&self.y), w: pick(&self.w), c: pick(&self.c), b: pick(&self.b), g }
    }

    fn unweighted(&self) -> Self {
        Self { w: vec![1.0; self.w.len()], ..self.clone() }
    }
}

/// 240 rows with many ties, the same as in the reference programs:
///
/// ```python
/// i = np.arange(240); c = ((i*37+11) % 101)/100.0; b = ((i*53+i*i) % 29)/28.0; w = 1 + (i % 7)/2.0; g = i % 3
/// y = (((i*7+i*i*3) % 11)/11.0*0.7 + c*0.6 > 0.65)
/// ```
fn reference() -> Rows {
    let rows: Vec<u32> = (0..240).collect();
    let column = |value: fn(u32) -> f64| rows.iter().map(|row| value(*row)).collect::<Vec<f64>>();
    let c = |i: u32| f64::from((i * 37 + 11) % 101) / 100.0;
    Rows {
        y: column(|i| {
            let c = f64::from((i * 37 + 11) % 101) / 100.0;
            let noise = f64::from((i * 7 + i * i * 3) % 11) / 11.0;
            f64::from(u8::from(noise * 0.7 + c * 0.6 > 0.65))
        }),
        w: column(|i| 1.0 + f64::from(i % 7) / 2.0),
        c: rows.iter().map(|row| c(*row)).collect(),
        b: column(|i| f64::from((i * 53 + i * i) % 29) / 28.0),
        g: rows.iter().map(|row| (row % 3) as usize).collect(),
    }
}

/// What is measured by `metrics`, overall and by `g`.
fn measures(metrics: &[Arc<Metric>], models: [&Arc<dyn Predictor>; 2], is_weighted: bool) -> Measures {
    let options = MeasureOptions {
        metrics,
        groupings: vec![Grouping::overall(), Grouping::by(["g"])],
        weight: is_weighted.then(|| "w".into()),
        missing: Missing::Refuse,
        label_shift: 0.0,
    };
    Measures::new(models[0], Some(models[1]), &options)
}

/// The figures of classifiers `c` and `b`; the slices are in the order in which they appear.
fn measured(rows: &Rows, names: &[&str], is_weighted: bool, split_rows: u64) -> Measured {
    let metrics: Vec<Arc<Metric>> = names.iter().map(|name| metric(name)).collect();
    let measures = measures(&metrics, [&classifier("c"), &classifier("b")], is_weighted);
    let execution = Execution::with_threads(2);
    let state = fold(&rows.source(split_rows), &measures, &execution).unwrap();
    state.accumulator.finish().rank(&execution).unwrap()
}

/// The area and its variance, in quadratic time, straight from the definition: the mean over pairs of 1, ½ or 0, and
/// the variances of the means of each row's pairs.
struct Direct {
    area: f64,
    /// Placement less the area, of every row.
    influence: Vec<f64>,
}

fn direct(y: &[f64], w: &[f64], score: &[f64]) -> Direct {
    let class = |of: f64| (0..y.len()).filter(move |row| (y[*row] > 0.5) == (of > 0.5)).collect::<Vec<_>>();
    let (positive, negative) = (class(1.0), class(0.0));
    let total = |rows: &[usize]| rows.iter().map(|row| w[*row]).sum::<f64>();
    let kernel = |p: usize, n: usize| match score[p].partial_cmp(&score[n]).unwrap() {
        std::cmp::Ordering::Greater => 1.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Less => 0.0,
    };
    let placement = |row: usize| match y[row] > 0.5 {
        true => negative.iter().map(|n| w[*n] * kernel(row, *n)).sum::<f64>() / total(&negative),
        false => positive.iter().map(|p| w[*p] * kernel(*p, row)).sum::<f64>() / total(&positive),
    };
    let area = positive.iter().map(|p| w[*p] * placement(*p)).sum::<f64>() / total(&positive);
    Direct { area, influence: (0..y.len()).map(|row| placement(row) - area).collect() }
}

/// The variance and the degrees of freedom that follow from the influences of rows.
fn direct_variance(y: &[f64], w: &[f64], influence: &[f64]) -> (f64, f64) {
    let parts = [false, true].map(|class| {
        let rows: Vec<usize> = (0..y.len()).filter(|row| (y[*row] > 0.5) == class).collect();
        let total: f64 = rows.iter().map(|row| w[*row]).sum();
        let squares: f64 = rows.iter().map(|row| w[*row] * w[*row]).sum();
        let count = total * total / squares;
        let sum: f64 = rows.iter().map(|row| (w[*row] * influence[*row]).powi(2)).sum();
        (sum / (total * total) * count / (count - 1.0), count - 1.0)
    });
    let [(first, m), (second, n)] = parts;
    let variance = first + second;
    (variance, variance * variance / (first * first / m + second * second / n))
}

#[test]
fn areas_and_their_errors_equal_the_definition_in_quadratic_time() {
    let rows = reference();
    for is_weighted in [false, true] {
        let measured = measured(&rows, &["auc", "gini"], is_weighted, 17);
        let rows = if is_weighted { rows.clone() } else { rows.unweighted() };
        for (grouping, group) in [(0, 0), (1, 0), (1, 1), (1, 2)] {
            let slice = measured.slice(grouping, group).unwrap();
            let rows = if grouping == 0 { rows.clone() } else { rows.of_group(group) };
            let own = direct(&rows.y, &rows.w, &rows.c);
            let theirs = direct(&rows.y, &rows.w, &rows.b);
            for (side, expected) in [(Side::Candidate, &own), (Side::Baseline, &theirs)] {
                let value = slice.value(&metric("auc"), side).unwrap();
                assert_relative(value, expected.area, 1e-13);
                assert_relative(slice.value(&metric("gini"), side).unwrap(), 2.0 * value - 1.0, 1e-13);
                let interval = slice.interval(&metric("auc"), side, 0.05).unwrap();
                let (variance, _) = direct_variance(&rows.y, &rows.w, &expected.influence);
                assert_relative(interval.standard_error.unwrap(), variance.sqrt(), 1e-12);
                assert_eq!(interval.method, Method::DeLong);
                assert!(
                    0.0 < interval.low
                        && interval.low < value
                        && value < interval.high
                        && interval.high < 1.0
                );
                let gini = slice.interval(&metric("gini"), side, 0.05).unwrap();
                assert_relative(gini.low, 2.0 * interval.low - 1.0, 1e-12);
                assert_relative(gini.standard_error.unwrap(), 2.0 * variance.sqrt(), 1e-12);
            }
            let change = slice.change(&metric("auc")).unwrap();
            let influence: Vec<f64> =
                own.influence.iter().zip(&theirs.influence).map(|(c, b)| c - b).collect();
            let (variance, freedom) = direct_variance(&rows.y, &rows.w, &influence);
            assert_relative(change.difference, own.area - theirs.area, 1e-12);
            assert_relative(change.standard_error, variance.sqrt(), 1e-12);
            assert_relative(change.degrees_of_freedom, freedom, 1e-11);
            let gini = slice.change(&metric("gini")).unwrap();
            assert_relative(gini.difference, 2.0 * change.difference, 1e-15);
            assert_relative(gini.standard_error, 2.0 * change.standard_error, 1e-15);
        }
    }
}

#[test]
fn slices_of_one_class_have_no_area_and_a_perfect_order_no_false_certainty() {
    let rows = Rows {
        y: vec![1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0],
        w: vec![1.0, 1.0, 0.0, 2.0, 1.0, 1.0, 1.0, 1.0],
        c: vec![0.9, 0.8, 0.1, 0.9, 0.1, 0.2, 0.7, 0.3],
        b: vec![0.5; 8],
        g: vec![0, 0, 0, 1, 1, 1, 1, 1],
    };
    let measured = measured(&rows, &["auc"], true, 3);
    let slice = measured.slice(1, 0).unwrap();
    assert_eq!(slice.value(&metric("auc"), Side::Candidate), Err(Undefined::OneClass));
    assert_eq!(slice.change(&metric("auc")), Err(Undefined::OneClass));
    let slice = measured.slice(1, 1).unwrap();
    assert_relative(slice.value(&metric("auc"), Side::Candidate).unwrap(), 1.0, 0.0);
    let interval = slice.interval(&metric("auc"), Side::Candidate, 0.05).unwrap();
    assert!(interval.low < 0.6 && interval.high >= 1.0, "{interval:?}");
    // One score for all: a half, and no chance in it.
    assert_relative(slice.value(&metric("auc"), Side::Baseline).unwrap(), 0.5, 0.0);
    let interval = slice.interval(&metric("auc"), Side::Baseline, 0.05).unwrap();
    assert_relative(interval.low, 0.5, 0.0);
    assert_relative(interval.high, 0.5, 0.0);
}

#[test]
fn a_model_against_itself_does_not_change() {
    let rows = Rows { b: reference().c, ..reference() };
    for is_weighted in [false, true] {
        let change =
            measured(&rows, &["auc"], is_weighted, 50).slice(0, 0).unwrap().change(&metric("auc")).unwrap();
        assert_relative(change.difference, 0.0, 0.0);
        assert_relative(change.standard_error, 0.0, 0.0);
    }
}

/// 240 rows of numbers with ties, the same as in the reference programs:
///
/// ```python
/// z = ((i*31+i*i) % 97)/7.0-3; p = ((i*17+5) % 89)/6.0-2
/// ```
fn numeric_reference() -> Rows {
    let column = |value: fn(u32) -> f64| (0..240_u32).map(value).collect::<Vec<f64>>();
    Rows {
        y: column(|i| f64::from((i * 31 + i * i) % 97) / 7.0 - 3.0),
        c: column(|i| f64::from((i * 17 + 5) % 89) / 6.0 - 2.0),
        b: column(|i| f64::from((i * 31 + i * i) % 97)),
        ..reference()
    }
}

fn measured_numbers(rows: &Rows, names: &[&str], is_weighted: bool) -> Measured {
    let metrics: Vec<Arc<Metric>> = names.iter().map(|name| metric(name)).collect();
    let measures = measures(&metrics, [&Linear::column("c", "c"), &Linear::column("b", "b")], is_weighted);
    let execution = Execution::with_threads(2);
    let state = fold(&rows.source(50), &measures, &execution).unwrap();
    state.accumulator.finish().rank(&execution).unwrap()
}

/// scikit-learn 1.9.1 `median_absolute_error(z, p, sample_weight=…)`, numpy 2.4.6 `quantile(abs(z - p), 0.9,
/// method="averaged_inverted_cdf")`, scipy 1.17.1 `spearmanr(z, p)`; with weights `spearmanr` of rows repeated 2w
/// times.
#[test]
fn quantiles_of_errors_and_spearman_equal_scikit_learn_numpy_and_scipy() {
    let rows = numeric_reference();
    let names = ["median_absolute_error", "absolute_error_quantile", "spearman"];
    let expected = [
        ((0, 0), [4.30952380952381, 9.535714285714285, 0.0505156572170212]),
        ((1, 0), [4.369047619047619, 9.702380952380953, 0.07986683132153317]),
        ((1, 1), [4.369047619047619, 9.619047619047619, 0.11193172742225793]),
        ((1, 2), [3.7857142857142856, 9.178571428571427, -0.04440562997885918]),
    ];
    let measured = measured_numbers(&rows, &names, false);
    for ((grouping, group), values) in expected {
        let slice = measured.slice(grouping, group).unwrap();
        for (name, expected) in names.iter().zip(values) {
            assert_relative(slice.value(&metric(name), Side::Candidate).unwrap(), expected, 1e-12);
        }
        // The baseline is a rising function of the label.
        assert_relative(slice.value(&metric("spearman"), Side::Baseline).unwrap(), 1.0, 1e-15);
        assert_eq!(slice.change(&metric("spearman")), Err(Undefined::NoErrorOfOrder));
    }
    let measured = measured_numbers(&rows, &names, true);
    let medians = [4.357142857142858, 3.0476190476190474, 4.5476190476190474, 4.452380952380953];
    for ((grouping, group), median) in [(0, 0), (1, 0), (1, 1), (1, 2)].into_iter().zip(medians) {
        let slice = measured.slice(grouping, group).unwrap();
        let found = slice.value(&metric("median_absolute_error"), Side::Candidate).unwrap();
        assert_relative(found, median, 1e-12);
    }
    let found = measured.slice(0, 0).unwrap().value(&metric("spearman"), Side::Candidate).unwrap();
    assert_relative(found, 0.05243677511893271, 1e-12);
}

#[test]
fn what_does_not_vary_has_no_rank_correlation() {
    let rows = Rows {
        y: vec![1.0, 1.0, 2.0, 3.0],
        w: vec![1.0; 4],
        c: vec![4.0, 5.0, 6.0, 6.0],
        b: vec![1e308, -1e308, 0.0, 0.0],
        g: vec![0, 0, 1, 1],
    };
    let measured = measured_numbers(&rows, &["spearman", "median_absolute_error"], false);
    let value = |group: usize| measured.slice(1, group).unwrap().value(&metric("spearman"), Side::Candidate);
    assert_eq!(value(0), Err(Undefined::ConstantLabel));
    assert_eq!(value(1), Err(Undefined::Nothing("predictions that differ")));
    let error = metric("median_absolute_error");
    assert_relative(measured.slice(0, 0).unwrap().value(&error, Side::Candidate).unwrap(), 3.5, 1e-15);
    assert_relative(measured.slice(1, 0).unwrap().value(&error, Side::Baseline).unwrap(), 1e308, 1e-15);
}

#[test]
fn curves_go_from_corner_to_corner_and_hold_every_row() {
    let measured = measured(&reference(), &["auc"], false, 64);
    for side in [Side::Candidate, Side::Baseline] {
        let curves = measured.slice(0, 0).unwrap().curves(side);
        let ends = [curves.roc.first(), curves.roc.last()].map(|point| point.map(|point| (point.x, point.y)));
        assert_eq!(ends, [Some((0.0, 0.0)), Some((1.0, 1.0))]);
        let area: f64 =
            curves.roc.windows(2).map(|two| (two[1].x - two[0].x) * (two[1].y + two[0].y) / 2.0).sum();
        let exact = measured.slice(0, 0).unwrap().value(&metric("auc"), side).unwrap();
        assert!((area - exact).abs() < 1e-3, "{area} {exact}");
        assert_eq!(curves.precision_recall.last().map(|point| point.x), Some(1.0));
        let falling = |two: &[crate::CurvePoint]| two[0].threshold > two[1].threshold;
        assert!(curves.precision_recall.windows(2).all(falling));
    }
    let rows = numeric_reference();
    let measured = measured_numbers(&rows, &["median_absolute_error"], true);
    let weight: f64 = rows.w.iter().sum();
    let errors: Vec<f64> = rows.c.iter().zip(&rows.y).map(|(p, y)| p - y).collect();
    let [own, theirs] = [Side::Candidate, Side::Baseline]
        .map(|side| measured.slice(0, 0).unwrap().curves(side).errors.clone());
    assert_relative(own.iter().map(|bin| bin.weight).sum(), weight, 1e-14);
    for (own, theirs) in own.iter().zip(&theirs) {
        assert_eq!((own.low, own.high), (theirs.low, theirs.high));
    }
    let least = errors.iter().copied().fold(f64::INFINITY, |a, b| if b < a { b } else { a });
    assert_relative(own[0].low, least, 0.0);
    let inside = |bin: &&crate::ErrorBin| bin.low <= 0.0 && 0.0 < bin.high;
    let bin = own.iter().find(inside).unwrap();
    let counted = errors.iter().zip(&rows.w).filter(|(error, _)| bin.low <= **error && **error < bin.high);
    assert_relative(bin.weight, counted.map(|(_, weight)| *weight).sum(), 1e-14);
}

#[test]
fn many_slices_have_no_curves_but_overall_has() {
    let mut rows = reference();
    rows.g = (0..240).map(|row| row % 80).collect();
    let groups: Vec<String> = rows.g.iter().map(|group| format!("g{group}")).collect();
    let texts_of: Vec<&str> = groups.iter().map(String::as_str).collect();
    let data = table(&[
        ("y", numbers(&rows.y)),
        ("c", numbers(&rows.c)),
        ("b", numbers(&rows.b)),
        ("g", texts(&texts_of)),
    ]);
    let measures = measures(&[metric("auc")], [&classifier("c"), &classifier("b")], false);
    let execution = Execution::with_threads(1);
    let state = fold(&MemorySource::new(&data, 100), &measures, &execution).unwrap();
    let measured = state.accumulator.finish().rank(&execution).unwrap();
    assert_ne!(measured.slice(0, 0).unwrap().curves(Side::Candidate), Curves::default());
    assert_eq!(measured.slice(1, 0).unwrap().curves(Side::Candidate), Curves::default());
}

#[test]
fn a_limit_of_memory_changes_no_figure() {
    let rows = reference();
    let repeat = |values: &[f64]| (0..20).flat_map(|_| values.iter().copied()).collect::<Vec<f64>>();
    let (y, w, c, b) = (repeat(&rows.y), repeat(&rows.w), repeat(&rows.c), repeat(&rows.b));
    let rows = Rows { y, w, c, b, g: rows.g.repeat(20) };
    let measures = measures(&[metric("auc"), metric("ks")], [&classifier("c"), &classifier("b")], true);
    let state =
        || fold(&rows.source(500), &measures, &Execution::with_threads(2)).unwrap().accumulator.finish();
    let free = state().rank(&Execution::with_threads(1)).unwrap();
    // 4,800 rows take some hundred bytes each to be put in order.
    let scratch = Scratch::in_folder(std::env::temp_dir());
    let execution = Execution::with_threads(1).within(MemoryLimit::bytes(100_000)).with_scratch(scratch);
    let tight = state().rank(&execution).unwrap();
    for (grouping, group) in [(0, 0), (1, 0), (1, 1), (1, 2)] {
        let (free, tight) = (free.slice(grouping, group).unwrap(), tight.slice(grouping, group).unwrap());
        for metric in [metric("auc"), metric("ks")] {
            assert_eq!(free.value(&metric, Side::Candidate), tight.value(&metric, Side::Candidate));
            assert_eq!(free.change(&metric), tight.change(&metric));
        }
    }
}

/// All figures of these rows, put in order in memory and on disk.
fn both_ways(measures: &Measures, source: &MemorySource, most: usize) -> [String; 2] {
    let execution = Execution::with_threads(1);
    let measured = fold(source, measures, &execution).unwrap().accumulator.finish();
    let Measured { plan, rows, .. } = measured;
    let (mut rows, overall) = (rows.unwrap(), [true, false]);
    let replicates = plan.replicates.as_ref();
    let in_memory = RankedFigures::new(&plan.ranked, replicates, rows.clone(), &overall, &execution).unwrap();
    let scratch = Scratch::in_folder(std::env::temp_dir());
    rows.shed(&scratch).unwrap();
    let (plan, rows) = (&plan.ranked, &rows);
    let (overall, execution) = (&overall, &execution);
    let aside = Aside { plan, replicates, rows, overall, scratch, most, execution };
    let on_disk = RankedFigures::aside(&aside).unwrap();
    [in_memory, on_disk].map(|figures| format!("{figures:?}"))
}

const OF_SCORES: [&str; 13] = [
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

fn rows() -> impl Strategy<Value = Rows> {
    let score = prop_oneof![0.0..1.0_f64, Just(0.5), Just(0.25)];
    let row = (any::<bool>(), prop_oneof![0.0..4.0_f64, Just(1.0)], score.clone(), score, 0..4_usize);
    prop::collection::vec(row, 1..60).prop_map(|rows| Rows {
        y: rows.iter().map(|row| f64::from(u8::from(row.0))).collect(),
        w: rows.iter().map(|row| row.1).collect(),
        c: rows.iter().map(|row| row.2).collect(),
        b: rows.iter().map(|row| row.3).collect(),
        g: rows.iter().map(|row| row.4).collect(),
    })
}

/// Every figure as bits, slices by name.
fn figures(rows: &Rows, names: &[&str], is_weighted: bool, split_rows: u64) -> Vec<String> {
    let measured = measured(rows, names, is_weighted, split_rows);
    let mut order: Vec<usize> = Vec::new();
    rows.g.iter().for_each(|group| {
        if !order.contains(group) {
            order.push(*group);
        }
    });
    let mut slices: Vec<(Option<usize>, _)> = vec![(None, measured.slice(0, 0).unwrap())];
    slices.extend(
        order.iter().enumerate().map(|(place, group)| (Some(*group), measured.slice(1, place).unwrap())),
    );
    slices.sort_by_key(|(group, _)| *group);
    let mut found = Vec::new();
    for (group, slice) in slices {
        for metric in names.iter().map(|name| metric(name)) {
            let value = [Side::Candidate, Side::Baseline].map(|side| slice.value(&metric, side));
            let interval = slice.interval(&metric, Side::Candidate, 0.05);
            found.push(format!(
                "{group:?} {} {value:?} {interval:?} {:?}",
                metric.name,
                slice.change(&metric)
            ));
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn splits_threads_and_shards_change_nothing(rows in rows(), split_rows in 1..20_u64, is_weighted: bool) {
        let metrics = [metric("auc"), metric("precision")];
        let measures = measures(&metrics, [&classifier("c"), &classifier("b")], is_weighted);
        let source = rows.source(split_rows).with_batch_rows(3);
        laws::check(&source, &measures);
        let whole = laws::state_bytes(&rows.source(1 << 20), &measures, 1);
        prop_assert_eq!(laws::state_bytes(&source, &measures, 2), whole, "the layout of the rows changes the state");
        let names = OF_SCORES;
        let expected = figures(&rows, &names, is_weighted, 1 << 20);
        prop_assert_eq!(figures(&rows, &names, is_weighted, split_rows), expected);
    }

    #[test]
    fn figures_of_rows_on_disk_are_the_same(rows in rows(), most in 1..20_usize, is_weighted: bool) {
        let metrics: Vec<Arc<Metric>> = OF_SCORES.iter().map(|name| metric(name)).collect();
        let bootstrap = Resampling::Bootstrap { replicates: 20, seed: 3 };
        let of_scores = measures(&metrics, [&classifier("c"), &classifier("b")], is_weighted);
        let of_scores = of_scores.with_replicates(bootstrap, &[]);
        let [in_memory, on_disk] = both_ways(&of_scores, &rows.source(7), most);
        prop_assert_eq!(in_memory, on_disk);
        let names = ["median_absolute_error", "absolute_error_quantile", "spearman"];
        let metrics: Vec<Arc<Metric>> = names.iter().map(|name| metric(name)).collect();
        let of_numbers = measures(&metrics, [&Linear::column("c", "c"), &Linear::column("b", "b")], is_weighted);
        let of_numbers = of_numbers.with_replicates(Resampling::Jackknife, &[]);
        let [in_memory, on_disk] = both_ways(&of_numbers, &rows.source(7), most);
        prop_assert_eq!(in_memory, on_disk);
    }

    #[test]
    fn the_order_of_rows_does_not_matter(rows in rows()) {
        let reversed = |values: &[f64]| values.iter().rev().copied().collect::<Vec<_>>();
        let other = Rows {
            y: reversed(&rows.y), w: reversed(&rows.w), c: reversed(&rows.c), b: reversed(&rows.b),
            g: rows.g.iter().rev().copied().collect(),
        };
        let names = ["auc"];
        prop_assert_eq!(figures(&rows, &names, false, 7), figures(&other, &names, false, 7));
    }
}
