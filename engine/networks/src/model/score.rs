//! Scores and their gradients by the features, row by row the same bits whatever rows stand beside them.

use super::{Link, NetworkModel};
use crate::compute::{Need, Pass, Workspace, forward};
use crate::error::NetworkError;
use crate::kernels::scalar;
use crate::kernels::vectorised;
use crate::layout::Inputs;

/// Rows that are scored at a time. Fewer are filled up with zeros, so that products of matrices always have the same shape
/// and a row's bits do not depend on its company.
const TILE: usize = 64;

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
        Link::Softmax => scores.chunks_exact_mut(outputs.max(1)).for_each(|row| softmax(row)),
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
