"""Runs scripts in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

CLIENT = "from opencomputer_usage import UsageClient; client = UsageClient(api_key='key', base_url=URL, timeout=20)"


def start(script: str, url: str = "http://127.0.0.1:9") -> subprocess.Popen[str]:
    code = f"URL = {url!r}\n{textwrap.dedent(script)}"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    try:
        return process.communicate(timeout=15)
    except subprocess.TimeoutExpired:
        if sys.platform == "win32":
            process.kill()
        else:
            # Also its children, which would keep the pipes open.
            os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"hangs: {process.communicate()}")


def expect_output(output: str, script: str, url: str = "http://127.0.0.1:9") -> None:
    process = start(script, url)
    assert (*finish(process), process.returncode) == (output, "", 0)
