//! A ledger is written, read back, damaged, locked and left behind.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::{Value, json};
use sluice_core::error::ErrorKind;

use super::kinds::Column;
use super::*;
use crate::run::StepName;
use crate::run::alive::Alive;

fn entry(number: u64) -> RunEntry {
    RunEntry {
        pipeline: "tips".into(),
        number,
        uuid: format!("0190-{number}"),
        started: 1_700_000_000_000 + i64::try_from(number).unwrap(),
        properties: Properties::from([("user".to_owned(), "ada".into())]),
    }
}

fn begin(out: &Path, number: u64) -> LedgerWriter {
    let path = out.join(LEDGER_FILE);
    LedgerWriter::begin(&path, &out.join("runs"), entry(number)).unwrap()
}

fn artifact(kind: ArtifactKind, digest: &str) -> ArtifactEntry {
    let properties =
        Properties::from([("rows".to_owned(), 10.into()), ("metric.rmse".to_owned(), 2.5.into())]);
    ArtifactEntry::of_content(kind, digest, format!("/{digest}"), properties)
}

fn step(step: StepName, state: ExecutionState, inputs: Vec<Port>, outputs: Vec<Port>) -> StepEntry {
    StepEntry {
        step,
        state,
        started: 1_700_000_000_000,
        at: 1_700_000_000_500,
        parameters: Properties::from([("alpha".to_owned(), json!(0.4))]),
        properties: Properties::from([
            ("summary".to_owned(), "done".into()),
            ("seconds".to_owned(), json!(0.5)),
        ]),
        inputs,
        outputs,
    }
}

/// Data to examples to model to evaluation to a version; `data` tells runs apart.
fn whole(out: &Path, number: u64, data: &str, state: ExecutionState) {
    let mut ledger = begin(out, number);
    let named = |kind, suffix: &str| artifact(kind, &format!("{data}{suffix}")).in_channel();
    let source = named(ArtifactKind::ExternalArtifact, "00");
    let examples = named(ArtifactKind::Examples, "11");
    let model = named(ArtifactKind::Model, "22");
    let version = named(ArtifactKind::PushedModel, "22");
    let evaluation = named(ArtifactKind::ModelEvaluation, "33");
    let baseline = Port { channel: "baseline_model".into(), artifact: version.artifact.clone() };
    ledger.step(step(StepName::Ingest, state, vec![source], vec![examples.clone()]));
    ledger.step(step(StepName::Train, state, vec![examples.clone()], vec![model.clone()]));
    ledger.step(step(StepName::Evaluate, state, vec![examples, model.clone(), baseline], vec![evaluation]));
    ledger.step(step(StepName::Push, ExecutionState::Complete, vec![model], vec![version]));
    ledger.end(
        1_700_000_001_000,
        Properties::from([("state".to_owned(), "accepted".into()), ("seconds".to_owned(), json!(1.0))]),
    );
    ledger.write().unwrap();
}

fn count(out: &Path, sql: &str) -> i64 {
    let connection = Connection::open(out.join(LEDGER_FILE)).unwrap();
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn the_tables_are_those_of_version_10() {
    let out = tempfile::tempdir().unwrap();
    drop(begin(out.path(), 1));
    assert_eq!(count(out.path(), "SELECT schema_version FROM MLMDEnv"), 10);
    let of = |what: &str| {
        count(
            out.path(),
            &format!(
                "SELECT COUNT(*) FROM sqlite_master WHERE type = '{what}' AND sql IS NOT NULL AND name <> 'sqlite_sequence'"
            ),
        )
    };
    assert_eq!((of("table"), of("index")), (15, 24));
    // The base types that the client would put there, once.
    drop(begin(out.path(), 2));
    assert_eq!(count(out.path(), "SELECT COUNT(*) FROM Type WHERE name LIKE 'mlmd.%'"), 9);
    let parents = "SELECT COUNT(*) FROM ParentType AS p JOIN Type AS t ON t.id = p.parent_type_id JOIN Type AS c ON c.id = p.type_id WHERE t.type_kind = c.type_kind";
    assert_eq!(count(out.path(), parents), 4 + 8);
}

#[test]
fn what_is_written_is_read() {
    let out = tempfile::tempdir().unwrap();
    whole(out.path(), 1, "aaaaaa", ExecutionState::Complete);
    whole(out.path(), 2, "bbbbbb", ExecutionState::Complete);
    let ledger = Ledger::open(out.path()).unwrap();
    let runs = ledger.runs(&RunFilter::default()).unwrap();
    assert_eq!(runs.iter().map(|run| run.run.as_str()).collect::<Vec<_>>(), ["tips.0002", "tips.0001"]);
    let filter = |pipeline: &str, state: &str| RunFilter {
        pipeline: Some(pipeline.into()),
        state: Some(state.into()),
        limit: Some(1),
    };
    assert_eq!(ledger.runs(&filter("tips", "accepted")).unwrap()[0].number, 2);
    assert_eq!(ledger.runs(&filter("tips", "failed")).unwrap(), []);
    assert_eq!(ledger.runs(&filter("trips", "accepted")).unwrap(), []);
    let detail = ledger.detail("1").unwrap();
    assert_eq!(detail, ledger.detail("tips.0001").unwrap());
    assert_eq!((detail.summary.text("user"), detail.summary.seconds), (Some("ada"), Some(1.0)));
    assert_eq!(
        detail.steps.iter().map(|step| step.step.as_str()).collect::<Vec<_>>(),
        ["ingest", "train", "evaluate", "push"]
    );
    let train = detail.step(StepName::Train).unwrap();
    assert_eq!((train.state.as_str(), &train.parameters["alpha"]), ("complete", &json!(0.4)));
    assert_eq!((train.inputs[0].channel.as_str(), train.inputs[0].digest.as_str()), ("examples", "aaaaaa11"));
    assert_eq!(detail.metrics().collect::<Vec<_>>(), [("rmse", &json!(2.5))]);
    let error = ledger.find("9").unwrap_err();
    assert!(error.hint().unwrap().contains("tips.0002"), "{error:?}");
}

#[test]
fn an_artifact_is_one_row_for_all_runs_that_meet_it() {
    let out = tempfile::tempdir().unwrap();
    whole(out.path(), 1, "aaaaaa", ExecutionState::Complete);
    let artifacts = count(out.path(), "SELECT COUNT(*) FROM Artifact");
    whole(out.path(), 2, "aaaaaa", ExecutionState::Cached);
    assert_eq!(count(out.path(), "SELECT COUNT(*) FROM Artifact"), artifacts);
    assert_eq!(count(out.path(), "SELECT COUNT(*) FROM Execution WHERE last_known_state = 5"), 3);
    // Writing a step again changes it, and adds nothing.
    let mut ledger = begin(out.path(), 3);
    ledger.step(step(StepName::Ingest, ExecutionState::Running, vec![], vec![]));
    ledger.write().unwrap();
    ledger.step(step(
        StepName::Ingest,
        ExecutionState::Complete,
        vec![],
        vec![artifact(ArtifactKind::Examples, "aaaaaa11").in_channel()],
    ));
    ledger.write().unwrap();
    assert_eq!(Ledger::open(out.path()).unwrap().detail("3").unwrap().steps.len(), 1);
    assert_eq!(count(out.path(), "SELECT COUNT(*) FROM Artifact"), artifacts);
}

#[test]
fn a_model_that_is_compared_with_itself_is_two_inputs() {
    let out = tempfile::tempdir().unwrap();
    let mut ledger = begin(out.path(), 1);
    let model = artifact(ArtifactKind::Model, "aaaaaa");
    let baseline = Port { channel: "baseline_model".into(), artifact: model.clone() };
    let judged =
        step(StepName::Evaluate, ExecutionState::Complete, vec![model.in_channel(), baseline], vec![]);
    for _ in 0..2 {
        ledger.step(judged.clone());
        ledger.write().unwrap();
    }
    let detail = Ledger::open(out.path()).unwrap().detail("1").unwrap();
    let channels: Vec<&str> = detail.steps[0].inputs.iter().map(|input| input.channel.as_str()).collect();
    assert_eq!(channels, ["model", "baseline_model"]);
    assert_eq!(count(out.path(), "SELECT COUNT(*) FROM Event WHERE type = 2"), 1);
}

#[test]
fn a_walk_leads_from_the_version_to_the_data() {
    let out = tempfile::tempdir().unwrap();
    whole(out.path(), 1, "aaaaaa", ExecutionState::Complete);
    whole(out.path(), 2, "aaaaaa", ExecutionState::Cached);
    let ledger = Ledger::open(out.path()).unwrap();
    let of_version = ledger.lineage_of_artifact("aaaaaa22").unwrap();
    let steps: Vec<(&str, Option<i64>)> =
        of_version.executions.iter().map(|it| (it.step.as_str(), it.run)).collect();
    // Run 2 has found these made.
    assert_eq!(steps, [("push", Some(1)), ("train", Some(1)), ("ingest", Some(1))]);
    let kinds: Vec<&str> = of_version.artifacts.iter().map(|it| it.artifact.kind.as_str()).collect();
    assert_eq!(kinds, ["PushedModel", "Model", "Examples", "ExternalArtifact"]);
    let of_run = ledger.lineage_of_run("2").unwrap();
    assert!(of_run.executions.iter().all(|it| it.run == Some(2)), "{of_run:?}");
    let ends: Vec<&str> = of_run.ends().map(|end| end.artifact.kind.as_str()).collect();
    assert_eq!(ends, ["PushedModel", "ModelEvaluation"]);
    let text = to_text(&of_run);
    for line in [
        "PushedModel",
        "└─ push  run 2",
        "   └─ Model",
        "ExternalArtifact",
        "PushedModel as baseline_model (above)",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    assert!(to_mermaid(&of_run).contains("-- \"baseline_model\" --> e"));
    assert!(to_graphviz(&of_run).starts_with("digraph lineage {"));
    let error = ledger.lineage_of_artifact("aaaaaa").unwrap_err();
    assert!(error.to_string().contains("several"), "{error:?}");
    assert!(ledger.lineage_of_artifact("cccccc").is_err());
}

#[test]
fn what_is_drawn_cannot_leave_its_quotes() {
    let out = tempfile::tempdir().unwrap();
    let mut ledger = begin(out.path(), 1);
    let mut source = artifact(ArtifactKind::ExternalArtifact, "aaaaaa");
    source.properties.insert("name".into(), "a\"]; <b>\n\\".into());
    ledger.step(step(StepName::Ingest, ExecutionState::Complete, vec![source.in_channel()], vec![]));
    ledger.write().unwrap();
    let lineage = Ledger::open(out.path()).unwrap().lineage_of_run("1").unwrap();
    assert!(
        to_mermaid(&lineage).contains("ExternalArtifact a#34;]; #60;b#62; #92;<br/>"),
        "{}",
        to_mermaid(&lineage)
    );
    assert!(
        to_graphviz(&lineage).contains("ExternalArtifact a\\\"]; <b> \\\\\\n"),
        "{}",
        to_graphviz(&lineage)
    );
    assert!(to_text(&lineage).contains("a\"]; <b>\\n\\"), "{}", to_text(&lineage));
}

#[test]
fn a_run_whose_process_is_gone_is_stopped_and_the_next_run_says_so_to_all() {
    let out = tempfile::tempdir().unwrap();
    let folder = |number: u64| -> PathBuf {
        let folder = out.path().join(format!("runs/{number:04}"));
        fs_err::create_dir_all(&folder).unwrap();
        folder
    };
    let alive = Alive::begin(&folder(1)).unwrap();
    let mut ledger = begin(out.path(), 1);
    ledger.step(step(StepName::Train, ExecutionState::Running, vec![], vec![]));
    ledger.write().unwrap();
    let state = |run: &str| Ledger::open(out.path()).unwrap().find(run).unwrap().state;
    assert_eq!(state("1"), "running");
    // Another run beside it leaves it alone.
    let second = Alive::begin(&folder(2)).unwrap();
    drop(begin(out.path(), 2));
    assert_eq!(state("1"), "running");
    drop((alive, second));
    assert_eq!((state("1"), state("2")), ("stopped".to_owned(), "stopped".to_owned()));
    let filter = RunFilter { state: Some("stopped".into()), ..RunFilter::default() };
    assert_eq!(Ledger::open(out.path()).unwrap().runs(&filter).unwrap().len(), 2);
    assert_eq!(count(out.path(), "SELECT COUNT(*) FROM Execution WHERE last_known_state = 2"), 1);
    let _third = Alive::begin(&folder(3)).unwrap();
    drop(begin(out.path(), 3));
    assert_eq!(count(out.path(), "SELECT COUNT(*) FROM Execution WHERE last_known_state = 2"), 0);
    let detail = Ledger::open(out.path()).unwrap().detail("1").unwrap();
    assert_eq!((detail.summary.state.as_str(), detail.steps[0].state.as_str()), ("stopped", "canceled"));
    assert!(detail.steps[0].text("error").unwrap().contains("without a word"));
    assert_eq!(state("3"), "running");
}

#[test]
fn other_versions_other_files_and_no_file_are_told_apart() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join(LEDGER_FILE);
    let open = || Ledger::open(out.path()).unwrap_err();
    let write = || LedgerWriter::begin(&path, &out.path().join("runs"), entry(9)).unwrap_err();
    assert_eq!(open().kind(), ErrorKind::Unavailable);
    drop(begin(out.path(), 1));
    let change = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    change("UPDATE MLMDEnv SET schema_version = 11");
    for error in [open(), write()] {
        assert_eq!(error.kind(), ErrorKind::Usage, "{error:?}");
        assert!(
            error.to_string().contains("11") && error.hint().unwrap().contains("newer sluice"),
            "{error:?}"
        );
    }
    change("UPDATE MLMDEnv SET schema_version = 10; PRAGMA user_version = 7");
    assert!(open().to_string().contains("layout"));
    change("PRAGMA user_version = 1; DROP TABLE MLMDEnv");
    for error in [open(), write()] {
        assert!(matches!(error.downcast_ref(), Some(LedgerError::OtherDatabase { .. })), "{error:?}");
    }
    fs_err::write(&path, "this is a text and not a database at all").unwrap();
    for error in [open(), write()] {
        assert_eq!(error.kind(), ErrorKind::Malformed, "{error:?}");
    }
    // Nothing of what was there is lost.
    assert_eq!(fs_err::read_to_string(&path).unwrap(), "this is a text and not a database at all");
}

#[test]
fn a_damaged_page_is_an_error_and_not_the_end() {
    let out = tempfile::tempdir().unwrap();
    whole(out.path(), 1, "aaaaaa", ExecutionState::Complete);
    let path = out.path().join(LEDGER_FILE);
    let mut bytes = fs_err::read(&path).unwrap();
    for byte in &mut bytes[4096..] {
        *byte = 0xa5;
    }
    fs_err::write(&path, bytes).unwrap();
    let error = Ledger::open(out.path()).and_then(|ledger| ledger.runs(&RunFilter::default())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed, "{error:?}");
}

#[test]
fn what_cannot_be_written_waits_and_is_written_later() {
    let out = tempfile::tempdir().unwrap();
    let mut ledger = begin(out.path(), 1);
    let other = Connection::open(out.path().join(LEDGER_FILE)).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    ledger.step(step(StepName::Train, ExecutionState::Complete, vec![], vec![]));
    let error = ledger.write().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(matches!(error.downcast_ref(), Some(LedgerError::Locked { .. })), "{error:?}");
    other.execute_batch("COMMIT").unwrap();
    ledger.end(2, Properties::from([("state".to_owned(), "accepted".into())]));
    ledger.write().unwrap();
    let detail = Ledger::open(out.path()).unwrap().detail("1").unwrap();
    assert_eq!((detail.summary.state.as_str(), detail.steps.len()), ("accepted", 1));
}

#[test]
fn two_runs_side_by_side_say_what_differs() {
    let out = tempfile::tempdir().unwrap();
    whole(out.path(), 1, "aaaaaa", ExecutionState::Complete);
    whole(out.path(), 2, "bbbbbb", ExecutionState::Complete);
    let ledger = Ledger::open(out.path()).unwrap();
    let (first, mut second) = (ledger.detail("1").unwrap(), ledger.detail("2").unwrap());
    second.steps[1].parameters.insert("alpha".into(), json!(0.5));
    second.steps[1].parameters.insert("more".into(), json!([1]));
    second.steps[2].outputs[0].properties.insert("metric.rmse".into(), json!(3.0));
    let found = compare(&first, &second);
    let parameters: Vec<(&str, Option<&Value>)> =
        found.parameters.iter().map(|it| (it.name.as_str(), it.first.as_ref())).collect();
    assert_eq!(parameters, [("train.alpha", Some(&json!(0.4))), ("train.more", None)]);
    assert_eq!(found.metrics[0].difference, Some(0.5));
    assert!(found.artifacts.iter().all(|artifact| !artifact.same));
    let same = compare(&first, &first);
    assert!(same.parameters.is_empty() && same.artifacts.iter().all(|artifact| artifact.same));
}

#[test]
fn values_go_to_the_column_of_their_kind() {
    for (value, expected) in [
        (json!(1), Some(Column::Int(1))),
        (json!(1.5), Some(Column::Double(1.5))),
        (json!("a"), Some(Column::Text("a".into()))),
        (json!(true), Some(Column::Bool(true))),
        (json!([1, "b"]), Some(Column::Text("[1,\"b\"]".into()))),
        (json!(u64::MAX), Some(Column::Double(u64::MAX as f64))),
        (json!(null), None),
    ] {
        assert_eq!(Column::of(&value), expected);
    }
}
