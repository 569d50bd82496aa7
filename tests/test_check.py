"""Every law over records is broken by a log made for it, and by nothing that a real kernel logs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from irqsim.analysis.automaton import UNKNOWN, AutomatonWatch
from irqsim.analysis.check import INVARIANTS, Checker, Setting, Violation, check
from irqsim.analysis.counts import Tally, count_faults
from irqsim.analysis.invariant import Invariant
from irqsim.events import TRACEPOINTS, Record
from irqsim.proc.interrupts import InterruptsTable, IrqRow
from irqsim.trace.parse import LineParser, classify, parse_lost
from tests.broken_logs import BESIDE, BROKEN

SCOPES = ("CPU", "task", "irq", "IPI", "vector", "tasklet", "timer", "work", "log")


def records_of(text: str, layout: str = "6.1") -> list[Record]:
    """Records from lines of `CPU TASK FLAGS US EVENT`."""
    parser = LineParser(layout)
    records = []
    for line in text.strip().splitlines():
        cpu, task, flags, us, event = line.split(maxsplit=4)
        comm, _, pid = task.rpartition("-")
        head = f"{comm:>16}-{pid:<7} [{int(cpu):03d}] {flags}"
        records.append(parser.parse(f"{head} {0:5d}.{int(us):06d}: {event}"))
    return records


def names(violations: list[Violation]) -> list[str]:
    return [violation.name for violation in violations]


def test_every_invariant_has_a_log_that_breaks_it() -> None:
    assert sorted(BROKEN) == sorted(each.name for each in INVARIANTS)


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda each: each.name)
def test_a_log_made_for_it_breaks_the_law_and_no_other(invariant: Invariant) -> None:
    records = records_of(BROKEN[invariant.name])
    # A law that is not for every kernel is one of PREEMPT_RT.
    setting = Setting(is_rt=not invariant.applies(Setting()))
    assert check(records[:-1], complete=True, setting=setting) == []
    found = check(records, complete=True, setting=setting)
    assert sorted(names(found)) == sorted((invariant.name, *BESIDE.get(invariant.name, ())))
    assert all(violation.index == len(records) - 1 for violation in found)


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda each: each.name)
def test_every_invariant_says_what_it_is_about(invariant: Invariant) -> None:
    assert invariant.law.endswith(".")
    assert invariant.scope in SCOPES
    assert invariant.source
    assert invariant.is_strict or invariant.exceptions
    assert set(invariant.needs) <= set(invariant.on or TRACEPOINTS)
    first = INVARIANTS.index(invariant)
    assert all(each.name != invariant.name for each in INVARIANTS[first + 1 :])


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda each: each.name)
def test_every_cell_of_an_automaton_can_be_reached(invariant: Invariant) -> None:
    """Each state of a table but the first has a move that leads to it."""
    watch = invariant.make(Setting(is_complete=True))
    if not isinstance(watch, AutomatonWatch):
        return
    table = watch.automaton
    states = {state for state, _ in table.moves}
    reached = {table.start, table.ignorance, *table.moves.values()}
    assert states <= reached
    assert set(table.moves.values()) <= states | {UNKNOWN}


# -- logs that begin in the middle, or have gaps -----------------------------------------


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_log_may_begin_anywhere(name: str) -> None:
    """No record alone breaks a law that is about more than one."""
    alone = [
        "hard_interrupts_keep_interrupts_off", "interrupts_are_off_where_they_must_be",
        "softirqs_run_with_interrupts_on", "ksoftirqd_serves_its_own_cpu", "priorities_exist",
        "no_switch_in_an_interrupt", "a_switch_clears_need_resched", "the_idle_task_is_pid_0",
        "idle_tasks_have_their_names", "interrupts_are_off_in_bookkeeping",
        "interrupts_are_on_in_bottom_halves", "interrupts_happen_in_their_context",
        "ipis_happen_in_hard_interrupts", "nobody_wakes_the_idle_task", "the_wheel_is_not_ahead",
    ]  # fmt: skip
    last = records_of(BROKEN[name])[-1:]
    assert names(check(last)) == ([name] if name in alone else [])


def test_what_is_lost_is_not_held_against_the_log() -> None:
    """After a gap a CPU begins anew; the others go on."""
    opened = """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=24 name=a
1 <idle>-0 d.h.. 10 irq_handler_entry: irq=25 name=b
"""
    closed = """
0 <idle>-0 d.h.. 21 irq_handler_exit: irq=30 ret=handled
1 <idle>-0 d.h.. 22 irq_handler_exit: irq=30 ret=handled
"""
    checker = Checker(complete=True)
    found = [each for record in records_of(opened) for each in checker.feed(record)]
    checker.lost(0)
    found += [each for record in records_of(closed) for each in checker.feed(record)]
    assert [(each.name, each.message[:5]) for each in found] == [
        ("irq_handler_exit_closes_its_entry", "CPU 1"),
        ("what_began_last_ends_first", "CPU 1"),
    ]


def test_a_law_is_silent_until_all_that_it_needs_has_been_seen() -> None:
    """A log without exits does not say that handlers nest."""
    text = """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=24 name=a
0 <idle>-0 d.h.. 11 irq_handler_entry: irq=24 name=a
"""
    assert check(records_of(text)) == []
    assert names(check(records_of(text), complete=True)) == ["hard_interrupts_do_not_nest"]


def test_only_what_is_enabled_is_checked() -> None:
    """A complete log of some tracepoints keeps the laws that need no others."""
    text = """
0 <idle>-0 ..s.. 10 softirq_entry: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 11 softirq_exit: vec=3 [action=NET_RX]
"""
    records = records_of(text)
    enabled = [event.tracepoint for _, _, event in records]
    assert check(records, complete=True, enabled=enabled) == []
    assert "every_run_of_a_vector_was_raised" in names(check(records, complete=True))


def test_flags_are_not_looked_at_in_a_log_without_them() -> None:
    records = records_of(BROKEN["interrupts_are_off_where_they_must_be"])
    assert check(records, complete=True, setting=Setting(has_flags=False)) == []


def test_an_nmi_may_interrupt_a_handler() -> None:
    text = """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=24 name=a
0 <idle>-0 d.Z.. 11 irq_handler_entry: irq=23 name=arm-pmu
0 <idle>-0 d.Z.. 12 irq_handler_exit: irq=23 ret=handled
0 <idle>-0 d.h.. 13 irq_handler_exit: irq=24 ret=handled
"""
    assert check(records_of(text), complete=True) == []


def test_ksoftirqd_is_waited_for_up_to_6_4_only() -> None:
    records = records_of(BROKEN["softirqs_wait_for_a_runnable_ksoftirqd"])
    assert check(records, complete=True, setting=Setting(release=(6, 12))) == []
    hi = records_of("0 <idle>-0 d.h.. 11 softirq_raise: vec=0 [action=HI]")
    run = records_of("0 <idle>-0 ..s.. 12 softirq_entry: vec=0 [action=HI]")
    assert check([*records[:-1], *hi, *run], complete=True) == []


def test_a_vector_that_is_raised_in_its_own_pass_runs_in_the_next() -> None:
    """The interrupt between the snapshot and the first entry: a second run without a raise."""
    text = """
0 <idle>-0 d.h.. 10 softirq_raise: vec=6 [action=TASKLET]
0 <idle>-0 d.H.. 11 softirq_raise: vec=0 [action=HI]
0 <idle>-0 d.H.. 12 softirq_raise: vec=6 [action=TASKLET]
0 <idle>-0 ..s.. 13 softirq_entry: vec=6 [action=TASKLET]
0 <idle>-0 ..s.. 14 softirq_exit: vec=6 [action=TASKLET]
0 <idle>-0 ..s.. 15 softirq_entry: vec=0 [action=HI]
0 <idle>-0 ..s.. 16 softirq_exit: vec=0 [action=HI]
0 <idle>-0 ..s.. 17 softirq_entry: vec=6 [action=TASKLET]
"""
    records = records_of(text)
    assert check(records, complete=True) == []
    skipped = [*records[:3], *records[5:6]]
    assert names(check(skipped, complete=True)) == ["vectors_ascend_within_a_pass"]


def test_a_raise_in_a_gap_may_belong_to_either_pass() -> None:
    """What is raised between two vectors came before the next snapshot, or after it."""
    head = """
0 <idle>-0 d.h.. 10 softirq_raise: vec=1 [action=TIMER]
0 <idle>-0 ..s.. 11 softirq_entry: vec=1 [action=TIMER]
0 <idle>-0 d.s.. 11 softirq_raise: vec=6 [action=TASKLET]
0 <idle>-0 ..s.. 12 softirq_exit: vec=1 [action=TIMER]
0 <idle>-0 d.H.. 13 softirq_raise: vec=3 [action=NET_RX]
"""
    net_rx = "0 <idle>-0 ..s.. 14 softirq_entry: vec=3 [action=NET_RX]\n"
    tasklet = "0 <idle>-0 ..s.. 14 softirq_entry: vec=6 [action=TASKLET]\n"
    for order in (net_rx, tasklet):
        assert check(records_of(head + order), complete=True) == []


# -- counts ------------------------------------------------------------------------------


def test_counts_are_compared_with_the_log() -> None:
    text = """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=24 name=a
0 <idle>-0 d.h.. 11 irq_handler_exit: irq=24 ret=unhandled
0 <idle>-0 d.h.. 11 irq_handler_entry: irq=24 name=b
0 <idle>-0 d.h.. 12 irq_handler_exit: irq=24 ret=handled
1 <idle>-0 ..s.. 13 softirq_entry: vec=3 [action=NET_RX]
"""
    tally = Tally(records_of(text))
    vectors = [[0, 0], [0, 0], [0, 0], [0, 1]]
    assert count_faults(tally, {24: [1, 0]}, vectors) == []
    # The actions came one after the other.
    assert count_faults(tally, {24: [2, 0]}, vectors) == []
    assert count_faults(tally, {24: [3, 1]}, [[0, 0]] * 3 + [[1, 1]]) == [
        "irq 24 on CPU 0: counted 3, in the log 1 to 2",
        "irq 24 on CPU 1: counted 1, in the log 0",
        "vec 3 on CPU 0: counted 1, in the log 0",
    ]


# -- what real kernels logged ------------------------------------------------------------

LOGS = ("trace", "trace_pipe", "trace.default", "trace.record-tgid", "trace.noirq-info")
NOT_IN_NS = ("fmt-clock-counter", "fmt-clock-uptime")
NOT_WHOLE = ("arm64-gicv3-4cpu-lost-events",)
"""A reader of trace_pipe took pages out of the middle of this buffer; nothing tells where."""


def real_logs(reference: Path) -> Iterator[Path]:
    for path in sorted(reference.rglob("trace*")):
        place = str(path.parent)
        if path.name in LOGS and not any(each in place for each in NOT_IN_NS):
            if path.name != "trace" or path.parent.name not in NOT_WHOLE:
                yield path


def setting_of(path: Path) -> tuple[str, Setting]:
    """The layout of a capture, and what is known of its kernel."""
    place = str(path.parent)
    is_rt = "-rt-" in place
    is_new = "6.12" in place or "x86" in place
    layout = "6.1-rt" if is_rt else ("6.12" if is_new else "6.1")
    release = (6, 12) if is_new else (6, 1)
    return layout, Setting(release=release, is_rt=is_rt, has_flags="noirq-info" not in path.name)


def check_log(path: Path, invariants: tuple[Invariant, ...]) -> tuple[list[str], int, list[str]]:
    """Violations, number of records, and the laws that had anything to say."""
    layout, setting = setting_of(path)
    checker, parser = Checker(invariants, setting=setting), LineParser(layout)
    found, nr_records = [], 0
    text = path.read_bytes().decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    for line in text.split("\n"):
        kind = classify(line)
        if kind == "lost":
            checker.lost(parse_lost(line)[0])
        elif line.startswith("# ... cut"):
            for cpu in range(64):
                checker.lost(cpu)
        elif kind == "event":
            nr_records += 1
            for violation in checker.feed(parser.parse(line)):
                found.append(f"{path}: {violation}\n{line}")
    return found, nr_records, [each.name for each in checker.applied()]


def test_no_real_log_breaks_a_law(reference: Path) -> None:
    """Every strict law holds on every capture, and has something to say on many."""
    applied: Counter[str] = Counter()
    found, nr_records, nr_logs = [], 0, 0
    for path in real_logs(reference):
        faults, nr, names_applied = check_log(path, INVARIANTS)
        found += faults
        nr_records += nr
        nr_logs += nr > 0
        applied.update(names_applied if nr else [])
    assert not found, "\n".join(found[:20])
    assert nr_logs > 200
    assert nr_records > 190_000
    # There are few logs of PREEMPT_RT.
    few = {each.name: 5 if each.applies(Setting()) else 2 for each in INVARIANTS}
    strict = {each.name: each.is_strict for each in INVARIANTS}
    silent = [name for name, nr in few.items() if strict[name] and applied[name] < nr]
    assert silent == []


def test_the_other_laws_hold_on_real_logs_but_for_their_exceptions(reference: Path) -> None:
    """What is promised for complete logs only is hardly ever broken on others."""
    others = tuple(evolve(each, is_strict=True) for each in INVARIANTS if not each.is_strict)
    found = [fault for path in real_logs(reference) for fault in check_log(path, others)[0]]
    assert not found, "\n".join(found[:20])


def test_no_real_kernel_counts_less_than_it_logs(reference: Path) -> None:
    """/proc/interrupts grew by at least what the log of the time between shows."""
    nr_rows = 0
    for path in real_logs(reference):
        after, before = path.parent / "proc_interrupts", path.parent / "proc_interrupts.before"
        if path.name != "trace" or not before.is_file() or not after.is_file():
            continue
        layout, _ = setting_of(path)
        parser = LineParser(layout)
        lines = path.read_bytes().decode("utf-8", "surrogateescape").splitlines()
        tally = Tally(parser.parse(line) for line in lines if classify(line) == "event")
        tables = [InterruptsTable.parse(each.read_text()) for each in (before, after)]
        if "hotplug" in path.parent.name or "x86" in path.parent.name:
            continue
        old, new = ({row.irq: row for row in table.rows if isinstance(row, IrqRow)}
                    for table in tables)  # fmt: skip
        for irq, row in new.items():
            for place, cpu in enumerate(tables[1].cpus):
                grown = row.counts[place] - (old[irq].counts[place] if irq in old else 0)
                assert tally.bounds(irq, cpu)[0] <= grown, f"{path}: irq {irq} on CPU {cpu}"
                nr_rows += 1
    assert nr_rows > 1000
