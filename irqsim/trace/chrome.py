"""Chrome's trace-event JSON: for chrome://tracing, Perfetto's UI and speedscope.

Each CPU is a process with three tracks: hard interrupts over softirqs over tasks.  What has a
begin and an end is a slice on the track of its context, all else an instant; arrows lead from
a raise to the softirq, from an IPI's sender to its target, and from a wake-up to the task.

Source: the document "Trace Event Format" of the Catapult project: phases B, E, i, M, s, f.
"""

from __future__ import annotations

from collections.abc import Sequence
from json import JSONEncoder
from typing import Final

from irqsim.errors import IrqsimError
from irqsim.events import (
    HARDIRQ,
    IPI_ENTRY,
    IPI_RAISE,
    SCHED_SWITCH,
    SCHED_WAKING,
    SOFTIRQ,
    SOFTIRQ_ENTRY,
    SOFTIRQ_RAISE,
    UNKNOWN,
    Context,
    Event,
)
from irqsim.records import Lost, Record
from irqsim.trace.kinds import mask_value
from irqsim.trace.slices import BEGINS, ENDS, Slice
from irqsim.trace.target import Target

HARD: Final = 0
SOFT: Final = 1
TASK: Final = 2
_TRACKS: Final = ("hard interrupts", "softirqs", "tasks")

_LAYERS: Final = {"irq": HARD, "ipi": HARD, "softirq": SOFT, "tasklet": SOFT, "work": TASK}
"""The track of a category; timers expire in either kind of interrupt."""

_ARROWS_MAX: Final = 1 << 16
"""Arrows that wait for their end; when there are more, the oldest do not come."""


class Chrome:
    """Writes events as they come."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._encode = JSONEncoder(separators=(",", ":")).encode
        self._lines: list[str] = []
        self._open: dict[tuple[int, int], list[int]] = {}
        """By CPU and track: which tracepoints end the slices that are open, the newest last."""
        self._arrows: dict[tuple[object, ...], int] = {}
        """By what they wait for: their numbers."""
        self._nr_arrows = 0
        self._has_begun = False
        self._last_ns = 0

    def add(self, items: Sequence[Record | Lost]) -> None:
        """Write the next records."""
        if not self._has_begun:
            self._begin()
        for item in items:
            if isinstance(item, Lost):
                self._close_all(item.cpu)
                self._instant(item.cpu, TASK, f"{item.nr or ''} events lost".strip(), {})
                continue
            self._last_ns, context, event = item
            if (context.cpu, TASK) not in self._open:
                self._name_tracks(context.cpu)
            self._take(context, event)
        self._write()

    def finish(self) -> None:
        """Close what is open, and the array."""
        if not self._has_begun:
            self._begin()
        for cpu in sorted({cpu for cpu, _ in self._open}):
            self._close_all(cpu)
        self._write()
        self._target.stream.write("\n]}\n")

    def _begin(self) -> None:
        if self._target.header().clock == "counts":
            raise IrqsimError("chrome: the trace counts events and has no times")
        self._target.stream.write('{"displayTimeUnit":"ns","traceEvents":[\n')
        self._has_begun = True
        self._is_first = True

    def _write(self) -> None:
        if self._lines:
            text = ",\n".join(self._lines)
            self._target.stream.write(text if self._is_first else f",\n{text}")
            self._is_first = False
            self._lines.clear()

    def _take(self, context: Context, event: Event) -> None:
        cpu, number = context.cpu, event.tracepoint.id
        track = _track(context)
        if number in BEGINS:
            kind = BEGINS[number]
            track = _LAYERS.get(kind.category, track)
            self._begin_slice(cpu, track, kind, event)
            self._arrive(cpu, track, event)
        elif number in ENDS:
            kind = ENDS[number]
            self._end_slice(cpu, _LAYERS.get(kind.category, track), number)
        elif event.tracepoint is SCHED_SWITCH:
            self._switch(cpu, event)
        else:
            name, args = _told(event)
            self._instant(cpu, track, name, args)
            self._depart(cpu, track, event)

    def _begin_slice(self, cpu: int, track: int, kind: Slice, event: Event) -> None:
        _, args = _told(event)
        self._say("B", cpu, track, kind.name(event), kind.category, args=args)
        self._open[cpu, track].append(kind.end.id)

    def _end_slice(self, cpu: int, track: int, number: int) -> None:
        """End a slice; one that began before the log is not there to be ended."""
        stack = self._open[cpu, track]
        if number not in stack:
            return
        while stack:
            self._say("E", cpu, track)
            if stack.pop() == number:
                return

    def _switch(self, cpu: int, event: Event) -> None:
        """End the task's slice, with the works within it, and begin the next one's."""
        stack = self._open[cpu, TASK]
        while stack:
            stack.pop()
            self._say("E", cpu, TASK)
        pid = event["next_pid"]
        if pid == 0:
            return
        name, args = f"{event['next_comm']}-{pid}", _told(event)[1]
        self._say("B", cpu, TASK, name, "task", args=args)
        stack.append(SCHED_SWITCH.id)
        self._arrow_ends(("task", pid), cpu, TASK)

    def _close_all(self, cpu: int) -> None:
        for track in (HARD, SOFT, TASK):
            for _ in self._open.get((cpu, track), ()):
                self._say("E", cpu, track)
            self._open[cpu, track] = []

    def _instant(self, cpu: int, track: int, name: str, args: dict[str, object]) -> None:
        self._say("i", cpu, track, name, args=args, s="t")

    # Arrows.

    def _depart(self, cpu: int, track: int, event: Event) -> None:
        tracepoint = event.tracepoint
        if tracepoint is SOFTIRQ_RAISE:
            self._arrow_begins(("softirq", cpu, event["vec"]), cpu, track)
        elif tracepoint is SCHED_WAKING:
            self._arrow_begins(("task", event["pid"]), cpu, track)
        elif tracepoint is IPI_RAISE:
            targets = mask_value(event["target_cpus"])
            for target in range(targets.bit_length()):
                if targets >> target & 1:
                    self._arrow_begins(("ipi", target, event["reason"]), cpu, track)

    def _arrive(self, cpu: int, track: int, event: Event) -> None:
        if event.tracepoint is SOFTIRQ_ENTRY:
            self._arrow_ends(("softirq", cpu, event["vec"]), cpu, track)
        elif event.tracepoint is IPI_ENTRY:
            self._arrow_ends(("ipi", cpu, event["reason"]), cpu, track)

    def _arrow_begins(self, what: tuple[object, ...], cpu: int, track: int) -> None:
        # What was raised already is served once.
        if what in self._arrows or not self._open[cpu, track]:
            return
        if len(self._arrows) >= _ARROWS_MAX:
            del self._arrows[next(iter(self._arrows))]
        self._nr_arrows += 1
        self._arrows[what] = self._nr_arrows
        self._say("s", cpu, track, str(what[0]), "arrow", id=self._nr_arrows)

    def _arrow_ends(self, what: tuple[object, ...], cpu: int, track: int) -> None:
        number = self._arrows.pop(what, None)
        if number is not None:
            self._say("f", cpu, track, str(what[0]), "arrow", id=number, bp="e")

    # Lines.

    def _say(
        self,
        phase: str,
        cpu: int,
        track: int,
        name: str = "",
        category: str = "",
        args: dict[str, object] | None = None,
        **more: object,
    ) -> None:
        said: dict[str, object] = {}
        if name:
            said["name"] = name
        if category:
            said["cat"] = category
        said.update(more)
        if args:
            said["args"] = args
        us, ns = divmod(self._last_ns, 1000)
        rest = self._encode(said)[1:]
        comma = "," if said else ""
        # Microseconds, exact to the nanosecond: no float has so many digits.
        self._lines.append(
            f'{{"ph":"{phase}","ts":{us}.{ns:03d},"pid":{cpu},"tid":{_tid(cpu, track)}{comma}{rest}'
        )

    def _name_tracks(self, cpu: int) -> None:
        def meta(name: str, tid: int, args: dict[str, object]) -> None:
            said = {"ph": "M", "pid": cpu, "tid": tid, "name": name, "args": args}
            self._lines.append(self._encode(said))

        meta("process_name", 0, {"name": f"CPU {cpu}"})
        meta("process_sort_index", 0, {"sort_index": cpu})
        for track, name in enumerate(_TRACKS):
            meta("thread_name", _tid(cpu, track), {"name": f"CPU {cpu} {name}"})
            meta("thread_sort_index", _tid(cpu, track), {"sort_index": track})
            self._open.setdefault((cpu, track), [])


def _tid(cpu: int, track: int) -> int:
    """Tracks are known by their number alone: it is unique."""
    return cpu * len(_TRACKS) + track + 1


def _track(context: Context) -> int:
    if context.flags & HARDIRQ:
        return HARD
    return SOFT if context.flags & SOFTIRQ else TASK


def _told(event: Event) -> tuple[str, dict[str, object]]:
    """What an event is called, and its values."""
    tracepoint = event.tracepoint
    if tracepoint is UNKNOWN:
        return str(event.values[0] or "text"), {"text": event.values[1]}
    fields: dict[str, object] = {
        field.name: value
        for field, value in zip(tracepoint.fields, event.values, strict=True)
        if value is not None
    }
    return tracepoint.name, fields
