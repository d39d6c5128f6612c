//! Order statistics against their definitions, laws and reference values.

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
use sluice_core::seam::{BatchTransform, Predictor, Task};
use sluice_testkit::close::assert_relative;
use sluice_testkit::laws;
use sluice_testkit::memory::MemorySource;

use crate::comparison::Method;
use crate::fixture::{Linear, numbers, table, texts};
use crate::measure::{MeasureOptions, Measured, Measures};
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

/// scikit-learn 1.9.1 `roc_auc_score(y, score, sample_weight=…)` of the rows of [`reference`].
#[test]
fn areas_equal_scikit_learn() {
    let expected = [
        ((0, 0), [0.8630490956072352, 0.8636585022522523], [0.47971227040994485, 0.47222972972972976]),
        ((1, 0), [0.8692063492063491, 0.8823186643358414], [0.5006349206349207, 0.4841655899267817]),
        ((1, 1), [0.8640350877192982, 0.872217116013072], [0.4176065162907268, 0.4123008578431373]),
        ((1, 2), [0.8558897243107768, 0.8354535817052855], [0.5216165413533834, 0.516356201726488]),
    ];
    for (place, is_weighted) in [(0, false), (1, true)] {
        let measured = measured(&reference(), &["auc"], is_weighted, 100);
        for ((grouping, group), own, theirs) in expected {
            let slice = measured.slice(grouping, group).unwrap();
            assert_relative(slice.value(&metric("auc"), Side::Candidate).unwrap(), own[place], 1e-12);
            assert_relative(slice.value(&metric("auc"), Side::Baseline).unwrap(), theirs[place], 1e-12);
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
            order.push(*group)
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
        let names = ["auc", "gini"];
        let expected = figures(&rows, &names, is_weighted, 1 << 20);
        prop_assert_eq!(figures(&rows, &names, is_weighted, split_rows), expected);
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
