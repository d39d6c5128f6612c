"""Writes conformance.json: what pyarrow reads in the Parquet files of the shared data sets, as tests/conformance.rs
checks it, and what Python's csv module reads in the CSV files.

    pip install pyarrow==26.0.1
    python conformance.py ../../../shared/datasets

For each file: rows; for each column: nulls and a checksum, FNV-1a (64 bits) over its values in canonical text, each
ended by a line end. Canonical text: `null`; `true`; integers in decimal; floats as the 16 hex digits of the IEEE 754
double, all NaN being 7ff8000000000000; decimals as unscaled integer, `e-`, scale; text after `t`, bytes in hex after
`b`; days after `d`; microseconds after `u`, nanoseconds after `n`; lists in `[]`, structs in `{}` with names, maps in
`<>`, all with `,`. INT96 is read in microseconds.
"""

import csv
import json
import struct
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent


def fnv(values):
    state = 0xCBF29CE484222325
    for value in values:
        for byte in value.encode() + b"\n":
            state = ((state ^ byte) * 0x100000001B3) % 2**64
    return f"{state:016x}"


def real(value):
    return "7ff8000000000000" if value != value else struct.pack(">d", value).hex()


def canonical(scalar):
    kind = scalar.type
    if not scalar.is_valid:
        return "null"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return "[" + ",".join(canonical(item) for item in scalar.values) + "]"
    if pa.types.is_struct(kind):
        return "{" + ",".join(f"{name}:{canonical(scalar[name])}" for name in scalar) + "}"
    if pa.types.is_map(kind):
        pairs = (f"{canonical(entry['key'])}={canonical(entry['value'])}" for entry in entries(scalar))
        return "<" + ",".join(pairs) + ">"
    if pa.types.is_boolean(kind):
        return str(scalar.as_py()).lower()
    if pa.types.is_integer(kind):
        return str(scalar.as_py())
    if pa.types.is_floating(kind):
        return real(float(scalar.as_py()))
    if pa.types.is_decimal(kind):
        return f"{int(scalar.as_py().scaleb(kind.scale))}e-{kind.scale}"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "t" + scalar.as_py()
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return "b" + scalar.as_py().hex()
    if pa.types.is_date32(kind):
        return f"d{scalar.value}"
    if pa.types.is_timestamp(kind):
        unit = {"ms": ("u", 1000), "us": ("u", 1), "ns": ("n", 1)}[kind.unit]
        return f"{unit[0]}{scalar.value * unit[1]}"
    raise TypeError(kind)


def entries(scalar):
    keys, values = scalar.values.field(0), scalar.values.field(1)
    return [{"key": keys[i], "value": values[i]} for i in range(len(keys))]


def parquet(path):
    table = pq.read_table(path, coerce_int96_timestamp_unit="us")
    columns = [
        {"name": name, "nulls": column.null_count, "checksum": fnv(map(canonical, column))}
        for name, column in zip(table.column_names, table.columns)
    ]
    return {"rows": table.num_rows, "columns": columns}


def text(path):
    """By Python's csv module; blank lines are no rows. Cells are compared as text."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        header, *rows = [row for row in csv.reader(file, strict=True) if row]
    if any(len(row) != len(header) for row in rows):
        raise ValueError("ragged")
    columns = [
        {"name": name, "nulls": 0, "checksum": fnv("t" + row[i] for row in rows)} for i, name in enumerate(header)
    ]
    return {"rows": len(rows), "columns": columns}


def main(root):
    found = {}
    for path in sorted(root.glob("parquet/*/*.parquet")) + sorted(root.glob("csv/*/*.csv")):
        try:
            found[str(path.relative_to(root))] = (parquet if path.suffix == ".parquet" else text)(path)
        except (OSError, ValueError, csv.Error) as error:
            print(path.name, error, file=sys.stderr)
            found[str(path.relative_to(root))] = None
    lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in found.items()]
    (HERE / "conformance.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
