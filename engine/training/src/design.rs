//! What least squares needs of the rows, gathered in one scan of the transformed data.
//!
//! Three forms, chosen before the scan from the plan alone (design decision 5): small data are kept whole and
//! solved in double-double; larger data become a blocked Gram matrix about a shift taken from the first rows;
//! and where that turns out ill-conditioned, one more scan takes the sums in double-double.

use std::sync::Arc;

use arrow::array::{Array, Float64Array};
use serde::{Deserialize, Serialize};

use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::{Batch, Inputs};
use sluice_core::column::numbers;
use sluice_core::double_double::DoubleDouble;
use sluice_core::error::{Error, Result};
use sluice_core::features::{FeatureBatch, FeatureSpace, NotANumber};
use sluice_core::group::GroupMap;
use sluice_core::seam::{BatchSource, BatchTransform};
use sluice_summaries::gram::{GRAM_BLOCK_ROWS, Gram, triangle_index};

use crate::error::TrainingError;
use crate::solve::{Normal, Packed, PreparedRows, Rows};

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

/// What is gathered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Gathered {
    /// The rows themselves, row-major, the label last.
    Whole(Vec<f64>),
    /// Their Gram matrix, the label last.
    Blocked(Gram),
    /// Their centred sums in double-double.
    Exact(Option<Normal>),
}

impl Gathered {
    /// The same form, no rows.
    pub(crate) fn empty(&self) -> Self {
        match self {
            Self::Whole(_) => Self::Whole(Vec::new()),
            Self::Blocked(gram) => Self::Blocked(gram.empty()),
            Self::Exact(_) => Self::Exact(None),
        }
    }

    /// Adds row-major rows of `width` features and the label.
    pub(crate) fn update(&mut self, rows: &[f64], width: usize) -> Result<()> {
        match self {
            Self::Whole(mine) => mine.extend_from_slice(rows),
            Self::Blocked(gram) => gram.update(rows, None),
            Self::Exact(_) if rows.is_empty() => {}
            Self::Exact(normal) => join(normal, exact_sums(rows, width)?),
        }
        Ok(())
    }

    /// Adds what was gathered of later rows.
    pub(crate) fn merge(&mut self, later: Self) {
        match (self, later) {
            (Self::Whole(rows), Self::Whole(later)) => rows.extend(later),
            (Self::Blocked(gram), Self::Blocked(later)) => gram.merge(later),
            (Self::Exact(normal), Self::Exact(Some(later))) => join(normal, later),
            // States of one scan have one form; an empty exact one adds nothing.
            _ => {}
        }
    }

    /// Bytes held beside the value itself.
    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Self::Whole(rows) => 8 * rows.capacity(),
            Self::Blocked(gram) => gram.size_bytes(),
            Self::Exact(normal) => normal.as_ref().map_or(0, |normal| size_of_val(normal.cross.entries())),
        }
    }
}

/// The accumulator over transformed rows and their label.
#[derive(Clone, Serialize, Deserialize)]
pub struct Design {
    #[serde(skip)]
    transform: Option<Arc<dyn BatchTransform>>,
    width: usize,
    label: String,
    gathered: Gathered,
}

impl std::fmt::Debug for Design {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Design")
            .field("width", &self.width)
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

impl Design {
    /// The form that suits the source: whole where it is small, else blocked.
    ///
    /// # Errors
    /// [`TrainingError::TooManyColumns`], and what reading the first rows meets.
    pub fn new(source: &dyn BatchSource, transform: &Arc<dyn BatchTransform>, label: &str) -> Result<Self> {
        let rows = source.plan().rows();
        let columns = transform.space().width();
        if columns > MAX_COLUMNS {
            return Err(TrainingError::TooManyColumns { columns, limit: MAX_COLUMNS }.into());
        }
        let width = columns as u64;
        let products = rows.saturating_mul(width.saturating_mul(width));
        if rows <= WHOLE_ROWS && products <= WHOLE_PRODUCTS {
            return Ok(Self::with(transform, label, Gathered::Whole(Vec::new())));
        }
        Self::blocked(source, transform, label)
    }

    /// The blocked form, with shift and scale from the first rows of the listing.
    ///
    /// # Errors
    /// What reading the first rows meets.
    pub fn blocked(
        source: &dyn BatchSource,
        transform: &Arc<dyn BatchTransform>,
        label: &str,
    ) -> Result<Self> {
        let plan = source.plan();
        let needed = transform.inputs();
        let columns: Vec<usize> = (0..plan.columns.len())
            .filter(|index| plan.columns[*index].name == label || needed.contains(&plan.columns[*index].name))
            .collect();
        let width = transform.space().width() + 1;
        let mut head = Vec::new();
        for batch in source.head(&columns, SHIFT_ROWS)? {
            let batch = Batch::new(&batch);
            let features = transform.apply(&batch)?;
            each_block(&features, transform.space(), &labels(&batch, label)?, |rows| {
                head.extend_from_slice(rows);
                Ok(())
            })?;
        }
        let (shift, scale) = shift_and_scale(&head, width);
        // The two vectors have one length by construction, which is all that can be wrong.
        let gram = Gram::new(shift, scale)
            .map_err(|error| sluice_core::error::CommonError::Internal(error.to_string()))?;
        Ok(Self::with(transform, label, Gathered::Blocked(gram)))
    }

    /// The exact form, for a second scan.
    #[must_use]
    pub fn exact(transform: &Arc<dyn BatchTransform>, label: &str) -> Self {
        Self::with(transform, label, Gathered::Exact(None))
    }

    fn with(transform: &Arc<dyn BatchTransform>, label: &str, gathered: Gathered) -> Self {
        let width = transform.space().width();
        Self { transform: Some(Arc::clone(transform)), width, label: label.into(), gathered }
    }

    /// Columns of the design matrix, the label not counted.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// What was gathered.
    #[must_use]
    pub fn gathered(self) -> Gathered {
        self.gathered
    }

    /// The transform, the label and the form.
    pub(crate) fn into_parts(self) -> (Option<Arc<dyn BatchTransform>>, String, Gathered) {
        (self.transform, self.label, self.gathered)
    }
}

/// Shift (the mean) and power-of-two scale (the spread) of each column of some row-major rows.
fn shift_and_scale(rows: &[f64], width: usize) -> (Vec<f64>, Vec<f64>) {
    let count = std::cmp::max(rows.len() / width, 1) as f64;
    let mut shift = vec![0.0; width];
    for row in rows.chunks_exact(width) {
        shift.iter_mut().zip(row).for_each(|(sum, value)| *sum += value / count);
    }
    let mut spread = vec![0.0_f64; width];
    for row in rows.chunks_exact(width) {
        for ((spread, value), shift) in spread.iter_mut().zip(row).zip(&shift) {
            let deviation = (value - shift).abs();
            if deviation > *spread {
                *spread = deviation;
            }
        }
    }
    let scale = spread
        .into_iter()
        .map(|spread| {
            // A constant column, or one at the limits of floating point, is not scaled.
            let exponent = -spread.log2().round();
            if exponent.abs() <= 256.0 { exponent.exp2() } else { 1.0 }
        })
        .collect();
    (shift, scale)
}

/// The labels of a batch; every one a finite number.
pub(crate) fn labels(batch: &Batch, label: &str) -> Result<Float64Array> {
    let values = numbers(label, batch.require(label)?, "the label")?;
    let bad = (0..values.len()).find(|&row| values.is_null(row) || !values.value(row).is_finite());
    if let Some(row) = bad {
        let found = match values.value(row) {
            _ if values.is_null(row) => "null",
            value if value.is_nan() => "NaN",
            _ => "infinite",
        };
        return Err(Error::from(TrainingError::LabelNotANumber { label: label.into(), found }).at_row(row));
    }
    Ok(values)
}

/// The error of a feature that a model cannot take.
pub(crate) fn not_a_number(problem: NotANumber, space: &FeatureSpace) -> Error {
    let feature = space.features[problem.feature].name.clone();
    let found = if problem.is_null { "null" } else { "NaN or infinite" };
    Error::from(TrainingError::FeatureNotANumber { feature, found }).at_row(problem.row)
}

/// Hands out the rows of a batch in row-major blocks, the label last.
pub(crate) fn each_block(
    features: &FeatureBatch,
    space: &FeatureSpace,
    labels: &Float64Array,
    mut block: impl FnMut(&[f64]) -> Result<()>,
) -> Result<()> {
    let stride = space.width() + 1;
    let mut matrix = vec![0.0; stride * std::cmp::min(features.rows, GRAM_BLOCK_ROWS)];
    let mut first = 0;
    while first < features.rows {
        let rows = std::cmp::min(GRAM_BLOCK_ROWS, features.rows - first);
        let cells = &mut matrix[..rows * stride];
        features.fill(space, first, rows, stride, cells).map_err(|problem| not_a_number(problem, space))?;
        for (row, cells) in cells.chunks_exact_mut(stride).enumerate() {
            cells[stride - 1] = labels.value(first + row);
        }
        block(cells)?;
        first += rows;
    }
    Ok(())
}

impl Accumulator for Design {
    type Output = Gathered;

    fn inputs(&self) -> Inputs {
        let inputs = Inputs::default().with_column(&self.label);
        match &self.transform {
            Some(transform) => inputs.with_transform(FEATURES, transform),
            None => inputs,
        }
    }

    fn empty(&self) -> Self {
        Self {
            transform: self.transform.clone(),
            width: self.width,
            label: self.label.clone(),
            gathered: self.gathered.empty(),
        }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        let Input::Rows(batch) = input else { return Ok(()) };
        let Some(transform) = &self.transform else { return Ok(()) };
        let space = transform.space();
        let features = batch.features(FEATURES)?;
        let labels = labels(batch, &self.label)?;
        each_block(features, space, &labels, |block| self.gathered.update(block, self.width))
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        self.gathered.merge(later.gathered);
        Ok(())
    }

    fn finish(self) -> Gathered {
        self.gathered
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.gathered.size_bytes()
    }
}

/// Splits row-major rows with the label last into features and labels.
pub(crate) fn split_label(rows: &[f64], width: usize) -> (Vec<f64>, Vec<f64>) {
    let count = rows.len() / (width + 1);
    let mut features = Vec::with_capacity(count * width);
    let mut labels = Vec::with_capacity(count);
    for row in rows.chunks_exact(width + 1) {
        features.extend_from_slice(&row[..width]);
        labels.push(row[width]);
    }
    (features, labels)
}

/// The centred sums of row-major rows, the label last, in double-double.
pub(crate) fn exact_sums(rows: &[f64], width: usize) -> Result<Normal> {
    let (values, label) = split_label(rows, width);
    let rows = Rows { features: width, values: &values, label: &label, weights: None, intercept: true };
    let prepared =
        PreparedRows::new(rows).map_err(|source| TrainingError::Solve { features: Vec::new(), source })?;
    Ok(prepared.normal())
}

/// Joins centred sums by the pairwise update of Chan, Golub & `LeVeque` (1983), equation 2.1, in double-double.
pub(crate) fn join(mine: &mut Option<Normal>, later: Normal) {
    let Some(mine) = mine else {
        *mine = Some(later);
        return;
    };
    let (n, m) = (DoubleDouble::from(mine.rows), DoubleDouble::from(later.rows));
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
pub(crate) fn normal_of(gram: &Gram) -> Option<Normal> {
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
