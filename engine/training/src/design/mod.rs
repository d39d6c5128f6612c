//! What least squares needs of the rows, gathered in one scan of the transformed data.
//!
//! Three forms, chosen before the scan from the plan alone (design decision 5): small data are kept whole and
//! solved in double-double; larger data become a blocked Gram matrix about a shift taken from the first rows;
//! and where that turns out ill-conditioned, one more scan takes the sums in double-double.
//!
//! [`Design`] gathers, of all rows together or apart for each fold of a cross-validation; [`rows`] hands out what it
//! adds up.

pub(crate) mod rows;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::{Batch, Inputs, RowIdentity};
use sluice_core::double_double::DoubleDouble;
use sluice_core::error::{CommonError, Result};
use sluice_core::folds::fold_of;
use sluice_core::group::GroupMap;
use sluice_core::seam::BatchTransform;
use sluice_summaries::gram::{Gram, Remainders, triangle_index};

use crate::data::TrainingData;
use crate::error::TrainingError;
use crate::solve::{Normal, Packed, PreparedRows, Rows};

use rows::{Block, Responses, shift_and_scale};

/// Rows up to which data are kept whole.
pub const WHOLE_ROWS: u64 = 65_536;

/// Products (rows x columns²) up to which they are: some three seconds of one core.
const WHOLE_PRODUCTS: u64 = 1 << 31;

/// More columns than this are refused before a row is read: the matrix of their products alone would take more than
/// 4 GiB, once per thread.
pub const MAX_COLUMNS: usize = 32_768;

/// Rows that the shift and scale of the Gram matrix are taken from.
const SHIFT_ROWS: usize = 4096;

/// The name of the transform among the inputs.
pub(crate) const FEATURES: &str = "features";

/// Rows of a fold that are added up at a time, so that memory stays small: folds x these x columns.
const FLUSH_ROWS: usize = 512;

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

/// The sums of some rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Sums {
    /// Their Gram matrix, the labels last.
    Blocked(Gram),
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
    pub rounded: Vec<usize>,
    /// What rounding took from them, row-major.
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

    /// Leaves none, and keeps the memory.
    fn clear(&mut self) {
        self.cells.clear();
        self.weights.iter_mut().for_each(Vec::clear);
        self.remainders.clear();
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
    /// The weighted mean of the label.
    pub(crate) fn label_mean(&self) -> f64 {
        let mut sum = DoubleDouble::ZERO;
        let mut total = DoubleDouble::ZERO;
        for (row, label) in self.label.iter().enumerate() {
            let weight = self.weights.map_or(1.0, |weights| weights[row]);
            sum = sum + DoubleDouble::product(*label, weight);
            total = total + weight;
        }
        (sum / total).to_f64()
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
            Self::Blocked(gram) => Self::Blocked(gram.empty()),
            Self::Exact(_) => Self::Exact(None),
        }
    }

    /// Adds rows of `columns` features and labels.
    fn update(&mut self, block: Block<'_>, columns: usize) -> Result<()> {
        match self {
            Self::Blocked(gram) => gram.update_exact(block.rows, block.remainders, block.weights),
            Self::Exact(_) if block.rows.is_empty() => {}
            Self::Exact(normal) => join(normal, exact_sums(block, columns)?),
        }
        Ok(())
    }

    /// Adds the sums of later rows.
    fn merge(&mut self, later: Self) {
        match (self, later) {
            (Self::Blocked(gram), Self::Blocked(later)) => gram.merge(later),
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
            Self::Blocked(gram) => normal_of(&gram),
            Self::Exact(normal) => normal,
        }
    }

    /// Bytes held beside the value itself.
    fn size_bytes(&self) -> usize {
        match self {
            Self::Blocked(gram) => gram.size_bytes(),
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
    /// [`TrainingError::TooManyColumns`], and what reading the first rows meets.
    pub fn new(data: TrainingData<'_>, folds: u32) -> Result<Self> {
        let rows = data.source.plan().rows();
        let columns = data.transform.space().width();
        if columns > MAX_COLUMNS {
            return Err(TrainingError::TooManyColumns { columns, limit: MAX_COLUMNS }.into());
        }
        let width = columns as u64;
        let products = rows.saturating_mul(width.saturating_mul(width));
        if rows <= WHOLE_ROWS && products <= WHOLE_PRODUCTS {
            return Ok(Self::with(data, folds, Gathered::whole()));
        }
        Self::blocked(data, folds)
    }

    /// The blocked form, with shift and scale from the first rows of the listing.
    ///
    /// # Errors
    /// What reading the first rows meets.
    pub fn blocked(data: TrainingData<'_>, folds: u32) -> Result<Self> {
        let TrainingData { source, transform, columns } = data;
        let responses = columns.responses();
        let plan = source.plan();
        let needed = transform.inputs();
        let is_needed = |name: &str| {
            needed.iter().any(|input| input == name) || responses.columns().any(|column| column == name)
        };
        let read: Vec<usize> =
            (0..plan.columns.len()).filter(|index| is_needed(&plan.columns[*index].name)).collect();
        let width = transform.space().width() + responses.labels.len();
        let mut head = Vec::new();
        for batch in source.head(&read, SHIFT_ROWS)? {
            let batch = Batch::new(&batch);
            let features = transform.apply(&batch)?;
            responses.each_block(&batch, &features, transform.space(), |block, _| {
                head.extend_from_slice(block.rows);
                Ok(())
            })?;
        }
        let (shift, scale) = shift_and_scale(&head, width);
        // The two vectors have one length by construction, which is all that can be wrong.
        let gram = Gram::new(shift, scale).map_err(|error| CommonError::Internal(error.to_string()))?;
        Ok(Self::summed(data, folds, &Sums::Blocked(gram)))
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
        Self { transform: Some(Arc::clone(data.transform)), identity, width, responses, folds, gathered }
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
}

/// Adds rows to the sums of their folds, some at a time.
struct Sorter<'a> {
    sums: &'a mut [Sums],
    waiting: Vec<WholeRows>,
    columns: usize,
}

impl Sorter<'_> {
    fn push(&mut self, row: Block<'_>, fold: usize) -> Result<()> {
        self.waiting[fold].push(row);
        if self.waiting[fold].cells.len() >= FLUSH_ROWS * self.columns { self.flush(fold) } else { Ok(()) }
    }

    fn flush(&mut self, fold: usize) -> Result<()> {
        let waiting = &mut self.waiting[fold];
        self.sums[fold].update(waiting.block(), self.columns)?;
        waiting.clear();
        Ok(())
    }
}

impl Accumulator for Design {
    type Output = Gathered;

    fn inputs(&self) -> Inputs {
        let mut inputs = self.responses.inputs(Inputs::default());
        if let Some(transform) = &self.transform {
            inputs = if transform.rounded().is_empty() {
                inputs.with_transform(FEATURES, transform)
            } else {
                // Applied here, to the last digit.
                transform.inputs().into_iter().fold(inputs, Inputs::with_column)
            };
        }
        match &self.identity {
            Some(identity) => inputs.with_identity(identity),
            None => inputs,
        }
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
        let Some(transform) = &self.transform else { return Ok(()) };
        let space = transform.space();
        let columns = self.width + self.responses.labels.len();
        let exact = (!transform.rounded().is_empty()).then(|| transform.apply_exact(batch)).transpose()?;
        let features = match &exact {
            Some(exact) => (&exact.features, exact.remainders.as_slice()),
            None => (batch.features(FEATURES)?, [].as_slice()),
        };
        let hashes = match self.identity {
            Some(_) => batch
                .row_hashes()
                .ok_or_else(|| CommonError::Internal("row hashes are not among the inputs".into()))?,
            None => &[],
        };
        // Without hashes there is one fold.
        let fold_at = |row: usize| hashes.get(row).map_or(0, |hash| fold_of(*hash, self.folds));
        match &mut self.gathered {
            Gathered::Whole { rows, fold_of_row } => {
                self.responses.each_exact_block(batch, features, space, |block, numbers| {
                    rows.push(block);
                    if self.folds > 1 {
                        fold_of_row.extend(numbers.iter().map(|row| fold_at(*row)));
                    }
                    Ok(())
                })
            }
            Gathered::Summed(sums) => match sums.as_mut_slice() {
                [sums] => self
                    .responses
                    .each_exact_block(batch, features, space, |block, _| sums.update(block, columns)),
                sums => {
                    let waiting = vec![WholeRows::default(); sums.len()];
                    let mut sorter = Sorter { sums, waiting, columns };
                    self.responses.each_exact_block(batch, features, space, |block, numbers| {
                        for (place, row) in numbers.iter().enumerate() {
                            sorter.push(block.row(place, columns), fold_at(*row) as usize)?;
                        }
                        Ok(())
                    })?;
                    (0..sorter.waiting.len()).try_for_each(|fold| sorter.flush(fold))
                }
            },
        }
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
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
