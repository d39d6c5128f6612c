//! A plan on a card, backward: from the gradient of the scores to those of all weights.

use candle_core::Result;

use super::driver::{Arguments, Driver, Kernel, Matrix, Product};
use super::network::{Network, OnCard, missing, number};
use crate::compute::Pass;
use crate::plan::{Buffer, Step};
use crate::train::step::NORM_MOMENTUM;

/// Threads that look for the greatest number.
const SEEKERS: usize = 4096;

impl<D: Driver> Network<'_, D> {
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
        let weight = self.weight(*gain);
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
        let at = [self.layout.values[*output], places.numeric, gradient, products];
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
        let at = [gradient, greatest, sums, rows.places.ids];
        let arguments = Arguments::new(at, [stride, *offset, width, rows.places.features, *feature]);
        self.run(Kernel::TableAdd, rows, &arguments, count)?;
        let arguments = Arguments::new([self.gradient_of(*table), greatest, sums], []);
        self.run(Kernel::TableTake, rows, &arguments, tensor.len())
    }
}
