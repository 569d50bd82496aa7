"""Numbers and strings from a binary file, in its byte order."""

from __future__ import annotations

import io
import struct
from typing import BinaryIO, Final

from irqsim.errors import TraceFormatError

PIECE_MAX: Final = 1 << 28
"""Bytes of one piece: more is not believed."""
_STRING_MAX: Final = 1 << 12


class Stream:
    """A file, or a piece of one in memory."""

    def __init__(self, file: BinaryIO | bytes, name: str) -> None:
        self.name = name
        """For messages."""
        self.is_big = False
        self._is_piece = isinstance(file, bytes)
        self._file = io.BytesIO(file) if isinstance(file, bytes) else file

    def fault(self, message: str) -> TraceFormatError:
        """An error at the place that was read last."""
        place = "in a section" if self._is_piece else f"byte {self._file.tell()}"
        return TraceFormatError(self.name, None, f"{place}: {message}")

    def piece(self, data: bytes) -> Stream:
        """A piece of this file."""
        piece = Stream(data, self.name)
        piece.is_big = self.is_big
        return piece

    def seek(self, offset: int) -> None:
        """Go to a place.  Raises TraceFormatError where no file has one."""
        if offset >= 1 << 63:
            raise self.fault(f"no place in a file: {offset}")
        self._file.seek(offset)

    def tell(self) -> int:
        """The place."""
        return self._file.tell()

    def read(self, size: int) -> bytes:
        """So many bytes.  Raises TraceFormatError where there are fewer."""
        if size > PIECE_MAX:
            raise self.fault(f"a piece of {size} bytes")
        data = self._file.read(size)
        if len(data) < size:
            raise self.fault(f"expected {size} bytes, got {len(data)}: the file is cut off")
        return data

    def rest(self) -> bytes:
        """All that is left of a piece."""
        return self._file.read(PIECE_MAX)

    def numbers(self, form: str) -> tuple[int, ...]:
        """Numbers as struct names them, with nothing between them."""
        order = ">" if self.is_big else "<"
        return struct.unpack(order + form, self.read(struct.calcsize(order + form)))

    def number(self, form: str, most: int = 1 << 64) -> int:
        """One number, which is not larger than `most`."""
        value = self.numbers(form)[0]
        if value > most:
            raise self.fault(f"expected {most} at most, got {value}")
        return value

    def string(self) -> str:
        """The bytes up to a NUL."""
        data = b""
        while not data.endswith(b"\0"):
            data += self.read(1)
            if len(data) > _STRING_MAX:
                raise self.fault("a string without an end")
        return text_of(data[:-1])

    def sized(self, form: str) -> bytes:
        """Bytes behind their number."""
        return self.read(self.number(form))


def text_of(data: bytes) -> str:
    """Bytes as text, up to a NUL if there is one."""
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")
