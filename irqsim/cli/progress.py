"""How far a run has come, on standard error."""

from __future__ import annotations

import sys
import time
from typing import Final

PERIOD_S: Final = 0.2
LONG_RUN_S: Final = 1.0
WIDTH: Final = 40


class Progress:
    """A bar, or the simulated time if nobody knows the end; redrawn a few times a second."""

    def __init__(self, wanted: bool | None, is_silent: bool) -> None:
        """`wanted` None: on a terminal, once the run is long, unless `is_silent`."""
        is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self.is_shown = is_terminal and not is_silent if wanted is None else wanted
        self._due_s = time.monotonic() + (0 if wanted else LONG_RUN_S)
        self._end = "\r" if is_terminal else "\n"
        self._drawn = 0

    def __call__(self, now_ns: int, end_ns: int | None) -> None:
        """Note where the run is."""
        if self.is_shown and time.monotonic() >= self._due_s:
            self._due_s = time.monotonic() + PERIOD_S
            self._draw(_bar(now_ns, end_ns))

    def clear(self) -> None:
        """Make room for other messages."""
        if self._drawn and self._end == "\r":
            self._draw("")
        self._drawn = 0

    def _draw(self, text: str) -> None:
        if sys.stderr is None:
            return
        try:
            sys.stderr.write(text.ljust(self._drawn) + self._end)
            sys.stderr.flush()
        except OSError:
            self.is_shown = False
        self._drawn = len(text)


def _bar(now_ns: int, end_ns: int | None) -> str:
    now = f"{now_ns / 1e9:.3f} s"
    if not end_ns:
        return now
    done = min(now_ns, end_ns) * WIDTH // end_ns
    percent = min(now_ns, end_ns) * 100 // end_ns
    return f"[{'#' * done}{' ' * (WIDTH - done)}] {percent:3d}% {now}"
