//! The kinds of formulas.

use super::dual::Dual;
use super::{ConfusionFormula, Undefined};
use crate::measure::Term;

/// How a metric follows from the rows.
#[derive(Clone, Debug)]
pub(crate) enum Formula {
    /// From means of numbers per row.
    Moments(MomentFormula),
    /// From a confusion matrix at a threshold.
    Confusion(ConfusionFormula),
}

/// A smooth function of means.
#[derive(Clone, Debug)]
pub(crate) struct MomentFormula {
    /// What the means are of.
    pub(crate) terms: Vec<Term>,
    /// From the means.
    pub(crate) value: fn(&[Dual]) -> Result<Dual, Undefined>,
}
