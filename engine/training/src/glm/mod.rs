//! Generalised linear models out of core: logistic (two classes or more), Poisson, Gamma and Tweedie regression.
//!
//! Minimises Σ w·loss + alpha·(½(1 − `l1_ratio)‖β‖²` + `l1_ratio‖β‖₁`) for classes (scikit-learn's `LogisticRegression` with
//! C = 1/alpha), and the same with the mean of half the deviance in place of the sum for amounts (`PoissonRegressor`,
//! `GammaRegressor`, `TweedieRegressor`); the intercept is not penalised.
//!
//! 1. A scan of the label: its classes or its mean (`labels`).
//! 2. The model without features, from label and offset alone: where the fit starts, and what it is compared with.
//! 3. The fit (`newton`): in memory where the rows are few; else first on the first rows, kept in memory, and from
//!    there in two to four scans of all rows (`scan`), whose memory does not grow with the rows.
//! 4. What follows (`statistics`).

mod error;
mod family;
mod labels;
mod newton;
mod options;
mod pace;
mod record;
mod rows;
mod scan;
mod separation;
mod statistics;
mod survey;

use std::sync::Arc;

use sluice_core::accumulator::Accumulator as _;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::fold::fold;
use sluice_core::options::OptionsError;

use crate::data::TrainingData;
use crate::design::{MAX_COLUMNS, WHOLE_ROWS};
use crate::error::TrainingError;
use crate::model::LinearModel;

use family::Family;
use labels::{LabelReader, LabelSummary};
use newton::{Optimum, Origin, Problem};
use rows::{Keep, KeptRows, RowReader};
use scan::{Point, Scaling, Wanted};
use statistics::Fitted;

pub use error::GlmError;
pub(crate) use labels::places;
pub use labels::{Class, MAX_CLASSES};
pub use options::{Distribution, GlmOptions};
pub use record::{ClassRows, Convergence, EquationTests, GlmRecord};
pub use rows::Offsets;
pub use survey::survey_classes;

/// Cells of features that are kept in memory: 64 MiB.
const KEPT_CELLS: u64 = 1 << 23;

/// Coefficients of all classes together.
const MAX_PARAMETERS: usize = 8192;

/// Steps on the first rows: what starts the others need not be exact.
const HEAD_ITERATIONS: u32 = 50;

/// What the label says.
struct Label {
    summary: LabelSummary,
    /// Classes ascending.
    classes: Vec<ClassRows>,
    positive: Option<Class>,
    reader: RowReader,
}

/// Fits a generalised linear model of the label on the outputs of the transform.
///
/// # Errors
/// [`GlmError`] and [`TrainingError`] for what the data make impossible, with file and row where there is one; options
/// out of their range.
pub fn fit_glm(
    data: TrainingData<'_>,
    distribution: Distribution,
    options: &GlmOptions,
    start: Option<&LinearModel>,
    execution: &Execution,
) -> Result<LinearModel> {
    options.check(distribution)?;
    let width = data.transform.space().width();
    if width > MAX_COLUMNS {
        return Err(TrainingError::TooManyColumns { columns: width, limit: MAX_COLUMNS }.into());
    }
    let fit = Fit { data, distribution, options, start, execution };
    let label = fit.label()?;
    fit.check_parameters(&label, width)?;
    let null = fit.without_features(&label)?;
    let fitted = fit.all_rows(&label, &null, width)?;
    let model = statistics::model(&fit, &label, &null, fitted)?;
    execution.progress.end();
    Ok(model)
}

/// What is fitted, and how.
struct Fit<'a> {
    data: TrainingData<'a>,
    distribution: Distribution,
    options: &'a GlmOptions,
    /// The model that the iteration starts from, where one is given.
    start: Option<&'a LinearModel>,
    execution: &'a Execution,
}

impl Fit<'_> {
    /// Reads the label: its family, its classes, its mean.
    fn label(&self) -> Result<Label> {
        let family = match self.distribution {
            // How many classes there are is known afterwards.
            Distribution::Logistic => Family::Logistic,
            Distribution::Poisson => Family::Power(1.0),
            Distribution::Gamma => Family::Power(2.0),
            Distribution::Tweedie => Family::Power(self.options.power.unwrap_or(1.5)),
        };
        let columns = self.data.columns;
        let reader = LabelReader {
            label: columns.label.clone(),
            family,
            distribution: self.distribution.name().into(),
            classes: Vec::new(),
        };
        self.execution.progress.begin("train, label", self.data.source.plan().extent());
        let summary = LabelSummary::new(reader, columns.weight.clone());
        let summary = fold(self.data.source, &summary, self.execution)?.accumulator.finish();
        if summary.rows == 0 {
            return Err(self.data.no_rows().into());
        }
        let mut label_reader = summary.reader.clone();
        let positive = if family.has_classes() { self.classes(&summary, &mut label_reader)? } else { None };
        self.check_constant(&summary)?;
        let classes = summary.classes.iter().map(|(class, (rows, weight))| ClassRows {
            class: class.clone(),
            rows: *rows,
            weight: weight.to_f64(),
        });
        let reader = RowReader {
            transform: Some(Arc::clone(self.data.transform)),
            label: label_reader,
            weight: columns.weight.clone(),
            offsets: Offsets { offset: self.options.offset.clone(), exposure: self.options.exposure.clone() },
        };
        Ok(Label { classes: classes.collect(), positive, reader, summary })
    }

    /// Puts the classes in the order of their numbers, the positive one of two last.
    fn classes(&self, summary: &LabelSummary, reader: &mut LabelReader) -> Result<Option<Class>> {
        let mut classes: Vec<Class> = summary.classes.keys().cloned().collect();
        if let [class] = classes.as_slice() {
            return Err(GlmError::OneClass {
                label: reader.label.clone(),
                class: class.to_string(),
                rows: summary.rows,
            }
            .into());
        }
        let wrong = |positive: &Class, problem: String| {
            Err(GlmError::Positive { positive: positive.to_string(), problem }.into())
        };
        if classes.len() > 2 {
            reader.family = Family::Softmax(classes.len());
            reader.classes = classes;
            if let Some(positive) = &self.options.positive {
                let problem = format!("label `{}` has {} classes", reader.label, reader.classes.len());
                return wrong(positive, problem);
            }
            if self.options.offset.is_some() {
                return Err(OptionsError::Conflict {
                    name: "logistic.offset".into(),
                    problem: format!(
                        "adds to all {} classes alike, so it says nothing",
                        reader.classes.len()
                    ),
                    hint: Some("leave it out".into()),
                }
                .into());
            }
            return Ok(None);
        }
        if let Some(positive) = &self.options.positive {
            match classes.iter().position(|class| class == positive) {
                Some(place) => classes.swap(place, 1),
                None => {
                    let named: Vec<String> = classes.iter().map(|class| format!("`{class}`")).collect();
                    let problem =
                        format!("the classes of label `{}` are {}", reader.label, named.join(" and "));
                    return wrong(positive, problem);
                }
            }
        }
        reader.classes = classes;
        Ok(reader.classes.last().cloned())
    }

    /// Refuses an amount that does not vary, or is 0 throughout.
    fn check_constant(&self, summary: &LabelSummary) -> Result<(), TrainingError> {
        let Some((least, most)) = summary.extent else { return Ok(()) };
        let is_relative = self.options.offset.is_some() || self.options.exposure.is_some();
        if most > least || (is_relative && most > 0.0) {
            return Ok(());
        }
        let label = self.data.columns.label.clone();
        Err(TrainingError::LabelConstant { label, value: most, rows: summary.rows })
    }

    fn check_parameters(&self, label: &Label, width: usize) -> Result<(), GlmError> {
        let Family::Softmax(classes) = label.reader.label.family else { return Ok(()) };
        let columns = width + usize::from(self.options.intercept);
        let parameters = classes * columns;
        if parameters > MAX_PARAMETERS {
            return Err(GlmError::TooManyParameters { classes, columns, parameters, limit: MAX_PARAMETERS });
        }
        Ok(())
    }

    /// The model of the intercept alone, from label, weight and offset.
    fn without_features(&self, label: &Label) -> Result<Optimum> {
        let family = label.reader.label.family;
        let coefficients = if self.options.intercept { self.start(label) } else { Vec::new() };
        let point = Point {
            family,
            intercept: self.options.intercept,
            scaling: Arc::new(Scaling::default()),
            coefficients,
            is_expected: false,
        };
        let reader = label.reader.without_features();
        let problem = Problem {
            name: "train, without features",
            is_strict: true,
            seeks_separation: false,
            ..self.problem(reader, Origin::Scanned, &point, label)
        };
        if self.options.intercept {
            return problem.minimise(point);
        }
        let evaluated = problem.evaluate(point, Wanted::Slope, true, "once")?;
        let objectives = vec![evaluated.objective];
        Ok(Optimum { evaluated, coefficients: Vec::new(), iterations: 0, objectives, last_step: 0.0 })
    }

    /// The intercepts at the mean of the label, or the shares of the classes.
    fn start(&self, label: &Label) -> Vec<f64> {
        let (summary, family) = (&label.summary, label.reader.label.family);
        let total = summary.weight.to_f64();
        let share =
            |class: &Class| summary.classes.get(class).map_or(0.0, |(_, weight)| weight.to_f64() / total);
        match family {
            Family::Logistic => {
                vec![family.link(label.reader.label.classes.last().map_or(0.5, share))]
            }
            Family::Softmax(classes) => {
                let logarithms: Vec<f64> =
                    label.reader.label.classes.iter().map(|class| family.link(share(class))).collect();
                let mean = logarithms.iter().sum::<f64>() / classes as f64;
                logarithms.into_iter().map(|logarithm| logarithm - mean).collect()
            }
            Family::Power(_) => vec![family.link(summary.sum.to_f64() / total)],
        }
    }

    /// The fit on all rows, from what is nearest.
    fn all_rows(&self, label: &Label, null: &Optimum, width: usize) -> Result<Fitted> {
        let rows = self.data.source.plan().rows();
        if rows <= WHOLE_ROWS && rows.saturating_mul(width as u64) <= KEPT_CELLS {
            let keep = Keep::new(label.reader.clone(), width);
            self.execution.progress.begin("train", self.data.source.plan().extent());
            let kept = fold(self.data.source, &keep, self.execution)?.accumulator.finish();
            return self.in_memory(label, null, kept);
        }
        let head = self.head(label, width)?;
        let scaling = Arc::new(Scaling::of(head.columns(), self.options.intercept));
        let start = self.point(label, null, &scaling);
        let (started, started_on_rows) = match self.start {
            Some(model) => (Some(self.start_of(model, label, &scaling)?), None),
            None => {
                let rows = head.len() as u64;
                let started = self.on_head(label, start.clone(), head);
                let rows = started.as_ref().map(|_| rows);
                (started, rows)
            }
        };
        let cold = start.clone();
        let start = Point { coefficients: started.unwrap_or(start.coefficients), ..start };
        // Where the curvature of the steps is not that of the statistics, a scan of their own follows.
        let is_canonical = label.reader.label.family.is_canonical();
        let problem = Problem {
            needs_matrix: is_canonical,
            ..self.problem(label.reader.clone(), Origin::Scanned, &start, label)
        };
        let optimum = minimised(&problem, start, cold)?;
        let at_end = if is_canonical { None } else { Some(self.at_end(&problem, &optimum)?) };
        statistics::fitted(&problem, optimum, at_end, "blocked", started_on_rows)
    }

    fn in_memory(&self, label: &Label, null: &Optimum, kept: KeptRows) -> Result<Fitted> {
        let scaling = Arc::new(Scaling::of(kept.columns(), self.options.intercept));
        let cold = self.point(label, null, &scaling);
        let mut start = cold.clone();
        if let Some(model) = self.start {
            start.coefficients = self.start_of(model, label, &scaling)?;
        }
        let blocks = kept.into_blocks(start.layout());
        let problem = self.problem(label.reader.clone(), Origin::Kept(&blocks), &start, label);
        let optimum = minimised(&problem, start, cold)?;
        // In memory it costs next to nothing to take the sums at the very end.
        let at_end = self.at_end(&problem, &optimum)?;
        statistics::fitted(&problem, optimum, Some(at_end), "whole", None)
    }

    /// The sums after the last step, with the expected curvature.
    fn at_end(&self, problem: &Problem<'_>, optimum: &Optimum) -> Result<newton::Evaluated> {
        let point = Point {
            coefficients: optimum.coefficients.clone(),
            is_expected: true,
            ..optimum.evaluated.point.clone()
        };
        problem.evaluate(point, Wanted::Matrix, false, "statistics")
    }

    /// The coefficients of an earlier model in the units of the iteration.
    fn start_of(&self, model: &LinearModel, label: &Label, scaling: &Scaling) -> Result<Vec<f64>> {
        let positive = |class: Option<&Class>| class.map_or_else(|| "none".to_owned(), ToString::to_string);
        let theirs = model.glm.as_ref().and_then(|glm| glm.positive.as_ref());
        if theirs != label.positive.as_ref() {
            let (found, expected) = (positive(theirs), positive(label.positive.as_ref()));
            return Err(TrainingError::OtherStart { what: "positive class", found, expected }.into());
        }
        let targets: Vec<String> = match &label.positive {
            None if !label.classes.is_empty() => {
                label.classes.iter().map(|class| class.class.to_string()).collect()
            }
            _ => vec![self.data.columns.label.clone()],
        };
        let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
        let names = self.data.transform.space().column_names();
        let values = model.start_values(self.distribution.name(), &targets, &names)?;
        let mut coefficients = Vec::new();
        for output in values {
            let shifts = output.coefficients.iter().zip(&scaling.shift);
            let at_shift = shifts.fold(output.intercept, |sum, (value, shift)| sum + value * shift);
            coefficients.extend(self.options.intercept.then_some(at_shift));
            let scaled = output.coefficients.iter().zip(&scaling.scale);
            coefficients.extend(scaled.map(|(value, scale)| value / scale));
        }
        Ok(coefficients)
    }

    /// Coefficients from a fit on the first rows; none where they do not have one.
    fn on_head(&self, label: &Label, start: Point, head: KeptRows) -> Option<Vec<f64>> {
        let is_varied = head.labels().iter().any(|value| value.to_bits() != head.labels()[0].to_bits());
        // Rows that are sorted, or too few for the columns, are no place to start from.
        let is_enough = head.len() > 2 * start.coefficients.len();
        if !is_varied || !is_enough {
            return None;
        }
        let share = head.len() as f64 / label.summary.rows as f64;
        let blocks = head.into_blocks(start.layout());
        let problem = self.problem(label.reader.clone(), Origin::Kept(&blocks), &start, label);
        let problem = Problem {
            // As much in proportion to the rows as on all of them.
            square: problem.square.iter().map(|penalty| penalty * share).collect(),
            absolute: problem.absolute.iter().map(|penalty| penalty * share).collect(),
            max_iterations: HEAD_ITERATIONS,
            tolerance: 1e-3,
            ..problem
        };
        problem.minimise(start).ok().map(|optimum| optimum.coefficients)
    }

    /// The first rows.
    fn head(&self, label: &Label, width: usize) -> Result<KeptRows> {
        let source = self.data.source;
        let plan = source.plan();
        let needed = label.reader.inputs().columns;
        let read: Vec<usize> =
            (0..plan.columns.len()).filter(|index| needed.contains_key(&plan.columns[*index].name)).collect();
        let rows = std::cmp::min(WHOLE_ROWS, KEPT_CELLS / std::cmp::max(width as u64, 1));
        let mut kept = KeptRows::new(width);
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        source.each_head(&read, rows, &mut |batch| kept.read(&label.reader, batch))?;
        Ok(kept)
    }

    /// The model without features as a point of the model with them.
    fn point(&self, label: &Label, null: &Optimum, scaling: &Arc<Scaling>) -> Point {
        let family = label.reader.label.family;
        let mut point = Point {
            family,
            intercept: self.options.intercept,
            scaling: Arc::clone(scaling),
            coefficients: Vec::new(),
            is_expected: false,
        };
        let columns = point.columns();
        point.coefficients = vec![0.0; family.predictors() * columns];
        for (class, intercept) in null.coefficients.iter().enumerate() {
            point.coefficients[class * columns] = *intercept;
        }
        point
    }

    /// What is minimised over the coefficients of a point.
    fn problem<'b>(
        &'b self,
        reader: RowReader,
        origin: Origin<'b>,
        at: &Point,
        label: &Label,
    ) -> Problem<'b> {
        let GlmOptions { alpha, l1_ratio, tolerance, max_iterations, .. } = *self.options;
        let total = if at.family.has_classes() { 1.0 } else { label.summary.weight.to_f64() };
        // Where a coefficient is 0 in any digit that could be told.
        let most = 1010.0_f64.exp2();
        let bounded = |penalty: f64| if penalty > most { most } else { penalty };
        let penalties = |share: f64, power: i32| -> Vec<f64> {
            let of_columns =
                at.scaling.scale.iter().map(|scale| bounded(alpha * share * total * scale.powi(power)));
            let one: Vec<f64> = at.intercept.then_some(0.0).into_iter().chain(of_columns).collect();
            one.repeat(at.family.predictors())
        };
        Problem {
            data: self.data,
            execution: self.execution,
            reader,
            origin,
            name: "train",
            family_name: self.distribution.name(),
            alpha,
            square: penalties(1.0 - l1_ratio, 2),
            absolute: penalties(l1_ratio, 1),
            tolerance,
            max_iterations,
            needs_matrix: false,
            is_strict: false,
            seeks_separation: !(alpha > 0.0),
        }
    }
}

/// The optimum from a start, or from the model without features where the loss is infinite at that start: the first rows, or
/// an earlier model, may be of other sizes than the rest.
fn minimised(problem: &Problem<'_>, start: Point, cold: Point) -> Result<Optimum> {
    match problem.minimise(start) {
        Err(error) if matches!(error.downcast_ref(), Some(GlmError::LossInfinite { .. })) => {
            problem.minimise(cold)
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests;
