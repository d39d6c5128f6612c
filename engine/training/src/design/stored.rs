//! What a state that was read from a file must keep before it is joined: everything the fold itself takes for granted.

use sluice_core::error::Result;

use super::{Design, Gathered, Sums};
use crate::error::TrainingError;

impl Design {
    /// Refuses a state that contradicts itself; only one that was read from a file can.
    ///
    /// # Errors
    /// [`TrainingError::StateContradictory`].
    pub fn check(&self) -> Result<(), TrainingError> {
        if self.is_sound() { Ok(()) } else { Err(TrainingError::StateContradictory) }
    }

    fn is_sound(&self) -> bool {
        let labels = self.responses.labels.len();
        let Some(columns) = self.width.checked_add(labels).filter(|_| labels > 0 && self.folds > 0) else {
            return false;
        };
        match &self.gathered {
            Gathered::Whole { rows, fold_of_row } => {
                let count = rows.cells.len() / columns;
                let has_folds = if self.folds > 1 { count } else { 0 };
                rows.cells.len().is_multiple_of(columns)
                    && rows.weights.as_ref().is_none_or(|weights| weights.len() == count)
                    && rows.rounded.iter().all(|column| *column < self.width)
                    && rows.remainders.len() == rows.rounded.len() * count
                    && fold_of_row.len() == has_folds
            }
            Gathered::Summed(sums) => {
                let of_columns = |sums: &Sums| match sums {
                    Sums::Blocked(gram) => gram.as_ref().is_none_or(|gram| gram.width() == columns),
                    Sums::Exact(normal) => normal
                        .as_ref()
                        .is_none_or(|normal| normal.features() + 1 == columns && normal.check().is_ok()),
                };
                let are_alike = sums.windows(2).all(|pair| pair[0].is_exact() == pair[1].is_exact());
                sums.len() == self.folds as usize && are_alike && sums.iter().all(of_columns)
            }
        }
    }

    /// Refuses to join what was gathered of other features, labels or folds, or in another form.
    pub(super) fn check_alike(&self, other: &Self) -> Result<(), TrainingError> {
        let is_alike = self.has_columns_of(other) && self.form() == other.form();
        if is_alike { Ok(()) } else { Err(TrainingError::OtherSums) }
    }

    /// Whether features, labels and folds are the same.
    pub(super) fn has_columns_of(&self, other: &Self) -> bool {
        self.width == other.width && self.responses == other.responses && self.folds == other.folds
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(folds: u32, gathered: &Value) -> Result<(), TrainingError> {
        let responses = json!({ "labels": ["y"], "weight": null });
        let design = json!({ "width": 1, "responses": responses, "folds": folds, "gathered": gathered });
        serde_json::from_value::<Design>(design).unwrap().check()
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let whole = |cells: &[f64], weights: Value, folds: &[u32]| {
            let rows = json!({ "cells": cells, "weights": weights });
            json!({ "Whole": { "rows": rows, "fold_of_row": folds } })
        };
        let cells = [1.0, 2.0, 3.0, 4.0];
        assert!(check(1, &whole(&cells, Value::Null, &[])).is_ok());
        assert!(check(2, &whole(&cells, json!([1.0, 2.0]), &[0, 1])).is_ok());
        assert!(check(1, &whole(&cells[1..], Value::Null, &[])).is_err());
        assert!(check(1, &whole(&cells, json!([1.0]), &[])).is_err());
        assert!(check(2, &whole(&cells, Value::Null, &[0])).is_err());
        assert!(check(0, &whole(&[], Value::Null, &[])).is_err());
        assert!(check(2, &json!({ "Summed": [{ "Exact": null }, { "Exact": null }] })).is_ok());
        assert!(check(2, &json!({ "Summed": [{ "Blocked": null }, { "Exact": null }] })).is_err());
        assert!(check(1, &json!({ "Summed": [] })).is_err());
        let gram = |width: usize| {
            let gram = sluice_summaries::gram::Gram::new(vec![0.0; width], vec![1.0; width]).unwrap();
            json!({ "Summed": [{ "Blocked": serde_json::to_value(gram).unwrap() }] })
        };
        assert!(check(1, &gram(2)).is_ok());
        assert!(check(1, &gram(3)).is_err());
    }

    #[test]
    fn other_sums_are_not_joined() {
        let of = |width: usize, form: &Value| {
            let responses = json!({ "labels": ["y"], "weight": null });
            let design = json!({ "width": width, "responses": responses, "folds": 1, "gathered": form });
            serde_json::from_value::<Design>(design).unwrap()
        };
        let (blocked, exact) =
            (json!({ "Summed": [{ "Blocked": null }] }), json!({ "Summed": [{ "Exact": null }] }));
        assert!(of(1, &blocked).check_alike(&of(1, &blocked)).is_ok());
        assert!(of(1, &blocked).check_alike(&of(2, &blocked)).is_err());
        assert!(of(1, &blocked).check_alike(&of(1, &exact)).is_err());
        assert!(of(1, &exact).is_for(&of(1, &blocked)) && !of(1, &blocked).is_for(&of(1, &exact)));
    }
}
