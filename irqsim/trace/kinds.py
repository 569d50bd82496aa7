"""How a field prints: one entry per kind of value that a print format can name.

A kind is a rendering and its inverse.  A field can stand more than once in a format (the
softirq vector, the flags of timer_start): what each occurrence says is merged.

Source: Documentation/core-api/printk-formats.rst, lib/vsprintf.c; the tables of names are
those of include/trace/events/.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from attrs import frozen

from irqsim.events import (
    HRTIMER_MODE_HARD,
    HRTIMER_MODE_PINNED,
    HRTIMER_MODE_REL,
    HRTIMER_MODE_SOFT,
    TASK_PREEMPTED,
    TIMER_ARRAY_SHIFT,
    TIMER_CPU_MASK,
    TIMER_DEFERRABLE,
    TIMER_IRQSAFE,
    TIMER_MIGRATING,
    TIMER_PINNED,
    Field,
    Value,
)
from irqsim.units import SOFTIRQ_NAMES

Render = Callable[[Value], str]
RenderWith = Callable[[Value, Value], str]
"""(value, value of the other field that the kind looks at) -> text."""

Parse = Callable[[str, Value, Value], Value]
"""(text, value as known so far, value of the other field) -> value."""


@frozen
class Kind:
    """A way to print a value, and to read it back."""

    pattern: str
    """What the text looks like: a regular expression without groups."""
    render: Render | None
    """None: ``str()`` of the value is its text."""
    parse: Parse
    other: str = ""
    """The field whose value helps, and then `render_with` is used."""
    render_with: RenderWith | None = None


STATE_LETTERS: Final = "SDTtXZPI"
"""Letters of prev_state, from bit 0 up."""

TICK_DEPENDENCIES: Final = {
    0: "NONE",
    1: "POSIX_TIMER",
    2: "PERF_EVENTS",
    4: "SCHED",
    8: "CLOCK_UNSTABLE",
    16: "RCU",
    32: "RCU_EXP",
}
CLOCKS: Final = {0: "CLOCK_REALTIME", 1: "CLOCK_MONOTONIC", 7: "CLOCK_BOOTTIME", 11: "CLOCK_TAI"}

_U32: Final = 1 << 32
_U64: Final = 1 << 64
_S64_MAX: Final = (1 << 63) - 1
_HRTIMER_BITS: Final = (
    (HRTIMER_MODE_PINNED, "PINNED"),
    (HRTIMER_MODE_SOFT, "SOFT"),
    (HRTIMER_MODE_HARD, "HARD"),
)
_TIMER_BITS: Final = (
    (TIMER_MIGRATING, "M"),
    (TIMER_DEFERRABLE, "D"),
    (TIMER_PINNED, "P"),
    (TIMER_IRQSAFE, "I"),
)
_HEX64: Final = re.compile("[0-9a-f]{16}")
_ADDRESS: Final = re.compile("0x(?:0|[1-9a-f][0-9a-f]*)")
_MASK64: Final = re.compile("[0-9a-f]{8},[0-9a-f]{8}")


def default_kind(field: Field) -> str:
    """The kind of a field whose format names none: that of its C type."""
    ctype = field.ctype
    if ctype.startswith(("__data_loc char", "char[", "const char *")):
        return "s"
    if ctype.endswith("*"):
        return "p"
    if ctype in ("s64", "u64", "unsigned long"):
        return "llu"
    if ctype.startswith(("unsigned", "u")):
        return "u"
    return "d"


def pointer_value(value: Value) -> int:
    """The address that a pointer field holds; 0 for a symbol."""
    if isinstance(value, str):
        return int(value, 16) if re.fullmatch("[0-9a-f]{8,16}", value) else 0
    return value or 0


def pointer_text(address: int, long_bits: int = 64) -> Value:
    """What a pointer field has to hold to print with the digits of a machine's pointers."""
    return address if long_bits == 64 else f"{address:08x}"


def mask_value(value: Value) -> int:
    """The CPUs of a mask field, as a bit mask."""
    if isinstance(value, str):
        return int(value.replace(",", ""), 16)
    return value or 0


def mask_text(cpus: int, nr_cpu_ids: int, long_bits: int = 64) -> Value:
    """What a mask field has to hold to print with the words of a machine's CPU masks.

    Source: trace_print_bitmask_seq(): the bitmap is an array of longs.
    """
    nr_words = -(-nr_cpu_ids // long_bits) * (long_bits // 32)
    if nr_words == 2:
        return cpus
    words = [f"{cpus >> 32 * index & _U32 - 1:08x}" for index in range(nr_words)]
    return ",".join(reversed(words))


def _number(value: Value) -> int:
    assert isinstance(value, int)
    return value


def _integer(text: str, _known: Value, _other: Value) -> Value:
    return int(text)


def _padded(spec: str) -> Kind:
    def render(value: Value) -> str:
        return f"{_number(value):{spec}}"

    return Kind(r" *-?[0-9]{1,20}", render, _integer)


def _parse_text(text: str, _known: Value, _other: Value) -> Value:
    return text


def _render_u32(value: Value) -> str:
    return str(_number(value) % _U32)


def _render_u64(value: Value) -> str:
    number = _number(value)
    return str(number if number >= 0 else number + _U64)


def _parse_s64(text: str, _known: Value, _other: Value) -> Value:
    value = int(text)
    return value if value <= _S64_MAX else value - _U64


def _render_pointer(value: Value) -> str:
    return f"{value:016x}" if isinstance(value, int) else str(value)


def _parse_pointer(text: str, _known: Value, _other: Value) -> Value:
    return int(text, 16) if _HEX64.fullmatch(text) else text


def _render_symbol(value: Value) -> str:
    return f"{value:#x}" if isinstance(value, int) else str(value)


def _parse_symbol(text: str, _known: Value, _other: Value) -> Value:
    return int(text, 16) if _ADDRESS.fullmatch(text) else text


def _render_mask(value: Value) -> str:
    if isinstance(value, str):
        return value
    cpus = _number(value)
    return f"{cpus >> 32:08x},{cpus & _U32 - 1:08x}"


def _parse_mask(text: str, _known: Value, _other: Value) -> Value:
    return int(text.replace(",", ""), 16) if _MASK64.fullmatch(text) else text


def _named(names: dict[int, str]) -> Kind:
    """__print_symbolic(): a number with a name, in hex if it has none."""
    numbers = {name: number for number, name in names.items()}

    def render(value: Value) -> str:
        number = _number(value)
        return names.get(number, f"{number:#x}")

    def parse(text: str, _known: Value, _other: Value) -> Value:
        return int(text, 16) if text.startswith("0x") else numbers.get(text, -1)

    return Kind("0x[0-9a-f]{1,16}|(?!0x)[A-Z0-9_a-z]+", render, parse)


def _render_handled(value: Value) -> str:
    return "handled" if value else "unhandled"


def _parse_handled(text: str, _known: Value, _other: Value) -> Value:
    return 1 if text == "handled" else 0


def _state_text(state: int) -> str:
    letters = [letter for bit, letter in enumerate(STATE_LETTERS) if state >> bit & 1]
    return ("|".join(letters) or "R") + ("+" if state & TASK_PREEMPTED else "")


_STATES: Final = tuple(_state_text(state) for state in range(2 * TASK_PREEMPTED))


def _render_state(value: Value) -> str:
    return _STATES[_number(value) & 2 * TASK_PREEMPTED - 1]


def _parse_state(text: str, _known: Value, _other: Value) -> Value:
    state = TASK_PREEMPTED if text.endswith("+") else 0
    letters = text.removesuffix("+")
    if letters != "R":
        for letter in letters.split("|"):
            state |= 1 << STATE_LETTERS.index(letter)
    return state


def _hrtimer_mode_text(mode: int) -> str:
    words = ["REL" if mode & HRTIMER_MODE_REL else "ABS"]
    words += [name for bit, name in _HRTIMER_BITS if mode & bit]
    return "|".join(words)


_HRTIMER_MODES: Final = tuple(_hrtimer_mode_text(mode) for mode in range(16))


def _render_hrtimer_mode(value: Value) -> str:
    return _HRTIMER_MODES[_number(value) & 15]


def _parse_hrtimer_mode(text: str, _known: Value, _other: Value) -> Value:
    words = text.split("|")
    mode = HRTIMER_MODE_REL if "REL" in words else 0
    return mode | sum(bit for bit, name in _HRTIMER_BITS if name in words)


def _render_timeout(now: Value, expires: Value) -> str:
    return str(_number(expires) - _number(now))


def _parse_timeout(text: str, _known: Value, expires: Value) -> Value:
    return _number(expires) - int(text)


def _render_timer_cpu(flags: Value) -> str:
    return str(_number(flags) & TIMER_CPU_MASK)


def _render_timer_idx(flags: Value) -> str:
    return str(_number(flags) >> TIMER_ARRAY_SHIFT)


def _parse_timer_idx(text: str, known: Value, _other: Value) -> Value:
    return _number(known) | int(text) << TIMER_ARRAY_SHIFT


def _render_timer_flags(flags: Value) -> str:
    bits = _number(flags)
    return "|".join(letter for bit, letter in _TIMER_BITS if bits & bit)


def _parse_timer_flags(text: str, known: Value, _other: Value) -> Value:
    return _number(known) | sum(bit for bit, letter in _TIMER_BITS if letter in text)


def _render_stack(value: Value) -> str:
    return "".join(f"\n => {symbol}" for symbol in str(value).split("\n")) if value else ""


def _parse_stack(text: str, _known: Value, _other: Value) -> Value:
    return text[len("\n => ") :].replace("\n => ", "\n")


_SYMBOL: Final = Kind(r"[^ ]+(?: \[[^\]]+\])?", _render_symbol, _parse_symbol)

KINDS: Final[dict[str, Kind]] = {
    # integers
    "d": Kind("-?[0-9]{1,20}", None, _integer),
    "u": Kind("[0-9]{1,20}", _render_u32, _integer),
    "llu": Kind("[0-9]{1,20}", _render_u64, _parse_s64),
    "03d": _padded("03d"),
    "04u": _padded("04d"),
    "3d": _padded("3d"),
    # text
    "s": Kind(".*", None, _parse_text),
    # pointers and symbols: %p, %ps, %pS
    "p": Kind("[0-9a-f]{8,16}|\\([_a-z]+\\)", _render_pointer, _parse_pointer),
    "sym": _SYMBOL,
    "symoff": _SYMBOL,
    "mask": Kind("[0-9a-f,]+", _render_mask, _parse_mask),
    # numbers with names
    "softirq": _named(dict(enumerate(SOFTIRQ_NAMES))),
    "handled": Kind("handled|unhandled", _render_handled, _parse_handled),
    "state": Kind(r"R\+?|[SDTtXZPI|]+\+?", _render_state, _parse_state),
    "hrtimer_mode": Kind("[A-Z|]+", _render_hrtimer_mode, _parse_hrtimer_mode),
    "clockid": _named(CLOCKS),
    "tick_dep": _named(TICK_DEPENDENCIES),
    # timer_start
    "timeout": Kind("-?[0-9]{1,20}", None, _parse_timeout, "expires", _render_timeout),
    "timer_cpu": Kind("[0-9]{1,20}", _render_timer_cpu, _integer),
    "timer_idx": Kind("[0-9]{1,20}", _render_timer_idx, _parse_timer_idx),
    "timer_flags": Kind("[MDPI|]*", _render_timer_flags, _parse_timer_flags),
    # kernel_stack
    "stack": Kind("(?:\n => .*)*", _render_stack, _parse_stack),
}
