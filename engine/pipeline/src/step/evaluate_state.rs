//! States of evaluations: what shards of the rows are merged from. What is concluded from merged states is the very bytes
//! of one run.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use sluice_core::artifact::{Artifact, Draft, EngineRecord};
use sluice_core::error::{Diagnostic, ErrorKind, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::{Partial, fold_splits};
use sluice_core::seam::BatchSource;
use sluice_core::spill::Scratch;
use sluice_evaluation::gate::Verdict;
use sluice_evaluation::measure::Measures;
use sluice_evaluation::{EvaluateOptions, EvaluationError, Subject, conclude, prepare};

use super::contender::Entrants;
use super::evaluate::{Compared, Evaluated, Ready, publish, publish_verdict, ready};
use super::kept_states::states_in;
use super::state::{Shard, StateError};

/// The artifact's kind.
pub const EVALUATION_STATE_KIND: &str = "evaluation-state";
/// The version of its format.
pub const EVALUATION_STATE_VERSION: u32 = 2;
const FILE: &str = "state.json";
const SUMS_FILE: &str = "sums.state";

/// States of evaluations that do not fit together.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationStateError {
    /// Of another model, baseline or data, or with other options.
    #[error("`{path}` is a state of another {what} than `{first}`")]
    Other {
        /// In what they differ.
        what: &'static str,
        /// The first state.
        first: String,
        /// This one.
        path: String,
    },
    /// What a part of the rows cannot tell.
    #[error("weak slices are found in all rows, not in a shard of them")]
    WeakSlices,
    /// Sums that are not what the state says.
    #[error("the sums of `{path}` contradict what it says of itself")]
    Contradictory {
        /// The state.
        path: String,
    },
}

impl Diagnostic for EvaluationStateError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Other { .. } | Self::WeakSlices => ErrorKind::Usage,
            Self::Contradictory { .. } => ErrorKind::Malformed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Other { .. } => "make all states of one data set, with the same models and options",
                Self::WeakSlices => "leave `weak_slices` out, and run `sluice find-weak-slices` on all rows",
                Self::Contradictory { .. } => "make it again",
            }
            .into(),
        )
    }
}

/// What must be the same in states that are merged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateRecord {
    subject: Subject,
    options: EvaluateOptions,
    label_shift: f64,
    made_from: BTreeMap<String, String>,
    num_rows: u64,
    /// For messages about the whole.
    source: String,
}

/// The state of some of the rows.
#[derive(Clone, Debug)]
pub struct EvaluationState {
    record: StateRecord,
    /// Of the candidate, then of the contenders of the subject.
    partial: Partial<Vec<Measures>>,
}

impl EvaluationState {
    /// The state of a shard of the rows.
    ///
    /// # Errors
    /// As the evaluation itself; also where the baseline cannot predict a row, which one run answers with a verdict.
    pub fn of_shard<'a>(
        source: &dyn BatchSource,
        data_digest: &str,
        models: impl Into<Entrants<'a>>,
        compared: impl Into<Compared<'a>>,
        options: &EvaluateOptions,
        (shard, execution): (Shard, &Execution),
    ) -> Result<Self> {
        if options.weak_slices.is_some() {
            return Err(EvaluationStateError::WeakSlices.into());
        }
        let (models, compared) = (models.into(), compared.into());
        let Ready { candidate, contenders, options } = ready(source, models, options, execution)?;
        let entrants = sluice_evaluation::Entrants { candidate: &candidate, contenders: &contenders };
        let baseline = compared.baseline(source, options.missing, execution)?;
        let (measures, subject) = prepare(source, entrants, &baseline, &options, execution)?;
        let plan = source.plan();
        execution.progress.begin("evaluate", plan.extent());
        let partial = fold_splits(source, shard.splits(plan), &measures, execution)?;
        execution.progress.end();
        let record = StateRecord {
            subject,
            label_shift: options.label_shift,
            options,
            made_from: compared.made_from(data_digest, models),
            num_rows: partial.rows(),
            source: source.name(),
        };
        Ok(Self { record, partial })
    }

    /// Rows read.
    #[must_use]
    pub fn num_rows(&self) -> u64 {
        self.record.num_rows
    }

    /// Writes the artifact; answers its bytes.
    ///
    /// # Errors
    /// What writing meets.
    pub fn publish(&self, target: &Path) -> Result<u64> {
        let mut draft = Draft::new(target)?;
        draft.write_json(FILE, &self.record)?;
        let sums = self.partial.to_bytes(EVALUATION_STATE_KIND, EVALUATION_STATE_VERSION)?;
        draft.write_bytes(SUMS_FILE, &sums)?;
        let made_from = self.record.made_from.clone();
        let artifact = draft.publish(EVALUATION_STATE_KIND, EVALUATION_STATE_VERSION, made_from)?;
        Ok(artifact.manifest().files.values().map(|file| file.size_bytes).sum())
    }

    /// Opens the artifact.
    ///
    /// # Errors
    /// `ArtifactError`; [`StateError::OtherEngine`]; what is wrong with a state that is damaged.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.display().to_string();
        let artifact = Artifact::open(folder, EVALUATION_STATE_KIND, EVALUATION_STATE_VERSION)?;
        let (found, current) = (&artifact.manifest().engine.version, EngineRecord::current().version);
        if *found != current {
            return Err(StateError::OtherEngine { path, found: found.clone(), current }.into());
        }
        let record: StateRecord = artifact.read_json(FILE)?;
        let partial: Partial<Vec<Measures>> =
            Partial::from_bytes(&artifact.read(SUMS_FILE)?, EVALUATION_STATE_KIND, EVALUATION_STATE_VERSION)
                .map_err(|error| error.in_place(format!("`{path}`")))?;
        let contenders = record.subject.contenders.iter().map(|contender| &contender.digest);
        let digests: Vec<&String> =
            [&record.subject.candidate_digest].into_iter().chain(contenders).collect();
        let is_own =
            |(sums, digest): (&Measures, &&String)| sums.is_sound() && sums.candidate_digest() == *digest;
        let are_own =
            |all: &Vec<Measures>| all.len() == digests.len() && all.iter().zip(&digests).all(is_own);
        if partial.part_of(|sums| Some(sums).filter(|sums| are_own(sums))).is_none() {
            return Err(EvaluationStateError::Contradictory { path }.into());
        }
        Ok(Self { record, partial })
    }

    /// Opens and merges the states in these folders, in any order.
    ///
    /// # Errors
    /// [`EvaluationStateError`] and `FoldError` where they do not fit together, and what opening meets.
    pub fn merge(folders: &[impl AsRef<Path>]) -> Result<Self> {
        let mut whole: Option<(String, Self)> = None;
        for folder in states_in(folders, EVALUATION_STATE_KIND)? {
            let (path, state) = (folder.display().to_string(), Self::open(&folder)?);
            match &mut whole {
                None => whole = Some((path, state)),
                Some((first, whole)) => whole.join(first, state, &path)?,
            }
        }
        Ok(whole.ok_or(StateError::Nothing)?.1)
    }

    fn join(&mut self, first: &str, other: Self, path: &str) -> Result<()> {
        if let Some(what) = difference(&self.record, &other.record) {
            return Err(EvaluationStateError::Other { what, first: first.into(), path: path.into() }.into());
        }
        self.partial.merge(other.partial).map_err(|error| error.in_place(format!("`{path}`")))?;
        self.record.num_rows += other.record.num_rows;
        Ok(())
    }

    /// Concludes, and writes the evaluation: the bytes of one run.
    ///
    /// # Errors
    /// `FoldError` where a part of the rows is missing, and what concluding and writing meet.
    pub fn finish(self, target: &Path, execution: &Execution) -> Result<Evaluated> {
        let Self { record, partial } = self;
        let execution = &execution.clone().with_scratch(Scratch::beside(target));
        let state = partial.finish()?;
        if state.rows == 0 {
            return Err(EvaluationError::RowsMissing { source_name: record.source }.into());
        }
        let options = EvaluateOptions { label_shift: record.label_shift, ..record.options };
        match conclude(state, &record.subject, &options, execution) {
            Ok(evaluation) => publish(evaluation, None, target, record.made_from),
            Err(error) => {
                if !matches!(error.kind(), ErrorKind::Interrupted(_)) {
                    let digest = &record.subject.candidate_digest;
                    let verdict = Verdict::of_error(digest, options.alpha, &error);
                    publish_verdict(Draft::new(target)?, &verdict, record.made_from)?;
                }
                Err(error)
            }
        }
    }
}

/// In what two states differ that they must not.
fn difference(first: &StateRecord, other: &StateRecord) -> Option<&'static str> {
    let data = |record: &StateRecord| record.made_from.get("data").cloned();
    if data(first) != data(other) {
        Some("data set")
    } else if first.subject.candidate_digest != other.subject.candidate_digest {
        Some("model")
    } else if first.subject.contenders != other.subject.contenders {
        Some("set of contenders")
    } else if first.subject != other.subject || first.made_from != other.made_from {
        Some("baseline")
    } else if first.options.order_statistics != other.options.order_statistics {
        Some("way to find metrics of order (`order_statistics`)")
    } else if first.options != other.options || first.label_shift.to_bits() != other.label_shift.to_bits() {
        Some("set of options")
    } else {
        None
    }
}
