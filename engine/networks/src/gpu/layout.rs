//! Where everything lies in the memory of the model.

use crate::compute::wanted_with_weights;
use crate::plan::{Plan, Step, TensorKind};
use crate::spec::{NetworkSpec, Precision};
use crate::train::shard::{MAX_SHARDS, PIECE_ROWS};

/// Numbers that are left of a sum after its first part, at most.
pub(super) const PARTS: usize = 1 << 16;

/// Pieces in so many rows, at most: those of [`pieces`](crate::train::shard::pieces).
fn most_pieces(rows: usize) -> usize {
    rows / PIECE_ROWS + MAX_SHARDS + 1
}

/// Gives places of the memory away.
struct Places(usize);

impl Places {
    fn take(&mut self, words: usize) -> usize {
        let at = self.0;
        // The alignment of memory accesses that are joined.
        self.0 += words.next_multiple_of(32);
        at
    }
}

/// Where everything lies in the memory of the model, in words.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(super) weights: usize,
    pub(super) gradients: usize,
    pub(super) slots: Vec<usize>,
    /// Numbers that the host reads.
    pub(super) told: usize,
    /// By buffer of the plan.
    pub(super) values: Vec<usize>,
    /// The same; nothing where nobody wants them.
    pub(super) value_gradients: Vec<Option<usize>>,
    /// Of norms, by step of the plan.
    pub(super) statistics: Vec<usize>,
    /// Parts of gradients of weights, by row or by piece.
    pub(super) products: usize,
    /// The first row of each piece, then the end.
    pub(super) pieces: usize,
    pub(super) losses: usize,
    /// The factors of a product in 16 bits.
    pub(super) halves: [usize; 2],
    /// What is left of sums, by turns.
    pub(super) parts: [usize; 2],
    /// The greatest number of a table's gradient, by step of the plan.
    pub(super) greatest: usize,
    /// Of one table at a time, in whole numbers of 64 bits.
    pub(super) table_sums: usize,
    pub(super) words: usize,
}

impl Layout {
    /// For a plan with room for so many rows, and so many numbers to be told.
    pub(super) fn new(plan: &Plan, spec: &NetworkSpec, rows: usize, told: usize) -> Self {
        let mut places = Places(0);
        let wanted = wanted_with_weights(plan);
        let pieces = most_pieces(rows);
        let products = plan.steps.iter().map(|step| match step {
            Step::LayerNorm { output, .. } => rows * plan.widths[*output],
            Step::BatchNorm { output, .. } => 2 * pieces * plan.widths[*output],
            Step::Periodic { frequencies, .. } => rows * plan.tensors[*frequencies].len(),
            _ => 0,
        });
        let tables = plan.tensors.iter().filter(|tensor| tensor.kind == TensorKind::Table);
        let widest = plan.widths.iter().copied().max().unwrap_or(0);
        let factors = plan.steps.iter().filter(|_| spec.precision != Precision::F32).map(|step| match step {
            Step::Linear { input, weight, .. } => {
                let wider = std::cmp::max(plan.widths[*input], plan.widths[step.output()]);
                std::cmp::max(rows * wider, plan.tensors[*weight].len())
            }
            _ => 0,
        });
        let half = factors.max().unwrap_or(0).div_ceil(2);
        let mut layout = Self {
            weights: places.take(plan.total),
            gradients: places.take(plan.trainable),
            slots: (0..spec.optimizer.slots()).map(|_| places.take(plan.trainable)).collect(),
            told: places.take(told),
            values: plan.widths.iter().map(|width| places.take(rows * width)).collect(),
            value_gradients: plan
                .widths
                .iter()
                .zip(wanted)
                .map(|(width, wanted)| wanted.then(|| places.take(rows * width)))
                .collect(),
            statistics: plan
                .steps
                .iter()
                .map(|step| match step {
                    Step::LayerNorm { .. } => places.take(2 * rows),
                    Step::BatchNorm { output, .. } => places.take(3 * pieces * plan.widths[*output]),
                    _ => 0,
                })
                .collect(),
            products: places.take(products.max().unwrap_or(0)),
            pieces: places.take(pieces + 1),
            losses: places.take(rows),
            halves: [0, 0].map(|_| places.take(half)),
            parts: [0, 0].map(|_| places.take(PARTS.max(widest))),
            greatest: places.take(plan.steps.len()),
            table_sums: places.take(tables.map(|table| 2 * table.len()).max().unwrap_or(0)),
            words: 0,
        };
        layout.words = places.0;
        layout
    }
}
