//! Scores and their gradients by the features, row by row the same bits whatever rows stand beside them.

use super::{Link, NetworkModel};
use crate::compute::{Gradients, Need, Pass, Workspace, backward, forward};
use crate::error::NetworkError;
use crate::kernels::{numeric, scalar, vectorised};
use crate::layout::Inputs;
use crate::plan::Step;

/// Rows that are scored at a time. Fewer are filled up with zeros, so that products of matrices always have the same shape
/// and a row's bits do not depend on its company.
const TILE: usize = 64;

/// How a sum changes with the features of rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureGradients {
    /// By numeric feature, row after row.
    pub numeric: Vec<f32>,
    /// By number of the vectors of ids, row after row; side by side in the order of the steps [`Step::Embed`] of the plan.
    pub vectors: Vec<f32>,
}

impl NetworkModel {
    /// The scores of these rows, [`outputs`](super::NetworkDescription::outputs) each: in the label's units, expected counts or
    /// probabilities.
    ///
    /// On one thread; rows may be dealt to several, the bits are the same.
    ///
    /// # Errors
    /// [`Inputs::check`].
    pub fn predict(&self, inputs: &Inputs<'_>) -> Result<Vec<f32>, NetworkError> {
        let mut scores = self.sums(inputs)?;
        apply_link(self.description.link(), self.description.outputs(), &mut scores);
        Ok(scores)
    }

    /// The last sums of these rows, before their link (log odds, logarithms of counts).
    ///
    /// # Errors
    /// [`Inputs::check`].
    pub fn sums(&self, inputs: &Inputs<'_>) -> Result<Vec<f32>, NetworkError> {
        inputs.check(&self.description.inputs)?;
        let outputs = self.description.outputs();
        let mut workspace = Workspace::new(&self.plan, TILE, Need::Values);
        let mut scores = Vec::with_capacity(inputs.rows * outputs);
        let mut tile = Tile::new(self);
        for first in (0..inputs.rows).step_by(TILE) {
            let rows = tile.fill(inputs, first);
            forward(&self.plan, &self.weights, &tile.inputs(), &mut workspace, Pass::Score);
            scores.extend_from_slice(&workspace.values[self.plan.scores][..rows * outputs]);
        }
        Ok(scores)
    }
}

impl NetworkModel {
    /// How the sum at position `output` of each row changes with its features.
    ///
    /// # Errors
    /// [`Inputs::check`]; [`NetworkError::LengthMismatch`] for an output that is not there.
    pub fn gradients(&self, inputs: &Inputs<'_>, output: usize) -> Result<FeatureGradients, NetworkError> {
        inputs.check(&self.description.inputs)?;
        let outputs = self.description.outputs();
        if output >= outputs {
            let what = "scores before the one asked for";
            return Err(NetworkError::LengthMismatch { what, found: outputs, expected: output + 1 });
        }
        let mut workspace = Workspace::new(&self.plan, TILE, Need::FeatureGradients);
        let mut dense = vec![0.0; self.plan.dense];
        let width = self.plan.vector_width();
        let mut vectors = vec![0.0; TILE * width];
        let mut found = FeatureGradients::default();
        let mut tile = Tile::new(self);
        for first in (0..inputs.rows).step_by(TILE) {
            let rows = tile.fill(inputs, first);
            let tile = tile.inputs();
            forward(&self.plan, &self.weights, &tile, &mut workspace, Pass::Score);
            for (at, gradient) in workspace.gradients[self.plan.scores].iter_mut().enumerate() {
                *gradient = f32::from(u8::from(at % outputs == output));
            }
            let mut gradients = Gradients { dense: &mut dense, vectors: &mut vectors };
            backward(&self.plan, &self.weights, &tile, &mut workspace, Pass::Score, &mut gradients);
            found.vectors.extend_from_slice(&vectors[..rows * width]);
            for row in 0..rows {
                self.add_numeric(&tile, &workspace, row, &mut found.numeric);
            }
        }
        Ok(found)
    }

    /// Appends the gradient of a row's numeric features, from that of what was made of them.
    fn add_numeric(&self, tile: &Inputs<'_>, workspace: &Workspace, row: usize, into: &mut Vec<f32>) {
        let columns = self.description.inputs.numeric.len();
        let features = &tile.numeric[row * columns..(row + 1) * columns];
        let first = into.len();
        into.resize(first + columns, 0.0);
        let into = &mut into[first..];
        for step in &self.plan.steps {
            let part = |buffers: &[Vec<f32>], offset: usize, width: usize| {
                let begin = row * self.plan.widths[step.output()] + offset;
                buffers[step.output()][begin..begin + width].to_vec()
            };
            match step {
                Step::Numeric { offset, .. } => {
                    let gradient = part(&workspace.gradients, *offset, columns);
                    into.iter_mut().zip(gradient).for_each(|(into, gradient)| *into += gradient);
                }
                Step::Piecewise { bins, offset, .. } => {
                    let bins = self.tensor(*bins);
                    let gradient = part(&workspace.gradients, *offset, bins.len() / 4);
                    numeric::piecewise_by_feature(features, bins, &gradient, into);
                }
                Step::Periodic { frequencies, offset, .. } => {
                    let frequencies = self.tensor(*frequencies);
                    let width = 2 * frequencies.len();
                    let gradient = part(&workspace.gradients, *offset, width);
                    let waves = part(&workspace.values, *offset, width);
                    numeric::periodic_by_feature(frequencies, &waves, &gradient, into);
                }
                _ => {}
            }
        }
    }
}

/// Rows of a fixed number, the last ones zeros where there are fewer.
struct Tile {
    numeric: Vec<f32>,
    ids: Vec<u32>,
    columns: usize,
    features: usize,
}

impl Tile {
    fn new(model: &NetworkModel) -> Self {
        let columns = model.description.inputs.numeric.len();
        let features = model.description.inputs.categorical.len();
        Self { numeric: vec![0.0; TILE * columns], ids: vec![0; TILE * features], columns, features }
    }

    /// Takes rows from `first` on; how many there were.
    fn fill(&mut self, inputs: &Inputs<'_>, first: usize) -> usize {
        let rows = std::cmp::min(inputs.rows - first, TILE);
        let numeric = &inputs.numeric[first * self.columns..(first + rows) * self.columns];
        let ids = &inputs.ids[first * self.features..(first + rows) * self.features];
        self.numeric[..numeric.len()].copy_from_slice(numeric);
        self.numeric[numeric.len()..].fill(0.0);
        self.ids[..ids.len()].copy_from_slice(ids);
        self.ids[ids.len()..].fill(0);
        rows
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs { rows: TILE, numeric: &self.numeric, ids: &self.ids }
    }
}

/// Makes scores of sums.
pub(crate) fn apply_link(link: Link, outputs: usize, scores: &mut [f32]) {
    vectorised(|| match link {
        Link::Identity(None) => {}
        Link::Identity(Some(scale)) => {
            for score in scores.iter_mut() {
                *score = *score * scale.deviation + scale.mean;
            }
        }
        Link::Exp => scores.iter_mut().for_each(|score| *score = scalar::exp(*score)),
        Link::Logistic => scores.iter_mut().for_each(|score| *score = scalar::sigmoid(*score)),
        Link::Softmax => scores.chunks_exact_mut(outputs.max(1)).for_each(softmax),
    });
}

/// exp(z - max z) over their sum.
#[inline(always)]
pub(crate) fn softmax(row: &mut [f32]) {
    let mut greatest = f32::NEG_INFINITY;
    for value in row.iter() {
        greatest = if *value > greatest { *value } else { greatest };
    }
    for value in row.iter_mut() {
        *value = scalar::exp(*value - greatest);
    }
    let total = scalar::sum(row);
    for value in row.iter_mut() {
        *value /= total;
    }
}
