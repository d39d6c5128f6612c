//! The largest of numbers per row, per slice and model.

use serde::{Deserialize, Serialize};

use super::Pair;
use super::term::{Answers, Term};
use crate::metric::Side;

/// Of which terms.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct MaximumPlan {
    terms: Vec<Term>,
}

impl MaximumPlan {
    pub(crate) fn add(&mut self, term: Term) {
        if !self.terms.contains(&term) {
            self.terms.push(term);
        }
    }

    /// Numbers per slice: of both models, whether there is a baseline or not.
    fn len(&self) -> usize {
        2 * self.terms.len()
    }

    fn place(&self, term: Term, side: Side) -> Option<usize> {
        let place = self.terms.iter().position(|known| *known == term)?;
        Some(2 * place + usize::from(side == Side::Baseline))
    }

    /// The terms of the rows of both models, by their places.
    pub(crate) fn columns(&self, pair: &Pair<'_>) -> Vec<(usize, Vec<f64>)> {
        let mut columns = Vec::new();
        for (place, term) in self.terms.iter().enumerate() {
            let answers = pair.answers();
            columns.push((2 * place, term.values(answers)));
            if let Some(predictions) = pair.baseline.as_deref() {
                columns.push((2 * place + 1, term.values(Answers { predictions, ..answers })));
            }
        }
        columns
    }
}

/// The largest numbers of every slice of one grouping; negative infinity where there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Maxima {
    terms: usize,
    largest: Vec<f64>,
}

impl Maxima {
    pub(crate) fn new(plan: &MaximumPlan) -> Self {
        Self { terms: plan.len(), largest: Vec::new() }
    }

    pub(crate) fn grow(&mut self, groups: usize) {
        if groups * self.terms > self.largest.len() {
            self.largest.resize(groups * self.terms, f64::NEG_INFINITY);
        }
    }

    /// Adds rows of groups. A row of weight 0 is as if it were not there.
    pub(crate) fn add(
        &mut self,
        columns: &[(usize, Vec<f64>)],
        weight: Option<&[f64]>,
        group_of: impl Fn(usize) -> usize,
    ) {
        for (place, values) in columns {
            for (row, value) in values.iter().enumerate() {
                if weight.is_some_and(|weight| weight[row] == 0.0) {
                    continue;
                }
                raise(&mut self.largest[group_of(row) * self.terms + place], *value);
            }
        }
    }

    pub(crate) fn merge(&mut self, later: &Self, groups: usize, numbers: &[u32]) {
        self.grow(groups);
        for (theirs, values) in later.largest.chunks(std::cmp::max(self.terms, 1)).enumerate() {
            let first = numbers[theirs] as usize * self.terms;
            for (mine, value) in self.largest[first..].iter_mut().zip(values) {
                raise(mine, *value);
            }
        }
    }

    /// Whether the parts fit one another, as those of a restored state might not.
    pub(crate) fn is_sound(&self, plan: &MaximumPlan, groups: usize) -> bool {
        self.terms == plan.len() && groups.checked_mul(self.terms) == Some(self.largest.len())
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.largest.capacity() * size_of::<f64>()
    }

    /// The largest number of one slice.
    pub(crate) fn of(&self, plan: &MaximumPlan, group: usize, term: Term, side: Side) -> f64 {
        let place = plan.place(term, side).map(|place| group * self.terms + place);
        place.and_then(|place| self.largest.get(place).copied()).unwrap_or(f64::NEG_INFINITY)
    }
}

fn raise(largest: &mut f64, value: f64) {
    if value > *largest {
        *largest = value;
    }
}
