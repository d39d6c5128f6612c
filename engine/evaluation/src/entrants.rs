//! Who takes part in an evaluation: the candidate, what it is held against, and models that are measured beside it.

use std::sync::Arc;

use sluice_core::error::{Error, Result};
use sluice_core::options::quoted;
use sluice_core::seam::{BatchSource, Predictor, Task};

use crate::error::EvaluationError;
use crate::evaluation::Evaluation;
use crate::subject::{Against, ContenderName};

/// The models that are measured.
#[derive(Clone, Copy)]
pub struct Entrants<'a> {
    /// The one that is judged.
    pub candidate: &'a Arc<dyn Predictor>,
    /// Models that are measured beside it, on the same rows and by the same metrics, and about whom nothing is decided;
    /// by their names.
    pub contenders: &'a [(String, Arc<dyn Predictor>)],
}

impl<'a> From<&'a Arc<dyn Predictor>> for Entrants<'a> {
    fn from(candidate: &'a Arc<dyn Predictor>) -> Self {
        Self { candidate, contenders: &[] }
    }
}

impl std::fmt::Debug for Entrants<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Entrants")
            .field("candidate", &self.candidate.digest())
            .field("contenders", &self.contenders.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}

impl<'a> Entrants<'a> {
    /// The contenders in the order of their names, if each can be measured beside the candidate.
    ///
    /// # Errors
    /// A name that is unfit or given twice; [`EvaluationError::ContenderMisfit`].
    pub(crate) fn contenders_for(
        &self,
        source: &dyn BatchSource,
    ) -> Result<Vec<(&'a str, &'a Arc<dyn Predictor>)>> {
        ContenderName::check(self.contenders.iter().map(|(name, _)| name.as_str()))?;
        let mut contenders: Vec<_> =
            self.contenders.iter().map(|(name, model)| (name.as_str(), model)).collect();
        contenders.sort_by_key(|(name, _)| *name);
        for (name, model) in &contenders {
            if let Some(reason) = obstacle(source, self.candidate.as_ref(), model.as_ref()) {
                return Err(EvaluationError::ContenderMisfit { name: (*name).to_owned(), reason }.into());
            }
        }
        Ok(contenders)
    }
}

/// What the candidate is compared with.
#[derive(Clone, Default)]
pub enum Baseline {
    /// Nothing: the first model.
    #[default]
    None,
    /// The model in production.
    Model(Arc<dyn Predictor>),
    /// The figures of an earlier evaluation, without its model.
    Accepted(Arc<Evaluation>),
    /// There is one, but it cannot be compared; why.
    NotComparable(String),
}

impl Baseline {
    /// One that met an error.
    #[must_use]
    pub fn not_comparable(error: &Error) -> Self {
        Self::NotComparable(told(error))
    }
}

impl std::fmt::Debug for Baseline {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => formatter.write_str("None"),
            Self::Model(model) => formatter.debug_tuple("Model").field(&model.digest()).finish(),
            Self::Accepted(accepted) => {
                formatter.debug_tuple("Accepted").field(&accepted.verdict.candidate_digest).finish()
            }
            Self::NotComparable(reason) => formatter.debug_tuple("NotComparable").field(reason).finish(),
        }
    }
}

/// What the candidate is held against, as far as can be known before reading.
pub(crate) fn against(source: &dyn BatchSource, candidate: &dyn Predictor, baseline: &Baseline) -> Against {
    match baseline {
        Baseline::None => Against::Nothing,
        Baseline::NotComparable(reason) => Against::NotComparable { digest: None, reason: reason.clone() },
        Baseline::Model(model) => match obstacle(source, candidate, model.as_ref()) {
            Some(reason) => Against::NotComparable { digest: Some(model.digest().into()), reason },
            None => Against::Model { digest: model.digest().into() },
        },
        Baseline::Accepted(accepted) if accepted.label != candidate.label() => Against::NotComparable {
            digest: Some(accepted.verdict.candidate_digest.clone()),
            reason: other_label(&accepted.label, candidate.label()),
        },
        Baseline::Accepted(accepted) => Against::Accepted(Arc::clone(accepted)),
    }
}

fn other_label(theirs: &str, own: &str) -> String {
    format!("it predicts `{theirs}`, the candidate predicts `{own}`")
}

/// Why a model cannot be measured beside the candidate, as far as can be known before reading.
fn obstacle(source: &dyn BatchSource, candidate: &dyn Predictor, other: &dyn Predictor) -> Option<String> {
    if other.label() != candidate.label() {
        return Some(other_label(other.label(), candidate.label()));
    }
    let (own, theirs) = (candidate.task(), other.task());
    if own != theirs {
        return Some(format!("it predicts {}, the candidate {}", meaning(&theirs), meaning(&own)));
    }
    let missing = other.inputs().into_iter().find(|column| source.plan().column(column).is_none())?;
    Some(format!("it reads column `{missing}`, which {} does not have", source.name()))
}

/// What a model predicts, in words.
fn meaning(task: &Task) -> String {
    match task {
        Task::Regression => "a number".into(),
        Task::Binary { positive } => format!("the probability of `{}`", positive.as_deref().unwrap_or("1")),
        Task::MultiClass { classes } => {
            format!("the probabilities of {}", quoted(classes.iter().map(String::as_str)))
        }
        Task::MultiLabel { labels } => {
            format!("the probability of each label of {}", quoted(labels.iter().map(String::as_str)))
        }
    }
}

/// An error with its causes and places on one line.
pub(crate) fn told(error: &Error) -> String {
    let mut text = error.to_string();
    for cause in error.causes() {
        text.push_str(": ");
        text.push_str(&cause);
    }
    for place in error.places() {
        text.push_str(", in ");
        text.push_str(place);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow::array::RecordBatch;
    use sluice_core::execution::Execution;
    use sluice_core::seam::Predictor;
    use sluice_testkit::memory::MemorySource;

    use super::*;
    use crate::comparison::IntervalOptions;
    use crate::fixture::{Linear, numbers, table, texts};
    use crate::gate::Columns;
    use crate::measure::Missing;
    use crate::metric::golden::binary;
    use crate::{ContenderMetrics, EvaluateOptions, Evaluation, FairnessOptions, SliceMetrics, evaluate};

    type Named = (String, Arc<dyn Predictor>);

    /// 300 rows: a label of numbers and one of two classes, scores of four models, a weight and a slice.
    fn rows() -> RecordBatch {
        let noise = |row: u32, salt: u32| f64::from((row * 7919 + salt * 104_729) % 1009) / 1009.0;
        let column = |of: &dyn Fn(u32) -> f64| numbers(&(0..300).map(of).collect::<Vec<_>>());
        let score = |salt: u32| column(&|row| 0.1 + 0.4 * noise(row, 1) + 0.4 * noise(row, salt));
        let groups: Vec<&str> = (0..300).map(|row| ["a", "b", "c"][row % 3]).collect();
        table(&[
            ("y", column(&|row| f64::from(u8::from(noise(row, 1) > 0.5)))),
            ("c", score(2)),
            ("b", score(3)),
            ("d", score(4)),
            ("e", score(5)),
            ("w", column(&|row| 0.5 + noise(row, 6))),
            ("g", texts(&groups)),
        ])
    }

    fn run(
        rows: &RecordBatch,
        models: Entrants<'_>,
        baseline: &Baseline,
        options: &EvaluateOptions,
        threads: usize,
    ) -> Result<Evaluation> {
        evaluate(&MemorySource::new(rows, 17), models, baseline, options, &Execution::with_threads(threads))
    }

    /// As figures of a contender.
    fn of_candidate(slice: &SliceMetrics) -> ContenderMetrics {
        ContenderMetrics {
            values: slice.candidate.clone(),
            intervals: slice.intervals.clone(),
            bounds: slice.bounds.clone(),
            changes: slice.changes.clone(),
            undefined: slice.undefined.clone(),
        }
    }

    type MakePredictor = fn(&str) -> Arc<dyn Predictor>;

    fn tasks() -> [MakePredictor; 2] {
        [|name| Linear::column(name, name), binary]
    }

    #[test]
    fn a_contender_has_the_figures_of_a_candidate_and_changes_nothing_of_others() {
        let sliced =
            EvaluateOptions { slices: vec![Columns(vec!["g".into()])], ..EvaluateOptions::default() };
        let weighted = EvaluateOptions { weight: Some("w".into()), ..sliced.clone() };
        let intervals: IntervalOptions =
            serde_json::from_str(r#"{"bootstrap": {"replicates": 40, "seed": 3}}"#).unwrap();
        let drawn = EvaluateOptions { intervals, ..sliced.clone() };
        for model in tasks() {
            let [candidate, baseline, d, e] = ["c", "b", "d", "e"].map(model);
            let contenders: Vec<Named> = vec![("zed".into(), Arc::clone(&e)), ("dee".into(), Arc::clone(&d))];
            let both = Entrants { candidate: &candidate, contenders: &contenders };
            for options in [&sliced, &weighted, &drawn] {
                for baseline in [Baseline::None, Baseline::Model(Arc::clone(&baseline))] {
                    let found = run(&rows(), both, &baseline, options, 2).unwrap();
                    assert_eq!(found, run(&rows(), both, &baseline, options, 1).unwrap());
                    let names: Vec<&str> = found.contenders.iter().map(|one| one.name.as_str()).collect();
                    assert_eq!(names, ["dee", "zed"]);
                    for (name, model) in [("dee", &d), ("zed", &e)] {
                        let alone = run(&rows(), model.into(), &baseline, options, 2).unwrap();
                        for (found, alone) in found.slices.iter().zip(&alone.slices) {
                            assert_eq!(found.contenders[name], of_candidate(alone));
                            assert_eq!(found.curves.get(name), alone.curves.get("candidate"));
                            assert_eq!(found.tables.get(name), alone.tables.get("candidate"));
                        }
                    }
                    let alone = run(&rows(), (&candidate).into(), &baseline, options, 2).unwrap();
                    let mut rest = found.clone();
                    rest.contenders.clear();
                    for slice in &mut rest.slices {
                        slice.contenders.clear();
                        slice.curves.retain(|name, _| ["candidate", "baseline"].contains(&name.as_str()));
                        slice.tables.retain(|name, _| ["candidate", "baseline"].contains(&name.as_str()));
                    }
                    assert_eq!(rest, alone);
                    let json = serde_json::to_string(&found).unwrap();
                    assert_eq!(serde_json::from_str::<Evaluation>(&json).unwrap(), found);
                }
            }
        }
    }

    #[test]
    fn groups_are_held_against_one_another_for_contenders_too() {
        let [candidate, other] = ["c", "d"].map(binary);
        let contenders: Vec<Named> = vec![("dee".into(), Arc::clone(&other))];
        let asked: FairnessOptions = serde_json::from_str(r#""g""#).unwrap();
        let options = EvaluateOptions { fairness: vec![asked], ..EvaluateOptions::default() };
        let both = Entrants { candidate: &candidate, contenders: &contenders };
        let found = run(&rows(), both, &Baseline::None, &options, 2).unwrap();
        let alone = run(&rows(), (&other).into(), &Baseline::None, &options, 2).unwrap();
        assert_eq!(found.fairness[0].contenders["dee"], alone.fairness[0].candidate);
    }

    #[test]
    fn a_row_that_a_contender_cannot_score_is_an_error_or_left_out_for_all() {
        let mut columns: Vec<_> = rows().columns().to_vec();
        let gaps: Vec<Option<f64>> = (0..300).map(|row| (row % 7 != 0).then_some(0.25)).collect();
        columns[3] = Arc::new(arrow::array::Float64Array::from(gaps));
        let schema = rows().schema();
        let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        let schema = arrow::datatypes::Schema::new(fields.collect::<Vec<_>>());
        let data = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
        let [candidate, other] = ["c", "d"].map(|name| Linear::column(name, name));
        let contenders: Vec<Named> = vec![("dee".into(), other)];
        let both = Entrants { candidate: &candidate, contenders: &contenders };
        let error = run(&data, both, &Baseline::None, &EvaluateOptions::default(), 1).unwrap_err();
        assert_eq!(error.to_string(), "contender `dee`'s prediction is NaN");
        assert!(error.places().iter().any(|place| place.contains("row 1")), "{:?}", error.places());
        let options = EvaluateOptions { missing: Missing::Exclude, ..EvaluateOptions::default() };
        let found = run(&data, both, &Baseline::None, &options, 2).unwrap();
        let excluded = found.excluded.unwrap();
        assert_eq!((excluded.contenders, found.slices[0].rows), (BTreeMap::from([("dee".into(), 43)]), 257));
        let told = &found.verdict.reasons[0].text;
        assert_eq!(told, "43 rows are left out: 43 without a prediction of contender `dee`");
    }

    #[test]
    fn contenders_that_do_not_fit_are_refused_before_a_row_is_read() {
        let candidate = Linear::column("c", "c");
        let refused = |contenders: Vec<Named>| {
            let both = Entrants { candidate: &candidate, contenders: &contenders };
            run(&rows(), both, &Baseline::None, &EvaluateOptions::default(), 1).unwrap_err().to_string()
        };
        let named = |name: &str, model: &Arc<dyn Predictor>| (name.to_owned(), Arc::clone(model));
        let misfit = "contender `x` cannot be measured beside the candidate: ";
        for (model, reason) in [
            (Linear::predictor("o", "w", &[("c", 1.0)], 0.0), "it predicts `w`, the candidate predicts `y`"),
            (binary("c"), "it predicts the probability of `1`, the candidate a number"),
            (Linear::column("o", "gone"), "it reads column `gone`, which memory does not have"),
        ] {
            assert_eq!(refused(vec![named("x", &model)]), format!("{misfit}{reason}"));
        }
        for (name, problem) in [
            ("baseline", "name a model `baseline`, which reports call something else"),
            ("change of x", "name a model `change of x`, which reports call something else"),
            ("", "name a model \"\""),
            (" x", "name a model \" x\""),
            ("a\nb", "name a model \"a\\nb\""),
        ] {
            assert_eq!(refused(vec![named(name, &candidate)]), format!("`contenders` {problem}"));
        }
        let twice = refused(vec![named("x", &candidate), named("x", &candidate)]);
        assert_eq!(twice, "`contenders` name two models `x`");
        // A model that fails on a row is named, with what it met.
        let text = vec![named("x", &Linear::column("o", "g"))];
        assert_eq!(refused(text), "contender `x` cannot predict these rows");
    }
}
