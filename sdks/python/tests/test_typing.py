"""The types of results, which type checkers check here, with the values that they describe."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from samples import group_page, sandbox_page, tag_page, with_series
from typing_extensions import assert_type

import opencomputer_usage as ocu
from opencomputer_usage import Group, UsageSeries

GROUPED = group_page([{"tag:team": "a", "region": None}])


def client(page: dict[str, Any]) -> ocu.UsageClient:
    return ocu.UsageClient(
        api_key="key", base_url="https://api.example.com", transport=lambda _: (200, {}, json.dumps(page))
    )


def series_of(report: ocu.TagUsagePage) -> UsageSeries | None:
    """Takes a report of either kind."""
    assert_type(report.items[0].series, UsageSeries | None)
    return report.items[0].series


def test_a_report_with_an_interval_has_series() -> None:
    page = client(with_series(GROUPED)).usage.by(["tag:team", "region"], interval="1w", time_zone="UTC")
    assert_type(page, ocu.GroupUsagePage[UsageSeries])
    assert_type(page.total.series, UsageSeries)
    for item in page:
        assert_type(item, ocu.GroupUsageItem[UsageSeries])
        assert_type(item.group, Group)
        assert item.group == {"tag:team": "a", "region": None}
        assert sum(item.series.memory_gb_seconds) == item.memory_gb_seconds
    by_tag = client(with_series(tag_page(["a"]))).usage.by_tag("team", interval="1w")
    assert_type(by_tag.items[0].series, UsageSeries)
    assert series_of(by_tag) == by_tag.items[0].series
    by_sandbox = client(with_series(sandbox_page(["sb-1"]))).usage.by_sandbox(interval="1w")
    assert_type(by_sandbox.items[0].series, UsageSeries)
    assert by_tag.items[0].series == by_sandbox.items[0].series


def test_a_report_without_an_interval_has_none() -> None:
    page = client(tag_page(["a"])).usage.by_tag("team", exclude={"tag:env": ["dev"]}, limit=2)
    assert_type(page, ocu.TagUsagePage[None])
    assert_type(page.total.series, None)
    assert page.total.series is None
    assert series_of(page) is None
    again = client(sandbox_page(["sb-1"])).usage.by_sandbox(interval=None)
    assert_type(again.items[0].series, None)
    assert again.items[0].series is None


def test_a_report_with_a_possible_interval_may_have_series() -> None:
    def report(interval: ocu.Interval | None) -> ocu.TagUsagePage:
        page = client(tag_page(["a"])).usage.by_tag("team", interval=interval)
        assert_type(page.total.series, UsageSeries | None)
        return page

    assert report(None).total.series is None


def test_one_tag_is_a_group_too() -> None:
    page = client(with_series(tag_page(["a"]))).usage.by("tag:team", interval="1w")
    assert_type(page.items[0].group, Group)
    assert page.items[0].group == {"tag:team": "a"}
    assert page.items[0].series == ocu.UsageSeries([0.5, 1.5], [0.0, 0.25])
    assert type(page) is ocu.GroupUsagePage


def test_the_async_client_has_the_same_types() -> None:
    async def transport(_: ocu.Request) -> tuple[int, dict[str, str], str]:
        return 200, {}, json.dumps(with_series(GROUPED))

    async def main() -> float:
        awaited = ocu.AsyncUsageClient(api_key="key", base_url="https://api.example.com", transport=transport)
        page = await awaited.usage.by("tag:team,region", interval="1w")
        assert_type(page, ocu.AsyncGroupUsagePage[UsageSeries])
        assert_type(page.total.series, UsageSeries)
        amounts = [item.series.memory_gb_seconds async for item in awaited.usage.by("tag:team,region", interval="1w")]
        assert_type(amounts, list[tuple[float, ...]])
        return sum(amounts[0])

    assert asyncio.run(main()) == 2.0
