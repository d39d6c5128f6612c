//! What a fit says of the population that its rows come from: standard errors, tests, intervals, how well it fits, and
//! on request what its residuals say.
//!
//! - [`coefficient`](CoefficientTests): from a standard error to statistic, p-value and interval;
//! - [`FitStatistics`]: R², F, likelihood and the rest, from the sums of the fit alone;
//! - `scan`: the second scan of the rows, for robust standard errors and [`ResidualDiagnostics`];
//! - `influence`: which rows stand out, in bounded memory.
//!
//! Classical standard errors are those of [`Diagnostics`]. Robust ones are the sandwich `A^-1 M A^-1` with
//! `M = Σ (w e)² x x'` (White, Econometrica 48, 1980; the small-sample variants of `MacKinnon` & White, J. Econometrics
//! 29, 1985), taken in the coordinates of [`Whitening`]. Statistics are compared with
//! Student's t with rows less effective degrees of freedom. The variance inflation of a coefficient is its classical
//! variance over that of a fit in which the column stands alone; with a penalty it is Marquardt's (Technometrics 12,
//! 1970).

mod coefficient;
mod fit_statistics;
mod influence;
mod options;
mod residuals;
mod scan;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::fold;

use crate::data::TrainingData;
use crate::error::SolveError;
use crate::solve::{Diagnostics, Normal, RidgeSolution, Whitening};

use scan::{Fit, ResidualScan, Scanned};

pub use coefficient::{CoefficientTest, CoefficientTests, Reference};
pub use fit_statistics::{FTest, FitStatistics};
pub use influence::{InfluentialRow, RowFigures};
pub use options::{InferenceOptions, StandardErrors};
pub use residuals::{BreuschPagan, ChiSquaredTest, ResidualDiagnostics};

/// A row whose leverage comes this near to 1 decides its own prediction: what its residual says is rounding.
const DECIDED: f64 = 1e-10;

/// What a fit says of the population.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inference {
    /// How likely an interval covers what it is about.
    pub confidence: f64,
    /// What the standard errors assume.
    pub standard_errors: StandardErrors,
    /// What the statistics are compared with; absent where no degrees of freedom are left.
    pub reference: Option<Reference>,
    /// The test of the intercept, where there is one to test.
    pub intercept: Option<CoefficientTest>,
    /// The test of each coefficient; absent for columns that were left out of the fit.
    pub coefficients: Vec<Option<CoefficientTest>>,
    /// By how much each coefficient's variance is larger than if its column stood alone.
    pub variance_inflation: Vec<Option<f64>>,
    /// The fit as a whole.
    pub fit: FitStatistics,
    /// What could not be said, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What the residuals say, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residuals: Option<ResidualDiagnostics>,
}

/// What inference needs of the sums of a fit, beside its diagnostics.
#[derive(Debug)]
pub(crate) struct Basis {
    /// The centred sum of squares of each column.
    column_squares: Vec<f64>,
    has_intercept: bool,
    /// The trace of the hat matrix.
    effective_degrees: f64,
    /// The sum of the logarithms of the weights, where it is known.
    log_weights: Option<f64>,
    /// For a second scan.
    whitening: Option<Whitening>,
}

impl Basis {
    /// Of the sums that a model was fitted from; none where the trace of its hat matrix is unknown.
    ///
    /// # Errors
    /// Those of [`Whitening::new`].
    pub(crate) fn new(
        normal: &Normal,
        diagnostics: &Diagnostics,
        log_weights: Option<f64>,
        options: InferenceOptions,
    ) -> Result<Option<Self>, SolveError> {
        let Some(effective_degrees) = diagnostics.effective_degrees else { return Ok(None) };
        let whitening =
            options.needs_scan().then(|| Whitening::new(normal, diagnostics.alpha)).transpose()?;
        let square = |column| normal.cross.at(column, column).to_f64();
        Ok(Some(Self {
            column_squares: (0..normal.features()).map(square).collect(),
            has_intercept: normal.intercept,
            effective_degrees,
            log_weights,
            whitening,
        }))
    }
}

/// Says what the fits of all labels say, reading the rows once more where the options ask for it.
///
/// # Errors
/// What reading the rows meets.
pub(crate) fn infer(
    data: TrainingData<'_>,
    options: InferenceOptions,
    targets: &[(&RidgeSolution, &Basis)],
    execution: &Execution,
) -> Result<Vec<Inference>> {
    let fits: Vec<Fit> = targets.iter().filter_map(|(solution, basis)| fit_of(solution, basis)).collect();
    if fits.is_empty() {
        let records =
            targets.iter().map(|(solution, basis)| record(solution, basis, options, None, basis.log_weights));
        return Ok(records.collect());
    }
    let scan = ResidualScan::new(data, fits, options)?;
    execution.progress.begin("residuals", data.source.plan().extent());
    let mut done = fold(data.source, &scan, execution)?.accumulator;
    let log_weights = done.log_weights();
    let scanned = done.take_scanned();
    if scanned.len() != targets.len() {
        return Err(CommonError::Internal("a scan of residuals lost a label".into()).into());
    }
    let mut records = Vec::with_capacity(scanned.len());
    for (((solution, basis), scanned), fit) in targets.iter().zip(scanned).zip(scan.fits()) {
        let log_weights = basis.log_weights.or(Some(log_weights));
        let variances = scanned.variances(&fit.whitening);
        let mut record = record(solution, basis, options, Some((&scanned, variances)), log_weights);
        let is_plain =
            data.columns.weight.is_none() && solution.diagnostics.alpha == 0.0 && basis.has_intercept;
        record.residuals = scanned.residuals.and_then(|sums| sums.finish(data.source.plan(), is_plain));
        if options.diagnostics && record.residuals.is_none() {
            record.notes.push(
                "no residuals to look at: the fit is exact, or has as many coefficients as rows".into(),
            );
        }
        records.push(record);
    }
    Ok(records)
}

fn fit_of(solution: &RidgeSolution, basis: &Basis) -> Option<Fit> {
    Some(Fit {
        coefficients: solution.coefficients.clone(),
        whitening: basis.whitening.clone()?,
        residual_variance: solution.diagnostics.residual_variance,
        effective_degrees: basis.effective_degrees,
    })
}

/// Robust variances of the coefficients and of the intercept.
type Variances = Option<(Vec<f64>, Option<f64>)>;

fn record(
    solution: &RidgeSolution,
    basis: &Basis,
    options: InferenceOptions,
    scanned: Option<(&Scanned, Variances)>,
    log_weights: Option<f64>,
) -> Inference {
    let diagnostics = &solution.diagnostics;
    let mut notes = Vec::new();
    let freedom = diagnostics.residual_variance.map(|_| diagnostics.rows as f64 - basis.effective_degrees);
    let reference = freedom.map(Reference::StudentT);
    let errors = match options.standard_errors {
        StandardErrors::Classical => {
            let errors = diagnostics.standard_errors.clone();
            errors.map(|errors| (errors, diagnostics.intercept_standard_error))
        }
        kind => robust(kind, (diagnostics, basis), scanned, &mut notes),
    };
    if freedom.is_none() {
        notes.push("no standard errors: there are as many coefficients as rows, which leaves nothing to estimate the noise from".into());
    } else if options.standard_errors == StandardErrors::Classical && errors.is_none() {
        notes.push(
            "no standard errors: estimates under absolute penalties or signs are not spread normally".into(),
        );
    } else if diagnostics.residual_square == 0.0 {
        notes.push("the fit is exact: standard errors are 0, and there is nothing to test".into());
    }
    if log_weights.is_none() {
        notes.push("the likelihood of a weighted fit takes one more scan: ask for `diagnostics`".into());
    }
    let tests = reference.map(|reference| CoefficientTests::new(reference, options.confidence));
    let (of_columns, of_intercept) = match (&errors, tests) {
        (Some((errors, intercept)), Some(tests)) => (
            solution.coefficients.iter().zip(errors).map(|(&value, &error)| tests.of(value, error)).collect(),
            intercept.and_then(|error| tests.of(solution.intercept, error)),
        ),
        _ => (vec![None; solution.coefficients.len()], None),
    };
    Inference {
        confidence: options.confidence,
        standard_errors: options.standard_errors,
        reference,
        intercept: of_intercept,
        coefficients: of_columns,
        variance_inflation: variance_inflation(diagnostics, basis),
        fit: FitStatistics::new(diagnostics, basis.effective_degrees, basis.has_intercept, log_weights),
        notes,
        residuals: None,
    }
}

/// Robust standard errors; a note where they are not defined.
fn robust(
    kind: StandardErrors,
    (diagnostics, basis): (&Diagnostics, &Basis),
    scanned: Option<(&Scanned, Variances)>,
    notes: &mut Vec<String>,
) -> Option<(Vec<f64>, Option<f64>)> {
    let (scanned, variances) = scanned?;
    if scanned.undefined_rows > 0 {
        notes.push(format!(
            "no {} standard errors: rows that decide their own predictions (leverage 1): {}; hc0 and hc1 are defined",
            kind.name(),
            scanned.undefined_rows
        ));
    }
    let rows = diagnostics.rows as f64;
    let factor = match kind {
        StandardErrors::Hc1 => {
            diagnostics.residual_variance.map(|_| rows / (rows - basis.effective_degrees))?
        }
        StandardErrors::Classical | StandardErrors::Hc0 | StandardErrors::Hc2 | StandardErrors::Hc3 => 1.0,
    };
    let (columns, intercept) = variances?;
    let error = |variance: f64| (variance * factor).sqrt();
    Some((columns.into_iter().map(error).collect(), intercept.map(error)))
}

fn variance_inflation(diagnostics: &Diagnostics, basis: &Basis) -> Vec<Option<f64>> {
    let alone = diagnostics.residual_variance.zip(diagnostics.standard_errors.as_ref());
    let Some((variance, errors)) = alone else { return vec![None; basis.column_squares.len()] };
    let inflation = |(error, square): (&f64, &f64)| {
        let inflation = error * error * square / variance;
        (*error > 0.0 && inflation.is_finite()).then_some(inflation)
    };
    errors.iter().zip(&basis.column_squares).map(inflation).collect()
}
