"""Runs the command as a user does."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import frozen

from irqsim.cli.main import call

ROOT: Final = Path(__file__).resolve().parent.parent
COMMAND: Final = (sys.executable, "-m", "irqsim")
TIMEOUT_S: Final = 120


def environment(**more: str) -> dict[str, str]:
    """The environment of a command that finds this checkout."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


@frozen
class Done:
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


def irqsim(*args: str, stdin: str | bytes = b"", cwd: Path = ROOT) -> Done:
    """Run the command to its end, in this process."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    given, out, err = (io.TextIOWrapper(io.BytesIO(each), "utf-8") for each in (data, b"", b""))
    before = sys.stdin, sys.stdout, sys.stderr
    try:
        sys.stdin, sys.stdout, sys.stderr = given, out, err
        with contextlib.chdir(cwd):
            status = call(args)
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
    return Done(status, _text(out), _text(err))


def irqsim_process(*args: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> Done:
    """Run the command to its end, in a process of its own."""
    done = subprocess.run(
        [*COMMAND, *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=cwd,
        env=environment(**(env or {})),
        timeout=TIMEOUT_S,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def shell(script: str, cwd: Path, bin_dir: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script that says `irqsim`."""
    launcher = bin_dir / "irqsim"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m irqsim "$@"\n')
    launcher.chmod(0o755)
    return subprocess.run(
        ["bash", "-euc", script],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(PATH=f"{bin_dir}{os.pathsep}{os.environ['PATH']}"),
        timeout=TIMEOUT_S,
    )


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()
