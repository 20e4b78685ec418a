"""Both clients against the real server and its demo fleet."""

from __future__ import annotations

import asyncio
import math
import os
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import opencomputer_usage as ocu

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

ROOT = Path(__file__).parents[3]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
SERVER = TARGET / "debug" / "opencomputer-usage-server"
# The demo fleet ran during the ninety days before today.
TO = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
FROM = TO - timedelta(days=90)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, str]]:
    """Returns the URL of a demo server and a key for it."""
    if not SERVER.exists():
        pytest.fail(f"{SERVER} is missing: run `make server`")
    command = [str(SERVER), "demo", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("listening on ").strip()
        key = process.stdout.readline().removeprefix("key ").strip()
        yield url, key
        process.terminate()


@pytest.fixture
def client(served: tuple[str, str]) -> Iterator[ocu.UsageClient]:
    url, key = served
    with ocu.UsageClient(api_key=key, base_url=url) as client:
        yield client


def test_every_walk_adds_up_to_the_total(client: ocu.UsageClient) -> None:
    teams = client.usage.by_tag("team", from_=FROM, to=TO, limit=2)
    assert teams.has_next_page()
    assert teams.untagged
    rows = list(teams)
    assert len({row.tag_value for row in rows}) == len(rows) > 2
    by_team = math.fsum(row.memory_gb_seconds for row in rows) + teams.untagged.memory_gb_seconds
    sandboxes = list(client.usage.by_sandbox(from_=FROM, to=TO, limit=37))
    by_sandbox = math.fsum(row.memory_gb_seconds for row in sandboxes)
    assert len({row.sandbox_id for row in sandboxes}) == len(sandboxes) > 37
    assert teams.total.memory_gb_seconds > 0
    assert math.isclose(by_team, teams.total.memory_gb_seconds, rel_tol=1e-9)
    assert math.isclose(by_sandbox, teams.total.memory_gb_seconds, rel_tol=1e-9)
    amounts = [row.memory_gb_seconds for row in sandboxes]
    assert amounts == sorted(amounts, reverse=True)
    cursor = ocu.decode_cursor(teams.next_cursor or "")
    assert (cursor.from_, cursor.to, cursor.as_of) == (teams.from_, teams.to, teams.as_of)


def test_filters_narrow_a_report(client: ocu.UsageClient) -> None:
    whole = client.usage.by_tag("team", from_=FROM, to=TO)
    team = whole.items[0]
    assert whole.untagged
    narrow = client.usage.by_sandbox(from_=FROM, to=TO, filter={"tag:team": [team.tag_value]}, limit=500)
    assert len(narrow.items) == team.sandbox_count
    assert math.isclose(narrow.total.memory_gb_seconds, team.memory_gb_seconds, rel_tol=1e-9)
    without = client.usage.by_sandbox(from_=FROM, to=TO, filter={"tag:team": None}, limit=500)
    assert len(without.items) == whole.untagged.sandbox_count
    with pytest.raises(ocu.InvalidRequestError) as other:
        client.usage.by_tag("env", cursor=client.usage.by_tag("team", limit=1).next_cursor)
    assert (other.value.code, other.value.status) == ("invalid_cursor", 400)


def test_buckets_and_groups_add_up_to_the_total(client: ocu.UsageClient) -> None:
    # Ninety days of the calendar, which are an hour more than 90 times 24 hours where clocks go back.
    window: Any = {"from_": FROM.date(), "to": TO.date(), "time_zone": "Europe/Berlin"}
    page = client.usage.by(["tag:team", "region"], interval="1w", exclude={"tag:env": ["dev"]}, limit=500, **window)
    assert (page.group_by, page.interval, page.time_zone) == ("tag:team,region", "1w", "Europe/Berlin")
    bounds = [(bucket.from_, bucket.to) for bucket in page.buckets]
    assert (bounds[0][0], bounds[-1][1]) == (page.from_, page.to)
    assert [to for _, to in bounds[:-1]] == [from_ for from_, _ in bounds[1:]]
    assert all(not bucket.partial for bucket in page.buckets[1:-1])
    assert page.untagged
    assert not page.has_next_page()
    groups = [item.group for item in page.items]
    assert len(set(groups)) == len(groups) > 2
    assert {group["tag:team"] for group in groups} > {None}
    assert all(group["region"] for group in groups)
    whole = client.usage.by(["tag:team"], **window)
    dev = client.usage.by("region", **window, filter={"tag:env": ["dev"]})
    assert dev.total.memory_gb_seconds > 0
    kept = whole.total.memory_gb_seconds - dev.total.memory_gb_seconds
    assert math.isclose(page.total.memory_gb_seconds, kept, rel_tol=1e-9)
    amounts: list[Any] = [page.total, page.untagged, *page.items]
    for part in amounts:
        assert math.isclose(math.fsum(part.series.memory_gb_seconds), part.memory_gb_seconds, rel_tol=1e-9)
    parts = [page.untagged.series, *(item.series for item in page.items)]
    for index, amount in enumerate(page.total.series.memory_gb_seconds):
        assert math.isclose(math.fsum(part.memory_gb_seconds[index] for part in parts), amount, rel_tol=1e-9)


def test_the_points_of_a_sandbox_add_up_to_its_totals(client: ocu.UsageClient) -> None:
    top = client.usage.by_sandbox(from_=FROM, to=TO, limit=1).items[0]
    usage = client.usage.for_sandbox(top.sandbox_id, from_=FROM, to=TO, interval="1d", time_zone="America/New_York")
    assert usage.totals
    assert usage.points
    assert [point.ts for point in usage.points] == [bucket.from_ for bucket in usage.buckets]
    allocated = math.fsum(point.memory_allocated_gb_seconds for point in usage.points)
    assert math.isclose(allocated, usage.totals.memory_allocated_gb_seconds, rel_tol=1e-9)
    assert max(point.used_memory_mb_peak for point in usage.points) == usage.totals.memory_used_peak_mb


def test_lists_agree_with_the_report(client: ocu.UsageClient) -> None:
    values = list(client.tags.list_values("team", limit=2))
    assert [one.value for one in values] == sorted(one.value for one in values)
    first = values[0]
    assert client.tags.list_values("team", prefix=first.value).items[0] == first
    everyone = {sandbox.sandbox_id for sandbox in client.sandboxes.list(state="all", limit=100)}
    team = list(client.sandboxes.list(filter={"tag:team": [first.value]}, state="all", limit=7))
    others = list(client.sandboxes.list(exclude={"tag:team": [first.value]}, state="all", limit=500))
    assert len(team) == first.sandbox_count
    assert {sandbox.sandbox_id for sandbox in [*team, *others]} == everyone
    assert len(team) + len(others) == len(everyone)
    assert [sandbox.started_at for sandbox in team] == sorted((one.started_at for one in team), reverse=True)
    assert all(sandbox.status == "running" for sandbox in client.sandboxes.list())


def test_one_sandbox_and_its_tags(client: ocu.UsageClient) -> None:
    top = client.usage.by_sandbox(from_=FROM, to=TO, limit=1).items[0]
    drilldown = client.usage.for_sandbox(top.sandbox_id, from_=FROM, to=TO)
    assert drilldown.memory_gb_seconds == top.memory_gb_seconds
    assert drilldown.tags == top.tags
    before = client.tags.get(top.sandbox_id)
    after = client.tags.update(top.sandbox_id, lambda tags: {**tags, "reviewed": "yes, by «me», twice"})
    assert after.tags == {**before.tags, "reviewed": "yes, by «me», twice"}
    assert client.tags.get(top.sandbox_id) == after
    with pytest.raises(ocu.ConflictError) as conflict:
        client.tags.set(top.sandbox_id, {}, if_match=before.etag)
    assert (conflict.value.code, conflict.value.status) == ("tags_changed", 412)
    found = client.usage.by_sandbox(from_=FROM, to=TO, filter={"tag:reviewed": ["yes, by «me», twice"]})
    assert [row.sandbox_id for row in found] == [top.sandbox_id]
    user = {key: value for key, value in before.tags.items() if not key.startswith("oc:")}
    assert client.tags.set(top.sandbox_id, user, if_match=after.etag).tags == before.tags


def test_concurrent_updates_lose_no_change(client: ocu.UsageClient) -> None:
    sandbox = client.usage.by_sandbox(from_=FROM, to=TO, limit=2).items[1].sandbox_id
    before = client.tags.get(sandbox).user_tags
    patient = client.with_options(timeout=90)

    def write(writer: int) -> ocu.SandboxTags:
        return patient.tags.update(sandbox, lambda tags: {**tags, f"writer-{writer}": "x"})

    with ThreadPoolExecutor(24) as pool:
        list(pool.map(write, range(24)))
    after = client.tags.get(sandbox)
    assert after.user_tags == {**before, **{f"writer-{writer}": "x" for writer in range(24)}}
    client.tags.set(sandbox, before, if_match=after.condition())


def test_keys_and_sandboxes(client: ocu.UsageClient) -> None:
    keys = [summary.key for summary in client.tags.list_keys()]
    assert "team" in keys
    assert keys == sorted(keys)
    running = client.sandboxes.list()
    assert client.sandboxes.get(running.items[0].sandbox_id) == running.items[0]


def test_errors_of_the_server(client: ocu.UsageClient, served: tuple[str, str]) -> None:
    with pytest.raises(ocu.NotFoundError) as missing:
        client.usage.for_sandbox("no such sandbox")
    assert missing.value.code == "sandbox_not_found"
    assert missing.value.request_id
    with pytest.raises(ocu.AuthenticationError) as wrong:
        ocu.UsageClient(api_key="oc_wrong", base_url=served[0]).tags.list_keys()
    assert wrong.value.code == "unauthorized"
    assert "oc_wrong" not in f"{wrong.value!r} {wrong.value.body}"


def test_the_async_client_returns_the_same(client: ocu.UsageClient, served: tuple[str, str]) -> None:
    url, key = served

    async def main() -> tuple[list[ocu.SandboxUsageItem], ocu.SandboxUsage]:
        async with ocu.AsyncUsageClient(api_key=key, base_url=url) as awaited:
            rows: list[ocu.SandboxUsageItem] = [
                row async for row in awaited.usage.by_sandbox(from_=FROM, to=TO, limit=100)
            ]
            return rows, await awaited.usage.for_sandbox(rows[0].sandbox_id, from_=FROM, to=TO)

    rows, drilldown = asyncio.run(main())
    assert rows == list(client.usage.by_sandbox(from_=FROM, to=TO, limit=500))
    again = client.usage.for_sandbox(drilldown.sandbox_id, from_=FROM, to=TO)
    assert (again.memory_gb_seconds, again.tags) == (drilldown.memory_gb_seconds, drilldown.tags)


def test_results_stay_correct_after_10000_cancelled_calls(client: ocu.UsageClient, served: tuple[str, str]) -> None:
    url, key = served
    draw = random.Random(10)
    sandbox = client.usage.by_sandbox(from_=FROM, to=TO, limit=1).items[0]

    def answers() -> object:
        teams = client.usage.by_tag("team", from_=FROM, to=TO)
        rows = list(client.usage.by_sandbox(from_=FROM, to=TO, limit=500))
        amounts = [(row.sandbox_id, row.memory_gb_seconds, row.disk_overage_gb_seconds, row.tags) for row in rows]
        return teams.total, teams.untagged, teams.items, amounts, client.tags.list_keys()

    async def burst(cancelled: ocu.AsyncUsageClient, calls: int) -> int:
        choices: list[Callable[[], Awaitable[object]]] = [
            lambda: cancelled.usage.by_tag("team", from_=FROM, to=TO),
            lambda: cancelled.usage.by_sandbox(from_=FROM, to=TO),
            lambda: cancelled.usage.for_sandbox(sandbox.sandbox_id, from_=FROM, to=TO),
            lambda: cancelled.tags.set(sandbox.sandbox_id, sandbox.user_tags or {}),
            cancelled.tags.list_keys,
        ]
        tasks = [asyncio.ensure_future(draw.choice(choices)()) for _ in range(calls)]
        loop = asyncio.get_running_loop()
        for task in tasks:
            loop.call_later(draw.uniform(0, 0.03), task.cancel)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
        return sum(task.cancelled() for task in tasks)

    async def main() -> int:
        count = 0
        async with ocu.AsyncUsageClient(api_key=key, base_url=url) as cancelled:
            while count < 10_000:
                count += await burst(cancelled, draw.choice([4, 16, 100]))
        return count

    before = answers()
    assert asyncio.run(main()) >= 10_000
    assert answers() == before
