"""Makes the files that all contenders read, from a constant seed: `python data.py FOLDER`. Files that are there stay."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

SEED = 20240229
TAXI_ROWS, TRIPS_ROWS, RIDGE_ROWS, RIDGE_COLUMNS = 2_000_000, 500_000, 1_000_000, 100
SCORES_ROWS = 5_000_000
ROW_GROUP_ROWS = 1 << 17


def choice(rng, values, rows, skew=1.3):
    """Some of `values`, the first ones more often; as a plain string array."""
    weights = 1.0 / np.arange(1, len(values) + 1) ** skew
    codes = rng.choice(len(values), size=rows, p=weights / weights.sum()).astype(np.int32)
    return pa.DictionaryArray.from_arrays(codes, pa.array(values)).cast(pa.string())


def holes(rng, array, share):
    return pa.compute.if_else(pa.array(rng.random(len(array)) >= share), array, pa.scalar(None, array.type))


def cents(rng, rows, mean):
    return pa.array(np.round(rng.exponential(mean, rows), 2))


def areas(rng, rows):
    return pa.array(rng.integers(1, 78, rows))


def taxi():
    """21 columns like Chicago's taxi trips: few distinct values in most of them, nulls in half."""
    rng, rows = np.random.default_rng(SEED), TAXI_ROWS
    start = np.datetime64("2024-01-01T00:00:00", "us") + rng.integers(0, 366 * 96, rows) * np.timedelta64(900, "s")
    seconds = rng.integers(1, 3600, rows)
    fare, tips = cents(rng, rows, 12.0), cents(rng, rows, 1.5)
    degrees = {
        name: pa.array(np.round(low + rng.integers(0, 800, rows) / 2000, 9))
        for name, low in [
            ("pickup_latitude", 41.6), ("pickup_longitude", -87.9),
            ("dropoff_latitude", 41.6), ("dropoff_longitude", -87.9),
        ]
    }
    return pa.table({
        "trip_number": pa.array(rng.permutation(rows)),
        "taxi_id": choice(rng, [f"{n * 2654435761 % 2**64:016x}" * 4 for n in range(1, 6001)], rows, 0.2),
        "trip_start": pa.array(start),
        "trip_end": pa.array(start + (seconds // 900 * 900).astype("timedelta64[s]")),
        "trip_seconds": holes(rng, pa.array(seconds), 0.01),
        "trip_miles": pa.array(np.round(rng.exponential(3.5, rows), 1)),
        "pickup_census_tract": holes(rng, pa.array(17031000000 + rng.integers(0, 800, rows)), 0.5),
        "dropoff_census_tract": holes(rng, pa.array(17031000000 + rng.integers(0, 900, rows)), 0.5),
        "pickup_area": holes(rng, areas(rng, rows), 0.1),
        "dropoff_area": holes(rng, areas(rng, rows), 0.12),
        "fare": fare,
        "tips": tips,
        "tolls": pa.array(np.where(rng.random(rows) < 0.02, 2.5, 0.0)),
        "extras": pa.array(rng.integers(0, 20, rows) / 2),
        "trip_total": pa.array(np.round(fare.to_numpy() + tips.to_numpy(), 2)),
        "payment_type": choice(rng, ["Credit Card", "Cash", "Mobile", "Prcard", "Unknown", "No Charge"], rows),
        "company": holes(rng, choice(rng, [f"Taxi Company Number {n}" for n in range(150)], rows), 0.05),
        **{name: holes(rng, array, 0.1) for name, array in degrees.items()},
    })


def trips():
    """12 columns for a regression of tips, with the column `subset` that says what is for training."""
    rng, rows = np.random.default_rng(SEED + 1), TRIPS_ROWS
    miles, hour = np.round(rng.exponential(3.5, rows), 2), rng.integers(0, 24, rows)
    fare = np.round(3.25 + 2.25 * miles + rng.exponential(1.0, rows), 2)
    payment = choice(rng, ["card", "cash", "mobile", "account"], rows)
    paid_by_card = pa.compute.equal(payment, "card").to_numpy(zero_copy_only=False)
    tips = np.round(0.12 * fare * (1 + paid_by_card) + 0.02 * hour + rng.exponential(0.5, rows), 2)
    return pa.table({
        "trip_number": pa.array(rng.permutation(rows)),
        "subset": pa.array(np.where(rng.random(rows) < 0.8, "train", "eval")),
        "miles": pa.array(miles),
        "seconds": pa.array(rng.integers(60, 3600, rows)),
        "fare": pa.array(fare),
        "extras": pa.array(rng.integers(0, 20, rows) / 2),
        "latitude": pa.array(np.round(41.6 + rng.random(rows) * 0.4, 6)),
        "longitude": pa.array(np.round(-87.9 + rng.random(rows) * 0.4, 6)),
        "hour": pa.array(hour),
        "payment": payment,
        "company": choice(rng, [f"Company {n}" for n in range(40)], rows),
        "tips": pa.array(tips),
    })


def ridge():
    """A hundred correlated normal columns and a label."""
    rng, rows = np.random.default_rng(SEED + 2), RIDGE_ROWS
    common, label, columns = rng.standard_normal(rows), rng.standard_normal(rows), {}
    for index in range(RIDGE_COLUMNS):
        values = rng.standard_normal(rows) + 0.5 * common
        label += values * rng.standard_normal()
        columns[f"x{index:02}"] = pa.array(values)
    subset = pa.array(np.where(rng.random(rows) < 0.8, "train", "eval"))
    return pa.table({**columns, "response": pa.array(label), "zone": choice(rng, list("abcdef"), rows), "subset": subset})


def scores():
    """Labels, the scores of two models and four columns to slice by."""
    rng, rows = np.random.default_rng(SEED + 3), SCORES_ROWS
    lean = rng.standard_normal(rows)
    label = (rng.random(rows) < 1 / (1 + np.exp(0.8 - lean))).astype(np.int64)
    columns = {"label": label}
    for name, signal, noise in [("score", 0.9, 0.4), ("old", 0.7, 0.7)]:
        columns[name] = 1 / (1 + np.exp(0.8 - signal * lean - noise * rng.standard_normal(rows)))
    return pa.table(columns | {f"g{count}": rng.integers(0, count, rows) for count in (2, 12, 77, 1000)})


def write_parquet(table, path):
    """Dictionaries for all columns, as Spark and DuckDB write them, except where nearly all values differ."""
    coded = [name for name in table.column_names if not name.startswith("x") and name not in ("response", "score", "old")]
    pa.parquet.write_table(
        table, path, row_group_size=ROW_GROUP_ROWS, use_dictionary=coded, dictionary_pagesize_limit=1 << 22
    )


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, make, write in [
        ("taxi.parquet", taxi, write_parquet),
        ("trips.csv", trips, pa.csv.write_csv),
        ("trips.parquet", trips, write_parquet),
        ("ridge.parquet", ridge, write_parquet),
        ("scores.parquet", scores, write_parquet),
        ("scores-500k.parquet", lambda: scores().slice(0, 500_000), write_parquet),
        ("scores-50k.parquet", lambda: scores().slice(0, 50_000), write_parquet),
    ]:
        path, draft = folder / name, folder / f"draft-{name}"
        if not path.exists():
            write(make(), draft)
            draft.rename(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
