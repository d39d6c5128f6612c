"""Writes the hostile inputs of this folder; README.md says what each is for.

    pip install pyarrow==26.0.1
    python make.py

Without pyarrow only the text files are written. The same version writes the same bytes.
"""

import datetime as dt
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEADER = ["x", "z", "y", "subset"]


def numbers(i):
    """Row i: two features that are not collinear, and a label that is 2 x - 3 z + 1 but for a small remainder."""
    x, z = (i * 7 % 11) / 2, (i * 5 % 13) / 4 - 1.5
    return x, z, round(2 * x - 3 * z + 1 + (i * 3 % 5 - 2) / 10, 6)


def subset(i):
    return "eval" if i % 5 == 4 else "train"


def table(rows):
    return [[*map(str, numbers(i)), subset(i)] for i in range(rows)]


def text(header, rows, delimiter=",", end="\n"):
    return "".join(delimiter.join(row) + end for row in [header, *rows])


def write(name, content, encoding="utf-8"):
    (HERE / name).write_bytes(content if isinstance(content, bytes) else content.encode(encoding))


def shapes():
    rows = table(12)
    rows[4] = rows[4][:3]
    rows[8] = [*rows[8], "extra"]
    write("ragged.csv", text(HEADER, rows))
    write("header_only.csv", text(HEADER, []))
    write("empty.csv", b"")
    write("duplicate_columns.csv", text(["x", "z", "x", "y", "subset"],
                                        [[r[0], r[1], str(i), r[2], r[3]] for i, r in enumerate(table(12))]))
    write("semicolons.csv", text(HEADER, table(12), delimiter=";"))
    write("one_row.csv", text(HEADER, table(1)))
    write("zero_rows_in_subset.csv", text(HEADER, [[*r[:3], "train"] for r in table(15)]))


def bytes_and_quotes():
    write("bom_crlf.csv", b"\xef\xbb\xbf" + text(HEADER, table(12), end="\r\n").encode())
    notes = ['"two\nlines"', '"a, b"', '"says ""no"""', '""', "plain", '"\n"']
    with_note = [[*r[:3], notes[i % 6], r[3]] for i, r in enumerate(table(12))]
    write("quoted_newlines.csv", text(["x", "z", "y", "note", "subset"], with_note))
    cities = ["Zürich", "Málaga", "Köln", "Oslo"]
    with_city = [[*r[:3], cities[i % 4], r[3]] for i, r in enumerate(table(12))]
    write("latin1.csv", text(["x", "z", "y", "city", "subset"], with_city), encoding="latin-1")
    rows = [[*r[:3], "ab", r[3]] for r in table(12)]
    rows[3][3] = "a\0b"
    rows[6][0] += "\0"
    write("nul_bytes.csv", text(["x", "z", "y", "note", "subset"], rows))
    rows = table(12)
    rows[6][1] = '"' + rows[6][1]
    write("unterminated_quote.csv", text(HEADER, rows))


def values():
    zeros, codes = ["00", "01", "1", "10"], ["007", "0870", "7", "0012", "870"]
    write("leading_zeros.csv", text(["0", "code", *HEADER],
                                    [[zeros[i % 4], codes[i % 5], *r] for i, r in enumerate(table(15))]))
    write("all_null_column.csv", text(HEADER, [[r[0], "", *r[2:]] for r in table(15)]))
    write("constant_label.csv", text(HEADER, [[*r[:2], "3.5", r[3]] for r in table(30)]))
    rows = table(20)
    for i in (2, 4, 11):
        rows[i][2] = ""
    write("null_label.csv", text(HEADER, rows))
    rows = table(15)
    rows[5][0], rows[7][1] = "NaN", "inf"
    write("nan_feature.csv", text(HEADER, rows))


def parquet():
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        print("no pyarrow: parquet files left as they are")
        return
    n = 12
    rows = [numbers(i) for i in range(n)]
    z = [r[1] for r in rows]
    z[1], z[3], z[5], z[7], z[8] = None, float("nan"), float("inf"), float("-inf"), -0.0
    group = ["a", "b", None, "", "é", "a"] * 2
    utc = dt.timezone.utc
    day, instant = dt.date(1969, 12, 30), dt.datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=utc)
    columns = {
        "x": pa.array([int(2 * r[0]) for r in rows], pa.int64()),
        "z": pa.array(z, pa.float64(), from_pandas=False),
        "y": pa.array([r[2] for r in rows], pa.float64()),
        "big": pa.array([2**53 + 1, None, -(2**63), 2**63 - 1, *range(n - 4)], pa.int64()),
        "group": pa.array(group, pa.string()).dictionary_encode(),
        "flag": pa.array([True, False, None] * 4, pa.bool_()),
        "day": pa.array([None if i == 6 else day + dt.timedelta(days=i) for i in range(n)], pa.date32()),
        "at": pa.array([None if i == 9 else instant + dt.timedelta(hours=i) for i in range(n)],
                       pa.timestamp("us", tz="UTC")),
        "subset": pa.array([subset(i) for i in range(n)], pa.string()).dictionary_encode(),
    }
    target = HERE / "tiny.parquet"
    pq.write_table(pa.table(columns), target, row_group_size=7, compression="none")
    whole = target.read_bytes()
    write("truncated.parquet", whole[: len(whole) * 6 // 10])


def main():
    shapes()
    bytes_and_quotes()
    values()
    parquet()
    write("not_parquet.parquet", text(HEADER, table(3)))


if __name__ == "__main__":
    main()
