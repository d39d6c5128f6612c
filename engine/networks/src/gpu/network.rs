//! A plan on a card, forward, and the loss of its scores.

use std::ops::Range;

use candle_core::{Error, Result};

use super::LONGEST;
use super::driver::{Arguments, Driver, Kernel, Matrix, Product};
use super::layout::{Layout, PARTS};
use super::rows::RowPlaces;
use crate::compute::Pass;
use crate::kernels::dropout::Draw;
use crate::plan::{Buffer, NORM_EPSILON, Plan, Step, TensorId};
use crate::spec::{Activation, Loss, NetworkSpec, Precision};
use crate::train::shard::Objective;

/// Numbers that are added by one thread of the card, where there are few.
const CHUNK: usize = 64;

/// Rows on the card, `count` of them.
pub(crate) struct OnCard<'a, M> {
    pub(crate) memory: &'a M,
    pub(crate) places: RowPlaces,
    pub(crate) count: usize,
}

/// A plan with its weights on a card.
pub(crate) struct Network<'a, D: Driver> {
    pub(crate) driver: D,
    pub(crate) plan: &'a Plan,
    pub(crate) layout: Layout,
    pub(crate) memory: D::Memory,
    pub(super) precision: Precision,
    /// The first row of each piece, then the end, as the card has them.
    pieces: Vec<u32>,
}

pub(super) fn number(activation: Option<Activation>) -> usize {
    // As in `activated` of kernels.cu, which passes on what it does not know.
    activation.map_or(7, |activation| activation as usize)
}

impl<'a, D: Driver> Network<'a, D> {
    /// With zeros for weights, room for so many rows, and so many numbers to be told.
    pub(crate) fn new(
        driver: D,
        plan: &'a Plan,
        spec: &NetworkSpec,
        rows: usize,
        told: usize,
    ) -> Result<Self> {
        let widest = plan.widths.iter().copied().max().unwrap_or(0);
        if std::cmp::max(widest.saturating_mul(rows), plan.total) >= LONGEST {
            return Err(Error::Msg("out of memory: a buffer of more than 2^31 numbers".into()));
        }
        let layout = Layout::new(plan, spec, rows, told);
        let memory = driver.memory(layout.words)?;
        Ok(Self { driver, plan, layout, memory, precision: spec.precision, pieces: Vec::new() })
    }

    /// A product, of factors rounded to 16 bits where that was chosen.
    pub(super) fn multiply(&mut self, mut product: Product, rows: &OnCard<'_, D::Memory>) -> Result<()> {
        if self.precision != Precision::F32 {
            let Product { rows: height, inner, columns, .. } = product;
            let factors = [(&mut product.left, height * inner), (&mut product.right, inner * columns)];
            for ((factor, count), half) in factors.into_iter().zip(self.layout.halves) {
                let n = [usize::from(self.precision == Precision::F16)];
                self.run(Kernel::Halve, rows, &Arguments::new([factor.at, half], n), count)?;
                factor.at = half;
            }
        }
        self.driver.multiply(&mut self.memory, &product)
    }

    pub(super) fn weight(&self, tensor: TensorId) -> usize {
        self.layout.weights + self.plan.tensors[tensor].offset
    }

    pub(super) fn gradient_of(&self, tensor: TensorId) -> usize {
        self.layout.gradients + self.plan.tensors[tensor].offset
    }

    /// Cuts the next rows into these pieces, over which batch norms and pairs of rows go.
    pub(crate) fn cut(&mut self, pieces: &[Range<usize>]) -> Result<()> {
        // Below 2^32 rows.
        let word = |row: usize| u32::try_from(row).unwrap_or(u32::MAX);
        let firsts = pieces.iter().map(|piece| word(piece.start));
        let words: Vec<u32> = firsts.chain(pieces.last().map(|piece| word(piece.end))).collect();
        if words != self.pieces {
            self.driver.write(&mut self.memory, self.layout.pieces, &words)?;
            self.pieces = words;
        }
        Ok(())
    }

    pub(super) fn piece_count(&self) -> usize {
        self.pieces.len().saturating_sub(1)
    }

    /// Runs a kernel.
    pub(crate) fn run(
        &mut self,
        kernel: Kernel,
        rows: &OnCard<'_, D::Memory>,
        arguments: &Arguments,
        count: usize,
    ) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let arguments = arguments.of_rows(&rows.places);
        self.driver.run(kernel, &mut self.memory, rows.memory, &arguments, count)
    }

    /// The scores of these rows.
    pub(crate) fn forward(&mut self, rows: &OnCard<'_, D::Memory>, pass: Pass) -> Result<()> {
        let plan = self.plan;
        for (position, step) in plan.steps.iter().enumerate() {
            match step {
                Step::Numeric { .. }
                | Step::Piecewise { .. }
                | Step::Periodic { .. }
                | Step::Embed { .. } => {
                    self.features(step, rows)?;
                }
                Step::LayerNorm { .. } | Step::BatchNorm { .. } => self.norm(position, rows, pass)?,
                _ => self.layer(step, rows, pass)?,
            }
        }
        Ok(())
    }

    fn features(&mut self, step: &Step, rows: &OnCard<'_, D::Memory>) -> Result<()> {
        let places = rows.places;
        let (into, stride) = (self.layout.values[step.output()], self.plan.widths[step.output()]);
        match step {
            Step::Numeric { offset, .. } => {
                let n = [stride, *offset, places.columns];
                let arguments = Arguments::new([into, places.numeric], n);
                self.run(Kernel::Numeric, rows, &arguments, rows.count * places.columns)
            }
            Step::Piecewise { bins, offset, .. } => {
                let count = self.plan.tensors[*bins].len() / 4;
                let at = [into, places.numeric, self.weight(*bins)];
                let arguments = Arguments::new(at, [stride, *offset, places.columns, count]);
                self.run(Kernel::Piecewise, rows, &arguments, rows.count * count)
            }
            Step::Periodic { frequencies, offset, .. } => {
                let count = self.plan.tensors[*frequencies].len();
                let at = [into, places.numeric, self.weight(*frequencies)];
                let arguments = Arguments::new(at, [stride, *offset, places.columns, count]);
                self.run(Kernel::Periodic, rows, &arguments, rows.count * count)
            }
            Step::Embed { feature, table, offset, .. } => {
                let width = self.plan.tensors[*table].shape[1];
                let at = [into, self.weight(*table), 0, places.ids];
                let arguments = Arguments::new(at, [stride, *offset, width, places.features, *feature]);
                self.run(Kernel::Embed, rows, &arguments, rows.count * width)
            }
            _ => Err(missing(step)),
        }
    }

    fn norm(&mut self, position: usize, rows: &OnCard<'_, D::Memory>, pass: Pass) -> Result<()> {
        let plan = self.plan;
        let step = &plan.steps[position];
        let (into, width) = (self.layout.values[step.output()], plan.widths[step.output()]);
        let statistics = self.layout.statistics[position];
        let value = |buffer: Buffer| self.layout.values[buffer];
        let (kernel, at, count) = match step {
            Step::LayerNorm { input, gain, shift, .. } => {
                let (gain, shift) = (self.weight(*gain), self.weight(*shift));
                (Kernel::LayerNorm, [value(*input), into, gain, shift, statistics, 0], rows.count)
            }
            Step::BatchNorm { input, gain, shift, mean, variance, .. } => {
                let (input, gain, shift) = (value(*input), self.weight(*gain), self.weight(*shift));
                match pass {
                    Pass::Train { .. } => (
                        Kernel::BatchNorm,
                        [input, into, gain, shift, statistics, self.layout.pieces],
                        self.piece_count() * width,
                    ),
                    Pass::Score => (
                        Kernel::BatchNormFixed,
                        [input, into, gain, shift, self.weight(*mean), self.weight(*variance)],
                        rows.count * width,
                    ),
                }
            }
            _ => return Err(missing(step)),
        };
        self.run(kernel, rows, &Arguments::new(at, [width]).with([NORM_EPSILON]), count)
    }

    fn layer(&mut self, step: &Step, rows: &OnCard<'_, D::Memory>, pass: Pass) -> Result<()> {
        let value = |buffer: Buffer| self.layout.values[buffer];
        let (into, width) = (value(step.output()), self.plan.widths[step.output()]);
        let count = rows.count * width;
        match step {
            Step::Linear { input, weight, bias, activation, .. } => {
                let product = Product {
                    left: Matrix { at: value(*input), transposed: false },
                    right: Matrix { at: self.weight(*weight), transposed: true },
                    into,
                    rows: rows.count,
                    inner: self.plan.widths[*input],
                    columns: width,
                    add: false,
                    precision: self.precision,
                };
                let arguments = Arguments::new([into, self.weight(*bias)], [width, number(*activation)]);
                self.multiply(product, rows)?;
                self.run(Kernel::ActivateSums, rows, &arguments, count)
            }
            Step::Activate { input, activation, .. } => {
                let arguments = Arguments::new([value(*input), into], [0, number(Some(*activation))]);
                self.run(Kernel::Activate, rows, &arguments, count)
            }
            Step::Dropout { input, rate, place, .. } => match pass.draw(*place, *rate) {
                Some(draw) => self.dropout(draw, (value(*input), into, false), width, rows),
                None => self.pass_on((value(*input), into, false), count, rows),
            },
            Step::Add { left, right, .. } => {
                let arguments = Arguments::new([value(*left), value(*right), into], []);
                self.run(Kernel::Add, rows, &arguments, count)
            }
            Step::Sum { input, .. } => {
                let arguments = Arguments::new([value(*input), into], [self.plan.widths[*input], width]);
                self.run(Kernel::SumParts, rows, &arguments, count)
            }
            Step::Interact { vector, embeddings, dimension, .. } => {
                let (own, vectors) = self.vectors(*vector, *embeddings, *dimension);
                let at = [vector, embeddings].map(|buffer| buffer.map_or(0, value));
                let n = [own, *dimension, width, vectors];
                let arguments = Arguments::new([at[0], at[1], into], n);
                self.run(Kernel::Interact, rows, &arguments, count)
            }
            _ => Err(missing(step)),
        }
    }

    /// The width of the numeric features' vector, and how many vectors there are.
    pub(super) fn vectors(
        &self,
        own: Option<Buffer>,
        others: Option<Buffer>,
        dimension: usize,
    ) -> (usize, usize) {
        let width = |buffer: Option<Buffer>| buffer.map_or(0, |buffer| self.plan.widths[buffer]);
        (width(own), (width(own) + width(others)) / dimension)
    }

    pub(super) fn dropout(
        &mut self,
        draw: Draw,
        (from, into, add): (usize, usize, bool),
        width: usize,
        rows: &OnCard<'_, D::Memory>,
    ) -> Result<()> {
        let mut arguments = Arguments::new([from, into], [width, 0, usize::from(add)]).with([draw.scale()]);
        (arguments.at[2], arguments.at[3]) = (draw.key.bits(), draw.first_row);
        arguments.n[1] = draw.threshold();
        self.run(Kernel::Dropout, rows, &arguments, rows.count * width)
    }

    pub(super) fn pass_on(
        &mut self,
        (from, into, add): (usize, usize, bool),
        count: usize,
        rows: &OnCard<'_, D::Memory>,
    ) -> Result<()> {
        let arguments = Arguments::new([from, into], [usize::from(add)]);
        self.run(Kernel::PassOn, rows, &arguments, count)
    }

    /// Σ weight x loss into `told`; the gradient of the scores is that of the losses times `factor`.
    pub(crate) fn loss(
        &mut self,
        rows: &OnCard<'_, D::Memory>,
        objective: &Objective,
        factor: f32,
        told: usize,
    ) -> Result<()> {
        let scores = self.plan.scores;
        let Some(gradient) = self.layout.value_gradients[scores] else {
            return Err(Error::Msg("the scores follow from no weight".into()));
        };
        let places = rows.places;
        let (losses, pieces) = (self.layout.losses, self.layout.pieces);
        let value = self.layout.values[scores];
        let groups = places.groups.unwrap_or(0);
        let at = [value, gradient, losses, places.labels, places.weights, pieces, groups];
        #[expect(
            clippy::cast_possible_truncation,
            reason = "options of a loss, in the precision of the weights"
        )]
        let (kernel, n, option) = match objective.loss {
            Loss::Squared => (Kernel::Loss, 0, 0.0),
            Loss::Huber { delta } => (Kernel::Loss, 1, delta as f32),
            Loss::Quantile { level } => (Kernel::Loss, 2, level as f32),
            Loss::Poisson => (Kernel::Loss, 3, 0.0),
            Loss::Logistic => (Kernel::Loss, 4, 0.0),
            Loss::Softmax => (Kernel::SoftmaxLoss, self.plan.widths[scores], 0.0),
            Loss::Pairwise => (Kernel::PairwiseLoss, self.piece_count(), 0.0),
        };
        let n = [n, usize::from(places.groups.is_some())];
        let arguments = Arguments::new(at, n).with([option, factor]);
        self.run(kernel, rows, &arguments, rows.count)?;
        self.sums((losses, rows.count, 1), self.layout.told + told, false, rows)
    }

    /// The gradient of all learned weights, times `factor`.
    pub(crate) fn scale(&mut self, factor: f32, rows: &OnCard<'_, D::Memory>) -> Result<()> {
        let arguments = Arguments::new([self.layout.gradients], []).with([factor]);
        self.run(Kernel::Scale, rows, &arguments, self.plan.trainable)
    }

    /// The square of the gradient's length into `told`.
    pub(crate) fn square(&mut self, told: usize, rows: &OnCard<'_, D::Memory>) -> Result<()> {
        let gradient = (self.layout.gradients, self.plan.trainable, 1);
        self.sums(gradient, self.layout.told + told, true, rows)
    }

    /// The sums of the columns of a matrix, or of their squares.
    pub(super) fn sums(
        &mut self,
        (from, height, width): (usize, usize, usize),
        into: usize,
        squares: bool,
        rows: &OnCard<'_, D::Memory>,
    ) -> Result<()> {
        let (mut from, mut height, mut squares) = (from, height, squares);
        let mut turn = 0;
        while height > CHUNK {
            let chunks = height.div_ceil(CHUNK).min(PARTS / width).max(1);
            let part = if chunks == 1 { into } else { self.layout.parts[turn] };
            let arguments = Arguments::new([from, part], [width, height, chunks, usize::from(squares)]);
            self.run(Kernel::Sums, rows, &arguments, chunks * width)?;
            if chunks == 1 {
                return Ok(());
            }
            (from, height, squares, turn) = (part, chunks, false, 1 - turn);
        }
        let arguments = Arguments::new([from, into], [width, height, 1, usize::from(squares)]);
        self.run(Kernel::Sums, rows, &arguments, width)
    }
}

pub(super) fn missing(step: &Step) -> Error {
    Error::Msg(format!("there is no kernel for {step:?}"))
}
