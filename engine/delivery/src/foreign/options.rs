//! The description of a model that is not a package.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use sluice_core::artifact::hex_digest;
use sluice_core::error::{CommonError, Result};
use sluice_core::seam::Task;
use sluice_training::Class;

use super::error::ForeignError;

/// What a foreign model is: exactly one of `predictions`, `command` and `onnx`.
///
/// ```
/// use sluice_delivery::foreign::ForeignOptions;
/// let description = serde_json::json!({
///     "label": "income", "classes": ["<=50K", ">50K"], "predictions": ["score"]
/// });
/// let options: ForeignOptions = serde_json::from_value(description)?;
/// let checked = options.check(std::path::Path::new("."))?;
/// assert_eq!(checked.task.outputs(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignOptions {
    /// The column that it predicts; of several labels per row a list of them.
    #[serde(default)]
    pub label: String,
    /// Columns of 0 and 1 or of booleans, in place of `label`: whether a row has each of several labels. They are the names
    /// of the labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// What it predicts; without it, classes if `classes` are given, else a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskName>,
    /// The values of the label, in the order of the predictions; of two, the probability is that of the second.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
    /// Columns of the data that hold its predictions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub predictions: Vec<String>,
    /// A program that predicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandOptions>,
    /// An ONNX file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onnx: Option<OnnxOptions>,
}

/// The kinds of [`Task`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskName {
    /// A number.
    Regression,
    /// The probability of one of two classes.
    Binary,
    /// The probabilities of several classes.
    MultiClass,
    /// The probability of each of several labels, of which a row may have any number.
    MultiLabel,
}

/// A program that reads rows as an Arrow IPC stream and writes their predictions as another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandOptions {
    /// The program and its arguments.
    pub run: Vec<String>,
    /// The columns that it is sent; all but the label unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The columns of its answer that are predictions; the first ones unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<String>,
}

/// A model as an ONNX file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnnxOptions {
    /// The file.
    pub file: PathBuf,
    /// The columns of each input of the graph; an input that is not named takes the column of its own name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Vec<String>>,
    /// The output that holds the predictions; unless given, the only one of floating point numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The shared library of onnxruntime; `ORT_DYLIB_PATH` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<PathBuf>,
}

/// A description that says one thing.
#[derive(Clone, Debug)]
pub struct CheckedForeign {
    /// The column that it predicts; of several columns their names, between commas.
    pub label: String,
    /// The columns that hold the label.
    pub label_columns: Vec<String>,
    /// What it predicts.
    pub task: Task,
    /// What identifies it: of the description and of the files that it names.
    pub digest: String,
    /// Labels in the order of their numbers; none: labels are numbers.
    pub(super) classes: Vec<Class>,
    pub(super) answers: Kind,
}

impl CheckedForeign {
    /// The columns of the data that hold its predictions; none where it makes them.
    #[must_use]
    pub fn predictions(&self) -> &[String] {
        match &self.answers {
            Kind::Columns(columns) => columns,
            Kind::Command(_) | Kind::Onnx(_) => &[],
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Columns(Vec<String>),
    Command(CommandOptions),
    Onnx(OnnxOptions),
}

impl ForeignOptions {
    /// Checks what can be checked without data. Paths are relative to `base`.
    ///
    /// # Errors
    /// [`ForeignError::Description`]; files that cannot be read.
    pub fn check(&self, base: &Path) -> Result<CheckedForeign> {
        let problem = |problem: String, hint| ForeignError::Description { problem, hint };
        match (self.label.is_empty(), self.labels.is_empty()) {
            (true, true) => {
                let hint = "name the column with the label: `label: COLUMN`";
                return Err(problem("has no label".into(), hint).into());
            }
            (false, false) => {
                let hint = "`label` is one column, `labels` are columns of 0 and 1 of one label each";
                return Err(problem("has both `label` and `labels`".into(), hint).into());
            }
            _ => {}
        }
        let task = self.task()?;
        let kinds = [!self.predictions.is_empty(), self.command.is_some(), self.onnx.is_some()];
        let mut digested = serde_json::to_vec(self)
            .map_err(|error| CommonError::Internal(format!("a description cannot be written: {error}")))?;
        let answers = match (kinds, &self.command, &self.onnx) {
            ([true, false, false], None, None) => {
                let is_list = matches!(task, Task::MultiLabel { .. }) && self.predictions.len() == 1;
                if self.predictions.len() != task.outputs() && !is_list {
                    let (found, needed) = (self.predictions.len(), task.outputs());
                    let text = format!("names {found} columns of predictions where its task has {needed}");
                    let hint =
                        "regression and two classes take one column, several classes or labels one for each";
                    return Err(problem(text, hint).into());
                }
                Kind::Columns(self.predictions.clone())
            }
            ([false, true, false], Some(command), None) => {
                Kind::Command(command.check(base, &task, &mut digested)?)
            }
            ([false, false, true], None, Some(onnx)) => {
                let file = base.join(&onnx.file);
                digested.extend(fs::read(&file).map_err(CommonError::on("read", &file))?);
                let runtime = onnx.runtime.as_ref().map(|path| base.join(path));
                Kind::Onnx(OnnxOptions { file, runtime, ..onnx.clone() })
            }
            _ => {
                return Err(problem(
                    "has to have one of `predictions`, `command` and `onnx`".into(),
                    "`predictions: [COLUMN]`, `command: {run: [PROGRAM, ARGUMENT]}` or `onnx: {file: PATH}`",
                )
                .into());
            }
        };
        let label_columns =
            if self.labels.is_empty() { vec![self.label.clone()] } else { self.labels.clone() };
        Ok(CheckedForeign {
            label: label_columns.join(", "),
            label_columns,
            classes: self.classes.clone(),
            task,
            digest: hex_digest(&digested),
            answers,
        })
    }

    fn task(&self) -> Result<Task, ForeignError> {
        let problem = |problem: &str, hint| ForeignError::Description { problem: problem.into(), hint };
        if (0..self.classes.len()).any(|place| self.classes[..place].contains(&self.classes[place])) {
            return Err(problem("names a class twice", "give every class once"));
        }
        if !self.labels.is_empty() {
            return self.label_flags();
        }
        let name = self.task.unwrap_or(match self.classes.len() {
            0 => TaskName::Regression,
            2 => TaskName::Binary,
            _ => TaskName::MultiClass,
        });
        match (name, self.classes.as_slice()) {
            (TaskName::Regression, []) => Ok(Task::Regression),
            (TaskName::Regression, _) => {
                Err(problem("has classes, which a regression has not", "leave `task` or `classes` out"))
            }
            (TaskName::Binary, [] | [Class::Integer(0), Class::Integer(1)]) => {
                Ok(Task::Binary { positive: None })
            }
            (TaskName::Binary, [_, positive]) => Ok(Task::Binary { positive: Some(positive.to_string()) }),
            (TaskName::Binary, _) => {
                Err(problem("has not two classes", "give both, the one that is predicted last"))
            }
            (TaskName::MultiClass, [] | [_]) => Err(problem(
                "has fewer than two classes",
                "give all of them, in the order of the predictions: `classes: [a, b, c]`",
            )),
            (TaskName::MultiClass, classes) => {
                Ok(Task::MultiClass { classes: classes.iter().map(Class::to_string).collect() })
            }
            (TaskName::MultiLabel, [] | [_]) => Err(problem(
                "has fewer than two labels",
                "give all of them, in the order of the predictions: `classes: [a, b, c]`",
            )),
            (TaskName::MultiLabel, classes) => {
                Ok(Task::MultiLabel { labels: classes.iter().map(Class::to_string).collect() })
            }
        }
    }

    /// The task of a label per column.
    fn label_flags(&self) -> Result<Task, ForeignError> {
        let problem = |problem: &str, hint| ForeignError::Description { problem: problem.into(), hint };
        if self.task.is_some_and(|task| task != TaskName::MultiLabel) || !self.classes.is_empty() {
            let hint = "the columns of `labels` are the labels: leave `task` and `classes` out";
            return Err(problem("has `labels` and another task or classes", hint));
        }
        if self.labels.len() < 2 || self.labels.iter().any(String::is_empty) {
            let hint = "name all columns, in the order of the predictions: `labels: [a, b, c]`";
            return Err(problem("has fewer than two labels", hint));
        }
        if (0..self.labels.len()).any(|place| self.labels[..place].contains(&self.labels[place])) {
            return Err(problem("names a label twice", "give every label once"));
        }
        Ok(Task::MultiLabel { labels: self.labels.clone() })
    }
}

impl CommandOptions {
    /// With the files that it names in the digest, so that another version of a script is another model.
    fn check(&self, base: &Path, task: &Task, digested: &mut Vec<u8>) -> Result<Self> {
        if self.run.is_empty() {
            return Err(ForeignError::Description {
                problem: "has an empty command".into(),
                hint: "`command: {run: [PROGRAM, ARGUMENT]}`",
            }
            .into());
        }
        let is_list = matches!(task, Task::MultiLabel { .. }) && self.answers.len() == 1;
        if !self.answers.is_empty() && self.answers.len() != task.outputs() && !is_list {
            let (found, needed) = (self.answers.len(), task.outputs());
            return Err(ForeignError::Description {
                problem: format!("names {found} columns of the answer where its task has {needed}"),
                hint: "regression and two classes take one column, several classes or labels one for each",
            }
            .into());
        }
        let located = |word: &String| -> Result<String> {
            let path = base.join(word);
            // Arguments that are no files are passed as they are.
            if word.is_empty() || !path.is_file() {
                return Ok(word.clone());
            }
            digested.extend(fs::read(&path).map_err(CommonError::on("read", &path))?);
            Ok(path.display().to_string())
        };
        Ok(Self { run: self.run.iter().map(located).collect::<Result<_>>()?, ..self.clone() })
    }
}
