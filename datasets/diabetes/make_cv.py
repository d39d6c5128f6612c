"""Writes expected/ridge_cv.json beside this file: the cross-validated error of ridge over a grid of penalties.

    pip install scikit-learn==1.9.1 numpy==2.4.6 xxhash==4.1.0
    python make_cv.py

The row hash of a train row is its position among the train rows, from 0. Its fold is
floor(XXH3-64(hash as 8 bytes little-endian, FOLD_SEED) / 2^64 * folds), as in engine/training/src/folds.rs.
"""

import json
import platform
from pathlib import Path

import numpy as np
import sklearn
import xxhash
from sklearn.linear_model import Ridge

HERE = Path(__file__).resolve().parent
FOLD_SEED = 0x666F6C642D6B6579
FOLDS = [2, 5, 10]
ALPHAS = [0.0, 0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]


def fold_of(row_hash, folds):
    return xxhash.xxh3_64_intdigest(row_hash.to_bytes(8, "little"), seed=FOLD_SEED) * folds >> 64


def read_train_rows():
    rows = [line.split(",") for line in (HERE / "diabetes.csv").read_text(encoding="ascii").splitlines()]
    values = np.array([[float(c) for c in row[:11]] for row in rows[1:] if row[11] == "train"])
    return values[:, :10], values[:, 10]


def cross_validate(x, y, folds):
    fold = np.array([fold_of(row, folds) for row in range(len(y))])
    scores = []
    for alpha in ALPHAS:
        squares = [np.square(Ridge(alpha=alpha, solver="svd").fit(x[fold != k], y[fold != k]).predict(x[fold == k])
                             - y[fold == k]) for k in range(folds)]
        per_fold = [float(np.mean(s)) for s in squares]
        scores.append({
            "alpha": alpha,
            "mean_squared_error": float(np.mean(np.concatenate(squares))),
            "standard_error": float(np.std(per_fold, ddof=1) / folds**0.5),
            "per_fold": per_fold,
        })
    chosen = min(scores, key=lambda score: (score["mean_squared_error"], -score["alpha"]))["alpha"]
    final = Ridge(alpha=chosen, solver="svd").fit(x, y)
    return {
        "folds": folds,
        "fold_rows": [int((fold == k).sum()) for k in range(folds)],
        "fold_of_first_rows": fold[:20].tolist(),
        "scores": scores,
        "chosen": chosen,
        "intercept": float(final.intercept_),
        "coefficients": [float(c) for c in final.coef_],
    }


def main():
    x, y = read_train_rows()
    assert len(y) == 353
    document = {
        "source": {
            "note": "Train rows in file order; row hash: the position, from 0. Ridge(solver='svd') fitted on the other "
                    "folds, squared errors on the fold left out: mean over all rows, mean per fold, and the standard "
                    "error of the mean of the folds (divisor folds - 1). Then fitted on all train rows.",
            "data": "sklearn.datasets.load_diabetes, scaled",
            "made_by": "datasets/diabetes/make_cv.py",
            "python": platform.python_version(),
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
            "xxhash": xxhash.VERSION,
        },
        "fold_seed": FOLD_SEED,
        "searches": [cross_validate(x, y, folds) for folds in FOLDS],
    }
    path = HERE / "expected" / "ridge_cv.json"
    path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8", newline="\n")
    for search in document["searches"]:
        print(search["folds"], search["fold_rows"], search["chosen"],
              [score["mean_squared_error"] for score in search["scores"]])


if __name__ == "__main__":
    main()
