//! The kinds of formulas.

use std::sync::Arc;

use sluice_expressions::Expression;

use super::dual::Dual;
use super::{ClassFormula, ConfusionFormula, Statistic, Undefined};
use crate::measure::Term;

/// Terms of a formula of which products are summed up: hits, labels and predictions of 8 labels.
const MOST_TERMS: usize = 24;

/// How a metric follows from the rows.
#[derive(Clone, Debug)]
pub(crate) enum Formula {
    /// From means of numbers per row.
    Moments(MomentFormula),
    /// From a confusion matrix at a threshold.
    Confusion(ConfusionFormula),
    /// From the order of the rows.
    Ranked(Statistic),
    /// The largest of numbers per row.
    Maximum(Term),
    /// From ranges of the predicted probability.
    Bins(BinFormula),
    /// From a matrix of several classes.
    Classes(ClassFormula),
    /// The mean of an expression over columns and predictions.
    Expression(ExpressionFormula),
}

/// The mean of an expression.
#[derive(Clone, Debug)]
pub(crate) struct ExpressionFormula {
    /// The metric's name.
    pub(crate) name: String,
    /// As it is written.
    pub(crate) text: String,
    /// The same, once it is known which columns there are.
    pub(crate) bound: Option<Arc<Expression>>,
}

impl MomentFormula {
    /// Whether its errors are known from sums: of very many terms their products would be too many.
    pub(crate) fn has_errors(&self) -> bool {
        self.terms.len() <= MOST_TERMS
    }

    /// The same of so many labels, of which the one at `named` is meant.
    pub(crate) fn of_labels(&self, labels: usize, named: usize) -> Self {
        let expanded = |term: &Term| -> Vec<Term> {
            match term {
                Term::Labels(term) => term.expanded(labels, named).into_iter().map(Term::Labels).collect(),
                term => vec![*term],
            }
        };
        Self { terms: self.terms.iter().flat_map(expanded).collect(), value: self.value }
    }

    /// Whether it is of one of several labels.
    pub(crate) fn is_of_label(&self) -> bool {
        self.terms.iter().any(|term| matches!(term, Term::Labels(term) if term.is_named()))
    }

    /// Whether it is a share of rows.
    pub(crate) fn is_share(&self) -> bool {
        matches!(self.terms[..], [term] if term.is_of_share())
    }
}

/// The mean distance of probability and frequency over so many ranges of equal width.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BinFormula {
    pub(crate) bins: usize,
}

/// A smooth function of means.
#[derive(Clone, Debug)]
pub(crate) struct MomentFormula {
    /// What the means are of.
    pub(crate) terms: Vec<Term>,
    /// From the means.
    pub(crate) value: fn(&[Dual]) -> Result<Dual, Undefined>,
}
