"""/proc/interrupts of simulated machines beside that of real ones with the same devices.

The rows are compared byte for byte, but for the counts, and for the interrupts' numbers where
the scenario does not describe all that has one.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from irqsim.scenario.reader import read_text
from irqsim.simulation import build

DEVICES = """\
[[gpio]]
name = "pl061"
spi = 7
label = "9030000.pl061"
[[device]]
name = "uart-pl011"
spi = 1
[[device]]
name = "rtc-pl031"
spi = 2
[[device]]
name = "virtio1"
spi = 46
trigger = "edge"
[[device]]
name = "virtio2"
spi = 47
trigger = "edge"
[[device]]
name = "virtio0"
spi = 45
trigger = "edge"
[[device]]
name = "GPIO Key Poweroff"
gpio = ["pl061", 3]
trigger = "edge"
"""
PMU = """\
[[device]]
name = "arm-pmu"
ppi = 7
"""
PI = """\
[[device]]
name = "3f00b880.mailbox"
bank = [0, 1]
[[device]]
name = "timer"
bank = [1, 3]
[[device]]
name = "uart-pl011"
bank = [2, 25]
[[device]]
name = "arm-pmu"
local = 9
"""
VIRT = [
    ("arm64-gicv2-4cpu-static", "arm64", "gic-v2", DEVICES + PMU),
    ("arm64-gicv3-4cpu-static", "arm64", "gic-v3", DEVICES + PMU),
    ("armhf-gicv2-4cpu-static", "arm", "gic-v2", DEVICES),
]


def interrupts(arch: str, irqchip: str, devices: str, release: str = "6.1") -> list[str]:
    """The file of a machine that has not run."""
    text = f'[machine]\narch = "{arch}"\nirqchip = "{irqchip}"\n'
    text += f'[kernel]\nrelease = "{release}"\n{devices}'
    return build(read_text(text), lambda records: None).files.read("/proc/interrupts").splitlines()


def described(lines: list[str], has_numbers: bool = True) -> list[str]:
    """Rows with blanks for the counts, and on request an N for the number."""
    rows = []
    for line in lines:
        label, colon, rest = line.partition(":")
        counts = re.match(r"(?: *\d+ ){4}| +\d+$", rest)
        if counts is not None:
            width = counts.end()
            rest = f"{'':>{width}}{rest[width:]}"
        if not has_numbers and label.strip().isdigit():
            label = f"{'N':>{len(label)}}"
        rows.append(f"{label}{colon}{rest}")
    return rows


def without_msi(lines: list[str]) -> list[str]:
    """Rows of devices on a PCI bus left out."""
    return [line for line in lines if "MSI" not in line]


@pytest.mark.parametrize(("capture", "arch", "irqchip", "devices"), VIRT)
def test_a_virt_machine_has_the_rows_of_a_real_one(
    reference: Path, capture: str, arch: str, irqchip: str, devices: str
) -> None:
    """arm64 with both GICs, and ARMv7, of 6.1."""
    path = reference / "captures" / capture / "proc_interrupts"
    real = without_msi(path.read_text(encoding="utf-8").splitlines())
    ours = described(interrupts(arch, irqchip, devices), has_numbers=False)
    assert sorted(ours) == sorted(described(real, has_numbers=False))
    # Header, and what follows the numbered rows, in their order.
    assert ours[0] == real[0]
    nr_ipis = sum(line.startswith("IPI") for line in real)
    assert ours[-nr_ipis - 1 :] == described(real)[-nr_ipis - 1 :]


def test_a_raspberry_pi_has_the_rows_of_a_real_one(reference: Path) -> None:
    """A Raspberry Pi 2 with 6.1: the numbers, too."""
    text = (reference / "console" / "out-rpi2.txt").read_text(encoding="utf-8")
    real = text.partition("@@@@ interrupts\n")[2].partition("@@@@")[0].splitlines()
    ours = interrupts("arm", "bcm2836", PI)
    assert described(ours) == described(real)


def test_a_raspberry_pi_3_has_the_rows_of_the_vendors_kernel() -> None:
    """4.19: the numbers that logs of it have, and the secure timer's row.

    Source: drivers/irqchip/irq-bcm2835.c of the vendor's tree, which maps ARMCTRL twice.
    """
    devices = ""
    for name, bank in (("dwc_otg", [2, 0]), ("mmc1", [2, 30]), ("3f00b880.mailbox", [0, 1])):
        devices += f'[[device]]\nname = "{name}"\nbank = {bank}\n'
    rows = interrupts("arm", "bcm2836", devices, "4.19")[1:6]
    assert [row[:4] + row[49:] for row in rows] == [
        " 17: ARMCTRL-level   1 Edge      3f00b880.mailbox",
        " 56: ARMCTRL-level  64 Edge      dwc_otg",
        " 86: ARMCTRL-level  94 Edge      mmc1",
        "161: bcm2836-timer   0 Edge      arch_timer",
        "162: bcm2836-timer   1 Edge      arch_timer",
    ]


def test_a_gpio_controller_of_4_19_has_a_blank_before_its_name() -> None:
    """It has no irq_print_chip() there, and its name is longer than the column."""
    rows = interrupts("arm64", "gic-v3", DEVICES, "4.19")
    row = next(row for row in rows if "Poweroff" in row)
    assert row.endswith("  9030000.pl061   3 Edge      GPIO Key Poweroff")
