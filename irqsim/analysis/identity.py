"""What makes an event the same in two logs: names, and not numbers that a machine hands out.

The number of an interrupt, a pid, an address or a time says nothing about what happened; the
line's name, the task's, the function and the outcome do.  So an event is told by its tracepoint
and by what of its fields carries meaning, as a text: ``irq_handler_exit: eth0 ret=1``.

What only a number leads to (the line that irq_handler_exit ends, the function of a timer that
is cancelled) is found by what the same log has said of that number before.

Source: kernel/irq/manage.c: setup_irq_thread; kernel/workqueue.c: create_worker;
kernel/smpboot.c (the names of per-CPU threads).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from irqsim.analysis.timeline import vector_name
from irqsim.events import (
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    PRINT,
    TASK_PREEMPTED,
    TRACEPOINTS,
    UNKNOWN,
    Context,
    Event,
    Field,
    Tracepoint,
    Value,
)

KNOWN_MAX: Final = 1 << 18
"""Different events that are told apart; what comes later is told by its tracepoint alone."""
ADDRESSES_MAX: Final = 1 << 16
"""Addresses whose functions are remembered."""

# Numbers that say what happened.
_MEANT: Final = (
    "vec", "ret", "prio", "prev_prio", "next_prio", "oldprio", "newprio", "prev_state", "success",
    "dependency", "is_idle", "state", "work", "budget", "mode", "clockid", "target", "idx",
)  # fmt: skip
_STATES: Final = "SDTtXZPI"
# Fields that name a CPU, or several.
_CPUS: Final = ("cpu", "target_cpu", "orig_cpu", "dest_cpu", "req_cpu", "cpu_id")
_MASKS: Final = ("target_cpus", "cpumask")
_FUNCTIONS: Final = ("function", "func", "fun", "callback", "callsite", "ip", "parent_ip", "caller")
# What an address in one of these fields is, a function of the same record says.
_OBJECTS: Final = ("timer", "hrtimer", "work", "tasklet")

_KWORKER: Final = re.compile(r"kworker/(u?)[0-9]+:[0-9]+(H?).*")
_THREAD: Final = re.compile(r"irq/[0-9]+-(.*)")
_PER_CPU: Final = re.compile(r"([a-z_]+)/[0-9]+")
_ADDRESS: Final = re.compile(r"(?:0x)?[0-9a-f]{8,}")
_OFFSET: Final = re.compile(r"\+0x[0-9a-f]+(?:/0x[0-9a-f]+)?(?: \[\w+\])?")
_NUMBER: Final = re.compile(r"\b(?:0x)?[0-9a-f]*[0-9][0-9a-f]*\b")

Show: TypeAlias = Callable[[Value], str | None]
"""What of a value counts, or None."""


def task_name(comm: str) -> str:
    """The name of a task without the numbers in it: ``irq/-eth0``, ``kworker/u``, ``swapper/``."""
    if found := _THREAD.fullmatch(comm):
        return f"irq/-{found[1]}"
    if found := _KWORKER.fullmatch(comm):
        return f"kworker/{found[1]}{found[2]}"
    if found := _PER_CPU.fullmatch(comm):
        return f"{found[1]}/"
    return comm


def _function(value: Value) -> str | None:
    if not isinstance(value, str) or _ADDRESS.fullmatch(value):
        return None
    return _OFFSET.sub("", value).replace("\n", "<")


def _mask(value: Value) -> str:
    if isinstance(value, str):
        value = int(value.replace(",", ""), 16)
    assert isinstance(value, int)
    return ",".join(str(bit) for bit in range(value.bit_length()) if value >> bit & 1)


def _outcome(value: Value) -> str:
    # A text does not tell IRQ_WAKE_THREAD from IRQ_HANDLED.
    return "handled" if value else "unhandled"


def _state(value: Value) -> str:
    assert isinstance(value, int)
    letters = "".join(letter for bit, letter in enumerate(_STATES) if value >> bit & 1)
    return (letters or "R") + ("+" if value & TASK_PREEMPTED else "")


def _shown(tracepoint: Tracepoint, field: Field, with_cpus: bool) -> Show | None:
    """How a field counts; None: not at all."""
    name = field.name
    if tracepoint is IRQ_HANDLER_EXIT and name == "ret":
        return _outcome
    if name in ("vec", "prev_state"):
        return vector_name if name == "vec" else _state
    if name in _FUNCTIONS:
        return _function
    if name in _MASKS:
        return _mask if with_cpus else None
    if name in _CPUS:
        return str if with_cpus else None
    if "char" in field.ctype:
        return lambda value: task_name(str(value)) if name.endswith("comm") else str(value)
    if name in _MEANT and "*" not in field.ctype:
        return str
    return None


def _object(tracepoint: Tracepoint) -> tuple[int, int | None] | None:
    """Where a record has an address, and the function that belongs to it."""
    for name in _OBJECTS:
        index = tracepoint.index_of.get(name)
        if index is not None and "*" in tracepoint.fields[index].ctype:
            functions = [tracepoint.index_of.get(each) for each in ("function", "func")]
            return index, next((each for each in functions if each is not None), None)
    return None


class Names:
    """Numbers events by what they are; shared by the logs that are compared."""

    __slots__ = ("_numbers", "texts")

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.texts: list[str] = []

    def number(self, text: str, tracepoint: str) -> int:
        """The number of a text; that of its tracepoint if there are too many."""
        found = self._numbers.get(text)
        if found is None:
            if len(self.texts) >= KNOWN_MAX and text != tracepoint:
                return self.number(tracepoint, tracepoint)
            found = self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return found


class Identities:
    """Tells the events of one log."""

    __slots__ = ("_functions", "_known", "_lines", "_names", "_objects", "_open", "_shows",
                 "_with_context")  # fmt: skip

    def __init__(self, names: Names, *, with_cpus: bool = True, with_context: bool = False) -> None:
        """`with_cpus`: the numbers of CPUs count.  `with_context`: so do task and flags."""
        self._names = names
        self._with_context = with_context
        self._shows: list[Sequence[tuple[str, int, Show]]] = [
            [
                ("" if each.name in ("name", "comm") else f"{each.name}=", index, show)
                for index, each in enumerate(tracepoint.fields)
                if (show := _shown(tracepoint, each, with_cpus)) is not None
            ]
            for tracepoint in TRACEPOINTS
        ]
        self._objects = [_object(tracepoint) for tracepoint in TRACEPOINTS]
        self._open: dict[int, str] = {}
        """By CPU: the line whose handler runs."""
        self._lines: dict[int, str] = {}
        """By irq: the line's name."""
        self._functions: dict[Value, str] = {}
        """By address: the function that belongs to it."""
        self._known: dict[tuple[int, str], int] = {}
        """By the event's index and what the log had said before: its number."""

    def number(self, context: Context, event: Event) -> int:
        """The number of an event; the same for events that are the same."""
        before = self._before(context, event)
        if self._with_context:
            before += f" [{task_name(context.comm)} flags={context.flags:#x}]"
        if event.index >= 0:
            key = event.index, before
            number = self._known.get(key)
            if number is None:
                number = self._known[key] = self._new(event, before)
                if len(self._known) > KNOWN_MAX:
                    self._known.clear()
            return number
        return self._new(event, before)

    def _before(self, context: Context, event: Event) -> str:
        """What the log has said before of the numbers in a record."""
        tracepoint, values = event.tracepoint, event.values
        if tracepoint is IRQ_HANDLER_ENTRY:
            irq, name = values
            assert isinstance(irq, int)
            self._open[context.cpu] = self._lines[irq] = str(name)
            return ""
        if tracepoint is IRQ_HANDLER_EXIT:
            irq = values[0]
            assert isinstance(irq, int)
            name = self._open.pop(context.cpu, None)
            return name if name is not None else self._lines.get(irq, "")
        found = self._objects[tracepoint.id]
        if found is None:
            return ""
        address, function = values[found[0]], found[1]
        if function is not None and (said := _function(values[function])) is not None:
            if len(self._functions) < ADDRESSES_MAX:
                self._functions[address] = said
            return ""
        return self._functions.get(address, "")

    def _new(self, event: Event, before: str) -> int:
        tracepoint = event.tracepoint
        name = tracepoint.name
        if tracepoint is UNKNOWN or tracepoint is PRINT:
            # As text they cannot be told from each other.
            name, text = str(event.values[0]), _NUMBER.sub("#", str(event.values[1]))
            return self._names.number(f"{name}: {text}" if name else text, name)
        words = [before.strip()] if before else []
        for label, index, show in self._shows[tracepoint.id]:
            value = event.values[index]
            said = None if value is None else show(value)
            if said is not None:
                words.append(f"{label}{said}")
        return self._names.number(": ".join([name, " ".join(words)]) if words else name, name)
