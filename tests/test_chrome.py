"""Chrome's JSON: slices nest on their tracks, arrows begin and end within slices."""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from irqsim.errors import IrqsimError
from irqsim.records import Lost, Record, TraceHeader
from irqsim.trace.parse import LineParser, classify
from irqsim.units import SOFTIRQ_NAMES
from tests.written import written

_ENTRY = "irq_handler_entry: irq=13 name=uart"
_EXIT = "irq_handler_exit: irq=13 ret=handled"
_APP = "comm=app pid=100 prio=120"
_SWITCHES = (
    "sched_switch: prev_comm=swapper/0 prev_pid=0 prev_prio=120 prev_state=R"
    " ==> next_comm=app next_pid=100 next_prio=120",
    "sched_switch: prev_comm=app prev_pid=100 prev_prio=120 prev_state=S"
    " ==> next_comm=swapper/0 next_pid=0 next_prio=120",
)

LOG = "".join(
    f"{task:>16}-{pid:<7} [000] {flags}     0.00{us}: {text}\n"
    for task, pid, flags, us, text in (
        ("<idle>", 0, "d.h..", 1001, _ENTRY),
        ("<idle>", 0, "d.h..", 1006, "softirq_raise: vec=6 [action=TASKLET]"),
        ("<idle>", 0, "d.h..", 1007, _EXIT),
        ("<idle>", 0, "..s..", 1008, "softirq_entry: vec=6 [action=TASKLET]"),
        ("<idle>", 0, "..s..", 1009, "tasklet_entry: tasklet=rx_tasklet function=rx"),
        ("<idle>", 0, "d.H..", 1020, _ENTRY),
        ("<idle>", 0, "d.H..", 1021, f"sched_waking: {_APP} target_cpu=000"),
        ("<idle>", 0, "d.H..", 1024, _EXIT),
        ("<idle>", 0, ".Ns..", 1030, "tasklet_exit: tasklet=rx_tasklet function=rx"),
        ("<idle>", 0, ".Ns..", 1031, "softirq_exit: vec=6 [action=TASKLET]"),
        ("<idle>", 0, "d....", 1034, _SWITCHES[0]),
        ("app", 100, "d....", 1050, _SWITCHES[1]),
    )
)


def records_of(text: str) -> list[Record]:
    parser = LineParser()
    return [parser.parse(line) for line in text.splitlines() if classify(line) == "event"]


def events_of(items: list[Record | Lost]) -> list[dict[str, Any]]:
    data = json.loads(written("chrome", items, batch=1000), parse_float=Fraction)
    assert data["displayTimeUnit"] == "ns"
    events: list[dict[str, Any]] = data["traceEvents"]
    return events


def slices_of(events: list[dict[str, Any]]) -> list[tuple[str, int, Fraction, Fraction]]:
    """Name, track, begin and duration in ns of every slice; each begin has its end."""
    stacks: dict[int, list[dict[str, Any]]] = {}
    found = []
    for event in events:
        if event["ph"] == "B":
            stacks.setdefault(event["tid"], []).append(event)
        elif event["ph"] == "E":
            begin = stacks[event["tid"]].pop()
            assert event["ts"] >= begin["ts"]
            duration = (event["ts"] - begin["ts"]) * 1000
            found.append((begin["name"], event["tid"], begin["ts"] * 1000, duration))
    assert not any(stacks.values())
    return found


def test_slices_lie_on_the_track_of_their_context() -> None:
    events = events_of([*records_of(LOG)])
    names = {
        event["tid"]: event["args"]["name"]
        for event in events
        if event.get("name") == "thread_name"
    }
    told = sorted((names[tid], name, int(ns)) for name, tid, _, ns in slices_of(events))
    assert told == [
        ("CPU 0 hard interrupts", "irq 13 uart", 4_000),
        ("CPU 0 hard interrupts", "irq 13 uart", 6_000),
        ("CPU 0 softirqs", "TASKLET", 23_000),
        ("CPU 0 softirqs", "tasklet rx", 21_000),
        ("CPU 0 tasks", "app-100", 16_000),
    ]


def test_arrows_lead_from_raise_to_service_and_from_wake_up_to_task() -> None:
    events = events_of([*records_of(LOG)])
    starts = {event["id"]: event for event in events if event["ph"] == "s"}
    ends = {event["id"]: event for event in events if event["ph"] == "f"}
    assert starts.keys() == ends.keys()
    times = {(starts[each]["name"], starts[each]["ts"], ends[each]["ts"]) for each in starts}
    assert times == {("softirq", 1006, 1008), ("task", 1021, 1034)}
    # The arrow's end comes behind the begin of the slice that it points to.
    for end in ends.values():
        before = events[: events.index(end)]
        begins = [(each["tid"], each["ts"]) for each in before if each["ph"] == "B"]
        assert (end["tid"], end["ts"]) in begins


def test_a_log_that_begins_in_the_middle_has_no_end_without_a_begin() -> None:
    lines = LOG.splitlines(keepends=True)
    for first in range(len(lines)):
        slices_of(events_of([*records_of("".join(lines[first:]))]))


def test_lost_events_close_what_is_open() -> None:
    records = records_of(LOG)
    events = events_of([*records[:1], Lost(0, 3), *records[3:]])
    assert ("irq 13 uart", 0) in [(name, int(ns)) for name, _, _, ns in slices_of(events)]
    assert any(event.get("name") == "3 events lost" for event in events)


def test_an_empty_trace_is_valid() -> None:
    assert events_of([]) == []


def test_counts_are_no_times() -> None:
    with pytest.raises(IrqsimError, match="counts events"):
        written("chrome", [*records_of(LOG)], TraceHeader(clock="counts"))


def test_slices_of_captures_are_those_of_the_log(reference: Path) -> None:
    for name in ("arm64-gicv3-4cpu-allevents", "armhf-gicv2-4cpu-net-ping"):
        path = reference / "captures" / name / "trace"
        records = records_of(path.read_text("utf-8", "surrogateescape"))
        told = Counter(each[0].split()[0] for each in slices_of(events_of([*records])))
        entries = Counter(record[2].tracepoint.name for record in records)
        assert told["irq"] == entries["irq_handler_entry"]
        softirqs = sum(told[vector] for vector in SOFTIRQ_NAMES)
        assert softirqs == entries["softirq_entry"]
