"""Counts false and missed alarms of `sluice drift` with its usual thresholds on real data:
`python benches/drift/pairs.py SLUICE DATASETS FOLDER [HALVES]`.

DATASETS is the folder of the public data sets that the tests use (adult, housing, taxi, diabetes, penguins); files of the pairs
are written to FOLDER. Pairs of the same are random halves, many of each, and a split that its authors drew at random.
Pairs of others are groups that are known to differ, and halves to which something was done. Needs numpy and pandas.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sluice, datasets, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
halves = int((sys.argv[4:] or [40])[0])
folder.mkdir(parents=True, exist_ok=True)


def data():
    names = (
        "age workclass fnlwgt education education-num marital-status occupation relationship race sex capital-gain "
        "capital-loss hours-per-week native-country income"
    ).split()
    adult = [
        pd.read_csv(datasets / "adult" / f"adult.{part}", names=names, skipinitialspace=True, na_values="?")
        for part in ("data", "test")
    ]
    adult[1]["income"] = adult[1]["income"].str.rstrip(".")
    return {
        "adult": adult[0],
        "adult, its test part": adult[1],
        "housing": pd.read_csv(datasets / "housing" / "housing.csv"),
        "taxi": pd.read_csv(datasets / "taxi" / "taxi_simple.csv"),
        "diabetes": pd.read_csv(datasets / "diabetes" / "mlops_diabetes.csv"),
        "penguins": pd.read_csv(datasets / "penguins" / "penguins.csv"),
    }


def drift(now, then, exclude=(), is_saved=False):
    """The columns with an alarm."""
    sides = []
    for name, side in (("now", now), ("then", then)):
        path = folder / f"{name}.csv"
        side.to_csv(path, index=False)
        if is_saved:
            command = [sluice, "-q", "statistics", path, "--out", folder / name]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            path = folder / name
        sides.append(path)
    command = [sluice, "-q", "drift", sides[0], "--against", sides[1], "--json"]
    command += [word for column in exclude for word in ("--exclude", column)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(done.stderr)
    columns = json.loads(done.stdout)["subsets"][0]["columns"]
    return [column["column"] for column in columns if any(signal["alarm"] for signal in column["signals"])]


def same(data):
    print("| the same | rows of a side | columns | comparisons | any alarm from rows | from statistics |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in ("adult", "housing", "taxi", "diabetes", "penguins"):
        frame, counts, exclude = data[name], [0, 0], ("rownames",) if name == "penguins" else ()
        exclude = [column for column in exclude if column in frame]
        for seed in range(halves):
            order = np.random.default_rng(seed).permutation(len(frame))
            now, then = (frame.iloc[np.sort(part)] for part in np.array_split(order, 2))
            for index, is_saved in enumerate((False, True)):
                counts[index] += bool(drift(now, then, exclude, is_saved))
        print(f"| random halves of {name} | {len(frame) // 2} | {frame.shape[1]} | {halves} | {counts[0]} | {counts[1]} |")
    found = [drift(data["adult, its test part"], data["adult"], (), is_saved) for is_saved in (False, True)]
    print(f"| adult, its test part against its training part | 16281, 32561 | 15 | 1 | {len(found[0])} | {len(found[1])} |")


def others(data):
    adult, housing, taxi, diabetes, penguins = (data[name] for name in ("adult", "housing", "taxi", "diabetes", "penguins"))
    rng = np.random.default_rng(7)

    def cut(frame, column, is_now, label):
        is_now = is_now.fillna(False).to_numpy(dtype=bool)
        return label, frame[is_now], frame[~is_now], (column,), None

    def done(frame, column, change, label):
        order = rng.permutation(len(frame))
        now, then = (frame.iloc[part].copy() for part in np.array_split(order, 2))
        now[column] = change(now[column])
        return label, now, then, (), column

    def wild(fares):
        fares = fares * 1.15
        fares.iloc[:10] = 9999.0
        return fares

    def emptied(share):
        return lambda values: values.mask(rng.random(len(values)) < share)

    later = taxi["trip_start_timestamp"] > taxi["trip_start_timestamp"].median()
    calendar = [name for name in taxi if name.startswith("trip_start")]
    cases = [
        cut(adult, "sex", adult["sex"] == "Female", "adult: women against men"),
        cut(adult, "age", adult["age"] < 30, "adult: below 30 against the others"),
        cut(adult, "education", adult["education"] == "Bachelors", "adult: bachelors against the others"),
        cut(housing, "latitude", housing["latitude"] > 36, "housing: north against south"),
        cut(housing, "ocean_proximity", housing["ocean_proximity"] == "INLAND", "housing: inland against the coast"),
        cut(diabetes, "SEX", diabetes["SEX"] == diabetes["SEX"].max(), "diabetes: one sex against the other (10 columns)"),
        cut(penguins, "species", penguins["species"] == "Adelie", "penguins: Adelie against the others"),
        cut(taxi, "payment_type", taxi["payment_type"] == "Cash", "taxi: paid in cash against the others"),
        ("taxi: the later half against the earlier", taxi[later], taxi[~later], calendar, None),
        ("taxi: nights against days", taxi[taxi["trip_start_hour"] < 5], taxi[taxi["trip_start_hour"] >= 5], calendar, None),
        done(adult, "age", lambda age: age + 3, "adult: 3 years older"),
        done(adult, "hours-per-week", lambda hours: hours * 1.1, "adult: a tenth more hours"),
        done(adult, "occupation", emptied(0.1), "adult: occupation missing in a tenth"),
        done(adult, "race", lambda race: race.mask(rng.random(len(race)) < 0.03, "New"), "adult: 3 % of a new race"),
        done(housing, "median_income", lambda income: income * 1.15, "housing: incomes up by 15 %"),
        done(housing, "total_rooms", lambda rooms: rooms * 1.5, "housing: half as many rooms again"),
        done(taxi, "fare", wild, "taxi: fares up by 15 %, ten of them wild"),
        done(taxi, "company", emptied(0.1), "taxi: company missing in a tenth more"),
        done(diabetes, "BMI", lambda bmi: bmi + 0.0238, "diabetes: BMI half a deviation higher"),
    ]
    print("\n| others | rows | found from rows | other columns | from statistics |\n|---|---:|---|---|---|")
    for label, now, then, exclude, column in cases:
        rows = drift(now, then, exclude)
        saved = drift(now, then, exclude, is_saved=True)

        def told(found):
            if column is None:
                return f"yes, {len(found)} columns" if found else "**missed**"
            return f"`{column}`" if column in found else "**missed**"

        others = "" if column is None else ", ".join(name for name in rows if name != column)
        print(f"| {label} | {len(now)}, {len(then)} | {told(rows)} | {others} | {told(saved)} |")


found = data()
same(found)
others(found)
