"""Fits the domain classifier of `sluice drift` beside scikit-learn on the same rows, features and folds, and times both:
`python benches/drift/domain_peers.py SLUICE FOLDER [ROUNDS]`.

Two shapes, 2 x 100,000 rows x 15 columns (ten of numbers, five of labels) and 2 x 20,000 x 500 (numbers), are made in FOLDER
from a constant seed, each with a change and without. The features are those of docs/drift.md ("All columns at once"), written
anew in numpy, the folds those of the keyed numbers of rows, the fit is `LogisticRegression(C=1)` as it comes (lbfgs to a
tolerance of 1e-4) and by `newton-cholesky` to 1e-10, which says what the exact value is. Each in a fresh process, scikit-learn on one thread,
because more of them wait for one another by spinning; CPU is user and system time of the
whole process, memory the kernel's `ru_maxrss`. Needs numpy, scipy, pyarrow, scikit-learn and xxhash.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

SHAPES = {"100k x 15": (100_000, 10, 5), "20k x 500": (20_000, 500, 0)}
FOLDS, BINS, LABELS, MAX_WIDTH, MAX_PAIRED = 5, 10, 20, 400, 16


def make(folder, shape):
    """Then, now, and what differs from neither."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet

    rows, numbers, labels = SHAPES[shape]
    for seed, name in enumerate(("then", "now", "same")):
        rng, moved = np.random.default_rng(seed), float(name == "now")
        base = rng.normal(size=(rows, 2))
        columns = {}
        for at in range(numbers):
            x = 0.5 * base[:, at % 2] + rng.normal(size=rows)
            if at % 50 == 3:
                x = x + 0.12 * moved
            if at == 4:
                x = x + (0.6 - 0.3 * moved) * base[:, 1]
            if at % 5 == 0:
                x = np.exp(x)
            x = np.round(x) if at % 5 == 1 else x
            columns[f"x{at}"] = pa.array(x, mask=rng.random(rows) < (0.05 if at % 3 == 0 else 0.0))
        for at in range(labels):
            weights = 1.0 / np.arange(1, 10 ** (at % 3 + 1) + 1) ** 1.1
            if at == 1:
                weights[0] *= 1 + 0.1 * moved
            codes = rng.choice(len(weights), size=rows, p=weights / weights.sum())
            columns[f"label{at}"] = pa.array(np.array([f"level {n}" for n in range(len(weights))])[codes])
        pyarrow.parquet.write_table(pa.table(columns), folder / f"{name}.parquet", row_group_size=rows)


def folds_of(rows, is_current):
    """The folds of the rows of one file: xxh3 of the splitmix64 of seed, side, split and place (all of them the first here)."""
    import numpy as np
    import xxhash

    gamma = np.uint64(0x9E3779B97F4A7C15)

    def splitmix(keys):
        z = keys + gamma
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))

    one = lambda key: splitmix(np.array([key], dtype=np.uint64))
    side = one(0) + np.uint64(is_current)
    keys = splitmix(splitmix(splitmix(side)) + np.arange(rows, dtype=np.uint64))
    hashed = (xxhash.xxh3_64_intdigest(int(key).to_bytes(8, "little"), seed=0x666F6C642D6B6579) for key in keys)
    return np.array([number * FOLDS >> 64 for number in hashed])


def levels_of(column):
    """A column of both sides as levels."""
    import numpy as np
    import pyarrow as pa

    missing = column.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_string(column.type):
        text = column.to_numpy(zero_copy_only=False)
        counts = column.drop_null().value_counts()
        listed = sorted(zip(counts.field(1).to_pylist(), counts.field(0).to_pylist()), key=lambda it: (-it[0], it[1]))
        codes = {label: code for code, (_, label) in enumerate(listed[:LABELS])}
        levels = np.array([LABELS + 1 if label is None else codes.get(label, LABELS) for label in text])
        return np.unique(levels, return_inverse=True)[1], None
    values = column.to_numpy(zero_copy_only=False)
    ordered = np.sort(values[~missing])
    bounds = np.unique(ordered)
    bounds = np.unique(ordered[np.arange(1, BINS) * (len(ordered) - 1) // BINS]) if len(bounds) > BINS else bounds[:-1]
    levels = np.where(missing, BINS + 1, np.searchsorted(bounds, np.where(missing, 0.0, values), side="left"))
    return np.unique(levels, return_inverse=True)[1], (values, missing)


def scores_of(values, missing):
    import numpy as np
    from scipy.stats import norm, rankdata

    scores = np.zeros(len(values))
    known = values[~missing]
    scores[~missing] = norm.ppf((rankdata(known) - 0.5) / len(known))
    return scores


def scikit(folder, now, solver):
    """The mean of the folds' areas, weighted by their pairs of rows."""
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet
    from scipy.stats import chi2_contingency
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    sides = [pyarrow.parquet.read_table(folder / f"{name}.parquet") for name in (now, "then")]
    is_current = np.repeat([1, 0], [len(side) for side in sides])
    fold = np.concatenate([folds_of(len(side), at == 0) for at, side in enumerate(sides)])
    both = pa.concat_tables(sides)
    columns, scores = [], []
    for name in both.column_names:
        levels, numbers = levels_of(both[name].combine_chunks())
        columns.append(np.eye(levels.max() + 1, dtype=np.float64)[levels])
        scores += [scores_of(*numbers)] if numbers else []
    pairs = [x * y for at, x in enumerate(scores) for y in scores[at + 1 :]] if len(scores) <= MAX_PAIRED else []
    areas, weights = [], []
    for held in (fold == number for number in range(FOLDS)):
        kept = columns
        if sum(column.shape[1] for column in columns) + len(pairs) > MAX_WIDTH:
            tables = [np.array([column[~held & (is_current == side)].sum(axis=0) for side in (0, 1)]) for column in columns]
            tests = [chi2_contingency(table[:, table.sum(axis=0) > 0], correction=False) for table in tables]
            order = sorted(range(len(columns)), key=lambda at: -tests[at].statistic / tests[at].dof)
            kept, left = [], MAX_WIDTH - len(pairs)
            for at in order:
                left -= columns[at].shape[1]
                if left < 0:
                    break
                kept.append(at)
            kept = [columns[at] for at in sorted(kept)]
        matrix = np.column_stack(kept + pairs)
        model = LogisticRegression(C=1.0, solver=solver, max_iter=10_000, tol=1e-4 if solver == "lbfgs" else 1e-10)
        model.fit(matrix[~held], is_current[~held])
        areas.append(roc_auc_score(is_current[held], model.decision_function(matrix[held])))
        weights.append(float((is_current[held] == 1).sum()) * (is_current[held] == 0).sum())
    print(np.average(areas, weights=weights), matrix.shape[1])


def timed(command, codes):
    started = time.perf_counter()
    child = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE)
    text = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in codes:
        sys.exit(f"{command} ended with {child.returncode}")
    wall = time.perf_counter() - started
    return text, (wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def main():
    if sys.argv[1] == "--make":
        return make(Path(sys.argv[2]), sys.argv[3])
    if sys.argv[1] == "--scikit":
        return scikit(Path(sys.argv[2]), sys.argv[3], sys.argv[4])
    sluice, folder, rounds = sys.argv[1], Path(sys.argv[2]), int((sys.argv[3:] or [3])[0])
    areas, costs = [], {}
    for shape, (rows, _, _) in SHAPES.items():
        place = folder / shape.replace(" ", "")
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, __file__, "--make", place, shape], check=True)
        for now in ("now", "same"):
            drift = [sluice, "-q", "drift", place / f"{now}.parquet", "--against", place / "then.parquet", "--json"]
            classify = ["--domain-classifier", "--classifier-rows", str(rows)]
            peer = lambda solver: [sys.executable, "-W", "ignore", __file__, "--scikit", place, now, solver]
            contenders = {
                "sluice drift --domain-classifier": (drift + classify, (0, 1)),
                "the same, one thread": (drift + classify + ["--threads", "1"], (0, 1)),
                "sluice drift without it": (drift, (0, 1)),
                "scikit-learn, lbfgs": (peer("lbfgs"), (0,)),
                "scikit-learn, newton-cholesky": (peer("newton-cholesky"), (0,)),
            }
            found = {}
            for _ in range(rounds if now == "now" else 1):
                for name, (command, codes) in contenders.items():
                    found[name], cost = timed(command, codes)
                    if now == "now":
                        costs.setdefault((shape, name), []).append(cost)
            signal = json.loads(found["sluice drift --domain-classifier"])["subsets"][0]["domain_classifier"]["signal"]
            usual, width = found["scikit-learn, lbfgs"].split()
            exact, _ = found["scikit-learn, newton-cholesky"].split()
            areas.append((shape, now, int(width), signal["value"], float(usual), float(exact)))
    print("| shape | | features | sluice | scikit-learn, lbfgs | newton-cholesky | difference from that |\n|---|---|---:|---:|---:|---:|---:|")
    for shape, now, width, ours, usual, exact in areas:
        print(f"| {shape} | {now} | {width} | {ours:.8f} | {usual:.8f} | {exact:.8f} | {abs(ours - exact):.1e} |")
    print("\n| shape | | wall, least | CPU, least | peak memory |\n|---|---|---:|---:|---:|")
    for (shape, name), measured in costs.items():
        wall, cpu, memory = (min(column) for column in zip(*measured))
        print(f"| {shape} | {name} | {wall:.2f} s | {cpu:.2f} s | {memory:.0f} MiB |")
    print(f"load {os.getloadavg()[0]:.1f}")


main()
