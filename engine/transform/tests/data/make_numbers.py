"""Reference values for the operations on numbers: what scikit-learn makes of columns like those of the taxi and Adult
data. Writes numbers.json beside it.

    python make_numbers.py [FOLDER_OF_DATASETS]

The folder holds taxi/taxi_part1.csv and adult/adult.data; without it, their cases are left out.
"""

import json
import sys
from pathlib import Path

import numpy
import scipy
import sklearn
from scipy import integrate, special, stats
from scipy.optimize import brentq, fsolve
from sklearn.decomposition import PCA
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

EXTENDED = numpy.longdouble


def columns():
    """Columns like those of the two tables: None is null."""
    random = numpy.random.default_rng(5)
    rows = 60
    fare = numpy.round(numpy.exp(random.normal(2.3, 0.8, rows)), 2)
    miles = numpy.round(random.gamma(1.2, 3.0, rows), 1)
    seconds = numpy.round(60 * random.gamma(2.0, 6.0, rows))
    age = random.integers(17, 91, rows).astype(float)
    gain = numpy.where(random.random(rows) < 0.9, 0, numpy.round(numpy.exp(random.normal(8, 1, rows))))
    weight = numpy.round(numpy.exp(random.normal(12, 0.5, rows)))
    change = numpy.round(random.normal(0.5, 3.0, rows) + random.exponential(2.0, rows), 3)
    longitude = -87.65 + numpy.round(random.normal(0, 0.05, rows), 9)
    table = dict(
        fare=fare, miles=miles, seconds=seconds, age=age, gain=gain, weight=weight, change=change, longitude=longitude
    )
    for name, share in [("fare", 0.05), ("miles", 0.1), ("change", 0.07)]:
        table[name][random.random(rows) < share] = numpy.nan
    table["flat"] = numpy.full(rows, 3.5)
    return table


def power_of(values, power, method):
    """The transform, from logarithms in extended precision, and its derivative by the power."""
    values = values.astype(EXTENDED)
    power = EXTENDED(power)
    logs = numpy.log(values) if method == "box_cox" else numpy.sign(values) * numpy.log1p(numpy.abs(values))
    below = logs < 0 if method == "yeo_johnson" else numpy.zeros(len(logs), bool)
    exponent = numpy.where(below, 2 - power, power)
    logs_up = numpy.where(below, -logs, logs)
    raised = numpy.expm1(exponent * logs_up) / exponent
    slope = (logs_up * numpy.exp(exponent * logs_up) - raised) / exponent
    return numpy.where(below, -raised, raised), slope, logs


def best_power(values, method, near):
    """The power at which the derivative of the likelihood is 0."""

    def slope(power):
        raised, change, logs = power_of(values, power, method)
        variance = numpy.var(raised)
        covariance = numpy.mean((raised - raised.mean()) * (change - change.mean()))
        return float(logs.mean() - covariance / variance)

    return brentq(slope, near - 0.05, near + 0.05, xtol=1e-15, rtol=1e-15)


def likelihood(values, power, method):
    raised, _, logs = power_of(values, power, method)
    return float(-numpy.log(numpy.var(raised)) / 2 + (EXTENDED(power) - 1) * logs.mean())


def power_case(name, values, method):
    known = values[~numpy.isnan(values)]
    transformer = PowerTransformer(method=method.replace("_", "-")).fit(known.reshape(-1, 1))
    power = best_power(known, method, transformer.lambdas_[0])
    raised, _, _ = power_of(known, power, method)
    result = numpy.full(len(values), numpy.nan)
    result[~numpy.isnan(values)] = (raised - raised.mean()) / raised.std()
    return {
        "column": name,
        "method": method,
        "scikit_learn_lambda": transformer.lambdas_[0],
        "lambda": power,
        "scikit_learn_likelihood": likelihood(known, transformer.lambdas_[0], method),
        "center": float(raised.mean()),
        "scale": float(raised.std()),
        "output": result,
    }


def cases(table):
    """Operations with the features that they leave."""

    def one(name, transformer):
        return transformer.fit_transform(table[name].reshape(-1, 1))[:, 0]

    numbers = ["fare", "miles", "seconds", "age", "gain", "weight", "change", "longitude", "flat"]
    result = []

    def add(operation, options, outputs):
        result.append({"operations": [{operation: options}], "outputs": outputs})

    add("standardize", {"columns": numbers}, {n: one(n, StandardScaler()) for n in numbers})
    add("scale_to_range", {"columns": numbers}, {n: one(n, MinMaxScaler()) for n in numbers})
    add(
        "scale_to_range",
        {"columns": numbers, "range": [-2, 3], "clip": True},
        {n: one(n, MinMaxScaler((-2, 3), clip=True)) for n in numbers},
    )
    add("max_abs_scale", {"columns": numbers}, {n: one(n, MaxAbsScaler()) for n in numbers})
    add("robust_scale", {"columns": numbers}, {n: one(n, RobustScaler()) for n in numbers})
    add(
        "robust_scale",
        {"columns": numbers, "quantiles": [0.05, 0.9]},
        {n: one(n, RobustScaler(quantile_range=(5.0, 90.0))) for n in numbers},
    )
    for function, of in [
        ("abs", numpy.abs),
        ("ceil", numpy.ceil),
        ("cos", numpy.cos),
        ("floor", numpy.floor),
        ("log1p", lambda x: numpy.log1p(numpy.abs(x))),
        ("negate", numpy.negative),
        ("round", numpy.round),
        ("sign", numpy.sign),
        ("sin", numpy.sin),
        ("square", numpy.square),
        ("tanh", numpy.tanh),
    ]:
        names = [n for n in numbers if function != "log1p" or n not in ("change", "longitude")]
        add("math", {"columns": names, "function": function}, {n: of(table[n]) for n in names})
    positive = ["seconds", "age", "weight"]
    for function, of in [
        ("log", numpy.log),
        ("log10", numpy.log10),
        ("log2", numpy.log2),
        ("sqrt", numpy.sqrt),
        ("reciprocal", numpy.reciprocal),
    ]:
        add("math", {"columns": positive, "function": function}, {n: of(table[n]) for n in positive})
    for function, of in [("exp", numpy.exp), ("sigmoid", lambda x: 1 / (1 + numpy.exp(-x)))]:
        names = ["miles", "change", "age"]
        add("math", {"columns": names, "function": function}, {n: of(table[n]) for n in names})
    add(
        "clip",
        {"columns": numbers, "at_least": 0.5, "at_most": 40},
        {n: numpy.clip(table[n], 0.5, 40) for n in numbers},
    )
    full = ["seconds", "age", "gain", "weight", "longitude"]

    def bins(strategy, count, name):
        options = {"quantile_method": "linear"} if strategy == "quantile" else {}
        return one(name, KBinsDiscretizer(count, encode="ordinal", strategy=strategy, subsample=None, **options))

    for count, of in [(10, full), (4, full)]:
        # Where edges coincide, scikit-learn takes the first of them out, TFT and we keep one as well.
        names = [n for n in of if n != "gain"]
        for by, strategy in [("quantile", "quantile"), ("width", "uniform")]:
            add(
                "bucketize",
                {"columns": names, "buckets": count, "by": by, "output": "number"},
                {n: bins(strategy, count, n) for n in names},
            )
    for count in (60, 25):
        for output in ("uniform", "normal"):
            def spread(count=count, output=output):
                return QuantileTransformer(n_quantiles=count, output_distribution=output, subsample=None)

            add(
                "quantile_transform",
                {"columns": numbers, "quantiles": count, "output": output},
                {n: one(n, spread()) for n in numbers},
            )
    few = ["seconds", "age", "longitude"]
    for degree, crossed in [(2, False), (4, False), (3, True)]:
        features = PolynomialFeatures(degree, interaction_only=crossed, include_bias=False)
        matrix = features.fit_transform(numpy.column_stack([table[n] for n in few]))
        result.append(
            {
                "operations": [{"polynomial": {"columns": few, "degree": degree, "interaction_only": crossed}}],
                "in_order": list(matrix.T),
            }
        )
    return result


def components(rows, whiten, count):
    pca = PCA(count, whiten=whiten, svd_solver="full").fit(rows)
    return {
        "variances": list(pca.explained_variance_),
        "loadings": [list(row) for row in pca.components_],
        "outputs": list(pca.transform(rows).T),
    }


def pca_cases(table):
    names = ["seconds", "age", "change", "miles"]
    rows = numpy.column_stack([table[n] for n in names])
    whole = ~numpy.isnan(rows).any(axis=1)
    result = []
    for whiten, count in [(False, 4), (True, 2)]:
        case = components(rows[whole], whiten, count)
        outputs = []
        for output in case.pop("outputs"):
            spread = numpy.full(len(rows), numpy.nan)
            spread[whole] = output
            outputs.append(spread)
        options = {"columns": names, "components": count, "whiten": whiten}
        result.append({"options": options, **case, "outputs": outputs})
    return result


def l_moments_of_tails(lower, upper):
    """The first four L-moments of Tukey's hh distribution, by integration."""

    def moment(order):
        polynomial = special.sh_legendre(order - 1)

        def side(tail, sign):
            def integrand(u):
                return u * numpy.exp(tail * u * u / 2) * polynomial(stats.norm.cdf(sign * u)) * stats.norm.pdf(u)

            return integrate.quad(integrand, 0, 37, epsabs=1e-13, epsrel=1e-13, limit=500)[0]

        return side(upper, 1) - side(lower, -1)

    return [moment(order) for order in range(1, 5)]


def gaussian_case(name, values):
    known = values[~numpy.isnan(values)]
    mean, scale, skewness, kurtosis = stats.lmoment(known, order=[1, 2, 3, 4], standardize=True)
    case = {"column": name, "lower": 0.0, "upper": 0.0, "location": known.mean(), "scale": known.std()}
    if kurtosis < 0.12260172:
        return case

    def shape(lower, upper):
        _, second, third, fourth = l_moments_of_tails(lower, upper)
        return third / second, fourth / second

    upper = brentq(lambda upper: shape(0, upper)[1] - kurtosis, 0, 0.98, xtol=1e-12)
    lower = 0.0
    if shape(0, upper)[0] > abs(skewness):
        found = fsolve(
            lambda tails: numpy.subtract(shape(*tails), (abs(skewness), kurtosis)), (upper / 2, upper / 2), xtol=1e-13
        )
        lower, upper = found
    if skewness < 0:
        lower, upper = upper, lower
    first, second, _, _ = l_moments_of_tails(lower, upper)
    scale = scale / second
    case.update(lower=lower, upper=upper, scale=scale, location=mean - scale * first)
    return case


def many():
    """More distinct values than one scan tells all about; the same formula stands in the test."""
    index = numpy.arange(20011)
    share = (index * 7919 % 20011) / 20011
    return {"positive": share**3 * 50 + 0.01, "signed": share**3 * 50 - 5.0}


def real(folder):
    """Powers, quartiles and directions of the real columns."""
    taxi = numpy.genfromtxt(folder / "taxi/taxi_part1.csv", delimiter=",", names=True, usecols=(1, 10, 15))
    adult = numpy.genfromtxt(folder / "adult/adult.data", delimiter=",", usecols=(0, 2, 4, 12))
    adult = adult[~numpy.isnan(adult).any(axis=1)]
    result = []
    for file, names, rows in [
        ("taxi/taxi_part1.csv", ["fare", "trip_miles", "trip_seconds"], [taxi[n] for n in taxi.dtype.names]),
        ("adult/adult.data", ["age", "fnlwgt", "education_num", "hours_per_week"], list(adult.T)),
    ]:
        whole = numpy.column_stack(rows)
        whole = whole[~numpy.isnan(whole).any(axis=1)]
        scaled = StandardScaler().fit_transform(whole)
        entry = {"file": file, "columns": [], **{k: v for k, v in components(scaled, False, 2).items() if k != "outputs"}}
        for name, values in zip(names, rows):
            power = power_case(name, values, "yeo_johnson")
            power.pop("output")
            robust = RobustScaler().fit(values.reshape(-1, 1))
            power.update(center_of_quartiles=robust.center_[0], width_of_quartiles=robust.scale_[0])
            entry["columns"].append(power)
        result.append(entry)
    return result


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, numpy.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, (float, numpy.floating)):
        return None if numpy.isnan(value) else float(value)
    return value


def main():
    numpy.seterr(over="ignore")
    table = columns()
    powers = [power_case(n, table[n], "yeo_johnson") for n in ["fare", "miles", "age", "gain", "change", "weight"]]
    powers += [power_case(n, table[n], "box_cox") for n in ["fare", "age", "weight"]]
    of_many = many()
    large = [power_case(n, of_many[n], m) for n, m in
             [("positive", "box_cox"), ("positive", "yeo_johnson"), ("signed", "yeo_johnson")]]
    for case in large:
        case.pop("output")
    result = {
        "versions": {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__, "numpy": numpy.__version__},
        "columns": table,
        "cases": cases(table),
        "powers": powers,
        "many": large,
        "gaussian": [gaussian_case(n, table[n]) for n in ["fare", "miles", "age", "weight", "change", "longitude"]],
        "pca": pca_cases(table),
        "real": real(Path(sys.argv[1])) if len(sys.argv) > 1 else [],
    }
    target = Path(__file__).with_name("numbers.json")
    target.write_text(json.dumps(plain(result), separators=(",", ":"), sort_keys=True) + "\n")


main()
