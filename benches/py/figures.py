"""The measured figures, as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

PEERS = Path(__file__).with_name("requirements.txt")


class Figures:
    """All figures, in the order of measurement."""

    def __init__(self) -> None:
        self._all: list[dict[str, Any]] = []

    def add(
        self,
        figure: str,
        unit: str,
        samples: list[float],
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Adds the median of samples, with or without a bar."""
        value = statistics.median(samples)
        bar = holds = None
        if at_least is not None:
            bar, holds = f">= {at_least:g}", value >= at_least
        elif at_most is not None:
            bar, holds = f"<= {at_most:g}", value <= at_most
        one = {"figure": figure, "value": value, "unit": unit, "bar": bar, "holds": holds, "samples": samples}
        self._all.append(one)
        print(f"    {figure}: {value:.2f} {unit} {bar or ''}", file=sys.stderr, flush=True)

    def ratios(
        self, figure: str, ours: list[float], theirs: list[float] | None, *, at_least: float | None = None
    ) -> None:
        """Returns the ratio of a peer's time to ours, pair by pair; empty if the peer did not run."""
        if theirs:
            ratios = [their / our for our, their in zip(ours, theirs, strict=True)]
            self.add(figure, "x", ratios, at_least=at_least)

    def finish(self, file: Path) -> None:
        """Prints the table, lists missed bars last, and writes the file."""
        width = max(len(one["figure"]) for one in self._all)
        print(f"\n{'figure':{width}}  {'median':>10} unit    bar       samples (least, most)")
        for one in self._all:
            verdict = {None: "", True: "holds", False: "MISSED"}[one["holds"]]
            spread = f"{len(one['samples'])} ({min(one['samples']):.2f}, {max(one['samples']):.2f})"
            print(
                f"{one['figure']:{width}}  {one['value']:>10.2f} {one['unit']:7} {one['bar'] or '':9} {spread:24} {verdict}"
            )
        file.parent.mkdir(parents=True, exist_ok=True)
        written = {
            "command": "make bench-py",
            "date": datetime.now(timezone.utc).date().isoformat(),
            "machine": machine(),
            "versions": versions(),
            "notes": [],
            "figures": self._all,
        }
        file.write_text(json.dumps(written, indent=1) + "\n")
        missed = [one for one in self._all if one["holds"] is False]
        print(f"\n{len(missed)} missed their bar" if missed else "\nevery bar holds")
        for one in missed:
            print(f"  {one['figure']}: {one['value']:.2f} {one['unit']}, bar {one['bar']}")


def versions() -> dict[str, str]:
    """Returns the versions of Python, of the package and of its peers."""
    names = ["opencomputer-usage", *(line.split("==")[0] for line in PEERS.read_text().splitlines() if "==" in line)]
    return {"Python": platform.python_version(), **{name: metadata.version(name) for name in names}}


def machine() -> str:
    """Describes the processor, its cores, the memory and the system."""

    def value(file: str, name: str) -> str | None:
        try:
            lines = Path(file).read_text().splitlines()
        except OSError:
            return None
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), None)

    parts = [value("/proc/cpuinfo", "model name") or platform.machine(), f"{os.cpu_count()} cores"]
    if memory := value("/proc/meminfo", "MemTotal"):
        parts.append(f"{int(memory.split()[0]) / 2**20:.0f} GB")
    return ", ".join([*parts, f"{platform.system().lower()} {platform.release()}"])


def interleaved(
    cases: dict[str, Callable[[], object]], *, rounds: int, seconds: float = 0.004
) -> dict[str, list[float]]:
    """Returns the seconds per call of each case, measured in turn in `rounds` batches of about `seconds`."""
    batches = {}
    for name, run in cases.items():
        for _ in range(3):
            run()
        started = time.perf_counter()
        run()
        batches[name] = max(1, int(seconds / max(time.perf_counter() - started, 1e-7)))
    samples: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, run in cases.items():
            count = batches[name]
            started = time.perf_counter()
            for _ in range(count):
                run()
            samples[name].append((time.perf_counter() - started) / count)
    return samples
