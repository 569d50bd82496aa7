"""A trace.dat as records, those of all CPUs in the order of their times."""

from __future__ import annotations

import heapq
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

from irqsim.errors import TraceFormatError
from irqsim.events import EventTable
from irqsim.records import FIRST, Lost, Record, Release, TraceHeader, release_number
from irqsim.trace.dat.container import Buffer, Container, CpuData, is_dat
from irqsim.trace.dat.decode import Decoder
from irqsim.trace.dat.event_format import EventFormat, FieldReader, parse_format
from irqsim.trace.dat.page import PageFormat
from irqsim.trace.dat.symbols import Symbols
from irqsim.trace.layout import LAYOUTS
from irqsim.trace.text import Part

__all__ = ["DatReader", "is_dat"]

BATCH: Final = 4096
"""Records that are handed on at a time."""
_V6_13: Final[Release] = (6, 13)
_COUNTING: Final = ("counter", "uptime", "x86-tsc", "ppc-tb")
"""Clocks that have no ns."""
_VERSION: Final = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")


class DatReader:
    """Reads one file."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        """Read all but the pages, of a file that can be sought.  Raises TraceFormatError."""
        self._name = name
        self._container = Container(file, name)
        contents = self._contents = self._container.contents
        self._pages = PageFormat(contents.header_page, contents.is_big, contents.long_size)
        try:
            formats = [parse_format(system, text) for system, text in contents.formats]
        except ValueError as error:
            raise TraceFormatError(name, None, str(error)) from error
        self.header = self._read_header(formats)
        self._decoder = Decoder(
            formats,
            FieldReader(contents.is_big, contents.long_size),
            Symbols(contents.kallsyms, contents.printk),
            dict(_comms(contents.cmdlines)),
            has_migrate=len(LAYOUTS[self.header.layout].columns) > 4,
            has_lazy=self.header.is_rt or _release(self.header.kernel_version) >= _V6_13,
            table=EventTable(),
        )

    def parts(self) -> Iterator[list[Part]]:
        """All records, numbered, in lists.  Raises TraceFormatError."""
        streams = [
            self._cpu(buffer, cpu) for buffer in self._contents.buffers for cpu in buffer.cpus
        ]
        parts: list[Part] = []
        # Records are compared by their time and their CPU alone.
        merged = heapq.merge(*streams, key=lambda each: each[:2])
        for number, (_, _, item) in enumerate(merged, start=1):
            parts.append((number, item, ""))
            if len(parts) == BATCH:
                yield parts
                parts = []
        yield parts

    def _cpu(self, buffer: Buffer, cpu: CpuData) -> Iterator[tuple[int, int, Record | Lost]]:
        decode = self._decoder.decode
        number = cpu.cpu
        try:
            for page in self._container.pages(buffer, cpu):
                for stamp, entry in self._pages.entries(page):
                    time = self._time(stamp)
                    if isinstance(entry, int):
                        yield time, number, Lost(number, entry)
                    else:
                        yield time, number, (time, *decode(number, entry))
        except (ValueError, struct.error) as error:
            raise TraceFormatError(self._name, None, f"CPU {number}: {error}") from error

    def _time(self, stamp: int) -> int:
        contents = self._contents
        if contents.tsc is not None:
            multiplier, shift, offset = contents.tsc
            stamp = (stamp * multiplier >> shift) - offset
        return stamp + contents.offset_ns

    def _read_header(self, formats: list[EventFormat]) -> TraceHeader:
        contents = self._contents
        words = contents.uname.split()
        version = words[2] if len(words) > 2 else None
        is_rt = any("common_preempt_lazy_count" in each.field_of for each in formats[:1])
        is_counted = contents.clock in _COUNTING and contents.tsc is None
        nr_cpus = contents.nr_cpus or max((len(each.cpus) for each in contents.buffers), default=0)
        return TraceHeader(
            source="trace.dat",
            layout=_layout(version, is_rt, formats),
            clock="counts" if is_counted else "ns",
            nr_cpus=nr_cpus or None,
            kernel_version=version,
        )


def _layout(version: str | None, is_rt: bool, formats: list[EventFormat]) -> str:
    if is_rt:
        return "6.1-rt"
    names = [name for name in LAYOUTS if not name.endswith("-rt")]
    release = _release(version)
    if release == FIRST:
        # Without a version the events that came with one tell.
        events = {each.name: each for each in formats}
        if "bucket_expiry" in (events["timer_start"].field_of if "timer_start" in events else {}):
            return "6.12"
        return "6.6" if "ipi_send_cpu" in events else "6.1"
    # Five columns came with 5.15.
    if (5, 15) <= release < (6, 1):
        return "6.1"
    known = [name for name in names if release_number(name) <= release]
    return known[-1] if known else names[0]


def _release(version: str | None) -> Release:
    """Of ``6.1.0-50-arm64``; the first of all where none is known."""
    found = _VERSION.match(version or "")
    return FIRST if found is None else (int(found[1]), int(found[2]))


def _comms(cmdlines: bytes) -> Iterator[tuple[int, str]]:
    for line in cmdlines.decode("utf-8", "surrogateescape").split("\n"):
        pid, blank, comm = line.partition(" ")
        if blank and pid.isdecimal() and len(pid) <= 10:
            yield int(pid), comm
