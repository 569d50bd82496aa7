"""MSIs as Linux has them: rows, places, flow."""

from __future__ import annotations

import pytest

from tests.simulations import Outcome, at, simulate


def device(name: str, lpi: int, rest: str = "") -> str:
    return f'[[device]]\nname = "{name}"\nlpi = {lpi}\n{rest}\n'


def kernel(release: str) -> str:
    return f'[run]\nduration = "9ms"\n[kernel]\nrelease = "{release}"\nrcu = false\n'


def rows(outcome: Outcome) -> list[str]:
    """What stands behind the counts of the MSIs."""
    lines = outcome.sim.read_file("/proc/interrupts").splitlines()
    return [line[49:] for line in lines if "ITS-" in line]


def served(outcome: Outcome) -> list[tuple[int, int, str]]:
    """When, on which CPU and for whom a handler ran, in us."""
    return [
        (time_ns // 1000, who.cpu, str(what["name"]))
        for time_ns, who, what in outcome.records
        if what.tracepoint.name == "irq_handler_entry" and what["name"] not in ("arch_timer", "IPI")
    ]


QUEUES = device("virtio3-config", 16384) + device("virtio3-req.0", 16385)


@pytest.mark.parametrize("release", ["4.19", "5.10", "6.1", "6.6"])
def test_msis_are_numbered_by_device_and_index(release: str) -> None:
    """Source: a 6.1 kernel's /proc/interrupts; device 00:01.0 is 8, and 8 << 11 is 16384."""
    assert rows(simulate(kernel(release) + QUEUES)) == [
        "  ITS-MSI 16384 Edge      virtio3-config",
        "  ITS-MSI 16385 Edge      virtio3-req.0",
    ]


def test_each_device_has_a_domain_of_its_own_later() -> None:
    """Source: a 6.12 kernel's /proc/interrupts."""
    outcome = simulate(kernel("6.12") + QUEUES + device("virtio4-input.0", 32769))
    assert rows(outcome) == [
        " ITS-PCI-MSIX-0000:00:01.0   0 Edge      virtio3-config",
        " ITS-PCI-MSIX-0000:00:01.0   1 Edge      virtio3-req.0",
        " ITS-PCI-MSIX-0000:00:02.0   1 Edge      virtio4-input.0",
    ]
    assert outcome.sim.read_file("/sys/kernel/irq/virtio3-req.0/hwirq") == "1\n"


@pytest.mark.parametrize(("release", "cpus"), [("4.19", "000000"), ("6.1", "012301")])
def test_lpis_go_to_the_cpu_that_has_the_fewest(release: str, cpus: str) -> None:
    """Since 5.8; and as a 6.1 kernel's captures show, in the order in which they come."""
    names = ["virtio3-config", "virtio4-config", "virtio4-input.0", "virtio4-output.0",
             "virtio5-config", "virtio5-input.0"]  # fmt: skip
    text = "".join(device(name, 16384 + index) for index, name in enumerate(names))
    outcome = simulate(kernel(release) + text)
    paths = [f"/proc/irq/{name}/effective_affinity_list" for name in names]
    assert [outcome.sim.read_file(path).strip() for path in paths] == list(cpus)


def test_an_lpi_follows_its_affinity() -> None:
    """MOVI: from then on it goes to the other CPU."""
    text = device("q", 16384, 'affinity = [1]\narrivals = ["1ms", "3ms"]\nhandler = ["run 4us"]')
    outcome = simulate(kernel("6.1") + text + at("2ms", "echo 8 > /proc/irq/q/smp_affinity"))
    assert served(outcome) == [(1001, 1, "q"), (3001, 3, "q")]


def test_an_lpi_leaves_a_cpu_that_goes() -> None:
    text = device("q", 16384, 'affinity = [1, 2]\narrivals = ["1ms", "8ms"]')
    off = at("2ms", "echo 0 > /sys/devices/system/cpu/cpu1/online")
    assert [cpu for _, cpu, _ in served(simulate(kernel("6.1") + text + off))] == [1, 2]


BUSY = 'affinity = [0]\narrivals = ["1ms", "1020us"]\nhandler = ["run 50us"]'


@pytest.mark.parametrize(("release", "expected"), [("6.1", [0]), ("6.6", [0, 1])])
def test_an_lpi_that_comes_elsewhere_while_its_handler_runs(
    release: str, expected: list[int]
) -> None:
    """An LPI has no active state, so that another CPU takes it.  There it finds its handler
    running: until 6.4 it was lost, since then it is sent once more.

    Source: kernel/irq/chip.c: handle_fasteoi_irq; "genirq: Allow fasteoi handler to resend
    interrupts on concurrent handling".
    """
    moved = at("1010us", "echo 2 > /proc/irq/q/smp_affinity")
    outcome = simulate(kernel(release) + device("q", 16384, BUSY) + moved)
    assert [cpu for _, cpu, _ in served(outcome)] == expected


def test_an_lpi_that_comes_while_it_is_disabled_comes_when_it_is_enabled() -> None:
    """Masked by its configuration byte, it stays pending; the kernel sends it once more."""
    steps = '["disable_irq q", "run 3ms", "enable_irq q"]'
    task = f'[[task]]\nname = "t"\nmode = "kernel"\nrun = {steps}\n'
    outcome = simulate(kernel("6.1") + device("q", 16384, 'arrivals = ["1ms"]') + task)
    assert [time_us // 100 for time_us, _, _ in served(outcome)] == [30]


def test_a_thread_without_a_handler_needs_no_oneshot_flag() -> None:
    """IRQCHIP_ONESHOT_SAFE.  Source: kernel/irq/manage.c: __setup_irq."""
    text = device("q", 16384, 'arrivals = ["1ms"]\nthread = ["run 3us"]')
    outcome = simulate(kernel("6.1") + text)
    assert served(outcome) == [(1001, 0, "q")]
    assert outcome.sim.machine.device("q").nr_services == 1


def test_equal_priorities_go_by_lpi_and_another_goes_first() -> None:
    """A device's vectors have LPIs in a row; SPIs of the same priority have lower INTIDs."""
    often = 'affinity = [0]\narrivals = ["1ms"]'
    text = device("b", 16385, often) + device("a", 16384, often)
    text += device("urgent", 32768, f"{often}\npriority = 0x80")
    text += f'[[device]]\nname = "spi"\nspi = 9\n{often}\n'
    names = [name for _, _, name in served(simulate(kernel("6.1") + text))]
    assert names == ["urgent", "spi", "a", "b"]
