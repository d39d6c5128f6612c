//! Which metrics there are, and a metric with its parameters.

use std::sync::Arc;

use sluice_core::options::{OptionsError, Range};
use sluice_core::seam::Task;

use super::{Direction, Formula, confusion, regression};

/// What kind of label a metric is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskKind {
    /// A number.
    Regression,
    /// Two classes.
    Binary,
    /// Several classes.
    MultiClass,
}

impl TaskKind {
    /// That of a model.
    #[must_use]
    pub fn of(task: &Task) -> Self {
        match task {
            Task::Regression => Self::Regression,
            Task::Binary { .. } => Self::Binary,
            Task::MultiClass { .. } => Self::MultiClass,
        }
    }
}

impl std::fmt::Display for TaskKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Regression => "numbers",
            Self::Binary => "two classes",
            Self::MultiClass => "several classes",
        })
    }
}

/// A parameter of a metric.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its value unless given.
    pub default: f64,
    /// The values that it takes.
    pub range: fn() -> Range,
}

/// A metric as the catalogue has it.
pub struct Definition {
    /// The name in options and reports.
    pub name: &'static str,
    /// What it answers, in words.
    pub meaning: &'static str,
    /// Which way it improves.
    pub direction: Direction,
    /// What it is for.
    pub tasks: &'static [TaskKind],
    /// What can be set, in order.
    pub parameters: &'static [Parameter],
    /// From the values of the parameters.
    pub(crate) formula: fn(&[f64]) -> Formula,
}

impl std::fmt::Debug for Definition {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Definition").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Definition {
    /// All metrics, those of a family together.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        [regression::DEFINITIONS, confusion::DEFINITIONS].into_iter().flatten()
    }

    /// What is reported of a task where nothing is named.
    #[must_use]
    pub fn defaults(task: TaskKind) -> &'static [&'static str] {
        match task {
            TaskKind::Regression => &["rmse", "mse", "mae", "r2", "mean_error"],
            TaskKind::Binary => &["accuracy", "precision", "recall", "f1"],
            TaskKind::MultiClass => &[],
        }
    }
}

/// A metric: a definition with its parameters.
#[derive(Clone, Debug)]
pub struct Metric {
    /// The name in reports: that of the definition, with the parameters that differ from their defaults, such as
    /// `precision(threshold=0.3)`.
    pub name: String,
    /// What it answers, in words.
    pub meaning: String,
    /// Which way it improves.
    pub direction: Direction,
    /// What it is for.
    pub tasks: Vec<TaskKind>,
    pub(crate) formula: Formula,
}

impl Metric {
    /// The metric of this text: a name, or a name with parameters as in `precision(threshold=0.3)`.
    ///
    /// # Errors
    /// [`OptionsError::NoSuchChoice`], whose hint names the nearest; a parameter that the metric does not have, or
    /// out of its range.
    pub fn find(text: &str) -> Result<Arc<Self>, OptionsError> {
        let (name, inside) = match text.trim().split_once('(') {
            Some((name, rest)) => (name.trim(), rest.strip_suffix(')')),
            None => (text.trim(), Some("")),
        };
        let definition =
            Definition::all().find(|known| known.name == name).ok_or_else(|| OptionsError::NoSuchChoice {
                name: "metric".into(),
                value: name.into(),
                choices: Definition::all().map(|known| known.name.into()).collect(),
            })?;
        let inside = inside.ok_or_else(|| definition.misread(text))?;
        let mut values: Vec<f64> = definition.parameters.iter().map(|parameter| parameter.default).collect();
        for setting in inside.split(',').map(str::trim).filter(|setting| !setting.is_empty()) {
            let (parameter, value) = setting.split_once('=').ok_or_else(|| definition.misread(text))?;
            let place = definition.parameters.iter().position(|known| known.name == parameter.trim());
            let place = place.ok_or_else(|| definition.no_parameter(parameter.trim()))?;
            let value: f64 = value.trim().parse().map_err(|_| definition.misread(text))?;
            let option = format!("{name}.{}", parameter.trim());
            values[place] = (definition.parameters[place].range)().check(&option, value)?;
        }
        Ok(Arc::new(definition.metric(&values)))
    }
}

impl Definition {
    /// The metric with these values of its parameters.
    fn metric(&self, values: &[f64]) -> Metric {
        let set: Vec<String> = self
            .parameters
            .iter()
            .zip(values)
            .filter(|(parameter, value)| parameter.default.to_bits() != value.to_bits())
            .map(|(parameter, value)| format!("{}={value}", parameter.name))
            .collect();
        let name =
            if set.is_empty() { self.name.to_owned() } else { format!("{}({})", self.name, set.join(",")) };
        Metric {
            name,
            meaning: self.meaning.into(),
            direction: self.direction,
            tasks: self.tasks.to_vec(),
            formula: (self.formula)(values),
        }
    }

    fn misread(&self, text: &str) -> OptionsError {
        let first = self.parameters.first().map_or("threshold", |parameter| parameter.name);
        OptionsError::Conflict {
            name: "metric".into(),
            problem: format!("is `{text}`, which is not a metric with parameters"),
            hint: Some(format!("write it as in `{}({first}=0.5)`", self.name)),
        }
    }

    fn no_parameter(&self, parameter: &str) -> OptionsError {
        if self.parameters.is_empty() {
            return OptionsError::Conflict {
                name: "metric".into(),
                problem: format!("sets `{parameter}` of `{}`, which has no parameters", self.name),
                hint: Some(format!("write `{}`", self.name)),
            };
        }
        OptionsError::NoSuchChoice {
            name: format!("parameter of `{}`", self.name),
            value: parameter.into(),
            choices: self.parameters.iter().map(|known| known.name.into()).collect(),
        }
    }
}
