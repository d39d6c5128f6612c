"""Records of `tf.Example` that the package tfrecord writes and reads: the same values in both directions.

Its records go in as Split-train (plain) and Split-eval (gzip), come out of `sluice ingest --to tfrecord`, and are
compared feature by feature, checksums too; statistics are compared with NumPy's figures. A table goes the other way.
"""

import argparse
import gzip
import json
import pathlib
import random
import struct
import subprocess

import numpy as np
from tfrecord import example_pb2
from tfrecord.reader import tfrecord_iterator
from tfrecord.writer import TFRecordWriter

FILE = "data_tfrecord-00000-of-00001"
ROWS = {"train": 3000, "eval": 1000}


def record(row, generator):
    """What a row holds; a name that is left out is null."""
    features = {
        "n": (generator.randrange(-(2**63), 2**63), "int"),
        "x": (np.float32(generator.gauss(3, 100)), "float"),
        "name": (f"röw {row}".encode(), "byte"),
        "bytes": (bytes([row % 256, 0xFF]), "byte"),
        "list": ([generator.randrange(1000) for _ in range(row % 4)], "int"),
        "nan": (float("nan") if row % 3 else 0.5, "float"),
    }
    if row % 5 == 0:
        del features["x"]
    if row % 7 == 0:
        del features["list"]
    return features


def records(path):
    """The features of each record, both checksums of which are checked."""
    found = []
    with gzip.open(path) as file:
        content = file.read()
    at = 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        data = content[at + 12 : at + 12 + length]
        assert content[at + 8 : at + 12] == TFRecordWriter.masked_crc(content[at : at + 8])
        assert content[at + 12 + length : at + 16 + length] == TFRecordWriter.masked_crc(data)
        found.append(values(example_pb2.Example.FromString(data)))
        at += 16 + length
    theirs = [values(example_pb2.Example.FromString(bytes(view))) for view in tfrecord_iterator(path, compression_type="gzip")]
    assert list(map(repr, found)) == list(map(repr, theirs))
    return found


def values(example):
    """Kind and values by name, without those that are null."""
    features = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        if kind is not None:
            features[name] = (kind, list(getattr(feature, kind).value))
    return features


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--sluice", required=True)
    arguments.add_argument("--work", required=True, type=pathlib.Path)
    arguments = arguments.parse_args()
    work = arguments.work

    def sluice(*parts, code=0):
        done = subprocess.run([arguments.sluice, *parts], cwd=work, capture_output=True, text=True, check=False)
        assert done.returncode == code, (parts, done)
        return done.stdout + done.stderr

    generator = random.Random(7)
    rows = {name: [record(row, generator) for row in range(count)] for name, count in ROWS.items()}
    for name, split in rows.items():
        folder = work / "tfx" / f"Split-{name}"
        folder.mkdir(parents=True)
        path = folder / FILE
        writer = TFRecordWriter(str(path))
        for features in split:
            writer.write(features)
        writer.close()
        if name == "eval":
            (folder / f"{FILE}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()

    compared = 0
    sluice("ingest", "tfx", "--to", "tfrecord", "--out", "examples")
    for name, split in rows.items():
        found = records(str(work / "examples" / f"Split-{name}" / f"{FILE}.gz"))
        assert len(found) == len(split)
        for expected, features in zip(split, found):
            wanted = values(example_pb2.Example.FromString(TFRecordWriter.serialize_tf_example(expected)))
            assert repr(sorted(wanted.items())) == repr(sorted(features.items())), (wanted, features)
            compared += len(wanted)

    statistics = json.loads(sluice("statistics", "tfx", "--json", "--quiet"))
    for subset in statistics["subsets"]:
        split = rows[subset["name"]]
        assert subset["num_rows"] == len(split)
        columns = {column["name"]: column for column in subset["columns"]}
        x = np.array([features["x"][0] for features in split if "x" in features], dtype=np.float64)
        assert abs(columns["x"]["numeric"]["mean"] - x.mean()) < 1e-9, columns["x"]
        assert columns["x"]["presence"]["num_missing"] == len(split) - len(x), columns["x"]

    (work / "table.csv").write_text("s,day,n,x,flag\ntrain,2024-02-29,1,0.5,true\neval,,,1e30,false\n")
    sluice("ingest", "table.csv", "--subset-column", "s", "--to", "tfrecord", "--out", "table")
    train = records(str(work / "table" / "Split-train" / f"{FILE}.gz"))
    expected = {
        "day": ("bytes_list", [b"2024-02-29"]), "n": ("int64_list", [1]), "x": ("float_list", [0.5]),
        "flag": ("int64_list", [1]),
    }
    assert train == [expected], train
    evaluation = records(str(work / "table" / "Split-eval" / f"{FILE}.gz"))
    assert evaluation == [{"x": ("float_list", [float(np.float32(1e30))]), "flag": ("int64_list", [0])}], evaluation

    damaged = work / "tfx" / "Split-train" / FILE
    content = bytearray(damaged.read_bytes())
    content[-2] ^= 1
    damaged.write_bytes(content)
    told = sluice("statistics", "tfx", code=4)
    assert f"record {ROWS['train']} (byte" in told and "checksum" in told, told
    print(f"{compared} features of {sum(ROWS.values())} records are the same in both directions")


main()
