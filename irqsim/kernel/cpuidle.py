"""Waiting for an interrupt, as the event cpu_idle tells it: on a machine without idle states.

Source: kernel/sched/idle.c: default_idle_call; arch/arm64/kernel/idle.c: arch_cpu_idle.
"""

from __future__ import annotations

from typing import Final

from irqsim.events import CPU_IDLE
from irqsim.kernel.state import Cpu, Kernel
from irqsim.kernel.trace import trace

WFI: Final = 1
PWR_EVENT_EXIT: Final = 0xFFFFFFFF


def enter_idle(k: Kernel, cpu: Cpu) -> None:
    """This CPU is about to wait."""
    cpu.is_idling = True
    if k.trace_enabled[CPU_IDLE.id]:
        cpu.irqs_disabled = True
        trace(k, cpu, k.events.intern(CPU_IDLE, WFI, cpu.number))
        cpu.irqs_disabled = False


def leave_idle(k: Kernel, cpu: Cpu) -> None:
    """It goes on: before it takes the interrupt where it waits with interrupts off, afterwards
    in older releases.
    """
    if cpu.is_idling:
        cpu.is_idling = False
        if k.trace_enabled[CPU_IDLE.id]:
            trace(k, cpu, k.events.intern(CPU_IDLE, PWR_EVENT_EXIT, cpu.number))
