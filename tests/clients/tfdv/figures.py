"""Our figures of tables beside TFDV's: whole, weighted and by slices."""

import math
import os

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_metadata.proto.v0 import statistics_pb2

from place import arguments, as_batch, expect, sluice

# What TFDV's quantiles may be off, as a share of the values: its option `epsilon`.
EPSILON = 0.01
# How far our figures may be from TFDV's, relative unless said otherwise.
BOUNDS = {
    "mean": 1e-9,
    "std_dev": 1e-9,
    # Single precision in the format.
    "avg_length": 1e-6,
    # The share of values between the two, which are quantiles within TFDV's epsilon.
    "median": 2 * EPSILON,
    # Bounds of buckets of equal width, of the range.
    "bucket edges": 1e-12,
    # Of all values, in any bucket: both ends of a bucket of TFDV's are interpolated between quantiles.
    "bucket counts": 3 * EPSILON,
    # The share of values between the two.
    "equal-depth edges": 2 * EPSILON,
    # Sums of floats in another order.
    "weights of rows": 1e-9,
    "weighted mean": 1e-9,
    "weighted std_dev": 1e-9,
    "weighted median": 2 * EPSILON,
    "weighted top values": 1e-9,
    # Products and quotients of counts in another order.
    "lift": 1e-12,
}
COUNTS = ["num_non_missing", "num_missing", "min_num_values", "max_num_values", "tot_num_values"]


class Agreement:
    """Per figure: how many were compared, the worst difference, the bound."""

    def __init__(self):
        self.rows = {}

    def add(self, figure, difference, place, words):
        """Notes a difference, and a failure where it is beyond the bound."""
        bound = BOUNDS.get(figure, 0.0)
        row = self.rows.setdefault(figure, [0, 0.0])
        row[0] += 1
        row[1] = max(row[1], difference)
        expect(difference <= bound, f"{place}: {figure} {words}")

    def exact(self, figure, found, wanted, place):
        self.add(figure, 0.0 if same(found, wanted) else math.inf, place, f"{found}, TFDV {wanted}")

    def relative(self, figure, found, wanted, place):
        both = abs(found) + abs(wanted)
        if same(found, wanted):
            difference = 0.0
        else:
            difference = 2 * abs(found - wanted) / both if math.isfinite(both) else math.inf
        self.add(figure, difference, place, f"{found}, TFDV {wanted}")

    def show(self):
        print(f"  {'figure':22} {'compared':>8} {'worst':>8} {'allowed':>8}")
        for figure, (count, worst) in self.rows.items():
            print(f"  {figure:22} {count:8} {worst:8.1g} {BOUNDS.get(figure, 0.0):8.1g}")


def same(a, b):
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))


def of_tfdv(table, **options):
    return stats_impl.generate_statistics_in_memory(as_batch(table), tfdv.StatsOptions(epsilon=EPSILON, **options))


def of_sluice(table, name, *options):
    """Our statistics of a table, as TFDV loads them, and the folder of the artifact."""
    folder = arguments.work / name
    folder.mkdir()
    pq.write_table(table, folder / "table.parquet")
    sluice("statistics", folder / "table.parquet", "--out", folder / "statistics", *options)
    return tfdv.load_stats_binary(str(folder / "statistics" / "statistics.binpb")), folder


def pairs_by_path(name, ours, theirs):
    """The features of two data sets that have the same path and kind of statistics, with our own numbers."""
    def by_path(dataset):
        return {tuple(feature.path.step): feature for feature in dataset.features}

    ours, theirs = by_path(ours), by_path(theirs)
    expect(set(ours) == set(theirs), f"{name}: other columns: {list(ours)} and {list(theirs)}")
    for path in [path for path in ours if path in theirs]:
        mine, their = ours[path], theirs[path]
        place = f"{name}, column {'.'.join(path)}"
        expect(mine.type == their.type, f"{place}: type {mine.type}, TFDV {their.type}")
        which = their.WhichOneof("stats")
        if expect(mine.WhichOneof("stats") == which, f"{place}: {mine.WhichOneof('stats')}, TFDV {which}"):
            own = {statistic.name: statistic.num for statistic in mine.custom_stats if statistic.WhichOneof("val") == "num"}
            yield path, place, which, getattr(mine, which), getattr(their, which), own


def compare(name, table, ours, theirs, agreement):
    """Every unweighted figure of two data sets."""
    agreement.exact("rows", ours.num_examples, theirs.num_examples, name)
    columns = 0
    for path, place, which, mine, their, own in pairs_by_path(name, ours, theirs):
        columns += 1
        for figure in COUNTS:
            agreement.exact("counts", getattr(mine.common_stats, figure), getattr(their.common_stats, figure), f"{place}: {figure}")
        nested = zip(mine.common_stats.presence_and_valency_stats, their.common_stats.presence_and_valency_stats)
        for level, (a, b) in enumerate(nested):
            agreement.exact("counts", a.SerializeToString(), b.SerializeToString(), f"{place}: level {level}")
        if which == "num_stats":
            values = values_of(table, path)
            compare_numbers(place, values, mine, their, agreement)
            count_again(place, values, mine, own.get("sluice_standard_histogram_max_error", 0.0), agreement)
        if which == "string_stats":
            compare_texts(place, mine, their, agreement)
    print(f"{name}: {columns} columns")


def compare_numbers(place, values, mine, theirs, agreement):
    for figure in ["num_zeros", "min", "max"]:
        agreement.exact("zeros, range, NaN", getattr(mine, figure), getattr(theirs, figure), f"{place}: {figure}")

    def nans(stats):
        return max([histogram.num_nan for histogram in stats.histograms], default=0)

    agreement.exact("zeros, range, NaN", nans(mine), nans(theirs), f"{place}: num_nan")
    for figure in ["mean", "std_dev"]:
        agreement.relative(figure, getattr(mine, figure), getattr(theirs, figure), place)
    weights = np.ones(len(values))
    if len(values):
        off = share_between(values, weights, mine.median, theirs.median)
        agreement.add("median", off, place, f"{mine.median}, TFDV {theirs.median}")
    compare_histograms(place, values, weights, mine.histograms, theirs.histograms, agreement)


def compare_texts(place, mine, theirs, agreement):
    for figure in ["unique", "invalid_utf8_count"]:
        agreement.exact("unique", getattr(mine, figure), getattr(theirs, figure), f"{place}: {figure}")
    agreement.relative("avg_length", mine.avg_length, theirs.avg_length, place)

    def top(stats):
        pairs = [(value.value, value.frequency) for value in stats.top_values]
        # Which of several equally frequent values comes last in a list that is cut is a matter of taste.
        least = min([count for _, count in pairs], default=0) if stats.unique > len(pairs) else 0
        return [pair for pair in pairs if pair[1] > least]

    agreement.exact("top values", top(mine), top(theirs), place)


def values_of(table, path):
    """The values of a column or of a field of a struct, sorted, without NaN."""
    def flat(column):
        while pa.types.is_list(column.type):
            column = column.flatten()
        return column.drop_null()

    column = flat(table.column(path[0]).combine_chunks())
    for step in path[1:]:
        column = flat(pc.struct_field(column, [column.type.get_field_index(step)]))
    values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.sort(values[~np.isnan(values)])


def share_between(values, weights, a, b):
    """The share of the weight of the values that lies between the two, which are in any order."""
    low, high = sorted([a, b])
    inside = (values > low) & (values < high)
    return weights[inside].sum() / weights.sum() if weights.sum() else 0.0


def compare_histograms(place, values, weights, mine, theirs, agreement, words=""):
    """Of equal width: the same buckets, about as much in each; of equal depth: bounds between which little lies."""
    def of_kind(histograms, kind):
        return next((list(h.buckets) for h in histograms if h.type == kind), [])

    kind = statistics_pb2.Histogram
    ours, wanted = of_kind(mine, kind.STANDARD), of_kind(theirs, kind.STANDARD)
    if not any(math.isfinite(bucket.low_value) for bucket in ours):
        # Statistics without histograms hold those of infinities and NaN alone.
        return
    agreement.exact("number of buckets", len(ours), len(wanted), place)
    total = weights.sum()
    finite = values[np.isfinite(values)]
    span = finite[-1] - finite[0] or 1.0
    for a, b in zip(ours, wanted):
        for x, y in [(a.low_value, b.low_value), (a.high_value, b.high_value)]:
            off = 0.0 if x == y else abs(x - y) / span
            agreement.add("bucket edges", off, place, f"{x!r}, TFDV {y!r}{words}")
        off = abs(a.sample_count - b.sample_count) / total if total else 0.0
        agreement.add("bucket counts", off, place, f"{a.sample_count}, TFDV {b.sample_count}{words}")
    if len(finite) < len(values):
        # Beside infinities ours are of the finite values, with a bucket for each infinity; TFDV's are of all.
        return
    ours, wanted = of_kind(mine, kind.QUANTILES), of_kind(theirs, kind.QUANTILES)
    agreement.exact("number of buckets", len(ours), len(wanted), f"{place}, quantiles")
    for a, b in zip(ours, wanted):
        for x, y in [(a.low_value, b.low_value), (a.high_value, b.high_value)]:
            agreement.add("equal-depth edges", share_between(values, weights, x, y), place, f"{x}, TFDV {y}{words}")


def count_again(place, values, stats, error, agreement):
    """Our counts beside those of numpy: within the error that we state."""
    buckets = next((list(h.buckets) for h in stats.histograms if h.type == statistics_pb2.Histogram.STANDARD), [])
    finite = [bucket for bucket in buckets if math.isfinite(bucket.low_value) and math.isfinite(bucket.high_value)]
    for number, bucket in enumerate(finite):
        # A value on an edge is in the bucket that ends there, as TFDV has it.
        side = "right" if number else "left"
        wanted = np.searchsorted(values, bucket.high_value, "right") - np.searchsorted(values, bucket.low_value, side)
        if bucket.low_value == bucket.high_value:
            continue
        off = max(0.0, abs(bucket.sample_count - wanted) - error)
        agreement.add("bucket counts, numpy", off, place, f"{bucket.sample_count}, numpy {wanted}, stated error {error}")


def compare_weighted(compared, agreement):
    """The figures by weight, of every table."""
    for name, table in compared.items():
        # None is 0: TFDV's buckets reach over values that weigh nothing, ours do not.
        weights = np.array([[2.0, 0.25, 1.0, 1.5, 3.0][row % 5] for row in range(table.num_rows)])
        # Only columns with one value at most: the weight of a value is then that of its row.
        flat = [field.name for field in table.schema if not pa.types.is_nested(field.type)]
        table = table.select(flat).append_column("weight", pa.array(weights)) if flat else None
        if table is None:
            continue
        ours, _ = of_sluice(table, f"weighted-{name}", "--weight", "weight")
        ours, theirs = ours.datasets[0], of_tfdv(table, weight_feature="weight").datasets[0]
        agreement.relative("weights of rows", ours.weighted_num_examples, theirs.weighted_num_examples, name)
        for path, place, which, mine, their, _ in pairs_by_path(f"{name} weighted", ours, theirs):
            compare_weights_of(place, table, path[0], weights, which, mine, their, agreement)
        print(f"{name} weighted: {len(ours.features)} columns")


def compare_weights_of(place, table, column, weights, which, mine, their, agreement):
    for figure in ["num_non_missing", "num_missing", "tot_num_values"]:
        pair = [getattr(stats.common_stats.weighted_common_stats, figure) for stats in (mine, their)]
        agreement.relative("weights of rows", *pair, f"{place}: {figure}")
    if which == "string_stats":
        def top(stats):
            return {value.value: value.frequency for value in stats.weighted_string_stats.top_values if value.frequency >= 1}

        found, wanted = top(mine), top(their)
        least = min([*found.values(), *wanted.values()], default=0) * (1 + 1e-9)
        for value in {**found, **wanted}:
            pair = [found.get(value, 0.0), wanted.get(value, 0.0)]
            # Of equal weights the last of a list that is cut is a matter of taste.
            if max(pair) > least:
                agreement.relative("weighted top values", *pair, f"{place}: {value}")
    if which == "num_stats":
        found, wanted = mine.weighted_numeric_stats, their.weighted_numeric_stats
        for figure in ["mean", "std_dev"]:
            agreement.relative(f"weighted {figure}", getattr(found, figure), getattr(wanted, figure), place)
        values = table.column(column).combine_chunks().cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        kept = ~np.isnan(values)
        order = np.argsort(values[kept], kind="stable")
        values, kept = values[kept][order], weights[kept][order]
        if kept.sum():
            off = share_between(values, kept, found.median, wanted.median)
            agreement.add("weighted median", off, place, f"{found.median}, TFDV {wanted.median}")
            # Weighted histograms of ours leave infinities out, TFDV's do not.
            if np.isfinite(values).all():
                compare_histograms(place, values, kept, found.histograms, wanted.histograms, agreement, " (weighted)")


def sliced_by_tfdv(table, features, folder):
    """TFDV slices only in Beam."""
    slicers = [tfdv.experimental_get_feature_value_slicer(features)]
    options = tfdv.StatsOptions(epsilon=EPSILON, experimental_slice_functions=slicers)
    path = os.path.join(folder, "tfdv-sliced.binpb")
    with beam.Pipeline() as pipeline:
        statistics = pipeline | beam.Create([as_batch(table)]) | tfdv.GenerateStatistics(options)
        _ = statistics | tfdv.WriteStatisticsToBinaryFile(path)
    return {dataset.name: dataset for dataset in tfdv.load_stats_binary(path).datasets}


# Tables, what to slice by, and expressions with what they mean to pyarrow.
SLICES = {
    "made": (["word"], "fare > 10 AND word <> 'red'", lambda: (pc.field("fare") > 10) & (pc.field("word") != "red")),
    "taxi": (["payment_type", "trip_start_month"], "fare > 20", lambda: pc.field("fare") > 20),
    "adult": (["sex"], "age >= 40 AND workclass IS NOT NULL", lambda: (pc.field("age") >= 40) & pc.field("workclass").is_valid()),
}


def compare_slices(compared, agreement):
    """Slices by values against TFDV's, and by an expression against TFDV on those rows alone."""
    for name, (columns, expression, mask) in SLICES.items():
        if name not in compared:
            continue
        table = compared[name]
        options = ["--slice", ",".join(columns), "--slice", expression]
        ours, folder = of_sluice(table, f"sliced-{name}", *options)
        ours = {dataset.name: dataset for dataset in ours.datasets}
        theirs = sliced_by_tfdv(table, {column: None for column in columns}, folder)
        by_expression = table.filter(mask())
        # pyarrow takes NaN as greater than nothing, as we do; a null is not in the slice.
        theirs[expression] = of_tfdv(by_expression).datasets[0]
        agreement.exact("names of slices", sorted(ours), sorted(theirs), name)
        for slice_name in sorted(set(ours) & set(theirs)):
            rows = table
            if slice_name == expression:
                rows = by_expression
            elif slice_name != "All Examples":
                rows = rows_named(table, columns, slice_name)
            compare(f"{name}, slice {slice_name}", rows, ours[slice_name], theirs[slice_name], agreement)


def rows_named(table, columns, slice_name):
    """The rows whose values have this name together, as TFDV writes it."""
    ordered = sorted(columns)
    rows = zip(*[table.column(column).to_pylist() for column in ordered])
    names = ["_".join(f"{column}_{value}" for column, value in zip(ordered, row)) if None not in row else None for row in rows]
    return table.filter(pa.array([name == slice_name for name in names]))
