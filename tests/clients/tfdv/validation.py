"""Schemas and findings beside TFDV's."""

import difflib
import json
import math

import pyarrow as pa
import tensorflow as tf
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_data_validation.utils import display_util
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from figures import of_sluice, of_tfdv
from place import arguments, expect, sluice

def printed(schema):
    """A schema with its features, those of structs too, and domains in order of their names, as text."""
    ordered = schema_pb2.Schema()
    ordered.CopyFrom(schema)

    def sort(fields):
        names = sorted(fields, key=lambda field: field.name)
        copies = [type(field).FromString(field.SerializeToString()) for field in names]
        del fields[:]
        fields.extend(copies)

    def sort_features(features):
        for feature in features:
            if feature.HasField("struct_domain"):
                sort_features(feature.struct_domain.feature)
        sort(features)

    sort_features(ordered.feature)
    sort(ordered.string_domain)
    return text_format.MessageToString(ordered)


def compare_schemas(name, ours, folder, agreement):
    sluice("schema", folder / "statistics", "--out", folder / "schema")
    mine = tfdv.load_schema_text(str(folder / "schema" / "schema.pbtxt"))
    theirs = tfdv.infer_schema(ours)
    lines = difflib.unified_diff(printed(mine).splitlines(), printed(theirs).splitlines(), "sluice", "TFDV", lineterm="", n=4)
    differs = printed(mine) != printed(theirs)
    agreement.add("inferred schemas", float(differs), name, "\n" + "\n".join(lines))
    anomalies = tfdv.validate_statistics(ours, mine)
    expect(not anomalies.anomaly_info, f"{name}: TFDV rejects what our schema was inferred from: {anomalies.anomaly_info}")
    html = display_util.get_statistics_html(ours)
    expect("facets-overview" in html, f"{name}: TFDV draws nothing")
    # From a file of TFDV's own we infer the same.
    (folder / "tfdv.binpb").write_bytes(ours.SerializeToString())
    sluice("schema", folder / "tfdv.binpb", "--out", folder / "schema2")
    again = tfdv.load_schema_text(str(folder / "schema2" / "schema.pbtxt"))
    expect(printed(again) == printed(mine), f"{name}: another schema from the statistics in TFDV's format")


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


def compare_halves(compared, agreement):
    """The schema of one half of a table, judged on the other: four times the same findings."""
    for name in [name for name in ("taxi", "adult") if name in compared]:
        table = compared[name]
        middle = table.num_rows // 2
        _, first = of_sluice(table.slice(0, middle), f"first-{name}")
        sluice("schema", first / "statistics", "--out", first / "schema")
        schema_file = first / "schema" / "schema.pbtxt"
        schema = tfdv.load_schema_text(str(schema_file))
        for feature in schema.feature:
            # Tight enough that the other half breaks some of it.
            numbers = table.column(feature.name)
            if pa.types.is_integer(numbers.type):
                feature.int_domain.min, feature.int_domain.max = 0, 40
        schema_file = first / "tight.pbtxt"
        tfdv.write_schema_text(schema, str(schema_file))
        rest = table.slice(middle).combine_chunks()
        ours, second = of_sluice(rest, f"second-{name}")
        theirs = of_tfdv(rest)
        (second / "tfdv.binpb").write_bytes(theirs.SerializeToString())
        wanted = anomalies_of(tfdv.validate_statistics(theirs, schema))
        expect(wanted, f"{name}: the other half breaks nothing")
        for words, found in {
            "TFDV, from our statistics": anomalies_of(tfdv.validate_statistics(ours, schema)),
            "we, from TFDV's": findings_of(second / "tfdv.binpb", schema_file),
            "we, from ours": findings_of(second / "statistics", schema_file),
        }.items():
            agreement.exact("findings", found, wanted, f"{name}: {words}")
        print(f"{name}, one half by the schema of the other: {wanted}")


def check_faults(agreement):
    schema_file = arguments.work / "schema.pbtxt"
    schema_file.write_text(RULES)
    schema = tfdv.load_schema_text(str(schema_file))
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
        for form, path in forms.items():
            found = findings_of(path, schema_file)
            agreement.exact("findings", found, wanted, f"{name}: we, from TFDV's {form}")
        found = anomalies_of(tfdv.validate_statistics(ours, schema))
        agreement.exact("findings", found, wanted, f"{name}: TFDV, from our statistics")
        print(f"  {name:20} {wanted or 'nothing'}")
