"""Captures that are run with something changed: their devices interrupt all the same."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.reality import reference_folder
from tests.what_if import Question, question

REFERENCE = reference_folder()
pytestmark = pytest.mark.skipif(REFERENCE is None, reason="no captures of real kernels here")

LAWFUL: Final = (
    "arm64-gicv3-4cpu-busy-ksoftirqd",
    "arm64-gicv3-4cpu-ipi",
    "arm64-gicv3-4cpu-mod-tasklet",
    "arm64-gicv3-4cpu-net-flood",
    "arm64-gicv3-4cpu-net-ping",
    "armhf-gicv2-4cpu-net-ping",
)
BUSY: Final = ("arm64-gicv3-4cpu-block-mmio", "armhf-gicv2-4cpu-block-mmio")
CHANGES: Final = (
    "kernel.threadirqs=true",
    'kernel.preempt="full"',
    "kernel.softirq_restart=1",
    'device."BUSIEST".affinity=[3]',
)


@cache
def asked(name: str) -> Question:
    assert REFERENCE is not None
    return question(Path(REFERENCE) / "captures" / name / "trace")


def changed(name: str, change: str) -> tuple[str, ...]:
    """The change, of the device that interrupts most."""
    if "BUSIEST" in change and not asked(name).busiest:
        pytest.skip("only devices that each CPU has of its own")
    return (change.replace("BUSIEST", asked(name).busiest),)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", LAWFUL + BUSY)
def test_no_interrupt_of_a_device_is_lost(name: str, change: str) -> None:
    """Hardware comes as the capture has it; each arrival is served, or merges with one that is."""
    capture = asked(name).capture
    answer = asked(name).ask(*changed(name, change))
    assert answer.lost == {}
    wanted = {
        line.names[0]: sum(record[2].tracepoint.name == "irq_handler_entry"
                           and record[2]["name"] == line.names[0] for record in capture.records)
        for line in capture.lines.values() if line.names != ["IPI"]
    }
    assert {name: answer.arrivals[name] for name in wanted} == wanted
    assert answer.simulation.kernel.now_ns >= capture.records[-1][0] - capture.start_ns


@pytest.mark.parametrize("change", CHANGES[-1:])
@pytest.mark.parametrize("name", LAWFUL)
def test_a_line_that_moves_breaks_no_law(name: str, change: str) -> None:
    assert asked(name).ask(*changed(name, change)).violations == []


def test_pids_of_another_kernel_make_room_for_those_of_the_capture() -> None:
    """PREEMPT_RT has more threads of its own, whose pids the capture's tasks may have."""
    simulation = asked("arm64-gicv3-4cpu-ipi").ask('kernel.preempt="rt"').simulation
    pids = [task.pid for task in simulation.kernel.tasks]
    assert sorted(set(pids)) == sorted(pids)
