"""A Raspberry Pi: what is served when and where, and what cannot be done.

Source: drivers/irqchip/irq-bcm2836.c, irq-bcm2835.c.
"""

from __future__ import annotations

import re

import pytest

from irqsim.errors import ScenarioError
from irqsim.events import IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT, SOFTIRQ
from irqsim.proc.errno import FileError
from irqsim.scenario.reader import read_text
from irqsim.simulation import Simulation, build
from tests.simulations import Outcome, simulate

RELEASES = ("4.19", "5.10", "6.1", "6.6", "6.12")


def machine(*devices: str, release: str = "6.1", arch: str = "arm") -> str:
    """A Raspberry Pi that runs for 5 ms."""
    head = (
        f'[run]\nduration = "5ms"\n[machine]\narch = "{arch}"\nirqchip = "bcm2836"\n'
        f'[kernel]\nrelease = "{release}"\nrcu = false\n[trace]\nevents = ["irq", "ipi"]\n'
    )
    return head + "".join(devices)


def device(name: str, line: str, *times: str, more: str = "") -> str:
    """A device with a handler of 3 us."""
    return (
        f'[[device]]\nname = "{name}"\n{line}\narrivals = {list(times)}\n'
        f'handler = ["run 3us"]\n{more}\n'
    )


def entries(outcome: Outcome) -> list[tuple[str, int]]:
    """The handlers that began, but for the timer's: name and CPU."""
    return [
        (str(event.values[1]), context.cpu)
        for _, context, event in outcome.records
        if event.tracepoint is IRQ_HANDLER_ENTRY and event.values[1] != "arch_timer"
    ]


@pytest.mark.parametrize("release", RELEASES)
def test_banks_are_served_in_the_order_of_the_driver(release: str) -> None:
    """Bank 0, shortcuts of bank 1 and of bank 2, bank 1, bank 2, each the lowest bit first."""
    lines = {
        "bank2-low": (2, 0), "bank1-low": (1, 0), "short2": (2, 21), "short1": (1, 19),
        "bank0": (0, 7), "bank2-high": (2, 31), "short1-low": (1, 7), "bank0-low": (0, 1),
        "short2-last": (2, 30), "bank1-high": (1, 31),
    }  # fmt: skip
    devices = [device(name, f"bank = {list(place)}", "1ms") for name, place in lines.items()]
    outcome = simulate(machine(*devices, release=release))
    assert entries(outcome) == [
        (name, 0)
        for name in (
            "bank0-low", "bank0", "short1-low", "short1", "short2", "short2-last",
            "bank1-low", "bank1-high", "bank2-low", "bank2-high",
        )
    ]


def test_one_exception_serves_all_of_the_banks_and_one_local_source() -> None:
    """Behind the last of the banks the interrupt is left, and softirqs begin; the PMU, whose bit
    is above GPU_FAST's, comes upon them."""
    devices = [
        device("a", "bank = [1, 1]", "1ms", more=""),
        device("b", "bank = [1, 2]", "1ms"),
        device("pmu", "local = 9", "1ms", more="affinity = [0]"),
    ]
    text = machine(*devices).replace('"run 3us"', '"run 3us", "raise_softirq NET_TX"')
    came = [
        (str(event.values[1]), context.flags & SOFTIRQ != 0)
        for _, context, event in simulate(text).records
        if event.tracepoint is IRQ_HANDLER_ENTRY
    ]
    assert came == [("a", False), ("b", False), ("pmu", True)]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("arch", ["arm", "arm64"])
def test_ipis_come_by_mailbox(release: str, arch: str) -> None:
    """Each is answered where it was sent to; since 5.10 as an interrupt named IPI."""
    task = (
        '[[task]]\nname = "t"\ncpu = 0\nrun = ["run 1ms", "smp_call_function 2 3us", '
        '"smp_send_reschedule 3", "run 1ms"]\n'
    )
    outcome = simulate(machine(task, release=release, arch=arch))
    came = [
        (context.cpu, str(event.values[0]))
        for _, context, event in outcome.records
        if event.tracepoint.name == "ipi_entry" and context.cpu
    ]
    assert came == [(2, "Function call interrupts"), (3, "Rescheduling interrupts")]
    assert (("IPI", 2) in entries(outcome)) == (release != "4.19")
    assert all(not any(mailboxes) for mailboxes in _mailboxes(outcome.sim))


def _mailboxes(sim: Simulation) -> list[list[int]]:
    hw = getattr(sim.machine.board, "hw")  # noqa: B009
    boxes: list[list[int]] = hw.local.mailboxes
    return boxes


def test_several_ipis_at_once_are_answered_one_by_one() -> None:
    """The lowest bit first, each in an exception of its own."""
    task = (
        '[[task]]\nname = "t"\ncpu = 0\nrun = ["run 1ms", "local_irq_disable", '
        '"irq_work_queue 2us", "smp_send_reschedule 0", "run 5us", "local_irq_enable", "run 1ms"]\n'
    )
    outcome = simulate(machine(task))
    came = [
        (time_ns, str(event.values[0]))
        for time_ns, _, event in outcome.records
        if event.tracepoint.name == "ipi_entry" and time_ns > 1_000_000
    ]
    assert [name for _, name in came] == ["Rescheduling interrupts", "IRQ work interrupts"]
    cost = outcome.sim.machine.kernel.cost
    assert came[1][0] - came[0][0] >= cost.irq_exit + cost.irq_entry


@pytest.mark.parametrize(("release", "errno"), [("4.19", "Input/output"), ("6.12", "Operation")])
def test_no_line_can_be_moved(release: str, errno: str) -> None:
    """No irq_set_affinity(): a write is refused, and there is no effective affinity."""
    sim = build(read_text(machine(device("a", "bank = [2, 25]"), release=release)), lambda r: None)
    number = str(sim.machine.line_of("a").irq)
    with pytest.raises(FileError, match=errno):
        sim.files.write(f"/proc/irq/{number}/smp_affinity", "2\n")
    assert sim.files.read(f"/proc/irq/{number}/smp_affinity") == "f\n"
    assert sim.files.read(f"/proc/irq/{number}/effective_affinity") == "0\n"


def test_no_cpu_can_be_unplugged() -> None:
    """There is no file to do it with, and sysfs lets nobody make one."""
    sim = build(read_text(machine()), lambda records: None)
    with pytest.raises(FileError, match="Permission denied"):
        sim.files.write("/sys/devices/system/cpu/cpu1/online", "0\n")
    with pytest.raises(FileError, match="No such file"):
        sim.files.read("/sys/devices/system/cpu/cpu1/online")


def test_a_thread_of_a_line_may_run_anywhere() -> None:
    """The line has no effective affinity that its thread would follow: it is woken where there
    is nobody else."""
    text = machine(
        '[[device]]\nname = "mmc1"\nbank = [2, 30]\nflags = ["IRQF_ONESHOT"]\n'
        'arrivals = ["2ms"]\nthread = ["run 20us"]\n',
        '[[task]]\nname = "busy"\ncpu = 0\npolicy = "fifo"\npriority = 90\nrun = ["run 4ms"]\n',
    ).replace('["irq", "ipi"]', '["sched_switch"]')
    outcome = simulate(text)
    ran = [
        context.cpu
        for _, context, event in outcome.records
        if str(event.values[4]).startswith("irq/")
    ]
    assert ran
    assert 0 not in ran


def test_a_line_is_masked_while_its_handlers_run() -> None:
    """handle_level_irq(): a device that is not quieted before its handler ends asks again only
    then."""
    line = 'bank = [1, 3]\nack = "end"'
    outcome = simulate(machine(device("timer", line, "1ms", "1001us")))
    times = [
        (time_ns // 1000, event.tracepoint is IRQ_HANDLER_EXIT)
        for time_ns, _, event in outcome.records
        if event.tracepoint in (IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT)
    ]
    assert [is_exit for _, is_exit in times][:2] == [False, True]
    assert outcome.sim.machine.line_of("timer").tot_count == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("spi = 1", "bcm2836 has no such line; use 'bank'"),
        ('bank = [1, 2]\ntrigger = "edge"', "an edge is lost there"),
        ("bank = [1, 2]\naffinity = [1]", "is not moved; leave 'affinity' out"),
        ("bank = [1, 32]", "expected a bit of bank 1 (0 to 31), got 32"),
        ("local = 8", "expected a source of the local controller"),
        ("local = 3", "request_irq() returns -EBUSY: 'arch_timer' has the line"),
    ],
)
def test_what_such_a_machine_has_not_is_refused(line: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(message)):
        read_text(machine(f'[[device]]\nname = "a"\n{line}\n'))
