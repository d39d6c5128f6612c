//! Events as they are written, from a file that takes them.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;
use sluice_core::error::CommonError;

use super::*;
use crate::ledger::{ArtifactEntry, Properties};

fn run() -> RunEntry {
    RunEntry {
        pipeline: "tips".into(),
        number: 1,
        uuid: "01900000-0000-7000-8000-000000000001".into(),
        started: 0,
        properties: Properties::new(),
    }
}

fn events(path: &std::path::Path) -> Vec<Value> {
    let text = fs_err::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn port(kind: ArtifactKind, uri: &str) -> Port {
    ArtifactEntry::of_content(kind, "abc", uri.into(), Properties::new()).in_channel()
}

#[test]
fn a_step_is_a_job_of_its_own_under_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in/events.jsonl");
    let target = OpenLineageTarget::choose(Some(path.to_str().unwrap()), |_| None).unwrap().unwrap();
    let at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    let mut emitter = Emitter::new(&target, &run());
    emitter.run_started(at);
    let uuid = "01900000-0000-7000-8000-000000000002";
    let source = [port(ArtifactKind::ExternalArtifact, "s3://bucket/trips/*.parquet")];
    let ingest = StepEvent { step: StepName::Ingest, uuid, inputs: &source };
    emitter.step_started(&ingest, at);
    let facets =
        Facets { subsets: Some([("eval".into(), 2), ("train".into(), 8)].into()), ..Facets::default() };
    emitter.step_finished(&ingest, &[port(ArtifactKind::Examples, "/out/dataset")], facets, at);
    let examples = [port(ArtifactKind::Examples, "/out/dataset")];
    let train = StepEvent { step: StepName::Train, uuid, inputs: &examples };
    let error = Error::from(CommonError::Internal("no".into()));
    emitter.step_failed(&train, &error, at);
    assert_eq!(emitter.sink.close(), None);

    let events = events(&path);
    let kinds: Vec<&str> = events.iter().map(|event| event["eventType"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["START", "START", "COMPLETE", "FAIL"]);
    for event in &events {
        assert_eq!(event["eventTime"], "2023-11-14T22:13:20.123Z");
        assert_eq!((&event["producer"], &event["schemaURL"]), (&PRODUCER.into(), &EVENT_SCHEMA.into()));
        assert!(event["inputs"].is_array() && event["outputs"].is_array());
    }
    let ingested = &events[2];
    assert_eq!(ingested["job"]["name"], "tips.ingest");
    let parent = &ingested["run"]["facets"]["parent"];
    assert_eq!((&parent["run"]["runId"], &parent["job"]["name"]), (&run().uuid.into(), &"tips".into()));
    assert_eq!(
        (&ingested["inputs"][0]["namespace"], &ingested["inputs"][0]["name"]),
        (&"s3://bucket".into(), &"trips/*.parquet".into())
    );
    let made: Vec<&str> =
        ingested["outputs"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(made, ["/out/dataset/eval", "/out/dataset/train"]);
    // Training looks at one subset only.
    let read = events[3]["inputs"].as_array().unwrap();
    assert_eq!((read.len(), &read[0]["name"]), (1, &"/out/dataset/train".into()));
    assert_eq!(events[3]["run"]["facets"]["errorMessage"]["message"], "internal error: no");
}

#[test]
fn what_is_not_delivered_is_counted_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let target = OpenLineageTarget::choose(Some(folder.path().to_str().unwrap()), |_| None).unwrap().unwrap();
    let mut emitter = Emitter::new(&target, &run());
    emitter.run_started(UNIX_EPOCH);
    emitter.run_started(UNIX_EPOCH);
    let told = emitter.sink.close().unwrap();
    assert!(told.starts_with("OpenLineage: 2 events did not reach"), "{told}");
    // Nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://user:secret@{}", listener.local_addr().unwrap());
    drop(listener);
    let target = OpenLineageTarget::choose(Some(&url), |_| None).unwrap().unwrap();
    let mut emitter = Emitter::new(&target, &run());
    emitter.run_started(UNIX_EPOCH);
    emitter.run_started(UNIX_EPOCH);
    let told = emitter.sink.close().unwrap();
    assert!(told.starts_with("OpenLineage: 2 events did not reach `http://127.0.0.1:"), "{told}");
    assert!(!told.contains("secret"), "{told}");
}
