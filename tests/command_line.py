"""Runs the command as a user does, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
COMMAND: Final = (sys.executable, "-m", "irqsim")
TIMEOUT_S: Final = 120


def environment(**more: str) -> dict[str, str]:
    """The environment of a command that finds this checkout."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def irqsim(
    *args: str, stdin: str | bytes = b"", cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    done = subprocess.run(
        [*COMMAND, *args],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        cwd=cwd,
        env=environment(**(env or {})),
        timeout=TIMEOUT_S,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


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
