"""Text to integers and back: durations, CPU sets, softirq names.

Time is an ``int`` of nanoseconds.  Every fault is a ``ValueError`` whose message says
what was expected and what was found; the caller knows the place and adds it.

Source: the cpulist and cpumask forms are those of lib/bitmap.c; the names of the softirq
vectors, in vector order, those of kernel/softirq.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Final, Literal

from attrs import frozen

NS_PER_UNIT: Final = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
TIME_MAX_NS: Final = 2**63 - 1
"""The longest time, as in a 64-bit ktime_t: 292 years."""

CPU_MAX: Final = 4095
"""The largest CPU number that a CPU list may name at all."""

SOFTIRQ_NAMES: Final = (
    "HI",
    "TIMER",
    "NET_TX",
    "NET_RX",
    "BLOCK",
    "IRQ_POLL",
    "TASKLET",
    "SCHED",
    "HRTIMER",
    "RCU",
)

_TIME: Final = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,19})?)(ns|us|ms|s)|([0-9]{1,19})")
_CPU_RANGE: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


@frozen
class Duration:
    """How long something takes, in ns: always the same, or drawn anew each time.

    ``fixed``: ``a``.  ``uniform``: from ``a`` to ``b``, both included.  ``exponential``:
    mean ``a``.  ``normal``: mean ``a``, standard deviation ``b``, never below zero.
    """

    kind: Literal["fixed", "uniform", "exponential", "normal"]
    a: int
    b: int = 0


def parse_duration(value: str | int, tick_ns: int) -> Duration:
    """Read a duration that may be random; a bare integer counts ticks.

    A fixed one is rounded up to whole ticks; what is drawn is rounded when it is drawn.
    """
    if isinstance(value, int):
        return Duration("fixed", parse_time(value, tick_ns))
    text = value.strip()
    if text.startswith("~"):
        mean_ns = _nanoseconds(text[1:].strip(), tick_ns, 1)
        if mean_ns == 0:
            raise ValueError(f"the mean of an exponential duration is above zero, got {value!r}")
        return Duration("exponential", mean_ns)
    for mark, kind in (("..", "uniform"), ("±", "normal"), ("+-", "normal")):
        head, found, tail = text.partition(mark)
        if not found:
            continue
        a = _nanoseconds(head.strip(), tick_ns, 1)
        b = _nanoseconds(tail.strip(), tick_ns, 1)
        if kind == "normal":
            return Duration("normal", a, b) if b else Duration("fixed", round_up(a, tick_ns))
        if a > b:
            raise ValueError(f"a uniform duration goes from short to long, got {value!r}")
        return Duration("uniform", a, b) if a < b else Duration("fixed", round_up(a, tick_ns))
    return Duration("fixed", parse_time(text, tick_ns))


def parse_time(value: str | int, tick_ns: int) -> int:
    """Read a fixed time or duration and round it up to whole ticks."""
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("~") or any(mark in text for mark in ("..", "±", "+-")):
            raise ValueError(f"expected a fixed time such as '2us', got the random {value!r}")
        return _nanoseconds(text, tick_ns, tick_ns)
    if value < 0:
        raise ValueError(f"expected a time, got the negative {_shown(str(value))}")
    if value * tick_ns > TIME_MAX_NS:
        raise ValueError(f"{_shown(str(value))} ticks are longer than the longest time (292 years)")
    return value * tick_ns


def round_up(ns: int, tick_ns: int) -> int:
    """Round up to whole ticks: a non-zero duration never becomes zero."""
    return -(-ns // tick_ns) * tick_ns


def format_ns(ns: int) -> str:
    """Write a time in the largest unit that needs no fraction: ``2us``, ``1500us``, ``0s``."""
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)):
        if ns % size == 0:
            return f"{ns // size}{unit}"
    return f"{ns}ns"


def format_duration(duration: Duration) -> str:
    """Write a duration as a scenario spells it; the inverse of ``parse_duration``."""
    if duration.kind == "exponential":
        return f"~{format_ns(duration.a)}"
    if duration.kind == "uniform":
        return f"{format_ns(duration.a)}..{format_ns(duration.b)}"
    if duration.kind == "normal":
        return f"{format_ns(duration.a)}±{format_ns(duration.b)}"
    return format_ns(duration.a)


def parse_cpulist(text: str) -> tuple[int, ...]:
    """Read a kernel CPU list, ``0-3,6``, into ascending CPU numbers."""
    cpus: list[int] = []
    for part in text.strip().split(","):
        found = _CPU_RANGE.fullmatch(part.strip())
        if found is None:
            raise ValueError(f"expected a CPU list such as '0-3,6', got {_shown(text)!r}")
        first, last = int(found[1]), int(found[2] or found[1])
        if first > last:
            raise ValueError(f"a CPU range goes upwards, got {part.strip()!r}")
        if last > CPU_MAX:
            raise ValueError(f"no CPU has the number {last}")
        cpus.extend(range(first, last + 1))
    return tuple(sorted(dict.fromkeys(cpus)))


def format_cpulist(cpus: Iterable[int]) -> str:
    """Write CPU numbers as the kernel's ``%*pbl`` does: ``0-3,6``; nothing for none."""
    runs: list[list[int]] = []
    for cpu in sorted(dict.fromkeys(cpus)):
        if runs and runs[-1][1] == cpu - 1:
            runs[-1][1] = cpu
        else:
            runs.append([cpu, cpu])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)


def format_cpumask(cpus: Iterable[int], nbits: int) -> str:
    """Write CPU numbers as the kernel's ``%*pb`` does: hexadecimal over ``nbits`` bits.

    Groups of 32 bits are divided by commas; the first group has as many digits as its
    bits need, the others eight.
    """
    mask = 0
    for cpu in cpus:
        mask |= 1 << cpu
    words = []
    for low in range(0, max(nbits, 1), 32):
        width = min(32, max(nbits, 1) - low)
        words.append(f"{mask >> low & (1 << width) - 1:0{(width + 3) // 4}x}")
    return ",".join(reversed(words))


def _nanoseconds(text: str, tick_ns: int, unit_ns: int) -> int:
    """The time that a text states, rounded up to whole ``unit_ns``; no unit: in ticks."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"expected a time such as '2us' or '1.5ms', got {_shown(text)!r}")
    number, unit, ticks = found.groups()
    if ticks is not None:
        return parse_time(int(ticks), tick_ns)
    exact = Fraction(number) * NS_PER_UNIT[unit]
    ns = -(-exact // unit_ns) * unit_ns
    if ns > TIME_MAX_NS:
        raise ValueError(f"{_shown(text)} is longer than the longest time (292 years)")
    return int(ns)


def _shown(text: str) -> str:
    """A value as a message quotes it: whole, unless it is very long."""
    return text if len(text) <= 60 else f"{text[:57]}..."
