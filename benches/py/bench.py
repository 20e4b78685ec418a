"""Measures the installed wheel beside its peers: `make bench-py`."""

from __future__ import annotations

import importlib.util
import platform
import subprocess
import sys
import time
from pathlib import Path

from figures import Figures
from memory import measure_pages, measure_series, measure_tags
from network import measure_requests

ROOT = Path(__file__).parents[2]
IMPORT_ROUNDS = 15


def measure_imports(figures: Figures) -> None:
    """Measures how much longer a cold interpreter takes if it imports a package."""
    names = [name for name in ("opencomputer_usage", "httpx", "openai") if importlib.util.find_spec(name)]
    programs = {"": "pass", **{name: f"import {name}" for name in names}}
    samples: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(IMPORT_ROUNDS + 1):
        for name, program in programs.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)
            samples[name].append((time.perf_counter() - started) * 1000)
    bare = samples.pop("")[1:]
    more = {name: [one - base for one, base in zip(times[1:], bare, strict=True)] for name, times in samples.items()}
    figures.add("import, over bare Python", "ms", more["opencomputer_usage"], at_most=30)
    for name in names[1:]:
        figures.add(f"import {name}, over bare Python", "ms", more[name])
        figures.ratios(f"import, vs {name}", more["opencomputer_usage"], more[name])


def main() -> None:
    wheel, server = map(Path, sys.argv[1:])
    print(f"Python {platform.python_version()} on {platform.machine()}, wheel {wheel.name}", file=sys.stderr)
    figures = Figures()
    measure_tags(figures)
    measure_pages(figures)
    measure_series(figures)
    measure_requests(server, figures)
    measure_imports(figures)
    figures.add("size of the wheel", "MB", [wheel.stat().st_size / 1e6])
    figures.finish(ROOT / "target/bench/py.json")


if __name__ == "__main__":
    main()
