//! Runs both files on rows and compares them with ours.

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use sluice_core::batch::Batch;
use sluice_core::error::{CommonError, Result};
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureSpace};
use sluice_core::seam::{BatchTransform as _, FeatureModel as _};
use sluice_networks::double::{DoubleNetwork, FAR};
use sluice_onnx::Session;
use sluice_training::{Link, Output};

use super::bound::{Bound, is_close};
use super::graph::Export;
use super::rows::with_edges;
use crate::error::DeliveryError;
use crate::model::Model;
use crate::network::{Network, Source};
use crate::package::PackageParts;

/// Cells of the widest tensor that are run at a time; few in tests, so that there are several pieces.
const MAX_CELLS: usize = if cfg!(test) { 1 << 11 } else { 1 << 20 };

/// How many rows both were run on. Edge rows that our transform stops at are not among them.
///
/// # Errors
/// [`DeliveryError::OnnxDiffers`] where a file does not do what ours does, and what running it meets.
pub(crate) fn verify(parts: &PackageParts, export: &Export, rows: &RecordBatch) -> Result<usize> {
    if rows.num_rows() == 0 {
        return Err(CommonError::Internal("an ONNX export without rows to run it on".into()).into());
    }
    let table = with_edges(&parts.transform, rows)?;
    let trial = Trial {
        parts,
        export,
        sample: rows.num_rows(),
        transform: Session::new(&export.transform_file)?,
        model: Session::new(&export.model_file)?,
    };
    // Indicators of many levels are dense in ONNX, and so is what levels and edges are looked up by: a few rows at a
    // time.
    let rows_at_a_time = std::cmp::max(1, MAX_CELLS / std::cmp::max(1, export.widest));
    let mut verified_rows = 0;
    for first in (0..table.num_rows()).step_by(rows_at_a_time) {
        let rows = std::cmp::min(rows_at_a_time, table.num_rows() - first);
        verified_rows += trial.run(&table.slice(first, rows), first)?;
    }
    Ok(verified_rows)
}

/// Both files, and what they must do.
struct Trial<'a> {
    parts: &'a PackageParts,
    export: &'a Export,
    /// Rows of the data, before the edge rows.
    sample: usize,
    transform: Session,
    model: Session,
}

impl Trial<'_> {
    /// Compares some rows, the first of which is number `first`; how many there were.
    fn run(&self, table: &RecordBatch, first: usize) -> Result<usize> {
        let (table, numbers, features) = self.answered(table, first)?;
        if numbers.is_empty() {
            return Ok(0);
        }
        let tensors = self.export.inputs.tensors(&table)?;
        let space = self.parts.transform.space();
        let expected = matrix(&features, space);
        let found = output(self.transform.run(&tensors)?, expected.len())?;
        self.compare_features(&found, &expected, &numbers)?;
        let predictions = self.parts.model.predict_sound(&features, space)?;
        let found = self.model.run(&tensors)?;
        let is_whole =
            found.len() == predictions.len() && found.iter().all(|column| column.len() == numbers.len());
        if !is_whole {
            return Err(CommonError::Internal("an ONNX graph has not the outputs of its model".into()).into());
        }
        let slack = self.slack(&features, &expected);
        for (column, (found, predictions)) in found.iter().zip(&predictions).enumerate() {
            for (row, found) in found.iter().enumerate() {
                let prediction = if predictions.is_null(row) { f64::NAN } else { predictions.value(row) };
                let allowed = allowed(self.parts.model.link(), &slack[row], column, prediction);
                if !is_close(*found, prediction, allowed) {
                    let what = format!("`{}`", self.export.predictions[column]);
                    return Err(differs(&what, numbers[row], prediction, *found, allowed).into());
                }
            }
        }
        Ok(numbers.len())
    }

    /// By row how far each sum may be apart.
    fn slack(&self, features: &FeatureBatch, matrix: &[f64]) -> Vec<Vec<f64>> {
        let bounds = &self.export.bounds;
        match &self.parts.model {
            Model::Linear(model) => {
                let cells = |row: usize| &matrix[row * bounds.len()..(row + 1) * bounds.len()];
                let of_row = |row: usize| {
                    model.outputs.iter().map(|output| slack_of_sum(output, cells(row), bounds)).collect()
                };
                (0..features.rows).map(of_row).collect()
            }
            Model::Network(network) => network.slack(features, matrix, bounds),
        }
    }

    /// Rows without the edge rows that have no features, what number each has, and the features.
    fn answered(&self, table: &RecordBatch, first: usize) -> Result<(RecordBatch, Vec<usize>, FeatureBatch)> {
        let mut table = table.clone();
        let mut numbers: Vec<usize> = (first..first + table.num_rows()).collect();
        loop {
            let mut error = match self.parts.transform.apply(&Batch::new(&table)) {
                Ok(features) => return Ok((table, numbers, features)),
                Err(error) => error,
            };
            let row = error.take_row().and_then(|row| usize::try_from(row).ok());
            let Some(row) = row.filter(|row| numbers.get(*row).is_some_and(|number| *number >= self.sample))
            else {
                return Err(error);
            };
            numbers.remove(row);
            let kept: BooleanArray = (0..table.num_rows()).map(|other| Some(other != row)).collect();
            table = filter_record_batch(&table, &kept)
                .map_err(|error| CommonError::Internal(format!("edge rows: {error}")))?;
        }
    }

    fn compare_features(&self, found: &[f64], expected: &[f64], numbers: &[usize]) -> Result<()> {
        let bounds = &self.export.bounds;
        for (cell, (found, expected)) in found.iter().zip(expected).enumerate() {
            let (row, column) = (cell / bounds.len(), cell % bounds.len());
            if !bounds[column].allows(*found, *expected) {
                let name = format!("feature `{}`", self.parts.transform.space().column_names()[column]);
                let allowed = bounds[column].at(*expected);
                return Err(differs(&name, numbers[row], *expected, *found, allowed).into());
            }
        }
        Ok(())
    }
}

/// The only output, of this many cells.
fn output(outputs: Vec<Vec<f64>>, cells: usize) -> Result<Vec<f64>> {
    let count = outputs.len();
    outputs.into_iter().next().filter(|output| count == 1 && output.len() == cells).ok_or_else(|| {
        CommonError::Internal(format!("an ONNX graph has not one output of {cells} cells")).into()
    })
}

/// How far a prediction may be apart: what its sums may, times the slope of the inverse link, and what exponentials add.
fn allowed(link: Link, slack: &[f64], column: usize, prediction: f64) -> f64 {
    match link {
        Link::Identity => slack[column],
        // e^sum may be larger by the slack as a whole, where that is no small number.
        Link::Log => (2.0 * slack[column].exp_m1() + Bound::FUNCTION.0) * (1.0 + prediction),
        Link::Logit => slack[column] + Bound::FUNCTION.0,
        Link::Softmax => {
            let largest = slack.iter().fold(0.0, |most, own| if *own > most { *own } else { most });
            2.0 * largest + Bound::FUNCTION.0
        }
    }
}

/// The sum is added up in another order, so what matters is the size of what is added.
fn slack_of_sum(output: &Output, features: &[f64], bounds: &[Bound]) -> f64 {
    let mut size = output.intercept.abs();
    let mut carried = 0.0;
    for ((coefficient, feature), bound) in output.coefficients.iter().zip(features).zip(bounds) {
        size += (coefficient.value * feature).abs();
        carried += coefficient.value.abs() * bound.at(*feature);
    }
    Bound::SUM.0 * size + carried
}

impl Network {
    /// By row of some features how far each sum may be apart; `matrix` holds the same features with NaN for null, `bounds`
    /// what they may be apart.
    fn slack(&self, features: &FeatureBatch, matrix: &[f64], bounds: &[Bound]) -> Vec<Vec<f64>> {
        let model = self.model();
        let tensors = self.doubles();
        let double = DoubleNetwork::new(model.plan(), &tensors);
        let rows = self.reader().read(features, 0..features.rows);
        let (width, places) =
            (model.description().inputs.numeric.len(), model.description().inputs.categorical.len());
        let stretch = self.scale().map_or(1.0, |scale| f64::from(scale.deviation));
        let of_row = |row: usize| {
            let numeric = rows.numeric[row * width..(row + 1) * width].iter().map(|value| f64::from(*value));
            let point = double.point(numeric.collect(), &rows.ids[row * places..(row + 1) * places]);
            let cells = &matrix[row * bounds.len()..(row + 1) * bounds.len()];
            let off = self.off(cells, bounds);
            let trace = double.trace(&point);
            double.noise(&point, &trace, &off).iter().map(|noise| FAR * stretch * noise).collect()
        };
        (0..rows.rows).map(of_row).collect()
    }

    /// What the numbers of a row may be off by.
    fn off(&self, cells: &[f64], bounds: &[Bound]) -> Vec<f64> {
        let mut next = 0;
        let mut off = Vec::with_capacity(self.model().description().inputs.numeric.len());
        for (source, spec_width) in self.reader().sources().iter().zip(self.reader().widths()) {
            let columns = next..next + spec_width;
            next = columns.end;
            if let Source::Numbers { .. } = source {
                let own = bounds[columns.clone()].iter().zip(&cells[columns]);
                off.extend(own.map(|(bound, cell)| if cell.is_nan() { 0.0 } else { bound.at(*cell) }));
            }
        }
        off
    }
}

/// The design matrix, row by row, NaN where a feature is null.
fn matrix(features: &FeatureBatch, space: &FeatureSpace) -> Vec<f64> {
    let width = space.width();
    let mut matrix = vec![0.0; width * features.rows];
    let mut first = 0;
    for (column, spec) in features.columns.iter().zip(&space.features) {
        for row in 0..features.rows {
            let cells = &mut matrix[row * width + first..row * width + first + spec.width()];
            match column {
                FeatureColumn::Numbers(values) => {
                    cells[0] = if values.is_null(row) { f64::NAN } else { values.value(row) };
                }
                FeatureColumn::Codes(codes) => {
                    if !codes.is_null(row)
                        && let Some(cell) = cells.get_mut(codes.value(row) as usize)
                    {
                        *cell = 1.0;
                    }
                }
                FeatureColumn::Sparse(sparse) => {
                    for (term, value) in sparse.row(row) {
                        cells[term] = value;
                    }
                }
            }
        }
        first += spec.width();
    }
    matrix
}

fn differs(what: &str, row: usize, expected: f64, found: f64, allowed: f64) -> DeliveryError {
    DeliveryError::OnnxDiffers { what: what.to_owned(), row: row + 1, expected, found, allowed }
}
