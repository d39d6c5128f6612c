//! Tables beside the metrics of a slice: how rows of each class are predicted.

use serde::{Deserialize, Serialize};

/// Tables of one model in one slice. What does not apply is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tables {
    /// Of two classes: a matrix per threshold that a metric asks for, in the order of the metrics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confusion: Vec<ConfusionMatrix>,
    /// Of several classes, where a metric asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<ClassMatrix>,
}

impl Tables {
    /// Whether nothing applies.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.confusion.is_empty() && self.classes.is_none()
    }
}

/// The weights of rows by class and predicted class; numbers of rows where they have no weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMatrix {
    /// The classes.
    pub classes: Vec<String>,
    /// A list per class of the rows, of a weight per predicted class.
    pub weights: Vec<Vec<f64>>,
}

/// The weights of rows by class and prediction; numbers of rows where they have no weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    /// Rows whose probability is above it are predicted positive.
    pub threshold: f64,
    /// Positive rows that are predicted positive.
    pub true_positives: f64,
    /// Negative rows that are predicted positive.
    pub false_positives: f64,
    /// Negative rows that are predicted negative.
    pub true_negatives: f64,
    /// Positive rows that are predicted negative.
    pub false_negatives: f64,
}
