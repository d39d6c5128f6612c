//! Steps on a device, through candle: the rows of a window lie on the device, and the host is only told of losses every
//! [`PENDING_STEPS`] steps, so that it prepares the next step while the device computes.

use std::sync::Arc;

use candle_core::{DType, Device, Result as Candle, Tensor};

use sluice_core::error::Result;

use super::device::failed;
use super::graph::{Graph, Rows, Scored};
use super::optimizer::Flat;
use crate::compute::Pass;
use crate::plan::{ALIGNMENT, Plan, Step, TensorKind};
use crate::rows::Block;
use crate::spec::{NetworkSpec, Precision};
use crate::train::checkpoint::{LossScale, Tensors};
use crate::train::engine::{Engine, LossSums, StepOrder, StepSums};
use crate::train::epochs::Training;
use crate::train::order::{Window, place};
use crate::train::shard::Objective;
use crate::train::step::NORM_MOMENTUM;

/// Steps whose losses wait on the device.
const PENDING_STEPS: usize = 64;

/// The factor on losses that training in 16 bits starts with, and the steps after which it is doubled (PyTorch's
/// `GradScaler`).
const START_SCALE: LossScale = LossScale { factor: 65_536.0, steps: 0 };
const SCALE_STEPS: u32 = 2000;

/// A training on a device.
pub(crate) struct TensorEngine<'a> {
    spec: &'a NetworkSpec,
    plan: &'a Plan,
    objective: &'a Objective,
    device: Device,
    graph: Graph<'a>,
    flat: Flat,
    window: Option<OnDevice>,
    pending: Vec<Pending>,
    loss_scale: Option<LossScale>,
}

/// A window on the device.
struct OnDevice {
    rows: Rows,
    /// Positions of rows, in the order of training.
    order: Tensor,
    /// Weights in that order; none are all 1.
    weights: Vec<f32>,
}

/// A step whose sums wait on the device.
struct Pending {
    step: u64,
    batch: u64,
    weight: f64,
    loss: Tensor,
    norm: Tensor,
}

impl<'a> TensorEngine<'a> {
    /// From these weights on, or from where a checkpoint stands.
    ///
    /// # Errors
    /// What the device says.
    pub(crate) fn new(
        training: &Training<'a>,
        device: &Device,
        weights: &[f32],
        kept: Option<&Tensors>,
    ) -> Result<Self> {
        let Training { spec, plan, objective } = *training;
        let weights = kept.map_or(weights, |kept| kept.weights.as_slice());
        let make = || -> Candle<(Graph<'a>, Flat)> {
            let graph = Graph::new(plan, weights, device, spec.precision)?;
            let mut flat = Flat::start(&weights[..plan.trainable], &spec.optimizer, device)?;
            if let Some(kept) = kept {
                let slots = kept.slots.iter().map(|slot| Tensor::new(slot.as_slice(), device));
                flat.slots = slots.collect::<Candle<_>>()?;
            }
            Ok((graph, flat))
        };
        let (graph, flat) = make().map_err(failed("to hold the weights"))?;
        let loss_scale = kept.and_then(|kept| kept.loss_scale);
        Ok(Self {
            spec,
            plan,
            objective,
            device: device.clone(),
            graph,
            flat,
            window: None,
            pending: Vec::new(),
            loss_scale: match spec.precision {
                Precision::F16 => Some(loss_scale.unwrap_or(START_SCALE)),
                Precision::F32 | Precision::Bf16 => None,
            },
        })
    }

    /// Blocks on the device, and the weights of their rows.
    fn upload(&self, blocks: &[Arc<Block>]) -> Candle<(Rows, Vec<f32>)> {
        let count: usize = blocks.iter().map(|block| block.rows).sum();
        let joined = |of: fn(&Block) -> &Vec<f32>| -> Vec<f32> {
            blocks.iter().flat_map(|block| of(block)).copied().collect()
        };
        let features = blocks.first().map_or(0, |block| block.ids.len() / block.rows.max(1));
        let ids_of = |feature: usize| -> Vec<u32> {
            let of_block = |block: &'_ Arc<Block>| -> Vec<u32> {
                block.ids.iter().skip(feature).step_by(features).copied().collect()
            };
            blocks.iter().flat_map(of_block).collect()
        };
        let targets =
            blocks.iter().flat_map(|block| (0..block.rows).map(|row| self.objective.target(block, row)));
        let (labels, weights): (Vec<f32>, Vec<f32>) = targets.unzip();
        let numeric = joined(|block| &block.numeric);
        let width = numeric.len() / count.max(1);
        let device = &self.device;
        let rows = Rows {
            count,
            numeric: if width == 0 { None } else { Some(Tensor::from_vec(numeric, (count, width), device)?) },
            ids: (0..features)
                .map(|feature| Tensor::from_vec(ids_of(feature), count, device))
                .collect::<Candle<_>>()?,
            labels: Tensor::from_vec(labels, count, device)?,
            weights: Tensor::new(weights.as_slice(), device)?,
            groups: if blocks.iter().any(|block| !block.groups.is_empty()) {
                // Only their being equal matters, which the same bits as another type keep.
                let groups = blocks.iter().flat_map(|block| &block.groups).map(|group| group.cast_signed());
                Some(Tensor::from_vec(groups.collect::<Vec<i64>>(), count, device)?)
            } else {
                None
            },
        };
        Ok((rows, weights))
    }

    fn place(&self, window: &Window) -> Candle<OnDevice> {
        let (rows, weights) = self.upload(&window.blocks)?;
        let firsts: Vec<usize> = window
            .blocks
            .iter()
            .scan(0, |next, block| {
                let first = *next;
                *next += block.rows;
                Some(first)
            })
            .collect();
        let position = |at: &u32| {
            let (block, row) = place(*at);
            firsts[block] + row
        };
        let weights = window.order.iter().map(|at| weights[position(at)]).collect();
        // Below 17 blocks of 65,536 rows.
        let order: Vec<u32> =
            window.order.iter().map(|at| u32::try_from(position(at)).unwrap_or(u32::MAX)).collect();
        Ok(OnDevice { rows, order: Tensor::new(order.as_slice(), &self.device)?, weights })
    }

    /// The rows of a batch.
    fn batch(window: &OnDevice, order: &StepOrder) -> Candle<Rows> {
        let places = window.order.narrow(0, order.first, order.rows)?;
        let of = |tensor: &Tensor| tensor.index_select(&places, 0);
        let Rows { numeric, ids, labels, weights, groups, .. } = &window.rows;
        Ok(Rows {
            count: order.rows,
            numeric: numeric.as_ref().map(of).transpose()?,
            ids: ids.iter().map(of).collect::<Candle<_>>()?,
            labels: of(labels)?,
            weights: of(weights)?,
            groups: groups.as_ref().map(of).transpose()?,
        })
    }

    /// The loss of a batch and the gradient of all learned weights, both times `factor`, as one flat tensor.
    fn gradient(&self, rows: &Rows, order: &StepOrder, factor: f64) -> Candle<(Tensor, Tensor, Scored)> {
        let pass = Pass::Train { key: order.key, first_row: 0 };
        let scored = self.graph.forward(rows, pass)?;
        let loss = Graph::loss(self.objective.loss, &scored.scores, rows)?;
        let store = (&loss * factor)?.backward()?;
        let tensors = self.plan.tensors.iter().zip(&self.graph.variables);
        let mut learned: Vec<_> = tensors.filter(|(tensor, _)| tensor.kind != TensorKind::Fixed).collect();
        learned.sort_by_key(|(tensor, _)| tensor.offset);
        let mut parts = Vec::with_capacity(2 * learned.len());
        for (tensor, variable) in learned {
            let zeros = |length: usize| Tensor::zeros(length, DType::F32, &self.device);
            match store.get(variable.as_tensor()) {
                Some(gradient) => parts.push(gradient.flatten_all()?),
                None => parts.push(zeros(tensor.len())?),
            }
            // What lies between tensors is never read.
            let gap = tensor.len().next_multiple_of(ALIGNMENT) - tensor.len();
            if gap > 0 {
                parts.push(zeros(gap)?);
            }
        }
        Ok((loss.detach(), Tensor::cat(&parts, 0)?, scored))
    }

    /// Lets the weights of the graph be those that the optimizer moved, and running means follow what was seen.
    fn publish(&self, norms: &[(Tensor, Tensor)]) -> Candle<()> {
        for (tensor, variable) in self.plan.tensors.iter().zip(&self.graph.variables) {
            if tensor.kind != TensorKind::Fixed {
                let own = self.flat.weights.narrow(0, tensor.offset, tensor.len())?;
                variable.set(&own.reshape(tensor.shape.as_slice())?)?;
            }
        }
        let steps = self.plan.steps.iter().filter_map(|step| match step {
            Step::BatchNorm { mean, variance, .. } => Some([*mean, *variance]),
            _ => None,
        });
        for (tensors, (mean, variance)) in steps.zip(norms) {
            for (tensor, seen) in tensors.into_iter().zip([mean, variance]) {
                let variable = &self.graph.variables[tensor];
                let running = variable.as_detached_tensor();
                let change = ((seen - &running)? * f64::from(NORM_MOMENTUM))?;
                variable.set(&(running + change)?)?;
            }
        }
        Ok(())
    }

    fn compute(&mut self, order: &StepOrder) -> Candle<()> {
        let Some(window) = &self.window else {
            return Err(candle_core::Error::Msg("a step came before its rows".into()));
        };
        let weights = &window.weights[order.first..order.first + order.rows];
        let weight: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        let StepOrder { step, batch, .. } = *order;
        if weight <= 0.0 {
            return Ok(());
        }
        let rows = Self::batch(window, order)?;
        let (loss, gradient, scored) = match self.loss_scale {
            None => self.gradient(&rows, order, 1.0 / weight)?,
            Some(_) => self.scaled_gradient(&rows, order, weight)?,
        };
        let norm = gradient.sqr()?.sum_all()?.sqrt()?;
        let gradient = match self.spec.gradient_clip {
            None => gradient,
            Some(limit) => {
                let factor = ((&norm + 1e-6)?.recip()? * limit)?.minimum(1.0)?;
                gradient.broadcast_mul(&factor)?
            }
        };
        self.flat.follow(&self.spec.optimizer, step, order.rate, &gradient)?;
        self.publish(&scored.norms)?;
        self.pending.push(Pending { step, batch, weight, loss, norm });
        Ok(())
    }

    /// The gradient by a loss that is scaled so that numbers of 16 bits hold its parts: halved as long as some do not.
    fn scaled_gradient(
        &mut self,
        rows: &Rows,
        order: &StepOrder,
        weight: f64,
    ) -> Candle<(Tensor, Tensor, Scored)> {
        loop {
            let scale = self.loss_scale.unwrap_or(START_SCALE);
            let (loss, gradient, scored) = self.gradient(rows, order, scale.factor / weight)?;
            let gradient = (gradient / scale.factor)?;
            let is_finite = gradient.sqr()?.sum_all()?.to_scalar::<f32>()?.is_finite();
            if !is_finite && scale.factor > 1.0 && loss.to_scalar::<f32>()?.is_finite() {
                self.loss_scale = Some(LossScale { factor: scale.factor / 2.0, steps: 0 });
                continue;
            }
            let steps = scale.steps + 1;
            self.loss_scale = Some(if steps < SCALE_STEPS {
                LossScale { steps, ..scale }
            } else {
                LossScale { factor: scale.factor * 2.0, steps: 0 }
            });
            return Ok((loss, gradient, scored));
        }
    }

    fn told(&mut self) -> Candle<Vec<StepSums>> {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return Ok(Vec::new());
        }
        let scalars: Vec<Tensor> =
            pending.iter().flat_map(|pending| [pending.loss.clone(), pending.norm.clone()]).collect();
        let scalars: Vec<f32> = Tensor::stack(&scalars, 0)?.to_vec1()?;
        let told = pending.iter().zip(scalars.chunks_exact(2)).map(|(pending, scalars)| StepSums {
            step: pending.step,
            batch: pending.batch,
            loss: f64::from(scalars[0]),
            weight: pending.weight,
            norm: f64::from(scalars[1]),
        });
        Ok(told.collect())
    }

    fn judged(&self, block: &Arc<Block>) -> Candle<LossSums> {
        let (rows, weights) = self.upload(std::slice::from_ref(block))?;
        let scored = self.graph.forward(&rows, Pass::Score)?;
        let loss = Graph::loss(self.objective.loss, &scored.scores, &rows)?;
        let weight = weights.iter().map(|weight| f64::from(*weight)).sum();
        Ok(LossSums { loss: f64::from(loss.to_scalar::<f32>()?), weight })
    }

    fn all_weights(&self) -> Candle<Vec<f32>> {
        let mut weights = vec![0.0; self.plan.total];
        for (tensor, variable) in self.plan.tensors.iter().zip(&self.graph.variables) {
            let own: Vec<f32> = variable.as_detached_tensor().flatten_all()?.to_vec1()?;
            weights[tensor.range()].copy_from_slice(&own);
        }
        Ok(weights)
    }
}

impl Engine for TensorEngine<'_> {
    fn take(&mut self, window: Window) -> Result<()> {
        // The last window goes before the next one comes: the card holds one.
        self.window = None;
        self.window = Some(self.place(&window).map_err(failed("to take rows"))?);
        Ok(())
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

    fn judge(&mut self, block: Arc<Block>) -> Result<LossSums> {
        Ok(self.judged(&block).map_err(failed("to compute the loss of the validation rows"))?)
    }

    fn weights(&self) -> Result<Vec<f32>> {
        Ok(self.all_weights().map_err(failed("to hold the weights"))?)
    }

    fn tensors(&self) -> Result<Tensors> {
        let slots = || self.flat.slots.iter().map(Tensor::to_vec1::<f32>).collect::<Candle<_>>();
        Ok(Tensors {
            weights: self.weights()?,
            slots: slots().map_err(failed("to hold the weights"))?,
            loss_scale: self.loss_scale,
        })
    }
}
