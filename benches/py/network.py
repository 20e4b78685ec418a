"""Requests over loopback: sequential, and 32 at a time."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import opencomputer_usage as ocu

from figures import Figures

WAYS = 32
SEQUENTIAL = 400
SIDE_BY_SIDE = 1600
ROUNDS = 9
HEADERS = {"x-api-key": "oc_key", "accept": "application/json"}
KEYS = [ocu.TagKey("team", 3, 2)]


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Runs:
    """Returns each peer's requests per second, round by round, and the client's CPU time per request."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.cpu: dict[str, list[float]] = {}

    def run(self, name: str, count: int, run: Callable[[], object]) -> None:
        before, started = cpu(), time.perf_counter()
        run()
        self.seconds.setdefault(name, []).append((time.perf_counter() - started) / count)
        self.cpu.setdefault(name, []).append((cpu() - before) / count)

    def forget_first(self) -> None:
        for samples in (*self.seconds.values(), *self.cpu.values()):
            del samples[0]

    def report(self, figures: Figures, what: str) -> None:
        for name, samples in self.seconds.items():
            figures.add(f"{what}, {name}", "req/s", [1 / second for second in samples])
            figures.add(f"{what}, {name}, CPU of the client", "us/req", [second * 1e6 for second in self.cpu[name]])


def sequential(url: str, figures: Figures) -> None:
    import httpx
    import requests

    def repeat(call: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(SEQUENTIAL):
                call()

        return run

    with ocu.UsageClient(api_key="oc_key", base_url=url) as ours, httpx.Client() as theirs, requests.Session() as old:

        def by_httpx() -> Any:
            return theirs.get(f"{url}/api/tags", headers=HEADERS).raise_for_status().json()["keys"]

        def by_requests() -> Any:
            answer = old.get(f"{url}/api/tags", headers=HEADERS)
            answer.raise_for_status()
            return answer.json()["keys"]

        assert ours.tags.list_keys() == KEYS
        assert by_httpx() == by_requests() == [key.to_dict() for key in KEYS]
        runs = Runs()
        for _ in range(ROUNDS + 1):
            runs.run("ours", SEQUENTIAL, repeat(ours.tags.list_keys))
            runs.run("httpx", SEQUENTIAL, repeat(by_httpx))
            runs.run("requests", SEQUENTIAL, repeat(by_requests))
    runs.forget_first()
    runs.report(figures, "sequential")
    times = runs.seconds
    figures.ratios("sequential, vs httpx", times["ours"], times["httpx"], at_least=2.5)
    figures.ratios("sequential, vs requests", times["ours"], times["requests"], at_least=4)


def side_by_side(url: str, figures: Figures) -> None:
    import aiohttp
    import httpx

    each = SIDE_BY_SIDE // WAYS
    limits = httpx.Limits(max_connections=WAYS, max_keepalive_connections=WAYS)

    def threads(call: Callable[[], object]) -> Callable[[], None]:
        def work(_: int) -> None:
            for _ in range(each):
                call()

        def run() -> None:
            list(pool.map(work, range(WAYS)))

        return run

    async def tasks(call: Callable[[], Any]) -> None:
        async def work() -> None:
            for _ in range(each):
                await call()

        await asyncio.gather(*(work() for _ in range(WAYS)))

    loop = asyncio.new_event_loop()

    async def open_all() -> tuple[ocu.AsyncUsageClient, httpx.AsyncClient, aiohttp.ClientSession]:
        ours = ocu.AsyncUsageClient(api_key="oc_key", base_url=url)
        connector = aiohttp.TCPConnector(limit=WAYS)
        return ours, httpx.AsyncClient(limits=limits), aiohttp.ClientSession(connector=connector)

    ours_async, httpx_async, aio = loop.run_until_complete(open_all())

    async def by_httpx() -> Any:
        answer = await httpx_async.get(f"{url}/api/tags", headers=HEADERS)
        return answer.raise_for_status().json()["keys"]

    async def by_aiohttp() -> Any:
        async with aio.get(f"{url}/api/tags", headers=HEADERS) as answer:
            answer.raise_for_status()
            return (await answer.json())["keys"]

    runs = Runs()
    with (
        ThreadPoolExecutor(WAYS) as pool,
        ocu.UsageClient(api_key="oc_key", base_url=url) as ours,
        httpx.Client(limits=limits) as theirs,
    ):

        def by_httpx_threads() -> Any:
            return theirs.get(f"{url}/api/tags", headers=HEADERS).raise_for_status().json()["keys"]

        cases: dict[str, Callable[[], object]] = {
            "ours, threads": threads(ours.tags.list_keys),
            "ours, async": lambda: loop.run_until_complete(tasks(ours_async.tags.list_keys)),
            "httpx, threads": threads(by_httpx_threads),
            "httpx, async": lambda: loop.run_until_complete(tasks(by_httpx)),
            "aiohttp": lambda: loop.run_until_complete(tasks(by_aiohttp)),
        }
        for _ in range(ROUNDS + 1):
            for name, run in cases.items():
                runs.run(name, SIDE_BY_SIDE, run)

    async def close_all() -> None:
        await ours_async.aclose()
        await httpx_async.aclose()
        await aio.close()

    loop.run_until_complete(close_all())
    loop.close()
    runs.forget_first()
    runs.report(figures, f"{WAYS}-way")
    times = runs.seconds
    figures.ratios(f"{WAYS}-way, threads, vs httpx async", times["ours, threads"], times["httpx, async"], at_least=10)
    figures.ratios(
        f"{WAYS}-way, threads, vs httpx threads", times["ours, threads"], times["httpx, threads"], at_least=10
    )
    figures.ratios(f"{WAYS}-way, threads, vs aiohttp", times["ours, threads"], times["aiohttp"], at_least=2)
    figures.ratios(f"{WAYS}-way, async, vs aiohttp", times["ours, async"], times["aiohttp"], at_least=1)


def measure_requests(server: Path, figures: Figures) -> None:
    with subprocess.Popen([server], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
        sequential(url, figures)
        side_by_side(url, figures)
        memory_after_one_call(url, figures)
        process.terminate()


def memory_after_one_call(url: str, figures: Figures) -> None:
    import sys

    programs = {
        "ours": f"import opencomputer_usage as o; o.UsageClient(api_key='k', base_url={url!r}).tags.list_keys()",
        "httpx": f"import httpx; httpx.Client().get({url + '/api/tags'!r}).json()",
    }
    rss = "; print(next(line for line in open('/proc/self/status') if line.startswith('VmRSS')).split()[1])"
    if not Path("/proc/self/status").exists():
        return
    for name, program in programs.items():
        kilobytes = [int(subprocess.check_output([sys.executable, "-c", program + rss])) for _ in range(5)]
        figures.add(f"memory after one call, {name}", "MB", [kb / 1024 for kb in kilobytes])
