"""The ``format`` files of events: fields with their places, and the print format in C.

A tool that reads binary records knows from these how an event lies in memory and how it is
printed.  Both halves come from the declarations in ``irqsim.events``: each kind of value has
its conversion and its expression here, as it has its rendering in ``irqsim.trace.kinds``.

Source: include/trace/stages/stage3_trace_output.h, stage6; the format files of 6.1 and 6.12.
Differs: constants are numbers throughout, since a reader of the file has no headers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from irqsim.events import (
    FUNCTION,
    KERNEL_STACK,
    PRINT,
    TASK_PREEMPTED,
    TIMER_ARRAY_SHIFT,
    TIMER_CPU_MASK,
    TIMER_DEFERRABLE,
    TIMER_IRQSAFE,
    TIMER_MIGRATING,
    TIMER_PINNED,
    Field,
    Tracepoint,
)
from irqsim.trace.entry import DYNAMIC, Entries, Placed
from irqsim.trace.kinds import CLOCKS, KINDS, STATE_LETTERS, TICK_DEPENDENCIES, default_kind
from irqsim.units import SOFTIRQ_NAMES

_PLACE: Final = re.compile(r"\{(\w+)(?::(\w+))?\}")

_FTRACE_IDS: Final[dict[int, int]] = {FUNCTION.id: 1, KERNEL_STACK.id: 4, PRINT.id: 5}
"""Source: kernel/trace/trace.h: enum trace_type."""

_FIRST_ID: Final = 100
"""Of the events that are not ftrace's own; below it the kernel numbers its own entries."""

_FIRST_UNKNOWN: Final = 2000
"""Of the events that were read from another log and are not declared."""

Expression = Callable[[Field], tuple[str, str]]
"""The conversion that prints a field, and the C expression for it."""


def _plain(conversion: str) -> Expression:
    return lambda field: (conversion, f"REC->{field.name}")


def _text(field: Field) -> tuple[str, str]:
    if field.ctype.startswith(DYNAMIC):
        return "%s", f"__get_str({field.name})"
    return "%s", f"REC->{field.name}"


def _pointer(field: Field) -> tuple[str, str]:
    # A name in some releases, a pointer in others: text in either.
    return _text(field) if field.ctype.startswith(DYNAMIC) else ("%p", f"REC->{field.name}")


def _long(field: Field) -> tuple[str, str]:
    if field.ctype == "unsigned long":
        return "%lu", f"REC->{field.name}"
    return "%llu", f"(unsigned long long)REC->{field.name}"


def _mask(field: Field) -> tuple[str, str]:
    macro = "__get_cpumask" if "cpumask" in field.ctype else "__get_bitmask"
    return "%s", f"{macro}({field.name})"


def _symbolic(names: dict[int, str]) -> Expression:
    pairs = ", ".join(f'{{ {number}, "{name}" }}' for number, name in names.items())
    return lambda field: ("%s", f"__print_symbolic(REC->{field.name}, {pairs})")


def _bits(value: str, mask: int, names: dict[int, str]) -> str:
    pairs = ", ".join(f'{{ {bit:#x}, "{name}" }}' for bit, name in names.items())
    return f'__print_flags({value} & {mask:#x}, "|", {pairs})'


def _state(field: Field) -> tuple[str, str]:
    value, mask = f"REC->{field.name}", TASK_PREEMPTED - 1
    letters = {1 << bit: letter for bit, letter in enumerate(STATE_LETTERS)}
    flags = _bits(value, mask, letters)
    plus = f'{value} & {TASK_PREEMPTED:#x} ? "+" : ""'
    return "%s%s", f'({value} & {mask:#x}) ? {flags} : "R", {plus}'


def _handled(field: Field) -> tuple[str, str]:
    return "%s", f'REC->{field.name} ? "handled" : "unhandled"'


def _timer_flags(field: Field) -> tuple[str, str]:
    names = {TIMER_MIGRATING: "M", TIMER_DEFERRABLE: "D", TIMER_PINNED: "P", TIMER_IRQSAFE: "I"}
    return "%s", _bits(f"REC->{field.name}", sum(names), names)


def _hrtimer_modes() -> dict[int, str]:
    render = KINDS["hrtimer_mode"].render
    assert render is not None
    return {mode: render(mode) for mode in range(16)}


EXPRESSIONS: Final[dict[str, Expression]] = {
    "d": _plain("%d"),
    "u": _plain("%u"),
    "llu": _long,
    "03d": _plain("%03d"),
    "04u": _plain("%04u"),
    "3d": _plain("%3d"),
    "s": _text,
    "p": _pointer,
    "sym": lambda field: ("%ps", f"(void *)REC->{field.name}"),
    "symoff": lambda field: ("%pS", f"(void *)REC->{field.name}"),
    "mask": _mask,
    "softirq": _symbolic(dict(enumerate(SOFTIRQ_NAMES))),
    "handled": _handled,
    "state": _state,
    "hrtimer_mode": _symbolic(_hrtimer_modes()),
    "clockid": _symbolic(CLOCKS),
    "tick_dep": _symbolic(TICK_DEPENDENCIES),
    "timeout": lambda field: ("%ld", f"(long)REC->expires - REC->{field.name}"),
    "timer_cpu": lambda field: ("%u", f"REC->{field.name} & {TIMER_CPU_MASK:#x}"),
    "timer_idx": lambda field: ("%u", f"REC->{field.name} >> {TIMER_ARRAY_SHIFT}"),
    "timer_flags": _timer_flags,
    "stack": lambda field: ("%ps", f"(void *)REC->{field.name}[0]"),
}
"""By the name of a kind: one entry for each of ``irqsim.trace.kinds``."""


def event_id(tracepoint: Tracepoint) -> int:
    """The common_type of a tracepoint's entries."""
    return _FTRACE_IDS.get(tracepoint.id, _FIRST_ID + tracepoint.id)


def unknown_id(index: int) -> int:
    """The common_type of the events with the `index`-th name that is not declared."""
    return _FIRST_UNKNOWN + index


def print_format(tracepoint: Tracepoint, entries: Entries) -> str:
    """What stands behind ``print fmt:``."""
    by_name = {field.name: field for field in tracepoint.fields}
    arguments: list[str] = []

    def conversion(place: re.Match[str]) -> str:
        field = by_name[place[1]]
        conversion, expression = EXPRESSIONS[place[2] or default_kind(field)](field)
        arguments.append(expression)
        return conversion

    template = tracepoint.format_in(entries.release).template.replace("%", "%%")
    return ", ".join([f'"{_PLACE.sub(conversion, template)}"', *arguments])


def format_file(tracepoint: Tracepoint, entries: Entries) -> str:
    """The file ``events/SYSTEM/EVENT/format``."""
    layout = entries.layout(tracepoint)
    fields = [_field_line(placed) for placed in layout.fields]
    if tracepoint is KERNEL_STACK:
        # How many addresses there are stands before them.
        fields = [
            _line("int size", entries.common_size, 4, True),
            _line("unsigned long caller[]", entries.callers_offset, 0, False),
        ]
    return _file(
        tracepoint.name,
        event_id(tracepoint),
        [_field_line(placed) for placed in layout.common],
        fields,
        print_format(tracepoint, entries),
    )


def unknown_format_file(name: str, index: int, entries: Entries) -> str:
    """The same for an event that is known by its text alone."""
    common = [_field_line(placed) for placed in entries.layout(PRINT).common]
    text = _line("__data_loc char[] text", entries.common_size, 4, False)
    return _file(name, unknown_id(index), common, [text], '"%s", __get_str(text)')


def _file(name: str, number: int, common: list[str], fields: list[str], text: str) -> str:
    lines = [f"name: {name}", f"ID: {number}", "format:", *common, "", *fields, ""]
    return "\n".join([*lines, f"print fmt: {text}", ""])


def _field_line(placed: Placed) -> str:
    ctype, name = placed.field.ctype, placed.field.name
    if not ctype.startswith(DYNAMIC) and ctype.endswith("]"):
        # An array's length stands behind its name.
        bare, bracket, length = ctype.partition("[")
        declaration = f"{bare} {name}{bracket}{length}"
    else:
        declaration = f"{ctype} {name}"
    return _line(declaration, placed.offset, placed.size, placed.is_signed)


def _line(declaration: str, offset: int, size: int, is_signed: bool) -> str:
    return f"\tfield:{declaration};\toffset:{offset};\tsize:{size};\tsigned:{int(is_signed)};"
