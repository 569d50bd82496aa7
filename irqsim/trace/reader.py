"""Any trace as records: text of every layout, trace.dat, and either of them packed.

What it is, its content says: gzip and trace.dat begin with bytes of their own, all else is
text.  Traces are read once, from the beginning to the end, in constant memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TypeAlias

from irqsim.records import Lost, Record, TraceHeader
from irqsim.trace.dat.container import MAGIC, is_dat
from irqsim.trace.dat.reader import DatReader
from irqsim.trace.source import Source
from irqsim.trace.text import Part, TextReader

__all__ = ["Item", "Lost", "Part", "Trace", "TraceHeader", "open_trace"]

Item: TypeAlias = tuple[int, Record | Lost]
"""The number, from 1, of its line (in a trace.dat: of the record), and what it says."""


class Trace:
    """A trace that is being read; a context manager, which closes the file."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._reader = _reader_of(source)
        self.name = source.name
        """For messages: the file's name, or "stdin"."""
        self.header: TraceHeader = self._reader.header

    def __enter__(self) -> Trace:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._source.close()

    def __iter__(self) -> Iterator[Item]:
        """Records, and where some were lost.  Raises TraceFormatError with file and line."""
        for parts in self.parts():
            for number, item, _ in parts:
                if item is not None:
                    yield number, item

    def records(self) -> Iterator[Record]:
        """The records alone."""
        for parts in self.parts():
            for _, item, _ in parts:
                if isinstance(item, tuple):
                    yield item

    def parts(self) -> Iterator[list[Part]]:
        """All of it: what __iter__ gives, and the text that it was read from.

        The texts joined are the text of the trace, with what is no record (comments,
        annotations); a trace.dat has none.
        """
        return self._reader.parts()


def _reader_of(source: Source) -> TextReader | DatReader:
    if is_dat(source.peek(len(MAGIC))):
        return DatReader(source.rewindable(), source.name)
    return TextReader(source)


def open_trace(name: str) -> Trace:
    """Open a file, or standard input ("-").  Raises TraceFormatError if it is no trace."""
    source = Source(name)
    try:
        return Trace(source)
    except BaseException:
        source.close()
        raise
