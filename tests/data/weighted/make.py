"""Writes rows.csv and what TensorFlow Data Validation 1.16.1 says of it, weighted and by slices, into expected.json.

python make.py, in this folder, where `tensorflow-data-validation` is installed.
"""

import csv
import json
import os
import random

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import tensorflow_data_validation as tfdv

random.seed(20240501)
TEXTS = ["Flash Cab", "Sun Taxi", "Taxi, Inc.", "", "Choice"]


def row():
    fare = round(random.lognormvariate(2.5, 0.8), 2)
    return {
        "fare": "" if random.random() < 0.1 else fare,
        "hour": random.choice([0, 3, 7, 12, 12, 18]),
        "company": random.choice(TEXTS),
        "weight": random.choice([0, 0.25, 1, 1.5, 3]),
    }


rows = [row() for _ in range(500)]
with open("rows.csv", "w", newline="") as file:
    writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def common(stats):
    weighted = stats.weighted_common_stats
    return {
        "num_present": weighted.num_non_missing,
        "num_missing": weighted.num_missing,
        "num_values": weighted.tot_num_values,
    }


def describe(dataset):
    columns = {}
    for feature in dataset.features:
        name = feature.path.step[0]
        if feature.HasField("num_stats"):
            numbers = feature.num_stats
            weighted = numbers.weighted_numeric_stats
            columns[name] = common(numbers.common_stats) | {
                "mean": weighted.mean,
                "standard_deviation": weighted.std_dev,
                "median": weighted.median,
                "equal_width": [
                    [b.low_value, b.high_value, b.sample_count] for b in weighted.histograms[0].buckets
                ],
            }
        else:
            strings = feature.string_stats
            top = [[v.value, v.frequency] for v in strings.weighted_string_stats.top_values]
            columns[name] = common(strings.common_stats) | {"top_values": top}
    return {
        "num_rows": dataset.num_examples,
        "weight": dataset.weighted_num_examples,
        "columns": columns,
    }


def statistics(**options):
    # One row per batch is what TFDV calls small: the sketches then see every value.
    found = tfdv.generate_statistics_from_csv(
        "rows.csv", stats_options=tfdv.StatsOptions(weight_feature="weight", epsilon=0.0001, **options)
    )
    return {dataset.name: describe(dataset) for dataset in found.datasets}


def slicer(features):
    return tfdv.experimental_get_feature_value_slicer(features)


expected = {
    "whole": statistics(),
    "company": statistics(experimental_slice_functions=[slicer({"company": None})]),
    "company,hour=12": statistics(experimental_slice_functions=[slicer({"company": None, "hour": [12]})]),
}
with open("expected.json", "w") as file:
    json.dump(expected, file, indent=1, sort_keys=True)
    file.write("\n")
