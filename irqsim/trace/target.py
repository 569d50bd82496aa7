"""A format's writer, and what it is told: where the trace goes, and how it is printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import frozen

from irqsim.records import Lost, Record, TraceHeader
from irqsim.trace.ftrace import TextFormat
from irqsim.trace.output import LineStream


@frozen
class Target:
    """Where a log goes, and what its format may ask for."""

    stream: LineStream
    make_text: Callable[[], TextFormat]
    """How lines are printed; asked when the first records come, and not before."""
    header: Callable[[], TraceHeader]
    """What is known of the trace so far; its counts are those of the end only at the end."""
    options: tuple[str, ...] = ()
    """Options of the format, such as ``markers``."""


class Log(Protocol):
    """A format's writer."""

    def add(self, items: Sequence[Record | Lost]) -> None:
        """Take the next records."""

    def finish(self) -> None:
        """Write what had to wait for the end."""
