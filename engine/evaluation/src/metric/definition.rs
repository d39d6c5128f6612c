//! Which metrics there are, and a metric with its parameters.

use std::sync::Arc;

use sluice_core::options::{OptionsError, Range};
use sluice_core::seam::Task;

use super::{Direction, Formula, classes, confusion, labels, probability, ranked, regression};

/// What kind of label a metric is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskKind {
    /// A number.
    Regression,
    /// Two classes.
    Binary,
    /// Several classes.
    MultiClass,
    /// Several labels, of which a row may have any number.
    MultiLabel,
}

impl TaskKind {
    /// That of a model.
    #[must_use]
    pub fn of(task: &Task) -> Self {
        match task {
            Task::Regression => Self::Regression,
            Task::Binary { .. } => Self::Binary,
            Task::MultiClass { .. } => Self::MultiClass,
            Task::MultiLabel { .. } => Self::MultiLabel,
        }
    }
}

impl std::fmt::Display for TaskKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Regression => "numbers",
            Self::Binary => "two classes",
            Self::MultiClass => "several classes",
            Self::MultiLabel => "sets of labels",
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

impl Parameter {
    /// A value that it takes: in its range, and whole where it counts something.
    fn check(&self, option: &str, value: f64) -> Result<f64, OptionsError> {
        let range = (self.range)();
        if matches!(self.name, "bins" | "k") && value.fract() != 0.0 {
            let range = format!("a whole number, {range}");
            return Err(OptionsError::OutOfRange { name: option.into(), value: value.to_string(), range });
        }
        range.check(option, value)
    }
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
        let families = [
            regression::DEFINITIONS,
            probability::DEFINITIONS,
            confusion::DEFINITIONS,
            ranked::DEFINITIONS,
            classes::DEFINITIONS,
            labels::DEFINITIONS,
        ];
        families.into_iter().flatten()
    }

    /// Other names that options may use for it; reports use [`Definition::name`].
    pub fn aliases(&self) -> impl Iterator<Item = &'static str> {
        let of = self.name;
        let all = [
            regression::ALIASES,
            probability::ALIASES,
            confusion::ALIASES,
            classes::ALIASES,
            labels::ALIASES,
        ];
        let all = all.into_iter().flatten();
        all.filter(move |(_, name)| *name == of).map(|(alias, _)| *alias)
    }

    /// Whether it goes by this name.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases().any(|alias| alias == name)
    }

    /// What is reported of a task where nothing is named.
    #[must_use]
    pub fn defaults(task: TaskKind) -> &'static [&'static str] {
        match task {
            TaskKind::Regression => &["rmse", "mse", "mae", "r2", "mean_error"],
            TaskKind::Binary => &[
                "auc",
                "log_loss",
                "brier_score",
                "accuracy",
                "precision",
                "recall",
                "f1",
                "expected_calibration_error",
            ],
            TaskKind::MultiClass => &["accuracy", "log_loss", "macro_f1"],
            TaskKind::MultiLabel => &[
                "micro_f1",
                "macro_f1",
                "samples_f1",
                "subset_accuracy",
                "hamming_loss",
                "log_loss",
                "label_ranking_average_precision",
            ],
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
    /// The label that it is of, if it is of one of several.
    pub(crate) label: Option<String>,
    pub(crate) formula: Formula,
}

impl Metric {
    /// The metric of this text: a name, or a name with parameters as in `precision(threshold=0.3)`. Where labels of
    /// several kinds have one of that name, the first that takes the parameters; `Metric::for_task` decides.
    ///
    /// # Errors
    /// [`OptionsError::NoSuchChoice`], whose hint names the nearest; a parameter that the metric does not have, or
    /// out of its range.
    pub fn find(text: &str) -> Result<Arc<Self>, OptionsError> {
        Self::find_among(text, |_| true)
    }

    /// The metric of this name for labels of this kind.
    ///
    /// # Errors
    /// It is for other labels; it needs a class, or names one that the model does not have.
    pub(crate) fn for_task(self: &Arc<Self>, task: &Task) -> Result<Arc<Self>, OptionsError> {
        let kind = TaskKind::of(task);
        let name = self.name.split('(').next().unwrap_or_default();
        let is_for = |known: &Definition| known.tasks.contains(&kind);
        let metric = if self.tasks.contains(&kind) {
            Arc::clone(self)
        } else if Definition::all().any(|known| known.is_called(name) && is_for(known)) {
            Self::find_among(&self.name, is_for)?
        } else {
            return Err(self.misplaced(kind));
        };
        if let (Formula::Classes(formula), Task::MultiClass { classes }) = (&metric.formula, task)
            && formula.rate.is_of_class()
        {
            match &formula.class {
                None => {
                    let example = classes.first().map_or("a", String::as_str);
                    return Err(OptionsError::Conflict {
                        name: "metric".into(),
                        problem: format!(
                            "is `{}`, which is of one class, and the model has several",
                            self.name
                        ),
                        hint: Some(format!(
                            "write `{name}(class={example})`, or `macro_{name}` for their mean"
                        )),
                    });
                }
                Some(class) if !classes.contains(class) => {
                    return Err(OptionsError::NoSuchChoice {
                        name: "class".into(),
                        value: class.clone(),
                        choices: classes.clone(),
                    });
                }
                Some(_) => {}
            }
        }
        match task {
            Task::MultiLabel { labels } => metric.for_labels(labels),
            _ => Ok(metric),
        }
    }

    /// The metric of sets of these labels.
    fn for_labels(self: Arc<Self>, labels: &[String]) -> Result<Arc<Self>, OptionsError> {
        let Formula::Moments(formula) = &self.formula else { return Ok(self) };
        let named = match &self.label {
            _ if !formula.is_of_label() => 0,
            Some(label) => {
                labels.iter().position(|known| known == label).ok_or_else(|| OptionsError::NoSuchChoice {
                    name: "label".into(),
                    value: label.clone(),
                    choices: labels.to_vec(),
                })?
            }
            None => {
                let name = self.name.split('(').next().unwrap_or_default();
                let example = labels.first().map_or("a", String::as_str);
                return Err(OptionsError::Conflict {
                    name: "metric".into(),
                    problem: format!("is `{}`, which is of one label, and the model has several", self.name),
                    hint: Some(format!("write `{name}(label={example})`, or `macro_{name}` for their mean")),
                });
            }
        };
        let formula = Formula::Moments(formula.of_labels(labels.len(), named));
        Ok(Arc::new(Self { formula, ..Self::clone(&self) }))
    }

    fn misplaced(&self, task: TaskKind) -> OptionsError {
        let tasks: Vec<String> = self.tasks.iter().map(ToString::to_string).collect();
        OptionsError::Conflict {
            name: "metric".into(),
            problem: format!(
                "`{}` is for labels of {}, the model predicts {task}",
                self.name,
                tasks.join(" or of ")
            ),
            hint: Some(format!("use some of: {}", Definition::defaults(task).join(", "))),
        }
    }

    fn find_among(text: &str, is_wanted: impl Fn(&Definition) -> bool) -> Result<Arc<Self>, OptionsError> {
        let (name, inside) = match text.trim().split_once('(') {
            Some((name, rest)) => (name.trim(), rest.strip_suffix(')')),
            None => (text.trim(), Some("")),
        };
        let mut first_error = None;
        // What is another name of one metric may be the name of another, for other labels.
        let by_name = Definition::all().filter(|known| known.name == name);
        let by_alias = Definition::all().filter(|known| known.name != name && known.is_called(name));
        for definition in by_name.chain(by_alias).filter(|known| is_wanted(known)) {
            let read = match inside {
                Some(inside) => definition.read(text, inside),
                None => Err(definition.misread(text)),
            };
            match read {
                Ok(metric) => return Ok(Arc::new(metric)),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| OptionsError::NoSuchChoice {
            name: "metric".into(),
            value: name.into(),
            choices: Definition::names().map(str::to_owned).collect(),
        }))
    }
}

/// Settings between commas that stand outside quotes.
fn settings(inside: &str) -> Vec<&str> {
    let (mut settings, mut start, mut is_quoted) = (Vec::new(), 0, false);
    for (place, letter) in inside.char_indices() {
        match letter {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => {
                settings.push(&inside[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    settings.push(&inside[start..]);
    settings.into_iter().map(str::trim).filter(|setting| !setting.is_empty()).collect()
}

/// A class as it stands in the name of a metric: in quotes where a comma or quotes would be misread.
fn quoted_class(class: &str) -> String {
    if class.contains([',', '"']) || class.trim() != class {
        format!("\"{}\"", class.replace('"', "\"\""))
    } else {
        class.to_owned()
    }
}

fn unquoted_class(text: &str) -> String {
    let inside = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inside.map_or_else(|| text.to_owned(), |inside| inside.replace("\"\"", "\""))
}

impl Definition {
    /// The names, each once.
    fn names() -> impl Iterator<Item = &'static str> {
        let is_first =
            |(place, name): &(usize, &str)| Self::all().take(*place).all(|known| known.name != *name);
        Self::all().map(|known| known.name).enumerate().filter(is_first).map(|(_, name)| name)
    }

    /// The metric with the settings that stand between parentheses.
    fn read(&self, text: &str, inside: &str) -> Result<Metric, OptionsError> {
        let mut values: Vec<f64> = self.parameters.iter().map(|parameter| parameter.default).collect();
        let mut class = None;
        for setting in settings(inside) {
            let (parameter, value) = setting.split_once('=').ok_or_else(|| self.misread(text))?;
            let (parameter, value) = (parameter.trim(), value.trim());
            if self.of_one() == Some(parameter) {
                class = Some(unquoted_class(value));
                continue;
            }
            let place = self.parameters.iter().position(|known| known.name == parameter);
            let place = place.ok_or_else(|| self.no_parameter(parameter))?;
            let value: f64 = value.parse().map_err(|_| self.misread(text))?;
            values[place] = self.parameters[place].check(&format!("{}.{parameter}", self.name), value)?;
        }
        Ok(self.metric(&values, class))
    }

    /// What it is of one of several of, as the parameter that names it: `class` or `label`.
    pub(super) fn of_one(&self) -> Option<&'static str> {
        let values: Vec<f64> = self.parameters.iter().map(|parameter| parameter.default).collect();
        match (self.formula)(&values) {
            Formula::Classes(formula) if formula.rate.is_of_class() => Some("class"),
            Formula::Moments(formula) if formula.is_of_label() => Some("label"),
            _ => None,
        }
    }

    /// The metric with these values of its parameters.
    fn metric(&self, values: &[f64], class: Option<String>) -> Metric {
        let changed = self
            .parameters
            .iter()
            .zip(values)
            .filter(|(parameter, value)| parameter.default.to_bits() != value.to_bits())
            .map(|(parameter, value)| format!("{}={value}", parameter.name));
        let of_one = self.of_one();
        let of_class =
            of_one.zip(class.as_deref()).map(|(one, class)| format!("{one}={}", quoted_class(class)));
        let set: Vec<String> = changed.chain(of_class).collect();
        let name =
            if set.is_empty() { self.name.to_owned() } else { format!("{}({})", self.name, set.join(",")) };
        let mut formula = (self.formula)(values);
        let label = class.clone().filter(|_| of_one == Some("label"));
        if let Formula::Classes(formula) = &mut formula {
            formula.class = class;
        }
        Metric {
            name,
            meaning: self.meaning.into(),
            direction: self.direction,
            tasks: self.tasks.to_vec(),
            label,
            formula,
        }
    }

    fn misread(&self, text: &str) -> OptionsError {
        let example = match self.parameters.first() {
            Some(parameter) => format!("{}({}={})", self.name, parameter.name, parameter.default),
            None => match self.of_one() {
                Some(one) => format!("{}({one}=a)", self.name),
                None => self.name.to_owned(),
            },
        };
        OptionsError::Conflict {
            name: "metric".into(),
            problem: format!("is `{text}`, which is not a metric with parameters"),
            hint: Some(format!("write it as in `{example}`")),
        }
    }

    fn no_parameter(&self, parameter: &str) -> OptionsError {
        let of_one = self.of_one();
        if self.parameters.is_empty() && of_one.is_none() {
            return OptionsError::Conflict {
                name: "metric".into(),
                problem: format!("sets `{parameter}` of `{}`, which has no parameters", self.name),
                hint: Some(format!("write `{}`", self.name)),
            };
        }
        OptionsError::NoSuchChoice {
            name: format!("parameter of `{}`", self.name),
            value: parameter.into(),
            choices: self
                .parameters
                .iter()
                .map(|known| known.name)
                .chain(of_one)
                .map(str::to_owned)
                .collect(),
        }
    }
}
