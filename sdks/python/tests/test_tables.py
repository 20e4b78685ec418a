"""Pages and walks as data frames of real libraries."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import duckdb
import pandas
import polars as pl
import pyarrow as pa
import pytest
from samples import cursor, sandbox_page, tag_page

import opencomputer_usage as ocu

AT = datetime(2026, 3, 5, 0, 0, 0, 250, timezone.utc)
ITEMS = [
    ocu.SandboxUsageItem(
        "sb-1", 2.0, 0.25, {"team": "a", "env": "é"}, "2026-03-05T00:00:00.000250Z", "mine", "running"
    ),
    ocu.SandboxUsageItem("sb-2", 3.0, 0.0, {}, None),
    ocu.SandboxUsageItem("sb-3", 4.0, 0.0, None, None),
]


def page(*ids: str) -> ocu.SandboxUsagePage:
    return ocu.SandboxUsagePage.from_json(json.dumps(sandbox_page(list(ids))).encode())


def test_pyarrow_reads_every_column() -> None:
    table = pa.table(ocu.Table(ITEMS))
    assert table.column_names == list(ocu.SandboxUsageItem.__match_args__)
    assert table.to_pylist() == [
        {
            "sandbox_id": "sb-1",
            "memory_gb_seconds": 2.0,
            "disk_overage_gb_seconds": 0.25,
            "tags": [("team", "a"), ("env", "é")],
            "tags_last_updated_at": AT,
            "alias": "mine",
            "status": "running",
        },
        {
            "sandbox_id": "sb-2",
            "memory_gb_seconds": 3.0,
            "disk_overage_gb_seconds": 0.0,
            "tags": [],
            "tags_last_updated_at": None,
            "alias": None,
            "status": None,
        },
        {
            "sandbox_id": "sb-3",
            "memory_gb_seconds": 4.0,
            "disk_overage_gb_seconds": 0.0,
            "tags": None,
            "tags_last_updated_at": None,
            "alias": None,
            "status": None,
        },
    ]
    table.validate(full=True)


def test_polars_pandas_and_duckdb_read_a_page() -> None:
    whole = page("sb-1", "sb-2")
    frame = pl.DataFrame(whole)
    assert frame["memory_gb_seconds"].sum() == 4.0
    assert frame.schema["tags_last_updated_at"] == pl.Datetime("us", "UTC")
    # The pandas for Python 3.10 cannot read an Arrow stream itself.
    direct = hasattr(pandas.DataFrame, "from_arrow")
    table = pandas.DataFrame.from_arrow(whole) if direct else pa.table(whole).to_pandas()
    assert list(table["sandbox_id"]) == ["sb-1", "sb-2"]
    found: Any = duckdb.sql("select sum(memory_gb_seconds), any_value(tags['team']) from whole")
    assert found.fetchall() == [(4.0, "a")]


def test_a_table_walks_every_page() -> None:
    answers = [tag_page(["a", "b"], cursor(1)), tag_page(["c"])]
    client = ocu.UsageClient(
        api_key="key", base_url="https://api.example.com", transport=lambda _: (200, {}, json.dumps(answers.pop(0)))
    )
    table = ocu.Table(client.usage.by_tag("team"))
    assert len(table) == 3
    frame = pl.DataFrame(table)
    assert frame.columns == list(ocu.TagUsageItem.__match_args__)
    assert frame.rows() == [("team", value, 2.0, 0.25, 1) for value in "abc"]


def test_empty_pages_have_their_columns() -> None:
    tags = ocu.TagUsagePage.from_json(json.dumps(tag_page([])).encode())
    for empty in (tags, ocu.Table(tags)):
        assert pa.table(empty).column_names == list(ocu.TagUsageItem.__match_args__)
    columns = list(ocu.SandboxUsageItem.__match_args__)
    assert pa.table(page()).column_names == pa.table(ocu.Table([])).column_names == columns


def test_items_of_two_kinds_are_not_a_table() -> None:
    mixed: Any = [ITEMS[0], ocu.TagUsageItem("team", "a", 1.0, 2.0, 3)]
    with pytest.raises(TypeError):
        pa.table(ocu.Table(mixed))


def test_a_stream_outlives_its_page() -> None:
    reader = pa.RecordBatchReader.from_stream(page("sb-1"))
    assert reader.read_all().num_rows == 1
