"""Exceptions in the log: where each one comes from, what it saves, and on which stack it is.

With the option `exceptions` every IRQ has two more lines, when it is taken and when it is
over.  What the processor does in between the instruction that was interrupted and the first of
the kernel, a line of a handler cannot tell.

Addresses are told by their class, since the simulation has no code at addresses; so are
stacks: a task's own, or the one that each CPU has for interrupts.

Source: arch/arm/kernel/entry-armv.S: vector_stub, __irq_svc, __irq_usr; arch/arm64/kernel/
entry.S: kernel_ventry, kernel_entry, call_on_irq_stack; entry-common.c: el1_interrupt,
el0_interrupt; kernel/softirq.c: invoke_softirq, do_softirq.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from irqsim.events import PRINT
from irqsim.kernel.preempt import HARDIRQ_MASK, HARDIRQ_OFFSET, SOFTIRQ_OFFSET
from irqsim.kernel.state import Cpu, Kernel, Path
from irqsim.kernel.trace import trace

SYMBOL: Final = "irqsim"
"""The function that the lines name: none of the kernel's."""

ARM_PT_REGS: Final = 72
"""r0 to r15, the status, and r0 as it was on entry."""
ARM_SVC_FRAME: Final = 80
"""The same, with what a kernel that was interrupted has of domains and address limits."""

_TASK: Final = "task"
_IRQ: Final = "irq"

Interrupt = Callable[[Kernel, Cpu], Path]


class IrqException(Protocol):
    """What the processor does by itself; see hw/exception.py."""

    @property
    def vector(self) -> str: ...
    @property
    def mode_from(self) -> str: ...
    @property
    def mode_to(self) -> str: ...
    @property
    def masks(self) -> str: ...
    @property
    def link(self) -> str: ...
    @property
    def saved_status(self) -> str: ...


TakeIrq = Callable[[bool], IrqException]
"""The processor: called with whether user code was interrupted."""


def logging_exceptions(interrupt: Interrupt) -> Interrupt:
    """The path of an interrupt, with a line at its beginning and one at its end."""

    def path(k: Kernel, cpu: Cpu) -> Path:
        task = cpu.current
        from_user = task.in_user and len(cpu.frames) == 2
        frame = _stack_of(k, cpu)
        _say(k, cpu, _entry(k, cpu, from_user, frame))
        place = _return_class(cpu, from_user)
        yield from interrupt(k, cpu)
        # It may have given way meanwhile, and be elsewhere; the last steps are with interrupts off.
        cpu = k.cpus[task.cpu]
        saved, cpu.irqs_disabled = cpu.irqs_disabled, True
        _say(k, cpu, _return(k, from_user, place, frame))
        cpu.irqs_disabled = saved

    return path


def _say(k: Kernel, cpu: Cpu, text: str) -> None:
    trace(k, cpu, k.events.intern(PRINT, SYMBOL, text))


def _entry(k: Kernel, cpu: Cpu, from_user: bool, frame: str) -> str:
    taken = k.take_irq(from_user)
    if k.arch == "arm64":
        names = ("el0t_64_irq", "el1h_64_irq")
        if not k.release.arm64_names_levels:
            names = ("el0_irq", "el1_irq")
        code = f"code={names[0] if from_user else names[1]}"
    else:
        # The stub leaves IRQ mode at once; what it branches to is in SVC mode.
        code = f"code=vector_irq,{'__irq_usr' if from_user else '__irq_svc'}"
    runs_on_irq_stack = k.arch == "arm64" or k.release.has_own_stacks
    stack = _IRQ if runs_on_irq_stack else frame
    words = [
        f"exception_entry vector={taken.vector} from={taken.mode_from} to={taken.mode_to}",
        f"masks={taken.masks} return={_return_class(cpu, from_user)} link={taken.link}",
        f"spsr={taken.saved_status} {code} saved={_saved(k, from_user)} frame={frame}",
        f"stack={stack}",
    ]
    chip = k.nmi_chip
    if chip is not None:
        # Who waits for an interrupt does so with interrupts off: an NMI comes before they are on.
        waits = cpu.is_idling and len(cpu.frames) == 2
        off = cpu.frame.irqs_disabled or (waits and chip.has_nmi(cpu))
        words.append(f"pmr={chip.pmr_off if off else chip.pmr_on:#x}")
    return " ".join(words)


def _return(k: Kernel, from_user: bool, place: str, frame: str) -> str:
    # ARMv7 returns from SVC mode, in which the code of the interrupt was.
    here, there = "SVC", k.take_irq(from_user).mode_from
    insn = "movs" if from_user else "ldm"
    if k.arch == "arm64":
        here, insn = "EL1h", "eret"
    return (
        f"exception_return insn={insn} from={here} to={there} return={place} "
        f"restored={_saved(k, from_user)} frame={frame}"
    )


def _saved(k: Kernel, from_user: bool) -> int:
    """How many bytes of registers are saved."""
    if k.arch == "arm64":
        return k.release.arm64_pt_regs
    return ARM_PT_REGS if from_user else ARM_SVC_FRAME


def _return_class(cpu: Cpu, from_user: bool) -> str:
    """What kind of code was interrupted, and will go on."""
    if from_user:
        return "user_text"
    if cpu.is_idling and len(cpu.frames) == 2 and not cpu.preempt_count & ~0xFF:
        return "idle_loop"
    return "kernel_text"


def _stack_of(k: Kernel, cpu: Cpu) -> str:
    """The stack that the interrupted code is on: there its registers are saved.

    Of user code that is the task's, empty; a hard interrupt is on the CPU's own, and softirqs
    are if it has called them, or if they have a stack wherever they are called.
    """
    below = cpu.frames[-2]
    has_irq_stack = k.arch == "arm64" or k.release.has_own_stacks
    if below.is_irq and cpu.preempt_count & HARDIRQ_MASK >= HARDIRQ_OFFSET:
        return _IRQ if has_irq_stack else _TASK
    if not cpu.preempt_count & SOFTIRQ_OFFSET or k.preempt_rt:
        return _TASK
    if cpu.current is cpu.ksoftirqd and not below.is_irq:
        return _TASK
    if k.release.has_own_stacks:
        return _IRQ
    return _IRQ if below.is_irq and has_irq_stack else _TASK
