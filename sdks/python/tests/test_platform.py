"""Every method of both clients against every variant of the platform's servers that `tests/platform` imitates."""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import urllib.request
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import opencomputer_usage as ocu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]
PLATFORM = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "opencomputer-usage-platform"
KEY = "osb_platform_key"
MAY = {"from_": "2026-05-01T00:00:00Z", "to": "2026-06-01T00:00:00Z"}
HOUR = {"from_": "2026-05-27T00:00:00Z", "to": "2026-05-27T01:00:00Z"}
# `sb-run1` to `sb-run3` run during the whole window at one size. The server chooses its end.
RECENT = {"from_": datetime.now(timezone.utc) - timedelta(days=10), "filter": {"tag:team": ["search"]}, "limit": 1}


@pytest.fixture(scope="module", params=["original", "today", "edge", "combined"])
def variant(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Returns the name and the URL of each variant."""
    if not PLATFORM.exists():
        pytest.fail(f"{PLATFORM} is missing: run `make platform`")
    command = [str(PLATFORM), "--variant", request.param, "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield request.param, process.stdout.readline().removeprefix("listening on ").strip()
        process.terminate()


def blocking(url: str, call: Callable[[Any], Any], **options: Any) -> Any:
    with ocu.UsageClient(**{"api_key": KEY, "base_url": url, "max_retries": 0, **options}) as client:
        result = call(client)
        return result, list(result) if isinstance(result, (ocu.TagUsagePage, ocu.SandboxUsagePage)) else []


def awaited(url: str, call: Callable[[Any], Any], **options: Any) -> Any:
    async def main() -> Any:
        async with ocu.AsyncUsageClient(**{"api_key": KEY, "base_url": url, "max_retries": 0, **options}) as client:
            result = await call(client)
            pages = (ocu.AsyncTagUsagePage, ocu.AsyncSandboxUsagePage)
            return result, [row async for row in result] if isinstance(result, pages) else []

    return asyncio.run(main())


Run = Any


@pytest.fixture(params=[blocking, awaited])
def run(request: pytest.FixtureRequest, variant: tuple[str, str]) -> Run:
    """Makes a call on a new fleet. Returns the result, or the rows of a walk."""
    _, url = variant
    urllib.request.urlopen(urllib.request.Request(f"{url}/__reset", method="POST")).close()
    return lambda call, **options: request.param(url, call, **options)


def by_tag(page: Any, rows: Any) -> None:
    assert (page.group_by, page.as_of) == ("tag:team", None)
    assert [row.tag_value for row in rows][:3] == ["search", "growth", "payments"]
    assert page.untagged.sandbox_count == 3
    assert sum(row.memory_gb_seconds for row in rows) + page.untagged.memory_gb_seconds == pytest.approx(
        page.total.memory_gb_seconds
    )


def by_sandbox(page: Any, rows: Any) -> None:
    ids = [row.sandbox_id for row in rows]
    assert len(set(ids)) == len(ids) == 13
    assert (page.as_of, page.has_next_page()) == (None, True)
    assert sum(row.memory_gb_seconds for row in rows) == pytest.approx(page.total.memory_gb_seconds)
    assert rows[ids.index("sb-html")].tags == {"team": "R&D <core>"}


def ran(_page: Any, rows: Any) -> None:
    assert [row.sandbox_id for row in rows] == ["sb-run1", "sb-run2", "sb-run3"]


def moved(_page: Any, rows: Any) -> None:
    assert set(Counter(row.sandbox_id for row in rows).values()) == {1}


def first_drilldown(usage: Any, _: Any) -> None:
    assert (usage.memory_gb_seconds, usage.disk_overage_gb_seconds, usage.as_of) == (3600.0, 0.0, None)
    assert (usage.tags["team"], usage.totals, usage.points) == ("payments", None, None)
    assert usage.first_started_at == HOUR["from_"]


def drilldown(usage: Any, _: Any) -> None:
    assert (usage.memory_gb_seconds, usage.disk_overage_gb_seconds, usage.as_of) == (3600.0, None, None)
    assert (usage.tags, usage.status, usage.first_started_at) == (None, None, None)
    assert usage.totals.memory_allocated_gb_seconds == 3600.0
    assert (len(usage.points), usage.points[0].ts) == (60, HOUR["from_"])
    assert sum(point.uptime_seconds for point in usage.points) == usage.totals.uptime_seconds == 3600


def keys(found: Any, _: Any) -> None:
    assert {summary.key for summary in found} == {"env", "team", "team:subsystem"}


def tags(state: Any, _: Any) -> None:
    assert (state.tags, state.etag) == ({"team": "growth", "env": "prod"}, None)
    assert state.tags_last_updated_at == "2026-05-10T00:00:00.941000Z"


def written(state: Any, _: Any) -> None:
    assert (state.tags, state.etag) == ({"team": "x"}, None)


def listed(region: str | None, template: str | None, worker: str | None) -> Callable[[Any, Any], None]:
    def check(sandboxes: Any, _: Any) -> None:
        sandbox = next(sandbox for sandbox in sandboxes if sandbox.sandbox_id == "sb-abc123")
        assert (sandbox.region, sandbox.template, sandbox.worker_id) == (region, template, worker)
        assert sandbox.started_at[:19] == "2026-05-01T00:00:00"
        assert sandbox.started_datetime.tzinfo == timezone.utc

    return check


def sandbox(tagged: bool) -> Callable[[Any, Any], None]:
    def check(found: Any, _: Any) -> None:
        assert (found.sandbox_id, found.status, found.started_at) == ("sb-abc", "running", "2026-05-10T00:00:00Z")
        assert found.tags == ({"team": "growth", "env": "prod"} if tagged else None)

    return check


UNSUPPORTED, MISSING = ocu.UnsupportedByServerError, ocu.NotFoundError
SERVER_MODE = listed("use2", "base", "w-use2-1")
# Each call, with its result on the original server, today's, the edge and in combined mode.
TABLE: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "usage.by_tag": (lambda client: client.usage.by_tag("team", limit=2, **MAY), (by_tag,) * 4),
    "usage.by_sandbox": (lambda client: client.usage.by_sandbox(limit=3, **MAY), (by_sandbox,) * 4),
    "usage.by_sandbox, window open at its end": (lambda client: client.usage.by_sandbox(**RECENT), (ran,) * 4),
    "usage.by_sandbox, window left open": (lambda client: client.usage.by_sandbox(limit=1), (moved,) * 4),
    "usage.by_sandbox, quoted filter": (
        lambda client: client.usage.by_sandbox(filter={"tag:team": ["a,b"]}, **MAY),
        (UNSUPPORTED,) * 4,
    ),
    "usage.by": (lambda client: client.usage.by(["tag:team", "region"], **MAY), (UNSUPPORTED,) * 4),
    "usage.by_tag, interval": (lambda client: client.usage.by_tag("team", interval="1d", **MAY), (UNSUPPORTED,) * 4),
    "usage.by_tag, exclusion": (
        lambda client: client.usage.by_tag("team", exclude={"tag:env": ["dev"]}, **MAY),
        (UNSUPPORTED,) * 4,
    ),
    "usage.for_sandbox": (
        lambda client: client.usage.for_sandbox("sb-abc123", **HOUR),
        (first_drilldown, drilldown, drilldown, drilldown),
    ),
    "usage.for_sandbox, unknown": (lambda client: client.usage.for_sandbox("sb-none"), (MISSING,) * 4),
    "tags.list_keys": (lambda client: client.tags.list_keys(), (keys,) * 4),
    "tags.list_values": (lambda client: client.tags.list_values("team"), (MISSING,) * 4),
    "tags.get": (lambda client: client.tags.get("sb-abc"), (tags,) * 4),
    "tags.get, unknown": (lambda client: client.tags.get("sb-none"), (MISSING,) * 4),
    "tags.set": (lambda client: client.tags.set("sb-abc", {"team": "x"}), (written,) * 4),
    "tags.set, unknown": (lambda client: client.tags.set("sb-none", {}), (MISSING,) * 4),
    "tags.set, conditional": (
        lambda client: client.tags.set("sb-abc", {"team": "x"}, if_match='"etag"'),
        (UNSUPPORTED,) * 4,
    ),
    "tags.update": (lambda client: client.tags.update("sb-abc", lambda tags: tags), (UNSUPPORTED,) * 4),
    "sandboxes.list": (
        lambda client: client.sandboxes.list(),
        (SERVER_MODE, SERVER_MODE, listed(None, "base", "w-use2-1"), listed(None, None, None)),
    ),
    "sandboxes.get": (
        lambda client: client.sandboxes.get("sb-abc"),
        (sandbox(True), sandbox(True), sandbox(False), sandbox(True)),
    ),
    "sandboxes.get, unknown": (lambda client: client.sandboxes.get("sb-none"), (MISSING,) * 4),
    "sandboxes.get, broken": (
        lambda client: client.sandboxes.get("sb-crash"),
        (MISSING, MISSING, ocu.ServerError, MISSING),
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_every_method_works_or_raises_a_clear_error(name: str, variant: tuple[str, str], run: Run) -> None:
    call, outcomes = TABLE[name]
    outcome = outcomes[["original", "today", "edge", "combined"].index(variant[0])]
    if inspect.isclass(outcome):
        error: Any = outcome
        with pytest.raises(error) as caught:
            run(call)
        assert "\n" not in str(caught.value)
    else:
        outcome(*run(call))


def test_the_table_has_every_method() -> None:
    client = ocu.UsageClient(api_key=KEY, base_url="https://api.example.com")
    groups = {group: getattr(client, group) for group in ("usage", "tags", "sandboxes")}
    methods = {f"{group}.{name}" for group, calls in groups.items() for name in dir(calls) if not name.startswith("_")}
    assert methods == {name.partition(",")[0] for name in TABLE}


def test_a_wrong_key_is_refused(variant: tuple[str, str], run: Run) -> None:
    refusal = ocu.AuthenticationError if variant[0] == "edge" else ocu.PermissionDeniedError
    with pytest.raises(refusal, match="API key"):
        run(lambda client: client.tags.list_keys(), api_key="osb_wrong_key")


def test_a_refused_update_writes_nothing(run: Run) -> None:
    with pytest.raises(UNSUPPORTED, match="nothing was written"):
        run(lambda client: client.tags.update("sb-abc", lambda tags: {**tags, "new": "x"}))
    tags(*run(lambda client: client.tags.get("sb-abc")))
