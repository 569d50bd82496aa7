"""Pseudo-NMIs: priority masking, and what an NMI does and does not.  Source: irq-gic-v3.c."""

from __future__ import annotations

import pytest

from irqsim.hw.priority_masking import PriorityMaskingGic
from irqsim.kernel.irq.settings import IRQF_NO_THREAD, IRQF_NOBALANCING, IRQF_PERCPU
from tests.kernel_scenarios import Outcome, Toml, device, kernel, lasting, run, table, task
from tests.scenarios import fault_of

RELEASES = ("5.10", "6.1", "6.6", "6.12")


def _nmi(arrivals: Toml, **keys: Toml) -> str:
    keys.setdefault("spi", 9)
    return device("nmi", arrivals, ["run 5us"], trigger="edge", nmi=True, **keys)


def _run(toml: str, release: str = "6.1", **keys: Toml) -> Outcome:
    head = lasting("10ms") + table("machine", cpus=1)
    return run(head + kernel(release=release, pseudo_nmi=True, **keys) + toml)


def _nmis(outcome: Outcome) -> list[tuple[int, str]]:
    return [
        (line.time_us, line.letters[:3]) for line in outcome.of("irq_handler_entry", gist="nmi")
    ]


@pytest.mark.parametrize("release", RELEASES)
def test_an_nmi_lands_where_interrupts_are_off(release: str) -> None:
    """In a handler, and in a task that has turned them off; a usual interrupt waits there."""
    outcome = _run(
        device("a", ["1ms", "3100us"], ["run 100us"])
        + _nmi(["1050us", "3150us"])
        + task("t", ["local_irq_disable", "run 300us", "local_irq_enable"], start="3ms"),
        release,
    )
    assert _nmis(outcome) == [(1051, "d.Z"), (3151, "d.Z")]
    second = outcome.of("irq_handler_entry", gist="a")[1]
    assert second.time_us > 3300


@pytest.mark.parametrize("release", RELEASES)
def test_no_nmi_lands_in_an_nmi(release: str) -> None:
    """Not even another one: PSTATE.I is set, and none has more priority."""
    outcome = _run(
        _nmi(["1ms"]) + device("b", ["1002us"], ["run 5us"], spi=2, trigger="edge", nmi=True),
        release,
    )
    names = [line.gist for line in outcome.of("irq_handler_entry", "irq_handler_exit")]
    assert names == ["nmi", "handled", "b", "handled"]


def test_softirqs_do_not_run_at_the_end_of_an_nmi_that_came_upon_interrupts_off() -> None:
    """TASKLET is pending when it comes.  Source: entry-common.c: __el1_pnmi."""
    outcome = _run(
        "[softirq]\nTASKLET = ['run 10us']\n"
        + _nmi(["1050us"])
        + task("t", ["local_irq_disable", "raise_softirq TASKLET", "run 100us", "local_irq_enable"],
               start="1ms")
    )  # fmt: skip
    (_, letters), = _nmis(outcome)
    assert letters[0] + letters[2] == "dZ"
    assert all(line.time_us > 1100 for line in outcome.of("softirq_entry", gist="TASKLET"))


def test_an_nmi_is_counted_by_cpu_and_takes_no_part_in_the_search_for_spurious_ones() -> None:
    """Source: kernel/irq/chip.c: handle_fasteoi_nmi: __kstat_incr_irqs_this_cpu."""
    outcome = _run(device("n", ["1ms", "2ms"], ["return IRQ_NONE"], trigger="edge", nmi=True))
    desc = next(
        each for each in outcome.simulation.kernel.irq_desc.values() if each.is_nmi
    )
    assert desc.kstat_irqs == [2]
    assert desc.tot_count == desc.irq_count == desc.irqs_unhandled == 0
    assert desc.actions[0].flags & (IRQF_PERCPU | IRQF_NO_THREAD | IRQF_NOBALANCING) == (
        IRQF_PERCPU | IRQF_NO_THREAD | IRQF_NOBALANCING
    )
    assert [line.text for line in outcome.of("irq_handler_exit")] == [
        f"irq={desc.irq} ret=unhandled"
    ] * 2


def test_a_ppi_can_be_an_nmi() -> None:
    outcome = run(
        lasting("5ms")
        + table("machine", cpus=2)
        + kernel(pseudo_nmi=True)
        + device("nmi", ["1ms"], ["run 1us"], ppi=7, trigger="edge", nmi=True)
    )
    lines = outcome.of("irq_handler_entry", gist="nmi")
    assert [(line.cpu, line.letters[2]) for line in lines] == [(0, "Z"), (1, "Z")]


def test_irq_work_is_what_an_nmi_leaves_to_a_hard_interrupt() -> None:
    """It comes when interrupts are on again."""
    toml = device("nmi", ["1050us"], ["irq_work_queue 3us"], trigger="edge", nmi=True)
    outcome = _run(
        toml + task("t", ["local_irq_disable", "run 200us", "local_irq_enable"], start="1ms")
    )
    (raised,) = [each for each in outcome.of("ipi_raise") if "Z" in each.letters]
    assert 1050 < raised.time_us < 1100
    entries = [
        line.time_us for line in outcome.lines
        if line.event == "ipi_entry" and "IRQ work" in line.text
    ]  # fmt: skip
    assert entries and entries[0] > 1200


def test_a_task_that_an_nmi_came_upon_goes_on_with_its_interrupts_as_they_were() -> None:
    outcome = _run(
        _nmi(["1050us"])
        + device("a", ["1100us"], ["run 1us"], spi=3)
        + task("t", ["local_irq_disable", "run 300us", "trace_printk still", "local_irq_enable"],
               start="1ms")
    )  # fmt: skip
    (line,) = [each for each in outcome.lines if "still" in each.text]
    assert line.letters[0] == "d"
    assert outcome.of("irq_handler_entry", gist="a")[0].time_us > line.time_us


@pytest.mark.parametrize(
    ("toml", "wanted"),
    [
        (kernel(release="4.19", pseudo_nmi=True), "Linux 4.19 has none"),
        (_nmi(["1ms"], flags=["IRQF_SHARED"]), "-EINVAL: an NMI cannot have IRQF_SHARED"),
        (_nmi(["1ms"], thread=["run 1us"]), "-EINVAL: an NMI has a handler and no thread"),
        (_nmi(["1ms"], priority=0x20), "priority: expected 0x60 to 0xdf, got 0x20"),
        (_nmi(["1ms"], probe=False), "requested at the start"),
        (device("n", ["1ms"], ["raise_softirq HI"], nmi=True), "'raise_softirq' in an NMI"),
        (_nmi(["1ms"]) + task("t", ["disable_irq nmi"]), "the line of 'nmi' is an NMI's"),
    ],
)
def test_what_an_nmi_cannot_be_is_refused(toml: str, wanted: str) -> None:
    """Source: kernel/irq/manage.c: request_nmi."""
    head = lasting("5ms") + ("" if "[kernel]" in toml else kernel(pseudo_nmi=True))
    assert wanted in fault_of(head + toml)


def test_the_second_mask_holds_back_all_but_the_most_urgent() -> None:
    """And what only it lets through is told as a change too."""
    gic = PriorityMaskingGic(3, 1, 32)
    gic.set_distributor_enabled(True)
    gic.set_group_enabled(0, True)
    gic.set_pmr(0, 0xE0)
    gic.set_masked_pmr(0, 0x60)
    for intid, priority in ((40, 0xA0), (41, 0x20)):
        gic.set_group(intid, 1)
        gic.set_priority(intid, priority)
        gic.set_edge(intid, True)
        gic.set_enabled(intid, True)
    gic.pulse(40)
    assert (gic.irq, gic.nmi, gic.changed) == ([True], [False], [0])
    gic.changed.clear()
    gic.pulse(41)
    assert (gic.irq, gic.nmi, gic.changed) == ([True], [True], [0])
    assert gic.acknowledge(0) == 41
    assert (gic.irq, gic.nmi) == ([False], [False])
    gic.end_of_interrupt(0, 41)
    assert (gic.irq, gic.nmi) == ([True], [False])
