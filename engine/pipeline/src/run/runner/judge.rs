//! The steps that judge the data: statistics, schema, validation.

use std::path::Path;

use sluice_core::artifact::{Artifact, hex_digest};
use sluice_core::error::{CommonError, Error, ErrorKind, Result};
use sluice_core::execution::Execution;
use sluice_core::plan::PlanOptions;
use sluice_core::seam::BatchSource;
use sluice_ingest::Dataset;
use sluice_quality::schema::SchemaFile;
use sluice_quality::statistics::StatisticsOptions;

use super::super::cache::KeyParts;
use super::super::step_name::StepName;
use super::{Runner, Work};
use crate::step;
use crate::step::statistics::StatisticsRecord;
use crate::step::validate::{Others, Rows, ValidationRecord};

impl Runner<'_> {
    /// Statistics, schema and validation; whether the data may flow on.
    pub(super) fn judged(&mut self, dataset: &Dataset) -> Result<Option<bool>> {
        let file = self.file;
        self.rules_fit(dataset)?;
        let Some((statistics, statistics_artifact)) = self.statistics(dataset)? else { return Ok(None) };
        let digest = statistics_artifact.digest();
        let Some((schema, schema_digest)) = self.schema(&statistics, digest)? else { return Ok(None) };
        let inferred = file.spec.schema.is_none();
        let (options, rows) = (&file.spec.validate.options, &file.spec.validate.rows);
        let key = &file.spec.data.roles.key;
        let dataset_digest = dataset.artifact().digest();
        let parts = KeyParts::new()
            .with("statistics", digest)
            .with("schema", &schema_digest)
            .with_options("options", &(options, inferred))?
            .with_options("rows", &(rows, key))?;
        let validation = self.step(Work {
            name: StepName::Validate,
            parts,
            rows: if rows.is_empty() { 0 } else { dataset.record().subsets.values().sum() },
            open: ValidationRecord::open,
            make: |target: &Path, execution: &Execution| {
                let others = Others::default();
                let mut validation = ValidationRecord::new(&statistics, &schema, inferred, options, &others)?;
                let open = |subset: &str| dataset.subset(subset, PlanOptions::default(), execution);
                let data = Rows { open: &open, key, checks: rows };
                let has_read = validation.look_at_rows(&schema, options, &data, execution)?;
                let mut made_of = vec![("statistics", digest), ("schema", schema_digest.as_str())];
                made_of.extend(has_read.then_some(("data", dataset_digest)));
                let junit = validation.junit(&schema, options, &others);
                validation.publish(&schema, &junit, &made_of, target)?;
                Ok(validation)
            },
            summary: |validation: &ValidationRecord| match validation.counts() {
                (0, 0) => "nothing found".to_owned(),
                (errors, warnings) => format!("{errors} errors, {warnings} warnings"),
            },
        })?;
        let Some(validation) = validation else { return Ok(None) };
        let accepted = validation.accepted;
        self.report.validation = Some(validation);
        Ok(Some(accepted))
    }

    /// Whether the rules fit the columns, before anything is counted: that takes no more than a footer.
    fn rules_fit(&mut self, dataset: &Dataset) -> Result<()> {
        let checks = &self.file.spec.validate.rows;
        let Some(subset) = dataset.record().subsets.keys().next().filter(|_| !checks.is_empty()) else {
            return Ok(());
        };
        dataset
            .subset(subset, PlanOptions::default(), &self.options.execution)
            .and_then(|source| checks.check_plan(source.plan()))
            .map_err(|error| error.in_place(format!("step `{}`", StepName::Validate)))
    }

    /// The statistics, and the transform with them if neither is there already: both read the training rows, so both
    /// come from one scan.
    fn statistics(&mut self, dataset: &Dataset) -> Result<Option<(StatisticsRecord, Artifact)>> {
        let file = self.file;
        let dataset_digest = dataset.artifact().digest();
        let options = self.statistics_options(dataset)?;
        let parts = KeyParts::new().with("dataset", dataset_digest).with_options("options", &options)?;
        let shares = self.is_missing(StepName::Statistics, &parts)?
            && self.is_missing(StepName::Transform, &self.transform_parts(dataset)?)?;
        let mut fitted = None;
        let statistics = self.step(Work {
            name: StepName::Statistics,
            parts,
            rows: dataset.record().subsets.values().sum(),
            open: StatisticsRecord::open_artifact,
            make: |target: &Path, execution: &Execution| {
                let (spec, roles) = (&file.spec.transform, &file.spec.data.roles);
                let shared = match shares {
                    true => Some(step::statistics::with_transform(dataset, &options, spec, roles, execution)),
                    false => None,
                };
                let statistics = match shared {
                    Some(Ok((statistics, transform))) => {
                        fitted = Some(transform);
                        statistics
                    }
                    Some(Err(error)) if matches!(error.kind(), ErrorKind::Interrupted(_)) => {
                        return Err(error);
                    }
                    // What is wrong with the transform is said when its turn comes, after the validation.
                    Some(Err(_)) | None => step::statistics::of_dataset(dataset, None, &options, execution)?,
                };
                let artifact = statistics.publish(dataset_digest, target)?;
                Ok((statistics, artifact))
            },
            summary: |(statistics, _): &(StatisticsRecord, _)| {
                let columns = statistics.subsets.first().map_or(0, |subset| subset.columns.len());
                format!("{columns} columns of {} subsets", statistics.subsets.len())
            },
        })?;
        self.fitted = fitted;
        Ok(statistics)
    }

    /// What the pipeline file asks of the statistics, and what its schema says of the columns.
    fn statistics_options(&mut self, dataset: &Dataset) -> Result<StatisticsOptions> {
        let file = self.file;
        let options = file.spec.statistics.clone();
        let Some(path) = &file.spec.schema else { return Ok(options) };
        let _ = self.begin(StepName::Statistics);
        step::schema::read(&file.resolve(path))
            .and_then(|schema| {
                step::statistics::with_schema(options, schema.schema(), dataset, &self.options.execution)
            })
            .map_err(|error| error.in_place(format!("step `{}`", StepName::Statistics)))
    }

    fn schema(
        &mut self,
        statistics: &StatisticsRecord,
        digest: &str,
    ) -> Result<Option<(SchemaFile, String)>> {
        let file = self.file;
        let _ = self.begin(StepName::Schema);
        let at_step = |error: Error| error.in_place(format!("step `{}`", StepName::Schema));
        let given = match &file.spec.schema {
            Some(path) => Some((step::schema::read(&file.resolve(path)).map_err(at_step)?, path)),
            None => None,
        };
        let origin = match &given {
            Some((schema, _)) => {
                ("file", hex_digest(sluice_quality::schema::write_schema(schema).as_bytes()))
            }
            None => ("inferred-from", digest.to_owned()),
        };
        self.step(Work {
            name: StepName::Schema,
            parts: KeyParts::new().with(origin.0, &origin.1),
            rows: 0,
            open: |path: &Path| {
                let (schema, artifact) = step::schema::open(path)?;
                Ok((schema, artifact.digest().to_owned()))
            },
            make: |target: &Path, _: &Execution| {
                let schema = match &given {
                    Some((schema, _)) => schema.clone(),
                    None => {
                        let train = statistics.subset(step::TRAIN).ok_or_else(|| {
                            CommonError::Internal("there are no statistics of the training rows".into())
                        })?;
                        step::schema::infer(train)
                    }
                };
                let artifact = step::schema::publish(&schema, (origin.0, &origin.1), target)?;
                Ok((schema, artifact.digest().to_owned()))
            },
            summary: |(schema, _): &(SchemaFile, String)| {
                let origin = match &given {
                    Some((_, path)) => format!("read from `{path}`"),
                    None => "inferred from the training rows".to_owned(),
                };
                format!("{} features, {origin}", schema.schema().features.len())
            },
        })
    }
}
