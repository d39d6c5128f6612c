//! The rows of a batch that one thread takes: gathered, through the network and back.
//!
//! How a batch is cut into shards, and a shard into pieces, follows from its rows alone, so that sums of gradients have
//! the same bits for any number of threads.

use std::ops::Range;

use super::loss::loss_and_gradient;
use super::order::{Window, place};
use crate::compute::{Gradients, Need, Pass, Workspace, backward, forward};
use crate::layout::Inputs;
use crate::model::LabelScale;
use crate::plan::{Plan, Step};
use crate::random::Key;
use crate::rows::Block;
use crate::spec::Loss;

/// Rows that go through the network together: their buffers stay in the second cache.
pub(crate) const PIECE_ROWS: usize = 128;

/// Shards in a batch, at most: each has gradients of its own.
pub(crate) const MAX_SHARDS: usize = 16;

/// How many shards a batch of so many rows is cut into.
pub(crate) fn shards_of(rows: usize) -> usize {
    rows.div_ceil(PIECE_ROWS).clamp(1, MAX_SHARDS)
}

/// The rows of the part of this number.
pub(crate) fn part(rows: usize, parts: usize, number: usize) -> Range<usize> {
    rows * number / parts..rows * (number + 1) / parts
}

/// The rows that go through the network together, of a batch of so many.
#[cfg(any(feature = "cuda", test))]
pub(crate) fn pieces(rows: usize) -> Vec<Range<usize>> {
    let shards = shards_of(rows);
    let of_shard = |shard: Range<usize>| {
        let count = shard.len().div_ceil(PIECE_ROWS).max(1);
        (0..count).map(move |piece| {
            let piece = part(shard.len(), count, piece);
            shard.start + piece.start..shard.start + piece.end
        })
    };
    (0..shards).flat_map(|number| of_shard(part(rows, shards, number))).collect()
}

/// The rows of a block of so many that are judged together.
pub(crate) fn judged_pieces(rows: usize) -> Vec<Range<usize>> {
    let count = rows.div_ceil(PIECE_ROWS);
    (0..count).map(|number| part(rows, count, number)).collect()
}

/// What is the same for all rows.
#[derive(Clone, Debug)]
pub(crate) struct Objective {
    /// What is minimised.
    pub(crate) loss: Loss,
    /// What labels are brought to mean 0 and deviation 1 by.
    pub(crate) scale: Option<LabelScale>,
    /// Factors on weights, by class; empty for 1.
    pub(crate) class_factors: Vec<f32>,
}

impl Objective {
    /// The label as the network sees it, and the weight.
    #[inline]
    pub(crate) fn target(&self, block: &Block, row: usize) -> (f32, f32) {
        let label = block.labels[row];
        let weight = block.weight(row);
        if let Some(scale) = self.scale {
            return ((label - scale.mean) / scale.deviation, weight);
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be a class")]
        let factor = self.class_factors.get(label as usize).copied().unwrap_or(1.0);
        (label, weight * factor)
    }
}

/// The buffers of a thread.
#[derive(Debug)]
pub(crate) struct Scratch {
    workspace: Workspace,
    numeric: Vec<f32>,
    ids: Vec<u32>,
    labels: Vec<f32>,
    weights: Vec<f32>,
    groups: Vec<u64>,
    losses: Vec<f32>,
}

impl Scratch {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            workspace: Workspace::new(plan, PIECE_ROWS, Need::WeightGradients),
            numeric: Vec::new(),
            ids: Vec::new(),
            labels: Vec::new(),
            weights: Vec::new(),
            groups: Vec::new(),
            losses: vec![0.0; PIECE_ROWS],
        }
    }

    /// Takes these rows in.
    fn gather<'a>(&mut self, rows: impl Iterator<Item = (&'a Block, usize)>, objective: &Objective) {
        self.numeric.clear();
        self.ids.clear();
        self.labels.clear();
        self.weights.clear();
        self.groups.clear();
        // Divisions are dear: once, as all blocks are as wide.
        let (mut columns, mut features) = (0, 0);
        for (block, row) in rows {
            if self.labels.is_empty() {
                (columns, features) = (block.numeric.len() / block.rows, block.ids.len() / block.rows);
            }
            self.numeric.extend_from_slice(&block.numeric[row * columns..(row + 1) * columns]);
            self.ids.extend_from_slice(&block.ids[row * features..(row + 1) * features]);
            let (label, weight) = objective.target(block, row);
            self.labels.push(label);
            self.weights.push(weight);
            self.groups.extend(block.groups.get(row));
        }
    }

    /// Σ weight x loss of the rows taken in, and Σ weight; gradients of the sums are in the workspace afterwards.
    fn score(&mut self, plan: &Plan, weights: &[f32], objective: &Objective, pass: Pass) -> (f64, f64) {
        let rows = self.labels.len();
        let inputs = Inputs { rows, numeric: &self.numeric, ids: &self.ids };
        forward(plan, weights, &inputs, &mut self.workspace, pass);
        let sums = &self.workspace.values[plan.scores][..rows * plan.widths[plan.scores]];
        let gradient = &mut self.workspace.gradients[plan.scores][..sums.len()];
        let losses = &mut self.losses[..rows];
        let loss = loss_and_gradient(
            objective.loss,
            sums,
            (&self.labels, &self.weights, &self.groups),
            gradient,
            losses,
        );
        (loss, self.weights.iter().map(|weight| f64::from(*weight)).sum())
    }

    /// Σ weight x loss and Σ weight of some rows of a block, by the network as it scores.
    pub(crate) fn judge(
        &mut self,
        plan: &Plan,
        weights: &[f32],
        objective: &Objective,
        block: &Block,
        rows: Range<usize>,
    ) -> (f64, f64) {
        self.gather(rows.map(|row| (block, row)), objective);
        self.score(plan, weights, objective, Pass::Score)
    }
}

/// What the rows of a shard sum up to.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    /// Of dense weights, not divided by the sum of weights.
    pub(crate) dense: Vec<f32>,
    /// Of the vectors of ids, row after row.
    pub(crate) vectors: Vec<f32>,
    /// The ids, row after row.
    pub(crate) ids: Vec<u32>,
    /// Σ weight x loss.
    pub(crate) loss: f64,
    /// Σ weight.
    pub(crate) weight: f64,
    /// Rows times means of batch norms, then rows times variances, of all of them in order.
    pub(crate) norms: Vec<f32>,
}

impl Shard {
    /// Takes the rows at `places` of the window, of which the first is that of the batch.
    pub(crate) fn compute(
        &mut self,
        plan: &Plan,
        weights: &[f32],
        objective: &Objective,
        window: &Window,
        (places, key, first_row): (&[u32], Key, u64),
        scratch: &mut Scratch,
    ) {
        self.dense.resize(plan.dense, 0.0);
        self.dense.fill(0.0);
        self.ids.clear();
        self.norms.clear();
        let width = plan.vector_width();
        self.vectors.resize(places.len() * width, 0.0);
        (self.loss, self.weight) = (0.0, 0.0);
        let pieces = places.len().div_ceil(PIECE_ROWS).max(1);
        for piece in 0..pieces {
            let rows = part(places.len(), pieces, piece);
            let blocks = places[rows.clone()].iter().map(|at| {
                let (block, row) = place(*at);
                (&*window.blocks[block], row)
            });
            scratch.gather(blocks, objective);
            let pass = Pass::Train { key, first_row: first_row + rows.start as u64 };
            let (loss, weight) = scratch.score(plan, weights, objective, pass);
            self.loss += loss;
            self.weight += weight;
            let vectors = &mut self.vectors[rows.start * width..rows.end * width];
            let mut gradients = Gradients { dense: &mut self.dense, vectors };
            let Scratch { workspace, numeric, ids, .. } = &mut *scratch;
            let inputs = Inputs { rows: rows.len(), numeric, ids };
            backward(plan, weights, &inputs, workspace, pass, &mut gradients);
            self.ids.extend_from_slice(ids);
            self.note_norms(plan, workspace, rows.len());
        }
    }

    /// Adds what batch norms saw to what running means will follow. Variances as of a sample, n - 1 below, as in PyTorch.
    fn note_norms(&mut self, plan: &Plan, workspace: &Workspace, rows: usize) {
        let mut next = 0;
        for (step, statistics) in plan.steps.iter().zip(&workspace.statistics) {
            let Step::BatchNorm { output, .. } = step else { continue };
            let width = plan.widths[*output];
            self.norms.resize(std::cmp::max(self.norms.len(), next + 2 * width), 0.0);
            let rows = rows as f32;
            let sample = if rows > 1.0 { rows * rows / (rows - 1.0) } else { 1.0 };
            for at in 0..width {
                self.norms[next + at] += rows * statistics[at];
                self.norms[next + width + at] += sample * statistics[2 * width + at];
            }
            next += 2 * width;
        }
    }
}
