"""What the parts share: the arguments, TFDV, our binary, and how tables become what TFDV takes."""

import argparse
import os
import pathlib
import subprocess

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pyarrow as pa
import tensorflow_data_validation as tfdv

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
DATASETS = pathlib.Path(os.environ.get("SLUICE_DATASETS", REPOSITORY.parent / "shared" / "datasets"))

parser = argparse.ArgumentParser()
parser.add_argument("--sluice", required=True)
parser.add_argument("--work", type=pathlib.Path, required=True)
arguments = parser.parse_args()

failures = []


def expect(holds, words):
    if not holds:
        failures.append(words)
        print("FAILED:", words)
    return holds


def sluice(*command, exits=(0,)):
    finished = subprocess.run([arguments.sluice, *map(str, command)], capture_output=True, text=True)
    assert finished.returncode in exits, (command, finished.returncode, finished.stdout, finished.stderr)
    return finished.stdout


def as_values(values):
    """A column in TFDV's types: true and false as 1 and 0, every field of a struct a list."""
    if pa.types.is_boolean(values.type):
        return values.cast(pa.int8())
    if pa.types.is_struct(values.type):
        names = [values.type.field(index).name for index in range(values.type.num_fields)]
        fields = [as_list(field) for field in values.flatten()]
        mask = values.is_null()
        return pa.StructArray.from_arrays(fields, names, mask=mask if values.null_count else None)
    if pa.types.is_list(values.type):
        return as_list(values)
    return values


def as_list(values):
    """A column as TFDV wants it: values in lists of one, nulls as null lists."""
    if pa.types.is_null(values.type):
        return values
    if pa.types.is_list(values.type):
        offsets = pa.array(values.offsets.to_numpy(), mask=ends_mask(values))
        return pa.ListArray.from_arrays(offsets, as_values(values.values))
    ends = np.cumsum(np.concatenate([[0], values.is_valid().to_numpy(zero_copy_only=False).astype(np.int32)]))
    return pa.ListArray.from_arrays(pa.array(ends.astype(np.int32), mask=ends_mask(values)), as_values(values.drop_null()))


def ends_mask(values):
    return np.concatenate([values.is_null().to_numpy(zero_copy_only=False), [False]])


def as_batch(table):
    """A table as a batch of TFDV's."""
    chunks = [table.column(name).combine_chunks() for name in table.column_names]
    # What was filtered may begin in the middle of its buffers.
    chunks = [pa.concat_arrays([chunk]) if chunk.offset == 0 else chunk.take(pa.array(range(len(chunk)))) for chunk in chunks]
    return pa.RecordBatch.from_arrays([as_list(chunk) for chunk in chunks], table.column_names)
