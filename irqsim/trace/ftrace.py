"""Records as the lines of ``trace`` and ``trace_pipe``.

A line is four strings: a head (task, CPU, flags) kept for each context, the time down to the
millisecond kept for the line before, its last three digits and a colon from a table, and a
tail (the event's text) kept for each event.  That is what makes printing a line cost about
as much as joining it.

Source: kernel/trace/trace_output.c: trace_print_context(), trace_print_lat_context(),
trace_find_mark(); kernel/trace/trace.c: test_cpu_buff_start(), trace_default_header().
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from irqsim.events import UNKNOWN_TGID, Context, Record
from irqsim.records import Lost, TraceHeader
from irqsim.trace.layout import LAYOUTS, Layout, column_header, flag_letters, latency_column_header
from irqsim.trace.payload import Payloads

NS_PER_MS: Final = 1_000_000
THREE_DIGITS: Final = tuple(f"{number:03d}: " for number in range(1000))

_MARKS: Final = (
    (1_000_000, "$"),
    (100_000, "@"),
    (10_000, "*"),
    (1_000, "#"),
    (100, "!"),
    (10, "+"),
)


class TextFormat:
    """Prints one stream of records, whose contexts and events come from one EventTable.

    The table bounds the memory: what it does not intern is rendered each time.
    """

    __slots__ = (
        "_after_pending",
        "_annotated",
        "_begin_ns",
        "_heads",
        "_is_first",
        "_pending",
        "_prefix",
        "_tails",
        "annotate",
        "clock_in_ns",
        "irq_info",
        "latency",
        "layout",
        "payloads",
        "record_tgid",
        "start_ns",
    )

    def __init__(
        self,
        layout: str | Layout = "6.1",
        *,
        irq_info: bool = True,
        record_tgid: bool = False,
        latency: bool = False,
        annotate: bool = False,
        clock_in_ns: bool = True,
        start_ns: int = 0,
    ) -> None:
        """`annotate` marks where a CPU's part of an overwritten buffer begins; `start_ns` is
        what latency-format counts from.
        """
        self.layout: Layout = LAYOUTS[layout] if isinstance(layout, str) else layout
        self.irq_info = irq_info
        self.record_tgid = record_tgid
        self.latency = latency
        self.annotate = annotate
        self.clock_in_ns = clock_in_ns
        self.start_ns = start_ns
        self.payloads = Payloads(self.layout.name)
        # By Context.index and Event.index; the last place answers for the index -1.
        self._heads: list[str | None] = [None]
        self._tails: list[str | None] = [None]
        # The millisecond that is printed as self._prefix, with the rounding: it begins half
        # a microsecond early.
        self._begin_ns = -NS_PER_MS
        self._prefix = ""
        self._pending: Record | None = None
        """With latency: the record that waits for the time of the next."""
        self._after_pending = ""
        """Lines of lost events that come behind it."""
        self._annotated: dict[int, bool] = {}
        self._is_first = True

    def header(
        self,
        tracer: str = "nop",
        *,
        entries_in_buffer: int = 0,
        entries_written: int = 0,
        online_cpus: int = 1,
        kernel_version: str = "6.1.0",
        preempt_model: str = "desktop",
    ) -> str:
        """What stands above the lines.  latency-format says nothing of an empty buffer."""
        head = f"# tracer: {tracer}\n#\n"
        if not self.latency:
            return (
                f"{head}# entries-in-buffer/entries-written:"
                f" {entries_in_buffer}/{entries_written}   #P:{online_cpus}\n#\n"
                f"{column_header(self.layout, self.irq_info, self.record_tgid)}"
            )
        if not entries_in_buffer:
            return head
        return (
            f"{head}# {tracer} latency trace v1.1.5 on {kernel_version}\n# {'-' * 68}\n"
            f"# latency: 0 us, #{entries_in_buffer}/{entries_written}, CPU#0 |"
            f" (M:{preempt_model} VP:0, KP:0, SP:0 HP:0 #P:{online_cpus})\n"
            f"#    {'-' * 17}\n#    | task: -0 (uid:0 nice:0 policy:0 rt_prio:0)\n"
            f"#    {'-' * 17}\n#\n{latency_column_header(self.layout)}"
        )

    def header_of(self, header: TraceHeader) -> str:
        """The same, as a header says it; what that leaves open is as in header()."""
        return self.header(
            header.tracer,
            entries_in_buffer=header.entries_in_buffer or 0,
            entries_written=header.entries_written or 0,
            online_cpus=header.nr_cpus or 1,
            kernel_version=header.kernel_version or "6.1.0",
            preempt_model=header.preempt_model or "desktop",
        )

    def items(self, items: Sequence[Record | Lost]) -> str:
        """The lines of records, and of what was lost between them."""
        parts: list[str] = []
        records: list[Record] = []
        for item in items:
            if not isinstance(item, Lost):
                records.append(item)
                continue
            parts.append(self.lines(records))
            records = []
            line = lost_events_line(item.cpu, item.nr)
            # With latency, the record above still waits for the time of the next.
            if self._pending is None:
                parts.append(line)
            else:
                self._after_pending += line
        parts.append(self.lines(records))
        return "".join(parts)

    def lines(self, records: Sequence[Record]) -> str:
        """The next records' lines.  Call finish() after the last."""
        if self.latency:
            return self._latency_lines(records)
        if self.annotate:
            return self._annotated_lines(records)
        if not self.clock_in_ns:
            return self._counted_lines(records)
        return self._default_lines(records)

    def finish(self) -> str:
        """What lines() kept back."""
        if self._pending is None:
            return ""
        line = self._latency_line(self._pending, self._pending[0]) + self._after_pending
        self._pending = None
        self._after_pending = ""
        return line

    def _default_lines(self, records: Sequence[Record]) -> str:
        heads, tails, three_digits = self._heads, self._tails, THREE_DIGITS
        begin_ns, prefix = self._begin_ns, self._prefix
        end_ns = begin_ns + NS_PER_MS
        parts: list[str] = []
        append = parts.append
        for time_ns, context, event in records:
            if not begin_ns <= time_ns < end_ns:
                ms = (time_ns + 500) // NS_PER_MS
                begin_ns = ms * NS_PER_MS - 500
                end_ns = begin_ns + NS_PER_MS
                prefix = f" {ms // 1000:5d}.{ms % 1000:03d}"
            try:
                head = heads[context.index]
                tail = tails[event.index]
            except IndexError:
                _grow(heads, context.index)
                _grow(tails, event.index)
                head = heads[context.index]
                tail = tails[event.index]
            if head is None:
                head = _keep(heads, context.index, self._head(context))
            if tail is None:
                tail = _keep(tails, event.index, f"{self.payloads.text(event)}\n")
            append(f"{head}{prefix}{three_digits[(time_ns - begin_ns) // 1000]}{tail}")
        self._begin_ns, self._prefix = begin_ns, prefix
        return "".join(parts)

    def _head(self, context: Context) -> str:
        layout = self.layout
        tgid = ""
        if self.record_tgid:
            known = context.tgid != UNKNOWN_TGID
            text = str(context.tgid) if known else "-" * layout.tgid_width
            tgid = f"({text:>{layout.tgid_width}}) "
        flags = ""
        if self.irq_info:
            flags = flag_letters(layout, context.flags, context.preempt_count)
        return (
            f"{_pad(context.comm, 16)}-{context.pid:<{layout.pid_width}d} {tgid}"
            f"[{context.cpu:03d}] {flags}"
        )

    def _counted_lines(self, records: Sequence[Record]) -> str:
        """For clocks that do not count in ns, such as `counter`."""
        return "".join(
            f"{self._head(context)} {time:12d}: {self.payloads.text(event)}\n"
            for time, context, event in records
        )

    def _annotated_lines(self, records: Sequence[Record]) -> str:
        parts: list[str] = []
        for record in records:
            cpu = record[1].cpu
            if cpu not in self._annotated:
                self._annotated[cpu] = True
                if not self._is_first:
                    parts.append(f"##### CPU {cpu} buffer started ####\n")
            self._is_first = False
            line = self._default_lines if self.clock_in_ns else self._counted_lines
            parts.append(line([record]))
        return "".join(parts)

    def _latency_lines(self, records: Sequence[Record]) -> str:
        parts: list[str] = []
        for record in records:
            if self._pending is not None:
                parts.append(self._latency_line(self._pending, record[0]))
                if self._after_pending:
                    parts.append(self._after_pending)
                    self._after_pending = ""
            self._pending = record
        return "".join(parts)

    def _latency_line(self, record: Record, next_time: int) -> str:
        time, context, event = record
        head = (
            f"{_pad(context.comm, 8)}-{context.pid:<{self.layout.pid_width}d} {context.cpu:3d}"
            f"{flag_letters(self.layout, context.flags, context.preempt_count)}"
        )
        text = self.payloads.text(event)
        if not self.clock_in_ns:
            return f"{head} {time - self.start_ns:4d}: {text}\n"
        since_start_us = (time - self.start_ns + 500) // 1000
        mark = delay_mark((next_time - time + 500) // 1000)
        return f"{head} {since_start_us:4d}us{mark}: {text}\n"


def delay_mark(delay_us: int) -> str:
    """The letter that says how long it is to the next record."""
    for limit, mark in _MARKS:
        if delay_us > limit:
            return mark
    return " "


def lost_events_line(cpu: int, nr_lost: int) -> str:
    """The line of trace_pipe where a CPU's records were overwritten; 0: nobody counted."""
    return f"CPU:{cpu} [LOST {nr_lost} EVENTS]\n" if nr_lost else f"CPU:{cpu} [LOST EVENTS]\n"


def _grow(cache: list[str | None], index: int) -> None:
    """Make room for an index, and keep the last place free for -1."""
    if index + 2 > len(cache):
        cache.extend([None] * (2 * index + 2 - len(cache)))


def _keep(cache: list[str | None], index: int, text: str) -> str:
    if index >= 0:
        _grow(cache, index)
        cache[index] = text
    return text


def _pad(comm: str, width: int) -> str:
    """``%16s`` and ``%8.8s`` as C does them: it counts bytes."""
    if comm.isascii():
        return f"{comm:>16}" if width == 16 else f"{comm:>8.8}"
    raw = comm.encode("utf-8", "surrogateescape")
    return (raw if width == 16 else raw[:width]).rjust(width).decode("utf-8", "surrogateescape")
