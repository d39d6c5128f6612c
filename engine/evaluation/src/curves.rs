//! What plots of an evaluation show: curves of one model in one slice, of at most some hundred points each.

use serde::{Deserialize, Serialize};

/// The curves of one model in one slice. What does not apply, or was not asked for, is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// False positive rate against true positive rate, from the highest threshold to the lowest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roc: Vec<CurvePoint>,
    /// Recall against precision, from the highest threshold to the lowest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub precision_recall: Vec<CurvePoint>,
    /// Predictions against labels, by ranges of the prediction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calibration: Vec<CalibrationBin>,
    /// Of regression: how the errors (prediction minus label) are spread.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorBin>,
}

/// A point of a curve over thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Rows whose prediction is above it are predicted positive; none: no row is.
    pub threshold: Option<f64>,
    /// The horizontal place.
    pub x: f64,
    /// The vertical place.
    pub y: f64,
}

/// The rows whose prediction lies in a range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// The range: above `low` (the first: from it on), up to `high`.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Its rows.
    pub rows: u64,
    /// Their weight.
    pub weight: f64,
    /// The weighted mean of their predictions.
    pub mean_prediction: f64,
    /// The weighted mean of their labels.
    pub mean_label: f64,
}

/// The rows whose error lies in a range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorBin {
    /// The range, its lower end included.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// The weight of its rows.
    pub weight: f64,
}
