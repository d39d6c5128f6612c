//! What the steps of training ask of a card: memory, functions of `kernels.cu`, and products of matrices.

use candle_core::Result;

use super::rows::RowPlaces;
use crate::spec::Precision;

/// The functions of `kernels.cu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    Numeric,
    Piecewise,
    Periodic,
    PeriodicBackward,
    Embed,
    TableGreatest,
    TableAdd,
    TableTake,
    Sums,
    Scale,
    Halve,
    Fill,
    ActivateSums,
    Activate,
    ActivateBackward,
    LayerNorm,
    LayerNormBackward,
    BatchNorm,
    BatchNormBackward,
    BatchNormFixed,
    BatchNormFollow,
    Interact,
    InteractBackward,
    Dropout,
    Add,
    PassOn,
    SumParts,
    SumPartsBackward,
    Loss,
    SoftmaxLoss,
    PairwiseLoss,
    AdamW,
    Sgd,
    Adagrad,
}

impl Kernel {
    /// All of them with their names, in the order of the enum.
    pub(crate) const ALL: [(Self, &'static str); 34] = [
        (Self::Numeric, "numeric"),
        (Self::Piecewise, "piecewise"),
        (Self::Periodic, "periodic"),
        (Self::PeriodicBackward, "periodic_backward"),
        (Self::Embed, "embed"),
        (Self::TableGreatest, "table_greatest"),
        (Self::TableAdd, "table_add"),
        (Self::TableTake, "table_take"),
        (Self::Sums, "sums"),
        (Self::Scale, "scale"),
        (Self::Halve, "halve"),
        (Self::Fill, "fill"),
        (Self::ActivateSums, "activate_sums"),
        (Self::Activate, "activate"),
        (Self::ActivateBackward, "activate_backward"),
        (Self::LayerNorm, "layer_norm"),
        (Self::LayerNormBackward, "layer_norm_backward"),
        (Self::BatchNorm, "batch_norm"),
        (Self::BatchNormBackward, "batch_norm_backward"),
        (Self::BatchNormFixed, "batch_norm_fixed"),
        (Self::BatchNormFollow, "batch_norm_follow"),
        (Self::Interact, "interact"),
        (Self::InteractBackward, "interact_backward"),
        (Self::Dropout, "dropout"),
        (Self::Add, "add"),
        (Self::PassOn, "pass_on"),
        (Self::SumParts, "sum_parts"),
        (Self::SumPartsBackward, "sum_parts_backward"),
        (Self::Loss, "loss"),
        (Self::SoftmaxLoss, "softmax_loss"),
        (Self::PairwiseLoss, "pairwise_loss"),
        (Self::AdamW, "adamw"),
        (Self::Sgd, "sgd"),
        (Self::Adagrad, "adagrad"),
    ];
}

/// What a kernel is told: places in memory, in words, and numbers; which is which stands beside each in `kernels.cu`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) at: [u64; 12],
    pub(crate) n: [u32; 8],
    pub(crate) f: [f32; 8],
}

impl Arguments {
    /// With these, and 0 for the rest.
    pub(crate) fn new<const A: usize, const N: usize>(at: [usize; A], n: [usize; N]) -> Self {
        const { assert!(A <= 8 && N <= 8, "the places behind are those of rows") };
        let mut arguments = Self::default();
        for (into, at) in arguments.at.iter_mut().zip(at) {
            *into = at as u64;
        }
        for (into, n) in arguments.n.iter_mut().zip(n) {
            // No buffer is longer than `u32`: see `LONGEST`.
            *into = u32::try_from(n).unwrap_or(u32::MAX);
        }
        arguments
    }

    /// The same for rows that lie there.
    pub(crate) fn of_rows(mut self, places: &RowPlaces) -> Self {
        let RowPlaces { order, slots, slot_words, .. } = *places;
        for (into, at) in self.at[8..].iter_mut().zip([order, slots, slot_words]) {
            *into = at as u64;
        }
        self
    }

    /// The same with these numbers.
    pub(crate) fn with<const F: usize>(mut self, f: [f32; F]) -> Self {
        const { assert!(F <= 8, "there are no more") };
        self.f[..F].copy_from_slice(&f);
        self
    }
}

/// A matrix, row after row: where it begins, and whether it is read with rows and columns changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix {
    pub(crate) at: usize,
    pub(crate) transposed: bool,
}

/// left right, of `rows` x `inner` and `inner` x `columns` numbers, into a matrix or added to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    pub(crate) left: Matrix,
    pub(crate) right: Matrix,
    pub(crate) into: usize,
    pub(crate) rows: usize,
    pub(crate) inner: usize,
    pub(crate) columns: usize,
    pub(crate) add: bool,
    /// Of the factors; sums and results are of 32 bits.
    pub(crate) precision: Precision,
}

/// A product as the BLAS has it, whose matrices are column after column: read so, ours are changed about, and so are the two
/// factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blas {
    pub(crate) transposed: [bool; 2],
    /// Rows, columns and inner length of the result.
    pub(crate) sizes: [usize; 3],
    /// Numbers between the beginnings of columns, of the factors and of the result.
    pub(crate) strides: [usize; 3],
}

impl Product {
    /// As the BLAS has it, whose first factor is our `right`.
    pub(crate) fn blas(&self) -> Blas {
        let Self { left, right, rows, inner, columns, .. } = *self;
        Blas {
            transposed: [right.transposed, left.transposed],
            sizes: [columns, rows, inner],
            strides: [
                if right.transposed { inner } else { columns },
                if left.transposed { rows } else { inner },
                columns,
            ],
        }
    }
}

/// A card. Errors are what it says.
pub(crate) trait Driver {
    /// Words of 32 bits on it.
    type Memory;

    /// So many words of 0.
    fn memory(&self, words: usize) -> Result<Self::Memory>;

    /// Words from the place on.
    fn write(&self, memory: &mut Self::Memory, at: usize, words: &[u32]) -> Result<()>;

    /// So many words from the place on, once all that was asked for is done.
    fn read(&self, memory: &Self::Memory, at: usize, words: usize) -> Result<Vec<u32>>;

    /// Runs a kernel for 0 … `count` - 1, on the memory of the model and that of rows.
    fn run(
        &self,
        kernel: Kernel,
        model: &mut Self::Memory,
        rows: &Self::Memory,
        arguments: &Arguments,
        count: usize,
    ) -> Result<()>;

    /// Multiplies matrices in the memory of the model.
    fn multiply(&self, model: &mut Self::Memory, product: &Product) -> Result<()>;
}
