"""Pages and walks as data frames of real libraries."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timezone
from typing import Any

import duckdb
import pandas
import polars as pl
import pyarrow as pa
import pytest
from samples import BUCKETS, cursor, group_page, sandbox_page, tag_page, with_series

import opencomputer_usage as ocu

COLUMNS = [name for name in ocu.SandboxUsageItem.__match_args__ if name != "series"]
TAG_COLUMNS = [name for name in ocu.TagUsageItem.__match_args__ if name != "series"]
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
    assert table.column_names == COLUMNS
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
    assert frame.columns == TAG_COLUMNS
    assert frame.rows() == [("team", value, 2.0, 0.25, 1) for value in "abc"]


def test_empty_pages_have_their_columns() -> None:
    tags = ocu.TagUsagePage.from_json(json.dumps(tag_page([])).encode())
    for empty in (tags, ocu.Table(tags)):
        assert pa.table(empty).column_names == TAG_COLUMNS
    assert pa.table(page()).column_names == pa.table(ocu.Table([])).column_names == COLUMNS


def test_items_of_two_kinds_are_not_a_table() -> None:
    mixed: Any = [ITEMS[0], ocu.TagUsageItem("team", "a", 1.0, 2.0, 3)]
    with pytest.raises(TypeError):
        pa.table(ocu.Table(mixed))


def test_a_stream_outlives_its_page() -> None:
    reader = pa.RecordBatchReader.from_stream(page("sb-1"))
    assert reader.read_all().num_rows == 1


def test_a_page_with_an_interval_has_one_row_per_item_and_bucket() -> None:
    body = json.dumps(with_series(tag_page(["a", "b"])))
    whole = ocu.TagUsagePage.from_json(body)
    bounds = [tuple(datetime.fromisoformat(at.replace("Z", "+00:00")) for at in (b["from"], b["to"])) for b in BUCKETS]
    for table in (whole, whole.to_table(), ocu.Table(whole), ocu.Table(whole.items, page=whole)):
        frame = pl.DataFrame(table)
        assert frame.columns == [
            "tag_key",
            "tag_value",
            "bucket_from",
            "bucket_to",
            "bucket_partial",
            "memory_gb_seconds",
            "disk_overage_gb_seconds",
            "sandbox_count",
        ]
        assert frame.rows() == [
            ("team", value, *bounds[index], index == 0, memory, disk, 1)
            for value in "ab"
            for index, (memory, disk) in enumerate([(0.5, 0.0), (1.5, 0.25)])
        ]
    assert len(whole.to_table()) == 4
    totals = pl.DataFrame(ocu.Table(whole.items))
    assert (totals.columns, len(totals)) == (TAG_COLUMNS, 2)
    sandboxes = pa.table(ocu.SandboxUsagePage.from_json(json.dumps(with_series(sandbox_page(["sb-1"])))))
    assert sandboxes["tags"].to_pylist() == [[("team", "a")]] * 2
    assert sandboxes["memory_gb_seconds"].to_pylist() == [0.5, 1.5]


def test_groups_have_one_column_per_dimension() -> None:
    body = json.dumps(group_page([{"tag:team": "a", "region": None}, {"tag:team": "", "region": "use2"}]))
    page = ocu.GroupUsagePage.from_json(body)
    frame = pl.DataFrame(page)
    amounts = ["memory_gb_seconds", "disk_overage_gb_seconds", "sandbox_count"]
    assert frame.columns == ["tag:team", "region", *amounts]
    assert frame.rows() == [("a", None, 2.0, 0.25, 1), ("", "use2", 2.0, 0.25, 1)]
    assert pl.DataFrame(ocu.Table(page.items)).rows() == frame.rows()
    empty = ocu.GroupUsagePage.from_json(json.dumps(with_series(group_page([]))))
    assert pa.table(empty).column_names == [
        "tag:team",
        "region",
        "bucket_from",
        "bucket_to",
        "bucket_partial",
        *amounts,
    ]


def test_the_table_of_an_async_page_has_its_buckets() -> None:
    answers = [
        with_series(group_page([{"tag:team": value, "region": None}], then))
        for value, then in (("a", cursor(1)), ("b", None))
    ]

    async def transport(_: ocu.Request) -> tuple[int, dict[str, str], str]:
        return 200, {}, json.dumps(answers.pop(0))

    async def main() -> ocu.Table:
        client = ocu.AsyncUsageClient(api_key="key", base_url="https://api.example.com", transport=transport)
        page = await client.usage.by(["tag:team", "region"], interval="1w")
        return await page.to_table()

    frame = pl.DataFrame(asyncio.run(main()))
    assert frame["tag:team"].to_list() == ["a", "a", "b", "b"]
    assert frame["memory_gb_seconds"].to_list() == [0.5, 1.5] * 2


def test_a_series_of_another_length_than_the_buckets_is_refused() -> None:
    body = with_series(tag_page(["a"]))
    page = ocu.TagUsagePage.from_json(json.dumps({**body, "buckets": body["buckets"][:1]}))
    with pytest.raises(ValueError, match="2 numbers for 1 buckets"):
        pa.table(page)
