"""TensorFlow Data Validation on our files, and we on its.

Three tables (Chicago taxi trips and Adult where SLUICE_DATASETS has them, and one made here with lists, structs, NaN and
infinities): our statistics are loaded by TFDV and compared with its own, figure by figure; the schema that it infers from
them is compared with ours; it validates them with our schema, and draws them. Then tables with one fault each: what we
find in statistics that TFDV wrote, in every form it writes, is what TFDV finds, and it finds the same in ours.

TFDV reads Parquet's columns as lists of one value (its CSV reader cuts floats to 32 bits).
"""

import argparse
import difflib
import json
import math
import os
import pathlib
import subprocess
import sys

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_data_validation.utils import display_util
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
DATASETS = pathlib.Path(os.environ.get("SLUICE_DATASETS", REPOSITORY.parent / "shared" / "datasets"))

arguments = argparse.ArgumentParser()
arguments.add_argument("--sluice", required=True)
arguments.add_argument("--work", type=pathlib.Path, required=True)
arguments = arguments.parse_args()

# How far our figures may be from TFDV's, relative unless said otherwise.
BOUNDS = {
    "mean": 1e-9,
    "std_dev": 1e-9,
    "avg_length": 1e-6,
    # The share of values between the two, which are quantiles within TFDV's epsilon of 0.01.
    "median": 0.02,
    # Of all values, in any bucket: TFDV's are interpolated between quantiles of the same epsilon.
    "histogram": 0.03,
}
EXACT = [
    "num_non_missing", "num_missing", "min_num_values", "max_num_values", "tot_num_values", "num_zeros", "min", "max",
    "num_nan", "unique", "invalid_utf8_count", "top_values",
]

failures = []


def expect(holds, words):
    if not holds:
        failures.append(words)
        print("FAILED:", words)


def sluice(*command, exits=(0,)):
    finished = subprocess.run([arguments.sluice, *map(str, command)], capture_output=True, text=True)
    assert finished.returncode in exits, (command, finished.returncode, finished.stdout, finished.stderr)
    return finished.stdout


def as_lists(table):
    """Columns as TFDV wants them: values in lists of one, nulls as null lists; true and false as 1 and 0."""
    def column(values):
        if pa.types.is_list(values.type) or pa.types.is_null(values.type):
            return values
        if pa.types.is_boolean(values.type):
            values = values.cast(pa.int8())
        ends = np.cumsum(np.concatenate([[0], values.is_valid().to_numpy(zero_copy_only=False).astype(np.int32)]))
        offsets = pa.array(ends.astype(np.int32), mask=np.concatenate([values.is_null().to_numpy(zero_copy_only=False), [False]]))
        return pa.ListArray.from_arrays(offsets, values.drop_null())

    chunks = [table.column(name).combine_chunks() for name in table.column_names]
    return pa.RecordBatch.from_arrays([column(chunk) for chunk in chunks], table.column_names)


def of_tfdv(table):
    return stats_impl.generate_statistics_in_memory(as_lists(table), tfdv.StatsOptions())


def of_sluice(table, name):
    """Our statistics of a table, as TFDV loads them, and the folder of the artifact."""
    folder = arguments.work / name
    folder.mkdir()
    pq.write_table(table, folder / "table.parquet")
    sluice("statistics", folder / "table.parquet", "--out", folder / "statistics")
    return tfdv.load_stats_binary(str(folder / "statistics" / "statistics.binpb")), folder


def figures(feature):
    """What the message of one feature says, by name."""
    which = feature.WhichOneof("stats")
    stats = getattr(feature, which)
    common = stats.common_stats
    found = {name: getattr(common, name) for name in EXACT[:5]}
    if which == "num_stats":
        found |= {name: getattr(stats, name) for name in ["mean", "std_dev", "num_zeros", "min", "max", "median"]}
        found["num_nan"] = max([histogram.num_nan for histogram in stats.histograms], default=0)
    if which == "string_stats":
        found |= {name: getattr(stats, name) for name in ["unique", "avg_length", "invalid_utf8_count"]}
        pairs = [(value.value, value.frequency) for value in stats.top_values]
        # Which of several equally frequent values comes last in a list that is cut is a matter of taste.
        least = min([count for _, count in pairs], default=0) if stats.unique > len(pairs) else 0
        found["top_values"] = sorted(pair for pair in pairs if pair[1] > least)
    return found, stats


def same(a, b, bound=0.0):
    if isinstance(a, float) and isinstance(b, float):
        if math.isnan(a) or math.isnan(b) or math.isinf(a) or math.isinf(b):
            return a == b or (math.isnan(a) and math.isnan(b))
        return abs(a - b) <= bound * max(abs(a), abs(b))
    return a == b


def finite_values(table, path):
    column = table.column(path[0]).combine_chunks()
    for step in path[1:]:
        while pa.types.is_list(column.type):
            column = column.flatten()
        column = column.field(step).filter(column.is_valid())
    while pa.types.is_list(column.type):
        column = column.flatten()
    values = column.drop_null().cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.sort(values[~np.isnan(values)])


def compare(name, table, ours, theirs):
    """A table of the worst disagreement of each figure, and a failure for each beyond its bound."""
    def by_path(statistics):
        return {tuple(feature.path.step): feature for feature in statistics.datasets[0].features}

    ours, theirs = by_path(ours), by_path(theirs)
    expect(list(ours) == list(theirs), f"{name}: other columns: {list(ours)} and {list(theirs)}")
    counted, compared = {}, 0
    for path in [path for path in ours if path in theirs]:
        mine, their = ours[path], theirs[path]
        place = f"{name}, column {'.'.join(path)}"
        expect(mine.type == their.type, f"{place}: type {mine.type}, TFDV {their.type}")
        if mine.WhichOneof("stats") != their.WhichOneof("stats"):
            expect(False, f"{place}: {mine.WhichOneof('stats')}, TFDV {their.WhichOneof('stats')}")
            continue
        (found, stats), (wanted, their_stats) = figures(mine), figures(their)
        for figure, value in wanted.items():
            worst = counted.setdefault(figure, [0, 0.0])
            worst[0] += 1
            if figure == "median":
                values = finite_values(table, path)
                if len(values) == 0:
                    continue
                # Shares of values below the lesser and up to the greater of the two.
                low, high = sorted([found[figure], value])
                off = max(0, np.searchsorted(values, high, "left") - np.searchsorted(values, low, "right")) / len(values)
                worst[1] = max(worst[1], off)
                expect(off <= BOUNDS["median"], f"{place}: median {found[figure]}, TFDV {value}")
                continue
            if isinstance(value, float) and math.isfinite(value) and math.isfinite(found[figure]) and value:
                worst[1] = max(worst[1], abs(found[figure] / value - 1))
            expect(same(found[figure], value, BOUNDS.get(figure, 0.0)), f"{place}: {figure} {found[figure]}, TFDV {value}")
        if mine.WhichOneof("stats") == "num_stats":
            compared += compare_histograms(place, stats, their_stats)
    print(f"{name}: {len(ours)} columns")
    for figure, (count, worst) in counted.items():
        bound = BOUNDS.get(figure, 0.0)
        print(f"  {figure:20} {count:3} columns, bound {bound:g}, worst {worst:.2g}")
    print(f"  {'histograms':20} {compared:3} columns, bound {BOUNDS['histogram']:g} of the values in any bucket")


def compare_histograms(place, mine, theirs):
    """Of equal width: the same buckets, and about as many values in each."""
    def standard(stats):
        return next((list(h.buckets) for h in stats.histograms if h.type == statistics_pb2.Histogram.STANDARD), [])

    mine, theirs = standard(mine), standard(theirs)
    if not any(math.isfinite(bucket.low_value) for bucket in mine):
        # Statistics without histograms hold those of infinities and NaN alone.
        return 0
    bounds = [[(round(b.low_value, 9), round(b.high_value, 9)) for b in buckets] for buckets in (mine, theirs)]
    expect(len(mine) == len(theirs) and np.allclose(*[np.nan_to_num(b, posinf=1e300, neginf=-1e300) for b in bounds]),
           f"{place}: other buckets: {bounds}")
    total = sum(bucket.sample_count for bucket in theirs)
    for a, b in zip(mine, theirs):
        off = abs(a.sample_count - b.sample_count) / total
        expect(off <= BOUNDS["histogram"], f"{place}: {a.sample_count} values in a bucket, TFDV {b.sample_count}")
    return 1


def printed(schema):
    """A schema with its features and domains in order of their names, as text."""
    ordered = schema_pb2.Schema()
    ordered.CopyFrom(schema)
    del ordered.feature[:]
    ordered.feature.extend(sorted(schema.feature, key=lambda feature: feature.name))
    del ordered.string_domain[:]
    ordered.string_domain.extend(sorted(schema.string_domain, key=lambda domain: domain.name))
    return text_format.MessageToString(ordered)


def compare_schemas(name, ours, folder):
    sluice("schema", folder / "statistics", "--out", folder / "schema")
    mine = tfdv.load_schema_text(str(folder / "schema" / "schema.pbtxt"))
    theirs = tfdv.infer_schema(ours)
    lines = difflib.unified_diff(printed(mine).splitlines(), printed(theirs).splitlines(), "sluice", "TFDV", lineterm="", n=4)
    expect(printed(mine) == printed(theirs), f"{name}: other schemas:\n" + "\n".join(lines))
    anomalies = tfdv.validate_statistics(ours, mine)
    expect(not anomalies.anomaly_info, f"{name}: TFDV rejects what our schema was inferred from: {anomalies.anomaly_info}")
    html = display_util.get_statistics_html(ours)
    expect("facets-overview" in html, f"{name}: TFDV draws nothing")
    # From a file of TFDV's own we infer the same.
    (folder / "tfdv.binpb").write_bytes(ours.SerializeToString())
    sluice("schema", folder / "tfdv.binpb", "--out", folder / "schema2")
    again = tfdv.load_schema_text(str(folder / "schema2" / "schema.pbtxt"))
    expect(printed(again) == printed(mine), f"{name}: another schema from the statistics in TFDV's format")


def made():
    """Lists, structs, NaN, infinities, nulls and words, 200 rows."""
    rows = range(200)
    return pa.table({
        "number": pa.array([None if i % 10 == 0 else i for i in rows], pa.int64()),
        "large": pa.array([2**53 + 1 + 2**40 * i for i in rows], pa.int64()),
        "fare": pa.array([float("nan") if i % 20 == 0 else i / 7 for i in rows]),
        "extreme": pa.array([math.inf if i == 3 else -math.inf if i in (4, 5) else i / 7 for i in rows]),
        "is_late": pa.array([i % 3 == 0 for i in rows]),
        "word": pa.array([["red", "green", "blue", ""][i % 4] for i in rows]),
        "text": pa.array([f"trip {i}" for i in rows]),
    })


def nested():
    rows = range(200)
    return pa.table({
        "tags": pa.array([None if i % 50 == 0 else ["a", "b", "c"][: i % 4] for i in rows], pa.list_(pa.string())),
        "stops": pa.array([[i, i + 1] for i in rows], pa.list_(pa.int64())),
        "legs": pa.array([[[1.0 * i], [2.0, 3.0]][: i % 3] for i in rows], pa.list_(pa.list_(pa.float64()))),
    })


def tables():
    found = {"made": made(), "nested": nested()}
    taxi = DATASETS / "taxi" / "taxi_simple.csv"
    if taxi.exists():
        found["taxi"] = pa.Table.from_pandas(pd.read_csv(taxi, float_precision="round_trip"), preserve_index=False)
    adult = DATASETS / "adult" / "adult.data"
    if adult.exists():
        names = "age workclass fnlwgt education education_num marital occupation relationship race sex".split()
        names += "capital_gain capital_loss hours country income".split()
        frame = pd.read_csv(adult, header=None, names=names, skipinitialspace=True, na_values="?")
        found["adult"] = pa.Table.from_pandas(frame, preserve_index=False)
    for name in {"taxi", "adult"} - set(found):
        print(f"{name}: skipped: not in {DATASETS}")
    return found


RULES = """
feature { name: "number" type: INT presence { min_count: 1 } int_domain { min: 0 max: 199 } }
feature { name: "fare" type: FLOAT presence { min_fraction: 1 min_count: 1 } float_domain { min: 0 max: 100 } }
feature { name: "word" type: BYTES presence { min_fraction: 1 min_count: 1 } domain: "word" shape { dim { size: 1 } } }
feature { name: "flag" type: INT presence { min_count: 1 } bool_domain { } }
feature { name: "tags" type: BYTES presence { min_count: 1 } value_count { min: 0 max: 3 } }
string_domain { name: "word" value: "red" value: "green" value: "blue" }
"""


def faults():
    """A sound table, and one for each fault."""
    rows = range(200)
    sound = {
        "number": pa.array(list(rows)),
        "fare": pa.array([i / 7 for i in rows]),
        "word": pa.array([["red", "green", "blue"][i % 3] for i in rows]),
        "flag": pa.array([i % 2 for i in rows]),
        "tags": pa.array([["a", "b", "c"][: i % 4] for i in rows], pa.list_(pa.string())),
    }

    def but(**columns):
        changed = {**sound, **columns}
        return pa.table({name: column for name, column in changed.items() if column is not None})

    floats, numbers = [i / 7 for i in rows], list(rows)
    return {
        "sound": but(),
        "new-column": but(extra=pa.array(numbers)),
        "missing-column": but(number=None),
        "unexpected-value": but(word=pa.array(["red"] * 199 + ["violet"])),
        "integer-too-big": but(number=pa.array(numbers[:-1] + [200])),
        "integer-too-small": but(number=pa.array([-1] + numbers[1:])),
        "float-too-big": but(fare=pa.array(floats[:-1] + [100.5])),
        "float-too-small": but(fare=pa.array([-0.5] + floats[1:])),
        "infinity": but(fare=pa.array(floats[:-1] + [math.inf])),
        "wrong-type": but(number=pa.array([str(i) for i in rows])),
        "float-for-integer": but(number=pa.array(floats)),
        "low-presence": but(fare=pa.array([None] + floats[1:])),
        "no-values": but(number=pa.array([None] * 200, pa.int64())),
        "not-boolean": but(flag=pa.array(numbers)),
        "too-many-in-list": but(tags=pa.array([["a"] * (4 if i == 7 else 2) for i in rows], pa.list_(pa.string()))),
        "list-for-one-value": but(word=pa.array([["red"] * (i % 3) for i in rows], pa.list_(pa.string()))),
        "several": but(extra=pa.array(floats), word=pa.array(["violet"] * 200), flag=None),
    }


def anomalies_of(found):
    """The types per column that TFDV found."""
    name = anomalies_pb2.AnomalyInfo.Type.Name
    return {column: sorted(name(reason.type) for reason in info.reason) for column, info in found.anomaly_info.items()}


def findings_of(statistics, schema):
    """The types per column that we find."""
    command = ["validate", statistics, "--schema", schema, "--new-columns", "error", "--json"]
    record = json.loads(sluice(*command, exits=(0, 1)))
    (subset,) = record["subsets"]
    found = {}
    for finding in subset["findings"]:
        found.setdefault(finding.get("column", ""), []).append(finding["tfdv"]["name"])
    return {column: sorted(types) for column, types in found.items()}


def check_faults():
    schema_file = arguments.work / "schema.pbtxt"
    schema_file.write_text(RULES)
    schema = tfdv.load_schema_text(str(schema_file))
    agreed = 0
    for name, table in faults().items():
        theirs = of_tfdv(table)
        wanted = anomalies_of(tfdv.validate_statistics(theirs, schema))
        expect(bool(wanted) == (name != "sound"), f"{name}: TFDV finds {wanted}")
        ours, folder = of_sluice(table, f"fault-{name}")
        forms = {"binary": folder / "tfdv.binpb", "text": folder / "tfdv.pbtxt", "record": folder / "tfdv.tfrecord"}
        forms["binary"].write_bytes(theirs.SerializeToString())
        tfdv.write_stats_text(theirs, str(forms["text"]))
        with tf.io.TFRecordWriter(str(forms["record"])) as writer:
            writer.write(theirs.SerializeToString())
        forms["TFX"] = folder / "tfx"
        (forms["TFX"] / "Split-eval").mkdir(parents=True)
        (forms["TFX"] / "Split-eval" / "FeatureStats.pb").write_bytes(theirs.SerializeToString())
        before = len(failures)
        for form, path in forms.items():
            found = findings_of(path, schema_file)
            expect(found == wanted, f"{name}: from TFDV's {form} we find {found}, TFDV {wanted}")
        found = anomalies_of(tfdv.validate_statistics(ours, schema))
        expect(found == wanted, f"{name}: in our statistics TFDV finds {found}, in its own {wanted}")
        agreed += len(failures) == before
        print(f"  {name:20} {wanted or 'nothing'}")
    return agreed


compared = tables()
for name, table in compared.items():
    ours, folder = of_sluice(table, name)
    compare(name, table, ours, of_tfdv(table))
    compare_schemas(name, ours, folder)
agreed = check_faults()
if failures:
    print(f"{len(failures)} disagreements with TFDV {tfdv.__version__}")
    sys.exit(1)
print(f"ok: TFDV {tfdv.__version__} agrees on {len(compared)} tables and {agreed} faults, in both directions")
