"""Writes expected/linear.json beside this file: least squares, lasso, elastic net and non-negative fits.

    pip install scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 xxhash==4.1.0
    python make_linear.py

Two tables: the train rows of diabetes.csv, and a correlated table that both this script and the test make by the same
steps of f64 (`correlated`). For each fit, scikit-learn (its tolerances as small as it takes them) says which
coefficients are not 0; `exact` solves the conditions of the minimum for them in rational arithmetic, checks that they
hold for all features, and rounds once to f64. Cross-validation is that of scikit-learn on the folds of make_cv.py.
"""

import json
import platform
from fractions import Fraction
from pathlib import Path

import numpy as np
import scipy
import sklearn
from sklearn.linear_model import ElasticNet, ElasticNetCV, Lasso, LassoCV, LinearRegression, Ridge

from make_cv import fold_of, read_train_rows

HERE = Path(__file__).resolve().parent


def correlated(rows=200, columns=12):
    """Neighbours correlate at some 0.9; f64 throughout, each step one rounding."""
    x, y, weight = np.zeros((rows, columns)), np.zeros(rows), np.zeros(rows)
    for i in range(rows):
        last = 0.0
        for j in range(columns):
            noise = ((i * 7919 + j * 104729 + i * j * 31) % 1009) / 1009 - 0.5
            last = last * 0.9 + noise
            x[i, j] = last
        error = ((i * 15485863 + 7) % 997) / 997 - 0.5
        y[i] = 3.0 * x[i, 0] - 2.0 * x[i, 4] + 1.5 * x[i, 5] + error + 10.0
        weight[i] = 0.5 + (i % 4)
    return x, y, weight


def exact(x, y, weight, absolute, square, intercept, chosen):
    """Coefficients and intercept from the conditions of the minimum of
    sum w (y - b - xc)^2 / 2 + absolute * sum |c| + square * sum c^2 / 2, `chosen` having the signs; and the largest
    share of the penalty that a coefficient of 0 needs."""
    rows, columns = x.shape
    w = [Fraction(float(v)) for v in weight]
    total = sum(w)
    xs = [[Fraction(float(v)) for v in row] for row in x]
    ys = [Fraction(float(v)) for v in y]
    mean = lambda values: sum(a * b for a, b in zip(w, values)) / total if intercept else Fraction(0)
    means = [mean([row[j] for row in xs]) for j in range(columns)]
    label = mean(ys)
    centred = [[row[j] - means[j] for row in xs] for j in range(columns)]
    target = [v - label for v in ys]
    dot = lambda a, b: sum(p * q * r for p, q, r in zip(w, a, b))
    active = [j for j in range(columns) if chosen[j] != 0]
    matrix = [[dot(centred[i], centred[j]) + (square if i == j else 0) for j in active] for i in active]
    right = [dot(centred[j], target) - absolute * (1 if chosen[j] > 0 else -1) for j in active]
    for k in range(len(active)):
        pivot = matrix[k][k]
        matrix[k] = [v / pivot for v in matrix[k]]
        right[k] /= pivot
        for i in range(len(active)):
            if i != k and matrix[i][k]:
                factor = matrix[i][k]
                matrix[i] = [a - factor * b for a, b in zip(matrix[i], matrix[k])]
                right[i] -= factor * right[k]
    found = [Fraction(0)] * columns
    for j, value in zip(active, right):
        assert value * chosen[j] > 0, "the sign is that of scikit-learn"
        found[j] = value
    residual = [t - sum(found[j] * centred[j][i] for j in active) for i, t in enumerate(target)]
    gradients = [dot(centred[j], residual) for j in range(columns) if j not in active]
    b = label - sum(c * m for c, m in zip(found, means))
    return {"intercept": float(b), "coefficients": [float(c) for c in found]}, gradients


def fits(name, x, y, weight):
    """Every fit with its spec, as a pipeline file writes it."""
    documents = []
    tight = {"tol": 1e-14, "max_iter": 1_000_000}
    ones = np.ones(len(y))

    def add(spec, model, absolute, square, weighted=False):
        w = weight if weighted else ones
        options = next(iter(spec.values()))
        intercept, positive = options.get("intercept", True), options.get("non_negative", False)
        model.fit(x, y, sample_weight=w) if weighted else model.fit(x, y)
        total = Fraction(0)
        for value in w:
            total += Fraction(float(value))
        chosen = np.where(np.abs(model.coef_) > 1e-9 * np.abs(model.coef_).max(), model.coef_, 0.0)
        document, gradients = exact(x, y, w, absolute(total), square(total), intercept, chosen)
        for gradient in gradients:
            assert gradient <= absolute(total) and (positive or -gradient <= absolute(total)), spec
        documents.append({
            "table": name,
            "spec": spec,
            "weighted": weighted,
            "sklearn": {"intercept": float(model.intercept_), "coefficients": [float(c) for c in model.coef_]},
            "exact": document,
        })

    zero = lambda total: Fraction(0)
    for intercept in [True, False]:
        options = {} if intercept else {"intercept": False}
        add({"least_squares": options}, LinearRegression(fit_intercept=intercept), zero, zero)
        for positive in [False, True]:
            options = dict(options, **({"non_negative": True} if positive else {}))
            for alpha in [0.05, 0.4]:
                a = Fraction(alpha)
                add({"lasso": {"alpha": alpha, **options}},
                    Lasso(alpha=alpha, positive=positive, fit_intercept=intercept, **tight),
                    lambda total: a * total, zero)
                r = Fraction(0.75)
                add({"elastic_net": {"alpha": alpha / 100, "l1_ratio": 0.75, **options}},
                    ElasticNet(alpha=alpha / 100, l1_ratio=0.75, positive=positive, fit_intercept=intercept, **tight),
                    lambda total: Fraction(alpha / 100) * total * r,
                    lambda total: Fraction(alpha / 100) * total * (1 - r))
    add({"least_squares": {"non_negative": True}}, LinearRegression(positive=True), zero, zero)
    ridge = Ridge(alpha=0.5, positive=True, tol=1e-14, max_iter=1_000_000)
    add({"ridge": {"alpha": 0.5, "non_negative": True}}, ridge, zero, lambda total: Fraction(0.5))
    if weight is not None:
        add({"lasso": {"alpha": 0.05}}, Lasso(alpha=0.05, **tight), lambda total: Fraction(0.05) * total, zero, True)
        add({"elastic_net": {"alpha": 0.05, "l1_ratio": 0.5}}, ElasticNet(alpha=0.05, l1_ratio=0.5, **tight),
            lambda total: Fraction(0.05) * total / 2, lambda total: Fraction(0.05) * total / 2, True)
        add({"ridge": {"alpha": 0.5}}, Ridge(alpha=0.5, solver="cholesky"), zero, lambda total: Fraction(0.5), True)
    return documents


def searches(name, x, y):
    folds = 5
    fold = np.array([fold_of(row, folds) for row in range(len(y))])
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(folds)]
    tight = {"tol": 1e-13, "max_iter": 50_000}
    rows = np.bincount(fold)
    documents = []

    def add(spec, l1_ratios, path, alphas, chosen_ratio, model):
        # path: ratio x alpha x fold; alphas descend, as scikit-learn has them.
        scores = []
        for ratio, errors, of_ratio in zip(l1_ratios, path, alphas):
            for alpha, per_fold in sorted(zip(of_ratio, errors), key=lambda pair: pair[0]):
                scores.append({"alpha": float(alpha), "l1_ratio": ratio,
                               "mean_squared_error": float(np.average(per_fold, weights=rows)),
                               "standard_error": float(np.std(per_fold, ddof=1) / folds**0.5)})
        documents.append({"table": name, "spec": spec, "scores": scores,
                          "sklearn_alpha": float(model.alpha_), "sklearn_l1_ratio": chosen_ratio,
                          "coefficients": [float(c) for c in model.coef_], "intercept": float(model.intercept_)})

    model = LassoCV(alphas=100, cv=splits, **tight).fit(x, y)
    add({"lasso": {"alpha": {"path": 100, "folds": folds}}}, [None], [model.mse_path_], [model.alphas_], None, model)
    ratios = [0.2, 0.5, 0.9]
    model = ElasticNetCV(l1_ratio=ratios, alphas=20, cv=splits, **tight).fit(x, y)
    spec = {"elastic_net": {"alpha": {"path": 20, "folds": folds}, "l1_ratio": ratios}}
    add(spec, ratios, model.mse_path_, model.alphas_, float(model.l1_ratio_), model)
    return documents


def main():
    diabetes, target = read_train_rows()
    x, y, weight = correlated()
    document = {
        "source": {
            "note": "`sklearn`: as scikit-learn fits it; `exact`: in rational arithmetic on the coefficients that it "
                    "leaves, rounded once. mean_squared_error weighs folds by their rows, which scikit-learn does not.",
            "made_by": "datasets/diabetes/make_linear.py",
            "python": platform.python_version(),
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
        "correlated_first_row": [float(v) for v in x[1]] + [float(y[1]), float(weight[1])],
        "fits": fits("diabetes", diabetes, target, None) + fits("correlated", x, y, weight),
        "searches": searches("diabetes", diabetes, target) + searches("correlated", x, y),
    }
    lines = []
    for key, value in document.items():
        if key in ("fits", "searches"):
            value = "[\n    " + ",\n    ".join(json.dumps(v, allow_nan=False) for v in value) + "\n  ]"
        else:
            value = json.dumps(value, allow_nan=False)
        lines.append(f'  "{key}": {value}')
    text = "{\n" + ",\n".join(lines) + "\n}"
    (HERE / "expected" / "linear.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    for fit in document["fits"]:
        pairs = zip(fit["sklearn"]["coefficients"], fit["exact"]["coefficients"])
        print(fit["table"], fit["spec"], fit["weighted"], 
              max((abs(a - b) / abs(b) for a, b in pairs if b), default=0))


if __name__ == "__main__":
    main()
