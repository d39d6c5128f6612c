//! Predict: scores rows in bulk. A row whose features are null, NaN or infinite has a null prediction and is
//! counted; it does not stop the others.
//!
//! The rows are written as parts of some million each, cut where the plan says and nowhere else, so that an interrupted
//! work can go on after the last part that was complete and lead to the same bytes.

mod columns;
mod parts;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use sluice_core::artifact::{Artifact, Draft, EngineRecord, PartFiles, hex_digest};
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::{Execution, Extent};
use sluice_core::fold::in_order_weighed;
use sluice_core::options::{OptionsError, Range};
use sluice_core::plan::Split;
use sluice_core::seam::BatchSource;
use sluice_delivery::ModelPackage;
use sluice_training::explain::{ContributionSums, OutputContributions};

use crate::step::made_from;
use columns::{Layout, Scored};
use parts::{Part, PartWriter};

/// The artifact's kind.
pub const PREDICTIONS_KIND: &str = "predictions";
/// The version of its format.
pub const PREDICTIONS_VERSION: u32 = 2;
const RECORD_FILE: &str = "predictions.json";
/// What features add on average, where contributions are written.
const EXPLANATIONS_FILE: &str = "explanations.json";

/// What is written, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PredictOptions {
    /// Columns to pass through, in this order.
    pub keep: Vec<String>,
    /// Whether all columns of the source are passed through, in its order.
    pub keep_all: bool,
    /// The predictions to write; all of them where none is named.
    pub predictions: Vec<String>,
    /// Whether what each feature adds is written beside the predictions.
    pub explain: bool,
    /// How rows are written.
    pub format: PredictionFormat,
    /// Rows of a part: it ends with the split of the plan that reaches them.
    pub part_rows: u64,
    /// Whether complete parts are kept until the artifact stands, and those of an interrupted call taken up.
    pub resume: bool,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PredictionFormat {
    /// Parquet files.
    #[default]
    Parquet,
    /// Arrow IPC files.
    Arrow,
    /// TFRecord files of `tf.Example`, packed with gzip.
    Tfrecord,
}

impl Default for PredictOptions {
    fn default() -> Self {
        Self {
            keep: Vec::new(),
            keep_all: false,
            predictions: Vec::new(),
            explain: false,
            format: PredictionFormat::default(),
            part_rows: Self::PART_ROWS,
            resume: false,
        }
    }
}

impl PredictOptions {
    /// Rows of a part unless told otherwise.
    pub const PART_ROWS: u64 = 1 << 22;
    /// The rows of a part that are allowed.
    pub const PART_ROWS_RANGE: Range = Range::closed(1.0, 1e12);

    /// # Errors
    /// [`OptionsError`].
    pub fn check(&self) -> Result<(), OptionsError> {
        if self.keep_all && !self.keep.is_empty() {
            return Err(OptionsError::Conflict {
                name: "keep_all".into(),
                problem: "passes all columns through, so `keep` names none".into(),
                hint: Some("leave one of them out".into()),
            });
        }
        Self::PART_ROWS_RANGE.check("part_rows", self.part_rows as f64).map(drop)
    }

    /// What decides the bytes of a part; that it may go on later does not.
    fn key(&self, data: &str, model: &str) -> Result<String> {
        let options = Self { resume: false, ..self.clone() };
        let identity = (PREDICTIONS_VERSION, EngineRecord::current(), data, model, options);
        let bytes =
            serde_json::to_vec(&identity).map_err(|error| CommonError::Internal(error.to_string()))?;
        Ok(hex_digest(&bytes))
    }
}

/// What became of the rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PredictionsRecord {
    /// Rows read and written.
    pub rows: u64,
    /// Rows among them whose prediction is null, because a feature is null, NaN or infinite.
    pub rows_without_prediction: u64,
    /// By feature the rows whose value is none of its levels though none of its sources is null: unseen in training, or
    /// left out by the options of its operation. They add nothing to the prediction. Features without such rows are not
    /// named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rows_without_level: BTreeMap<String, u64>,
    /// The columns written: those passed through, then the predictions, then what features add.
    pub columns: Vec<String>,
    /// Rows of each file, in order.
    pub files: BTreeMap<String, u64>,
}

/// What features add on average over the rows that were scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplanationsRecord {
    /// Rows with a prediction.
    pub rows: u64,
    /// By output the features, those that add most first.
    pub contributions: Vec<OutputContributions>,
}

/// What is known of the rows of a part.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Tally {
    rows: u64,
    without_prediction: u64,
    /// One per feature.
    without_level: Vec<u64>,
    contributions: ContributionSums,
}

impl Tally {
    fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.without_prediction += other.without_prediction;
        self.without_level.resize(std::cmp::max(self.without_level.len(), other.without_level.len()), 0);
        for (mine, other) in self.without_level.iter_mut().zip(other.without_level) {
            *mine += other;
        }
        self.contributions.merge(other.contributions);
    }
}

/// Scores every row of `source` and writes the columns that are passed through and the predictions to `target`, in the
/// order of the rows. Answers the parts that were taken up, too.
///
/// # Errors
/// A column that is missing or of another type than in training; what reading and writing meet.
pub fn predict(
    model: &ModelPackage,
    source: &dyn BatchSource,
    options: &PredictOptions,
    target: &Path,
    execution: &Execution,
) -> Result<(PredictionsRecord, Artifact, usize)> {
    options.check()?;
    let layout = Layout::new(model, source, options)?;
    let plan = source.plan();
    let mut draft = Draft::new(target)?;
    let key = options.key(&plan.digest, model.artifact().digest())?;
    let kept = options.resume.then(|| PartFiles::open(target, &key)).transpose()?;
    let parts = parts::parts(plan, options);
    let mut tallies: Vec<Option<Tally>> = Vec::with_capacity(parts.len());
    for part in &parts {
        tallies.push(kept.as_ref().map(|kept| kept.completed(&part.file)).transpose()?.flatten());
    }
    let taken_up = tallies.iter().flatten().count();
    write(model, source, &layout, (&parts, &mut tallies), (&mut draft, kept.as_ref()), execution)?;
    execution.progress.begin("writing", Extent::default());
    let (mut total, mut files) = (Tally::default(), BTreeMap::new());
    for (part, tally) in parts.iter().zip(tallies) {
        let tally = tally.ok_or_else(|| CommonError::Internal(format!("`{}` was not written", part.file)))?;
        files.insert(part.file.clone(), tally.rows);
        if let Some(kept) = &kept {
            kept.adopt(&part.file, &mut draft)?;
        }
        total.merge(tally);
    }
    if total.rows != plan.rows() {
        let problem = format!("{} rows were planned and {} were written", plan.rows(), total.rows);
        return Err(CommonError::Internal(problem).into());
    }
    if let Some(explainer) = layout.explainer() {
        let contributions = total.contributions.finish(explainer);
        let record = ExplanationsRecord { rows: total.contributions.rows, contributions };
        draft.write_json(EXPLANATIONS_FILE, &record)?;
    }
    let record = layout.record(model, &total, files);
    draft.write_json(RECORD_FILE, &record)?;
    let made_of = [("data", plan.digest.as_str()), ("model", model.artifact().digest())];
    let artifact = draft.publish(PREDICTIONS_KIND, PREDICTIONS_VERSION, made_from(made_of))?;
    if let Some(kept) = kept {
        kept.remove();
    }
    execution.progress.end();
    Ok((record, artifact, taken_up))
}

/// Writes the parts that are not there yet.
fn write(
    model: &ModelPackage,
    source: &dyn BatchSource,
    layout: &Layout,
    (parts, tallies): (&[Part<'_>], &mut [Option<Tally>]),
    (draft, kept): (&mut Draft, Option<&PartFiles>),
    execution: &Execution,
) -> Result<()> {
    let missing: Vec<usize> = (0..parts.len()).filter(|number| tallies[*number].is_none()).collect();
    let items: Vec<(usize, &Split)> = missing
        .iter()
        .flat_map(|number| parts[*number].splits.iter().map(move |split| (*number, split)))
        .collect();
    let mut open: Option<PartWriter> = None;
    let extent = Extent {
        rows: Some(items.iter().map(|(_, split)| split.rows()).sum()),
        bytes: Some(items.iter().map(|(_, split)| source.plan().bytes_of(split)).sum())
            .filter(|&bytes| bytes > 0),
    };
    execution.progress.begin("predict", extent);
    in_order_weighed(
        &items,
        execution,
        Scored::size_bytes,
        |(_, split), task| layout.score(model, source, split, (execution, task)),
        |(number, split), scored| {
            let part = &parts[*number];
            let mut writer = match open.take() {
                Some(writer) => writer,
                None => PartWriter::new(part, layout, draft, kept)?,
            };
            writer.append(scored)?;
            let bytes = writer.size_bytes();
            if part.splits.last().is_some_and(|last| last.number == split.number) {
                tallies[*number] = Some(writer.finish(draft, kept)?);
                return Ok(0);
            }
            open = Some(writer);
            Ok(bytes)
        },
    )?;
    // The part of a source without rows has no split that could end it.
    for number in missing.into_iter().filter(|number| parts[*number].splits.is_empty()) {
        tallies[number] = Some(PartWriter::new(&parts[number], layout, draft, kept)?.finish(draft, kept)?);
    }
    Ok(())
}
