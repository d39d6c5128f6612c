//! A plan on a card: where its numbers lie, and its steps forward and backward.

use std::ops::Range;

use candle_core::{Error, Result};

use super::LONGEST;
use super::driver::{Arguments, Driver, Kernel, Matrix, Product};
use crate::compute::{Pass, wanted_with_weights};
use crate::kernels::dropout::Draw;
use crate::plan::{Buffer, NORM_EPSILON, Plan, Step, TensorId, TensorKind};
use crate::spec::{Activation, Loss, NetworkSpec, Precision};
use crate::train::shard::{MAX_SHARDS, Objective, PIECE_ROWS};
use crate::train::step::NORM_MOMENTUM;

/// Numbers that are left of a sum after its first part, at most.
const PARTS: usize = 1 << 16;
/// Numbers that are added by one thread of the card, where there are few.
const CHUNK: usize = 64;
/// Threads that look for the greatest number.
const SEEKERS: usize = 4096;

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
    pub(crate) weights: usize,
    pub(crate) gradients: usize,
    pub(crate) slots: Vec<usize>,
    /// Numbers that the host reads.
    pub(crate) told: usize,
    /// By buffer of the plan.
    values: Vec<usize>,
    /// The same; nothing where nobody wants them.
    value_gradients: Vec<Option<usize>>,
    /// Of norms, by step of the plan.
    statistics: Vec<usize>,
    /// Parts of gradients of weights, by row or by piece.
    products: usize,
    /// The first row of each piece, then the end.
    pieces: usize,
    losses: usize,
    /// The factors of a product in 16 bits.
    halves: [usize; 2],
    /// What is left of sums, by turns.
    parts: [usize; 2],
    /// The greatest number of a table's gradient, by step of the plan.
    greatest: usize,
    /// Of one table at a time, in whole numbers of 64 bits.
    table_sums: usize,
    words: usize,
}

impl Layout {
    /// For a plan with room for so many rows, and so many numbers to be told.
    fn new(plan: &Plan, spec: &NetworkSpec, rows: usize, told: usize) -> Self {
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

/// Where rows lie in their memory, in words.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RowPlaces {
    /// How many numeric features a row has.
    pub(crate) columns: usize,
    pub(crate) numeric: usize,
    /// How many ids a row has.
    pub(crate) features: usize,
    pub(crate) ids: usize,
    pub(crate) labels: usize,
    pub(crate) weights: usize,
    /// The rows in the order in which they are taken, from the first one on.
    pub(crate) order: usize,
    /// Groups, of two words each.
    pub(crate) groups: Option<usize>,
}

/// Rows on the card, `count` of them from where `places.order` begins.
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
    precision: Precision,
    /// The first row of each piece, then the end, as the card has them.
    pieces: Vec<u32>,
}

fn number(activation: Option<Activation>) -> usize {
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
    fn multiply(&mut self, mut product: Product, rows: &OnCard<'_, D::Memory>) -> Result<()> {
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

    fn weight(&self, tensor: TensorId) -> usize {
        self.layout.weights + self.plan.tensors[tensor].offset
    }

    fn gradient_of(&self, tensor: TensorId) -> usize {
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

    fn piece_count(&self) -> usize {
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
        self.driver.run(kernel, &mut self.memory, rows.memory, arguments, count)
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
                let arguments = Arguments::new([into, places.numeric, places.order], n);
                self.run(Kernel::Numeric, rows, &arguments, rows.count * places.columns)
            }
            Step::Piecewise { bins, offset, .. } => {
                let count = self.plan.tensors[*bins].len() / 4;
                let at = [into, places.numeric, places.order, self.weight(*bins)];
                let arguments = Arguments::new(at, [stride, *offset, places.columns, count]);
                self.run(Kernel::Piecewise, rows, &arguments, rows.count * count)
            }
            Step::Periodic { frequencies, offset, .. } => {
                let count = self.plan.tensors[*frequencies].len();
                let at = [into, places.numeric, places.order, self.weight(*frequencies)];
                let arguments = Arguments::new(at, [stride, *offset, places.columns, count]);
                self.run(Kernel::Periodic, rows, &arguments, rows.count * count)
            }
            Step::Embed { feature, table, offset, .. } => {
                let width = self.plan.tensors[*table].shape[1];
                let at = [into, self.weight(*table), 0, places.ids, places.order];
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
    fn vectors(&self, own: Option<Buffer>, others: Option<Buffer>, dimension: usize) -> (usize, usize) {
        let width = |buffer: Option<Buffer>| buffer.map_or(0, |buffer| self.plan.widths[buffer]);
        (width(own), (width(own) + width(others)) / dimension)
    }

    fn dropout(
        &mut self,
        draw: Draw,
        (from, into, add): (usize, usize, bool),
        width: usize,
        rows: &OnCard<'_, D::Memory>,
    ) -> Result<()> {
        let mut arguments = Arguments::new([from, into], [width, 0, usize::from(add)]).with([draw.scale()]);
        (arguments.at[2], arguments.n[1]) = (draw.key.bits(), draw.threshold());
        self.run(Kernel::Dropout, rows, &arguments, rows.count * width)
    }

    fn pass_on(
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
        let at = [value, gradient, losses, places.labels, places.weights, places.order, pieces, groups];
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
    fn sums(
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

    /// The gradient of all learned weights, from that of the scores; [`Network::forward`] and [`Network::loss`] ran before with
    /// the same rows.
    pub(crate) fn backward(&mut self, rows: &OnCard<'_, D::Memory>, pass: Pass) -> Result<()> {
        let has_tables = self.plan.steps.iter().any(|step| matches!(step, Step::Embed { .. }));
        if has_tables {
            let arguments = Arguments::new([self.layout.greatest], []);
            self.run(Kernel::Fill, rows, &arguments, self.plan.steps.len())?;
        }
        // The first to give a buffer its gradient writes it, later ones add.
        let mut written = vec![false; self.plan.widths.len()];
        written[self.plan.scores] = true;
        let plan = self.plan;
        for (position, step) in plan.steps.iter().enumerate().rev() {
            let Some(gradient) = self.layout.value_gradients[step.output()] else { continue };
            if written[step.output()] {
                self.step_backward(position, gradient, &mut written, rows, pass)?;
            }
        }
        Ok(())
    }

    /// Where the gradient of an input goes, and whether there is one to add to; nothing where nobody wants it.
    fn target(&self, input: Buffer, written: &mut [bool]) -> Option<(usize, bool)> {
        let at = self.layout.value_gradients[input]?;
        Some((at, std::mem::replace(&mut written[input], true)))
    }

    fn step_backward(
        &mut self,
        position: usize,
        gradient: usize,
        written: &mut [bool],
        rows: &OnCard<'_, D::Memory>,
        pass: Pass,
    ) -> Result<()> {
        let plan = self.plan;
        let step = &plan.steps[position];
        let width = plan.widths[step.output()];
        let count = rows.count * width;
        match step {
            Step::Numeric { .. } | Step::Piecewise { .. } => Ok(()),
            Step::Periodic { .. } => self.periodic_backward(step, gradient, rows),
            Step::Embed { .. } => self.embed_backward(position, gradient, rows),
            Step::Linear { .. } => self.linear_backward(step, gradient, written, rows),
            Step::LayerNorm { .. } | Step::BatchNorm { .. } => {
                self.norm_backward(position, gradient, written, rows)
            }
            Step::Activate { input, output, activation } => {
                let Some((into, add)) = self.target(*input, written) else { return Ok(()) };
                let known = self.layout.values[if activation.is_invertible() { *output } else { *input }];
                let n = [usize::from(add), number(Some(*activation))];
                let arguments = Arguments::new([known, gradient, into], n);
                self.run(Kernel::ActivateBackward, rows, &arguments, count)
            }
            Step::Dropout { input, rate, place, .. } => {
                let Some((into, add)) = self.target(*input, written) else { return Ok(()) };
                match pass.draw(*place, *rate) {
                    Some(draw) => self.dropout(draw, (gradient, into, add), width, rows),
                    None => self.pass_on((gradient, into, add), count, rows),
                }
            }
            Step::Add { left, right, .. } => {
                for input in [*left, *right] {
                    if let Some((into, add)) = self.target(input, written) {
                        self.pass_on((gradient, into, add), count, rows)?;
                    }
                }
                Ok(())
            }
            Step::Sum { input, .. } => {
                let Some((into, add)) = self.target(*input, written) else { return Ok(()) };
                let wide = plan.widths[*input];
                let arguments = Arguments::new([gradient, into], [wide, width, usize::from(add)]);
                self.run(Kernel::SumPartsBackward, rows, &arguments, rows.count * wide)
            }
            Step::Interact { .. } => self.interact_backward(step, gradient, written, rows),
        }
    }

    fn linear_backward(
        &mut self,
        step: &Step,
        gradient: usize,
        written: &mut [bool],
        rows: &OnCard<'_, D::Memory>,
    ) -> Result<()> {
        let Step::Linear { input, output, weight, bias, activation } = step else {
            return Err(missing(step));
        };
        let (inputs, outputs) = (self.plan.widths[*input], self.plan.widths[*output]);
        if activation.is_some() {
            let at = [self.layout.values[*output], gradient, gradient];
            let arguments = Arguments::new(at, [0, number(*activation)]);
            self.run(Kernel::ActivateBackward, rows, &arguments, rows.count * outputs)?;
        }
        self.sums((gradient, rows.count, outputs), self.gradient_of(*bias), false, rows)?;
        let of_weight = Product {
            left: Matrix { at: gradient, transposed: true },
            right: Matrix { at: self.layout.values[*input], transposed: false },
            into: self.gradient_of(*weight),
            rows: outputs,
            inner: rows.count,
            columns: inputs,
            add: false,
            precision: self.precision,
        };
        self.multiply(of_weight, rows)?;
        let Some((into, add)) = self.target(*input, written) else { return Ok(()) };
        let of_input = Product {
            left: Matrix { at: gradient, transposed: false },
            right: Matrix { at: self.weight(*weight), transposed: false },
            into,
            rows: rows.count,
            inner: outputs,
            columns: inputs,
            add,
            precision: self.precision,
        };
        self.multiply(of_input, rows)
    }

    fn norm_backward(
        &mut self,
        position: usize,
        gradient: usize,
        written: &mut [bool],
        rows: &OnCard<'_, D::Memory>,
    ) -> Result<()> {
        let plan = self.plan;
        let step = &plan.steps[position];
        let (Step::LayerNorm { input, gain, shift, .. } | Step::BatchNorm { input, gain, shift, .. }) = step
        else {
            return Err(missing(step));
        };
        let Some((into, add)) = self.target(*input, written) else { return Ok(()) };
        let width = plan.widths[step.output()];
        let (products, pieces) = (self.layout.products, self.layout.pieces);
        let value = self.layout.values[*input];
        let statistics = self.layout.statistics[position];
        let head = [value, gradient, into, self.weight(*gain), statistics];
        let [value, gradient, into, weight, statistics] = head;
        let n = [width, usize::from(add), self.piece_count()];
        // Where the parts of both gradients are, and how many.
        let (gains, shifts, parts) = if matches!(step, Step::BatchNorm { .. }) {
            let at = [value, gradient, into, weight, statistics, pieces, products];
            let count = self.piece_count() * width;
            self.run(Kernel::BatchNormBackward, rows, &Arguments::new(at, n), count)?;
            (products, products + count, self.piece_count())
        } else {
            let at = [value, gradient, into, weight, statistics, products];
            self.run(Kernel::LayerNormBackward, rows, &Arguments::new(at, n), rows.count)?;
            (products, gradient, rows.count)
        };
        self.sums((gains, parts, width), self.gradient_of(*gain), false, rows)?;
        self.sums((shifts, parts, width), self.gradient_of(*shift), false, rows)
    }

    /// Lets the running means of batch norms follow those of the rows that went through the network.
    pub(crate) fn follow_means(&mut self, rows: &OnCard<'_, D::Memory>) -> Result<()> {
        let plan = self.plan;
        for (step, statistics) in plan.steps.iter().zip(self.layout.statistics.clone()) {
            let Step::BatchNorm { output, mean, variance, .. } = step else { continue };
            let width = plan.widths[*output];
            let at = [statistics, self.layout.pieces, self.weight(*mean), self.weight(*variance)];
            let n = [width, self.piece_count(), rows.count];
            let arguments = Arguments::new(at, n).with([NORM_MOMENTUM]);
            self.run(Kernel::BatchNormFollow, rows, &arguments, width)?;
        }
        Ok(())
    }

    fn interact_backward(
        &mut self,
        step: &Step,
        gradient: usize,
        written: &mut [bool],
        rows: &OnCard<'_, D::Memory>,
    ) -> Result<()> {
        let Step::Interact { vector, embeddings, dimension, output } = step else {
            return Err(missing(step));
        };
        let (own, vectors) = self.vectors(*vector, *embeddings, *dimension);
        let at = [vector, embeddings].map(|buffer| buffer.map_or(0, |buffer| self.layout.values[buffer]));
        let first = own / dimension;
        for (buffer, from, number) in [(vector, 0, first), (embeddings, first, vectors - first)] {
            let target = buffer.and_then(|buffer| self.target(buffer, written));
            let Some((into, add)) = target else { continue };
            let width = self.plan.widths[*output];
            let n = [own, *dimension, width, vectors, from, number, usize::from(add)];
            let arguments = Arguments::new([at[0], at[1], gradient, into], n);
            self.run(Kernel::InteractBackward, rows, &arguments, rows.count * number * dimension)?;
        }
        Ok(())
    }

    fn periodic_backward(
        &mut self,
        step: &Step,
        gradient: usize,
        rows: &OnCard<'_, D::Memory>,
    ) -> Result<()> {
        let Step::Periodic { frequencies, output, offset } = step else { return Err(missing(step)) };
        let places = rows.places;
        let (count, products) = (self.plan.tensors[*frequencies].len(), self.layout.products);
        let at = [self.layout.values[*output], places.numeric, places.order, gradient, products];
        let n = [self.plan.widths[*output], *offset, places.columns, count];
        self.run(Kernel::PeriodicBackward, rows, &Arguments::new(at, n), rows.count * count)?;
        self.sums((products, rows.count, count), self.gradient_of(*frequencies), false, rows)
    }

    fn embed_backward(
        &mut self,
        position: usize,
        gradient: usize,
        rows: &OnCard<'_, D::Memory>,
    ) -> Result<()> {
        let plan = self.plan;
        let step = &plan.steps[position];
        let Step::Embed { feature, table, output, offset } = step else { return Err(missing(step)) };
        let tensor = &plan.tensors[*table];
        let (stride, width) = (plan.widths[*output], tensor.shape[1]);
        let (greatest, sums) = (self.layout.greatest + position, self.layout.table_sums);
        let count = rows.count * width;
        let n = [stride, *offset, width, 0, 0, rows.count];
        let arguments = Arguments::new([gradient, greatest], n);
        self.run(Kernel::TableGreatest, rows, &arguments, std::cmp::min(count, SEEKERS))?;
        let at = [gradient, greatest, sums, rows.places.ids, rows.places.order];
        let arguments = Arguments::new(at, [stride, *offset, width, rows.places.features, *feature]);
        self.run(Kernel::TableAdd, rows, &arguments, count)?;
        let arguments = Arguments::new([self.gradient_of(*table), greatest, sums], []);
        self.run(Kernel::TableTake, rows, &arguments, tensor.len())
    }
}

fn missing(step: &Step) -> Error {
    Error::Msg(format!("there is no kernel for {step:?}"))
}
