//! Fits a network: on the CPU with the same bits for any number of threads, on a GPU (`crate::gpu`) with the same ones on every run.
//!
//! On the CPU a step takes a batch in the keyed order of `order`. It is cut into shards, whose number follows from its rows; threads
//! take shards, each through the network and back (`shard`); gradients are added along a fixed tree and weights follow
//! them, block by block (`update`). Nothing that is drawn or added depends on who did it.

pub(crate) mod checkpoint;
mod cpu;
pub(crate) mod engine;
pub(crate) mod epochs;
mod loss;
pub(crate) mod order;
mod pairs;
pub(crate) mod place;
pub(crate) mod shard;
pub(crate) mod start;
pub(crate) mod step;
mod survey;
mod team;
#[cfg(test)]
mod tests;
pub(crate) mod update;

use serde::{Deserialize, Serialize};

use sluice_core::Execution;
use sluice_core::error::{CommonError, Result};
use sluice_core::options::OptionsError;

use crate::error::NetworkError;
use crate::layout::{InputLayout, LabelLayout};
use crate::model::{NetworkDescription, NetworkModel};
use crate::random::Key;
use crate::rows::Rows;
use crate::spec::NetworkSpec;

pub use checkpoint::Checkpoints;
use checkpoint::{Keeper, identity_of};
use epochs::Training;
use place::Place;
use shard::Objective;
use survey::Survey;

/// What keys are for.
mod purpose {
    pub(super) const START: u64 = 1;
    pub(super) const ORDER: u64 = 2;
    pub(super) const DROPOUT: u64 = 3;
}

/// What happened in an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRecord {
    /// The epoch, from 1.
    pub epoch: u32,
    /// Steps since the beginning.
    pub steps: u64,
    /// The mean loss of the training rows, each when its batch came; of a standardised label in its standard deviations.
    pub training_loss: f64,
    /// The mean loss of the validation rows after the epoch.
    pub validation_loss: Option<f64>,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// The mean length of gradients, before they were shortened.
    pub gradient_norm: f64,
}

/// A fitted network and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedNetwork {
    /// The network; with early stopping that of the best epoch.
    pub model: NetworkModel,
    /// The epochs in order.
    pub history: Vec<EpochRecord>,
    /// The epoch, from 1, whose weights it has.
    pub best_epoch: u32,
    /// Whether it was stopped before the last epoch.
    pub stopped_early: bool,
    /// Where it was trained, such as `cpu`.
    pub device: String,
}

/// Told what happens in training; called from the thread that trains.
pub trait Observer {
    /// An epoch is over.
    fn epoch(&mut self, _record: &EpochRecord) {}
}

/// Tells nobody.
impl Observer for () {}

/// How a network is trained, as opposed to which: none of it changes a bit.
#[derive(Default)]
pub struct FitOptions<'a> {
    /// Threads, cancelling, progress.
    pub execution: Execution,
    /// Told what happens.
    pub observer: Option<&'a mut dyn Observer>,
    /// Where it is noted how far it is, to go on from there.
    pub checkpoints: Option<Checkpoints>,
}

impl std::fmt::Debug for FitOptions<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { execution, observer, checkpoints } = self;
        formatter
            .debug_struct("FitOptions")
            .field("execution", execution)
            .field("observer", &observer.is_some())
            .field("checkpoints", checkpoints)
            .finish()
    }
}

/// Fits the network that `spec` describes to `training`, looking at `validation` after each epoch.
///
/// # Errors
/// What cannot be meant ([`NetworkSpec::check_with`], a batch greater than the data, early stopping without validation rows),
/// a device that is not there; [`NetworkError`] with the row for values that cannot be; a label that does not vary; a loss
/// or a gradient that is no number any more; what kept rows from being read; an interrupt.
pub fn fit(
    spec: &NetworkSpec,
    (inputs, label): (&InputLayout, &LabelLayout),
    training: &mut dyn Rows,
    validation: Option<&mut dyn Rows>,
    options: FitOptions<'_>,
) -> Result<FittedNetwork> {
    let description = NetworkDescription::new(spec, inputs, label)?;
    let place = Place::of(spec)?;
    check(spec, training.rows(), validation.is_some())?;
    fit_at(spec, description, (training, validation), options, place)
}

/// The same at a place.
fn fit_at(
    spec: &NetworkSpec,
    mut description: NetworkDescription,
    (training, validation): (&mut dyn Rows, Option<&mut dyn Rows>),
    options: FitOptions<'_>,
    place: Place,
) -> Result<FittedNetwork> {
    let hashed = options.checkpoints.is_some();
    let mut survey = Survey::of(training, &description, "training", hashed)?;
    survey.check_varies(&description, training.rows())?;
    description.scale = survey.scale(spec, description.loss);
    let objective = Objective {
        loss: description.loss,
        scale: description.scale,
        class_factors: survey.class_factors(spec, &description),
    };
    let plan = crate::plan::Plan::new(spec, &description.inputs, description.outputs());
    let mut weights = start::start_weights(&plan, Key::new(spec.seed, purpose::START));
    survey.fill_bins(&plan, &mut weights);
    let mut hashes = vec![survey.hash];
    let mut validation = validation;
    if let Some(rows) = &mut validation {
        hashes.push(Survey::of(&mut **rows, &description, "validation", hashed)?.hash);
    }
    let keeper = match &options.checkpoints {
        Some(checkpoints) => {
            Some(Keeper::new(checkpoints.clone(), identity(spec, &description, &hashes, &place)?))
        }
        None => None,
    };
    let inputs = epochs::Inputs { training, validation, keeper, options };
    let outcome =
        Training { spec, plan: &plan, objective: &objective }.run(&place.computing, weights, inputs)?;
    Ok(FittedNetwork {
        model: NetworkModel::new(description, outcome.weights)?,
        history: outcome.history,
        best_epoch: outcome.best_epoch,
        stopped_early: outcome.stopped_early,
        device: place.name,
    })
}

fn check(spec: &NetworkSpec, rows: u64, has_validation: bool) -> Result<()> {
    if rows == 0 {
        return Err(NetworkError::RowsMissing { subset: "training" }.into());
    }
    if u64::from(spec.batch_size) > rows {
        return Err(NetworkError::BatchTooLarge { batch_size: spec.batch_size, rows }.into());
    }
    if spec.early_stopping.is_some() && !has_validation {
        return Err(OptionsError::Conflict {
            name: "network.early_stopping".into(),
            problem: "has no validation rows to look at".into(),
            hint: Some("name a subset of the data in `network.early_stopping.subset`".into()),
        }
        .into());
    }
    Ok(())
}

/// What tells a training from another: all that can change a bit of it.
fn identity(
    spec: &NetworkSpec,
    description: &NetworkDescription,
    hashes: &[u64],
    place: &Place,
) -> Result<String> {
    let text = |error: serde_json::Error| CommonError::Internal(error.to_string());
    let parts = [
        serde_json::to_string(spec).map_err(text)?,
        serde_json::to_string(description).map_err(text)?,
        format!("{hashes:?}"),
        place.name.clone(),
        cpu_level(),
    ];
    Ok(identity_of(&parts.each_ref().map(String::as_str)))
}

/// The level of the CPU, which products of matrices depend on.
fn cpu_level() -> String {
    format!("{:?}", pulp::Arch::new())
}
