"""Times sluice beside its peers, interleaved, each in a fresh process; prints Markdown, writes JSON.

    python peers.py --sluice target/release/sluice --work target/peers [--runs 5] [--only taxi]

Wall and CPU (user + system) are of the whole process; `job` columns are those of the job alone, without the start of
interpreter and packages. Medians over the rounds. Peak memory is what the kernel counted for the process; it is never
below that of this script, so it imports nothing but the standard library.
"""

import argparse
import functools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

TRIPS_PIPELINE = """
pipeline: trips
data:
  inputs: {{ trips: {file} }}
  roles: {{ label: tips, key: [trip_number] }}
  subsets: {{ by: subset }}
transform:
  - standardize: [miles, seconds, fare, extras, latitude, longitude, hour]
  - one_hot: [payment, company]
train: {{ ridge: {{ alpha: 1.0 }} }}
evaluate:
  metrics: [mse, rmse, mae, r2]
  slices: [payment]
  require: [{{ metric: rmse, at_most: 100.0 }}]
"""

RIDGE_PIPELINE = """
pipeline: ridge
data:
  inputs: {{ ridge: {file} }}
  roles: {{ label: response }}
  subsets: {{ by: subset }}
transform:
  - standardize: [{columns}]
train: {{ ridge: {{ alpha: 1.0 }} }}
evaluate:
  metrics: [mse, rmse, mae, r2]
  slices: [zone]
  require: [{{ metric: rmse, at_most: 100.0 }}]
"""

# As `jobs.py` has it in polars and scikit-learn.
TAXI_TRANSFORM = [
    "impute: { columns: [trip_seconds, trip_miles, pickup_latitude, pickup_longitude, dropoff_latitude], with: mean }",
    "standardize: [trip_seconds, trip_miles, fare, extras, tolls]",
    "bucketize: { columns: [pickup_latitude, pickup_longitude, dropoff_latitude], buckets: 10 }",
    "one_hot: [company, payment_type]",
    "ordinal: [taxi_id, pickup_area, dropoff_area]",
]


EVALUATED = ["auc", "log_loss", "mse", "precision", "recall"]
# So much figures that are one may differ.
AGREEMENT = 1e-9


def measure(command, environment=None):
    """Runs a command; its wall and CPU seconds, peak memory, and what it printed."""
    environment = {**os.environ, **(environment or {})}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        words = [str(word) for word in command]
        process = subprocess.Popen(words, stdout=out, stderr=errors, cwd=ROOT, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            sys.exit(f"{' '.join(map(str, command))}\nended with {process.returncode}:\n{errors.read().decode()}")
        out.seek(0)
        text = out.read().decode()
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak_mib": usage.ru_maxrss / 1024, "text": text}


class Sluice:
    """A contender that is a command of ours."""

    def __init__(self, name, *arguments, writes=False):
        self.name, self.arguments, self.writes = name, arguments, writes

    def once(self, options):
        command = [options.sluice, *self.arguments]
        if not self.writes:
            return measure(command)
        folder = options.work / "out"
        shutil.rmtree(folder, ignore_errors=True)
        result = measure([*command, "--out", folder])
        report = json.loads(result["text"])
        result["steps"] = {step["name"]: step["seconds"] for step in report["steps"]}
        result["figure"] = report["evaluation"]["slices"][0]["candidate"]["rmse"]
        return result


class SluiceTransform:
    """Two commands of ours on a data set: what a peer does in one process."""

    name = "sluice transform fit, apply"

    def __init__(self, file):
        self.file = file

    def once(self, options):
        folder = options.work / "transform"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        operations = [word for operation in TAXI_TRANSFORM for word in ("--operation", operation)]
        fitted, features = folder / "fitted", folder / "features"
        fit = measure([options.sluice, "transform", "fit", self.file, *operations, "--out", fitted])
        apply = [options.sluice, "transform", "apply", fitted, self.file, "--subset", "train", "--to", "arrow"]
        apply = measure([*apply, "--out", features])
        total = {key: fit[key] + apply[key] for key in ["wall", "cpu"]}
        return total | {"peak_mib": max(fit["peak_mib"], apply["peak_mib"]), "text": ""}


class SluiceTrain:
    """A model of a data set; the figure is its first coefficient."""

    def __init__(self, dataset, transform, label, model, threads):
        self.name = f"sluice train, {counted(threads)}"
        words = ["train", dataset, "--transform", transform, "--label", label, "--model", model]
        self.words = [*words, "--onnx", "off", "--json", "--threads", threads]

    def once(self, options):
        result = measure([options.sluice, *self.words, "--out", options.work / "model"])
        result["figure"] = json.loads(result["text"])["outputs"][0]["coefficients"][0]["value"]
        return result


class SluicePredict:
    """Predictions of a model, written with the key beside them."""

    def __init__(self, model, files, threads):
        self.name = f"sluice predict, {counted(threads)}"
        self.words = ["predict", model, files, "--keep", "trip_id", "--threads", threads]

    def once(self, options):
        folder = options.work / "predictions"
        shutil.rmtree(folder, ignore_errors=True)
        return measure([options.sluice, *self.words, "--out", folder])


class SluiceEvaluate:
    """Two columns of scores held against each other; the figures are overall AUC and log loss."""

    def __init__(self, file, threads, replicates=None):
        self.name = f"sluice evaluate, {counted(threads)}" + (f", {replicates} replicates" if replicates else "")
        words = ["evaluate", file, "--label", "label", "--classes", "[0, 1]", "--prediction", "score"]
        words += ["--baseline-prediction", "old", "--accept-any", "--json", "--threads", threads]
        words += [word for name in ("g2", "g12", "g77", "g1000") for word in ("--slice", name)]
        words += [word for name in EVALUATED for word in ("--metric", name)]
        drawn = json.dumps({"bootstrap": {"replicates": replicates}})
        self.words = [*words, "--intervals", drawn] if replicates else words

    def once(self, options):
        folder = options.work / "evaluation"
        shutil.rmtree(folder, ignore_errors=True)
        result = measure([options.sluice, *self.words, "--out", folder])
        overall = json.loads((folder / "metrics.json").read_text())["slices"][0]["candidate"]
        return result | {"figures": [overall[name] for name in EVALUATED[:2]]}


class Timed:
    """A program that times its job itself, without reading what it works on."""

    def __init__(self, name, *command, threads=None):
        self.name, self.command = name, command
        # Of BLAS, of OpenMP and of Arrow.
        libraries = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]
        self.environment = {library: str(threads) for library in libraries if threads}

    def once(self, _):
        result = measure(self.command, self.environment)
        # TFDV's libraries print before the job does.
        job = json.loads(result["text"].splitlines()[-1])
        return result | {"job_wall": job["wall"], "job_cpu": job["cpu"], "figure": job["figure"], "figures": job.get("figures")}


def peer(name, job, file, python=sys.executable, threads=None):
    """A contender that is a job of jobs.py."""
    name = f"{name}, {counted(threads)}" if threads else name
    return Timed(name, python, HERE / "jobs.py", job, file, threads=threads)


def counted(threads):
    return "1 thread" if threads == 1 else f"{threads} threads"


class Floor:
    """The bare decode of a file by arrow-rs: of Parquet on all cores, of CSV on one."""

    name = "arrow-rs, bare decode"

    def __init__(self, program, file):
        self.program, self.file = program, file

    def once(self, _):
        return measure([self.program, self.file])


def training_cases(options):
    """Name, rounds (None: as asked for), and a function that makes what the contenders read and answers with them."""
    work, table = options.work, options.work / "data/ridge.parquet"
    dataset, transform = work / "ridge-dataset", work / "ridge-transform"
    # The peers read the very file that ingest wrote.
    train = dataset / "train/part-00000.parquet"
    features = ", ".join(f"x{index:02}" for index in range(100))

    @functools.cache
    def prepared():
        query = "SELECT *, response > 0 AS is_high FROM ridge"
        ingest = ["ingest", "--input", f"ridge={table}", "--query", query, "--share", "train=1", "--out", dataset]
        measure([options.sluice, *ingest])
        fit = ["transform", "fit", dataset, "--operation", f"pass_through: [{features}]", "--out", transform]
        measure([options.sluice, *fit])
        return [Floor(options.decode, train)] if options.decode else []

    def ours(label, model):
        return [SluiceTrain(dataset, transform, label, model, threads) for threads in (1, 2)]

    def peers(name, job, file):
        return [peer(name, job, file, threads=threads) for threads in (1, 2)]

    def fits(label, model, job):
        return lambda: [*prepared(), *ours(label, model), *peers("pyarrow + scikit-learn", job, train)]

    def logistic():
        return [
            *fits("is_high", "logistic: {alpha: 1}", "sklearn_train_logistic")(),
            *peers("scikit-learn, the fit alone as job", "sklearn_train_logistic_in_memory", train),
        ]

    def in_memory():
        words = [options.ridge, table, "response"]
        library = [Timed(f"sluice's library, {counted(threads)}", *words, threads) for threads in (1, 2)]
        return [*library, *peers("scikit-learn", "sklearn_train_ridge_in_memory", table)]

    grid = "ridge: {alpha: {log_grid: [1e-2, 1e6, 20], folds: 5}}"
    return [
        ("training: ridge, 1 M x 100", None, fits("response", "ridge: {alpha: 1}", "sklearn_train_ridge")),
        # Half a minute each.
        ("training: ridge, 20 penalties x 5 folds", 1, fits("response", grid, "sklearn_train_ridge_grid")),
        ("training: logistic, 1 M x 100", None, logistic),
        *([("training: ridge in memory, 1 M x 100", None, in_memory)] if options.ridge else []),
        ("predict: taxi ridge, 2 M trips", None, lambda: predictions(options)),
    ]


def predictions(options):
    """The ridge of datasets/taxi on its trips, from Parquet to Parquet."""
    work = options.work
    trips, dataset, transform, model = (work / f"trips{part}" for part in ("", "-dataset", "-transform", "-model"))
    files = f"{trips}/span-1/*.parquet"
    operations = [
        "impute: { columns: [trip_miles, trip_seconds], with: median }",
        "standardize: [fare, trip_miles, trip_seconds, extras]",
        "one_hot: [payment_type, trip_start_hour]",
    ]
    words = [word for operation in operations for word in ("--operation", operation)]
    for command in [
        ["datasets", "taxi", "--rows", 2_000_000, "--out", trips],
        ["ingest", files, "--subset-column", "subset", "--key", "trip_id", "--out", dataset],
        ["transform", "fit", dataset, *words, "--out", transform],
        ["train", dataset, "--transform", transform, "--label", "tips", "--alpha", 1, "--onnx", "off", "--out", model],
    ]:
        measure([options.sluice, *command])
    ours = [SluicePredict(model, files, threads) for threads in (1, 2)]
    peers = [peer("pyarrow + scikit-learn", "sklearn_predict", trips / "span-1", threads=threads) for threads in (1, 2)]
    return [*ours, *peers]


def evaluations(file):
    """What one evaluation costs, and what its replicates add."""
    plain = [SluiceEvaluate(file, threads) for threads in (1, 2)]
    return [
        *plain,
        SluiceEvaluate(file, 2, replicates=100),
        peer("polars, expressions", "polars_evaluate", file),
        peer("DuckDB, SQL", "duckdb_evaluate", file),
    ]


def slow_evaluations(files, tfma):
    """Peers that would need half an hour for 5 M rows, on the first of them; the figures of one model, ours of two."""
    rows = [
        (500_000, peer("Fairlearn MetricFrame, 1 model", "fairlearn_evaluate", files[0])),
        *([(50_000, peer("TFMA, 1 model", "tfma_evaluate", files[1], tfma))] if tfma else []),
    ]
    return [
        (f"evaluate: {count:,} rows, 5 slicings", 1, [SluiceEvaluate(file, 1), contender])
        for file, (count, contender) in zip(files, rows)
    ]


def cases(options):
    """Name, rounds (None: as asked for), contenders or a function that makes what they read and answers with them."""
    data = options.work / "data"
    taxi, trips_csv, trips_parquet, ridge = (
        data / name for name in ["taxi.parquet", "trips.csv", "trips.parquet", "ridge.parquet"]
    )
    pipelines = {}
    for name, text, file in [
        ("trips-csv", TRIPS_PIPELINE, trips_csv),
        ("trips-parquet", TRIPS_PIPELINE, trips_parquet),
        ("ridge", RIDGE_PIPELINE, ridge),
    ]:
        pipelines[name] = data / f"{name}.yaml"
        columns = ", ".join(f"x{index:02}" for index in range(100))
        pipelines[name].write_text(text.format(file=file.name, columns=columns))
    diabetes = ROOT / "datasets/diabetes"

    def run(pipeline):
        return Sluice("sluice run", "run", pipeline, "--json", writes=True)

    def summaries(file, *ours):
        floor = [Floor(options.decode, file)] if options.decode else []
        tfdv = [peer("TFDV from a data frame", "tfdv_dataframe", file, options.tfdv)] if options.tfdv else []
        return [
            *floor,
            Sluice("sluice statistics", "statistics", file, "--json"),
            *ours,
            peer("DuckDB SUMMARIZE", "duckdb_summarize", file),
            peer("pandas describe", "pandas_describe", file),
            *tfdv,
        ]

    def transforms():
        # Ingest is no part of what is timed: the peers read the very file that it wrote.
        dataset = options.work / "taxi-dataset"
        measure([options.sluice, "ingest", taxi, "--share", "train=1", "--out", dataset])
        train = dataset / "train/part-00000.parquet"

        def tft(rows, job):
            return [peer(f"TensorFlow Transform, {rows}", job, train, options.tfdv)] if options.tfdv else []

        return [
            SluiceTransform(dataset),
            peer("polars, expressions", "polars_transform", train),
            peer("scikit-learn, ColumnTransformer", "sklearn_transform", train),
            # Its fixed cost, tracing and starting, shows in the second: a hundredth of the rows.
            *tft("2 M rows", "tft_transform"),
            *tft("20 k rows", "tft_transform_few"),
        ]

    def sliced(file, *arguments):
        return Sluice(f"sluice statistics {' '.join(arguments)}", "statistics", file, "--json", *arguments)

    return [
        ("statistics: taxi.parquet, 2 M x 21", None, summaries(taxi, sliced(taxi, "--slice", "payment_type"))),
        ("statistics: ridge.parquet, 1 M x 103", None, summaries(ridge)),
        ("statistics: trips.csv, 500 k x 12", None, summaries(trips_csv)),
        ("pipeline: trips.csv", None, [run(pipelines["trips-csv"]), peer("scikit-learn", "sklearn_trips", trips_csv)]),
        (
            "pipeline: trips.parquet",
            None,
            [run(pipelines["trips-parquet"]), peer("scikit-learn", "sklearn_trips", trips_parquet)],
        ),
        ("pipeline: ridge.parquet, 1 M x 100", None, [run(pipelines["ridge"]), peer("scikit-learn", "sklearn_ridge", ridge)]),
        ("transform: taxi.parquet, 13 features of 2 M", None, transforms),
        *training_cases(options),
        ("evaluate: scores.parquet, 5 M rows, 5 slicings, 2 models", None, lambda: evaluations(data / "scores.parquet")),
        *slow_evaluations([data / "scores-500k.parquet", data / "scores-50k.parquet"], options.tfma),
        ("start: help", 20, [Sluice("sluice --help", "--help")]),
        (
            "start: diabetes, first run",
            20,
            [run(diabetes / "pipeline.yaml"), peer("scikit-learn", "sklearn_diabetes", diabetes / "diabetes.csv")],
        ),
    ]


def check(figures):
    """Ends where contenders do not answer the same."""
    for name, found in figures[1:]:
        first, expected = figures[0]
        if any(abs(own - other) > AGREEMENT * abs(other) for own, other in zip(found, expected, strict=True)):
            sys.exit(f"{name} found {found}, {first} {expected}")


def compare(contenders, rounds, options):
    """Every contender once per round, in turn; shows on the way what each cost."""
    results = {contender.name: [] for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            found = contender.once(options)
            figure = f", figure {found['figure']:.9g}" if found.get("figure") is not None else ""
            print(f"  {contender.name}: {found['cpu']:.2f} s of CPU{figure}", file=sys.stderr)
            results[contender.name].append(found)
    check([(name, runs[0]["figures"]) for name, runs in results.items() if runs[0].get("figures")])
    summary = []
    for name, runs in results.items():
        row = {"name": name, "rounds": rounds, "wall_max": max(run["wall"] for run in runs)}
        # What a busy machine falsifies least.
        row["cpu_min"] = min(run["cpu"] for run in runs)
        for key in ["wall", "cpu", "job_wall", "job_cpu", "peak_mib"]:
            row[key] = statistics.median(run[key] for run in runs) if runs[0].get(key) is not None else None
        row["figure"] = runs[0].get("figure")
        if "steps" in runs[0]:
            steps = runs[0]["steps"]
            row["steps"] = {step: statistics.median(run["steps"][step] for run in runs) for step in steps}
        summary.append(row)
    return summary


def seconds(value):
    if value is None:
        return "–"
    return f"{value * 1000:.1f} ms" if value < 0.1 else f"{value:.2f} s"


def markdown(report):
    lines = [
        "| case | | wall, median | wall, max | CPU | CPU, least | job wall | job CPU | peak memory |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for case, rows in report["cases"].items():
        for row in rows:
            times = " | ".join(seconds(row[key]) for key in ["wall", "wall_max", "cpu", "cpu_min", "job_wall", "job_cpu"])
            lines.append(f"| {case} | {row['name']} | {times} | {row['peak_mib']:.0f} MiB |")
    return "\n".join(lines)


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} x {models[0] if models else platform.processor()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sluice", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--decode", default="", help="the example `decode`; without, its floor is left out")
    parser.add_argument("--ridge", default="", help="the example `ridge`; without, fits in memory are left out")
    parser.add_argument("--tfdv", default="", help="an interpreter that has TFDV; without, it is left out")
    parser.add_argument("--tfma", default="", help="an interpreter that has TFMA; without, it is left out")
    parser.add_argument("--runs", type=int, default=5, help="rounds of the long cases")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    options = parser.parse_args()
    options.sluice, options.work = options.sluice.resolve(), options.work.resolve()
    measure([sys.executable, HERE / "data.py", options.work / "data"])
    version = measure([options.sluice, "--version"])["text"].strip()
    report = {
        "date": date.today().isoformat(),
        "machine": machine(),
        "load_before": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "versions": [version, f"Python {platform.python_version()}", *(HERE / "requirements.txt").read_text().split()],
        "cases": {},
    }
    for name, rounds, contenders in cases(options):
        if options.only in name:
            print(f"{name} …", file=sys.stderr)
            contenders = contenders() if callable(contenders) else contenders
            report["cases"][name] = compare(contenders, rounds or options.runs, options)
    results = options.work / "peers.json"
    results.write_text(json.dumps(report, indent=2) + "\n")
    print(f"{report['date']}, {report['machine']}, {', '.join(report['versions'])}\n\n{markdown(report)}\n\n{results}")


if __name__ == "__main__":
    main()
