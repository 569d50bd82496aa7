"""Pages of the ring buffer: entries packed one behind the other, with the time between them.

Source: kernel/trace/ring_buffer.c: rb_update_event(), rb_add_time_stamp(), struct
buffer_data_page; include/linux/ring_buffer.h: struct ring_buffer_event.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from irqsim.errors import IrqsimError
from irqsim.trace.dat.page import (
    DATA_MAX,
    DELTA_BITS,
    MISSED,
    MISSED_STORED,
    PADDING,
    TIME_EXTEND,
    TIME_STAMP,
    TYPE_BITS,
)

PAGE_SIZE: Final = 4096

_EVENT_BITS: Final = (("type_len", TYPE_BITS), ("time_delta", DELTA_BITS), ("array", 32))
_EVENT_TYPES: Final = (
    ("padding", PADDING),
    ("time_extend", TIME_EXTEND),
    ("time_stamp", TIME_STAMP),
)

_WORD: Final = Struct("<I")
_TWO_WORDS: Final = Struct("<II")


def header_page(long_size: int) -> bytes:
    """The file events/header_page: where a page's time, length and data lie."""
    data = 8 + long_size
    rows = (
        ("u64 timestamp", 0, 8, 0),
        ("local_t commit", 8, long_size, 1),
        ("int overwrite", 8, 1, 1),
        ("char data", data, PAGE_SIZE - data, 0),
    )
    return "".join(
        f"\tfield: {field};\toffset:{offset};\tsize:{size};\tsigned:{is_signed};\n"
        for field, offset, size, is_signed in rows
    ).encode()


def header_event() -> bytes:
    """The file events/header_event: the bits of an entry's header."""
    rows = [f"\t{name:<12}: {bits:4} bits" for name, bits in _EVENT_BITS]
    types = [f"\t{name:<12}: type == {number}" for name, number in _EVENT_TYPES]
    text = "\n".join(["# compressed entry header", *rows, "", *types])
    return f"{text}\n\tdata max type_len  == {DATA_MAX}\n".encode()


class PageWriter:
    """One CPU's pages, each handed on when it is full."""

    __slots__ = ("_data", "_head", "_last_ns", "_lost", "_number", "_room", "_sink", "_start_ns")

    def __init__(self, sink: Callable[[bytes], None], long_size: int = 8) -> None:
        self._sink = sink
        self._head = Struct("<QQ" if long_size == 8 else "<QI")
        self._number = Struct("<Q" if long_size == 8 else "<I")
        self._room = PAGE_SIZE - self._head.size
        self._data = bytearray()
        self._start_ns = 0
        self._last_ns = 0
        self._lost = -1
        """Events that were lost before this page; 0: nobody counted; -1: none."""

    def add(self, time_ns: int, entry: bytes) -> None:
        """Put an entry behind the last.  Raises IrqsimError if it is too large for a page."""
        if not self._data:
            self._start_ns = self._last_ns = time_ns
        delta = time_ns - self._last_ns
        packed = self._pack(delta, entry)
        # Time that goes backwards can only be said by the time of a page.
        if delta < 0 or len(self._data) + len(packed) > self._room:
            self.flush()
            self._start_ns = time_ns
            packed = self._pack(0, entry)
            if len(packed) > self._room:
                raise IrqsimError(
                    f"an event of {len(entry)} bytes does not fit into a page of the ring buffer"
                )
        self._data += packed
        self._last_ns = time_ns

    def lost(self, nr: int) -> None:
        """Say that events were lost here; 0: nobody counted them."""
        self.flush()
        self._lost = max(self._lost, 0) + nr

    def flush(self) -> None:
        """Hand on the page that is not full yet."""
        if not self._data:
            return
        commit, tail = len(self._data), b""
        if self._lost >= 0:
            commit |= MISSED
            if self._lost and self._room - len(self._data) >= self._number.size:
                commit |= MISSED_STORED
                tail = self._number.pack(self._lost)
            self._lost = -1
        page = self._head.pack(self._start_ns, commit) + self._data + tail
        self._sink(page.ljust(PAGE_SIZE, b"\0"))
        self._data = bytearray()

    @staticmethod
    def _pack(delta: int, entry: bytes) -> bytes:
        delta = max(delta, 0)
        extend = b""
        if delta >> DELTA_BITS:
            low = delta & (1 << DELTA_BITS) - 1
            extend = _TWO_WORDS.pack(low << TYPE_BITS | TIME_EXTEND, delta >> DELTA_BITS)
            delta = 0
        nr_words = -(-len(entry) // 4)
        padded = entry.ljust(4 * nr_words, b"\0")
        if 0 < nr_words <= DATA_MAX:
            return extend + _WORD.pack(delta << TYPE_BITS | nr_words) + padded
        return extend + _TWO_WORDS.pack(delta << TYPE_BITS, 4 * nr_words + 4) + padded
