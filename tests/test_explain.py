"""The parts of a wait add up to it, and say who had the CPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from irqsim.analysis.explain import Explainer, Kind
from irqsim.events import Record
from irqsim.trace.reader import open_trace
from tests.command_line import irqsim
from tests.test_report import log, report_of

TARGETS: tuple[tuple[Kind, str], ...] = (
    ("thread", "init"), ("irq", "lab-oneshot"), ("softirq", "RCU"),
)  # fmt: skip
MISSED = "traces/deadline-missed/scenario.toml"


def explained(records: list[Record], kind: Kind, name: str, top: int = 1000) -> Explainer:
    explainer = Explainer(kind, name, top=top)
    for line, record in enumerate(records, start=1):
        explainer.feed(line, record)
    explainer.finish()
    return explainer


def capture(reference: Path, name: str) -> list[Record]:
    with open_trace(str(reference / "captures" / name / "trace")) as trace:
        return list(trace.records())


def check_sums(explainer: Explainer) -> None:
    """Each wait is told without a gap, but for the change from CPU to CPU."""
    for wait in explainer.worst:
        assert sum(wait.sums().values()) == wait.delay_ns
        at_ns = wait.start_ns
        for link in wait.links:
            assert link.span.start_ns == at_ns < link.span.end_ns
            at_ns = link.span.end_ns
        assert at_ns == wait.end_ns


@pytest.mark.parametrize(
    ("name", "kind", "who"),
    [
        ("arm64-gicv3-4cpu-allevents", "thread", "dd"),
        ("arm64-gicv3-4cpu-allevents", "thread", "rcu_sched"),
        ("arm64-gicv3-4cpu-mod-threaded", "thread", "irq/40-lab-ones"),
        ("armhf-gicv2-4cpu-mod-threaded", "thread", "init"),
    ],
)
def test_the_waits_of_a_thread_are_those_of_the_report(
    name: str, kind: Kind, who: str, reference: Path
) -> None:
    records = capture(reference, name)
    explainer = explained(records, kind, who)
    rows = report_of(records).tables["wakeup"].by_key
    rows = {key: row for key, row in rows.items() if key[0] == who}
    assert explainer.nr_waits == sum(row.count for row in rows.values())
    assert explainer.worst[0].delay_ns == max(row.max for row in rows.values())
    assert sum(wait.delay_ns for wait in explainer.worst) == sum(
        row.total for row in rows.values()
    )
    check_sums(explainer)


@pytest.mark.parametrize("vector", ["BLOCK", "TIMER", "SCHED", "RCU", "NET_RX"])
def test_the_waits_of_a_softirq_add_up(vector: str, reference: Path) -> None:
    explainer = explained(capture(reference, "arm64-gicv3-4cpu-allevents"), "softirq", vector)
    assert explainer.nr_waits > 10
    check_sums(explainer)
    assert "unseen" not in {category for wait in explainer.worst for category in wait.sums()}


@pytest.mark.parametrize("line", ["lab-oneshot", "lab-wakethread", "lab-nothread"])
def test_the_wait_of_a_line_goes_on_to_its_thread(line: str, reference: Path) -> None:
    explainer = explained(capture(reference, "arm64-gicv3-4cpu-mod-threaded"), "irq", line)
    assert explainer.nr_waits == 20
    check_sums(explainer)
    assert all("own handler" in wait.sums() for wait in explainer.worst)


def test_a_log_may_begin_anywhere(reference: Path) -> None:
    records = capture(reference, "arm64-gicv3-4cpu-mod-threaded")
    for first in range(0, len(records), 29):
        for kind, who in TARGETS:
            check_sums(explained(records[first:], kind, who))


def test_each_moment_is_put_down_to_who_had_the_cpu() -> None:
    explainer = explained(log("""
0 a-7 d.... 10 sched_waking: comm=b pid=8 prio=120 target_cpu=000
0 a-7 d.h.. 20 irq_handler_entry: irq=24 name=eth0
0 a-7 d.h.. 25 irq_handler_exit: irq=24 ret=handled
0 a-7 ..s.. 26 softirq_entry: vec=3 [action=NET_RX]
0 a-7 ..s.. 46 softirq_exit: vec=3 [action=NET_RX]
0 a-7 d.... 50 switch a-7 S b-8
"""), "thread", "b")
    (wait,) = explainer.worst
    assert wait.sums() == {"blocking threads": 15_000, "interrupts": 5_000, "softirqs": 20_000}
    assert [(link.span.who, link.span.line) for link in wait.links] == [
        ("a-7", 1), ("irq 24 eth0", 2), ("a-7", 3), ("softirq NET_RX", 4), ("a-7", 5),
    ]  # fmt: skip


SCENARIO = """
[machine]
cpus = 1
[[device]]
name = "uart"
spi = 1
arrivals = ["1020us", "3ms"]
[[task]]
name = "busy"
run = ["run 1ms", "local_irq_disable", "run 50us", "local_irq_enable", "run 10us"]
"""


def test_an_arrival_waits_while_interrupts_are_off() -> None:
    done = irqsim("explain", "--irq", "uart", "--json", "-", stdin=SCENARIO)
    (wait,) = json.loads(done.stdout)["longest"]
    assert done.returncode == 0
    assert wait["start_ns"] == 1_020_000
    assert sum(wait["sums_ns"].values()) == wait["delay_ns"]
    assert 25_000 < wait["sums_ns"]["interrupts off or masked"] < 60_000
    assert wait["chain"][0]["who"].startswith("busy-")


def test_a_wait_of_a_scenario_is_told_in_tables() -> None:
    done = irqsim("explain", "-q", MISSED, "--irq", "sensor", "--top", "2")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines() if not line.startswith("#")]
    assert rows[0] == ["sum", "1", "120.000", "58.54", "softirqs"]
    assert ["sum", "1", "205.000", "100.00", "total"] in rows
    assert next(row for row in rows if row[:2] == ["chain", "1"])[2:] == [
        "73.000", "0.002010", "0", "-", "irq", "13", "disk:", "interrupts",
    ]  # fmt: skip
    assert {row[1] for row in rows} == {"1", "2"}


@pytest.mark.parametrize(
    ("args", "meant"),
    [
        (["explain", MISSED], "name one of --irq, --softirq and --thread"),
        (["explain", MISSED, "--irq", "a", "--thread", "b"], "name one of"),
        (["explain", MISSED, "--irq", "senser"], "did you mean 'sensor'?"),
        (["explain", MISSED, "--softirq", "BLOK"], "did you mean 'BLOCK'?"),
        (["explain", "-q", MISSED, "--thread", "nobody"], "thread 'nobody' waits nowhere in it"),
        (["explain", "nowhere", "--irq", "a"], "nowhere: No such file or directory"),
    ],
)
def test_wrong_usage_is_named(args: list[str], meant: str) -> None:
    done = irqsim(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert meant in done.stderr
