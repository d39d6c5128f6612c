"""Writes expected.json beside this file: what DuckDB answers to expressions over a small table.

    pip install duckdb==2.0.0
    python make.py

Columns of the table are written with it, so that the test builds the same. Left out is what this engine does
differently on purpose: NaN in comparisons and in `least` (IEEE here), `%` by zero (null here), integers against floats
beyond 2^53 (exact here).
"""

import datetime
import decimal
import json
import math
from pathlib import Path

import duckdb

COLUMNS = {
    "i": ("BIGINT", [1, -7, 0, None, 9007199254740993, 42, -1, 100, 5, None]),
    "k": ("BIGINT", [3, 2, -3, 5, 2, None, 7, -10, 5, 1]),
    "u": ("UBIGINT", [0, 1, 18446744073709551615, 7, None, 42, 9007199254740993, 3, 5, 9]),
    "x": ("DOUBLE", [1.5, -2.5, 0.0, 2.5, 9007199254740992.0, None, 1e300, -0.4, 5.0, 0.1]),
    "y": ("DOUBLE", [1.5, 2.0, -1.0, None, 0.5, 3.0, 1e-300, 12.345, 5.0, 0.3]),
    "w": ("DOUBLE", [math.nan, math.inf, -math.inf, 0.0, 1.0, None, -1.0, 4.0, 1e10, 2.0]),
    "d": ("DECIMAL(10,2)", ["1.50", "-2.55", "0.00", "99999999.99", None, "0.10", "5.00", "12.34", "-0.01", "7.25"]),
    "s": ("VARCHAR", ["Taxi", "", None, " padded ", "ñandú", "a%b_c", "TAXI co", "line\nbreak", "x", "taxi"]),
    "t": ("VARCHAR", ["taxi", "", "z", "12", " -5 ", None, "1e3", "true", "2024-02-29", "nope"]),
    "b": ("BOOLEAN", [True, False, None, True, False, None, True, False, True, None]),
    "c": ("BOOLEAN", [True, True, True, False, False, False, None, None, None, True]),
    "a": ("DATE", ["2024-02-29", "1969-12-31", "2000-01-01", None, "1900-03-01", "2023-12-31", "2024-01-07",
                   "1582-10-15", "9999-12-31", "2024-05-06"]),
    "e": ("DATE", ["2024-03-01", "1970-01-01", "1999-12-31", "2020-01-01", None, "2024-01-01", "2024-01-01",
                   "1582-10-14", "0001-01-01", "2024-05-06"]),
    "p": ("TIMESTAMP", ["2024-02-29 23:59:59.999999", "1969-12-31 23:59:59", "2000-01-01 00:00:00", None,
                        "1900-03-01 12:34:56.5", "2024-01-31 10:59:00", "2024-01-07 00:00:00", "1582-10-15 01:00:00",
                        "2024-12-31 13:00:00", "2024-05-06 07:08:09"]),
}

EXPRESSIONS = """
i + k | i - k | i * 2 | k % 3 | -7 % k | i / k | -i | +k | abs(k) | sign(k) | sign(x) | i + x | x * y | x / y | x - 1
x % 2 | u > 5 | d + 1 | d - 0.25 | d * 2 | d + d | d * d | d / 2 | d + x | abs(d) | -d
i = k | i <> k | i < k | i <= 5 | k > 2 | k >= 5 | i < x | u = i | u > i | u < 10 | u = 18446744073709551615
x = y | x < y | x >= 0 | d = 0.1 | d > 1.5 | d < x | d = 5 | d >= -0.01 | i = d | s = t | s < t | s >= 'a' | s <> 'x'
b AND c | b OR c | NOT b | b AND NOT c | (b OR c) AND i > 0 | b = c | b IS TRUE | b IS NOT TRUE | b IS FALSE | b IS NOT FALSE
b IS UNKNOWN | i IS NULL | s IS NOT NULL | i IS DISTINCT FROM k | i IS NOT DISTINCT FROM k | s IS DISTINCT FROM NULL
b IS NOT DISTINCT FROM c | x IS DISTINCT FROM y
i BETWEEN 0 AND 50 | i NOT BETWEEN 0 AND 50 | s BETWEEN 'A' AND 'b' | a BETWEEN DATE '2000-01-01' AND DATE '2024-02-29'
i IN (1, 42, 100) | i NOT IN (1, 42) | i IN (1, NULL) | s IN ('taxi', 'x') | s NOT IN ('taxi', NULL) | x IN (1.5, 5, 0.1)
u IN (7, 42) | k IN (i, 5) | d IN (1.5, 5)
s LIKE 'T%' | s LIKE '%a%' | s LIKE '_' | s NOT LIKE '%a%' | s LIKE 'a$%b$_c' ESCAPE '$' | s ILIKE 'taxi%' | s LIKE '%e%b%'
s LIKE '' | s ILIKE '%NDÚ'
CASE WHEN i > 10 THEN 'big' WHEN i < 0 THEN 'negative' ELSE 'small' END | CASE WHEN b THEN i END | CASE k WHEN 3 THEN 'three' WHEN 2 THEN 'two' END
CASE WHEN k <> 5 THEN 10 / (k - 5) ELSE 0 END | CASE WHEN b THEN x ELSE i END | CASE WHEN b THEN s ELSE t END
coalesce(i, k) | coalesce(i, 0) | coalesce(x, i) | coalesce(s, 'none') | coalesce(NULL, s, t) | ifnull(i, k) | nullif(k, 5) | nullif(s, 'x')
CAST(i AS DOUBLE) | CAST(x AS BIGINT) IS NULL | TRY_CAST(x AS BIGINT) | TRY_CAST(t AS DOUBLE) | TRY_CAST(t AS DATE) | TRY_CAST(t AS BOOLEAN)
CAST(k AS VARCHAR) | CAST(d AS VARCHAR) | CAST(a AS VARCHAR) | CAST(p AS VARCHAR) | CAST(b AS VARCHAR) | CAST(p AS DATE) | CAST(a AS TIMESTAMP)
CAST(d AS DOUBLE) | CAST(d AS BIGINT) | CAST(k AS BOOLEAN) | CAST(b AS INTEGER) | TRY_CAST(i AS TINYINT) | TRY_CAST(k AS UBIGINT) | TRY_CAST(y AS DECIMAL(6,2))
TRY_CAST(x AS INTEGER) | CAST(d AS DECIMAL(12,1)) | TRY_CAST(i AS UTINYINT)
s || t | s || '!' | lower(s) | upper(s) | trim(s) | ltrim(s) | rtrim(s) | length(s) | replace(s, 'a', 'oo') | replace(s, '', 'z')
substr(s, 2) | substr(s, 2, 2) | substr(s, -2) | substr(s, 0, 3) | substr(s, -3, 2) | substr(s, k, 2) | substring(s, 1, 1)
starts_with(s, 'T') | ends_with(s, 'i') | contains(s, 'a') | contains(t, s) | starts_with(lower(s), t) | regexp_matches(s, '^[Tt]axi') | regexp_matches(s, 'a.b')
floor(x) | ceil(x) | round(x) | round(y, 1) | round(y, 2) | round(i, -1) | floor(y) | ceiling(y) | round(x, 0)
sqrt(y) | exp(k) | ln(y) | log10(y) | log2(y) | power(y, 2) | pow(k, 2) | sqrt(w) | ln(w)
isnan(w) | isfinite(w) | isinf(w) | least(x, y) | greatest(x, y) | least(i, k) | greatest(i, k, 0) | least(s, t) | greatest(w, 0.0)
least(a, e) | greatest(i, x)
year(a) | month(a) | day(a) | quarter(a) | dayofweek(a) | isodow(a) | dayofyear(a) | hour(p) | minute(p) | second(p) | year(p)
extract(year from p) | extract(doy from a) | extract(dow from a) | extract(hour from p) | extract(second from p)
date_trunc('month', p) | date_trunc('year', p) | date_trunc('day', p) | date_trunc('hour', p) | date_trunc('minute', p) | date_trunc('quarter', p)
date_trunc('week', p) | date_trunc('second', p)
date_diff('day', a, e) | date_diff('month', a, e) | date_diff('year', a, e) | date_diff('quarter', a, e) | date_diff('hour', a, p) | date_diff('minute', p, TIMESTAMP '2024-01-01 00:00:00')
date_diff('second', p, TIMESTAMP '2024-01-01 00:00:30')
a + 1 | a - 30 | a - e | a + INTERVAL '1 month' | a - INTERVAL '1 year' | p + INTERVAL '90 minutes' | p - INTERVAL 1 DAY | a + INTERVAL 2 WEEK
a < e | a = p | p > a | p >= TIMESTAMP '2000-01-01 00:00:00' | a >= '2000-01-01' | p < '2000-01-01 12:00:00' | a <> DATE '2024-02-29'
1 + NULL | NULL AND b | NULL OR b | NOT NULL | i = NULL | least(NULL, k) | 2 = 2.0 | 'a' < 'b' | NULL IS NULL | 1 IN (2, NULL)
"i" + 1 | ((i)) > (0) | -x < -1.5 | NOT (i > 0 OR k > 0) | i > 0 = b
"""


def text(value):
    """A value as the test writes it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (int, decimal.Decimal, str)):
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, datetime.date):
        return value.isoformat()
    raise TypeError(type(value))


def main():
    connection = duckdb.connect()
    names = ", ".join(f"{name} {kind}" for name, (kind, _) in COLUMNS.items())
    connection.execute(f"CREATE TABLE rows (n BIGINT, {names})")
    for row in range(10):
        values = [values[row] for _, values in COLUMNS.values()]
        connection.execute(f"INSERT INTO rows VALUES ({', '.join('?' * (len(values) + 1))})", [row, *values])
    cases = []
    for expression in EXPRESSIONS.strip().splitlines():
        for one in split(expression):
            try:
                answers = connection.execute(f"SELECT {one} FROM rows ORDER BY n").fetchall()
                cases.append({"expression": one, "answers": [text(answer[0]) for answer in answers]})
            except duckdb.Error as error:
                print("refused:", one, str(error).splitlines()[0])
    columns = {name: {"kind": kind, "values": [text(value) for value in values]} for name, (kind, values) in COLUMNS.items()}
    document = {"made_with": f"duckdb {duckdb.__version__}", "columns": columns, "cases": cases}
    path = Path(__file__).parent / "expected.json"
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(len(cases), "expressions")


def split(line):
    """Expressions of a line; ` | ` separates them, `||` is SQL's."""
    return [part.strip() for part in line.split(" | ")]


if __name__ == "__main__":
    main()
