"""The irq_chip of GPIO controllers, chained behind a line or nested in a device's thread.

A chained controller takes over the flow handler of its parent's line: that line has no action,
and the log none of it.  The lines behind it are handle_edge_irq()'s or handle_level_irq()'s by
their type, or all of them handle_simple_irq()'s where their driver has nothing to mask or to
acknowledge.  An expander on a slow bus can be read only where one may sleep: in the thread of
its own line, which then runs its lines' thread functions one after the other.

Source: drivers/gpio/gpio-pl061.c: pl061_irq_handler, pl061_irq_type; gpio-pca953x.c:
pca953x_irq_handler; include/linux/irqchip/chained_irq.h.
Differs: an expander's lines are masked at once, and not at the end of a transfer on its bus.
"""

from __future__ import annotations

from collections.abc import Sequence

from irqsim.hw.gpio import Gpio
from irqsim.kernel.irq.handle import (
    handle_edge_irq,
    handle_level_irq,
    handle_nested_irq,
    handle_simple_irq,
)
from irqsim.kernel.irq.irqdesc import IrqDesc
from irqsim.kernel.irq.irqdomain import IrqDomain
from irqsim.kernel.state import Cpu, Kernel, Path, Task


class GpioChip:
    """One controller as Linux drives it, and its irq_domain."""

    __slots__ = ("_gpio", "_is_nested", "_is_simple", "domain", "found", "has_eoi",
                 "has_set_affinity", "has_set_type", "name", "prints_itself")  # fmt: skip

    def __init__(
        self, k: Kernel, gpio: Gpio, label: str, reserved: tuple[int, ...], is_simple: bool,
        is_nested: bool,
    ) -> None:  # fmt: skip
        self._gpio: Gpio = gpio
        self._is_simple: bool = is_simple
        self._is_nested: bool = is_nested
        self.name: str = label
        self.prints_itself: bool = k.release.gpio_chips_print_themselves
        self.has_eoi: bool = False
        self.has_set_affinity: bool = False
        self.has_set_type: bool = True
        self.domain: IrqDomain = IrqDomain(k.arch, len(k.cpus), reserved, is_linear=True)
        # An expander's: the lines that were pending when it was read, for its thread to serve.
        self.found: int = 0

    def line(self, k: Kernel, offset: int, irq: int | None) -> IrqDesc:
        """The descriptor of a line."""
        desc = self.domain.create_mapping(k, offset, self, handle_simple_irq, False, irq)
        desc.is_nested = self._is_nested
        return desc

    # What a flow handler asks.

    def irq_ack(self, cpu: Cpu, desc: IrqDesc) -> None:
        """Clear the latch of an edge."""
        self._gpio.clear(1 << desc.hwirq)

    def irq_mask(self, desc: IrqDesc) -> None:
        """Mask the line."""
        self._gpio.set_enabled(desc.hwirq, False)

    def irq_unmask(self, desc: IrqDesc) -> None:
        """Unmask the line."""
        self._gpio.set_enabled(desc.hwirq, True)

    def irq_eoi(self, cpu: Cpu, desc: IrqDesc) -> None:
        """There is none."""

    def irq_select_cpu(self, desc: IrqDesc, online: Sequence[int]) -> int:
        """The first."""
        return online[0]

    def irq_set_affinity(self, desc: IrqDesc, cpu: int) -> None:
        """There is none: all lines go where their parent goes."""

    def irq_retrigger(self, desc: IrqDesc) -> bool:
        """There is none."""
        return False

    def irq_set_type(self, desc: IrqDesc, is_level: bool) -> None:
        """Set the type of a line, and with it the line's flow."""
        self._gpio.set_level(desc.hwirq, is_level)
        if not self._is_simple and not self._is_nested:
            desc.handle_irq = handle_level_irq if is_level else handle_edge_irq

    # The handlers of the parent's line.

    def handle_chained(self, k: Kernel, cpu: Cpu, desc: IrqDesc) -> Path:
        """The flow handler of the parent's line: serve what is pending, lowest line first.

        Source: pl061_irq_handler; chained_irq_enter, chained_irq_exit.
        """
        parent = desc.chip
        if not parent.has_eoi:
            parent.irq_mask(desc)
            parent.irq_ack(cpu, desc)
        pending = self._gpio.pending()
        if self._is_simple:
            # Reading the status clears it.
            self._gpio.clear(pending)
        for offset in _bits(pending):
            child = self.domain.descs[offset]
            yield from child.handle_irq(k, cpu, child)
        if parent.has_eoi:
            parent.irq_eoi(cpu, desc)
        else:
            parent.irq_unmask(desc)

    def read_status(self) -> None:
        """Read an expander: what is pending is found, and its output goes low, or stays high for
        a level that does."""
        pending = self._gpio.pending()
        self._gpio.clear(pending)
        self.found |= pending

    def handle_nested(self, k: Kernel, task: Task) -> Path:
        """What an expander's thread does with what it has found, lowest line first."""
        found, self.found = self.found, 0
        for offset in _bits(found):
            yield from handle_nested_irq(k, task, self.domain.descs[offset])


def _bits(word: int) -> list[int]:
    return [bit for bit in range(word.bit_length()) if word >> bit & 1]
