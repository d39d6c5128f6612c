//! Where a training stands, as a file from which it goes on with the same bits.
//!
//! One safetensors file holds weights, what the optimizer keeps of them and the best weights so far; its header the rest as
//! JSON with a SHA-256 over everything. It is written beside its place and renamed, so it is complete or absent. The identity
//! of the training (spec, features, label, rows) stands in it: a checkpoint of another training is refused.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs_err as fs;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};

use sluice_core::artifact::{hex_digest, write_whole};
use sluice_core::error::{CommonError, Result};

use super::EpochRecord;
use crate::error::NetworkError;
use crate::model::file::{bytes_of, read};

/// Of what a checkpoint holds; another one is refused.
const FORMAT: u32 = 1;

/// Where checkpoints are kept, and how often.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    /// The file. One that is there and of this training is gone on from; it is left when training is over.
    pub path: PathBuf,
    /// The time between two of them; one is also written when training is interrupted.
    pub interval: Duration,
}

/// The weights of the best epoch so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Best {
    pub(crate) epoch: u32,
    pub(crate) loss: f64,
    #[serde(skip)]
    pub(crate) weights: Vec<f32>,
}

/// Where a training stands, but for weights.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// Steps so far.
    pub(crate) step: u64,
    /// Batches of this epoch so far.
    pub(crate) batch: u64,
    /// Σ weight x loss of this epoch.
    pub(crate) loss: f64,
    /// Σ weight of this epoch.
    pub(crate) weight: f64,
    /// Σ length of gradients of this epoch.
    pub(crate) norms: f64,
    pub(crate) history: Vec<EpochRecord>,
    pub(crate) best: Option<Best>,
}

/// What is beside the tensors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: u32,
    identity: String,
    state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loss_scale: Option<LossScale>,
}

/// What losses are multiplied with so that gradients of 16 bits do not vanish.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LossScale {
    /// The factor.
    pub(crate) factor: f64,
    /// Steps since it changed.
    pub(crate) steps: u32,
}

/// What the optimizer and the network hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tensors {
    /// All weights.
    pub(crate) weights: Vec<f32>,
    /// What the optimizer keeps of each learned weight; as many as it wants.
    pub(crate) slots: Vec<Vec<f32>>,
    /// Of `precision: f16`.
    pub(crate) loss_scale: Option<LossScale>,
}

/// What a training is told apart by.
pub(crate) fn identity_of(parts: &[&str]) -> String {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part.as_bytes());
    }
    hex_digest(&bytes)
}

/// The checkpoints of one training.
#[derive(Debug)]
pub(crate) struct Keeper {
    options: Checkpoints,
    identity: String,
    last: Instant,
}

impl Keeper {
    pub(crate) fn new(options: Checkpoints, identity: String) -> Self {
        Self { options, identity, last: Instant::now() }
    }

    /// Whether it is time for the next one.
    pub(crate) fn is_due(&self) -> bool {
        self.last.elapsed() >= self.options.interval
    }

    /// Writes where the training stands.
    ///
    /// # Errors
    /// [`CommonError::File`].
    pub(crate) fn save(&mut self, state: &State, tensors: &Tensors) -> Result<()> {
        let header = Header {
            format: FORMAT,
            identity: self.identity.clone(),
            state: state.clone(),
            loss_scale: tensors.loss_scale,
        };
        let bytes = encode(&header, tensors).map_err(|problem| self.broken(&problem))?;
        write_whole(&self.options.path, &bytes)?;
        self.last = Instant::now();
        Ok(())
    }

    fn broken(&self, problem: &str) -> NetworkError {
        let path = self.options.path.display().to_string();
        NetworkError::Checkpoint { path, problem: problem.into() }
    }

    /// Where the training stood, if there is a checkpoint of it; `weights` and `slots` are the lengths it must have.
    ///
    /// # Errors
    /// [`NetworkError::Checkpoint`] for one that is broken or of another training; [`CommonError::File`].
    pub(crate) fn load(&self, weights: usize, slots: (usize, usize)) -> Result<Option<(State, Tensors)>> {
        let path: &Path = &self.options.path;
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CommonError::file("read", path, error).into()),
        };
        let (header, tensors) =
            decode(&bytes, weights, slots, &self.identity).map_err(|problem| self.broken(&problem))?;
        Ok(Some((header.state, tensors)))
    }
}

const STATE: &str = "state";
const DIGEST: &str = "sha256";

fn digest(state: &str, tensors: &[(String, Vec<u8>)]) -> String {
    let mut text = state.to_owned();
    for (name, bytes) in tensors {
        text.push_str(name);
        text.push_str(&hex_digest(bytes));
    }
    hex_digest(text.as_bytes())
}

fn encode(header: &Header, tensors: &Tensors) -> Result<Vec<u8>, String> {
    let state = serde_json::to_string(header).map_err(|error| error.to_string())?;
    let best = header.state.best.as_ref().map(|best| best.weights.as_slice());
    let mut stored = vec![("weights".to_string(), bytes_of(&tensors.weights))];
    stored.extend(best.map(|best| ("best".to_string(), bytes_of(best))));
    for (number, slot) in tensors.slots.iter().enumerate() {
        stored.push((format!("slots.{number}"), bytes_of(slot)));
    }
    let text = digest(&state, &stored);
    let views = stored.iter().map(|(name, bytes)| {
        let view = TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes);
        view.map(|view| (name.as_str(), view)).map_err(|error| error.to_string())
    });
    let views = views.collect::<Result<Vec<_>, String>>()?;
    let metadata = HashMap::from([(STATE.to_string(), state), (DIGEST.to_string(), text)]);
    serialize(views, Some(metadata)).map_err(|error| error.to_string())
}

fn decode(
    bytes: &[u8],
    weights: usize,
    (slots, length): (usize, usize),
    identity: &str,
) -> Result<(Header, Tensors), String> {
    let broken = || "is broken".to_string();
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|_| broken())?;
    let file = SafeTensors::deserialize(bytes).map_err(|_| broken())?;
    let metadata = metadata.metadata().as_ref().ok_or_else(broken)?;
    let (state, stated) = metadata.get(STATE).zip(metadata.get(DIGEST)).ok_or("is not one of a training")?;
    let mut header: Header = serde_json::from_str(state).map_err(|_| broken())?;
    let mut names = vec!["weights".to_string()];
    names.extend(header.state.best.is_some().then(|| "best".to_string()));
    names.extend((0..slots).map(|number| format!("slots.{number}")));
    let mut stored = Vec::new();
    for name in names {
        let view = file.tensor(&name).map_err(|_| broken())?;
        stored.push((name, view.data().to_vec()));
    }
    if digest(state, &stored) != *stated {
        return Err("is broken: its content does not have its digest".into());
    }
    if header.format != FORMAT {
        return Err(format!("has format {}, this build reads {FORMAT}", header.format));
    }
    if header.identity != identity {
        return Err("is of another training: spec, features, label or rows are not the same".into());
    }
    let values = |name: &str, length: usize| read(&file, name, &[length]).map_err(|_| broken());
    if let Some(best) = &mut header.state.best {
        best.weights = values("best", weights)?;
    }
    let slots = (0..slots).map(|number| values(&format!("slots.{number}"), length));
    let slots = slots.collect::<Result<_, _>>()?;
    let loss_scale = header.loss_scale;
    Ok((header, Tensors { weights: values("weights", weights)?, slots, loss_scale }))
}
