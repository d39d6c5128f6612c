//! The table of regression metrics and the two formulas of each: its value, and its change from baseline to
//! candidate. Notation as in [`super::sums`]; means are over the rows of a slice.
//!
//! | metric | value | variance of one row's contribution to the change |
//! |---|---|---|
//! | `mse` | mean e² | var d |
//! | `rmse` | √ mean e² | delta method, α and β = 1/(2 rmse) of candidate and baseline: var(αu − βv), computed as var(αd + (α−β)v) |
//! | `mae` | mean \|e\| | var g |
//! | `r2` | 1 − Σe² / Σ(y − ȳ)², ȳ of the slice | delta method on −mean d / mean w, w = (y − ȳ)²: var(d − Dw) / w̄², D = d̄/w̄ |
//! | `mean_error` | mean e | var h |
//!
//! `rmse` of a model without any error: its own term has no variance and drops out. R² of a constant label is
//! undefined (scikit-learn answers 0 or 1 there, which no bound should be compared with).

use sluice_core::double_double::DoubleDouble;

use super::sums::{Summary, Term};
use super::{Direction, Metric, Side, Undefined};
use crate::comparison::Estimate;

/// All metrics. A new one is a line here, with its two functions below.
pub static METRICS: &[Metric] = &[
    Metric {
        name: "rmse",
        meaning: "root of the mean squared error",
        direction: Direction::LowerIsBetter,
        value: rmse,
        change: rmse_change,
    },
    Metric {
        name: "mse",
        meaning: "mean squared error",
        direction: Direction::LowerIsBetter,
        value: mse,
        change: mse_change,
    },
    Metric {
        name: "mae",
        meaning: "mean absolute error",
        direction: Direction::LowerIsBetter,
        value: mae,
        change: mae_change,
    },
    Metric {
        name: "r2",
        meaning: "share of the label's variance that is explained",
        direction: Direction::HigherIsBetter,
        value: r2,
        change: r2_change,
    },
    Metric {
        name: "mean_error",
        meaning: "mean of prediction minus label",
        direction: Direction::ZeroIsBest,
        value: mean_error,
        change: mean_error_change,
    },
];

type Value = Result<f64, Undefined>;
type Change = Result<Estimate, Undefined>;

fn finite(value: DoubleDouble) -> Value {
    if value.high.is_finite() { Ok(value.high) } else { Err(Undefined::TooLarge) }
}

fn mse(summary: &Summary<'_>, side: Side) -> Value {
    finite(summary.mean(side.choose(Term::SquaredError, Term::BaselineSquaredError)))
}

fn mse_change(summary: &Summary<'_>) -> Change {
    mean_change(summary, Term::SquareChange, Term::SquareChangeSquare)
}

fn mae(summary: &Summary<'_>, side: Side) -> Value {
    finite(summary.mean(side.choose(Term::AbsoluteError, Term::BaselineAbsoluteError)))
}

fn mae_change(summary: &Summary<'_>) -> Change {
    mean_change(summary, Term::AbsoluteChange, Term::AbsoluteChangeSquare)
}

fn mean_error(summary: &Summary<'_>, side: Side) -> Value {
    finite(summary.mean(side.choose(Term::Error, Term::BaselineError)))
}

fn mean_error_change(summary: &Summary<'_>) -> Change {
    mean_change(summary, Term::PredictionChange, Term::PredictionChangeSquare)
}

fn rmse(summary: &Summary<'_>, side: Side) -> Value {
    Ok(mse(summary, side)?.sqrt())
}

fn rmse_change(summary: &Summary<'_>) -> Change {
    let (candidate, baseline) = (rmse(summary, Side::Candidate)?, rmse(summary, Side::Baseline)?);
    let difference = if candidate + baseline > 0.0 {
        summary.mean(Term::SquareChange).high / (candidate + baseline)
    } else {
        0.0
    };
    let gradient = if candidate > 0.0 { 0.5 / candidate } else { 0.0 };
    // α − β; where one side has no error at all, its term is constant.
    let excess = if !(baseline > 0.0) {
        0.0
    } else if candidate > 0.0 {
        -0.5 * (difference / candidate / baseline)
    } else {
        -0.5 / baseline
    };
    let change = summary.centred_square(Term::SquareChange, Term::SquareChangeSquare);
    let level = summary.centred_square(Term::BaselineSquaredError, Term::BaselineFourthPower);
    let both = summary.centred_product(
        Term::SquareChange,
        Term::BaselineSquaredError,
        Term::SquareChangeTimesBaseline,
    );
    let variance = change * gradient * gradient + both * gradient * excess * 2.0 + level * excess * excess;
    estimate(summary, difference, variance)
}

fn r2(summary: &Summary<'_>, side: Side) -> Value {
    let residual = summary.sum(side.choose(Term::SquaredError, Term::BaselineSquaredError));
    finite(DoubleDouble::ONE - residual / label_square(summary)?)
}

fn r2_change(summary: &Summary<'_>) -> Change {
    let spread = label_square(summary)? / summary.count();
    let change = summary.mean(Term::SquareChange);
    let ratio = change / spread;
    // Sums of d·w and w² with w = (t − o)², o the mean of t, so that t − o = y − ȳ.
    let o = summary.mean(Term::Label);
    let change_spread = summary.sum(Term::SquareChangeTimesLabelSquare)
        - o * summary.sum(Term::SquareChangeTimesLabel) * 2.0
        + o * o * summary.sum(Term::SquareChange);
    let spread_square = summary.sum(Term::LabelFourthPower) - o * summary.sum(Term::LabelCube) * 4.0
        + o * o * summary.sum(Term::LabelSquare) * 6.0
        - o * o * o * summary.sum(Term::Label) * 3.0;
    let both = change_spread - summary.count() * change * spread;
    let level = spread_square - summary.count() * spread * spread;
    let variance = summary.centred_square(Term::SquareChange, Term::SquareChangeSquare) - ratio * both * 2.0
        + ratio * ratio * level;
    estimate(summary, -ratio.high, variance / (spread * spread))
}

/// Σ(y − ȳ)², which must not be zero.
fn label_square(summary: &Summary<'_>) -> Result<DoubleDouble, Undefined> {
    let square = summary.centred_square(Term::Label, Term::LabelSquare);
    finite(square)?;
    if square.high > 0.0 { Ok(square) } else { Err(Undefined::ConstantLabel) }
}

/// The paired t of a mean of per-row differences.
fn mean_change(summary: &Summary<'_>, term: Term, square: Term) -> Change {
    estimate(summary, summary.mean(term).high, summary.centred_square(term, square))
}

/// From the centred sum of squares of the rows' contributions.
fn estimate(summary: &Summary<'_>, difference: f64, centred: DoubleDouble) -> Change {
    let rows = summary.rows();
    Estimate::new(difference, centred.high / rows.saturating_sub(1) as f64, rows)
}
