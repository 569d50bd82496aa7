"""A capture taken apart and put together again: what its replay has, and what it answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from irqsim.analysis.match import common, compare, identity
from irqsim.cli.importing import import_capture, open_capture, replay
from irqsim.events import IRQ_HANDLER_ENTRY, SCHED_SWITCH, SOFTIRQ_ENTRY, Record
from tests.command_line import irqsim
from tests.reality import reference_folder
from tests.replay import QUICK, replayed

REFERENCE = reference_folder()
needs_captures = pytest.mark.skipif(REFERENCE is None, reason="no captures of real kernels here")

SCENARIO = """
[[device]]
name = "eth0"
spi = 20
affinity = [1]
arrivals = { every = "700us", count = 20 }
handler = ["run 3us", "raise_softirq NET_TX", "wake_up_process reader"]

[[device]]
name = "touch"
spi = 12
affinity = [2]
flags = ["IRQF_ONESHOT"]
arrivals = { every = "900us", count = 15 }
thread = ["run 40us"]

[softirq]
NET_TX = ["run 5us", { repeat = 2, do = ["tasklet_schedule t"] }]

[[tasklet]]
name = "t"
run = ["run 2us"]

[[task]]
name = "reader"
cpu = 1
run = [{ repeat = 100, do = ["schedule", "run 12us"] }]

[[task]]
name = "busy"
cpu = 2
run = ["run 30ms"]

[run]
duration = "20ms"

[trace]
events = ["irq", "ipi", "sched:sched_switch", "sched:sched_waking", "sched:sched_wakeup"]
"""


def trace_path(name: str) -> str:
    """Where a capture is."""
    assert REFERENCE is not None
    return str(REFERENCE / "captures" / name / "trace")


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Path:
    """A log of ours, of handlers, threads, softirqs, tasklets, IPIs and tasks."""
    (tmp_path / "a.toml").write_text(SCENARIO, encoding="utf-8")
    done = irqsim("run", str(tmp_path / "a.toml"))
    assert done.returncode == 0
    path = tmp_path / "a.trace"
    path.write_text(done.stdout, encoding="utf-8")
    return path


def test_a_log_of_ours_is_replayed_event_for_event(log: Path) -> None:
    capture = open_capture(str(log))
    records = replay(import_capture(capture, "x.replay"), "x.replay")
    match = compare(capture.records, records)
    assert match.percent == match.device_percent == 100.0
    assert match.differences == []


@needs_captures
def test_a_replay_wakes_with_interrupts_off(tmp_path: Path) -> None:
    """As the capture does: its lines have the `d` of the lock that a wake-up holds."""
    scenario = tmp_path / "again.toml"
    done = irqsim("import", "-o", str(scenario), trace_path("arm64-gicv3-4cpu-mod-threaded"))
    assert done.returncode == 0
    wakings = [
        line
        for line in irqsim("run", "-q", str(scenario)).stdout.splitlines()
        if ": sched_waking: " in line or ": sched_wakeup: " in line
    ]
    assert len(wakings) > 20
    assert [line for line in wakings if "] d" not in line] == []


@needs_captures
@pytest.mark.parametrize("name", QUICK)
def test_a_capture_is_replayed(name: str) -> None:
    """98 % of the events in their order on each CPU, and every interrupt of a device."""
    row = replayed(Path(trace_path(name)))
    assert row.is_good, (row.reason, row.match and (row.match.percent, row.match.differences))


@needs_captures
def test_the_times_of_a_replay_are_those_of_the_capture() -> None:
    """Not only the order: device interrupts come at the capture's times, to the nanosecond."""
    capture = open_capture(trace_path("arm64-gicv3-4cpu-block-pci"))
    records = replay(import_capture(capture, "x.replay"), "x.replay")

    def times(log: Iterable[Record]) -> list[tuple[int, str]]:
        return [
            (time_ns, str(event["name"]))
            for time_ns, _, event in log
            if event.tracepoint is IRQ_HANDLER_ENTRY and event["name"] != "IPI"
        ]

    assert times(capture.records) == times(records)


@needs_captures
def test_the_same_capture_gives_the_same_scenario() -> None:
    name = trace_path("arm64-gicv3-4cpu-net-flood")
    first, second = (import_capture(open_capture(name), "x.replay") for _ in range(2))
    assert (first.toml, first.files) == (second.toml, second.files)


# -- what if ------------------------------------------------------------------------------

HAS_HANDLER = (
    "device.lab-wakethread.flags=[]",
    'device.lab-wakethread.handler=["run 1us"]',
)
"""What no log tells: this driver has a handler of its own, which is as quick as the kernel's."""


def lives_of(line: str, irq: int, log: Iterable[Record]) -> list[str]:
    """What happens on a line, interrupt by interrupt: its handler, its threads' wake-ups, and
    when these come to run and go to sleep."""
    thread = re.compile(rf"irq/{irq}-(s-)?")
    lives: list[str] = []
    for _, _, event in log:
        name = event.tracepoint.name
        if event.tracepoint is IRQ_HANDLER_ENTRY and event["name"] == line:
            lives.append("entry")
        elif event.tracepoint is SCHED_SWITCH:
            for key, what in (("prev_comm", "leaves"), ("next_comm", "runs")):
                match = thread.match(str(event[key]))
                if match and lives:
                    lives[-1] += f" {match[0]}{what}"
        elif name in ("sched_waking", "sched_wakeup"):
            match = thread.match(str(event["comm"]))
            if match and lives:
                lives[-1] += f" {name}:{match[0]}"
        elif name == "irq_handler_exit" and event["irq"] == irq:
            lives[-1] += " exit"
    return lives


@needs_captures
@pytest.mark.parametrize(
    ("line", "irq"), [("lab-oneshot", 40), ("lab-wakethread", 42), ("lab-nothread", 46)]
)
def test_threads_are_forced_as_on_a_real_kernel(line: str, irq: int) -> None:
    """A capture without `threadirqs`, run with it, has the structure of one taken with it."""
    real = open_capture(trace_path("arm64-gicv3-4cpu-threadirqs-mod-threaded"))
    capture = open_capture(trace_path("arm64-gicv3-4cpu-mod-threaded"))
    scenario = import_capture(capture, "x.replay")
    records = replay(scenario, "x.replay", "kernel.threadirqs=true", *HAS_HANDLER)
    assert lives_of(line, irq, records) == lives_of(line, irq, real.records)


@needs_captures
def test_forced_threading_leaves_softirqs_to_ksoftirqd() -> None:
    """What hard interrupts raise runs in ksoftirqd, in the real log and in what is asked for."""
    real = open_capture(trace_path("arm64-gicv3-4cpu-threadirqs-mod-threaded"))
    capture = open_capture(trace_path("arm64-gicv3-4cpu-mod-threaded"))
    scenario = import_capture(capture, "x.replay")
    asked = replay(scenario, "x.replay", "kernel.threadirqs=true", *HAS_HANDLER)
    for log in (real.records, asked):
        comms = {context.comm for _, context, event in log if event.tracepoint is SOFTIRQ_ENTRY}
        assert comms
        assert all(comm.startswith("ksoftirqd/") for comm in sorted(comms))


@needs_captures
def test_a_line_that_moves_takes_its_work_along() -> None:
    """Its interrupts, and the softirqs that they raise, are on the other CPU then."""
    capture = open_capture(trace_path("arm64-gicv3-4cpu-net-flood"))
    scenario = import_capture(capture, "x.replay")
    lines = ("virtio0", "virtio5-input.0")
    sets = [f'device."{line}".affinity=[2]' for line in lines]
    moved = replay(scenario, "x.replay", *sets)

    def places(log: Iterable[Record], what: str, value: object) -> Counter[int]:
        return Counter(
            context.cpu
            for _, context, event in log
            if event.tracepoint.name == what and value in event.values
        )

    for line in lines:
        before = places(capture.records, "irq_handler_entry", line)
        assert before[2] == 0
        assert places(moved, "irq_handler_entry", line) == {2: before.total()}
    polls = places(capture.records, "napi_poll", 64).total()
    assert places(moved, "napi_poll", 64) == {2: polls}


# -- condensed ------------------------------------------------------------------------------


@needs_captures
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("arm64-gicv3-4cpu-block-pci", "virtio3-req.1"),
        ("arm64-gicv3-4cpu-mod-plain", "lab-plain"),
        ("arm64-gicv3-4cpu-threadirqs-mod-threaded", "lab-oneshot"),
    ],
)
def test_a_fit_has_about_as_many_interrupts(name: str, line: str) -> None:
    """As many as the capture, but for what is left to chance; and it needs no files."""
    capture = open_capture(trace_path(name))
    scenario = import_capture(capture, "x.replay", is_fitted=True)
    assert scenario.files == {}

    def nr_interrupts(log: Iterable[Record]) -> int:
        entries = (event for _, _, event in log if event.tracepoint is IRQ_HANDLER_ENTRY)
        return sum(event["name"] == line for event in entries)

    wanted = nr_interrupts(capture.records)
    assert wanted / 2 <= nr_interrupts(replay(scenario, "x.replay")) <= wanted * 2


def test_a_fit_says_what_was_measured(log: Path) -> None:
    """Periods, durations, threads and wake-ups of a scenario come back from its log."""
    scenario = import_capture(open_capture(str(log)), "x.replay", is_fitted=True)
    assert re.search(r'name = "eth0"(.*\n)+?arrivals = \{ every = "700us"', scenario.toml)
    assert re.search(r'name = "eth0"(.*\n)+?handler = .*wake_up_process reader', scenario.toml)
    assert re.search(r'name = "touch"(.*\n)+?arrivals = \{ every = "900us"', scenario.toml)
    assert re.search(r'name = "touch"(.*\n)+?thread = \["run 4[0-9]us', scenario.toml)
    assert re.search(r'name = "reader"(.*\n)+?run = \["schedule", "run 1[0-9]us', scenario.toml)


# -- matching -------------------------------------------------------------------------------


def test_the_longest_common_order_is_found() -> None:
    left, right = "abcabba", "cbabac"
    pairs = common(left, right)
    assert len(pairs) == 4
    assert all(left[a] == right[b] for a, b in pairs)
    assert pairs == sorted(pairs)


def test_an_event_is_known_by_its_names(log: Path) -> None:
    """Numbers, pids and addresses are no part of it."""
    capture = open_capture(str(log))
    texts = [identity(event) for _, _, event in capture.records]
    assert "irq_handler_entry eth0" in texts
    assert not any(re.search(r"0x|pid", text) for text in texts)
