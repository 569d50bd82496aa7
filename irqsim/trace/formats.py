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
from irqsim.trace.ring_buffer import RingBuffer


@frozen
class Setting:
    """What a log needs to know of the run, apart from its records."""

    text: TextFormat
    tracer: str = "nop"
    kernel_version: str = "6.1.0"
    preempt_model: str = "desktop"
    ring: RingBuffer | None = None
    """Keeps the records if the machine's trace buffer is limited."""


class Log(Protocol):
    """A format's writer."""

    def add(self, records: list[Record]) -> None:
        """Take the next records."""

    def finish(self, online_cpus: int) -> None:
        """Write what had to wait for the end."""


class TraceLog:
    """The file `trace`: its header counts the records that follow it."""

    def __init__(self, setting: Setting, stream: LineStream) -> None:
        self._setting = setting
        self._stream = stream
        self._spool = Spool()
        self._nr_records = 0

    def add(self, records: list[Record]) -> None:
        """Take the next records."""
        self._nr_records += len(records)
        self._spool.write(self._setting.text.lines(records))

    def finish(self, online_cpus: int) -> None:
        """Write the header, and the lines behind it."""
        self._spool.write(self._setting.text.finish())
        self._stream.write(_header(self._setting, self._nr_records, self._nr_records, online_cpus))
        self._spool.copy_to(self._stream)


class RingLog:
    """The file `trace` of a limited buffer: what is left at the end of the run."""

    def __init__(self, setting: Setting, ring: RingBuffer, stream: LineStream) -> None:
        self._setting = setting
        self._ring = ring
        self._stream = stream

    def add(self, records: list[Record]) -> None:
        """Take the next records."""
        self._ring.add(records)

    def finish(self, online_cpus: int) -> None:
        """Write the header, and the records that were not overwritten."""
        ring, text = self._ring, self._setting.text
        text.annotate = ring.has_overrun
        self._stream.write(
            _header(self._setting, ring.entries_in_buffer, ring.entries_written, online_cpus)
        )
        self._stream.write(text.lines(ring.records()))
        self._stream.write(text.finish())


class PipeLog:
    """The file `trace_pipe`: no header, and every line as soon as it is known."""

    def __init__(self, setting: Setting, stream: LineStream) -> None:
        self._text = setting.text
        self._stream = stream

    def add(self, records: list[Record]) -> None:
        """Write the next records."""
        self._stream.write(self._text.lines(records))

    def finish(self, online_cpus: int) -> None:
        """Write what the text kept back."""
        self._stream.write(self._text.finish())


class NoLog:
    """Nothing."""

    def add(self, records: list[Record]) -> None:
        """Forget the records."""

    def finish(self, online_cpus: int) -> None:
        """Write nothing."""


def trace_log(setting: Setting, stream: LineStream) -> Log:
    """The file `trace`, whether the buffer is limited or not."""
    if setting.ring is not None:
        return RingLog(setting, setting.ring, stream)
    return TraceLog(setting, stream)


@frozen
class OutputFormat:
    """One format: how `-f` names it, what it is, and its writer."""

    name: str
    what: str
    open: Callable[[Setting, LineStream], Log]
    is_streamed: bool = False
    """Printed while the run goes on."""


FORMATS: Final[dict[str, OutputFormat]] = {
    each.name: each
    for each in (
        OutputFormat("trace", "the file of tracefs, with its header", trace_log),
        OutputFormat("trace_pipe", "no header, streamed line by line", PipeLog, True),
        OutputFormat("none", "nothing", lambda setting, stream: NoLog()),
    )
}


def _header(setting: Setting, in_buffer: int, written: int, online_cpus: int) -> str:
    return setting.text.header(
        setting.tracer,
        entries_in_buffer=in_buffer,
        entries_written=written,
        online_cpus=online_cpus,
        kernel_version=setting.kernel_version,
        preempt_model=setting.preempt_model,
    )
