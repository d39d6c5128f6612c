"""Adult and California housing: a network of sluice beside the same one in PyTorch, several seeds each.

Same rows and split, same features (standardised numbers, vectors of the same width for levels), same layers, start weights
of the same distribution, AdamW, batch size, early stopping on the same validation rows with the best weights kept. Prints
mean and 95 % interval (t) over the seeds of AUC and log loss (Adult), RMSE (housing) on the evaluation rows, and of the
difference.

    quality.py --sluice target/release/sluice --data ../shared/datasets --work FOLDER [--seeds 5]
"""

import argparse
import csv
import json
import pathlib
import subprocess

import numpy as np
import torch

T95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}

ADULT = ["age", "workclass", "fnlwgt", "education", "education_num", "marital", "occupation", "relationship", "race",
         "sex", "capital_gain", "capital_loss", "hours", "country", "income"]
ADULT_NUMBERS = ["age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours"]
ADULT_LEVELS = ["workclass", "education", "marital", "occupation", "relationship", "race", "sex", "country"]
HOUSING_NUMBERS = ["longitude", "latitude", "housing_median_age", "total_rooms", "total_bedrooms", "population",
                   "households", "median_income"]

PIPELINE = """
pipeline: quality
data:
  inputs: {{ rows: rows.csv }}
  roles: {{ label: {label} }}
  subsets: {{ by: subset }}
transform:
  - standardize: [{numbers}]
  - one_hot: [{levels}]
onnx: off
train:
  network:
    architecture: {{ mlp: {{ hidden: [64, 64] }} }}
    embeddings: {{ {widths} }}
    optimizer: {{ adamw: {{ learning_rate: 0.001, weight_decay: 0.01 }} }}
    batch_size: 256
    epochs: {epochs}
    seed: {seed}
    early_stopping: {{ patience: 5 }}
evaluate: {{ accept_any: true }}
"""


def adult(data):
    rows = []
    for name, subset in (("adult.data", None), ("adult.test", "eval")):
        for line in (data / "adult" / name).read_text().splitlines():
            cells = [cell.strip() for cell in line.split(",")]
            if len(cells) == len(ADULT):
                cells[-1] = cells[-1].rstrip(".")
                rows.append(dict(zip(ADULT, cells), subset=subset))
    return rows, "income", ADULT_NUMBERS, ADULT_LEVELS


def housing(data):
    rows = []
    with open(data / "housing" / "housing.csv") as file:
        for row in csv.DictReader(file):
            if row["total_bedrooms"]:
                rows.append(dict(row, subset=None))
    order = np.random.default_rng(1).permutation(len(rows))
    for place in order[: len(rows) // 5]:
        rows[place]["subset"] = "eval"
    return rows, "median_house_value", HOUSING_NUMBERS, ["ocean_proximity"]


def split(rows):
    """A fifth of the rows that are left is for validation."""
    left = [row for row in rows if row["subset"] is None]
    order = np.random.default_rng(2).permutation(len(left))
    for place, row in zip(order, left):
        row["subset"] = "validation" if place % 5 == 0 else "train"


def width(ids):
    return max(1, min(50, round(1.6 * ids**0.56)))


def arrays(rows, label, numbers, levels):
    train = [row for row in rows if row["subset"] == "train"]
    table = {}
    x = np.array([[float(row[name]) for name in numbers] for row in train])
    mean, deviation = x.mean(0), x.std(0)
    known = [sorted({row[name] for row in train}) for name in levels]
    for subset in ("train", "validation", "eval"):
        own = [row for row in rows if row["subset"] == subset]
        x = (np.array([[float(row[name]) for name in numbers] for row in own]) - mean) / deviation
        ids = np.array([[values.index(row[name]) if row[name] in values else len(values)
                         for name, values in zip(levels, known)] for row in own])
        if label == "income":
            y = np.array([row[label] == ">50K" for row in own], np.float32)
        else:
            y = np.array([float(row[label]) for row in own], np.float64)
        table[subset] = (torch.tensor(x, dtype=torch.float32), torch.tensor(ids), y)
    return table, [len(values) + 1 for values in known]


class Network(torch.nn.Module):
    def __init__(self, numbers, ids):
        super().__init__()
        self.vectors = torch.nn.ModuleList(torch.nn.Embedding(count, width(count)) for count in ids)
        for vectors in self.vectors:
            bound = vectors.embedding_dim ** -0.5
            torch.nn.init.uniform_(vectors.weight, -bound, bound)
        inputs = numbers + sum(width(count) for count in ids)
        self.layers = torch.nn.Sequential(torch.nn.Linear(inputs, 64), torch.nn.ReLU(), torch.nn.Linear(64, 64),
                                          torch.nn.ReLU(), torch.nn.Linear(64, 1))

    def forward(self, x, ids):
        parts = [x] + [vectors(ids[:, place]) for place, vectors in enumerate(self.vectors)]
        return self.layers(torch.cat(parts, 1))[:, 0]


def peer(table, ids, seed, epochs, is_binary):
    torch.manual_seed(seed)
    x, codes, y = table["train"]
    mean, deviation = (0.0, 1.0) if is_binary else (y.mean(), y.std())
    target = lambda y: torch.tensor((y - mean) / deviation, dtype=torch.float32)
    loss = torch.nn.BCEWithLogitsLoss() if is_binary else torch.nn.MSELoss()
    network = Network(x.shape[1], ids)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.001, weight_decay=0.01)
    labels, best, since = target(y), (np.inf, None), 0
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for first in range(0, len(x), 256):
            batch = order[first : first + 256]
            optimizer.zero_grad()
            loss(network(x[batch], codes[batch]), labels[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            vx, vc, vy = table["validation"]
            now = loss(network(vx, vc), target(vy)).item()
        if now < best[0]:
            best, since = (now, {name: value.clone() for name, value in network.state_dict().items()}), 0
        else:
            since += 1
            if since >= 5:
                break
    network.load_state_dict(best[1])
    with torch.no_grad():
        ex, ec, _ = table["eval"]
        sums = network(ex, ec).numpy().astype(np.float64)
    return 1 / (1 + np.exp(-sums)) if is_binary else sums * deviation + mean


def figures(predicted, y, is_binary):
    if not is_binary:
        return {"rmse": float(np.sqrt(np.mean((predicted - y) ** 2)))}
    order = np.argsort(predicted, kind="stable")
    values, places = np.unique(predicted, return_inverse=True)
    counts = np.bincount(places)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[places]
    positive = y > 0.5
    n1, n0 = positive.sum(), (~positive).sum()
    auc = (rank[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)
    p = np.clip(predicted, 1e-12, 1 - 1e-12)
    return {"auc": float(auc), "log_loss": float(-np.mean(np.where(positive, np.log(p), np.log(1 - p))))}


def ours(sluice, work, seed, spec, y, is_binary):
    (work / "pipeline.yaml").write_text(PIPELINE.format(seed=seed, **spec))
    run = lambda *words: subprocess.run([sluice, *words], check=True, cwd=work, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
    if not (work / "transform").exists():
        run("ingest", "rows.csv", "--subset-column", "subset", "--out", "dataset")
        run("transform", "fit", "dataset", "--pipeline", "pipeline.yaml", "--out", "transform")
    run("train", "dataset", "--transform", "transform", "--pipeline", "pipeline.yaml", "--out", "model")
    run("predict", "model", "dataset", "--subset", "eval", "--keep", spec["label"], "--to", "arrow", "--out", "scored")
    import pyarrow.ipc
    parts = sorted((work / "scored").glob("*.arrow"))
    table = [pyarrow.ipc.open_file(part).read_all() for part in parts]
    predicted = np.concatenate([part["prediction"].to_numpy() for part in table])
    labels = np.concatenate([part[spec["label"]].to_numpy(zero_copy_only=False) for part in table])
    labels = (labels == ">50K").astype(np.float32) if is_binary else labels.astype(np.float64)
    return predicted, labels


def interval(values):
    values = np.array(values)
    half = T95[len(values)] * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.6g} ± {half:.2g}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sluice", required=True)
    arguments.add_argument("--data", type=pathlib.Path, required=True)
    arguments.add_argument("--work", type=pathlib.Path, required=True)
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument("--epochs", type=int, default=60)
    arguments = arguments.parse_args()
    torch.set_num_threads(1)
    for name, load, is_binary in (("adult", adult, True), ("housing", housing, False)):
        work = arguments.work / name
        work.mkdir(parents=True, exist_ok=True)
        rows, label, numbers, levels = load(arguments.data)
        split(rows)
        with open(work / "rows.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        table, ids = arrays(rows, label, numbers, levels)
        widths = ", ".join(f"{level}: {width(count)}" for level, count in zip(levels, ids))
        spec = dict(label=label, numbers=", ".join(numbers), levels=", ".join(levels), widths=widths,
                    epochs=arguments.epochs)
        found = {"sluice": [], "torch": []}
        for seed in range(arguments.seeds):
            predicted, labels = ours(arguments.sluice, work, seed, spec, table["eval"][2], is_binary)
            found["sluice"].append(figures(predicted, labels, is_binary))
            predicted = peer(table, ids, seed, arguments.epochs, is_binary)
            found["torch"].append(figures(predicted, table["eval"][2], is_binary))
            print(name, seed, found["sluice"][-1], found["torch"][-1], flush=True)
        for figure in found["sluice"][0]:
            of = {who: [run[figure] for run in runs] for who, runs in found.items()}
            apart = [a - b for a, b in zip(of["sluice"], of["torch"])]
            print(f"{name} {figure}: sluice {interval(of['sluice'])}, torch {interval(of['torch'])}, "
                  f"difference {interval(apart)} over {arguments.seeds} seeds", flush=True)


main()
