//! Transform: fitted on the training rows, nothing else.

use std::path::Path;

use serde::Serialize;

use sluice_core::artifact::{Artifact, Draft};
use sluice_core::error::{Diagnostic, ErrorKind, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::{Missing, fold_kept};
use sluice_core::plan::{PlanOptions, PlannedColumn};
use sluice_core::role::Roles;
use sluice_core::seam::{BatchSource as _, BatchTransform as _};
use sluice_core::statistics::DatasetStatistics;
use sluice_ingest::{Dataset, IngestError};
use sluice_quality::schema::{read_schema, write_schema};
use sluice_quality::statistics::{StatisticsOptions, compute_with};
use sluice_source::FileSource;
use sluice_transform::{Fitter, OfTrainingRows, PlannedFeature, PlannedScan, Transform, TransformSpec};

use crate::check::planned_columns;
use crate::spec::PipelineFile;
use crate::step::apply::{FeatureSource, column_map, output_schema};
use crate::step::kept_states::Reading;
use crate::step::schema::SCHEMA_FILE;
use crate::step::statistics::{StatisticsRecord, spans_of};
use crate::step::transform_state::KeptAnalyses;
use crate::step::{TRAIN, made_from};

/// The artifact's kind.
pub const TRANSFORM_KIND: &str = "transform";
/// The version of its format.
pub const TRANSFORM_VERSION: u32 = 2;
const FILE: &str = "transform.json";
/// The map from output columns to the columns of the data.
const COLUMNS_FILE: &str = "columns.json";

/// A transform, and what fitting it has read.
#[derive(Clone, Debug)]
pub struct Fit {
    /// The transform.
    pub transform: Transform,
    /// What was read in the first scan; a transform of several scans reads every row in the later ones.
    pub reading: Reading,
}

/// Fits a transform on the training rows. With a folder of states, spans whose state is kept there are not read in the
/// first scan, and the states of the others are kept there; the transform is the same bytes.
///
/// # Errors
/// What fitting meets; `StateError` for a folder that is something else, and what keeping states meets.
pub fn fit(
    spec: &TransformSpec,
    dataset: &Dataset,
    roles: &Roles,
    states: Option<&Path>,
    execution: &Execution,
) -> Result<Fit> {
    let source = dataset.subset(TRAIN, PlanOptions::default(), execution)?;
    check_rows(dataset, &source)?;
    let plan = source.plan();
    let mut fitter = Fitter::new(spec, &plan.columns, roles)?;
    check_leaks(&fitter, dataset, roles)?;
    let mut reading = Reading::default();
    match (states, fitter.next_scan()?) {
        (Some(folder), Some(analysis)) => {
            let mut kept = KeptAnalyses::new(folder, dataset, (spec, roles), plan)?;
            let missing = kept.kept.missing(plan);
            reading.add(&missing);
            reading.set_aside(&kept.kept);
            execution.progress.begin("transform", missing.extent(plan));
            let state = fold_kept(&source, &analysis, &missing, &mut kept, execution)?;
            execution.progress.end();
            fitter.absorb(state.accumulator)?;
        }
        (_, Some(_)) => reading.add(&Missing::new(plan, |_| false)),
        (_, None) => {}
    }
    fitter.scan(&source, execution)?;
    Ok(Fit { transform: fitter.finish()?, reading })
}

/// Refuses a data set without training rows, from which nothing can be learned.
pub(super) fn check_rows(dataset: &Dataset, source: &FileSource) -> Result<()> {
    if source.plan().rows() > 0 {
        return Ok(());
    }
    let found = dataset.record().subsets.iter().map(|(name, rows)| (name.clone(), *rows)).collect();
    let rule = dataset.record().assigned.clone();
    Err(IngestError::Empty { name: TRAIN.into(), found, rule }.into())
}

/// Refuses features that leak the label, as the lineage of the data set's columns shows it.
///
/// # Errors
/// `TransformError::Leakage`.
pub fn check_lineage(
    spec: &TransformSpec,
    dataset: &Dataset,
    roles: &Roles,
    execution: &Execution,
) -> Result<()> {
    let source = dataset.subset(TRAIN, PlanOptions::default(), execution)?;
    check_leaks(&Fitter::new(spec, &source.plan().columns, roles)?, dataset, roles)
}

pub(super) fn check_leaks(fitter: &Fitter, dataset: &Dataset, roles: &Roles) -> Result<()> {
    match &dataset.record().query {
        Some(query) => Ok(fitter.check_lineage(roles, &query.lineage)?),
        None => Ok(()),
    }
}

/// Writes a fitted transform.
///
/// # Errors
/// What writing meets.
pub fn publish(transform: Transform, dataset: &Dataset, target: &Path) -> Result<(Transform, Artifact)> {
    publish_of(transform, dataset.artifact().digest(), None, target)
}

/// As [`publish`], of a data set with this digest, with the statistics of what comes out if they were computed.
///
/// # Errors
/// What writing meets.
pub fn publish_of(
    transform: Transform,
    dataset: &str,
    statistics: Option<&StatisticsRecord>,
    target: &Path,
) -> Result<(Transform, Artifact)> {
    let mut draft = Draft::new(target)?;
    draft.write_json(FILE, &transform)?;
    draft.write_json(COLUMNS_FILE, &column_map(transform.space()))?;
    let mut schema = read_schema("", SCHEMA_FILE)?;
    schema.replace(output_schema(transform.space()));
    draft.write_bytes(SCHEMA_FILE, write_schema(&schema).as_bytes())?;
    if let Some(statistics) = statistics {
        statistics.write(&mut draft)?;
    }
    let made_from = made_from([("dataset", dataset)]);
    let artifact = draft.publish(TRANSFORM_KIND, TRANSFORM_VERSION, made_from)?;
    Ok((transform, artifact))
}

/// The statistics of what comes out of the training rows: of the table that `apply` writes for them, codes of levels
/// counted as the categories that they are. Takes one more scan.
///
/// # Errors
/// What reading and applying meet.
pub fn output_statistics(
    transform: &Transform,
    dataset: &Dataset,
    execution: &Execution,
) -> Result<StatisticsRecord> {
    let source = dataset.subset(TRAIN, PlanOptions::default(), execution)?;
    // Its own training rows must not see what it learnt of their labels.
    let applied = OfTrainingRows::of(transform);
    let features = FeatureSource::new(applied.as_ref(), &source)?;
    let schema = output_schema(transform.space());
    let options = StatisticsOptions::default().with_schema(&schema, &features.plan().columns)?;
    let statistics = compute_with(&options, TRAIN, &features, execution)?;
    Ok(StatisticsRecord { subsets: vec![DatasetStatistics { spans: spans_of(dataset), ..statistics }] })
}

/// Opens a fitted transform.
///
/// # Errors
/// `ArtifactError`.
pub fn open(folder: &Path) -> Result<(Transform, Artifact)> {
    let artifact = Artifact::open(folder, TRANSFORM_KIND, TRANSFORM_VERSION)?;
    Ok((artifact.read_json(FILE)?, artifact))
}

/// What stands in the way of planning.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A query whose columns have no names before it is answered.
    #[error("only the rows tell which columns the query answers")]
    Columns,
}

impl Diagnostic for PlanError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("name its expressions with AS, or ingest the data and name the data set".into())
    }
}

/// What fitting will do.
#[derive(Clone, Debug, Serialize)]
pub struct TransformPlan {
    /// The scans of the training rows, in order.
    pub scans: Vec<PlannedScan>,
    /// The features that will come out.
    pub features: Vec<PlannedFeature>,
}

impl TransformPlan {
    /// Binds operations to the columns of data.
    ///
    /// # Errors
    /// `TransformError` when an operation does not fit its columns.
    pub fn new(spec: &TransformSpec, columns: &[PlannedColumn], roles: &Roles) -> Result<Self> {
        let fitter = Fitter::new(spec, columns, roles)?;
        Ok(Self { scans: fitter.scans(), features: fitter.features() })
    }
}

/// What fitting on a data set will do.
///
/// # Errors
/// What opening meets, and as [`TransformPlan::new`].
pub fn plan_of_dataset(
    spec: &TransformSpec,
    dataset: &Dataset,
    roles: &Roles,
    execution: &Execution,
) -> Result<TransformPlan> {
    let source = dataset.subset(TRAIN, PlanOptions::default(), execution)?;
    TransformPlan::new(spec, &source.plan().columns, roles)
}

/// What fitting the transform of a pipeline file will do, as the header of its data tells.
///
/// # Errors
/// [`PlanError`] where only the rows tell the columns; what opening meets, and as
/// [`TransformPlan::new`].
pub fn plan_of_file(file: &PipelineFile) -> Result<TransformPlan> {
    let roles = &file.spec.data.roles;
    let Some(columns) = planned_columns(file)? else { return Err(PlanError::Columns.into()) };
    let planned = TransformPlan::new(&file.spec.transform, &columns, roles);
    planned.map_err(|error| error.in_place("`transform`"))
}
