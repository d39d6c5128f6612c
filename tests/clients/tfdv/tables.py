"""The tables that are compared: two made here, and public ones."""

import math

import pandas as pd
import pyarrow as pa

from place import DATASETS

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
    trip = pa.struct({"fare": pa.float64(), "seats": pa.int64(), "company": pa.string(), "notes": pa.list_(pa.string())})
    call = pa.struct({"at": pa.int64(), "who": pa.string()})
    return pa.table({
        "tags": pa.array([None if i % 50 == 0 else ["a", "b", "c"][: i % 4] for i in rows], pa.list_(pa.string())),
        "stops": pa.array([[i, i + 1] for i in rows], pa.list_(pa.int64())),
        "legs": pa.array([[[1.0 * i], [2.0, 3.0]][: i % 3] for i in rows], pa.list_(pa.list_(pa.float64()))),
        "trip": pa.array([
            None if i % 9 == 0 else {
                "fare": i / 7, "seats": None if i % 4 == 0 else i % 5, "company": ["Flash", "Sun"][i % 2], "notes": ["a"] * (i % 3),
            }
            for i in rows
        ], trip),
        "calls": pa.array([[{"at": i, "who": "ann"}, {"at": 2 * i, "who": None}][: i % 3] for i in rows], pa.list_(call)),
    })


def all_tables():
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
