//! From the end of the iteration to the model: coefficients in the units of the features, standard errors, deviance.
//!
//! The covariance is that of the penalised estimate, not counting its bias: φ A⁻¹ F A⁻¹ with the expected information
//! F, A = F + L2, and the dispersion φ; without penalty φ F⁻¹. With more than two classes F is singular along the sums over the
//! classes, and the same formula is its pseudo-inverse. With absolute penalties there is no such formula.
//!
//! Log-likelihoods: of classes minus the loss; of power 1 Σ w(y ln μ − μ − ln Γ(y + 1)); of power 2, without weights,
//! that of the Gamma distribution with shape 1/φ. AIC and BIC do not count φ as a parameter (as in statsmodels).

use std::ops::Range;

use statrs::function::gamma::ln_gamma;

use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result;

use super::family::Family;
use super::newton::{Evaluated, Optimum, Problem};
use super::record::{Convergence, EquationTests, GlmRecord};
use super::scan::{Point, Scaling};
use super::{Fit, Label};
use crate::error::SolveError;
use crate::inference::{CoefficientTests, Reference};
use crate::model::{Coefficient, LinearModel, Link, Output};
use crate::solve::{Diagnostics, Method, Precision};

/// The coverage of intervals.
const CONFIDENCE: f64 = 0.95;

/// What came of the iteration on all rows.
pub(super) struct Fitted {
    /// Where the statistics were taken.
    end: Evaluated,
    /// After the last step, in scaled columns.
    coefficients: Vec<f64>,
    convergence: Convergence,
    method: &'static str,
    /// Coefficients whose columns are 0 throughout.
    constant: Vec<usize>,
    /// Coefficients that others determine.
    aliased: Vec<usize>,
    /// Coefficients and intercepts that count.
    parameters: f64,
    condition: f64,
    /// Absent with absolute penalties.
    precision: Option<Precision>,
}

/// Gathers what the statistics need; `at_end` are the sums after the last step, where they were taken.
pub(super) fn fitted(
    problem: &Problem<'_>,
    optimum: Optimum,
    at_end: Option<Evaluated>,
    method: &'static str,
    started_on_rows: Option<u64>,
) -> Result<Fitted> {
    let Optimum { evaluated, mut coefficients, iterations, objectives, last_step } = optimum;
    let end = at_end.unwrap_or(evaluated);
    centre(&end.point, &mut coefficients);
    let has_absolute = problem.absolute.iter().any(|penalty| *penalty > 0.0);
    let solved = if has_absolute { None } else { Some(problem.system(&end)?) };
    let precision = solved.as_ref().map(|solved| solved.precision(&end.sums.information()));
    // Sums over the classes are not determined: one intercept fewer.
    let free = usize::from(matches!(end.point.family, Family::Softmax(_)) && end.point.intercept);
    let nonzero = coefficients.iter().filter(|coefficient| **coefficient != 0.0).count();
    let parameters = match &precision {
        None => nonzero.saturating_sub(free) as f64,
        // Without a penalty it is a whole number but for rounding.
        Some(precision) if !(problem.alpha > 0.0) => precision.effective_degrees.round(),
        Some(precision) => precision.effective_degrees,
    };
    Ok(Fitted {
        convergence: Convergence { iterations, started_on_rows, objectives, last_step },
        method,
        constant: solved.as_ref().map_or_else(Vec::new, |solved| solved.constant().to_vec()),
        aliased: solved.as_ref().map_or_else(Vec::new, |solved| solved.aliased().to_vec()),
        parameters,
        condition: precision.as_ref().map_or(1.0, |precision| precision.condition),
        precision,
        coefficients,
        end,
    })
}

/// Takes the mean over the classes off the intercepts, which changes no prediction.
fn centre(point: &Point, coefficients: &mut [f64]) {
    let Family::Softmax(classes) = point.family else { return };
    if !point.intercept {
        return;
    }
    let columns = point.columns();
    let mean = coefficients.iter().step_by(columns).sum::<f64>() / classes as f64;
    coefficients.iter_mut().step_by(columns).for_each(|intercept| *intercept -= mean);
}

/// The model with its record.
pub(super) fn model(fit: &Fit<'_>, label: &Label, null: &Optimum, fitted: Fitted) -> Result<LinearModel> {
    let family = fitted.end.point.family;
    let sums = &fitted.end.sums;
    let rows = sums.rows;
    let pearson = sums.pearson.iter().fold(DoubleDouble::ZERO, |sum, own| sum + *own).to_f64();
    let degrees_left = rows as f64 - fitted.parameters;
    let dispersion = match family {
        Family::Power(power) if power > 1.0 => (degrees_left > 1e-9 * rows as f64)
            .then(|| pearson / degrees_left)
            .filter(|value| value.is_finite()),
        _ => Some(1.0),
    };
    let names = fit.data.transform.space().column_names();
    let outputs = (0..family.predictors()).map(|class| {
        let target = match family {
            Family::Softmax(_) => label.reader.label.classes[class].to_string(),
            Family::Logistic | Family::Power(_) => fit.data.columns.label.clone(),
        };
        output(&fitted, class, target, &names, (fit.options.alpha, dispersion, null))
    });
    let outputs: Vec<Output> =
        outputs.collect::<Result<_, SolveError>>().map_err(|error| fit.data.failed(error))?;
    let mut record = record(fit, label, null, &fitted, (pearson, dispersion));
    record.tests = outputs.iter().filter_map(tests).collect();
    Ok(LinearModel {
        family: fit.distribution.name().into(),
        label: fit.data.columns.label.clone(),
        label_mean: label_mean(label),
        column_means: sums.column_means(&fitted.end.point, label.summary.weight),
        link: match family {
            Family::Logistic => Link::Logit,
            Family::Softmax(_) => Link::Softmax,
            Family::Power(_) => Link::Log,
        },
        method: fitted.method.into(),
        rows,
        outputs,
        calibration: None,
        glm: Some(Box::new(record)),
    })
}

/// The tests of an equation that has standard errors.
fn tests(output: &Output) -> Option<EquationTests> {
    let errors = output.diagnostics.standard_errors.as_ref()?;
    let test = CoefficientTests::new(Reference::Normal, CONFIDENCE);
    let coefficients = output.coefficients.iter().zip(errors);
    Some(EquationTests {
        intercept: output
            .diagnostics
            .intercept_standard_error
            .and_then(|error| test.of(output.intercept, error)),
        coefficients: coefficients.map(|(coefficient, error)| test.of(coefficient.value, *error)).collect(),
    })
}

/// The weighted mean of the label, or the share of the positive class.
fn label_mean(label: &Label) -> f64 {
    let total = label.summary.weight;
    match &label.positive {
        Some(positive) => {
            label.summary.classes.get(positive).map_or(0.0, |(_, weight)| (*weight / total).to_f64())
        }
        // More than two classes have no mean.
        None if !label.classes.is_empty() => 0.0,
        None => (label.summary.sum / total).to_f64(),
    }
}

/// The intercept of an equation, where features are 0, and what it takes of each scaled coefficient.
fn intercept_of(fitted: &Fitted, own: Range<usize>) -> (f64, Vec<f64>) {
    let point = &fitted.end.point;
    let first = usize::from(point.intercept);
    let Scaling { shift, scale } = point.scaling.as_ref();
    let scaled = &fitted.coefficients[own.clone()];
    let mut factors = vec![0.0; fitted.coefficients.len()];
    let mut intercept = DoubleDouble::ZERO;
    if point.intercept {
        factors[own.start] = 1.0;
        intercept = DoubleDouble::from(scaled[0]);
    }
    for (column, (shift, scale)) in shift.iter().zip(scale).enumerate() {
        let factor = -(shift * scale);
        factors[own.start + first + column] = if point.intercept { factor } else { 0.0 };
        intercept = intercept + DoubleDouble::product(scaled[first + column], factor);
    }
    (intercept.to_f64(), factors)
}

/// One equation, in the units of the features.
fn output(
    fitted: &Fitted,
    class: usize,
    target: String,
    names: &[String],
    (alpha, dispersion, null): (f64, Option<f64>, &Optimum),
) -> Result<Output, SolveError> {
    let point = &fitted.end.point;
    let columns = point.columns();
    let first = usize::from(point.intercept);
    let own = class * columns..(class + 1) * columns;
    let scale = &point.scaling.scale;
    let coefficients: Vec<f64> = fitted.coefficients[own.start + first..own.end]
        .iter()
        .zip(scale)
        .map(|(value, scale)| value * scale)
        .collect();
    if let Some(feature) = coefficients.iter().position(|value| !value.is_finite()) {
        return Err(SolveError::CoefficientNotFinite { feature });
    }
    let (intercept, factors) = intercept_of(fitted, own.clone());
    if !intercept.is_finite() {
        return Err(SolveError::InterceptNotFinite);
    }
    let feature = |index: &usize| {
        (own.contains(index) && *index >= own.start + first).then(|| index - own.start - first)
    };
    let errors = fitted.precision.as_ref().zip(dispersion).map(|(precision, dispersion)| {
        let variances = precision.variances();
        let of_features = variances[own.start + first..own.end].iter().zip(scale);
        let errors: Vec<f64> =
            of_features.map(|(variance, scale)| (dispersion * variance).sqrt() * scale).collect();
        (errors, (dispersion * precision.variance_of(&factors)).sqrt())
    });
    let dropped = fitted.constant.iter().chain(&fitted.aliased).filter_map(feature).count();
    let (standard_errors, intercept_error) = errors.unzip();
    let diagnostics = Diagnostics {
        alpha,
        rows: fitted.end.sums.rows,
        rank: coefficients.len() - dropped,
        constant: fitted.constant.iter().filter_map(feature).collect(),
        aliased: fitted.aliased.iter().filter_map(feature).collect(),
        condition: fitted.condition,
        effective_degrees: Some(fitted.parameters),
        residual_square: fitted.end.sums.pearson[class].to_f64(),
        label_square: null.evaluated.sums.pearson[class].to_f64(),
        residual_variance: dispersion,
        standard_errors,
        intercept_standard_error: intercept_error.filter(|_| point.intercept),
        method: Method::Refined,
        refinements: fitted.convergence.iterations as usize,
    };
    Ok(Output {
        target,
        alpha,
        l1_ratio: None,
        intercept,
        coefficients: Coefficient::named(names, &coefficients),
        diagnostics,
        inference: None,
        cross_validation: None,
    })
}

fn record(
    fit: &Fit<'_>,
    label: &Label,
    null: &Optimum,
    fitted: &Fitted,
    (pearson, dispersion): (f64, Option<f64>),
) -> GlmRecord {
    let family = fitted.end.point.family;
    let loss = fitted.end.sums.loss.to_f64();
    let null_loss = null.evaluated.sums.loss.to_f64();
    let log_likelihood = log_likelihood(fit, label, loss, dispersion).filter(|value| value.is_finite());
    let rows = fitted.end.sums.rows as f64;
    let criterion = |factor: f64| log_likelihood.map(|value| factor * fitted.parameters - 2.0 * value);
    let mut notes = Vec::new();
    if fit.options.alpha > 0.0 {
        notes.push(if fitted.precision.is_some() {
            "standard errors are those of the penalised estimate, which is biased towards 0".to_owned()
        } else {
            "a penalty on magnitudes leaves no standard errors".to_owned()
        });
    }
    if log_likelihood.is_none() {
        notes.push("the likelihood has no closed form here, so there is no AIC and no BIC".to_owned());
    }
    GlmRecord {
        power: match family {
            Family::Power(power) => Some(power),
            Family::Logistic | Family::Softmax(_) => None,
        },
        l1_ratio: fit.options.l1_ratio,
        offsets: label.reader.offsets.clone(),
        classes: label.classes.clone(),
        positive: label.positive.clone(),
        deviance: 2.0 * loss,
        null_deviance: 2.0 * null_loss,
        pseudo_r_squared: (null_loss > 0.0).then(|| 1.0 - loss / null_loss),
        log_likelihood,
        aic: criterion(2.0),
        bic: criterion(rows.ln()),
        parameters: fitted.parameters,
        pearson_chi_square: Some(pearson).filter(|value| value.is_finite()),
        dispersion,
        tests: Vec::new(),
        convergence: fitted.convergence.clone(),
        notes,
    }
}

/// The logarithm of the likelihood, where it has a closed form.
fn log_likelihood(fit: &Fit<'_>, label: &Label, loss: f64, dispersion: Option<f64>) -> Option<f64> {
    let constant = label.summary.constant.to_f64();
    match label.reader.label.family {
        Family::Logistic | Family::Softmax(_) => Some(-loss),
        Family::Power(1.0) => Some(constant - loss),
        Family::Power(2.0) if fit.data.columns.weight.is_none() => {
            let shape = 1.0 / dispersion?;
            let rows = label.summary.rows as f64;
            Some(rows * (shape * shape.ln() - ln_gamma(shape) - shape) - shape * loss + constant)
        }
        Family::Power(_) => None,
    }
}
