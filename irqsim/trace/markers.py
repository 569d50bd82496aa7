"""Slices as markers: lines that a program would have written to trace_marker.

Viewers that ignore interrupts in text know ``tracing_mark_write: B|PID|NAME`` and ``E|PID``
and draw what stands between them.  The markers come right behind the events that they tell of.

Source: Perfetto's and Catapult's importers of systrace text: the format of the markers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import evolve

from irqsim.events import PRINT, Event
from irqsim.records import Lost, Record, TraceHeader
from irqsim.trace.slices import SLICES
from irqsim.trace.target import Log, Target

OPTION: Final = "markers"
_IP: Final = "tracing_mark_write"

_MARKED: Final = [each for each in SLICES if each.category != "work"]
"""Viewers know works as they know tasks."""
_BEGINS: Final = {each.begin.id: each for each in _MARKED}
_ENDS: Final = frozenset(each.end.id for each in _MARKED)


class Marked:
    """Another format's log, with markers in what it is given."""

    def __init__(self, target: Target, log: Log) -> None:
        self._log = log
        self._header = target.header
        self._nr_markers = 0

    def add(self, items: Sequence[Record | Lost]) -> None:
        """Take the next records."""
        marked: list[Record | Lost] = []
        for item in items:
            marked.append(item)
            if isinstance(item, Lost):
                continue
            time_ns, context, event = item
            number = event.tracepoint.id
            if number in _BEGINS:
                text = f"B|{context.pid}|{_BEGINS[number].name(event)}"
            elif number in _ENDS:
                text = f"E|{context.pid}"
            else:
                continue
            self._nr_markers += 1
            marked.append((time_ns, context, Event(PRINT, (_IP, text))))
        self._log.add(marked)

    def finish(self) -> None:
        """Write what had to wait for the end."""
        self._log.finish()

    def header(self) -> TraceHeader:
        """The trace's own, with the markers counted."""
        header = self._header()
        return evolve(
            header,
            entries_in_buffer=(header.entries_in_buffer or 0) + self._nr_markers,
            entries_written=(header.entries_written or 0) + self._nr_markers,
        )
