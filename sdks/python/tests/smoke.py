"""Uses the installed package against the server of OPENCOMPUTER_API_URL: functions, a decoder and both clients.

`make check-wheels` runs it on every platform and Python that it finds.
"""

from __future__ import annotations

import asyncio
import platform
import sys

from opencomputer_usage import AsyncTagUsagePage, AsyncUsageClient, UsageClient, parse_filter, validate_tags


async def rows_of_async_calls() -> list[int]:
    async with AsyncUsageClient() as client:
        calls = (client.usage.by_tag("team", limit=500) for _ in range(8))
        pages: list[AsyncTagUsagePage] = await asyncio.gather(*calls)
    return [len(page.items) for page in pages]


def main() -> None:
    assert validate_tags({"team": "payments"}) == []
    assert [violation.code for violation in validate_tags({"oc:team": ""})]
    assert parse_filter('a,"b,c"') == ["a", "b,c"]
    with UsageClient() as client:
        rows = list(client.usage.by_tag("team"))
    assert rows
    assert asyncio.run(rows_of_async_calls()) == [len(rows)] * 8
    libc = platform.libc_ver()[0] or "another libc"
    print(f"works on Python {sys.version.split()[0]}, {platform.machine()}, {libc}: {len(rows)} teams")


main()
