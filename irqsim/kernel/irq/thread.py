"""Interrupt threads: the part of a handler that may sleep.

Each action with a thread function has a thread of its own, SCHED_FIFO 50, that runs where the
line is served.  The primary handler wakes it; being woken again while it runs makes it go round
once more, without an event.  A one-shot line stays masked until all its threads are done.

Source: kernel/irq/manage.c: irq_thread, irq_wait_for_interrupt, irq_thread_check_affinity,
irq_finalize_oneshot, setup_irq_thread; kernel/irq/handle.c: __irq_wake_thread.
Differs: a thread exists, asleep, from the request on; that it ran once to get ready is left
out.
"""

from __future__ import annotations

from typing import Final

from irqsim.events import TASK_INTERRUPTIBLE
from irqsim.kernel.exit import do_exit
from irqsim.kernel.irq.irqdesc import (
    IRQ_HANDLED,
    IRQ_WAKE_THREAD,
    IRQS_ONESHOT,
    IrqAction,
    IrqDesc,
)
from irqsim.kernel.irq.mask import cond_unmask_irq
from irqsim.kernel.irq.settings import IRQF_NO_THREAD, IRQF_ONESHOT, IRQF_PERCPU
from irqsim.kernel.sched import new_task, preempt_check_resched, schedule, start_task
from irqsim.kernel.softirq import local_bh_disable, local_bh_enable
from irqsim.kernel.spin import spin_until
from irqsim.kernel.state import SCHED_FIFO, Cpu, HandlerPath, Kernel, Path, Task
from irqsim.kernel.stop_machine import set_cpus_allowed
from irqsim.kernel.wakeup import wake_up_process

TASK_COMM_LEN: Final = 16
IRQ_THREAD_PRIO: Final = 49
"""As traces print it: SCHED_FIFO 50."""


def setup_irq_thread(k: Kernel, desc: IrqDesc, action: IrqAction) -> None:
    """Make the thread of an action that has a thread function.

    On a one-shot line it gets the first bit of threads_oneshot that no other action has.
    Source: kernel/irq/manage.c: setup_irq_thread, __setup_irq.
    """
    if action.flags & IRQF_ONESHOT:
        taken = 0
        for other in desc.actions:
            taken |= other.thread_mask
        action.thread_mask = ~taken & (taken + 1)
    _create_thread(k, desc, action, "")
    if action.secondary is not None:
        _create_thread(k, desc, action.secondary, "s-")


def _create_thread(k: Kernel, desc: IrqDesc, action: IrqAction, mark: str) -> None:
    holder: list[Task] = []
    comm = f"irq/{desc.irq}-{mark}{action.name}"[: TASK_COMM_LEN - 1]
    task = new_task(k, comm, irq_thread(k, holder, desc, action), _cpus_of(k, desc))
    holder.append(task)
    task.policy, task.prio = SCHED_FIFO, IRQ_THREAD_PRIO
    task.state = TASK_INTERRUPTIBLE
    action.thread = task


def irq_setup_forced_threading(k: Kernel, action: IrqAction) -> None:
    """Make a thread of a handler, unless its driver has said that it must not be one.

    A driver's own thread function becomes a secondary action's, with a thread of its own.
    Source: kernel/irq/manage.c: irq_setup_forced_threading.
    """
    if action.flags & (IRQF_NO_THREAD | IRQF_PERCPU | IRQF_ONESHOT):
        return
    primary = action.handler
    if action.thread_fn is not None:
        action.secondary = IrqAction(
            k, action.irq, action.name, action.flags, action.dev_id, primary, action.thread_fn
        )

    def forced(k: Kernel, task: Task, action: IrqAction) -> HandlerPath:
        return primary(k, k.cpus[task.cpu], action)

    action.thread_fn = forced
    action.handler = irq_default_primary_handler
    action.is_forced = True


def irq_default_primary_handler(k: Kernel, cpu: Cpu, action: IrqAction) -> HandlerPath:
    """The handler of an action whose driver gave none: only wake the thread."""
    yield 0
    return IRQ_WAKE_THREAD


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
        yield from _irq_wait_for_interrupt(k, task, desc, action)
        if not action.runthread:
            break
        action.runthread = False
        if not k.release.irq_threads_move_at_once:
            yield from _irq_thread_check_affinity(k, task, desc, action)
        cpu = k.cpus[task.cpu]
        if action.is_forced:
            yield from local_bh_disable(k, cpu)
            cpu.irqs_disabled = not k.preempt_rt
        result = yield from thread_fn(k, task, action)
        if result == IRQ_HANDLED:
            desc.threads_handled += 1
        if desc.istate & IRQS_ONESHOT and action.thread_mask:
            yield from _irq_finalize_oneshot(k, cpu, desc, action)
        if action.is_forced:
            cpu.irqs_disabled = False
            yield 0
            yield from local_bh_enable(k, cpu)
        if result == IRQ_WAKE_THREAD and action.secondary is not None:
            yield from _irq_wake_secondary(k, k.cpus[task.cpu], desc, action.secondary)
        yield from _wake_threads_waitq(k, task, desc)
    action.has_ended = True
    if action.stopper is not None:
        # complete(&kthread->exited), in exit_mm(): before the end is logged.
        yield from wake_up_process(k, k.cpus[task.cpu], action.stopper)
    yield from do_exit(k, task)


def _irq_wait_for_interrupt(k: Kernel, task: Task, desc: IrqDesc, action: IrqAction) -> Path:
    """Sleep until the thread is asked to run or to end."""
    while True:
        if k.release.irq_threads_move_at_once:
            yield from _irq_thread_check_affinity(k, task, desc, action)
        if action.runthread or action.is_stopped:
            return
        task.state = TASK_INTERRUPTIBLE
        yield from schedule(k, k.cpus[task.cpu])


def _irq_thread_check_affinity(
    k: Kernel, task: Task, desc: IrqDesc, action: IrqAction
) -> Path:
    """Go where the line went, if it was moved."""
    if action.follows_line:
        action.follows_line = False
        if task.allowed != _cpus_of(k, desc):
            yield from set_cpus_allowed(k, task, _cpus_of(k, desc))


def _cpus_of(k: Kernel, desc: IrqDesc) -> tuple[int, ...]:
    """Where the threads of a line run: where it is served, or, if it has no effective affinity
    because its chip does not move it, anywhere."""
    if desc.chip.has_set_affinity:
        return (desc.effective_cpu,)
    return tuple(range(len(k.cpus)))


def irq_set_thread_affinity(k: Kernel, desc: IrqDesc) -> list[Task]:
    """Have the threads of a line that was moved follow it: at their next round, or, where
    they do so at once, when they are woken for it.  Returns those to be woken.

    A thread function of a forced handler is left behind by those that wait.
    Source: kernel/irq/manage.c: irq_set_thread_affinity.
    """
    at_once = k.release.irq_threads_move_at_once
    threads = []
    for action in desc.actions:
        for each in (action, action.secondary):
            if each is not None and each.thread is not None and (at_once or each is action):
                each.follows_line = True
                threads.append(each.thread)
    return threads if at_once else []


def _irq_finalize_oneshot(k: Kernel, cpu: Cpu, desc: IrqDesc, action: IrqAction) -> Path:
    """This thread is done with its line: the last one unmasks it.

    If it has been asked again meanwhile, the line stays masked for the next round.
    """
    what = f"the handlers of irq {desc.irq} to return"
    yield from spin_until(k, cpu, lambda: not desc.inprogress, what)
    if action.runthread:
        return
    desc.threads_oneshot &= ~action.thread_mask
    cond_unmask_irq(desc)
    # An interrupt that waits is taken while the descriptor's lock is being released.
    cpu.preempt_count += k.preempt_offset
    yield 0
    cpu.preempt_count -= k.preempt_offset


def _irq_wake_secondary(k: Kernel, cpu: Cpu, desc: IrqDesc, secondary: IrqAction) -> Path:
    """Source: kernel/irq/manage.c: irq_wake_secondary."""
    if secondary.thread is None or secondary.runthread:
        return
    secondary.runthread = True
    desc.threads_active += 1
    # Under the descriptor's lock.
    cpu.preempt_count += k.preempt_offset
    yield from wake_up_process(k, cpu, secondary.thread)
    cpu.preempt_count -= k.preempt_offset
    yield from preempt_check_resched(k, cpu)


def _wake_threads_waitq(k: Kernel, task: Task, desc: IrqDesc) -> Path:
    """Source: kernel/irq/manage.c: wake_threads_waitq."""
    desc.threads_active -= 1
    while not desc.threads_active and desc.wait_for_threads:
        waiter = desc.wait_for_threads.pop(0)
        yield from wake_up_process(k, k.cpus[task.cpu], waiter)
    if not desc.threads_active:
        # The wait queue's lock has been taken and released.
        yield from preempt_check_resched(k, k.cpus[task.cpu])
