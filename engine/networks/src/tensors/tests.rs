use candle_core::{Device, Tensor};

use super::graph::{Graph, Rows};
use crate::compute::Pass;
use crate::layout::{CategoricalInput, InputLayout};
use crate::plan::{Plan, Step, TensorKind};
use crate::random::Key;
use crate::rows::Block;
use crate::spec::{Activation, Architecture, Loss, NetworkSpec, Norm, NumericEmbedding};
use crate::train::order::Window;
use crate::train::shard::{Objective, Scratch, Shard};
use crate::train::start::start_weights;

const ROWS: usize = 96;

fn layout() -> InputLayout {
    InputLayout {
        numeric: (0..5).map(|column| format!("x{column}")).collect(),
        categorical: [7, 3].map(|ids| CategoricalInput { name: format!("c{ids}"), ids }).to_vec(),
    }
}

/// A spec of every step, activation and loss, with its number of classes; a test below holds that none is left out.
fn cases() -> Vec<(NetworkSpec, Loss)> {
    let mlp = |activation, loss| {
        let mut spec = NetworkSpec::mlp(&[24, 17]);
        spec.activation = activation;
        (spec, loss)
    };
    let with = |architecture, norm, dropout, numeric, activation, loss| {
        let mut spec = NetworkSpec::from(architecture);
        (spec.norm, spec.dropout, spec.numeric_embedding) = (norm, dropout, numeric);
        spec.activation = activation;
        (spec, loss)
    };
    let bins = NumericEmbedding::PiecewiseLinear { bins: 4 };
    let waves = NumericEmbedding::Periodic { frequencies: 3, sigma: 0.4 };
    let wide = Architecture::WideAndDeep { hidden: vec![16] };
    let residual = |hidden| Architecture::Residual { width: 12, blocks: 2, hidden };
    let crossed = Architecture::Interactions { dimension: 6, bottom: vec![10], hidden: vec![14] };
    vec![
        mlp(Activation::Relu, Loss::Squared),
        mlp(Activation::LeakyRelu, Loss::Huber { delta: 0.5 }),
        mlp(Activation::Elu, Loss::Quantile { level: 0.8 }),
        mlp(Activation::Silu, Loss::Poisson),
        mlp(Activation::Gelu, Loss::Logistic),
        mlp(Activation::Tanh, Loss::Softmax),
        mlp(Activation::Sigmoid, Loss::Squared),
        with(wide, Norm::Layer, 0.3, bins, Activation::Silu, Loss::Softmax),
        with(residual(None), Norm::Batch, 0.2, NumericEmbedding::None, Activation::Gelu, Loss::Logistic),
        with(
            residual(Some(9)),
            Norm::Layer,
            0.0,
            waves.clone(),
            Activation::Relu,
            Loss::Huber { delta: 1.0 },
        ),
        with(crossed, Norm::None, 0.1, waves, Activation::Tanh, Loss::Poisson),
        mlp(Activation::Tanh, Loss::Pairwise),
    ]
}

struct Case {
    plan: Plan,
    weights: Vec<f32>,
    block: Block,
    objective: Objective,
}

fn case(spec: &NetworkSpec, loss: Loss) -> Case {
    let outputs = if loss == Loss::Softmax { 3 } else { 1 };
    let plan = Plan::new(spec, &layout(), outputs);
    let key = Key::new(11, 4);
    let mut weights = start_weights(&plan, key);
    // Bins, gains and shifts that are not all alike.
    for tensor in &plan.tensors {
        for (at, weight) in weights[tensor.range()].iter_mut().enumerate() {
            if tensor.kind == TensorKind::Fixed && tensor.shape.len() == 3 {
                *weight = [-1.0, 2.0, -5.0, 5.0][at * 4 / tensor.len()] + 0.1 * (at % 7) as f32;
            } else if tensor.name.starts_with("norms") {
                *weight += 0.3 * key.with(1).symmetric(at as u64);
            }
        }
    }
    let draw = |purpose, count: usize| (0..count).map(move |at| 1.5 * key.with(purpose).symmetric(at as u64));
    let labels = draw(3, ROWS).map(|label| match loss {
        Loss::Logistic => f32::from(u8::from(label > 0.0)),
        Loss::Softmax => (label + 1.5).floor(),
        Loss::Poisson => (label + 1.5).round(),
        _ => label,
    });
    let block = Block {
        rows: ROWS,
        numeric: draw(2, ROWS * 5).collect(),
        ids: (0..ROWS).flat_map(|row| [(row % 7) as u32, (row * row % 3) as u32]).collect(),
        labels: labels.collect(),
        weights: draw(5, ROWS).map(|weight| 1.0 + 0.5 * weight).collect(),
        groups: if loss == Loss::Pairwise {
            (0..ROWS as u64).map(|row| row / 7).collect()
        } else {
            Vec::new()
        },
    };
    Case { plan, weights, block, objective: Objective { loss, scale: None, class_factors: Vec::new() } }
}

const PASS: Pass = Pass::Train { key: KEY, first_row: 0 };
const KEY: Key = Key::fixed(17);

/// Our loss and all gradients, laid out as the weights.
fn ours(case: &Case) -> (f64, Vec<f32>) {
    let Case { plan, weights, block, objective } = case;
    let order: Vec<u32> = (0..ROWS as u32).collect();
    let window =
        Window { blocks: vec![std::sync::Arc::new(block.clone())], numbers: vec![0], order, is_last: true };
    let mut shard = Shard::default();
    let batch = (&window.order[..], KEY, 0);
    shard.compute(plan, weights, objective, &window, batch, &mut Scratch::new(plan));
    let mut gradients = vec![0.0; plan.total];
    gradients[..plan.dense].copy_from_slice(&shard.dense);
    let all = plan.vector_width();
    let mut column = 0;
    for step in &plan.steps {
        let Step::Embed { feature, table, .. } = step else { continue };
        let tensor = &plan.tensors[*table];
        let width = tensor.shape[1];
        for row in 0..ROWS {
            let id = shard.ids[row * 2 + feature] as usize;
            for at in 0..width {
                gradients[tensor.offset + id * width + at] += shard.vectors[row * all + column + at];
            }
        }
        column += width;
    }
    (shard.loss, gradients)
}

fn rows_of(block: &Block, device: &Device) -> candle_core::Result<Rows> {
    let feature =
        |feature: usize| -> Vec<u32> { block.ids.iter().skip(feature).step_by(2).copied().collect() };
    Ok(Rows {
        count: ROWS,
        numeric: Some(Tensor::from_slice(&block.numeric, (ROWS, 5), device)?),
        ids: vec![Tensor::new(feature(0), device)?, Tensor::new(feature(1), device)?],
        labels: Tensor::new(block.labels.as_slice(), device)?,
        weights: Tensor::new(block.weights.as_slice(), device)?,
        groups: match &block.groups[..] {
            [] => None,
            groups => {
                let groups: Vec<i64> = groups.iter().map(|group| group.cast_signed()).collect();
                Some(Tensor::new(groups, device)?)
            }
        },
    })
}

/// candle's loss and gradients, laid out as the weights.
fn candles(case: &Case) -> candle_core::Result<(f64, Vec<f32>)> {
    let device = Device::Cpu;
    let graph = Graph::new(&case.plan, &case.weights, &device)?;
    let rows = rows_of(&case.block, &device)?;
    let loss = Graph::loss(case.objective.loss, &graph.forward(&rows, PASS)?, &rows)?;
    let store = loss.backward()?;
    let mut gradients = vec![0.0; case.plan.total];
    for (tensor, variable) in case.plan.tensors.iter().zip(&graph.variables) {
        if tensor.kind == TensorKind::Fixed {
            continue;
        }
        let gradient = store.get(variable.as_tensor()).expect("a gradient of each learned tensor");
        gradients[tensor.range()].copy_from_slice(&gradient.flatten_all()?.to_vec1::<f32>()?);
    }
    Ok((f64::from(loss.to_scalar::<f32>()?), gradients))
}

#[test]
fn losses_and_gradients_are_those_of_candles_autograd() {
    for (spec, loss) in cases() {
        let case = case(&spec, loss);
        let (own_loss, own) = ours(&case);
        let (their_loss, theirs) = candles(&case).unwrap();
        assert!((own_loss - their_loss).abs() < 1e-5 * their_loss.abs(), "{own_loss} {their_loss} {spec:?}");
        let square = |values: &mut dyn Iterator<Item = f32>| -> f64 {
            values.map(|value| f64::from(value).powi(2)).sum::<f64>().sqrt()
        };
        // A bias before a batch norm has no gradient but what rounding leaves.
        let rounding = 1e-7 * square(&mut theirs.iter().copied());
        for tensor in &case.plan.tensors {
            let (own, theirs) = (&own[tensor.range()], &theirs[tensor.range()]);
            let length = square(&mut theirs.iter().copied());
            let off = square(&mut own.iter().zip(theirs).map(|(own, theirs)| own - theirs));
            assert!(tensor.kind == TensorKind::Fixed || length > 0.0, "{} has no gradient", tensor.name);
            assert!(off <= 1e-5 * length + rounding, "{}: {off} of {length}, {spec:?}", tensor.name);
        }
    }
}

#[test]
fn gradients_are_central_differences() {
    for (spec, loss) in cases() {
        let mut case = case(&spec, loss);
        let (_, gradients) = ours(&case);
        let learned: Vec<_> =
            case.plan.tensors.iter().filter(|tensor| tensor.kind != TensorKind::Fixed).cloned().collect();
        for tensor in &learned {
            // Along the signs of the gradient itself, so that the change stands out of the rounding of f32.
            let signs: Vec<f32> =
                gradients[tensor.range()].iter().map(|gradient| gradient.signum()).collect();
            let width = 2e-3 / (tensor.len() as f32).sqrt();
            let mut at = |factor: f32| {
                let before = case.weights.clone();
                for (weight, sign) in case.weights[tensor.range()].iter_mut().zip(&signs) {
                    *weight += factor * width * sign;
                }
                let value = ours(&case).0;
                case.weights = before;
                value
            };
            let difference = (at(1.0) - at(-1.0)) / f64::from(2.0 * width);
            let slope: f64 = gradients[tensor.range()]
                .iter()
                .zip(&signs)
                .map(|(gradient, sign)| f64::from(gradient * sign))
                .sum();
            assert!(
                (slope - difference).abs() < 0.03 * slope + 2e-2,
                "{}: {slope} {difference} {spec:?}",
                tensor.name
            );
        }
    }
}

#[test]
fn no_step_activation_or_loss_is_left_out() {
    let mut steps: Vec<String> = Vec::new();
    let mut others: Vec<String> = Vec::new();
    for (spec, loss) in cases() {
        for step in &case(&spec, loss).plan.steps {
            steps.push(format!("{step:?}").split(' ').next().unwrap().to_string());
        }
        others.push(format!("{:?}", spec.activation));
        others.push(loss.name().to_string());
    }
    for list in [&mut steps, &mut others] {
        list.sort_unstable();
        list.dedup();
    }
    assert_eq!(steps.len(), 12, "{steps:?}"); // the variants of `Step`
    assert_eq!(others.len(), 7 + 7, "{others:?}"); // activations and losses
}
