//! How weights follow their gradient, as tensor operations. Formulas as in [`crate::train`].

use candle_core::{Device, Result, Tensor};

use crate::spec::{Adagrad, AdamW, Optimizer, Sgd};

/// Weights and what the optimizer keeps of them.
#[derive(Debug)]
pub(crate) struct Flat {
    pub(crate) weights: Tensor,
    pub(crate) slots: Vec<Tensor>,
}

impl Flat {
    /// Weights at the start.
    pub(crate) fn start(weights: &[f32], optimizer: &Optimizer, device: &Device) -> Result<Self> {
        let initial = match optimizer {
            #[expect(clippy::cast_possible_truncation, reason = "in the precision of the weights")]
            Optimizer::Adagrad(options) => options.initial as f32,
            Optimizer::AdamW(_) | Optimizer::Sgd(_) => 0.0,
        };
        let slot = |_| Tensor::full(initial, weights.len(), device);
        let slots = (0..optimizer.slots()).map(slot).collect::<Result<_>>()?;
        Ok(Self { weights: Tensor::new(weights, device)?, slots })
    }

    /// Lets the weights follow `gradient` in this step, counted from 1.
    pub(crate) fn follow(
        &mut self,
        optimizer: &Optimizer,
        step: u64,
        rate: f64,
        gradient: &Tensor,
    ) -> Result<()> {
        match optimizer {
            Optimizer::AdamW(options) => self.adamw(options, step, rate, gradient),
            Optimizer::Sgd(options) => self.sgd(options, rate, gradient),
            Optimizer::Adagrad(options) => self.adagrad(options, rate, gradient),
        }
    }

    fn adamw(&mut self, options: &AdamW, step: u64, rate: f64, gradient: &Tensor) -> Result<()> {
        let AdamW { weight_decay, beta1, beta2, epsilon, .. } = *options;
        let power = |base: f64| base.powi(i32::try_from(step).unwrap_or(i32::MAX));
        let mean = (((gradient - &self.slots[0])? * (1.0 - beta1))? + &self.slots[0])?;
        let square = ((&self.slots[1] * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
        let root = (1.0 - power(beta2)).sqrt();
        let change = (&mean / ((square.sqrt()? / root)? + epsilon)?)?;
        let length = rate / (1.0 - power(beta1));
        self.weights = ((&self.weights * (1.0 - rate * weight_decay))? - (change * length)?)?;
        self.slots = vec![mean, square];
        Ok(())
    }

    fn sgd(&mut self, options: &Sgd, rate: f64, gradient: &Tensor) -> Result<()> {
        let gradient = (gradient + (&self.weights * options.weight_decay)?)?;
        let mean = ((&self.slots[0] * options.momentum)? + &gradient)?;
        let along = if options.nesterov { (gradient + (&mean * options.momentum)?)? } else { mean.clone() };
        self.weights = (&self.weights - (along * rate)?)?;
        self.slots = vec![mean];
        Ok(())
    }

    fn adagrad(&mut self, options: &Adagrad, rate: f64, gradient: &Tensor) -> Result<()> {
        let gradient = (gradient + (&self.weights * options.weight_decay)?)?;
        let square = (&self.slots[0] + gradient.sqr()?)?;
        let along = (gradient / (square.sqrt()? + options.epsilon)?)?;
        self.weights = (&self.weights - (along * rate)?)?;
        self.slots = vec![square];
        Ok(())
    }
}
