//! Epoch after epoch: steps, validation, early stopping.

use std::sync::mpsc::{Receiver, sync_channel};

use sluice_core::Execution;
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Extent;

use super::checkpoint::{Best, Keeper, State};
use super::order::{Window, Windows, steps_of};
use super::shard::{Objective, shards_of};
use super::step::{BatchSums, Task, Work, read, write};
use super::team::Team;
use super::{EpochRecord, FitOptions, purpose};
use crate::error::NetworkError;
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

impl Training<'_> {
    /// Trains from these weights on.
    ///
    /// # Errors
    /// As [`fit`](super::fit).
    pub(crate) fn run(
        &self,
        weights: Vec<f32>,
        training: &mut dyn Rows,
        validation: Option<&mut dyn Rows>,
        keeper: Option<Keeper>,
        options: FitOptions<'_>,
    ) -> Result<Outcome> {
        let work = Work::new(self.spec, self.plan, self.objective, weights);
        let state = match &keeper {
            Some(keeper) => work.resume(keeper)?,
            None => State::default(),
        };
        let shards = shards_of(self.spec.batch_size as usize);
        let members = std::cmp::min(options.execution.threads.get(), shards) - 1;
        let team = Team::new(members);
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
            let _dismissal = team.dismissal();
            for _ in 0..members {
                scope.spawn(|| team.serve(|task| work.work(task)));
            }
            scope.spawn(move || windows.send(done..self.spec.epochs, &to));
            let mut run = Run {
                training: self,
                work: &work,
                team: &team,
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

struct Run<'a, 'v, 'o> {
    training: &'a Training<'a>,
    work: &'a Work<'a>,
    team: &'a Team<Task>,
    execution: Execution,
    rows: u64,
    validation: Option<&'v mut dyn Rows>,
    observer: Option<&'o mut dyn super::Observer>,
    state: State,
    keeper: Option<Keeper>,
}

impl Run<'_, '_, '_> {
    fn run(&self, task: Task) {
        self.work.begin();
        self.team.run(task, |task| self.work.work(task));
    }

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
            self.save_if_due()?;
            stopped_early = epoch < self.training.spec.epochs && self.is_over(epoch);
        }
        let last = u32::try_from(self.state.history.len()).unwrap_or(u32::MAX);
        let (best_epoch, weights) = match self.state.best.take() {
            Some(best) => (best.epoch, best.weights),
            None => (last, read(&self.work.weights).clone()),
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
            *write(&self.work.window) = window;
            let size = self.training.spec.batch_size as usize;
            for first in (0..places).step_by(size) {
                if done > 0 {
                    done -= 1;
                    continue;
                }
                self.stop_if_cancelled()?;
                self.step(epoch, first, std::cmp::min(size, places - first))?;
                self.save_if_due()?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Ends with a checkpoint once somebody asked for an end.
    fn stop_if_cancelled(&mut self) -> Result<()> {
        let cancelled = self.execution.cancel.check();
        if let (Err(_), Some(keeper)) = (&cancelled, &mut self.keeper) {
            keeper.save(&self.state, &self.work.tensors())?;
        }
        cancelled
    }

    fn save_if_due(&mut self) -> Result<()> {
        match &mut self.keeper {
            Some(keeper) if keeper.is_due() => keeper.save(&self.state, &self.work.tensors()),
            _ => Ok(()),
        }
    }

    fn rate(&self, step: u64) -> f64 {
        let spec = self.training.spec;
        let per_epoch = steps_of(self.rows, spec.batch_size);
        let steps = per_epoch.saturating_mul(u64::from(spec.epochs));
        spec.optimizer.learning_rate() * spec.schedule.factor(step, steps, per_epoch)
    }

    fn step(&mut self, epoch: u32, first: usize, rows: usize) -> Result<()> {
        let step = self.state.step + 1;
        let key = Key::new(self.training.spec.seed, purpose::DROPOUT).with(step);
        self.run(Task::Shards { first, rows, key });
        let shards = shards_of(rows);
        let BatchSums { loss, weight } = self.work.sums(shards);
        self.state.step = step;
        self.state.batch += 1;
        self.execution.progress.advance(rows as u64, 0);
        // Rows without weight teach nothing.
        if weight <= 0.0 {
            return Ok(());
        }
        if !loss.is_finite() {
            return Err(self.diverged("loss", loss / weight, epoch).into());
        }
        if self.work.has_tables() {
            self.run(Task::Tables { shards });
        }
        #[expect(clippy::cast_possible_truncation, reason = "in the precision of the weights")]
        let scale = (1.0 / weight) as f32;
        let norm = self.follow(step, shards, scale);
        if !norm.is_finite() {
            return Err(self.diverged("length of the gradient", norm, epoch).into());
        }
        self.work.publish(shards, rows);
        self.state.loss += loss;
        self.state.weight += weight;
        self.state.norms += norm;
        Ok(())
    }

    /// Lets weights follow the gradient; its length.
    fn follow(&self, step: u64, shards: usize, scale: f32) -> f64 {
        let rate = self.rate(step - 1);
        let Some(limit) = self.training.spec.gradient_clip else {
            self.run(Task::ReduceAndFollow { shards, scale, step, rate });
            return self.work.gradient_norm();
        };
        self.run(Task::Reduce { shards, scale });
        let norm = self.work.gradient_norm();
        if norm.is_finite() {
            // As PyTorch's `clip_grad_norm_`.
            #[expect(clippy::cast_possible_truncation, reason = "in the precision of the weights")]
            let clip = (limit / (norm + 1e-6)) as f32;
            self.run(Task::Follow { step, rate, clip });
        }
        norm
    }

    fn diverged(&self, what: &'static str, value: f64, epoch: u32) -> NetworkError {
        let spec = self.training.spec;
        let State { step, batch, history, .. } = &self.state;
        let cause = if *step <= 3 {
            "the first steps already fail: look for features or labels of extreme size (`standardize` them in the \
             transform)"
                .into()
        } else {
            let clip = if spec.gradient_clip.is_none() { ", or set `gradient_clip: 1.0`" } else { "" };
            format!(
                "training runs away after {} epochs: lower `network.optimizer.{}.learning_rate` (now {}){clip}",
                history.len(),
                spec.optimizer.name(),
                spec.optimizer.learning_rate()
            )
        };
        NetworkError::Diverged { what, value, step: *step, epoch, batch: *batch, cause }
    }

    /// Ends an epoch: its losses, and whether it is the best.
    fn close(&mut self, epoch: u32) -> Result<EpochRecord> {
        let validation_loss = self.validate()?;
        if let Some(loss) = validation_loss.filter(|loss| !loss.is_finite()) {
            return Err(self.diverged("validation loss", loss, epoch).into());
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
                let weights = read(&self.work.weights).clone();
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
    fn validate(&mut self) -> Result<Option<f64>> {
        let Some(rows) = self.validation.take() else { return Ok(None) };
        let mut sums = BatchSums::default();
        for number in 0..rows.blocks() {
            self.stop_if_cancelled()?;
            let block = rows.block(number)?;
            let count = block.rows;
            *write(&self.work.judged) = block;
            self.run(Task::Judge);
            let BatchSums { loss, weight } = self.work.judgement(count);
            sums = BatchSums { loss: sums.loss + loss, weight: sums.weight + weight };
        }
        self.validation = Some(rows);
        Ok(Some(sums.loss / sums.weight))
    }
}
