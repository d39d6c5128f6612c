//! How a network becomes a list of steps: layer by layer, with the buffers between and the tensors that layers want.

use super::{Buffer, Plan, Start, Step, TensorId, TensorKind, TensorLayout};
use crate::layout::InputLayout;
use crate::spec::{Activation, Architecture, NetworkSpec, Norm, NumericEmbedding};

pub(super) struct Builder<'a> {
    spec: &'a NetworkSpec,
    inputs: &'a InputLayout,
    plan: Plan,
    layers: usize,
    places: u64,
}

impl<'a> Builder<'a> {
    pub(super) fn new(spec: &'a NetworkSpec, inputs: &'a InputLayout) -> Self {
        Self { spec, inputs, plan: Plan::empty(), layers: 0, places: 0 }
    }

    /// The whole network.
    pub(super) fn build(mut self, outputs: usize) -> Plan {
        self.plan.scores = self.scores(outputs);
        self.plan
    }

    fn buffer(&mut self, width: usize) -> Buffer {
        self.plan.widths.push(width);
        self.plan.widths.len() - 1
    }

    fn tensor(&mut self, name: String, shape: Vec<usize>, kind: TensorKind, start: Start) -> TensorId {
        self.plan.tensors.push(TensorLayout { name, shape, kind, offset: 0, start });
        self.plan.tensors.len() - 1
    }

    fn scores(&mut self, outputs: usize) -> Buffer {
        match &self.spec.architecture {
            Architecture::Mlp { hidden } => {
                let input = self.features();
                let top = self.hidden(input, hidden);
                self.linear(top, outputs, None)
            }
            Architecture::WideAndDeep { hidden } => {
                let input = self.features();
                let top = self.hidden(input, hidden);
                let deep = self.linear(top, outputs, None);
                self.wide(deep, outputs)
            }
            Architecture::Residual { width, blocks, hidden } => {
                let width = *width as usize;
                let inner = hidden.map_or(2 * width, |hidden| hidden as usize);
                let input = self.features();
                let mut trunk = self.linear(input, width, None);
                for _ in 0..*blocks {
                    trunk = self.block(trunk, width, inner);
                }
                let normed = self.norm(trunk);
                let top = self.activate(normed);
                self.linear(top, outputs, None)
            }
            Architecture::Interactions { dimension, bottom, hidden } => {
                let crossed = self.interactions(*dimension as usize, bottom);
                let top = self.hidden(crossed, hidden);
                self.linear(top, outputs, None)
            }
        }
    }

    /// All features side by side.
    fn features(&mut self) -> Buffer {
        let categorical: Vec<usize> = self
            .inputs
            .categorical
            .iter()
            .map(|input| self.spec.embedding_width(&input.name, input.ids))
            .collect();
        let numeric = self.numeric_width();
        let output = self.buffer(numeric + categorical.iter().sum::<usize>());
        self.numeric(output);
        let mut offset = numeric;
        for (feature, width) in categorical.into_iter().enumerate() {
            self.embed("embeddings", feature, width, output, offset);
            offset += width;
        }
        output
    }

    fn numeric_width(&self) -> usize {
        let features = self.inputs.numeric.len();
        match self.spec.numeric_embedding {
            NumericEmbedding::None => features,
            NumericEmbedding::PiecewiseLinear { bins } => features * bins as usize,
            NumericEmbedding::Periodic { frequencies, .. } => features * 2 * frequencies as usize,
        }
    }

    fn numeric(&mut self, output: Buffer) {
        let features = self.inputs.numeric.len();
        if features == 0 {
            return;
        }
        let step = match self.spec.numeric_embedding {
            NumericEmbedding::None => Step::Numeric { output, offset: 0 },
            NumericEmbedding::PiecewiseLinear { bins } => {
                let shape = vec![4, features, bins as usize];
                let bins = self.tensor("numeric.bins".into(), shape, TensorKind::Fixed, Start::Constant(0.0));
                Step::Piecewise { bins, output, offset: 0 }
            }
            NumericEmbedding::Periodic { frequencies, sigma } => {
                let shape = vec![features, frequencies as usize];
                #[expect(clippy::cast_possible_truncation, reason = "a start value, checked to be finite")]
                let start = Start::Normal(sigma as f32);
                let frequencies = self.tensor("numeric.frequencies".into(), shape, TensorKind::Dense, start);
                Step::Periodic { frequencies, output, offset: 0 }
            }
        };
        self.plan.steps.push(step);
    }

    fn embed(&mut self, part: &str, feature: usize, width: usize, output: Buffer, offset: usize) {
        let input = &self.inputs.categorical[feature];
        let name = format!("{part}.{}", input.name);
        // As in DLRM: wider vectors of smaller numbers.
        let start = Start::Uniform(1.0 / (width as f32).sqrt());
        let table = self.tensor(name, vec![input.ids as usize, width], TensorKind::Table, start);
        self.plan.steps.push(Step::Embed { feature, table, output, offset });
    }

    fn linear(&mut self, input: Buffer, width: usize, activation: Option<Activation>) -> Buffer {
        let name = format!("layers.{}", self.layers);
        self.layers += 1;
        self.named_linear(&name, input, width, activation)
    }

    /// Weights and biases start as PyTorch's do: uniform within 1 / √inputs.
    fn named_linear(
        &mut self,
        name: &str,
        input: Buffer,
        width: usize,
        activation: Option<Activation>,
    ) -> Buffer {
        let inputs = self.plan.widths[input];
        let start = Start::Uniform(1.0 / (inputs.max(1) as f32).sqrt());
        let weight = self.tensor(format!("{name}.weight"), vec![width, inputs], TensorKind::Dense, start);
        let bias = self.tensor(format!("{name}.bias"), vec![width], TensorKind::Dense, start);
        let output = self.buffer(width);
        self.plan.steps.push(Step::Linear { input, output, weight, bias, activation });
        output
    }

    fn hidden(&mut self, input: Buffer, widths: &[u32]) -> Buffer {
        widths.iter().fold(input, |input, width| {
            let width = *width as usize;
            let active = if self.spec.norm == Norm::None {
                self.active_linear(input, width)
            } else {
                let sums = self.linear(input, width, None);
                let normed = self.norm(sums);
                self.activate(normed)
            };
            self.dropout(active)
        })
    }

    /// A layer with its activation, in one step where the derivative follows from the result.
    fn active_linear(&mut self, input: Buffer, width: usize) -> Buffer {
        if self.spec.activation.is_invertible() {
            return self.linear(input, width, Some(self.spec.activation));
        }
        let sums = self.linear(input, width, None);
        self.activate(sums)
    }

    fn activate(&mut self, input: Buffer) -> Buffer {
        let output = self.buffer(self.plan.widths[input]);
        self.plan.steps.push(Step::Activate { input, output, activation: self.spec.activation });
        output
    }

    fn norm(&mut self, input: Buffer) -> Buffer {
        if self.spec.norm == Norm::None {
            return input;
        }
        let width = self.plan.widths[input];
        let name = format!("norms.{}", self.layers);
        self.layers += 1;
        let one = Start::Constant(1.0);
        let zero = Start::Constant(0.0);
        let gain = self.tensor(format!("{name}.weight"), vec![width], TensorKind::Dense, one);
        let shift = self.tensor(format!("{name}.bias"), vec![width], TensorKind::Dense, zero);
        let output = self.buffer(width);
        let step = if self.spec.norm == Norm::Layer {
            Step::LayerNorm { input, output, gain, shift }
        } else {
            let mean = self.tensor(format!("{name}.running_mean"), vec![width], TensorKind::Fixed, zero);
            let variance =
                self.tensor(format!("{name}.running_variance"), vec![width], TensorKind::Fixed, one);
            Step::BatchNorm { input, output, gain, shift, mean, variance }
        };
        self.plan.steps.push(step);
        output
    }

    fn dropout(&mut self, input: Buffer) -> Buffer {
        if self.spec.dropout <= 0.0 {
            return input;
        }
        let output = self.buffer(self.plan.widths[input]);
        let place = self.places;
        self.places += 1;
        #[expect(clippy::cast_possible_truncation, reason = "checked to be between 0 and 0.95")]
        let rate = self.spec.dropout as f32;
        self.plan.steps.push(Step::Dropout { input, output, rate, place });
        output
    }

    /// x + dropout(linear(dropout(activation(linear(norm(x)))))).
    fn block(&mut self, trunk: Buffer, width: usize, inner: usize) -> Buffer {
        let normed = self.norm(trunk);
        let active = self.active_linear(normed, inner);
        let kept = self.dropout(active);
        let back = self.linear(kept, width, None);
        let branch = self.dropout(back);
        self.add(trunk, branch)
    }

    fn add(&mut self, left: Buffer, right: Buffer) -> Buffer {
        let output = self.buffer(self.plan.widths[left]);
        self.plan.steps.push(Step::Add { left, right, output });
        output
    }

    /// The deep part's scores plus a linear model's: of the numeric features, and a number per id and score.
    fn wide(&mut self, deep: Buffer, outputs: usize) -> Buffer {
        let mut scores = deep;
        if !self.inputs.numeric.is_empty() {
            let raw = self.buffer(self.inputs.numeric.len());
            self.plan.steps.push(Step::Numeric { output: raw, offset: 0 });
            let wide = self.named_linear("wide", raw, outputs, None);
            scores = self.add(scores, wide);
        }
        let features = self.inputs.categorical.len();
        if features > 0 {
            let ids = self.buffer(features * outputs);
            for feature in 0..features {
                self.embed("wide", feature, outputs, ids, feature * outputs);
            }
            let output = self.buffer(outputs);
            self.plan.steps.push(Step::Sum { input: ids, output });
            scores = self.add(scores, output);
        }
        scores
    }

    fn interactions(&mut self, dimension: usize, bottom: &[u32]) -> Buffer {
        let vector = (!self.inputs.numeric.is_empty()).then(|| {
            let numeric = self.buffer(self.numeric_width());
            self.numeric(numeric);
            let top = self.hidden(numeric, bottom);
            self.active_linear(top, dimension)
        });
        let features = self.inputs.categorical.len();
        let embeddings = (features > 0).then(|| {
            let output = self.buffer(features * dimension);
            for feature in 0..features {
                self.embed("embeddings", feature, dimension, output, feature * dimension);
            }
            output
        });
        let vectors = features + usize::from(vector.is_some());
        let own = if vector.is_some() { dimension } else { 0 };
        // A single vector has no product: without numeric features it goes on itself.
        if let (1, None, Some(only)) = (vectors, vector, embeddings) {
            return only;
        }
        let output = self.buffer(own + vectors * (vectors - 1) / 2);
        self.plan.steps.push(Step::Interact { vector, embeddings, dimension, output });
        output
    }
}
