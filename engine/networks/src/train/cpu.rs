//! Steps on the CPU, by a team of threads.

use std::sync::Arc;

use sluice_core::error::Result;

use super::checkpoint::Tensors;
use super::engine::{Engine, LossSums, StepOrder, StepSums};
use super::order::Window;
use super::shard::shards_of;
use super::step::{Task, Work, read, write};
use super::team::Team;
use crate::rows::Block;

/// What a team makes steps of.
pub(crate) struct Cpu<'a> {
    pub(crate) work: &'a Work<'a>,
    pub(crate) team: &'a Team<Task>,
}

impl Cpu<'_> {
    fn run(&self, task: Task) {
        self.work.begin();
        self.team.run(task, |task| self.work.work(task));
    }

    /// Lets weights follow the gradient of the shards; its length.
    fn follow(&self, order: &StepOrder, shards: usize, scale: f32) -> f64 {
        let StepOrder { step, rate, .. } = *order;
        let Some(limit) = self.work.spec.gradient_clip else {
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
}

impl Engine for Cpu<'_> {
    fn take(&mut self, window: Window) -> Result<()> {
        *write(&self.work.window) = window;
        Ok(())
    }

    fn step(&mut self, order: &StepOrder, done: &mut Vec<StepSums>) -> Result<()> {
        let StepOrder { step, batch, first, rows, key, .. } = *order;
        self.run(Task::Shards { first, rows, key });
        let shards = shards_of(rows);
        let LossSums { loss, weight } = self.work.sums(shards);
        let mut sums = StepSums { step, batch, loss, weight, norm: 0.0 };
        if weight > 0.0 && loss.is_finite() {
            if self.work.has_tables() {
                self.run(Task::Tables { shards });
            }
            #[expect(clippy::cast_possible_truncation, reason = "in the precision of the weights")]
            let scale = (1.0 / weight) as f32;
            sums.norm = self.follow(order, shards, scale);
            self.work.publish(shards, rows);
        }
        done.push(sums);
        Ok(())
    }

    fn settle(&mut self, _done: &mut Vec<StepSums>) -> Result<()> {
        Ok(())
    }

    fn judge(&mut self, _number: usize, block: Arc<Block>) -> Result<LossSums> {
        let rows = block.rows;
        *write(&self.work.judged) = block;
        self.run(Task::Judge);
        Ok(self.work.judgement(rows))
    }

    fn weights(&self) -> Result<Vec<f32>> {
        Ok(read(&self.work.weights).clone())
    }

    fn tensors(&self) -> Result<Tensors> {
        Ok(self.work.tensors())
    }
}
