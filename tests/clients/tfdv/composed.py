"""What TFDV computes of columns together: sparse and weighted features of a schema, and lift, whole and by slices."""

import os

import apache_beam as beam
import pyarrow as pa
import tensorflow_data_validation as tfdv
from apache_beam.options.pipeline_options import PipelineOptions

from figures import of_sluice
from place import arguments, as_batch, expect
from validation import anomalies_of, findings_of

SCHEMA = """
feature { name: "kind" type: BYTES }
feature { name: "label" type: INT int_domain { is_categorical: true } }
feature { name: "row" type: INT value_count { min: 0 } }
feature { name: "column" type: INT value_count { min: 0 } }
feature { name: "value" type: FLOAT value_count { min: 0 } }
feature { name: "terms" type: BYTES value_count { min: 0 } }
feature { name: "weights" type: FLOAT value_count { min: 0 } }
feature {
  name: "basket" type: STRUCT value_count { min: 0 }
  struct_domain {
    feature { name: "goods" type: BYTES value_count { min: 0 } }
    feature { name: "prices" type: FLOAT value_count { min: 0 } }
  }
}
sparse_feature { name: "matrix" index_feature { name: "row" } index_feature { name: "column" } value_feature { name: "value" } }
sparse_feature { name: "fits" index_feature { name: "row" } value_feature { name: "row" } }
sparse_feature { name: "absent" index_feature { name: "nowhere" } value_feature { name: "value" } }
weighted_feature { name: "scored" feature { step: "terms" } weight_feature { step: "weights" } }
weighted_feature { name: "priced" feature { step: "basket" step: "goods" } weight_feature { step: "basket" step: "prices" } }
"""


def table():
    """Lists of which some are missing, empty, or of another length than those beside them."""
    rows = range(300)

    def lists(item, missing, length, kind):
        return pa.array([None if i % missing == 1 else [item(i)] * length(i) for i in rows], pa.list_(kind))

    basket = pa.struct({"goods": pa.list_(pa.string()), "prices": pa.list_(pa.float64())})
    return pa.table({
        "kind": pa.array(["red" if i % 3 else "green" for i in rows]),
        "label": pa.array([int(i % 7 > 2) for i in rows]),
        "row": lists(lambda i: i, 11, lambda i: i % 4, pa.int64()),
        "column": lists(lambda i: -i, 13, lambda i: (i + (i % 50 == 0)) % 4, pa.int64()),
        "value": lists(lambda i: i / 3, 17, lambda i: i % 4, pa.float64()),
        "terms": lists(lambda i: f"t{i % 5}", 19, lambda i: i % 3, pa.string()),
        "weights": lists(lambda i: 1.0, 19, lambda i: i % 3 + (i == 44), pa.float64()),
        "basket": pa.array([
            None if i % 5 == 0 else [{"goods": ["a"] * (j % 3), "prices": None if i % 9 == 0 else [1.0] * (i % 3)} for j in range(i % 4)]
            for i in rows
        ], pa.list_(basket)),
    })


def customs(dataset, wanted):
    """The custom statistics of these names, by feature."""
    found = {}
    for feature in dataset.features:
        for one in feature.custom_stats:
            if one.name.startswith(wanted):
                values = {bucket.label: bucket.sample_count for bucket in one.rank_histogram.buckets}
                found[".".join(feature.path.step), one.name] = values or one.num
    return found


def of_tfdv(rows, schema, path):
    """Whole and by slices; lift and slices only in Beam."""
    slicer = tfdv.experimental_get_feature_value_slicer({"kind": None})
    options = tfdv.StatsOptions(schema=schema, label_feature="label", experimental_slice_functions=[slicer])
    # The type hints of TFDV's lift are not those that this version of Beam infers.
    unchecked = PipelineOptions(pipeline_type_check=False)
    with beam.Pipeline(options=unchecked) as pipeline:
        statistics = pipeline | beam.Create([as_batch(rows)]) | tfdv.GenerateStatistics(options)
        _ = statistics | tfdv.WriteStatisticsToBinaryFile(path)
    return tfdv.load_stats_binary(path)


def compare_composed(agreement):
    schema_file = arguments.work / "composed.pbtxt"
    schema_file.write_text(SCHEMA)
    schema = tfdv.load_schema_text(str(schema_file))
    rows = table()
    ours, folder = of_sluice(rows, "composed", "--schema", schema_file, "--label", "label", "--slice", "kind")
    path = os.path.join(folder, "tfdv.binpb")
    theirs = of_tfdv(rows, schema, path)
    by_name = [{dataset.name: dataset for dataset in one.datasets} for one in (ours, theirs)]
    agreement.exact("names of slices", *[sorted(one) for one in by_name], "composed")
    names = ("missing_", "min_length", "max_length", "min_weight", "max_weight")
    for name in sorted(set(by_name[0]) & set(by_name[1])):
        found, wanted = [customs(one[name], names) for one in by_name]
        expect(len(wanted) == 20, f"composed, {name}: TFDV counts {len(wanted)} figures")
        agreement.exact("sparse, weighted features", sorted(found), sorted(wanted), name)
        for key in set(found) & set(wanted):
            agreement.exact("sparse, weighted features", found[key], wanted[key], f"{name}: {key}")
        # Lift of lists and numbers only TFDV has.
        found, wanted = [customs(one[name], "Lift") for one in by_name]
        wanted = {key: values for key, values in wanted.items() if key[0] == "kind"}
        expect(wanted, f"composed, {name}: no lift of TFDV's")
        agreement.exact("lift", sorted(found), sorted(wanted), name)
        for key in set(found) & set(wanted):
            agreement.exact("lift", sorted(found[key]), sorted(wanted[key]), f"{name}: {key}")
            for value in set(found[key]) & set(wanted[key]):
                agreement.relative("lift", found[key][value], wanted[key][value], f"{name}: {key}, {value}")
    wanted = anomalies_of(tfdv.validate_statistics(theirs, schema))
    expect({"matrix", "absent", "scored", "priced"} <= set(wanted), f"composed: TFDV finds {wanted}")
    for words, found in {
        "TFDV, from our statistics": anomalies_of(tfdv.validate_statistics(ours, schema)),
        "we, from TFDV's": findings_of(path, schema_file),
        "we, from ours": findings_of(folder / "statistics", schema_file),
    }.items():
        agreement.exact("findings", found, wanted, f"composed: {words}")
    print(f"sparse and weighted features: {wanted}")
