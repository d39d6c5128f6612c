//! Evaluations of drawn rows: how often intervals hold the true value, and how often the gate blocks.
//!
//! Simulations are the slices of one evaluation, so they go the way that slices go. The true value of a metric is the
//! metric itself, of rows on a fine grid weighted by their density. Regression: the label is −ε, the candidate predicts
//! δ + 0.2 and the baseline δ′, so that errors are ε + δ; δ and δ′ are normal with deviation 0.3, ε is standard normal, or
//! log-normal about its mean. Two classes: the label is positive with probability σ(f − 1), f normal with deviation 1.5;
//! the candidate predicts σ(f − 1 + δ), the baseline σ(0.8 f − 1 + δ′). Scores: a label is positive with probability 0.35,
//! so that 200 rows have some 70 positive ones and hardly ever fewer than 50; the candidate scores σ(1.2 y + ε + δ), the
//! baseline σ(y + ε + δ′), ε normal or log-normal as the errors are. (σ only keeps scores between 0 and 1.)

use std::f64::consts::PI;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use sluice_core::Accumulator;
use sluice_core::batch::Batch;
use sluice_core::column::numbers;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureKind, FeatureSpace, FeatureSpec};
use sluice_core::fold::fold;
use sluice_core::group::Grouping;
use sluice_core::seam::{BatchTransform, Predictor, Task};
use sluice_evaluation::comparison::IntervalOptions;
use sluice_evaluation::measure::{MeasureOptions, Measured, Measures, Missing};
use sluice_evaluation::metric::{Metric, Side};
use sluice_evaluation::{Baseline, EvaluateOptions, evaluate};
use sluice_testkit::memory::MemorySource;

/// What errors are drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rows {
    /// Numbers with normal errors.
    Normal,
    /// Numbers with log-normal errors of this deviation of the logarithm.
    LogNormal(f64),
    /// Two classes.
    Classes,
    /// Two classes whose scores are normal.
    NormalScores,
    /// Two classes whose scores are log-normal, of this deviation of the logarithm.
    LogNormalScores(f64),
}

/// What is simulated, and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Study {
    pub(crate) simulations: usize,
    /// Rows of each.
    pub(crate) size: usize,
    /// How often each row stands there, under one key.
    pub(crate) copies: usize,
    pub(crate) intervals: IntervalOptions,
}

/// How often an interval held the true value.
#[derive(Clone, Debug)]
pub(crate) struct Coverage {
    /// The metric, and whether of its value or its change.
    pub(crate) figure: String,
    /// The share of simulations whose interval held it.
    pub(crate) covered: f64,
    /// The share whose interval was below it.
    pub(crate) below: f64,
    /// The share in which there was no interval.
    pub(crate) missing: f64,
    /// The mean length of the intervals.
    pub(crate) length: f64,
}

impl std::fmt::Display for Coverage {
    /// A row of a table: figure, covered, below, above, missing, length.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { figure, covered, below, missing, length } = self;
        let above = 1.0 - covered - below - missing;
        let [covered, below, above, missing] = [covered, below, &above, missing].map(|share| 100.0 * share);
        write!(
            formatter,
            "{figure} | {covered:.1} % | {below:.1} % | {above:.1} % | {missing:.1} % | {length:.4}"
        )
    }
}

const DEVIATION: f64 = 0.3;
const BIAS: f64 = 0.2;
const LEVEL: f64 = 0.05;

/// A model that predicts a column.
struct Column {
    name: &'static str,
    task: Task,
    space: FeatureSpace,
}

impl Column {
    fn predictor(name: &'static str, rows: Rows) -> Arc<dyn Predictor> {
        let spec = FeatureSpec { name: "prediction".into(), kind: FeatureKind::Number, sources: Vec::new() };
        let task = if rows.has_classes() { Task::Binary { positive: None } } else { Task::Regression };
        Arc::new(Self { name, task, space: FeatureSpace { features: vec![spec] } })
    }
}

impl BatchTransform for Column {
    fn inputs(&self) -> Vec<String> {
        vec![self.name.into()]
    }

    fn space(&self) -> &FeatureSpace {
        &self.space
    }

    fn apply(&self, batch: &Batch) -> Result<FeatureBatch> {
        let values = numbers(self.name, batch.require(self.name)?, "a simulation")?;
        Ok(FeatureBatch { rows: batch.rows(), columns: vec![FeatureColumn::Numbers(values)] })
    }
}

impl Predictor for Column {
    fn digest(&self) -> &str {
        self.name
    }

    fn label(&self) -> &str {
        "y"
    }

    fn task(&self) -> Task {
        self.task.clone()
    }
}

/// splitmix64, and normal numbers by Box and Muller.
struct Generator(u64);

impl Generator {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        ((mixed >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (2.0 * PI * self.uniform()).cos()
    }
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// Label, candidate's and baseline's prediction.
type Row = [f64; 3];

/// The share of positive rows where scores follow from labels.
const POSITIVE: f64 = 0.35;

/// A log-normal number about its mean.
fn log_normal(sigma: f64, normal: f64) -> f64 {
    (sigma * normal).exp() - (sigma * sigma / 2.0).exp()
}

impl Rows {
    fn has_classes(self) -> bool {
        !matches!(self, Self::Normal | Self::LogNormal(_))
    }

    /// How likely a row with this standard normal number is positive.
    fn positive(self, first: f64) -> f64 {
        if self == Self::Classes { sigmoid(1.5 * first - 1.0) } else { POSITIVE }
    }

    /// The row of scores about this level.
    fn scored(self, level: f64, own: f64, theirs: f64, uniform: f64) -> Row {
        let label = f64::from(u8::from(uniform < POSITIVE));
        [label, sigmoid(1.2 * label + level + own), sigmoid(label + level + theirs)]
    }

    /// The row of standard normal numbers: of the error or the logit, of both models; `uniform` decides a class.
    fn row(self, first: f64, own: f64, theirs: f64, uniform: f64) -> Row {
        let (own, theirs) = (DEVIATION * own, DEVIATION * theirs);
        match self {
            Self::Normal => [-first, own + BIAS, theirs],
            Self::LogNormal(sigma) => [-log_normal(sigma, first), own + BIAS, theirs],
            Self::NormalScores => self.scored(first, own, theirs, uniform),
            Self::LogNormalScores(sigma) => self.scored(log_normal(sigma, first), own, theirs, uniform),
            Self::Classes => {
                let logit = 1.5 * first;
                let label = f64::from(u8::from(uniform < self.positive(first)));
                [label, sigmoid(logit - 1.0 + own), sigmoid(0.8 * logit - 1.0 + theirs)]
            }
        }
    }

    fn drawn(self, generator: &mut Generator) -> Row {
        let (first, own, theirs) = (generator.normal(), generator.normal(), generator.normal());
        self.row(first, own, theirs, generator.uniform())
    }

    /// All rows there can be, on a grid, with their weights. Both models are put on one axis: a metric of one does not
    /// depend on the other.
    fn grid(self) -> (Vec<Row>, Vec<f64>) {
        let (mut rows, mut weights) = (Vec::new(), Vec::new());
        for first in -400..=400 {
            for second in -60..=60 {
                let (first, second) = (f64::from(first) * 0.02, f64::from(second) * 0.1);
                let density = (-0.5 * (first * first + second * second)).exp();
                if self.has_classes() {
                    let positive = self.positive(first);
                    rows.extend([self.row(first, second, second, 0.0), self.row(first, second, second, 1.0)]);
                    weights.extend([density * positive, density * (1.0 - positive)]);
                } else {
                    rows.push(self.row(first, second, second, 0.0));
                    weights.push(density);
                }
            }
        }
        (rows, weights)
    }
}

fn table(rows: &[Row], extra: &[(&str, ArrayRef)]) -> RecordBatch {
    let column = |place: usize| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row[place])))
    };
    let columns = [("y", column(0)), ("c", column(1)), ("b", column(2))];
    RecordBatch::try_from_iter(columns.into_iter().chain(extra.iter().cloned())).unwrap()
}

fn measured(table: &RecordBatch, measures: &Measures) -> Measured {
    let source = MemorySource::new(table, 1 << 16);
    let execution = Execution::default();
    fold(&source, measures, &execution).unwrap().accumulator.finish().rank(&execution).unwrap()
}

/// The intervals of some metrics, of values and of changes.
pub(crate) fn coverage(rows: Rows, metrics: &[&str], study: Study) -> Vec<Coverage> {
    let Study { simulations, size, copies, intervals } = study;
    let metrics: Vec<Arc<Metric>> = metrics.iter().map(|name| Metric::find(name).unwrap()).collect();
    let (candidate, baseline) = (Column::predictor("c", rows), Column::predictor("b", rows));
    let measures = |grouping: Grouping, weight: Option<&str>| {
        let weight = weight.map(str::to_owned);
        let options = MeasureOptions {
            metrics: &metrics,
            groupings: vec![grouping],
            weight,
            missing: Missing::Refuse,
            label_shift: 0.0,
        };
        Measures::new(&candidate, Some(&baseline), &options)
    };
    let (grid, weights) = rows.grid();
    let grid = table(&grid, &[("w", Arc::new(Float64Array::from(weights)))]);
    let truth = measured(&grid, &measures(Grouping::overall(), Some("w")));
    let truth = truth.slice(0, 0).unwrap();

    let mut generator = Generator(7);
    let drawn: Vec<Row> = (0..simulations * size / copies)
        .flat_map(|_| std::iter::repeat_n(rows.drawn(&mut generator), copies))
        .collect();
    let every = |rows: usize| -> ArrayRef {
        let number = |row: usize| i64::try_from(row / rows).unwrap();
        Arc::new(Int64Array::from_iter_values((0..simulations * size).map(number)))
    };
    let drawn = table(&drawn, &[("simulation", every(size)), ("key", every(copies))]);
    let mut measures = measures(Grouping::by(["simulation"]), None);
    if let Some(resampling) = intervals.check().unwrap() {
        let key = if copies > 1 { vec!["key".to_owned()] } else { Vec::new() };
        measures = measures.with_replicates(resampling, &key);
    }
    let drawn = measured(&drawn, &measures);
    let slices: Vec<_> = (0..simulations).map(|simulation| drawn.slice(0, simulation).unwrap()).collect();

    let mut found = Vec::new();
    for metric in &metrics {
        let [own, theirs] = [Side::Candidate, Side::Baseline].map(|side| truth.value(metric, side).unwrap());
        let ends = slices.iter().map(|slice| {
            let interval = slice.interval(metric, Side::Candidate, LEVEL).ok()?;
            Some([interval.low, interval.high])
        });
        found.push(tally(metric.name.clone(), own, ends));
        let ends = slices.iter().map(|slice| Some(slice.change(metric).ok()?.interval(LEVEL)));
        found.push(tally(format!("change of {}", metric.name), own - theirs, ends));
    }
    found
}

fn tally(figure: String, truth: f64, ends: impl Iterator<Item = Option<[f64; 2]>>) -> Coverage {
    let (mut count, mut covered, mut below, mut missing, mut length) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for ends in ends {
        count += 1.0;
        match ends {
            None => missing += 1.0,
            Some([low, high]) => {
                length += high - low;
                if high < truth {
                    below += 1.0;
                } else if low <= truth {
                    covered += 1.0;
                }
            }
        }
    }
    let length = length / (count - missing);
    Coverage { figure, covered: covered / count, below: below / count, missing: missing / count, length }
}

/// How often the gate blocks a candidate whose errors on the first of some slices are larger by a factor, under
/// `block_if_worse: 0` for every slice; and how often the normal approximation expects it to, by Holm's first step.
pub(crate) fn blocked(
    metric: &str,
    factor: f64,
    (simulations, slices, size): (usize, usize, usize),
    intervals: IntervalOptions,
) -> (f64, f64) {
    let require = format!(r#"[{{"metric": "{metric}", "block_if_worse": 0.0, "every": "slice"}}]"#);
    let options = EvaluateOptions {
        metrics: vec![metric.into()],
        require: serde_json::from_str(&require).unwrap(),
        alpha: LEVEL,
        intervals,
        ..EvaluateOptions::default()
    };
    let (candidate, baseline) = (Column::predictor("c", Rows::Normal), Column::predictor("b", Rows::Normal));
    let baseline = Baseline::Model(baseline);
    let mut generator = Generator(11);
    let mut draw = |size: usize| -> RecordBatch {
        let row = |row: usize| {
            let [label, own, theirs] = Rows::Normal.drawn(&mut generator);
            let own = own - BIAS;
            let is_first = row.is_multiple_of(slices);
            [label, if is_first { label + factor * (own - label) } else { own }, theirs]
        };
        let rows: Vec<Row> = (0..size * slices).map(row).collect();
        let numbers = (0..rows.len()).map(|row| i64::try_from(row % slices).unwrap());
        table(&rows, &[("slice", Arc::new(Int64Array::from_iter_values(numbers)))])
    };
    let run = |table: &RecordBatch, options: &EvaluateOptions| {
        let source = MemorySource::new(table, 1 << 16);
        evaluate(&source, &candidate, &baseline, options, &Execution::with_threads(1)).unwrap()
    };
    let analytic = EvaluateOptions { intervals: IntervalOptions::Analytic, ..options.clone() };
    let large = run(&draw(100_000), &analytic);
    let first = large.slices.iter().find(|slice| slice.slice.to_string() == "slice=0").unwrap();
    let change = &first.changes.as_ref().unwrap()[metric];
    let standard_error = change.standard_error.unwrap() * (100_000.0 / size as f64).sqrt();
    let reach = change.difference.unwrap() / standard_error;
    let quantile = sluice_core::distribution::normal::upper_quantile(LEVEL / slices as f64);
    let expected = sluice_core::distribution::normal::upper_tail(quantile - reach);
    let blocks =
        (0..simulations).filter(|_| run(&draw(size), &options).verdict.failures().next().is_some()).count();
    (blocks as f64 / simulations as f64, expected)
}
