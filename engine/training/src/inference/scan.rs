//! The second scan: what residuals and leverages of all rows add up to.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::{Batch, Inputs, RowIdentity};
use sluice_core::double_double::DoubleDouble;
use sluice_core::error::{CommonError, Result};
use sluice_core::group::GroupMap;
use sluice_core::seam::BatchTransform;
use sluice_summaries::gram::{Gram, triangle_index};

use super::influence::{PlacedRow, RowFigures};
use super::options::{InferenceOptions, StandardErrors};
use super::residuals::ResidualSums;
use crate::data::TrainingData;
use crate::design::FEATURES;
use crate::design::rows::{Block, Responses};
use crate::solve::Whitening;

/// The model of one label, as the scan needs it.
#[derive(Debug)]
pub(super) struct Fit {
    pub(super) coefficients: Vec<f64>,
    pub(super) whitening: Whitening,
    /// None where no degrees of freedom are left.
    pub(super) residual_variance: Option<f64>,
    /// The trace of the hat matrix.
    pub(super) effective_degrees: f64,
}

/// What is the same for all rows.
struct Context {
    transform: Arc<dyn BatchTransform>,
    identity: RowIdentity,
    responses: Responses,
    fits: Vec<Fit>,
    options: InferenceOptions,
}

/// Adds up what the rows say of models that were fitted on them.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct ResidualScan {
    #[serde(skip)]
    context: Option<Arc<Context>>,
    /// The sum of the logarithms of the weights.
    log_weights: DoubleDouble,
    targets: Vec<TargetSums>,
}

/// What is added up for one label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TargetSums {
    /// Of the coordinates of the rows and, where there is an intercept, 1: their products times squared errors.
    squares: Option<Gram>,
    /// Rows whose label alone decides their prediction, where that leaves robust errors undefined.
    undefined_rows: u64,
    residuals: Option<ResidualSums>,
}

/// What a scan answers for one label.
#[derive(Debug)]
pub(super) struct Scanned {
    /// The products of coordinates times squared errors; none where a row leaves them undefined.
    pub(super) squares: Option<Vec<DoubleDouble>>,
    pub(super) undefined_rows: u64,
    pub(super) residuals: Option<ResidualSums>,
}

impl Scanned {
    /// Variances from the products.
    pub(super) fn variances(&self, whitening: &Whitening) -> Option<(Vec<f64>, Option<f64>)> {
        let products = self.squares.as_ref()?;
        let entry = |i: usize, j: usize| {
            let (row, column) = if j <= i { (i, j) } else { (j, i) };
            products[triangle_index(row, column)].to_f64()
        };
        Some(whitening.variances(entry))
    }
}

impl std::fmt::Debug for ResidualScan {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ResidualScan").field("targets", &self.targets.len()).finish_non_exhaustive()
    }
}

impl ResidualScan {
    pub(super) fn new(data: TrainingData<'_>, fits: Vec<Fit>, options: InferenceOptions) -> Result<Self> {
        let targets = fits.iter().map(|fit| TargetSums::new(fit, options)).collect::<Result<_>>()?;
        let context = Context {
            transform: Arc::clone(data.transform),
            // Of the row itself: rows of one key shall not be in the sample together or not at all.
            identity: RowIdentity::choose(&[], &data.source.plan().column_names()),
            responses: data.columns.responses(),
            fits,
            options,
        };
        Ok(Self { context: Some(Arc::new(context)), log_weights: DoubleDouble::ZERO, targets })
    }

    fn add(&mut self, batch: &Batch) -> Result<()> {
        let Some(context) = self.context.clone() else { return Ok(()) };
        let space = context.transform.space();
        let features = batch.features(FEATURES)?;
        let hashes = if context.options.diagnostics {
            batch
                .row_hashes()
                .ok_or_else(|| CommonError::Internal("row hashes are not among the inputs".into()))?
        } else {
            &[]
        };
        let (width, labels) = (space.width(), context.responses.labels.len());
        context.responses.each_block(batch, features, space, |block, numbers| {
            for weight in block.weights.into_iter().flatten() {
                self.log_weights = self.log_weights + weight.ln();
            }
            let rows = BlockRows { block, numbers, batch, hashes, stride: width + labels, width };
            for (target, (sums, fit)) in self.targets.iter_mut().zip(&context.fits).enumerate() {
                sums.add(fit, context.options.standard_errors, &rows, target);
            }
            Ok(())
        })
    }

    /// The sum of the logarithms of the weights.
    pub(super) fn log_weights(&self) -> f64 {
        self.log_weights.to_f64()
    }

    /// The models that it looks at.
    pub(super) fn fits(&self) -> &[Fit] {
        self.context.as_ref().map_or(&[], |context| &context.fits)
    }

    /// What each label's residuals add up to.
    pub(super) fn take_scanned(&mut self) -> Vec<Scanned> {
        let scanned = std::mem::take(&mut self.targets).into_iter().map(|sums| {
            let TargetSums { squares, undefined_rows, residuals } = sums;
            let squares = squares.filter(|_| undefined_rows == 0);
            Scanned { squares: squares.map(|gram| gram.uncentered_products()), undefined_rows, residuals }
        });
        scanned.collect()
    }
}

/// Some rows of a batch with what belongs to them.
struct BlockRows<'a> {
    block: Block<'a>,
    numbers: &'a [usize],
    batch: &'a Batch,
    hashes: &'a [u64],
    stride: usize,
    width: usize,
}

impl TargetSums {
    fn new(fit: &Fit, options: InferenceOptions) -> Result<Self> {
        let size = fit.whitening.size();
        let with_one = size + usize::from(fit.whitening.intercept_share().is_some());
        let is_robust = options.standard_errors != StandardErrors::Classical;
        let gram = || Gram::new(vec![0.0; with_one], vec![1.0; with_one]);
        let squares = is_robust.then(gram).transpose();
        let has_residuals =
            options.diagnostics && fit.residual_variance.is_some_and(|variance| variance > 0.0);
        Ok(Self {
            squares: squares.map_err(|error| CommonError::Internal(error.to_string()))?,
            undefined_rows: 0,
            residuals: has_residuals.then(|| ResidualSums::new(size)),
        })
    }

    fn empty(&self) -> Self {
        let coordinates = |residuals: &ResidualSums| ResidualSums::new(residuals.coordinates());
        Self {
            squares: self.squares.as_ref().map(Gram::empty),
            undefined_rows: 0,
            residuals: self.residuals.as_ref().map(coordinates),
        }
    }

    fn add(&mut self, fit: &Fit, kind: StandardErrors, rows: &BlockRows<'_>, target: usize) {
        let BlockRows { block, stride, width, .. } = *rows;
        let (size, share) = (fit.whitening.size(), fit.whitening.intercept_share());
        let coordinates = fit.whitening.coordinates(block.rows, stride);
        let (mut with_one, mut squares) = (Vec::new(), Vec::new());
        let (mut residuals, mut studentized) = (Vec::new(), Vec::new());
        for (place, cells) in block.rows.chunks_exact(stride).enumerate() {
            let own = &coordinates[place * size..(place + 1) * size];
            let label = cells[width + target];
            let error = fit.whitening.residual(cells, label, &fit.coefficients);
            let weight = block.weights.map_or(1.0, |weights| weights[place]);
            let norm: f64 = own.iter().map(|coordinate| coordinate * coordinate).sum();
            let leverage = weight * (norm + share.unwrap_or(0.0));
            if self.squares.is_some() {
                let weighted = weight * error;
                let factor = kind.factor(leverage);
                self.undefined_rows += u64::from(factor.is_none());
                squares.push(factor.map_or(0.0, |factor| weighted * weighted * factor));
                with_one.extend_from_slice(own);
                with_one.extend(share.map(|_| 1.0));
            }
            let Some(sums) = &mut self.residuals else { continue };
            let residual = weight.sqrt() * error;
            match fit.figures(label - error, residual, leverage) {
                None => sums.count_decided(),
                Some(figures) => {
                    residuals.push(residual);
                    studentized.push(figures.studentized);
                    let number = rows.numbers[place];
                    let row = rows.batch.first_row() + number as u64;
                    let placed = PlacedRow { split: rows.batch.split(), row, figures };
                    sums.push(placed, rows.hashes.get(number).copied().unwrap_or_default(), own);
                }
            }
        }
        if let Some(gram) = &mut self.squares {
            gram.update(&with_one, Some(&squares));
        }
        if let Some(sums) = &mut self.residuals {
            sums.push_values(&residuals, &studentized);
        }
    }

    fn merge(&mut self, later: Self) {
        if let (Some(mine), Some(later)) = (&mut self.squares, later.squares) {
            mine.merge(later);
        }
        self.undefined_rows += later.undefined_rows;
        if let (Some(mine), Some(later)) = (&mut self.residuals, later.residuals) {
            mine.merge(later);
        }
    }
}

impl Fit {
    /// None for a row that decides its own prediction.
    fn figures(&self, fitted: f64, residual: f64, leverage: f64) -> Option<RowFigures> {
        let left = 1.0 - leverage;
        let variance = self.residual_variance?;
        if !(left > super::DECIDED) {
            return None;
        }
        let studentized = residual / (variance * left).sqrt();
        let cooks_distance = studentized * studentized / self.effective_degrees * leverage / left;
        Some(RowFigures { fitted, residual, studentized, leverage, cooks_distance })
    }
}

impl Accumulator for ResidualScan {
    type Output = Self;

    fn inputs(&self) -> Inputs {
        let Some(context) = &self.context else { return Inputs::default() };
        let inputs = context.responses.inputs(Inputs::default()).with_transform(FEATURES, &context.transform);
        if context.options.diagnostics { inputs.with_identity(&context.identity) } else { inputs }
    }

    fn empty(&self) -> Self {
        Self {
            context: self.context.clone(),
            log_weights: DoubleDouble::ZERO,
            targets: self.targets.iter().map(TargetSums::empty).collect(),
        }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        match input {
            Input::Rows(batch) => self.add(batch),
            // Asks for whole rows only; what comes apart is for others.
            Input::Counted(_) | Input::Apart(_) => Ok(()),
        }
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        self.log_weights = self.log_weights + later.log_weights;
        self.targets.iter_mut().zip(later.targets).for_each(|(mine, later)| mine.merge(later));
        Ok(())
    }

    fn finish(self) -> Self {
        self
    }

    fn size_bytes(&self) -> usize {
        let of_target = |sums: &TargetSums| {
            size_of::<TargetSums>()
                + sums.squares.as_ref().map_or(0, Gram::size_bytes)
                + sums.residuals.as_ref().map_or(0, ResidualSums::size_bytes)
        };
        size_of::<Self>() + self.targets.iter().map(of_target).sum::<usize>()
    }
}
