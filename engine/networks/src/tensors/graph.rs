//! The steps of a plan as candle's operations.

use candle_core::{D, DType, Device, Result, Tensor, Var};

use crate::compute::Pass;
use crate::kernels::dropout;
use crate::plan::{Buffer, NORM_EPSILON, Plan, Step, TensorId, TensorKind};
use crate::spec::{Activation, Loss};
use crate::train::shard::pieces;

/// Rows as tensors.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    /// Rows.
    pub(crate) count: usize,
    /// Numeric features, rows x features; nothing where there are none.
    pub(crate) numeric: Option<Tensor>,
    /// The ids of each categorical feature.
    pub(crate) ids: Vec<Tensor>,
    /// Labels as the network sees them.
    pub(crate) labels: Tensor,
    /// Weights.
    pub(crate) weights: Tensor,
    /// Groups, as whole numbers of 64 bits; nothing where all rows are one.
    pub(crate) groups: Option<Tensor>,
}

/// A plan with its weights as tensors.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    plan: &'a Plan,
    device: Device,
    /// By tensor of the plan.
    pub(crate) variables: Vec<Var>,
}

/// What buffers hold: what was written side by side is joined when it is first read.
struct Values(Vec<Vec<Tensor>>);

impl Values {
    fn read(&mut self, buffer: Buffer) -> Result<Tensor> {
        let parts = &mut self.0[buffer];
        if parts.len() > 1 {
            *parts = vec![Tensor::cat(parts, 1)?];
        }
        parts
            .first()
            .cloned()
            .ok_or_else(|| candle_core::Error::Msg("a buffer was read before it was written".into()))
    }
}

fn activate(activation: Activation, z: &Tensor) -> Result<Tensor> {
    match activation {
        Activation::Relu => z.relu(),
        Activation::LeakyRelu => z.maximum(&(z * 0.01)?),
        Activation::Elu => z.elu(1.0),
        Activation::Silu => z.silu(),
        Activation::Gelu => z.gelu(),
        Activation::Tanh => z.tanh(),
        Activation::Sigmoid => (z.neg()?.exp()? + 1.0)?.recip(),
    }
}

impl<'a> Graph<'a> {
    /// The plan with these weights.
    pub(crate) fn new(plan: &'a Plan, weights: &[f32], device: &Device) -> Result<Self> {
        let variables = plan
            .tensors
            .iter()
            .map(|tensor| Var::from_slice(&weights[tensor.range()], tensor.shape.as_slice(), device))
            .collect::<Result<_>>()?;
        Ok(Self { plan, device: device.clone(), variables })
    }

    /// A tensor; gradients are taken of those that are learned.
    fn tensor(&self, id: TensorId) -> Tensor {
        let variable = &self.variables[id];
        match self.plan.tensors[id].kind {
            TensorKind::Dense | TensorKind::Table => variable.as_tensor().clone(),
            TensorKind::Fixed => variable.as_detached_tensor(),
        }
    }

    /// The scores of these rows before their link, rows x outputs.
    pub(crate) fn forward(&self, rows: &Rows, pass: Pass) -> Result<Tensor> {
        let mut values = Values(vec![Vec::new(); self.plan.widths.len()]);
        for step in &self.plan.steps {
            let result = match (step, pass) {
                (Step::BatchNorm { input, gain, shift, .. }, Pass::Train { .. }) => {
                    self.batch_norm(&values.read(*input)?, *gain, *shift)?
                }
                _ => self.step(step, rows, pass, &mut values)?,
            };
            values.0[step.output()].push(result);
        }
        values.read(self.plan.scores)
    }

    fn numeric(rows: &Rows) -> Result<&Tensor> {
        rows.numeric.as_ref().ok_or_else(|| candle_core::Error::Msg("there are no numeric features".into()))
    }

    fn step(&self, step: &Step, rows: &Rows, pass: Pass, values: &mut Values) -> Result<Tensor> {
        match step {
            Step::Numeric { .. } => Self::numeric(rows).cloned(),
            Step::Piecewise { bins, .. } => {
                let bins = self.tensor(*bins);
                let constant = |row: usize| bins.get(row);
                let share = Self::numeric(rows)?.unsqueeze(2)?.broadcast_sub(&constant(0)?)?;
                let share = share.broadcast_mul(&constant(1)?)?;
                let share = share.broadcast_maximum(&constant(2)?)?.broadcast_minimum(&constant(3)?)?;
                share.flatten_from(1)
            }
            Step::Periodic { frequencies, .. } => {
                let angle = Self::numeric(rows)?.unsqueeze(2)?.broadcast_mul(&self.tensor(*frequencies))?;
                let angle = (angle * std::f64::consts::TAU)?;
                Tensor::cat(&[angle.sin()?, angle.cos()?], 2)?.flatten_from(1)
            }
            Step::Embed { feature, table, .. } => self.tensor(*table).index_select(&rows.ids[*feature], 0),
            Step::Linear { input, weight, bias, activation, .. } => {
                let product = values.read(*input)?.matmul(&self.tensor(*weight).t()?)?;
                let sums = product.broadcast_add(&self.tensor(*bias))?;
                activation.map_or(Ok(sums.clone()), |activation| activate(activation, &sums))
            }
            Step::Activate { input, activation, .. } => activate(*activation, &values.read(*input)?),
            Step::LayerNorm { input, gain, shift, .. } => {
                self.norm(&values.read(*input)?, D::Minus1, *gain, *shift)
            }
            Step::BatchNorm { input, gain, shift, mean, variance, .. } => {
                let root = (self.tensor(*variance) + f64::from(NORM_EPSILON))?.sqrt()?;
                let centred = values.read(*input)?.broadcast_sub(&self.tensor(*mean))?;
                self.stretch(&centred.broadcast_div(&root)?, *gain, *shift)
            }
            Step::Dropout { input, output, rate, place } => {
                let x = values.read(*input)?;
                let Some(draw) = pass.draw(*place, *rate) else { return Ok(x) };
                let width = self.plan.widths[*output];
                let mut mask = vec![0.0; rows.count * width];
                dropout::apply(draw, width, &vec![1.0; mask.len()], &mut mask, false);
                x * Tensor::from_vec(mask, (rows.count, width), &self.device)?
            }
            Step::Add { left, right, .. } => values.read(*left)? + values.read(*right)?,
            Step::Sum { input, output } => {
                values.read(*input)?.reshape((rows.count, (), self.plan.widths[*output]))?.sum(1)
            }
            Step::Interact { vector, embeddings, dimension, .. } => {
                let mut parts = Vec::new();
                for buffer in [vector, embeddings].into_iter().flatten() {
                    parts.push(values.read(*buffer)?);
                }
                self.interact(&parts, vector.is_some(), *dimension)
            }
        }
    }

    fn norm(&self, x: &Tensor, over: D, gain: TensorId, shift: TensorId) -> Result<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(over)?)?;
        let variance = centred.sqr()?.mean_keepdim(over)?;
        let normed = centred.broadcast_div(&(variance + f64::from(NORM_EPSILON))?.sqrt()?)?;
        self.stretch(&normed, gain, shift)
    }

    fn stretch(&self, normed: &Tensor, gain: TensorId, shift: TensorId) -> Result<Tensor> {
        normed.broadcast_mul(&self.tensor(gain))?.broadcast_add(&self.tensor(shift))
    }

    /// Over the rows of a piece, as our kernels do, so that devices differ by rounding alone.
    fn batch_norm(&self, x: &Tensor, gain: TensorId, shift: TensorId) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let pieces = pieces(rows);
        let length = rows / pieces.len();
        // Pieces of the same length stand in one tensor.
        let groups = if pieces.iter().all(|piece| piece.len() == length) {
            vec![x.reshape((pieces.len(), length, width))?]
        } else {
            pieces
                .into_iter()
                .map(|piece| x.narrow(0, piece.start, piece.len())?.unsqueeze(0))
                .collect::<Result<_>>()?
        };
        let mut normed = Vec::with_capacity(groups.len());
        for group in groups {
            let mean = group.mean_keepdim(1)?;
            let centred = group.broadcast_sub(&mean)?;
            let variance = centred.sqr()?.mean_keepdim(1)?;
            let root = (&variance + f64::from(NORM_EPSILON))?.sqrt()?;
            normed.push(centred.broadcast_div(&root)?.flatten(0, 1)?);
        }
        self.stretch(&Tensor::cat(&normed, 0)?, gain, shift)
    }

    fn interact(&self, parts: &[Tensor], has_own: bool, dimension: usize) -> Result<Tensor> {
        let all = Tensor::cat(parts, 1)?;
        let rows = all.dim(0)?;
        let vectors = all.dim(1)? / dimension;
        let own = if has_own { parts.first() } else { None };
        let pairs: Vec<u32> = (1..vectors)
            .flat_map(|right| (0..right).map(move |left| right * vectors + left))
            .map(|pair| u32::try_from(pair).unwrap_or(u32::MAX))
            .collect();
        if let (true, Some(own)) = (pairs.is_empty(), own) {
            return Ok(own.clone());
        }
        let all = all.reshape((rows, vectors, dimension))?;
        let products = all.matmul(&all.transpose(1, 2)?.contiguous()?)?.flatten_from(1)?;
        let count = pairs.len();
        let products = products.index_select(&Tensor::from_vec(pairs, count, &self.device)?, 1)?;
        own.map_or(Ok(products.clone()), |own| Tensor::cat(&[own, &products], 1))
    }

    /// Σ weight x loss, a scalar.
    pub(crate) fn loss(loss: Loss, sums: &Tensor, rows: &Rows) -> Result<Tensor> {
        let y = &rows.labels;
        let of_one = |tensor: &Tensor| tensor.squeeze(1);
        let each = match loss {
            Loss::Squared => (of_one(sums)? - y)?.sqr()?,
            Loss::Huber { delta } => {
                let off = (of_one(sums)? - y)?;
                let clipped = off.clamp(-delta, delta)?;
                ((clipped.sqr()? * 0.5)? + (&clipped * (off - &clipped)?)?)?
            }
            Loss::Quantile { level } => {
                let under = (y - of_one(sums)?)?;
                (&under * level)?.maximum(&(&under * (level - 1.0))?)?
            }
            Loss::Poisson => {
                let z = of_one(sums)?;
                (z.exp()? - (&z * y)?)?
            }
            Loss::Pairwise => return Self::pairwise(&of_one(sums)?, rows),
            Loss::Logistic => {
                let z = of_one(sums)?;
                let soft = (z.abs()?.neg()?.exp()? + 1.0)?.log()?;
                ((z.relu()? - (&z * y)?)? + soft)?
            }
            Loss::Softmax => {
                let centred = sums.broadcast_sub(&sums.max_keepdim(1)?.detach())?;
                let total = centred.exp()?.sum_keepdim(1)?.log()?;
                let classes = y.to_dtype(DType::U32)?.unsqueeze(1)?;
                (total - centred.gather(&classes, 1)?)?.squeeze(1)?
            }
        };
        (each * &rows.weights)?.sum_all()
    }

    /// Σ weight x loss of pairs, as [`crate::train`] has it: of the rows of each piece.
    fn pairwise(sums: &Tensor, rows: &Rows) -> Result<Tensor> {
        let pieces = pieces(rows.count);
        let length = rows.count / pieces.len();
        // Pieces of the same length stand in one tensor.
        let together = pieces.iter().all(|piece| piece.len() == length);
        let ranges: Vec<(usize, usize, usize)> = if together {
            vec![(0, pieces.len(), length)]
        } else {
            pieces.iter().map(|piece| (piece.start, 1, piece.len())).collect()
        };
        let mut losses = Vec::with_capacity(ranges.len());
        for (first, count, length) in ranges {
            let part = |tensor: &Tensor| tensor.narrow(0, first, count * length)?.reshape((count, length, 1));
            // Rows down, and the same rows across.
            let across = |tensor: &Tensor| tensor.transpose(1, 2);
            let (z, y, w) = (part(sums)?, part(&rows.labels)?, part(&rows.weights)?);
            let same = match &rows.groups {
                None => w.broadcast_mul(&across(&w)?)?.ones_like()?,
                Some(groups) => {
                    let groups = part(groups)?;
                    groups.broadcast_eq(&across(&groups)?)?.to_dtype(DType::F32)?
                }
            };
            let above = y.broadcast_gt(&across(&y)?)?.to_dtype(DType::F32)?;
            let pairs = ((&same * above)? * w.broadcast_mul(&across(&w)?)?)?;
            let of_pairs = same.matmul(&pairs.sum_keepdim(2)?)?;
            let of_rows = same.matmul(&w)?;
            // A group without a pair has none to divide by.
            let some = of_pairs.gt(0.0)?.to_dtype(DType::F32)?;
            let shares = (of_rows / (&of_pairs + some.affine(-1.0, 1.0)?)?)?;
            let back = across(&z)?.broadcast_sub(&z)?; // z' - z
            let soft = (back.relu()? + (back.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
            losses.push((pairs * soft)?.broadcast_mul(&shares)?.sum_all()?);
        }
        Tensor::stack(&losses, 0)?.sum_all()
    }
}
