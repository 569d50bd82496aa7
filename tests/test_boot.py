"""The laws of a machine that has booted: numbers, names, threads, controllers."""

from __future__ import annotations

import pytest

from irqsim.events import TASK_INTERRUPTIBLE
from irqsim.machine import Machine
from irqsim.scenario.reader import read_text
from tests.kernel_scenarios import device, lasting, run, table, task


def _boot(*overrides: str, text: str = "") -> Machine:
    """A machine that has not run."""
    return Machine(read_text(text or lasting("1ms"), "scenario.toml", overrides), lambda _: None)


@pytest.mark.parametrize(
    ("arch", "irqchip", "timer", "first"),
    [("arm64", "gic-v3", 11, 13), ("arm64", "gic-v2", 11, 13), ("arm", "gic-v2", 26, 28)],
)
def test_numbers_are_given_in_the_order_of_mapping(
    arch: str, irqchip: str, timer: int, first: int
) -> None:
    """Eight SGIs, the timer's four PPIs, then devices; from 1 on arm64, from 16 on arm.

    Source: irq_domain_alloc_descs(); NR_IRQS_LEGACY.
    """
    text = table("machine", arch=arch, irqchip=irqchip) + device("uart", ["1ms"], [])
    outcome = run(text + device("rtc", ["1ms"], [], spi=2))
    kernel = outcome.simulation.kernel
    assert kernel.domain.descs[27].irq == timer
    assert outcome.of("irq_handler_entry")[0].text == f"irq={first} name=uart"
    assert outcome.simulation.machine.line_of("rtc").irq == first + 1


def test_4_19_has_no_numbers_for_ipis() -> None:
    """The timer's PPIs come first.  Source: handle_IPI() has no irq_desc."""
    machine = _boot("kernel.release=4.19")
    assert machine.kernel.domain.descs[27].irq == 3


def test_a_number_of_the_scenario_is_kept_free() -> None:
    """`irq` is that line's, whatever comes before it."""
    text = device("a", [], []) + device("b", [], [], spi=2, irq=14) + device("c", [], [], spi=3)
    machine = _boot(text=text)
    assert [machine.line_of(name).irq for name in "abc"] == [13, 14, 15]


def test_devices_of_one_line_share_its_number() -> None:
    """Source: irq_create_fwspec_mapping(): the mapping is there already."""
    flags = ["IRQF_SHARED"]
    machine = _boot(text=device("a", [], [], flags=flags) + device("b", [], [], flags=flags))
    assert machine.line_of("a") is machine.line_of("b")


@pytest.mark.parametrize(
    ("release", "ksoftirqd", "migration", "cpuhp"),
    [
        ("6.1", [13, 20, 25, 30], [15, 19, 24, 29], [17, 18, 23, 28]),
        ("6.12", [16, 24, 29, 34], [20, 23, 28, 33], [21, 22, 27, 32]),
    ],
)
def test_kernel_threads_have_the_pids_of_a_real_machine(
    release: str, ksoftirqd: list[int], migration: list[int], cpuhp: list[int]
) -> None:
    """As `ps` says on machines with four CPUs."""
    text = f'[kernel]\nrelease = "{release}"\n'
    pids = {each.comm: each.pid for each in _boot(text=text).kernel.tasks}
    assert [pids[f"ksoftirqd/{cpu}"] for cpu in range(4)] == ksoftirqd
    assert [pids[f"migration/{cpu}"] for cpu in range(4)] == migration
    assert [pids[f"cpuhp/{cpu}"] for cpu in range(4)] == cpuhp


def test_pids_are_unique_and_free_ones_are_given() -> None:
    """Also beside those of the scenario."""
    machine = _boot(text=task("a", ["run 1us"], pid=101) + task("b", ["run 1us"]))
    pids = [each.pid for each in machine.kernel.tasks]
    assert len(pids) == len(set(pids))
    assert machine.task("a").pid == 101


def test_all_cpus_idle_when_a_run_begins() -> None:
    """Their own threads asleep, nothing pending, ticks stopped."""
    kernel = _boot().kernel
    for cpu in kernel.cpus:
        assert cpu.current is cpu.idle
        assert (cpu.idle.comm, cpu.idle.pid, cpu.idle.prio) == (f"swapper/{cpu.number}", 0, 120)
        assert cpu.ksoftirqd.state == TASK_INTERRUPTIBLE
        assert cpu.softirq_pending == 0
        assert cpu.tick.is_stopped


def test_the_timer_is_enabled_on_every_cpu() -> None:
    """PPI 27, a level, with one action.  Source: arch_timer_starting_cpu()."""
    outcome = run("".join(task(name, ["run 5ms"], cpu=cpu) for cpu, name in enumerate("abcd")))
    entries = [line for line in outcome.irqs("arch_timer") if line.event == "irq_handler_entry"]
    assert [line.cpu for line in entries] == [0, 1, 2, 3]


@pytest.mark.parametrize("irqchip", ["gic-v2", "gic-v3"])
def test_the_controller_is_set_up_as_linux_does(irqchip: str) -> None:
    """Priority 0xa0 everywhere, mask 0xf0.  Source: gic_dist_config(), gic_cpu_config()."""
    machine = _boot(f"machine.irqchip={irqchip}", text=device("d", [], []))
    gic = machine.gic
    for pe in range(4):
        assert gic.pmr(pe) == 0xF0
        assert {gic.priority(intid, pe) for intid in range(32)} == {0xA0}
    assert gic.priority(33) == 0xA0
    assert gic.is_enabled(33)
    assert not gic.is_enabled(34)


def test_lines_go_to_the_first_cpu_by_default() -> None:
    """Source: gic_set_affinity(); irq_default_affinity."""
    machine = _boot(text=device("d", [], []))
    assert machine.line_of("d").effective_cpu == 0


@pytest.mark.parametrize("cpus", [1, 2, 8])
def test_a_machine_has_as_many_cpus_as_asked_for(cpus: int) -> None:
    """Each with a ksoftirqd and a stopper of its own."""
    kernel = _boot(f"machine.cpus={cpus}").kernel
    assert len(kernel.cpus) == cpus
    comms = [each.comm for each in kernel.tasks]
    for name in ("ksoftirqd", "migration"):
        assert [comm for comm in comms if comm.startswith(name)] == [
            f"{name}/{cpu}" for cpu in range(cpus)
        ]


def test_two_machines_run_in_one_process() -> None:
    """There is no state but theirs: side by side, each does what it does alone."""
    text = device("d", ["1ms", "2ms"], ["run 1us..9us", "raise_softirq BLOCK"])
    alone: list[object] = []
    Machine(read_text(text), alone.extend).run()
    logs: tuple[list[object], list[object]] = ([], [])
    machines = [Machine(read_text(text), log.extend) for log in logs]
    for end_ns in (1_003_000, 1_500_000, 2_001_000, 10_000_000):
        for machine in machines:
            machine.run(end_ns)
    assert logs[0] == logs[1] == alone
