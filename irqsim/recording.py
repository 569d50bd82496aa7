"""What a run leaves in the trace: between the machine, which makes records, and who wants them.

Records arrive in order of time, but at one instant a CPU may come after one with a higher
number that has stirred it.  Those of the last instant are therefore held back until a later
one is there, and sorted where they need it: the final order is by time, then by CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.events import Record
from irqsim.trace.ring_buffer import RingBuffer

NR_CPUS_MAX: Final = 4096
"""More than a machine has."""

Sink = Callable[[list[Record]], None]


class Recording:
    """The trace buffer of a machine, and the way from it to a sink."""

    def __init__(
        self,
        sink: Sink,
        *,
        ring: RingBuffer | None = None,
        nr_clears: int = 0,
        keeps: bool = False,
        is_pipe: bool = False,
    ) -> None:
        """Without `ring` nothing is ever lost.

        `nr_clears` is how often clear() will be called: the sink is not given what is taken
        away again.  With `is_pipe` it is given everything at once, as a reader of trace_pipe
        would have had it.  `keeps`: records() will be asked for.
        """
        self._sink = sink
        self._ring = ring
        self._nr_clears = nr_clears
        self._keeps = keeps
        self._is_pipe = is_pipe
        self._held: list[Record] = []
        self._waiting: list[Record] = []
        """Not to be given away before the last clear()."""
        self._kept: list[Record] = []
        self._nr_records = 0

    @property
    def entries_in_buffer(self) -> int:
        """How many records there are now."""
        if self._ring is not None:
            return self._ring.entries_in_buffer
        return self._nr_records

    @property
    def entries_written(self) -> int:
        """How many there would be if none had been overwritten."""
        if self._ring is not None:
            return self._ring.entries_written
        return self._nr_records

    @property
    def has_overrun(self) -> bool:
        """Whether some have been overwritten."""
        return self._ring is not None and self._ring.has_overrun

    def add(self, records: list[Record]) -> None:
        """Take the next records."""
        if not records:
            return
        last_ns = records[-1][0]
        if self._held:
            records = self._held + records
        end = len(records)
        while end and records[end - 1][0] == last_ns:
            end -= 1
        self._held = records[end:]
        self._pass_on(records[:end])

    def settle(self) -> None:
        """Nothing comes that belongs before what is held back: let go of it."""
        held, self._held = self._held, []
        self._pass_on(held)

    def clear(self) -> None:
        """Forget what there is (`echo > trace`); like records(), at an instant's beginning."""
        if self._is_pipe:
            self.settle()
        self._held.clear()
        self._waiting.clear()
        self._kept.clear()
        self._nr_records = 0
        self._nr_clears -= 1
        if self._ring is not None:
            self._ring.clear()

    def finish(self) -> None:
        """The run is over: the sink gets the rest."""
        self.settle()
        if not self._is_pipe:
            rest = self._waiting if self._ring is None else self._ring.records()
            self._waiting = []
            if rest:
                self._sink(rest)

    def records(self) -> list[Record]:
        """What is in the buffer, in its final order.

        Asked by the operator, who comes first at an instant, or when the run is over.
        """
        assert self._keeps
        self.settle()
        return self._kept if self._ring is None else self._ring.records()

    def _pass_on(self, records: list[Record]) -> None:
        if not records:
            return
        keys = [time_ns * NR_CPUS_MAX + who.cpu for time_ns, who, _ in records]
        if keys != sorted(keys):
            records.sort(key=_order)
        if self._is_pipe:
            self._sink(records)
        if self._ring is not None:
            self._ring.add(records)
            return
        self._nr_records += len(records)
        if self._keeps:
            self._kept.extend(records)
        if not self._is_pipe:
            if self._nr_clears > 0:
                self._waiting.extend(records)
            else:
                self._sink(records)


def _order(record: Record) -> tuple[int, int]:
    return record[0], record[1].cpu
