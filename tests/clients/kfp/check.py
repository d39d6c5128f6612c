"""Kubeflow's own SDK on our component files: loads each, compiles a pipeline with conditions on the gates, and runs it.

kfp's local runner builds the executor inputs and reads the answers; only the container is replaced by the binary on
this machine. Beside what the runner checks, each answer is parsed as strictly as the launcher of a cluster parses it.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import yaml
from google.protobuf import json_format
from kfp import compiler, components, dsl, local
from kfp.local import executor_input_utils, status, subprocess_task_handler
from kfp.pipeline_spec import pipeline_spec_pb2

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
DIABETES = REPOSITORY / "datasets" / "diabetes"
FEATURES = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]

arguments = argparse.ArgumentParser()
arguments.add_argument("--sluice", required=True)
arguments.add_argument("--work", type=pathlib.Path, required=True)
arguments = arguments.parse_args()

paths = sorted(REPOSITORY.glob("components/*/component.yaml"))
sluice = {path.parent.name: components.load_component_from_file(str(path)) for path in paths}
assert len(sluice) >= 10, f"only {sorted(sluice)}"

executed = []


class OnThisMachine:
    """Runs a container's command with the binary of this machine in place of the image's."""

    def __init__(self, image, full_command, pipeline_root, runner, env_vars=None):
        self.command = full_command

    def run(self):
        assert self.command[0] == "/sluice", self.command
        name, given = self.command[1], json.loads(self.command[-1])
        # An entrypoint that is kept makes the binary's name its first argument.
        finished = subprocess.run([arguments.sluice, *self.command], executable=arguments.sluice)
        executed.append((name, finished.returncode))
        if finished.returncode != 0:
            return status.Status.FAILURE
        outputs = given["outputs"]
        text = pathlib.Path(outputs["outputFile"]).read_text()
        # Unknown fields fail a task in a cluster; so they do here.
        answer = json_format.Parse(text, pipeline_spec_pb2.ExecutorOutput())
        declared = outputs.get("parameters", {})
        assert set(answer.parameter_values) == set(declared), (name, set(answer.parameter_values) ^ set(declared))
        for parameter in declared.values():
            assert not pathlib.Path(parameter["outputFile"]).read_text().endswith("\n")
        for artifact, entry in outputs.get("artifacts", {}).items():
            place = pathlib.Path(entry["artifacts"][0]["uri"])
            assert place.exists(), f"{name} wrote no {artifact}"
        return status.Status.SUCCESS


def without_nothing(executor_input, component_spec):
    """As kfp's own function, which fails on an integer that was not given (it asks for the `int` of null)."""
    given = executor_input.inputs.parameter_values
    for name in [name for name, value in given.items() if value.WhichOneof("kind") is None]:
        if component_spec.input_definitions.parameters[name].parameter_type == INTEGER:
            del given[name]
    return as_dictionary(executor_input, component_spec)


INTEGER = pipeline_spec_pb2.ParameterType.ParameterTypeEnum.NUMBER_INTEGER
as_dictionary = executor_input_utils.executor_input_to_dict
executor_input_utils.executor_input_to_dict = without_nothing
subprocess_task_handler.SubprocessTaskHandler = OnThisMachine
local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(arguments.work / "root"), raise_on_error=True)


# kfp's local runner skips conditions on outputs of containers without a word, so what is conditional is a pipeline of
# its own here, whose condition is on an input. A cluster needs no such detour: see `direct` below.
@dsl.pipeline(name="push-if-blessed")
def push_if_blessed(
    blessing: str, registry: str, model: dsl.Input[dsl.Model], evaluation: dsl.Input[dsl.Artifact]
):
    with dsl.If(blessing == "BLESSED"):
        sluice["push"](model=model, evaluation=evaluation, registry=registry, name="diabetes")


@dsl.pipeline(name="train-if-blessed")
def train_if_blessed(blessing: str, registry: str, at_most: float, require: list, dataset: dsl.Input[dsl.Dataset]):
    with dsl.If(blessing == "BLESSED"):
        fitted = sluice["transform"](dataset=dataset, operation=[{"pass_through": FEATURES}], label="target")
        trained = sluice["train"](
            dataset=dataset, transform=fitted.outputs["transform"], label="target", alpha=0.4, threads=1
        )
        judged = sluice["evaluate"](
            dataset=dataset, model=trained.outputs["model"], metric=["rmse", "r2"], slice=[["sex"]], require=require,
            registry=registry, name="diabetes",
        )
        sluice["predict"](model=trained.outputs["model"], dataset=dataset, keep=["age"])
        push_if_blessed(
            blessing=judged.outputs["blessing"],
            registry=registry,
            model=trained.outputs["model"],
            evaluation=judged.outputs["evaluation"],
        )


@dsl.pipeline(name="whole")
def whole(data: str, registry: str, require: list):
    ingested = sluice["ingest"](input=data, subset_column="subset")
    counted = sluice["statistics"](dataset=ingested.outputs["dataset"])
    proposed = sluice["schema"](statistics=counted.outputs["statistics"])
    checked = sluice["validate"](statistics=counted.outputs["statistics"], schema=proposed.outputs["schema"])
    train_if_blessed(
        blessing=checked.outputs["blessing"],
        registry=registry,
        at_most=1.0,
        require=require,
        dataset=ingested.outputs["dataset"],
    )


@dsl.pipeline(name="direct")
def direct(data: str, registry: str, require: list):
    ingested = sluice["ingest"](input=data, share={"train": 0.8, "eval": 0.2}, seed=7)
    counted = sluice["statistics"](dataset=ingested.outputs["dataset"])
    proposed = sluice["schema"](statistics=counted.outputs["statistics"])
    checked = sluice["validate"](statistics=counted.outputs["statistics"], schema=proposed.outputs["schema"])
    with dsl.If(checked.outputs["blessed"] == True):  # noqa: E712, the form that kfp compiles
        fitted = sluice["transform"](dataset=ingested.outputs["dataset"], pipeline="pipeline.yaml")
        trained = sluice["train"](
            dataset=ingested.outputs["dataset"], transform=fitted.outputs["transform"], pipeline="pipeline.yaml"
        )
        judged = sluice["evaluate"](
            dataset=ingested.outputs["dataset"], model=trained.outputs["model"], require=require
        )
        with dsl.If(judged.outputs["blessing"] == "BLESSED"):
            sluice["push"](
                model=trained.outputs["model"],
                evaluation=judged.outputs["evaluation"],
                registry=registry,
                name="diabetes",
            )


@dsl.pipeline(name="in-one")
def in_one(text: str, out: str):
    sluice["run"](pipeline=text, out=out)


def ran():
    """What was executed since the last call."""
    done = executed.copy()
    executed.clear()
    return done


# The example of the documentation compiles as it stands there.
example = (REPOSITORY / "docs" / "kubeflow.md").read_text().split("```python\n")[1].split("```")[0]
names = {}
os.chdir(REPOSITORY)
exec(compile(example, "docs/kubeflow.md", "exec"), names)
compiler.Compiler().compile(names["tips"], str(arguments.work / "example.yaml"))

compiled = arguments.work / "direct.yaml"
compiler.Compiler().compile(direct, str(compiled))
representation = " ".join(compiled.read_text().split())
assert "pipelinechannel--sluice-evaluate-blessing'] == 'BLESSED'" in representation, representation
assert "pipelinechannel--sluice-validate-blessed'] == true" in representation, representation

data, registry = str(DIABETES / "diabetes.csv"), arguments.work / "registry"
steps = ["ingest", "statistics", "schema", "validate", "transform", "train", "evaluate", "predict", "push"]

whole(data=data, registry=str(registry), require=[{"metric": "rmse", "at_most": 60}])
done = ran()
assert sorted(name for name, _ in done) == sorted(steps), done
aliases = json.loads((registry / "diabetes" / "aliases.json").read_text())
assert {name: version for name, version in aliases.items() if not name.startswith("$")} == {"latest-blessed": 1}, aliases
metrics = json.loads(next((arguments.work / "root").rglob("sluice-evaluate/metrics")).read_text())
# scikit-learn's figure for these data, this split and this penalty: 3295.714938563238 is its square.
assert abs(metrics["rmse"] - 3295.714938563238**0.5) < 1e-9, metrics

whole(data=data, registry=str(registry), require=[{"metric": "rmse", "at_most": 50}])
done = ran()
assert "push" not in dict(done) and dict(done)["evaluate"] == 0, f"a rejection must not fail the task: {done}"

spec = yaml.safe_load((DIABETES / "pipeline.yaml").read_text())
spec["data"]["inputs"] = {"diabetes": data}
in_one(text=json.dumps(spec), out=str(arguments.work / "out"))
assert ran() == [("run", 0)]
assert (arguments.work / "out" / "registry" / "diabetes" / "versions" / "0001").is_dir()

print(f"{len(sluice)} components loaded and compiled, {len(steps)} steps and a whole run executed")
sys.exit(0)
