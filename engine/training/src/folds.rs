//! What least squares needs of the rows, apart for each fold of a cross-validation, in one scan.
//!
//! The fold of a row follows from its identity: see [`sluice_core::folds`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::{Inputs, RowIdentity};
use sluice_core::error::{CommonError, Result};
pub use sluice_core::folds::{FOLD_SEED, fold_of};
use sluice_core::group::GroupMap;
use sluice_core::seam::BatchTransform;

use crate::design::{Design, FEATURES, Gathered, each_block, labels};

/// Rows of a fold that are added up at a time, so that memory stays small: folds x these x columns.
const FLUSH_ROWS: usize = 512;

/// What is gathered of each fold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FoldsGathered {
    /// All rows in their order, row-major, the label last; and the fold of each.
    Whole {
        /// The rows.
        rows: Vec<f64>,
        /// Their folds.
        fold_of_row: Vec<u32>,
    },
    /// The sums of each fold, all of one form.
    Summed(Vec<Gathered>),
}

/// The accumulator over transformed rows, their label and their fold.
#[derive(Clone, Serialize, Deserialize)]
pub struct FoldedDesign {
    #[serde(skip)]
    transform: Option<Arc<dyn BatchTransform>>,
    #[serde(skip)]
    identity: Option<RowIdentity>,
    width: usize,
    label: String,
    folds: u32,
    gathered: FoldsGathered,
}

impl std::fmt::Debug for FoldedDesign {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("FoldedDesign")
            .field("width", &self.width)
            .field("label", &self.label)
            .field("folds", &self.folds)
            .finish_non_exhaustive()
    }
}

impl FoldedDesign {
    /// What `design` gathers, in the same form, apart for each of `folds` folds of `identity`.
    #[must_use]
    pub fn new(design: Design, identity: &RowIdentity, folds: u32) -> Self {
        let width = design.width();
        let (transform, label, form) = design.into_parts();
        let gathered = match form {
            Gathered::Whole(_) => FoldsGathered::Whole { rows: Vec::new(), fold_of_row: Vec::new() },
            form => FoldsGathered::Summed((0..folds).map(|_| form.empty()).collect()),
        };
        Self { transform, identity: Some(identity.clone()), width, label, folds, gathered }
    }

    /// What was gathered.
    #[must_use]
    pub fn gathered(self) -> FoldsGathered {
        self.gathered
    }
}

/// Adds rows to the sums of their folds, some at a time.
struct Sorter<'a> {
    sums: &'a mut [Gathered],
    waiting: Vec<Vec<f64>>,
    width: usize,
}

impl Sorter<'_> {
    fn push(&mut self, row: &[f64], fold: u32) -> Result<()> {
        let fold = fold as usize;
        self.waiting[fold].extend_from_slice(row);
        if self.waiting[fold].len() >= FLUSH_ROWS * (self.width + 1) { self.flush(fold) } else { Ok(()) }
    }

    fn flush(&mut self, fold: usize) -> Result<()> {
        self.sums[fold].update(&self.waiting[fold], self.width)?;
        self.waiting[fold].clear();
        Ok(())
    }
}

impl Accumulator for FoldedDesign {
    type Output = FoldsGathered;

    fn inputs(&self) -> Inputs {
        let mut inputs = Inputs::default().with_column(&self.label);
        if let Some(transform) = &self.transform {
            inputs = inputs.with_transform(FEATURES, transform);
        }
        match &self.identity {
            Some(identity) => inputs.with_identity(identity),
            None => inputs,
        }
    }

    fn empty(&self) -> Self {
        let gathered = match &self.gathered {
            FoldsGathered::Whole { .. } => FoldsGathered::Whole { rows: Vec::new(), fold_of_row: Vec::new() },
            FoldsGathered::Summed(sums) => FoldsGathered::Summed(sums.iter().map(Gathered::empty).collect()),
        };
        Self {
            transform: self.transform.clone(),
            identity: self.identity.clone(),
            width: self.width,
            label: self.label.clone(),
            folds: self.folds,
            gathered,
        }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        let Input::Rows(batch) = input else { return Ok(()) };
        let Some(transform) = &self.transform else { return Ok(()) };
        let space = transform.space();
        let features = batch.features(FEATURES)?;
        let labels = labels(batch, &self.label)?;
        let hashes = batch
            .row_hashes()
            .ok_or_else(|| CommonError::Internal("row hashes are not among the inputs".into()))?;
        let folds = hashes.iter().map(|hash| fold_of(*hash, self.folds));
        match &mut self.gathered {
            FoldsGathered::Whole { rows, fold_of_row } => {
                fold_of_row.extend(folds);
                each_block(features, space, &labels, |block| {
                    rows.extend_from_slice(block);
                    Ok(())
                })
            }
            FoldsGathered::Summed(sums) => {
                let waiting = vec![Vec::new(); sums.len()];
                let mut sorter = Sorter { sums, waiting, width: self.width };
                let mut folds = folds;
                each_block(features, space, &labels, |block| {
                    block
                        .chunks_exact(space.width() + 1)
                        .zip(folds.by_ref())
                        .try_for_each(|(row, fold)| sorter.push(row, fold))
                })?;
                (0..sorter.waiting.len()).try_for_each(|fold| sorter.flush(fold))
            }
        }
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        match (&mut self.gathered, later.gathered) {
            (
                FoldsGathered::Whole { rows, fold_of_row },
                FoldsGathered::Whole { rows: later, fold_of_row: later_folds },
            ) => {
                rows.extend(later);
                fold_of_row.extend(later_folds);
            }
            (FoldsGathered::Summed(sums), FoldsGathered::Summed(later)) => {
                sums.iter_mut().zip(later).for_each(|(mine, later)| mine.merge(later));
            }
            // States of one scan have one form.
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> FoldsGathered {
        self.gathered
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.gathered {
                FoldsGathered::Whole { rows, fold_of_row } => {
                    8 * rows.capacity() + 4 * fold_of_row.capacity()
                }
                FoldsGathered::Summed(sums) => {
                    sums.iter().map(|sums| size_of::<Gathered>() + sums.size_bytes()).sum()
                }
            }
    }
}

#[cfg(test)]
mod tests {
    use super::fold_of;

    #[test]
    fn folds_are_frozen() {
        // By Python's `xxhash`: `xxh3_64_intdigest(hash.to_bytes(8, "little"), seed=FOLD_SEED) * folds >> 64`.
        let expected = [
            (0, [0, 1, 2, 13]),
            (1, [0, 0, 0, 4]),
            (2, [1, 4, 8, 44]),
            (12_345, [1, 4, 8, 41]),
            (u64::MAX, [0, 0, 1, 6]),
        ];
        for (hash, folds) in expected {
            assert_eq!([2, 5, 10, 50].map(|count| fold_of(hash, count)), folds, "{hash}");
        }
        assert!((0..10_000).all(|hash| fold_of(hash, 7) < 7));
    }
}
