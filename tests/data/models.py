"""Writes models.json: what scikit-learn's models score on held-out rows of public data sets.

    python models.py FOLDER

FOLDER is that of the shared data sets. Needs numpy, pandas and scikit-learn. Adult is split as UCI did, California housing
by row: every fifth, from the first on, is held out. `tests/models.rs` fits the same models on the same rows.
"""

import json
import pathlib
import sys

import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import brier_score_loss, log_loss, mean_absolute_error, mean_squared_error, r2_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ADULT = (
    "age workclass fnlwgt education education_num marital_status occupation relationship race sex capital_gain "
    "capital_loss hours_per_week native_country income"
).split()
ADULT_NUMBERS = ["age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week"]


def levels(rows, column):
    """The levels of the training rows; a missing one is none of them, as in sluice."""
    return OneHotEncoder(categories=[sorted(rows[column].dropna().unique())], handle_unknown="ignore")


def adult(folder):
    def rows(name):
        return pd.read_csv(
            folder / "adult" / name, names=ADULT, skipinitialspace=True, na_values="?", comment="|", skip_blank_lines=True
        )

    train, held_out = rows("adult.data"), rows("adult.test")
    texts = [name for name in ADULT[:-1] if name not in ADULT_NUMBERS]
    features = ColumnTransformer(
        [("numbers", StandardScaler(), ADULT_NUMBERS), *[(name, levels(train, name), [name]) for name in texts]],
        sparse_threshold=0,
    )
    is_rich = [part["income"].str.rstrip(".") == ">50K" for part in (train, held_out)]
    model = make_pipeline(features, LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000, solver="newton-cholesky"))
    chance = model.fit(train, is_rich[0]).predict_proba(held_out)[:, 1]
    return {
        "rows": len(held_out),
        "log_loss": log_loss(is_rich[1], chance),
        "auc": roc_auc_score(is_rich[1], chance),
        "brier": brier_score_loss(is_rich[1], chance),
        # Every so many rows, in their order.
        "every": 1000,
        "predictions": chance[::1000].tolist(),
    }


def housing(folder):
    rows = pd.read_csv(folder / "housing/housing.csv")
    held_out = np.arange(len(rows)) % 5 == 0
    numbers = [name for name in rows.columns if name not in ("median_house_value", "ocean_proximity")]
    features = ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(strategy="mean"), StandardScaler()), numbers),
        ("places", levels(rows[~held_out], "ocean_proximity"), ["ocean_proximity"]),
    ])
    model = make_pipeline(features, Ridge(alpha=10.0, solver="cholesky"))
    model.fit(rows[~held_out], rows["median_house_value"][~held_out])
    found, truth = model.predict(rows[held_out]), rows["median_house_value"][held_out]
    return {
        "rows": int(held_out.sum()),
        "rmse": mean_squared_error(truth, found) ** 0.5,
        "mae": mean_absolute_error(truth, found),
        "r2": r2_score(truth, found),
        "every": 500,
        "predictions": found[::500].tolist(),
    }


def main(folder):
    record = {"scikit-learn": sklearn.__version__, "adult": adult(folder), "housing": housing(folder)}
    pathlib.Path(__file__).with_name("models.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
