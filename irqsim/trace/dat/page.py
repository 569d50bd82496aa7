"""Pages of the kernel's ring buffer: entries with their times, and what was lost.

Source: kernel/trace/ring_buffer.c: struct buffer_data_page, rb_event_length(),
rb_update_iter_read_stamp(), ring_buffer_read_page(); include/linux/ring_buffer.h:
enum ring_buffer_type.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final

DATA_MAX: Final = 28
PADDING: Final = 29
TIME_EXTEND: Final = 30
TIME_STAMP: Final = 31
TYPE_BITS: Final = 5
DELTA_BITS: Final = 27
_STAMP_TOP: Final = 0xF8 << 56
"""An absolute time has 59 bits; the others are those of the page's."""

_COMMIT_MASK: Final = (1 << 20) - 1
MISSED: Final = 1 << 31
MISSED_STORED: Final = 1 << 30

_FIELD: Final = re.compile(r"field:[^;]*?(\w+);\s*offset:([0-9]{1,6});\s*size:([0-9]{1,6});")


class PageFormat:
    """Where a page's time, length and data are, on the machine that wrote it."""

    __slots__ = ("_commit", "_commit_at", "_data_at", "_is_big", "_long", "_time", "_time_at")

    def __init__(self, header_page: str, is_big: bool, long_size: int) -> None:
        """From the file events/header_page; without one, as all kernels have it."""
        order = ">" if is_big else "<"
        found = {name: (int(at), int(size)) for name, at, size in _FIELD.findall(header_page)}
        self._is_big = is_big
        self._time = struct.Struct(order + "Q")
        self._time_at = found.get("timestamp", (0, 8))[0]
        self._commit_at, size = found.get("commit", (8, long_size))
        self._commit = struct.Struct(order + ("Q" if size == 8 else "I"))
        self._long = struct.Struct(order + ("Q" if long_size == 8 else "I"))
        self._data_at = found.get("data", (8 + long_size, 0))[0]

    def entries(self, page: bytes) -> Iterator[tuple[int, bytes | int]]:
        """Times and entries in their order; a number instead: so many were lost before.

        Raises ValueError for a page that no kernel writes.
        """
        if len(page) < self._data_at:
            raise ValueError(f"a page of {len(page)} bytes")
        (time,) = self._time.unpack_from(page, self._time_at)
        (commit,) = self._commit.unpack_from(page, self._commit_at)
        end = self._data_at + (commit & _COMMIT_MASK)
        if end > len(page):
            raise ValueError(f"expected {end} bytes in a page, got {len(page)}")
        if commit & MISSED:
            stored = bool(commit & MISSED_STORED) and end + self._long.size <= len(page)
            yield time, self._long.unpack_from(page, end)[0] if stored else 0
        yield from self._events(page, end, time)

    def _events(self, page: bytes, end: int, time: int) -> Iterator[tuple[int, bytes]]:
        is_big = self._is_big
        nr_words = end // 4
        words = struct.unpack_from(f"{'>' if is_big else '<'}{nr_words}I", page)
        at = self._data_at // 4
        while at < nr_words:
            header = words[at]
            if is_big:
                kind, delta = header >> DELTA_BITS, header & (1 << DELTA_BITS) - 1
            else:
                kind, delta = header & (1 << TYPE_BITS) - 1, header >> TYPE_BITS
            at += 1
            if 0 < kind <= DATA_MAX:
                time += delta
                if at + kind > nr_words:
                    raise ValueError("an entry goes on behind its page")
                yield time, page[4 * at : 4 * (at + kind)]
                at += kind
                continue
            if kind == PADDING and not delta:
                return
            if at >= nr_words:
                raise ValueError("an entry goes on behind its page")
            word = words[at]
            if kind == TIME_EXTEND:
                time += delta + (word << DELTA_BITS)
                at += 1
            elif kind == TIME_STAMP:
                time = delta + (word << DELTA_BITS) | time & _STAMP_TOP
                at += 1
            else:
                time += delta
                size = -(-word // 4)
                if not size or at + size > nr_words:
                    raise ValueError("an entry goes on behind its page")
                if kind != PADDING:
                    yield time, page[4 * at + 4 : 4 * at + word]
                at += size
