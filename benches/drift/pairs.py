"""Counts false and missed alarms of `sluice drift` with its usual thresholds on real data, and of every measure with its
threshold halved and doubled: `python benches/drift/pairs.py SLUICE DATASETS FOLDER [HALVES]`.

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


NUMBERS = (
    "kolmogorov_smirnov wasserstein energy population_stability_index jensen_shannon hellinger total_variation cramers_v"
).split()
LABELS = (
    "total_variation population_stability_index jensen_shannon hellinger cramers_v infinity_norm "
    "normalized_absolute_difference"
).split()
OWN = "missing_rate nan_rate infinite_rate out_of_range new_categories cardinality length".split()
FACTORS = (0.5, 1, 2)
# What is done to these columns is not meant for distances.
MEANT_FOR = {"occupation": "missing_rate", "company": "missing_rate", "race": "new_categories"}


def compared(now, then, exclude, is_saved, more):
    """What `drift` says of every column."""
    sides = []
    for name, side in (("now", now), ("then", then)):
        path = folder / f"{name}.csv"
        side.to_csv(path, index=False)
        if is_saved:
            command = [sluice, "-q", "statistics", path, "--out", folder / name]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            path = folder / name
        sides.append(path)
    command = [sluice, "-q", "drift", sides[0], "--against", sides[1], "--json", *more]
    command += [word for column in exclude for word in ("--exclude", column)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(done.stderr)
    subset = json.loads(done.stdout)["subsets"][0]
    if "domain_classifier" in subset:
        signal = subset["domain_classifier"]["signal"]
        subset["columns"].append({"column": "(rows)", "compared_as": "rows", "signals": [signal]})
    return subset["columns"]


def drift(now, then, exclude=(), is_saved=False):
    """The columns with an alarm."""
    columns = compared(now, then, exclude, is_saved, [])
    return [column["column"] for column in columns if any(signal["alarm"] for signal in column["signals"])]


def halved(frame, seed):
    order = np.random.default_rng(seed).permutation(len(frame))
    return [frame.iloc[np.sort(part)] for part in np.array_split(order, 2)]


def left_out(name):
    return ("rownames",) if name == "penguins" else ()


def same(data):
    print("| the same | rows of a side | columns | comparisons | any alarm from rows | from statistics |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in ("adult", "housing", "taxi", "diabetes", "penguins"):
        frame, counts = data[name], [0, 0]
        exclude = [column for column in left_out(name) if column in frame]
        for seed in range(halves):
            now, then = halved(frame, seed)
            for index, is_saved in enumerate((False, True)):
                counts[index] += bool(drift(now, then, exclude, is_saved))
        print(f"| random halves of {name} | {len(frame) // 2} | {frame.shape[1]} | {halves} | {counts[0]} | {counts[1]} |")
    found = [drift(data["adult, its test part"], data["adult"], (), is_saved) for is_saved in (False, True)]
    print(f"| adult, its test part against its training part | 16281, 32561 | 15 | 1 | {len(found[0])} | {len(found[1])} |")


def cases(data):
    """Name, both sides, columns to leave out, and the column to which something was done, if one was."""
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

    def renamed(before, after, share):
        return lambda values: values.mask((values == before) & (rng.random(len(values)) < share), after)

    later = taxi["trip_start_timestamp"] > taxi["trip_start_timestamp"].median()
    calendar = [name for name in taxi if name.startswith("trip_start")]
    return [
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
        done(adult, "education", renamed("HS-grad", "Bachelors", 0.5), "adult: half of the school leavers are bachelors"),
        done(taxi, "payment_type", renamed("Cash", "Credit Card", 0.25), "taxi: a quarter of the cash by card"),
    ]


def others(data):
    print("\n| others | rows | found from rows | other columns | from statistics |\n|---|---:|---|---|---|")
    for label, now, then, exclude, column in cases(data):
        rows = drift(now, then, exclude)
        saved = drift(now, then, exclude, is_saved=True)

        def told(found):
            if column is None:
                return f"yes, {len(found)} columns" if found else "**missed**"
            return f"`{column}`" if column in found else "**missed**"

        others = "" if column is None else ", ".join(name for name in rows if name != column)
        print(f"| {label} | {len(now)}, {len(then)} | {told(rows)} | {others} | {told(saved)} |")


def by_measure(data):
    """Of every measure alone: comparisons of the same with an alarm, and of others without."""
    every = [word for name in NUMBERS for word in ("--numbers", name)] + [word for name in LABELS for word in ("--labels", name)]
    every.append("--domain-classifier")
    kinds = [("numbers", name) for name in NUMBERS] + [("labels", name) for name in LABELS] + [("own", name) for name in OWN]
    kinds.append(("rows", "domain_classifier"))
    false, missed, asked, calm = {}, {}, {}, {}

    def alarms(columns, kind, measure, factor):
        """The columns with an alarm, and those that were measured."""
        found, measured = [], []
        for column in columns:
            if kind != "own" and column["compared_as"] != kind:
                continue
            for signal in column["signals"]:
                if signal["measure"] != measure:
                    continue
                measured.append(column["column"])
                held, noise, limit = signal["value"], signal["noise_floor"], factor * signal["threshold"]
                if measure == "jensen_shannon" and kind == "numbers":
                    held, noise = signal["effect"], 0.0
                if kind == "rows":
                    # What is beyond ½ is halved and doubled.
                    limit = 0.5 + factor * (signal["threshold"] - 0.5)
                if held > limit and held > noise and (signal.get("q") or 0) <= 0.05:
                    found.append(column["column"])
        return found, measured

    def count(columns, of, is_other, changed):
        for factor in FACTORS:
            found, measured = alarms(columns, *of, factor)
            if not measured or (changed is not None and of[0] != "rows" and changed not in measured):
                continue
            key = (*of, factor)
            into = missed if is_other else false
            is_any = changed is None or of[0] == "rows"
            is_hit = (not found if is_any else changed not in found) if is_other else bool(found)
            into[key] = into.get(key, 0) + is_hit
            total = asked if is_other else calm
            total[key] = total.get(key, 0) + 1

    for name in ("adult", "housing", "taxi", "diabetes", "penguins"):
        frame = data[name]
        exclude = [column for column in left_out(name) if column in frame]
        for seed in range(halves):
            columns = compared(*halved(frame, seed), exclude, False, every)
            for of in kinds:
                count(columns, of, False, None)
    for _, now, then, exclude, changed in cases(data):
        columns = compared(now, then, exclude, False, every)
        for of in kinds:
            meant = MEANT_FOR.get(changed)
            if of[1] == meant if of[0] == "own" else meant is None:
                count(columns, of, True, changed)
    print("\n| measure | of | the same | any alarm at half, at the usual, at twice the threshold | others | missed, likewise |")
    print("|---|---|---:|---:|---:|---:|")
    for of in kinds:
        keys = [(*of, factor) for factor in FACTORS]
        if keys[0] in calm or keys[0] in asked:
            figures = [" / ".join(str(into.get(key, 0)) for key in keys) for into in (false, missed)]
            totals = [into.get(keys[0], 0) for into in (calm, asked)]
            print(f"| `{of[1]}` | {of[0]} | {totals[0]} | {figures[0]} | {totals[1]} | {figures[1]} |")


found = data()
same(found)
others(found)
by_measure(found)
