"""The events of `sluice run --openlineage` are those of OpenLineage's client: every facet is made again by the class of
its schema, every event by the client's own, from a file and over HTTP. Prometheus' parser reads the figures."""

import argparse
import http.server
import importlib
import json
import os
import pathlib
import pkgutil
import subprocess
import threading

import attr
from openlineage.client import OpenLineageClient, event_v2, generated
from openlineage.client.generated import base
from prometheus_client.parser import text_string_to_metric_families

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
OWN = {"sluice_verdict"}


def classes():
    """Every class of a facet, by the URL of its schema."""
    for module in pkgutil.iter_modules(generated.__path__):
        importlib.import_module(f"{generated.__name__}.{module.name}")
    found, waiting = {}, [base.BaseFacet]
    while waiting:
        one = waiting.pop()
        waiting += one.__subclasses__()
        found.setdefault(one._get_schema(), one)
    return found


def check_facets(facets, known):
    for name, facet in facets.items():
        assert facet["_producer"] and facet["_schemaURL"], (name, facet)
        if name in OWN:
            continue
        of = known[facet["_schemaURL"]]
        given = {key: value for key, value in facet.items() if key not in ("_producer", "_schemaURL")}
        unknown = set(given) - {field.name for field in attr.fields(of)}
        assert not unknown, (name, unknown)
        of(**given)
    return set(facets)


def check_events(events, known):
    met = set()
    for event in events:
        run, job = event["run"], event["job"]
        met |= check_facets(run["facets"], known) | check_facets(job["facets"], known)
        for port in event["inputs"] + event["outputs"]:
            for kind in ("facets", "inputFacets", "outputFacets"):
                met |= check_facets(port.get(kind, {}), known)
        # The client's validators: times with a zone, UUIDs, URIs.
        event_v2.RunEvent(
            eventType=event_v2.RunState[event["eventType"]],
            eventTime=event["eventTime"],
            run=event_v2.Run(runId=run["runId"]),
            job=event_v2.Job(namespace=job["namespace"], name=job["name"]),
            producer=event["producer"],
            inputs=[event_v2.InputDataset(namespace=it["namespace"], name=it["name"]) for it in event["inputs"]],
            outputs=[event_v2.OutputDataset(namespace=it["namespace"], name=it["name"]) for it in event["outputs"]],
        )
    return met


class Receiver(http.server.BaseHTTPRequestHandler):
    events, tokens, teams = [], [], []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Receiver.events.append((self.path, json.loads(body)))
        Receiver.tokens.append(self.headers["Authorization"])
        Receiver.teams.append(self.headers["X-Team"])
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sluice", required=True)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    known = classes()
    pipeline = str(REPOSITORY / "datasets/diabetes/pipeline.yaml")

    def sluice(*words, **variables):
        environment = {**os.environ, **variables}
        done = subprocess.run([arguments.sluice, *words], cwd=arguments.work, capture_output=True, text=True,
                              env=environment)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        assert "OpenLineage" not in done.stderr, done.stderr

    sluice("run", pipeline, "--out", "out", "--openlineage", "events.jsonl", "--prometheus", "out.prom")
    events = [json.loads(line) for line in (arguments.work / "events.jsonl").read_text().splitlines()]
    kinds = [(event["eventType"], event["job"]["name"]) for event in events]
    assert len(kinds) == 18 and kinds[0] == ("START", "diabetes") and kinds[-1] == ("COMPLETE", "diabetes"), kinds
    met = check_events(events, known)
    expected = {"parent", "schema", "dataQualityMetrics", "dataQualityAssertions", "test", "columnLineage", "jobType"}
    assert expected <= met, expected - met

    def theirs():
        """The client of OpenLineage, by the same file."""
        os.environ["OPENLINEAGE_CONFIG"] = str(config)
        client = OpenLineageClient()
        client.emit(
            event_v2.RunEvent(
                eventType=event_v2.RunState.START,
                eventTime=events[0]["eventTime"],
                run=event_v2.Run(runId=events[0]["run"]["runId"]),
                job=event_v2.Job(namespace="theirs", name="job"),
            )
        )
        del os.environ["OPENLINEAGE_CONFIG"]

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    sluice("run", pipeline, "--out", "out", OPENLINEAGE_URL=url, OPENLINEAGE_API_KEY="key")
    assert len(Receiver.events) == 18, len(Receiver.events)
    assert {path for path, _ in Receiver.events} == {"/api/v1/lineage"} and set(Receiver.tokens) == {"Bearer key"}
    check_events([event for _, event in Receiver.events], known)

    # The file that configures the client configures us: it goes the same way, with the same key.
    config = arguments.work / "openlineage.yml"
    config.write_text(f"transport:\n  type: http\n  url: {url}\n  endpoint: lineage\n  custom_headers: {{X-Team: tips}}\n"
                      "  auth:\n    type: api_key\n    apiKey: of-the-file\n")
    for emit in (theirs, lambda: sluice("run", pipeline, "--out", "out", OPENLINEAGE_CONFIG=str(config))):
        Receiver.events.clear(), Receiver.tokens.clear(), Receiver.teams.clear()
        emit()
        assert {path for path, _ in Receiver.events} == {"/lineage"}, Receiver.events
        assert set(Receiver.tokens) == {"Bearer of-the-file"} and set(Receiver.teams) == {"tips"}, Receiver.tokens
    assert len(Receiver.events) == 18, len(Receiver.events)

    families = {it.name: it for it in text_string_to_metric_families((arguments.work / "out.prom").read_text())}
    assert families["sluice_run_accepted"].samples[0].value == 1
    assert {it.labels["step"] for it in families["sluice_step_duration_seconds"].samples} >= {"ingest", "push"}
    mse = [it.value for it in families["sluice_metric"].samples if it.labels["metric"] == "mse"]
    assert abs(mse[0] - 3295.714938563237) < 1e-6, mse
    print(f"{len(events)} events with {len(met)} facets, {len(families)} families of figures")


main()
