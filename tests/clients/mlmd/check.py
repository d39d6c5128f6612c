"""The client of ML Metadata opens the ledger that `sluice run` writes, walks from the registered model to the data,
and adds a row of its own; afterwards `sluice runs` still reads it and `sluice run` still writes it."""

import argparse
import json
import pathlib
import subprocess

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
INPUTS = (pb.Event.INPUT, pb.Event.DECLARED_INPUT)


def sluice(arguments, *words, code=0):
    done = subprocess.run([arguments.sluice, *words], cwd=arguments.work, capture_output=True, text=True)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout


def opened(path):
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE
    return metadata_store.MetadataStore(config)


def walk(store, artifact):
    """The types met from an artifact back along the executions that made it."""
    met, waiting = {}, [artifact.id]
    while waiting:
        artifact = store.get_artifacts_by_id([waiting.pop()])[0]
        if artifact.id in met:
            continue
        met[artifact.id] = artifact.type
        makers = [e for e in store.get_events_by_artifact_ids([artifact.id]) if e.type == pb.Event.OUTPUT]
        executions = store.get_executions_by_id([event.execution_id for event in makers])
        made = [it for it in executions if it.last_known_state == pb.Execution.COMPLETE]
        if not made:
            continue
        first = min(made, key=lambda execution: execution.id)
        waiting += [e.artifact_id for e in store.get_events_by_execution_ids([first.id]) if e.type in INPUTS]
    return met


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sluice", required=True)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    pipeline = str(REPOSITORY / "datasets/diabetes/pipeline.yaml")
    for _ in range(2):
        sluice(arguments, "run", pipeline, "--out", "out")
    ledger = arguments.work / "out/ledger.sqlite"
    store = opened(ledger)

    kinds = {it.type for it in store.get_artifacts()}
    expected = {"ExternalArtifact", "Examples", "ExampleStatistics", "Schema", "ExampleAnomalies", "TransformGraph"}
    expected |= {"Model", "ModelEvaluation", "ModelBlessing", "PushedModel"}
    assert kinds == expected, kinds
    [examples] = store.get_artifacts_by_type("Examples")
    assert json.loads(examples.properties["split_names"].string_value) == ["eval", "train"], examples
    assert examples.custom_properties["rows"].int_value == 442, examples
    assert examples.state == pb.Artifact.LIVE and pathlib.Path(examples.uri).is_dir()
    assert store.get_artifact_type("Model").base_type == pb.ArtifactType.MODEL
    assert store.get_artifact_type("Examples").properties["span"] == pb.INT
    assert store.get_execution_type("sluice.train").base_type == pb.ExecutionType.TRAIN

    executions = store.get_executions()
    assert len(executions) == 16, len(executions)
    states = [it.last_known_state for it in store.get_executions_by_type("sluice.train")]
    assert states == [pb.Execution.COMPLETE, pb.Execution.CACHED], states
    [train, _] = store.get_executions_by_type("sluice.train")
    assert train.custom_properties["model.ridge.alpha"].double_value == 0.4, train
    assert train.properties["component"].string_value == "Trainer"

    [context] = store.get_contexts_by_type("pipeline")
    assert context.name == "diabetes"
    runs = store.get_contexts_by_type("pipeline_run")
    assert [run.name for run in runs] == ["diabetes.0001", "diabetes.0002"], runs
    assert [parent.name for parent in store.get_parent_contexts_by_context(runs[0].id)] == ["diabetes"]
    assert runs[0].custom_properties["state"].string_value == "accepted"
    assert len(store.get_executions_by_context(runs[1].id)) == 8
    assert len(store.get_contexts_by_type("node")) == 8
    events = store.get_events_by_execution_ids([train.id])
    paths = {event.path.steps[0].key: (event.type, event.path.steps[1].index) for event in events}
    assert paths == {"examples": (pb.Event.INPUT, 0), "transform_graph": (pb.Event.INPUT, 0), "model": (pb.Event.OUTPUT, 0)}

    [pushed] = store.get_artifacts_by_type("PushedModel")
    met = walk(store, pushed)
    assert {"PushedModel", "Model", "ModelBlessing", "TransformGraph", "Examples", "ExternalArtifact"} <= set(met.values())
    data = [store.get_artifacts_by_id([it])[0] for it, kind in met.items() if kind == "ExternalArtifact"]
    assert [pathlib.Path(it.uri).name for it in data] == ["diabetes.csv"], data
    # As TensorFlow Extended's resolver finds the latest blessed model.
    [model] = store.get_artifacts_by_type("Model")
    blessed = [it for it in store.get_artifacts_by_type("ModelBlessing") if it.custom_properties["blessed"].int_value == 1]
    assert {it.custom_properties["current_model_id"].int_value for it in blessed} == {model.id}
    graph = store.get_lineage_subgraph(
        pb.LineageSubgraphQueryOptions(
            starting_artifacts=pb.LineageSubgraphQueryOptions.StartingNodes(filter_query=f"id = {pushed.id}"),
            max_num_hops=20,
            direction=pb.LineageSubgraphQueryOptions.UPSTREAM,
        )
    )
    assert any(it.id == data[0].id for it in graph.artifacts), graph
    found = store.get_artifacts(metadata_store.ListOptions(filter_query="custom_properties.rows.int_value > 400"))
    assert examples.id in [it.id for it in found]

    # A row of its own: a program that serves the model.
    serving = pb.ExecutionType(name="Serving")
    serving.properties["host"] = pb.STRING
    served = pb.Execution(type_id=store.put_execution_type(serving), last_known_state=pb.Execution.COMPLETE)
    served.properties["host"].string_value = "a"
    [served_id] = store.put_executions([served])
    reads = pb.Event(artifact_id=pushed.id, execution_id=served_id, type=pb.Event.INPUT)
    endpoint = pb.ArtifactType(name="Endpoint")
    made = pb.Artifact(type_id=store.put_artifact_type(endpoint), uri="https://models.example.org/diabetes")
    made.custom_properties["digest"].string_value = "feedfeed"
    [made_id] = store.put_artifacts([made])
    writes = pb.Event(artifact_id=made_id, execution_id=served_id, type=pb.Event.OUTPUT)
    store.put_events([reads, writes])
    del store

    listed = json.loads(sluice(arguments, "runs", "list", "--out", "out", "--json"))
    assert [run["run"] for run in listed] == ["diabetes.0002", "diabetes.0001"], listed
    tree = sluice(arguments, "runs", "lineage", "feedfeed", "--out", "out")
    assert "Serving" in tree and "diabetes.csv" in tree, tree
    sluice(arguments, "run", pipeline, "--out", "out")
    store = opened(ledger)
    assert len(store.get_executions()) == 25 and len(store.get_artifacts_by_type("Examples")) == 1
    print(f"{len(store.get_artifacts())} artifacts, {len(store.get_executions())} executions, walked {len(met)} of them")


main()
