//! Epoch after epoch: steps, validation, early stopping.

use std::sync::mpsc::{Receiver, sync_channel};

use sluice_core::Execution;
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Extent;

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

/// The weights of the best epoch so far.
#[derive(Clone, Debug)]
struct Best {
    epoch: u32,
    loss: f64,
    weights: Vec<f32>,
}

/// Where a training stands.
#[derive(Clone, Debug, Default)]
struct State {
    /// Steps so far.
    step: u64,
    /// Batches of this epoch so far.
    batch: u64,
    /// Of this epoch.
    loss: f64,
    weight: f64,
    norms: f64,
    history: Vec<EpochRecord>,
    best: Option<Best>,
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
        options: FitOptions<'_>,
    ) -> Result<Outcome> {
        let work = Work::new(self.spec, self.plan, self.objective, weights);
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
        let outcome = std::thread::scope(|scope| {
            let _dismissal = team.dismissal();
            for _ in 0..members {
                scope.spawn(|| team.serve(|task| work.work(task)));
            }
            scope.spawn(move || windows.send(0..self.spec.epochs, &to));
            let mut run = Run {
                training: self,
                work: &work,
                team: &team,
                execution: options.execution.clone(),
                rows,
                validation,
                observer: options.observer,
                state: State::default(),
            };
            // `from` is dropped at the end, which ends the reading too.
            run.epochs(from)
        });
        options.execution.progress.end();
        outcome
    }
}

struct Run<'a, 'b> {
    training: &'a Training<'a>,
    work: &'a Work<'a>,
    team: &'a Team<Task>,
    execution: Execution,
    rows: u64,
    validation: Option<&'b mut dyn Rows>,
    observer: Option<&'b mut dyn super::Observer>,
    state: State,
}

impl Run<'_, '_> {
    fn run(&self, task: Task) {
        self.work.begin();
        self.team.run(task, |task| self.work.work(task));
    }

    fn epochs(&mut self, windows: Receiver<Result<Window>>) -> Result<Outcome> {
        let mut stopped_early = false;
        let mut windows = windows.into_iter();
        for epoch in 1..=self.training.spec.epochs {
            self.epoch(epoch, &mut windows)?;
            let record = self.close(epoch)?;
            if let Some(observer) = &mut self.observer {
                observer.epoch(&record);
            }
            self.state.history.push(record);
            stopped_early = epoch < self.training.spec.epochs && self.is_over(epoch);
            if stopped_early {
                break;
            }
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
        loop {
            let ended = || CommonError::Internal("the rows of an epoch ended before it".into());
            let window = windows.next().ok_or_else(ended)??;
            let (places, is_last) = (window.order.len(), window.is_last);
            *write(&self.work.window) = window;
            let size = self.training.spec.batch_size as usize;
            for first in (0..places).step_by(size) {
                self.execution.cancel.check()?;
                self.step(epoch, first, std::cmp::min(size, places - first))?;
            }
            if is_last {
                return Ok(());
            }
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
            self.execution.cancel.check()?;
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
