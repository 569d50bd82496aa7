"""Flow handlers, and the loop over a line's actions.

The GIC's SPIs, level or edge, are served by handle_fasteoi_irq(), its PPIs and SGIs by
handle_percpu_devid_irq(); the other flows stand behind controllers that mask and acknowledge
a line at a time.

Source: kernel/irq/chip.c, kernel/irq/handle.c.
"""

from __future__ import annotations

from collections.abc import Callable

from irqsim.kernel.irq.irqdesc import (
    IRQ_HANDLED,
    IRQ_NONE,
    IRQ_WAKE_THREAD,
    IRQS_ONESHOT,
    IRQS_PENDING,
    IRQS_POLL_INPROGRESS,
    IRQS_REPLAY,
    IRQS_WAITING,
    IrqAction,
    IrqDesc,
    kstat_incr_irq,
)
from irqsim.kernel.irq.mask import cond_unmask_irq, mask_irq, unmask_irq
from irqsim.kernel.irq.resend import check_irq_resend
from irqsim.kernel.irq.spurious import FoundPath, irq_wait_for_poll, note_interrupt
from irqsim.kernel.irq.thread import irq_wake_thread
from irqsim.kernel.printk import KERN_ERR, KERN_WARNING, printk, printk_once, warn_once
from irqsim.kernel.state import Cpu, HandlerPath, Kernel, Path, Task
from irqsim.kernel.trace import trace


def handle_fasteoi_irq(k: Kernel, cpu: Cpu, desc: IrqDesc) -> Path:
    """The controller wants one EOI when all is done; it holds the line back until then.

    Source: kernel/irq/chip.c: handle_fasteoi_irq, cond_unmask_eoi_irq.
    """
    if desc.inprogress:
        is_polled = yield from _irq_check_poll(k, cpu, desc)
        if not is_polled:
            if desc.is_msi and k.release.resends_lpis:
                # It was moved while its handlers ran: they run once more when they are through.
                desc.istate |= IRQS_PENDING
            desc.chip.irq_eoi(cpu, desc)
            return
    desc.istate &= ~(IRQS_REPLAY | IRQS_WAITING)
    if desc.irqs_disabled or not desc.actions:
        desc.istate |= IRQS_PENDING
        mask_irq(desc)
        desc.chip.irq_eoi(cpu, desc)
        return
    desc.kstat_irqs[cpu.number] += 1
    desc.tot_count += 1
    if desc.istate & IRQS_ONESHOT:
        mask_irq(desc)
    yield from handle_irq_event(k, cpu, desc)
    desc.chip.irq_eoi(cpu, desc)
    if desc.istate & IRQS_ONESHOT:
        cond_unmask_irq(desc)
    if desc.is_msi and desc.istate & IRQS_PENDING:
        check_irq_resend(k, desc)


def handle_percpu_devid_irq(k: Kernel, cpu: Cpu, desc: IrqDesc) -> Path:
    """A per-CPU interrupt: no lock, no sharing, no search for spurious ones.

    Source: kernel/irq/chip.c: handle_percpu_devid_irq.
    """
    kstat_incr_irq(cpu, desc)
    desc.chip.irq_ack(cpu, desc)
    if desc.actions:
        action = desc.actions[0]
        trace(k, cpu, action.entry_event)
        yield k.cost.irq_handler
        result = yield from action.handler(k, cpu, action)
        trace(k, cpu, action.exit_events[result != IRQ_NONE])
    else:
        k.gic.disable_percpu(desc, cpu.number)
        text = f"Spurious and unmasked percpu IRQ{desc.irq} on CPU{cpu.number}"
        printk_once(k, KERN_ERR, "handle_percpu_devid_irq", text)
    desc.chip.irq_eoi(cpu, desc)


def handle_fasteoi_nmi(k: Kernel, cpu: Cpu, desc: IrqDesc) -> Path:
    """A pseudo-NMI: no lock could be taken, so there is one action and no state.

    It is counted by CPU only, and whether anybody handled it does not matter.
    Source: kernel/irq/chip.c: handle_fasteoi_nmi.
    """
    desc.kstat_irqs[cpu.number] += 1
    action = desc.actions[0]
    trace(k, cpu, action.entry_event)
    yield k.cost.irq_handler
    result = yield from action.handler(k, cpu, action)
    trace(k, cpu, action.exit_events[result != IRQ_NONE])
    desc.chip.irq_eoi(cpu, desc)


def handle_percpu_devid_fasteoi_nmi(k: Kernel, cpu: Cpu, desc: IrqDesc) -> Path:
    """The same of a line that each CPU has for itself.

    Source: kernel/irq/chip.c: handle_percpu_devid_fasteoi_nmi.
    """
    return handle_fasteoi_nmi(k, cpu, desc)


def nmi_flow(desc: IrqDesc) -> Callable[[Kernel, Cpu, IrqDesc], Path]:
    """The flow handler of a line that becomes an NMI.

    Source: drivers/irqchip/irq-gic-v3.c: gic_irq_nmi_setup.
    """
    return handle_percpu_devid_fasteoi_nmi if desc.percpu else handle_fasteoi_nmi


def handle_level_irq(k: Kernel, cpu: Cpu, desc: IrqDesc) -> Path:
    """Mask the line while its handlers run.

    A line that cannot run now stays masked: the instance that runs unmasks it.
    Source: kernel/irq/chip.c: handle_level_irq, cond_unmask_irq.
    """
    mask_irq(desc)
    desc.chip.irq_ack(cpu, desc)
    if desc.inprogress:
        is_polled = yield from _irq_check_poll(k, cpu, desc)
        if not is_polled:
            return
    desc.istate &= ~(IRQS_REPLAY | IRQS_WAITING)
    if desc.irqs_disabled or not desc.actions:
        desc.istate |= IRQS_PENDING
        return
    kstat_incr_irq(cpu, desc)
    yield from handle_irq_event(k, cpu, desc)
    cond_unmask_irq(desc)


def handle_edge_irq(k: Kernel, cpu: Cpu, desc: IrqDesc) -> Path:
    """Acknowledge first, so that an edge during the handlers is seen; it is replayed here.

    Edges that arrive on another CPU meanwhile are masked and remembered as one.
    Source: kernel/irq/chip.c: handle_edge_irq.
    """
    desc.istate &= ~(IRQS_REPLAY | IRQS_WAITING)
    may_run = not desc.inprogress
    if not may_run:
        may_run = yield from _irq_check_poll(k, cpu, desc)
    if not may_run or desc.irqs_disabled or not desc.actions:
        desc.istate |= IRQS_PENDING
        mask_irq(desc)
        desc.chip.irq_ack(cpu, desc)
        return
    kstat_incr_irq(cpu, desc)
    desc.chip.irq_ack(cpu, desc)
    while True:
        if not desc.actions:
            mask_irq(desc)
            return
        if desc.istate & IRQS_PENDING and not desc.irqs_disabled:
            # Another CPU has masked it: the threads, if any, have no say here.
            unmask_irq(desc)
        yield from handle_irq_event(k, cpu, desc)
        if not desc.istate & IRQS_PENDING or desc.irqs_disabled:
            return


def handle_simple_irq(k: Kernel, cpu: Cpu, desc: IrqDesc) -> Path:
    """No controller to talk to.

    Source: kernel/irq/chip.c: handle_simple_irq.
    """
    if desc.inprogress:
        is_polled = yield from _irq_check_poll(k, cpu, desc)
        if not is_polled:
            return
    desc.istate &= ~(IRQS_REPLAY | IRQS_WAITING)
    if desc.irqs_disabled or not desc.actions:
        desc.istate |= IRQS_PENDING
        return
    kstat_incr_irq(cpu, desc)
    yield from handle_irq_event(k, cpu, desc)


def handle_nested_irq(k: Kernel, task: Task, desc: IrqDesc) -> Path:
    """Run the thread functions of a line in the thread of its controller's line.

    No handler, no mask, no event: the log has nothing of it but what they do.
    Source: kernel/irq/chip.c: handle_nested_irq.
    """
    desc.istate &= ~(IRQS_REPLAY | IRQS_WAITING)
    if desc.irqs_disabled or not desc.actions:
        desc.istate |= IRQS_PENDING
        return
    kstat_incr_irq(k.cpus[task.cpu], desc)
    desc.inprogress, desc.inprogress_cpu = True, task.cpu
    retval = IRQ_NONE
    for each in desc.actions:
        assert each.thread_fn is not None
        retval |= yield from each.thread_fn(k, task, each)
    yield from note_interrupt(k, k.cpus[task.cpu], desc, retval, handle_irq_event)
    desc.inprogress = False


def _irq_check_poll(k: Kernel, cpu: Cpu, desc: IrqDesc) -> FoundPath:
    """Whether an interrupt of a line whose handlers run is to be handled all the same.

    It is where they run because somebody polls the line, once they have returned.
    Source: kernel/irq/chip.c: irq_may_run, irq_check_poll.
    """
    if not desc.istate & IRQS_POLL_INPROGRESS:
        return False
    is_due = yield from irq_wait_for_poll(k, cpu, desc)
    return is_due


def handle_irq_event(k: Kernel, cpu: Cpu, desc: IrqDesc) -> HandlerPath:
    """Run every action of the line, then judge what they returned; returns that.

    All handlers of a shared line are called, whatever the earlier ones said.
    Source: kernel/irq/handle.c: handle_irq_event, __handle_irq_event_percpu.
    """
    desc.istate &= ~IRQS_PENDING
    desc.inprogress = True
    desc.inprogress_cpu = cpu.number
    retval = IRQ_NONE
    for action in desc.actions:
        trace(k, cpu, action.entry_event)
        if k.cost.irq_handler:
            yield k.cost.irq_handler
        result = yield from action.handler(k, cpu, action)
        trace(k, cpu, action.exit_events[result != IRQ_NONE])
        if not cpu.irqs_disabled:
            _handler_enabled_interrupts(k, cpu, desc, action)
        if result == IRQ_WAKE_THREAD:
            if action.thread_fn is None:
                _warn_no_thread(k, desc, action)
            else:
                yield from irq_wake_thread(k, cpu, desc, action)
        retval |= result
    desc.inprogress = False
    if k.storm is not None:
        k.storm.note(k, cpu, desc)
    if (
        retval != IRQ_HANDLED
        or desc.irqs_unhandled
        or k.release.spurious_counts_all
        or k.spurious.irqfixup
    ):
        yield from note_interrupt(k, cpu, desc, retval, handle_irq_event)
    return retval


def _handler_enabled_interrupts(
    k: Kernel, cpu: Cpu, desc: IrqDesc, action: IrqAction
) -> None:
    # WARN_ONCE(): once since the boot, whatever the line.
    place = "kernel/irq/handle.c __handle_irq_event_percpu"
    warn_once(k, cpu, place, f"irq {desc.irq} handler {action.name} enabled interrupts")
    cpu.irqs_disabled = True


def _warn_no_thread(k: Kernel, desc: IrqDesc, action: IrqAction) -> None:
    if not action.warned_no_thread:
        action.warned_no_thread = True
        printk(
            k,
            KERN_WARNING,
            f"IRQ {desc.irq} device {action.name} returned IRQ_WAKE_THREAD but no thread "
            "function available.",
        )
