"""The formats that a trace can be written in, as one table.

A run and a conversion write through the same logs.  A log takes records, and where some were
lost, in batches, in their final order, and is finished once.  What a format writes before
that is what no header or count has to wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from attrs import evolve, frozen

from irqsim.records import Lost, Record
from irqsim.trace.chrome import Chrome
from irqsim.trace.dat.writer import TraceDat, version_7
from irqsim.trace.ftrace import TextFormat
from irqsim.trace.json_lines import JsonLines
from irqsim.trace.markers import OPTION as MARKERS
from irqsim.trace.markers import Marked
from irqsim.trace.output import Spool
from irqsim.trace.perfetto import Perfetto
from irqsim.trace.target import Log, Target

Item: TypeAlias = Record | Lost


class TraceLog:
    """The file `trace`: its header counts the records that follow it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._text: TextFormat | None = None
        self._spool = Spool()

    def add(self, items: Sequence[Item]) -> None:
        """Take the next records."""
        if self._text is None:
            self._text = self._target.make_text()
        self._spool.write(self._text.items(items))

    def finish(self) -> None:
        """Write the header, and the lines behind it."""
        text = self._text or self._target.make_text()
        self._spool.write(text.finish())
        self._target.stream.write(text.header_of(self._target.header()))
        self._spool.copy_to(self._target.stream)


class PipeLog:
    """The file `trace_pipe`: no header, and every line as soon as it is known."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._text: TextFormat | None = None

    def add(self, items: Sequence[Item]) -> None:
        """Write the next records."""
        if self._text is None:
            self._text = self._target.make_text()
        self._target.stream.write(self._text.items(items))

    def finish(self) -> None:
        """Write what the text kept back."""
        if self._text is not None:
            self._target.stream.write(self._text.finish())


class NoLog:
    """Nothing."""

    def __init__(self, target: Target) -> None:
        pass

    def add(self, items: Sequence[Item]) -> None:
        """Forget the records."""

    def finish(self) -> None:
        """Write nothing."""


@frozen
class OutputFormat:
    """One format: how `-f` names it, what it is, and its writer."""

    name: str
    what: str
    open: Callable[[Target], Log]
    is_pipe: bool = False
    """Printed while the run goes on, to whoever reads along."""
    options: tuple[str, ...] = ()
    """What ``-O`` can say to it, besides the options of the lines."""
    is_text: bool = False
    """Lines as the kernel prints them: a text read in the same layout is copied."""


FORMATS: Final[dict[str, OutputFormat]] = {
    each.name: each
    for each in (
        OutputFormat("trace", "the file of tracefs, with its header", TraceLog, is_text=True),
        OutputFormat(
            "trace_pipe", "no header, streamed line by line", PipeLog, is_pipe=True, is_text=True
        ),
        OutputFormat("trace.dat", "trace-cmd's binary, version 6: every tool reads it", TraceDat),
        OutputFormat("trace.dat-7", "the same in version 7", version_7),
        OutputFormat("perfetto", "Perfetto's native trace, with interrupt tracks", Perfetto),
        OutputFormat("chrome", "Chrome's trace-event JSON: CPU tracks, arrows", Chrome),
        OutputFormat("json", "one JSON object a line", JsonLines, is_pipe=True),
        OutputFormat("none", "nothing", NoLog),
    )
}


def open_log(format: OutputFormat, target: Target) -> Log:
    """A writer of that format, with the options that are no matter of the lines."""
    if MARKERS not in target.options:
        return format.open(target)
    marked: Marked
    log = format.open(evolve(target, header=lambda: marked.header()))
    marked = Marked(target, log)
    return marked
