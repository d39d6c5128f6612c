//! What computes steps: threads of the CPU ([`super::cpu`]), or a card (`crate::gpu`).

use std::sync::Arc;

use sluice_core::error::Result;

use super::checkpoint::Tensors;
use super::order::Window;
use crate::random::Key;
use crate::rows::Block;

/// A step that is to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepOrder {
    /// The step of the whole training, from 1.
    pub(crate) step: u64,
    /// The batch of the epoch, from 1.
    pub(crate) batch: u64,
    /// The position of its first row in the window.
    pub(crate) first: usize,
    /// Its rows.
    pub(crate) rows: usize,
    /// Of its dropout.
    pub(crate) key: Key,
    /// The learning rate.
    pub(crate) rate: f64,
}

/// A step that was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepSums {
    pub(crate) step: u64,
    pub(crate) batch: u64,
    /// Σ weight x loss.
    pub(crate) loss: f64,
    /// Σ weight. Of a batch without weight nothing was learned.
    pub(crate) weight: f64,
    /// The length of the gradient before it was shortened.
    pub(crate) norm: f64,
}

/// Σ weight x loss, and Σ weight.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LossSums {
    pub(crate) loss: f64,
    pub(crate) weight: f64,
}

/// What computes steps, one after the other.
pub(crate) trait Engine {
    /// The next steps are of this window.
    ///
    /// # Errors
    /// What the device says.
    fn take(&mut self, window: Window) -> Result<()>;

    /// Makes a step, or begins to: a device that works on its own tells of steps when it is convenient. `done` takes the
    /// steps that are over, in their order.
    ///
    /// # Errors
    /// What the device says.
    fn step(&mut self, order: &StepOrder, done: &mut Vec<StepSums>) -> Result<()>;

    /// Waits for the steps that were begun.
    ///
    /// # Errors
    /// What the device says.
    fn settle(&mut self, done: &mut Vec<StepSums>) -> Result<()>;

    /// The loss of the validation rows' block of this number, by the network as it scores; a number means the same rows every
    /// time.
    ///
    /// # Errors
    /// What the device says.
    fn judge(&mut self, number: usize, block: Arc<Block>) -> Result<LossSums>;

    /// All weights.
    ///
    /// # Errors
    /// What the device says.
    fn weights(&self) -> Result<Vec<f32>>;

    /// All that the training would go on with.
    ///
    /// # Errors
    /// What the device says.
    fn tensors(&self) -> Result<Tensors>;
}
