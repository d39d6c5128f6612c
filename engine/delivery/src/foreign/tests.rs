use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringViewArray};
use arrow::ipc::writer::StreamWriter;
use serde_json::{Value, json};

use sluice_core::batch::Batch;
use sluice_core::error::{ErrorKind, Result};
use sluice_core::execution::Execution;
use sluice_core::features::FeatureColumn;
use sluice_core::seam::{BatchSource, BatchTransform, Predictor, Task};
use sluice_testkit::MemorySource;

use super::*;

fn table() -> RecordBatch {
    let rows = 10;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("y", Arc::new(Float64Array::from_iter_values((0..rows).map(f64::from)))),
        ("score", Arc::new(Float64Array::from_iter_values((0..rows).map(|row| f64::from(row) / 10.0)))),
        ("count", Arc::new(Int64Array::from_iter_values((0..rows).map(|row| i64::from(row) * 3)))),
        (
            "name",
            Arc::new(StringViewArray::from_iter_values(
                (0..rows).map(|row| if row % 2 == 0 { "no" } else { "yes" }),
            )),
        ),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn checked(description: Value) -> Result<CheckedForeign> {
    serde_json::from_value::<ForeignOptions>(description).unwrap().check(Path::new("."))
}

fn ready(description: Value) -> Result<ForeignModel> {
    let table = table();
    let source = MemorySource::new(&table, 4);
    ForeignModel::ready(checked(description)?, &source, &Execution::with_threads(1))
}

/// The predictions of all rows, split by split as a fold asks for them.
fn predictions(model: &ForeignModel) -> Vec<f64> {
    let table = table();
    let source = MemorySource::new(&table, 4);
    let mut all = Vec::new();
    let mut first = 0;
    for split in &source.plan().splits {
        let rows = usize::try_from(split.rows()).unwrap();
        // Batches of odd sizes within a split.
        for (start, count) in [(0, rows / 2), (rows / 2, rows - rows / 2)] {
            let piece = table.slice(first + start, count);
            let batch = Batch::in_split(&piece, split.number, start as u64, Arc::default());
            let features = model.apply(&batch).unwrap();
            let FeatureColumn::Numbers(values) = &features.columns[0] else { panic!("numbers") };
            all.extend(values.iter().map(Option::unwrap));
        }
        first += rows;
    }
    all
}

fn problem(description: Value) -> (String, ErrorKind) {
    let error = ready(description).unwrap_err();
    (error.to_string(), error.kind())
}

#[test]
fn columns_of_the_data_are_predictions() {
    let model = ready(json!({ "label": "y", "predictions": ["count"] })).unwrap();
    assert_eq!((model.label(), model.task()), ("y", Task::Regression));
    let expected: Vec<f64> = (0..10).map(|row| f64::from(row) * 3.0).collect();
    assert_eq!(predictions(&model), expected);
}

#[test]
fn a_program_answers_all_rows_in_order() {
    // What it is sent is what it answers: an Arrow stream of the columns that were asked for.
    let model = ready(json!({
        "label": "y", "command": { "run": ["cat"], "columns": ["name", "score", "count"], "answers": ["count"] }
    }))
    .unwrap();
    let expected: Vec<f64> = (0..10).map(|row| f64::from(row) * 3.0).collect();
    assert_eq!(predictions(&model), expected);
    let first = ready(json!({ "label": "y", "command": { "run": ["cat"] } })).unwrap();
    assert_eq!(predictions(&first)[3].to_bits(), 0.3_f64.to_bits(), "all columns but the label");
}

#[test]
fn a_program_that_does_not_answer_well_is_told() {
    let run = |words: &[&str]| problem(json!({ "label": "y", "command": { "run": words } }));
    assert_eq!(run(&["no-such-program"]), ("cannot start `no-such-program`".into(), ErrorKind::Usage));
    let (died, kind) = run(&["sh", "-c", "echo no model here >&2; exit 3"]);
    assert!(died.contains("exit status: 3") && died.contains("it said: no model here"), "{died}");
    assert_eq!(kind, ErrorKind::Malformed);
    let (text, _) = run(&["sh", "-c", "cat >/dev/null; echo Hello"]);
    assert!(text.contains("is not an Arrow IPC stream: it begins with \"Hello\\n\""), "{text}");
    assert!(run(&["sh", "-c", "cat >/dev/null"]).0.contains("is empty"));
    let (cut, _) = run(&["sh", "-c", "head -c 300; cat >/dev/null"]);
    assert!(cut.contains("is not a sound Arrow IPC stream"), "{cut}");
    let (text, _) =
        problem(json!({ "label": "y", "command": { "run": ["cat"], "answers": ["prediction"] } }));
    assert!(text.contains("has no column `prediction`; its columns are `score`, `count`, `name`"), "{text}");
    let (text, _) = problem(json!({ "label": "y", "command": { "run": ["cat"], "columns": ["name"] } }));
    assert!(text.contains("is not of numbers"), "{text}");
    let (text, _) = problem(json!({ "label": "y", "command": { "run": ["cat"], "columns": ["nam"] } }));
    assert!(text.contains("column `nam` is not in"), "{text}");
}

#[test]
fn an_answer_of_other_rows_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let stored = |rows: usize| {
        let path = folder.path().join(rows.to_string());
        let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0; rows]));
        let batch = RecordBatch::try_from_iter([("p", values)]).unwrap();
        let file = fs_err::File::create(&path).unwrap();
        let mut writer = StreamWriter::try_new(file, &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        path.display().to_string()
    };
    let answer =
        |rows: usize| problem(json!({ "label": "y", "command": { "run": ["cat", stored(rows)] } })).0;
    assert!(answer(9).contains("has 9 rows where the data have 10"), "{}", answer(9));
    assert!(answer(11).contains("has more rows than the 10 of the data"), "{}", answer(11));
}

#[test]
fn another_script_is_another_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("predict.sh");
    let digest = |script: &str| {
        fs_err::write(&path, script).unwrap();
        checked(json!({ "label": "y", "command": { "run": ["sh", path.display().to_string()] } }))
            .unwrap()
            .digest
    };
    let first = digest("cat");
    assert_ne!(first, digest("cat; true"));
    assert_eq!(first, digest("cat"));
}

#[test]
fn labels_of_classes_are_their_places() {
    let label: ArrayRef = Arc::new(StringViewArray::from(vec!["yes", "no", "yes"]));
    let model =
        ready(json!({ "label": "name", "classes": ["no", "yes"], "predictions": ["score"] })).unwrap();
    assert_eq!(model.task(), Task::Binary { positive: Some("yes".into()) });
    assert_eq!(model.label_values(&label).unwrap().values().to_vec(), [1.0, 0.0, 1.0]);
    let other: ArrayRef = Arc::new(StringViewArray::from(vec!["no", "maybe"]));
    let mut error = model.label_values(&other).unwrap_err();
    assert!(error.to_string().contains("maybe"), "{error}");
    assert_eq!(error.take_row(), Some(1));

    let model = ready(json!({ "label": "y", "task": "binary", "predictions": ["score"] })).unwrap();
    let numbers: ArrayRef = Arc::new(Float64Array::from(vec![0.0, 1.0, 2.0]));
    assert_eq!(model.label_values(&numbers).unwrap_err().take_row(), Some(2));
}

#[test]
fn descriptions_say_one_thing() {
    let told = |description: Value| checked(description).unwrap_err().to_string();
    assert!(told(json!({ "label": "y" })).contains("has to have one of"));
    let both = json!({ "label": "y", "predictions": ["a"], "command": { "run": ["cat"] } });
    assert!(told(both).contains("has to have one of"));
    assert!(told(json!({ "label": "", "predictions": ["a"] })).contains("has no label"));
    assert!(told(json!({ "label": "y", "predictions": ["a", "b"] })).contains("names 2 columns"));
    let classes = json!({ "label": "y", "classes": ["a", "b", "c"], "predictions": ["a", "b"] });
    assert!(told(classes).contains("2 columns of predictions where its task has 3"));
    assert!(told(json!({ "label": "y", "classes": ["a", "a"], "predictions": ["p"] })).contains("twice"));
    let regression = json!({ "label": "y", "task": "regression", "classes": [0, 1], "predictions": ["p"] });
    assert!(told(regression).contains("has classes"));
    assert!(
        told(json!({ "label": "y", "task": "multi-class", "predictions": ["p"] })).contains("fewer than two")
    );
    assert!(told(json!({ "label": "y", "command": { "run": [] } })).contains("empty command"));
}

#[test]
fn an_onnx_file_needs_its_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.onnx");
    fs_err::write(&file, b"not a graph").unwrap();
    let of = |runtime: &str| {
        let onnx = json!({ "file": file.display().to_string(), "runtime": runtime });
        problem(json!({ "label": "y", "onnx": onnx }))
    };
    let (text, kind) = of("/nowhere/libonnxruntime.so");
    assert!(text.contains("cannot load onnxruntime from `/nowhere/libonnxruntime.so`"), "{text}");
    assert_eq!(kind, ErrorKind::Usage);
}
