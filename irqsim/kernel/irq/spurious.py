"""The search for interrupts that nobody handles, and for those who could.

A line whose interrupts go unhandled 99,901 times of 100,000, each within a tenth of a second
of the one before, is disabled.  From then on a timer looks at it ten times a second: where its
first action allows sharing, its handlers are called as if it had fired.  It stays disabled.

With the boot option `irqfixup` an interrupt that nobody handles is offered to the handlers of
all other shared lines as well (a misrouted one); `irqpoll` does so also after each interrupt of
a line whose first action has IRQF_IRQPOLL.

Source: kernel/irq/spurious.c: note_interrupt, __report_bad_irq, try_one_irq, misrouted_irq,
poll_spurious_irqs, irq_wait_for_poll.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final

from irqsim.kernel.irq.irqdesc import (
    IRQ_HANDLED,
    IRQ_NONE,
    IRQ_WAKE_THREAD,
    IRQS_PENDING,
    IRQS_POLL_INPROGRESS,
    IRQS_SPURIOUS_DISABLED,
    IrqDesc,
)
from irqsim.kernel.irq.settings import IRQF_IRQPOLL, IRQF_SHARED
from irqsim.kernel.printk import (
    KERN_EMERG,
    KERN_ERR,
    KERN_INFO,
    KERN_WARNING,
    dump_stack,
    printk,
    warn_once,
)
from irqsim.kernel.spin import spin_until
from irqsim.kernel.state import Cpu, HandlerPath, Kernel, Path
from irqsim.kernel.timer import TimerList, mod_timer

COUNT_MAX: Final = 100_000
UNHANDLED_MAX: Final = 99_900
SPURIOUS_DEFERRED: Final = 1 << 31
"""In threads_handled_last: the next interrupt is to judge this one."""


FIXUP: Final = 1
POLL: Final = 2
"""What the boot options `irqfixup` and `irqpoll` set."""
BAD_REPORTS_MAX: Final = 100
"""How often a bogus return value is reported."""

HandleEvent = Callable[[Kernel, Cpu, IrqDesc], HandlerPath]
"""handle_irq_event(): it calls this module, and this module calls it."""
FoundPath = Generator[int, None, bool]
"""Kernel code that takes time and says whether it found something."""


class Spurious:
    """The globals of kernel/irq/spurious.c."""

    __slots__ = ("irqfixup", "nr_bad_reports", "poll_active", "poll_cpu", "timer")

    irqfixup: int
    """0, FIXUP or POLL: fixed when the machine is built."""
    timer: TimerList
    """poll_spurious_irq_timer."""
    poll_active: int
    poll_cpu: int
    nr_bad_reports: int

    def __init__(self, irqfixup: int, timer: TimerList) -> None:
        self.irqfixup = irqfixup
        self.timer = timer
        self.poll_active = 0
        self.poll_cpu = -1
        self.nr_bad_reports = 0


def announce(k: Kernel, irqfixup: int, is_rt: bool) -> int:
    """What the boot options say in the log; returns what they are worth: nothing with PREEMPT_RT.

    Source: kernel/irq/spurious.c: irqfixup_setup, irqpoll_setup, noirqdebug_setup.
    """
    if k.noirqdebug:
        printk(k, KERN_INFO, "IRQ lockup detection disabled")
    if not irqfixup:
        return 0
    if is_rt:
        option = "irqpoll" if irqfixup == POLL else "irqfixup"
        printk(k, KERN_WARNING, f"{option} boot option not supported with PREEMPT_RT")
        return 0
    if irqfixup == POLL:
        printk(k, KERN_WARNING, "Misrouted IRQ fixup and polling support enabled")
        printk(k, KERN_WARNING, "This may significantly impact system performance")
    else:
        printk(k, KERN_WARNING, "Misrouted IRQ fixup support enabled.")
        printk(k, KERN_WARNING, "This may impact system performance.")
    return irqfixup


def note_interrupt(
    k: Kernel, cpu: Cpu, desc: IrqDesc, retval: int, handle_irq_event: HandleEvent
) -> Path:
    """Judge one interrupt by what its actions returned together.

    Where the actions did no more than wake threads, the judgement is deferred: the next
    interrupt tells by the threads' count whether this one was handled.
    """
    if k.noirqdebug or desc.percpu or desc.istate & IRQS_POLL_INPROGRESS:
        return
    if retval > (IRQ_HANDLED | IRQ_WAKE_THREAD):
        if k.spurious.nr_bad_reports < BAD_REPORTS_MAX:
            k.spurious.nr_bad_reports += 1
            _report_bad_irq(k, cpu, desc, f"irq event {desc.irq}: bogus return value {retval:x}")
        return
    if retval & IRQ_WAKE_THREAD:
        if retval == IRQ_WAKE_THREAD:
            if not desc.threads_handled_last & SPURIOUS_DEFERRED:
                desc.threads_handled_last |= SPURIOUS_DEFERRED
                return
            handled = desc.threads_handled | SPURIOUS_DEFERRED
            retval = IRQ_NONE if handled == desc.threads_handled_last else IRQ_HANDLED
            desc.threads_handled_last = handled
        else:
            desc.threads_handled_last &= ~SPURIOUS_DEFERRED
    if retval == IRQ_NONE:
        if k.jiffies > desc.last_unhandled + k.hz // 10:
            desc.irqs_unhandled = 1
        else:
            desc.irqs_unhandled += 1
        desc.last_unhandled = k.jiffies
    if k.spurious.irqfixup and _try_misrouted_irq(k, desc, retval):
        is_found = yield from _misrouted_irq(k, cpu, desc, handle_irq_event)
        if retval == IRQ_NONE and is_found:
            desc.irqs_unhandled -= 1
    if not desc.irqs_unhandled and not k.release.spurious_counts_all:
        return
    desc.irq_count += 1
    if desc.irq_count < COUNT_MAX:
        return
    desc.irq_count = 0
    if desc.irqs_unhandled > UNHANDLED_MAX:
        text = f'irq {desc.irq}: nobody cared (try booting with the "irqpoll" option)'
        _report_bad_irq(k, cpu, desc, text)
        printk(k, KERN_EMERG, f"Disabling IRQ #{desc.irq}")
        desc.istate |= IRQS_SPURIOUS_DISABLED
        desc.depth += 1
        desc.irqs_disabled = True
        _arm_poll_timer(k, cpu)
    desc.irqs_unhandled = 0


# -- other lines' interrupts ---------------------------------------------------------------


def _try_misrouted_irq(k: Kernel, desc: IrqDesc, retval: int) -> bool:
    """Whether to look at the other lines.  Source: kernel/irq/spurious.c: try_misrouted_irq."""
    if retval == IRQ_NONE:
        return True
    actions = desc.actions
    return k.spurious.irqfixup == POLL and bool(actions) and actions[0].flags & IRQF_IRQPOLL != 0


def _misrouted_irq(
    k: Kernel, cpu: Cpu, desc: IrqDesc, handle_irq_event: HandleEvent
) -> FoundPath:
    """Offer an interrupt to the other lines, in the order of their numbers; one CPU at a time.

    Source: kernel/irq/spurious.c: misrouted_irq.
    """
    spurious, is_found = k.spurious, False
    spurious.poll_active += 1
    if spurious.poll_active == 1:
        spurious.poll_cpu = cpu.number
        for irq in sorted(k.irq_desc):
            other = k.irq_desc[irq]
            if other is not desc:
                handled = yield from try_one_irq(k, cpu, other, False, handle_irq_event)
                is_found = is_found or handled
    spurious.poll_active -= 1
    return is_found


def try_one_irq(
    k: Kernel, cpu: Cpu, desc: IrqDesc, force: bool, handle_irq_event: HandleEvent
) -> FoundPath:
    """Call the handlers of a line as if it had fired; True if one of them handled something.

    Only of a shared line, and `force` also of a disabled one; one that is being handled
    elsewhere is told to look once more.  Interrupts are off.
    """
    if desc.percpu or (desc.irqs_disabled and not force):
        return False
    if not desc.actions or not desc.actions[0].flags & IRQF_SHARED:
        return False
    if desc.inprogress:
        desc.istate |= IRQS_PENDING
        return False
    is_handled = False
    desc.istate |= IRQS_POLL_INPROGRESS
    while True:
        retval = yield from handle_irq_event(k, cpu, desc)
        is_handled = is_handled or retval == IRQ_HANDLED
        if not desc.istate & IRQS_PENDING or not desc.actions:
            break
    desc.istate &= ~IRQS_POLL_INPROGRESS
    return is_handled


def irq_wait_for_poll(k: Kernel, cpu: Cpu, desc: IrqDesc) -> FoundPath:
    """An interrupt of a line that is being polled: wait; True if it is still to be handled."""
    if k.spurious.poll_cpu == cpu.number:
        text = f"irq poll in progress on cpu {cpu.number} for irq {desc.irq}"
        warn_once(k, cpu, "kernel/irq/spurious.c irq_wait_for_poll", text)
        return False
    what = f"the poll of irq {desc.irq}"
    yield from spin_until(k, cpu, lambda: not desc.inprogress, what)
    return not desc.irqs_disabled and bool(desc.actions)


# -- the timer -------------------------------------------------------------------------------


def poll_spurious_irqs(k: Kernel, cpu: Cpu, handle_irq_event: HandleEvent) -> Path:
    """The function of poll_spurious_irq_timer: look at each line that was disabled for good."""
    spurious = k.spurious
    spurious.poll_active += 1
    if spurious.poll_active == 1:
        spurious.poll_cpu = cpu.number
        for irq in sorted(k.irq_desc):
            desc = k.irq_desc[irq]
            if desc.istate & IRQS_SPURIOUS_DISABLED:
                cpu.irqs_disabled = True
                yield from try_one_irq(k, cpu, desc, True, handle_irq_event)
                cpu.irqs_disabled = False
                yield 0
    spurious.poll_active -= 1
    _arm_poll_timer(k, cpu)


def _arm_poll_timer(k: Kernel, cpu: Cpu) -> None:
    """Look in a tenth of a second (POLL_SPURIOUS_IRQ_INTERVAL).

    Differs: not when nothing else is left to happen and the run has no set end.
    """
    if not k.is_at_rest():
        mod_timer(k, cpu, k.spurious.timer, k.jiffies + k.hz // 10, cpu)


# -- the report --------------------------------------------------------------------------------


def _report_bad_irq(k: Kernel, cpu: Cpu, desc: IrqDesc, text: str) -> None:
    """Source: kernel/irq/spurious.c: __report_bad_irq."""
    printk(k, KERN_ERR, text)
    dump_stack(k, cpu)
    lines = ["handlers:"]
    for action in desc.actions:
        line = f"[<{_hashed_pointer(desc.irq, action.dev_id):016x}>] {action.name}_irq"
        if action.thread_fn is not None:
            pointer = _hashed_pointer(desc.irq, ~action.dev_id)
            line += f" threaded [<{pointer:016x}>] {action.name}_thread"
        lines.append(line)
    printk(k, KERN_ERR, "\n".join(lines))


def _hashed_pointer(irq: int, dev_id: int) -> int:
    """What %p prints: 32 bits that tell nothing but sameness."""
    return (irq * 0x9E3779B1 ^ (dev_id + 1) * 0x85EBCA6B) & 0xFFFFFFFF
