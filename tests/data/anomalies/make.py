"""Writes expected.json: what TFDV 1.16.1 says about the statistics and schemas in cases.json.

python make.py    (tensorflow-data-validation==1.16.1 installed)

A case has `schema` (protobuf text) and `statistics`, and where it needs them `environment`, `previous`,
`previous_version`, `serving` (statistics) and `severity` (TFDV's type -> WARNING or ERROR). Statistics are
`rows`, `weighted_rows` and `features`; a feature has what differs from the defaults in `feature` below.
"""

import json
import pathlib

from google.protobuf import text_format
from tensorflow_data_validation.anomalies.proto import validation_config_pb2
from tensorflow_data_validation.api import validation_api, validation_options
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

HERE = pathlib.Path(__file__).parent
TYPES = {"INT": 0, "FLOAT": 1, "STRING": 2, "BYTES": 3, "STRUCT": 4}


def number(value):
    return float(value)


def add_histogram(numeric, kind, buckets, nan):
    histogram = numeric.histograms.add(type=kind, num_nan=nan)
    for low, high, count in buckets:
        histogram.buckets.add(low_value=number(low), high_value=number(high), sample_count=count)


def common_of(message, given):
    common = message.common_stats
    common.num_non_missing = given.get("present", 10)
    common.num_missing = given.get("missing", 0)
    common.min_num_values, common.max_num_values = given.get("min_values", 1), given.get("max_values", 1)
    common.tot_num_values = given.get("values", common.num_non_missing * common.max_num_values)
    if common.num_non_missing:
        common.avg_num_values = common.tot_num_values / common.num_non_missing
    for level in given.get("levels", []):
        common.presence_and_valency_stats.add(
            num_non_missing=level["present"], num_missing=level["missing"], min_num_values=level["min"],
            max_num_values=level["max"], tot_num_values=level["total"])
    if "weighted" in given:
        weighted = given["weighted"]
        common.weighted_common_stats.num_non_missing = weighted["present"]
        common.weighted_common_stats.num_missing = weighted["missing"]
        common.weighted_common_stats.tot_num_values = weighted["present"]
    return common


def ranks_of(histogram, ranks):
    for rank, (label, count) in enumerate(ranks):
        histogram.buckets.add(low_rank=rank, high_rank=rank, label=label, sample_count=count)


def add_feature(statistics, given):
    message = statistics.features.add(type=TYPES[given["type"]])
    message.path.step.extend(given["path"] if isinstance(given["path"], list) else [given["path"]])
    if "derived" in given:
        message.validation_derived_source.deriver_name = given["derived"]
    if given["type"] in ("INT", "FLOAT"):
        numeric = message.num_stats
        common_of(numeric, given)
        numeric.min, numeric.max = number(given.get("min", 0)), number(given.get("max", 0))
        nan = given.get("nan", 0)
        if nan or "buckets" in given:
            add_histogram(numeric, statistics_pb2.Histogram.STANDARD, given.get("buckets", []), nan)
        if "quantiles" in given:
            add_histogram(numeric, statistics_pb2.Histogram.QUANTILES, given["quantiles"], nan)
    elif given["type"] == "STRING":
        common_of(message.string_stats, given)
        if "unique" in given:
            message.string_stats.unique = given["unique"]
        message.string_stats.invalid_utf8_count = given.get("invalid_utf8", 0)
        ranks_of(message.string_stats.rank_histogram, given.get("ranks", []))
        if "weighted" in given and "ranks" in given["weighted"]:
            ranks_of(message.string_stats.weighted_string_stats.rank_histogram, given["weighted"]["ranks"])
    elif given["type"] == "BYTES":
        common_of(message.bytes_stats, given)
        message.bytes_stats.max_num_bytes_int = given.get("max_bytes", 0)
    else:
        common_of(message.struct_stats, given)
    for name, value in given.get("custom", {}).items():
        custom = message.custom_stats.add(name=name)
        if isinstance(value, str):
            custom.str = value
        elif isinstance(value, list):
            ranks_of(custom.rank_histogram, value)
        else:
            custom.num = value


def statistics_of(given):
    statistics = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = statistics.datasets.add(num_examples=given.get("rows", 10))
    dataset.weighted_num_examples = given.get("weighted_rows", 0)
    for feature in given.get("features", []):
        add_feature(dataset, feature)
    return statistics


def expected(case):
    schema = text_format.Parse(case["schema"], schema_pb2.Schema())
    options = validation_options.ValidationOptions()
    for name, severity in case.get("severity", {}).items():
        options.severity_overrides.append(validation_config_pb2.SeverityOverride(
            type=anomalies_pb2.AnomalyInfo.Type.Value(name),
            severity=anomalies_pb2.AnomalyInfo.Severity.Value(severity)))
    other = {name: statistics_of(case[name]) if name in case else None
             for name in ("previous", "previous_version", "serving")}
    return validation_api.validate_statistics_internal(
        statistics_of(case["statistics"]), schema, environment=case.get("environment"),
        previous_span_statistics=other["previous"], serving_statistics=other["serving"],
        previous_version_statistics=other["previous_version"], validation_options=options)


def entry(info):
    return {
        "severity": anomalies_pb2.AnomalyInfo.Severity.Name(info.severity),
        "short_description": info.short_description,
        "description": info.description,
        "reasons": [[anomalies_pb2.AnomalyInfo.Type.Name(reason.type), reason.short_description,
                     reason.description] for reason in info.reason],
    }


def answer(anomalies):
    kind = anomalies_pb2.DriftSkewInfo.Measurement.Type

    def measurements(found):
        return [[kind.Name(one.type), one.value, one.threshold] for one in found]

    result = {"columns": {key: entry(info) for key, info in sorted(anomalies.anomaly_info.items())}}
    if anomalies.HasField("dataset_anomaly_info"):
        result["dataset"] = entry(anomalies.dataset_anomaly_info)
    if anomalies.data_missing:
        result["data_missing"] = True
    if anomalies.drift_skew_info:
        result["drift_skew"] = [
            [list(info.path.step), measurements(info.drift_measurements), measurements(info.skew_measurements)]
            for info in anomalies.drift_skew_info]
    return result


def main():
    cases = json.loads((HERE / "cases.json").read_text())
    results = {}
    for case in cases:
        try:
            results[case["name"]] = answer(expected(case))
        except Exception as error:  # pylint: disable=broad-except
            raise SystemExit(f"{case['name']}: {error}")
    lines = [f"  {json.dumps(name)}: {json.dumps(result)}" for name, result in results.items()]
    (HERE / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
