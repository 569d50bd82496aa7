"""The bytes of a trace: a file or standard input, packed or not, never sought.

Reads what is there and does not wait for more, so that a trace which is still being written
(``cat trace_pipe | irqsim check -``) is read as it comes.
"""

from __future__ import annotations

import gzip
import io
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO, Final

from irqsim.errors import TraceFormatError

STDIN: Final = "stdin"
"""How standard input is called in messages."""

CHUNK: Final = 1 << 18
LINE_MAX: Final = 1 << 20
"""Bytes in a line; the kernel prints 4 kB at most."""

_GZIP: Final = b"\x1f\x8b"


class Source:
    """A stream of bytes whose beginning can be looked at."""

    def __init__(self, name: str) -> None:
        """Raises TraceFormatError if it cannot be opened or read."""
        self.name = STDIN if name == "-" else name
        self.is_packed = False
        try:
            self._file: BinaryIO = sys.stdin.buffer if name == "-" else open(name, "rb")
        except (OSError, ValueError) as error:
            raise TraceFormatError(self.name, None, _why(error)) from error
        self._owned = name != "-"
        self._head = b""
        self._read: Callable[[int], bytes] = partial(_read1, self._file)
        try:
            if self.peek(len(_GZIP)) == _GZIP:
                self.is_packed = True
                rest = _Rest(self._head, self._file)
                self._head = b""
                self._read = gzip.GzipFile(fileobj=io.BufferedReader(rest)).read1
        except BaseException:
            self.close()
            raise

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, or fewer at the end, which will be read again."""
        while len(self._head) < size:
            more = self._more()
            if not more:
                break
            self._head += more
        return self._head[:size]

    def rewindable(self) -> BinaryIO:
        """The whole as a file that can be sought: this one, or a copy without a name."""
        if not self.is_packed and self._owned and self._file.seekable():
            self._file.seek(0)
            return self._file
        copy = tempfile.TemporaryFile()
        try:
            for chunk in self.chunks():
                copy.write(chunk)
            copy.seek(0)
        except BaseException:
            copy.close()
            raise
        self.close()
        self._file, self._owned = copy, True
        return copy

    def chunks(self) -> Iterator[bytes]:
        """All that is left, in pieces as they come."""
        if self._head:
            head, self._head = self._head, b""
            yield head
        while piece := self._more():
            yield piece

    def lines(self) -> Iterator[tuple[list[str], str]]:
        """All that is left, as lists of lines, and the newline that each of them had.

        Only the last line of all can be without one.
        """
        rest = b""
        nr_lines = 0
        for chunk in self.chunks():
            head, newline, tail = chunk.rpartition(b"\n")
            if not newline:
                rest += tail
            else:
                lines = (rest + head).decode("utf-8", "surrogateescape").split("\n")
                rest = tail
                nr_lines += len(lines)
                yield lines, "\n"
            if len(rest) > LINE_MAX:
                raise TraceFormatError(self.name, nr_lines + 1, "a line without an end")
        if rest:
            yield [rest.decode("utf-8", "surrogateescape")], ""

    def close(self) -> None:
        """Close the file; standard input is left open."""
        if self._owned:
            self._file.close()

    def _more(self) -> bytes:
        try:
            return self._read(CHUNK)
        except (OSError, ValueError, EOFError, zlib.error) as error:
            raise TraceFormatError(self.name, None, _why(error)) from error


class _Rest(io.RawIOBase):
    """A stream with its beginning put back."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._head = head
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        piece = self._head[: len(buffer)] or _read1(self._file, len(buffer))
        self._head = self._head[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


def _read1(file: BinaryIO, size: int) -> bytes:
    """What is there, and at least a byte unless the file ends."""
    return file.read1(size) if isinstance(file, io.BufferedReader) else file.read(size)


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or "cannot be read"
