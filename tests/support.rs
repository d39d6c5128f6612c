//! Runs the real binary in a fresh folder, and checks what every failure must keep: a message, no panic, no half
//! artifact.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use tempfile::TempDir;

use sluice_core::artifact::Artifact;
use sluice_testkit::datasets::repository;

/// What the program answered.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Asserts that it ended with this code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        self
    }

    /// Asserts that stdout has each of these.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stdout.contains(part), "stdout lacks {part:?}: {self:#?}");
        }
        self
    }

    /// Stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// A fresh folder in which the program runs.
#[derive(Debug)]
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, text).unwrap();
        path
    }

    /// The program with these arguments, not yet started, its output captured.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn sluice(&self, arguments: &[&str]) -> Outcome {
        outcome(&self.command(arguments).output().unwrap())
    }

    /// All rows of a Parquet file below this folder.
    #[track_caller]
    pub(crate) fn parquet(&self, name: &str) -> RecordBatch {
        let file = fs_err::File::open(self.path(name)).unwrap().into_parts().0;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let schema = Arc::clone(reader.schema());
        let batches: Vec<RecordBatch> = reader.build().unwrap().collect::<Result<_, _>>().unwrap();
        concat_batches(&schema, &batches).unwrap()
    }

    /// A file below this folder as JSON.
    #[track_caller]
    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs_err::read(self.path(name)).unwrap()).unwrap()
    }

    /// Asserts that no draft is left anywhere, and that each artifact that is there is complete.
    #[track_caller]
    pub(crate) fn is_tidy(&self) {
        for path in files(self.0.path()).keys() {
            assert!(!path.contains(".draft.") && !path.contains(".push."), "`{path}` is left behind");
            if let Some(folder) = path.strip_suffix("/manifest.json") {
                Artifact::open_any(self.path(folder)).unwrap();
            }
        }
        let empty = empty_folders(self.0.path());
        assert!(!empty.iter().any(|path| path.contains(".draft.")), "{empty:?}");
    }

    /// Asserts that a command failed as it should: the code, each of `parts` in the message, `error:`, nothing on
    /// stdout, no panic, no half artifact, nothing registered.
    #[track_caller]
    pub(crate) fn assert_failure(&self, outcome: &Outcome, code: i32, parts: &[&str]) {
        assert_eq!(outcome.code, Some(code), "{outcome:#?}");
        assert!(outcome.stderr.contains("error:"), "{outcome:#?}");
        assert!(!outcome.stderr.contains("panicked"), "{outcome:#?}");
        assert_eq!(outcome.stdout, "", "data on stdout of a failure: {outcome:#?}");
        for part in parts {
            assert!(outcome.stderr.contains(part), "stderr lacks {part:?}: {outcome:#?}");
        }
        self.is_tidy();
        assert!(!self.path("out/registry").exists(), "something was registered");
    }
}

pub(crate) fn outcome(output: &std::process::Output) -> Outcome {
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout.clone()).unwrap(),
        stderr: String::from_utf8(output.stderr.clone()).unwrap(),
    }
}

/// Every file below a folder with its bytes, by path relative to it.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    walk(folder, &mut |path| {
        if path.is_file() {
            found.insert(relative(path, folder), fs_err::read(path).unwrap());
        }
    });
    found
}

fn empty_folders(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    walk(folder, &mut |path| {
        if path.is_dir() && fs_err::read_dir(path).unwrap().next().is_none() {
            found.push(relative(path, folder));
        }
    });
    found
}

fn relative(path: &Path, folder: &Path) -> String {
    path.strip_prefix(folder).unwrap().display().to_string()
}

fn walk(folder: &Path, seen: &mut dyn FnMut(&Path)) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        seen(&path);
        if path.is_dir() {
            walk(&path, seen);
        }
    }
}

/// Asserts that two folders hold the same files with the same bytes.
#[track_caller]
pub(crate) fn assert_same_files(one: &Path, other: &Path) {
    let (left, right) = (files(one), files(other));
    assert!(!left.is_empty(), "{one:?} is empty");
    assert_eq!(left.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>());
    for (name, bytes) in &left {
        assert!(bytes == &right[name], "`{name}` differs between {one:?} and {other:?}");
    }
}

/// The artifacts that a run leaves, in the order of its steps.
pub(crate) const ARTIFACTS: [&str; 7] =
    ["dataset", "statistics", "schema", "validation", "transform", "model", "evaluation"];

/// A file of `tests/data`.
pub(crate) fn data(name: &str) -> String {
    repository().join("tests/data").join(name).display().to_string()
}

/// The diabetes data.
pub(crate) fn diabetes(name: &str) -> String {
    repository().join("datasets/diabetes").join(name).display().to_string()
}

/// The diabetes pipeline with absolute paths and one text replaced by another, in a file of its own.
pub(crate) fn diabetes_changed(place: &Place, name: &str, from: &str, to: &str) -> String {
    let text = fs_err::read_to_string(diabetes("pipeline.yaml")).unwrap();
    let text = text.replace("diabetes: diabetes.csv", &format!("diabetes: {}", diabetes("diabetes.csv")));
    assert!(text.contains(from), "{from:?} is not in the pipeline");
    place.write(name, &text.replace(from, to));
    name.to_owned()
}

/// A pipeline for the files of `tests/data`: features `x` and `z`, label `y`, a column `subset`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pipeline<'a> {
    pub(crate) input: &'a str,
    pub(crate) label: &'a str,
    pub(crate) subsets: &'a str,
    pub(crate) transform: &'a str,
    pub(crate) train: &'a str,
    pub(crate) evaluate: &'a str,
    pub(crate) rest: &'a str,
}

impl Default for Pipeline<'_> {
    fn default() -> Self {
        Self {
            input: "rows.csv",
            label: "y",
            subsets: "{ by: subset }",
            transform: "[ { pass_through: [x, z] } ]",
            train: "{ ridge: { alpha: 0.1 } }",
            evaluate: "{ require: [ { metric: rmse, at_most: 100 } ] }",
            rest: "",
        }
    }
}

impl Pipeline<'_> {
    /// Writes it as `pipeline.yaml`.
    pub(crate) fn write(&self, place: &Place) {
        let Self { input, label, subsets, transform, train, evaluate, rest } = self;
        let text = format!(
            "pipeline: hostile\ndata:\n  inputs: {{ rows: \"{input}\" }}\n  roles: {{ label: {label} }}\n  \
             subsets: {subsets}\ntransform: {transform}\ntrain: {train}\nevaluate: {evaluate}\n{rest}"
        );
        place.write("pipeline.yaml", &text);
    }

    /// Writes it and runs it into `out`.
    pub(crate) fn run(&self, place: &Place) -> Outcome {
        self.write(place);
        place.sluice(&["run", "pipeline.yaml", "--out", "out"])
    }
}
