"""The examples of the documentation, run as a reader runs them."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient
from opencomputer_usage import UsageClient

from servers import ROOT, TARGET, Api, demo, proxy, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLES = ROOT / "docs" / "examples"
CHARGEBACK = [sys.executable, str(EXAMPLES / "chargeback.py")]
RETAG = [sys.executable, str(EXAMPLES / "retag.py")]
REPORT = [str(TARGET / "examples" / "report")]
TAG = [str(TARGET / "examples" / "tag")]
MARCH = ["2025-03-01", "2025-04-01", "Europe/Berlin"]
JOBS = 510
"""More than a page holds."""


def fleet() -> Iterator[dict[str, object]]:
    def sandbox(name: str, start: str, end: str, tags: dict[str, str], **size: int) -> Iterator[dict[str, object]]:
        times = {"startedAt": start, "endedAt": end}
        session = {"template": "base", "region": "use2", "workerId": "w-1", "status": "stopped", "startedAt": start}
        yield {"type": "session", "sandboxId": name, **session, "stoppedAt": end}
        sizes = {"memoryMb": 1024, "cpuPercent": 100, "diskMb": 10_240, **size}
        yield {"type": "scale", "sandboxId": name, **sizes, **times}
        if tags:
            yield {"type": "tags", "sandboxId": name, "tags": tags}

    # Clocks change on March 30, 2025 in Berlin.
    yield from sandbox("sb-long", "2025-02-01T00:00:00Z", "2025-05-01T00:00:00Z", {"team": "payments", "env": "prod"})
    # Three amounts that round to one unit more than their sum does.
    ten = ("2025-03-10T00:00:00Z", "2025-03-10T00:00:10.0006Z")
    for name, team in [("sb-1", "-2+3"), ("sb-2", "=1+1"), ("sb-3", 'a;=1+1,"b"')]:
        yield from sandbox(name, *ten, {"team": team, "oc:plan": "pro"})
    hour = ("2025-03-10T00:00:00Z", "2025-03-10T01:00:00Z")
    yield from sandbox("sb-untagged", *hour, {}, memoryMb=2048, diskMb=30_720)
    yield from sandbox("sb-full", "2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z", {f"tag-{n}": "" for n in range(50)})
    for job in range(JOBS):
        end = f"2025-06-01T{10 - job // 60:02}:{59 - job % 60:02}:00Z"
        yield from sandbox(f"sb-job-{job}", "2025-06-01T00:00:00Z", end, {"job": f"{job:03}"})


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serving(fleet(), tmp_path_factory.mktemp("server")) as api:
        yield api


@pytest.fixture
def client(api: Api) -> Iterator[UsageClient]:
    with UsageClient(api_key=api.key, base_url=api.url) as client:
        yield client


def run(api: Api, command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=os.environ | api.environment, cwd=cwd, capture_output=True, text=True)


def output(api: Api, command: list[str], cwd: Path) -> str:
    """Returns the output of a program that succeeds."""
    done = run(api, command, cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def chargeback(api: Api, cwd: Path, *arguments: str) -> str:
    output(api, [*CHARGEBACK, *arguments, "-o", "report.csv"], cwd)
    return (cwd / "report.csv").read_bytes().decode()


def test_a_month_is_charged_to_teams_and_adds_up(api: Api, tmp_path: Path) -> None:
    rows = [
        "month,team,sandboxes,memory_gb_seconds,disk_overage_gb_seconds",
        f"2025-03,payments,1,{743 * 3600}.000,0.000",
        "2025-03,'-2+3,1,10.001,0.000",
        "2025-03,'=1+1,1,10.001,0.000",
        '2025-03,"a;\'=1+1,""b""",1,10.000,0.000',
        "2025-03,(untagged),1,7200.000,36000.000",
    ]
    text = chargeback(api, tmp_path, "--month", "2025-03", "--time-zone", "Europe/Berlin")
    assert text == "".join(f"{row}\r\n" for row in rows)


def test_a_month_is_charged_to_teams_and_environments(api: Api, tmp_path: Path) -> None:
    text = chargeback(api, tmp_path, "--month", "2025-03", "--by", "team", "env")
    rows = list(csv.reader(text.splitlines()))
    assert rows[0][:3] == ["month", "team", "env"]
    assert ["2025-03", "payments", "prod", "1", f"{744 * 3600}.000", "0.000"] in rows
    assert ["2025-03", "'=1+1", "(untagged)", "1", "10.001", "0.000"] in rows
    assert rows[-1] == ["2025-03", "(untagged)", "(untagged)", "1", "7200.000", "36000.000"]


def test_every_page_is_charged(api: Api, client: UsageClient, tmp_path: Path) -> None:
    rows = list(csv.DictReader(chargeback(api, tmp_path, "--month", "2025-06", "--by", "job").splitlines()))
    assert len(rows) == JOBS + 1
    total = client.usage.by_tag("job", from_="2025-06-01", to="2025-07-01").total.memory_gb_seconds
    assert sum(Decimal(row["memory_gb_seconds"]) for row in rows) == Decimal(total)


def test_a_month_that_is_not_over_is_reported_as_such(api: Api, tmp_path: Path) -> None:
    done = run(api, [*CHARGEBACK, "--month", "9998-01", "-o", "report.csv"], tmp_path)
    rows, note = done.stderr.splitlines()
    assert rows == "1 rows, memory 0.000, disk overage 0.000 GB-seconds"
    assert note.startswith("the month is not over")
    assert "not over" not in run(api, [*CHARGEBACK, "--month", "2025-03", "-o", "report.csv"], tmp_path).stderr


def test_a_report_is_refused_if_tags_change_between_its_pages(api: Api, client: UsageClient, tmp_path: Path) -> None:
    last = f"sb-job-{JOBS - 1}"

    def retag(_: str, before: int) -> None:
        if before == 1:
            client.tags.set(last, {"job": "000"})

    with proxy(api, retag) as changing:
        done = run(changing, [*CHARGEBACK, "--month", "2025-06", "--by", "job", "-o", "report.csv"], tmp_path)
    client.tags.set(last, {"job": str(JOBS - 1)})
    assert (done.returncode, done.stderr) == (1, "error: tags changed while the report was read, run it again\n")
    assert not (tmp_path / "report.csv").exists()


def write(cwd: Path, *rows: str) -> list[str]:
    """Writes a file of tags and returns the command that reads it."""
    (cwd / "fleet.csv").write_text("".join(f"{row}\r\n" for row in ["sandbox_id,key,value", *rows]), "utf-8-sig")
    return [*RETAG, "fleet.csv"]


def test_retagging_shows_then_writes_then_has_nothing_to_do(api: Api, client: UsageClient, tmp_path: Path) -> None:
    command = write(tmp_path, "sb-1,env,prod", "", 'sb-1,owner,"Doe, Jane"', "sb-2,env,prod", "sb-long,env,prod")
    before = [client.tags.get(name) for name in ("sb-1", "sb-2")]
    shown = "sb-1: env: None -> 'prod', owner: None -> 'Doe, Jane'\nsb-2: env: None -> 'prod'\n"
    assert output(api, command, tmp_path) == f"{shown}2 of 3 sandboxes differ from the file\n"
    assert [client.tags.get(name) for name in ("sb-1", "sb-2")] == before
    assert output(api, [*command, "--apply"], tmp_path).endswith("2 of 2 sandboxes written\n")
    assert client.tags.get("sb-1").user_tags == {"team": "-2+3", "env": "prod", "owner": "Doe, Jane"}
    nothing = "0 of 3 sandboxes differ from the file\n0 of 0 sandboxes written\n"
    assert output(api, [*command, "--apply"], tmp_path) == nothing


def test_every_fault_of_a_file_is_named_and_nothing_is_written(api: Api, client: UsageClient, tmp_path: Path) -> None:
    rows = ["sb-3,env,prod", "sb-3,cost center,x", f"sb-3,oc:plan,{'x' * 257}", "sb-3,env", "sb-3,env,dev"]
    done = run(api, [*write(tmp_path, *rows), "--apply"], tmp_path)
    *faults, last = done.stderr.splitlines()
    lines = [int(fault.removeprefix("line ").partition(":")[0]) for fault in faults]
    assert (done.returncode, lines) == (2, [3, 4, 4, 5, 6])
    assert last == "error: nothing was written, faults: 5"

    rows = ["sb-3,env,prod", "sb-missing,env,prod", "..,env,prod", "sb-full,env,prod"]
    done = run(api, [*write(tmp_path, *rows), "--apply"], tmp_path)
    starts = ["line 3: `sb-mis", "line 4: `..`: s", "line 5: `sb-ful"]
    assert [fault[:15] for fault in done.stderr.splitlines()[:3]] == starts
    assert done.returncode == 2
    assert "env" not in client.tags.get("sb-3").tags


def test_retagging_keeps_a_tag_that_somebody_else_sets_meanwhile(api: Api, client: UsageClient, tmp_path: Path) -> None:
    def write_first(method: str, before: int) -> None:
        if (method, before) == ("PUT", 0):
            client.tags.update("sb-untagged", lambda tags: {**tags, "owner": "jane"})

    with proxy(api, write_first) as contended:
        output(contended, [*write(tmp_path, "sb-untagged,env,dev"), "--apply"], tmp_path)
    assert client.tags.get("sb-untagged").tags == {"owner": "jane", "env": "dev"}
    client.tags.set("sb-untagged", {})


def test_retagging_goes_on_where_it_was_interrupted(api: Api, client: UsageClient, tmp_path: Path) -> None:
    names = [f"sb-job-{number}" for number in range(3)]
    command = [*write(tmp_path, *(f"{name},env,test" for name in names)), "--apply"]
    with proxy(api, lambda method, before: 403 if method == "PUT" and before == 1 else None) as failing:
        done = run(failing, command, tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "1 of 3 sandboxes written")
    assert done.stderr.startswith("error: ")
    assert output(api, command, tmp_path).endswith("2 of 2 sandboxes written\n")
    assert all(client.tags.get(name).tags["env"] == "test" for name in names)


def test_the_rust_examples_report_and_tag(api: Api, client: UsageClient, tmp_path: Path) -> None:
    lines = output(api, [*REPORT, "team", *MARCH], tmp_path).splitlines()
    assert lines[0] == "         2674800 GB-seconds   99.7 %  payments"
    assert lines[-2] == "            7200 GB-seconds    0.3 %  (untagged)"
    assert lines[-1] == "         2682030 GB-seconds  100.0 %  total"
    assert "env=prod" in output(api, [*TAG, "sb-long", "reviewed", "yes"], tmp_path)
    assert client.tags.get("sb-long").tags == {"team": "payments", "env": "prod", "reviewed": "yes"}
    assert len(output(api, [*REPORT, "job", "2025-06-01", "2025-07-01", "UTC"], tmp_path).splitlines()) == JOBS + 2


BAD_INPUT = {
    "a month that does not exist": [*CHARGEBACK, "--month", "2026-13", "-o", "report.csv"],
    "a year for a month": [*CHARGEBACK, "--month", "2026", "-o", "report.csv"],
    "the last month of all": [*CHARGEBACK, "--month", "9999-12", "-o", "report.csv"],
    "no tag key": [*CHARGEBACK, "--month", "2025-03", "--by", "cost center", "-o", "report.csv"],
    "too many tags": [*CHARGEBACK, "--month", "2025-03", "--by", "a", "b", "c", "d", "-o", "report.csv"],
    "no time zone": [*CHARGEBACK, "--month", "2025-03", "--time-zone", "Mars/Olympus", "-o", "report.csv"],
    "no directory": [*CHARGEBACK, "--month", "2025-03", "-o", "missing/report.csv"],
    "no file": [*RETAG, "missing.csv"],
    "a directory": [*RETAG, "."],
    "other columns": [*RETAG, "columns.csv"],
    "an empty file": [*RETAG, "empty.csv"],
    "an open quote": [*RETAG, "quote.csv"],
    "another encoding": [*RETAG, "latin-1.csv"],
    "no arguments": REPORT,
    "no date": [*REPORT, "team", "yesterday", "2025-04-01", "UTC"],
    "no valid tag": [*TAG, "sb-1", "cost center", "42"],
}


@pytest.mark.parametrize("command", BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_ends_with_a_message(command: list[str], api: Api, tmp_path: Path) -> None:
    files = {"columns": b"sandbox;key;value\n", "empty": b"", "quote": b'sandbox_id,key,value\nsb-1,env,"prod\n'}
    files["latin-1"] = "sandbox_id,key,value\nsb-1,team,Köln\n".encode("latin-1")
    for name, content in files.items():
        (tmp_path / f"{name}.csv").write_bytes(content)
    check_refused(run(api, command, tmp_path))
    assert not (tmp_path / "report.csv").exists()


@pytest.mark.parametrize("program", [CHARGEBACK, RETAG, REPORT, TAG], ids=["chargeback", "retag", "report", "tag"])
def test_a_wrong_key_and_a_server_that_is_down_end_with_a_message(program: list[str], api: Api, tmp_path: Path) -> None:
    write(tmp_path, "sb-1,env,prod")
    arguments = {"chargeback.py": ["--month", "2025-03", "-o", "report.csv"], "retag.py": ["fleet.csv", "--apply"]}
    arguments |= {"report": ["team", *MARCH], "tag": ["sb-1", "env", "prod"]}
    command = next([*program, *given] for name, given in arguments.items() if program[-1].endswith(name))
    for wrong in [Api(api.url, "oc_wrong"), Api(api.url, ""), Api("http://127.0.0.1:9", api.key)]:
        done = run(wrong, command, tmp_path)
        check_refused(done)
        assert not wrong.key or wrong.key not in done.stderr


def check_refused(done: subprocess.CompletedProcess[str]) -> None:
    *usage, last = done.stderr.strip().splitlines()
    assert done.returncode in {1, 2}, done
    assert len(last) > 10
    assert "Traceback" not in done.stderr
    assert "panicked" not in done.stderr
    # The usage of argparse, or the faults of a file.
    assert not usage or usage[0].startswith(("usage: ", "line ", "the file "))


@pytest.fixture(scope="module")
def demonstration() -> Iterator[Api]:
    with demo() as api:
        yield api


def test_the_notebook_runs_and_plots(demonstration: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in demonstration.environment.items():
        monkeypatch.setenv(name, value)
    notebook: Any = nbformat.read(EXAMPLES / "usage.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell for cell in code if cell.outputs or cell.execution_count] == [], "strip the outputs of the notebook"
    NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in code for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "stream" and output.name == "stderr"] == []
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert any("sb-runaway" in output.get("data", {}).get("text/html", "") for output in outputs)


def test_the_reports_of_both_packages_are_the_same(demonstration: Api, tmp_path: Path) -> None:
    python = output(demonstration, [sys.executable, str(ROOT / "sdks/python/examples/report.py")], tmp_path)
    typescript = output(demonstration, ["node", str(ROOT / "sdks/typescript/examples/report.mjs")], tmp_path)
    assert "the sums reconcile" in python
    assert python == typescript
