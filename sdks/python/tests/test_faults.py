"""Both clients against the real server, with the faulty network of `tests/faults` between them."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from test_live import ROOT, SERVER
from test_vectors import KINDS

import opencomputer_usage as ocu

if TYPE_CHECKING:
    from collections.abc import Iterator

FAULTS = ROOT / "tests" / "faults"
SCENARIOS: list[dict[str, Any]] = json.loads((FAULTS / "scenarios.json").read_text("utf-8"))["scenarios"]
# Reads leave out the sandboxes that scenarios write.
OTHERS: Any = {"state": "all", "exclude": {"tag:team": ["first", "wanted", "other"]}}
WANTED = {"team": "wanted"}


@dataclass
class Network:
    """The faulty proxy, with a URL for each scenario, and the server behind it."""

    server: str
    key: str
    urls: list[str]

    def options(self, number: int, label: str) -> dict[str, Any]:
        scenario = SCENARIOS[number]
        return {
            "api_key": self.key,
            "base_url": f"{self.urls[number]}/{label}",
            "max_retries": scenario.get("maxRetries", 2),
            "timeout": scenario.get("timeoutMs", 60_000) / 1000,
        }

    def report(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.urls[0]}/report") as answer:
            report: dict[str, Any] = json.load(answer)
        return report

    def open(self) -> dict[str, int]:
        """Counts open connections, tasks, threads and other resources."""
        gc.collect()
        return {
            "connections": self.report()["open"],
            "tasks": len(asyncio.all_tasks()),
            "threads": threading.active_count(),
            "native threads": entries("/proc/self/task"),
            "descriptors": entries("/proc/self/fd"),
        }


def entries(directory: str) -> int:
    return len(os.listdir(directory)) if sys.platform.startswith("linux") else 0


def resident() -> int:
    """Returns the resident memory of this process in bytes, where `/proc` has it."""
    if not sys.platform.startswith("linux"):
        return 0
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def network() -> Iterator[Network]:
    command = [sys.executable, str(FAULTS / "proxy.py"), str(SERVER)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Network(**json.loads(process.stdout.readline()))


@dataclass
class Attempt:
    """A scenario for one client: the sandbox that it writes, the sandbox's entity tag, and the expected result."""

    number: int
    sandbox_id: str
    etag: str | None
    expected: object

    @property
    def scenario(self) -> dict[str, Any]:
        return SCENARIOS[self.number]

    def check(self, outcome: object) -> None:
        """Compares the result or the error of the call with the expected one."""
        name, expected = self.scenario["name"], self.scenario["outcome"]
        if not isinstance(outcome, ocu.OpenComputerError):
            assert (expected, outcome) == ("result", self.expected), name
            return
        actual = {"kind": KINDS[type(outcome)], "status": outcome.status, "code": outcome.code}
        assert isinstance(expected, dict), f"{name}: {outcome!r}"
        assert {member: actual[member] for member in expected} == expected, f"{name}: {outcome!r}"


def read(client: ocu.UsageClient, operation: str) -> object:
    if operation == "list":
        return client.sandboxes.list(**OTHERS, limit=100).items
    return tuple(client.sandboxes.list(**OTHERS, limit=50))


def call(client: ocu.UsageClient, attempt: Attempt) -> object:
    match attempt.scenario["operation"]:
        case "set":
            return client.tags.set(attempt.sandbox_id, WANTED, if_match=attempt.etag).tags
        case "update":
            return client.tags.update(attempt.sandbox_id, lambda tags: {**tags, **WANTED}).tags
        case operation:
            return read(client, operation)


async def call_async(client: ocu.AsyncUsageClient, attempt: Attempt) -> object:
    match attempt.scenario["operation"]:
        case "list":
            return (await client.sandboxes.list(**OTHERS, limit=100)).items
        case "walk":
            return tuple([item async for item in client.sandboxes.list(**OTHERS, limit=50)])
        case "set":
            return (await client.tags.set(attempt.sandbox_id, WANTED, if_match=attempt.etag)).tags
        case _:
            return (await client.tags.update(attempt.sandbox_id, lambda tags: {**tags, **WANTED})).tags


def run(options: dict[str, Any], attempt: Attempt) -> None:
    """Makes the call of a scenario, then a healthy one with the same connections."""
    outcome: object
    with ocu.UsageClient(**options) as client:
        try:
            outcome = call(client, attempt)
        except ocu.OpenComputerError as error:
            outcome = error
        attempt.check(outcome)
        assert len(client.with_options(timeout=60).tags.list_keys()) > 1, attempt.scenario["name"]


async def run_async(options: dict[str, Any], attempt: Attempt) -> None:
    outcome: object
    async with ocu.AsyncUsageClient(**options) as client:
        try:
            outcome = await call_async(client, attempt)
        except ocu.OpenComputerError as error:
            outcome = error
        attempt.check(outcome)
        assert len(await client.with_options(timeout=60).tags.list_keys()) > 1, attempt.scenario["name"]


def prepare(direct: ocu.UsageClient) -> list[list[Attempt]]:
    """Returns the attempts of both clients, each with sandboxes of its own."""
    count = len(SCENARIOS)
    sandboxes = direct.sandboxes.list(state="all", filter={"tag:oc:plan": None}, limit=2 * count)
    ids = [sandbox.sandbox_id for sandbox in sandboxes.items]
    made = [[Attempt(number, ids[half * count + number], None, None) for number in range(count)] for half in (0, 1)]
    for attempt in (attempt for half in made for attempt in half):
        if "tags" in attempt.scenario:
            attempt.etag = direct.tags.set(attempt.sandbox_id, {"team": "first"}).etag
            attempt.expected = attempt.scenario["tags"]
    reads = {operation: read(direct, operation) for operation in ("list", "walk")}
    for attempt in (attempt for half in made for attempt in half):
        attempt.expected = reads.get(attempt.scenario["operation"], attempt.expected)
    return made


def check_requests(network: Network, direct: ocu.UsageClient, label: str, attempts: list[Attempt]) -> None:
    """Compares what the proxy and the server have seen with what the scenarios expect."""
    report = network.report()
    assert report["trapped"] == 0, "a redirect was followed"
    for attempt in attempts:
        scenario, seen = attempt.scenario, report["runs"][label][str(attempt.number)]
        assert seen["requests"] == scenario["requests"], f"{scenario['name']}: {seen}"
        if "tags" in scenario:
            assert seen["applied"] == scenario["applied"], f"{scenario['name']}: {seen}"
            assert direct.tags.get(attempt.sandbox_id).tags == scenario["tags"], scenario["name"]


async def run_all(network: Network, direct: ocu.UsageClient, number: int) -> None:
    """Runs all scenarios at once, with both clients. `direct` has no proxy on its way."""
    blocking, awaited = prepare(direct)
    labels = (f"sync-{number}", f"async-{number}")
    with ThreadPoolExecutor(len(SCENARIOS)) as pool:
        loop = asyncio.get_running_loop()
        runs = [
            *(loop.run_in_executor(pool, run, network.options(each.number, labels[0]), each) for each in blocking),
            *(run_async(network.options(each.number, labels[1]), each) for each in awaited),
        ]
        await asyncio.gather(*runs)
    check_requests(network, direct, labels[0], blocking)
    check_requests(network, direct, labels[1], awaited)


async def run_rounds(network: Network) -> None:
    before, memory = network.open(), resident()
    for number in range(int(os.environ.get("FAULT_ROUNDS", "1"))):
        with ocu.UsageClient(api_key=network.key, base_url=network.server) as direct:
            await run_all(network, direct, number)
    # Connections close in the background, long before the time for which idle ones are kept.
    ends = time.monotonic() + 20
    while any((after := network.open())[kind] > count for kind, count in before.items()) and time.monotonic() < ends:
        await asyncio.sleep(0.1)
    grown = resident() - memory
    print(f"{before} before, {after} after; {grown} B more")
    assert after == {kind: min(after[kind], count) for kind, count in before.items()}
    assert grown < 32 << 20


def test_calls_end_as_expected_and_leave_nothing_behind() -> None:
    with network() as faulty:
        # The first call starts the threads that later ones share.
        with ocu.UsageClient(api_key=faulty.key, base_url=faulty.server) as direct:
            direct.tags.list_keys()
        asyncio.run(run_rounds(faulty))
