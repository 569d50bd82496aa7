"""How much of a log another one has: per CPU, in the same order, by what the events are.

An event is the same wherever it names the same things: interrupts, vectors, tasks and reasons by
their names, never numbers, pids, addresses or times.  Of the two orders of a CPU the longest
common subsequence counts.

Source: E. Myers, An O(ND) difference algorithm and its variations, Algorithmica 1 (1986).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from attrs import define, field

from irqsim.events import IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT, UNKNOWN, Event, Record

IDENTITY: Final[dict[str, tuple[str, ...]]] = {
    "irq_handler_entry": ("name",),
    "irq_handler_exit": ("ret",),
    "softirq_raise": ("vec",),
    "softirq_entry": ("vec",),
    "softirq_exit": ("vec",),
    "ipi_raise": ("target_cpus", "reason"),
    "ipi_entry": ("reason",),
    "ipi_exit": ("reason",),
    "sched_switch": ("prev_comm", "prev_state", "next_comm"),
    "sched_waking": ("comm", "target_cpu"),
    "sched_wakeup": ("comm", "target_cpu"),
}
"""The fields that say what an event is; of others, all that is no number."""

_NUMBER: Final = re.compile(r"(?:0x)?[0-9a-f]*[0-9][0-9a-f]*")
NR_DIFFERENCES: Final = 12_000
"""More, and the two are not compared to the end."""


@define
class Match:
    """What came out of a comparison."""

    wanted: dict[str, int] = field(factory=dict)
    """Events of the first log, by their type."""
    found: dict[str, int] = field(factory=dict)
    """Those of them that the second one has in its order."""
    differences: list[tuple[int, int, str]] = field(factory=list)
    """First of each CPU: the CPU, when, and what is missing there or is too much."""
    devices: tuple[int, int] = (0, 0)
    """Device interrupts of the first log, and those that were found."""

    @property
    def percent(self) -> float:
        return percent(sum(self.found.values()), sum(self.wanted.values()))

    @property
    def device_percent(self) -> float:
        return percent(self.devices[1], self.devices[0])


def percent(part: int, whole: int) -> float:
    """100 of nothing."""
    return 100.0 * part / whole if whole else 100.0


def identity(event: Event) -> str:
    """What makes an event the same as another."""
    if event.tracepoint is UNKNOWN:
        return f"{event.values[0]} {_NUMBER.sub('N', str(event.values[1]))}"
    name = event.tracepoint.name
    keys = IDENTITY.get(name)
    if keys is not None:
        return f"{name} " + " ".join(str(event[key]) for key in keys)
    words = (str(value) for value in event.values if not isinstance(value, int))
    return f"{name} " + " ".join(_NUMBER.sub("N", word) for word in words)


def type_of(event: Event) -> str:
    """The type that a table counts it under: device interrupts are one of their own."""
    if event.tracepoint is UNKNOWN:
        return str(event.values[0])
    return event.tracepoint.name


def compare(first: Iterable[Record], second: Iterable[Record]) -> Match:
    """Look for the first log in the second."""
    match = Match()
    ours, theirs = _by_cpu(first), _by_cpu(second)
    nr_devices = nr_found = 0
    for cpu in sorted(ours):
        left, right = ours[cpu], theirs.get(cpu, [])
        left_keys = [identity(event) for _, _, event in left]
        right_keys = [identity(event) for _, _, event in right]
        pairs = common(left_keys, right_keys)
        in_both = {index for index, _ in pairs}
        irq = ""
        for index, (_, _, event) in enumerate(left):
            kind = type_of(event)
            match.wanted[kind] = match.wanted.get(kind, 0) + 1
            is_found = index in in_both
            if is_found:
                match.found[kind] = match.found.get(kind, 0) + 1
            if event.tracepoint is IRQ_HANDLER_ENTRY:
                irq = str(event.values[1])
            if event.tracepoint in (IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT) and irq != "IPI":
                nr_devices += 1
                nr_found += is_found
        match.differences += _first_difference(cpu, left, right, pairs)
    match.devices = nr_devices, nr_found
    return match


def _by_cpu(records: Iterable[Record]) -> dict[int, list[Record]]:
    by_cpu: dict[int, list[Record]] = {}
    for record in records:
        by_cpu.setdefault(record[1].cpu, []).append(record)
    return by_cpu


def _first_difference(
    cpu: int, left: list[Record], right: list[Record], pairs: list[tuple[int, int]]
) -> list[tuple[int, int, str]]:
    """What the first log has first and the second one not, and the other way round."""
    at = 0
    while at < len(pairs) and pairs[at] == (at, at):
        at += 1
    if at == len(left) == len(right):
        return []
    texts = []
    for records, mark in ((left, "-"), (right, "+")):
        if at < len(records):
            time_ns, context, event = records[at]
            who = f"{context.comm}-{context.pid}"
            texts.append((cpu, time_ns, f"{mark} {who} {identity(event)}"))
    return texts


def common(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]]:
    """The longest common subsequence, as pairs of indices."""
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    end = 0
    limit = min(len(left), len(right)) - start
    while end < limit and left[-1 - end] == right[-1 - end]:
        end += 1
    inner = _myers(left[start : len(left) - end], right[start : len(right) - end])
    pairs = [(index, index) for index in range(start)]
    pairs += [(a + start, b + start) for a, b in inner]
    pairs += [(len(left) - end + i, len(right) - end + i) for i in range(end)]
    return pairs


def _myers(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]]:
    """The same, of sequences that differ at both ends."""
    nr_left, nr_right = len(left), len(right)
    furthest = {1: 0}
    steps: list[dict[int, int]] = []
    for nr in range(min(nr_left + nr_right, NR_DIFFERENCES) + 1):
        steps.append(furthest.copy() if nr < 4_000 else furthest)
        for k in range(-nr, nr + 1, 2):
            down = k == -nr or (k != nr and furthest[k - 1] < furthest[k + 1])
            x = furthest[k + 1] if down else furthest[k - 1] + 1
            y = x - k
            while x < nr_left and y < nr_right and left[x] == right[y]:
                x, y = x + 1, y + 1
            furthest[k] = x
            if x >= nr_left and y >= nr_right:
                return _way_back(steps, nr_left, nr_right)
    return []


def _way_back(steps: list[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    pairs = []
    for nr in range(len(steps) - 1, -1, -1):
        furthest, k = steps[nr], x - y
        down = k == -nr or (k != nr and furthest[k - 1] < furthest[k + 1])
        prev_k = k + 1 if down else k - 1
        prev_x = furthest[prev_k]
        prev_y = prev_x - prev_k
        while x > prev_x and y > prev_y and x > 0 and y > 0:
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x, y = prev_x, prev_y
    pairs.reverse()
    return pairs
