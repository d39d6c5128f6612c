"""Writes the expected files beside this script with TFDV 1.16.1: what `infer_schema` and `update_schema` make of
statistics. Figures that neither reads (histograms, moments) are left out of the statistics, to keep them small.

    python make.py DATASETS    # the folder with taxi/, adult/ and penguins/
"""

import csv
import pathlib
import sys

import pyarrow as pa
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

HERE = pathlib.Path(__file__).parent
DATASETS = pathlib.Path(sys.argv[1])


def cell(text):
    """One value of a CSV file, as TFDV's own decoder reads it."""
    if text in ("", "NA", "?"):
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def column(values):
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        values = [None if value is None else float(value) for value in values]
    elif str in kinds and len(kinds) > 1:
        values = [None if value is None else str(value) for value in values]
    return pa.array([None if value is None else [value] for value in values])


def table(path, names=None):
    with open(DATASETS / path, newline="") as file:
        rows = [row for row in csv.reader(file, skipinitialspace=True) if row]
    if names is None:
        names, rows = rows[0], rows[1:]
    return {name: column([cell(row[i]) for row in rows]) for i, name in enumerate(names)}


def statistics(columns, **options):
    batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
    full = stats_impl.generate_statistics_in_memory(batch, tfdv.StatsOptions(**options))
    for feature in full.datasets[0].features:
        strip(feature)
    return full


def strip(feature):
    kind = feature.WhichOneof("stats")
    stats = getattr(feature, kind)
    common = statistics_pb2.CommonStatistics()
    common.CopyFrom(stats.common_stats)
    common.ClearField("num_values_histogram")
    common.ClearField("feature_list_length_histogram")
    common.ClearField("presence_and_valency_stats")
    common.presence_and_valency_stats.extend(stats.common_stats.presence_and_valency_stats)
    kept = type(stats)()
    for field in ("min", "max", "unique", "invalid_utf8_count"):
        if field in stats.DESCRIPTOR.fields_by_name and getattr(stats, field):
            setattr(kept, field, getattr(stats, field))
    if kind == "string_stats":
        buckets = stats.rank_histogram.buckets[:120]
        kept.rank_histogram.buckets.extend(buckets)
        kept.unique = len(stats.rank_histogram.buckets)
        if len(stats.rank_histogram.buckets) > 120:
            kept.unique = stats.unique
    if kind == "string_stats" and stats.weighted_string_stats.rank_histogram.buckets:
        kept.weighted_string_stats.rank_histogram.buckets.extend(
            stats.weighted_string_stats.rank_histogram.buckets[:120])
    kept.common_stats.CopyFrom(common)
    getattr(feature, kind).CopyFrom(kept)


NESTED = {
    "text": pa.array([["x"], ["y"], [""]]),
    "word": pa.array([[""], ["0"], ["0"]]),
    "nested": pa.array([[[1, 2], [3]], [[4]], None]),
    "trips": pa.array([
        [{"fare": [1], "tags": ["a", "b"]}, {"fare": [2], "tags": None}],
        [{"fare": [1], "tags": ["c"]}],
        [],
    ]),
    "matrix": pa.array([[[1.0], [2.0]], [[4.0], [2.5]], [[1.0], [2.0]]]),
    "ragged matrix": pa.array([[[1.0], [2.0]], [[4.0], []], [[1.0], [2.0]]]),
    "empty": pa.array([[], [], []], pa.list_(pa.int64())),
    "nothing": pa.array([None, None, None]),
    "several": pa.array([["a"], ["a", "b"], ["c"]]),
    "pair": pa.array([[1, 2], [3, 4], [5, 6]]),
    "pair or nothing": pa.array([[1, 2], None, [5, 6]]),
    "binary": pa.array([[b"\xff"], [b"a"], [b"b"]]),
    "number as text": pa.array([["1"], ["-7"], ["12"]]),
    "flag": pa.array([[0], [1], [1]]),
    "flags": pa.array([["true"], ["false"], ["false"]]),
    "true only": pa.array([["SET"], ["SET"], ["SET"]]),
    "three words": pa.array([["true"], ["false"], ["0"]]),
    "dotted.name": pa.array([["p"], ["q"], ["p"]]),
    "it's (odd)": pa.array([["p"], ["q"], ["p"]]),
    "zeros": pa.array([[0], [0], [0]]),
    "plain words": pa.array([["p"], ["p"], ["r"]]),
}
ADULT = ("age workclass fnlwgt education education-num marital-status occupation relationship race sex capital-gain "
         "capital-loss hours-per-week native-country income").split()

# A schema that the statistics named first break in every way that `update_schema` settles, or do not break.
BROKEN = {
    "penguins": """
        feature { name: "species" type: BYTES domain: "species" presence { min_count: 1 min_fraction: 1 } }
        feature { name: "island" type: BYTES string_domain { name: "isle" value: "Dream" }
          distribution_constraints { min_domain_mass: 0.9 } annotation { tag: "kept" } }
        feature { name: "bill_length_mm" type: FLOAT presence { min_count: 344 min_fraction: 1 } shape { dim { size: 1 } }
          float_domain { min: 40 max: 50 } }
        feature { name: "bill_depth_mm" type: FLOAT float_domain { min: 20 } presence { min_fraction: 0.5 } }
        feature { name: "flipper_length_mm" type: INT int_domain { min: 180 max: 200 } }
        feature { name: "body_mass_g" type: INT bool_domain { } value_count { min: 1 max: 1 } }
        feature { name: "sex" type: BYTES bool_domain { true_value: "male" false_value: "weiblich" } }
        feature { name: "year" type: BYTES presence { min_count: 1 } }
        feature { name: "gone" type: INT presence { min_count: 1 } comment_free: 1 }
        feature { name: "never needed" type: INT }
        feature { name: "retired" type: INT lifecycle_stage: DEPRECATED presence { min_count: 1 } }
        string_domain { name: "species" value: "Adelie" value: "Zebra" }
        string_domain { name: "unused" value: "x" }
        dataset_constraints { min_examples_count: 1000 }
    """.replace("comment_free: 1 ", ""),
    "nested": """
        feature { name: "text" type: BYTES value_count { min: 2 max: 2 } int_domain { } }
        feature { name: "nested" type: INT value_count { min: 1 max: 1 } }
        feature { name: "trips" type: STRUCT value_count { min: 1 max: 1 } struct_domain {
          feature { name: "fare" type: INT int_domain { min: 2 } value_count { min: 2 } }
          feature { name: "lost" type: INT presence { min_count: 1 } } } }
        feature { name: "matrix" type: FLOAT shape { dim { size: 3 } } }
        feature { name: "ragged matrix" type: FLOAT value_counts { value_count { min: 3 } value_count { min: 1 max: 1 } } }
        feature { name: "nothing" type: BYTES presence { min_count: 1 } }
        feature { name: "several" type: BYTES value_count { min: 1 max: 1 } unique_constraints { min: 5 max: 9 } }
        feature { name: "pair" type: INT shape { dim { size: 2 } dim { size: 1 } } unique_constraints { min: 1 } }
        feature { name: "binary" type: BYTES domain: "shared" }
        feature { name: "number as text" type: BYTES int_domain { min: 0 max: 9 } }
        feature { name: "flags" type: BYTES float_domain { } }
        feature { name: "dotted.name" type: BYTES domain: "shared" not_in_environment: "SERVING" }
        feature { name: "zeros" type: INT float_domain { } }
        feature { name: "flag" bool_domain { } }
        feature { name: "word" domain: "shared" }
        string_domain { name: "shared" value: "p" }
        string_domain { name: "three words" value: "p" }
    """,
}


def write(name, message):
    (HERE / name).write_text(text_format.MessageToString(message, as_utf8=True))


def main():
    weighted = table("penguins/penguins.csv")
    weighted = {name: weighted[name] for name in ("species", "sex", "year", "body_mass_g")}
    weights = [[0.0] if row % 3 == 0 else [0.5] for row in range(344)]
    weighted["weight"] = pa.array(weights)
    cases = {
        "taxi": statistics(table("taxi/taxi_part1.csv")),
        "adult": statistics(table("adult/adult.data", ADULT)),
        "penguins": statistics(table("penguins/penguins.csv")),
        "nested": statistics(NESTED),
        "weighted": statistics(weighted, weight_feature="weight"),
    }
    for name, case in cases.items():
        write(f"{name}.statistics.pbtxt", case)
        write(f"{name}.schema.pbtxt", tfdv.infer_schema(case))
    write("nested.no-shape.pbtxt", tfdv.infer_schema(cases["nested"], infer_feature_shape=False))
    write("adult.five-values.pbtxt", tfdv.infer_schema(cases["adult"], max_string_domain_size=5))
    for name, text in BROKEN.items():
        before = text_format.Parse(text, schema_pb2.Schema())
        write(f"{name}.before.pbtxt", before)
        write(f"{name}.updated.pbtxt", tfdv.update_schema(before, cases[name]))
    again = tfdv.infer_schema(cases["taxi"])
    write("taxi.updated.pbtxt", tfdv.update_schema(again, statistics(table("taxi/taxi_part2.csv"))))
    write("taxi.part2.statistics.pbtxt", statistics(table("taxi/taxi_part2.csv")))


main()
