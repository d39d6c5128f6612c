//! Moments of the label for each value of a column, apart for each fold of the rows, so that what is said of a row can
//! leave out the rows of its fold.

use arrow::array::Array as _;
use serde::{Deserialize, Serialize};

use sluice_core::column::numbers;
use sluice_core::error::{CommonError, Error, Result};
use sluice_core::folds::fold_of;
use sluice_summaries::Moments;

use super::keyed::by_number;
use super::{Analyze, Keyed, MAX_KEYS, Rows};
use crate::error::TransformError;
use crate::operation::texts::map_keys;

/// Moments of the label, by fold.
pub(crate) type TargetMoments = Vec<Moments>;

/// Moments of the label for each level: reads the column, then the label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LevelTarget {
    folds: u32,
    pub(crate) overall: TargetMoments,
    pub(crate) levels: Keyed<TargetMoments>,
}

impl LevelTarget {
    /// Apart for so many folds.
    pub(crate) fn new(folds: u32) -> Self {
        let overall = vec![Moments::default(); folds as usize];
        Self { folds, overall, levels: Keyed::new(MAX_KEYS) }
    }
}

fn join(mine: &mut TargetMoments, later: TargetMoments) {
    mine.iter_mut().zip(later).for_each(|(mine, later)| mine.merge(later));
}

impl Analyze for LevelTarget {
    fn empty(&self) -> Self {
        Self::new(self.folds)
    }

    fn needs_identity(&self) -> bool {
        true
    }

    fn rows(&mut self, rows: &Rows<'_>) -> Result<()> {
        let Self { folds, overall, levels } = self;
        let count = *folds as usize;
        let labels = numbers(rows.names[1], rows.values[1].column()?, "the label")?;
        let bad = (0..labels.len()).find(|row| labels.is_null(*row) || !labels.value(*row).is_finite());
        if let Some(row) = bad {
            let (operation, label) = ("target_mean", rows.names[1].to_owned());
            return Err(Error::from(TransformError::NoLabel { operation, label }).at_row(row));
        }
        let hashes = rows
            .hashes
            .ok_or_else(|| CommonError::Internal("the rows came without their identity".into()))?;
        let of_row = map_keys(&[rows.texts(0)?], rows.len(), |key| {
            levels.number(key, || vec![Moments::default(); count])
        });
        let fold = |row: usize| fold_of(hashes[row], *folds) as usize;
        let label = |row: usize| labels.value(row);
        let mut pairs: Vec<(usize, f64)> = (0..rows.len()).map(|row| (fold(row), label(row))).collect();
        by_number(&mut pairs, |fold, values| overall[fold].update(values));
        let mut pairs: Vec<(usize, f64)> =
            (0..rows.len()).map(|row| (of_row[row] * count + fold(row), label(row))).collect();
        by_number(&mut pairs, |place, values| levels.state(place / count)[place % count].update(values));
        levels.bound();
        Ok(())
    }

    fn merge(&mut self, later: Self) -> Result<()> {
        join(&mut self.overall, later.overall);
        self.levels.merge(later.levels, |mine, later| {
            join(mine, later);
            Ok(())
        })
    }

    fn size_bytes(&self) -> usize {
        let of = |moments: &TargetMoments| size_of_val(moments.as_slice());
        of(&self.overall) + self.levels.size_bytes(of)
    }
}
