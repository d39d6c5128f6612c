//! A network in ONNX: the steps of its plan, in single precision as ours are, behind the transform in double precision.
//!
//! Numbers are rounded to single precision, ids are looked up by `Gather`, sums come back as doubles. As in `sluice
//! predict`, a row with a number that is missing, not finite or beyond single precision has no prediction (NaN), and so has
//! one with an id that is none.

use sluice_core::error::{CommonError, Result};
use sluice_networks::plan::{Buffer, NORM_EPSILON, Plan, Step, TensorId};
use sluice_networks::spec::Activation;
use sluice_onnx::{Edge, ElementType, GraphBuilder, Operator, Tensor};

use super::graph::Feature;
use super::inexpressible;
use crate::network::{Network, Source};

/// The sums of a network in the units of the label, an N x 1 tensor of doubles for each.
pub(super) fn sums(network: &Network, features: &[Feature], graph: &mut GraphBuilder) -> Result<Vec<Edge>> {
    let inputs = Inputs::of(network, features, graph)?;
    let model = network.model();
    let mut writer = Writer { network, plan: model.plan(), inputs, graph, buffers: Vec::new() };
    writer.buffers.resize_with(writer.plan.widths.len(), Vec::new);
    for step in &model.plan().steps {
        writer.step(step)?;
    }
    let scores = writer.read(model.plan().scores)?;
    let Writer { inputs, graph, .. } = writer;
    let mut scores = graph.node(&Operator::Cast(ElementType::Double), &[&scores]);
    if let Some(scale) = network.scale() {
        let [mean, deviation] =
            [scale.mean, scale.deviation].map(|constant| graph.number(f64::from(constant)));
        let stretched = graph.node(&Operator::Mul, &[&scores, &deviation]);
        scores = graph.node(&Operator::Add, &[&stretched, &mean]);
    }
    let outputs = model.description().outputs();
    Ok((0..outputs)
        .map(|output| {
            let own = graph.select_columns(&scores, &[output]);
            inputs.soundness.iter().fold(own, |sum, nothing| graph.node(&Operator::Add, &[&sum, nothing]))
        })
        .collect())
}

/// What the network reads.
struct Inputs {
    /// All numbers in single precision, where there are any.
    numeric: Option<Edge>,
    /// The ids of each categorical feature, as integers.
    ids: Vec<Edge>,
    /// Columns of 0, or of NaN in rows that have no prediction.
    soundness: Vec<Edge>,
}

impl Inputs {
    fn of(network: &Network, features: &[Feature], graph: &mut GraphBuilder) -> Result<Self> {
        let (mut numbers, mut ids, mut soundness) = (Vec::new(), Vec::new(), Vec::new());
        for (feature, source) in features.iter().zip(network.reader().sources()) {
            match (feature, source) {
                (Feature::Number(edge) | Feature::Indicators(edge, _), Source::Numbers { .. }) => {
                    numbers.push(edge.clone());
                }
                (Feature::Indicators(edge, levels), Source::Ids { ids: count, .. }) => {
                    ids.push(id_of_indicators(edge, *levels, *count, graph));
                }
                (Feature::Number(edge), Source::Ids { ids: count, .. }) => {
                    let (id, nothing) = id_of_number(edge, *count, graph);
                    ids.push(id);
                    soundness.push(nothing);
                }
            }
        }
        let numeric = (!numbers.is_empty()).then(|| {
            let numbers: Vec<&Edge> = numbers.iter().collect();
            let all = graph.node(&Operator::Concat, &numbers);
            graph.node(&Operator::Cast(ElementType::Single), &[&all])
        });
        if let Some(numeric) = &numeric {
            let nothing = graph.node(&Operator::Sub, &[numeric, numeric]);
            let nothing = graph.sum_of_rows(&nothing);
            soundness.push(graph.node(&Operator::Cast(ElementType::Double), &[&nothing]));
        }
        Ok(Self { numeric, ids, soundness })
    }
}

/// none + Σ indicator x (level − none): the number of the level, or of none of them.
fn id_of_indicators(indicators: &Edge, levels: usize, count: u32, graph: &mut GraphBuilder) -> Edge {
    let none = f64::from(count.saturating_sub(1));
    let steps = (0..levels).map(|level| level as f64 - none).collect();
    let steps = graph.column(&Tensor::Double(steps));
    let none = graph.number(none);
    let sum = graph.node(&Operator::MatMul, &[indicators, &steps]);
    let id = graph.node(&Operator::Add, &[&sum, &none]);
    graph.node(&Operator::Cast(ElementType::Integer), &[&id])
}

/// A number as an id, null the last; and 0, or NaN where it is no id.
fn id_of_number(number: &Edge, count: u32, graph: &mut GraphBuilder) -> (Edge, Edge) {
    let none = graph.number(f64::from(count.saturating_sub(1)));
    let [zero, nan] = [0.0, f64::NAN].map(|number| graph.number(number));
    let is_null = graph.is_nan(number);
    let from_zero = graph.node(&Operator::GreaterOrEqual, &[number, &zero]);
    let below = graph.node(&Operator::Less, &[number, &none]);
    let floor = graph.node(&Operator::Floor, &[number]);
    let is_whole = graph.node(&Operator::Equal, &[&floor, number]);
    let in_range = graph.node(&Operator::And, &[&from_zero, &below]);
    let is_id = graph.node(&Operator::And, &[&in_range, &is_whole]);
    let or_null = graph.node(&Operator::Where, &[&is_null, &none, &zero]);
    let id = graph.node(&Operator::Where, &[&is_id, number, &or_null]);
    let is_sound = graph.node(&Operator::Or, &[&is_id, &is_null]);
    let nothing = graph.node(&Operator::Where, &[&is_sound, &zero, &nan]);
    (graph.node(&Operator::Cast(ElementType::Integer), &[&id]), nothing)
}

/// Writes the steps of a plan.
struct Writer<'a> {
    network: &'a Network,
    plan: &'a Plan,
    inputs: Inputs,
    graph: &'a mut GraphBuilder,
    /// What stands in each buffer, from the left.
    buffers: Vec<Vec<Edge>>,
}

impl Writer<'_> {
    /// What a buffer holds by now.
    fn read(&mut self, buffer: Buffer) -> Result<Edge> {
        match self.buffers[buffer].as_slice() {
            [] => Err(CommonError::Internal("a network reads what it has not computed".into()).into()),
            [only] => Ok(only.clone()),
            several => {
                let several: Vec<&Edge> = several.iter().collect();
                let joined = self.graph.node(&Operator::Concat, &several);
                self.buffers[buffer] = vec![joined.clone()];
                Ok(joined)
            }
        }
    }

    fn numeric(&self) -> Result<Edge> {
        let numeric = self.inputs.numeric.clone();
        numeric.ok_or_else(|| CommonError::Internal("a network reads numbers it has not".into()).into())
    }

    fn row(&mut self, id: TensorId) -> Edge {
        self.graph.row(&Tensor::Single(self.network.model().tensor(id).to_vec()))
    }

    fn constant(&mut self, value: f32) -> Edge {
        self.graph.row(&Tensor::Single(vec![value]))
    }

    /// Steps that fill one buffer come from the left to the right, so that what they make is joined in that order.
    fn step(&mut self, step: &Step) -> Result<()> {
        let made = match step {
            Step::Numeric { .. } => self.numeric()?,
            Step::Piecewise { bins, .. } => self.piecewise(*bins)?,
            Step::Periodic { frequencies, .. } => self.periodic(*frequencies)?,
            Step::Embed { feature, table, .. } => {
                let width = self.plan.tensors[*table].shape.get(1).copied().unwrap_or(1);
                let vectors = Tensor::Single(self.network.model().tensor(*table).to_vec());
                let vectors = self.graph.matrix(&vectors, width);
                self.graph.look_up(&vectors, &self.inputs.ids[*feature])
            }
            Step::Linear { input, weight, bias, activation, .. } => {
                let x = self.read(*input)?;
                let inputs = self.plan.widths[*input];
                let weights = Tensor::Single(self.network.model().tensor(*weight).to_vec());
                let weights = self.graph.matrix(&weights, inputs);
                let bias = self.row(*bias);
                let sums = self.graph.node(&Operator::Gemm, &[&x, &weights, &bias]);
                activation.map_or(sums.clone(), |activation| self.activate(activation, &sums))
            }
            Step::Activate { input, activation, .. } => {
                let x = self.read(*input)?;
                self.activate(*activation, &x)
            }
            Step::LayerNorm { input, gain, shift, .. } => self.layer_norm(*input, *gain, *shift)?,
            Step::BatchNorm { input, gain, shift, mean, variance, .. } => {
                self.batch_norm(*input, [*gain, *shift, *mean, *variance])?
            }
            Step::Dropout { input, .. } => self.read(*input)?,
            Step::Add { left, right, .. } => {
                let (left, right) = (self.read(*left)?, self.read(*right)?);
                self.graph.node(&Operator::Add, &[&left, &right])
            }
            Step::Sum { input, output } => self.sum_of_vectors(*input, self.plan.widths[*output])?,
            Step::Interact { vector, embeddings, dimension, .. } => {
                self.interact(*vector, *embeddings, *dimension)?
            }
        };
        self.buffers[step.output()].push(made);
        Ok(())
    }

    /// Each number once for each of its bins or waves.
    fn repeated(&mut self, times: usize) -> Result<Edge> {
        let numeric = self.numeric()?;
        let features = self.network.model().description().inputs.numeric.len();
        let columns: Vec<usize> = (0..features * times).map(|column| column / times).collect();
        Ok(self.graph.select_columns(&numeric, &columns))
    }

    fn piecewise(&mut self, bins: TensorId) -> Result<Edge> {
        let constants = self.network.model().tensor(bins);
        let count = constants.len() / 4;
        let features = self.network.model().description().inputs.numeric.len();
        let x = self.repeated(count / features.max(1))?;
        let mut parts = constants.chunks_exact(count.max(1));
        let mut next = || Tensor::Single(parts.next().unwrap_or_default().to_vec());
        let [low, scale, least, most] = [next(), next(), next(), next()].map(|part| self.graph.row(&part));
        let above = self.graph.node(&Operator::Sub, &[&x, &low]);
        let share = self.graph.node(&Operator::Mul, &[&above, &scale]);
        let share = self.graph.node(&Operator::Max, &[&share, &least]);
        Ok(self.graph.node(&Operator::Min, &[&share, &most]))
    }

    fn periodic(&mut self, frequencies: TensorId) -> Result<Edge> {
        let constants = self.network.model().tensor(frequencies);
        let features = self.network.model().description().inputs.numeric.len();
        let waves = constants.len() / features.max(1);
        let x = self.repeated(waves)?;
        let speeds = constants.iter().map(|frequency| std::f32::consts::TAU * frequency).collect();
        let speeds = self.graph.row(&Tensor::Single(speeds));
        let angles = self.graph.node(&Operator::Mul, &[&x, &speeds]);
        let [sines, cosines] = [Operator::Sin, Operator::Cos].map(|wave| self.graph.node(&wave, &[&angles]));
        let both = self.graph.node(&Operator::Concat, &[&sines, &cosines]);
        // The sines of a feature, then its cosines.
        let total = constants.len();
        let of_feature = |feature: usize| feature * waves..(feature + 1) * waves;
        let order = (0..features)
            .flat_map(|feature| of_feature(feature).chain(of_feature(feature).map(move |wave| total + wave)));
        let order: Vec<usize> = order.collect();
        Ok(self.graph.select_columns(&both, &order))
    }

    fn activate(&mut self, activation: Activation, x: &Edge) -> Edge {
        match activation {
            Activation::Relu => self.graph.node(&Operator::Relu, &[x]),
            Activation::LeakyRelu => self.graph.node(&Operator::LeakyRelu { alpha: 0.01 }, &[x]),
            Activation::Elu => self.graph.node(&Operator::Elu, &[x]),
            Activation::Tanh => self.graph.node(&Operator::Tanh, &[x]),
            Activation::Sigmoid => self.graph.node(&Operator::Sigmoid, &[x]),
            Activation::Silu => {
                let share = self.graph.node(&Operator::Sigmoid, &[x]);
                self.graph.node(&Operator::Mul, &[x, &share])
            }
            // x / 2 (1 + tanh(√(2 / π) (x + 0.044715 x³))).
            Activation::Gelu => {
                let [half, one, cube, scale] =
                    [0.5, 1.0, 0.044_715, 0.797_884_6].map(|constant| self.constant(constant));
                let square = self.graph.node(&Operator::Mul, &[x, x]);
                let third = self.graph.node(&Operator::Mul, &[&square, x]);
                let third = self.graph.node(&Operator::Mul, &[&third, &cube]);
                let inner = self.graph.node(&Operator::Add, &[x, &third]);
                let inner = self.graph.node(&Operator::Mul, &[&inner, &scale]);
                let tanh = self.graph.node(&Operator::Tanh, &[&inner]);
                let share = self.graph.node(&Operator::Add, &[&tanh, &one]);
                let share = self.graph.node(&Operator::Mul, &[&share, &half]);
                self.graph.node(&Operator::Mul, &[x, &share])
            }
        }
    }

    fn layer_norm(&mut self, input: Buffer, gain: TensorId, shift: TensorId) -> Result<Edge> {
        let x = self.read(input)?;
        let share = self.constant(1.0 / self.plan.widths[input] as f32);
        let epsilon = self.constant(NORM_EPSILON);
        let (gain, shift) = (self.row(gain), self.row(shift));
        let graph = &mut *self.graph;
        let sum = graph.sum_of_rows(&x);
        let mean = graph.node(&Operator::Mul, &[&sum, &share]);
        let centred = graph.node(&Operator::Sub, &[&x, &mean]);
        let squares = graph.node(&Operator::Mul, &[&centred, &centred]);
        let sum = graph.sum_of_rows(&squares);
        let variance = graph.node(&Operator::Mul, &[&sum, &share]);
        let variance = graph.node(&Operator::Add, &[&variance, &epsilon]);
        let deviation = graph.node(&Operator::Sqrt, &[&variance]);
        let normed = graph.node(&Operator::Div, &[&centred, &deviation]);
        let stretched = graph.node(&Operator::Mul, &[&normed, &gain]);
        Ok(graph.node(&Operator::Add, &[&stretched, &shift]))
    }

    fn batch_norm(&mut self, input: Buffer, [gain, shift, mean, variance]: [TensorId; 4]) -> Result<Edge> {
        let x = self.read(input)?;
        let model = self.network.model();
        let slopes = model.tensor(gain).iter().zip(model.tensor(variance));
        let slopes = slopes.map(|(gain, variance)| gain / (variance + NORM_EPSILON).sqrt()).collect();
        let slopes = self.graph.row(&Tensor::Single(slopes));
        let (shift, mean) = (self.row(shift), self.row(mean));
        let centred = self.graph.node(&Operator::Sub, &[&x, &mean]);
        let stretched = self.graph.node(&Operator::Mul, &[&centred, &slopes]);
        Ok(self.graph.node(&Operator::Add, &[&stretched, &shift]))
    }

    /// Vectors of this width that stand side by side, added up.
    fn sum_of_vectors(&mut self, input: Buffer, width: usize) -> Result<Edge> {
        let all = self.read(input)?;
        let vectors = self.vectors(&all, self.plan.widths[input], width);
        let mut vectors = vectors.into_iter();
        let first = vectors.next().ok_or_else(|| inexpressible("network", "adds up nothing"))?;
        Ok(vectors.fold(first, |sum, vector| self.graph.node(&Operator::Add, &[&sum, &vector])))
    }

    /// Vectors of this width that stand side by side.
    fn vectors(&mut self, all: &Edge, columns: usize, width: usize) -> Vec<Edge> {
        let firsts = (0..columns).step_by(width.max(1));
        firsts
            .map(|first| {
                let own: Vec<usize> = (first..first + width).collect();
                self.graph.select_columns(all, &own)
            })
            .collect()
    }

    fn interact(
        &mut self,
        vector: Option<Buffer>,
        embeddings: Option<Buffer>,
        dimension: usize,
    ) -> Result<Edge> {
        let (mut made, mut vectors) = (Vec::new(), Vec::new());
        if let Some(vector) = vector {
            let own = self.read(vector)?;
            made.push(own.clone());
            vectors.push(own);
        }
        if let Some(embeddings) = embeddings {
            let all = self.read(embeddings)?;
            vectors.extend(self.vectors(&all, self.plan.widths[embeddings], dimension));
        }
        for right in 1..vectors.len() {
            for left in 0..right {
                let products = self.graph.node(&Operator::Mul, &[&vectors[left], &vectors[right]]);
                made.push(self.graph.sum_of_rows(&products));
            }
        }
        let made: Vec<&Edge> = made.iter().collect();
        Ok(self.graph.node(&Operator::Concat, &made))
    }
}
