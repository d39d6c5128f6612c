//! What can be wrong with a model that is not ours.

use sluice_core::error::{Diagnostic, ErrorKind};
use sluice_core::options::quoted;

/// An error of describing, loading or asking a foreign model.
#[derive(Debug, thiserror::Error)]
pub enum ForeignError {
    /// A description that says too little or too much.
    #[error("the description of a model {problem}")]
    Description {
        /// What is wrong, continuing the sentence.
        problem: String,
        /// What to do.
        hint: &'static str,
    },
    /// A label that is neither 0 nor 1.
    #[error(
        "label `{label}` is {found}, a model of two classes without `classes` needs 0 or 1, or a boolean"
    )]
    LabelNotBinary {
        /// The column.
        label: String,
        /// The value.
        found: String,
    },
    /// A column of a label that is neither 0 nor 1.
    #[error("label `{label}` is {found}, a column of one of several labels needs 0 or 1, or a boolean")]
    LabelNoFlag {
        /// The column.
        label: String,
        /// The value.
        found: String,
    },
    /// A list of predictions of another length.
    #[error(
        "prediction `{column}` has {found} {} where the model has {needed} labels",
        if *found == 1 { "number" } else { "numbers" }
    )]
    ListLength {
        /// The column.
        column: String,
        /// Its numbers.
        found: usize,
        /// The labels.
        needed: usize,
    },
    /// The program does not start.
    #[error("cannot start `{program}`")]
    NotStarted {
        /// What was to be started.
        program: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The program ended badly.
    #[error("`{program}` ended with {status} after {rows} rows{}", told(said))]
    Died {
        /// What was started.
        program: String,
        /// Its exit status.
        status: String,
        /// The rows that it was given until then.
        rows: u64,
        /// The last of what it wrote to its standard error.
        said: String,
    },
    /// The program's answer is not what it must be.
    #[error("the answer of `{program}` {problem}{}", told(said))]
    Answer {
        /// What was started.
        program: String,
        /// What is wrong, continuing the sentence.
        problem: String,
        /// The last of what it wrote to its standard error.
        said: String,
    },
    /// Predictions could not be put aside.
    #[error("cannot put the predictions of `{program}` aside in `{folder}`")]
    Spool {
        /// What was started.
        program: String,
        /// Where they were to be kept.
        folder: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The library that runs ONNX files is not named.
    #[error("to run `{file}`, the library onnxruntime is needed")]
    NoRuntime {
        /// The ONNX file.
        file: String,
    },
    /// An input or output of the graph that does not fit.
    #[error("ONNX file `{file}`: {problem}")]
    Graph {
        /// The ONNX file.
        file: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// A value that the graph cannot be given.
    #[error("column `{column}` is {found}, which input `{input}` of the ONNX file cannot take")]
    Value {
        /// The column.
        column: String,
        /// The value, or what it is.
        found: String,
        /// The input.
        input: String,
    },
}

/// What a program said before it ended, as a clause.
fn told(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!("; it said: {said}") }
}

impl ForeignError {
    pub(super) fn graph(file: &str, problem: impl Into<String>, names: &[String], what: &str) -> Self {
        let hint = format!("its {what} are {}", quoted(names.iter().map(String::as_str)));
        Self::Graph { file: file.into(), problem: problem.into(), hint }
    }
}

impl Diagnostic for ForeignError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Description { .. } | Self::NotStarted { .. } | Self::NoRuntime { .. } => ErrorKind::Usage,
            Self::Spool { .. } => ErrorKind::Unavailable,
            Self::LabelNotBinary { .. }
            | Self::LabelNoFlag { .. }
            | Self::ListLength { .. }
            | Self::Died { .. }
            | Self::Answer { .. }
            | Self::Graph { .. }
            | Self::Value { .. } => ErrorKind::Malformed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Description { hint, .. } => (*hint).into(),
            Self::LabelNotBinary { .. } => {
                "name the classes, the one whose probability is predicted last: `classes: [no, yes]`".into()
            }
            Self::LabelNoFlag { .. } => {
                "give lists of labels as one column: `label: COLUMN`, with `classes` and `task: multi-label`".into()
            }
            Self::ListLength { .. } => {
                "give a probability for each label, in the order of `classes` or `labels`".into()
            }
            Self::NotStarted { .. } => {
                "check the path and its permissions; the first word of `command.run` is the program".into()
            }
            Self::Died { .. } => {
                "run it on a few rows by hand: it reads an Arrow IPC stream from its standard input".into()
            }
            Self::Answer { .. } => {
                "it must write one Arrow IPC stream to its standard output and nothing else, with a row of numbers for \
                 every row that it reads, in their order"
                    .into()
            }
            Self::Spool { .. } => "make room there, or set TMPDIR to another folder".into(),
            Self::NoRuntime { .. } => {
                "give the path of the shared library as `onnx.runtime`, or in ORT_DYLIB_PATH; a Python wheel of \
                 onnxruntime holds it as `onnxruntime/capi/libonnxruntime.so.VERSION`"
                    .into()
            }
            Self::Graph { hint, .. } => hint.clone(),
            Self::Value { found, .. } if found == "null" => "fill it in when the data are ingested".into(),
            Self::Value { column, .. } => {
                format!("the input takes texts: cast `{column}` to text in the query of `ingest`")
            }
        })
    }
}
