//! What a network reads: numeric features as `f32`, categorical ones as ids, and the label.

use serde::{Deserialize, Serialize};

use sluice_core::options::OptionsError;

use crate::error::NetworkError;

/// The features in the order of their columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputLayout {
    /// Numeric features.
    pub numeric: Vec<String>,
    /// Categorical features.
    #[serde(default)]
    pub categorical: Vec<CategoricalInput>,
}

/// A feature whose values are ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoricalInput {
    /// The feature.
    pub name: String,
    /// How many ids there are: they are below this, from 0.
    pub ids: u32,
}

impl InputLayout {
    /// # Errors
    /// [`OptionsError::Conflict`] where there is no feature at all, or one without ids.
    pub fn check(&self) -> Result<(), OptionsError> {
        let conflict = |name: &str, problem: &str| {
            Err(OptionsError::Conflict { name: name.into(), problem: problem.into(), hint: None })
        };
        if self.numeric.is_empty() && self.categorical.is_empty() {
            return conflict("network", "has no feature to read; let the transform name some");
        }
        match self.categorical.iter().find(|input| input.ids == 0) {
            Some(input) => conflict(&input.name, "has no id: its vocabulary is empty"),
            None => Ok(()),
        }
    }
}

/// What is predicted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelLayout {
    /// The column.
    pub name: String,
    /// The classes in the order of their numbers, as text; empty where the label is a number.
    #[serde(default)]
    pub classes: Vec<String>,
}

impl LabelLayout {
    /// "is a number" or "has 3 classes".
    pub(crate) fn in_words(&self) -> String {
        match self.classes.len() {
            0 => "is a number".into(),
            1 => "has 1 class".into(),
            count => format!("has {count} classes"),
        }
    }
}

/// Rows that a network reads, row after row.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Rows.
    pub rows: usize,
    /// The numeric features, `rows` times as many as there are.
    pub numeric: &'a [f32],
    /// The ids, `rows` times as many as there are categorical features.
    pub ids: &'a [u32],
}

impl Inputs<'_> {
    /// # Errors
    /// [`NetworkError`] for slices of another length, a value that is NaN or infinite, an id that is not there; with row
    /// and feature.
    pub fn check(&self, layout: &InputLayout) -> Result<(), NetworkError> {
        let columns = layout.numeric.len();
        for (what, found, per_row) in [
            ("numeric features", self.numeric.len(), columns),
            ("ids", self.ids.len(), layout.categorical.len()),
        ] {
            let expected = self.rows * per_row;
            if found != expected {
                return Err(NetworkError::LengthMismatch { what, found, expected });
            }
        }
        // One sum tells whether any value is not finite; only then is it looked for.
        let finite = self.numeric.iter().all(|value| value.is_finite());
        if let (false, Some(at)) = (finite, self.numeric.iter().position(|value| !value.is_finite())) {
            return Err(NetworkError::FeatureNotFinite {
                feature: layout.numeric[at % columns].clone(),
                row: at / columns,
                value: self.numeric[at],
            });
        }
        let features = layout.categorical.len();
        for (row, ids) in self.ids.chunks_exact(features.max(1)).enumerate() {
            for (input, id) in layout.categorical.iter().zip(ids) {
                if *id >= input.ids {
                    return Err(NetworkError::IdOutOfRange {
                        feature: input.name.clone(),
                        row,
                        id: *id,
                        ids: input.ids,
                    });
                }
            }
        }
        Ok(())
    }
}
