//! What is searched for weak slices, and when one is reported.
//!
//! | option | default | range | meaning |
//! |---|---|---|---|
//! | `columns` | all that can be sliced by | columns | where conditions come from |
//! | `loss` | `mse`, or log loss of classes and labels | a metric that is a mean over rows | what is bad |
//! | `conditions` | 3 | 1 to 3 | conditions of a slice, at most |
//! | `buckets` | 4 | 2 to 100 | buckets of a number of more values than the next |
//! | `values` | 20 | 1 to 200 | values of a column that are looked at; the rest is `(other)` |
//! | `minimum_rows` | 1 % of the rows, at least 100 | from 2 | smaller slices are not looked at |
//! | `level` | 0.05 | above 0, below 0.5 | the share of false ones among those reported |
//! | `beam` | 100 | 1 to 10,000 | slices of two conditions that a third is added to |

use serde::{Deserialize, Serialize};
use sluice_core::options::{OptionsError, Range};
use sluice_core::seam::Task;

use crate::measure::{LabelTerm, Missing, Term};
use crate::metric::{Direction, Dual, Formula, Metric, MomentFormula, TaskKind};

/// Options of the search, unchecked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WeakSliceOptions {
    /// Columns that conditions are about; none: all that can be sliced by.
    pub columns: Vec<String>,
    /// Columns that are left out where none are named: those that hold predictions.
    #[serde(skip)]
    pub except: Vec<String>,
    /// What is done with rows in which the label, the weight or the prediction is missing.
    #[serde(skip)]
    pub missing: Missing,
    /// A metric that is a mean over rows; none: the mean squared error, of classes the log loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<String>,
    /// Conditions of a slice, at most.
    pub conditions: u32,
    /// Buckets of about as many rows that a number of many values is cut into.
    pub buckets: u32,
    /// Values of a column, the most frequent; the others are one.
    pub values: u32,
    /// Rows of a slice, at least; none: 1 % of all, at least 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_rows: Option<u64>,
    /// The false discovery rate.
    pub level: f64,
    /// How many slices of two conditions get a third.
    pub beam: u32,
}

impl Default for WeakSliceOptions {
    fn default() -> Self {
        Self {
            columns: Vec::new(),
            except: Vec::new(),
            missing: Missing::default(),
            loss: None,
            conditions: 3,
            buckets: 4,
            values: 20,
            minimum_rows: None,
            level: 0.05,
            beam: 100,
        }
    }
}

impl WeakSliceOptions {
    /// Checks what can be checked without data.
    ///
    /// # Errors
    /// [`OptionsError`] for a number out of its range, a column named twice, a metric that there is not.
    pub fn check(&self) -> Result<(), OptionsError> {
        Range::closed(1.0, 3.0).check("conditions", f64::from(self.conditions))?;
        Range::closed(2.0, 100.0).check("buckets", f64::from(self.buckets))?;
        Range::closed(1.0, 200.0).check("values", f64::from(self.values))?;
        Range::closed(1.0, 10_000.0).check("beam", f64::from(self.beam))?;
        Range::open(0.0, 0.5).check("level", self.level)?;
        if let Some(rows) = self.minimum_rows {
            Range::at_least(2.0).check("minimum_rows", rows as f64)?;
        }
        for (place, column) in self.columns.iter().enumerate() {
            if self.columns[..place].contains(column) {
                return Err(OptionsError::Conflict {
                    name: "columns".into(),
                    problem: format!("has `{column}` twice"),
                    hint: Some("name each column once".into()),
                });
            }
        }
        self.loss.as_deref().map_or(Ok(()), |name| {
            let metric = Metric::find(name)?;
            Loss::of_metric(&metric).map(drop)
        })
    }

    /// The rows that a slice must have.
    pub(super) fn least_rows(&self, rows: u64) -> u64 {
        self.minimum_rows.unwrap_or_else(|| std::cmp::max(100, rows.div_ceil(100)))
    }

    /// What is bad about a prediction of this task.
    pub(super) fn loss(&self, task: &Task) -> Result<Loss, OptionsError> {
        let kind = TaskKind::of(task);
        let Some(name) = &self.loss else {
            return Ok(match kind {
                TaskKind::Regression => Loss { name: "mse".into(), term: Term::SquaredError, sign: 1.0 },
                TaskKind::Binary | TaskKind::MultiClass => {
                    Loss { name: "log_loss".into(), term: Term::LogLoss, sign: 1.0 }
                }
                TaskKind::MultiLabel => {
                    Loss { name: "log_loss".into(), term: Term::Labels(LabelTerm::LogLoss), sign: 1.0 }
                }
            });
        };
        let metric = Metric::find(name)?;
        if let Ok(metric) = metric.for_task(task)
            && metric.tasks.contains(&kind)
        {
            return Loss::of_metric(&metric);
        }
        let tasks: Vec<String> = metric.tasks.iter().map(ToString::to_string).collect();
        let problem = format!(
            "is `{name}`, which is for labels of {}; the model predicts {kind}",
            tasks.join(" or of ")
        );
        Err(conflict(problem, "leave it out for the loss of the task"))
    }
}

/// A number per row; more is worse.
#[derive(Clone, Debug)]
pub(super) struct Loss {
    pub(super) name: String,
    pub(super) term: Term,
    /// −1 where more is better.
    pub(super) sign: f64,
}

impl Loss {
    fn of_metric(metric: &Metric) -> Result<Self, OptionsError> {
        let name = &metric.name;
        let term = if let Formula::Moments(formula) = &metric.formula { mean_of(formula) } else { None };
        let Some(term) = term else {
            let problem = format!("is `{name}`, which is not the mean of a number per row");
            return Err(conflict(problem, "use `mse`, `mae` or another mean"));
        };
        let sign = match metric.direction {
            Direction::LowerIsBetter => 1.0,
            Direction::HigherIsBetter => -1.0,
            Direction::ZeroIsBest | Direction::OneIsBest | Direction::None => {
                let problem = format!("is `{name}`, of which neither more nor less is worse");
                return Err(conflict(problem, "use `mse`, `mae` or another mean"));
            }
        };
        Ok(Self { name: name.clone(), term, sign })
    }
}

/// What a formula is the mean of, if that is all it is.
fn mean_of(formula: &MomentFormula) -> Option<Term> {
    let [term] = formula.terms.as_slice() else { return None };
    let is_same = |mean: f64| {
        let inputs = Dual::inputs(&[mean.into()]);
        (formula.value)(&inputs).is_ok_and(|value| value == inputs[0])
    };
    [-2.0, 0.0, 0.25, 3.0].into_iter().all(is_same).then_some(*term)
}

fn conflict(problem: String, hint: &str) -> OptionsError {
    OptionsError::Conflict { name: "loss".into(), problem, hint: Some(hint.into()) }
}
