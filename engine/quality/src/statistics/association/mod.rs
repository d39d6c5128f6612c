//! What each column tells about the label: mutual information, correlation and lift, in one pass.
//!
//! The state counts, for every column, how often each place of its values ([`axis`]) meets each place of the label's:
//! at most 256 ranges or 512 names of a column by 64 ranges or 128 names of the label. Null and NaN are places like
//! others; so is the absence of the column in a part of the data, which counts as null. At the end the ranges of numbers
//! are joined to at most sqrt(n / 5) and 32 of about equally many rows, so that a cell would hold some five rows if the
//! two had nothing to do with one another (Cellucci, Albano & Rapp, "Statistical validation of mutual information
//! calculations", Physical Review E 71 (2005)); fewer values than that stay as they are. From these counts:
//!
//! - `adjusted_mutual_information`: `(I − E[I]) / ln 2`, at least 0, with `E[I]` as in [`information`];
//! - `normalized_mutual_information`: `(I − E[I]) / (H(label) − E[I])`, from 0 to 1;
//! - `correlation`: Pearson's, over the rows in which both are finite (`summaries::co_moments`), for numbers;
//! - the custom statistics `Lift (Y=y)` of text columns, as TFDV has them: `(n_xy / n_x) / (n_y / n)` for every
//!   value x, where the label has at most 20 values and all values of both are known.
//!
//! Columns that hold neither numbers, times nor text have no association. Memory: at worst some 1 MB a column and state,
//! commonly 10 kB; some 100 ns a row and column.

mod answer;
mod axis;
mod information;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use arrow::array::ArrayRef;
use serde::{Deserialize, Serialize};

use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::{Batch, Inputs};
use sluice_core::column::numbers;
use sluice_core::error::{CommonError, Result};
use sluice_core::group::GroupMap;
use sluice_core::plan::PlannedColumn;
use sluice_summaries::CoMoments;

pub use answer::ColumnAssociation;
use axis::{Axis, Bin, Change};

/// Ranges of a column's numbers, and half the names of a text column.
const COLUMN_CAPACITY: u32 = 256;
/// The same of the label.
const LABEL_CAPACITY: u32 = 64;

/// How the values of every column meet those of the label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelAssociation {
    label: String,
    is_number: bool,
    axis: Axis,
    /// Rows by the place of the label.
    counts: BTreeMap<Bin, u64>,
    columns: Vec<Joint>,
}

/// How the values of one column meet those of the label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Joint {
    column: String,
    is_number: bool,
    axis: Axis,
    cells: BTreeMap<(Bin, Bin), u64>,
    moments: CoMoments,
}

impl LabelAssociation {
    /// The association of these columns with a label; columns of other kinds are left out.
    ///
    /// # Errors
    /// [`CommonError::ColumnMissing`] and [`CommonError::ColumnKind`] for the label.
    pub fn new(label: &str, columns: &[PlannedColumn]) -> Result<Self> {
        let Some(planned) = columns.iter().find(|column| column.name == label) else {
            return Err(CommonError::ColumnMissing {
                column: label.into(),
                place: "the data".into(),
                available: columns.iter().map(|column| column.name.clone()).collect(),
            }
            .into());
        };
        let axis = Axis::of(&planned.kind, LABEL_CAPACITY).ok_or_else(|| CommonError::ColumnKind {
            column: label.into(),
            found: planned.kind.to_string(),
            expected: "numbers, times or text",
            purpose: "`label`".into(),
        })?;
        let joint = |column: &PlannedColumn| {
            Some(Joint {
                column: column.name.clone(),
                is_number: column.kind.is_number(),
                axis: Axis::of(&column.kind, COLUMN_CAPACITY)?,
                cells: BTreeMap::new(),
                moments: CoMoments::new(),
            })
        };
        let is_ours = |name: &str| name.starts_with(sluice_core::RESERVED_PREFIX);
        let others = columns.iter().filter(|column| column.name != label && !is_ours(&column.name));
        Ok(Self {
            label: label.into(),
            is_number: planned.kind.is_number(),
            axis,
            counts: BTreeMap::new(),
            columns: others.filter_map(joint).collect(),
        })
    }

    /// Puts what the label's axis changed into every count.
    fn change_label(&mut self, change: &Change) {
        if matches!(change, Change::None | Change::Shorten(0)) {
            return;
        }
        self.counts = renamed(&self.counts, |bin| change.apply(bin));
        for joint in &mut self.columns {
            joint.cells = renamed(&joint.cells, |(x, y)| (x, change.apply(y)));
        }
    }

    fn rows(&mut self, batch: &Batch) -> Result<()> {
        let values = batch.require(&self.label)?;
        let mut label = self.axis.bins(&self.label, values)?;
        label.iter().for_each(|bin| *self.counts.entry(*bin).or_insert(0) += 1);
        let change = self.axis.make_room(&self.counts);
        self.change_label(&change);
        label.iter_mut().for_each(|bin| *bin = change.apply(*bin));
        for joint in &mut self.columns {
            let label_values = (self.is_number && joint.is_number).then_some(values);
            joint.rows(batch.column(&joint.column), &label, (&self.label, label_values))?;
        }
        Ok(())
    }
}

fn renamed<K: Ord + Copy>(counts: &BTreeMap<K, u64>, rename: impl Fn(K) -> K) -> BTreeMap<K, u64> {
    let mut renamed: Vec<(K, u64)> = counts.iter().map(|(key, count)| (rename(*key), *count)).collect();
    renamed.sort_unstable_by_key(|(key, _)| *key);
    summed(renamed.into_iter())
}

/// The counts of keys that ascend, as a map that is built at once.
fn summed<K: Ord>(counts: impl Iterator<Item = (K, u64)>) -> BTreeMap<K, u64> {
    let mut sums: Vec<(K, u64)> = Vec::with_capacity(counts.size_hint().0);
    for (key, count) in counts {
        match sums.last_mut() {
            Some((last, sum)) if *last == key => *sum += count,
            _ => sums.push((key, count)),
        }
    }
    sums.into_iter().collect()
}

impl Joint {
    fn empty(&self) -> Self {
        Self {
            column: self.column.clone(),
            is_number: self.is_number,
            axis: self.axis.empty(),
            cells: BTreeMap::new(),
            moments: CoMoments::new(),
        }
    }

    /// Adds rows; `label` holds the places of the label, and its name and values where both are numbers.
    fn rows(
        &mut self,
        values: Option<&ArrayRef>,
        label: &[Bin],
        of: (&str, Option<&ArrayRef>),
    ) -> Result<()> {
        let Some(values) = values else {
            label.iter().for_each(|y| *self.cells.entry((Bin::Null, *y)).or_insert(0) += 1);
            return Ok(());
        };
        let mut pairs: Vec<(Bin, Bin)> =
            self.axis.bins(&self.column, values)?.into_iter().zip(label.iter().copied()).collect();
        // Sorted first, so that each cell is looked up once.
        pairs.sort_unstable();
        let cells = self.cells.len();
        for equal in pairs.chunk_by(|a, b| a == b) {
            *self.cells.entry(equal[0]).or_insert(0) += equal.len() as u64;
        }
        // What has no new cell has no new value that could need room.
        if self.cells.len() > cells {
            self.make_room();
        }
        if let (name, Some(label)) = of {
            let purpose = "a correlation with the label";
            let (x, y) = (numbers(&self.column, values, purpose)?, numbers(name, label, purpose)?);
            let finite = |value: &f64| value.is_finite();
            let both = x.iter().zip(y.iter()).filter_map(|(x, y)| x.filter(finite).zip(y.filter(finite)));
            let (x, y): (Vec<f64>, Vec<f64>) = both.unzip();
            self.moments.update(&x, &y);
        }
        Ok(())
    }

    /// Rows by the place of the column.
    fn counts(&self) -> BTreeMap<Bin, u64> {
        summed(self.cells.iter().map(|((x, _), count)| (*x, *count)))
    }

    fn make_room(&mut self) {
        let change = self.axis.make_room(&self.counts());
        self.change(&change);
    }

    fn change(&mut self, change: &Change) {
        if !matches!(change, Change::None | Change::Shorten(0)) {
            self.cells = renamed(&self.cells, |(x, y)| (change.apply(x), y));
        }
    }

    fn merge(&mut self, mut later: Self) -> Result<()> {
        if !self.axis.fits(&later.axis) {
            let message = format!("column `{}` holds other values in another part of the data", self.column);
            return Err(CommonError::Internal(message).into());
        }
        let (mine, theirs) = self.axis.join(later.axis.clone());
        self.change(&mine);
        later.change(&theirs);
        for (cell, count) in later.cells {
            *self.cells.entry(cell).or_insert(0) += count;
        }
        self.make_room();
        self.moments.merge(later.moments);
        Ok(())
    }

    /// Rows of a part that has no such column.
    fn absent(&mut self, label: &BTreeMap<Bin, u64>) {
        for (y, count) in label {
            *self.cells.entry((Bin::Null, *y)).or_insert(0) += count;
        }
    }
}

impl Accumulator for LabelAssociation {
    /// One per column that can have an association, in the order of the source.
    type Output = Vec<ColumnAssociation>;

    fn inputs(&self) -> Inputs {
        let columns = self.columns.iter().map(|joint| &joint.column);
        columns.fold(Inputs::default().with_column(&self.label), Inputs::with_column)
    }

    fn empty(&self) -> Self {
        Self {
            label: self.label.clone(),
            is_number: self.is_number,
            axis: self.axis.empty(),
            counts: BTreeMap::new(),
            columns: self.columns.iter().map(Joint::empty).collect(),
        }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        match input {
            Input::Rows(batch) => self.rows(batch),
            Input::Counted(_) | Input::Apart(_) => Ok(()),
        }
    }

    fn merge(&mut self, mut later: Self, _: &GroupMap) -> Result<()> {
        if !self.axis.fits(&later.axis) || self.label != later.label {
            let message = format!("label `{}` holds other values in another part of the data", self.label);
            return Err(CommonError::Internal(message).into());
        }
        let (mine, theirs) = self.axis.join(later.axis.clone());
        self.change_label(&mine);
        later.change_label(&theirs);
        let (before, after) = (self.counts.clone(), later.counts);
        after.iter().for_each(|(bin, count)| *self.counts.entry(*bin).or_insert(0) += count);
        for joint in &mut self.columns {
            match later.columns.iter().position(|other| other.column == joint.column) {
                Some(position) => joint.merge(later.columns.remove(position))?,
                None => joint.absent(&after),
            }
        }
        for mut joint in later.columns {
            joint.absent(&before);
            self.columns.push(joint);
        }
        let change = self.axis.make_room(&self.counts);
        self.change_label(&change);
        Ok(())
    }

    fn finish(self) -> Self::Output {
        answer::of(&self)
    }

    fn size_bytes(&self) -> usize {
        // A node of a B-tree is two thirds full on average.
        let joint = |joint: &Joint| 72 * joint.cells.len() + joint.axis.size_bytes() + size_of::<Joint>();
        self.columns.iter().map(joint).sum::<usize>() + 48 * self.counts.len() + self.axis.size_bytes()
    }
}
