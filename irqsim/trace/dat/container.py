"""The file format of trace.dat: what stands where.

A file is a magic, the byte order and word size of the machine that wrote it, and sections:
the layout of a ring-buffer page, the event formats, symbols, names of tasks, options, and
each CPU's pages.  In version 6 they stand one after the other; in version 7 options say
where each is, and each may be compressed.

Source: trace-cmd: Documentation/trace-cmd/trace-cmd.dat.v6.5.txt, trace-cmd.dat.v7.5.txt.
Leaves out: guests, and the offsets between their clocks and the host's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from attrs import define, field

from irqsim.trace.dat.compression import Decompress, as_it_is, decompressor
from irqsim.trace.dat.stream import PIECE_MAX, Stream, text_of

MAGIC: Final = b"\x17\x08\x44tracing"

# Options; in version 7 those from 16 on say where a section is.
DONE: Final = 0
_DATE: Final = 1
BUFFER: Final = 3
TRACECLOCK: Final = 4
UNAME: Final = 5
_OFFSET: Final = 7
CPUCOUNT: Final = 8
_TSC2NSEC: Final = 14

_COMPRESSED: Final = 1
_PAGE_MIN: Final = 64
_PAGE_MAX: Final = 1 << 24
_EVENTS_MAX: Final = 1 << 16
_CPUS_MAX: Final = 1 << 14
_SECTIONS_MAX: Final = 1 << 10
_SHIFT_MAX: Final = 63


@define
class CpuData:
    """Where a CPU's pages are."""

    cpu: int
    offset: int
    size: int


@define
class Buffer:
    """One trace buffer: that of the top ("") or of an instance."""

    name: str
    page_size: int
    cpus: list[CpuData]
    is_compressed: bool = False


@define
class Contents:
    """All of a file but the pages."""

    version: int = 6
    is_big: bool = False
    long_size: int = 8
    page_size: int = 4096
    header_page: str = ""
    formats: list[tuple[str, str]] = field(factory=list)
    """The system and the format file of each event."""
    kallsyms: bytes = b""
    printk: bytes = b""
    cmdlines: bytes = b""
    nr_cpus: int = 0
    clock: str = "local"
    uname: str = ""
    offset_ns: int = 0
    tsc: tuple[int, int, int] | None = None
    """Multiplier, shift and offset that make ns of a counter."""
    buffers: list[Buffer] = field(factory=list)


class Container:
    """An open file, and how to read its pieces."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        """Read all but the pages of a file that can be sought.  Raises TraceFormatError."""
        self._stream = Stream(file, name)
        self.contents = Contents()
        self._decompress: Decompress = as_it_is
        stream, contents = self._stream, self.contents
        stream.read(len(MAGIC))
        version = stream.string()
        if version not in ("6", "7"):
            raise stream.fault(f"expected version 6 or 7, got {version!r}")
        contents.version = int(version)
        order, contents.long_size = stream.read(2)
        stream.is_big = contents.is_big = order == 1
        if contents.long_size not in (4, 8):
            raise stream.fault(f"expected longs of 4 or 8 bytes, got {contents.long_size}")
        contents.page_size = self._page_size(stream)
        if contents.version == 6:
            self._read_version_6()
        else:
            self._decompress = decompressor(stream.string(), name)
            stream.string()
            self._read_chain(stream.number("Q"))

    def pages(self, buffer: Buffer, cpu: CpuData) -> Iterator[bytes]:
        """The pages of a CPU, the last one perhaps cut off.  Raises TraceFormatError."""
        stream, size = self._stream, buffer.page_size
        if not buffer.is_compressed:
            for offset in range(0, cpu.size, size):
                stream.seek(cpu.offset + offset)
                yield stream.read(min(size, cpu.size - offset))
            return
        if not cpu.size:
            return
        stream.seek(cpu.offset)
        nr_chunks = stream.number("I")
        place = stream.tell()
        for _ in range(nr_chunks):
            stream.seek(place)
            chunk = self._unpacked(stream)
            place = stream.tell()
            for offset in range(0, len(chunk), size):
                yield chunk[offset : offset + size]

    # -- version 6 -----------------------------------------------------------------------

    def _read_version_6(self) -> None:
        stream, contents = self._stream, self.contents
        self._headers(stream)
        self._ftrace_events(stream)
        self._event_formats(stream)
        self._kallsyms(stream)
        self._printk(stream)
        self._cmdlines(stream)
        contents.nr_cpus = stream.number("I", _CPUS_MAX)
        instances: list[tuple[int, str]] = []
        word = stream.read(10)
        while word.startswith(b"options"):
            while option := stream.number("H"):
                body = stream.piece(stream.sized("I"))
                if option == BUFFER:
                    instances.append((body.number("Q"), body.string()))
                else:
                    self._option(option, body)
            word = stream.read(10)
        if not word.startswith(b"flyrecord"):
            what = "a latency trace as text" if word.startswith(b"latency") else repr(word)
            raise stream.fault(f"expected the pages of each CPU, got {what}")
        contents.buffers.append(self._cpus_of(""))
        for offset, name in instances:
            stream.seek(offset)
            stream.read(10)
            contents.buffers.append(self._cpus_of(name))

    def _cpus_of(self, name: str) -> Buffer:
        nr_cpus = self.contents.nr_cpus
        cpus = [CpuData(cpu, *self._stream.numbers("QQ")) for cpu in range(nr_cpus)]
        return Buffer(name, self.contents.page_size, cpus)

    # -- version 7 -----------------------------------------------------------------------

    def _read_chain(self, offset: int) -> None:
        """Sections of options, each of which says where the next one is."""
        for _ in range(_SECTIONS_MAX):
            if not offset:
                return
            options = self._section(offset)
            while True:
                option, size = options.numbers("HI")
                body = options.piece(options.read(size))
                if option == DONE:
                    offset = body.number("Q")
                    break
                if option in _SECTIONS:
                    _SECTIONS[option](self, self._section(body.number("Q")))
                elif option == BUFFER:
                    self._buffer(body)
                else:
                    self._option(option, body)
        raise self._stream.fault("options without an end")

    def _section(self, offset: int) -> Stream:
        stream = self._stream
        stream.seek(offset)
        _, flags, _, size = stream.numbers("HHIQ")
        if flags & _COMPRESSED:
            return stream.piece(self._unpacked(stream))
        return stream.piece(stream.read(size))

    def _unpacked(self, stream: Stream) -> bytes:
        packed, size = stream.numbers("II")
        if size > PIECE_MAX:
            raise stream.fault(f"a piece of {size} bytes")
        data = stream.read(packed)
        try:
            return self._decompress(data, size)
        except ValueError as error:
            raise stream.fault(f"cannot be unpacked: {error}") from error

    def _buffer(self, body: Stream) -> None:
        offset = body.number("Q")
        name, clock = body.string(), body.string()
        page_size = self._page_size(body)
        cpus = [CpuData(*body.numbers("IQQ")) for _ in range(body.number("I", _CPUS_MAX))]
        self._stream.seek(offset)
        _, flags = self._stream.numbers("HH")
        self.contents.buffers.append(Buffer(name, page_size, cpus, bool(flags & _COMPRESSED)))
        if not name and clock:
            self.contents.clock = clock

    # -- parts ---------------------------------------------------------------------------

    def _option(self, option: int, body: Stream) -> None:
        contents = self.contents
        if option == TRACECLOCK:
            clock = text_of(body.rest()).partition("[")[2].partition("]")[0]
            contents.clock = clock or contents.clock
        elif option == UNAME:
            contents.uname = text_of(body.rest())
        elif option == CPUCOUNT:
            contents.nr_cpus = body.number("I", _CPUS_MAX)
        elif option in (_DATE, _OFFSET):
            text = text_of(body.rest()).strip()
            try:
                contents.offset_ns += int(text[:20] or "0", 0)
            except ValueError:
                raise body.fault(f"expected a number of ns, got {text!r}") from None
        elif option == _TSC2NSEC:
            multiplier, shift, offset = body.numbers("IIQ")
            contents.tsc = (multiplier, min(shift, _SHIFT_MAX), offset)

    def _headers(self, source: Stream) -> None:
        for word in ("header_page", "header_event"):
            found = source.string()
            if found != word:
                raise source.fault(f"expected {word}, got {found!r}")
            text = text_of(source.sized("Q"))
            if word == "header_page":
                self.contents.header_page = text

    def _ftrace_events(self, source: Stream) -> None:
        for _ in range(source.number("I", _EVENTS_MAX)):
            self.contents.formats.append(("ftrace", text_of(source.sized("Q"))))

    def _event_formats(self, source: Stream) -> None:
        for _ in range(source.number("I", _EVENTS_MAX)):
            system = source.string()
            for _ in range(source.number("I", _EVENTS_MAX)):
                self.contents.formats.append((system, text_of(source.sized("Q"))))

    def _kallsyms(self, source: Stream) -> None:
        self.contents.kallsyms = source.sized("I")

    def _printk(self, source: Stream) -> None:
        self.contents.printk = source.sized("I")

    def _cmdlines(self, source: Stream) -> None:
        self.contents.cmdlines = source.sized("Q")

    def _page_size(self, source: Stream) -> int:
        size = source.number("I", _PAGE_MAX)
        if size < _PAGE_MIN:
            raise source.fault(f"a page of {size} bytes")
        return size


_SECTIONS: Final[dict[int, Callable[[Container, Stream], None]]] = {
    16: Container._headers,
    17: Container._ftrace_events,
    18: Container._event_formats,
    19: Container._kallsyms,
    20: Container._printk,
    21: Container._cmdlines,
}


def is_dat(head: bytes) -> bool:
    """Whether a file begins as a trace.dat does."""
    return head.startswith(MAGIC)


