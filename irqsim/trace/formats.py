"""The formats that a run can be printed in, as one table.

A log takes records in batches, in their final order, and is finished once.  What a format
prints while the run goes on is what no header or count has to wait for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from attrs import frozen

from irqsim.records import Record
from irqsim.trace.ftrace import TextFormat
from irqsim.trace.output import LineStream, Spool

MakeText = Callable[[], TextFormat]
"""Says how lines are printed; asked when the first records come, and not before."""


class Log(Protocol):
    """A format's writer."""

    def add(self, records: list[Record]) -> None:
        """Take the next records."""

    def finish(self, header: Callable[[TextFormat], str]) -> None:
        """Write what had to wait for the end; `header` is that of the file `trace`."""


class TraceLog:
    """The file `trace`: its header counts the records that follow it."""

    def __init__(self, make_text: MakeText, stream: LineStream) -> None:
        self._make_text = make_text
        self._text: TextFormat | None = None
        self._stream = stream
        self._spool = Spool()

    def add(self, records: list[Record]) -> None:
        """Take the next records."""
        if self._text is None:
            self._text = self._make_text()
        self._spool.write(self._text.lines(records))

    def finish(self, header: Callable[[TextFormat], str]) -> None:
        """Write the header, and the lines behind it."""
        text = self._text or self._make_text()
        self._spool.write(text.finish())
        self._stream.write(header(text))
        self._spool.copy_to(self._stream)


class PipeLog:
    """The file `trace_pipe`: no header, and every line as soon as it is known."""

    def __init__(self, make_text: MakeText, stream: LineStream) -> None:
        self._make_text = make_text
        self._text: TextFormat | None = None
        self._stream = stream

    def add(self, records: list[Record]) -> None:
        """Write the next records."""
        if self._text is None:
            self._text = self._make_text()
        self._stream.write(self._text.lines(records))

    def finish(self, header: Callable[[TextFormat], str]) -> None:
        """Write what the text kept back."""
        if self._text is not None:
            self._stream.write(self._text.finish())


class NoLog:
    """Nothing."""

    def __init__(self, make_text: MakeText, stream: LineStream) -> None:
        pass

    def add(self, records: list[Record]) -> None:
        """Forget the records."""

    def finish(self, header: Callable[[TextFormat], str]) -> None:
        """Write nothing."""


@frozen
class OutputFormat:
    """One format: how `-f` names it, what it is, and its writer."""

    name: str
    what: str
    open: Callable[[MakeText, LineStream], Log]
    is_pipe: bool = False
    """Printed while the run goes on, to whoever reads along."""


FORMATS: Final[dict[str, OutputFormat]] = {
    each.name: each
    for each in (
        OutputFormat("trace", "the file of tracefs, with its header", TraceLog),
        OutputFormat("trace_pipe", "no header, streamed line by line", PipeLog, is_pipe=True),
        OutputFormat("none", "nothing", NoLog),
    )
}
