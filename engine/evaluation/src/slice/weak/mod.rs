//! Weak slices: parts of the rows on which a model is worse than on the others, by more than chance.
//!
//! Conditions are a value of a column, or a bucket of a number; a slice has up to three. One scan finds the values and
//! cut points, then there is one per number of conditions (of two conditions several, where columns are very many): it
//! adds up the losses of all slices that have enough rows, as their parents have. A slice is tested
//!
//! - against the rows outside, and
//! - where it has several conditions, against the rest of each slice that has one condition fewer: what is as bad
//!   without a condition is not a slice of its own.
//!
//! Both by Welch's test, one-sided; the larger p-value counts, since all of it has to be so. Over all slices that were
//! tested the false discovery rate is controlled (Benjamini & Hochberg). A third condition is added to those slices of
//! two that stand out most (`beam`). After Y. Chung, T. Kraska, N. Polyzotis, K. H. Tae, S. E. Whang, "Slice Finder:
//! automated data slicing for model validation" (2019), whose effect size is reported; it stops at the first condition
//! that is bad, here a slice is marked where a smaller one explains it.

mod columns;
mod figures;
mod options;
mod scan;
mod search;

use serde::{Deserialize, Serialize};

use crate::evaluation::SliceKey;

pub use options::WeakSliceOptions;
pub use search::find_weak_slices;

/// What a search found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeakSlices {
    /// The label column.
    pub label: String,
    /// The metric that is the mean of the losses.
    pub loss: String,
    /// All rows.
    pub rows: u64,
    /// The mean loss of all rows.
    pub mean_loss: f64,
    /// The rows that a slice had to have.
    pub minimum_rows: u64,
    /// The false discovery rate.
    pub level: f64,
    /// The columns that conditions are about.
    pub columns: Vec<String>,
    /// How many slices were tested.
    pub num_tested: u64,
    /// How many of them are weak; those beyond [`MAX_REPORTED`] are not listed.
    pub num_weak: u64,
    /// The weak ones, the largest effect size first.
    pub slices: Vec<WeakSlice>,
}

/// Weak slices that are listed, at most.
pub const MAX_REPORTED: usize = 1_000;

/// A slice on which the model is worse than on the other rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeakSlice {
    /// Its conditions.
    pub slice: SliceKey,
    /// Its rows.
    pub rows: u64,
    /// Its share of all rows.
    pub share: f64,
    /// The mean loss of its rows.
    pub loss_inside: f64,
    /// The mean loss of the other rows.
    pub loss_outside: f64,
    /// Inside minus outside; where more is better, outside minus inside.
    pub effect: f64,
    /// The standard error of the effect.
    pub standard_error: f64,
    /// The effect in standard deviations of a row; `null` where losses do not vary at all.
    pub effect_size: Option<f64>,
    /// The largest of its tests, one-sided.
    pub p_value: f64,
    /// The least false discovery rate at which it is reported.
    pub q_value: f64,
    /// A weak slice that is a part of this one, without which this one is not weak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explained_by: Option<SliceKey>,
}

#[cfg(test)]
mod tests;
