"""Simulations: what reaches the sink, in which order, and that the files agree with it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import irqsim
from irqsim.errors import IrqsimError
from irqsim.events import IRQ_HANDLER_ENTRY, Context, EventTable, Record
from irqsim.proc.interrupts import InterruptsTable, IpiRow, IrqRow
from irqsim.proc.softirqs import SoftirqsTable
from irqsim.recording import Recording
from irqsim.scenario.reader import read_text
from irqsim.simulation import NR_SLICES, build, final_options
from irqsim.trace.ring_buffer import RingBuffer
from tests.simulations import BUSY, TRACING, Outcome, at, simulate

EVENTS = EventTable()


def record(time_ns: int, cpu: int, irq: int = 0) -> Record:
    """A record of a handler."""
    context = Context("<idle>", 0, -1, cpu, 0, 0, cpu)
    return time_ns, context, EVENTS.intern(IRQ_HANDLER_ENTRY, irq, "eth0")


def brief(records: list[Record]) -> list[tuple[int, int, object]]:
    """Time, CPU and number of each record."""
    return [(time_ns, who.cpu, what["irq"]) for time_ns, who, what in records]


# -- the way of the records --------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=30),
    st.lists(st.integers(1, 30), max_size=10),
)
def test_records_come_out_by_time_then_by_cpu(
    steps: list[tuple[int, int]], cuts: list[int]
) -> None:
    """Whatever the batches, and equal ones in the order in which they came in."""
    now, records = 0, []
    for number, (step, cpu) in enumerate(steps):
        now += step
        records.append(record(now, cpu, number))
    out: list[Record] = []
    recording = Recording(out.extend)
    edges = sorted({0, len(records), *(cut for cut in cuts if cut < len(records))})
    for begin, end in pairwise(edges):
        recording.add(records[begin:end])
    recording.finish()
    assert brief(out) == brief(sorted(records, key=lambda each: (each[0], each[1].cpu)))
    assert recording.entries_in_buffer == recording.entries_written == len(records)


def test_the_last_instant_is_held_back() -> None:
    out: list[Record] = []
    recording = Recording(out.extend)
    recording.add([record(1, 0), record(2, 1)])
    assert brief(out) == [(1, 0, 0)]
    recording.add([record(2, 0)])
    assert brief(out) == [(1, 0, 0)]
    recording.finish()
    assert brief(out) == [(1, 0, 0), (2, 0, 0), (2, 1, 0)]


def test_a_sink_is_not_given_what_will_be_taken_away() -> None:
    out: list[Record] = []
    recording = Recording(out.extend, nr_clears=2)
    for time_ns in (1, 2, 3):
        recording.add([record(time_ns, 0), record(time_ns + 5, 0)])
        assert brief(out) == ([] if time_ns < 3 else [(3, 0, 0)])
        if time_ns < 3:
            recording.clear()
    recording.finish()
    assert brief(out) == [(3, 0, 0), (8, 0, 0)]
    assert recording.entries_written == 2


def test_a_run_that_ends_before_the_last_clear_gives_what_there_is() -> None:
    out: list[Record] = []
    recording = Recording(out.extend, nr_clears=2)
    recording.add([record(1, 0)])
    recording.clear()
    recording.add([record(2, 0)])
    recording.finish()
    assert brief(out) == [(2, 0, 0)]


def test_a_pipe_gives_everything() -> None:
    out: list[Record] = []
    ring = RingBuffer(1, 4)
    recording = Recording(out.extend, ring=ring, nr_clears=1, is_pipe=True)
    recording.add([record(1, 0)])
    recording.clear()
    recording.add([record(2, 0)])
    recording.finish()
    assert brief(out) == [(1, 0, 0), (2, 0, 0)]


def test_a_ring_gives_what_is_left_at_the_end() -> None:
    out: list[Record] = []
    recording = Recording(out.extend, ring=RingBuffer(2, 4))
    recording.add([record(time_ns, time_ns % 2) for time_ns in range(1000)])
    assert out == []
    recording.finish()
    assert 0 < len(out) < 1000
    assert brief(out)[-1] == (999, 1, 0)
    assert (recording.entries_in_buffer, recording.entries_written) == (len(out), 1000)
    assert recording.has_overrun


# -- the facade --------------------------------------------------------------------------


def test_the_library_runs_a_scenario(tmp_path: Path) -> None:
    path = tmp_path / "busy.toml"
    path.write_text(BUSY)
    assert irqsim.run(irqsim.load(path)) == simulate(BUSY).records
    assert irqsim.run(irqsim.load(path, "run.duration=0s")) == []


def test_progress_is_told_and_changes_nothing() -> None:
    alone = simulate(BUSY)
    records: list[Record] = []
    told: list[tuple[int, int | None]] = []
    sim = build(read_text(BUSY), records.extend)
    sim.run(lambda now_ns, end_ns: told.append((now_ns, end_ns)))
    assert len(told) == NR_SLICES
    assert told == sorted(told)
    assert told[-1] == (30_000_000, 30_000_000)
    assert records == alone.records
    assert list(sim.tree()) == list(alone.sim.tree())


def test_progress_of_a_run_without_an_end() -> None:
    told: list[tuple[int, int | None]] = []
    text = BUSY.replace('duration = "30ms"', "seed = 1").replace('"1ms" }', '"1ms", count = 5 }')
    build(read_text(text), lambda records: None).run(lambda *where: told.append(where))
    assert told
    assert all(end_ns is None for _, end_ns in told)


def test_a_limited_buffer_loses_the_oldest() -> None:
    limited = "[trace]\nbuffer_size_kb = 1\n"
    reading = at("29900us", f"cat {TRACING}/trace")
    text = BUSY.replace('"1ms"', '"50us"')
    everything = simulate(text)
    outcome = simulate(text + reading + limited, reads=(f"{TRACING}/trace",))
    sim = outcome.sim
    assert sim.entries_written == len(everything.records)
    assert sim.entries_in_buffer == len(outcome.records) < sim.entries_written
    shown = sim.read_file(f"{TRACING}/trace")
    assert f"{sim.entries_in_buffer}/{sim.entries_written}   #P:4" in shown
    assert shown == sim.header(sim.text_format()) + outcome.text()
    assert "##### CPU 0 buffer started ####" in shown
    late = everything.records[-len(outcome.records) // 2 :]
    assert outcome.records[-len(late) :] == late


def test_a_pipe_gets_what_was_overwritten_or_emptied() -> None:
    text = f"{BUSY}[trace]\nbuffer_size_kb = 1\n" + at("20ms", f"echo > {TRACING}/trace")
    assert simulate(text, is_pipe=True).records == simulate(BUSY).records


def test_a_trace_that_nobody_will_read_is_not_kept() -> None:
    sim = simulate(BUSY).sim
    with pytest.raises(IrqsimError, match="not kept"):
        sim.read_file(f"{TRACING}/trace")


def test_the_clock_of_the_trace() -> None:
    late = BUSY.replace("[run]", '[run]\nclock = "5s"')
    assert simulate(late).records[0][0] >= 5_000_000_000
    latency = simulate(f'{late}[trace]\noptions = ["latency-format"]\n')
    assert latency.text().splitlines()[0].split()[2] == "2us"


def test_a_panic_ends_the_run() -> None:
    text = BUSY + '[[task]]\nname = "bad"\nstart = "5ms"\nrun = ["panic on purpose"]\n'
    for wants_progress in (False, True):
        records: list[Record] = []
        sim = build(read_text(text + at("20ms", "cat /proc/stat")), records.extend)
        console: list[str] = []
        sim.on_console = console.append
        sim.run((lambda now_ns, end_ns: None) if wants_progress else None)
        assert sim.panicked
        assert sim.snapshots == []
        assert records[-1][0] < 6_000_000
        assert "Kernel panic - not syncing: on purpose" in console[0]
        assert sim.dmesg().splitlines()[-1] == console[0]
        assert dict(sim.tree())["dmesg"] == sim.dmesg()


def test_final_options_are_known_before_the_run() -> None:
    spec = read_text(
        '[run]\nduration = "10ms"\n[trace]\noptions = ["record-tgid"]\n'
        + at("2ms", f"echo noirq-info > {TRACING}/trace_options")
        + at("1ms", f"echo 0 > {TRACING}/options/irq-info", f"echo x > {TRACING}/trace_options")
        + at("3ms", f"echo 1 > {TRACING}/options/latency-format")
        + at("10ms", f"echo irq-info > {TRACING}/trace_options")
    )
    options = final_options(spec)
    assert [name for name in ("irq-info", "record-tgid", "latency-format") if name in options] == [
        "record-tgid",
        "latency-format",
    ]
    assert build(spec, lambda records: None).trace_options == options


@pytest.mark.parametrize(
    ("events", "systems"),
    [
        ('["irq"]', ["irq"]),
        ('["sched:sched_switch", "ipi"]', ["ipi", "sched"]),
        ('["softirq_*"]', ["irq"]),
        ('["*"]', ["ipi", "irq", "sched"]),
        ("[]", []),
    ],
)
def test_events_that_are_asked_for(events: str, systems: list[str]) -> None:
    outcome = simulate(f"{BUSY}[trace]\nevents = {events}\n")
    seen = [what.tracepoint.system for _, _, what in outcome.records]
    assert [system for system in ("ipi", "irq", "sched") if system in seen] == systems


# -- the files agree with the log --------------------------------------------------------

DEVICES = st.lists(
    st.tuples(
        st.sampled_from(["spi = 1", "spi = 2", "spi = 3", "ppi = 7"]),
        st.sampled_from(["edge", "level"]),
        st.sampled_from(['{ every = "300us" }', '{ poisson = "200us" }', '["1ms", "2ms"]']),
        st.sampled_from(["run 4us", "raise_softirq NET_RX", "tasklet_schedule t", "run 250us"]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda device: device[0],
)


def _scenario(release: str, devices: list[tuple[str, str, str, str, int]], shared: bool) -> str:
    parts = [f'[run]\nduration = "5ms"\n[kernel]\nrelease = "{release}"\n']
    parts.append('[[tasklet]]\nname = "t"\nrun = ["run 3us"]\n')
    parts.append('[[task]]\nname = "spin"\nloop = true\nrun = ["run 100us"]\n')
    for number, (line, trigger, arrivals, step, cpu) in enumerate(devices):
        is_percpu = line.startswith("ppi")
        table = f'[[device]]\nname = "d{number}"\n{line}\ntrigger = "{trigger}"\n'
        table += f'arrivals = {arrivals}\nhandler = ["{step}"]\n'
        if not is_percpu:
            table += f"affinity = [{cpu}]\n"
        parts.append(table)
    if shared:
        for name in ("one", "two"):
            parts.append(
                f'[[device]]\nname = "{name}"\nspi = 9\nflags = ["IRQF_SHARED"]\n'
                'arrivals = { every = "700us" }\n'
            )
    moves = [f"echo {1 << number % 4:x} > /proc/irq/d{number}/smp_affinity" for number in range(4)]
    parts.append(at("2500us", *moves, "cat /proc/interrupts /proc/softirqs"))
    return "".join(parts)


def _entries(outcome: Outcome, event: str, field: str, key: object, until_ns: int) -> list[int]:
    """How many of these events each CPU had before a time."""
    counts = [0] * 4
    for time_ns, who, what in outcome.records:
        if what.tracepoint.name == event and what[field] == key and time_ns < until_ns:
            counts[who.cpu] += 1
    return counts


def _check(outcome: Outcome, interrupts: str, softirqs: str, until_ns: int) -> None:
    table = InterruptsTable.parse(interrupts)
    assert table.render() == interrupts
    rows = [row for row in table.rows if isinstance(row, IrqRow)]
    assert rows
    for row in rows:
        entries = _entries(outcome, "irq_handler_entry", "irq", row.irq, until_ns)
        assert entries == [count * len(row.actions) for count in row.counts], row
    ipis = [row.counts for row in table.rows if isinstance(row, IpiRow)]
    sent = [0] * 4
    for time_ns, who, what in outcome.records:
        if what.tracepoint.name == "ipi_entry" and time_ns < until_ns:
            sent[who.cpu] += 1
    assert [sum(column) for column in zip(*ipis, strict=True)] == sent
    vectors = SoftirqsTable.parse(softirqs)
    assert vectors.render() == softirqs
    for vec, counts in enumerate(vectors.counts):
        assert list(counts) == _entries(outcome, "softirq_entry", "vec", vec, until_ns)


@given(st.sampled_from(["4.19", "6.1", "6.12"]), DEVICES, st.booleans())
def test_counts_are_those_of_the_log(
    release: str, devices: list[tuple[str, str, str, str, int]], shared: bool
) -> None:
    """What /proc/interrupts and /proc/softirqs count is in the log, then and at the end."""
    text = _scenario(release, devices, shared) + '[trace]\nevents = ["irq", "ipi"]\n'
    outcome = simulate(text)
    keys = [(time_ns, who.cpu) for time_ns, who, _ in outcome.records]
    assert keys == sorted(keys)
    (_, _, interrupts), (_, _, softirqs) = outcome.sim.snapshots
    _check(outcome, interrupts, softirqs, 2_500_000)
    sim = outcome.sim
    _check(outcome, sim.read_file("/proc/interrupts"), sim.read_file("/proc/softirqs"), 10**12)
