//! What the steps tell of themselves beyond their reports, for those who keep records of a run: the ledger, OpenLineage,
//! Prometheus.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use sluice_core::seam::BatchTransform;
use sluice_core::seam::Predictor as _;
use sluice_delivery::{Model, ModelPackage, Pushed};
use sluice_evaluation::Evaluation;
use sluice_evaluation::gate::Outcome;
use sluice_ingest::Dataset;
use sluice_quality::schema::SchemaFile;
use sluice_storage::Location;
use sluice_transform::Transform;

use super::StepName;
use crate::ledger::{ArtifactEntry, ArtifactKind, Port, Properties, uri_of};
use crate::openlineage::{Facets, facets};
use crate::step::evaluate::Evaluated;
use crate::step::ingest::OpenedInput;
use crate::step::statistics::StatisticsRecord;
use crate::step::validate::ValidationRecord;

/// What a step tells.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// What is known of its artifact.
    pub(crate) properties: Properties,
    /// What it has made beside its artifact.
    pub(crate) outputs: Vec<Port>,
    /// `rejected` where it turned the data or the model down.
    pub(crate) outcome: Option<&'static str>,
    /// What is told by OpenLineage.
    pub(crate) facets: Facets,
}

/// Reasons of a verdict are told up to so many characters; TensorFlow Extended cuts where databases would.
const MAX_MESSAGE: usize = 4000;

/// The artifact of a step.
pub(crate) fn kind_of(step: StepName) -> ArtifactKind {
    match step {
        StepName::Ingest => ArtifactKind::Examples,
        StepName::Statistics => ArtifactKind::ExampleStatistics,
        StepName::Schema => ArtifactKind::Schema,
        StepName::Validate => ArtifactKind::ExampleAnomalies,
        StepName::Transform => ArtifactKind::TransformGraph,
        StepName::Train => ArtifactKind::Model,
        StepName::Evaluate => ArtifactKind::ModelEvaluation,
        StepName::Push => ArtifactKind::PushedModel,
    }
}

fn properties<const N: usize>(pairs: [(&str, Value); N]) -> Properties {
    pairs
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.into(), value))
        .collect()
}

/// Names as TensorFlow Extended writes them: JSON text.
fn split_names<'a>(names: impl Iterator<Item = &'a str>) -> Value {
    Value::from(json!(names.collect::<Vec<_>>()).to_string())
}

/// The places that inputs are read from.
pub(super) fn inputs(opened: &[OpenedInput], base: &Path) -> Vec<Port> {
    let port = |input: &OpenedInput| Port {
        channel: input.name.clone(),
        artifact: ArtifactEntry::of_place(
            ArtifactKind::ExternalArtifact,
            &input.digest,
            place(&input.location, base),
            properties([
                ("name", input.name.clone().into()),
                ("rows", input.rows.into()),
                ("files", input.files.into()),
                ("size_bytes", input.size_bytes.into()),
            ]),
        ),
    };
    opened.iter().map(port).collect()
}

/// A location as records have it: a URL without what may be secret in it, else an absolute path.
pub(crate) fn place(location: &str, base: &Path) -> String {
    match Location::parse(location) {
        Ok(Location::Local(path)) => {
            let path = base.join(path);
            std::path::absolute(&path).unwrap_or(path).display().to_string()
        }
        Ok(remote) => remote.to_string(),
        // What cannot be read is not shown: part of it may be secret.
        Err(_) => location.split_once("://").map_or("", |(scheme, _)| scheme).to_owned(),
    }
}

pub(super) fn dataset(dataset: &Dataset, inputs: &[Port]) -> Facts {
    let record = dataset.record();
    let last = record.spans.last();
    let mut properties = properties([
        ("span", last.map_or(Value::Null, |span| span.span.into())),
        ("version", last.and_then(|span| span.version).map_or(Value::Null, Into::into)),
        ("split_names", split_names(record.subsets.keys().map(String::as_str))),
        ("rows", record.subsets.values().sum::<u64>().into()),
        ("rows_read", record.rows_read.into()),
        ("rows_left_out", record.left_out.into()),
        ("columns", record.columns.len().into()),
        ("file_format", "parquet".into()),
    ]);
    if let [first, .., last] = record.spans.as_slice() {
        properties.insert("first_span".into(), first.span.into());
        properties.insert("spans".into(), format!("{} to {}", first.span, last.span).into());
    }
    for (name, rows) in &record.subsets {
        properties.insert(format!("rows.{name}"), (*rows).into());
    }
    Facts { properties, facets: facets::of_dataset(record, inputs), ..Facts::default() }
}

pub(super) fn statistics(record: &StatisticsRecord) -> Facts {
    let span = record.subsets.iter().find_map(|subset| subset.spans.last()).copied();
    let properties = properties([
        ("span", span.map_or(Value::Null, Into::into)),
        ("split_names", split_names(record.subsets.iter().map(|subset| subset.name.as_str()))),
        ("columns", record.subsets.first().map_or(0, |subset| subset.columns.len()).into()),
    ]);
    Facts { properties, facets: facets::of_statistics(record), ..Facts::default() }
}

pub(super) fn schema(schema: &SchemaFile, origin: Option<&str>) -> Facts {
    let properties = properties([
        ("features", schema.schema().features.len().into()),
        ("origin", origin.unwrap_or("inferred").into()),
    ]);
    Facts { properties, ..Facts::default() }
}

pub(super) fn validation(record: &ValidationRecord, dataset: &Dataset) -> Facts {
    let (errors, warnings) = record.counts();
    let blessed: BTreeMap<&str, u8> = record
        .subsets
        .iter()
        .map(|report| (report.subset.as_str(), u8::from(report.is_accepted())))
        .collect();
    let span = dataset.record().spans.last().map(|span| span.span);
    let properties = properties([
        ("span", span.map_or(Value::Null, Into::into)),
        ("split_names", split_names(record.subsets.iter().map(|report| report.subset.as_str()))),
        ("blessed", json!(blessed).to_string().into()),
        ("accepted", u8::from(record.accepted).into()),
        ("errors", errors.into()),
        ("warnings", warnings.into()),
    ]);
    Facts {
        properties,
        outcome: (!record.accepted).then_some("rejected"),
        facets: facets::of_validation(record),
        ..Facts::default()
    }
}

pub(super) fn transform(transform: &Transform) -> Facts {
    let space = transform.space();
    let properties = properties([
        ("features", space.features.len().into()),
        ("columns", space.width().into()),
        ("input_columns", transform.input_columns().len().into()),
    ]);
    Facts { properties, facets: facets::of_transform(space), ..Facts::default() }
}

pub(super) fn model(package: &ModelPackage) -> Facts {
    let model = package.model();
    let mut known = properties([
        ("family", model.family().into()),
        ("method", model.method().into()),
        ("label", package.label().into()),
        ("rows", model.rows().into()),
    ]);
    known.extend(match model {
        Model::Linear(model) => {
            let output = model.label_output();
            properties([
                ("alpha", output.alpha.into()),
                ("rank", output.diagnostics.rank.into()),
                ("coefficients", output.coefficients.len().into()),
            ])
        }
        Model::Network(network) => {
            let training = &network.record.training;
            properties([
                ("parameters", training.parameters.into()),
                ("epochs", training.epochs.len().into()),
                ("best_epoch", training.best_epoch.into()),
                ("seed", training.spec.seed.into()),
            ])
        }
    });
    Facts { properties: known, ..Facts::default() }
}

pub(super) fn evaluation(evaluated: &Evaluated, model: &ModelPackage, baseline: Option<&Port>) -> Facts {
    let evaluation = &evaluated.evaluation;
    let verdict = &evaluation.verdict;
    let outcome = json!(verdict.outcome);
    let mut properties = properties([
        ("outcome", outcome),
        ("comparison", json!(verdict.comparison)),
        ("rows", verdict.rows.into()),
        ("slices", evaluation.slices.len().saturating_sub(1).into()),
        ("requirements", verdict.reasons.len().into()),
        ("failures", verdict.failures().count().into()),
    ]);
    properties.extend(metrics(evaluation));
    let passed = verdict.outcome == Outcome::Pass;
    Facts {
        properties,
        outputs: blessing(evaluated, model, baseline).into_iter().collect(),
        outcome: (!passed).then_some("rejected"),
        facets: facets::of_evaluation(evaluation),
    }
}

/// The overall metrics of candidate and baseline; those without a finite value are left out.
fn metrics(evaluation: &Evaluation) -> Properties {
    let Some(overall) = evaluation.slices.first() else { return Properties::new() };
    let named = |prefix: &'static str, values: &BTreeMap<String, Option<f64>>| -> Properties {
        let finite =
            values.iter().filter_map(|(name, value)| Some((name, value.filter(|it| it.is_finite())?)));
        finite.map(|(name, value)| (format!("{prefix}.{name}"), value.into())).collect()
    };
    let mut found = named("metric", &overall.candidate);
    found.extend(overall.baseline.as_ref().map(|values| named("baseline", values)).unwrap_or_default());
    found
}

/// The verdict as TensorFlow Extended's evaluator records it.
fn blessing(evaluated: &Evaluated, model: &ModelPackage, baseline: Option<&Port>) -> Option<Port> {
    let verdict = &evaluated.evaluation.verdict;
    let reasons: Vec<&str> = verdict.failures().map(|reason| reason.text.as_str()).collect();
    let message: String = reasons.join("; ").chars().take(MAX_MESSAGE).collect();
    let mut found = properties([
        ("blessed", u8::from(verdict.outcome == Outcome::Pass).into()),
        ("outcome", json!(verdict.outcome)),
        ("comparison", json!(verdict.comparison)),
        ("current_model", uri_of(model.artifact().folder()).into()),
        ("current_model_digest", model.artifact().digest().into()),
        ("blessing_message", if message.is_empty() { Value::Null } else { message.into() }),
        ("component_id", StepName::Evaluate.name().into()),
    ]);
    if let Some(baseline) = baseline {
        found.insert("baseline_model".into(), baseline.artifact.uri.clone().into());
        found.insert("baseline_model_digest".into(), baseline.artifact.digest.clone().into());
    }
    let folder = evaluated.artifact.folder();
    ArtifactEntry::of_folder(ArtifactKind::ModelBlessing, folder, found).map(ArtifactEntry::in_channel)
}

/// A registered version.
pub(super) fn version(digest: &str, version: u64, path: &str) -> ArtifactEntry {
    let found = properties([
        ("pushed", 1.into()),
        ("pushed_version", version.into()),
        ("pushed_destination", path.into()),
    ]);
    let uri = if path.contains("://") { place(path, Path::new("")) } else { uri_of(Path::new(path)) };
    ArtifactEntry::of_place(ArtifactKind::PushedModel, digest, uri, found)
}

/// What a candidate is compared with.
pub(super) fn baseline(artifact: ArtifactEntry) -> Port {
    Port { channel: "baseline_model".into(), artifact }
}

/// A model that is measured beside the candidate.
pub(super) fn contender(name: &str, artifact: ArtifactEntry) -> Port {
    Port { channel: format!("contender_{name}"), artifact }
}

/// Statistics of earlier data, that data are compared with.
pub(super) fn previous(digest: &str, place: &Path) -> Port {
    let kind = ArtifactKind::ExampleStatistics;
    let artifact = ArtifactEntry::of_content(kind, digest, uri_of(place), Properties::new());
    Port { channel: "baseline_statistics".into(), artifact }
}

pub(super) fn push(model: &ModelPackage, pushed: Option<&Pushed>) -> Facts {
    let pushed = pushed.map(|pushed| version(model.artifact().digest(), pushed.version, &pushed.path));
    Facts { outputs: pushed.into_iter().map(ArtifactEntry::in_channel).collect(), ..Facts::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_absolute_and_keep_no_secret() {
        let of = |location| place(location, Path::new("/data"));
        assert_eq!(of("trips/*.csv"), "/data/trips/*.csv");
        assert_eq!(of("s3://bucket/trips/*.parquet"), "s3://bucket/trips/*.parquet");
        assert_eq!(of("https://user:secret@host/a.csv?token=secret"), "https://host/a.csv?…");
        assert!(!of("s3://user:secret@").contains("secret"));
    }
}
