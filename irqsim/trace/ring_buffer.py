"""What the kernel's ring buffer keeps of a trace when it is full.

Each CPU has a ring of pages.  Records are packed into a page until the next does not fit;
when all pages are used, the oldest one goes as a whole, with all its records.  So what is
lost is never a single record, and each CPU's part of the trace begins at another time.

Source: kernel/trace/ring_buffer.c: rb_calculate_event_length(), __rb_reserve_next(),
rb_move_tail(), rb_reset_tail(), rb_handle_head_page(); kernel/trace/trace.c:
tracing_stats_read().
Leaves out: the reader page, which comes in addition while somebody reads trace_pipe.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from irqsim.events import Event, Record
from irqsim.trace.entry import Entries

PAGE_SIZE: Final = 4096
NR_PAGES_MIN: Final = 2

_EVENT_HEADER: Final = 4
_SMALL_DATA_MAX: Final = 112
"""A longer entry has its length in a word of its own."""
_TIME_EXTEND: Final = 8
_TIME_DELTA_BITS: Final = 27
_EVENT_MIN: Final = 8
"""Where less than this is left of a page, no padding is put (and counted)."""


class Page:
    """Records that are lost together."""

    __slots__ = ("nr_bytes", "records")

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.nr_bytes = 0


class CpuBuffer:
    """One CPU's ring."""

    __slots__ = ("dropped", "last_ns", "overrun", "pages")

    def __init__(self) -> None:
        self.pages: deque[Page] = deque([Page()])
        self.overrun = 0
        self.dropped = 0
        self.last_ns = 0

    @property
    def entries(self) -> int:
        return sum(len(page.records) for page in self.pages)

    @property
    def nr_bytes(self) -> int:
        return sum(page.nr_bytes for page in self.pages)


class RingBuffer:
    """The buffers of all CPUs, of `size_kb` each."""

    __slots__ = ("_entries", "_lengths", "cpus", "nr_pages", "overwrite", "page_data")

    def __init__(
        self,
        nr_cpus: int,
        size_kb: int,
        *,
        release: str = "6.1",
        long_bits: int = 64,
        overwrite: bool = True,
    ) -> None:
        self.page_data = PAGE_SIZE - 8 - long_bits // 8
        """Bytes of a page behind its time and its length."""
        self.nr_pages = max(NR_PAGES_MIN, -(-size_kb * 1024 // self.page_data))
        self.overwrite = overwrite
        self.cpus = [CpuBuffer() for _ in range(nr_cpus)]
        self._entries = Entries(release, long_bits)
        self._lengths: dict[int, int] = {}
        """By Event.index."""

    @property
    def entries_in_buffer(self) -> int:
        return sum(cpu.entries for cpu in self.cpus)

    @property
    def entries_written(self) -> int:
        return sum(cpu.entries + cpu.overrun for cpu in self.cpus)

    @property
    def has_overrun(self) -> bool:
        return any(cpu.overrun for cpu in self.cpus)

    def add(self, records: Iterable[Record]) -> None:
        """Record these, each in the buffer of its CPU."""
        for record in records:
            self._add(self.cpus[record[1].cpu], record)

    def records(self) -> list[Record]:
        """What is left, in the order in which ``trace`` prints it: by time, then by CPU."""
        kept = [record for cpu in self.cpus for page in cpu.pages for record in page.records]
        kept.sort(key=_order)
        return kept

    def clear(self) -> None:
        """Forget everything, the counts too (``echo > trace``)."""
        self.cpus = [CpuBuffer() for _ in self.cpus]

    def stats(self, cpu: int, now_ns: int) -> str:
        """The file per_cpu/cpuN/stats."""
        buffer = self.cpus[cpu]
        oldest = next((page.records[0][0] for page in buffer.pages if page.records), 0)
        return (
            f"entries: {buffer.entries}\noverrun: {buffer.overrun}\ncommit overrun: 0\n"
            f"bytes: {buffer.nr_bytes}\noldest event ts: {_seconds(oldest)}\n"
            f"now ts: {_seconds(now_ns)}\ndropped events: {buffer.dropped}\nread events: 0\n"
        )

    def _add(self, cpu: CpuBuffer, record: Record) -> None:
        length = self._length(record[2])
        time_ns = record[0]
        page = cpu.pages[-1]
        extend = 0
        if page.nr_bytes and time_ns - cpu.last_ns >> _TIME_DELTA_BITS:
            extend = _TIME_EXTEND
        if page.nr_bytes + length + extend > self.page_data:
            if len(cpu.pages) == self.nr_pages and not self.overwrite:
                cpu.dropped += 1
                return
            page = self._move_tail(cpu)
            extend = 0
        page.records.append(record)
        page.nr_bytes += length + extend
        cpu.last_ns = time_ns

    def _move_tail(self, cpu: CpuBuffer) -> Page:
        full = cpu.pages[-1]
        if self.page_data - full.nr_bytes >= _EVENT_MIN:
            full.nr_bytes = self.page_data
        if len(cpu.pages) == self.nr_pages:
            cpu.overrun += len(cpu.pages.popleft().records)
        page = Page()
        cpu.pages.append(page)
        return page

    def _length(self, event: Event) -> int:
        """What an event takes of a page, with its header.

        Source: rb_calculate_event_length().
        """
        length = self._lengths.get(event.index)
        if length is None:
            length = self._entries.size(event) + _EVENT_HEADER
            if length > _SMALL_DATA_MAX + _EVENT_HEADER:
                length += 4
            length = -(-length // 4) * 4
            if length == _TIME_EXTEND + 4:
                length += 4
            if event.index >= 0:
                self._lengths[event.index] = length
        return length


def _order(record: Record) -> tuple[int, int]:
    return record[0], record[1].cpu


def _seconds(time_ns: int) -> str:
    time_us = (time_ns + 500) // 1000
    return f"{time_us // 1_000_000:5d}.{time_us % 1_000_000:06d}"
