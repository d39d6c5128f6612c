//! A plan on a card: where its numbers lie, and its steps forward and backward.

use candle_core::{Error, Result};

use super::driver::{Arguments, Driver, Kernel, Matrix, Product};
use crate::compute::{Pass, wanted_with_weights};
use crate::kernels::dropout::Draw;
use crate::plan::{Buffer, NORM_EPSILON, Plan, Step, TensorId, TensorKind};
use crate::spec::{Activation, Loss};
use crate::train::shard::Objective;

/// Numbers that are left of a sum after its first part, at most.
const PARTS: usize = 1 << 16;
/// Numbers that are added by one thread of the card, where there are few.
const CHUNK: usize = 64;
/// Threads that look for the greatest number.
const SEEKERS: usize = 4096;

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
    /// Of layer norms, by step of the plan.
    statistics: Vec<usize>,
    /// Of layer norms: each row's part of the gradient of the gain.
    products: usize,
    losses: usize,
    /// What is left of sums, by turns.
    parts: [usize; 2],
    /// The greatest number of a table's gradient, by step of the plan.
    greatest: usize,
    /// Of one table at a time, in whole numbers of 64 bits.
    table_sums: usize,
    words: usize,
}

impl Layout {
    /// With room for so many rows, slots of the optimizer, and numbers to be told.
    fn new(plan: &Plan, rows: usize, slots: usize, told: usize) -> Self {
        let mut places = Places(0);
        let wanted = wanted_with_weights(plan);
        let norms = plan.steps.iter().filter_map(|step| match step {
            Step::LayerNorm { output, .. } => Some(plan.widths[*output]),
            _ => None,
        });
        let tables = plan.tensors.iter().filter(|tensor| tensor.kind == TensorKind::Table);
        let widest = plan.widths.iter().copied().max().unwrap_or(0);
        let mut layout = Self {
            weights: places.take(plan.total),
            gradients: places.take(plan.trainable),
            slots: (0..slots).map(|_| places.take(plan.trainable)).collect(),
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
                    _ => 0,
                })
                .collect(),
            products: places.take(norms.max().unwrap_or(0) * rows),
            losses: places.take(rows),
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
}

fn number(activation: Option<Activation>) -> usize {
    // As in `activated` of kernels.cu, which passes on what it does not know.
    activation.map_or(7, |activation| activation as usize)
}

impl<'a, D: Driver> Network<'a, D> {
    /// With zeros for weights.
    pub(crate) fn new(driver: D, plan: &'a Plan, rows: usize, slots: usize, told: usize) -> Result<Self> {
        let layout = Layout::new(plan, rows, slots, told);
        let memory = driver.memory(layout.words)?;
        Ok(Self { driver, plan, layout, memory })
    }

    fn weight(&self, tensor: TensorId) -> usize {
        self.layout.weights + self.plan.tensors[tensor].offset
    }

    fn gradient_of(&self, tensor: TensorId) -> usize {
        self.layout.gradients + self.plan.tensors[tensor].offset
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
                Step::Numeric { .. } | Step::Piecewise { .. } | Step::Embed { .. } => {
                    self.features(step, rows)?;
                }
                _ => self.layer(position, step, rows, pass)?,
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
            Step::Embed { feature, table, offset, .. } => {
                let width = self.plan.tensors[*table].shape[1];
                let at = [into, self.weight(*table), 0, places.ids, places.order];
                let arguments = Arguments::new(at, [stride, *offset, width, places.features, *feature]);
                self.run(Kernel::Embed, rows, &arguments, rows.count * width)
            }
            _ => Err(missing(step)),
        }
    }

    fn layer(
        &mut self,
        position: usize,
        step: &Step,
        rows: &OnCard<'_, D::Memory>,
        pass: Pass,
    ) -> Result<()> {
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
                };
                let arguments = Arguments::new([into, self.weight(*bias)], [width, number(*activation)]);
                self.driver.multiply(&mut self.memory, &product)?;
                self.run(Kernel::ActivateSums, rows, &arguments, count)
            }
            Step::Activate { input, activation, .. } => {
                let arguments = Arguments::new([value(*input), into], [0, number(Some(*activation))]);
                self.run(Kernel::Activate, rows, &arguments, count)
            }
            Step::LayerNorm { input, gain, shift, .. } => {
                let statistics = self.layout.statistics[position];
                let at = [value(*input), into, self.weight(*gain), self.weight(*shift), statistics];
                let arguments = Arguments::new(at, [width]).with([NORM_EPSILON]);
                self.run(Kernel::LayerNorm, rows, &arguments, rows.count)
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
            _ => Err(missing(step)),
        }
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
        let losses = self.layout.losses;
        let at = [self.layout.values[scores], gradient, losses, places.labels, places.weights, places.order];
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
            Loss::Pairwise => return Err(Error::Msg("pairs of rows have no kernel".into())),
        };
        let arguments = Arguments::new(at, [n]).with([option, factor]);
        self.run(kernel, rows, &arguments, rows.count)?;
        self.sums((losses, rows.count, 1), self.layout.told + told, false, rows)
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
            Step::Embed { .. } => self.embed_backward(position, gradient, rows),
            Step::Linear { .. } => self.linear_backward(step, gradient, written, rows),
            Step::LayerNorm { .. } => self.norm_backward(position, gradient, written, rows),
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
            Step::Periodic { .. } | Step::BatchNorm { .. } | Step::Interact { .. } => Err(missing(step)),
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
        };
        self.driver.multiply(&mut self.memory, &of_weight)?;
        let Some((into, add)) = self.target(*input, written) else { return Ok(()) };
        let of_input = Product {
            left: Matrix { at: gradient, transposed: false },
            right: Matrix { at: self.weight(*weight), transposed: false },
            into,
            rows: rows.count,
            inner: outputs,
            columns: inputs,
            add,
        };
        self.driver.multiply(&mut self.memory, &of_input)
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
        let Step::LayerNorm { input, gain, shift, output } = step else { return Err(missing(step)) };
        let Some((into, add)) = self.target(*input, written) else { return Ok(()) };
        let width = self.plan.widths[*output];
        let products = self.layout.products;
        let value = self.layout.values[*input];
        let statistics = self.layout.statistics[position];
        let at = [value, gradient, into, self.weight(*gain), statistics, products];
        let arguments = Arguments::new(at, [width, usize::from(add)]);
        self.run(Kernel::LayerNormBackward, rows, &arguments, rows.count)?;
        self.sums((products, rows.count, width), self.gradient_of(*gain), false, rows)?;
        self.sums((gradient, rows.count, width), self.gradient_of(*shift), false, rows)
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
