"""The async client: the same calls, awaited."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from samples import KEY, KEYS, STATE, cursor, error, sandbox_page, tag_page
from stub import Answer, Stub

import opencomputer_usage as ocu

if TYPE_CHECKING:
    from collections.abc import Coroutine


def client(url: str, **options: Any) -> ocu.AsyncUsageClient:
    return ocu.AsyncUsageClient(api_key=KEY, base_url=url, **options)


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(coroutine)


def test_pages_are_awaited_or_walked() -> None:
    async def main(url: str) -> None:
        async with client(url) as usage_client:
            page = await usage_client.usage.by_tag("team")
            assert (page.items[0].tag_value, page.has_next_page()) == ("a", True)
            assert (await page.next_page()).items[0].tag_value == "b"
            assert [item.tag_value async for item in page] == ["a", "b"]
            assert [row.sandbox_id async for row in usage_client.usage.by_sandbox(limit=1)] == ["c", "d"]
        with pytest.raises(RuntimeError, match="closed"):
            await usage_client.tags.list_keys()

    tags = (Answer(body=tag_page(["a"], cursor(1))), Answer(body=tag_page(["b"])), Answer(body=tag_page(["b"])))
    sandboxes = (Answer(body=sandbox_page(["c"], cursor(1))), Answer(body=sandbox_page(["d"])))
    with Stub(*tags, *sandboxes) as stub:
        run(main(stub.url))


def test_calls_return_what_the_blocking_client_returns() -> None:
    async def main(url: str) -> None:
        async with client(url) as usage_client:
            assert await usage_client.tags.list_keys() == [ocu.TagKey("team", 3, 2)]
            state = await usage_client.tags.update("sb-1", lambda tags: {**tags, "env": "prod"})
            assert state.etag == '"e2"'
            with pytest.raises(ocu.NotFoundError):
                await usage_client.sandboxes.get("sb-2")
            with pytest.raises(ocu.InvalidRequestError):
                await usage_client.usage.by_tag("")

    answers = (
        Answer(body=KEYS),
        Answer(body=STATE, headers={"ETag": '"e1"'}),
        Answer(body=STATE, headers={"ETag": '"e2"'}),
        Answer(404, error("sandbox_not_found")),
    )
    with Stub(*answers) as stub:
        run(main(stub.url))
    assert json.loads(stub.requests[2].body) == {"team": "a", "env": "prod"}


def test_cancelling_cancels_the_request() -> None:
    async def main(stub: Stub) -> None:
        async with client(stub.url) as usage_client:
            task = asyncio.create_task(usage_client.tags.list_keys())
            assert await asyncio.to_thread(stub.arrived.wait, 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(stub.hung_up.wait, 5)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(usage_client.tags.list_keys(), 0.1)

    with Stub(Answer(hangs=True)) as stub:
        run(main(stub))


def test_calls_run_side_by_side() -> None:
    async def main(url: str) -> None:
        async with client(url) as usage_client:
            await asyncio.gather(*(usage_client.tags.list_keys() for _ in range(32)))

    with Stub(Answer(body=KEYS, together=32)) as stub:
        run(main(stub.url))


def test_a_client_outlives_its_loop() -> None:
    with Stub(Answer(body=KEYS)) as stub:
        usage_client = client(stub.url)

        async def main() -> None:
            assert len(await usage_client.tags.list_keys()) == 1

        run(main())
        run(main())


def test_the_timeout_covers_the_call() -> None:
    async def main(url: str) -> None:
        with pytest.raises(ocu.APITimeoutError):
            await client(url, timeout=0.2).tags.list_keys()

    with Stub(Answer(hangs=True)) as stub:
        run(main(stub.url))


def test_an_async_transport() -> None:
    faults = [OSError("cable cut"), None]

    async def transport(request: ocu.Request) -> tuple[int, dict[str, str], bytes]:
        await asyncio.sleep(0)
        if request.url.endswith("/api/sandboxes"):
            await asyncio.sleep(60)
        fault = faults.pop(0)
        if fault:
            raise fault
        return 200, {}, json.dumps(KEYS).encode()

    async def main() -> None:
        usage_client = client("https://api.example.com", transport=transport)
        assert len(await usage_client.tags.list_keys()) == 1
        with pytest.raises(ocu.APITimeoutError):
            await usage_client.with_options(timeout=0.2).sandboxes.list()
        faults[:] = [OSError("cable cut")]
        with pytest.raises(ocu.APIConnectionError, match="cable cut") as broken:
            await usage_client.with_options(max_retries=0).tags.list_keys()
        assert isinstance(broken.value.__cause__, OSError)

    run(main())
