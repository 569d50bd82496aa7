"""A report measures what a plain computation over the whole log finds, and adds up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import irqsim
from irqsim.analysis.distribution import ERROR, EXACT_MAX, Distribution, bounds_of, bucket_of
from irqsim.analysis.measures import Key, Rows
from irqsim.analysis.report import Report, Reporter
from irqsim.events import Record
from irqsim.records import Lost, TraceHeader
from irqsim.trace.reader import open_trace
from irqsim.units import SOFTIRQ_NAMES
from tests import golden, naive_report
from tests.naive_report import Durations
from tests.test_check import records_of

MEASURED = (
    "arm64-gicv3-4cpu-mod-threaded",
    "arm64-gicv3-4cpu-threadirqs-mod-threaded",
    "arm64-gicv3-4cpu-allevents",
    "arm64-gicv3-4cpu-mod-tasklet",
    "arm64-gicv3-4cpu-mod-shared",
    "armhf-gicv2-4cpu-mod-threaded",
)
"""Captures that the plain computation understands: nothing lost, no preempted softirqs."""


def report_of(records: list[Record], header: TraceHeader | None = None) -> Report:
    reporter = Reporter("log", TraceHeader() if header is None else header)
    for record in records:
        reporter.feed(record)
    return reporter.finish()


_SWITCH: Final = re.compile(r"switch (\S+)-(\d+) (\S+) (\S+)-(\d+)")


def log(text: str) -> list[Record]:
    """Records from lines as records_of() has them, with `switch a-7 S b-8` for a sched_switch."""
    return records_of(
        _SWITCH.sub(
            r"sched_switch: prev_comm=\1 prev_pid=\2 prev_prio=120 prev_state=\3"
            r" ==> next_comm=\4 next_pid=\5 next_prio=120",
            text,
        )
    )


def report_on(path: Path) -> tuple[Report, list[Record]]:
    records = []
    with open_trace(str(path)) as trace:
        reporter = Reporter(trace.name, trace.header)
        for _, item in trace:
            if isinstance(item, Lost):
                reporter.lost(item)
            else:
                reporter.feed(item)
                records.append(item)
    return reporter.finish(), records


def summary(rows: Rows) -> dict[tuple[str, int], tuple[int, ...]]:
    """What a table says of each row: count, total, and the rest if that is exact."""
    return {
        (key[0], key[1]): (row.count, row.total, row.min, row.max,
                           *(row.quantile(each) for each in (500, 900, 990)))
        for key, row in rows.by_key.items()
    }  # fmt: skip


def plain(durations: Durations) -> dict[tuple[str, int], tuple[int, ...]]:
    """The same from lists: a quantile is the value whose rank is so many thousandths, up."""
    found = {}
    for key, values in durations.items():
        order = sorted(values)
        ranks = [(len(order) * each + 999) // 1000 for each in (500, 900, 990)]
        quantiles = [order[rank - 1] for rank in ranks]
        found[key] = (len(order), sum(order), order[0], order[-1], *quantiles)
    return found


# -- against a plain computation ---------------------------------------------------------


@pytest.mark.parametrize("name", MEASURED)
def test_the_figures_of_a_capture_are_those_of_a_plain_computation(
    name: str, reference: Path
) -> None:
    report, records = report_on(reference / "captures" / name / "trace")
    tables = report.tables
    assert summary(tables["irq"]) == plain(naive_report.handlers(records))
    assert summary(tables["softirq"]) == plain(naive_report.vectors(records, SOFTIRQ_NAMES))
    assert summary(tables["thread"]) == plain(naive_report.tasks(records))
    if any(record[2].tracepoint.name == "sched_waking" for record in records):
        assert summary(tables["wakeup"]) == plain(naive_report.wakes(records))


@pytest.mark.parametrize("name", MEASURED)
def test_delays_of_softirqs_are_those_where_there_is_no_doubt(name: str, reference: Path) -> None:
    report, records = report_on(reference / "captures" / name / "trace")
    nr_runs = {key: len(runs) for key, runs in
               naive_report.vectors(records, SOFTIRQ_NAMES).items()}  # fmt: skip
    measured = report.tables["raise"].by_key
    for key, delays in naive_report.raises(records, SOFTIRQ_NAMES).items():
        row = measured[(*key, -1)]
        assert len(delays) <= row.count <= nr_runs[key] + 1
        assert row.total >= sum(delays)
        assert row.max >= max(delays)
        if row.count == len(delays):
            assert row.total == sum(delays)


def test_a_run_answers_the_raise_before_its_snapshot() -> None:
    """What is raised between snapshot and run is for the next pass: nothing is measured twice."""
    report = report_of(log("""
0 <idle>-0 d.h.. 10 softirq_raise: vec=6 [action=TASKLET]
0 <idle>-0 d.h.. 12 softirq_raise: vec=6 [action=TASKLET]
0 <idle>-0 d.h.. 13 softirq_raise: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 15 softirq_entry: vec=3 [action=NET_RX]
0 <idle>-0 d.H.. 16 softirq_raise: vec=6 [action=TASKLET]
0 <idle>-0 ..s.. 17 softirq_exit: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 20 softirq_entry: vec=6 [action=TASKLET]
0 <idle>-0 ..s.. 25 softirq_exit: vec=6 [action=TASKLET]
0 <idle>-0 ..s.. 26 softirq_entry: vec=6 [action=TASKLET]
0 <idle>-0 ..s.. 27 softirq_exit: vec=6 [action=TASKLET]
"""))
    row = report.tables["raise"].by_key["TASKLET", 6, -1]
    assert (row.count, row.min, row.max) == (2, 10_000, 10_000)
    assert report.tables["raise"].by_key["NET_RX", 3, -1].total == 2_000
    assert report.tables["bhstretch"].by_key["CPU 0", -1, -1].max == 12_000


def test_interrupts_are_taken_off_what_they_land_on() -> None:
    report = report_of(log("""
0 a-7 d.... 10 switch a-7 S b-8
0 b-8 d.h.. 20 irq_handler_entry: irq=24 name=eth0
0 b-8 d.h.. 20 softirq_raise: vec=3 [action=NET_RX]
0 b-8 d.h.. 25 irq_handler_exit: irq=24 ret=handled
0 b-8 ..s.. 26 softirq_entry: vec=3 [action=NET_RX]
0 b-8 d.H.. 30 irq_handler_entry: irq=24 name=eth0
0 b-8 d.Z.. 31 irq_handler_entry: irq=23 name=arm-pmu
0 b-8 d.Z.. 33 irq_handler_exit: irq=23 ret=handled
0 b-8 d.H.. 37 irq_handler_exit: irq=24 ret=handled
0 b-8 ..s.. 46 softirq_exit: vec=3 [action=NET_RX]
0 b-8 d.... 60 switch b-8 R a-7
"""))
    own = {key[0]: row.total for name in ("irq", "softirq", "thread")
           for key, row in report.tables[name].by_key.items()}  # fmt: skip
    assert own == {"eth0": 5_000 + 5_000, "arm-pmu": 2_000, "NET_RX": 13_000, "b": 25_000}
    assert report.cpus[0].times == {
        "hardirq": 12_000, "softirq": 13_000, "task": 25_000, "idle": 0, "unseen": 0,
    }  # fmt: skip
    assert report.tables["irqsoff"].by_key["CPU 0", -1, -1].max == 7_000


def test_a_work_that_sleeps_is_not_charged_for_others() -> None:
    """Its worker is switched away from, and its run goes on when that comes back."""
    report = report_of(log("""
0 kw-7 ..... 10 workqueue_execute_start: work struct 00000000000000aa: function flush
0 kw-7 d.... 20 switch kw-7 S b-8
0 b-8 d.... 50 switch b-8 S kw-7
0 kw-7 d.h.. 60 irq_handler_entry: irq=24 name=eth0
0 kw-7 d.h.. 61 irq_handler_exit: irq=24 ret=handled
0 kw-7 ..... 70 workqueue_execute_end: work struct 00000000000000aa: function flush
"""))
    row = report.tables["work"].by_key["flush", -1, -1]
    assert (row.count, row.total) == (1, 10_000 + 19_000)


def test_a_thread_starts_after_its_handler_and_not_after_another() -> None:
    report = report_of(log("""
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=40 name=sensor
0 <idle>-0 d.h.. 12 irq_handler_exit: irq=40 ret=handled
0 <idle>-0 d.h.. 13 sched_waking: comm=irq/40-sensor pid=152 prio=49 target_cpu=000
0 <idle>-0 dNh.. 14 sched_wakeup: comm=irq/40-sensor pid=152 prio=49 target_cpu=000
0 <idle>-0 d.... 20 switch swapper/0-0 R irq/40-sensor-152
0 irq/40-sensor-152 d.... 25 switch irq/40-sensor-152 S swapper/0-0
0 <idle>-0 d.... 30 sched_waking: comm=irq/40-sensor pid=152 prio=49 target_cpu=000
0 <idle>-0 d.... 40 switch swapper/0-0 R irq/40-sensor-152
"""))
    row = report.tables["irqthread"].by_key["irq/40-sensor", 152, -1]
    assert (row.count, row.total) == (1, 8_000)
    assert report.tables["irqsoff"].by_key["CPU 0", -1, -1].max == 4_000


# -- what adds up ------------------------------------------------------------------------


def test_the_times_of_each_cpu_add_up_to_the_span_of_every_real_log(reference: Path) -> None:
    """Every moment belongs to somebody, and to nobody twice."""
    nr_logs = 0
    for path in sorted((reference / "captures").glob("*/trace")):
        if "func-graph" in path.parent.name:
            continue
        report, records = report_on(path)
        for cpu in report.cpus.values():
            assert sum(cpu.times.values()) == report.span_ns, path
            assert min(cpu.times.values()) >= 0
        hard = sum(cpu.times["hardirq"] for cpu in report.cpus.values())
        own = sum(row.total for row in report.tables["irq"].by_key.values())
        partial = sum(cpu.nr_partial for cpu in report.cpus.values())
        # What has no end was not measured, and IPIs of 4.19 are no handlers.
        assert own <= hard or partial or report.nr_lost, path
        assert report.nr_records == len(records)
        nr_logs += bool(records)
    assert nr_logs > 40


def test_what_runs_add_up_to_what_the_cpus_gave(reference: Path) -> None:
    """Handlers, vectors and tasks of a log with every switch, to the last microsecond."""
    report, _ = report_on(reference / "captures" / "arm64-gicv3-4cpu-mod-threaded" / "trace")
    assert all(not cpu.nr_partial for cpu in report.cpus.values())
    for table, category in (("irq", "hardirq"), ("softirq", "softirq")):
        total = sum(row.total for row in report.tables[table].by_key.values())
        assert total == sum(cpu.times[category] for cpu in report.cpus.values())


WHOLE = [name for name in golden.names() if name != "sleeping-in-a-handler"]
"""A handler that sleeps ends in another context than it began in."""


@pytest.mark.parametrize("name", WHOLE)
def test_the_log_of_a_simulation_is_followed_without_a_gap(name: str) -> None:
    """A log that has everything from the start leaves nothing that began unseen."""
    records = irqsim.run(irqsim.load(golden.scenario_of(name), 'trace.events=["*"]'))
    report = report_of(records)
    for cpu in report.cpus.values():
        assert sum(cpu.times.values()) == report.span_ns
        assert cpu.nr_partial == 0


def test_a_log_that_begins_in_the_middle_measures_what_it_shows(reference: Path) -> None:
    """Each cut of a log counts what begins and ends in it."""
    _, records = report_on(reference / "captures" / "arm64-gicv3-4cpu-mod-tasklet" / "trace")
    for first in range(0, len(records), 37):
        cut = records[first:]
        expected = plain(naive_report.handlers(cut))
        assert summary(report_of(cut).tables["irq"]) == expected


def test_lost_records_leave_a_time_that_nobody_knows() -> None:
    reporter = Reporter("log", TraceHeader())
    entry, after = records_of("""
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=24 name=eth0
0 <idle>-0 d.h.. 40 irq_handler_exit: irq=24 ret=handled
""")
    reporter.feed(entry)
    reporter.lost(Lost(0, 7))
    reporter.feed(after)
    report = reporter.finish()
    assert report.tables["irq"].by_key == {}
    assert report.cpus[0].times["unseen"] == 30_000
    assert (report.cpus[0].nr_lost, report.nr_lost) == (7, 7)


# -- rates -------------------------------------------------------------------------------


def test_a_storm_is_seen_with_its_beginning_and_end() -> None:
    lines = []
    times = [*range(0, 100_000, 5_000), *range(100_000, 130_000, 50), 500_000]
    for us in times:
        lines.append(f"0 <idle>-0 d.h.. {us} irq_handler_entry: irq=24 name=eth0")
        ret = "unhandled" if us == 500_000 else "handled"
        lines.append(f"0 <idle>-0 d.h.. {us + 1} irq_handler_exit: irq=24 ret={ret}")
    rate = report_of(records_of("\n".join(lines))).rates.by_key["eth0", 24]
    assert (rate.count, rate.nr_unhandled, rate.nr_storms) == (621, 1, 1)
    assert rate.peak_per_sec == 20_000
    assert rate.worst is not None
    assert (rate.worst.count, rate.worst.first_ns, rate.worst.last_ns) == (
        600, 100_000_000, 130_000_000,
    )  # fmt: skip


# -- quantiles ---------------------------------------------------------------------------


@given(st.lists(st.integers(0, 1 << 40), min_size=1, max_size=3 * EXACT_MAX),
       st.integers(1, 1000))  # fmt: skip
def test_quantiles_are_exact_or_within_the_stated_error(values: list[int], per_mille: int) -> None:
    row = Distribution()
    for value in values:
        row.add(value, 0)
    exact = sorted(values)[-(-len(values) * per_mille // 1000) - 1]
    found = row.quantile(per_mille)
    assert abs(found - exact) <= (0 if row.is_exact else exact * ERROR)
    assert row.is_exact is (len(values) <= EXACT_MAX)
    assert (row.count, row.total, row.min, row.max) == (
        len(values), sum(values), min(values), max(values),
    )  # fmt: skip
    assert sum(count for _, _, count in row.buckets()) == len(values)


def test_buckets_leave_no_gap() -> None:
    end = -1
    for index in range(bucket_of(1 << 20)):
        low, high = bounds_of(index)
        assert low == end + 1
        assert bucket_of(low) == bucket_of(high) == index
        end = high


@pytest.mark.parametrize("seed", range(3))
def test_many_values_take_no_more_memory_than_few(seed: int) -> None:
    """Beyond the limit only counts of buckets are kept."""
    row = Distribution()
    value = seed + 1
    for _ in range(20 * EXACT_MAX):
        value = value * 6364136223846793005 % (1 << 30)
        row.add(value, 0)
    assert len(row.buckets()) < 24 << 7
    assert not row.is_exact


def keys(rows: Rows) -> list[Key]:
    return list(rows.by_key)


def test_rows_are_kept_apart_by_cpu_if_that_is_wanted() -> None:
    records = records_of("""
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=24 name=eth0
1 <idle>-0 d.h.. 10 irq_handler_entry: irq=11 name=arch_timer
0 <idle>-0 d.h.. 11 irq_handler_exit: irq=24 ret=handled
1 <idle>-0 d.h.. 11 irq_handler_exit: irq=11 ret=handled
1 <idle>-0 d.h.. 20 irq_handler_entry: irq=24 name=eth0
1 <idle>-0 d.h.. 21 irq_handler_exit: irq=24 ret=handled
""")
    together, apart = Reporter("log", TraceHeader()), Reporter("log", TraceHeader(), per_cpu=True)
    for record in records:
        together.feed(record)
        apart.feed(record)
    assert keys(together.finish().tables["irq"]) == [("eth0", 24, -1), ("arch_timer", 11, -1)]
    assert keys(apart.finish().tables["irq"]) == [
        ("eth0", 24, 0), ("arch_timer", 11, 1), ("eth0", 24, 1),
    ]  # fmt: skip
