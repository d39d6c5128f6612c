"""Reference values of the explanations: Shapley values by formula, permutation importance with the same permutations,
partial dependence by scikit-learn. Run with numpy and scikit-learn: `python explain.py > explain.json`."""

import json
import sys

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.inspection import partial_dependence
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

MASK = (1 << 64) - 1


def splitmix(key):
    mixed = (key + 0x9E3779B97F4A7C15) & MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
    return mixed ^ (mixed >> 31)


def keyed(key, seed):
    return splitmix((key + splitmix(seed & MASK)) & MASK)


def permutation(hashes, column, repeat, seed):
    name = 0
    for byte in column.encode():
        name = splitmix(name ^ byte)
    seed = (seed + (repeat << 32) + name) & MASK
    return sorted(range(len(hashes)), key=lambda row: (keyed(hashes[row], seed), row))


rng = np.random.default_rng(11)
ROWS, SEED, REPEATS = 120, 7, 4
frame = pd.DataFrame(
    {
        "a": rng.normal(3.0, 2.0, ROWS).round(3),
        "b": rng.integers(0, 6, ROWS).astype(float),
        "code": rng.integers(0, 3, ROWS).astype(float),
    }
)
label = 1.5 * frame["a"] - 0.7 * frame["b"] + 4.0 * (frame["code"] == 1) + rng.normal(0.0, 0.5, ROWS)
label = label.round(4)
hashes = [int(value) for value in rng.integers(0, 1 << 63, ROWS, dtype=np.int64)]

steps = [("numbers", "passthrough", ["a", "b"]), ("levels", OneHotEncoder(sparse_output=False), ["code"])]
model = make_pipeline(ColumnTransformer(steps), Ridge(alpha=2.0, solver="cholesky")).fit(frame, label)
ridge, design = model[-1], model[0].transform(frame)
means = design.mean(axis=0)
columns = ridge.coef_ * (design - means)
shapley = np.column_stack([columns[:, 0], columns[:, 1], columns[:, 2:].sum(axis=1)])

# The order of a sample: by the keyed number of each row.
order = sorted(range(ROWS), key=lambda row: keyed(hashes[row], SEED))
rows, labels = frame.iloc[order].reset_index(drop=True), label.iloc[order].reset_index(drop=True)
keys = [hashes[row] for row in order]
loss = float(np.mean((labels - model.predict(rows)) ** 2))
importance = {}
for column in frame.columns:
    importance[column] = []
    for repeat in range(REPEATS):
        changed = rows.copy()
        changed[column] = rows[column].to_numpy()[permutation(keys, column, repeat, SEED)]
        importance[column].append(float(np.mean((labels - model.predict(changed)) ** 2)) - loss)

dependence = {}
for column in ["a", "b", "code"]:
    found = partial_dependence(model, frame, [column], kind="average", method="brute", grid_resolution=10)
    dependence[column] = {
        "grid": [float(value) for value in found["grid_values"][0]],
        "average": [float(value) for value in found["average"][0]],
    }

json.dump(
    {
        "frame": {name: values.tolist() for name, values in frame.items()},
        "label": label.tolist(),
        "hashes": [str(value) for value in hashes],
        "coefficients": ridge.coef_.tolist(),
        "intercept": float(ridge.intercept_),
        "means": means.tolist(),
        "base_value": float(ridge.intercept_ + ridge.coef_ @ means),
        "predictions": model.predict(frame).tolist(),
        "shapley": shapley.tolist(),
        "seed": SEED,
        "loss": loss,
        "importance": importance,
        "dependence": dependence,
    },
    sys.stdout,
)
