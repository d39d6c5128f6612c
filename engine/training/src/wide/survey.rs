//! The first scan: of each fold what belongs to single columns.

use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::Inputs;
use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::fold::fold;
use sluice_core::group::GroupMap;

use super::piece::{Layout, Piece};
use crate::data::TrainingData;
use crate::design::rows::shift_and_scale;
use crate::error::TrainingError;

/// Below this share of its sum of squares, what a column varies by is rounding.
const CONSTANT: f64 = 1e-13;

/// Rows that shift and scale are taken from, unless they make more than so many cells: they are laid out cell by cell.
const SHIFT_ROWS: usize = 4096;
const SHIFT_CELLS: usize = 1 << 22;
const LEAST_SHIFT_ROWS: usize = 64;

/// Sums over some rows, `z` being shifted and scaled columns, `y` labels alike.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FoldSums {
    /// Rows with a weight above 0.
    pub(super) rows: u64,
    pub(super) weight: DoubleDouble,
    /// `Σ w z`, and `Σ w y` behind them.
    sums: Vec<DoubleDouble>,
    /// `Σ w z²`, and `Σ w y²` behind them.
    squares: Vec<DoubleDouble>,
    /// `Σ w z y`, label after label.
    products: Vec<DoubleDouble>,
}

/// What the first scan found.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) layout: Layout,
    pub(super) folds: Vec<FoldSums>,
}

/// The problem of one system: what of it is known without reading rows.
pub(super) struct Centered {
    /// The means of the columns.
    pub(super) means: Vec<f64>,
    /// The right side, `Σ w (z - mean)(y - mean)`.
    pub(super) right: Vec<f64>,
    /// The diagonal of the matrix, `Σ w (z - mean)²`; 0 for a column that does not vary.
    pub(super) diagonal: Vec<f64>,
}

impl Survey {
    /// Reads the rows.
    ///
    /// # Errors
    /// What reading meets; that there are no rows, or none in a fold.
    pub(super) fn of(data: TrainingData<'_>, folds: u32, execution: &Execution) -> Result<Self> {
        let space = data.transform.space();
        let (mut shift, mut scale) = shift_and_scale_of(data)?;
        let mut place = 0;
        for feature in &space.features {
            let width = feature.width();
            if feature.kind != sluice_core::features::FeatureKind::Number {
                shift[place..place + width].fill(0.0);
                scale[place..place + width].fill(1.0);
            }
            place += width;
        }
        let layout = Layout::new(data, folds, shift, scale);
        let empty = FoldSums::empty(layout.width(), layout.responses.labels.len());
        let sums = Sums { data, layout: &layout, folds: vec![empty; folds as usize] };
        execution.progress.begin("train", data.source.plan().extent());
        let found = fold(data.source, &sums, execution)?.accumulator.folds;
        let rows: u64 = found.iter().map(|fold| fold.rows).sum();
        if rows == 0 {
            return Err(data.no_rows().into());
        }
        if let Some((fold, _)) = (1..).zip(&found).find(|(_, fold)| fold.rows == 0) {
            return Err(TrainingError::FoldEmpty { fold, folds, rows }.into());
        }
        Ok(Self { layout, folds: found })
    }

    /// The sums of all folds, or of all but one, joined in order.
    pub(super) fn without(&self, left_out: Option<u32>) -> FoldSums {
        let mut joined = FoldSums::empty(self.layout.width(), self.layout.responses.labels.len());
        for (_, fold) in (0..).zip(&self.folds).filter(|(number, _)| left_out != Some(*number)) {
            joined.add(fold);
        }
        joined
    }

    /// The problem of a label on some rows.
    pub(super) fn centered(&self, rows: &FoldSums, target: usize) -> Centered {
        let width = self.layout.width();
        let label_sum = rows.sums[width + target];
        let means: Vec<DoubleDouble> = rows.sums[..width].iter().map(|sum| *sum / rows.weight).collect();
        let products = &rows.products[target * width..(target + 1) * width];
        let right =
            products.iter().zip(&means).map(|(product, mean)| (*product - *mean * label_sum).to_f64());
        let diagonal =
            rows.squares[..width].iter().zip(&rows.sums).zip(&means).map(|((square, sum), mean)| {
                let own = (*square - *mean * *sum).to_f64();
                if own > CONSTANT * square.to_f64() { own } else { 0.0 }
            });
        Centered {
            right: right.collect(),
            diagonal: diagonal.collect(),
            means: means.iter().map(|mean| mean.to_f64()).collect(),
        }
    }

    /// The columns that do not vary.
    pub(super) fn constant(&self, rows: &FoldSums) -> Vec<usize> {
        let diagonal = self.centered(rows, 0).diagonal;
        (0..diagonal.len()).filter(|column| !(diagonal[*column] > 0.0)).collect()
    }

    /// The means of the columns in their own units.
    pub(super) fn column_means(&self) -> Vec<f64> {
        let all = self.without(None);
        let Layout { shift, scale, .. } = &self.layout;
        let of = |column: usize| all.sums[column] / all.weight * scale[column].recip() + shift[column];
        (0..self.layout.width()).map(|column| of(column).to_f64()).collect()
    }

    /// The mean of a label in its own units.
    pub(super) fn label_mean(&self, rows: &FoldSums, target: usize) -> DoubleDouble {
        let place = self.layout.width() + target;
        rows.sums[place] / rows.weight * self.layout.scale[place].recip() + self.layout.shift[place]
    }

    /// The sum of squares of a label about its mean, in its own units.
    pub(super) fn label_square(&self, rows: &FoldSums, target: usize) -> DoubleDouble {
        let place = self.layout.width() + target;
        let unit = self.layout.scale[place].recip();
        (rows.squares[place] - rows.sums[place] * rows.sums[place] / rows.weight) * unit * unit
    }

    /// Coefficients and intercept in the units of the columns and the label, of a solution in those of the scans.
    pub(super) fn in_units(&self, rows: &FoldSums, target: usize, solution: &[f64]) -> (Vec<f64>, f64) {
        let Layout { shift, scale, .. } = &self.layout;
        let width = self.layout.width();
        let unit = scale[width + target].recip();
        let coefficients: Vec<f64> =
            solution.iter().zip(scale).map(|(value, scale)| value * scale * unit).collect();
        let mut intercept = self.label_mean(rows, target);
        for (column, coefficient) in coefficients.iter().enumerate() {
            let mean = rows.sums[column] / rows.weight * scale[column].recip() + shift[column];
            intercept = intercept - mean * *coefficient;
        }
        (coefficients, intercept.to_f64())
    }

    /// The prediction where all columns are at their shift, less that of the label, in the units of the scans.
    pub(super) fn start(&self, rows: &FoldSums, target: usize, solution: &[f64]) -> f64 {
        let width = self.layout.width();
        let mean = |place: usize| rows.sums[place] / rows.weight;
        let sum = (0..width).fold(mean(width + target), |sum, column| sum - mean(column) * solution[column]);
        sum.to_f64()
    }
}

/// Shift and scale of the columns of the design and then of the labels, from the first rows of the listing.
///
/// # Errors
/// What reading the first rows meets.
fn shift_and_scale_of(data: TrainingData<'_>) -> Result<(Vec<f64>, Vec<f64>)> {
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
    let count = (SHIFT_CELLS / width).clamp(LEAST_SHIFT_ROWS, SHIFT_ROWS);
    let mut head = Vec::new();
    source.each_head(&read, count, &mut |batch| {
        let features = transform.apply(batch)?;
        responses.each_block(batch, &features, transform.space(), |block, _| {
            head.extend_from_slice(block.rows);
            Ok(())
        })
    })?;
    Ok(shift_and_scale(&head, width))
}

impl FoldSums {
    fn empty(width: usize, labels: usize) -> Self {
        Self {
            rows: 0,
            weight: DoubleDouble::ZERO,
            sums: vec![DoubleDouble::ZERO; width + labels],
            squares: vec![DoubleDouble::ZERO; width + labels],
            products: vec![DoubleDouble::ZERO; width * labels],
        }
    }

    fn add(&mut self, later: &Self) {
        self.rows += later.rows;
        self.weight = self.weight + later.weight;
        for (mine, later) in [
            (&mut self.sums, &later.sums),
            (&mut self.squares, &later.squares),
            (&mut self.products, &later.products),
        ] {
            mine.iter_mut().zip(later).for_each(|(mine, later)| *mine = *mine + *later);
        }
    }

    /// Adds the rows of a piece with these factors, which are their weights or 0.
    fn add_piece(&mut self, piece: &Piece, factors: &[f64]) {
        let labels = piece.labels.len();
        let width = self.sums.len() - labels;
        self.rows += factors.iter().filter(|factor| **factor > 0.0).count() as u64;
        self.weight = factors.iter().fold(self.weight, |sum, factor| sum + *factor);
        let mut sums = vec![0.0; width];
        let mut add = |totals: &mut [DoubleDouble], fill: &mut dyn FnMut(&mut [f64])| {
            sums.fill(0.0);
            fill(&mut sums);
            totals.iter_mut().zip(&sums).for_each(|(total, sum)| *total = *total + *sum);
        };
        add(&mut self.sums[..width], &mut |sums| piece.transposed_times(factors, sums));
        add(&mut self.squares[..width], &mut |sums| piece.transposed_squares(factors, sums));
        for (target, label) in piece.labels.iter().enumerate() {
            let products: Vec<f64> =
                label.iter().zip(factors).map(|(label, factor)| label * factor).collect();
            let own = &mut self.products[target * width..(target + 1) * width];
            add(own, &mut |sums| piece.transposed_times(&products, sums));
            let (sum, square) = (&mut self.sums[width + target], &mut self.squares[width + target]);
            *sum = products.iter().fold(*sum, |sum, product| sum + *product);
            let squares = products.iter().zip(label);
            *square =
                squares.fold(*square, |sum, (product, label)| sum + DoubleDouble::product(*product, *label));
        }
    }
}

/// The accumulator of the scan.
struct Sums<'a> {
    data: TrainingData<'a>,
    layout: &'a Layout,
    folds: Vec<FoldSums>,
}

impl Accumulator for Sums<'_> {
    type Output = Vec<FoldSums>;

    fn inputs(&self) -> Inputs {
        self.layout.inputs(self.data)
    }

    fn empty(&self) -> Self {
        let empty = FoldSums::empty(self.layout.width(), self.layout.responses.labels.len());
        Self { data: self.data, layout: self.layout, folds: vec![empty; self.folds.len()] }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        let Input::Rows(batch) = input else { return Ok(()) };
        let folds = &mut self.folds;
        self.layout.each_piece(self.data, batch, |piece| {
            if let [all] = folds.as_mut_slice() {
                all.add_piece(piece, &piece.weights);
                return;
            }
            for (number, fold) in (0..).zip(folds.iter_mut()) {
                let weights = piece.weights.iter().enumerate();
                let factors: Vec<f64> = weights
                    .map(|(row, weight)| if piece.is_in(row, number) { *weight } else { 0.0 })
                    .collect();
                fold.add_piece(piece, &factors);
            }
        })
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        self.folds.iter_mut().zip(&later.folds).for_each(|(mine, later)| mine.add(later));
        Ok(())
    }

    fn finish(self) -> Vec<FoldSums> {
        self.folds
    }

    fn size_bytes(&self) -> usize {
        let columns = self.layout.shift.len() * (2 + self.layout.responses.labels.len());
        self.folds.len() * columns * size_of::<DoubleDouble>()
    }
}
