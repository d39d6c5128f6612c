//! Steps of training on a card. Rows lie there, and the host is only told of losses every [`PENDING_STEPS`] steps, so that it asks
//! for the next steps while the card computes.

use std::ops::Range;
use std::sync::Arc;

use candle_core::Result as Candle;

use sluice_core::error::Result;

use super::driver::Driver;
use super::network::{Network, OnCard};
use super::rows::{CACHED_WORDS, RowMemory, RowPlaces, values_of, words_of};
use super::{optimizer, room};
use crate::compute::Pass;
use crate::rows::{BLOCK_ROWS, Block};
use crate::spec::{NetworkSpec, Optimizer, Precision};
use crate::train::checkpoint::{LossScale, Tensors};
use crate::train::engine::{Engine, LossSums, StepOrder, StepSums};
use crate::train::epochs::Training;
use crate::train::order::Window;
use crate::train::place::failed;
use crate::train::shard::{Objective, judged_pieces, pieces};

/// Steps whose losses wait on the card.
const PENDING_STEPS: usize = 64;

/// The factor on losses that training in f16 starts with, and the steps after which it is doubled (PyTorch's `GradScaler`).
const START_SCALE: LossScale = LossScale { factor: 65_536.0, steps: 0 };
const SCALE_STEPS: u32 = 2000;

impl LossScale {
    /// After a step, or after a gradient that it was too great for.
    fn after(self, too_great: bool) -> Self {
        let Self { factor, steps } = self;
        match steps + 1 {
            _ if too_great => Self { factor: factor / 2.0, steps: 0 },
            SCALE_STEPS => Self { factor: factor * 2.0, steps: 0 },
            steps => Self { factor, steps },
        }
    }
}

/// A step whose sums wait on the card.
struct Pending {
    step: u64,
    batch: u64,
    weight: f64,
}

/// A block of validation rows on the card.
struct Judged<M> {
    rows: RowMemory<M>,
    count: usize,
    /// The sum of their weights.
    weight: f64,
}

impl<M> Judged<M> {
    fn new<D: Driver<Memory = M>>(driver: &D, block: &Block, objective: &Objective) -> Candle<Self> {
        let mut rows = RowMemory::new(driver, block, block.rows, 0)?;
        let slot = rows.put(driver, (0, None), block, objective)?;
        // At most 65,536 rows.
        let order: Vec<u32> = (0_u32..).take(block.rows).collect();
        let weight = match &rows.arrange(driver, &[slot], &order)?[..] {
            [] => block.rows as f64,
            weights => weights.iter().map(|weight| f64::from(*weight)).sum(),
        };
        Ok(Self { rows, count: block.rows, weight })
    }

    const fn words(&self) -> usize {
        self.rows.places.slot_words
    }
}

/// A training on a card.
pub(crate) struct CardEngine<'a, D: Driver> {
    spec: &'a NetworkSpec,
    objective: &'a Objective,
    network: Network<'a, D>,
    /// Rows that there are.
    rows: u64,
    window: Option<RowMemory<D::Memory>>,
    /// The weights of the window's rows in the order of training; none are all 1.
    weights: Vec<f32>,
    /// The first blocks of the validation rows, as many as stay there.
    judged: Vec<Judged<D::Memory>>,
    pending: Vec<Pending>,
    loss_scale: Option<LossScale>,
}

impl<'a, D: Driver> CardEngine<'a, D> {
    /// For so many rows, from these weights on, or from where a checkpoint stands.
    ///
    /// # Errors
    /// What the card says.
    pub(crate) fn new(
        training: &Training<'a>,
        rows: u64,
        driver: D,
        weights: &[f32],
        kept: Option<&Tensors>,
    ) -> Result<Self> {
        let Training { spec, plan, objective } = *training;
        let make = || -> Candle<Network<'a, D>> {
            let mut network = Network::new(driver, plan, spec, room(spec), 2 * PENDING_STEPS)?;
            let Network { driver, layout, memory, .. } = &mut network;
            let weights = kept.map_or(weights, |kept| kept.weights.as_slice());
            driver.write(memory, layout.weights, &words_of(weights))?;
            for (number, slot) in layout.slots.iter().enumerate() {
                if let Some(kept) = kept.and_then(|kept| kept.slots.get(number)) {
                    driver.write(memory, *slot, &words_of(kept))?;
                } else if let Optimizer::Adagrad(options) = &spec.optimizer {
                    #[expect(clippy::cast_possible_truncation, reason = "in the precision of the weights")]
                    let initial = options.initial as f32;
                    driver.write(memory, *slot, &vec![initial.to_bits(); plan.trainable])?;
                }
            }
            Ok(network)
        };
        Ok(Self {
            spec,
            objective,
            network: make().map_err(failed("to hold the weights"))?,
            rows,
            window: None,
            weights: Vec::new(),
            judged: Vec::new(),
            pending: Vec::new(),
            loss_scale: (spec.precision == Precision::F16)
                .then(|| kept.and_then(|kept| kept.loss_scale).unwrap_or(START_SCALE)),
        })
    }

    fn place(&mut self, window: &Window) -> Candle<()> {
        let driver = &self.network.driver;
        let memory = match &mut self.window {
            Some(memory) => memory,
            none => {
                // A window has a block at least.
                let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
                let slot_rows = std::cmp::min(rows, BLOCK_ROWS);
                let blocks = rows.div_ceil(BLOCK_ROWS);
                none.insert(RowMemory::new(driver, &window.blocks[0], slot_rows, blocks)?)
            }
        };
        let mut slots = Vec::with_capacity(window.blocks.len());
        for (position, block) in window.blocks.iter().enumerate() {
            let number = window.numbers.get(position).copied();
            slots.push(memory.put(driver, (position, number), block, self.objective)?);
        }
        self.weights = memory.arrange(driver, &slots, &window.order)?;
        Ok(())
    }

    fn compute(&mut self, order: &StepOrder) -> Candle<()> {
        let Some(RowMemory { memory, places, .. }) = &self.window else {
            return Err(candle_core::Error::Msg("a step came before its rows".into()));
        };
        let weight = match &self.weights[..] {
            [] => order.rows as f64,
            weights => {
                let own = &weights[order.first..order.first + order.rows];
                own.iter().map(|weight| f64::from(*weight)).sum()
            }
        };
        let StepOrder { step, batch, rate, .. } = *order;
        if weight <= 0.0 {
            return Ok(());
        }
        let places = RowPlaces { order: places.order + order.first, ..*places };
        let rows = OnCard { memory, places, count: order.rows };
        let pass = Pass::Train { key: order.key, first_row: 0 };
        let told = 2 * self.pending.len();
        let network = &mut self.network;
        network.cut(&pieces(order.rows))?;
        loop {
            let scale = self.loss_scale.map_or(1.0, |scale| scale.factor);
            network.forward(&rows, pass)?;
            #[expect(clippy::cast_possible_truncation, reason = "in the precision of the weights")]
            network.loss(&rows, self.objective, (scale / weight) as f32, told)?;
            network.backward(&rows, pass)?;
            let Some(used) = self.loss_scale else {
                network.square(told + 1, &rows)?;
                break;
            };
            #[expect(clippy::cast_possible_truncation, reason = "in the precision of the weights")]
            network.scale((1.0 / scale) as f32, &rows)?;
            network.square(told + 1, &rows)?;
            let sums = network.driver.read(&network.memory, network.layout.told + told, 2)?;
            let [loss, square] = [sums[0], sums[1]].map(f32::from_bits);
            // A gradient that 16 bits do not hold is taken again by half the factor, as long as it is the factor's doing.
            let again = !square.is_finite() && scale > 1.0 && loss.is_finite();
            self.loss_scale = Some(used.after(again));
            if !again {
                break;
            }
        }
        let square = network.layout.told + told + 1;
        let (kernel, arguments) = optimizer::call(
            &self.spec.optimizer,
            &network.layout,
            (step, rate),
            square,
            self.spec.gradient_clip,
        );
        network.run(kernel, &rows, &arguments, network.plan.trainable)?;
        network.follow_means(&rows)?;
        self.pending.push(Pending { step, batch, weight });
        Ok(())
    }

    fn told(&mut self) -> Candle<Vec<StepSums>> {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return Ok(Vec::new());
        }
        let Network { driver, layout, memory, .. } = &self.network;
        let told = values_of(&driver.read(memory, layout.told, 2 * pending.len())?);
        let sums = pending.iter().zip(told.chunks_exact(2)).map(|(pending, told)| {
            let Pending { step, batch, weight } = *pending;
            StepSums { step, batch, weight, loss: f64::from(told[0]), norm: f64::from(told[1]).sqrt() }
        });
        Ok(sums.collect())
    }

    fn judge_block(&mut self, number: usize, block: &Block) -> Candle<LossSums> {
        let passing;
        let judged = if number < self.judged.len() {
            &self.judged[number]
        } else {
            let judged = Judged::new(&self.network.driver, block, self.objective)?;
            let words = self.judged.iter().map(Judged::words).sum::<usize>() + judged.words();
            if number == self.judged.len() && words <= CACHED_WORDS {
                self.judged.push(judged);
                &self.judged[number]
            } else {
                passing = judged;
                &passing
            }
        };
        let mut sums = LossSums { loss: 0.0, weight: judged.weight };
        // Pairs are made of the same rows as on the processor.
        let cut = judged_pieces(judged.count);
        let mut next = 0;
        while next < cut.len() {
            let first = cut[next].start;
            let fits = cut[next..].iter().take_while(|piece| piece.end - first <= room(self.spec)).count();
            let pieces: Vec<Range<usize>> =
                cut[next..next + fits].iter().map(|piece| piece.start - first..piece.end - first).collect();
            next += fits;
            let places = RowPlaces { order: judged.rows.places.order + first, ..judged.rows.places };
            let count = cut[next - 1].end - first;
            let rows = OnCard { memory: &judged.rows.memory, places, count };
            let network = &mut self.network;
            network.cut(&pieces)?;
            network.forward(&rows, Pass::Score)?;
            network.loss(&rows, self.objective, 1.0, 0)?;
            let told = network.driver.read(&network.memory, network.layout.told, 1)?;
            sums.loss += f64::from(values_of(&told)[0]);
        }
        Ok(sums)
    }

    fn read(&self, at: usize, words: usize) -> Result<Vec<f32>> {
        let Network { driver, memory, .. } = &self.network;
        let words = driver.read(memory, at, words).map_err(failed("to hold the weights"))?;
        Ok(values_of(&words))
    }
}

impl<D: Driver> Engine for CardEngine<'_, D> {
    fn take(&mut self, window: Window) -> Result<()> {
        Ok(self.place(&window).map_err(failed("to take rows"))?)
    }

    fn step(&mut self, order: &StepOrder, done: &mut Vec<StepSums>) -> Result<()> {
        self.compute(order).map_err(failed("to compute a step"))?;
        if self.pending.len() >= PENDING_STEPS {
            self.settle(done)?;
        }
        Ok(())
    }

    fn settle(&mut self, done: &mut Vec<StepSums>) -> Result<()> {
        done.extend(self.told().map_err(failed("to compute a step"))?);
        Ok(())
    }

    fn judge(&mut self, number: usize, block: Arc<Block>) -> Result<LossSums> {
        // Losses of steps that wait would be written over.
        debug_assert!(self.pending.is_empty());
        Ok(self.judge_block(number, &block).map_err(failed("to compute the loss of the validation rows"))?)
    }

    fn weights(&self) -> Result<Vec<f32>> {
        self.read(self.network.layout.weights, self.network.plan.total)
    }

    fn tensors(&self) -> Result<Tensors> {
        let slot = |at: &usize| self.read(*at, self.network.plan.trainable);
        Ok(Tensors {
            weights: self.weights()?,
            slots: self.network.layout.slots.iter().map(slot).collect::<Result<_>>()?,
            loss_scale: self.loss_scale,
        })
    }
}
