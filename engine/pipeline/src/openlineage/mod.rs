//! Tells a lineage server what a run does, in the events of `OpenLineage` 2-0-2: START when the run and each of its steps
//! begin, COMPLETE, FAIL or ABORT when they end.
//!
//! A step is a job of its own, with the run as its parent. A data set stands for its subsets, each a data set with schema,
//! quality metrics and assertions; columns say what they are made from. What cannot be delivered is told at the end of the
//! run, which does not fail for it.

mod config;
pub(crate) mod facets;
mod sink;
mod target;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Value, json};

use sluice_core::artifact::EngineRecord;
use sluice_core::error::{Error, ErrorKind};
use sluice_report::timestamp;

pub(crate) use facets::Facets;
pub use target::{OpenLineageError, OpenLineageTarget};

use crate::ledger::{ArtifactKind, Port, RunEntry};
use crate::run::{RunReport, StepName, kind_of};
use crate::step::{EVAL, TRAIN};
use facets::{Named, OF_TRANSFORM, PRODUCER, column_lineage, facet};
use sink::Sink;

const EVENT_SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/// A step, to those who listen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepEvent<'a> {
    pub(crate) step: StepName,
    pub(crate) uuid: &'a str,
    pub(crate) inputs: &'a [Port],
}

/// Tells what a run does.
#[derive(Debug)]
pub(crate) struct Emitter {
    sink: Sink,
    namespace: String,
    pipeline: String,
    run: String,
    /// The subsets of the data set, once it is there.
    subsets: BTreeMap<String, u64>,
    /// Where it lies.
    examples: Option<String>,
}

/// What an event is about, beyond run and job.
#[derive(Default)]
struct About {
    run: Named,
    inputs: Vec<Value>,
    outputs: Vec<Value>,
}

impl Emitter {
    pub(crate) fn new(target: &OpenLineageTarget, run: &RunEntry) -> Self {
        Self {
            sink: Sink::new(target),
            namespace: target.namespace.clone(),
            pipeline: run.pipeline.clone(),
            run: run.uuid.clone(),
            subsets: BTreeMap::new(),
            examples: None,
        }
    }

    pub(crate) fn run_started(&mut self, at: SystemTime) {
        self.tell_run("START", Named::new(), at);
    }

    /// Ends the run's events; what could not be told comes back in words.
    pub(crate) fn run_ended(
        mut self,
        report: &RunReport,
        failure: Option<&Error>,
        at: SystemTime,
    ) -> Option<String> {
        let mut facets = Named::new();
        facets.extend(failure.map(error_facet));
        let accepted = json!({"accepted": report.accepted() && failure.is_none(),
                              "rejectedBy": report.rejected_by.map(StepName::name),
                              "version": report.pushed.as_ref().map(|pushed| pushed.version)});
        let url = format!("{PRODUCER}#verdict");
        if let (Value::Object(mut verdict), None) = (accepted, failure) {
            verdict.retain(|_, value| !value.is_null());
            verdict.insert("_producer".into(), PRODUCER.into());
            verdict.insert("_schemaURL".into(), url.into());
            facets.insert("sluice_verdict".into(), verdict.into());
        }
        self.tell_run(ending(failure), facets, at);
        self.sink.close()
    }

    pub(crate) fn step_started(&mut self, step: &StepEvent<'_>, at: SystemTime) {
        let about = About { inputs: self.inputs(step, &Facets::default()), ..About::default() };
        self.tell_step("START", step, about, at);
    }

    pub(crate) fn step_finished(
        &mut self,
        step: &StepEvent<'_>,
        outputs: &[Port],
        facets: Facets,
        at: SystemTime,
    ) {
        if let Some(subsets) = &facets.subsets {
            self.subsets.clone_from(subsets);
        }
        let about = About {
            inputs: self.inputs(step, &facets),
            outputs: self.outputs(step, outputs, &facets),
            run: facets.run,
        };
        self.tell_step("COMPLETE", step, about, at);
    }

    pub(crate) fn step_failed(&mut self, step: &StepEvent<'_>, failure: &Error, at: SystemTime) {
        let about = About {
            inputs: self.inputs(step, &Facets::default()),
            run: [error_facet(failure)].into_iter().collect(),
            ..About::default()
        };
        self.tell_step(ending(Some(failure)), step, about, at);
    }

    /// What a step reads. Of a data set those subsets that it looks at.
    fn inputs(&self, step: &StepEvent<'_>, facets: &Facets) -> Vec<Value> {
        let mut inputs = Vec::new();
        for port in step.inputs {
            if port.artifact.kind != ArtifactKind::Examples {
                inputs.push(dataset(dataset_of(&port.artifact.uri), [("facets", of_port(port))]));
                continue;
            }
            for subset in self.subsets.keys().filter(|subset| is_read(step.step, subset)) {
                let own = facets.datasets.get(subset).cloned().unwrap_or_default();
                let input = facets.inputs.get(subset).cloned().unwrap_or_default();
                let place = dataset_of(&format!("{}/{subset}", port.artifact.uri));
                inputs.push(dataset(place, [("facets", own), ("inputFacets", input)]));
            }
        }
        // Validation reads statistics, but what it says it says of the data.
        let examples = step.inputs.iter().any(|port| port.artifact.kind == ArtifactKind::Examples);
        if step.step == StepName::Validate && !examples {
            inputs.extend(self.validated(facets));
        }
        inputs
    }

    fn validated(&self, facets: &Facets) -> Vec<Value> {
        let Some(place) = &self.examples else { return Vec::new() };
        let subsets = facets.inputs.iter().map(|(subset, input)| {
            let place = dataset_of(&format!("{place}/{subset}"));
            dataset(place, [("facets", Named::new()), ("inputFacets", input.clone())])
        });
        subsets.collect()
    }

    fn outputs(&mut self, step: &StepEvent<'_>, outputs: &[Port], facets: &Facets) -> Vec<Value> {
        let mut told = Vec::new();
        for port in outputs {
            let uri = &port.artifact.uri;
            match port.artifact.kind {
                ArtifactKind::Examples => {
                    self.examples = Some(uri.clone());
                    for subset in self.subsets.keys() {
                        let own = facets.datasets.get(subset).cloned().unwrap_or_default();
                        let output = facets.outputs.get(subset).cloned().unwrap_or_default();
                        let place = dataset_of(&format!("{uri}/{subset}"));
                        told.push(dataset(place, [("facets", own), ("outputFacets", output)]));
                    }
                }
                kind => {
                    let mut own = of_port(port);
                    if kind == kind_of(step.step) {
                        own.extend(facets.artifact.clone());
                        own.extend(self.features(facets));
                    }
                    told.push(dataset(dataset_of(uri), [("facets", own), ("outputFacets", Named::new())]));
                }
            }
        }
        told
    }

    /// What the features of a transform are made from.
    fn features(&self, facets: &Facets) -> Option<(String, Value)> {
        let examples = self.examples.as_ref().filter(|_| !facets.columns.is_empty())?;
        let place = dataset_of(&format!("{examples}/{OF_TRANSFORM}"));
        let columns = facets.columns.iter().map(|(feature, sources)| {
            let from = sources.iter().map(|source| (place.clone(), source.clone()));
            (feature.clone(), from.collect())
        });
        Some(("columnLineage".to_owned(), column_lineage(columns.collect())))
    }

    fn tell_run(&mut self, kind: &str, facets: Named, at: SystemTime) {
        let (name, about) = (self.pipeline.clone(), About { run: facets, ..About::default() });
        let event = self.event(kind, (&self.run.clone(), &name, "PIPELINE"), about, at);
        self.sink.send(event);
    }

    fn tell_step(&mut self, kind: &str, step: &StepEvent<'_>, mut about: About, at: SystemTime) {
        let job = json!({"namespace": self.namespace, "name": self.pipeline});
        let run = json!({ "runId": self.run });
        let parent = json!({"run": run, "job": job, "root": {"run": run, "job": job}});
        about.run.insert("parent".into(), facet("1-2-0", "ParentRunFacet", parent));
        let name = format!("{}.{}", self.pipeline, step.step);
        let event = self.event(kind, (step.uuid, &name, "STEP"), about, at);
        self.sink.send(event);
    }

    fn event(
        &self,
        kind: &str,
        (uuid, name, job_type): (&str, &str, &str),
        mut about: About,
        at: SystemTime,
    ) -> Value {
        let version = EngineRecord::current().version;
        let engine = json!({"name": "sluicegate", "version": version, "openlineageAdapterVersion": version});
        about.run.insert("processing_engine".into(), facet("1-1-1", "ProcessingEngineRunFacet", engine));
        let job_type = json!({"processingType": "BATCH", "integration": "SLUICEGATE", "jobType": job_type});
        json!({
            "eventType": kind,
            "eventTime": timestamp(at),
            "producer": PRODUCER,
            "schemaURL": EVENT_SCHEMA,
            "run": {"runId": uuid, "facets": about.run},
            "job": {
                "namespace": self.namespace,
                "name": name,
                "facets": {"jobType": facet("2-0-4", "JobTypeJobFacet", job_type)},
            },
            "inputs": about.inputs,
            "outputs": about.outputs,
        })
    }
}

/// Whether a step looks at the rows of a subset.
fn is_read(step: StepName, subset: &str) -> bool {
    match step {
        StepName::Transform | StepName::Train => subset == TRAIN,
        StepName::Evaluate => subset == EVAL,
        StepName::Ingest | StepName::Statistics | StepName::Schema | StepName::Validate | StepName::Push => {
            true
        }
    }
}

fn ending(failure: Option<&Error>) -> &'static str {
    match failure.map(Error::kind) {
        None => "COMPLETE",
        Some(ErrorKind::Interrupted(_)) => "ABORT",
        Some(_) => "FAIL",
    }
}

fn error_facet(error: &Error) -> (String, Value) {
    let fields = json!({"message": error.to_string(), "programmingLanguage": "Rust", "stackTrace": format!("{error:?}")});
    ("errorMessage".to_owned(), facet("1-0-1", "ErrorMessageRunFacet", fields))
}

/// Namespace and name of what lies at a place: `s3://bucket` and the key, `file` and the path.
pub(crate) fn dataset_of(uri: &str) -> (String, String) {
    match uri.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            (format!("{scheme}://{authority}"), if path.is_empty() { "/".into() } else { path.into() })
        }
        None => ("file".into(), uri.into()),
    }
}

fn dataset<const N: usize>((namespace, name): (String, String), facets: [(&str, Named); N]) -> Value {
    let mut told = Named::new();
    told.insert("namespace".into(), namespace.into());
    told.insert("name".into(), name.into());
    told.extend(facets.into_iter().map(|(kind, facets)| (kind.to_owned(), facets.into())));
    told.into()
}

/// What is known of an artifact: its type, and its digest as its version.
fn of_port(port: &Port) -> Named {
    let version = json!({ "datasetVersion": port.artifact.digest });
    let kind = json!({"datasetType": port.artifact.kind.name().to_ascii_uppercase()});
    let mut facets = Named::new();
    facets.insert("version".into(), facet("1-0-1", "DatasetVersionDatasetFacet", version));
    facets.insert("datasetType".into(), facet("1-0-1", "DatasetTypeDatasetFacet", kind));
    facets
}
