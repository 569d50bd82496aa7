"""Interrupt threads: the part of a handler that may sleep.

Each action with a thread function has a thread of its own, SCHED_FIFO 50, that runs where the
line is served.  The primary handler wakes it; being woken again while it runs makes it go round
once more, without an event.  A one-shot line stays masked until all its threads are done.

Source: kernel/irq/manage.c: irq_thread, irq_finalize_oneshot, setup_irq_thread;
kernel/irq/handle.c: __irq_wake_thread.
Differs: a thread exists, asleep, from the request on; that it ran once to get ready is left
out.
"""

from __future__ import annotations

from typing import Final

from irqsim.events import TASK_INTERRUPTIBLE
from irqsim.kernel.idle import do_exit
from irqsim.kernel.irq.irqdesc import (
    IRQ_HANDLED,
    IRQS_ONESHOT,
    IrqAction,
    IrqDesc,
)
from irqsim.kernel.irq.mask import cond_unmask_irq
from irqsim.kernel.sched import move_task, new_task, schedule, start_task, wake_up_process
from irqsim.kernel.state import SCHED_FIFO, Cpu, Kernel, Path, Task

TASK_COMM_LEN: Final = 16
IRQ_THREAD_PRIO: Final = 49
"""As traces print it: SCHED_FIFO 50."""


def setup_irq_thread(k: Kernel, desc: IrqDesc, action: IrqAction) -> None:
    """Make the thread of an action that has a thread function."""
    action.thread_mask = 1 << len(desc.actions)
    holder: list[Task] = []
    comm = f"irq/{desc.irq}-{action.name}"[: TASK_COMM_LEN - 1]
    task = new_task(k, comm, irq_thread(k, holder, desc, action), (desc.effective_cpu,))
    holder.append(task)
    task.policy, task.prio = SCHED_FIFO, IRQ_THREAD_PRIO
    task.state = TASK_INTERRUPTIBLE
    action.thread = task


def irq_wake_thread(k: Kernel, cpu: Cpu, desc: IrqDesc, action: IrqAction) -> Path:
    """Ask an action's thread to run; one that has been asked already is left alone."""
    if action.runthread or action.thread is None:
        return
    action.runthread = True
    desc.threads_oneshot |= action.thread_mask
    desc.threads_active += 1
    yield from wake_up_process(k, cpu, action.thread)


def irq_thread(k: Kernel, holder: list[Task], desc: IrqDesc, action: IrqAction) -> Path:
    """The code of an interrupt thread."""
    task = holder[0]
    thread_fn = action.thread_fn
    assert thread_fn is not None
    yield from start_task(k, task)
    while True:
        while not action.runthread and not action.is_stopped:
            task.state = TASK_INTERRUPTIBLE
            yield from schedule(k, k.cpus[task.cpu])
        if not action.runthread:
            break
        action.runthread = False
        if task.allowed != (desc.effective_cpu,):
            # IRQTF_AFFINITY: it follows the line at its next round.
            yield from move_task(k, task, (desc.effective_cpu,))
        result = yield from thread_fn(k, task, action)
        if result == IRQ_HANDLED:
            desc.threads_handled += 1
        if desc.istate & IRQS_ONESHOT:
            yield from _irq_finalize_oneshot(k, desc, action)
        yield from _wake_threads_waitq(k, task, desc)
    yield from do_exit(k, task)


def _irq_finalize_oneshot(k: Kernel, desc: IrqDesc, action: IrqAction) -> Path:
    """This thread is done with its line: the last one unmasks it.

    If it has been asked again meanwhile, the line stays masked for the next round.
    """
    while desc.inprogress:
        yield k.cost.spin
    if action.runthread:
        return
    desc.threads_oneshot &= ~action.thread_mask
    cond_unmask_irq(desc)
    yield 0


def _wake_threads_waitq(k: Kernel, task: Task, desc: IrqDesc) -> Path:
    """Source: kernel/irq/manage.c: wake_threads_waitq."""
    desc.threads_active -= 1
    while not desc.threads_active and desc.wait_for_threads:
        waiter = desc.wait_for_threads.pop(0)
        yield from wake_up_process(k, k.cpus[task.cpu], waiter)
