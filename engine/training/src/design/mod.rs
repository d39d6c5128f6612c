//! What least squares needs of the rows, gathered in one scan of the transformed data.
//!
//! Three forms, chosen before the scan from the plan alone (design decision 5): small data are kept whole and
//! solved in double-double; larger data become a blocked Gram matrix, in each split about a shift taken from its
//! first rows, so that the sums of a span are the same in every window; and where that turns out ill-conditioned, one
//! more scan takes the sums in double-double.
//!
//! Rows are gathered before the affine maps that a transform ends in, which `affine` applies afterwards.
//!
//! [`Design`] gathers, of all rows together or apart for each fold of a cross-validation; `rows` hands out what it
//! adds up, `columns` is the fast way to Gram matrices; `stored` checks what was read from a file.

pub(crate) mod affine;
pub(crate) mod columns;
pub(crate) mod rows;
mod stored;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::{Batch, Inputs, RowIdentity};
use sluice_core::double_double::DoubleDouble;
use sluice_core::error::{CommonError, Result};
use sluice_core::features::{ExactFeatures, FeatureBatch, FeatureSpace};
use sluice_core::folds::fold_of;
use sluice_core::group::GroupMap;
use sluice_core::seam::BatchTransform;
use sluice_summaries::gram::{Gram, Remainders, triangle_index};

use crate::data::TrainingData;
use crate::error::TrainingError;
use crate::solve::{Normal, Packed, PreparedRows, Rows};

use affine::ColumnMaps;
use columns::Scratch;
use rows::{Block, Responses, blocks, further, shift_and_scale};

/// Rows up to which data are kept whole.
pub const WHOLE_ROWS: u64 = 65_536;

/// Products (rows x columns²) up to which they are: some three seconds of one core.
const WHOLE_PRODUCTS: u64 = 1 << 31;

/// More columns than this are refused before a row is read: the matrix of their products alone would take more than
/// 4 GiB, once per thread.
pub const MAX_COLUMNS: usize = 32_768;

/// The name of the transform among the inputs of scans that want whole batches of features.
pub(crate) const FEATURES: &str = "features";

/// What is gathered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Gathered {
    /// All rows in their order.
    Whole {
        /// The rows.
        rows: WholeRows,
        /// The fold of each; empty where there is one fold.
        fold_of_row: Vec<u32>,
    },
    /// The sums of each fold, all of one form.
    Summed(Vec<Sums>),
}

/// In which form rows are gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// All rows.
    Whole,
    /// Gram matrices from blocks in `f64`.
    Blocked,
    /// Centred sums in double-double.
    Exact,
}

/// The sums of some rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Sums {
    /// Their Gram matrix, the labels last; none before the first row, which decides shift and scale.
    Blocked(Option<Gram>),
    /// Their centred sums in double-double, the last label as the label, labels before it as features.
    Exact(Option<Normal>),
}

/// Rows kept in memory in their order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WholeRows {
    /// Row-major: the features, then the labels.
    pub cells: Vec<f64>,
    /// One per row, where rows have weights.
    pub weights: Option<Vec<f64>>,
    /// The features that are rounded products, ascending.
    #[serde(default)]
    pub rounded: Vec<usize>,
    /// What rounding took from them, row-major.
    #[serde(default)]
    pub remainders: Vec<f64>,
}

/// The rows of one label.
pub(crate) struct TargetRows<'a> {
    features: usize,
    values: Vec<f64>,
    pub(crate) label: Vec<f64>,
    weights: Option<&'a [f64]>,
    /// What rounding took from some of the values.
    pub(crate) remainders: Remainders<'a>,
}

impl WholeRows {
    pub(crate) fn push(&mut self, block: Block<'_>) {
        self.cells.extend_from_slice(block.rows);
        if let Some(weights) = block.weights {
            self.weights.get_or_insert_default().extend_from_slice(weights);
        }
        if self.rounded.is_empty() {
            self.rounded.extend_from_slice(block.remainders.columns);
        }
        self.remainders.extend_from_slice(block.remainders.values);
    }

    /// All of them.
    pub(crate) fn block(&self) -> Block<'_> {
        let remainders = Remainders { columns: &self.rounded, values: &self.remainders };
        Block { rows: &self.cells, weights: self.weights.as_deref(), remainders }
    }

    pub(crate) fn merge(&mut self, later: Self) {
        self.cells.extend(later.cells);
        if let Some(weights) = later.weights {
            self.weights.get_or_insert_default().extend(weights);
        }
        if self.rounded.is_empty() {
            self.rounded = later.rounded;
        }
        self.remainders.extend(later.remainders);
    }

    /// The sum of the logarithms of the weights; 0 without weights.
    pub(crate) fn log_weights(&self) -> f64 {
        let logarithms = self.weights.iter().flatten().map(|weight| weight.ln());
        logarithms.fold(DoubleDouble::ZERO, |sum, logarithm| sum + logarithm).to_f64()
    }

    pub(crate) fn size_bytes(&self) -> usize {
        let weights = self.weights.as_ref().map_or(0, Vec::capacity);
        8 * (self.cells.capacity() + weights + self.rounded.capacity() + self.remainders.capacity())
    }

    /// The features and label number `target` of rows of `width` features and `labels` labels.
    pub(crate) fn target(&self, width: usize, labels: usize, target: usize) -> TargetRows<'_> {
        let stride = width + labels;
        let count = self.cells.len() / stride;
        let (mut values, mut label) = (Vec::with_capacity(count * width), Vec::with_capacity(count));
        for row in self.cells.chunks_exact(stride) {
            values.extend_from_slice(&row[..width]);
            label.push(row[width + target]);
        }
        let Block { weights, remainders, .. } = self.block();
        TargetRows { features: width, values, label, weights, remainders }
    }
}

impl TargetRows<'_> {
    /// The weighted means of the label and of the features.
    pub(crate) fn means(&self) -> (f64, Vec<f64>) {
        let mut total = DoubleDouble::ZERO;
        let mut label_sum = DoubleDouble::ZERO;
        let mut sums = vec![DoubleDouble::ZERO; self.features];
        for (row, label) in self.label.iter().enumerate() {
            let weight = self.weights.map_or(1.0, |weights| weights[row]);
            total = total + weight;
            label_sum = label_sum + DoubleDouble::product(*label, weight);
            let own = &self.values[row * self.features..][..self.features];
            for (sum, value) in sums.iter_mut().zip(own) {
                *sum = *sum + DoubleDouble::product(*value, weight);
            }
        }
        ((label_sum / total).to_f64(), sums.into_iter().map(|sum| (sum / total).to_f64()).collect())
    }

    /// As the solver takes them.
    pub(crate) fn rows(&self, intercept: bool) -> Rows<'_> {
        let Self { features, values, label, weights, .. } = self;
        Rows { features: *features, values, label, weights: *weights, intercept }
    }
}

impl Sums {
    /// The same form, no rows.
    fn empty(&self) -> Self {
        match self {
            Self::Blocked(_) => Self::Blocked(None),
            Self::Exact(_) => Self::Exact(None),
        }
    }

    /// The Gram matrices, where all are; before the first row they take shift and scale from `first`.
    fn grams<'a>(
        sums: &'a mut [Self],
        first: impl FnOnce() -> Result<Gram>,
    ) -> Result<Option<Vec<&'a mut Gram>>> {
        if sums.iter().any(|sums| matches!(sums, Self::Blocked(None))) {
            let first = first()?;
            for sums in sums.iter_mut() {
                if let Self::Blocked(gram @ None) = sums {
                    *gram = Some(first.clone());
                }
            }
        }
        let gram = |sums: &'a mut Self| match sums {
            Self::Blocked(gram) => gram.as_mut(),
            Self::Exact(_) => None,
        };
        Ok(sums.iter_mut().map(gram).collect())
    }

    /// Adds rows of `columns` features and labels to sums in double-double.
    fn update_exact(&mut self, block: Block<'_>, columns: usize) -> Result<()> {
        match self {
            Self::Exact(normal) if !block.rows.is_empty() => join(normal, exact_sums(block, columns)?),
            // Gram matrices take columns.
            Self::Exact(_) | Self::Blocked(_) => {}
        }
        Ok(())
    }

    /// Adds the sums of later rows.
    fn merge(&mut self, later: Self) {
        match (self, later) {
            (Self::Blocked(Some(gram)), Self::Blocked(Some(later))) => gram.merge(later),
            (Self::Blocked(gram), Self::Blocked(Some(later))) => *gram = Some(later),
            (Self::Exact(normal), Self::Exact(Some(later))) => join(normal, later),
            // States of one scan have one form; an empty exact one adds nothing.
            _ => {}
        }
    }

    /// Whether they were taken in double-double.
    pub(crate) fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }

    /// The centred problem, the last label as the label; none without rows.
    pub(crate) fn normal(self) -> Option<Normal> {
        match self {
            Self::Blocked(gram) => gram.as_ref().and_then(normal_of),
            Self::Exact(normal) => normal,
        }
    }

    /// Bytes held beside the value itself.
    fn size_bytes(&self) -> usize {
        match self {
            Self::Blocked(gram) => gram.as_ref().map_or(0, Gram::size_bytes),
            Self::Exact(normal) => normal.as_ref().map_or(0, |normal| size_of_val(normal.cross.entries())),
        }
    }
}

impl Gathered {
    /// The same form, no rows.
    fn empty(&self) -> Self {
        match self {
            Self::Whole { .. } => Self::whole(),
            Self::Summed(sums) => Self::Summed(sums.iter().map(Sums::empty).collect()),
        }
    }

    /// Rows to be kept, none yet.
    fn whole() -> Self {
        Self::Whole { rows: WholeRows::default(), fold_of_row: Vec::new() }
    }

    /// The form.
    #[must_use]
    pub fn form(&self) -> Form {
        match self {
            Self::Whole { .. } => Form::Whole,
            Self::Summed(sums) if sums.iter().any(Sums::is_exact) => Form::Exact,
            Self::Summed(_) => Form::Blocked,
        }
    }
}

/// The accumulator over transformed rows with their labels and weights, apart for each fold of a cross-validation.
///
/// The fold of a row follows from its identity: see [`sluice_core::folds`].
#[derive(Clone, Serialize, Deserialize)]
pub struct Design {
    #[serde(skip)]
    transform: Option<Arc<dyn BatchTransform>>,
    /// What decides the fold of a row, where there are several.
    #[serde(skip)]
    identity: Option<RowIdentity>,
    width: usize,
    responses: Responses,
    folds: u32,
    gathered: Gathered,
}

impl std::fmt::Debug for Design {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Design")
            .field("width", &self.width)
            .field("responses", &self.responses)
            .field("folds", &self.folds)
            .finish_non_exhaustive()
    }
}

impl Design {
    /// The form that suits the source: whole where it is small, else blocked; in one fold or several.
    ///
    /// # Errors
    /// [`TrainingError::TooManyColumns`].
    pub fn new(data: TrainingData<'_>, folds: u32) -> Result<Self> {
        let rows = data.source.plan().rows();
        let width = width_of(data)? as u64;
        let products = rows.saturating_mul(width.saturating_mul(width));
        if rows <= WHOLE_ROWS && products <= WHOLE_PRODUCTS {
            return Ok(Self::with(data, folds, Gathered::whole()));
        }
        Self::blocked(data, folds)
    }

    /// The blocked form.
    ///
    /// # Errors
    /// [`TrainingError::TooManyColumns`].
    pub fn blocked(data: TrainingData<'_>, folds: u32) -> Result<Self> {
        let _ = width_of(data)?;
        Ok(Self::summed(data, folds, &Sums::Blocked(None)))
    }

    /// The exact form, for a second scan.
    #[must_use]
    pub fn exact(data: TrainingData<'_>, folds: u32) -> Self {
        Self::summed(data, folds, &Sums::Exact(None))
    }

    fn summed(data: TrainingData<'_>, folds: u32, form: &Sums) -> Self {
        Self::with(data, folds, Gathered::Summed((0..folds).map(|_| form.empty()).collect()))
    }

    fn with(data: TrainingData<'_>, folds: u32, gathered: Gathered) -> Self {
        let width = data.transform.space().width();
        let responses = data.columns.responses();
        let identity = (folds > 1).then(|| data.identity());
        let (transform, _) = ColumnMaps::of(data.transform);
        Self { transform: Some(transform), identity, width, responses, folds, gathered }
    }

    /// The columns that are predicted.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.responses.labels
    }

    /// Whether this is what `asked` would have gathered, or the same more exactly.
    #[must_use]
    pub fn is_for(&self, asked: &Self) -> bool {
        let is_form =
            self.form() == asked.form() || (self.form(), asked.form()) == (Form::Exact, Form::Blocked);
        is_form && self.has_columns_of(asked)
    }

    /// The form in which it gathers.
    #[must_use]
    pub fn form(&self) -> Form {
        self.gathered.form()
    }

    /// Folds that the rows are gathered in.
    #[must_use]
    pub fn folds(&self) -> u32 {
        self.folds
    }

    /// Columns of the design matrix, the labels not counted.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Adds some rows with their hashes, which decide their folds.
    fn add(&mut self, batch: &Batch, hashes: Option<&[u64]>, scratch: &mut Scratch) -> Result<()> {
        let Some(transform) = &self.transform else { return Ok(()) };
        let space = transform.space();
        let columns = self.width + self.responses.labels.len();
        let ExactFeatures { features, remainders } = transform.apply_exact(batch)?;
        // Without hashes there is one fold.
        let fold_at = |row: usize| hashes.map_or(0, |hashes| fold_of(hashes[row], self.folds));
        match &mut self.gathered {
            Gathered::Whole { rows, fold_of_row } => {
                self.responses.each_exact_block(batch, (&features, &remainders), space, |block, numbers| {
                    rows.push(block);
                    if hashes.is_some() {
                        fold_of_row.extend(numbers.iter().map(|row| fold_at(*row)));
                    }
                    Ok(())
                })
            }
            Gathered::Summed(sums) => {
                let first = || first_gram(&self.responses, (batch, &features), space);
                if let Some(mut grams) = Sums::grams(sums, first)? {
                    let fold_at = |row: usize| fold_at(row) as usize;
                    let rows = columns::Rows {
                        responses: &self.responses,
                        batch,
                        features: &features,
                        remainders: &remainders,
                        space,
                    };
                    return columns::add_up(&mut grams, rows, fold_at, scratch);
                }
                let mut of_folds = vec![WholeRows::default(); sums.len()];
                self.responses.each_exact_block(
                    batch,
                    (&features, &remainders),
                    space,
                    |block, numbers| {
                        for (place, row) in numbers.iter().enumerate() {
                            of_folds[fold_at(*row) as usize].push(block.row(place, columns));
                        }
                        Ok(())
                    },
                )?;
                let sums = sums.iter_mut().zip(&of_folds);
                sums.map(|(sums, rows)| (sums, rows.block()))
                    .try_for_each(|(sums, block)| sums.update_exact(block, columns))
            }
        }
    }
}

/// The columns of the design matrix, if they are not too many.
fn width_of(data: TrainingData<'_>) -> Result<usize, TrainingError> {
    let columns = data.transform.space().width();
    if columns > MAX_COLUMNS {
        return Err(TrainingError::TooManyColumns { columns, limit: MAX_COLUMNS });
    }
    Ok(columns)
}

/// The Gram matrix of no rows, with shift and scale of the first rows of a state.
fn first_gram(
    responses: &Responses,
    (batch, features): (&Batch, &FeatureBatch),
    space: &FeatureSpace,
) -> Result<Gram> {
    let mut head = Vec::new();
    responses.each_block(batch, features, space, |block, _| {
        head.extend_from_slice(block.rows);
        Ok(())
    })?;
    let (shift, scale) = shift_and_scale(&head, space.width() + responses.labels.len());
    // The two vectors have one length by construction, which is all that can be wrong.
    Gram::new(shift, scale).map_err(|error| CommonError::Internal(error.to_string()).into())
}

impl Accumulator for Design {
    type Output = Gathered;

    fn inputs(&self) -> Inputs {
        // The transform is applied here, to some rows at a time, not by the fold to whole batches.
        let transform = self.transform.iter().flat_map(|transform| transform.inputs());
        let identity = self.identity.iter().flat_map(RowIdentity::columns);
        let inputs = self.responses.inputs(Inputs::default());
        transform.chain(identity).fold(inputs, Inputs::with_column)
    }

    fn empty(&self) -> Self {
        Self {
            transform: self.transform.clone(),
            identity: self.identity.clone(),
            width: self.width,
            responses: self.responses.clone(),
            folds: self.folds,
            gathered: self.gathered.empty(),
        }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        let Input::Rows(batch) = input else { return Ok(()) };
        let hashes = self.identity.as_ref().map(|identity| batch.hash(identity)).transpose()?;
        let mut scratch = Scratch::default();
        for rows in blocks(batch.rows()) {
            // Few rows at a time: what the transform makes of them stays in the cache.
            let hashes = hashes.as_ref().map(|hashes| &hashes[rows.clone()]);
            self.add(&batch.slice(rows.clone()), hashes, &mut scratch)
                .map_err(|error| further(error, rows.start))?;
        }
        Ok(())
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        self.check_alike(&later)?;
        match (&mut self.gathered, later.gathered) {
            (
                Gathered::Whole { rows, fold_of_row },
                Gathered::Whole { rows: later, fold_of_row: later_folds },
            ) => {
                rows.merge(later);
                fold_of_row.extend(later_folds);
            }
            (Gathered::Summed(sums), Gathered::Summed(later)) => {
                sums.iter_mut().zip(later).for_each(|(mine, later)| mine.merge(later));
            }
            // States of one scan have one form.
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Gathered {
        self.gathered
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.gathered {
                Gathered::Whole { rows, fold_of_row } => rows.size_bytes() + 4 * fold_of_row.capacity(),
                Gathered::Summed(sums) => sums.iter().map(|sums| size_of::<Sums>() + sums.size_bytes()).sum(),
            }
    }
}

/// The centred sums of rows of `columns` features and labels in double-double: the last is the label, labels before
/// it are features.
pub(crate) fn exact_sums(block: Block<'_>, columns: usize) -> Result<Normal> {
    let features = columns - 1;
    let count = block.rows.len() / columns;
    let (mut values, mut label) = (Vec::with_capacity(count * features), Vec::with_capacity(count));
    for row in block.rows.chunks_exact(columns) {
        values.extend_from_slice(&row[..features]);
        label.push(row[features]);
    }
    let rows = Rows { features, values: &values, label: &label, weights: block.weights, intercept: true };
    let prepared = PreparedRows::exact(rows, block.remainders)
        .map_err(|source| TrainingError::Solve { features: Vec::new(), source })?;
    Ok(prepared.normal())
}

/// Joins centred sums by the pairwise update of Chan, Golub & `LeVeque` (1983), equation 2.1, in double-double.
pub(crate) fn join(mine: &mut Option<Normal>, later: Normal) {
    let Some(mine) = mine else {
        *mine = Some(later);
        return;
    };
    let (n, m) = (DoubleDouble::from(mine.weight_sum), DoubleDouble::from(later.weight_sum));
    let total = n + m;
    let share = n * m / total;
    let deltas: Vec<DoubleDouble> = later.means.iter().zip(&mine.means).map(|(b, a)| *b - *a).collect();
    let label_delta = later.label_mean - mine.label_mean;
    for i in 0..deltas.len() {
        for (j, delta) in deltas.iter().enumerate().take(i + 1) {
            let sum = mine.cross.at(i, j) + later.cross.at(i, j) + deltas[i] * *delta * share;
            *mine.cross.at_mut(i, j) = sum;
        }
        mine.label_cross[i] = mine.label_cross[i] + later.label_cross[i] + deltas[i] * label_delta * share;
        mine.means[i] = mine.means[i] + deltas[i] * m / total;
    }
    mine.label_square = mine.label_square + later.label_square + label_delta * label_delta * share;
    mine.label_mean = mine.label_mean + label_delta * m / total;
    mine.rows += later.rows;
    mine.weight_sum += later.weight_sum;
}

/// The centred problem of a Gram matrix whose last column is the label; `None` without rows.
fn normal_of(gram: &Gram) -> Option<Normal> {
    let centered = gram.centered()?;
    let width = gram.width() - 1;
    let product = |i: usize, j: usize| centered.products[triangle_index(i, j)];
    Some(Normal {
        cross: Packed::from_fn(width, product),
        label_cross: (0..width).map(|i| product(width, i)).collect(),
        label_square: product(width, width),
        means: centered.means[..width].to_vec(),
        label_mean: centered.means[width],
        rows: gram.count(),
        weight_sum: gram.weight().to_f64(),
        intercept: true,
        relative_error: Normal::BLOCKED,
    })
}
