//! The buffers of one thread: what a plan computes for some rows, and the gradients of it.

use crate::plan::{Buffer, Plan, Step};

/// The buffers of one thread.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// What each buffer of the plan holds.
    pub(crate) values: Vec<Vec<f32>>,
    /// Its gradients; empty where none is asked for.
    pub(crate) gradients: Vec<Vec<f32>>,
    /// Means and scales of norms, by step.
    pub(crate) statistics: Vec<Vec<f32>>,
}

/// What a workspace is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Scores.
    Values,
    /// Also gradients of what follows from learned weights.
    WeightGradients,
    /// Also gradients of the features.
    FeatureGradients,
}

impl Workspace {
    /// Room for `rows` rows.
    pub(crate) fn new(plan: &Plan, rows: usize, need: Need) -> Self {
        let values = plan.widths.iter().map(|width| vec![0.0; rows * width]).collect();
        let wanted = wanted(plan, need);
        let gradients = plan.widths.iter().zip(&wanted);
        let gradients =
            gradients.map(|(width, wanted)| vec![0.0; if *wanted { rows * width } else { 0 }]).collect();
        let statistics = plan.steps.iter().map(|step| vec![0.0; statistics(plan, step, rows)]).collect();
        Self { values, gradients, statistics }
    }
}

fn statistics(plan: &Plan, step: &Step, rows: usize) -> usize {
    match step {
        Step::LayerNorm { .. } => 2 * rows,
        Step::BatchNorm { input, .. } => 3 * plan.widths[*input],
        _ => 0,
    }
}

/// Which buffers have a gradient where that of weights is wanted.
#[cfg(any(feature = "cuda", test))]
pub(crate) fn wanted_with_weights(plan: &Plan) -> Vec<bool> {
    wanted(plan, Need::WeightGradients)
}

/// Which buffers have a gradient that somebody wants: those that follow from weights, or all.
fn wanted(plan: &Plan, need: Need) -> Vec<bool> {
    let mut wanted = vec![need == Need::FeatureGradients; plan.widths.len()];
    if need == Need::Values {
        return wanted;
    }
    for step in &plan.steps {
        let learned = match step {
            Step::Numeric { .. } | Step::Piecewise { .. } => false,
            Step::Periodic { .. }
            | Step::Embed { .. }
            | Step::Linear { .. }
            | Step::LayerNorm { .. }
            | Step::BatchNorm { .. } => true,
            _ => inputs_of(step).any(|input| wanted[input]),
        };
        wanted[step.output()] |= learned;
    }
    wanted
}

/// The buffers that a step reads.
pub(crate) fn inputs_of(step: &Step) -> impl Iterator<Item = Buffer> {
    let (first, second) = match step {
        Step::Numeric { .. } | Step::Piecewise { .. } | Step::Periodic { .. } | Step::Embed { .. } => {
            (None, None)
        }
        Step::Linear { input, .. }
        | Step::Activate { input, .. }
        | Step::LayerNorm { input, .. }
        | Step::BatchNorm { input, .. }
        | Step::Dropout { input, .. }
        | Step::Sum { input, .. } => (Some(*input), None),
        Step::Add { left, right, .. } => (Some(*left), Some(*right)),
        Step::Interact { vector, embeddings, .. } => (*vector, *embeddings),
    };
    first.into_iter().chain(second)
}
