"""Times `sluice drift` beside SciPy and Evidently on the same files: `python benches/drift/peers.py SLUICE FOLDER [ROUNDS]`.

Two Parquet files of 500,000 taxi-like rows x 15 columns (ten of numbers, five of labels) are made once in FOLDER from a
constant seed, and statistics of 20 columns. Contenders take turns, each round in a fresh process, saved statistics at least
20 times; CPU is user and system time of the whole process. Needs numpy, scipy and pyarrow. `SLUICE_EVIDENTLY_PYTHON` names an interpreter
that has Evidently (0.7.23 wants pandas below 3) and pyarrow; without it, Evidently is left out.
"""

import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROWS = 500_000


def make(folder, name, seed, shift):
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet

    path = folder / f"{name}.parquet"
    if path.exists():
        return
    rng = np.random.default_rng(seed)

    def labels(values, skew):
        weights = 1.0 / np.arange(1, len(values) + 1) ** skew
        codes = rng.choice(len(values), size=ROWS, p=weights / weights.sum()).astype(np.int32)
        return pa.DictionaryArray.from_arrays(codes, pa.array(values)).cast(pa.string())

    def holes(array, share):
        return pa.compute.if_else(pa.array(rng.random(ROWS) >= share), array, pa.scalar(None, array.type))

    miles = np.round(rng.lognormal(0.65, 1.0, ROWS), 1)
    seconds = rng.integers(1, 120, ROWS) * 60
    fare = np.round((3.25 + 2.25 * miles + 0.0055 * seconds) * shift, 2)
    tips = np.round(rng.exponential(1.5, ROWS), 2)
    pyarrow.parquet.write_table(
        pa.table({
            "trip_seconds": holes(pa.array(seconds), 0.02),
            "trip_miles": holes(pa.array(miles), 0.05),
            "fare": pa.array(fare),
            "tips": pa.array(tips),
            "tolls": pa.array(np.where(rng.random(ROWS) < 0.02, 2.5, 0.0)),
            "extras": pa.array(rng.integers(0, 20, ROWS) / 2),
            "trip_total": pa.array(np.round(fare + tips, 2)),
            "latitude": holes(pa.array(np.round(41.6 + rng.integers(0, 800, ROWS) / 2000, 9)), 0.06),
            "longitude": holes(pa.array(np.round(-87.9 + rng.integers(0, 800, ROWS) / 2000, 9)), 0.06),
            "speed": pa.array(rng.normal(20.0, 6.0, ROWS)),
            "payment_type": labels(["Credit Card", "Cash", "Mobile", "Prcard", "Unknown", "No Charge"], 1.3),
            "company": holes(labels([f"Taxi Company Number {n}" for n in range(150)], 1.3), 0.05),
            "area": labels([f"Area {n}" for n in range(77)], 0.7),
            "hour": labels([f"{n:02}" for n in range(24)], 0.1),
            "shared": labels(["no", "yes"], 2.0),
        }),
        path,
        row_group_size=1 << 17,
    )


def scipy_job(now, then):
    """The figures of `sluice drift` for these columns: KS and Wasserstein of numbers, chi-square of labels, missing rates."""
    import numpy as np
    import pyarrow.parquet
    from scipy import stats

    found = {}
    sides = [pyarrow.parquet.read_table(path) for path in (now, then)]
    for name in sides[0].column_names:
        x, y = (side[name] for side in sides)
        missing = [(side.null_count, len(side)) for side in (x, y)]
        x, y = (side.drop_null() for side in (x, y))
        table = [[nulls, rows - nulls] for nulls, rows in missing]
        rate = stats.chi2_contingency(table).pvalue if all(map(sum, zip(*table))) else 1.0
        if str(x.type) == "string":
            counts = [dict(zip(*(column.to_pylist() for column in side.value_counts().flatten()))) for side in (x, y)]
            both = np.array([[side.get(label, 0) for label in counts[0].keys() | counts[1].keys()] for side in counts])
            shares = both / both.sum(axis=1, keepdims=True)
            found[name] = (rate, abs(shares[0] - shares[1]).sum() / 2, stats.chi2_contingency(both).pvalue)
        else:
            x, y = x.to_numpy(), y.to_numpy()
            ks = stats.ks_2samp(x, y, method="asymp")
            found[name] = (rate, ks.statistic, ks.pvalue, stats.wasserstein_distance(x, y) / y.std())
    print(found["fare"][1])


def evidently_job(now, then):
    """Evidently's preset for drift: a distance per column, the Wasserstein distance of numbers, Jensen-Shannon of labels."""
    import pandas as pd
    from evidently import Report
    from evidently.presets import DataDriftPreset

    print(Report([DataDriftPreset()]).run(pd.read_parquet(now), pd.read_parquet(then)).dict()["metrics"][0]["value"])


def timed(command):
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        sys.exit(f"{command} ended with {done.returncode}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    if sys.argv[1] == "--scipy":
        return scipy_job(*sys.argv[2:4])
    if sys.argv[1] == "--evidently":
        return evidently_job(*sys.argv[2:4])
    sluice, folder, rounds = sys.argv[1], Path(sys.argv[2]), int((sys.argv[3:] or [7])[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, seed, shift in (("then", 1, 1.0), ("now", 2, 1.15)):
        make(folder, name, seed, shift)
    for span in (1, 2):
        out = folder / f"statistics-{span}"
        if not out.exists():
            trips = folder / f"trips-{span}"
            subprocess.run([sluice, "-q", "datasets", "taxi", "--rows", "200000", "--seed", str(span), "--out", trips], check=True)
            subprocess.run([sluice, "-q", "statistics", trips, "--out", out, "--exclude", "trip_id,taxi_id,company,subset,trip_end_timestamp"], check=True)
    now, then = folder / "now.parquet", folder / "then.parquet"
    contenders = {
        "sluice drift, rows": [sluice, "-q", "drift", now, "--against", then],
        "sluice drift, rows, one thread": [sluice, "-q", "drift", now, "--against", then, "--threads", "1"],
        "SciPy": [sys.executable, __file__, "--scipy", now, then],
        "sluice drift, saved statistics of 20 columns": [sluice, "-q", "drift", folder / "statistics-2", "--against", folder / "statistics-1"],
    }
    if python := os.environ.get("SLUICE_EVIDENTLY_PYTHON"):
        contenders["Evidently"] = [python, "-W", "ignore", __file__, "--evidently", now, then]
    found = {name: [] for name in contenders}
    for at in range(max(rounds, 20)):
        for name, command in contenders.items():
            if at < rounds or "saved" in name:
                found[name].append(timed(command))
    print("| | wall, median | wall, least | CPU, median | CPU, least |\n|---|---:|---:|---:|---:|")
    for name, rounds in found.items():
        figures = [of(column) for column in zip(*rounds) for of in (statistics.median, min)]
        print(f"| {name} | {' | '.join(f'{figure:.3f} s' for figure in figures)} |")
    print(f"load {os.getloadavg()[0]:.1f}")


main()
