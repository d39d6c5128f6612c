"""Writes the schemas of this folder, each by the package that its name says, for `sluice schema import`.

    pip install 'pandera[io]==0.35.0' great_expectations==1.24.1 pyarrow==26.0.1 pydantic==2.14.3
    python make.py
"""

import json
from enum import Enum
from pathlib import Path
from typing import Optional

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
import pandera.pandas as pa
import pyarrow
import pyarrow.parquet
from pandera.io.pandas_io import to_json, to_yaml
from pydantic import BaseModel, Field

FOLDER = Path(__file__).parent


def pandera():
    schema = pa.DataFrameSchema(
        {
            "fare": pa.Column(float, [pa.Check.ge(0), pa.Check.le(500)], nullable=False),
            "miles": pa.Column(float, pa.Check.in_range(0, 100), nullable=True),
            "riders": pa.Column(int, pa.Check.gt(0)),
            "paid": pa.Column(bool),
            "company": pa.Column(str, [pa.Check.isin(["blue", "green"])], nullable=True, required=False),
            "plate": pa.Column(str, pa.Check.str_matches(r"^[A-Z]{2}"), unique=True),
            "started": pa.Column("datetime64[ns]"),
        },
        checks=[pa.Check(lambda frame: frame["fare"] > frame["miles"])],
        strict=True,
        unique=["plate", "started"],
    )
    to_yaml(schema, FOLDER / "pandera.yaml")
    (FOLDER / "pandera.json").write_text(to_json(schema, indent=1) + "\n")


def great_expectations():
    gx.get_context(mode="ephemeral")
    suite = gx.ExpectationSuite(name="trips")
    for expectation in [
        gxe.ExpectTableRowCountToBeBetween(min_value=10, max_value=100000),
        gxe.ExpectTableColumnsToMatchSet(column_set=["fare", "miles", "riders", "company"]),
        gxe.ExpectColumnToExist(column="fare"),
        gxe.ExpectColumnValuesToNotBeNull(column="fare"),
        gxe.ExpectColumnValuesToBeBetween(column="fare", min_value=0, max_value=500, mostly=0.99),
        gxe.ExpectColumnValuesToNotBeNull(column="miles", mostly=0.9),
        gxe.ExpectColumnValuesToBeBetween(column="miles", min_value=0, strict_min=True),
        gxe.ExpectColumnValuesToBeOfType(column="riders", type_="int64"),
        gxe.ExpectColumnValuesToBeInTypeList(column="fare", type_list=["float64", "float32"]),
        gxe.ExpectColumnValuesToBeInSet(column="company", value_set=["blue", "green"]),
        gxe.ExpectColumnUniqueValueCountToBeBetween(column="company", min_value=1, max_value=5),
        gxe.ExpectColumnMeanToBeBetween(column="fare", min_value=5, max_value=30),
        gxe.ExpectColumnValuesToMatchRegex(column="company", regex="^[a-z]+$"),
    ]:
        suite.add_expectation(expectation)
    (FOLDER / "great_expectations.json").write_text(json.dumps(suite.to_json_dict(), indent=1) + "\n")


class Company(str, Enum):
    blue = "blue"
    green = "green"


class Place(BaseModel):
    latitude: float = Field(ge=-90, le=90)
    name: Optional[str] = None


class Trip(BaseModel):
    """A trip."""

    fare: float = Field(ge=0, le=500)
    riders: int = Field(gt=0, le=6)
    paid: bool
    company: Optional[Company] = None
    tags: list[str] = Field(default=[], min_length=1, max_length=3)
    pickup: Place
    plate: str = Field(pattern="^[A-Z]{2}", max_length=8)
    shift: str | int | None = None


def json_schema():
    (FOLDER / "pydantic.schema.json").write_text(json.dumps(Trip.model_json_schema(), indent=1) + "\n")


def arrow():
    schema = pyarrow.schema(
        [
            pyarrow.field("fare", pyarrow.float32(), nullable=False),
            pyarrow.field("riders", pyarrow.int8()),
            pyarrow.field("seats", pyarrow.uint16()),
            pyarrow.field("paid", pyarrow.bool_()),
            pyarrow.field("company", pyarrow.dictionary(pyarrow.int32(), pyarrow.string())),
            pyarrow.field("started", pyarrow.timestamp("us")),
            pyarrow.field("price", pyarrow.decimal128(10, 2)),
            pyarrow.field("tags", pyarrow.list_(pyarrow.string())),
            pyarrow.field("corner", pyarrow.list_(pyarrow.float64(), 2)),
            pyarrow.field("pickup", pyarrow.struct([pyarrow.field("latitude", pyarrow.float64(), nullable=False)])),
            pyarrow.field("more", pyarrow.map_(pyarrow.string(), pyarrow.int64())),
        ]
    )
    with pyarrow.ipc.new_file(FOLDER / "arrow.arrow", schema):
        pass
    with pyarrow.ipc.new_stream(FOLDER / "arrow.arrows", schema):
        pass
    pyarrow.parquet.write_table(schema.empty_table(), FOLDER / "arrow.parquet")


if __name__ == "__main__":
    pandera()
    great_expectations()
    json_schema()
    arrow()
