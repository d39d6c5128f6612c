//! The steps that judge the data: statistics, schema, validation.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use sluice_core::artifact::{Artifact, hex_digest};
use sluice_core::error::{CommonError, ErrorKind, Result};
use sluice_core::execution::Execution;
use sluice_core::plan::PlanOptions;
use sluice_core::schema::Schema;
use sluice_core::seam::BatchSource;
use sluice_ingest::Dataset;
use sluice_quality::schema::SchemaFile;
use sluice_quality::statistics::StatisticsOptions;

use super::super::earlier::{Previous, latest_accepted};
use super::super::facts;
use super::super::step_name::StepName;
use super::{Runner, Work};
use crate::key::KeyParts;
use crate::spec::PreviousSpec;
use crate::step;
use crate::step::kept_states::Reading;
use crate::step::statistics::StatisticsRecord;
use crate::step::together::{Beside, together, together_kept};
use crate::step::validate::{Others, Rows, ValidationRecord};

impl<'a> Runner<'a> {
    /// Statistics, schema and validation; whether the data may flow on.
    pub(super) fn judged(&mut self, dataset: &Dataset) -> Result<Option<bool>> {
        let file = self.file;
        self.rules_fit(dataset)?;
        let previous = self.previous(dataset)?;
        let previous_digest = previous.as_ref().map(|previous| previous.digest.as_str());
        if let (Some(chronicle), Some(previous)) = (&mut self.chronicle, &previous) {
            chronicle.know("previous", facts::previous(&previous.digest, &previous.place));
        }
        let Some((statistics, statistics_artifact)) = self.statistics(dataset, previous_digest)? else {
            return Ok(None);
        };
        let digest = statistics_artifact.digest();
        let Some((schema, schema_digest)) = self.schema(&statistics, digest)? else { return Ok(None) };
        let inferred = file.spec.schema.is_none();
        let (options, rows) = (&file.spec.validate.options, &file.spec.validate.rows);
        let key = &file.spec.data.roles.key;
        let dataset_digest = dataset.artifact().digest();
        let parts = self.validation_parts(digest, &schema_digest, previous_digest)?;
        let compared = self.compared(previous.as_ref(), schema.schema());
        let counted = std::mem::take(&mut self.counted);
        let shared = !counted.is_empty();
        let validation = self.step(Work {
            name: StepName::Validate,
            parts,
            parameters: json!({"options": options, "rows": rows, "schema": file.spec.schema}),
            open: ValidationRecord::open,
            make: |target: &Path, execution: &Execution| {
                let others = Others {
                    previous: previous.as_ref().map(|previous| &previous.statistics),
                    ..Others::default()
                };
                let mut validation = ValidationRecord::new(&statistics, &schema, inferred, options, &others)?;
                let open = |subset: &str| dataset.subset(subset, PlanOptions::default(), execution);
                let data = Rows { open: &open, key, checks: rows };
                let has_read = validation.look_at_rows(&schema, options, &data, counted, execution)?;
                let mut made_of = vec![("statistics", digest), ("schema", schema_digest.as_str())];
                made_of.extend(previous_digest.map(|digest| ("previous", digest)));
                made_of.extend(has_read.then_some(("data", dataset_digest)));
                let junit = validation.junit(&schema, options, &others);
                validation.publish(&schema, &junit, &made_of, target)?;
                Ok(validation)
            },
            reading: || {
                let reads = !rows.is_empty() && !shared;
                Reading::of_rows(if reads { dataset.record().subsets.values().sum() } else { 0 })
            },
            summary: |validation: &ValidationRecord| {
                let found = match validation.counts() {
                    (0, 0) => "nothing found".to_owned(),
                    (errors, warnings) => format!("{errors} errors, {warnings} warnings"),
                };
                let shared = if shared { ", rules from the scan of the statistics" } else { "" };
                format!("{found}{compared}{shared}")
            },
            facts: |validation: &ValidationRecord| facts::validation(validation, dataset),
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

    /// What validation depends on.
    fn validation_parts(&self, statistics: &str, schema: &str, previous: Option<&str>) -> Result<KeyParts> {
        let spec = &self.file.spec;
        let parts = KeyParts::new()
            .with("statistics", statistics)
            .with("schema", schema)
            .with_options("options", &(&spec.validate.options, spec.schema.is_none()))?
            .with_options("rows", &(&spec.validate.rows, &spec.data.roles.key))?;
        Ok(previous.into_iter().fold(parts, |parts, digest| parts.with("previous", digest)))
    }

    /// What the data are compared with.
    fn previous(&self, dataset: &Dataset) -> Result<Option<Previous>> {
        let pipeline = &self.file.spec.pipeline;
        match &self.file.spec.validate.previous {
            PreviousSpec::None => Ok(None),
            PreviousSpec::LatestAccepted => {
                latest_accepted(&self.options.out.join("runs"), self.number, pipeline, dataset)
            }
            PreviousSpec::Path(path) => Previous::at(&self.file.resolve(path), path).map(Some),
        }
        .map_err(|error| {
            error.in_place("`validate.previous`").in_place(format!("step `{}`", StepName::Validate))
        })
    }

    /// What the data were compared with, for the summary of the step: comparators never pass in silence.
    fn compared(&self, previous: Option<&Previous>, schema: &Schema) -> String {
        let compares =
            schema.rows_drift.is_some() || schema.features.iter().any(|feature| feature.drift.is_some());
        match (&self.file.spec.validate.previous, previous) {
            (PreviousSpec::None, _) if compares => {
                ", drift comparators not checked without `validate.previous`".to_owned()
            }
            (PreviousSpec::None, _) => String::new(),
            (_, Some(previous)) => format!(", compared with {}", previous.origin),
            (_, None) => ", no earlier data to compare with".to_owned(),
        }
    }

    /// Whether statistics that are made again, although they are there, have been validated: the same come out, so
    /// that the validation will be found.
    fn is_validated(&self, statistics: &KeyParts, previous: Option<&str>) -> Result<bool> {
        let path = self.store.path(StepName::Statistics, &statistics.key()?);
        let Some((_, statistics)) =
            path.exists().then(|| StatisticsRecord::open_artifact(&path).ok()).flatten()
        else {
            return Ok(false);
        };
        let parts = schema_parts(self.given_schema()?.as_ref(), statistics.digest());
        let path = self.store.path(StepName::Schema, &parts.1.key()?);
        let Some((_, schema)) = path.exists().then(|| step::schema::open(&path).ok()).flatten() else {
            return Ok(false);
        };
        Ok(!self.is_missing(
            StepName::Validate,
            &self.validation_parts(statistics.digest(), schema.digest(), previous)?,
        )?)
    }

    /// The statistics, and with them the rules over rows and the transform unless these are there already: they read
    /// the same rows, so they come from one scan.
    fn statistics(
        &mut self,
        dataset: &Dataset,
        previous: Option<&str>,
    ) -> Result<Option<(StatisticsRecord, Artifact)>> {
        let file = self.file;
        let dataset_digest = dataset.artifact().digest();
        let options = self.statistics_options(dataset)?;
        let parts = KeyParts::new()
            .with("dataset", dataset_digest)
            .with_options("options", &options)?
            .with_options("composed", &options.composed)?;
        let (spec, roles, checks) = (&file.spec.transform, &file.spec.data.roles, &file.spec.validate.rows);
        let mut beside = Beside::default();
        if self.is_missing(StepName::Statistics, &parts)? {
            let is_missing = self.is_missing(StepName::Transform, &self.transform_parts(dataset)?)?;
            beside.transform = is_missing.then_some((spec, roles));
            let is_missing = !checks.is_empty() && !self.is_validated(&parts, previous)?;
            beside.rows = is_missing.then_some((checks, roles.key.as_slice()));
        }
        let (mut fitted, mut counted) = (None, BTreeMap::new());
        let (states, reading) = (self.states(dataset), RefCell::default());
        let read = |beside: Beside<'_>, execution: &Execution| match &states {
            Some(states) => together_kept((dataset, None), &options, beside, states, execution),
            None => together(dataset, &options, beside, execution),
        };
        let statistics = self.step(Work {
            name: StepName::Statistics,
            parts,
            parameters: json!(options),
            open: StatisticsRecord::open_artifact,
            make: |target: &Path, execution: &Execution| {
                let together = match read(beside, execution) {
                    Err(error) if matches!(error.kind(), ErrorKind::Interrupted(_)) => return Err(error),
                    // What is wrong with the rules or the transform is said when their turn comes.
                    Err(_) if beside.is_some() => read(Beside::default(), execution)?,
                    outcome => outcome?,
                };
                (fitted, counted) = (together.transform, together.rows);
                reading.replace(together.reading);
                let artifact = together.statistics.publish(dataset_digest, target)?;
                Ok((together.statistics, artifact))
            },
            reading: || reading.take(),
            summary: |(statistics, _): &(StatisticsRecord, _)| {
                let columns = statistics.subsets.first().map_or(0, |subset| subset.columns.len());
                format!("{columns} columns of {} subsets", statistics.subsets.len())
            },
            facts: |(statistics, _): &(StatisticsRecord, _)| facts::statistics(statistics),
        })?;
        (self.fitted, self.counted) = (fitted, counted);
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

    /// The schema that the pipeline file names, and its path.
    fn given_schema(&self) -> Result<Option<(SchemaFile, &'a str)>> {
        let file = self.file;
        let Some(path) = &file.spec.schema else { return Ok(None) };
        let schema = step::schema::read(&file.resolve(path))
            .map_err(|error| error.in_place(format!("step `{}`", StepName::Schema)))?;
        Ok(Some((schema, path)))
    }

    fn schema(
        &mut self,
        statistics: &StatisticsRecord,
        digest: &str,
    ) -> Result<Option<(SchemaFile, String)>> {
        let _ = self.begin(StepName::Schema);
        let given = self.given_schema()?;
        let (origin, parts) = schema_parts(given.as_ref(), digest);
        self.step(Work {
            name: StepName::Schema,
            parts,
            parameters: json!({"schema": self.file.spec.schema}),
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
            reading: Reading::default,
            summary: |(schema, _): &(SchemaFile, String)| {
                let origin = match &given {
                    Some((_, path)) => format!("read from `{path}`"),
                    None => "inferred from the training rows".to_owned(),
                };
                format!("{} features, {origin}", schema.schema().features.len())
            },
            facts: |(schema, _): &(SchemaFile, String)| {
                facts::schema(schema, given.as_ref().map(|(_, path)| *path))
            },
        })
    }
}

/// What a schema was made from, and what it depends on: the file, or the statistics that it is inferred from.
fn schema_parts(given: Option<&(SchemaFile, &str)>, statistics: &str) -> ((&'static str, String), KeyParts) {
    let origin = match given {
        Some((schema, _)) => ("file", hex_digest(sluice_quality::schema::write_schema(schema).as_bytes())),
        None => ("inferred-from", statistics.to_owned()),
    };
    let parts = KeyParts::new().with(origin.0, &origin.1);
    (origin, parts)
}
