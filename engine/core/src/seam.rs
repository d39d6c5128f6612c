//! The small traits in which stages meet without knowing one another.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};

use crate::affine::BeforeAffine;
use crate::batch::Batch;
use crate::column::numbers;
use crate::error::{CommonError, Result};
use crate::features::{ExactFeatures, FeatureBatch, FeatureSpace};
use crate::plan::{Plan, Split};

/// Rows of a batch, at most.
pub const BATCH_ROWS: usize = 65_536;

/// Cells of a batch, which bound its rows where a table is wide: 64 MiB of plain numbers.
const BATCH_CELLS: usize = 1 << 23;

/// Not even of the widest table a batch has fewer rows: each batch costs each column something.
const LEAST_BATCH_ROWS: usize = 256;

/// Rows of a batch of a table of so many columns, at most. All columns of the table count, not those that a scan asks
/// for: what a column adds up to may not depend on what else is read.
#[must_use]
pub const fn batch_rows(columns: usize) -> usize {
    let rows = BATCH_CELLS / if columns == 0 { 1 } else { columns };
    if rows > BATCH_ROWS {
        BATCH_ROWS
    } else if rows < LEAST_BATCH_ROWS {
        LEAST_BATCH_ROWS
    } else {
        rows
    }
}

/// The distinct values of a column over one split, with their counts: what a Parquet dictionary page and its
/// codes already know.
#[derive(Clone, Debug)]
pub struct CountedColumn {
    /// The column.
    pub column: String,
    /// The split that it sums up.
    pub split: u64,
    /// Distinct values in normal form, none of them null; a value may occur once per dictionary.
    pub values: ArrayRef,
    /// How often each occurs; at least once.
    pub counts: Vec<u64>,
    /// How many rows are null.
    pub nulls: u64,
    /// By row of the split the place of its value in `values`, or [`NO_VALUE`]; where they were asked for.
    pub codes: Option<Vec<u32>>,
}

/// The code of a row that is null.
pub const NO_VALUE: u32 = u32::MAX;

impl CountedColumn {
    /// Rows that it stands for.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.nulls + self.counts.iter().sum::<u64>()
    }
}

/// Some consecutive rows of one column, apart from the other columns: what looks at one column at a time reads this
/// way with a buffer that stays in the cache, however wide the table is.
#[derive(Clone, Debug)]
pub struct ColumnRows<'a> {
    /// The column.
    pub column: &'a str,
    /// The split that they belong to.
    pub split: u64,
    /// The first of them, counted from 0 within the split.
    pub first_row: u64,
    /// The values in normal form, as a batch of the same rows would hold them.
    pub values: ArrayRef,
}

/// What is wanted of a split: indices into [`Plan::columns`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Columns wanted row by row, ascending.
    pub rows: Vec<usize>,
    /// Columns wanted as counted views; all of them are countable in this split.
    pub counted: Vec<usize>,
    /// Columns wanted as counted views with the code of every row; countable too, and not among `counted`.
    pub coded: Vec<usize>,
    /// Columns wanted row by row, each apart from the others; only of a source that is [`BatchSource::separable`].
    pub apart: Vec<usize>,
}

impl Request {
    /// Some columns row by row and together.
    #[must_use]
    pub fn of_rows(rows: Vec<usize>) -> Self {
        Self { rows, ..Self::default() }
    }
}

/// What a source hands out.
#[derive(Debug)]
pub enum Delivery {
    /// At most [`BATCH_ROWS`] rows of the columns of [`Request::rows`], in that order, in normal form.
    Rows(RecordBatch),
    /// One of the columns of [`Request::counted`], each once per split, before its rows; or of [`Request::coded`], each
    /// once per split, after its rows.
    Counted(CountedColumn),
    /// The next rows of one of the columns of [`Request::apart`], in normal form, cut as batches are. All rows of all
    /// these columns come before the batches.
    Apart {
        /// Index into [`Plan::columns`].
        column: usize,
        /// At most [`BATCH_ROWS`] values.
        values: ArrayRef,
    },
}

/// A column that is computed from other columns of a batch before its rows are grouped.
pub trait Derive: Send + Sync {
    /// The columns that it reads; derived ones among them are computed before.
    fn inputs(&self) -> Vec<String>;

    /// A value per row, in normal form.
    ///
    /// # Errors
    /// When the columns are not what it takes, or a row has no answer.
    fn derive(&self, batch: &Batch) -> Result<ArrayRef>;
}

/// Something that has rows to read: files, or a table in memory.
pub trait BatchSource: Sync {
    /// The listing, columns and splits.
    fn plan(&self) -> &Plan;

    /// What the source is called in messages.
    fn name(&self) -> String;

    /// Which columns of this split can be delivered counted; it follows from the files alone.
    fn countable(&self, split: &Split) -> Vec<bool> {
        let _ = split;
        vec![false; self.plan().columns.len()]
    }

    /// Whether columns can come one by one, which pays where they are stored one by one.
    fn separable(&self) -> bool {
        false
    }

    /// The row group, from 0, that holds a row (from 0) of a file of the plan; `None` where files have none.
    fn row_group(&self, file: usize, row: u64) -> Option<u64> {
        let _ = (file, row);
        None
    }

    /// Reads one split and hands its parts to `sink` in row order. With no columns asked for row by row,
    /// batches without columns still say how many rows there are.
    ///
    /// # Errors
    /// What reading meets, and what `sink` answers.
    fn read(
        &self,
        split: &Split,
        request: &Request,
        sink: &mut dyn FnMut(Delivery) -> Result<()>,
    ) -> Result<()>;

    /// The first `rows` rows of some columns, for what must be known before the scan.
    ///
    /// # Errors
    /// As [`BatchSource::read`].
    fn head(&self, columns: &[usize], rows: usize) -> Result<Vec<RecordBatch>> {
        let request = Request::of_rows(columns.to_vec());
        let mut left = rows;
        let mut batches = Vec::new();
        for split in &self.plan().splits {
            if left == 0 {
                break;
            }
            let piece = cut(split, left as u64);
            self.read(&piece, &request, &mut |delivery| {
                if let Delivery::Rows(batch) = delivery {
                    let taken = std::cmp::min(left, batch.num_rows());
                    left -= taken;
                    if taken > 0 {
                        batches.push(batch.slice(0, taken));
                    }
                }
                Ok(())
            })?;
        }
        Ok(batches)
    }
}

impl dyn BatchSource + '_ {
    /// Shows the first `rows` rows of some columns, batch by batch; an error that knows its row gets its file.
    ///
    /// # Errors
    /// As [`BatchSource::read`], and what `visit` answers.
    pub fn each_head(
        &self,
        columns: &[usize],
        rows: usize,
        visit: &mut dyn FnMut(&Batch) -> Result<()>,
    ) -> Result<()> {
        let plan = self.plan();
        let (mut split, mut first_row) = (0, 0);
        for batch in self.head(columns, rows)? {
            while plan.splits.get(split).is_some_and(|split| first_row >= split.rows()) {
                (split, first_row) = (split + 1, 0);
            }
            let placed = Batch::in_split(&batch, split as u64, first_row, Arc::default());
            let located = |error| plan.located(error, &self.name(), split as u64, first_row);
            visit(&placed).map_err(located)?;
            first_row += batch.num_rows() as u64;
        }
        Ok(())
    }
}

/// The split without the pieces that begin after `rows` rows (pieces with byte bounds stay whole).
fn cut(split: &Split, rows: u64) -> Split {
    let mut left = rows;
    let mut pieces = Vec::new();
    for piece in &split.pieces {
        if left == 0 {
            break;
        }
        let taken = if piece.bytes.is_some() { piece.rows } else { std::cmp::min(piece.rows, left) };
        pieces.push(crate::plan::Piece { rows: taken, ..piece.clone() });
        left = left.saturating_sub(taken);
    }
    Split { number: split.number, pieces }
}

/// A fitted transform: columns in, features out, row by row, without state.
pub trait BatchTransform: Send + Sync {
    /// The source columns that it reads.
    fn inputs(&self) -> Vec<String>;

    /// What comes out.
    fn space(&self) -> &FeatureSpace;

    /// # Errors
    /// When a column has a type that the fitted transform cannot take.
    fn apply(&self, batch: &Batch) -> Result<FeatureBatch>;

    /// The features of which [`BatchTransform::apply_exact`] gives remainders, ascending, as indices into the space:
    /// products, which `f64` rounds.
    fn rounded(&self) -> Vec<usize> {
        Vec::new()
    }

    /// What [`BatchTransform::apply`] gives, with the remainders of the features that are rounded.
    ///
    /// # Errors
    /// As [`BatchTransform::apply`].
    fn apply_exact(&self, batch: &Batch) -> Result<ExactFeatures> {
        Ok(ExactFeatures { features: self.apply(batch)?, remainders: Vec::new() })
    }

    /// The transform taken apart where it can be: what comes before the affine maps that its numbers end in, and these.
    fn before_affine(&self) -> Option<BeforeAffine> {
        None
    }
}

/// What the predictions of a model are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A number.
    #[default]
    Regression,
    /// The probability that the label is of one of two classes.
    Binary {
        /// That class as text; none: the number 1.
        positive: Option<String>,
    },
    /// The probabilities of several classes.
    MultiClass {
        /// The classes as text, in the order of the predictions.
        classes: Vec<String>,
    },
    /// The probability of each of several labels, of which a row may have any number.
    MultiLabel {
        /// The labels as text, in the order of the predictions.
        labels: Vec<String>,
    },
}

impl Task {
    /// Predictions of a row.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self {
            Self::Regression | Self::Binary { .. } => 1,
            Self::MultiClass { classes } => classes.len(),
            Self::MultiLabel { labels } => labels.len(),
        }
    }
}

/// A model together with its transform. Its features are its predictions, those of the label first: as many as
/// [`Task::outputs`] says.
pub trait Predictor: BatchTransform {
    /// What identifies the model: the digest of its package.
    fn digest(&self) -> &str;

    /// The column that it predicts.
    fn label(&self) -> &str;

    /// The labels of some rows as the numbers that predictions are compared with: the numbers themselves; 1 where a
    /// label is of the class whose probability is predicted and 0 elsewhere; the place of its class among several.
    /// A label that is null is null.
    ///
    /// # Errors
    /// A label that is no number or none of the classes, with its row.
    fn label_values(&self, label: &ArrayRef) -> Result<Float64Array> {
        numbers(self.label(), label, "the evaluation")
    }

    /// The columns that hold the label: itself, or where a row may have several labels perhaps one for each.
    fn label_columns(&self) -> Vec<String> {
        vec![self.label().to_owned()]
    }

    /// Of [`Task::MultiLabel`] whether each row has each label, from the columns of the label: a column of 1 and 0 per label.
    /// A row whose labels are not known is null in all of them.
    ///
    /// # Errors
    /// A label that is none of them, with its row; a model of another task.
    fn label_sets(&self, columns: &[&ArrayRef]) -> Result<Vec<Float64Array>> {
        let _ = columns;
        Err(CommonError::Internal(format!("`{}` is not a set of labels", self.label())).into())
    }

    /// What its predictions are.
    fn task(&self) -> Task {
        Task::Regression
    }
}

/// A fitted model without its transform: predictions from features.
pub trait FeatureModel: Send + Sync {
    /// The column that it predicts.
    fn label(&self) -> &str;

    /// What each column of its predictions is of, the label first: of more than two classes the classes.
    fn targets(&self) -> Vec<String>;

    /// The predictions of a batch, a column for each target, null in rows of which it can make none.
    ///
    /// # Errors
    /// Features that are not those it was fitted on.
    fn predict_sound(&self, features: &FeatureBatch, space: &FeatureSpace) -> Result<Vec<Float64Array>>;

    /// The labels of some rows as numbers that predictions compare with, as [`Predictor::label_values`] answers them.
    ///
    /// # Errors
    /// A label that is no number or none of the classes, with its row.
    fn label_values(&self, label: &ArrayRef) -> Result<Float64Array>;
}

/// Splits `range` of a source, for those that read a part of it.
#[must_use]
pub fn splits_of(plan: &Plan, range: Range<u64>) -> &[Split] {
    let bound = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).min(plan.splits.len());
    &plan.splits[bound(range.start)..bound(range.end)]
}
