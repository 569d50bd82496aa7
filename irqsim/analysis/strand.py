"""The events of one CPU, in their order, in little memory: on disk when they are many."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator
from hashlib import blake2b
from typing import IO, Final

from attrs import frozen

from irqsim.errors import IrqsimError
from irqsim.units import TIME_MAX_NS

MEMORY: Final = 1 << 20
"""Bytes of a strand that are kept in memory; more go to an unnamed temporary file."""
CHUNK: Final = 4096
"""Entries that are written and read at a time."""
FIELDS: Final = 5
SIZE: Final = FIELDS * 8


@frozen
class Entry:
    """One event of a strand."""

    number: int
    """What it is: see irqsim.analysis.identity."""
    time_ns: int
    line: int
    context: int
    event: int
    """The indexes of its context and of its event; -1: they were not kept."""


class Strand:
    """A sequence that grows at its end and is read anywhere."""

    __slots__ = ("_chunk", "_digest", "_file", "_held", "_held_at", "_new", "_nr_written")

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._new = array("q")
        self._nr_written = 0
        self._digest = blake2b(digest_size=16)
        self._held = array("q")
        self._held_at = 0
        """What was read last, and from which entry on."""

    def __len__(self) -> int:
        return self._nr_written + len(self._new) // FIELDS

    def append(self, number: int, time_ns: int, line: int, context: int, event: int) -> None:
        """Add an event."""
        if time_ns > TIME_MAX_NS:
            # No clock of a kernel, but a text may say so.
            time_ns = TIME_MAX_NS
        self._new.extend((number, time_ns, line, context, event))
        if len(self._new) >= CHUNK * FIELDS:
            self.flush()

    def flush(self) -> None:
        """Write what has been added; comes before reading."""
        if not self._new:
            return
        self._digest.update(self._new[::FIELDS].tobytes())
        try:
            if self._file is None:
                self._file = tempfile.SpooledTemporaryFile(MEMORY)
            self._file.seek(self._nr_written * SIZE)
            self._file.write(self._new.tobytes())
        except OSError as error:
            raise IrqsimError(f"temporary file: {error.strerror}") from error
        self._nr_written += len(self._new) // FIELDS
        self._new = array("q")

    def digest(self) -> bytes:
        """The same for strands whose events are the same."""
        self.flush()
        return self._digest.digest()

    def numbers(self, start: int, stop: int) -> list[int]:
        """What the events from one place to another are."""
        return self._column(0, start, stop)

    def times(self, start: int, stop: int) -> list[int]:
        """When they were."""
        return self._column(1, start, stop)

    def entry(self, place: int) -> Entry:
        """One event."""
        held = self._read(place)
        first = (place - self._held_at) * FIELDS
        return Entry(*held[first : first + FIELDS])

    def chunks(self) -> Iterator[list[int]]:
        """What all events are, in pieces."""
        self.flush()
        for start in range(0, len(self), CHUNK):
            yield self.numbers(start, min(len(self), start + CHUNK))

    def close(self) -> None:
        """Forget it all."""
        if self._file is not None:
            self._file.close()

    def _column(self, column: int, start: int, stop: int) -> list[int]:
        found: list[int] = []
        stop = min(stop, len(self))
        while start < stop:
            held = self._read(start)
            end = min(stop, self._held_at + len(held) // FIELDS)
            first, last = (start - self._held_at) * FIELDS, (end - self._held_at) * FIELDS
            found += held[first + column : last : FIELDS]
            start = end
        return found

    def _read(self, place: int) -> array[int]:
        """The chunk that has this entry."""
        at = place - place % CHUNK
        if not self._held or at != self._held_at:
            assert self._file is not None
            self._file.seek(at * SIZE)
            self._held = array("q")
            self._held.frombytes(self._file.read(CHUNK * SIZE))
            self._held_at = at
        return self._held
