"""What a report measures, computed again from whole lists of records, without any cleverness.

Written from what the tables say and not from the code that fills them.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from irqsim.events import (
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    SCHED_SWITCH,
    SCHED_WAKEUP,
    SCHED_WAKING,
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    SOFTIRQ_RAISE,
    Record,
    Tracepoint,
)

Interval = tuple[int, int, int]
"""Beginning, end, and the number that both have."""
Durations = dict[tuple[str, int], list[int]]
"""By name and number, in ns, in the order of their ends."""

DEVILS: Final = "ksoftirqd/"


def by_cpu(records: list[Record]) -> dict[int, list[Record]]:
    """The records of each CPU."""
    found: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        found[record[1].cpu].append(record)
    return found


def intervals(records: list[Record], first: Tracepoint, last: Tracepoint) -> list[Interval]:
    """From each record of one kind to the next of the other with the same number, on a CPU."""
    found = []
    for index, (start_ns, _, event) in enumerate(records):
        if event.tracepoint is first:
            number = event.values[0]
            assert isinstance(number, int)
            for end_ns, _, other in records[index + 1 :]:
                if other.tracepoint is last and other.values[0] == number:
                    found.append((start_ns, end_ns, number))
                    break
    return found


def overlap(start_ns: int, end_ns: int, others: list[Interval]) -> int:
    """How much of a time others take, which do not overlap each other."""
    return sum(max(0, min(end_ns, b) - max(start_ns, a)) for a, b, _ in others)


def handlers(records: list[Record]) -> Durations:
    """The times of handlers."""
    found: Durations = defaultdict(list)
    for own in by_cpu(records).values():
        for start_ns, end_ns, irq in intervals(own, IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT):
            names = [
                event.values[1]
                for time_ns, _, event in own
                if event.tracepoint is IRQ_HANDLER_ENTRY
                and event.values[0] == irq
                and time_ns == start_ns
            ]
            found[str(names[0]), irq].append(end_ns - start_ns)
    return found


def vectors(records: list[Record], names: tuple[str, ...]) -> Durations:
    """The times of vectors, without those of handlers."""
    found: Durations = defaultdict(list)
    for own in by_cpu(records).values():
        hard = intervals(own, IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT)
        for start_ns, end_ns, vec in intervals(own, SOFTIRQ_ENTRY, SOFTIRQ_EXIT):
            own_ns = end_ns - start_ns - overlap(start_ns, end_ns, hard)
            found[names[vec], vec].append(own_ns)
    return found


def tasks(records: list[Record]) -> Durations:
    """The times of tasks from switch to switch, without interrupts and softirqs."""
    found: Durations = defaultdict(list)
    for own in by_cpu(records).values():
        hard = intervals(own, IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT)
        soft = intervals(own, SOFTIRQ_ENTRY, SOFTIRQ_EXIT)
        switches = [record for record in own if record[2].tracepoint is SCHED_SWITCH]
        for index, (end_ns, _, _) in enumerate(switches[1:]):
            start_ns, _, before = switches[index]
            comm, pid = str(before["next_comm"]), before["next_pid"]
            assert isinstance(pid, int)
            if not pid:
                continue
            own_ns = end_ns - start_ns - overlap(start_ns, end_ns, hard)
            if not comm.startswith(DEVILS):
                for a, b, _ in soft:
                    if a >= start_ns and b <= end_ns:
                        own_ns -= b - a - overlap(a, b, hard)
            found[comm, pid].append(own_ns)
    return found


def wakes(records: list[Record]) -> Durations:
    """From waking to run, of tasks that had slept.  Needs sched_waking and sched_wakeup."""
    found: Durations = defaultdict(list)
    stories: dict[int, list[tuple[str, int, str]]] = defaultdict(list)
    for time_ns, _, event in records:
        if event.tracepoint is SCHED_SWITCH:
            asleep = int(str(event["prev_state"])) & 0xFF != 0
            stories[int(str(event["prev_pid"]))].append(("sleep" if asleep else "out", time_ns, ""))
            stories[int(str(event["next_pid"]))].append(("in", time_ns, str(event["next_comm"])))
        elif event.tracepoint in (SCHED_WAKING, SCHED_WAKEUP):
            what = "waking" if event.tracepoint is SCHED_WAKING else "wakeup"
            stories[int(str(event["pid"]))].append((what, time_ns, ""))
    for pid, story in stories.items():
        words = [what for what, _, _ in story]
        for index, (what, time_ns, comm) in enumerate(story):
            if what != "in":
                continue
            begin = index
            while begin and words[begin - 1] in ("waking", "wakeup"):
                begin -= 1
            is_early = begin > 1 and words[begin - 1] == "sleep" and words[begin - 2] == "waking"
            span = words[begin:index]
            if "wakeup" not in span:
                continue
            first = begin
            if is_early:
                first = begin - 2
                while first and words[first - 1] == "waking":
                    first -= 1
                first = begin - 2 if span[0] == "wakeup" else begin
            start_ns = story[first][1]
            later = [each for each in range(begin, index) if words[each] == "waking"]
            wakeup = begin + span.index("wakeup")
            before = [each for each in later if each < wakeup]
            if before:
                start_ns = story[before[-1]][1]
            found[comm, pid].append(time_ns - start_ns)
    return found


def raises(records: list[Record], names: tuple[str, ...]) -> dict[tuple[str, int], list[int]]:
    """Delays of the runs that leave no doubt which raise they answer.

    Those with a single raise since the run before, which had a single one itself.
    """
    found: Durations = defaultdict(list)
    for own in by_cpu(records).values():
        since: dict[int, list[int]] = defaultdict(list)
        clear: dict[int, bool] = defaultdict(bool)
        for time_ns, _, event in own:
            if event.tracepoint is SOFTIRQ_RAISE:
                since[int(str(event["vec"]))].append(time_ns)
            elif event.tracepoint is SOFTIRQ_ENTRY:
                vec = int(str(event["vec"]))
                if len(since[vec]) == 1 and clear[vec]:
                    found[names[vec], vec].append(time_ns - since[vec][0])
                clear[vec] = len(since[vec]) == 1
                since[vec] = []
    return found
