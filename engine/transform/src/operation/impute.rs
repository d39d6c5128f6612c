//! Impute: replaces null and NaN by a constant, or by the mean, the median or the most frequent value of the
//! training rows. Infinities are values and stay. Among equally frequent values the smallest wins
//! (scikit-learn's `SimpleImputer`). The median is the inverted-CDF median, so that it is a value of the data;
//! scikit-learn averages the two middle ones instead. Past 2,048 distinct values the median is approximate, past
//! 8,192 the most frequent value is, within the bounds of their summaries.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, StringViewArray};
use serde::{Deserialize, Serialize};

use sluice_core::column::{Column, numbers};
use sluice_core::error::Result;

/// The value that goes in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// Into a column of numbers.
    Number(f64),
    /// Into a column of text.
    Text(String),
    /// Into a column of booleans.
    Boolean(bool),
}

impl Fill {
    /// As text, for looking it up among levels.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Number(value) => format!("{value}"),
            Self::Text(text) => text.clone(),
            Self::Boolean(value) => value.to_string(),
        }
    }

    pub(crate) fn apply(&self, name: &str, values: &ArrayRef) -> Result<ArrayRef> {
        match self {
            Self::Number(fill) => {
                let values = numbers(name, values, "`impute`")?;
                if values.null_count() == 0 && !values.values().iter().any(|value| value.is_nan()) {
                    return Ok(Arc::new(values));
                }
                let filled: Float64Array = values
                    .iter()
                    .map(|value| Some(value.filter(|value| !value.is_nan()).unwrap_or(*fill)))
                    .collect();
                Ok(Arc::new(filled))
            }
            Self::Text(fill) => {
                if values.logical_null_count() == 0 {
                    return Ok(Arc::clone(values));
                }
                let view = Column::view(values);
                let filled: StringViewArray =
                    (0..values.len()).map(|row| Some(view.text(row).unwrap_or(fill))).collect();
                Ok(Arc::new(filled))
            }
            Self::Boolean(fill) => match Column::view(values) {
                Column::Boolean(booleans) => {
                    let filled: BooleanArray =
                        booleans.iter().map(|value| Some(value.unwrap_or(*fill))).collect();
                    Ok(Arc::new(filled))
                }
                _ => Ok(Arc::clone(values)),
            },
        }
    }
}
