"""ONNX's checker and onnxruntime on the files of a model package: valid files, and the values of `sluice predict`.

A table with every kind of column that ONNX has, with nulls, NaN, infinities, extremes and texts that no training row
had, goes through a pipeline with every operation that is exported. Predictions are compared with those of `sluice predict`,
row by row; the functions of `math` with NumPy's. A graph that is not of a package is evaluated by the library.
"""

import argparse
import json
import os
import pathlib
import subprocess

import numpy as np
import onnx
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq

FUNCTIONS = {
    "abs": np.abs, "ceil": np.ceil, "cos": np.cos, "exp": np.exp, "floor": np.floor, "log": np.log, "log1p": np.log1p,
    "log10": np.log10, "log2": np.log2, "negate": np.negative, "reciprocal": np.reciprocal, "round": np.rint,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "sign": np.sign, "sin": np.sin, "sqrt": np.sqrt, "square": np.square,
    "tanh": np.tanh,
}
# What runtimes compute each in their way; all others must be the same number.
APPROXIMATE = {"cos", "exp", "log", "log1p", "log10", "log2", "sigmoid", "sin", "tanh"}
BOUND = 1e-12

PIPELINE = """
pipeline: onnx
data:
  inputs: {{ rows: rows.parquet }}
  roles: {{ label: y }}
  subsets: {{ by: subset }}
onnx: required
transform:
  - impute: {{ columns: [x], with: median, indicator: true }}
  - clip: {{ columns: [x], at_least: -1000, at_most: 1000 }}
  - standardize: [x]
  - impute: {{ columns: [n], with: most_frequent, as: [filled] }}
  - max_abs_scale: {{ columns: [filled], as: [share] }}
  - robust_scale: {{ columns: [filled], as: [robust] }}
  - scale_to_range: {{ columns: [filled], range: [-1, 3], clip: true, as: [range] }}
  - bucketize: {{ columns: [n], buckets: 4, as: [bucket] }}
  - bucketize: {{ columns: [filled], edges: [-2, 0.5], output: number, as: [third] }}
  - one_hot: {{ columns: [n, u, b, c], as: [level, unsigned, truth, company] }}
  - impute: {{ columns: [c], with: {{ constant: none }}, indicator: true, as: [named] }}
  - one_hot: {{ columns: [named], as: [named level] }}
  - ordinal: {{ columns: [c, n], unseen: -1, as: [place of c, place of n] }}
  - frequency: {{ columns: [c, b], as: [share of c, share of b] }}
  - target_mean: {{ columns: [c, n], as: [mean of c, mean of n] }}
  - vocabulary: {{ columns: [c], top: 4, as: [token] }}
  - cross: {{ columns: [c, b, n], max_levels: 2000 }}
  - standardize: {{ columns: [q], per: [c, b], as: [q by key] }}
  - scale_to_range: {{ columns: [q], per: [n], clip: true, as: [q in range] }}
  - impute: {{ columns: [x], with: median, per: [c], as: [x by key] }}
  - power_transform: {{ columns: [q], as: [power] }}
  - power_transform: {{ columns: [p], method: box_cox, as: [box] }}
  - quantile_transform: {{ columns: [q], quantiles: 100, as: [share of rows] }}
  - quantile_transform: {{ columns: [q], output: normal, as: [normal] }}
  - scale_to_gaussian: {{ columns: [q], as: [gaussian] }}
  - bucketize: {{ columns: [q], buckets: 7, interpolate: true, as: [among] }}
  - polynomial: {{ columns: [p, q], degree: 3 }}
  - pca: [p, q]
  - date_parts: {{ columns: [at], parts: [year, month, day, weekday, day_of_year, hour, minute, second, is_weekend] }}
  - date_parts: {{ columns: [day], parts: [quarter, days_since_epoch] }}
  - cyclic: {{ columns: [at], part: hour }}
  - cyclic: {{ columns: [q], period: 7.5 }}
  - haversine: {{ from: [q, p], to: [48.1, 11.6], as: far }}
  - derive:
      big: "CASE WHEN x > 5 AND n < 3 THEN 1 WHEN x IS NULL THEN 2 ELSE 0 END"
      filled x: "COALESCE(x, q, 3)"
      is so: "CASE WHEN NOT (x > q OR b) THEN p % 2 ELSE round(q, 1) END"
      named c: "CASE WHEN c IN ('c1', 'c2') THEN q / p ELSE pow(p, 0.3) END"
      sum: "COALESCE(n, 0) / 2 + COALESCE(n % 3, 0)"
      most: "GREATEST(x, q, COALESCE(n, 0))"
      late: "hour(at) * 60 + minute(at)"
      size: "CASE WHEN q > 10 THEN 'far' WHEN q > 0 THEN 'near' END"
  - one_hot: [size]
  - impute: {{ columns: [u, d, x by key, is so, named c], with: mean }}
{functions}
  - drop: [named]
train: {{ ridge: {{ alpha: 1.0 }} }}
evaluate: {{ accept_any: true }}
"""


NETWORK = """
pipeline: network
data:
  inputs: {{ rows: rows.parquet }}
  roles: {{ label: {label} }}
  subsets: {{ by: subset }}
onnx: required
transform:
  - impute: {{ columns: [x, q], with: median }}
  - clip: {{ columns: [x, q, p], at_least: -1000, at_most: 1000 }}
  - standardize: [x, q, p]
  - one_hot: [b]
  - vocabulary: {{ columns: [c], top: 5, output: number, as: [token] }}
train: {{ network: {{ {network}, epochs: 2, batch_size: 128 }} }}
evaluate: {{ accept_any: true }}
"""

# Every architecture, norm, embedding of numbers and link, each at least once.
NETWORKS = {
    "mlp": ("y", "architecture: { mlp: { hidden: [16, 8] } }, norm: batch, activation: elu"),
    "wide": ("b2", "architecture: { wide_and_deep: { hidden: [8] } }, activation: gelu, "
                   "numeric_embedding: { piecewise_linear: { bins: 6 } }"),
    "residual": ("c2", "architecture: { residual: { width: 12, blocks: 2 } }, norm: layer, activation: silu"),
    "interactions": ("n2", "architecture: { interactions: { dimension: 4, bottom: [8], hidden: [8] } }, loss: poisson, "
                           "numeric_embedding: { periodic: { frequencies: 3 } }"),
}


def networks(sluice, work, scored):
    """Networks: valid files, and the values of `sluice predict` to what single precision leaves."""
    rows = pq.read_table(work / "rows.parquet")
    q = rows["q"].to_numpy()
    rows = rows.append_column("b2", pa.array(np.where(q > 0, "yes", "no")))
    rows = rows.append_column("c2", pa.array([f"k{int(value) % 3}" for value in np.abs(q)]))
    rows = rows.append_column("n2", pa.array(np.abs(q).astype(np.int64) % 7))
    work = work / "networks"
    work.mkdir()
    pq.write_table(rows, work / "rows.parquet")
    pq.write_table(scored, work / "scored.parquet")
    largest = 0.0
    for name, (label, network) in NETWORKS.items():
        (work / f"{name}.yaml").write_text(NETWORK.format(label=label, network=network))
        sluice("run", f"networks/{name}.yaml", "--out", f"networks/{name}")
        package = work / name / "registry/network/versions/0001"
        record = json.loads((package / "onnx.json").read_text())["files"]
        onnx.checker.check_model(onnx.load(package / "model.onnx"), full_check=True)
        session = onnxruntime.InferenceSession(str(package / "model.onnx"), providers=["CPUExecutionProvider"])
        sluice("predict", package, "networks/scored.parquet", "--out", f"networks/{name}-scored")
        parts = sorted((work / f"{name}-scored").glob("*.parquet"))
        expected = pa.concat_tables(map(pq.read_table, parts))
        outputs = [record["prediction"], *record.get("further_predictions", [])]
        found = session.run(outputs, feed(session, record["inputs"], scored))
        for output, values in zip(outputs, found):
            reference = np.asarray(expected[output].to_numpy(), np.float64)
            with np.errstate(all="ignore"):
                bound = 1e-4 * (1 + np.abs(reference))
            apart = differ(values[:, 0], reference, bound)
            assert apart.size == 0, (name, [(row, values[row, 0], reference[row]) for row in apart[:5]])
            with np.errstate(all="ignore"):
                largest = max(largest, np.nanmax(np.abs(values[:, 0] - reference) / (1 + np.abs(reference))))
    print(f"networks: {', '.join(NETWORKS)}: at most {largest:.1e} apart")


def table(rows, seed, edges):
    random = np.random.default_rng(seed)

    def some(values, kind):
        return pa.array([None if random.random() < 0.2 else value for value in values], kind)

    x = random.normal(0, 30, rows)
    q = random.normal(0, 20, rows)
    at = random.integers(-(10**15), 2 * 10**15, rows)
    p = random.uniform(0.001, 20, rows)
    n = random.integers(-6, 7, rows).tolist()
    u = random.integers(0, 9, rows).tolist()
    c = [f"c{value}" for value in random.integers(0, 8, rows)]
    if edges:
        x[: len(edges)] = edges
        p[len(edges) : 2 * len(edges)] = edges
        q[2 * len(edges) : 3 * len(edges)] = edges
        at[:3] = [-1, 0, 951_868_799_999_999]
        n[:3], u[:2] = [2**63 - 1, -(2**63), 2**53 + 1], [2**64 - 1, 2**63]
        c[:3] = ["", "unseen", "Ünseen 🚫"]
    return pa.table({
        "x": pa.array([None if random.random() < 0.1 else value for value in x.tolist()], pa.float64()),
        "p": pa.array(p), "n": some(n, pa.int64()), "u": some(u, pa.uint64()),
        "d": some([float(value) for value in random.integers(0, 900, rows)], pa.float64()).cast(pa.decimal128(9, 2)),
        "c": some(c, pa.string()), "b": some((random.random(rows) < 0.4).tolist(), pa.bool_()),
        "q": pa.array(q), "at": pa.array(at, pa.int64()).cast(pa.timestamp("us")),
        "day": pa.array(at // 86_400_000_000, pa.int64()).cast(pa.int32()).cast(pa.date32()),
        "y": pa.array(random.normal(2, 1, rows)), "subset": ["eval" if row % 5 == 0 else "train" for row in range(rows)],
    })


def feed(session, described, rows):
    kinds = {"double": (np.float64, np.nan), "int64": (np.int64, 0), "uint64": (np.uint64, 0), "bool": (bool, False)}
    fed = {}
    for entry in described:
        column = rows[entry["column"]]
        if entry.get("is_null_mask"):
            values = np.asarray(column.is_null().to_pylist(), bool)
        elif "unit" in entry:
            width = pa.int32() if entry["unit"] == "days" else pa.int64()
            values = np.asarray(column.cast(width).to_pylist(), np.int64)
        elif entry["elements"] == "string":
            values = np.asarray([value or "" for value in column.to_pylist()], object)
        else:
            kind, missing = kinds[entry["elements"]]
            values = np.asarray([missing if value is None else value for value in column.to_pylist()], kind)
        fed[entry["name"]] = values.reshape(-1, 1)
    assert set(fed) == {entry.name for entry in session.get_inputs()}
    return fed


def differ(found, expected, bound):
    """The places where two arrays are more than a bound apart; NaN is NaN, an infinity itself."""
    with np.errstate(all="ignore"):
        close = (found == expected) | (np.abs(found - expected) <= bound) | (np.isnan(found) & np.isnan(expected))
    return np.flatnonzero(~close)


def foreign(sluice, work, scored):
    """A model of someone else, in single precision with all columns in one input, as `sluice evaluate` judges it."""
    weights = np.array([[0.25], [-0.5]], np.float32)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["X", "W"], ["product"]), onnx.helper.make_node("Add", ["product", "b"], ["y"])],
        "linear", [onnx.helper.make_tensor_value_info("X", onnx.TensorProto.FLOAT, [None, 2])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 1])],
        [onnx.numpy_helper.from_array(weights, "W"), onnx.numpy_helper.from_array(np.array([2], np.float32), "b")])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, work / "linear.onnx")
    rows = scored.slice(100)
    pq.write_table(rows, work / "rows-of-others.parquet")
    (work / "linear.yaml").write_text("label: y\nonnx: { file: linear.onnx, inputs: { X: [p, q] } }\n")
    sluice("evaluate", "rows-of-others.parquet", "--model", "linear.yaml", "--accept-any", "--out", "judged")
    judged = json.loads((work / "judged/metrics.json").read_text())["slices"][0]["candidate"]["rmse"]
    features = np.stack([rows["p"].to_numpy(), rows["q"].to_numpy()], axis=1).astype(np.float32)
    errors = features @ weights + np.float32(2) - rows["y"].to_numpy()[:, None]
    expected = np.sqrt(np.mean(np.square(errors, dtype=np.float64)))
    assert abs(judged / expected - 1) < 1e-6, (judged, expected)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--sluice", required=True)
    arguments.add_argument("--work", type=pathlib.Path, required=True)
    arguments = arguments.parse_args()
    work = arguments.work

    def sluice(*words):
        subprocess.run([arguments.sluice, *map(str, words)], check=True, cwd=work)

    libraries = sorted((pathlib.Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*"))
    os.environ["ORT_DYLIB_PATH"] = str(libraries[-1])
    edges = [np.nan, np.inf, -np.inf, 0.0, -0.0, 0.5, 1.5, 2.5, 1e300, -1e300, 5e-324, -1.0, 1e-12, 2.0**52 + 1, -0.3]
    pq.write_table(table(2000, 1, None), work / "rows.parquet")
    scored = table(500, 2, edges)
    pq.write_table(scored, work / "scored.parquet")
    functions = "\n".join(
        f"  - math: {{ columns: [p], function: {name}, as: [{name}] }}" for name in FUNCTIONS
    )
    (work / "pipeline.yaml").write_text(PIPELINE.format(functions=functions))
    sluice("run", "pipeline.yaml", "--out", "out")
    package = work / "out/registry/onnx/versions/0001"
    record = json.loads((package / "onnx.json").read_text())["files"]
    bounds = np.array(record["bounds"])
    sluice("predict", package, "scored.parquet", "--out", "predictions")
    parts = sorted((work / "predictions").glob("*.parquet"))
    expected = pa.concat_tables(map(pq.read_table, parts))["prediction"].to_numpy()
    expected = np.asarray(expected, np.float64)

    sessions = {}
    for name in ("transform", "model"):
        path = package / f"{name}.onnx"
        onnx.checker.check_model(onnx.load(path), full_check=True)
        sessions[name] = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    fed = feed(sessions["model"], record["inputs"], scored)
    found = sessions["model"].run([record["prediction"]], fed)[0]
    assert found.shape == (500, 1) and found.dtype == np.float64
    features = sessions["transform"].run([record["features"]], fed)[0]
    columns = json.loads(onnx.load(package / "transform.onnx").metadata_props[0].value)
    assert features.shape == (500, len(columns)) == (500, len(record["bounds"]))

    # A sum is as near as what is added is large.
    weights = json.loads((package / "model.json").read_text())["outputs"][0]
    coefficients = np.array([entry["value"] for entry in weights["coefficients"]])
    with np.errstate(all="ignore"):
        size = np.abs(features * coefficients).sum(axis=1) + abs(weights["intercept"])
        carried = (np.abs(coefficients) * bounds * (1 + np.abs(features))).sum(axis=1)
    apart = differ(found[:, 0], expected, np.where(np.isfinite(size), BOUND * size + carried, 0))
    assert apart.size == 0, [(row, found[row, 0], expected[row], scored.slice(row, 1).to_pylist()) for row in apart[:5]]
    assert 10 < np.isnan(expected).sum() < 100, "rows with and without a prediction"

    # All features, each within its bound.
    sluice("transform", "apply", "out/runs/0001/transform", "scored.parquet", "--matrix", "f64", "--to", "npy",
           "--out", "features")
    ours = np.load(next((work / "features").glob("*.npy")))
    assert ours.shape == features.shape
    with np.errstate(all="ignore"):
        apart = ~((features == ours) | (np.abs(features - ours) <= bounds * (1 + np.abs(ours)))
                  | (np.isnan(features) & np.isnan(ours)))
    assert not apart.any(), [(columns[column], features[row, column], ours[row, column], scored.slice(row, 1).to_pylist())
                             for row, column in np.argwhere(apart)[:8]]

    p = scored["p"].to_numpy()
    for name, function in FUNCTIONS.items():
        with np.errstate(all="ignore"):
            reference = function(p)
            bound = BOUND * (1 + np.abs(reference)) if name in APPROXIMATE else 0.0
        apart = differ(features[:, columns.index(name)], reference, bound)
        assert apart.size == 0, (name, [(p[row], features[row, columns.index(name)], reference[row]) for row in apart[:5]])

    foreign(sluice, work, scored)
    networks(sluice, work, scored)
    for size in (1, 7):
        for first in range(0, 500, 97):
            part = {name: values[first : first + size] for name, values in fed.items()}
            again = sessions["model"].run(None, part)[0][:, 0]
            whole = found[first : first + size, 0]
            assert differ(again, whole, BOUND * (1 + np.abs(whole))).size == 0, (first, size)
    with np.errstate(all="ignore"):
        largest = np.nanmax(np.abs(found[:, 0] - expected) / np.maximum(size, 1))
    print(f"onnx {onnx.__version__} and onnxruntime {onnxruntime.__version__}: 500 rows, {len(columns)} features, "
          f"predictions at most {largest:.1e} of what is added apart")


main()
