//! Epoch after epoch: steps, validation, early stopping.

use std::sync::mpsc::{Receiver, sync_channel};

use sluice_core::Execution;
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Extent;

use super::checkpoint::{Best, Keeper, State};
use super::cpu::Cpu;
use super::engine::{Engine, LossSums, StepOrder, StepSums};
use super::order::{Window, Windows, steps_of};
use super::place::Computing;
#[cfg(feature = "cuda")]
use super::place::failed;
use super::shard::{Objective, shards_of};
use super::step::Work;
use super::team::Team;
use super::{EpochRecord, FitOptions, purpose};
use crate::error::NetworkError;
#[cfg(any(feature = "cuda", test))]
use crate::gpu::CardEngine;
#[cfg(test)]
use crate::gpu::emulated::Emulated;
use crate::plan::Plan;
use crate::random::Key;
use crate::rows::Rows;
use crate::spec::NetworkSpec;

/// A training that is to be run.
pub(crate) struct Training<'a> {
    pub(crate) spec: &'a NetworkSpec,
    pub(crate) plan: &'a Plan,
    pub(crate) objective: &'a Objective,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) weights: Vec<f32>,
    pub(crate) history: Vec<EpochRecord>,
    pub(crate) best_epoch: u32,
    pub(crate) stopped_early: bool,
}

/// What a training reads, and how it is run.
pub(crate) struct Inputs<'a, 'v, 'o> {
    pub(crate) training: &'a mut dyn Rows,
    pub(crate) validation: Option<&'v mut dyn Rows>,
    pub(crate) keeper: Option<Keeper>,
    pub(crate) options: FitOptions<'o>,
}

impl Training<'_> {
    /// Trains from these weights on, or from where a checkpoint stands.
    ///
    /// # Errors
    /// As [`fit`](super::fit).
    pub(crate) fn run(
        &self,
        computing: &Computing,
        weights: Vec<f32>,
        inputs: Inputs<'_, '_, '_>,
    ) -> Result<Outcome> {
        let slots = (self.spec.optimizer.slots(), self.plan.trainable);
        let kept = match &inputs.keeper {
            Some(keeper) => keeper.load(self.plan.total, slots)?,
            None => None,
        };
        let (state, tensors) = kept.map_or((State::default(), None), |(state, kept)| (state, Some(kept)));
        #[cfg(any(feature = "cuda", test))]
        let rows = inputs.training.rows();
        match computing {
            Computing::Cpu => {}
            #[cfg(feature = "cuda")]
            Computing::Card(card) => {
                let driver = crate::gpu::cuda::Cuda::new(card).map_err(failed("to load its kernels"))?;
                let engine = CardEngine::new(self, rows, driver, &weights, tensors.as_ref())?;
                return self.run_on(engine, state, inputs);
            }
            #[cfg(test)]
            Computing::Emulated => {
                let engine = CardEngine::new(self, rows, Emulated::new(), &weights, tensors.as_ref())?;
                return self.run_on(engine, state, inputs);
            }
        }
        let work = Work::new(self.spec, self.plan, self.objective, weights);
        if let Some(tensors) = tensors {
            work.restore(tensors);
        }
        let shards = shards_of(self.spec.batch_size as usize);
        let members = std::cmp::min(inputs.options.execution.threads.get(), shards) - 1;
        let team = Team::new(members);
        std::thread::scope(|scope| {
            let _dismissal = team.dismissal();
            for _ in 0..members {
                scope.spawn(|| team.serve(|task| work.work(task)));
            }
            self.run_on(Cpu { work: &work, team: &team }, state, inputs)
        })
    }

    /// The same on an engine; a thread of its own reads ahead.
    fn run_on(&self, engine: impl Engine, state: State, inputs: Inputs<'_, '_, '_>) -> Result<Outcome> {
        let Inputs { training, validation, keeper, options } = inputs;
        let rows = training.rows();
        let (to, from) = sync_channel(0);
        let mut windows = Windows {
            rows: training,
            batch_size: self.spec.batch_size as usize,
            key: Key::new(self.spec.seed, purpose::ORDER),
        };
        let total = rows.saturating_mul(u64::from(self.spec.epochs));
        options.execution.progress.begin("training", Extent { rows: Some(total), bytes: None });
        let done = u32::try_from(state.history.len()).unwrap_or(u32::MAX);
        let outcome = std::thread::scope(|scope| {
            scope.spawn(move || windows.send(done..self.spec.epochs, &to));
            let mut run = Run {
                training: self,
                engine,
                execution: options.execution.clone(),
                rows,
                validation,
                observer: options.observer,
                state,
                keeper,
            };
            // `from` is dropped at the end, which ends the reading too.
            run.epochs(from)
        });
        options.execution.progress.end();
        outcome
    }
}

struct Run<'a, 'v, 'o, E> {
    training: &'a Training<'a>,
    engine: E,
    execution: Execution,
    rows: u64,
    validation: Option<&'v mut dyn Rows>,
    observer: Option<&'o mut dyn super::Observer>,
    state: State,
    keeper: Option<Keeper>,
}

impl<E: Engine> Run<'_, '_, '_, E> {
    fn epochs(&mut self, windows: Receiver<Result<Window>>) -> Result<Outcome> {
        let done = u32::try_from(self.state.history.len()).unwrap_or(u32::MAX);
        // A checkpoint of the last epoch may be one that ends here.
        let mut stopped_early = done > 0 && done < self.training.spec.epochs && self.is_over(done);
        let mut windows = windows.into_iter();
        for epoch in done + 1..=self.training.spec.epochs {
            if stopped_early {
                break;
            }
            self.epoch(epoch, &mut windows)?;
            let record = self.close(epoch)?;
            if let Some(observer) = &mut self.observer {
                observer.epoch(&record);
            }
            self.state.history.push(record);
            self.save_if_due(epoch)?;
            stopped_early = epoch < self.training.spec.epochs && self.is_over(epoch);
        }
        let last = u32::try_from(self.state.history.len()).unwrap_or(u32::MAX);
        let (best_epoch, weights) = match self.state.best.take() {
            Some(best) => (best.epoch, best.weights),
            None => (last, self.engine.weights()?),
        };
        let history = std::mem::take(&mut self.state.history);
        Ok(Outcome { weights, history, best_epoch, stopped_early })
    }

    fn epoch(&mut self, epoch: u32, windows: &mut impl Iterator<Item = Result<Window>>) -> Result<()> {
        // Batches that were done before a checkpoint.
        let mut done = self.state.batch;
        loop {
            let ended = || CommonError::Internal("the rows of an epoch ended before it".into());
            let window = windows.next().ok_or_else(ended)??;
            let (places, is_last) = (window.order.len(), window.is_last);
            self.engine.take(window)?;
            let size = self.training.spec.batch_size as usize;
            for first in (0..places).step_by(size) {
                if done > 0 {
                    done -= 1;
                    continue;
                }
                self.stop_if_cancelled(epoch)?;
                self.step(epoch, first, std::cmp::min(size, places - first))?;
                self.save_if_due(epoch)?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Ends with a checkpoint once somebody asked for an end.
    fn stop_if_cancelled(&mut self, epoch: u32) -> Result<()> {
        let cancelled = self.execution.cancel.check();
        if cancelled.is_err() {
            self.save(epoch)?;
        }
        cancelled
    }

    fn save_if_due(&mut self, epoch: u32) -> Result<()> {
        match &self.keeper {
            Some(keeper) if keeper.is_due() => self.save(epoch),
            _ => Ok(()),
        }
    }

    fn save(&mut self, epoch: u32) -> Result<()> {
        if self.keeper.is_none() {
            return Ok(());
        }
        self.settle(epoch)?;
        let tensors = self.engine.tensors()?;
        match &mut self.keeper {
            Some(keeper) => keeper.save(&self.state, &tensors),
            None => Ok(()),
        }
    }

    fn rate(&self, step: u64) -> f64 {
        let spec = self.training.spec;
        let per_epoch = steps_of(self.rows, spec.batch_size);
        let steps = per_epoch.saturating_mul(u64::from(spec.epochs));
        spec.optimizer.learning_rate() * spec.schedule.factor(step, steps, per_epoch)
    }

    fn step(&mut self, epoch: u32, first: usize, rows: usize) -> Result<()> {
        self.state.step += 1;
        self.state.batch += 1;
        let State { step, batch, .. } = self.state;
        let key = Key::new(self.training.spec.seed, purpose::DROPOUT).with(step);
        let order = StepOrder { step, batch, first, rows, key, rate: self.rate(step - 1) };
        let mut done = Vec::with_capacity(1);
        self.engine.step(&order, &mut done)?;
        self.execution.progress.advance(rows as u64, 0);
        self.note(epoch, &done)
    }

    /// Waits for steps that a device has not told of.
    fn settle(&mut self, epoch: u32) -> Result<()> {
        let mut done = Vec::new();
        self.engine.settle(&mut done)?;
        self.note(epoch, &done)
    }

    fn note(&mut self, epoch: u32, done: &[StepSums]) -> Result<()> {
        // Rows without weight teach nothing.
        for sums in done.iter().filter(|sums| sums.weight > 0.0) {
            if !sums.loss.is_finite() {
                return Err(self
                    .diverged("loss", sums.loss / sums.weight, (epoch, sums.step, sums.batch))
                    .into());
            }
            if !sums.norm.is_finite() {
                let at = (epoch, sums.step, sums.batch);
                return Err(self.diverged("length of the gradient", sums.norm, at).into());
            }
            self.state.loss += sums.loss;
            self.state.weight += sums.weight;
            self.state.norms += sums.norm;
        }
        Ok(())
    }

    fn diverged(
        &self,
        what: &'static str,
        value: f64,
        (epoch, step, batch): (u32, u64, u64),
    ) -> NetworkError {
        let spec = self.training.spec;
        let cause = if step <= 3 {
            format!(
                "the first steps already fail: look for features or labels of extreme size (`standardize` them in the \
                 transform), or lower `network.optimizer.{}.learning_rate` (now {})",
                spec.optimizer.name(),
                spec.optimizer.learning_rate()
            )
        } else {
            let clip = if spec.gradient_clip.is_none() { ", or set `gradient_clip: 1.0`" } else { "" };
            format!(
                "training runs away after {} epochs: lower `network.optimizer.{}.learning_rate` (now {}){clip}",
                self.state.history.len(),
                spec.optimizer.name(),
                spec.optimizer.learning_rate()
            )
        };
        NetworkError::Diverged { what, value, step, epoch, batch, cause }
    }

    /// Ends an epoch: its losses, and whether it is the best.
    fn close(&mut self, epoch: u32) -> Result<EpochRecord> {
        self.settle(epoch)?;
        let validation_loss = self.validate(epoch)?;
        if let Some(loss) = validation_loss.filter(|loss| !loss.is_finite()) {
            let at = (epoch, self.state.step, self.state.batch);
            return Err(self.diverged("validation loss", loss, at).into());
        }
        let State { step, batch, loss, weight, norms, .. } = &mut self.state;
        let record = EpochRecord {
            epoch,
            steps: *step,
            training_loss: *loss / *weight,
            validation_loss,
            learning_rate: 0.0,
            gradient_norm: *norms / *batch as f64,
        };
        (*batch, *loss, *weight, *norms) = (0, 0.0, 0.0, 0.0);
        let record = EpochRecord { learning_rate: self.rate(self.state.step - 1), ..record };
        if let (Some(stopping), Some(loss)) = (&self.training.spec.early_stopping, validation_loss) {
            let better = self
                .state
                .best
                .as_ref()
                .is_none_or(|best| loss < best.loss - stopping.min_improvement * best.loss.abs());
            if better {
                let weights = self.engine.weights()?;
                self.state.best = Some(Best { epoch, loss, weights });
            }
        }
        Ok(record)
    }

    /// Whether early stopping has waited long enough.
    fn is_over(&self, epoch: u32) -> bool {
        match (&self.training.spec.early_stopping, &self.state.best) {
            (Some(stopping), Some(best)) => epoch - best.epoch >= stopping.patience,
            _ => false,
        }
    }

    /// The mean loss of the validation rows.
    fn validate(&mut self, epoch: u32) -> Result<Option<f64>> {
        let Some(rows) = self.validation.take() else { return Ok(None) };
        let mut sums = LossSums::default();
        for number in 0..rows.blocks() {
            self.stop_if_cancelled(epoch)?;
            let LossSums { loss, weight } = self.engine.judge(number, rows.block(number)?)?;
            sums = LossSums { loss: sums.loss + loss, weight: sums.weight + weight };
        }
        self.validation = Some(rows);
        Ok(Some(sums.loss / sums.weight))
    }
}
