"""A client, and bodies of responses."""

from __future__ import annotations

from typing import Any

import opencomputer_usage as ocu

KEY = "oc_secret_key_0123456789"
WINDOW = {"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z", "asOf": "2026-04-02T00:00:00Z"}
TOTAL = {"memoryGbSeconds": 6.0, "diskOverageGbSeconds": 0.5}
STATE: dict[str, Any] = {"tags": {"oc:plan": "pro", "team": "a"}, "tagsLastUpdatedAt": "2026-03-05T00:00:00Z"}
KEYS = {"keys": [{"key": "team", "sandboxCount": 3, "valueCount": 2}]}


def client(url: str, **options: Any) -> ocu.UsageClient:
    return ocu.UsageClient(api_key=KEY, base_url=url, **options)


def cursor(number: int) -> str:
    return ocu.encode_cursor({"v": float(number), "t": f"sb-{number}"})


def tag_page(values: list[str], next_cursor: str | None = None) -> dict[str, Any]:
    items = [
        {"tagKey": "team", "tagValue": value, "sandboxCount": 1, "memoryGbSeconds": 2.0, "diskOverageGbSeconds": 0.25}
        for value in values
    ]
    untagged = {"memoryGbSeconds": 0.0, "diskOverageGbSeconds": 0.0, "sandboxCount": 0}
    page = {"groupBy": "tag:team", "total": TOTAL, "untagged": untagged, "items": items, "nextCursor": next_cursor}
    return {**WINDOW, **page}


BUCKETS: list[dict[str, Any]] = [
    {"from": "2026-03-01T00:00:00Z", "to": "2026-03-15T00:00:00Z", "partial": True},
    {"from": "2026-03-15T00:00:00Z", "to": "2026-04-01T00:00:00Z"},
]
SERIES = {"memoryGbSeconds": [0.5, 1.5], "diskOverageGbSeconds": [0.0, 0.25]}


def group_page(groups: list[dict[str, str | None]], next_cursor: str | None = None) -> dict[str, Any]:
    items = [
        {"group": group, "memoryGbSeconds": 2.0, "diskOverageGbSeconds": 0.25, "sandboxCount": 1} for group in groups
    ]
    untagged = {"memoryGbSeconds": 0.0, "diskOverageGbSeconds": 0.0, "sandboxCount": 0}
    page = {
        "groupBy": "tag:team,region",
        "total": TOTAL,
        "untagged": untagged,
        "items": items,
        "nextCursor": next_cursor,
    }
    return {**WINDOW, **page}


def with_series(page: dict[str, Any]) -> dict[str, Any]:
    """Returns a page as the server sends it for a query with an interval."""
    grid = {"interval": "1w", "timezone": "UTC", "buckets": BUCKETS}
    items = [{**item, "series": SERIES} for item in page["items"]]
    parts: dict[str, Any] = {name: {**page[name], "series": SERIES} for name in ("total", "untagged") if name in page}
    return {**page, **parts, **grid, "items": items}


def sandbox_page(ids: list[str], next_cursor: str | None = None) -> dict[str, Any]:
    items = [
        {
            "sandboxId": sandbox,
            "status": "running",
            "tags": {"team": "a"},
            "tagsLastUpdatedAt": None,
            "memoryGbSeconds": 2.0,
            "diskOverageGbSeconds": 0.25,
        }
        for sandbox in ids
    ]
    return {**WINDOW, "groupBy": "sandbox", "total": TOTAL, "items": items, "nextCursor": next_cursor}


def value_list(values: list[str], next_cursor: str | None = None) -> dict[str, Any]:
    return {
        "key": "team",
        "values": [{"value": value, "sandboxCount": 1} for value in values],
        "nextCursor": next_cursor,
    }


def sandbox_list(ids: list[str]) -> list[dict[str, Any]]:
    tagged = {"tags": {"team": "a"}, "tagsLastUpdatedAt": "2026-03-05T00:00:00Z"}
    return [{"sandboxID": name, "status": "running", "startedAt": "2026-03-05T00:00:00Z", **tagged} for name in ids]


def error(code: str, message: str = "no") -> dict[str, Any]:
    return {"error": message, "code": code, "requestId": "req-7"}
