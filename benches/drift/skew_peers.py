"""Times `sluice skew` beside TFDV's feature skew detector on the same rows, and compares every count of both with what was
done to them: `python benches/drift/skew_peers.py SLUICE FOLDER [ROWS] [TFDV_ROWS]`.

Two sides of ROWS rows (500,000) with a key and 15 columns are made in FOLDER from a constant seed, as TFRecord (packed, the
same files for both programs) and as Parquet: rows in another order, keys that a side lacks, has twice or that are null, and
columns of which some rows were altered. TFDV gets sides of TFDV_ROWS rows (as many unless given), where counts are compared.
Contenders run in fresh processes; CPU is user and system time of the whole process, memory the kernel's `ru_maxrss`.
Needs the environment of `benches/peers/requirements-tfdv.txt` (Python 3.11).
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

# What differs by definition, see docs/skew.md: zeros of both signs, and a column of integers against one of floats.
SIGNED_ZERO, OTHER_TYPE = "tips", "extras"


def columns(rng, rows):
    """Fifteen columns of the reference: values, and which of them are null."""
    import numpy as np

    def labels(prefix, count, skew):
        weights = 1.0 / np.arange(1, count + 1) ** skew
        codes = rng.choice(count, size=rows, p=weights / weights.sum())
        return np.array([f"{prefix} {n}" for n in range(count)], dtype=object)[codes]

    miles = np.round(rng.lognormal(0.65, 1.0, rows), 1).astype(np.float32)
    seconds = rng.integers(1, 120, rows) * 60
    fare = (np.round((3.25 + 2.25 * miles + 0.0055 * seconds) * 4) / 4).astype(np.float32)
    tips = np.where(rng.random(rows) < 0.4, 0.0, np.round(rng.exponential(1.5, rows), 2)).astype(np.float32)
    values = {
        "trip_seconds": seconds,
        "trip_miles": miles,
        "fare": fare,
        "tips": tips,
        "tolls": np.where(rng.random(rows) < 0.02, 2.5, 0.0).astype(np.float32),
        "extras": rng.integers(0, 20, rows).astype(np.float32),
        "trip_total": (fare + tips).astype(np.float32),
        "latitude": np.round(41.6 + rng.integers(0, 800, rows) / 2000, 4).astype(np.float32),
        "longitude": np.round(-87.9 + rng.integers(0, 800, rows) / 2000, 4).astype(np.float32),
        "speed": rng.normal(20.0, 6.0, rows).astype(np.float32),
        "payment_type": labels("Payment", 7, 1.3),
        "company": labels("Taxi Company Number", 150, 1.3),
        "area": rng.integers(1, 78, rows),
        "hour": rng.integers(0, 24, rows),
        "shared": labels("Shared", 2, 2.0),
    }
    nulls = {name: np.zeros(rows, dtype=bool) for name in values}
    for name, share in (("trip_seconds", 0.02), ("trip_miles", 0.05), ("company", 0.05), ("latitude", 0.06)):
        nulls[name] = rng.random(rows) < share
    return values, nulls


def make(folder, rows):
    """Writes both sides, and what a correct program counts of them; in a process of its own, for memory is that of the largest."""
    import numpy as np

    rng = np.random.default_rng(11)
    values, nulls = columns(rng, rows)
    served, served_nulls = ({name: array.copy() for name, array in side.items()} for side in (values, nulls))
    share = lambda p: rng.random(rows) < p
    changed = {name: np.zeros(rows, dtype=bool) for name in values}
    for name, p, change in (
        ("fare", 0.02, lambda it: it + np.float32(1)),
        ("speed", 0.05, lambda it: it + np.float32(0.0005)),
        ("hour", 0.001, lambda it: (it + 1) % 24),
        ("trip_total", 1.0, lambda it: it + np.float32(0.25)),
        ("payment_type", 0.003, lambda it: np.full(rows, "Payment New", dtype=object)),
    ):
        which = share(p)
        served[name] = np.where(which, change(values[name]), values[name])
        changed[name] = served[name] != values[name]
    for name, emptied, filled in (("company", 0.01, 0.2), ("trip_miles", 0.0, 1.0), ("area", 0.03, 0.0)):
        served_nulls[name] = np.where(nulls[name], ~share(filled), share(emptied))
    zeros = (values[SIGNED_ZERO] == 0) & share(0.01)
    served[SIGNED_ZERO] = np.where(zeros, np.float32(-0.0), values[SIGNED_ZERO])
    served[OTHER_TYPE] = values[OTHER_TYPE].astype(np.int64)

    keys = np.arange(1, rows + 1) * 7
    key_null = share(0.0005)
    only_base, only_test, twice_base, twice_test = share(0.01), share(0.01), share(0.001), share(0.002)
    base = np.concatenate([np.flatnonzero(~only_test), np.flatnonzero(twice_base & ~only_test)])
    test = np.concatenate([np.flatnonzero(~only_base), np.flatnonzero(twice_test & ~only_base)])
    rng.shuffle(test)
    write(folder / "training", base, keys, key_null, values, nulls)
    write(folder / "served", test, keys, np.zeros(rows, dtype=bool), served, served_nulls)

    joined = ~(only_base | only_test | twice_base | twice_test | key_null)
    counts = {}
    for name in values:
        a, b = joined & ~nulls[name], joined & ~served_nulls[name]
        mismatch = (a & b & changed[name]).sum()
        counts[name] = [a.sum(), b.sum(), (a & b).sum() - mismatch, (a & ~b).sum(), (b & ~a).sum(), mismatch]
    zeros = int((zeros & joined).sum())
    counts = {name: [int(count) for count in row] for name, row in counts.items()}
    (folder / "made.json").write_text(json.dumps([counts, int(joined.sum()), zeros]))


def write(path, rows, keys, key_null, values, nulls):
    import pyarrow as pa
    import pyarrow.parquet
    import tensorflow as tf

    table = {"trip_id": pa.array(keys[rows], mask=key_null[rows])}
    table |= {name: pa.array(array[rows], mask=nulls[name][rows]) for name, array in values.items()}
    table = pa.table(table)
    pyarrow.parquet.write_table(table, path.with_suffix(".parquet"), row_group_size=1 << 17)
    lists = {"i": "int64_list", "f": "float_list", "O": "bytes_list"}
    kinds = [(name, lists[array.dtype.kind]) for name, array in {"trip_id": keys, **values}.items()]
    with tf.io.TFRecordWriter(str(path) + ".tfrecord.gz", tf.io.TFRecordOptions("GZIP")) as out:
        for batch in table.to_batches(max_chunksize=8192):
            arrays = [(name, kind, batch.column(at).to_pylist()) for at, (name, kind) in enumerate(kinds)]
            for row in range(batch.num_rows):
                example = tf.train.Example()
                for name, kind, array in arrays:
                    value = array[row]
                    if value is not None:
                        value = value.encode() if kind == "bytes_list" else value
                        getattr(example.features.feature[name], kind).value.append(value)
                out.write(example.SerializeToString())


def tfdv(folder, digits):
    import apache_beam as beam
    import tensorflow as tf
    from tensorflow_data_validation.skew import feature_skew_detector as detector

    digits = None if digits == "-" else int(digits)
    with beam.Pipeline() as pipeline:
        sides = [
            pipeline
            | f"Read{name}" >> beam.io.ReadFromTFRecord(str(folder / f"{name}.tfrecord.gz"))
            | f"Parse{name}" >> beam.Map(tf.train.Example.FromString)
            for name in ("training", "served")
        ]
        found = tuple(sides) | detector.DetectFeatureSkewImpl(["trip_id"], sample_size=5, float_round_ndigits=digits)
        found[detector.SKEW_RESULTS_KEY] | beam.combiners.ToList() | beam.Map(tell, name=str(folder / "tfdv.json"))
        found[detector.MATCH_STATS_KEY] | beam.Map(tell_pairs, name=str(folder / "tfdv-pairs.txt"))


FIELDS = ("base_count", "test_count", "match_count", "base_only", "test_only", "mismatch_count")


def tell(found, name):
    Path(name).write_text(json.dumps({it.feature_name: [getattr(it, field) for field in FIELDS] for it in found}))


def tell_pairs(found, name):
    Path(name).write_text(str(found))


def timed(command, stdout=subprocess.DEVNULL, codes=(0, 1)):
    started = time.perf_counter()
    child = subprocess.Popen([str(word) for word in command], stdout=stdout, stderr=subprocess.DEVNULL)
    text = child.stdout.read() if child.stdout else b""
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in codes:
        sys.exit(f"{command} ended with {child.returncode}")
    wall = time.perf_counter() - started
    return text, (wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def ours(sluice, folder, ending, digits, more=()):
    command = [sluice, "-q", "skew", folder / f"served.{ending}", "--against", folder / f"training.{ending}"]
    command += ["--key", "trip_id", "--json", *more]
    command += [] if digits == "-" else ["--float-digits", digits]
    text, cost = timed(command, subprocess.PIPE)
    names = ("num_reference", "num_current", "num_match", "reference_only", "current_only", "mismatch")
    found = json.loads(text)["subsets"][0]
    counts = {column["column"]: [column[name] for name in names] for column in found["features"]}
    sides = found["reference"], found["current"]
    joined = {
        "pairs": found["num_pairs"],
        "without a key": [side["without_key"] for side in sides],
        "without a counterpart": [side["unmatched"] for side in sides],
        "keys more than once": [side["duplicate_keys"] for side in sides],
    }
    return counts, joined, cost


def compare(sluice, folder, truth, pairs, zeros):
    """Every count of both programs beside what was done; returns the cost of TFDV."""
    cost = None
    for digits in ("-", "2"):
        _, cost_now = timed([sys.executable, __file__, "--tfdv", folder, digits], codes=(0,))
        cost = cost or cost_now
        peer = json.loads((folder / "tfdv.json").read_text())
        found = {ending: ours(sluice, folder, ending, digits)[0] for ending in ("tfrecord.gz", "parquet")}
        agree, differ = 0, []
        for name in truth:
            row = {"made": truth[name], "TFDV": peer[name]} | {key: it[name] for key, it in found.items()}
            known = ("made",) if digits == "-" else ()
            if all(row[key] == row["TFDV"] for key in (*known, *found)):
                agree += 1
            else:
                differ.append((name, row))
        print(f"digits {digits}: all six counts of {agree} of {len(truth)} columns agree; {pairs} pairs; the others:")
        for name, row in differ:
            print(f"  {name}: {', '.join(f'{key} {counts}' for key, counts in row.items())}")
    print(f"zeros of another sign among the pairs made: {zeros}")
    print(f"joined by TFDV: {(folder / 'tfdv-pairs.txt').read_text().split()}\njoined by sluice: {ours(sluice, folder, 'parquet', '-')[1]}")
    return cost


def main():
    if sys.argv[1] == "--make":
        return make(Path(sys.argv[2]), int(sys.argv[3]))
    if sys.argv[1] == "--tfdv":
        return tfdv(Path(sys.argv[2]), sys.argv[3])
    sluice, folder, rows = sys.argv[1], Path(sys.argv[2]), int((sys.argv[3:] or [500_000])[0])
    few = int((sys.argv[4:] or [rows])[0])
    costs = {}
    for count in sorted({few, rows}):
        place = folder / str(count)
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, __file__, "--make", place, str(count)], check=True, stderr=subprocess.DEVNULL)
        made = json.loads((place / "made.json").read_text())
        if count == few:
            costs[f"TFDV, packed TFRecord, {count} rows"] = [compare(sluice, place, *made)]
        for ending, more in (("tfrecord.gz", ()), ("parquet", ()), ("parquet", ("--threads", "1"))):
            costs[f"sluice skew, {ending} {' '.join(more)}, {count} rows"] = [
                ours(sluice, place, ending, "-", more)[2] for _ in range(5)
            ]
    print("| | wall, least | CPU, least | peak memory |\n|---|---:|---:|---:|")
    for name, rounds in costs.items():
        wall, cpu, memory = (min(column) for column in zip(*rounds))
        print(f"| {name} | {wall:.2f} s | {cpu:.2f} s | {memory:.0f} MiB |")
    print(f"load {os.getloadavg()[0]:.1f}")


main()
