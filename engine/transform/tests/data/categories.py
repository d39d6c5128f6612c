"""Reference values of the operations on categories, by scikit-learn, SciPy, pandas and pyfarmhash.

    pip install scikit-learn scipy pandas pyfarmhash xxhash
    python categories.py > categories.json
"""

import json
import random
import struct

import farmhash
import numpy
import pandas
import scipy
import sklearn
import xxhash
from scipy.stats import hypergeom
from sklearn.preprocessing import OrdinalEncoder, TargetEncoder

random.seed(20)
FOLD_SEED = 0x666F6C642D6B6579


def none(values):
    return [None if isinstance(value, float) and numpy.isnan(value) else value for value in values]


def ordinal():
    fitted_on = {"text": ["b", "a", "ä", "B", "b"], "number": [10.0, 9.0, -1.5, 9.0, 2.0]}
    given = {"text": ["ä", "zz", "B", "a"], "number": [9.0, -1.5, 3.0, 10.0]}
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=numpy.nan)
    encoder.fit(pandas.DataFrame(fitted_on))
    output = [none(row) for row in encoder.transform(pandas.DataFrame(given)).tolist()]
    return {"fitted_on": fitted_on, "input": given, "output": output}


def fingerprints():
    texts = ["", "a", "hello", "Flash Cab", "über", "1footrue"]
    letters = "abcdefghijklmnopqrstuvwxyz0123456789 -äß"
    texts += ["".join(random.choice(letters) for _ in range(length)) for length in range(1, 300, 7)]
    return [{"text": text, "fingerprint": str(farmhash.fingerprint64(text))} for text in texts]


def buckets():
    count = 17
    given = {"text": ["a", "Flash Cab", None, ""], "number": [3.0, -0.5, None, 1e21]}
    text = {3.0: "3", -0.5: "-0.5", 1e21: "1" + 21 * "0"}
    of = lambda value: None if value is None else farmhash.fingerprint64(text.get(value, value)) % count
    output = {name: [of(value) for value in values] for name, values in given.items()}
    return {"input": given, "buckets": count, "output": output}


def expected_information(token, label, rows):
    total = 0.0
    for both in range(max(0, token + label - rows), min(token, label) + 1):
        if both:
            total += hypergeom.pmf(both, rows, label, token) * both * numpy.log2(rows * both / token / label)
    return total


def hypergeometric():
    cases = [(5, 10, 1000), (300, 400, 1000), (990, 700, 1000), (1, 1, 2), (20_000, 50_000, 1_000_000)]
    return [
        {"token": t, "label": y, "rows": n, "expected": expected_information(t, y, n)} for t, y, n in cases
    ]


def row_hash(row):
    """As frozen in engine/core/src/encoding."""
    data = b""
    for name in sorted(row):
        value = row[name]
        if value is None:
            data += b"\0"
        elif isinstance(value, str):
            data += b"\5" + struct.pack("<Q", len(value.encode())) + value.encode()
        else:
            data += b"\4" + struct.pack("<d", value)
    return xxhash.xxh3_64_intdigest(data)


def fold_of(row, folds):
    return xxhash.xxh3_64_intdigest(struct.pack("<Q", row_hash(row)), seed=FOLD_SEED) * folds >> 64


class Folds:
    def __init__(self, folds):
        self.folds = numpy.array(folds)

    def split(self, *_):
        for fold in sorted(set(self.folds.tolist())):
            yield numpy.flatnonzero(self.folds != fold), numpy.flatnonzero(self.folds == fold)

    def get_n_splits(self, *_):
        return len(set(self.folds.tolist()))


def out_of_fold(smooth, values, target, folds):
    """scikit-learn's `fit_transform`, fold by fold, with our folds."""
    result = numpy.zeros(len(values))
    for train, test in Folds(folds).split():
        encoder = TargetEncoder(smooth=smooth, target_type="continuous")
        encoder.fit(values[train], target[train])
        result[test] = encoder.transform(values[test])[:, 0]
    return result.tolist()


def target_mean():
    rows = {"c": [], "id": [], "y": []}
    for number in range(60):
        level = random.choice(["a", "a", "b", "c", "c", "c", None])
        rows["c"].append("rare" if number == 31 else level)
        rows["id"].append(float(number))
        rows["y"].append(round(random.gauss({"a": 1.0, "b": 4.0}.get(level, 2.0), 1.0), 3))
    folds = [fold_of({name: rows[name][row] for name in rows}, 3) for row in range(60)]
    values = numpy.array(rows["c"], dtype=object).reshape(-1, 1)
    target = numpy.array(rows["y"])
    later = {"c": ["a", "b", "c", "rare", None, "unseen"]}
    cases = []
    for smooth in ["auto", 0.0, 10.0]:
        encoder = TargetEncoder(smooth=smooth, target_type="continuous").fit(values, target)
        cases.append(
            {
                "smoothing": smooth,
                "later": encoder.transform(numpy.array(later["c"], dtype=object).reshape(-1, 1))[:, 0].tolist(),
                "out_of_fold": out_of_fold(smooth, values, target, folds),
            }
        )
    return {"rows": rows, "folds": folds, "later": later, "cases": cases}


def per_key():
    rows = {
        "x": [1.5, 2.5, None, 8.0, 9.0, 9.5, 4.0, None, 100.0],
        "k": ["a", "a", "a", "b", "b", "b", None, "empty", "one"],
        "m": [1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    }
    later = {
        "x": [2.0, None, 10.0, None, 5.0, None, None, 50.0],
        "k": ["a", "a", "b", None, "one", "empty", "new", "new"],
        "m": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    }
    frame = pandas.DataFrame(rows)
    groups = {
        tuple(None if pandas.isna(part) else part for part in key): group["x"].dropna()
        for key, group in frame.groupby(["k", "m"], dropna=False)
    }

    def of(function):
        result = []
        for x, k, m in zip(later["x"], later["k"], later["m"]):
            group = groups.get((k, m))
            result.append(function(x, frame["x"].dropna() if group is None or group.empty else group))
        return result

    def deviation(group):
        found = group.std(ddof=0)
        return found if found > 0 else 1.0

    def width(group):
        return group.max() - group.min() or 1.0

    scaled = of(lambda x, group: None if x is None else (x - group.mean()) / deviation(group))
    ranged = of(lambda x, group: None if x is None else (x - group.min()) / width(group))
    filled = of(lambda x, group: group.mean() if x is None else x)
    median = of(lambda x, group: group.quantile(0.5, interpolation="lower") if x is None else x)
    columns = {"columns": ["x"], "per": ["k", "m"]}
    return {
        "rows": rows,
        "later": later,
        "cases": [
            {"operations": [{"standardize": columns}], "later": scaled},
            {"operations": [{"scale_to_range": columns}], "later": ranged},
            {"operations": [{"impute": {**columns, "with": "mean"}}], "later": filled},
            {"operations": [{"impute": {**columns, "with": "median"}}], "later": median},
        ],
    }


print(
    json.dumps(
        {
            "made_with": {
                "scikit-learn": sklearn.__version__,
                "scipy": scipy.__version__,
                "numpy": numpy.__version__,
                "pandas": pandas.__version__,
            },
            "ordinal": ordinal(),
            "fingerprint64": fingerprints(),
            "hash_buckets": buckets(),
            "hypergeometric": hypergeometric(),
            "target_mean": target_mean(),
            "per_key": per_key(),
        },
        indent=1,
    )
)
