//! A network as a list of steps between buffers: what [`NetworkSpec`] and the features make of it.
//!
//! Every buffer holds a row of so many numbers for each row of data. A step reads buffers and tensors and writes one
//! buffer; the steps stand in the order in which they are computed, and backwards that of the gradients. Who computes a
//! network (our kernels, candle, ONNX) follows this list and nothing else.

mod build;

use crate::layout::InputLayout;
use crate::spec::{Activation, NetworkSpec};

use build::Builder;

/// What is added to a variance before its root is taken (PyTorch's default).
pub const NORM_EPSILON: f32 = 1e-5;

/// The position of a buffer in [`Plan::widths`].
pub type Buffer = usize;

/// The position of a tensor in [`Plan::tensors`].
pub type TensorId = usize;

/// What a tensor is for, in the order in which they lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TensorKind {
    /// Weights that every row uses.
    Dense,
    /// A table of vectors, of which a row uses those of its ids.
    Table,
    /// Not learned: constants of the features, running means and variances.
    Fixed,
}

/// What a tensor starts with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Start {
    /// Uniform between minus and plus this.
    Uniform(f32),
    /// Normal with this standard deviation.
    Normal(f32),
    /// The same everywhere.
    Constant(f32),
}

/// A tensor of weights.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorLayout {
    /// Its name, such as `layers.0.weight`.
    pub name: String,
    /// Its dimensions, the last one contiguous.
    pub shape: Vec<usize>,
    /// What it is for.
    pub kind: TensorKind,
    /// Where it begins among all weights.
    pub(crate) offset: usize,
    pub(crate) start: Start,
}

impl TensorLayout {
    /// How many numbers it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where it lies among all weights.
    pub(crate) fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.len()
    }
}

/// A step of a network.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The numeric features, as they are, into columns from `offset` on.
    Numeric {
        /// Where to.
        output: Buffer,
        /// The first column.
        offset: usize,
    },
    /// min(max((x - low) scale, min), max) for every bin of every numeric feature.
    Piecewise {
        /// The constants: low, scale, min and max, each of features x bins.
        bins: TensorId,
        /// Where to.
        output: Buffer,
        /// The first column.
        offset: usize,
    },
    /// For every numeric feature the sines of 2 π c x for its frequencies c, then the cosines.
    Periodic {
        /// The frequencies, features x frequencies.
        frequencies: TensorId,
        /// Where to.
        output: Buffer,
        /// The first column.
        offset: usize,
    },
    /// The vector of an id.
    Embed {
        /// The position of the categorical feature.
        feature: usize,
        /// The vectors, ids x width.
        table: TensorId,
        /// Where to.
        output: Buffer,
        /// The first column.
        offset: usize,
    },
    /// activation(x weightᵀ + bias).
    Linear {
        /// What it reads.
        input: Buffer,
        /// Where to.
        output: Buffer,
        /// Outputs x inputs.
        weight: TensorId,
        /// One for each output.
        bias: TensorId,
        /// What the sums go through; nothing without.
        activation: Option<Activation>,
    },
    /// activation(x).
    Activate {
        /// What it reads.
        input: Buffer,
        /// Where to.
        output: Buffer,
        /// The function.
        activation: Activation,
    },
    /// gain (x - mean) / √(variance + ε) + shift, over the values of a row.
    LayerNorm {
        /// What it reads.
        input: Buffer,
        /// Where to.
        output: Buffer,
        /// One for each column.
        gain: TensorId,
        /// One for each column.
        shift: TensorId,
    },
    /// The same over rows: those in work during training, `mean` and `variance` afterwards.
    BatchNorm {
        /// What it reads.
        input: Buffer,
        /// Where to.
        output: Buffer,
        /// One for each column.
        gain: TensorId,
        /// One for each column.
        shift: TensorId,
        /// Running mean of each column.
        mean: TensorId,
        /// Running variance of each column.
        variance: TensorId,
    },
    /// In training 0 with probability `rate`, else x / (1 - rate); x afterwards.
    Dropout {
        /// What it reads.
        input: Buffer,
        /// Where to.
        output: Buffer,
        /// The share that is set to 0.
        rate: f32,
        /// Tells the places of dropout in a network apart.
        place: u64,
    },
    /// left + right.
    Add {
        /// What it reads.
        left: Buffer,
        /// What it reads.
        right: Buffer,
        /// Where to.
        output: Buffer,
    },
    /// The sum of the vectors that stand side by side in `input`.
    Sum {
        /// What it reads.
        input: Buffer,
        /// Where to; as wide as one vector.
        output: Buffer,
    },
    /// The vector of the numeric features, if any, then the products of every two vectors (it and those in
    /// `embeddings`): of the second with the first, of the third with the first and the second, ….
    Interact {
        /// The vector of the numeric features.
        vector: Option<Buffer>,
        /// The vectors of the categorical ones, side by side.
        embeddings: Option<Buffer>,
        /// The width of a vector.
        dimension: usize,
        /// Where to.
        output: Buffer,
    },
}

impl Step {
    /// The buffer it writes.
    #[must_use]
    pub fn output(&self) -> Buffer {
        match self {
            Self::Numeric { output, .. }
            | Self::Piecewise { output, .. }
            | Self::Periodic { output, .. }
            | Self::Embed { output, .. }
            | Self::Linear { output, .. }
            | Self::Activate { output, .. }
            | Self::LayerNorm { output, .. }
            | Self::BatchNorm { output, .. }
            | Self::Dropout { output, .. }
            | Self::Add { output, .. }
            | Self::Sum { output, .. }
            | Self::Interact { output, .. } => *output,
        }
    }
}

/// A network as a list of steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Numbers per row, by buffer.
    pub widths: Vec<usize>,
    /// The tensors.
    pub tensors: Vec<TensorLayout>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The buffer of what the loss reads: the scores before their link.
    pub scores: Buffer,
    /// Where the dense weights end, which begin at 0.
    pub(crate) dense: usize,
    /// Where the tables end.
    pub(crate) trainable: usize,
    /// Where everything ends.
    pub(crate) total: usize,
}

/// Tensors begin at multiples of so many numbers, a cache line.
pub(crate) const ALIGNMENT: usize = 16;

impl Plan {
    /// The network that `spec` describes over these features, with `outputs` scores.
    #[must_use]
    pub fn new(spec: &NetworkSpec, inputs: &InputLayout, outputs: usize) -> Self {
        let mut plan = Builder::new(spec, inputs).build(outputs);
        plan.lay_out();
        plan
    }

    fn empty() -> Self {
        Self {
            widths: Vec::new(),
            tensors: Vec::new(),
            steps: Vec::new(),
            scores: 0,
            dense: 0,
            trainable: 0,
            total: 0,
        }
    }

    /// Gives every tensor its place: dense weights, tables, constants.
    fn lay_out(&mut self) {
        let mut next = 0;
        for kind in [TensorKind::Dense, TensorKind::Table, TensorKind::Fixed] {
            for tensor in self.tensors.iter_mut().filter(|tensor| tensor.kind == kind) {
                tensor.offset = next;
                next += tensor.len().next_multiple_of(ALIGNMENT);
            }
            match kind {
                TensorKind::Dense => self.dense = next,
                TensorKind::Table => self.trainable = next,
                TensorKind::Fixed => self.total = next,
            }
        }
    }

    /// How wide the vectors of all ids of a row are together.
    pub(crate) fn vector_width(&self) -> usize {
        let tables = self.tensors.iter().filter(|tensor| tensor.kind == TensorKind::Table);
        tables.map(|table| table.shape[1]).sum()
    }

    /// How many numbers are learned.
    #[must_use]
    pub fn parameters(&self) -> usize {
        let learned = self.tensors.iter().filter(|tensor| tensor.kind != TensorKind::Fixed);
        learned.map(TensorLayout::len).sum()
    }
}
