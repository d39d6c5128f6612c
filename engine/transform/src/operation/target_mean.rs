//! Target mean: a value becomes the mean of the label over the training rows that hold it, drawn towards the overall mean
//! (scikit-learn's `TargetEncoder` for a continuous or 0/1 label). With n rows of mean m and variance v (population) of
//! the value, and M and V overall:
//!
//! - `smoothing: auto` is empirical Bayes: λ m + (1 − λ) M with λ = V n / (V n + v) (Micci-Barreca, "A preprocessing
//!   scheme for high-cardinality categorical attributes", SIGKDD Explorations 3 (2001)); M where V n + v is 0;
//! - `smoothing: s` is (n m + s M) / (n + s).
//!
//! Null and NaN are one value of their own; a value not seen in training becomes M. A label that is null, NaN or infinite
//! is an error that names the row.
//!
//! **Out of fold.** A training row must not be told its own label. Rows are in `folds` folds by their identity, the same as
//! in the cross-validation of training; when a model is trained, the value of a row comes of the rows of all other folds
//! (M and V too), and what is fitted on the result sees the same. Evaluation and prediction use the means of all rows.

use arrow::array::Float64Array;
use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::folds::fold_of;
use sluice_core::options::OptionsError;
use sluice_summaries::Moments;

use crate::error::TransformError;
use crate::fit::Builder;
use crate::fit::analyzer::{Analyzer, LevelTarget, TargetMoments, Wanted};
use crate::operation::keys::{Key, KeyTable};
use crate::operation::vocabulary::{Auto, AutoOr};
use crate::operation::{Fitted, Fitting, Inputs, Map, Mapper, Plan};
use crate::spec::OfColumns;
use crate::value::{Value, ValueKind};

const OPERATION: &str = "target_mean";

/// More folds than this are refused.
const MAX_FOLDS: u32 = 100;

/// The options of `target_mean`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetMean {
    /// The columns.
    pub columns: Vec<String>,
    /// How many rows of the overall mean are added to those of a value, or `auto`.
    #[serde(default = "automatic")]
    pub smoothing: AutoOr,
    /// Folds of the training rows.
    #[serde(default = "five")]
    pub folds: u32,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

fn automatic() -> AutoOr {
    AutoOr::Auto(Auto::Auto)
}

fn five() -> u32 {
    5
}

impl OfColumns for TargetMean {
    fn of_columns(columns: Vec<String>) -> Self {
        Self { columns, smoothing: automatic(), folds: five(), names: Vec::new() }
    }
}

impl Plan for TargetMean {
    fn check(&self) -> Result<(), OptionsError> {
        let wrong = |name: &str, value: String, range: &str| {
            let (name, range) = (format!("target_mean.{name}"), range.to_owned());
            Err(OptionsError::OutOfRange { name, value, range })
        };
        match self.smoothing {
            AutoOr::Number(number) if !(number >= 0.0 && number.is_finite()) => {
                wrong("smoothing", number.to_string(), "0 or more, or `auto`")
            }
            _ if !(2..=MAX_FOLDS).contains(&self.folds) => {
                wrong("folds", self.folds.to_string(), "from 2 to 100")
            }
            _ => Ok(()),
        }
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = graph.scalar(column)?;
            let label = graph.label()?;
            if !label.kind.is_number() {
                return Err(graph.unsuitable(&label, "a label of numbers or booleans").into());
            }
            let column = column.to_owned();
            let fitting = TargetFitting { column, smoothing: self.smoothing, folds: self.folds };
            graph.step_on(&[input], &[label], [(name, ValueKind::FLOAT)], fitting)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct TargetFitting {
    column: String,
    smoothing: AutoOr,
    folds: u32,
}

impl Fitting for TargetFitting {
    fn wanted(&self) -> Vec<Wanted> {
        vec![Wanted { inputs: vec![0, 1], analyzer: LevelTarget::new(self.folds).into() }]
    }

    fn fit(self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        let Self { column, smoothing, folds } = *self;
        let no_values = || TransformError::NoValues { operation: OPERATION, column: column.clone() };
        let target = answers.into_iter().find_map(Analyzer::into_target).ok_or_else(no_values)?;
        let too_many =
            |limit| TransformError::TooManyValues { operation: OPERATION, column: column.clone(), limit };
        let levels = target.levels.into_sorted().map_err(too_many)?;
        let overall = target.overall;
        let of_rows = |leave_out: Option<usize>| {
            let overall = joined(&overall, leave_out);
            let mean = overall.mean()?;
            let means = levels.iter().map(|(_, moments)| {
                encoding(smoothing, &joined(moments, leave_out), &overall).unwrap_or(mean)
            });
            Some(Means { overall: mean, levels: means.collect() })
        };
        let all = of_rows(None).ok_or_else(no_values)?;
        let out_of_fold: Option<Vec<Means>> = (0..overall.len()).map(|fold| of_rows(Some(fold))).collect();
        let out_of_fold = out_of_fold.ok_or(TransformError::OneFold { operation: OPERATION, folds })?;
        let keys: Vec<Key> = levels.into_iter().map(|(key, _)| key).collect();
        let means = TargetMeans { levels: KeyTable::from(keys), all, out_of_fold };
        Ok(Fitted::Done(Mapper::TargetMean(Box::new(means))))
    }
}

/// The moments of all folds, or of all but one, joined in their order.
fn joined(moments: &TargetMoments, leave_out: Option<usize>) -> Moments {
    let mut all = Moments::default();
    for (fold, moments) in moments.iter().enumerate() {
        if Some(fold) != leave_out {
            all.merge(*moments);
        }
    }
    all
}

/// What a value becomes; `None` where only the overall mean is known.
fn encoding(smoothing: AutoOr, level: &Moments, overall: &Moments) -> Option<f64> {
    let (mean, overall_mean) = (level.mean()?, overall.mean()?);
    let count = level.count() as f64;
    match smoothing {
        AutoOr::Number(rows) => Some((count * mean + rows * overall_mean) / (count + rows)),
        AutoOr::Auto(_) => {
            let spread = overall.variance(0)? * count;
            let within = level.variance(0)?;
            let share = spread / (spread + within);
            (!share.is_nan()).then_some(share * mean + (1.0 - share) * overall_mean)
        }
    }
}

/// What values become.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Means {
    /// Values that were not seen.
    pub overall: f64,
    /// By the number of their level.
    pub levels: Vec<f64>,
}

impl Means {
    fn of(&self, level: Option<u32>) -> f64 {
        level.and_then(|level| self.levels.get(level as usize)).copied().unwrap_or(self.overall)
    }
}

/// Means of the label for levels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetMeans {
    /// The values that were seen.
    pub levels: KeyTable,
    /// Of all training rows.
    pub all: Means,
    /// Without the rows of each fold.
    out_of_fold: Vec<Means>,
}

impl Map for TargetMeans {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let levels = self.levels.find(&inputs.key(0)?, inputs.rows);
        let folds = u32::try_from(self.out_of_fold.len()).unwrap_or(u32::MAX);
        let means: Float64Array = match inputs.hashes {
            None => levels.into_iter().map(|level| Some(self.all.of(level))).collect(),
            Some(hashes) => levels
                .into_iter()
                .zip(hashes)
                .map(|(level, hash)| {
                    self.out_of_fold.get(fold_of(*hash, folds) as usize).map(|m| m.of(level))
                })
                .collect(),
        };
        Ok(vec![Value::floats(means)])
    }

    fn leaves_out_folds(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};
    use sluice_core::batch::{Batch, RowIdentity};
    use sluice_core::folds::fold_of;
    use sluice_testkit::close::assert_relative;

    use crate::OfTrainingRows;
    use crate::testing::{
        check_laws_of, check_paths, columns_of, features, features_of, fitted, fitted_of, reference,
    };

    fn numbers(values: &Json) -> Vec<f64> {
        values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    }

    #[test]
    fn it_agrees_with_scikit_learn_in_and_out_of_fold() {
        let data = &reference("categories.json")["target_mean"];
        let rows = columns_of(&data["rows"]);
        let identity = RowIdentity::Key(vec!["c".into(), "id".into(), "y".into()]);
        let hashes = Batch::new(&rows).hash(&identity).unwrap();
        let folds: Vec<f64> = hashes.iter().map(|hash| f64::from(fold_of(*hash, 3))).collect();
        assert_eq!(folds, numbers(&data["folds"]), "the script divides the rows otherwise");
        for case in data["cases"].as_array().unwrap() {
            let smoothing = &case["smoothing"];
            let options = json!({ "columns": ["c"], "smoothing": smoothing, "folds": 3, "as": ["mean"] });
            let fit = json!([{ "target_mean": options }]);
            let transform = fitted_of(&rows, &fit, Some("y")).unwrap();
            let found = features(&transform, &columns_of(&data["later"])).remove(0).1;
            for (found, expected) in found.iter().zip(numbers(&case["later"])) {
                assert_relative(found.unwrap(), expected, 1e-12);
            }
            let training = OfTrainingRows::of(&transform);
            let found = features_of(training.as_ref(), &rows).remove(0).1;
            for (found, expected) in found.iter().zip(numbers(&case["out_of_fold"])) {
                assert_relative(found.unwrap(), expected, 1e-12);
            }
            check_paths(&transform, &rows);
            check_laws_of(&rows, &fit, Some("y"));
        }
    }

    #[test]
    fn what_follows_is_fitted_on_what_training_sees() {
        let rows = columns_of(&reference("categories.json")["target_mean"]["rows"]);
        let fit = json!([{ "target_mean": { "columns": ["c"], "folds": 3 } }, { "standardize": ["c"] }]);
        let transform = fitted_of(&rows, &fit, Some("y")).unwrap();
        let found = features_of(OfTrainingRows::of(&transform).as_ref(), &rows).remove(0).1;
        let sum: f64 = found.iter().flatten().sum();
        assert!(sum.abs() < 1e-10, "out-of-fold values are centred, by {sum}");
        check_laws_of(&rows, &fit, Some("y"));
    }

    #[test]
    fn a_label_that_is_no_number_is_named_by_row() {
        let fit = json!([{ "target_mean": ["c"] }]);
        for bad in [json!([1.0, 0.0, null]), json!([1.0, 0.0, "NaN"])] {
            let rows = columns_of(&json!({ "c": ["a", "b", "a"], "y": bad }));
            let error = fitted_of(&rows, &fit, Some("y")).unwrap_err();
            assert!(error.to_string().contains("learns from the label `y`"), "{error}");
            assert!(error.places().iter().any(|place| place.contains('3')), "{error:?}");
        }
        let texts = columns_of(&json!({ "c": ["a", "b"], "y": ["yes", "no"] }));
        let error = fitted_of(&texts, &fit, Some("y")).unwrap_err();
        assert!(error.to_string().contains("a label of numbers or booleans"), "{error}");
        assert!(fitted(&texts, &fit).unwrap_err().to_string().contains("learns from the label"));
    }

    #[test]
    fn one_row_has_no_other_fold() {
        let rows = columns_of(&json!({ "c": ["a"], "y": [1.0] }));
        let error = fitted_of(&rows, &json!([{ "target_mean": ["c"] }]), Some("y")).unwrap_err();
        assert!(error.to_string().contains("all training rows are in one of 5"), "{error}");
    }
}
