"""The kinds of the keys of ``[trace]``: events as set_event takes them, and options."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

from attrs import frozen

from irqsim.events import Tracepoint, tracepoints_in
from irqsim.scenario.kinds import Schema
from irqsim.scenario.names import hint, shown
from irqsim.scenario.place import Place

OPTIONS: Final = ("irq-info", "record-tgid", "stacktrace", "latency-format", "exceptions")
DEFAULT_OPTIONS: Final = ("irq-info",)


@frozen
class Events:
    """Events as set_event takes them: a system, an event, ``system:event``, with ``*``."""

    def read(self, value: object, place: Place) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValueError(f"expected a list such as ['irq'], got {shown(value)}")
        known = tracepoints_in(place.reading.release)
        for index, event in enumerate(value):
            if not isinstance(event, str):
                place.at(index).fault(f"expected an event such as 'irq', got {shown(event)}")
            elif not any(_is_meant(event, tracepoint) for tracepoint in known):
                names = [*dict.fromkeys(each.system for each in known)]
                names += [each.name for each in known]
                names += [f"{each.system}:{each.name}" for each in known]
                place.at(index).fault(f"unknown event {shown(event)}{hint(event, names)}")
        return tuple(event for event in value if isinstance(event, str))

    def schema(self) -> Schema:
        return {"type": "array", "items": {"type": "string", "minLength": 1}}

    def show(self, value: tuple[str, ...]) -> object:
        return list(value)


@frozen
class Options:
    """Options as trace_options takes them; ``no…`` switches off one that is on by default."""

    def read(self, value: object, place: Place) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValueError(f"expected a list such as ['noirq-info'], got {shown(value)}")
        words = [*OPTIONS, *(f"no{option}" for option in OPTIONS)]
        switched_on = dict.fromkeys(DEFAULT_OPTIONS)
        for index, word in enumerate(value):
            if not isinstance(word, str) or word not in words:
                end = hint(word, words) if isinstance(word, str) else ""
                place.at(index).fault(f"unknown option {shown(word)}{end}")
            elif word in OPTIONS:
                switched_on[word] = None
            else:
                switched_on.pop(word.removeprefix("no"), None)
        return tuple(option for option in OPTIONS if option in switched_on)

    def schema(self) -> Schema:
        words = [prefix + option for option in OPTIONS for prefix in ("", "no")]
        return {"type": "array", "items": {"enum": words}}

    def show(self, value: tuple[str, ...]) -> object:
        return list(value)


def _is_meant(event: str, tracepoint: Tracepoint) -> bool:
    """Whether set_event would switch this tracepoint on.

    Source: __ftrace_set_clr_event(), kernel/trace/trace_events.c.
    """
    system, colon, name = event.partition(":")
    if colon:
        return fnmatchcase(tracepoint.system, system or "*") and fnmatchcase(
            tracepoint.name, name or "*"
        )
    return fnmatchcase(tracepoint.system, event) or fnmatchcase(tracepoint.name, event)
