"""One JSON object for each record, a line each: for jq, and for whatever reads JSON.

Keys: ``time_ns``, ``cpu``, ``comm``, ``pid``, ``tgid`` if known, ``flags`` (the letters of the
flag columns, if the trace has them), ``event`` as in set_event, ``fields``.  Lost events are
objects with ``cpu`` and ``lost``: how many, or null if nobody counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from json import JSONEncoder

from irqsim.events import UNKNOWN, Context, Event
from irqsim.records import UNKNOWN_TGID, Lost, Record
from irqsim.trace.layout import flag_letters
from irqsim.trace.target import Target


class JsonLines:
    """Writes records as they come."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._encode = JSONEncoder(ensure_ascii=True, separators=(", ", ": ")).encode
        self._contexts: dict[int, str] = {}
        """By Context.index: what is said of a context, without the braces."""
        self._events: dict[int, str] = {}

    def add(self, items: Sequence[Record | Lost]) -> None:
        """Write the next records."""
        lines = []
        for item in items:
            if isinstance(item, Lost):
                lines.append(self._encode({"cpu": item.cpu, "lost": item.nr or None}) + "\n")
                continue
            time_ns, context, event = item
            who = self._contexts.get(context.index) or self._who(context)
            what = self._events.get(event.index) or self._what(event)
            lines.append(f'{{"time_ns": {time_ns}, {who}, {what}}}\n')
        self._target.stream.write("".join(lines))

    def finish(self) -> None:
        """Nothing had to wait."""

    def _who(self, context: Context) -> str:
        said: dict[str, object] = {"cpu": context.cpu, "comm": context.comm, "pid": context.pid}
        if context.tgid != UNKNOWN_TGID:
            said["tgid"] = context.tgid
        if self._target.header().has_irq_info:
            layout = self._target.make_text().layout
            said["flags"] = flag_letters(layout, context.flags, context.preempt_count)
        text = self._encode(said)[1:-1]
        if context.index >= 0:
            self._contexts[context.index] = text
        return text

    def _what(self, event: Event) -> str:
        tracepoint = event.tracepoint
        if tracepoint is UNKNOWN:
            name, body = event.values
            return self._encode({"event": name, "fields": {"text": body}})[1:-1]
        fields = {
            field.name: value
            for field, value in zip(tracepoint.fields, event.values, strict=True)
            if value is not None
        }
        said = {"event": f"{tracepoint.system}:{tracepoint.name}", "fields": fields}
        text = self._encode(said)[1:-1]
        if event.index >= 0:
            self._events[event.index] = text
        return text
