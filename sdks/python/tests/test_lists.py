"""The pages of sandboxes and of the values of a tag."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest
from samples import sandbox_list, value_list
from typing_extensions import assert_type

import opencomputer_usage as ocu

BASE = "https://api.example.com"


class Server:
    """Serves pages in order and keeps the queries."""

    def __init__(self, *answers: Any) -> None:
        self.queries: list[dict[str, list[str]]] = []
        self._answers = list(answers)

    def __call__(self, request: ocu.Request) -> tuple[int, dict[str, str], str]:
        self.queries.append(parse_qs(urlsplit(request.url).query))
        body, cursor = self._answers.pop(0)
        headers = {"Link": f'</api/sandboxes?cursor={cursor}>; rel="next"'} if cursor else {}
        return 200, headers, json.dumps(body)

    def client(self) -> ocu.UsageClient:
        return ocu.UsageClient(api_key="key", base_url=BASE, transport=self)

    def awaited(self) -> ocu.AsyncUsageClient:
        async def transport(request: ocu.Request) -> tuple[int, dict[str, str], str]:
            return self(request)

        return ocu.AsyncUsageClient(api_key="key", base_url=BASE, transport=transport)


def cursor(name: str, started_at: int | None = None) -> str:
    """Encodes a cursor of a list."""
    parts = {"t": name, **({} if started_at is None else {"s": str(started_at)}), "q": "0123456789abcdef"}
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


AFTER_SANDBOX = cursor("sb-1", 1_772_668_800_000_000)


def sandboxes() -> Server:
    return Server((sandbox_list(["sb-2", "sb-1"]), AFTER_SANDBOX), (sandbox_list(["sb-0"]), None))


def values() -> Server:
    return Server((value_list(["pay", "payments"], cursor("payments")), None), (value_list(["payroll"]), None))


def test_a_loop_walks_every_page_of_sandboxes() -> None:
    server = sandboxes()
    page = server.client().sandboxes.list(
        filter={"tag:team": ["a"]}, exclude={"tag:env": ["dev"]}, state="all", limit=2
    )
    assert_type(page, ocu.SandboxPage)
    assert (len(page), page.has_next_page(), len(server.queries)) == (2, True, 1)
    assert [sandbox.sandbox_id for sandbox in page] == ["sb-2", "sb-1", "sb-0"]
    first, second = server.queries
    assert first == {"filter[tag:team]": ["a"], "exclude[tag:env]": ["dev"], "state": ["all"], "limit": ["2"]}
    assert second == {**first, "cursor": [AFTER_SANDBOX]}
    assert page.next_cursor == AFTER_SANDBOX
    assert page.to_dict() == {"items": [one.to_dict() for one in page.items], "nextCursor": AFTER_SANDBOX}


def test_a_loop_walks_every_value_of_a_tag() -> None:
    server = values()
    page = server.client().tags.list_values("team", prefix="pay", limit=2)
    assert_type(page, ocu.TagValuePage)
    assert (page.key, len(page)) == ("team", 2)
    assert page.items == (ocu.TagValue("pay", 1), ocu.TagValue("payments", 1))
    assert [item.value for item in page] == ["pay", "payments", "payroll"]
    assert [query.get("prefix") for query in server.queries] == [["pay"]] * 2
    assert page == ocu.TagValuePage.from_json(json.dumps(page.to_dict()))


def test_the_async_client_walks_lists() -> None:
    async def main() -> tuple[list[str], list[str], list[str]]:
        walk = sandboxes().awaited().sandboxes.list()
        page = await walk
        assert_type(page, ocu.AsyncSandboxPage)
        assert len(page) == 2
        names = [item.value async for item in values().awaited().tags.list_values("team")]
        return [one.sandbox_id for one in page], [one.sandbox_id async for one in page], names

    here, all_pages, names = asyncio.run(main())
    assert here == ["sb-2", "sb-1"]
    assert all_pages == ["sb-2", "sb-1", "sb-0"]
    assert names == ["pay", "payments", "payroll"]


def test_a_list_in_a_circle_is_refused() -> None:
    answer = (sandbox_list(["sb-1"]), AFTER_SANDBOX)
    with pytest.raises(ocu.DecodeError, match="leads back"):
        list(Server(answer, answer, answer).client().sandboxes.list())


def test_lists_are_tables() -> None:
    page = values().client().tags.list_values("team")
    assert pa.table(ocu.Table(page)).to_pydict() == {"value": ["pay", "payments", "payroll"], "sandbox_count": [1] * 3}
    listed = pa.table(ocu.Table(sandboxes().client().sandboxes.list()))
    assert listed["sandbox_id"].to_pylist() == ["sb-2", "sb-1", "sb-0"]
    with pytest.raises(ValueError, match="more pages follow"):
        pa.table(page)
