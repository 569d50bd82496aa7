"""trace.dat: the binary file of trace-cmd, which most tools open.

The pages of each CPU wait in a spool of its own, since what a file says of them (functions,
names of tasks, places) stands before them.  Version 6 is the one that every tool reads;
version 7 has sections, found by way of a list of options.

Source: the manual pages trace-cmd.dat.v6(5) and trace-cmd.dat.v7(5).
Differs: nothing is compressed; functions and strings have addresses of our own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from struct import pack
from typing import IO, Final

from irqsim.errors import IrqsimError
from irqsim.events import FUNCTION, KERNEL_STACK, PRINT, tracepoints_in
from irqsim.records import Lost, Record, TraceHeader, Tracepoint
from irqsim.trace.dat.container import BUFFER, CPUCOUNT, DONE, MAGIC, TRACECLOCK, UNAME
from irqsim.trace.dat.encode import EntryEncoder, long_bits_of
from irqsim.trace.dat.format_file import format_file, unknown_format_file
from irqsim.trace.dat.page_writer import PAGE_SIZE, PageWriter, header_event, header_page
from irqsim.trace.entry import Entries
from irqsim.trace.output import BLOCK, LineStream, write_error
from irqsim.trace.target import Target

_CLOCK: Final = "[local] global counter uptime perf mono mono_raw boot"

# Sections, and the options that say where they are.
_STRINGS: Final = 15
_HEADER_INFO: Final = 16
_FTRACE_EVENTS: Final = 17
_EVENT_FORMATS: Final = 18
_KALLSYMS: Final = 19
_PRINTK: Final = 20
_CMDLINES: Final = 21

_DESCRIPTIONS: Final[dict[int, str]] = {
    DONE: "options",
    BUFFER: "flyrecord",
    _STRINGS: "strings",
    _HEADER_INFO: "headers",
    _FTRACE_EVENTS: "ftrace events",
    _EVENT_FORMATS: "events format",
    _KALLSYMS: "kallsyms",
    _PRINTK: "printk",
    _CMDLINES: "command lines",
}

SPOOL_MEMORY: Final = 1 << 18
"""Bytes of one CPU that wait in memory before they wait on disk."""


class _CpuPages:
    """The pages of one CPU, until the file is written."""

    def __init__(self, long_size: int) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(SPOOL_MEMORY)
        self.size = 0
        self.writer = PageWriter(self._take, long_size)

    def _take(self, page: bytes) -> None:
        try:
            self._file.write(page)
        except OSError as error:
            raise write_error(error, "temporary file") from error
        self.size += len(page)

    def copy_to(self, stream: LineStream) -> None:
        """Write all pages, and forget them."""
        self._file.seek(0)
        while block := self._file.read(BLOCK):
            stream.write_bytes(block)
        self._file.close()


class TraceDat:
    """A trace.dat that is made of records."""

    def __init__(self, target: Target, version: int = 6) -> None:
        self._target = target
        self._version = version
        self._encoder: EntryEncoder | None = None
        self._cpus: list[_CpuPages] = []
        self._comms: dict[int, str] = {}
        """By pid: the name that a task had last."""

    def add(self, items: Sequence[Record | Lost]) -> None:
        """Take the next records."""
        encoder = self._encoder or self._begin(items)
        encode, comms = encoder.encode, self._comms
        for item in items:
            if isinstance(item, Lost):
                self._cpu(item.cpu).writer.lost(item.nr)
                continue
            time_ns, context, event = item
            comms[context.pid] = context.comm
            self._cpu(context.cpu).writer.add(time_ns, encode(context, event))

    def finish(self) -> None:
        """Write the file."""
        encoder = self._encoder or self._begin(())
        for cpu in self._cpus:
            cpu.writer.flush()
        header = self._target.header()
        nr_cpus = max(len(self._cpus), header.nr_cpus or 1)
        for number in range(len(self._cpus), nr_cpus):
            self._cpu(number)
        meta = _Meta(encoder, header, self._comms)
        stream = self._target.stream
        for piece in _head_6(meta, self._cpus) if self._version == 6 else _head_7(meta, self._cpus):
            stream.write_bytes(piece)
        for cpu in self._cpus:
            cpu.copy_to(stream)

    def _begin(self, items: Sequence[Record | Lost]) -> EntryEncoder:
        header = self._target.header()
        if header.clock == "counts":
            raise IrqsimError("trace.dat: the trace counts events and has no times")
        if not header.has_context:
            raise IrqsimError("trace.dat: the trace does not say which task ran on which CPU")
        layout = self._target.make_text().layout.name
        long_bits = long_bits_of(items, header.long_bits)
        self._encoder = EntryEncoder(Entries(layout, long_bits))
        return self._encoder

    def _cpu(self, number: int) -> _CpuPages:
        while number >= len(self._cpus):
            assert self._encoder is not None
            self._cpus.append(_CpuPages(self._encoder.entries.long_size))
        return self._cpus[number]


def version_7(target: Target) -> TraceDat:
    """A trace.dat of the version with sections."""
    return TraceDat(target, version=7)


class _Meta:
    """What both versions say before the pages, in bytes."""

    def __init__(
        self, encoder: EntryEncoder, header: TraceHeader, comms: dict[int, str]
    ) -> None:
        self._encoder = encoder
        self.long_size = encoder.entries.long_size
        release = header.kernel_version or "{}.{}.0".format(*encoder.entries.release)
        machine = "aarch64" if self.long_size == 8 else "armv7l"
        self.uname = f"Linux irqsim {release} {machine}".encode() + b"\0"
        self.kallsyms = encoder.symbols.kallsyms().encode("utf-8", "surrogateescape")
        self.printk = encoder.strings.printk_formats().encode("utf-8", "surrogateescape")
        lines = [f"{pid} {comm}\n" for pid, comm in sorted(comms.items()) if pid > 0]
        self.cmdlines = "".join(lines).encode("utf-8", "surrogateescape")

    def start(self, version: int) -> bytes:
        """Magic, version, endianness, word and page size."""
        return MAGIC + b"%d\0" % version + pack("<BBI", 0, self.long_size, PAGE_SIZE)

    def headers(self) -> bytes:
        """What the header pages say."""
        parts = []
        for name, text in (
            (b"header_page\0", header_page(self.long_size)),
            (b"header_event\0", header_event()),
        ):
            parts.append(name + _sized("<Q", text))
        return b"".join(parts)

    def ftrace_formats(self) -> bytes:
        """The formats of ftrace's own entries."""
        own = (FUNCTION, KERNEL_STACK, PRINT)
        return pack("<I", len(own)) + b"".join(self._format(each) for each in own)

    def event_formats(self) -> bytes:
        """The formats of all other events, by system."""
        encoder = self._encoder
        systems: dict[str, list[bytes]] = {}
        layout = f"{encoder.entries.release[0]}.{encoder.entries.release[1]}"
        known = tracepoints_in(layout)
        # Converted traces may have events that no kernel of their layout has.
        for tracepoint in (*known, *(each for each in encoder.used() if each not in known)):
            if tracepoint.system == "ftrace":
                continue
            systems.setdefault(tracepoint.system, []).append(self._format(tracepoint))
        for name, index in encoder.unknown.items():
            text = unknown_format_file(name, index, encoder.entries)
            data = text.encode("utf-8", "surrogateescape")
            systems.setdefault("unknown", []).append(_sized("<Q", data))
        parts = [pack("<I", len(systems))]
        for system, formats in systems.items():
            parts += [system.encode() + b"\0", pack("<I", len(formats)), *formats]
        return b"".join(parts)

    def _format(self, tracepoint: Tracepoint) -> bytes:
        return _sized("<Q", format_file(tracepoint, self._encoder.entries).encode())


def _sized(size: str, data: bytes) -> bytes:
    return pack(size, len(data)) + data


def _places(cpus: list[_CpuPages], start: int) -> list[tuple[int, int]]:
    """Where each CPU's pages lie, and how many bytes they are."""
    places = []
    for cpu in cpus:
        places.append((start, cpu.size))
        start += cpu.size
    return places


def _option(number: int, data: bytes) -> bytes:
    return pack("<HI", number, len(data)) + data


def _head_6(meta: _Meta, cpus: list[_CpuPages]) -> Iterator[bytes]:
    """All that stands before the pages in version 6."""
    clock = _option(TRACECLOCK, _CLOCK.encode() + b"\0")
    head = b"".join(
        (
            meta.start(6),
            meta.headers(),
            meta.ftrace_formats(),
            meta.event_formats(),
            _sized("<I", meta.kallsyms),
            _sized("<I", meta.printk),
            _sized("<Q", meta.cmdlines),
            pack("<I", len(cpus)),
            b"options  \0",
            clock,
            _option(UNAME, meta.uname),
            pack("<H", DONE),
            b"flyrecord\0",
        )
    )
    start = _page_up(len(head) + 16 * len(cpus))
    table = b"".join(pack("<QQ", *place) for place in _places(cpus, start))
    yield (head + table).ljust(start, b"\0")


def _head_7(meta: _Meta, cpus: list[_CpuPages]) -> Iterator[bytes]:
    """All that stands before the pages in version 7: the sections, and the options last."""
    strings, ids = b"", {}
    for number, text in _DESCRIPTIONS.items():
        ids[number] = len(strings)
        strings += text.encode() + b"\0"

    def section(number: int, data: bytes, size: int | None = None) -> bytes:
        return pack("<HHIQ", number, 0, ids[number], len(data) if size is None else size) + data

    start = meta.start(7) + b"none\0" + b"\0"
    offset = len(start) + 8
    sections, options = [], []
    for number, data in (
        (_HEADER_INFO, meta.headers()),
        (_FTRACE_EVENTS, meta.ftrace_formats()),
        (_EVENT_FORMATS, meta.event_formats()),
        (_KALLSYMS, _sized("<I", meta.kallsyms)),
        (_PRINTK, _sized("<I", meta.printk)),
        (_CMDLINES, _sized("<Q", meta.cmdlines)),
        (_STRINGS, strings),
    ):
        options.append(_option(number, pack("<Q", offset)))
        sections.append(section(number, data))
        offset += len(sections[-1])
    options += [
        _option(CPUCOUNT, pack("<I", len(cpus))),
        _option(TRACECLOCK, _CLOCK.encode() + b"\0"),
        _option(UNAME, meta.uname),
    ]
    yield start + pack("<Q", offset) + b"".join(sections)
    # The options come next; their length does not depend on the places that they name.
    for_all = b"".join(options)
    options_size = len(section(DONE, for_all + _buffer(cpus, 0, 0) + _option(DONE, bytes(8))))
    buffer = offset + options_size
    pages = _page_up(buffer + len(section(BUFFER, b"")))
    body = for_all + _buffer(cpus, buffer, pages) + _option(DONE, bytes(8))
    yield section(DONE, body)
    nr_bytes = sum(cpu.size for cpu in cpus) + pages - buffer - len(section(BUFFER, b""))
    yield section(BUFFER, b"", nr_bytes).ljust(pages - buffer, b"\0")


def _buffer(cpus: list[_CpuPages], offset: int, pages: int) -> bytes:
    """The option that says where the buffer and each CPU's part of it is."""
    data = pack("<Q", offset) + b"\0" + b"local\0" + pack("<II", PAGE_SIZE, len(cpus))
    for number, place in enumerate(_places(cpus, pages)):
        data += pack("<IQQ", number, *place)
    return _option(BUFFER, data)


def _page_up(offset: int) -> int:
    return -(-offset // PAGE_SIZE) * PAGE_SIZE
