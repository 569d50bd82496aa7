"""The declarations of the tracepoints, and interning."""

from __future__ import annotations

import re

import pytest

from irqsim.events import (
    HRTIMER_START,
    IPI_SEND_CPU,
    IRQ_HANDLER_ENTRY,
    SCHED_STAT_RUNTIME,
    SCHED_SWITCH,
    SOFTIRQ_RAISE,
    TASKLET_ENTRY,
    TIMER_BASE_IDLE,
    TIMER_EXPIRE_ENTRY,
    TRACEPOINT_BY_NAME,
    TRACEPOINTS,
    WORKQUEUE_ACTIVATE_WORK,
    Context,
    Event,
    EventTable,
    Tracepoint,
    release_number,
    tracepoints_in,
)
from irqsim.trace.kinds import KINDS, default_kind

RELEASES = ("4.19", "5.10", "6.1", "6.6", "6.12")


def test_an_id_is_the_place_in_the_table() -> None:
    assert [each.id for each in TRACEPOINTS] == list(range(len(TRACEPOINTS)))
    assert len(TRACEPOINT_BY_NAME) == len(TRACEPOINTS)


@pytest.mark.parametrize("tracepoint", TRACEPOINTS, ids=lambda each: each.name)
def test_every_format_names_fields_and_kinds_that_exist(tracepoint: Tracepoint) -> None:
    for form in tracepoint.formats:
        for name, kind in re.findall(r"\{(\w+)(?::(\w+))?\}", form.template):
            field = tracepoint.fields[tracepoint.index_of[name]]
            assert (kind or default_kind(field)) in KINDS


@pytest.mark.parametrize("release", RELEASES)
def test_every_release_has_one_format_of_each_tracepoint(release: str) -> None:
    """The ranges of the formats neither overlap nor leave a gap, and name existing fields."""
    number = release_number(release)
    for tracepoint in TRACEPOINTS:
        forms = [each for each in tracepoint.formats if each.since <= number < each.until]
        assert forms == [tracepoint.format_in(number)], tracepoint.name
        fields = {each.name for each in tracepoint.fields_in(number)}
        assert set(re.findall(r"\{(\w+)", forms[0].template)) <= fields


def test_events_of_a_release() -> None:
    """Tasklet events came with 6.1's last stable kernels, ipi_send_* with 6.4."""
    names = {release: [each.name for each in tracepoints_in(release)] for release in RELEASES}
    assert TASKLET_ENTRY.name not in names["4.19"]
    assert TASKLET_ENTRY.name not in names["5.10"]
    assert TASKLET_ENTRY.name in names["6.1"]
    assert IPI_SEND_CPU.name not in names["6.1"]
    assert IPI_SEND_CPU.name in names["6.6"]
    assert TIMER_BASE_IDLE.name not in names["6.6"]
    assert TIMER_BASE_IDLE.name in names["6.12"]
    assert "print" not in names["6.1"]
    assert tracepoints_in("6.1-rt") == tracepoints_in("6.1")


@pytest.mark.parametrize(
    ("tracepoint", "field", "first"),
    [
        (TIMER_EXPIRE_ENTRY, "baseclk", "5.10"),
        (HRTIMER_START, "was_armed", "6.1"),
        (WORKQUEUE_ACTIVATE_WORK, "function", "6.12"),
    ],
)
def test_fields_come_with_a_release(tracepoint: Tracepoint, field: str, first: str) -> None:
    has = [
        field in [each.name for each in tracepoint.fields_in(release_number(release))]
        for release in RELEASES
    ]
    assert has == [release_number(release) >= release_number(first) for release in RELEASES]


def test_a_field_goes_with_a_release() -> None:
    assert len(SCHED_STAT_RUNTIME.fields_in((6, 6))) == 4
    assert len(SCHED_STAT_RUNTIME.fields_in((6, 12))) == 3


def test_the_same_values_are_the_same_event() -> None:
    table = EventTable()
    first = table.intern(IRQ_HANDLER_ENTRY, 24, "eth0")
    assert table.intern(IRQ_HANDLER_ENTRY, 24, "eth0") is first
    other = table.intern(IRQ_HANDLER_ENTRY, 25, "eth0")
    assert table.intern(SOFTIRQ_RAISE, 24) is not first
    assert (first.index, other.index) == (0, 1)
    assert (first["irq"], first["name"]) == (24, "eth0")
    assert first == Event(IRQ_HANDLER_ENTRY, (24, "eth0")) != other
    assert repr(first) == "<irq_handler_entry irq=24 name='eth0'>"


def test_what_hardly_repeats_is_not_kept() -> None:
    table = EventTable()
    event = table.intern(HRTIMER_START, 0xFFFF, "tick_sched_timer", 1, 1, 0, 0)
    assert event.index == -1
    assert table.nr_events == 0


def test_a_full_table_keeps_what_it_has() -> None:
    table = EventTable(limit=1)
    first = table.intern(SOFTIRQ_RAISE, 1)
    assert table.intern(SOFTIRQ_RAISE, 2).index == -1
    assert table.intern(SOFTIRQ_RAISE, 1) is first
    who = table.context("a", 1, 1, 0, 0, 0)
    assert table.context("b", 2, 2, 0, 0, 0).index == -1
    assert table.context("a", 1, 1, 0, 0, 0) is who
    assert (table.nr_events, table.nr_contexts) == (1, 1)


def test_contexts_are_equal_by_contents() -> None:
    table = EventTable()
    who = table.context("bash", 14, 14, 2, 1, 0x11)
    assert who == Context("bash", 14, 14, 2, 1, 0x11)
    assert who != Context("bash", 14, 14, 3, 1, 0x11)
    assert who != 14
    assert repr(who) == "<bash-14 (14) [002] flags=0x1 preempt_count=0x11>"


def test_sched_switch_is_declared_as_in_the_kernel() -> None:
    names = [each.name for each in SCHED_SWITCH.fields]
    assert names == [
        "prev_comm", "prev_pid", "prev_prio", "prev_state", "next_comm", "next_pid", "next_prio",
    ]  # fmt: skip
