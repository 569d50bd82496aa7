"""What a user is told: remarks and errors on standard error, data on standard output."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from collections.abc import Sequence

from irqsim.errors import IrqsimError, ScenarioError, TraceFormatError
from irqsim.trace.output import LineStream, WriteError, write_error


def say(text: str) -> None:
    """Write a line to standard error, whether or not anybody can read it."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(text, file=sys.stderr, flush=True)


def complain(error: IrqsimError) -> int:
    """Say what is wrong, with its place as a compiler does, and return the exit status."""
    has_place = isinstance(error, ScenarioError | TraceFormatError)
    say(str(error) if has_place else f"irqsim: {error}")
    return 1 if isinstance(error, WriteError) else 2


def standard_output() -> LineStream:
    """Standard output, for whole lines."""
    if sys.stdout is None:
        raise write_error(OSError(errno.EBADF, os.strerror(errno.EBADF)))
    sys.stdout.flush()
    return LineStream(sys.stdout.buffer)


def put(text: str) -> None:
    """Write lines of data."""
    standard_output().write(text)


def put_table(names: Sequence[str], rows: Sequence[Sequence[str]], as_json: bool) -> None:
    """Write a table: its columns aligned, or as a JSON list of objects."""
    if as_json:
        objects = [dict(zip(names, row, strict=True)) for row in rows]
        put(json.dumps(objects, indent=2, ensure_ascii=False) + "\n")
        return
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(len(names))]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    put("".join("  ".join(cells).rstrip() + "\n" for cells in padded))
