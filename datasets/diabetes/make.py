"""Writes diabetes.csv and expected/*.json beside this file, and prints the key numbers.

    pip install scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 statsmodels==0.15.0 pandas==3.1.1 mpmath==1.4.1
    python make.py

No network is used: the data is part of the scikit-learn package. Figures marked `exact` are worked out from the
f64 values of the file with 50 decimal digits and rounded once to f64. They do not depend on the processor; the
figures of scikit-learn, numpy and scipy may, in their last digits.
"""

import json
import platform
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import scipy
import sklearn
import statsmodels
from mpmath import mp, mpf
from scipy import stats
from sklearn.datasets import load_diabetes
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from statsmodels.stats.multitest import multipletests

HERE = Path(__file__).resolve().parent
FEATURES = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
SEX = [0.05068011873981862, -0.044641636506989144]
ALPHAS = [0.0, 0.1, 0.4, 0.5, 1.0, 1.2]
mp.dps = 50


# ---- writing ---------------------------------------------------------------------------------------------------

def scalar(value):
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def render(value, depth=0):
    """JSON with one key a line and lists of scalars wrapped; numbers as Python's repr, which reads back exactly."""
    inner, outer = "  " * (depth + 1), "  " * depth
    if isinstance(value, dict):
        body = ",\n".join(f"{inner}{scalar(k)}: {render(v, depth + 1)}" for k, v in value.items())
        return "{\n" + body + "\n" + outer + "}"
    if isinstance(value, list) and any(isinstance(v, (dict, list)) for v in value):
        return "[\n" + ",\n".join(inner + render(v, depth + 1) for v in value) + "\n" + outer + "]"
    if isinstance(value, list):
        one_line = "[" + ", ".join(scalar(v) for v in value) + "]"
        if len(outer) + len(one_line) <= 100:
            return one_line
        lines, line = [], inner
        for i, v in enumerate(value):
            piece = scalar(v) + ("," if i + 1 < len(value) else "")
            if line != inner and len(line) + 1 + len(piece) > 100:
                lines.append(line)
                line = inner
            line += piece if line == inner else " " + piece
        return "[\n" + "\n".join(lines + [line]) + "\n" + outer + "]"
    return scalar(value)


def write_json(name, note, body):
    document = {"source": {"note": note, **VERSIONS}, **body}
    path = HERE / "expected" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(render(document) + "\n", encoding="utf-8", newline="\n")
    assert json.loads(path.read_text(encoding="utf-8")) == document


VERSIONS = {
    "data": "sklearn.datasets.load_diabetes, scaled",
    "made_by": "datasets/diabetes/make.py",
    "python": platform.python_version(),
    "scikit-learn": sklearn.__version__,
    "numpy": np.__version__,
    "scipy": scipy.__version__,
    "statsmodels": statsmodels.__version__,
    "mpmath": mpmath.__version__,
}


# ---- numbers ---------------------------------------------------------------------------------------------------

def f64(value):
    """The f64 nearest to a 50-digit number."""
    return float(Fraction(mpmath.nstr(value, 45, min_fixed=0, max_fixed=0))) if value else 0.0


def floats(values):
    return [float(v) for v in values]


def mp_sum(values):
    return mpmath.fsum(values)


def mp_mean(values):
    return mp_sum(values) / len(values)


# ---- data ------------------------------------------------------------------------------------------------------

def write_data():
    data = load_diabetes()
    assert list(data.feature_names) == FEATURES and data.data.shape == (442, 10)
    train, evaluation = train_test_split(np.arange(442), test_size=0.2, random_state=0)
    assert (len(train), len(evaluation)) == (353, 89) and list(evaluation[:3]) == [362, 249, 271]
    held_out = set(evaluation.tolist())
    lines = [",".join(FEATURES + ["target", "subset"])]
    for i in range(442):
        cells = [repr(float(v)) for v in data.data[i]] + [repr(float(data.target[i]))]
        lines.append(",".join(cells + ["eval" if i in held_out else "train"]))
    (HERE / "diabetes.csv").write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
    return data


def read_data():
    """Everything below starts from the file, not from the package."""
    rows = [line.split(",") for line in (HERE / "diabetes.csv").read_text(encoding="ascii").splitlines()]
    assert rows[0] == FEATURES + ["target", "subset"]
    values = np.array([[float(c) for c in row[:11]] for row in rows[1:]])
    is_train = np.array([row[11] == "train" for row in rows[1:]])
    return values[:, :10], values[:, 10], is_train


# ---- ridge -----------------------------------------------------------------------------------------------------

def exact_ridge(x, y, alpha):
    """Centre on the means, solve (X'X + alpha I) w = X'y, intercept = mean(y) - mean(x).w, with 50 digits."""
    x = [[mpf(float(v)) for v in row] for row in x]
    y = [mpf(float(v)) for v in y]
    p = len(x[0])
    centre = [mp_mean([row[j] for row in x]) for j in range(p)]
    middle = mp_mean(y)
    xc = [[row[j] - centre[j] for j in range(p)] for row in x]
    yc = [v - middle for v in y]
    gram, right = mp.matrix(p, p), mp.matrix(p, 1)
    for j in range(p):
        right[j] = mp_sum([row[j] * v for row, v in zip(xc, yc)])
        for k in range(p):
            gram[j, k] = mp_sum([row[j] * row[k] for row in xc]) + (mpf(float(alpha)) if j == k else 0)
    w = mp.lu_solve(gram, right)
    w = [w[j] for j in range(p)]
    return w, middle - mp_sum([a * b for a, b in zip(centre, w)])


def exact_predict(x, w, b):
    return [mp_sum([mpf(float(v)) * c for v, c in zip(row, w)]) + b for row in x]


def exact_metrics(predicted, y):
    y = [mpf(float(v)) for v in y]
    error = [p - v for p, v in zip(predicted, y)]
    squares, middle = mp_sum([e * e for e in error]), mp_mean(y)
    return {
        "rows": len(y),
        "mse": f64(squares / len(y)),
        "rmse": f64(mp.sqrt(squares / len(y))),
        "mae": f64(mp_mean([abs(e) for e in error])),
        "r2": f64(1 - squares / mp_sum([(v - middle) ** 2 for v in y])),
        "mean_error": f64(mp_mean(error)),
    }


def sklearn_metrics(predicted, y):
    return {
        "rows": len(y),
        "mse": float(mean_squared_error(y, predicted)),
        "rmse": float(np.sqrt(mean_squared_error(y, predicted))),
        "mae": float(mean_absolute_error(y, predicted)),
        "r2": float(r2_score(y, predicted)),
        "mean_error": float(np.mean(predicted - y)),
    }


def sliced(metrics, predicted, y, sex):
    by_sex = []
    for value in SEX:
        chosen = np.flatnonzero(sex == value)
        by_sex.append({"sex": value, **metrics(*([v[i] for i in chosen] if isinstance(v, list) else v[chosen]
                                                 for v in (predicted, y)))})
    return {"overall": metrics(predicted, y), "by_sex": by_sex}


def close(a, b, tolerance):
    assert abs(a - b) <= tolerance * max(abs(a), abs(b), 1.0), (a, b)


def write_ridge(x, y, is_train):
    """Returns the exact predictions on the eval rows, rounded to f64, by alpha."""
    fits, predictions = [], {}
    xe, ye, sex = x[~is_train], y[~is_train], x[~is_train, 1]
    train, evaluation = train_test_split(np.arange(442), test_size=0.2, random_state=0)
    for alpha in ALPHAS:
        model = Ridge(alpha=alpha, solver="cholesky").fit(x[is_train], y[is_train])
        shuffled = Ridge(alpha=alpha, solver="cholesky").fit(x[train], y[train]).predict(x[evaluation])
        mse_in_split_order = float(mean_squared_error(y[evaluation], shuffled))
        predicted = model.predict(xe)
        w, b = exact_ridge(x[is_train], y[is_train], alpha)
        exact = exact_predict(xe, w, b)
        predictions[alpha] = np.array([f64(v) for v in exact])
        fit = {
            "alpha": alpha,
            "sklearn": {"coefficients": floats(model.coef_), "intercept": float(model.intercept_),
                        "eval": sliced(sklearn_metrics, predicted, ye, sex),
                        "mse_in_split_order": mse_in_split_order},
            "exact": {"coefficients": [f64(v) for v in w], "intercept": f64(b),
                      "eval": sliced(exact_metrics, exact, ye, sex)},
        }
        for name in ("mse", "mae", "r2", "mean_error"):
            close(fit["sklearn"]["eval"]["overall"][name], fit["exact"]["eval"]["overall"][name], 1e-10)
        close(mse_in_split_order, fit["exact"]["eval"]["overall"]["mse"], 1e-12)
        for a, c in zip(fit["sklearn"]["coefficients"], fit["exact"]["coefficients"]):
            close(a, c, 1e-9)
        if alpha == 0.4:
            fit["sklearn"]["predictions"] = floats(predicted)
            fit["exact"]["predictions"] = floats(predictions[alpha])
            assert abs(fit["exact"]["eval"]["overall"]["mse"] - 3295.714938563238) < 1e-9
        fits.append(fit)
        print(f"alpha {alpha}: mse sklearn {fit['sklearn']['eval']['overall']['mse']!r}"
              f" (rows in split order {mse_in_split_order!r})"
              f" exact {fit['exact']['eval']['overall']['mse']!r}")
    write_json("ridge.json", "Fitted on the train rows in file order, metrics on the eval rows in file order. "
               "sklearn: Ridge(solver='cholesky'), f64. exact: mpmath, 50 digits, from the f64 values of the file, "
               "rounded to f64 at the end. mean_error is the mean of prediction - label; r2 of a slice uses the "
               "label mean of that slice. mse_in_split_order: the same with the rows in the order in which "
               "train_test_split gives them, which moves the last digits of f64 sums.",
               {"features": FEATURES, "train_rows": int(is_train.sum()),
                "eval_rows": np.flatnonzero(~is_train).tolist(), "fits": fits})
    return predictions


# ---- moments ---------------------------------------------------------------------------------------------------

def column_moments(values):
    exact = [mpf(float(v)) for v in values]
    mean = mp_mean(exact)
    std = mp.sqrt(mp_mean([(v - mean) ** 2 for v in exact]))
    close(f64(mean), float(np.mean(values)), 1e-14)
    close(f64(std), float(np.std(values)), 1e-13)
    steps = [k / 10 for k in range(1, 10)]
    return {
        "count": len(values),
        "mean": f64(mean),
        "population_std": f64(std),
        "min": float(np.min(values)),
        "max": float(np.max(values)),
        "median": float(np.median(values)),
        "quantiles": {repr(q): float(np.quantile(values, q, method="inverted_cdf")) for q in steps},
        "distinct": int(len(np.unique(values))),
    }


def write_moments(x, y, is_train):
    columns = dict(zip(FEATURES + ["target"], [*x.T, y]))
    write_json("moments.json", "mean and population_std (divisor n) are exact: mpmath, 50 digits, rounded to f64. "
               "median is numpy.median (for an even count the mean of the two middle values); quantiles are "
               "numpy.quantile(method='inverted_cdf'), always a value of the data.",
               {"all": {name: column_moments(v) for name, v in columns.items()},
                "train": {name: column_moments(v[is_train]) for name, v in columns.items()}})


# ---- gate ------------------------------------------------------------------------------------------------------

def exact_upper_tail(t, df):
    """P(T > t) by the incomplete beta function with 50 digits; a check on scipy."""
    half = mpmath.betainc(mpf(df) / 2, mpf("0.5"), 0, df / (df + mpf(t) ** 2), regularized=True) / 2
    return half if t >= 0 else 1 - half


def paired(candidate, baseline):
    """candidate and baseline: loss per row. Positive differences mean that the candidate is worse."""
    d, n = candidate - baseline, len(candidate)
    one_sided = stats.ttest_rel(candidate, baseline, alternative="greater")
    interval = stats.ttest_rel(candidate, baseline).confidence_interval(0.95)
    sd = float(np.std(d, ddof=1))
    close(float(one_sided.statistic), float(np.mean(d)) / (sd / n**0.5), 1e-12)
    close(float(one_sided.pvalue), f64(exact_upper_tail(float(one_sided.statistic), n - 1)), 1e-12)
    half = stats.t.ppf(0.975, n - 1) * sd / n**0.5
    close(float(interval.high - interval.low), 2 * half, 1e-12)
    return {
        "mean": float(np.mean(d)), "sd": sd, "standard_error": sd / n**0.5, "t": float(one_sided.statistic),
        "df": n - 1, "p_worse": float(one_sided.pvalue),
        "interval": [float(interval.low), float(interval.high)],
    }


def rmse_difference(candidate, baseline):
    """candidate and baseline: squared error per row. sqrt(mean(candidate)) - sqrt(mean(baseline)), delta method."""
    n = len(candidate)
    rmse = np.sqrt([np.mean(candidate), np.mean(baseline)])
    gradient = np.array([1, -1]) / (2 * rmse)
    covariance = np.cov(candidate, baseline, ddof=1) / n
    error = float(np.sqrt(gradient @ covariance @ gradient))
    # The same by another road: the standard error of the mean of the linearised terms.
    close(error, float(np.std(candidate * gradient[0] + baseline * gradient[1], ddof=1) / n**0.5), 1e-10)
    difference = float(rmse[0] - rmse[1])
    quantile = float(stats.t.ppf(0.975, n - 1))
    return {
        "candidate": float(rmse[0]), "baseline": float(rmse[1]), "difference": difference,
        "standard_error": error, "t": difference / error, "df": n - 1, "t_quantile": quantile,
        "p_worse": float(stats.t.sf(difference / error, n - 1)),
        "interval": [difference - quantile * error, difference + quantile * error],
    }


def compare(rows, candidate, baseline):
    """candidate and baseline: prediction - label per row; rows: which of them count."""
    c, b = candidate[rows], baseline[rows]
    return {"rows": len(c), "squared_error": paired(c**2, b**2), "absolute_error": paired(abs(c), abs(b)),
            "rmse": rmse_difference(c**2, b**2)}


def write_gate(x, y, is_train, predictions):
    ye, sex = y[~is_train], x[~is_train, 1]
    comparisons = []
    for baseline_alpha in (0.1, 1.2):
        c, b = predictions[0.4] - ye, predictions[baseline_alpha] - ye
        slices = [{"sex": value, **compare(sex == value, c, b)} for value in SEX]
        for name in ("squared_error", "absolute_error", "rmse"):
            adjusted = multipletests([s[name]["p_worse"] for s in slices], method="holm")[1]
            for one, p in zip(slices, adjusted):
                one[name]["p_worse_holm"] = float(p)
        overall = compare(np.full(len(c), True), c, b)
        comparisons.append({
            "candidate_alpha": 0.4, "baseline_alpha": baseline_alpha, "overall": overall, "by_sex": slices,
            "squared_error_differences": floats(c**2 - b**2),
            "absolute_error_differences": floats(abs(c) - abs(b)),
        })
        for where, one in [("overall", overall)] + [(f"sex {s['sex']}", s) for s in slices]:
            print(f"0.4 against {baseline_alpha}, {where}, {one['rows']} rows: squared error"
                  f" {one['squared_error']['mean']!r} p {one['squared_error']['p_worse']!r},"
                  f" rmse {one['rmse']['difference']!r} p {one['rmse']['p_worse']!r}")
    write_json("gate.json", "Errors are prediction - label on the eval rows in file order, predictions are the exact "
               "ones of ridge.json rounded to f64. Differences are candidate - baseline, so that positive is worse. "
               "sd and covariance have divisor n - 1. p_worse is one-sided, H1: the mean difference is above 0 "
               "(scipy.stats.ttest_rel(alternative='greater')); interval is two-sided, 95 %. rmse: delta method, "
               "gradient of sqrt(m_c) - sqrt(m_b) at the two mean squared errors, their sample covariance / n, "
               "Student's t with n - 1 degrees of freedom. p_worse_holm: statsmodels multipletests(method='holm') "
               "over the two slices of one metric in one comparison.",
               {"eval_rows": np.flatnonzero(~is_train).tolist(), "comparisons": comparisons})


# ---- transform -------------------------------------------------------------------------------------------------

def write_transform(x, y, is_train):
    names, table = FEATURES + ["target"], np.column_stack([x, y])
    scaler = StandardScaler().fit(table[is_train])
    first = np.flatnonzero(~is_train)[:3]
    nan = float("nan")
    numbers = [7.0, 1.0, nan, 2.0, 2.0, nan, 4.0, 8.0]
    tied = [3.0, 1.0, nan, 3.0, 1.0]
    imputers = []
    for given in (numbers, tied):
        for strategy in ("mean", "median", "most_frequent"):
            imputer = SimpleImputer(strategy=strategy)
            out = imputer.fit_transform(np.array(given).reshape(-1, 1)).ravel()
            imputers.append({"input": [None if v != v else v for v in given], "strategy": strategy,
                             "value": float(imputer.statistics_[0]), "output": floats(out)})
    words = ["b", "a", "B", "a", "", "é", "c10", "c9"]
    asked = ["a", "unseen", "é"]
    encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
    encoder.fit(np.array(words, dtype=object).reshape(-1, 1))
    rows = encoder.transform(np.array(asked, dtype=object).reshape(-1, 1))
    write_json("transform.json", "StandardScaler (divisor n), fitted on the train rows, applied to the first three "
               "eval rows in file order (rows counts from 0). SimpleImputer: null stands for NaN; among equally "
               "frequent values most_frequent takes the smallest. OneHotEncoder(handle_unknown='ignore'): categories "
               "sorted by code point; an unseen value gives zeros.",
               {"standard_scaler": {"columns": names, "mean": floats(scaler.mean_), "scale": floats(scaler.scale_),
                                    "rows": first.tolist(),
                                    "transformed": [floats(r) for r in scaler.transform(table[first])]},
                "simple_imputer": imputers,
                "one_hot_encoder": {"fitted_on": words, "categories": list(encoder.categories_[0]), "input": asked,
                                    "output": [floats(r) for r in rows]}})


def main():
    data = write_data()
    x, y, is_train = read_data()
    assert x.tobytes() == np.ascontiguousarray(data.data).tobytes() and (y == data.target).all()
    assert sorted(set(x[:, 1].tolist()), reverse=True) == SEX
    print(", ".join(f"{k} {v}" for k, v in VERSIONS.items()))
    print(f"{len(y)} rows, train {is_train.sum()}, eval {(~is_train).sum()}, eval by sex"
          f" {[int((x[~is_train, 1] == v).sum()) for v in SEX]}")
    predictions = write_ridge(x, y, is_train)
    write_moments(x, y, is_train)
    write_gate(x, y, is_train, predictions)
    write_transform(x, y, is_train)


if __name__ == "__main__":
    main()
