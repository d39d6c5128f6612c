//! The step `evaluate`: the model against the one that passed last, and contenders beside it.

use std::path::Path;

use serde_json::json;

use sluice_core::error::{Error, Result};
use sluice_core::execution::Execution;
use sluice_core::plan::PlanOptions;
use sluice_delivery::ModelPackage;
use sluice_evaluation::EvaluateOptions;
use sluice_ingest::Dataset;

use super::super::facts;
use super::super::step_name::StepName;
use super::{Runner, Work};
use crate::key::KeyParts;
use crate::ledger::{ArtifactEntry, ArtifactKind, Port, Properties};
use crate::spec::BaselineSpec;
use crate::step;
use crate::step::contender::{Contender, Entrants};
use crate::step::evaluate::Evaluated;
use crate::step::kept_states::Reading;

/// What a candidate is compared with.
struct Against {
    model: Option<Contender>,
    /// As the records know it.
    port: Option<Port>,
    /// In words.
    compared: String,
}

impl Against {
    fn nothing(why: &str) -> Self {
        Self { model: None, port: None, compared: why.into() }
    }
}

impl Runner<'_> {
    pub(super) fn evaluated(&mut self, dataset: &Dataset, model: &ModelPackage) -> Result<Option<Evaluated>> {
        let file = self.file;
        let _ = self.begin(StepName::Evaluate);
        let at_step = |error: Error| error.in_place(format!("step `{}`", StepName::Evaluate));
        let Against { model: baseline, port, compared } = self.baseline().map_err(at_step)?;
        let weight = file.spec.data.roles.weight.clone();
        let key = dataset.record().key.clone();
        let options = &EvaluateOptions { weight, key, ..file.spec.evaluate.options.clone() };
        let digest = dataset.artifact().digest();
        let mut parts = KeyParts::new()
            .with("dataset", digest)
            .with("model", model.artifact().digest())
            .with_options("options", options)?;
        if let Some(baseline) = &baseline {
            parts = parts.with("baseline", baseline.digest());
        }
        if let (Some(chronicle), Some(port)) = (&mut self.chronicle, &port) {
            chronicle.know("baseline", port.clone());
        }
        let contenders = self.contenders().map_err(at_step)?;
        for (name, model) in &contenders {
            parts = parts.with(&format!("contender {name}"), model.digest());
        }
        let evaluated = self.step(Work {
            name: StepName::Evaluate,
            parts,
            parameters: json!(options),
            open: step::evaluate::open,
            make: |target: &Path, execution: &Execution| {
                let source = dataset.subset(step::EVAL, PlanOptions::default(), execution)?;
                let candidate = Contender::from(model.clone());
                step::evaluate::evaluate(
                    &source,
                    digest,
                    Entrants { candidate: &candidate, contenders: &contenders },
                    baseline.as_ref(),
                    options,
                    target,
                    execution,
                )
            },
            reading: || Reading::of_rows(dataset.record().subsets.get(step::EVAL).copied().unwrap_or(0)),
            summary: |evaluated: &Evaluated| match evaluated.evaluation.slices.len() - 1 {
                0 => compared,
                slices => format!("{compared}, {slices} slices"),
            },
            facts: |evaluated: &Evaluated| facts::evaluation(evaluated, model, port.as_ref()),
        })?;
        self.report.evaluation = evaluated.as_ref().map(|evaluated| evaluated.evaluation.clone());
        Ok(evaluated)
    }

    fn baseline(&self) -> Result<Against> {
        Ok(match &self.file.spec.evaluate.baseline {
            BaselineSpec::None => Against::nothing("without a baseline"),
            BaselineSpec::Path(path) => {
                let place = self.file.resolve(path).display().to_string();
                let model = Contender::open(&place)?;
                let port = facts::baseline(entry(&model, path, self.file.base()));
                Against { port: Some(port), model: Some(model), compared: format!("against `{path}`") }
            }
            BaselineSpec::LatestBlessed => match self.registry()?.latest_blessed()? {
                Some((version, model)) => {
                    let folder = model.artifact().folder().display().to_string();
                    let port = facts::baseline(facts::version(model.artifact().digest(), version, &folder));
                    let compared = format!("against version {version}");
                    Against { model: Some(model.into()), port: Some(port), compared }
                }
                None => Against::nothing("no baseline yet"),
            },
        })
    }

    /// The models that are measured beside the candidate, in the order of their names.
    fn contenders(&mut self) -> Result<Vec<(String, Contender)>> {
        let file = self.file;
        let mut contenders = Vec::new();
        for (name, path) in &file.spec.evaluate.contenders {
            let place = file.resolve(path).display().to_string();
            let opened =
                Contender::open(&place).map_err(|error| error.in_place(format!("contender `{name}`")))?;
            if let Some(chronicle) = &mut self.chronicle {
                let port = facts::contender(name, entry(&opened, path, file.base()));
                chronicle.know(&format!("contender {name}"), port);
            }
            contenders.push((name.clone(), opened));
        }
        Ok(contenders)
    }
}

/// A model of the pipeline file, as the records know it.
fn entry(model: &Contender, path: &str, base: &Path) -> ArtifactEntry {
    let place = facts::place(path, base);
    ArtifactEntry::of_content(ArtifactKind::Model, model.digest(), place, Properties::new())
}
