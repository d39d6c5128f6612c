//! One step of training, shared by the threads of a team.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::checkpoint::Tensors;
use super::engine::LossSums;
use super::order::Window;
use super::shard::{Objective, PIECE_ROWS, Scratch, Shard, judged_pieces, part, shards_of};
use super::team::lock;
use super::update::{BLOCK_WEIGHTS, WeightBlock};
use crate::plan::{Plan, Step, TensorKind};
use crate::random::Key;
use crate::rows::Block;
use crate::spec::NetworkSpec;

/// What running means and variances take over from a batch (PyTorch's default).
pub(crate) const NORM_MOMENTUM: f32 = 0.1;

/// What a team does together.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Task {
    /// The rows of a batch, from a position of the window on.
    Shards { first: usize, rows: usize, key: Key },
    /// The gradients of tables.
    Tables { shards: usize },
    /// The gradient of each block of weights, and its length.
    Reduce { shards: usize, scale: f32 },
    /// Weights follow it.
    Follow { step: u64, rate: f64, clip: f32 },
    /// Both at once, where nothing must be known of the whole gradient in between.
    ReduceAndFollow { shards: usize, scale: f32, step: u64, rate: f64 },
    /// The loss of the rows of a block.
    Judge,
}

/// The gradient of a table, with the ids that were touched.
#[derive(Debug, Default)]
struct TableGradient {
    values: Vec<f32>,
    touched: Vec<u32>,
}

/// What a team works on.
pub(crate) struct Work<'a> {
    pub(crate) spec: &'a NetworkSpec,
    pub(crate) plan: &'a Plan,
    pub(crate) objective: &'a Objective,
    /// Taken by whoever works, in turn.
    next: AtomicUsize,
    pub(crate) weights: RwLock<Vec<f32>>,
    pub(crate) window: RwLock<Window>,
    shards: Vec<RwLock<Shard>>,
    tables: Vec<RwLock<TableGradient>>,
    pub(crate) blocks: Vec<Mutex<WeightBlock>>,
    scratch: Mutex<Vec<Scratch>>,
    pub(crate) judged: RwLock<Arc<Block>>,
    judgements: Vec<Mutex<(f64, f64)>>,
}

pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Work<'a> {
    pub(crate) fn new(
        spec: &'a NetworkSpec,
        plan: &'a Plan,
        objective: &'a Objective,
        weights: Vec<f32>,
    ) -> Self {
        let tables = plan.tensors.iter().filter(|tensor| tensor.kind == TensorKind::Table);
        let gradients = tables
            .clone()
            .map(|table| RwLock::new(TableGradient { values: vec![0.0; table.len()], touched: Vec::new() }));
        let mut blocks = Vec::new();
        let mut cut = |range: std::ops::Range<usize>, table: Option<usize>| {
            for start in range.clone().step_by(BLOCK_WEIGHTS) {
                let end = std::cmp::min(start + BLOCK_WEIGHTS, range.end);
                let place = table.map(|table| (table, start - range.start));
                let own = weights[start..end].to_vec();
                blocks.push(Mutex::new(WeightBlock::new(start, place, own, &spec.optimizer)));
            }
        };
        cut(0..plan.dense, None);
        for (number, table) in tables.clone().enumerate() {
            cut(table.range(), Some(number));
        }
        let shards = (0..shards_of(spec.batch_size as usize)).map(|_| RwLock::default()).collect();
        let judgements = crate::rows::BLOCK_ROWS.div_ceil(PIECE_ROWS);
        Self {
            spec,
            plan,
            objective,
            next: AtomicUsize::new(0),
            tables: gradients.collect(),
            weights: RwLock::new(weights),
            window: RwLock::new(Window {
                blocks: Vec::new(),
                numbers: Vec::new(),
                order: Vec::new(),
                is_last: true,
            }),
            shards,
            blocks,
            scratch: Mutex::default(),
            judged: RwLock::default(),
            judgements: (0..judgements).map(|_| Mutex::default()).collect(),
        }
    }

    /// To be called before a team takes a task.
    pub(crate) fn begin(&self) {
        self.next.store(0, Ordering::Relaxed);
    }

    /// The next part of `parts` that nobody took.
    fn take(&self, parts: usize) -> Option<usize> {
        let part = self.next.fetch_add(1, Ordering::Relaxed);
        (part < parts).then_some(part)
    }

    /// What each thread does of a task.
    pub(crate) fn work(&self, task: Task) {
        match task {
            Task::Shards { first, rows, key } => self.with_scratch(|scratch| {
                let (weights, window) = (read(&self.weights), read(&self.window));
                let shards = shards_of(rows);
                while let Some(number) = self.take(shards) {
                    let own = part(rows, shards, number);
                    let places = &window.order[first + own.start..first + own.end];
                    let batch = (places, key, own.start as u64);
                    let mut shard = write(&self.shards[number]);
                    shard.compute(self.plan, &weights, self.objective, &window, batch, scratch);
                }
            }),
            Task::Tables { shards } => {
                while let Some(number) = self.take(self.tables.len()) {
                    self.add_table(number, shards);
                }
            }
            Task::Reduce { shards, scale } => self.each_block(|block| self.reduce(block, shards, scale)),
            Task::Follow { step, rate, clip } => {
                self.each_block(|block| block.follow(&self.spec.optimizer, step, rate, clip));
            }
            Task::ReduceAndFollow { shards, scale, step, rate } => self.each_block(|block| {
                self.reduce(block, shards, scale);
                block.follow(&self.spec.optimizer, step, rate, 1.0);
            }),
            Task::Judge => self.with_scratch(|scratch| {
                let (weights, block) = (read(&self.weights), read(&self.judged));
                let pieces = judged_pieces(block.rows);
                while let Some(piece) = self.take(pieces.len()) {
                    let rows = pieces[piece].clone();
                    let judgement = scratch.judge(self.plan, &weights, self.objective, &block, rows);
                    *lock(&self.judgements[piece]) = judgement;
                }
            }),
        }
    }

    fn with_scratch(&self, work: impl FnOnce(&mut Scratch)) {
        let kept = lock(&self.scratch).pop();
        let mut scratch = kept.unwrap_or_else(|| Scratch::new(self.plan));
        work(&mut scratch);
        lock(&self.scratch).push(scratch);
    }

    fn each_block(&self, work: impl Fn(&mut WeightBlock)) {
        while let Some(number) = self.take(self.blocks.len()) {
            work(&mut lock(&self.blocks[number]));
        }
    }

    fn reduce(&self, block: &mut WeightBlock, shards: usize, scale: f32) {
        let length = block.weights.len();
        if let Some((table, first)) = block.table {
            block.take(&read(&self.tables[table]).values[first..first + length], scale);
            return;
        }
        let guards: Vec<_> = self.shards[..shards].iter().map(read).collect();
        let parts: Vec<&[f32]> =
            guards.iter().map(|shard| &shard.dense[block.start..block.start + length]).collect();
        block.reduce(&parts, scale);
    }

    /// Adds the gradients of a table's vectors, row after row of the batch.
    fn add_table(&self, number: usize, shards: usize) {
        let mut gradient = write(&self.tables[number]);
        let TableGradient { values, touched } = &mut *gradient;
        let embeds = self.plan.steps.iter().filter_map(|step| match step {
            Step::Embed { feature, table, .. } => Some((*feature, self.plan.tensors[*table].shape[1])),
            _ => None,
        });
        // Tables, their steps and the columns of vectors have the same order.
        let mut column = 0;
        let (mut feature, mut width) = (0, 0);
        for (position, (of, wide)) in embeds.enumerate() {
            (feature, width) = (of, wide);
            if position == number {
                break;
            }
            column += wide;
        }
        for id in touched.drain(..) {
            values[id as usize * width..(id as usize + 1) * width].fill(0.0);
        }
        let all = self.plan.vector_width();
        for shard in &self.shards[..shards] {
            let shard = read(shard);
            let rows = shard.vectors.len() / all.max(1);
            let features = shard.ids.len() / rows.max(1);
            for row in 0..rows {
                let id = shard.ids[row * features + feature];
                touched.push(id);
                let into = &mut values[id as usize * width..(id as usize + 1) * width];
                let vector = &shard.vectors[row * all + column..row * all + column + width];
                for (into, gradient) in into.iter_mut().zip(vector) {
                    *into += gradient;
                }
            }
        }
    }

    /// Whether there are tables.
    pub(crate) fn has_tables(&self) -> bool {
        !self.tables.is_empty()
    }

    /// What the shards of a batch sum up to, in their order.
    pub(crate) fn sums(&self, shards: usize) -> LossSums {
        self.shards[..shards].iter().fold(LossSums::default(), |sums, shard| {
            let shard = read(shard);
            LossSums { loss: sums.loss + shard.loss, weight: sums.weight + shard.weight }
        })
    }

    /// The length of the gradient.
    pub(crate) fn gradient_norm(&self) -> f64 {
        self.blocks.iter().map(|block| lock(block).squares).sum::<f64>().sqrt()
    }

    /// Puts the weights of blocks together, and running means and variances behind them.
    pub(crate) fn publish(&self, shards: usize, rows: usize) {
        let mut weights = write(&self.weights);
        for block in &self.blocks {
            let block = lock(block);
            weights[block.start..block.start + block.weights.len()].copy_from_slice(&block.weights);
        }
        let mut next = 0;
        for step in &self.plan.steps {
            let Step::BatchNorm { mean, variance, .. } = step else { continue };
            for tensor in [mean, variance] {
                let range = self.plan.tensors[*tensor].range();
                let length = range.len();
                for (at, running) in weights[range].iter_mut().enumerate() {
                    let seen: f32 =
                        self.shards[..shards].iter().map(|shard| read(shard).norms[next + at]).sum();
                    *running += NORM_MOMENTUM * (seen / rows as f32 - *running);
                }
                next += length;
            }
        }
    }

    /// All weights and what the optimizer keeps of them.
    pub(crate) fn tensors(&self) -> Tensors {
        let mut slots = vec![vec![0.0; self.plan.trainable]; self.spec.optimizer.slots()];
        for block in &self.blocks {
            let block = lock(block);
            for (slot, own) in slots.iter_mut().zip(&block.slots) {
                slot[block.start..block.start + own.len()].copy_from_slice(own);
            }
        }
        Tensors { weights: read(&self.weights).clone(), slots, loss_scale: None }
    }

    /// Goes on with these.
    pub(crate) fn restore(&self, tensors: Tensors) {
        for block in &self.blocks {
            let mut block = lock(block);
            let range = block.start..block.start + block.weights.len();
            block.weights.copy_from_slice(&tensors.weights[range.clone()]);
            for (own, slot) in block.slots.iter_mut().zip(&tensors.slots) {
                own.copy_from_slice(&slot[range.clone()]);
            }
        }
        *write(&self.weights) = tensors.weights;
    }

    /// What the judged rows of a block sum up to.
    pub(crate) fn judgement(&self, rows: usize) -> LossSums {
        let pieces = &self.judgements[..rows.div_ceil(PIECE_ROWS)];
        pieces.iter().fold(LossSums::default(), |sums, piece| {
            let (loss, weight) = *lock(piece);
            LossSums { loss: sums.loss + loss, weight: sums.weight + weight }
        })
    }
}
