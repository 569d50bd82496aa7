"""The interrupt controllers that a machine may have, each a row: hardware, driver, lines.

A `Board` is the controller of one machine: its signals, its driver's start, and where a line of
a device leads.  GPIO controllers stand behind any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, Protocol

from irqsim.hw.bcm2836 import Bcm2836, input_of
from irqsim.hw.device import Device, Line, Wires
from irqsim.hw.gic import Gic
from irqsim.hw.gpio import Gpio
from irqsim.hw.priority_masking import PriorityMaskingGic
from irqsim.hw.timer import ArchTimer
from irqsim.kernel.irq import bcm2836
from irqsim.kernel.irq.bcm2836 import Bcm2836Chip
from irqsim.kernel.irq.chip import GICD_INT_DEF_PRI, GicChip
from irqsim.kernel.irq.gpio import GpioChip
from irqsim.kernel.irq.handle import handle_fasteoi_irq, handle_percpu_devid_irq
from irqsim.kernel.irq.irqdesc import IrqDesc
from irqsim.kernel.irq.irqdomain import VIRTUAL_TIMER, IrqDomain
from irqsim.kernel.irq.its import ItsDriver
from irqsim.kernel.irq.manage import irq_set_chained_handler
from irqsim.kernel.state import Kernel, Path, Task
from irqsim.scenario.spec import DeviceSpec, GpioSpec, ScenarioSpec

NR_SPIS: Final = 988
FIRST_SPI: Final = 32
FIRST_PPI: Final = 16


class Board(Protocol):
    """The root controller of a machine."""

    irq: list[bool]
    """The signal of each CPU."""
    nmi: list[bool]
    """By CPU: its signal comes through where interrupts are masked by priority."""
    changed: list[int]
    """The CPUs whose signal rose; whoever looks at them empties it."""

    def timer(self, k: Kernel, pe: int) -> ArchTimer:
        """A CPU's architected timer."""

    def probe(self, k: Kernel, spec: ScenarioSpec) -> None:
        """Start the driver: the kernel has its root chip and its root domain then."""

    def line(self, k: Kernel, spec: DeviceSpec | GpioSpec) -> tuple[IrqDesc, Wires]:
        """The descriptor of a line, mapped at its first use, and what it is a wire of."""


class GicBoard:
    """A GIC."""

    def __init__(self, version: int, spec: ScenarioSpec) -> None:
        machine = spec.machine
        self.gic: Gic
        self.nmi = [False] * machine.cpus
        if spec.kernel.pseudo_nmi:
            self.gic = PriorityMaskingGic(version, machine.cpus, NR_SPIS, machine.priority_bits)
            self.nmi = self.gic.nmi
        else:
            self.gic = Gic(version, machine.cpus, NR_SPIS, machine.priority_bits)
        self.irq, self.changed = self.gic.irq, self.gic.changed

    def timer(self, k: Kernel, pe: int) -> ArchTimer:
        """It raises the PPI of the virtual timer."""
        return ArchTimer(self.gic, VIRTUAL_TIMER, pe)

    def probe(self, k: Kernel, spec: ScenarioSpec) -> None:
        """The numbers that the scenario gives are nobody else's."""
        priorities = k.release.pseudo_nmi_priorities if spec.kernel.pseudo_nmi else None
        self._chip = k.gic = GicChip(self.gic, len(k.cpus), k.release.gicv3_loops, priorities)
        k.nmi_chip = self._chip if spec.kernel.pseudo_nmi else None
        k.domain = IrqDomain(k.arch, len(k.cpus), reserved_irqs(spec))
        if self.gic.version == 3:
            lpis = [device.lpi for device in spec.devices if device.lpi is not None]
            self._its = ItsDriver(self.gic, self._chip, lpis)

    def line(self, k: Kernel, spec: DeviceSpec | GpioSpec) -> tuple[IrqDesc, Wires]:
        """A PPI, an SPI, or an MSI of the ITS."""
        if isinstance(spec, DeviceSpec) and spec.lpi is not None:
            is_default = spec.priority == GICD_INT_DEF_PRI
            priority = self._chip.priority if is_default else spec.priority
            return self._its.line(k, spec.lpi, priority, spec.irq)
        ppi = spec.ppi if isinstance(spec, DeviceSpec) else None
        hwirq = FIRST_PPI + ppi if ppi is not None else FIRST_SPI + (spec.spi or 0)
        percpu = ppi is not None
        flow = handle_percpu_devid_irq if percpu else handle_fasteoi_irq
        irq = spec.irq if isinstance(spec, DeviceSpec) else None
        desc = k.domain.create_mapping(k, hwirq, self._chip, flow, percpu, irq)
        if isinstance(spec, DeviceSpec) and spec.priority != GICD_INT_DEF_PRI:
            self._chip.set_priority(desc, spec.priority)
        return desc, self.gic


class Bcm2836Board:
    """The two controllers of a Raspberry Pi."""

    def __init__(self, spec: ScenarioSpec) -> None:
        self.hw = Bcm2836(spec.machine.cpus)
        self.irq, self.changed = self.hw.irq, self.hw.changed
        self.nmi = [False] * spec.machine.cpus

    def timer(self, k: Kernel, pe: int) -> ArchTimer:
        """It is a source of the CPU's local controller."""
        is_physical = k.release.bcm2836_is_downstream
        source = bcm2836.PHYSICAL_TIMERS[1] if is_physical else bcm2836.VIRTUAL_TIMER
        return ArchTimer(self.hw.local, source, pe)

    def probe(self, k: Kernel, spec: ScenarioSpec) -> None:
        """All lines of ARMCTRL are mapped at once: also those to which the scenario gives
        numbers."""
        irqs = {
            input_of(*device.bank): device.irq
            for device in spec.devices
            if device.bank is not None and device.irq is not None
        }
        reserved = reserved_irqs(spec)
        self._chip = k.gic = Bcm2836Chip(k, self.hw, irqs, reserved)
        k.domain = IrqDomain(k.arch, len(k.cpus), reserved, is_linear=True)

    def line(self, k: Kernel, spec: DeviceSpec | GpioSpec) -> tuple[IrqDesc, Wires]:
        """A source of the local controllers, or a line of ARMCTRL."""
        if isinstance(spec, DeviceSpec) and spec.local is not None:
            return k.domain.descs[spec.local], self.hw.local
        assert spec.bank is not None
        return self._chip.armctrl_domain.descs[input_of(*spec.bank)], self.hw.armctrl


IRQCHIPS: Final[Mapping[str, Callable[[ScenarioSpec], Board]]] = {
    "gic-v2": partial(GicBoard, 2),
    "gic-v3": partial(GicBoard, 3),
    "bcm2836": Bcm2836Board,
}
"""By `machine.irqchip`."""


class GpioController:
    """A GPIO controller of a scenario: chained behind a line of the board, or an expander."""

    def __init__(self, k: Kernel, board: Board, spec: GpioSpec, reserved: tuple[int, ...]) -> None:
        self.spec = spec
        self.is_nested = spec.device is not None
        self._k = k
        self._device: Device | None = None
        self._input: tuple[Wires, int] | None = None
        self.hw = Gpio(spec.lines, self._output)
        label = spec.name if spec.label is None else spec.label
        is_simple = spec.flow == "simple"
        self.chip = GpioChip(k, self.hw, label, reserved, is_simple, self.is_nested)
        if not self.is_nested:
            desc, wires = board.line(k, spec)
            self._input = wires, desc.hwirq
            irq_set_chained_handler(k, desc, self.chip.handle_chained)

    def line(self, offset: int, irq: int | None) -> tuple[IrqDesc, Wires]:
        """The descriptor of a line, and what it is a wire of."""
        return self.chip.line(self._k, offset, irq), self.hw

    def attach(self, device: Device) -> None:
        """Have an expander's output be what this device wants."""
        self._device = device

    def read_status(self) -> None:
        """Read which lines are pending, as the device is quieted."""
        self.chip.read_status()

    def serve(self, k: Kernel, task: Task) -> Path:
        """Serve the lines that were read, in the device's thread; what is still pending then
        makes the device interrupt again."""
        yield from self.chip.handle_nested(k, task)
        if self._device is not None and self.hw.output and not self._device.wants[0]:
            self._device.arrive(k.now_ns)

    def _output(self, level: bool) -> None:
        if self._input is not None:
            wires, intid = self._input
            wires.set_line(intid, level)
        elif level and self._device is not None:
            self._device.arrive(self._k.now_ns)


def reserved_irqs(spec: ScenarioSpec) -> tuple[int, ...]:
    """The numbers that the scenario gives to lines of its own."""
    return tuple(device.irq for device in spec.devices if device.irq is not None)


def new_lines(
    wires: Wires, desc: IrqDesc, pes: Sequence[int], trigger: str
) -> list[Line]:
    """The wires of a line, one for each of these CPUs if it is a per-CPU one."""
    return [Line(wires, desc.hwirq, pe, trigger == "edge") for pe in (pes if desc.percpu else (0,))]
