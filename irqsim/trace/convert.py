"""A trace that is read, in a format that is written, whole or in part.

Text that stays as it is (the kernel's own, in the layout and with the options that it has)
is copied and not printed anew: comments, annotations and whatever no rule of ours would
print in the same way survive.  All else goes through the records.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

from attrs import evolve, frozen

from irqsim.events import KERNEL_STACK, UNKNOWN
from irqsim.records import Event, Lost, Record, TraceHeader
from irqsim.trace.formats import OutputFormat, open_log
from irqsim.trace.ftrace import TextFormat
from irqsim.trace.header import recount
from irqsim.trace.markers import OPTION as MARKERS
from irqsim.trace.output import LineStream, Spool
from irqsim.trace.reader import Part, Trace
from irqsim.trace.target import Target

KERNEL_TEXT: Final = ("ftrace", "trace_pipe", "latency")
"""Sources whose lines a kernel printed."""


@frozen
class Style:
    """How lines are printed."""

    layout: str
    irq_info: bool
    record_tgid: bool
    latency: bool

    @classmethod
    def of(cls, header: TraceHeader) -> Style:
        """That of a trace; for what is no text of a kernel, the kernel's default."""
        if header.source not in KERNEL_TEXT:
            return cls(header.layout, True, header.has_tgid, False)
        return cls(
            header.layout, header.has_irq_info, header.has_tgid, header.source == "latency"
        )

    def switched(self, layout: str | None, options: Sequence[str]) -> Style:
        """The same in another layout, with some options switched on, or off (``no...``)."""
        return Style(
            layout or self.layout,
            _switch("irq-info", self.irq_info, options),
            _switch("record-tgid", self.record_tgid, options),
            _switch("latency-format", self.latency, options),
        )


class Cut:
    """Which part of a trace is wanted.  A stack trace goes with the event above it."""

    def __init__(
        self,
        cpus: Sequence[int] = (),
        events: Sequence[str] = (),
        from_ns: int | None = None,
        to_ns: int | None = None,
    ) -> None:
        """Empty: all.  Events as in set_event; times from the first to before the second."""
        self._cpus = tuple(cpus)
        self._patterns = tuple(events)
        self._from_ns = from_ns
        self._to_ns = to_ns
        self._wanted: dict[int, bool] = {}
        """By Event.index."""
        self._above: dict[int, bool] = {}
        """By CPU: whether its last event was wanted."""
        self._time_ns = 0
        self.is_whole = not cpus and not events and from_ns is None and to_ns is None

    def takes(self, item: Record | Lost) -> bool:
        """Whether it is in the part.  To be asked once for each item, in their order."""
        if isinstance(item, Lost):
            return self._takes_cpu(item.cpu) and self._takes_time(self._time_ns)
        time_ns, context, event = item
        self._time_ns = time_ns
        if not (self._takes_cpu(context.cpu) and self._takes_time(time_ns)):
            return False
        taken = self._takes_event(event)
        if event.tracepoint is KERNEL_STACK:
            return taken or self._above.get(context.cpu, False)
        self._above[context.cpu] = taken
        return taken

    def _takes_cpu(self, cpu: int) -> bool:
        return not self._cpus or cpu in self._cpus

    def _takes_time(self, time_ns: int) -> bool:
        return (self._from_ns is None or time_ns >= self._from_ns) and (
            self._to_ns is None or time_ns < self._to_ns
        )

    def _takes_event(self, event: Event) -> bool:
        if not self._patterns:
            return True
        wanted = self._wanted.get(event.index)
        if wanted is None:
            wanted = self._names(event)
            if event.index >= 0:
                self._wanted[event.index] = wanted
        return wanted

    def _names(self, event: Event) -> bool:
        return any(_is_meant(pattern, event) for pattern in self._patterns)


def convert(
    trace: Trace,
    format: OutputFormat,
    stream: LineStream,
    *,
    layout: str | None = None,
    options: Sequence[str] = (),
    cut: Cut | None = None,
) -> None:
    """Write a trace.  Raises TraceFormatError for what cannot be read."""
    cut = Cut() if cut is None else cut
    own = Style.of(trace.header)
    style = own.switched(layout, options)
    is_same = style == own and MARKERS not in options
    if format.is_text and is_same and trace.header.source in KERNEL_TEXT:
        _copy(trace, format, stream, cut)
    else:
        _print(trace, format, stream, cut, style, tuple(options))


# -- copied ------------------------------------------------------------------------------


def _copy(trace: Trace, format: OutputFormat, stream: LineStream, cut: Cut) -> None:
    """Without a cut every line; the lines of ``trace_pipe`` as they come, the others whole."""
    if format.is_pipe:
        for parts in trace.parts():
            stream.write("".join(text for _, item, text in parts if item and cut.takes(item)))
        return
    if cut.is_whole:
        spool = Spool()
        for parts in trace.parts():
            spool.write("".join([text for _, _, text in parts]))
        spool.copy_to(stream)
        return
    _copy_part(trace, stream, cut)


def _copy_part(trace: Trace, stream: LineStream, cut: Cut) -> None:
    """The header counts what is left; of the other comments only annotations are left."""
    head: list[str] = []
    is_above = True
    nr_kept = 0
    spool = Spool()
    started: dict[str, str] = {}
    for parts in trace.parts():
        kept: list[str] = []
        for _, item, text in parts:
            if item is None:
                if text.startswith(_STARTED):
                    started[text.split()[2]] = text
                elif is_above:
                    head.append(text)
                continue
            is_above = False
            if not cut.takes(item):
                continue
            if not isinstance(item, Lost):
                nr_kept += 1
                annotation = started.pop(str(item[1].cpu), "") if started else ""
                kept.append(annotation if spool.is_used or kept else "")
            kept.append(text)
        spool.write("".join(kept))
    stream.write(recount("".join(head), nr_kept))
    spool.copy_to(stream)


_STARTED: Final = "##### CPU "


# -- printed -----------------------------------------------------------------------------


class _Progress:
    """What has been printed of a trace so far, for its header."""

    def __init__(self, header: TraceHeader) -> None:
        self._header = header
        self.nr_records = 0
        self.nr_lost = 0
        self.cpu_max = 0
        self.first_ns: int | None = None

    def add(self, items: Sequence[Record | Lost]) -> None:
        for item in items:
            if isinstance(item, Lost):
                self.nr_lost += item.nr
                continue
            self.nr_records += 1
            self.cpu_max = max(self.cpu_max, item[1].cpu)
            if self.first_ns is None:
                self.first_ns = item[0]

    def header(self) -> TraceHeader:
        header = self._header
        nr_lost = (header.entries_written or 0) - (header.entries_in_buffer or 0) or self.nr_lost
        return evolve(
            header,
            entries_in_buffer=self.nr_records,
            entries_written=self.nr_records + nr_lost,
            nr_cpus=header.nr_cpus or self.cpu_max + 1,
        )


def _print(
    trace: Trace,
    format: OutputFormat,
    stream: LineStream,
    cut: Cut,
    style: Style,
    options: tuple[str, ...],
) -> None:
    progress = _Progress(trace.header)

    def make_text() -> TextFormat:
        is_relative = trace.header.source == "latency"
        return TextFormat(
            style.layout,
            irq_info=style.irq_info,
            record_tgid=style.record_tgid,
            latency=style.latency,
            annotate=trace.header.has_overrun and not format.is_pipe,
            clock_in_ns=trace.header.clock != "counts",
            start_ns=0 if is_relative else progress.first_ns or 0,
        )

    log = open_log(format, Target(stream, make_text, progress.header, options))
    for parts in trace.parts():
        items = _items(parts, cut)
        if items:
            progress.add(items)
            log.add(items)
    log.finish()


def _items(parts: Sequence[Part], cut: Cut) -> list[Record | Lost]:
    if cut.is_whole:
        return [item for _, item, _ in parts if item is not None]
    return [item for _, item, _ in parts if item is not None and cut.takes(item)]


def _switch(name: str, is_on: bool, options: Sequence[str]) -> bool:
    for option in options:
        if option.removeprefix("no") == name:
            is_on = option == name
    return is_on


def _is_meant(pattern: str, event: Event) -> bool:
    """Whether set_event would switch it on; of what is not declared only the name is known.

    Source: __ftrace_set_clr_event(), kernel/trace/trace_events.c.
    """
    tracepoint = event.tracepoint
    system, colon, name = pattern.rpartition(":")
    if tracepoint is UNKNOWN:
        return fnmatchcase(str(event.values[0]), name or "*")
    if colon:
        return fnmatchcase(tracepoint.system, system or "*") and fnmatchcase(
            tracepoint.name, name or "*"
        )
    return fnmatchcase(tracepoint.system, name) or fnmatchcase(tracepoint.name, name)
