"""`devmem`, as an operator types it: one access to a physical address.

Source: busybox, miscutils/devmem.c.
Differs: only the interrupt controller answers, at any kernel; a real one refuses its registers
through /dev/mem unless it was booted with iomem=relaxed (CONFIG_IO_STRICT_DEVMEM).
"""

from __future__ import annotations

from irqsim.hw.gic import Gic
from irqsim.hw.mmio import BusError, Mmio
from irqsim.scenario.spec import AtCommand

BUS_ERROR = "Bus error\n"
"""What a shell says of a program that SIGBUS ended."""


def devmem(gic: Gic, cpu: int, command: AtCommand) -> str:
    """Do what was typed on this CPU, and return what that printed."""
    mmio = Mmio(gic)
    width = command.width
    try:
        if command.value is None:
            return f"0x{mmio.read(cpu, command.address, width):0{width // 4}X}\n"
        mmio.write(cpu, command.address, command.value, width)
    except BusError:
        return BUS_ERROR
    return ""
